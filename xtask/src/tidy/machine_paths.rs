//! No file knows the machine it was written on.

use super::{Problem, tree::Tree};

/// Folders that exist on someone's machine only; written apart, so that this file passes its own check.
const FOLDERS: [&str; 4] = [
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
    concat!("/ho", "me/"),
];

pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, file) in &tree.files {
        for (number, line) in file.lines() {
            if let Some(folder) = FOLDERS.into_iter().find(|folder| begins_a_path(line, folder)) {
                let instead = "a path relative to the repository, an environment variable, or a temporary folder";
                problems.push(Problem::at(
                    path,
                    number,
                    format!("names `{folder}`, a folder of one machine"),
                    instead,
                ));
            }
        }
    }
    problems
}

/// Whether `folder` occurs where a path begins, not in the middle of another path or address.
fn begins_a_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-/~}>*)".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::{super::places, *};

    #[test]
    fn absolute_paths_are_named_and_relative_ones_are_not() {
        let bad = format!("a = \"{}x\"\n", FOLDERS[0]);
        let good = format!("a = \"src{}x\"\nhttps://a.example{}\n", FOLDERS[1], FOLDERS[2]);
        assert_eq!(
            places(check, &[("a.toml", bad.as_str()), ("b.toml", &good)]),
            ["a.toml:1"]
        );
    }
}
