//! Anyone's check of a verifier: recomputes every epoch from its archive and the ledger, and names the first difference. Believes no
//! byte of the archive that does not follow from signatures, the ledger, or the rules.
//!
//! ```text
//! manifest ─▶ file hashes ─▶ inputs, what is left out = the ledger's ─▶ every envelope: form, key, signature, epoch ─▶ judged and divided again ─▶
//! findings, memory, payouts, row by row ─▶ choices = the ledger's ─▶ result and exchange = the ledger's ─▶ signatures ─▶ cursor
//! ```

pub(crate) mod compare;
mod recompute;
#[cfg(test)]
mod tests;
mod verdict;

use crate::archive::{self, ArchiveError, EpochArchive, Inputs};
use crate::assess::{self, JudgeError};
use crate::attest;
use crate::chain::{Basis, ChainError, ChainView, Closed, DeviceAt};
use crate::collector::Sealed;
use crate::divide::{self, DivideError};
use crate::exchange::{self, Choice};
use crate::objects::Objects;
use crate::roster::{self, RosterMember};
use crate::union::{self, Held, Union};
use cairn_ledger::records::PoolState;
use cairn_ledger::tx::settle_epoch::Exchange;
use cairn_types::attestation::Totals;
use cairn_types::batch::{self, Signed};
use cairn_types::{
    AccountId, AccountNumber, DeviceId, DeviceNumber, Envelope, EpochNumber, EpochResult, Hash, NetworkId, PayoutLeaf,
    PublicKey, codec, hash,
};
use cairn_verticals::kit::Assessment;
use compare::first_difference;
pub use recompute::{RecomputeError, Recomputed, recompute};
use std::collections::BTreeMap;
use std::fmt;
use thiserror::Error;
pub use verdict::{Claimed, Verdict, verdict};

/// Named as the file where the archive is right and the ledger says otherwise.
const LEDGER: &str = "ledger";

/// The first place where an archive is not what it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub file: String,
    /// Counted from 0; `None` when it is about the whole file.
    pub row: Option<usize>,
    pub field: String,
    pub archived: String,
    pub recomputed: String,
}

/// What an epoch was found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audited {
    pub network: NetworkId,
    pub epoch: EpochNumber,
    pub reports: usize,
    /// Hash of the recomputed result.
    pub result: Hash,
    /// Who anchored what the attested result leaves out.
    pub without: Vec<AccountId>,
    /// `None`: all of it matches.
    pub difference: Option<Difference>,
}

/// Why an audit could not be done at all.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum AuditError {
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// A step of an audit: a difference ends it.
enum Stop {
    Differs(Box<Difference>),
    Failed(AuditError),
}

