//! What must hold of a town whatever goes wrong, by name: looked at after every step, and once more when all is over. It sees every
//! wire and every record, believes nobody, and changes nothing.

use super::auditor::{self, Audited};
use super::board::Board;
pub use super::consensus::{FINAL, RESUMES, ROOTS, SHUT_OUT};
pub use super::customers::{CREDITS, ORDERS, VOUCHERS};
use super::ground::Ground;
use super::lies::Lies;
use super::notes::{Notes, Told};
use super::scene::{Part, STALL_MS, Scene, network};
use super::speakers::Speakers;
use crate::people::operator;
use crate::properties::Broken;
use crate::{CLOCK, HOUR_MS, STEP_MS, WINDOWS};
use cairn_ledger::{Event, view};
use cairn_types::attestation::Totals;
use cairn_types::{
    AccountId, AccountNumber, DeviceId, EpochNumber, Finding, Hash, PayoutLeaf, Reason, ReportId, TimeMs, Token,
};
use cairn_verifier::collector::Sealed;
use cairn_verifier::roster;
use cairn_verticals::kit::reasons::{BARRED, EQUIVOCATED};
use cairn_verticals::sensors::judge::reasons::FAULTY_ZERO;
use std::collections::{BTreeMap, BTreeSet};

/// Of one property so many sentences are kept.
const BROKEN_MAX: usize = 3;
/// After nothing goes wrong any more, everything is paid within so many hours of its end.
pub const PAID_WITHIN_HOURS: u64 = 5;
/// A file that is withheld is sought for as long as anchoring may last before it is left out; so much longer may it take then.
pub const SOUGHT_HOURS: u64 = 5;

pub const ONE_HISTORY: &str = "one history";
pub const SUPPLY: &str = "supply is conserved";
pub const RECEIPTS: &str = "every receipt is honoured or slashed";
pub const ONCE: &str = "nothing is rewarded twice";
pub const PAID: &str = "honest devices are paid";
pub const IN_TIME: &str = "everything is paid in time after the faults";
pub const RIGHT: &str = "what is paid is what an auditor computes";
pub const QUORUM: &str = "a quorum is one of bond";
pub const TWO_FACED: &str = "who signs two things is caught";
pub const TAKEN: &str = "honest reports in time are taken";

pub const REVERSED: &str = "every wrong result is disputed and reversed";
pub const HONEST: &str = "who is honest keeps its bond";
pub const NO_PANIC: &str = "nobody panics";

/// Every property by name.
pub const PROPERTIES: [&str; 20] = [
    CREDITS,
    ORDERS,
    VOUCHERS,
    FINAL,
    RESUMES,
    ROOTS,
    SHUT_OUT,
    REVERSED,
    HONEST,
    NO_PANIC,
    ONE_HISTORY,
    SUPPLY,
    RECEIPTS,
    ONCE,
    PAID,
    IN_TIME,
    RIGHT,
    QUORUM,
    TWO_FACED,
    TAKEN,
];

/// Who looks.
#[derive(Default)]
pub struct Watch {
    /// So many of the ledger's events were looked at.
    seen: usize,
    numbers: BTreeMap<AccountId, AccountNumber>,
    settled: BTreeMap<EpochNumber, Hash>,
    leaves: BTreeMap<EpochNumber, u32>,
    pub audited: BTreeMap<EpochNumber, Audited>,
    paid: BTreeMap<EpochNumber, (u32, Totals)>,
    pub completed: BTreeMap<EpochNumber, TimeMs>,
    /// Epochs that validators settled in the verifiers' stead.
    pub decided_in_their_stead: BTreeSet<EpochNumber>,
    /// Epochs that were settled as something else than they are, and those of them that were put right.
    wrong: BTreeSet<EpochNumber>,
    reversed: BTreeSet<EpochNumber>,
    /// Verifiers that lost all they had, those that lost anything, and the receipts they paid for, by epoch.
    slashed: BTreeSet<AccountId>,
    fined: BTreeSet<AccountId>,
    paid_for: BTreeSet<(AccountId, EpochNumber)>,
    pub broken: Vec<Broken>,
}

impl Watch {
    /// The first few of a kind say enough.
    fn say(&mut self, property: &'static str, what: String) {
        let broken = Broken { property, what };
        let of_kind = self.broken.iter().filter(|known| known.property == property);
        if of_kind.count() < BROKEN_MAX && !self.broken.contains(&broken) {
            self.broken.push(broken);
        }
    }

