//! The ledger and the node are blind to verticals: the words of what devices measure do not occur in them, in code, comments or data.
//! And verticals do not know each other.

use std::collections::BTreeMap;

use super::{Problem, tree::Tree};

const BLIND: [&str; 2] = ["crates/ledger/", "crates/node/"];

/// Words that no ledger needs; those that plain English or a metric's name also uses are left out.
const WORDS: [&str; 39] = [
    "sensor",
    "sensors",
    "senml",
    "rain",
    "rainfall",
    "weather",
    "temperature",
    "humidity",
    "station",
    "stations", // sensors
    "hotspot",
    "hotspots",
    "lorawan",
    "lora",
    "antenna",
    "packet",
    "packets", // wireless
    "gpu",
    "gpus",
    "cuda",
    "blender",
    "llm",
    "inference", // compute, inference
    "sector",
    "sectors",
    "retrieval",
    "torrent", // storage
    "dashcam",
    "imagery",
    "odometer",
    "vehicle",
    "vehicles", // mapping, vehicles
    "photovoltaic",
    "kwh",
    "inverter",
    "gnss",
    "rtcm",
    "courier",
    "couriers", // energy, gnss, labour
];
/// Words that are a metric's type in the node, so only the ledger is free of them.
const LEDGER_WORDS: [&str; 2] = ["gauge", "gauges"];

const VERTICALS: &str = "crates/verticals/src/";

pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, file) in tree
        .files
        .iter()
        .filter(|(path, _)| BLIND.iter().any(|folder| path.starts_with(folder)))
    {
        let ledger = path.starts_with(BLIND[0]);
        let mut said: BTreeMap<String, (usize, usize)> = BTreeMap::new();
        for (number, line) in file.lines() {
            for word in words(line) {
                if WORDS.contains(&word.as_str()) || (ledger && LEDGER_WORDS.contains(&word.as_str())) {
                    said.entry(word).or_insert((number, 0)).1 += 1;
                }
            }
        }
        for (word, (first, times)) in said {
            let instead = "speak of reports, units and parameters as bytes; what they mean belongs to crates/verticals";
            problems.push(Problem::at(
                path,
                first,
                format!("says `{word}`, a vertical's word ({times} in this file)"),
                instead,
            ));
        }
    }
    problems.extend(acquainted(tree));
    problems
}

/// Places where a vertical names another.
fn acquainted(tree: &Tree) -> Vec<Problem> {
    let folder_of = |path: &str| {
        path.strip_prefix(VERTICALS)
            .and_then(|rest| rest.split_once('/'))
            .map(|(folder, _)| folder.to_owned())
    };
    let mut folders: Vec<String> = tree
        .rust()
        .filter_map(|(path, _)| folder_of(path))
        .filter(|folder| folder != "kit")
        .collect();
    folders.dedup();
    let mut problems = Vec::new();
    for (path, file) in tree.rust() {
        let Some(own) = folder_of(path) else { continue };
        for (number, line, _) in file.numbered() {
            let others = folders.iter().filter(|other| **other != own);
            for other in others.filter(|other| {
                line.code.contains(&format!("crate::{other}")) || line.code.contains(&format!("super::{other}::"))
            }) {
                let instead = "share it through the kit, once two verticals need it";
                problems.push(Problem::at(
                    path,
                    number,
                    format!("`{own}` names the vertical `{other}`"),
                    instead,
                ));
            }
        }
    }
    problems
}

/// The words of a line in lower case, names in either case style taken apart.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for c in line.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && after_lower) {
            words.push(String::new());
        }
        after_lower = c.is_lowercase() || c.is_numeric();
        if c.is_alphanumeric() {
            words
                .last_mut()
                .expect("it began with one word")
                .extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::{super::places, *};

    #[test]
    fn names_are_taken_apart() {
        assert_eq!(
            words("let rainGauge = RAIN_GAUGE; GpuLease"),
            ["let", "rain", "gauge", "rain", "gauge", "gpu", "lease"]
        );
    }

    #[test]
    fn blind_crates_say_no_vertical_word() {
        let files = [
            ("crates/ledger/src/a.rs", "//! Constraints in training.\n// the rain\n"),
            ("crates/ledger/scripts/b.txt", "create_network weather\n"),
            (
                "crates/node/src/metrics.rs",
                "use prometheus_client::metrics::gauge::Gauge;\nstruct GpuCount;\n",
            ),
            ("crates/verifier/src/a.rs", "// sensors\n"),
        ];
        let expected = [
            "crates/ledger/scripts/b.txt:1",
            "crates/ledger/src/a.rs:2",
            "crates/node/src/metrics.rs:2",
        ];
        assert_eq!(places(check, &files), expected);
    }

    #[test]
    fn verticals_do_not_know_each_other() {
        let files = [
            ("crates/verticals/src/kit/mod.rs", "use crate::sensors::Sensors;"),
            (
                "crates/verticals/src/sensors/judge.rs",
                "use crate::kit::Finding;\nuse super::super::wireless::x;\nuse crate::sensors::y;",
            ),
            ("crates/verticals/src/wireless/judge.rs", "use crate::sensors::z;"),
        ];
        let expected = [
            "crates/verticals/src/kit/mod.rs:1",
            "crates/verticals/src/sensors/judge.rs:2",
            "crates/verticals/src/wireless/judge.rs:1",
        ];
        assert_eq!(places(check, &files), expected);
    }
}
