//! A ledger that is away for three hours: nothing is paid meanwhile; then everything is, in order. Who belongs to an hour that began
//! while it was away cannot be known, so a verifier promises nothing about such an hour: its reports are put off, and turned away
//! once the hour's grace is over.

use super::told;
use cairn_harness::plan::{Fault, Moment, Plan};
use cairn_harness::records::Records;
use cairn_harness::world::Shape;

/// The ledger is away from the second hour's eighth step on.
const FROM: u64 = 20;
const AWAY: Fault = Fault::LedgerAway { steps: 36 };

/// How many reports each epoch has in the archive.
fn archived(records: &Records) -> Vec<usize> {
    records.epochs.iter().map(|paid| paid.reports.len()).collect()
}

#[test]
fn what_a_ledger_missed_in_three_hours_is_settled_when_it_is_back() {
    let records = told(Shape::of(41, 7), Plan::calm().with(FROM, AWAY));
    let archived = archived(&records);
    // The second hour's members were known before; the fifth hour ended after the ledger was back.
    for epoch in [0, 1, 4, 5, 6] {
        assert_eq!(archived[epoch], archived[0], "{archived:?}");
    }
    for epoch in [2, 3] {
        assert_eq!(archived[epoch], 0);
        let told = records.diary.told.values().filter(|told| told.epoch.0 == epoch as u64);
        assert!(told.into_iter().all(|told| told.receipt.is_none() && told.heard));
    }
    let unpaid = |epoch: usize| records.epochs[epoch].settlement.totals.availability.0;
    assert_eq!((unpaid(2), unpaid(3)), (0, 0));
}

#[test]
fn a_verifier_killed_meanwhile_waits_for_the_ledger_and_takes_nothing_it_cannot_judge() {
    let death = Fault::VerifierDies {
        moment: Moment::Idle,
        steps: 0,
    };
    let records = told(Shape::of(42, 7), Plan::calm().with(FROM, AWAY).with(33, death));
    assert!(archived(&records)[1] > 0, "what had its receipt outlives the kill");
}