    /// After a step.
    pub fn look(&mut self, now: TimeMs, ground: &Ground, board: &Board) {
        let events = ground.events();
        for event in &events[self.seen..] {
            self.event(now, event, ground, board);
        }
        self.seen = events.len();
        for violation in ground.violations() {
            self.say(SUPPLY, violation);
        }
        for what in ground.minorities() {
            self.say(QUORUM, what);
        }
    }

    fn event(&mut self, now: TimeMs, event: &Event, ground: &Ground, board: &Board) {
        match event {
            Event::AccountOpened { account, number } => drop(self.numbers.insert(*account, *number)),
            Event::EpochSettled {
                epoch, result, leaves, ..
            } => {
                self.leaves.insert(*epoch, *leaves);
                if self.settled.insert(*epoch, *result).is_some() {
                    self.say(ONCE, format!("epoch {epoch} was settled twice"));
                }
                self.audit(*epoch, ground, board);
            }
            Event::EpochExpired { epoch, .. } => self.say(IN_TIME, format!("epoch {epoch} expired")),
            Event::LeavesPaid {
                epoch,
                start,
                end,
                sums,
                ..
            } => {
                let (cursor, sum) = self.paid.entry(*epoch).or_default();
                let (before, after) = (*cursor, *end);
                (*cursor, *sum) = (*end, *sums);
                if *start != before || after < *start {
                    self.say(
                        ONCE,
                        format!("epoch {epoch}: leaves {start} to {end} were paid at {before}"),
                    );
                }
                if !self.is_right(*epoch) {
                    self.say(RIGHT, format!("epoch {epoch}: leaves of a wrong result were paid"));
                }
            }
            Event::PayoutsCompleted { epoch, .. } if self.completed.insert(*epoch, now).is_some() => {
                self.say(ONCE, format!("epoch {epoch} was completed twice"));
            }
            Event::EpochReleased { epoch, .. } => {
                if !self.is_right(*epoch) {
                    self.say(RIGHT, format!("epoch {epoch} was released with a wrong result"));
                }
                if self.leaves.get(epoch) == Some(&0) {
                    self.completed.insert(*epoch, now);
                }
            }
            Event::SettlementWithdrawn { epoch, .. } => {
                self.settled.remove(epoch);
                self.audited.remove(epoch);
                self.wrong.remove(epoch);
            }
            // Nobody had settled it: the event that it is settled follows.
            Event::DisputeDecided { epoch, .. } if !self.settled.contains_key(epoch) => {
                self.decided_in_their_stead.insert(*epoch);
            }
            Event::DisputeDecided {
                epoch,
                upheld: true,
                blame: false,
                result,
                ..
            } => {
                self.settled.insert(*epoch, *result);
                self.audit(*epoch, ground, board);
            }
            Event::DisputeDecided {
                epoch, upheld, result, ..
            } => self.decided(*epoch, *upheld, *result),
            Event::VerifierSlashed { verifier, .. } => {
                if ground.bonds().get(verifier).is_none_or(|bond| *bond == 0) {
                    self.slashed.insert(*verifier);
                }
                self.fined.insert(*verifier);
            }
            Event::ReceiptBroken { verifier, epoch, .. } => drop(self.paid_for.insert((*verifier, *epoch))),
            _ => {}
        }
    }

    /// Epochs whose settled result is wrong as it stands.
    pub fn wrong(&self) -> Vec<EpochNumber> {
        let wrong = self.wrong.iter().filter(|epoch| !self.is_right(**epoch));
        wrong.copied().collect()
    }

    /// The result in force.
    pub fn settled(&self, epoch: EpochNumber) -> Option<Hash> {
        self.settled.get(&epoch).copied()
    }

    fn is_right(&self, epoch: EpochNumber) -> bool {
        let right = self.audited.get(&epoch).map(|audited| audited.result.hash());
        right.is_some() && right == self.settled.get(&epoch).copied()
    }

    fn decided(&mut self, epoch: EpochNumber, upheld: bool, result: Hash) {
        if upheld == self.is_right(epoch) {
            self.say(REVERSED, format!("epoch {epoch}: the dispute was decided wrongly"));
        }
        if upheld {
            self.settled.insert(epoch, result);
            self.reversed.insert(epoch);
        }
    }

