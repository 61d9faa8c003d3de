//! Towns of several verifiers, a liar among them, and more than fifty devices, under faults: a few dozen seeds here, as many as asked
//! for with `cargo xtask simulate`. Every planted bug is found.

use cairn_harness::simulate::plants::Plant;
use cairn_harness::simulate::sweep::{self, Sweep};
use cairn_harness::simulate::watch;
use cairn_harness::simulate::{Way, play};

/// Each bug with a seed that finds it, and a property that says so.
const FOUND: [(Plant, u64, &str); 6] = [
    (Plant::NoFsync, 4, watch::HONEST),
    (Plant::ChunkTwice, 0, watch::SUPPLY),
    (Plant::QuorumByCount, 12, watch::QUORUM),
    (Plant::NoWindow, 7, watch::RIGHT),
    (Plant::NoHandOver, 27, watch::IN_TIME),
    (Plant::VoucherAgain, 0, watch::CREDITS),
];

fn seeds(from: u64, seeds: u64) {
    let tally = sweep::run(
        Sweep {
            from,
            seeds,
            threads: 1,
            way: Way::default(),
            until_broken: false,
        },
        |_| {},
    );
    let broken: Vec<String> = tally
        .broken
        .values()
        .flat_map(|run| run.broken.iter().map(|broken| format!("seed {}: {broken}", run.seed)))
        .collect();
    assert!(
        broken.is_empty(),
        "{}\nagain: cargo xtask simulate --seed N --verbose",
        broken.join("\n")
    );
    assert_eq!(tally.seeds, seeds);
    assert!(tally.receipts > 0 && tally.injected.len() > 8, "{tally}");
}

#[test]
fn whatever_goes_wrong_in_a_town_what_must_hold_holds_1() {
    seeds(0, 12);
}

#[test]
fn whatever_goes_wrong_in_a_town_what_must_hold_holds_2() {
    seeds(12, 12);
}

#[test]
fn what_must_hold_holds_on_a_ledger_on_which_four_validators_agree() {
    let way = Way {
        all_agree: true,
        ..Way::default()
    };
    let run = play(19, way, false);
    assert!(run.broken.is_empty(), "{:?}", run.broken);
    let agreed = run.agreed.expect("four validators agree");
    assert!(agreed.blocks > 100, "{agreed:?}");
}

#[test]
fn a_verifier_with_half_the_bond_that_says_nothing_keeps_nobody_from_being_paid() {
    let way = Way {
        stalls: true,
        ..Way::default()
    };
    for seed in [0, 1, 2, 3] {
        let run = play(seed, way, false);
        assert!(run.broken.is_empty(), "seed {seed}: {:?}", run.broken);
        assert!(
            run.decided > 1,
            "seed {seed}: validators settled {} epochs",
            run.decided
        );
        assert!(run.epochs_paid > 2, "seed {seed}: {} epochs were paid", run.epochs_paid);
    }
}

#[test]
fn one_seed_is_one_run_and_another_is_another() {
    let run = |seed| {
        let run = play(seed, Way::default(), true);
        (run.digest, run.story, run.injected)
    };
    let (one, again, other) = (run(5), run(5), run(6));
    assert!(one == again, "two runs of one seed differ");
    assert_ne!(one.0, other.0);
}

#[test]
fn every_planted_bug_is_found_by_its_seed() {
    assert_eq!(FOUND.map(|(plant, ..)| plant), Plant::ALL);
    for (plant, seed, property) in FOUND {
        let way = Way {
            plant: Some(plant),
            ..Way::default()
        };
        let run = play(seed, way, false);
        let named = run.broken.iter().any(|broken| broken.property == property);
        assert!(named, "{}: {:?}", plant.name(), run.broken);
    }
}
