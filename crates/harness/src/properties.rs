//! What must hold of every network, whatever went wrong on the way: records -> sentences about what does not hold. Pure; one
//! function for each property, by name.

use crate::records::{Paid, Records};
use crate::{CLOCK, STEP_MS, WINDOWS};
use cairn_ledger::Event;
use cairn_ledger::economics::netting::{Earned, Exchange};
use cairn_types::attestation::Totals;
use cairn_types::intake::IntakeRefusal;
use cairn_types::{AccountNumber, BasisPoints, Credit, DeviceId, EpochNumber, Finding, PayoutLeaf, ReportId};
use cairn_verifier::roster;
use cairn_verticals::kit::Role;
use cairn_verticals::sensors::judge::reasons::{AHEAD, FAULTY_ZERO};
use std::collections::{BTreeMap, BTreeSet};

/// A report that comes so long after its epoch is late: others may have said the same before.
const ON_TIME_MS: u64 = STEP_MS;

/// A property.
#[derive(Clone, Copy)]
pub struct Property {
    pub name: &'static str,
    check: fn(&Records) -> Vec<String>,
}

/// All properties.
pub const ALL: [Property; 13] = [
    Property {
        name: "supply is conserved",
        check: supply_is_conserved,
    },
    Property {
        name: "every epoch is paid",
        check: every_epoch_is_paid,
    },
    Property {
        name: "a receipt means archived",
        check: a_receipt_means_archived,
    },
    Property {
        name: "nothing is rewarded twice",
        check: nothing_is_rewarded_twice,
    },
    Property {
        name: "every report is answered",
        check: every_report_is_answered,
    },
    Property {
        name: "honest reports in time are taken",
        check: honest_reports_in_time_are_taken,
    },
    Property {
        name: "every report has one finding",
        check: every_report_has_one_finding,
    },
    Property {
        name: "honest devices are paid",
        check: honest_devices_are_paid,
    },
    Property {
        name: "cheats are refused",
        check: cheats_are_refused,
    },
    Property {
        name: "audits agree",
        check: audits_agree,
    },
    Property {
        name: "choices count as they stood",
        check: choices_count_as_they_stood,
    },
    Property {
        name: "exchanges conserve both assets",
        check: exchanges_conserve_both_assets,
    },
    Property {
        name: "customers pay once",
        check: customers_pay_once,
    },
];

/// A property that does not hold, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub property: &'static str,
    pub what: String,
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.property, self.what)
    }
}

/// Everything that does not hold.
pub fn check(records: &Records) -> Vec<Broken> {
    let broken = |property: &Property| {
        let name = property.name;
        (property.check)(records)
            .into_iter()
            .map(move |what| Broken { property: name, what })
    };
    ALL.iter().flat_map(broken).collect()
}

fn supply_is_conserved(records: &Records) -> Vec<String> {
    records.violations.clone()
}

fn every_epoch_is_paid(records: &Records) -> Vec<String> {
    let paid: BTreeSet<u64> = records.epochs.iter().map(|paid| paid.epoch.0).collect();
    let missing = (0..records.hours).filter(|epoch| records.is_over && !paid.contains(epoch));
    missing.map(|epoch| format!("epoch {epoch} is not paid")).collect()
}

fn a_receipt_means_archived(records: &Records) -> Vec<String> {
    let archived: BTreeMap<EpochNumber, BTreeSet<ReportId>> = records
        .epochs
        .iter()
        .map(|paid| (paid.epoch, paid.reports.iter().map(|report| report.id).collect()))
        .collect();
    let mut broken = Vec::new();
    for (report, told) in records.diary.told.iter().filter(|(_, told)| told.receipt.is_some()) {
        if let Some(receipt) = told.receipt.as_ref().filter(|receipt| receipt.epoch != told.epoch) {
            broken.push(format!(
                "{report} of epoch {} is promised for epoch {}",
                told.epoch, receipt.epoch
            ));
        }
        match archived.get(&told.epoch) {
            Some(reports) if reports.contains(report) => {}
            Some(_) => broken.push(format!("{report} has a receipt and is not in epoch {}", told.epoch)),
            None if records.is_over => {
                broken.push(format!("{report} has a receipt and epoch {} is not paid", told.epoch))
            }
            None => {}
        }
    }
    broken
}

