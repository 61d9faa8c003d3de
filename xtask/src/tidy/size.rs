//! No production file is longer than a person reads in one sitting, and half of them are short.

use super::{Problem, tree::Tree};

const LINES_MAX: usize = 800;
const MEDIAN_LINES_MAX: usize = 200;

pub fn check(tree: &Tree) -> Vec<Problem> {
    let production = || tree.rust().filter(|(_, file)| !file.test);
    let mut problems: Vec<Problem> = production()
        .filter(|(_, file)| file.text.lines().count() > LINES_MAX)
        .map(|(path, file)| {
            let says = format!("{} lines, more than {LINES_MAX}", file.text.lines().count());
            Problem::at(
                path,
                0,
                says,
                "give each thing it lists a file of its own, or move its tests to tests.rs beside it",
            )
        })
        .collect();
    let mut lengths: Vec<usize> = production().map(|(_, file)| file.text.lines().count()).collect();
    lengths.sort_unstable();
    let median = lengths.get(lengths.len() / 2).copied().unwrap_or(0);
    if median > MEDIAN_LINES_MAX {
        let says = format!("half of the production files have {median} lines or more, the limit is {MEDIAN_LINES_MAX}");
        problems.push(Problem::at(".", 0, says, "split the long files by what they list"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::{super::places, *};

    #[test]
    fn long_production_files_are_named_and_long_tests_are_not() {
        let long = "//! x\n".repeat(LINES_MAX + 1);
        let files = [
            ("a/src/a.rs", long.as_str()),
            ("a/tests/b.rs", &long),
            ("c.rs", ""),
            ("d.rs", ""),
        ];
        assert_eq!(places(check, &files), ["a/src/a.rs:0"]);
    }

    #[test]
    fn the_median_is_kept() {
        let long = "//! x\n".repeat(MEDIAN_LINES_MAX + 1);
        assert_eq!(
            places(check, &[("a.rs", long.as_str()), ("b.rs", &long), ("c.rs", "")]),
            [".:0"]
        );
    }
}
