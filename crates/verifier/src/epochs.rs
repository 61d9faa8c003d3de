//! Takes every epoch of every network from open to paid, one step at a time, and can be killed between any two.
//!
//! ```text
//! Open ──grace over, ledger closed it──▶ Sealed ─▶ Anchored ─▶ Assessed ─▶ Attested ─▶ Settled ─▶ Paid ─▶ the next epoch
//!        intake refuses from here on     root on the ledger   files written   manifest    ledger     cursor at the end
//! ```
//! Between Anchored and Assessed it fetches what others anchored (`epochs/gather.rs`); between Attested and Settled it hears their words
//! until verifiers with more than two thirds of the bond say the same (`epochs/agree.rs`). A verifier alone has nothing to fetch and
//! is such a quorum by itself.
//!
//! A settled epoch is paid when its window for disputes is over; the next ones go on meanwhile. What a decided dispute took back is
//! attested anew (`epochs/anew.rs`). What files turn up for that were left out is judged again, as is what the ledger settled over other
//! files than ours (`epochs/say.rs`).
//!
//! Nothing is remembered here that is not in the collector's checkpoint, the archive or the ledger: at a restart they say where each
//! network stands. Epochs follow each other: the ledger settles them in order, and each hands its memory to the next.

mod agree;
mod anew;
mod gather;
#[cfg(test)]
mod late;
mod say;
mod seal;
#[cfg(test)]
mod several;
#[cfg(test)]
mod stalled;
#[cfg(test)]
mod tests;

use crate::archive::{self, ArchiveError, EpochArchive, FileEntry, Inputs, Manifest, OrderMeters};
use crate::assess::{self, JudgeError};
use crate::attest;
use crate::chain::{Basis, Chain, ChainError, ChainFacts, NetworkAt, SettledOrder, VerifierAt, Verifiers};
use crate::collector::{CollectError, Collector, Sealed};
use crate::divide::{self, DivideError};
use crate::exchange::{self, Choice};
use crate::meters::MeterEntry;
use crate::objects::Objects;
use crate::peers::withheld::Missing;
use crate::peers::{Peers, Word};
use crate::price::{self, PriceFeed};
use crate::submit::{self, Payouts, SubmitError, Submitter};
use crate::union::Union;
use agree::Talk;
use cairn_ledger::records::{Anchor, PoolState};
use cairn_types::attestation::Totals;
use cairn_types::{
    AccountId, AccountNumber, EpochNumber, Finding, Hash, NetworkId, PayoutLeaf, SecretKey, TimeMs, codec, hash,
};
use gather::{Gathered, Memory};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
    /// Files that others anchored.
    Reports,
    /// What the result in force for the epoch before remembers.
    Memory,
    /// More verifiers that say the same.
    Signatures,
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
    /// Where verifiers are reached, for those whose address on the ledger does not serve us.
    pub addresses: BTreeMap<AccountId, String>,
}

/// What an advance did.
#[derive(Debug, Default)]
pub struct Advanced {
    /// Epochs paid to the end, in order.
    pub paid: Vec<(NetworkId, EpochNumber)>,
    /// Where each network stands now and what it waits for.
    pub waits: Vec<(NetworkId, EpochNumber, Waits)>,
    pub failed: Vec<(NetworkId, EpochNumber, EpochError)>,
    /// Other verifiers that were found to say something else than we do.
    pub differs: Vec<(NetworkId, EpochNumber, AccountId)>,
}

/// What a sealed epoch came to, until its manifest is written.
struct Judged {
    files: Vec<FileEntry>,
    word: Word,
}

/// A settled epoch that waits for its release, and what our result leaves out: as many anchors as the settled one.
struct Unpaid {
    epoch: EpochNumber,
    without: Vec<u32>,
}

struct Progress {
    epoch: EpochNumber,
    stage: Stage,
    first: EpochNumber,
    /// Up to here our reports are anchored, or that is past.
    ahead: EpochNumber,
    judged: Option<Judged>,
    /// Whether it was judged again in this advance: once is enough, whatever comes meanwhile.
    is_again: bool,
    /// Settled epochs that wait for their release, in order.
    unpaid: VecDeque<Unpaid>,
    /// Files of its anchors that are in our archive.
    at_hand: BTreeSet<Hash>,
    /// Files of later epochs' anchors that are there too.
    fetched: BTreeSet<Hash>,
    /// Since when the others are missing.
    sought: Option<TimeMs>,
    /// When those were asked for last that settled results leave out.
    sought_late: Option<TimeMs>,
    /// Whose files others say they cannot get.
    said_missing: BTreeMap<AccountId, Missing>,
    /// What is said of the epochs whose verifiers were not all heard yet; the last one may be the epoch itself.
    talks: VecDeque<Talk>,
}

impl Progress {
    fn at(first: EpochNumber, epoch: EpochNumber) -> Self {
        Self {
            epoch,
            stage: Stage::Open,
            first,
            ahead: epoch,
            judged: None,
            is_again: false,
            unpaid: VecDeque::new(),
            at_hand: BTreeSet::new(),
            fetched: BTreeSet::new(),
            sought: None,
            sought_late: None,
            said_missing: BTreeMap::new(),
            talks: VecDeque::new(),
        }
    }

