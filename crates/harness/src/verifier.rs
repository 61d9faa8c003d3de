//! The verifier as a process that can be killed: its core on a simulated disk, opened anew from what that kept. Knows no fault but
//! its own death.

use crate::line::Line;
use crate::people::network_id;
use crate::{CLOCK, VERTICAL, WINDOWS};
use cairn_types::intake::IntakeAnswer;
use cairn_types::{AccountId, EpochNumber, NetworkId, Price, TimeMs};
use cairn_verifier::chain::{Chain, ChainView};
use cairn_verifier::collector::{self, Collector};
use cairn_verifier::disk::{Disk, SimulatedDisk};
use cairn_verifier::epochs::{self, Advanced, Epochs};
use cairn_verifier::objects::Memory;
use cairn_verifier::peers::{Nobody, Peers};
use cairn_verifier::price::FixedPrice;
use cairn_verifier::submit::Submitter;
use cairn_verticals::Vertical;
use std::sync::Arc;

/// Half a dollar.
const PRICE: Price = Price(50_000_000);
const LOG_SEGMENT_BYTES: u32 = 1 << 16;

/// How the log sees the disk: as it is, or as a planted bug shows it.
pub type Shows = fn(SimulatedDisk) -> Box<dyn Disk>;

/// A verifier, alive or not.
pub struct Verifier {
    who: Submitter,
    /// The way to other verifiers, and who can be asked there.
    pub peers: Arc<dyn Peers>,
    pub others: Vec<AccountId>,
    pub line: Line,
    pub disk: SimulatedDisk,
    pub objects: Memory,
    shows: Shows,
    alive: Option<(Collector, Epochs)>,
}

impl Verifier {
    pub fn new(who: Submitter, line: Line, space: u64, shows: Shows) -> Self {
        Self {
            who,
            peers: Arc::new(Nobody),
            others: Vec::new(),
            line,
            disk: SimulatedDisk::new(space),
            objects: Memory::default(),
            shows,
            alive: None,
        }
    }

    pub fn is_alive(&self) -> bool {
        self.alive.is_some()
    }

    /// Opens on what the disk holds. Stays dead when disk or ledger do not let it.
    pub fn open(&mut self) -> bool {
        if self.alive.is_none() {
            self.alive = self.collector().and_then(|collector| Some((collector, self.epochs()?)));
        }
        self.is_alive()
    }

    fn collector(&self) -> Option<Collector> {
        let settings = collector::Settings {
            verifier: self.who.account,
            key: self.who.keys[0].clone(),
            windows: WINDOWS,
            clock: CLOCK,
            segment_bytes: LOG_SEGMENT_BYTES,
            roster_ms_min: 0,
            log_seed: [9; 32],
        };
        let networks: [(NetworkId, &'static dyn Vertical, EpochNumber); 1] =
            [(network_id(), &VERTICAL, EpochNumber(0))];
        let chain: Arc<dyn ChainView> = Arc::new(self.line.clone());
        Collector::open(settings, chain, (self.shows)(self.disk.clone()), &networks).ok()
    }

    fn epochs(&self) -> Option<Epochs> {
        let settings = epochs::Settings {
            key: self.who.keys[0].clone(),
            submitter: self.who.clone(),
            grace_ms: WINDOWS.grace_ms,
            shards: 3,
            remember_epochs: 2,
            addresses: self
                .others
                .iter()
                .map(|other| (*other, "in the same process".to_owned()))
                .collect(),
        };
        let chain: Arc<dyn Chain> = Arc::new(self.line.clone());
        let feed = Arc::new(FixedPrice(PRICE));
        Epochs::open(
            settings,
            chain,
            Arc::new(self.objects.clone()),
            self.peers.clone(),
            Some(feed),
            &[network_id()],
        )
        .ok()
    }

    /// Ends the process and cuts the power: `keep` says of each sector that was not synced whether it arrived.
    pub fn kill(&mut self, keep: impl FnMut() -> bool) {
        self.alive = None;
        self.disk.crash(keep);
    }

    /// Ends the process; the machine goes on, and what was written can be read, on disk or not.
    pub fn restart(&mut self) {
        self.alive = None;
        self.open();
    }

    /// `None` when nobody is there.
    pub fn take(&mut self, now: TimeMs, envelopes: &[&[u8]]) -> Option<Vec<IntakeAnswer>> {
        let (collector, _) = self.alive.as_mut()?;
        Some(collector.take(now, envelopes).answers)
    }

    pub fn advance(&mut self, now: TimeMs) -> Option<Advanced> {
        let (collector, epochs) = self.alive.as_mut()?;
        Some(epochs.advance(now, collector))
    }

    /// The core, for whoever drives its epochs another way.
    pub fn parts(&mut self) -> Option<(&mut Collector, &mut Epochs)> {
        self.alive.as_mut().map(|(collector, epochs)| (collector, epochs))
    }

    pub fn collector_mut(&mut self) -> Option<&mut Collector> {
        self.alive.as_mut().map(|(collector, _)| collector)
    }
}
