//! Runs `scripts/*.txt`: a transaction a line, its answer after ` = `. `UPDATE=1` writes the answers that came.
//!
//! A script may begin with `genesis` and the words `fees`, `full` (no room for more verifiers, one network), `late` (beacons after three blocks), `window=3600000` (for disputes), `stall=5400000` (until an unsettled epoch may be put before the validators; else never), `gap=3600000` (what counts at most of the time between two blocks), `validators=alice,bob` and `verifiers=vera:5000000,vito:3000000`.

mod world;

use std::path::Path;
use world::words::Words;
use world::{World, all_fees, genesis, genesis_validator};

fn begin(line: Option<&str>) -> World {
    let line = line.unwrap_or_default();
    let fees = if line.contains(" fees") {
        all_fees()
    } else {
        Default::default()
    };
    let listed = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("verifiers="))
        .unwrap_or("vera:5000000");
    let verifiers: Vec<(&str, u64)> = listed
        .split(',')
        .filter_map(|entry| entry.split_once(':'))
        .map(|(name, bond)| (name, bond.parse().expect("a bond")))
        .collect();
    let mut genesis = genesis(&verifiers, fees);
    if line.contains(" full") {
        (genesis.limits.networks_max, genesis.limits.verifiers_max) = (1, verifiers.len() as u16);
        genesis.limits.validators_max = 2;
    }
    if line.contains(" late") {
        genesis.limits.beacon_blocks = 3;
    }
    let window = line.split_whitespace().find_map(|word| word.strip_prefix("window="));
    genesis.limits.dispute_window_ms = window.map_or(0, |ms| ms.parse().expect("milliseconds"));
    if let Some(ms) = line.split_whitespace().find_map(|word| word.strip_prefix("stall=")) {
        genesis.limits.stall_ms = ms.parse().expect("milliseconds");
    }
    if let Some(ms) = line.split_whitespace().find_map(|word| word.strip_prefix("gap=")) {
        genesis.limits.gap_ms_max = ms.parse().expect("milliseconds");
    }
    let validators = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("validators="));
    for (place, name) in validators
        .unwrap_or_default()
        .split(',')
        .filter(|name| !name.is_empty())
        .enumerate()
    {
        genesis.validators.push(genesis_validator(name, place));
    }
    World::new(genesis)
}

/// The script with the answers that came.
fn run(text: &str) -> String {
    let mut world = begin(text.lines().find(|line| line.starts_with("genesis")));
    let mut came = String::new();
    for line in text.lines() {
        let silent = line.trim().is_empty() || line.starts_with('#') || line.starts_with("genesis");
        if silent {
            came.push_str(line);
        } else {
            let asked = line.split(" = ").next().unwrap_or(line).trim_end();
            assert!(!Words::of(asked).word(0).is_empty());
            came.push_str(&format!("{asked} = {}", world.line(asked)));
        }
        came.push('\n');
    }
    came
}

#[test]
fn every_script_answers_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let mut paths: Vec<_> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| entry.expect("a file").path())
        .collect();
    paths.sort();
    assert!(paths.len() > 20);
    for path in paths {
        let written = std::fs::read_to_string(&path).expect("a script");
        let came = run(&written);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, came).expect("the script");
            continue;
        }
        for (written, came) in written.lines().zip(came.lines()) {
            assert_eq!(written, came, "{}", path.display());
        }
    }
}

/// A refusal that no script shows is one nobody has seen happen; those that cannot be brought about here are named with why.
#[test]
fn every_refusal_is_shown_by_a_script() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    let texts: String = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| std::fs::read_to_string(entry.expect("a file").path()).expect("a script"))
        .collect();
    let missing: Vec<_> = cairn_ledger::Reject::all()
        .filter(|reject| !NOT_IN_SCRIPTS.contains(&format!("{reject:?}").as_str()))
        .filter(|reject| !texts.contains(&format!("= refused {} {reject:?}", reject.code())))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Those of the list below are shown by a test of their own.
#[test]
fn every_refusal_that_no_script_shows_is_shown_by_a_test() {
    let tests = [
        include_str!("forms.rs"),
        include_str!("passkeys.rs"),
        include_str!("forged.rs"),
        include_str!("release.rs"),
    ]
    .concat();
    let missing: Vec<_> = NOT_IN_SCRIPTS
        .iter()
        .filter(|name| !tests.contains(&format!("Reject::{name})")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

const NOT_IN_SCRIPTS: &[&str] = &[
    // More epochs than a script has lines: tests/release.rs.
    "UnreleasedTooMany",
    // Bytes and signatures: tests/forms.rs.
    "TooLong",
    "Malformed",
    "NotCanonical",
    "SignaturesIncomplete",
    "SignatureWrong",
    "SponsorWitnessWrong",
    // What passkeys sign: tests/passkeys.rs.
    "AssertionsIncomplete",
    "AssertionWrong",
    "ChunkTooLong",
    // Need a state that no chain lives to see: tests/forged.rs.
    "RosterFull",
    "OrderExists",
];