    /// Begins again with an earlier epoch.
    fn return_to(&mut self, epoch: EpochNumber) {
        self.talks.retain(|talk| talk.epoch < epoch);
        self.judged = None;
        self.at_hand.clear();
        self.sought = None;
        (self.epoch, self.stage) = (epoch, Stage::Open);
    }

    fn next(&mut self) {
        self.epoch = self.epoch.next();
        self.stage = Stage::Open;
        self.is_again = false;
        self.at_hand.clear();
        if self.ahead <= self.epoch {
            self.fetched.clear();
        }
        self.sought = None;
        self.said_missing.clear();
    }
}

/// All networks of one verifier.
pub struct Epochs {
    settings: Settings,
    chain: Arc<dyn Chain>,
    objects: Arc<dyn Objects>,
    peers: Arc<dyn Peers>,
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
        peers: Arc<dyn Peers>,
        feed: Option<Arc<dyn PriceFeed>>,
        networks: &[NetworkId],
    ) -> Result<Self, EpochError> {
        let facts = chain.facts()?;
        let mut found = BTreeMap::new();
        for id in networks {
            let first = chain.network(id, EpochNumber(u64::MAX))?.first;
            let epoch = oldest_unpaid(chain.as_ref(), objects.as_ref(), id, first)?;
            found.insert(*id, Progress::at(first, epoch));
        }
        Ok(Self {
            settings,
            chain,
            objects,
            peers,
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
            progress.is_again = false;
            if let Err(error) = self.go_back(&id, &mut progress) {
                tracing::warn!(network = %id, %error, "whether what is settled still is cannot be seen");
            }
            self.pay_waiting(&id, &mut progress, &mut advanced);
            loop {
                match self.step(now, &id, &mut progress, collect) {
                    Ok(None) if progress.stage == Stage::Paid => {
                        if progress
                            .unpaid
                            .back()
                            .is_none_or(|unpaid| unpaid.epoch != progress.epoch)
                        {
                            advanced.paid.push((id, progress.epoch));
                        }
                        if progress.talks.back().is_none_or(|talk| talk.epoch != progress.epoch) {
                            self.peers.forget(&id, progress.epoch);
                        }
                        progress.next();
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
            if let Err(error) = self.anchor_ahead(now, &id, &mut progress, collect) {
                tracing::warn!(network = %id, %error, "later epochs are not anchored yet");
            }
            if let Err(error) = self.seek_late(now, &id, &mut progress) {
                tracing::warn!(network = %id, %error, "what settled results leave out is not sought");
            }
            self.listen_all(&id, &mut progress, &mut advanced);
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
                if !self.is_judged(id, progress, &archive)? && !self.is_expired(id, epoch)? {
                    self.anchor(id, epoch, &archive, collect)?;
                    if !self.chain.anchoring(id, epoch)?.has_ended {
                        return Ok(Some(Waits::Anchors));
                    }
                }
                Stage::Anchored
            }
            Stage::Anchored => {
                if !self.is_judged(id, progress, &archive)? {
                    let memory = match self.memory(id, progress)? {
                        Memory::Here(memory) => memory,
                        Memory::Sought => return Ok(Some(Waits::Memory)),
                        Memory::JudgeAgain(before) => {
                            progress.return_to(before);
                            return Ok(None);
                        }
                    };
                    match self.gather(now, id, progress, &archive)? {
                        Gathered::Files { files, without } => {
                            let judged = self.judge(id, progress, &archive, memory, files, without)?;
                            progress.judged = Some(judged);
                        }
                        Gathered::Waits => return Ok(Some(Waits::Reports)),
                        Gathered::Lost => {
                            progress.stage = Stage::Paid;
                            return Ok(None);
                        }
                    }
                }
                Stage::Assessed
            }
            Stage::Assessed => {
                // Without a judgement at hand the manifest is there: it was found in the step before.
                if let Some(judged) = progress.judged.take() {
                    let manifest = Manifest {
                        files: judged.files,
                        attestation: judged.word.attestation,
                        exchange: judged.word.exchange,
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
                let is_over = self.is_expired(id, epoch)?;
                if !is_over && !self.is_judged(id, progress, &archive)? {
                    // What it rests on changed, a file turned up, or other files were settled: it is judged again.
                    if std::mem::replace(&mut progress.is_again, true) {
                        return Ok(Some(Waits::Signatures));
                    }
                    progress.sought = None;
                    Stage::Sealed
                } else if is_over {
                    Stage::Settled
                } else if !self.settle(id, progress, &archive)? {
                    return Ok(Some(Waits::Signatures));
                } else if self.is_judged(id, progress, &archive)? {
                    Stage::Settled
                } else {
                    Stage::Attested
                }
            }
            Stage::Settled => {
                let is_next = progress.unpaid.is_empty();
                let is_done = self.is_expired(id, epoch)? || (is_next && self.pay(id, epoch)?);
                if !is_done {
                    let without = complete(&archive)?.attestation.result.without;
                    progress.unpaid.push_back(Unpaid { epoch, without });
                }
                Stage::Paid
            }
            Stage::Paid => Stage::Paid,
        };
        Ok(None)
    }

    /// Pays the settled epochs whose release is due, in order.
    fn pay_waiting(&self, id: &NetworkId, progress: &mut Progress, advanced: &mut Advanced) {
        while let Some(epoch) = progress.unpaid.front().map(|unpaid| unpaid.epoch) {
            match self.pay(id, epoch) {
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
    fn pay(&self, id: &NetworkId, epoch: EpochNumber) -> Result<bool, EpochError> {
        let closed = self.chain.closed(id, epoch)?;
        if closed.is_some_and(|closed| closed.pool.state == PoolState::Settled) {
            let is_due = self.chain.is_releasable(id, epoch)?;
            if !is_due || !submit::release(self.chain.as_ref(), &self.settings.submitter, id, epoch)? {
                return Ok(false);
            }
        }
        let archive = EpochArchive::of(self.objects.as_ref(), id, epoch);
        let manifest = complete(&archive)?;
        if !self.is_in_force(id, epoch, &manifest)? {
            // Whoever attested the result in force has its leaves.
            return Ok(true);
        }
        let leaves = archive.payouts()?;
        let is_exchanged = manifest.exchange.is_some();
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

    /// The verifiers of the ledger, each where it is reached.
    fn verifiers(&self) -> Result<Verifiers, ChainError> {
        let mut verifiers = self.chain.verifiers()?;
        for verifier in &mut verifiers.all {
            if let Some(address) = self.settings.addresses.get(&verifier.account) {
                verifier.url.clone_from(address);
            }
        }
        Ok(verifiers)
    }

    /// Those of them who are not us and can be reached.
    fn others(&self, verifiers: &Verifiers) -> Vec<VerifierAt> {
        let me = self.settings.submitter.account;
        let is_other = |verifier: &&VerifierAt| verifier.account != me && !verifier.url.is_empty();
        verifiers.all.iter().filter(is_other).cloned().collect()
    }

    /// Writes all files but the manifest. Done again after a kill, it writes the same bytes.
    fn judge(
        &self,
        id: &NetworkId,
        progress: &Progress,
        archive: &EpochArchive<'_>,
        memory: Vec<u8>,
        files: Vec<(Anchor, Vec<u8>)>,
        without: Vec<u32>,
    ) -> Result<Judged, EpochError> {
        let epoch = progress.epoch;
        let network = self.chain.network(id, epoch)?;
        let Union {
            rows: reports, meters, ..
        } = self.union(id, epoch, archive, &network, files)?;
        let inputs = self.inputs(id, epoch, network, memory, meters)?;
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
            Basis::of(self.chain.as_ref(), id, progress.first, epoch, without)?,
        );
        let exchange = exchange::attested(&inputs, &result, &outcome.leaves, &outcome.choices);
        let exchange = exchange.map_err(DivideError::from)?;
        let word = self.say(archive, result, exchange)?;
        let mut files = Vec::with_capacity(archive::FILES.len());
        for (name, bytes) in files_of(&inputs, &reports, &outcome) {
            archive.put(name, &bytes)?;
            files.push(FileEntry {
                name: name.to_owned(),
                bytes: bytes.len() as u64,
                hash: hash::sha256(&bytes),
            });
        }
        Ok(Judged { files, word })
    }

    fn inputs(
        &self,
        id: &NetworkId,
        epoch: EpochNumber,
        network: NetworkAt,
        memory: Vec<u8>,
        meters: Vec<OrderMeters>,
    ) -> Result<Inputs, EpochError> {
        let closed = self.chain.closed(id, epoch)?;
        let closed = closed.ok_or_else(|| ChainError::Unreachable("the epoch is not closed there".to_owned()))?;
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
            meters,
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
        (archive::REPORTS, archive::reports::write(reports, &inputs.meters)),
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
        return first_unsettled(chain, id, first);
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

/// The first epoch of a network that waits for verifiers: who begins, or begins anew without its archive, has no part in those before.
fn first_unsettled(chain: &dyn Chain, id: &NetworkId, first: EpochNumber) -> Result<EpochNumber, EpochError> {
    let is_done = |epoch: u64| {
        let closed = chain.closed(id, EpochNumber(epoch))?;
        Ok::<_, ChainError>(closed.is_some_and(|closed| closed.pool.state != PoolState::Closed))
    };
    // Epochs are settled in order, so that a search by halves finds the last one.
    let (mut done, mut step) = (first.0, 1u64);
    while is_done(done.saturating_add(step))? {
        done += step;
        step *= 2;
    }
    if done == first.0 && !is_done(done)? {
        return Ok(first);
    }
    while step > 1 {
        step /= 2;
        done += if is_done(done + step)? { step } else { 0 };
    }
    Ok(EpochNumber(done + 1))
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
