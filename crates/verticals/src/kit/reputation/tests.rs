//! The arithmetic of reputation under every number there is, and its rules one by one on made-up findings.

use super::apply::apply;
use super::outcome::Blames;
use super::*;
use crate::ALL;
use crate::kit::reasons::{BARRED, EQUIVOCATED, EXCLUDED, MALFORMED, REDUCED, STANDING};
use crate::kit::{Epoch, Member};
use cairn_types::{AccountNumber, DeviceId, EpochNumber, Finding, NetworkId, Reason, ReportId, Span, TimeMs};
use proptest::prelude::*;

const HOUR_MS: u64 = 3_600_000;
const ALL_GOOD: Outcome = Outcome {
    good: EPOCH_WEIGHT,
    bad: 0,
    reason: None,
};

prop_compose! {
    fn rules()(
        memory_epochs in 8..=Rules::MEMORY_EPOCHS_MAX,
        doubt_epochs in 8..=Rules::MEMORY_EPOCHS_MAX,
        line in 0u16..=7_000,
        above in 1u16..=9_500,
        floor in 1_000u16..=10_000,
        exclude_epochs in 1..=Rules::MEMORY_EPOCHS_MAX,
    ) -> Rules {
        Rules { memory_epochs, doubt_epochs, full: (line + above).min(NEW_SCORE), line, floor, exclude_epochs }
    }
}

prop_compose! {
    fn known()(rules in rules(), good in any::<u32>(), bad in any::<u32>()) -> (Rules, Reputation) {
        let most = rules.weight_max() + 1;
        (rules, Reputation { good: good % most, bad: bad % most })
    }
}

prop_compose! {
    fn outcome()(good in 0..=EPOCH_WEIGHT, bad in any::<u32>()) -> Outcome {
        Outcome { good, bad, reason: None }
    }
}

proptest! {
    #[test]
    fn weights_scores_and_factors_stay_within_bounds((rules, before) in known(), outcome in outcome()) {
        prop_assert_eq!(rules.check(), Ok(()));
        let after = before.faded(&rules).plus(&outcome, &rules);
        prop_assert!(after.good.max(after.bad) <= rules.weight_max());
        let factor = factor(after.score(&rules), &rules);
        prop_assert!(after.score(&rules) <= WHOLE && (rules.floor..=WHOLE).contains(&factor));
    }

    #[test]
    fn more_good_never_lowers_and_more_bad_never_raises(
        (rules, before) in known(),
        more in 0..=EPOCH_WEIGHT,
        units in any::<u64>(),
    ) {
        let score = before.score(&rules);
        let better = before.plus(&Outcome { good: more, ..Outcome::default() }, &rules).score(&rules);
        let worse = before.plus(&Outcome { bad: more, ..Outcome::default() }, &rules).score(&rules);
        prop_assert!(worse <= score && score <= better);
        let paid = [worse, score, better].map(|score| reduced(units, factor(score, &rules)));
        prop_assert!(paid.is_sorted() && paid[2] <= units && (paid[0] > 0) == (units > 0));
    }

    #[test]
    fn a_new_device_is_paid_in_full_and_an_honest_one_for_ever(rules in rules(), epochs in 0u32..2_000) {
        let mut reputation = Reputation::default();
        prop_assert_eq!(reputation.score(&rules), NEW_SCORE);
        for _ in 0..epochs {
            let before = reputation.score(&rules);
            reputation = reputation.faded(&rules).plus(&ALL_GOOD, &rules);
            prop_assert!(reputation.bad == 0 && reputation.score(&rules) + 1 >= before);
            prop_assert_eq!(factor(reputation.score(&rules), &rules), WHOLE);
        }
    }

    #[test]
    fn everything_is_forgotten_in_the_end((rules, before) in known()) {
        let mut reputation = before;
        let epochs = u32::from(rules.memory_epochs);
        // Each epoch takes a part of what is left, and never less than one thousandth of an epoch.
        let most = 20 * epochs;
        let mut passed = 0;
        while reputation != Reputation::default() {
            let faded = reputation.faded(&rules);
            prop_assert!(faded.good < reputation.good.max(1) && faded.bad < reputation.bad.max(1));
            reputation = faded;
            passed += 1;
            prop_assert!(passed <= most, "{reputation:?} after {passed} epochs");
        }
    }

    #[test]
    fn no_past_is_too_bad_to_come_back_from((rules, before) in known()) {
        let mut reputation = before;
        let epochs = 8 * (u32::from(rules.memory_epochs) + u32::from(rules.doubt_epochs));
        for _ in 0..epochs {
            reputation = reputation.faded(&rules).plus(&ALL_GOOD, &rules);
        }
        prop_assert!(reputation.score(&rules) >= rules.full.min(9_000), "{:?}", reputation);
    }
}

