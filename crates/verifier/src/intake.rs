//! Decides about envelopes: which are reports, whose, for which epoch, and why not. Never writes, never asks the time.
//!
//! ```text
//! bytes ─▶ form ─▶ network ─▶ device ─▶ known? ─▶ clock ─▶ signatures, in one batch ─▶ sequence ─▶ body ─▶ accepted
//! ```
//! What costs least is checked first; what only the device itself could have sent is checked after its signature. Devices
//! whose name stands under bad signatures are checked apart for a while, so that the batch of the others stays whole.

mod network;
#[cfg(test)]
mod tests;

pub use network::{Network, Seen};

use crate::limits::STRIKES;
use crate::roster::RosterMember;
use cairn_types::batch::{self, Signed};
use cairn_types::envelope::{Algorithm, EnvelopeError};
use cairn_types::intake::IntakeRefusal;
use cairn_types::receipt::Promise;
use cairn_types::{DeviceNumber, Envelope, EpochClock, EpochNumber, NetworkId, ReportId, TimeMs};
use cairn_verticals::kit::Vertical;
use std::collections::{BTreeMap, HashMap};

/// How far clocks and networks may be off.
#[derive(Clone, Copy, Debug)]
pub struct Windows {
    /// A report may be dated so far after the verifier's clock.
    pub ahead_ms_max: u64,
    /// An epoch takes reports for so long after its end, or after its roster could be read.
    pub grace_ms: u64,
}

/// A report to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub id: ReportId,
    pub network: NetworkId,
    pub epoch: EpochNumber,
    pub device: DeviceNumber,
    pub sequence: u64,
}

impl Accepted {
    /// What its receipt promises.
    pub fn promise(&self) -> Promise {
        Promise {
            report: self.id,
            network: self.network,
            epoch: self.epoch,
        }
    }
}

/// What is decided about one envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// New: gets a receipt once it is on disk.
    Accepted(Accepted),
    /// On disk already: gets a receipt again.
    Known(Promise),
    /// Accepted elsewhere in the same group: gets its receipt if that one does.
    Again(Promise),
    Refused(IntakeRefusal, String),
}

/// What is known about all networks served here.
pub struct Intake {
    clock: EpochClock,
    windows: Windows,
    networks: BTreeMap<NetworkId, Network>,
    /// Bad signatures lately seen under a device's name.
    strikes: HashMap<DeviceNumber, u8>,
}

/// An envelope that waits for its signature.
struct Waiting {
    at: usize,
    envelope: Envelope,
    member: RosterMember,
    epoch: EpochNumber,
}

impl Intake {
    pub fn new(clock: EpochClock, windows: Windows) -> Self {
        Self {
            clock,
            windows,
            networks: BTreeMap::new(),
            strikes: HashMap::new(),
        }
    }

    /// Serves a network whose reports before `open` are sealed.
    pub fn serve(&mut self, id: NetworkId, vertical: &'static dyn Vertical, open: EpochNumber) {
        self.networks.insert(id, Network::new(vertical, open));
    }

    pub fn network(&self, id: &NetworkId) -> Option<&Network> {
        self.networks.get(id)
    }

    pub fn network_mut(&mut self, id: &NetworkId) -> Option<&mut Network> {
        self.networks.get_mut(id)
    }

    pub fn networks(&self) -> impl Iterator<Item = (&NetworkId, &Network)> {
        self.networks.iter()
    }

    pub fn clock(&self) -> EpochClock {
        self.clock
    }

    pub fn windows(&self) -> Windows {
        self.windows
    }

    /// One verdict for each envelope, in order. Only `strikes` change: what is accepted is known after `record`.
    pub fn check(&mut self, now: TimeMs, envelopes: &[&[u8]]) -> Vec<Verdict> {
        let mut verdicts: Vec<Option<Verdict>> = Vec::with_capacity(envelopes.len());
        let mut waiting = Vec::with_capacity(envelopes.len());
        for (at, bytes) in envelopes.iter().enumerate() {
            match self.before_signature(now, at, bytes) {
                Ok(one) => {
                    waiting.push(one);
                    verdicts.push(None);
                }
                Err(verdict) => verdicts.push(Some(verdict)),
            }
        }
        // By device, so that the batch meets each key once, and by sequence, so that order on the way does not matter.
        let mut order: Vec<&Waiting> = waiting.iter().collect();
        order.sort_unstable_by_key(|one| (one.member.number, one.envelope.report.sequence, one.at));
        let holds = self.signatures(&order);
        let mut last: Option<(NetworkId, DeviceNumber, u64, ReportId)> = None;
        for (one, holds) in order.into_iter().zip(holds) {
            let verdict = self.after_signature(one, holds, last.as_ref());
            if let Verdict::Accepted(new) = &verdict {
                last = Some((new.network, new.device, new.sequence, new.id));
            }
            verdicts[one.at] = Some(verdict);
        }
        verdicts
            .into_iter()
            .map(|verdict| verdict.expect("each is refused or waited"))
            .collect()
    }

