//! A verifier killed twenty times: while it idles, in the middle of a write, between two files of an archive, between two
//! transactions. It is back each time, and it comes to what it would have come to undisturbed.

use super::told;
use cairn_harness::plan::{Fault, Moment, Plan};
use cairn_harness::world::Shape;

#[test]
fn a_verifier_killed_twenty_times_comes_to_the_same_roots() {
    let undisturbed = told(Shape::of(11, 10), Plan::calm());
    let killed = told(Shape::of(11, 10), Plan::deaths(11, 20, 10));
    assert!(killed.diary.kills >= 15, "{} kills", killed.diary.kills);
    assert_eq!(killed.judged(), undisturbed.judged());
}

#[test]
fn a_verifier_that_stays_away_for_an_hour_is_sent_what_waited() {
    let death = Fault::VerifierDies {
        moment: Moment::Idle,
        steps: 12,
    };
    let records = told(Shape::of(12, 4), Plan::calm().with(15, death));
    let late = records.epochs[1]
        .reports
        .iter()
        .filter(|report| report.received > records.epochs[1].inputs.end);
    assert!(late.count() > 0);
}