fn nothing_is_rewarded_twice(records: &Records) -> Vec<String> {
    let mut broken = Vec::new();
    let mut settled = BTreeMap::new();
    let mut completed = BTreeSet::new();
    let mut paid: BTreeMap<EpochNumber, (u32, Totals)> = BTreeMap::new();
    for event in &records.events {
        match event {
            Event::EpochSettled {
                epoch, leaves, totals, ..
            } => {
                let again = settled.insert(*epoch, (*leaves, *totals)).is_some();
                broken.extend(again.then(|| format!("epoch {epoch} was settled twice")));
            }
            Event::LeavesPaid {
                epoch,
                start,
                end,
                sums,
                ..
            } => {
                let (cursor, sum) = paid.entry(*epoch).or_default();
                if start != cursor || end < start {
                    broken.push(format!("epoch {epoch}: leaves {start} to {end} were paid at {cursor}"));
                }
                (*cursor, *sum) = (*end, *sums);
            }
            Event::PayoutsCompleted { epoch, .. } if !completed.insert(*epoch) => {
                broken.push(format!("epoch {epoch} was completed twice"));
            }
            _ => {}
        }
    }
    for epoch in &records.epochs {
        broken.extend(sums(epoch));
        let leaves = epoch.leaves.len() as u32;
        if settled.get(&epoch.epoch) != Some(&(leaves, epoch.settlement.totals)) {
            broken.push(format!("epoch {} was announced with other leaves or sums", epoch.epoch));
        }
    }
    let mut seen = BTreeSet::new();
    for report in records.epochs.iter().flat_map(|paid| &paid.reports) {
        if !seen.insert(report.id) {
            broken.push(format!("{} is archived twice", report.id));
        }
    }
    broken
}

fn sums(paid: &Paid) -> Vec<String> {
    let (epoch, mut broken) = (paid.epoch, Vec::new());
    let total = paid
        .leaves
        .iter()
        .try_fold(Totals::default(), |sum, leaf| sum.plus(leaf));
    if total != Some(paid.settlement.totals) || paid.settlement.paid != paid.settlement.totals {
        broken.push(format!("epoch {epoch}: leaves, totals and what was paid differ"));
    }
    if !paid.leaves.is_sorted_by(|one, next| one.operator < next.operator) {
        broken.push(format!("epoch {epoch}: an operator has two leaves"));
    }
    let (totals, pool) = (paid.settlement.totals, &paid.pool);
    if totals.availability > pool.availability || totals.usage > pool.usage || totals.cash > pool.cash {
        broken.push(format!("epoch {epoch}: more was paid than the pool has"));
    }
    if totals.units > 0 && totals.availability != pool.availability {
        broken.push(format!("epoch {epoch}: the pool was not divided to the last unit"));
    }
    broken
}

fn every_report_is_answered(records: &Records) -> Vec<String> {
    if !records.is_over {
        return Vec::new();
    }
    let unheard = records.diary.told.iter().filter(|(_, told)| !told.heard);
    unheard
        .map(|(report, told)| format!("{report} of {} got no answer", told.device))
        .collect()
}

/// Whatever the verifier went through: nobody honest is turned away for good before an epoch's time of grace is over. Later, one
/// that has its receipt may be told that its number is used.
fn honest_reports_in_time_are_taken(records: &Records) -> Vec<String> {
    let honest = records.devices.iter().filter(|device| device.role == Role::Honest);
    let honest: BTreeSet<DeviceId> = honest.map(|device| device.id).collect();
    let mut broken = Vec::new();
    for (report, told) in records
        .diary
        .told
        .iter()
        .filter(|(_, told)| honest.contains(&told.device))
    {
        let over = CLOCK.end(told.epoch).plus_ms(WINDOWS.grace_ms);
        let early = told.refusals.iter().filter(|(at, _)| *at < over);
        broken.extend(early.map(|(at, code)| format!("{report} of epoch {} was refused ({code}) at {at}", told.epoch)));
    }
    broken
}

fn every_report_has_one_finding(records: &Records) -> Vec<String> {
    let mut broken = Vec::new();
    for paid in &records.epochs {
        let reports = paid.reports.iter().map(|report| report.id);
        if !reports.eq(paid.findings.iter().map(|finding| finding.report)) {
            broken.push(format!("epoch {}: findings are not those of its reports", paid.epoch));
        }
        let odd = paid
            .findings
            .iter()
            .filter(|finding| (finding.units == 0) != finding.reason.is_some());
        broken.extend(odd.map(|finding| format!("{} has neither units nor a reason, or both", finding.report)));
    }
    broken
}