const DEVICE: DeviceNumber = DeviceNumber(3);

fn member(number: DeviceNumber) -> Member {
    Member {
        number,
        device: DeviceId([1; 32]),
        operator: AccountNumber(0),
        cell: "881969c9b7fffff".parse().expect("a cell"),
        joined: EpochNumber(0),
        barred_until: None,
    }
}

/// Runs of an hour: how many quarters of it were judged how.
fn finding(hour: u64, place: u8, quarters: &[Option<Reason>]) -> Finding {
    let run = |(at, reason): (u64, &Option<Reason>)| Span {
        start: TimeMs(hour * HOUR_MS + at * HOUR_MS / 4),
        end: TimeMs(hour * HOUR_MS + (at + 1) * HOUR_MS / 4),
        quantity: 0,
        reason: *reason,
        measured: 0,
        limit: 0,
    };
    let believed = quarters.iter().filter(|reason| reason.is_none()).count() as u64;
    Finding {
        report: ReportId([place; 32]),
        device: DEVICE,
        units: believed * 250_000,
        reason: quarters.iter().flatten().next().copied().filter(|_| believed == 0),
        spans: (0..).zip(quarters).map(run).collect(),
    }
}

const GOOD: [Option<Reason>; 4] = [None; 4];
const BAD: [Option<Reason>; 4] = [Some(MALFORMED); 4];

/// A network of one device, epoch after epoch.
struct Life {
    rules: Rules,
    hour: u64,
    records: Vec<Record>,
}

impl Life {
    fn new() -> Self {
        Self {
            rules: Rules::default(),
            hour: 0,
            records: Vec::new(),
        }
    }

    fn epoch(&mut self, roster: &[Member], mut findings: Vec<Finding>) -> Vec<Finding> {
        let epoch = Epoch {
            network: NetworkId([1; 32]),
            epoch: EpochNumber(self.hour),
            start: TimeMs(self.hour * HOUR_MS),
            end: TimeMs((self.hour + 1) * HOUR_MS),
            params: &[],
            roster,
            memory: &[],
            beacon: [0; 32],
        };
        let records = std::mem::take(&mut self.records);
        self.records = apply(&epoch, &self.rules, &Blames::of(ALL[0]), records, &mut findings);
        assert!(self.records.iter().all(Record::is_bounded));
        self.hour += 1;
        findings
    }

    /// An hour in which the device says this; what it is paid.
    fn says(&mut self, quarters: &[Option<Reason>]) -> Finding {
        let finding = finding(self.hour, 1, quarters);
        self.epoch(&[member(DEVICE)], vec![finding]).remove(0)
    }

    fn silent(&mut self) {
        self.epoch(&[member(DEVICE)], Vec::new());
    }

    /// Says this until it is excluded; after how many hours.
    fn until_excluded(&mut self, quarters: &[Option<Reason>]) -> u64 {
        let from = self.hour;
        while self.exclusion().is_none() {
            self.says(quarters);
            assert!(self.hour < from + 1_000, "never excluded");
        }
        self.hour - from
    }

    fn exclusion(&self) -> Option<&Exclusion> {
        self.records.first()?.exclusion.as_ref()
    }
}

#[test]
fn who_is_believed_is_paid_what_the_vertical_found() {
    let mut life = Life::new();
    for _ in 0..1_000 {
        let expected = finding(life.hour, 1, &GOOD);
        assert_eq!(life.says(&GOOD), expected);
    }
    // A fifth of its time refused is still paid in full, and what is nobody's fault weighs nothing.
    for refused in [&BAD, &[Some(BARRED); 4]] {
        let mut leaky = Life::new();
        for hour in 0..1_000 {
            let often = if refused == &BAD { 5 } else { 2 };
            let said = if hour % often == 0 { refused } else { &GOOD };
            let expected = finding(leaky.hour, 1, said);
            assert_eq!(leaky.says(said), expected, "hour {hour}");
        }
    }
}