impl<E: Into<AuditError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Audits one epoch: `Ok` with a difference or none; an error only when chain or store do not answer.
pub fn audit(
    objects: &dyn Objects,
    chain: &dyn ChainView,
    network: &NetworkId,
    epoch: EpochNumber,
) -> Result<Audited, AuditError> {
    let mut audited = Audited {
        network: *network,
        epoch,
        reports: 0,
        result: Hash::default(),
        without: Vec::new(),
        difference: None,
    };
    match Audit::of(objects, chain, network, epoch).run(&mut audited) {
        Ok(()) => Ok(audited),
        Err(Stop::Differs(difference)) => {
            audited.difference = Some(*difference);
            Ok(audited)
        }
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// The epochs of a network that the ledger settled: what an audit of everything goes through.
pub fn settled_epochs(chain: &dyn ChainView, network: &NetworkId) -> Result<Vec<EpochNumber>, AuditError> {
    let mut epoch = chain.network(network, EpochNumber(u64::MAX))?.first;
    let mut settled = Vec::new();
    loop {
        let is_settled = chain.settlement(network, epoch)?.is_some();
        if !is_settled && chain.closed(network, epoch)?.is_none_or(|closed| !closed.is_expired()) {
            return Ok(settled);
        }
        if is_settled {
            settled.push(epoch);
        }
        epoch = epoch.next();
    }
}

struct Audit<'a> {
    chain: &'a dyn ChainView,
    network: &'a NetworkId,
    epoch: EpochNumber,
    archive: EpochArchive<'a>,
}

impl<'a> Audit<'a> {
    fn of(objects: &'a dyn Objects, chain: &'a dyn ChainView, network: &'a NetworkId, epoch: EpochNumber) -> Self {
        Self {
            chain,
            network,
            epoch,
            archive: EpochArchive::of(objects, network, epoch),
        }
    }
}

impl Audit<'_> {
    fn run(&self, audited: &mut Audited) -> Result<(), Stop> {
        let files = self.files()?;
        let [reports, inputs, findings, memory, payouts, choices] = files;
        let inputs = self.inputs(&inputs)?;
        let without = self.without()?;
        audited.without = self.chain.anchoring(self.network, self.epoch)?.verifiers_at(&without);
        let reports = self.reports(reports, &inputs)?;
        audited.reports = reports.len();

        let (judged, leaves, totals) = self.judge(&inputs, &reports)?;
        self.same_rows(archive::FINDINGS, &findings, &judged.findings)?;
        self.same(
            archive::MEMORY,
            "memory",
            &memory,
            &archive::memory_file(&judged.memory),
        )?;
        self.same_rows(archive::PAYOUTS, &payouts, &leaves)?;
        let chosen = self.choices(&leaves)?;
        self.same_rows(archive::CHOICES, &choices, &chosen)?;

        self.all_anchored(&reports, &inputs, &without)?;
        let basis = self.basis(without)?;
        let (result, exchange) = self.result(&inputs, &reports, &judged, (&leaves, totals), &chosen, basis)?;
        audited.result = result.hash();
        let manifest = self.attestation(&result)?;
        self.exchange(&manifest, exchange.as_ref())?;
        self.settlement(&result, exchange.as_ref())
    }

    /// The reports judged, and the pool divided by what that came to.
    fn judge(&self, inputs: &Inputs, reports: &[Sealed]) -> Result<(Assessment, Vec<PayoutLeaf>, Totals), Stop> {
        let judged =
            assess::judge(inputs, reports, 1).map_err(|error: JudgeError| self.unusable(archive::INPUTS, error))?;
        let divided = divide::divide(inputs, &judged.findings);
        let (leaves, totals) = divided.map_err(|error: DivideError| self.unusable(archive::INPUTS, error))?;
        Ok((judged, leaves, totals))
    }

    /// What all of it comes to, on what the ledger says it rests on.
    fn result(
        &self,
        inputs: &Inputs,
        reports: &[Sealed],
        judged: &Assessment,
        (leaves, totals): (&[PayoutLeaf], Totals),
        chosen: &[Choice],
        basis: Basis,
    ) -> Result<(EpochResult, Option<Exchange>), Stop> {
        let result = attest::result(inputs, reports, &judged.findings, &judged.memory, leaves, totals, basis);
        let exchange = exchange::attested(inputs, &result, leaves, chosen);
        let exchange = exchange.map_err(|error| self.unusable(archive::INPUTS, error))?;
        Ok((result, exchange))
    }

    /// What the operators of the leaves chose when the epoch closed, as the ledger says.
    fn choices(&self, leaves: &[PayoutLeaf]) -> Result<Vec<Choice>, Stop> {
        let operators: Vec<AccountNumber> = leaves.iter().map(|leaf| leaf.operator).collect();
        Ok(self.chain.choices(&operators, self.epoch)?)
    }

    /// All files, whose hashes are the manifest's. A file that differs is still compared row by row when it can be read, so
    /// the difference is named as finely as possible.
    fn files(&self) -> Result<[Vec<u8>; 6], Stop> {
        let bytes = self.need(archive::MANIFEST)?;
        let manifest: archive::Manifest =
            codec::decode_canonical(&bytes).map_err(|error| self.unusable(archive::MANIFEST, error))?;
        let names: Vec<&str> = manifest.files.iter().map(|entry| entry.name.as_str()).collect();
        self.expect(archive::MANIFEST, None, "files", &names, &archive::FILES.to_vec())?;
        let mut files: [Vec<u8>; 6] = Default::default();
        let mut broken = None;
        for (at, (entry, file)) in manifest.files.iter().zip(&mut files).enumerate() {
            *file = self.need(&entry.name)?;
            let found = hash::sha256(file);
            if broken.is_none() && (found != entry.hash || file.len() as u64 != entry.bytes) {
                broken = Some((at, found));
            }
        }
        let Some((at, found)) = broken else { return Ok(files) };
        let entry = &manifest.files[at];
        let (is, says) = (
            format!("{} bytes, {found}", files[at].len()),
            format!("{} bytes, {}", entry.bytes, entry.hash),
        );
        if self.is_as_recomputed(&entry.name, &files)? {
            let field = format!("files[{at}]");
            return Err(self.differs(archive::MANIFEST, Some(at), &field, says, is));
        }
        Err(self.differs(&entry.name, None, "sha256", is, says))
    }

    /// Of a file whose hash is not the manifest's: names the row that differs, or says whether all of it is as it must be.
    fn is_as_recomputed(&self, name: &str, files: &[Vec<u8>; 6]) -> Result<bool, Stop> {
        let [reports, inputs, findings, memory, payouts, choices] = files;
        let inputs = self.inputs(inputs)?;
        if name == archive::INPUTS {
            return Ok(true);
        }
        let rows = self.reports(reports.clone(), &inputs)?;
        if name == archive::REPORTS {
            return Ok(archive::reports::write(&rows, &inputs.meters) == *reports);
        }
        let Ok(judged) = assess::judge(&inputs, &rows, 1) else {
            return Ok(false);
        };
        match (name, divide::divide(&inputs, &judged.findings)) {
            (archive::FINDINGS, _) => self.same_rows(name, findings, &judged.findings)?,
            (archive::MEMORY, _) => self.same(name, "memory", memory, &archive::memory_file(&judged.memory))?,
            (archive::PAYOUTS, Ok((leaves, _))) => self.same_rows(name, payouts, &leaves)?,
            (_, Ok((leaves, _))) => self.same_rows(name, choices, &self.choices(&leaves)?)?,
            (_, Err(_)) => return Ok(false),
        }
        Ok(true)
    }

    /// What the epoch is judged by is what the ledger says, and the memory the epoch before left.
    fn inputs(&self, bytes: &[u8]) -> Result<Inputs, Stop> {
        let file = archive::INPUTS;
        let inputs: Inputs = codec::decode_canonical(bytes).map_err(|error| self.unusable(file, error))?;
        let facts = self.chain.facts()?;
        let network = self.chain.network(self.network, self.epoch)?;
        let closed = self.chain.closed(self.network, self.epoch)?;
        let closed = closed.ok_or_else(|| {
            self.differs(
                file,
                None,
                "epoch",
                self.epoch.to_string(),
                "not closed by the ledger".to_owned(),
            )
        })?;
        self.expect(file, None, "chain", &inputs.chain, &facts.chain)?;
        self.expect(file, None, "network", &inputs.network, self.network)?;
        self.expect(file, None, "epoch", &inputs.epoch, &self.epoch)?;
        self.expect(file, None, "start", &inputs.start, &facts.clock.start(self.epoch))?;
        self.expect(file, None, "end", &inputs.end, &facts.clock.end(self.epoch))?;
        self.expect(file, None, "vertical", &inputs.vertical, &network.vertical)?;
        self.expect(file, None, "parameters", &inputs.parameters, &network.parameters)?;
        self.expect(file, None, "economics", &inputs.economics, &facts.economics)?;
        self.expect(file, None, "pool", &inputs.pool, &closed.fixed_pool())?;
        self.expect(file, None, "beacon", &inputs.beacon, &closed.beacon)?;
        self.same_list::<RosterMember>(file, "roster", &inputs.roster, &network.roster)?;
        let settled: Vec<_> = inputs.meters.iter().map(|order| order.settled).collect();
        self.same_list(
            file,
            "meters",
            &settled,
            &self.chain.settled_orders(self.network, self.epoch)?,
        )?;
        for (row, order) in inputs.meters.iter().enumerate() {
            let root = crate::meters::root(&order.entries);
            if !order.entries.is_empty() {
                self.expect(file, Some(row), "meters.entries", &root, &order.settled.meters)?;
            }
        }
        let remembered = self.remembered(network.first)?;
        let memory = Some(archive::memory_hash(&inputs.memory)).filter(|_| !inputs.memory.is_empty());
        self.expect(file, None, "memory", &memory, &remembered)?;
        Ok(inputs)
    }

    /// The hash of what the last result before this epoch remembers, as the ledger has it; `None`: nothing was settled before.
    fn remembered(&self, first: EpochNumber) -> Result<Option<Hash>, Stop> {
        let mut epoch = self.epoch;
        while epoch > first {
            epoch = EpochNumber(epoch.0 - 1);
            if let Some(roots) = self.chain.roots(self.network, epoch)? {
                return Ok(Some(roots.memory).filter(|memory| *memory != archive::memory_hash(&[])));
            }
        }
        Ok(None)
    }

    /// Every row is an envelope of a device, rightly signed, of this epoch, and says what its columns say. A device need not be a
    /// member: one that left after its report was taken is found to be none.
    fn reports(&self, bytes: Vec<u8>, inputs: &Inputs) -> Result<Vec<Sealed>, Stop> {
        let file = archive::REPORTS;
        let rows = archive::reports::read(bytes).map_err(|error| self.unusable(file, error))?;
        let clock = self.chain.facts()?.clock;
        let mut signed = Vec::with_capacity(rows.len());
        let mut left = Left::default();
        for (row, report) in rows.iter().enumerate() {
            let at = Some(row);
            let envelope = Envelope::parse(&report.envelope)
                .map_err(|error| self.differs(file, at, "envelope", error.to_string(), "an envelope".to_owned()))?;
            self.expect(file, at, "id", &report.id, &envelope.id())?;
            self.expect(file, at, "time", &report.time, &envelope.report.time)?;
            self.expect(file, at, "sequence", &report.sequence, &envelope.report.sequence)?;
            self.expect(file, at, "network", &envelope.report.network, self.network)?;
            self.expect(file, at, "epoch", &clock.epoch_of(report.time), &Some(self.epoch))?;
            let member = roster::find(&inputs.roster, report.device).map(|member| member.key);
            let key = match member.filter(|key| envelope.is_of(key)) {
                Some(key) => Some(key),
                None => left.key(self.chain, &envelope, report.device)?,
            };
            let key = key.ok_or_else(|| {
                self.differs(
                    file,
                    at,
                    "device",
                    report.device.to_string(),
                    format!("the number of {}", envelope.device),
                )
            })?;
            signed.push((key, envelope));
        }
        let batch: Vec<Signed<'_>> = signed
            .iter()
            .map(|(key, envelope)| Signed::plain(*key, envelope.signed_bytes(), envelope.signature))
            .collect();
        if let Some(row) = batch::verify(&batch).iter().position(|holds| !holds) {
            let archived = hex(&signed[row].1.signature.0);
            return Err(self.differs(file, Some(row), "signature", archived, "one that holds".to_owned()));
        }
        let unsorted = rows.windows(2).position(|pair| pair[0].id >= pair[1].id);
        match unsorted {
            Some(row) => Err(self.differs(
                file,
                Some(row + 1),
                "id",
                rows[row + 1].id.to_string(),
                "a larger id than the row before".to_owned(),
            )),
            None => Ok(rows),
        }
    }

    /// What the attested result leaves out, which is what the ledger's leaves out.
    fn without(&self) -> Result<Vec<u32>, Stop> {
        let bytes = self.need(archive::MANIFEST)?;
        let manifest: archive::Manifest =
            codec::decode_canonical(&bytes).map_err(|error| self.unusable(archive::MANIFEST, error))?;
        let without = manifest.attestation.result.without;
        if self.chain.settlement(self.network, self.epoch)?.is_some() {
            let settled = self.chain.without(self.network, self.epoch)?;
            self.expect(archive::MANIFEST, None, "result.without", &without, &settled)?;
        }
        Ok(without)
    }

    /// What was judged is all that was anchored and is not left out.
    fn all_anchored(&self, reports: &[Sealed], inputs: &Inputs, without: &[u32]) -> Result<(), Stop> {
        let (union, is_whole) = self.union(inputs, without)?;
        let file = archive::REPORTS;
        self.expect(file, None, "rows", &reports.len(), &union.rows.len())?;
        self.same_list(file, "rows", reports, &union.rows)?;
        if is_whole {
            self.same_list(archive::INPUTS, "meters", &inputs.meters, &union.meters)?;
        }
        Ok(())
    }

    /// What was anchored and is not left out: each file under its own hash and root, which this archive has beside the union, unless one
    /// verifier's reports are all of it. Whether nothing of it is missing that reports or meters could be in.
    fn union(&self, inputs: &Inputs, without: &[u32]) -> Result<(Union, bool), Stop> {
        let file = archive::REPORTS;
        let anchoring = self.chain.anchoring(self.network, self.epoch)?;
        let recomputed = anchoring.recomputed().unwrap_or_default();
        self.expect(LEDGER, None, "anchors", &anchoring.digest, &recomputed)?;
        let filled = anchoring.anchors.iter().filter(|anchor| anchor.count > 0).count();
        let settled = self.chain.settled_orders(self.network, self.epoch)?;
        let (mut files, mut is_whole) = (Vec::with_capacity(anchoring.anchors.len()), true);
        let empty = archive::reports::empty_hash();
        let wanted = (0u32..).zip(anchoring.anchors).filter(|(place, anchor)| {
            let is_left_out = without.contains(place);
            anchor.reports_hash != empty && !is_left_out
        });
        for (_, anchor) in wanted {
            match self.archive.sealed(&anchor.reports_hash)? {
                Some(bytes) => files.push((anchor, bytes)),
                None if filled == 1 && anchor.count > 0 => {
                    let reports = self.reports(self.need(file)?, inputs)?;
                    let (rows, root) = (reports.len() as u64, attest::archive_root(&reports));
                    self.expect(file, None, "rows", &rows, &anchor.count)?;
                    self.expect(file, None, "anchored root", &root, &anchor.root)?;
                    let archived = hash::sha256(&self.need(file)?);
                    self.expect(file, None, "anchored sha256", &archived, &anchor.reports_hash)?;
                }
                // Of a file without rows nothing is judged but meters, which the inputs have, under a root of the ledger's.
                None if anchor.count == 0 => is_whole &= settled.is_empty(),
                None => {
                    let name = archive::sealed_name(&anchor.reports_hash);
                    return Err(self.differs(&name, None, "file", "missing".to_owned(), "there".to_owned()));
                }
            }
        }
        let held = Held {
            chain: self.chain,
            network: *self.network,
            epoch: self.epoch,
            clock: self.chain.facts()?.clock,
            roster: &inputs.roster,
            settled: &settled,
            own: AccountId::default(),
        };
        Ok((union::of(&held, files)?, is_whole))
    }

    /// What a result rests on that leaves out these.
    fn basis(&self, without: Vec<u32>) -> Result<Basis, Stop> {
        let first = self.chain.network(self.network, self.epoch)?.first;
        Ok(Basis::of(self.chain, self.network, first, self.epoch, without)?)
    }

    /// The attested result is the recomputed one, and verifiers signed it.
    fn attestation(&self, result: &EpochResult) -> Result<archive::Manifest, Stop> {
        let file = archive::MANIFEST;
        let manifest = self.archive.manifest()?.ok_or_else(|| self.unusable(file, "is gone"))?;
        let attestation = &manifest.attestation;
        if let Some(difference) = first_difference(&attestation.result, result) {
            return Err(self.differs(
                file,
                None,
                &format!("result.{}", difference.field),
                difference.left,
                difference.right,
            ));
        }
        if attestation.signatures.is_empty() {
            return Err(self.differs(file, None, "signatures", "none".to_owned(), "at least one".to_owned()));
        }
        for (row, (verifier, signature)) in attestation.signatures.iter().enumerate() {
            let key = self.chain.verifier_key(verifier)?;
            if !key.is_some_and(|key| result.verify(&key, signature)) {
                return Err(self.not_signed(row, "signatures", verifier));
            }
        }
        Ok(manifest)
    }

    /// The attested exchange is the recomputed one, and those who signed the result signed it.
    fn exchange(&self, manifest: &archive::Manifest, exchange: Option<&Exchange>) -> Result<(), Stop> {
        let file = archive::MANIFEST;
        let archived = manifest.exchange.as_ref();
        self.expect(
            file,
            None,
            "exchange",
            &archived.map(|attested| &attested.exchange),
            &exchange,
        )?;
        let Some(attested) = archived else { return Ok(()) };
        let signers = &manifest.attestation.signatures;
        self.expect(
            file,
            None,
            "exchange.signatures",
            &attested.signatures.len(),
            &signers.len(),
        )?;
        let message = attested.exchange.signed_bytes();
        for (row, ((verifier, _), signature)) in signers.iter().zip(&attested.signatures).enumerate() {
            let key = self.chain.verifier_key(verifier)?;
            if !key.is_some_and(|key| key.verify(&message, signature)) {
                return Err(self.not_signed(row, "exchange.signatures", verifier));
            }
        }
        Ok(())
    }

    fn not_signed(&self, row: usize, field: &str, verifier: &AccountId) -> Stop {
        let holds = "a verifier whose signature holds".to_owned();
        self.differs(archive::MANIFEST, Some(row), field, verifier.to_string(), holds)
    }

    /// The ledger settled the result with its exchange, and paid it to the end.
    fn settlement(&self, result: &EpochResult, exchange: Option<&Exchange>) -> Result<(), Stop> {
        let closed = self.chain.closed(self.network, self.epoch)?;
        if closed.as_ref().is_some_and(Closed::is_expired) {
            return Ok(());
        }
        let settlement = self.chain.settlement(self.network, self.epoch)?;
        let Some(settlement) = settlement else {
            return Err(self.differs(LEDGER, None, "settlement", result.hash().to_string(), "none".to_owned()));
        };
        self.expect(LEDGER, None, "result", &result.hash(), &settlement.result)?;
        self.expect(LEDGER, None, "exchanged", &exchange.is_some(), &settlement.exchanged)?;
        let book = self.chain.exchange(self.network, self.epoch)?;
        let ours = exchange.map(|exchange| (exchange.offers, exchange.choices));
        let theirs = book.map(|book| (book.offers, book.choices));
        self.expect(LEDGER, None, "exchange", &ours, &theirs)?;
        let waits = closed.is_some_and(|closed| closed.pool.state == PoolState::Settled);
        let expected = if waits { 0 } else { result.leaves };
        self.expect(LEDGER, None, "cursor", &settlement.cursor, &expected)
    }

    fn need(&self, file: &str) -> Result<Vec<u8>, Stop> {
        match self.archive.get(file)? {
            Some(bytes) => Ok(bytes),
            None => Err(self.differs(file, None, "file", "missing".to_owned(), "there".to_owned())),
        }
    }

    fn unusable(&self, file: &str, error: impl fmt::Display) -> Stop {
        self.differs(
            file,
            None,
            "bytes",
            error.to_string(),
            "a file of the archive".to_owned(),
        )
    }

    fn differs(&self, file: &str, row: Option<usize>, field: &str, archived: String, recomputed: String) -> Stop {
        Stop::Differs(Box::new(Difference {
            file: file.to_owned(),
            row,
            field: field.to_owned(),
            archived,
            recomputed,
        }))
    }

    fn expect<T: PartialEq + fmt::Debug>(
        &self,
        file: &str,
        row: Option<usize>,
        field: &str,
        archived: &T,
        recomputed: &T,
    ) -> Result<(), Stop> {
        if archived == recomputed {
            return Ok(());
        }
        let inner = first_difference(archived, recomputed);
        let (field, left, right) = match inner {
            Some(inner) if !inner.field.is_empty() => (format!("{field}.{}", inner.field), inner.left, inner.right),
            Some(inner) => (field.to_owned(), inner.left, inner.right),
            None => (field.to_owned(), format!("{archived:?}"), format!("{recomputed:?}")),
        };
        Err(self.differs(file, row, &field, left, right))
    }

    fn same_list<T: PartialEq + fmt::Debug>(
        &self,
        file: &str,
        field: &str,
        archived: &[T],
        recomputed: &[T],
    ) -> Result<(), Stop> {
        for (row, (left, right)) in archived.iter().zip(recomputed).enumerate() {
            self.expect(file, Some(row), field, left, right)?;
        }
        self.expect(file, None, &format!("{field} rows"), &archived.len(), &recomputed.len())
    }

    /// A file that is a list of rows, against the rows it must hold.
    fn same_rows<T>(&self, file: &str, archived: &[u8], recomputed: &[T]) -> Result<(), Stop>
    where
        T: PartialEq + fmt::Debug + minicbor::Encode<()> + for<'b> minicbor::Decode<'b, ()>,
    {
        let rows: Vec<T> = codec::decode_canonical(archived).map_err(|error| self.unusable(file, error))?;
        for (row, (left, right)) in rows.iter().zip(recomputed).enumerate() {
            if let Some(found) = first_difference(left, right) {
                return Err(self.differs(file, Some(row), &found.field, found.left, found.right));
            }
        }
        self.expect(file, None, "rows", &rows.len(), &recomputed.len())
    }

    fn same(&self, file: &str, field: &str, archived: &[u8], recomputed: &[u8]) -> Result<(), Stop> {
        if archived == recomputed {
            return Ok(());
        }
        let at = archived.iter().zip(recomputed).position(|(left, right)| left != right);
        let at = at.unwrap_or(archived.len().min(recomputed.len()));
        let byte = |bytes: &[u8]| {
            bytes
                .get(at)
                .map_or("the end".to_owned(), |byte| format!("{byte:#04x} at byte {at}"))
        };
        Err(self.differs(file, None, field, byte(archived), byte(recomputed)))
    }
}

/// Devices outside the roster, as the ledger knows them.
#[derive(Default)]
struct Left(BTreeMap<DeviceId, Option<DeviceAt>>);

impl Left {
    /// The key of an envelope's device, if its number is this one.
    fn key(
        &mut self,
        chain: &dyn ChainView,
        envelope: &Envelope,
        number: DeviceNumber,
    ) -> Result<Option<PublicKey>, ChainError> {
        let device = match self.0.get(&envelope.device) {
            Some(known) => *known,
            None => *self.0.entry(envelope.device).or_insert(chain.device(&envelope.device)?),
        };
        let device = device.filter(|device| device.number == number && envelope.is_of(&device.key));
        Ok(device.map(|device| device.key))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(row) = self.row {
            write!(f, ", row {row}")?;
        }
        write!(
            f,
            ", {}: archived {}, recomputed {}",
            self.field, self.archived, self.recomputed
        )
    }
}