/// Findings on the reports of a device in an epoch, and whether they came on time.
fn found<'a>(paid: &'a Paid, device: &DeviceId) -> Vec<(&'a Finding, bool)> {
    let end = CLOCK.end(paid.epoch);
    let of_device = |number| roster::find(&paid.inputs.roster, number).is_some_and(|member| member.device() == *device);
    let pairs = paid
        .reports
        .iter()
        .zip(&paid.findings)
        .filter(|(report, _)| of_device(report.device));
    pairs
        .map(|(report, finding)| (finding, report.received.since_ms(end) <= ON_TIME_MS))
        .collect()
}

fn honest_devices_are_paid(records: &Records) -> Vec<String> {
    let mut broken = Vec::new();
    for device in records.devices.iter().filter(|device| device.role == Role::Honest) {
        for paid in &records.epochs {
            let found = found(paid, &device.id);
            if found.is_empty() || found.iter().any(|(_, on_time)| !on_time) {
                continue;
            }
            let member = paid.inputs.roster.iter().find(|member| member.device() == device.id);
            let leaf = member.and_then(|member| paid.leaves.iter().find(|leaf| leaf.operator == member.operator));
            let is_paid = leaf.is_some_and(|leaf| leaf.units > 0 && leaf.availability.0 > 0);
            // The published filter counts silence in the rain as zeros, and goes on until the gauge says that it rains.
            let is_excused = has_gap(records, paid.epoch, &device.id)
                && found.iter().all(|(finding, _)| finding.reason == Some(FAULTY_ZERO));
            let has_units = found.iter().any(|(finding, _)| finding.units > 0);
            if !is_excused && (!has_units || (!is_paid && paid.pool.availability.0 > 0)) {
                let why: Vec<_> = found
                    .iter()
                    .map(|(finding, _)| (finding.units, finding.reason))
                    .collect();
                broken.push(format!(
                    "{} sent in epoch {} and is not paid: {why:?}",
                    device.name, paid.epoch
                ));
            }
        }
    }
    broken
}

/// Whether something of what a device measured until the end of an epoch did not come into the archive.
fn has_gap(records: &Records, epoch: EpochNumber, device: &DeviceId) -> bool {
    let before = records.epochs.iter().filter(|paid| paid.epoch < epoch);
    let mut not_taken = records.diary.not_taken.iter();
    not_taken.any(|(of, lost)| of == device && *lost <= epoch)
        || before.into_iter().any(|paid| found(paid, device).is_empty())
}

fn cheats_are_refused(records: &Records) -> Vec<String> {
    if !(records.is_over && records.is_telling) {
        return Vec::new();
    }
    let mut broken = Vec::new();
    for device in &records.devices {
        let Role::Cheat { name, reason } = device.role else {
            continue;
        };
        let findings = records.epochs.iter().flat_map(|paid| {
            let of_device =
                |number| roster::find(&paid.inputs.roster, number).is_some_and(|member| member.device() == device.id);
            paid.findings.iter().filter(move |finding| of_device(finding.device))
        });
        let judged = findings.flat_map(|finding| {
            finding
                .reason
                .into_iter()
                .chain(finding.spans.iter().filter_map(|span| span.reason))
        });
        // A clock that is ahead does not pass the door.
        let early = IntakeRefusal::TooEarly.code();
        let mut told = records.diary.told.values().filter(|told| told.device == device.id);
        let at_the_door = reason == AHEAD && told.any(|told| told.refusals.iter().any(|(_, code)| *code == early));
        if !at_the_door && !judged.into_iter().any(|found| found == reason) {
            broken.push(format!("{name} was never refused for {reason:?}"));
        }
    }
    broken
}

fn audits_agree(records: &Records) -> Vec<String> {
    let differs = |paid: &Paid| Some(format!("epoch {}: {}", paid.epoch, paid.difference.as_ref()?));
    records.epochs.iter().filter_map(differs).collect()
}