    /// Computes an epoch that was settled, after the one before.
    fn audit(&mut self, epoch: EpochNumber, ground: &Ground, board: &Board) {
        // Epochs that expired leave nothing.
        let before = self.audited.range(..epoch).next_back().map(|(_, before)| before);
        let memory = before.map(|before| before.memory.clone()).unwrap_or_default();
        match auditor::compute(&ground.chain, board, epoch, &memory) {
            Err(what) => self.say(RIGHT, what),
            Ok(audited) => {
                let settled = self.settled.get(&epoch).copied().unwrap_or_default();
                if audited.result.hash() != settled {
                    self.wrong.insert(epoch);
                }
                self.leaves.insert(epoch, audited.leaves.len() as u32);
                self.audited.insert(epoch, audited);
            }
        }
    }

    /// When all is over.
    pub fn end(&mut self, scene: &Scene, speakers: &Speakers, notes: &Notes, ground: &Ground, board: &Board) {
        let again = ground.run_again();
        again.into_iter().for_each(|what| self.say(ONE_HISTORY, what));
        self.receipts(scene, notes, board);
        self.rewards(speakers, ground);
        self.devices(scene, speakers, notes);
        self.times(scene);
        self.disputes(scene);
        self.shares(ground);
        self.faces(speakers, board);
        self.taken(scene, speakers, notes);
    }

    /// What has a receipt is under its verifier's anchor and was judged, or the verifier pays for it.
    fn receipts(&mut self, scene: &Scene, notes: &Notes, board: &Board) {
        let houses: Vec<_> = scene.houses().cloned().collect();
        let mut anchored: BTreeMap<(usize, EpochNumber), Vec<ReportId>> = BTreeMap::new();
        for (report, told) in &notes.told {
            let Some(audited) = self.audited.get(&told.epoch).cloned() else {
                if !told.receipts.is_empty() && told.epoch.0 < scene.hours {
                    self.say(RECEIPTS, format!("{report} of epoch {} was never judged", told.epoch));
                }
                continue;
            };
            for (place, receipt) in &told.receipts {
                let party = &houses[*place];
                if receipt.epoch != told.epoch || receipt.network != network() {
                    self.say(RECEIPTS, format!("{report} is promised for epoch {}", receipt.epoch));
                }
                let account = &party.who.account;
                let ids = anchored.entry((*place, told.epoch)).or_insert_with(|| {
                    let file = board.file(told.epoch, account).unwrap_or_default();
                    file.iter().map(|report| report.id).collect()
                });
                let is_anchored = audited.anchoring.of(account).is_some() && ids.binary_search(report).is_ok();
                let is_judged = audited.reports.binary_search_by_key(report, |one| one.id).is_ok();
                if is_anchored && is_judged {
                    continue;
                }
                let has_paid = self.paid_for.contains(&(*account, told.epoch)) || self.slashed.contains(account);
                if !has_paid {
                    let what = format!(
                        "{report} of epoch {} has a receipt of verifier {place} and was dropped",
                        told.epoch
                    );
                    self.say(RECEIPTS, what);
                }
            }
        }
    }

    /// Every report counts once, and everybody holds what the leaves say.
    fn rewards(&mut self, speakers: &Speakers, ground: &Ground) {
        let mut seen = BTreeSet::new();
        let mut due: BTreeMap<AccountNumber, u128> = BTreeMap::new();
        let audited: Vec<Audited> = self.audited.values().cloned().collect();
        for audited in &audited {
            for report in &audited.reports {
                if !seen.insert(report.id) {
                    self.say(ONCE, format!("{} was judged twice", report.id));
                }
            }
            let is_paid = self.completed.contains_key(&audited.epoch);
            let sum = self.paid.get(&audited.epoch).map(|(_, sum)| *sum).unwrap_or_default();
            if is_paid && sum != audited.totals {
                self.say(
                    ONCE,
                    format!("epoch {}: the sums of what was paid are not the leaves'", audited.epoch),
                );
            }
            for leaf in audited.leaves.iter().filter(|_| is_paid) {
                *due.entry(leaf.operator).or_default() += u128::from(leaf.availability.0) + u128::from(leaf.usage.0);
            }
        }
        let owners: BTreeSet<u32> = speakers.devices.iter().map(|device| device.operator.0).collect();
        for owner in owners {
            let account = account_of(ground, &operator(owner).account);
            let Some((number, token)) = account else { continue };
            let due = due.get(&number).copied().unwrap_or_default();
            if u128::from(token.0) != due {
                self.say(ONCE, format!("operator {number} has {} and should have {due}", token.0));
            }
        }
    }

