//! The chain's machinery has one door: Commonware is named in `crates/engine` and nowhere else.

use super::{Problem, tree::Tree};

const HOME: &str = "crates/engine/";
/// Where its versions are pinned, and where this rule is written.
const MAY_NAME_IT: [&str; 2] = ["Cargo.toml", "xtask/src/tidy"];

pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, file) in tree.ending(&[".rs", "Cargo.toml"]) {
        if path.starts_with(HOME) || path == MAY_NAME_IT[0] || path.starts_with(MAY_NAME_IT[1]) {
            continue;
        }
        for (number, _) in file
            .lines()
            .filter(|(_, line)| line.to_lowercase().contains("commonware"))
        {
            problems.push(Problem::at(
                path,
                number,
                "names Commonware",
                "say `engine`, and use what cairn-engine offers",
            ));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::{super::places, *};

    #[test]
    fn only_the_engine_names_it() {
        let files = [
            ("Cargo.toml", "commonware-p2p = \"1\""),
            ("crates/engine/src/lib.rs", "use commonware_p2p::X;"),
            ("crates/node/src/lib.rs", "//! The node.\nuse commonware_p2p::X;"),
            ("crates/node/Cargo.toml", "commonware-p2p.workspace = true"),
        ];
        assert_eq!(
            places(check, &files),
            ["crates/node/Cargo.toml:1", "crates/node/src/lib.rs:2"]
        );
    }
}
