//! A few dozen networks with faults drawn from their seeds. One that fails is had again by its seed alone.

use super::told;
use cairn_harness::plan::Plan;
use cairn_harness::world::{AGENTS, Shape};

const HOURS: u64 = 4;

fn seeds(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        told(Shape::of(seed, HOURS), Plan::drawn(seed, AGENTS, HOURS));
    }
}

#[test]
fn whatever_goes_wrong_nothing_is_lost_or_paid_twice_1() {
    seeds(100..112);
}

#[test]
fn whatever_goes_wrong_nothing_is_lost_or_paid_twice_2() {
    seeds(112..124);
}

#[test]
fn whatever_goes_wrong_nothing_is_lost_or_paid_twice_3() {
    seeds(124..136);
}