    /// Honest devices of which a report was taken earn; from the hour on in which it gets calm, all of them.
    fn devices(&mut self, scene: &Scene, speakers: &Speakers, notes: &Notes) {
        let spoken = self.audited.range(..EpochNumber(scene.hours));
        let audited: Vec<Audited> = spoken.map(|(_, audited)| audited.clone()).collect();
        let mut gaps: BTreeSet<DeviceId> = BTreeSet::new();
        for audited in &audited {
            for place in 0..speakers.honest() {
                let device = speakers.device(place);
                let name = &speakers.devices[place].name;
                if notes.not_taken.contains(&(device, audited.epoch)) {
                    gaps.insert(device);
                }
                let found = found(audited, &device);
                if found.is_empty() {
                    gaps.insert(device);
                    let is_calm = audited.epoch.0 > scene.calm_from;
                    if is_calm && !only_liars(scene, notes, &device, audited.epoch) {
                        self.say(
                            PAID,
                            format!("{name} is not heard in epoch {} though all is calm", audited.epoch),
                        );
                    }
                    continue;
                }
                if found.iter().any(|(report, _)| !is_on_time(report, audited.epoch)) {
                    continue;
                }
                // The published filter counts silence in the rain as zeros, and goes on until the gauge says that it rains.
                let excused = |finding: &Finding| gaps.contains(&device) && excuses(finding.reason);
                let has_units = found.iter().any(|(_, finding)| finding.units > 0);
                let is_excused = found.iter().all(|(_, finding)| excused(finding));
                let member = audited.inputs.roster.iter().find(|member| member.device() == device);
                let leaf = member.and_then(|member| leaf_of(&audited.leaves, member.operator));
                let is_paid = leaf.is_some_and(|leaf| leaf.units > 0 && leaf.availability > Token::ZERO);
                let earns = has_units && is_paid;
                if !is_excused && !earns {
                    let why: Vec<_> = found
                        .iter()
                        .map(|(_, finding)| (finding.units, finding.reason))
                        .collect();
                    self.say(
                        PAID,
                        format!("{name} sent in epoch {} and is not paid: {why:?}", audited.epoch),
                    );
                }
            }
        }
    }

    /// What was wrong was put right, and only liars paid for anything.
    fn disputes(&mut self, scene: &Scene) {
        let left: Vec<EpochNumber> = self.wrong.difference(&self.reversed).copied().collect();
        for epoch in left {
            self.say(
                REVERSED,
                format!("epoch {epoch} was settled wrongly and never put right"),
            );
        }
        let honest = scene.parties.iter().filter(|party| party.part == Part::Honest);
        let accounts: Vec<AccountId> = honest.map(|party| party.who.account).collect();
        for account in accounts
            .into_iter()
            .filter(|account| self.fined.contains(account))
            .collect::<Vec<_>>()
        {
            self.say(HONEST, format!("verifier {account} lost a bond"));
        }
    }

    /// Of what validators settled in the verifiers' stead somebody who is not silent has the verifiers' part.
    fn shares(&mut self, ground: &Ground) {
        for epoch in self.decided_in_their_stead.clone() {
            let signers = ground.chain.read(|store| view::signers(store, &network(), epoch));
            if signers.expect("memory has every record").is_empty() {
                self.say(
                    HONEST,
                    format!("nobody signed what validators decided of epoch {epoch}"),
                );
            }
        }
    }

    fn times(&mut self, scene: &Scene) {
        let withholds = scene.liar().and_then(|_| Lies::drawn(scene).withheld());
        let stalled_hours = if scene.stalls { STALL_MS / HOUR_MS } else { 0 };
        let sought_hours = withholds.map_or(0, |_| SOUGHT_HOURS) + stalled_hours;
        for epoch in (0..scene.hours).map(EpochNumber) {
            let from = CLOCK.end(epoch).max(CLOCK.start(EpochNumber(scene.calm_from)));
            let until = from.plus_ms((PAID_WITHIN_HOURS + sought_hours) * HOUR_MS);
            match self.completed.get(&epoch) {
                None => self.say(IN_TIME, format!("epoch {epoch} is not paid")),
                Some(at) if *at > until => self.say(IN_TIME, format!("epoch {epoch} was paid at {at}")),
                Some(_) => {}
            }
        }
    }

