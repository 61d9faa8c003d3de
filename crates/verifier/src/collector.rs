//! One owner of intake and log: takes groups of envelopes, answers after the fsync, seals epochs, remembers across restarts.
//!
//! ```text
//! group ─▶ intake.check ─▶ log.append (fsync) ─▶ intake.record ─▶ one signature ─▶ receipts
//! ```
//! Synchronous, so that a simulation drives it step by step. Never judges; a receipt it gave is in the log.

pub mod checkpoint;
mod rosters;
#[cfg(test)]
mod tests;

use crate::chain::{ChainView, SettledOrder};
use crate::disk::Disk;
use crate::intake::{Accepted, Intake, Seen, Verdict, Windows};
use crate::log::{Kind, Location, Log, LogError, Record};
use crate::meters::{self, MeterEntry, MeterError, Meters, SignedMeters};
use cairn_types::codec;
use cairn_types::intake::{IntakeAnswer, IntakeRefusal};
use cairn_types::receipt::{self, Promise};
use cairn_types::{AccountId, DeviceNumber, Envelope, EpochClock, EpochNumber, NetworkId, ReportId, SecretKey, TimeMs};
use cairn_verticals::kit::Vertical;
use checkpoint::Checkpoint;
use rosters::Asking;
use std::collections::BTreeMap;
use std::sync::Arc;
use thiserror::Error;

/// What a collector needs to know.
#[derive(Clone)]
pub struct Settings {
    pub verifier: AccountId,
    /// Signs receipts.
    pub key: SecretKey,
    pub windows: Windows,
    pub clock: EpochClock,
    pub segment_bytes: u32,
    /// Rosters are asked for again at most this often when a device is not known; a ledger that does not answer is left alone for
    /// this long, then ever longer.
    pub roster_ms_min: u64,
    /// Makes frames of the log unforgeable; used when the log is new.
    pub log_seed: [u8; 32],
}

/// What stops a collector.
#[derive(Debug, Error)]
pub enum CollectError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the checkpoint beside the log cannot be read: {0}; restore the file")]
    Checkpoint(String),
    #[error("network {0} is not served here")]
    NotServed(NetworkId),
    #[error("the collector has stopped")]
    Stopped,
}

/// A report of a sealed epoch, as it goes into the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    pub id: ReportId,
    pub device: DeviceNumber,
    pub time: TimeMs,
    pub received: TimeMs,
    pub sequence: u64,
    pub envelope: Vec<u8>,
}

/// The answers to a group and what became of it.
#[derive(Debug, Default)]
pub struct Answered {
    pub answers: Vec<IntakeAnswer>,
    pub accepted: usize,
    /// Whether there was an fsync.
    pub appended: bool,
}

/// Intake and log of one verifier.
pub struct Collector {
    settings: Settings,
    chain: Arc<dyn ChainView>,
    intake: Intake,
    log: Log,
    meters: Meters,
    asking: Asking,
}

