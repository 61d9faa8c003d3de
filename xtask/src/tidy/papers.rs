//! The pages and licences a stranger looks for are there, and continuous integration runs what the README promises.

use super::{Problem, tree::Tree};

/// A file at the top, and words it must contain.
const PAPERS: [(&str, &str); 7] = [
    ("README.md", "cargo xtask test"),
    ("ARCHITECTURE.md", "#"),
    ("STYLE.md", "#"),
    ("CHANGELOG.md", "## "),
    ("LICENSE-MIT", "Permission is hereby granted, free of charge"),
    ("LICENSE-APACHE", "Version 2.0, January 2004"),
    (".ci/run", "cargo xtask test"),
];
const LAST_COMMAND: &str = "cargo xtask test";

pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, words) in PAPERS {
        match tree.files.get(path) {
            None => problems.push(Problem::at(
                path,
                0,
                "is missing",
                format!("write it; it says `{words}`"),
            )),
            Some(file) if !file.text.contains(words) => {
                problems.push(Problem::at(path, 0, format!("does not say `{words}`"), "say it"));
            }
            Some(_) => {}
        }
    }
    let last = tree
        .files
        .get(".ci/run")
        .map(|file| file.text.trim_end().lines().last().unwrap_or_default());
    if last.is_some_and(|last| last != LAST_COMMAND) {
        problems.push(Problem::at(
            ".ci/run",
            0,
            "does not end with the README's test command",
            format!("end it with `{LAST_COMMAND}`"),
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::{super::places, *};

    #[test]
    fn missing_and_empty_papers_are_named() {
        let whole: Vec<(&str, &str)> = PAPERS.to_vec();
        assert!(places(check, &whole).is_empty());
        let mut broken = whole.clone();
        broken[6].1 = "cargo xtask test --skip\n";
        broken[0].1 = "words";
        broken.remove(5);
        assert_eq!(places(check, &broken), ["README.md:0", "LICENSE-APACHE:0", ".ci/run:0"]);
    }
}
