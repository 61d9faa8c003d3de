//! Those who hold the others to their word: a watcher that shows the ledger two signed results, broken receipts and contradicting
//! devices, and disputes what is wrong; validators who recompute a disputed epoch and vote, one of them for what is wrong. They read
//! the ledger and what was published or shown to them, nothing else, and hand to verifiers what they judge by.

use super::auditor::{self, Audited};
use super::board::Board;
use super::dice::Dice;
use super::ground::Ground;
use super::lies::transaction;
use super::notes::Notes;
use super::plants::Plant;
use super::scene::{Scene, network, validators, watcher};
use super::watch::Watch;
use cairn_ledger::records::{Dispute, DisputeState};
use cairn_ledger::tx::bar_device::BarDevice;
use cairn_ledger::tx::claim_hash;
use cairn_ledger::tx::open_dispute::OpenDispute;
use cairn_ledger::tx::slash_receipt::{Evidence, SlashReceipt};
use cairn_ledger::tx::slash_verifier::SlashVerifier;
use cairn_ledger::tx::vote_dispute::VoteDispute;
use cairn_ledger::{Body, view};
use cairn_types::{AccountId, EpochNumber, EpochResult, Hash, Receipt, merkle};
use cairn_verifier::chain::{ChainError, ChainView};
use cairn_verifier::handed;
use cairn_verifier::submit::Submitter;
use std::collections::BTreeSet;

/// A wrong result is disputed after so many steps at the latest.
const PATIENCE_STEPS: u64 = 3;

/// The watcher and the validators.
pub struct Court {
    dice: Dice,
    /// What is not tried again.
    shown: BTreeSet<(AccountId, EpochNumber)>,
    voted: BTreeSet<(usize, EpochNumber)>,
    waited: u64,
    is_barred: bool,
    plant: Option<Plant>,
}

/// What the court looks at.
pub struct Case<'a> {
    pub scene: &'a Scene,
    pub ground: &'a Ground,
    pub board: &'a Board,
    pub notes: &'a Notes,
    pub watch: &'a Watch,
    /// Inflated results of the liar.
    pub lied: &'a [(EpochNumber, EpochResult)],
    /// Two reports of the device with two faces, once both were sent.
    pub faces: Option<[Vec<u8>; 2]>,
    /// Which of those that collect live, by place.
    pub alive: &'a [bool],
}

impl Court {
    pub fn of(scene: &Scene, plant: Option<Plant>) -> Self {
        Self {
            dice: Dice::of(scene.seed, "court"),
            shown: BTreeSet::new(),
            voted: BTreeSet::new(),
            waited: 0,
            is_barred: false,
            plant,
        }
    }

    /// One step of all of them; what they did.
    pub fn sit(&mut self, case: &Case<'_>) -> Vec<String> {
        let mut story = Vec::new();
        self.show_two_results(case, &mut story);
        self.show_receipts(case, &mut story);
        self.bar(case, &mut story);
        self.raise(case, &mut story);
        self.settle(case, &mut story);
        self.dispute(case, &mut story);
        self.vote(case, &mut story);
        self.hand_on_decided(case);
        story
    }

    fn show_two_results(&mut self, case: &Case<'_>, story: &mut Vec<String>) {
        let bonds = case.ground.bonds();
        for (verifier, [first, second]) in case.board.two_faced() {
            if bonds.get(&verifier).is_none_or(|bond| *bond == 0) {
                continue;
            }
            let slash = SlashVerifier {
                verifier,
                first: first.0,
                first_signature: first.1,
                second: second.0,
                second_signature: Some(second.1),
            };
            let told = tell(case, &watcher(), Body::SlashVerifier(slash));
            story.push(format!(
                "verifier {verifier} is shown to have signed two results: {told:?}"
            ));
        }
    }

