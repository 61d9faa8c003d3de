//! The agent's decisions: take what a port gives, seal what is due, say what to send, and believe only receipts that hold.
//! It waits for nothing and asks nobody what time it is; its only effects go through `Disk`.
//!
//! ```text
//! take ─▶ (seal_due | seal_all) ─▶ commit ─▶ outgoing ═▶ … ═▶ delivered
//! ```
//! What is taken or sealed counts once `commit` has returned; when it fails nothing of the group counts.

mod send;

pub use send::{Batch, Delivered};

use crate::backoff::Backoff;
use crate::device::{self, Device, MESSAGE_BYTES_MAX, Network, Until};
use crate::disk::Disk;
use crate::journal::{Journal, Refused};
use crate::keys::{self, Keys};
use crate::outbox::record::{Mark, Message, Sealed};
use crate::outbox::{Group, Limits, Outbox, OutboxError};
use crate::queue::Queue;
use crate::routes::Routes;
use crate::status::Status;
use crate::uplink::Verifier;
use cairn_types::intake::ENVELOPES_MAX;
use cairn_types::{AccountId, DeviceId, Envelope, EpochClock, TimeMs};
use cairn_verticals::kit::{Driver, DriverError, ParamsError};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Devices of one agent at most.
pub const DEVICES_MAX: usize = 1_000_000;
/// Networks of one agent at most.
pub const NETWORKS_MAX: usize = 1_000;
/// Room an envelope needs beside what its messages needed.
const ENVELOPE_BYTES: usize = 512;

/// What an agent is made of.
pub struct Parts {
    pub networks: Vec<Network>,
    /// Name of each device, and the place of its network in `networks`.
    pub devices: Vec<(String, usize)>,
    pub verifiers: Vec<Verifier>,
    pub limits: Limits,
    pub backoff: Backoff,
    /// Bytes of receipts kept after their reports are gone; 0 for none.
    pub receipts_bytes_max: u64,
    /// Where jitter comes from.
    pub seed: [u8; 32],
}

/// What makes no agent.
#[derive(Debug, Error)]
pub enum AgentError {
    #[error("device {0:?} has no name that can be used, stands twice, or names no network")]
    BadDevice(String),
    #[error("device {0:?} has no key; make one with `cairn key`")]
    NoKey(String),
    #[error("network {name:?}: {error}")]
    BadParams { name: String, error: ParamsError },
    #[error("network {0:?}: an epoch has no length")]
    BadClock(String),
    #[error("an agent has 1 to {NETWORKS_MAX} networks, 1 to {DEVICES_MAX} devices and at least one verifier")]
    TooManyOrNone,
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    #[error("the journal cannot be read: {0}")]
    Journal(std::io::Error),
}

/// Why a message is not taken.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TakeError {
    #[error("no device has this name here")]
    UnknownDevice,
    #[error("a message has at most {MESSAGE_BYTES_MAX} bytes")]
    TooLong,
    #[error(transparent)]
    NotUnderstood(#[from] DriverError),
    #[error("the outbox is full; send again later")]
    OutboxFull,
    #[error("too much is waiting for the disk; send again later")]
    Busy,
    #[error("the disk failed; send again later")]
    Disk,
}

impl TakeError {
    /// Whether the same message may be taken later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::OutboxFull | Self::Busy | Self::Disk)
    }
}

/// A device by its place; valid for the agent that gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeviceIndex(u32);

pub struct Agent {
    networks: Vec<Network>,
    probes: Vec<Box<dyn Driver>>,
    /// Sorted by name.
    devices: Vec<Device>,
    verifiers: Vec<Verifier>,
    /// Those of the settings that have no bond.
    skipped: Vec<AccountId>,
    /// When the ledger last said who has one.
    heard: Option<TimeMs>,
    backoff: Backoff,
    outbox: Outbox,
    journal: Journal,
    queue: Queue,
    random: ChaCha8Rng,
    /// Devices by the time when something of theirs should be sealed.
    due: BTreeSet<(TimeMs, DeviceIndex)>,
    group: Group,
    /// Messages taken since the last commit, and envelopes sealed since.
    fresh: BTreeMap<DeviceIndex, Vec<Message>>,
    fresh_bytes: usize,
    fresh_sealed: Vec<u64>,
    touched: BTreeSet<DeviceIndex>,
    verifier: usize,
    failures: u32,
    /// Nothing is sent before.
    gate: TimeMs,
    batch_max: usize,
    status: Status,
}

