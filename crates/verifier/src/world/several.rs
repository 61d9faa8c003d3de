//! Several verifiers on one ledger, each with a disk and a store of its own, that hear each other without sockets: what each answers can
//! be changed, so that one is away or lies.

use super::{FOUR, THREE, WINDOWS, World, account, after, genesis_of, key};
use crate::chain::local::LocalChain;
use crate::chain::{Chain, ChainView, VerifierAt};
use crate::collector::{Collector, Settings};
use crate::disk::SimulatedDisk;
use crate::epochs::{self, Advanced, Epochs};
use crate::objects::Memory;
use crate::peers::{self, Peers, Wanted, What};
use cairn_ledger::genesis::Genesis;
use cairn_types::intake::IntakeAnswer;
use cairn_types::{AccountId, EpochNumber, Hash, NetworkId, Receipt, TimeMs, hash};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// How a verifier answers another, given what it would say in honesty.
pub type Mood = Box<dyn Fn(&AccountId, &Wanted, Option<Vec<u8>>) -> Option<Vec<u8>> + Send>;

type Stores = BTreeMap<AccountId, (Memory, Option<Mood>)>;

/// What each verifier serves. Clones share it.
#[derive(Clone, Default)]
pub struct Served(Arc<Mutex<Stores>>);

/// One verifier's way to the others.
pub struct Direct {
    me: AccountId,
    served: Served,
}

impl Peers for Direct {
    fn get(&self, wanted: &Wanted, from: &[VerifierAt]) -> Option<Vec<u8>> {
        let served = self.served.0.lock().unwrap();
        from.iter().find_map(|peer| {
            let (objects, mood) = served.get(&peer.account)?;
            let honest = peers::answer(objects, wanted).unwrap();
            let said = match mood {
                Some(mood) => mood(&self.me, wanted, honest),
                None => honest,
            };
            let holds = |bytes: &Vec<u8>| match &wanted.what {
                What::Hashed { hash, .. } => hash::sha256(bytes) == *hash,
                _ => true,
            };
            said.filter(|bytes| holds(bytes) && bytes.len() as u64 <= wanted.bytes_max)
        })
    }

    fn forget(&self, _: &NetworkId, _: EpochNumber) {}
}

/// A verifier's parts.
pub struct One {
    pub role: u8,
    pub disk: SimulatedDisk,
    pub objects: Memory,
    pub collector: Collector,
    pub epochs: Epochs,
}

pub struct Several {
    pub world: World,
    pub served: Served,
    pub verifiers: Vec<One>,
}

impl Several {
    /// Three verifiers with these bonds in whole tokens; an anchoring ends after a window of half an hour.
    pub fn new(bonds: [u64; 3], hours: u64) -> Self {
        Self::among(&THREE, &bonds, hours, |_| {})
    }

    /// These roles as verifiers with these bonds, on a changed genesis.
    pub fn among(roles: &[u8], bonds: &[u64], hours: u64, change: impl FnOnce(&mut Genesis)) -> Self {
        let of: Vec<(u8, u64)> = roles.iter().copied().zip(bonds.iter().copied()).collect();
        let mut genesis = genesis_of(&of);
        genesis.limits.anchor_window_ms = super::HOUR / 2;
        genesis.limits.window_blocks = 1;
        change(&mut genesis);
        let mut several = Self {
            world: World::on(genesis, hours),
            served: Served::default(),
            verifiers: Vec::new(),
        };
        for role in roles.iter().copied() {
            let (disk, objects) = (SimulatedDisk::new(1 << 28), Memory::default());
            several.serve(role, &objects);
            let opened = several.open(role, disk, objects);
            several.verifiers.push(opened);
        }
        several
    }

    fn serve(&self, role: u8, objects: &Memory) {
        let mut served = self.served.0.lock().unwrap();
        served.insert(account(role).account, (objects.clone(), None));
    }

    fn open(&self, role: u8, disk: SimulatedDisk, objects: Memory) -> One {
        let settings = Settings {
            verifier: account(role).account,
            key: key(role),
            ..self.world.settings()
        };
        let collector = self.world.collector_on(settings, &disk);
        let epochs = self.epochs(role, &objects);
        One {
            role,
            disk,
            objects,
            collector,
            epochs,
        }
    }

