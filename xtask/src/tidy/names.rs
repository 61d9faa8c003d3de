//! Modules and folders are named after what they hold; names that hold anything, and words we say otherwise, are not used.

use super::{Problem, tree::Tree};

/// A name we do not use, and what to use.
const NAMES: [(&str, &str); 16] = [
    ("util", ""),
    ("utils", ""),
    ("common", ""),
    ("helper", ""),
    ("helpers", ""),
    ("manager", ""),
    ("managers", ""),
    ("core", ""),
    ("misc", ""),
    ("shared", ""),
    ("oracle", "verifier"),
    ("hotspot", "device"),
    ("miner", "device"),
    ("claim", "payout"),
    ("user", "operator or customer"),
    ("users", "operators or customers"),
];

pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut folders_said = Vec::new();
    for (path, file) in tree.rust() {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if let Some(problem) = refused(path, 0, name.trim_end_matches(".rs")) {
            problems.push(problem);
        }
        for part in folder.split('/').filter(|_| !folders_said.contains(&folder)) {
            problems.extend(refused(folder, 0, part.trim_start_matches("cairn-")));
        }
        folders_said.push(folder);
        for (number, line, _) in file.numbered() {
            let declared = line
                .code
                .trim()
                .trim_start_matches("pub")
                .trim_start_matches("(crate)")
                .trim();
            let inline = declared.strip_prefix("mod ").and_then(|rest| rest.strip_suffix('{'));
            problems.extend(inline.and_then(|name| refused(path, number, name.trim())));
        }
    }
    problems
}

fn refused(path: &str, line: usize, name: &str) -> Option<Problem> {
    let (_, instead) = NAMES.iter().find(|(each, _)| *each == name)?;
    let instead = if instead.is_empty() {
        "name it after the one thing it holds"
    } else {
        instead
    };
    Some(Problem::at(
        path,
        line,
        format!("`{name}` is not a name we use"),
        instead,
    ))
}

#[cfg(test)]
mod tests {
    use super::{super::places, *};

    #[test]
    fn empty_names_are_refused_as_file_folder_and_module() {
        let files = [
            ("crates/a/src/utils.rs", ""),
            ("crates/a/src/helpers/x.rs", ""),
            ("crates/a/src/helpers/y.rs", ""),
            ("crates/a/src/lib.rs", "pub mod core;\nmod misc {\n}\n"),
            ("crates/b/src/commons.rs", ""),
        ];
        assert_eq!(
            places(check, &files),
            [
                "crates/a/src/helpers:0",
                "crates/a/src/lib.rs:2",
                "crates/a/src/utils.rs:0"
            ]
        );
    }
}