    fn before_signature(&self, now: TimeMs, at: usize, bytes: &[u8]) -> Result<Waiting, Verdict> {
        let envelope = Envelope::parse(bytes).map_err(|error| match error {
            EnvelopeError::TooLong => refused(IntakeRefusal::TooLong, format!("{} bytes", bytes.len())),
            other => refused(IntakeRefusal::Malformed, other.to_string()),
        })?;
        let report = &envelope.report;
        let network = self.networks.get(&report.network);
        let network = network.ok_or_else(|| refused(IntakeRefusal::OtherNetwork, report.network.to_string()))?;
        let epoch = self.clock.epoch_of(report.time);
        let is_taken = |epoch: &EpochNumber| *epoch >= network.open() && !self.is_over(network, *epoch, now);
        let ahead_ms = report.time.since_ms(now);
        let may_come = ahead_ms <= self.windows.ahead_ms_max;
        if let Some(epoch) = epoch.filter(|epoch| may_come && is_taken(epoch) && !network.has_roster(*epoch)) {
            return Err(refused(
                IntakeRefusal::Unavailable,
                format!("the roster of epoch {epoch} is not here yet"),
            ));
        }
        let Some(member) = network.member(&envelope.device) else {
            let elsewhere = self
                .networks
                .values()
                .any(|other| other.member(&envelope.device).is_some());
            let refusal = if elsewhere {
                IntakeRefusal::NotMember
            } else {
                IntakeRefusal::UnknownDevice
            };
            return Err(refused(refusal, envelope.device.to_string()));
        };
        // The member was found by the id of its key, so only the algorithm can differ.
        if Algorithm::of(&member.key) != Some(envelope.algorithm) {
            return Err(refused(
                IntakeRefusal::WrongKey,
                format!("the device has {}", member.key),
            ));
        }
        if let Some(epoch) = epoch.filter(|_| network.knows(member.number, report.sequence, &envelope)) {
            return Err(Verdict::Known(Promise {
                report: envelope.id(),
                network: report.network,
                epoch,
            }));
        }
        if !may_come {
            let limit = self.windows.ahead_ms_max;
            return Err(refused(
                IntakeRefusal::TooEarly,
                format!("{ahead_ms} ms ahead, at most {limit}"),
            ));
        }
        let Some(epoch) = epoch.filter(is_taken) else {
            let open = network.open();
            return Err(refused(
                IntakeRefusal::TooLate,
                format!("{}; epoch {open} is not sealed yet", report.time),
            ));
        };
        if !network.is_member(member.number, epoch) {
            return Err(refused(IntakeRefusal::NotMember, format!("epoch {epoch}")));
        }
        if let Some(last) = network
            .last_sequence(member.number)
            .filter(|last| report.sequence <= *last)
        {
            return Err(sequence_used(report.sequence, last));
        }
        Ok(Waiting {
            at,
            member: *member,
            epoch,
            envelope,
        })
    }

    /// Whether an epoch of a network takes no more reports by the clock.
    pub fn is_over(&self, network: &Network, epoch: EpochNumber, now: TimeMs) -> bool {
        let over = network.over_at(epoch, self.clock.end(epoch), self.windows.grace_ms);
        over.is_some_and(|over| now >= over)
    }

    /// Whether each signature holds: suspects one by one, all others together.
    fn signatures(&mut self, waiting: &[&Waiting]) -> Vec<bool> {
        let mut holds = vec![false; waiting.len()];
        let mut places = Vec::with_capacity(waiting.len());
        let mut together = Vec::with_capacity(waiting.len());
        for (place, one) in waiting.iter().enumerate() {
            if self.strikes.contains_key(&one.member.number) {
                holds[place] = one
                    .member
                    .key
                    .verify(one.envelope.signed_bytes(), &one.envelope.signature);
            } else {
                places.push(place);
                together.push(Signed::plain(
                    one.member.key,
                    one.envelope.signed_bytes(),
                    one.envelope.signature,
                ));
            }
        }
        for (place, good) in places.into_iter().zip(batch::verify(&together)) {
            holds[place] = good;
        }
        for (one, good) in waiting.iter().zip(&holds) {
            self.remember(one.member.number, *good);
        }
        holds
    }

    fn remember(&mut self, device: DeviceNumber, good: bool) {
        if !good {
            self.strikes.insert(device, STRIKES);
        } else if let Some(left) = self.strikes.get_mut(&device) {
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.strikes.remove(&device);
            }
        }
    }

    /// `last` is what was accepted just before, in the order of devices and sequences.
    fn after_signature(
        &self,
        one: &Waiting,
        holds: bool,
        last: Option<&(NetworkId, DeviceNumber, u64, ReportId)>,
    ) -> Verdict {
        let Waiting {
            envelope,
            member,
            epoch,
            ..
        } = one;
        let report = &envelope.report;
        if !holds {
            return refused(
                IntakeRefusal::WrongSignature,
                format!("under the name of {}", envelope.device),
            );
        }
        let id = envelope.id();
        if let Some((_, _, sequence, earlier)) = last.filter(|last| (last.0, last.1) == (report.network, member.number))
        {
            if *earlier == id {
                return Verdict::Again(Promise {
                    report: id,
                    network: report.network,
                    epoch: *epoch,
                });
            }
            if report.sequence <= *sequence {
                return sequence_used(report.sequence, *sequence);
            }
        }
        let network = self
            .networks
            .get(&report.network)
            .expect("found before its signature was checked");
        if let Err(error) = network.vertical().check_body(&report.body) {
            return refused(IntakeRefusal::BadBody, error.to_string());
        }
        Verdict::Accepted(Accepted {
            id,
            network: report.network,
            epoch: *epoch,
            device: member.number,
            sequence: report.sequence,
        })
    }

    /// Devices checked apart at present.
    pub fn suspects(&self) -> usize {
        self.strikes.len()
    }
}

fn refused(refusal: IntakeRefusal, detail: String) -> Verdict {
    Verdict::Refused(refusal, detail)
}

fn sequence_used(sequence: u64, last: u64) -> Verdict {
    refused(
        IntakeRefusal::SequenceUsed,
        format!("{sequence}, the last one taken is {last}"),
    )
}
