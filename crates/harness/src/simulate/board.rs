//! What verifiers tell each other: the files of reports they anchored, and their signatures over results. A partition keeps what is
//! said on its own side. It believes nobody: a file counts when it hashes to its anchor, a signature when the ledger knows its key.

use super::scene::{Party, Scene};
use crate::line::Line;
use cairn_ledger::Body;
use cairn_ledger::tx::Signed;
use cairn_ledger::tx::settle_epoch::{Exchange, ExchangeAttestation, SettleEpoch};
use cairn_types::{AccountId, Attestation, EpochNumber, EpochResult, Hash, NetworkId, ReportId, Signature, TimeMs};
use cairn_verifier::attest;
use cairn_verifier::chain::{Anchoring, ChainError, ChainView};
use cairn_verifier::collector::{CollectError, Collector, Sealed};
use cairn_verifier::epochs::Collect;
use cairn_verifier::meters::MeterEntry;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// A verifier's word: its signatures over a result and the exchange beside it.
type Word = (Signature, Option<Signature>);

/// What each verifier has at stake for a quorum, as the ledger says.
pub type Bonds = BTreeMap<AccountId, u64>;

/// A result that somebody signed.
#[derive(Clone)]
struct Claim {
    result: EpochResult,
    exchange: Option<Exchange>,
    words: BTreeMap<AccountId, Word>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<(EpochNumber, AccountId), Vec<Sealed>>,
    claims: BTreeMap<(EpochNumber, Hash), Claim>,
    /// Places of those that collect, by account.
    places: BTreeMap<AccountId, usize>,
    /// Those whose bit is set hear only each other.
    side: u8,
}

/// The board. Clones are the same one.
#[derive(Clone, Default)]
pub struct Board(Arc<Mutex<State>>);

impl Board {
    pub fn of(scene: &Scene) -> Self {
        let houses = scene.houses().enumerate();
        let state = State {
            places: houses.map(|(place, party)| (party.who.account, place)).collect(),
            ..State::default()
        };
        Self(Arc::new(Mutex::new(state)))
    }

    pub fn part(&self, side: u8) {
        self.state().side = side;
    }

    pub fn publish(&self, epoch: EpochNumber, by: AccountId, file: Vec<Sealed>) {
        self.state().files.insert((epoch, by), file);
    }

    /// The file of reports that has an anchor's root; whoever looks is told nothing of the other side.
    pub fn file(&self, epoch: EpochNumber, by: &AccountId, reader: Option<usize>) -> Option<Vec<Sealed>> {
        let state = self.state();
        let heard = reader.is_none_or(|reader| state.hears(reader, by));
        state.files.get(&(epoch, *by)).filter(|_| heard).cloned()
    }

    /// Some file of another verifier, for whoever copies.
    pub fn any_file(&self, epoch: EpochNumber, not: &AccountId) -> Option<Vec<Sealed>> {
        let state = self.state();
        let mut others = state.files.iter().filter(|((of, by), _)| *of == epoch && by != not);
        others.next().map(|(_, file)| file.clone())
    }

    /// A verifier says what an epoch came to.
    pub fn say(&self, by: AccountId, result: &EpochResult, exchange: Option<Exchange>, word: Word) {
        let claim = || Claim {
            result: result.clone(),
            exchange,
            words: BTreeMap::new(),
        };
        let mut state = self.state();
        let known = state.claims.entry((result.epoch, result.hash())).or_insert_with(claim);
        known.words.insert(by, word);
    }

    /// The signatures a verifier hears for a result of those who have a bond, and whether they are a quorum.
    fn joined(&self, reader: usize, epoch: EpochNumber, result: Hash, bonds: &Bonds) -> Option<(SettleEpoch, bool)> {
        let state = self.state();
        let claim = state.claims.get(&(epoch, result))?;
        let bonded = |by: &AccountId| bonds.get(by).is_some_and(|bond| *bond > 0);
        let heard = claim
            .words
            .iter()
            .filter(|(by, _)| state.hears(reader, by) && bonded(by));
        let words: Vec<(AccountId, Word)> = heard.map(|(by, word)| (*by, *word)).collect();
        let bond: u64 = words.iter().filter_map(|(by, _)| bonds.get(by)).sum();
        let whole: u64 = bonds.values().sum();
        let exchange = claim.exchange.map(|exchange| ExchangeAttestation {
            exchange,
            signatures: words.iter().filter_map(|(_, (_, over))| *over).collect(),
        });
        let attestation = Attestation {
            result: claim.result.clone(),
            signatures: words.iter().map(|(by, (word, _))| (*by, *word)).collect(),
        };
        Some((SettleEpoch { attestation, exchange }, 3 * bond > 2 * whole))
    }

    /// Verifiers who signed two results of one epoch that build on the same one: both, with their signatures.
    pub fn two_faced(&self) -> Vec<(AccountId, [(EpochResult, Signature); 2])> {
        let state = self.state();
        let mut said: BTreeMap<(EpochNumber, Hash, AccountId), (EpochResult, Signature)> = BTreeMap::new();
        let mut found = Vec::new();
        for claim in state.claims.values() {
            for (by, (word, _)) in &claim.words {
                let at = (claim.result.epoch, claim.result.previous, *by);
                let ours = (claim.result.clone(), *word);
                if let Some(other) = said.insert(at, ours.clone()) {
                    found.push((*by, [other, ours]));
                }
            }
        }
        found
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder of the lock panics")
    }
}