#[test]
fn whoever_is_always_refused_is_excluded_and_told_why_and_until_when() {
    let mut life = Life::new();
    let hours = life.until_excluded(&BAD);
    assert!((24..48).contains(&hours), "{hours} hours");
    let exclusion = life.exclusion().expect("excluded").clone();
    assert_eq!((exclusion.from.0, exclusion.until.0), (hours, hours + 72));
    assert!(exclusion.score < exclusion.line && exclusion.line == 5_000);
    let epochs: Vec<u64> = exclusion.evidence.iter().map(|mark| mark.epoch.0).collect();
    assert_eq!(
        epochs,
        (hours - 8..hours).collect::<Vec<_>>(),
        "the last epochs against it"
    );
    for _ in exclusion.from.0..exclusion.until.0 {
        let told = life.says(&[None, None, Some(MALFORMED), None]);
        assert_eq!((told.units, told.reason), (0, Some(EXCLUDED)));
        let run = &told.spans[0];
        assert_eq!((run.quantity, run.reason), (STANDING, Some(EXCLUDED)));
        assert_eq!(
            [run.start.0, run.end.0],
            [exclusion.from.0, exclusion.until.0].map(|hour| hour * HOUR_MS)
        );
        assert_eq!((run.measured, run.limit), (exclusion.score.into(), 5_000));
        let reasons: Vec<_> = told.spans[1..].iter().map(|run| run.reason).collect();
        let expected = [Some(EXCLUDED), Some(EXCLUDED), Some(MALFORMED), Some(EXCLUDED)];
        assert_eq!(reasons, expected, "the vertical's own refusals stay");
    }
    assert!(life.says(&GOOD).units > 0, "an exclusion ends");
}

#[test]
fn a_refused_report_of_an_excluded_device_keeps_its_reason() {
    let mut life = Life::new();
    life.until_excluded(&BAD);
    let told = life.says(&BAD);
    assert_eq!((told.units, told.reason), (0, Some(MALFORMED)));
    assert_eq!(told.spans[0].reason, Some(EXCLUDED));
}

#[test]
fn whoever_goes_on_is_excluded_again_at_once() {
    let mut life = Life::new();
    let first = life.until_excluded(&BAD);
    for hour in first..first + 400 {
        life.says(&BAD);
        let exclusion = life.exclusion().expect("still excluded");
        assert!(exclusion.until.0 > hour + 1);
    }
}

#[test]
fn who_turns_honest_comes_back_and_rises_to_full_pay() {
    let mut life = Life::new();
    for _ in 0..500 {
        life.says(&BAD);
    }
    let until = life.exclusion().expect("excluded").until.0;
    while life.hour < until {
        assert_eq!(life.says(&GOOD).units, 0);
    }
    let mut paid = Vec::new();
    while paid.last() != Some(&1_000_000) {
        let told = life.says(&GOOD);
        let reduced = told.spans.iter().any(|span| span.reason == Some(REDUCED));
        assert_eq!(reduced, told.units < 1_000_000, "whoever is paid in part is told so");
        assert_eq!(told.reason, None);
        paid.push(told.units);
        assert!(life.exclusion().is_none() && paid.len() < 300, "{} hours", paid.len());
    }
    assert!(paid.is_sorted() && paid[0] == 250_000, "it begins at the floor");
}

#[test]
fn silence_speaks_neither_for_nor_against() {
    let mut life = Life::new();
    life.until_excluded(&BAD);
    let before = life.records[0].reputation.score(&life.rules);
    let until = life.exclusion().expect("excluded").until.0;
    while life.hour < until {
        life.silent();
    }
    assert!(life.exclusion().is_none(), "an exclusion passes in silence too");
    assert!(life.records[0].reputation.score(&life.rules) >= before);
    life.says(&[None, None, Some(MALFORMED), Some(MALFORMED)]);
    assert!(life.exclusion().is_none(), "half an hour against it is no new cause");
    for _ in 0..4_000 {
        life.silent();
    }
    assert!(
        life.records.is_empty(),
        "of whoever is silent for long nothing is known"
    );
}

