//! Every target, on noise and on mutants of its valid inputs, with fixed seeds: the same inputs on every machine and every day.

use std::panic::{AssertUnwindSafe, catch_unwind};

use cairn_fuzz::{Target, mutate::Mutator, targets};

const NOISE_PER_TARGET: usize = 1_000;
const MUTANTS_PER_TARGET: usize = 3_000;

/// Runs a target and, when it breaks, says on which bytes.
fn feed(target: &Target, input: &[u8]) -> bool {
    catch_unwind(AssertUnwindSafe(|| (target.run)(input)))
        .unwrap_or_else(|_| panic!("{} broke on {}", target.name, hex::encode(input)))
}

#[test]
fn valid_inputs_are_taken_and_their_beginnings_never_break() {
    for target in targets() {
        for seed in (target.seeds)() {
            assert!(
                feed(target, &seed),
                "{} refuses its own {}",
                target.name,
                hex::encode(&seed)
            );
            for end in 0..seed.len().min(512) {
                feed(target, &seed[..end]);
            }
        }
    }
}

#[test]
fn noise_breaks_nothing() {
    for target in targets() {
        let mut mutator = Mutator::new(1);
        for _ in 0..NOISE_PER_TARGET {
            feed(target, &mutator.noise());
        }
    }
}

#[test]
fn mutants_break_nothing() {
    for target in targets() {
        let seeds = (target.seeds)();
        let mut mutator = Mutator::new(2);
        for _ in 0..MUTANTS_PER_TARGET {
            feed(target, &mutator.mutant(&seeds));
        }
    }
}

#[test]
fn targets_have_names_of_their_own() {
    let mut names: Vec<&str> = targets().map(|target| target.name).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}