impl Collector {
    /// Opens the log of an earlier life, or a new one. Networks are (id, vertical, first epoch).
    pub fn open(
        settings: Settings,
        chain: Arc<dyn ChainView>,
        mut disk: Box<dyn Disk>,
        networks: &[(NetworkId, &'static dyn Vertical, EpochNumber)],
    ) -> Result<Self, CollectError> {
        let checkpoint = Checkpoint::load(disk.as_mut())?;
        let mut intake = Intake::new(settings.clock, settings.windows);
        let mut meters = Meters::default();
        let mut forgotten = BTreeMap::new();
        for (id, vertical, first) in networks {
            intake.serve(*id, *vertical, *first);
            if let (Some(saved), Some(network)) = (checkpoint.network(id), intake.network_mut(id)) {
                network.restore(saved.open, saved.sequences.clone());
            }
            forgotten.insert(*id, checkpoint.network(id).and_then(|saved| saved.forgotten));
        }
        let clock = settings.clock;
        let mut replay = |location: Location, received: TimeMs, record: Record<'_>| match record.kind {
            Kind::Report => replay_report(&mut intake, &forgotten, clock, location, received, &record),
            Kind::Meters => meters.replay(clock, location, received, record.bytes, &forgotten),
        };
        let log = Log::open(disk, settings.segment_bytes, settings.log_seed, &mut replay)?;
        Ok(Self {
            settings,
            chain,
            intake,
            log,
            meters,
            asking: Asking::default(),
        })
    }

    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    pub fn log_segments(&self) -> usize {
        self.log.segments()
    }

    /// Decides about a group, makes it durable, and answers. Nobody learns of a receipt before its report is on disk.
    pub fn take(&mut self, now: TimeMs, envelopes: &[&[u8]]) -> Answered {
        self.read_rosters(now);
        let mut verdicts = self.intake.check(now, envelopes);
        if verdicts.iter().any(is_of_stranger) {
            verdicts = if self.read_rosters_again(now) {
                self.intake.check(now, envelopes)
            } else {
                verdicts.into_iter().map(put_off).collect()
            };
        }
        let new: Vec<(Accepted, &[u8])> = verdicts
            .iter()
            .zip(envelopes)
            .filter_map(|(verdict, bytes)| match verdict {
                Verdict::Accepted(accepted) => Some((*accepted, *bytes)),
                _ => None,
            })
            .collect();
        match self.keep(now, &new) {
            Ok(()) => Answered {
                answers: self.answer(now, verdicts),
                accepted: new.len(),
                appended: !new.is_empty(),
            },
            Err(error) => {
                tracing::error!(%error, reports = new.len(), "a group could not be written");
                Answered {
                    answers: self.answer(
                        now,
                        verdicts
                            .into_iter()
                            .map(|verdict| unavailable(verdict, &error))
                            .collect(),
                    ),
                    accepted: 0,
                    appended: false,
                }
            }
        }
    }

    fn keep(&mut self, now: TimeMs, new: &[(Accepted, &[u8])]) -> Result<(), LogError> {
        if new.is_empty() {
            return Ok(());
        }
        let records: Vec<Record<'_>> = new
            .iter()
            .map(|(accepted, bytes)| Record {
                kind: Kind::Report,
                tag: accepted.device.0,
                bytes,
            })
            .collect();
        let locations = self.log.append(now, &records)?;
        for ((accepted, _), location) in new.iter().zip(locations) {
            let network = self
                .intake
                .network_mut(&accepted.network)
                .expect("it was accepted for this network");
            let seen = Seen {
                id: accepted.id,
                device: accepted.device,
                sequence: accepted.sequence,
                received: now,
                location,
            };
            network.record(accepted.epoch, seen);
        }
        Ok(())
    }

    /// Receipts under one signature for all that is on disk, refusals for the rest.
    fn answer(&self, now: TimeMs, verdicts: Vec<Verdict>) -> Vec<IntakeAnswer> {
        let on_disk: Vec<Promise> = verdicts
            .iter()
            .filter_map(|verdict| match verdict {
                Verdict::Accepted(accepted) => Some(accepted.promise()),
                Verdict::Known(promise) | Verdict::Again(promise) => Some(*promise),
                Verdict::Refused(..) => None,
            })
            .collect();
        let receipts = match on_disk.as_slice() {
            [] => Vec::new(),
            some => receipt::issue(self.settings.verifier, &self.settings.key, now, some),
        };
        let mut receipts = receipts.into_iter();
        verdicts
            .into_iter()
            .map(|verdict| match verdict {
                Verdict::Refused(refusal, detail) => IntakeAnswer::refused(refusal, &detail),
                _ => IntakeAnswer::Receipt(receipts.next().expect("one for each report on disk")),
            })
            .collect()
    }

    /// Keeps what a provider says it served, checked against the ledger.
    pub fn take_meters(&mut self, now: TimeMs, bytes: &[u8]) -> Result<(), MeterError> {
        let checked = meters::check(bytes, self.chain.as_ref())?;
        if self.intake.network(&checked.record.network).is_none() {
            return Err(MeterError::OtherNetwork);
        }
        if self.meters.knows(&checked.record) {
            return Ok(());
        }
        let record = Record {
            kind: Kind::Meters,
            tag: 0,
            bytes,
        };
        let locations = self
            .log
            .append(now, &[record])
            .map_err(|error| MeterError::Unavailable(error.to_string()))?;
        let received = self.intake.clock().epoch_of(now).unwrap_or_default();
        for location in locations {
            self.meters.record(&checked.record, received, location);
        }
        Ok(())
    }

    /// Closes an epoch to reports and meters for ever, restarts included. `false` when it still takes some, since its roster could
    /// not be read in time.
    pub fn seal(&mut self, now: TimeMs, id: &NetworkId, epoch: EpochNumber) -> Result<bool, CollectError> {
        let network = self.intake.network(id).ok_or(CollectError::NotServed(*id))?;
        if network.open() > epoch {
            return Ok(true);
        }
        if network.is_late(epoch) && !self.is_late_over(now, id, epoch) {
            return Ok(false);
        }
        self.log.wipe_torn()?;
        self.save(id, epoch.next(), None)?;
        let network = self.intake.network_mut(id).ok_or(CollectError::NotServed(*id))?;
        network.seal(epoch);
        Ok(true)
    }

    /// The reports of a sealed epoch, sorted by id.
    pub fn sealed(&self, id: &NetworkId, epoch: EpochNumber) -> Result<Vec<Sealed>, CollectError> {
        let network = self.intake.network(id).ok_or(CollectError::NotServed(*id))?;
        let mut reports = Vec::with_capacity(network.reports(epoch).len());
        for seen in network.reports(epoch) {
            let envelope = self.log.read(seen.location)?;
            let time = Envelope::parse(&envelope)
                .map_err(|_| LogError::NotThere(seen.location))?
                .report
                .time;
            reports.push(Sealed {
                id: seen.id,
                device: seen.device,
                time,
                received: seen.received,
                sequence: seen.sequence,
                envelope,
            });
        }
        reports.sort_unstable_by_key(|report| report.id);
        Ok(reports)
    }

    /// What providers said they delivered for settled vouchers, in their order; empty where nobody said it.
    pub fn meters_of(&self, id: &NetworkId, settled: &[SettledOrder]) -> Result<Vec<Vec<MeterEntry>>, CollectError> {
        let entries = |order: &SettledOrder| match self.meters.of(id, order) {
            None => Ok(Vec::new()),
            Some(location) => {
                let bytes = self.log.read(location)?;
                let signed: SignedMeters = codec::decode_canonical(&bytes).map_err(|_| LogError::NotThere(location))?;
                Ok(signed.record.entries)
            }
        };
        settled.iter().map(entries).collect()
    }

    /// Forgets an archived epoch and all before it, and gives their space back. A resend of theirs is refused as used.
    pub fn forget(&mut self, id: &NetworkId, epoch: EpochNumber) -> Result<(), CollectError> {
        let network = self.intake.network(id).ok_or(CollectError::NotServed(*id))?;
        let open = network.open();
        if open <= epoch {
            return Ok(());
        }
        self.save(id, open, Some(epoch))?;
        let network = self.intake.network_mut(id).ok_or(CollectError::NotServed(*id))?;
        let forgotten = network.forget(epoch);
        let meters = self.meters.forget(id, epoch);
        let locations = forgotten.into_iter().map(|seen| seen.location).chain(meters);
        locations.for_each(|location| self.log.release(location));
        self.log.reclaim()?;
        Ok(())
    }

    /// Writes down what is about to change, so that nothing changes here that a restart would not know.
    fn save(&mut self, id: &NetworkId, open: EpochNumber, forgotten: Option<EpochNumber>) -> Result<(), CollectError> {
        let mut checkpoint = Checkpoint::load(self.log.disk())?;
        let network = self.intake.network(id).ok_or(CollectError::NotServed(*id))?;
        checkpoint.update(id, open, forgotten.map(|last| (last, network.sequences())));
        Ok(checkpoint.save(self.log.disk())?)
    }
}

fn replay_report(
    intake: &mut Intake,
    forgotten: &BTreeMap<NetworkId, Option<EpochNumber>>,
    clock: EpochClock,
    location: Location,
    received: TimeMs,
    record: &Record<'_>,
) -> bool {
    let Ok(envelope) = Envelope::parse(record.bytes) else {
        return false;
    };
    let id = envelope.report.network;
    let Some(epoch) = clock.epoch_of(envelope.report.time) else {
        return false;
    };
    let is_forgotten = forgotten.get(&id).copied().flatten().is_some_and(|last| epoch <= last);
    let Some(network) = intake.network_mut(&id).filter(|_| !is_forgotten) else {
        return false;
    };
    let seen = Seen {
        id: envelope.id(),
        device: DeviceNumber(record.tag),
        sequence: envelope.report.sequence,
        received,
        location,
    };
    network.record(epoch, seen)
}

fn is_of_stranger(verdict: &Verdict) -> bool {
    matches!(
        verdict,
        Verdict::Refused(IntakeRefusal::UnknownDevice | IntakeRefusal::NotMember, _)
    )
}

/// Nobody can say now whether the ledger knows the device: it may come again.
fn put_off(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Refused(IntakeRefusal::UnknownDevice | IntakeRefusal::NotMember, detail) => {
            Verdict::Refused(IntakeRefusal::LedgerAway, detail)
        }
        other => other,
    }
}

fn unavailable(verdict: Verdict, error: &LogError) -> Verdict {
    match verdict {
        Verdict::Accepted(_) | Verdict::Again(_) => Verdict::Refused(IntakeRefusal::Unavailable, error.to_string()),
        Verdict::Known(_) | Verdict::Refused(..) => verdict,
    }
}
