//! Takes every epoch of every network from open to paid, one step at a time, and can be killed between any two.
//!
//! ```text
//! Open ──grace over, ledger closed it──▶ Sealed ─▶ Anchored ─▶ Assessed ─▶ Attested ─▶ Settled ─▶ Paid ─▶ the next epoch
//!        intake refuses from here on     root on the ledger   files written   manifest    ledger     cursor at the end
//! ```
//! A settled epoch is paid when its window for disputes is over; the next ones go on meanwhile.
//!
//! Nothing is remembered here that is not in the collector's checkpoint, the archive or the ledger: at a restart they say where each
//! network stands. Epochs follow each other: the ledger settles them in order, and each hands its memory to the next.

#[cfg(test)]
mod tests;

use crate::archive::{self, ArchiveError, EpochArchive, FileEntry, Inputs, Manifest, OrderMeters};
use crate::assess::{self, JudgeError};
use crate::attest;
use crate::chain::{Basis, Chain, ChainError, ChainFacts, Closed, SettledOrder};
use crate::collector::{CollectError, Collector, Sealed};
use crate::divide::{self, DivideError};
use crate::exchange::{self, Choice};
use crate::meters::MeterEntry;
use crate::objects::Objects;
use crate::price::{self, PriceFeed};
use crate::submit::{self, Payouts, SubmitError, Submitter};
use cairn_ledger::records::PoolState;
use cairn_ledger::tx::anchor_epoch::NetworkAnchor;
use cairn_ledger::tx::settle_epoch::Exchange;
use cairn_types::attestation::Totals;
use cairn_types::{AccountNumber, EpochNumber, Finding, NetworkId, PayoutLeaf, SecretKey, TimeMs, codec, hash};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use thiserror::Error;

/// How far an epoch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Open,
    Sealed,
    /// Nobody anchors any more: what is judged is known.
    Anchored,
    Assessed,
    Attested,
    Settled,
    Paid,
}

impl Stage {
    pub const ALL: [Self; 7] = [
        Self::Open,
        Self::Sealed,
        Self::Anchored,
        Self::Assessed,
        Self::Attested,
        Self::Settled,
        Self::Paid,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Sealed => "sealed",
            Self::Anchored => "anchored",
            Self::Assessed => "assessed",
            Self::Attested => "attested",
            Self::Settled => "settled",
            Self::Paid => "paid",
        }
    }
}

/// What an epoch waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// Its end and the grace after it, or after its roster could be read.
    Time,
    /// The ledger's closing of it, or its beacon.
    Ledger,
    /// Other verifiers' anchors, or the end of the window for them.
    Anchors,
    /// Its release: the end of the window for disputes, or a decision.
    Release,
    /// Nothing: the network is closed.
    Closed,
}

