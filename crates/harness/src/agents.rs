//! An agent as a process that can be killed: real, on disks in memory, opened anew from what they kept. What the way to the verifier
//! does to its batches is decided elsewhere.

use crate::people::network_id;
use crate::{CLOCK, VERTICAL};
use cairn_agent::agent::{Agent, Batch, Delivered, Parts};
use cairn_agent::backoff::Backoff;
use cairn_agent::device::Network;
use cairn_agent::disk::MemoryDisk;
use cairn_agent::keys::Keys;
use cairn_agent::outbox::{Limits, OutboxError};
use cairn_agent::routes::{self, Bonded, Policy, VERIFIERS_DEFAULT};
use cairn_agent::uplink::{Delivery, Verifier};
use cairn_types::{AccountId, DeviceId, TimeMs};
use cairn_verifier::submit::Submitter;
use cairn_verticals::Vertical;
use std::sync::Arc;

/// A verifier as an agent knows it.
pub fn known(verifier: &Submitter) -> Verifier {
    Verifier {
        url: "http://verifier".to_owned(),
        account: verifier.account,
        key: verifier.keys[0].public(),
    }
}

/// A process with its disks.
pub struct Process {
    number: u8,
    names: Vec<String>,
    keys: Arc<Keys>,
    verifiers: Vec<Verifier>,
    pub outbox: MemoryDisk,
    pub journal: MemoryDisk,
    /// The file of what the ledger said last of who has a bond; written whole or not at all.
    kept: Option<Vec<u8>>,
    alive: Option<Agent>,
    /// Batches whose answers are still under way, with the step of their arrival.
    under_way: Vec<(u64, Batch, Delivery)>,
}

impl Process {
    /// It sends to the first of the verifiers, and to the next whenever one fails.
    pub fn new(number: u8, names: Vec<String>, keys: &Arc<Keys>, verifiers: Vec<Verifier>) -> Self {
        let mut process = Self {
            number,
            names,
            keys: keys.clone(),
            verifiers,
            outbox: MemoryDisk::default(),
            journal: MemoryDisk::default(),
            kept: None,
            alive: None,
            under_way: Vec::new(),
        };
        process.open();
        process
    }

    /// The ledger answered who has a bond.
    pub fn hear_list(&mut self, bonded: &[Bonded], now: TimeMs) {
        let routes = self.policy().routes(bonded);
        if let Some(agent) = &mut self.alive {
            self.kept = Some(routes::keep(bonded));
            agent.set_routes(routes, Some(now));
        }
    }

    /// Of the settings' verifiers those that have something at stake, in the settings' order.
    fn policy(&self) -> Policy {
        Policy {
            own: self.verifiers.clone(),
            discover: false,
            verifiers_max: VERIFIERS_DEFAULT,
            device: DeviceId([self.number; 32]),
        }
    }

    /// The verifiers it may send to now.
    pub fn sends_to(&self) -> Vec<AccountId> {
        let verifiers = self.alive.as_ref().map(Agent::verifiers).unwrap_or_default();
        verifiers.iter().map(|verifier| verifier.account).collect()
    }

    /// The one that a batch is for, when it was just made.
    pub fn to(&self, batch: &Batch) -> AccountId {
        self.sends_to()[batch.verifier]
    }

    pub fn is_failing(&self) -> bool {
        self.alive.as_ref().is_some_and(Agent::is_failing)
    }

    pub fn is_alive(&self) -> bool {
        self.alive.is_some()
    }

    pub fn carries(&self, name: &str) -> bool {
        self.names.iter().any(|carried| carried == name)
    }

    /// Opens on what the disks hold. Stays dead when they are too full for that.
    pub fn open(&mut self) -> bool {
        if self.alive.is_none() {
            let disks = (Box::new(self.outbox.clone()), Box::new(self.journal.clone()));
            match Agent::open(self.parts(), &self.keys, disks.0, disks.1) {
                Ok(mut agent) => {
                    let kept = self.kept.as_deref().and_then(routes::kept);
                    if let Some(kept) = kept {
                        agent.set_routes(self.policy().routes(&kept), None);
                    }
                    self.alive = Some(agent);
                }
                Err(cairn_agent::agent::AgentError::Outbox(OutboxError::DiskFull)) => {}
                Err(cairn_agent::agent::AgentError::Journal(_)) => {}
                Err(error) => panic!("agent {} does not open on its own disk: {error}", self.number),
            }
        }
        self.is_alive()
    }

    fn parts(&self) -> Parts {
        let network = Network {
            name: "rain".to_owned(),
            id: network_id(),
            vertical: &VERTICAL,
            params: VERTICAL.default_params(),
            clock: CLOCK,
            readings_max: 10_000,
            grace_ms: 0,
        };
        Parts {
            networks: vec![network],
            devices: self.names.iter().map(|name| (name.clone(), 0)).collect(),
            verifiers: self.verifiers.clone(),
            limits: Limits {
                bytes_max: 1 << 20,
                file_bytes: 1 << 14,
            },
            backoff: Backoff::default(),
            receipts_bytes_max: 1 << 16,
            seed: [self.number; 32],
        }
    }

    /// The power goes: of each file only what was synced stays, and `kept` bytes more.
    pub fn kill(&mut self, kept: usize) {
        self.alive = None;
        self.under_way.clear();
        self.outbox = self.outbox.after_crash(kept);
        self.journal = self.journal.after_crash(kept);
    }

    /// A message of a device; `false` when it is not taken.
    pub fn hear(&mut self, name: &str, message: &[u8], now: TimeMs) -> bool {
        let Some(agent) = &mut self.alive else { return false };
        let device = agent.find(name).expect("it carries the device");
        agent.submit(device, message, now).is_ok()
    }

    /// An envelope that a device sealed itself.
    pub fn carry(&mut self, envelope: Vec<u8>, now: TimeMs) -> bool {
        let agent = self.alive.as_mut();
        agent.is_some_and(|agent| agent.submit_sealed(envelope, now).is_ok())
    }

    /// Seals and commits. `false` when nothing since the last commit counts.
    pub fn keep(&mut self, now: TimeMs) -> bool {
        let Some(agent) = &mut self.alive else { return false };
        match agent.seal_due(now) {
            Ok(()) => true,
            Err(OutboxError::DiskFull) => false,
            Err(_) => {
                // It asks to be started again; its files stay as they are.
                self.alive = None;
                self.under_way.clear();
                self.open();
                false
            }
        }
    }

    pub fn outgoing(&mut self, now: TimeMs) -> Option<Batch> {
        self.alive.as_mut()?.outgoing(now).ok().flatten()
    }

    pub fn delivered(&mut self, batch: Batch, delivery: Delivery, now: TimeMs) -> Delivered {
        match &mut self.alive {
            Some(agent) => agent.delivered(batch, delivery, now),
            None => Delivered::default(),
        }
    }

    /// Holds an answer back until a step.
    pub fn later(&mut self, step: u64, batch: Batch, delivery: Delivery) {
        self.under_way.push((step, batch, delivery));
    }

    /// Answers that arrive now.
    pub fn arrived(&mut self, step: u64) -> Vec<(Batch, Delivery)> {
        let (now, later) = std::mem::take(&mut self.under_way)
            .into_iter()
            .partition(|(due, ..)| *due <= step);
        self.under_way = later;
        let now: Vec<(u64, Batch, Delivery)> = now;
        now.into_iter().map(|(_, batch, delivery)| (batch, delivery)).collect()
    }

    /// Envelopes without an answer.
    pub fn waiting(&self) -> usize {
        self.alive.as_ref().map_or(usize::MAX, Agent::waiting)
    }
}