impl Agent {
    /// Opens an agent on what its disks hold.
    pub fn open(parts: Parts, keys: &Keys, outbox: Box<dyn Disk>, journal: Box<dyn Disk>) -> Result<Self, AgentError> {
        let counts = [parts.networks.len(), parts.devices.len(), parts.verifiers.len()];
        if counts.contains(&0) || counts[0] > NETWORKS_MAX || counts[1] > DEVICES_MAX {
            return Err(AgentError::TooManyOrNone);
        }
        let mut probes = Vec::new();
        for network in &parts.networks {
            if network.clock.epoch_ms == 0 {
                return Err(AgentError::BadClock(network.name.clone()));
            }
            probes.push(network.driver().map_err(|error| AgentError::BadParams {
                name: network.name.clone(),
                error,
            })?);
        }
        let (outbox, mut kept) = Outbox::open(outbox, parts.limits)?;
        let devices = devices(parts.devices, parts.networks.len(), keys, &mut kept)?;
        let journal =
            Journal::open(journal, parts.receipts_bytes_max, REFUSED_BYTES_MAX).map_err(AgentError::Journal)?;
        let mut agent = Self {
            networks: parts.networks,
            probes,
            devices,
            verifiers: parts.verifiers,
            skipped: Vec::new(),
            heard: None,
            backoff: parts.backoff,
            outbox,
            journal,
            queue: Queue::default(),
            random: ChaCha8Rng::from_seed(parts.seed),
            due: BTreeSet::new(),
            group: Group::default(),
            fresh: BTreeMap::new(),
            fresh_bytes: 0,
            fresh_sealed: Vec::new(),
            touched: BTreeSet::new(),
            verifier: 0,
            failures: 0,
            gate: TimeMs(0),
            batch_max: ENVELOPES_MAX,
            status: Status::default(),
        };
        agent.outbox.sealed().for_each(|entry| agent.queue.push(entry));
        for (at, device) in (0..).map(DeviceIndex).zip(&mut agent.devices) {
            let mark = agent
                .outbox
                .mark(&device.id, &agent.group)
                .unwrap_or(Mark::new(device.id));
            device.due = device.next_due(&mark, agent.networks[usize::from(device.network)].grace_ms);
            agent.due.extend(device.due.map(|due| (due, at)));
        }
        Ok(agent)
    }

    /// The device of this name.
    pub fn find(&self, name: &str) -> Option<DeviceIndex> {
        let at = self.devices.binary_search_by(|device| (*device.name).cmp(name)).ok()?;
        Some(DeviceIndex(
            u32::try_from(at).expect("devices are counted in DEVICES_MAX"),
        ))
    }

    /// All devices with their names and ids, by name.
    pub fn devices(&self) -> impl ExactSizeIterator<Item = (DeviceIndex, &str, DeviceId)> {
        let indexed = self.devices.iter().enumerate();
        indexed.map(|(at, device)| (DeviceIndex(at as u32), &*device.name, device.id))
    }

    /// Those it may send to, in the order in which it tries them.
    pub fn verifiers(&self) -> &[Verifier] {
        &self.verifiers
    }

