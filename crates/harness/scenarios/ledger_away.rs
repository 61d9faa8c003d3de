//! A ledger that is away for three hours: reports go on, nothing is paid; then everything is, in order.

use super::told;
use cairn_harness::plan::{Fault, Moment, Plan};
use cairn_harness::world::Shape;

#[test]
fn what_a_ledger_missed_in_three_hours_is_settled_when_it_is_back() {
    let away = Fault::LedgerAway { steps: 36 };
    let records = told(Shape::of(41, 7), Plan::calm().with(20, away));
    assert_eq!(records.epochs.len(), 7);
    assert!(records.epochs.iter().all(|paid| paid.pool.availability.0 > 0));
}

#[test]
fn a_verifier_killed_meanwhile_waits_for_the_ledger_and_takes_nothing_it_cannot_judge() {
    let death = Fault::VerifierDies {
        moment: Moment::Idle,
        steps: 0,
    };
    let plan = Plan::calm().with(20, Fault::LedgerAway { steps: 36 }).with(33, death);
    told(Shape::of(42, 7), plan);
}
