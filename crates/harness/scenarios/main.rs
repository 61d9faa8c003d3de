//! Stories of whole networks: each sets a scene, lets something go wrong, and says what must have come of it. Every story also holds
//! all properties, after each epoch and at its end.

#![allow(clippy::unwrap_used)]

mod agent_loses_power;
mod choosers;
mod disk_fills;
mod ledger_away;
mod planted_bugs;
mod quiet_day;
mod seeds;
mod towns;
mod verifier_killed;

use cairn_harness::plan::Plan;
use cairn_harness::records::Records;
use cairn_harness::world::{Shape, play};

/// Plays a story; nothing may be broken.
fn told(shape: Shape, plan: Plan) -> Records {
    let (records, broken) = play(shape, plan.clone());
    let sentences: Vec<String> = broken.iter().map(ToString::to_string).collect();
    assert!(
        broken.is_empty(),
        "seed {}\n{plan:#?}\n{}",
        shape.seed,
        sentences.join("\n")
    );
    records
}
