//! Every Rust file says first what it is.

use super::{Problem, tree::Tree};

pub fn check(tree: &Tree) -> Vec<Problem> {
    tree.rust()
        .filter(|(_, file)| {
            !file
                .text
                .lines()
                .find(|line| !line.trim().is_empty())
                .is_some_and(says_something)
        })
        .map(|(path, _)| {
            Problem::at(
                path,
                1,
                "does not begin with `//!`",
                "begin with `//! what this is, and what it never does`",
            )
        })
        .collect()
}

fn says_something(first_line: &str) -> bool {
    first_line
        .strip_prefix("//!")
        .is_some_and(|words| words.split_whitespace().count() >= 2)
}

#[cfg(test)]
mod tests {
    use super::{super::places, *};

    #[test]
    fn files_without_a_first_word_are_named() {
        let files = [
            ("a.rs", "//! The a of b.\n"),
            ("b.rs", "use x;\n//! Late.\n"),
            ("c.rs", "//!\n"),
            ("d.rs", ""),
        ];
        assert_eq!(places(check, &files), ["b.rs:1", "c.rs:1", "d.rs:1"]);
    }
}