    /// For each verifier and epoch one broken receipt, as soon as nobody anchors any more.
    fn show_receipts(&mut self, case: &Case<'_>, story: &mut Vec<String>) {
        let parties: Vec<_> = case.scene.houses().cloned().collect();
        for epoch in (0..case.scene.hours).map(EpochNumber) {
            let anchoring = case.ground.chain.anchoring(&network(), epoch);
            let Some(anchoring) = anchoring.ok().filter(|anchoring| anchoring.has_ended) else {
                continue;
            };
            for (place, party) in parties.iter().enumerate() {
                let verifier = party.who.account;
                if self.shown.contains(&(verifier, epoch)) {
                    continue;
                }
                let of_epoch = case.notes.told.values().filter(|told| told.epoch == epoch);
                let receipts = of_epoch.filter_map(|told| told.receipts.get(&place));
                let file = case.board.file(epoch, &verifier).unwrap_or_default();
                let ids: Vec<Hash> = file.iter().map(|report| Hash(report.id.0)).collect();
                let is_anchored = anchoring.of(&verifier).is_some();
                // What was not judged is final once it is paid.
                let is_final = case.watch.completed.contains_key(&epoch);
                let judged = case.watch.audited.get(&epoch).filter(|_| is_final);
                let judged: Option<Vec<Hash>> =
                    judged.map(|audited| audited.reports.iter().map(|report| Hash(report.id.0)).collect());
                let shows = |receipt: &Receipt| {
                    let report = Hash(receipt.report.0);
                    let not_judged = || absence(judged.as_ref()?, &report).map(Evidence::NotJudged);
                    match is_anchored {
                        false => Some(Evidence::NoAnchor),
                        true => absence(&ids, &report).map(Evidence::NotAnchored).or_else(not_judged),
                    }
                };
                let Some((receipt, evidence)) = receipts.filter_map(|receipt| Some((receipt, shows(receipt)?))).next()
                else {
                    if is_final {
                        self.shown.insert((verifier, epoch));
                    }
                    continue;
                };
                let slash = SlashReceipt {
                    receipt: receipt.clone(),
                    evidence,
                };
                let told = tell(case, &watcher(), Body::SlashReceipt(slash));
                if !is_away(&told) {
                    self.shown.insert((verifier, epoch));
                }
                story.push(format!(
                    "verifier {place} is shown to have broken a receipt of epoch {epoch}: {told:?}"
                ));
            }
        }
    }

    fn bar(&mut self, case: &Case<'_>, story: &mut Vec<String>) {
        if let Some([first, second]) = case.faces.clone().filter(|_| !self.is_barred) {
            let told = tell(case, &watcher(), Body::BarDevice(BarDevice { first, second }));
            self.is_barred = !is_away(&told);
            story.push(format!("a device is shown to have signed two reports: {told:?}"));
        }
    }

    fn dispute(&mut self, case: &Case<'_>, story: &mut Vec<String>) {
        for epoch in case.watch.wrong() {
            let Some(audited) = case.watch.audited.get(&epoch) else {
                continue;
            };
            let known = case.ground.chain.read(|store| view::dispute(store, &network(), epoch));
            if known.expect("memory has every record").is_some() {
                continue;
            }
            self.waited += 1;
            if self.waited < PATIENCE_STEPS && self.dice.one_in(2) {
                continue;
            }
            self.waited = 0;
            let claimed = audited.result.clone();
            let told = tell(
                case,
                &watcher(),
                Body::OpenDispute(OpenDispute {
                    claimed,
                    exchange: None,
                }),
            );
            story.push(format!("epoch {epoch} is disputed: {told:?}"));
            // Nothing later can be looked at before this is decided.
            return;
        }
        self.complete(case, story);
        // Whoever lost may dispute what is right: it costs its bond.
        if let Some(liar) = case.scene.liar().filter(|_| self.dice.one_in(8)) {
            for (epoch, result) in case.lied {
                let dispute = OpenDispute {
                    claimed: result.clone(),
                    exchange: None,
                };
                let told = tell(case, &liar.who, Body::OpenDispute(dispute));
                if told.is_ok() {
                    story.push(format!("the liar disputes epoch {epoch}"));
                }
            }
        }
    }