/// The archived choices are the last ones that were announced to hold for the epoch, and whoever chose is exchanged for where there
/// was a price.
fn choices_count_as_they_stood(records: &Records) -> Vec<String> {
    let mut numbers = BTreeMap::new();
    let mut announced: Vec<(AccountNumber, EpochNumber, Option<BasisPoints>)> = Vec::new();
    for event in &records.events {
        match event {
            Event::AccountOpened { account, number } => drop(numbers.insert(*account, *number)),
            Event::PayoutChoiceSet { account, wants, from } => {
                announced.extend(numbers.get(account).map(|number| (*number, *from, *wants)));
            }
            _ => {}
        }
    }
    let mut broken = Vec::new();
    for paid in records.epochs.iter().chain(&records.later) {
        let epoch = paid.epoch;
        let stood = |leaf: &PayoutLeaf| {
            let mut of_operator = announced
                .iter()
                .filter(|(number, from, _)| *number == leaf.operator && *from <= epoch);
            of_operator.next_back().and_then(|(_, _, wants)| *wants)
        };
        let stood: Vec<_> = paid.leaves.iter().map(stood).collect();
        if stood != paid.choices {
            broken.push(format!("epoch {epoch}: choices are {:?}, not {stood:?}", paid.choices));
        }
        let somebody_chose = stood.iter().any(Option::is_some) && paid.pool.exchange_price.is_some();
        if paid.settlement.exchanged != somebody_chose || paid.book.is_some() != somebody_chose {
            broken.push(format!("epoch {epoch} is settled as if others had chosen"));
        }
    }
    broken
}

/// What is given is received, in both assets; and each operator has what it earned, after what it exchanged.
fn exchanges_conserve_both_assets(records: &Records) -> Vec<String> {
    let mut broken = Vec::new();
    let mut due: BTreeMap<AccountNumber, (u128, u128)> = BTreeMap::new();
    for paid in records.epochs.iter().chain(&records.later) {
        let sum = |of: fn(&Exchange) -> u64| paid.steps.iter().map(|step| u128::from(of(step))).sum::<u128>();
        let tokens = (sum(|step| step.tokens_given.0), sum(|step| step.tokens_received.0));
        let cash = (sum(|step| step.cash_given.0), sum(|step| step.cash_received.0));
        if tokens.0 != tokens.1 || cash.0 != cash.1 || paid.steps.len() != paid.leaves.len() {
            broken.push(format!(
                "epoch {}: given and received differ: {tokens:?}, {cash:?}",
                paid.epoch
            ));
        }
        for (leaf, step) in paid.leaves.iter().zip(&paid.steps) {
            let got = Earned::of(leaf).and_then(|earned| step.apply(earned).ok());
            let Some(got) = got else {
                broken.push(format!(
                    "epoch {}: {} gave more than it earned",
                    paid.epoch, leaf.operator
                ));
                continue;
            };
            let (tokens, cash) = due.entry(leaf.operator).or_default();
            *tokens += u128::from(got.tokens.0);
            *cash += u128::from(got.cash.0);
        }
    }
    for (operator, (token, stable)) in &records.holds {
        let (tokens, cash) = due.get(operator).copied().unwrap_or_default();
        let has = (u128::from(token.0), u128::from(stable.0));
        if records.is_over && has != (tokens, cash) {
            broken.push(format!(
                "operator {operator} has {has:?} and should have {:?}",
                (tokens, cash)
            ));
        }
    }
    broken
}

fn customers_pay_once(records: &Records) -> Vec<String> {
    let mut broken = Vec::new();
    let mut spent = Credit::ZERO;
    for bought in &records.bought {
        let settled = bought.stands.as_ref().map_or(Credit::ZERO, |order| order.settled);
        spent = spent.checked_add(settled).unwrap_or(Credit(u64::MAX));
        let order = bought.order;
        if settled != Credit::ZERO && settled != bought.price {
            broken.push(format!("order {order} paid {settled:?} for {:?}", bought.price));
        }
        match bought.delivered {
            Some(_) if settled == Credit::ZERO => broken.push(format!("order {order} was delivered and not paid")),
            Some(rows) if rows != bought.rows => {
                broken.push(format!("order {order} got {rows} rows of {}", bought.rows))
            }
            None if records.is_over => broken.push(format!("order {order} got no data")),
            _ => {}
        }
        let vouchers = records
            .events
            .iter()
            .filter(|event| matches!(event, Event::OrderSettled { order: of, .. } if *of == order));
        if vouchers.count() > 1 {
            broken.push(format!("order {order} was settled more than once"));
        }
    }
    let (had, has) = records.credits;
    if has.checked_add(spent) != Some(had) {
        broken.push(format!("of {had:?} the customer has {has:?} and spent {spent:?}"));
    }
    broken
}
