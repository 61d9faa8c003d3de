//! A ledger that is away for three hours: nothing is paid meanwhile; then everything is, in order. Who belongs to an hour that began
//! while it was away cannot be known; whoever was a member last is heard, and the ledger's word counts when it is back.

use super::told;
use cairn_harness::plan::{Fault, Moment, Plan};
use cairn_harness::records::Records;
use cairn_harness::world::Shape;
use cairn_harness::{CLOCK, STEP_MS};
use cairn_types::DeviceId;
use cairn_verticals::kit::Role;
use std::collections::BTreeSet;

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
    assert_eq!(archived, vec![archived[0]; 7], "nothing is lost");
    for paid in &records.epochs {
        assert!(
            paid.settlement.totals.availability.0 > 0,
            "epoch {} paid nothing",
            paid.epoch
        );
    }
    let honest = records.devices.iter().filter(|device| device.role == Role::Honest);
    let honest: BTreeSet<DeviceId> = honest.map(|device| device.id).collect();
    for told in records.diary.told.values().filter(|told| honest.contains(&told.device)) {
        let received = told.receipt.as_ref().unwrap().group.received;
        let waited_ms = received.since_ms(CLOCK.end(told.epoch));
        assert!(
            waited_ms <= STEP_MS,
            "{} waited {waited_ms} ms for its receipt",
            told.device
        );
        assert!(told.refusals.is_empty(), "{:?}", told.refusals);
    }
}

#[test]
fn what_a_verifier_promised_meanwhile_outlives_its_death_and_it_waits_for_the_ledger() {
    let death = Fault::VerifierDies {
        moment: Moment::Idle,
        steps: 0,
    };
    let records = told(Shape::of(42, 7), Plan::calm().with(FROM, AWAY).with(40, death));
    let archived = archived(&records);
    // The third hour began while the ledger was away and had ended before the verifier died.
    assert!(archived[1] > 0 && archived[2] > 0, "{archived:?}");
}