    /// What verifiers did not settle in time is put before the validators.
    fn raise(&mut self, case: &Case<'_>, story: &mut Vec<String>) {
        let chain = &case.ground.chain;
        let due = chain.read(|store| view::network(store, &network()));
        let Some(due) = due.expect("memory has every record").map(|network| network.unsettled) else {
            return;
        };
        let is_stalled = chain.is_stalled(&network(), due).unwrap_or(false);
        let known = chain.read(|store| view::dispute(store, &network(), due));
        if !is_stalled || known.expect("memory has every record").is_some() || self.dice.one_in(2) {
            return;
        }
        let Some(claimed) = comes_to(case, due) else { return };
        let dispute = OpenDispute {
            claimed,
            exchange: None,
        };
        let told = tell(case, &watcher(), Body::OpenDispute(dispute));
        story.push(format!("epoch {due} is put before the validators: {told:?}"));
    }

    /// Validators say what an epoch comes to that is not settled.
    fn settle(&mut self, case: &Case<'_>, story: &mut Vec<String>) {
        let chain = &case.ground.chain;
        for epoch in (0..case.scene.hours + 1).map(EpochNumber) {
            let (known, settled) = chain.read(|store| {
                let known = view::dispute(store, &network(), epoch).expect("memory has every record");
                (
                    known,
                    view::settlement(store, &network(), epoch).expect("memory has every record"),
                )
            });
            let is_open = known.is_some_and(|known| known.state == DisputeState::Open);
            if !is_open || settled.is_some() {
                continue;
            }
            let Some(result) = comes_to(case, epoch) else { continue };
            self.hand_on(case, epoch, &result.without);
            for (place, validator) in validators().into_iter().enumerate() {
                if self.voted.contains(&(place, epoch)) || self.dice.one_in(2) {
                    continue;
                }
                let vote = VoteDispute {
                    blame: false,
                    exchange: None,
                    result: result.clone(),
                };
                let told = tell(case, &validator, Body::VoteDispute(vote));
                if told.is_ok() {
                    self.voted.insert((place, epoch));
                }
                story.push(format!("validator {place} says what epoch {epoch} comes to: {told:?}"));
            }
        }
    }

    /// A result that left out what was withheld is replaced by a fuller one, once somebody has the file.
    fn complete(&mut self, case: &Case<'_>, story: &mut Vec<String>) {
        for (epoch, audited) in &case.watch.audited {
            let known = case.ground.chain.read(|store| view::dispute(store, &network(), *epoch));
            let is_known = known.expect("memory has every record").is_some();
            if is_known || case.watch.completed.contains_key(epoch) {
                continue;
            }
            if let Some(claimed) = fuller(case, audited)
                && self.dice.one_in(2)
            {
                let dispute = OpenDispute {
                    claimed,
                    exchange: None,
                };
                let told = tell(case, &watcher(), Body::OpenDispute(dispute));
                story.push(format!("epoch {epoch} is disputed for what it leaves out: {told:?}"));
            }
        }
    }

    fn vote(&mut self, case: &Case<'_>, story: &mut Vec<String>) {
        for (epoch, audited) in &case.watch.audited {
            let dispute = case.ground.chain.read(|store| view::dispute(store, &network(), *epoch));
            let dispute = dispute.expect("memory has every record");
            let Some(dispute) = dispute.filter(|dispute| dispute.state == DisputeState::Open) else {
                continue;
            };
            let fuller = fuller(case, audited).filter(|full| claim_hash(&full.hash(), None) == dispute.claim);
            let judged = fuller.as_ref().unwrap_or(&audited.result);
            let is_spread = self.hand_on(case, *epoch, &judged.without);
            for (place, validator) in validators().into_iter().enumerate() {
                if self.voted.contains(&(place, *epoch)) || self.dice.one_in(2) {
                    continue;
                }
                // The last one is on the liar's side, whenever there is one.
                let lie = case.lied.iter().find(|(of, _)| of == epoch).filter(|_| place == 3);
                let result = lie.map_or(&audited.result, |(_, lie)| lie).clone();
                let settled = case.watch.settled(*epoch);
                let is_right = settled == Some(result.hash());
                let completes = fuller.as_ref().filter(|_| is_right);
                if completes.is_some() && !is_spread {
                    continue;
                }
                let result = completes.cloned().unwrap_or(result);
                let vote = VoteDispute {
                    blame: !is_right,
                    exchange: None,
                    result,
                };
                let told = tell(case, &validator, Body::VoteDispute(vote));
                if told.is_ok() {
                    self.voted.insert((place, *epoch));
                }
                story.push(format!("validator {place} votes on epoch {epoch}: {told:?}"));
            }
        }
    }
}

