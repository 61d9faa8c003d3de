//! A disk that fills, the verifier's and an agent's, and one that does not answer.

use super::told;
use cairn_harness::plan::{Fault, Plan};
use cairn_harness::world::Shape;

#[test]
fn a_verifier_whose_disk_is_full_acknowledges_nothing_and_loses_nothing() {
    let full = Fault::VerifierDiskFills { steps: 5 };
    let hangs = Fault::VerifierDiskHangs { steps: 3 };
    let plan = Plan::calm().with(10, full).with(23, hangs).with(34, full);
    let records = told(Shape::of(21, 4), plan);
    let leaves: Vec<usize> = records.epochs.iter().map(|paid| paid.leaves.len()).collect();
    assert!(leaves.iter().all(|leaves| *leaves > 5), "{leaves:?}");
}

#[test]
fn an_agent_whose_disk_is_full_takes_nothing_it_cannot_keep() {
    let full = Fault::AgentDiskFills {
        agent: 1,
        free_bytes: 700,
        steps: 9,
    };
    let records = told(Shape::of(22, 4), Plan::calm().with(8, full).with(30, full));
    assert!(!records.diary.not_taken.is_empty());
    assert!(records.diary.told.values().all(|told| told.heard));
}

#[test]
fn what_a_hanging_disk_kept_after_all_never_earns_a_receipt_once_its_epoch_is_sealed() {
    // The hour's reports are written and not synced; the agent hears nothing, and asks again when the hour is sealed without
    // them and the verifier, begun anew, finds them in its log.
    let plan = Plan::calm()
        .with(12, Fault::VerifierDiskHangs { steps: 6 })
        .with(13, Fault::Unreached { agent: 0, steps: 8 })
        .with(19, Fault::VerifierRestarts);
    told(Shape::of(23, 3), plan);
}