    fn epochs(&self, role: u8, objects: &Memory) -> Epochs {
        let settings = epochs::Settings {
            key: key(role),
            submitter: account(role),
            grace_ms: WINDOWS.grace_ms,
            shards: 2,
            remember_epochs: 2,
            addresses: FOUR
                .iter()
                .map(|role| (account(*role).account, "direct".to_owned()))
                .collect(),
        };
        let chain: Arc<dyn Chain> = Arc::new(self.world.chain.clone());
        let direct = Direct {
            me: account(role).account,
            served: self.served.clone(),
        };
        let (objects, peers) = (Arc::new(objects.clone()), Arc::new(direct));
        Epochs::open(settings, chain, objects, peers, None, &[self.world.network]).unwrap()
    }

    /// Kills a verifier and opens it again on what it had written.
    pub fn reopen(&mut self, at: usize) {
        let One {
            role, disk, objects, ..
        } = &self.verifiers[at];
        let again = self.open(*role, disk.clone(), objects.clone());
        self.verifiers[at] = again;
    }

    /// What a verifier answers from now on.
    pub fn set_mood(&self, at: usize, mood: Option<Mood>) {
        let mut served = self.served.0.lock().unwrap();
        served.get_mut(&self.account(at)).unwrap().1 = mood;
    }

    /// It answers nobody.
    pub fn hang_up(&self, at: usize) {
        self.set_mood(at, Some(Box::new(|_, _, _| None)));
    }

    pub fn account(&self, at: usize) -> AccountId {
        account(FOUR[at]).account
    }

    pub fn chain(&self) -> &LocalChain {
        &self.world.chain
    }

    /// An hour's reports, each device's to one of the three in turn. The receipts by verifier.
    pub fn feed(&mut self, hour: u64) -> [Vec<Receipt>; 3] {
        let mut sent: [Vec<Vec<u8>>; 3] = Default::default();
        for envelope in self.world.envelopes(hour) {
            let device = cairn_types::Envelope::parse(&envelope).unwrap().device;
            sent[usize::from(device.0[0]) % 3].push(envelope);
        }
        let mut at = 0;
        sent.map(|envelopes| {
            let receipts = self.send(at, hour, &envelopes);
            at += 1;
            receipts
        })
    }

    /// The receipts a verifier gives for these.
    pub fn send(&mut self, at: usize, hour: u64, envelopes: &[Vec<u8>]) -> Vec<Receipt> {
        let slices: Vec<&[u8]> = envelopes.iter().map(Vec::as_slice).collect();
        let answered = self.verifiers[at].collector.take(TimeMs(after(hour).0 - 1), &slices);
        let receipts = answered.answers.into_iter().filter_map(|answer| match answer {
            IntakeAnswer::Receipt(receipt) => Some(receipt),
            IntakeAnswer::Refused { .. } => None,
        });
        receipts.collect()
    }

    /// Moves the ledger past an hour and its grace.
    pub fn end(&self, hour: u64) -> TimeMs {
        let now = after(hour).plus_ms(WINDOWS.grace_ms);
        self.world.chain.advance(now);
        now
    }

    pub fn advance(&mut self, at: usize, now: TimeMs) -> Advanced {
        let One { collector, epochs, .. } = &mut self.verifiers[at];
        epochs.advance(now, collector)
    }

    /// Advances these in turn, so often that each heard the others.
    pub fn advance_all(&mut self, of: &[usize], now: TimeMs) {
        for _ in 0..4 {
            for at in of {
                let advanced = self.advance(*at, now);
                assert!(advanced.failed.is_empty(), "{at}: {:?}", advanced.failed);
            }
        }
    }

    /// The hash of the result in force.
    pub fn settled(&self, hour: u64) -> Option<Hash> {
        let settlement = self.chain().settlement(&self.world.network, EpochNumber(hour)).unwrap();
        settlement.map(|settlement| settlement.result)
    }
}
