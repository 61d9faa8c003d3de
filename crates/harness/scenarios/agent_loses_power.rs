//! An agent that loses power, again and again, at the worst times: just when an hour is sealed and sent.

use super::told;
use cairn_harness::STEPS_PER_HOUR;
use cairn_harness::plan::{Fault, Plan};
use cairn_harness::world::Shape;

#[test]
fn an_agent_that_loses_power_sends_all_it_had_promised_to_send() {
    let mut plan = Plan::calm();
    for hour in 1..5 {
        let end = hour * STEPS_PER_HOUR;
        let kept = 37 * hour as usize;
        // Its answers are lost, so that at the cut all of the hour is sent and none of it answered.
        plan = plan
            .with(end, Fault::AnswersLost { agent: 0, steps: 2 })
            .with(
                end + 1,
                Fault::AgentDies {
                    agent: 0,
                    kept,
                    steps: 0,
                },
            )
            .with(
                end + 5,
                Fault::AgentDies {
                    agent: 1,
                    kept,
                    steps: 2,
                },
            );
    }
    let records = told(Shape::of(31, 5), plan);
    let again = records.diary.told.values().filter(|told| told.sent > 1).count();
    assert!(again >= 4, "{again} reports were sent again");
    assert!(!records.diary.not_taken.is_empty());
}
