//! What steps of a workload are drawn from: how much, what is said, when, and what is wrong about it. Knows no step.

use super::{Evidence, Said, Wrong};
use proptest::prelude::*;

pub fn amount() -> impl Strategy<Value = u64> {
    prop_oneof![
        2 => Just(0u64),
        8 => 1u64..2_000,
        30 => 1_000u64..20_000_000,
        5 => 1_000_000_000u64..2_000_000_000_000,
        1 => Just(u64::MAX),
    ]
}

pub fn said() -> impl Strategy<Value = Said> {
    let variant = prop_oneof![4 => Just(0usize), 2 => Just(1), 1 => Just(2), 1 => Just(3)];
    let without = prop_oneof![5 => Just(0usize), 3 => Just(1), 2 => Just(2), 1 => Just(3)];
    (variant, without).prop_map(|(variant, without)| Said { variant, without })
}

pub fn later() -> impl Strategy<Value = u64> {
    prop_oneof![6 => Just(0u64), 2 => Just(1), 1 => Just(2)]
}

pub fn ahead() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![4 => Just(Some(3u64)), 2 => (0u64..6).prop_map(Some), 1 => Just(Some(u64::MAX >> 1)), 2 => Just(None)]
}

pub fn evidence() -> impl Strategy<Value = Evidence> {
    prop_oneof![
        Just(Evidence::NoAnchor),
        Just(Evidence::NotAnchored),
        Just(Evidence::NotJudged),
    ]
}

pub fn wrong() -> impl Strategy<Value = Wrong> {
    prop_oneof![
        12 => Just(Wrong::Nothing),
        1 => Just(Wrong::Totals),
        1 => Just(Wrong::Anchors),
        1 => Just(Wrong::Archive),
        1 => Just(Wrong::Previous),
    ]
}
