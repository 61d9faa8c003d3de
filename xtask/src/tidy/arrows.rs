//! Crates depend on what stands above them in one list, and on nothing else of ours. What tests alone need is free.

use super::{Problem, manifests, tree::Tree};

/// The order of the crates: each may use those before it.
const ORDER: [&str; 16] = [
    "types",
    "verticals",
    "ledger",  // agreed by everyone
    "secrets", // on the disks of all
    "agent",
    "verifier",
    "engine",
    "node", // the path of a report
    "gateway",
    "router",
    "explorer", // the path of an order
    "client",
    "simulator",
    "harness",
    "fuzz",
    "cli", // around them
];

/// Arrows that point up all the same, each with its reason.
const EXCEPTIONS: [(&str, &str); 2] = [
    // both read the ledger only through what is proven, and the client is what checks it
    ("gateway", "client"),
    ("explorer", "client"),
];

pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, file) in tree.manifests() {
        let Some(user) = crate_of(path) else { continue };
        let Some(place) = place(user) else {
            problems.push(Problem::at(
                path,
                0,
                format!("crate `{user}` has no place in the order"),
                "add it to ORDER in xtask/src/tidy/arrows.rs",
            ));
            continue;
        };
        for dependency in manifests::dependencies(&file.text)
            .into_iter()
            .filter(|d| !d.only_tests)
        {
            let Some(used) = dependency.name.strip_prefix("cairn-") else {
                continue;
            };
            let above = self::place(used).is_some_and(|at| at < place);
            if !above && !EXCEPTIONS.contains(&(user, used)) {
                let says = format!("`{user}` depends on `{used}`, which does not stand above it");
                problems.push(Problem::at(
                    path,
                    dependency.line,
                    says,
                    "move what both need up, or pass it in as a value or a trait",
                ));
            }
        }
    }
    problems
}

fn place(name: &str) -> Option<usize> {
    ORDER.iter().position(|&each| each == name)
}

/// The crate a manifest belongs to: a folder of `crates`, or one beside it. What lies deeper is outside the workspace.
fn crate_of(path: &str) -> Option<&str> {
    match path.split('/').collect::<Vec<_>>()[..] {
        ["crates", name, "Cargo.toml"] => Some(name),
        ["xtask", _] => None,
        [name, "Cargo.toml"] => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::places, *};

    #[test]
    fn arrows_point_to_what_stands_above() {
        let files = [
            (
                "crates/ledger/Cargo.toml",
                "[dependencies]\ncairn-types.workspace = true\ncairn-node.workspace = true\n",
            ),
            (
                "crates/gateway/Cargo.toml",
                "[dependencies]\ncairn-client = { workspace = true }\n",
            ),
            (
                "crates/node/Cargo.toml",
                "[dev-dependencies]\ncairn-harness.workspace = true\n",
            ),
            (
                "crates/types/Cargo.toml",
                "[build-dependencies]\ncairn-types.workspace = true\n",
            ),
        ];
        assert_eq!(
            places(check, &files),
            ["crates/ledger/Cargo.toml:3", "crates/types/Cargo.toml:2"]
        );
    }

    #[test]
    fn every_crate_has_a_place() {
        assert_eq!(
            places(check, &[("crates/extras/Cargo.toml", "")]),
            ["crates/extras/Cargo.toml:0"]
        );
    }
}
