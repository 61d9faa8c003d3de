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