    /// A verifier that signed two results lost what it had; a device that signed two reports earns nothing with them.
    fn faces(&mut self, speakers: &Speakers, board: &Board) {
        for (verifier, _) in board.two_faced() {
            if !self.slashed.contains(&verifier) {
                self.say(
                    TWO_FACED,
                    format!("verifier {verifier} signed two results and keeps its bond"),
                );
            }
        }
        let device = speakers.device(speakers.devices.len() - 1);
        let audited: Vec<Audited> = self.audited.values().cloned().collect();
        for audited in &audited {
            let found = found(audited, &device);
            let named = [Some(EQUIVOCATED), Some(BARRED)];
            let is_named = found
                .iter()
                .all(|(_, finding)| finding.units == 0 && named.contains(&finding.reason));
            if found.len() > 1 && !is_named {
                self.say(
                    TWO_FACED,
                    format!("a device signed two reports of epoch {}", audited.epoch),
                );
            }
        }
    }

    /// Nobody honest is turned away for good before an epoch's time of grace is over by anybody's clock.
    fn taken(&mut self, scene: &Scene, speakers: &Speakers, notes: &Notes) {
        let honest: BTreeSet<DeviceId> = (0..speakers.honest()).map(|place| speakers.device(place)).collect();
        let houses: Vec<Part> = scene.houses().map(|party| party.part).collect();
        let of_honest = |told: &&Told| honest.contains(&told.device);
        let mut broken = Vec::new();
        for told in notes.told.values().filter(of_honest) {
            let over = CLOCK.end(told.epoch).plus_ms(WINDOWS.grace_ms - STEP_MS);
            let early = told.refusals.iter().filter(|(at, ..)| *at < over);
            let early = early.filter(|(_, place, _)| houses[*place] == Part::Honest);
            broken.extend(early.map(|(at, place, code)| {
                format!(
                    "a report of epoch {} was refused ({code}) by verifier {place} at {at}",
                    told.epoch
                )
            }));
        }
        broken.into_iter().for_each(|what| self.say(TAKEN, what));
    }
}

/// Reasons that follow from silence that was somebody else's fault.
fn excuses(reason: Option<Reason>) -> bool {
    use cairn_verticals::kit::reasons::{EXCLUDED, REDUCED};
    reason.is_some_and(|reason| [FAULTY_ZERO, EXCLUDED, REDUCED].contains(&reason))
}

fn is_on_time(report: &Sealed, epoch: EpochNumber) -> bool {
    report.received.since_ms(CLOCK.end(epoch)) <= STEP_MS
}

/// Whether a device's reports of an epoch have receipts of liars alone, or none at all.
fn only_liars(scene: &Scene, notes: &Notes, device: &DeviceId, epoch: EpochNumber) -> bool {
    let houses: Vec<Part> = scene.houses().map(|party| party.part).collect();
    let mut told = notes
        .told
        .values()
        .filter(|told| told.device == *device && told.epoch == epoch);
    told.any(|told| told.receipts.keys().any(|place| houses[*place] == Part::Liar))
}

fn leaf_of(leaves: &[PayoutLeaf], operator: AccountNumber) -> Option<&PayoutLeaf> {
    leaves.iter().find(|leaf| leaf.operator == operator)
}

/// Reports of a device in an epoch, and what was found of them.
fn found<'a>(audited: &'a Audited, device: &DeviceId) -> Vec<(&'a Sealed, &'a Finding)> {
    let of_device =
        |number| roster::find(&audited.inputs.roster, number).is_some_and(|member| member.device() == *device);
    let pairs = audited.reports.iter().zip(&audited.findings);
    pairs.filter(|(report, _)| of_device(report.device)).collect()
}

/// An account's number and token.
fn account_of(ground: &Ground, id: &AccountId) -> Option<(AccountNumber, Token)> {
    let account = ground.chain.read(|store| view::account(store, id));
    let account = account.expect("memory has every record")?;
    Some((account.number, account.token))
}
