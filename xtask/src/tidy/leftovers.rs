//! Nothing is left for later: no marks, no holes, no tests that do not run, no tests that wait for a clock.

use super::{Problem, tree::Tree};

const MARKS: [&str; 3] = ["TODO", "FIXME", "XXX"];
const MARKED_FILES: [&str; 10] = [
    ".toml", ".md", ".sh", ".py", ".ts", ".tsx", ".html", ".css", ".cddl", ".yml",
];

/// What stands in code for work not done, and what to write.
const HOLES: [(&str, &str); 5] = [
    ("todo!(", "write it, or leave the item out until its first user comes"),
    ("unimplemented!(", "write it, or make the case impossible"),
    ("dbg!(", "delete it, or log with tracing"),
    (
        "#[ignore",
        "run it: make it fast, or let it skip itself with a line that says why",
    ),
    ("#[allow(dead_code", "delete what nothing calls"),
];

/// Waiting for a clock, in tests. A file with tokio's paused clock does not wait.
const WAITS: [&str; 2] = ["thread::sleep(", "time::sleep("];
const PAUSED: &str = "start_paused";

pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let marked = |text: &str| MARKS.into_iter().find(|mark| super::source::has_word(text, mark));
    let left = |path: &str, number: usize, mark: &str| {
        Problem::at(
            path,
            number,
            format!("{mark} left behind"),
            "do it, or open an issue and delete the mark",
        )
    };
    for (path, file) in tree.rust() {
        let paused = file.text.contains(PAUSED);
        for (number, line, test) in file.numbered() {
            problems.extend(marked(&line.comment).map(|mark| left(path, number, mark)));
            for (hole, instead) in HOLES.iter().filter(|(hole, _)| line.code.contains(hole)) {
                problems.push(Problem::at(path, number, format!("`{hole}` in code"), *instead));
            }
            if test && !paused && WAITS.iter().any(|wait| line.code.contains(wait)) {
                let instead = "wait for the event itself, or step a clock that the test owns";
                problems.push(Problem::at(path, number, "a test sleeps", instead));
            }
        }
    }
    for (path, file) in tree.ending(&MARKED_FILES) {
        problems.extend(
            file.lines()
                .filter_map(|(number, line)| Some(left(path, number, marked(line)?))),
        );
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::{super::places, *};

    #[test]
    fn marks_and_holes_are_named() {
        let text = "// TODO later\nlet s = \"TODO\";\nfn f() { todo!() }\n#[ignore]\nfn g() {}\n";
        let files = [("a.rs", text), ("b.md", "fine\nFIXME\n"), ("c.txt", "XXX")];
        assert_eq!(places(check, &files), ["a.rs:1", "a.rs:3", "a.rs:4", "b.md:2"]);
    }

    #[test]
    fn tests_do_not_sleep_unless_the_clock_is_theirs() {
        let sleeps = "fn f() { std::thread::sleep(d); }\n";
        let paused = "#[tokio::test(start_paused = true)]\nasync fn f() { tokio::time::sleep(d).await; }\n";
        assert_eq!(
            places(
                check,
                &[
                    ("a/tests/a.rs", sleeps),
                    ("a/tests/b.rs", paused),
                    ("a/src/c.rs", sleeps)
                ]
            ),
            ["a/tests/a.rs:1"]
        );
    }
}