    /// Sends to others from now on: what the ledger says of who has a bond. What is under way to one that is not among them any more
    /// comes back and is sent again. `heard`: when the ledger said so; `None` for a list that was kept.
    pub fn set_routes(&mut self, routes: Routes, heard: Option<TimeMs>) {
        let Routes { verifiers, skipped } = routes;
        self.heard = heard.or(self.heard);
        self.status.verifiers_skipped = skipped.len() as u64;
        for account in skipped.iter().filter(|account| !self.skipped.contains(account)) {
            tracing::warn!(verifier = %account, "a verifier of the settings has no bond on the ledger: it is sent nothing");
        }
        self.skipped = skipped;
        if verifiers == self.verifiers {
            return;
        }
        let is_of = |verifiers: &[Verifier], account: &AccountId| verifiers.iter().any(|one| one.account == *account);
        for new in verifiers.iter().filter(|new| !is_of(&self.verifiers, &new.account)) {
            tracing::info!(verifier = %new.account, url = new.url, "reports may go to this verifier as well");
        }
        for old in self.verifiers.iter().filter(|old| !is_of(&verifiers, &old.account)) {
            tracing::info!(verifier = %old.account, "reports go to this verifier no more");
        }
        if verifiers.is_empty() {
            tracing::warn!("no verifier has a bond: reports are kept until one has");
        }
        let present = self.verifiers.get(self.verifier);
        let place = present.and_then(|present| verifiers.iter().position(|one| one == present));
        if place.is_none() {
            // What the one before owed is not the next one's.
            (self.failures, self.gate) = (0, TimeMs(0));
        }
        self.verifier = place.unwrap_or(0);
        self.verifiers = verifiers;
    }