impl Court {
    /// Hands on what a result is by that leaves out these places; whether it is with so many that all can follow.
    fn hand_on(&self, case: &Case<'_>, epoch: EpochNumber, without: &[u32]) -> bool {
        if self.plant == Some(Plant::NoHandOver) {
            return true;
        }
        let files = handed::files(&case.ground.chain, &network(), epoch, without);
        let held = case.board.hand_on(&files.unwrap_or_default(), case.ground, case.alive);
        case.board.are_spread(&held, case.ground)
    }

    /// Until the money moves, who was away when it was decided gets what it was decided by.
    fn hand_on_decided(&self, case: &Case<'_>) {
        for (epoch, audited) in &case.watch.audited {
            let dispute = case.ground.chain.read(|store| view::dispute(store, &network(), *epoch));
            let dispute = dispute.expect("memory has every record");
            let is_replaced = |dispute: &Dispute| {
                use DisputeState::{Completed, Settled, Upheld};
                matches!(dispute.state, Upheld | Completed | Settled)
            };
            if dispute.as_ref().is_some_and(is_replaced) && !case.watch.completed.contains_key(epoch) {
                self.hand_on(case, *epoch, &audited.result.without);
            }
        }
    }
}

/// What a settled epoch comes to over all files, if it leaves out what can be had by now, though perhaps by validators alone.
fn fuller(case: &Case<'_>, audited: &Audited) -> Option<EpochResult> {
    let without = &audited.result.without;
    let left_out = without
        .iter()
        .filter_map(|place| audited.anchoring.anchors.get(*place as usize));
    let is_out = !without.is_empty() && case.board.can_be_had(audited.epoch, &left_out.collect::<Vec<_>>());
    let compute = || {
        let memory = &audited.inputs.memory;
        auditor::compute_over(&case.ground.chain, case.board, audited.epoch, memory, Vec::new())
    };
    is_out.then(compute)?.ok().map(|full| full.result)
}

/// What an epoch comes to that is not settled, by all files that can be had.
fn comes_to(case: &Case<'_>, epoch: EpochNumber) -> Option<EpochResult> {
    let anchoring = case.ground.chain.anchoring(&network(), epoch).ok()?;
    let missing = (0u32..)
        .zip(&anchoring.anchors)
        .filter(|(_, anchor)| anchor.count > 0 && !case.board.can_be_had(epoch, &[*anchor]));
    let without = missing.map(|(place, _)| place).collect();
    let before = case.watch.audited.range(..epoch).next_back().map(|(_, before)| before);
    let memory = before.map(|before| before.memory.clone()).unwrap_or_default();
    let found = auditor::compute_over(&case.ground.chain, case.board, epoch, &memory, without);
    Some(found.ok()?.result)
}

/// Tells the ledger; what came of it.
fn tell(case: &Case<'_>, who: &Submitter, body: Body) -> Result<(), ChainError> {
    let signed = transaction(&case.ground.chain, who, body);
    let signed = signed.ok_or_else(|| ChainError::Unreachable("nobody knows the account".to_owned()))?;
    case.ground.tell(&signed)
}

/// Whether it is to be tried again: nobody heard.
fn is_away(told: &Result<(), ChainError>) -> bool {
    matches!(told, Err(ChainError::Unreachable(_)))
}

/// That a report is not among the sorted ids of a tree.
fn absence(ids: &[Hash], report: &Hash) -> Option<merkle::AbsenceProof> {
    let tree = merkle::Tree::new(ids.iter().map(|id| merkle::leaf(&id.0)).collect());
    merkle::AbsenceProof::make(&tree, ids, report)
}