impl State {
    fn hears(&self, reader: usize, by: &AccountId) -> bool {
        let bit = |place: usize| self.side >> place & 1;
        let place = self.places.get(by);
        place.is_none_or(|place| *place == reader || bit(*place) == bit(reader))
    }
}

/// Tells the others what one verifier's settlement says, and settles when enough of them said the same.
pub fn settle(
    board: &Board,
    reader: usize,
    party: &Party,
    signed: &Signed,
    bonds: &Bonds,
    tell: impl Fn(&Signed) -> Result<(), ChainError>,
) -> Result<(), ChainError> {
    let Body::SettleEpoch(settle) = &signed.transaction.body else {
        return tell(signed);
    };
    let result = &settle.attestation.result;
    let word = settle.attestation.signatures.iter().map(|(_, word)| *word).next();
    let over = settle
        .exchange
        .as_ref()
        .and_then(|exchange| exchange.signatures.first());
    if let Some(word) = word {
        let exchange = settle.exchange.as_ref().map(|attested| attested.exchange);
        board.say(party.who.account, result, exchange, (word, over.copied()));
    }
    let joined = board.joined(reader, result.epoch, result.hash(), bonds);
    let Some((joined, true)) = joined else {
        return Err(ChainError::Unreachable(
            "it waits for the others' signatures".to_owned(),
        ));
    };
    let mut transaction = signed.transaction.clone();
    transaction.body = Body::SettleEpoch(joined);
    tell(&transaction.sign_by(&party.who.rule, &party.who.keys))
}

/// What a liar does to its own file before it anchors it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doctored {
    No,
    /// Leaves out some reports for which it gave receipts.
    Omits,
    /// Adds another verifier's reports as its own.
    Copies,
    /// Anchors nothing.
    Silent,
}

/// A verifier's collector, and the others' files for what is judged.
pub struct Gather<'a> {
    pub place: usize,
    pub account: AccountId,
    pub collector: &'a mut Collector,
    pub board: &'a Board,
    pub line: &'a Line,
    pub doctored: &'a dyn Fn(EpochNumber) -> Doctored,
}

impl Collect for Gather<'_> {
    fn seal(&mut self, now: TimeMs, network: &NetworkId, epoch: EpochNumber) -> Result<bool, CollectError> {
        self.collector.seal(now, network, epoch)
    }

    fn sealed(&mut self, id: &NetworkId, epoch: EpochNumber) -> Result<Vec<Sealed>, CollectError> {
        let away = |_| CollectError::Stopped;
        let anchoring = self.line.anchoring(id, epoch).map_err(away)?;
        if anchoring.has_ended {
            return union(self.board, &anchoring, epoch, Some(self.place)).ok_or(CollectError::Stopped);
        }
        // What was published once may be anchored already, heard of or not.
        if let Some(published) = self.board.file(epoch, &self.account, None) {
            return Ok(published);
        }
        let mut own = self.collector.sealed(id, epoch)?;
        match (self.doctored)(epoch) {
            Doctored::No => {}
            Doctored::Omits => own.retain(|report| report.id.0[0] % 3 > 0),
            Doctored::Copies => {
                let theirs = self.board.any_file(epoch, &self.account);
                own = merged([own, theirs.unwrap_or_default()]);
            }
            Doctored::Silent => return Err(CollectError::Stopped),
        }
        self.board.publish(epoch, self.account, own.clone());
        Ok(own)
    }

    fn meters_of(
        &mut self,
        network: &NetworkId,
        settled: &[cairn_verifier::chain::SettledOrder],
    ) -> Result<Vec<Vec<MeterEntry>>, CollectError> {
        self.collector.meters_of(network, settled)
    }

    fn forget(&mut self, network: &NetworkId, epoch: EpochNumber) -> Result<(), CollectError> {
        self.collector.forget(network, epoch)
    }
}

/// All reports that were anchored, once each; `None` when a file is not at hand or not what was anchored.
pub fn union(board: &Board, anchoring: &Anchoring, epoch: EpochNumber, reader: Option<usize>) -> Option<Vec<Sealed>> {
    let mut files = Vec::new();
    for anchor in anchoring.anchors.iter().filter(|anchor| anchor.count > 0) {
        let file = board.file(epoch, &anchor.verifier, reader)?;
        if attest::archive_root(&file) != anchor.root {
            return None;
        }
        files.push(file);
    }
    Some(merged(files))
}

/// Reports of several files by id; of two records of one the earlier counts.
fn merged(files: impl IntoIterator<Item = Vec<Sealed>>) -> Vec<Sealed> {
    let mut all: BTreeMap<ReportId, Sealed> = BTreeMap::new();
    for report in files.into_iter().flatten() {
        let known = all.entry(report.id).or_insert_with(|| report.clone());
        if report.received < known.received {
            *known = report;
        }
    }
    all.into_values().collect()
}