    /// Whether the last batch was not taken, or answered wrongly.
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }

    /// How reports of a device's network are cut.
    pub fn clock(&self, device: DeviceIndex) -> EpochClock {
        self.networks[usize::from(self.devices[device.0 as usize].network)].clock
    }

    /// Takes what a port gave for a device; says how many readings are in it.
    pub fn take(&mut self, device: DeviceIndex, bytes: &[u8], now: TimeMs) -> Result<usize, TakeError> {
        let taken = self.try_take(device, bytes, now);
        match &taken {
            Ok(readings) => {
                self.status.messages += 1;
                self.status.readings += *readings as u64;
            }
            Err(_) => self.status.messages_refused += 1,
        }
        taken
    }

    fn try_take(&mut self, at: DeviceIndex, bytes: &[u8], now: TimeMs) -> Result<usize, TakeError> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(TakeError::TooLong);
        }
        if self.is_full() {
            return Err(TakeError::Busy);
        }
        if !self
            .outbox
            .has_room(&self.group, 2 * (self.fresh_bytes + bytes.len()) + ENVELOPE_BYTES)
        {
            return Err(TakeError::OutboxFull);
        }
        let place = usize::from(self.devices[at.0 as usize].network);
        let (network, probe) = (&self.networks[place], &mut self.probes[place]);
        let (readings, first_end, last_end) = network.probe(probe.as_mut(), bytes, now)?;
        let readings_max = network.readings_max;
        let message = Message {
            entry: self.outbox.next_entry(),
            device: self.devices[at.0 as usize].id,
            now,
            first_end,
            last_end,
            readings,
            bytes: bytes.to_vec(),
        };
        self.fresh_bytes += bytes.len() + ENVELOPE_BYTES / 4;
        self.fresh.entry(at).or_default().push(message);
        self.touched.insert(at);
        let mark = self.mark(at);
        let fresh = self.fresh.get(&at).into_iter().flatten().map(Message::kept);
        let kept = self.devices[at.0 as usize].kept.iter().copied().chain(fresh);
        let waiting: Vec<_> = kept.filter(|one| !mark.has_all_of(one)).collect();
        if device::is_plenty(waiting.iter(), readings_max) {
            self.seal(at, Until::Everything, now)
                .map_err(|error| self.disk_failed(&error))?;
        }
        Ok(readings as usize)
    }

    /// Whether the group should be committed before more is taken.
    pub fn is_full(&self) -> bool {
        self.group.is_full() || self.fresh_bytes >= crate::outbox::record::GROUP_BYTES / 2
    }

    /// Seals the readings of all epochs whose time of grace is over, and commits.
    pub fn seal_due(&mut self, now: TimeMs) -> Result<(), OutboxError> {
        let due: Vec<_> = self
            .due
            .iter()
            .take_while(|(due, _)| *due <= now)
            .map(|(_, at)| *at)
            .collect();
        for at in due {
            let grace_ms = self.networks[usize::from(self.devices[at.0 as usize].network)].grace_ms;
            self.seal(at, Until::Time(TimeMs(now.0.saturating_sub(grace_ms))), now)?;
            if self.is_full() {
                self.commit()?;
            }
        }
        self.commit()
    }

    /// Seals everything that waits, and commits.
    pub fn seal_all(&mut self, now: TimeMs) -> Result<(), OutboxError> {
        for at in (0..self.devices.len() as u32).map(DeviceIndex) {
            self.seal(at, Until::Everything, now)?;
            if self.is_full() {
                self.commit()?;
            }
        }
        self.commit()
    }

    /// Keeps an envelope that somebody else sealed, as if a device here had.
    pub fn keep(&mut self, envelope: Vec<u8>, now: TimeMs) -> Result<(), TakeError> {
        if self.is_full() {
            return Err(TakeError::Busy);
        }
        if !self
            .outbox
            .has_room(&self.group, 2 * self.fresh_bytes + envelope.len() + ENVELOPE_BYTES)
        {
            return Err(TakeError::OutboxFull);
        }
        Envelope::parse(&envelope).map_err(|_| DriverError::Malformed("not an envelope"))?;
        self.put(envelope, None, now);
        Ok(())
    }

    fn put(&mut self, envelope: Vec<u8>, mark: Option<Mark>, at: TimeMs) {
        let entry = self.outbox.next_entry();
        self.fresh_sealed.push(entry);
        self.group.sealed(Sealed {
            entry,
            at,
            mark,
            envelope,
        });
    }

    fn mark(&self, at: DeviceIndex) -> Mark {
        let id = self.devices[at.0 as usize].id;
        self.outbox.mark(&id, &self.group).unwrap_or(Mark::new(id))
    }

    /// Seals what is due of one device into the group.
    fn seal(&mut self, at: DeviceIndex, until: Until, now: TimeMs) -> Result<(), OutboxError> {
        let mark = self.mark(at);
        let device = &self.devices[at.0 as usize];
        let fresh = self.fresh.get(&at).map(Vec::as_slice).unwrap_or_default();
        let waits = device.kept.iter().any(|one| !mark.has_all_of(one))
            || fresh.iter().any(|message| !mark.has_all_of(&message.kept()));
        if !waits {
            return Ok(());
        }
        let mut messages = Vec::with_capacity(device.kept.len() + fresh.len());
        for one in &device.kept {
            messages.extend(self.outbox.read_message(one.entry)?);
        }
        messages.extend_from_slice(fresh);
        let network = &self.networks[usize::from(device.network)];
        let mut driver = network
            .driver()
            .expect("the same parameters made a driver when the agent was opened");
        let (packs, mut after, lost) = device::packs(driver.as_mut(), &messages, mark, until);
        if lost > 0 {
            tracing::warn!(
                device = &*device.name,
                lost,
                "messages that were taken cannot be read again"
            );
            self.status.messages_lost += u64::from(lost);
        }
        let mut envelopes = Vec::with_capacity(packs.len());
        for pack in packs {
            let (sequence, envelope) = device.seal(network.id, pack, after.sequence);
            after.sequence = sequence;
            envelopes.push((envelope, after));
        }
        self.touched.insert(at);
        if envelopes.is_empty() {
            self.group.mark(after);
        }
        for (envelope, mark) in envelopes {
            self.put(envelope, Some(mark), now);
        }
        Ok(())
    }

    /// Puts everything taken and sealed since the last commit on disk. On an error nothing of it counts.
    pub fn commit(&mut self) -> Result<(), OutboxError> {
        let mut group = std::mem::take(&mut self.group);
        let mut fresh = std::mem::take(&mut self.fresh);
        let sealed = std::mem::take(&mut self.fresh_sealed);
        let touched = std::mem::take(&mut self.touched);
        self.fresh_bytes = 0;
        let mut after = Vec::with_capacity(touched.len());
        for at in touched {
            let device = &self.devices[at.0 as usize];
            let mark = self.outbox.mark(&device.id, &group).unwrap_or(Mark::new(device.id));
            let new = fresh.remove(&at).unwrap_or_default();
            let mut kept: Vec<_> = device
                .kept
                .iter()
                .copied()
                .chain(new.iter().map(Message::kept))
                .collect();
            let gone = mark.prune(&mut kept);
            gone.iter().for_each(|one| group.consumed(one.entry));
            for message in new {
                if kept.iter().any(|one| one.entry == message.entry) {
                    group.message(message);
                }
            }
            after.push((at, mark, kept));
        }
        if !group.is_empty() {
            let count = sealed.len() as u64;
            self.outbox.commit(group)?;
            self.status.sealed += count;
            sealed.into_iter().for_each(|entry| self.queue.push(entry));
        }
        for (at, mark, kept) in after {
            let device = &mut self.devices[at.0 as usize];
            let grace_ms = self.networks[usize::from(device.network)].grace_ms;
            device.kept = kept;
            let due = device.next_due(&mark, grace_ms);
            if let Some(before) = std::mem::replace(&mut device.due, due) {
                self.due.remove(&(before, at));
            }
            self.due.extend(due.map(|due| (due, at)));
        }
        if let Err(error) = self.outbox.tidy(false) {
            tracing::warn!(%error, "the outbox could not be made smaller");
        }
        Ok(())
    }

    /// Writes down what is settled, before the process ends.
    pub fn finish(&mut self) -> Result<(), OutboxError> {
        self.commit()?;
        self.outbox.tidy(true)
    }

    fn disk_failed(&mut self, error: &OutboxError) -> TakeError {
        tracing::error!(%error, "the outbox cannot be written");
        TakeError::Disk
    }

    /// When there is something to seal or to send; `None` while nothing waits.
    pub fn next(&self) -> Option<TimeMs> {
        self.next_send().into_iter().chain(self.next_due()).min()
    }

    /// When something should be sealed.
    pub fn next_due(&self) -> Option<TimeMs> {
        self.due.first().map(|(due, _)| *due)
    }

    /// When something should be sent; `None` also while there is nobody to send to.
    pub fn next_send(&self) -> Option<TimeMs> {
        let next = self.queue.next().filter(|_| !self.verifiers.is_empty());
        next.map(|at| at.max(self.gate))
    }

    /// Envelopes that wait for a receipt.
    pub fn waiting(&self) -> usize {
        self.outbox.sealed().len()
    }

    /// How it stands.
    pub fn status(&self, now: TimeMs) -> Status {
        Status {
            devices: self.devices.len(),
            waiting: self.outbox.sealed().len(),
            oldest_ms: self.outbox.oldest().map(|oldest| now.since_ms(oldest)),
            alive_bytes: self.outbox.alive_bytes(),
            disk_bytes: self.outbox.disk_bytes(),
            torn_bytes: self.outbox.torn_bytes(),
            wait_ms: self.gate.since_ms(now),
            verifiers: self.verifiers.len() as u64,
            ledger_heard_ms_ago: self.heard.map(|heard| now.since_ms(heard)),
            ..self.status.clone()
        }
    }

    /// The latest refused envelopes, oldest first.
    pub fn refused(&self) -> impl ExactSizeIterator<Item = &Refused> {
        self.journal.shown()
    }
}

/// Bytes of refused envelopes that are kept.
const REFUSED_BYTES_MAX: u64 = 16 << 20;

/// The devices, sorted by name, each with its key and the messages that wait.
fn devices(
    wanted: Vec<(String, usize)>,
    networks: usize,
    keys: &Keys,
    kept: &mut BTreeMap<DeviceId, Vec<crate::outbox::record::Kept>>,
) -> Result<Vec<Device>, AgentError> {
    let mut devices: Vec<Device> = Vec::with_capacity(wanted.len());
    for (name, network) in wanted {
        if !keys::is_name(&name) || network >= networks {
            return Err(AgentError::BadDevice(name));
        }
        let key = keys.get(&name).ok_or_else(|| AgentError::NoKey(name.clone()))?.clone();
        let id = key.public().device_id();
        devices.push(Device {
            name: name.into(),
            id,
            key,
            network: u16::try_from(network).expect("networks are counted in NETWORKS_MAX"),
            kept: kept.remove(&id).unwrap_or_default(),
            due: None,
        });
    }
    devices.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    match devices.windows(2).find(|pair| pair[0].name == pair[1].name) {
        Some(pair) => Err(AgentError::BadDevice(pair[0].name.to_string())),
        None => Ok(devices),
    }
}
