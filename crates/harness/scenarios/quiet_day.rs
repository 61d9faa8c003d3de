//! One quiet day: nothing goes wrong.

use super::told;
use cairn_harness::plan::Plan;
use cairn_harness::world::Shape;
use cairn_verticals::kit::Role;

#[test]
fn on_one_quiet_day_everybody_honest_is_paid_and_every_cheat_is_named() {
    // A day and six hours, in which it rains here and elsewhere, and on the second morning.
    let shape = Shape {
        is_telling: true,
        ..Shape::of(9, 30)
    };
    let records = told(shape, Plan::calm());
    assert_eq!(records.epochs.len(), 30);
    assert!(records.diary.not_taken.is_empty());
    let honest = records.devices.iter().filter(|device| device.role == Role::Honest);
    for device in honest {
        let told = records.diary.told.values().filter(|told| told.device == device.id);
        assert_eq!(
            told.filter(|told| told.receipt.is_some()).count(),
            30,
            "{}",
            device.name
        );
    }
    assert!(records.bought.len() > 5, "{:?}", records.bought);
    assert!(
        records
            .bought
            .iter()
            .all(|bought| bought.delivered.is_some_and(|rows| rows > 0))
    );
}

#[test]
fn the_same_seed_leaves_the_same_roots_and_another_one_others() {
    let roots = |seed| told(Shape::of(seed, 4), Plan::drawn(seed, 3, 4)).roots();
    assert_eq!(roots(3), roots(3));
    assert_ne!(roots(3), roots(4));
}