/// Why an epoch does not go on. It is tried again at the next advance.
#[derive(Debug, Error)]
pub enum EpochError {
    #[error(transparent)]
    Collect(#[from] CollectError),
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Judge(#[from] JudgeError),
    #[error(transparent)]
    Divide(#[from] DivideError),
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

/// What the epochs need of the collector: itself, or the mailbox of the thread that owns it.
pub trait Collect {
    /// `false`: the epoch still takes reports.
    fn seal(&mut self, now: TimeMs, network: &NetworkId, epoch: EpochNumber) -> Result<bool, CollectError>;
    fn sealed(&mut self, network: &NetworkId, epoch: EpochNumber) -> Result<Vec<Sealed>, CollectError>;
    fn meters_of(
        &mut self,
        network: &NetworkId,
        settled: &[SettledOrder],
    ) -> Result<Vec<Vec<MeterEntry>>, CollectError>;
    fn forget(&mut self, network: &NetworkId, epoch: EpochNumber) -> Result<(), CollectError>;
}

/// Settings of the epochs.
#[derive(Clone)]
pub struct Settings {
    /// Signs results.
    pub key: SecretKey,
    pub submitter: Submitter,
    /// After an epoch's end, before it is sealed.
    pub grace_ms: u64,
    /// In how many parts reports are surveyed; never changes a result.
    pub shards: usize,
    /// Resends of reports of so many sealed epochs still get their receipt.
    pub remember_epochs: u64,
}

/// What an advance did.
#[derive(Debug, Default)]
pub struct Advanced {
    /// Epochs paid to the end, in order.
    pub paid: Vec<(NetworkId, EpochNumber)>,
    /// Where each network stands now and what it waits for.
    pub waits: Vec<(NetworkId, EpochNumber, Waits)>,
    pub failed: Vec<(NetworkId, EpochNumber, EpochError)>,
}

/// What a sealed epoch came to, until its manifest is written.
struct Judged {
    files: Vec<FileEntry>,
    result: cairn_types::EpochResult,
    exchange: Option<Exchange>,
}

struct Progress {
    epoch: EpochNumber,
    stage: Stage,
    first: EpochNumber,
    judged: Option<Judged>,
    /// Settled epochs that wait for their release, in order.
    unpaid: VecDeque<EpochNumber>,
}

/// All networks of one verifier.
pub struct Epochs {
    settings: Settings,
    chain: Arc<dyn Chain>,
    objects: Arc<dyn Objects>,
    feed: Option<Arc<dyn PriceFeed>>,
    facts: ChainFacts,
    networks: BTreeMap<NetworkId, Progress>,
    /// The round of the last price of ours.
    posted: Option<u64>,
}

impl Epochs {
    /// Finds where each network stands.
    pub fn open(
        settings: Settings,
        chain: Arc<dyn Chain>,
        objects: Arc<dyn Objects>,
        feed: Option<Arc<dyn PriceFeed>>,
        networks: &[NetworkId],
    ) -> Result<Self, EpochError> {
        let facts = chain.facts()?;
        let mut found = BTreeMap::new();
        for id in networks {
            let first = chain.network(id, EpochNumber(u64::MAX))?.first;
            let epoch = oldest_unpaid(chain.as_ref(), objects.as_ref(), id, first)?;
            let progress = Progress {
                epoch,
                stage: Stage::Open,
                first,
                judged: None,
                unpaid: VecDeque::new(),
            };
            found.insert(*id, progress);
        }
        Ok(Self {
            settings,
            chain,
            objects,
            feed,
            facts,
            networks: found,
            posted: None,
        })
    }

    /// The epoch each network is at, and how far it is.
    pub fn stages(&self) -> impl Iterator<Item = (&NetworkId, EpochNumber, Stage)> {
        self.networks
            .iter()
            .map(|(id, progress)| (id, progress.epoch, progress.stage))
    }

    /// It is now `now`: takes every network as far as it can go. Errors of one network do not hold the others.
    pub fn advance(&mut self, now: TimeMs, collect: &mut dyn Collect) -> Advanced {
        self.post_price(now);
        let mut advanced = Advanced::default();
        let ids: Vec<NetworkId> = self.networks.keys().copied().collect();
        for id in ids {
            let mut progress = self.networks.remove(&id).expect("a key of the map");
            self.pay_waiting(now, &id, &mut progress, &mut advanced);
            loop {
                match self.step(now, &id, &mut progress, collect) {
                    Ok(None) if progress.stage == Stage::Paid => {
                        if progress.unpaid.back() != Some(&progress.epoch) {
                            advanced.paid.push((id, progress.epoch));
                        }
                        progress.epoch = progress.epoch.next();
                        progress.stage = Stage::Open;
                    }
                    Ok(None) => {}
                    Ok(Some(waits)) => {
                        advanced.waits.push((id, progress.epoch, waits));
                        break;
                    }
                    Err(error) => {
                        tracing::warn!(network = %id, epoch = %progress.epoch, stage = ?progress.stage, %error, "an epoch waits");
                        advanced.failed.push((id, progress.epoch, error));
                        break;
                    }
                }
            }
            self.networks.insert(id, progress);
        }
        advanced
    }

    fn post_price(&mut self, now: TimeMs) {
        let Some(feed) = self.feed.clone() else { return };
        let round = now.since_ms(self.facts.clock.genesis).checked_div(self.facts.round_ms);
        if self.posted == round {
            return;
        }
        match price::post(self.chain.as_ref(), &self.settings.submitter, feed.as_ref(), now) {
            Ok(_) => self.posted = round,
            Err(error) => tracing::warn!(%error, "no price posted"),
        }
    }

    /// One step of one network; what it waits for, if it cannot take one.
    fn step(
        &self,
        now: TimeMs,
        id: &NetworkId,
        progress: &mut Progress,
        collect: &mut dyn Collect,
    ) -> Result<Option<Waits>, EpochError> {
        let epoch = progress.epoch;
        let archive = EpochArchive::of(self.objects.as_ref(), id, epoch);
        progress.stage = match progress.stage {
            Stage::Open => {
                if now < self.facts.clock.end(epoch).plus_ms(self.settings.grace_ms) {
                    return Ok(Some(Waits::Time));
                }
                if self.chain.network(id, epoch)?.closes.is_some_and(|last| epoch > last) {
                    return Ok(Some(Waits::Closed));
                }
                if self.chain.closed(id, epoch)?.is_none() {
                    return Ok(Some(Waits::Ledger));
                }
                if !collect.seal(now, id, epoch)? {
                    return Ok(Some(Waits::Time));
                }
                Stage::Sealed
            }
            Stage::Sealed => {
                if archive.manifest()?.is_none() && !self.is_expired(id, epoch)? {
                    self.anchor(id, epoch, &archive, collect)?;
                    if !self.chain.anchoring(id, epoch)?.has_ended {
                        return Ok(Some(Waits::Anchors));
                    }
                }
                Stage::Anchored
            }
            Stage::Anchored => {
                if archive.manifest()?.is_none() {
                    progress.judged = Some(self.judge(id, progress, &archive, collect)?);
                }
                Stage::Assessed
            }
            Stage::Assessed => {
                // Without a judgement at hand the manifest is there: it was found in the step before.
                if let Some(judged) = progress.judged.take() {
                    let (verifier, key) = (self.settings.submitter.account, &self.settings.key);
                    let manifest = Manifest {
                        files: judged.files,
                        attestation: attest::attest(judged.result, verifier, key),
                        exchange: judged.exchange.map(|exchange| attest::attest_exchange(exchange, key)),
                    };
                    archive.put(archive::MANIFEST, &codec::encode(&manifest))?;
                }
                let old = epoch.0.checked_sub(self.settings.remember_epochs);
                if let Some(old) = old.map(EpochNumber) {
                    collect.forget(id, old)?;
                }
                Stage::Attested
            }
            Stage::Attested => {
                if !self.is_expired(id, epoch)? {
                    let Manifest {
                        attestation, exchange, ..
                    } = complete(&archive)?;
                    let submitter = &self.settings.submitter;
                    submit::settle(self.chain.as_ref(), submitter, &attestation, exchange.as_ref())?;
                }
                Stage::Settled
            }
            Stage::Settled => {
                let is_next = progress.unpaid.is_empty();
                let is_done = self.is_expired(id, epoch)? || (is_next && self.pay(now, id, epoch)?);
                if !is_done {
                    progress.unpaid.push_back(epoch);
                }
                Stage::Paid
            }
            Stage::Paid => Stage::Paid,
        };
        Ok(None)
    }

    /// Pays the settled epochs whose release is due, in order.
    fn pay_waiting(&self, now: TimeMs, id: &NetworkId, progress: &mut Progress, advanced: &mut Advanced) {
        while let Some(epoch) = progress.unpaid.front().copied() {
            match self.pay(now, id, epoch) {
                Ok(true) => advanced.paid.push((*id, epoch)),
                Ok(false) => {
                    advanced.waits.push((*id, epoch, Waits::Release));
                    return;
                }
                Err(error) => {
                    tracing::warn!(network = %id, %epoch, %error, "a settled epoch is not paid");
                    advanced.failed.push((*id, epoch, error));
                    return;
                }
            }
            progress.unpaid.pop_front();
        }
    }

    /// Releases a settled epoch and pays its leaves; `false`: its release is not due.
    fn pay(&self, now: TimeMs, id: &NetworkId, epoch: EpochNumber) -> Result<bool, EpochError> {
        let closed = self.chain.closed(id, epoch)?;
        if closed.is_some_and(|closed| closed.pool.state == PoolState::Settled) {
            let settlement = self.chain.settlement(id, epoch)?;
            let window_ms = self.facts.limits.dispute_window_ms;
            let is_due = settlement.is_some_and(|settlement| now >= settlement.time.plus_ms(window_ms));
            if !is_due || !submit::release(self.chain.as_ref(), &self.settings.submitter, id, epoch)? {
                return Ok(false);
            }
        }
        let archive = EpochArchive::of(self.objects.as_ref(), id, epoch);
        let leaves = archive.payouts()?;
        let is_exchanged = complete(&archive)?.exchange.is_some();
        let choices = is_exchanged.then(|| archive.choices()).transpose()?;
        let payouts = Payouts {
            network: *id,
            epoch,
            leaves: &leaves,
            choices: choices.as_deref(),
        };
        submit::pay(self.chain.as_ref(), &self.settings.submitter, &payouts)?;
        Ok(true)
    }

    fn is_expired(&self, id: &NetworkId, epoch: EpochNumber) -> Result<bool, ChainError> {
        Ok(self.chain.closed(id, epoch)?.is_some_and(|closed| closed.is_expired()))
    }

    /// Seals the file of our reports and binds us to it. Too late, it costs what our receipts promised.
    fn anchor(
        &self,
        id: &NetworkId,
        epoch: EpochNumber,
        archive: &EpochArchive<'_>,
        collect: &mut dyn Collect,
    ) -> Result<(), EpochError> {
        let reports = collect.sealed(id, epoch)?;
        let file = archive::reports::write(&reports);
        archive.put(archive::REPORTS, &file)?;
        let anchor = NetworkAnchor {
            network: *id,
            root: attest::archive_root(&reports),
            count: reports.len() as u64,
            reports_hash: hash::sha256(&file),
        };
        if !submit::anchor(self.chain.as_ref(), &self.settings.submitter, epoch, anchor)? {
            tracing::error!(network = %id, %epoch, reports = reports.len(), "anchored too late: our reports are not judged");
        }
        Ok(())
    }

    /// The reports that are judged: ours, if they are anchored.
    fn anchored(
        &self,
        id: &NetworkId,
        epoch: EpochNumber,
        collect: &mut dyn Collect,
    ) -> Result<Vec<Sealed>, EpochError> {
        let anchoring = self.chain.anchoring(id, epoch)?;
        Ok(match anchoring.of(&self.settings.submitter.account) {
            Some(_) => collect.sealed(id, epoch)?,
            None => Vec::new(),
        })
    }

    /// Writes all files but the manifest. Done again after a kill, it writes the same bytes.
    fn judge(
        &self,
        id: &NetworkId,
        progress: &Progress,
        archive: &EpochArchive<'_>,
        collect: &mut dyn Collect,
    ) -> Result<Judged, EpochError> {
        let epoch = progress.epoch;
        let reports = self.anchored(id, epoch, collect)?;
        // Meters that came after an earlier try must not change what that try wrote.
        let inputs = match archive.get(archive::INPUTS)? {
            Some(_) => archive.inputs()?,
            None => {
                let closed = self.chain.closed(id, epoch)?;
                let closed =
                    closed.ok_or_else(|| ChainError::Unreachable("the epoch is not closed there".to_owned()))?;
                self.inputs(id, progress, &closed, collect)?
            }
        };
        let assessment = assess::judge(&inputs, &reports, self.settings.shards)?;
        let (leaves, totals) = divide::divide(&inputs, &assessment.findings)?;
        let operators: Vec<AccountNumber> = leaves.iter().map(|leaf| leaf.operator).collect();
        let choices = self.chain.choices(&operators, epoch)?;
        let outcome = Outcome {
            findings: assessment.findings,
            memory: assessment.memory,
            leaves,
            totals,
            choices,
        };
        let result = attest::result(
            &inputs,
            &reports,
            &outcome.findings,
            &outcome.memory,
            &outcome.leaves,
            outcome.totals,
            Basis::of(self.chain.as_ref(), id, progress.first, epoch)?,
        );
        let exchange = exchange::attested(&inputs, &result, &outcome.leaves, &outcome.choices);
        let exchange = exchange.map_err(DivideError::from)?;
        let mut files = Vec::with_capacity(archive::FILES.len());
        for (name, bytes) in files_of(&inputs, &reports, &outcome) {
            archive.put(name, &bytes)?;
            files.push(FileEntry {
                name: name.to_owned(),
                bytes: bytes.len() as u64,
                hash: hash::sha256(&bytes),
            });
        }
        Ok(Judged {
            files,
            result,
            exchange,
        })
    }

    fn inputs(
        &self,
        id: &NetworkId,
        progress: &Progress,
        closed: &Closed,
        collect: &mut dyn Collect,
    ) -> Result<Inputs, EpochError> {
        let epoch = progress.epoch;
        let network = self.chain.network(id, epoch)?;
        let settled = self.chain.settled_orders(id, epoch)?;
        let entries = collect.meters_of(id, &settled)?;
        let memory = if epoch == progress.first {
            Vec::new()
        } else {
            EpochArchive::of(self.objects.as_ref(), id, EpochNumber(epoch.0 - 1)).memory()?
        };
        let meters = settled.into_iter().zip(entries);
        Ok(Inputs {
            chain: self.facts.chain.clone(),
            network: *id,
            epoch,
            start: self.facts.clock.start(epoch),
            end: self.facts.clock.end(epoch),
            vertical: network.vertical,
            parameters: network.parameters,
            economics: self.facts.economics,
            pool: closed.fixed_pool(),
            beacon: closed.beacon,
            roster: network.roster,
            memory,
            meters: meters
                .map(|(settled, entries)| OrderMeters { settled, entries })
                .collect(),
        })
    }
}

/// What judging and dividing an epoch came to.
pub struct Outcome {
    pub findings: Vec<Finding>,
    pub memory: Vec<u8>,
    pub leaves: Vec<PayoutLeaf>,
    pub totals: Totals,
    /// What the operators of the leaves chose when the epoch closed.
    pub choices: Vec<Choice>,
}

/// The files of an epoch in the order in which they are written.
pub fn files_of(inputs: &Inputs, reports: &[Sealed], outcome: &Outcome) -> [(&'static str, Vec<u8>); 6] {
    [
        (archive::REPORTS, archive::reports::write(reports)),
        (archive::INPUTS, codec::encode(inputs)),
        (archive::FINDINGS, codec::encode(&outcome.findings)),
        (archive::MEMORY, archive::memory_file(&outcome.memory)),
        (archive::PAYOUTS, codec::encode(&outcome.leaves)),
        (archive::CHOICES, codec::encode(&outcome.choices)),
    ]
}

/// The manifest of an epoch that was attested.
fn complete(archive: &EpochArchive<'_>) -> Result<Manifest, ArchiveError> {
    archive
        .manifest()?
        .ok_or_else(|| archive.wrong(archive::MANIFEST, "is gone"))
}

/// The oldest archived epoch that is not paid, or the one after the newest. Epochs are paid in order, so it is near the end.
fn oldest_unpaid(
    chain: &dyn Chain,
    objects: &dyn Objects,
    id: &NetworkId,
    first: EpochNumber,
) -> Result<EpochNumber, EpochError> {
    let names = objects.list(&id.to_string()).map_err(ArchiveError::from)?;
    let newest = names.iter().filter_map(|name| name.parse().ok()).max();
    let Some(newest) = newest.map(EpochNumber) else {
        return Ok(first);
    };
    let mut epoch = newest.next();
    while epoch > first {
        let before = EpochNumber(epoch.0 - 1);
        let is_complete = EpochArchive::of(objects, id, before).manifest()?.is_some();
        let state = chain.closed(id, before)?.map(|closed| closed.pool.state);
        let is_done = matches!(state, Some(PoolState::Paid | PoolState::Expired));
        if is_complete && is_done {
            break;
        }
        epoch = before;
    }
    Ok(epoch)
}

impl Collect for Collector {
    fn seal(&mut self, now: TimeMs, network: &NetworkId, epoch: EpochNumber) -> Result<bool, CollectError> {
        Self::seal(self, now, network, epoch)
    }

    fn sealed(&mut self, network: &NetworkId, epoch: EpochNumber) -> Result<Vec<Sealed>, CollectError> {
        Self::sealed(self, network, epoch)
    }

    fn meters_of(
        &mut self,
        network: &NetworkId,
        settled: &[SettledOrder],
    ) -> Result<Vec<Vec<MeterEntry>>, CollectError> {
        Self::meters_of(self, network, settled)
    }

    fn forget(&mut self, network: &NetworkId, epoch: EpochNumber) -> Result<(), CollectError> {
        Self::forget(self, network, epoch)
    }
}
