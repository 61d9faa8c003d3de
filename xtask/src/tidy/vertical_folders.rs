//! Verticals are siblings: each folder holds the same eight names.

use super::{Problem, tree::Tree};

const VERTICALS: &str = "crates/verticals/src/";
/// What all verticals share; no vertical itself.
const SHARED: &str = "kit";

/// The eight names with what each holds; a name given two ways may be either.
const NAMES: [(&[&str], &str); 8] = [
    (
        &["mod.rs"],
        "one paragraph, the unit, the cheats defended, `impl Vertical`",
    ),
    (&["report.rs"], "what a device reports"),
    (&["report.cddl"], "the same as a contract for other languages"),
    (&["driver.rs"], "bytes from a port to reports"),
    (&["judge.rs", "judge/mod.rs"], "survey and judge"),
    (&["service.rs"], "order, shape, offer, meter"),
    (&["params.rs"], "what governance may tune, with bounds and defaults"),
    (&["cast.rs", "cast/mod.rs"], "honest and cheating devices"),
];
/// Golden samples are a folder.
const GOLDEN: &str = "golden";

pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut folders: Vec<&str> = tree
        .files
        .keys()
        .filter_map(|path| path.strip_prefix(VERTICALS)?.split_once('/').map(|(folder, _)| folder))
        .filter(|folder| *folder != SHARED)
        .collect();
    folders.dedup();
    folders.into_iter().flat_map(|folder| missing(tree, folder)).collect()
}

fn missing(tree: &Tree, folder: &str) -> Vec<Problem> {
    let at = |name: &str| format!("{VERTICALS}{folder}/{name}");
    let lacks =
        |name: &str, holds: &str| Problem::at(&at(""), 0, format!("has no `{name}`"), format!("add it: {holds}"));
    let mut problems: Vec<Problem> = NAMES
        .iter()
        .filter(|(names, _)| !names.iter().any(|name| tree.has(&at(name))))
        .map(|(names, holds)| lacks(names[0], holds))
        .collect();
    if !tree.has(&at(GOLDEN)) {
        problems.push(lacks(
            "golden/",
            "a small sample made by the cast with a fixed seed, and its findings",
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::{super::places, *};

    #[test]
    fn a_vertical_lacks_nothing_or_is_told_what() {
        let whole = [
            "mod.rs",
            "report.rs",
            "report.cddl",
            "driver.rs",
            "judge/mod.rs",
            "service.rs",
            "params.rs",
            "cast.rs",
            "golden/day.cbor",
        ];
        let mut files: Vec<(String, &str)> = whole
            .iter()
            .map(|name| (format!("{VERTICALS}sensors/{name}"), ""))
            .collect();
        files.push((format!("{VERTICALS}kit/mod.rs"), ""));
        files.push((format!("{VERTICALS}lib.rs"), ""));
        let given: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        assert!(places(check, &given).is_empty());
        let broken: Vec<(&str, &str)> = given
            .iter()
            .copied()
            .filter(|(path, _)| !path.contains("golden") && !path.contains("cddl"))
            .collect();
        assert_eq!(
            places(check, &broken),
            ["crates/verticals/src/sensors/:0", "crates/verticals/src/sensors/:0"]
        );
    }
}