#[test]
fn leaving_and_coming_back_washes_nothing_off() {
    let mut life = Life::new();
    life.until_excluded(&BAD);
    let until = life.exclusion().expect("excluded").until;
    life.epoch(&[], Vec::new());
    assert_eq!(life.exclusion().map(|exclusion| exclusion.until), Some(until));
    assert_eq!(life.says(&GOOD).reason, Some(EXCLUDED));

    let mut honest = Life::new();
    honest.says(&GOOD);
    honest.epoch(&[], Vec::new());
    assert!(
        honest.records.is_empty(),
        "nothing to remember of whoever left in good standing"
    );
}

#[test]
fn strangers_leave_nothing_in_memory() {
    let mut life = Life::new();
    let told = life.epoch(&[member(DeviceNumber(9))], vec![finding(0, 1, &BAD)]);
    assert_eq!(told, vec![finding(0, 1, &BAD)]);
    assert!(life.records.is_empty());
}

#[test]
fn equivocation_is_charged_in_full_and_once() {
    let equivocation = |place| Finding {
        reason: Some(EQUIVOCATED),
        units: 0,
        spans: Vec::new(),
        ..finding(0, place, &GOOD)
    };
    let mut new = Life::new();
    let good = finding(0, 9, &GOOD);
    new.epoch(
        &[member(DEVICE)],
        vec![equivocation(1), equivocation(2), equivocation(3), good],
    );
    let record = &new.records[0];
    assert_eq!(
        (record.reputation.good, record.reputation.bad),
        (EPOCH_WEIGHT, 100 * EPOCH_WEIGHT)
    );
    assert_eq!(record.marks[0].reason, EQUIVOCATED);
    assert!(record.exclusion.is_some(), "a new device is excluded for it");

    let mut old = Life::new();
    (0..500).for_each(|_| drop(old.says(&GOOD)));
    old.epoch(&[member(DEVICE)], vec![equivocation(1), equivocation(2)]);
    assert!(old.exclusion().is_none(), "a long good record outweighs one");
    assert!(old.says(&GOOD).units < 1_000_000);
}

#[test]
fn runs_weigh_by_how_long_they_last_and_small_reports_thin_nothing_out() {
    let blames = Blames::of(ALL[0]);
    let long_bad = finding(0, 1, &BAD[..3]);
    let small_good: Vec<Finding> = (2..40)
        .map(|place| {
            let mut small = finding(0, place, &GOOD[..1]);
            small.spans[0].end = small.spans[0].start.plus_ms(HOUR_MS / 152);
            small
        })
        .collect();
    let all: Vec<Finding> = [vec![long_bad], small_good].concat();
    let outcome = Outcome::of(&all, HOUR_MS, &blames);
    assert_eq!((outcome.good, outcome.bad), (249, 750));
    assert_eq!(outcome.reason, Some(MALFORMED));
    let nothing_said = Outcome::of(&[], HOUR_MS, &blames);
    assert_eq!(nothing_said, Outcome::default());
}

#[test]
fn whoever_has_the_published_findings_counts_the_same() {
    let blames = Blames::of(ALL[0]);
    let mut life = Life::new();
    life.until_excluded(&BAD);
    for quarters in [&GOOD[..], &BAD, &[None, Some(MALFORMED), Some(BARRED), None], &[]] {
        let judged = finding(life.hour, 1, quarters);
        let published = life.says(quarters);
        let [judged, published] = [judged, published].map(|finding| Outcome::of(&[finding], HOUR_MS, &blames));
        assert_eq!(judged, published);
    }
}

#[test]
fn numbers_out_of_bounds_are_named() {
    type Change = (&'static str, fn(&mut Rules));
    let changes: [Change; 8] = [
        ("reputation.memory_epochs", |rules| rules.memory_epochs = 7),
        ("reputation.memory_epochs", |rules| rules.memory_epochs = 8_761),
        ("reputation.doubt_epochs", |rules| rules.doubt_epochs = 0),
        ("reputation.line", |rules| rules.line = 7_001),
        ("reputation.full", |rules| rules.full = rules.line),
        ("reputation.full", |rules| rules.full = NEW_SCORE + 1),
        ("reputation.floor", |rules| rules.floor = 0),
        ("reputation.exclude_epochs", |rules| rules.exclude_epochs = 0),
    ];
    for (name, change) in changes {
        let mut rules = Rules::default();
        assert_eq!(rules.check(), Ok(()));
        change(&mut rules);
        let refused = rules.check();
        assert!(
            matches!(refused, Err(crate::kit::ParamsError::OutOfBounds { name: said, .. }) if said == name),
            "{refused:?}"
        );
    }
}
