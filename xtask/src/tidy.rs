//! The house's rules that a program can check. Each check is a file below this one: it reads a tree of files as values, names every
//! place that breaks its rule and what to write there, and has tests of its own on made-up trees. Never changes a file.

use std::{fmt, io, path::Path};

mod arrows;
mod commonware;
mod leftovers;
mod links;
mod machine_paths;
mod manifests;
mod module_docs;
mod names;
mod papers;
mod purity;
mod size;
mod source;
mod tree;
mod unwrap;
mod vertical_folders;
mod vertical_words;

use tree::Tree;

/// One place that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub path: String,
    /// Counted from 1; zero when the whole file or folder is meant.
    pub line: usize,
    pub says: String,
    /// What to write there.
    pub instead: String,
}

type Check = fn(&Tree) -> Vec<Problem>;

/// Every rule, by the name of its file.
const CHECKS: [(&str, Check); 14] = [
    ("size", size::check),
    ("module_docs", module_docs::check),
    ("arrows", arrows::check),
    ("purity", purity::check),
    ("commonware", commonware::check),
    ("vertical_words", vertical_words::check),
    ("vertical_folders", vertical_folders::check),
    ("names", names::check),
    ("unwrap", unwrap::check),
    ("leftovers", leftovers::check),
    ("machine_paths", machine_paths::check),
    ("manifests", manifests::check),
    ("papers", papers::check),
    ("links", links::check),
];

/// Runs every check on the tree under `root`, prints what breaks and answers with the number of places.
pub fn run(root: &Path) -> io::Result<usize> {
    let tree = Tree::read(root)?;
    let mut count = 0;
    for (rule, check) in CHECKS {
        for problem in check(&tree) {
            println!("tidy/{rule}: {problem}");
            count += 1;
        }
    }
    match count {
        0 => println!(
            "tidy: {} files, {} rules, nothing to mend",
            tree.files.len(),
            CHECKS.len()
        ),
        _ => println!("tidy: {count} places to mend in {} files", tree.files.len()),
    }
    Ok(count)
}

impl Problem {
    fn at(path: &str, line: usize, says: impl Into<String>, instead: impl Into<String>) -> Problem {
        Problem {
            path: path.to_owned(),
            line,
            says: says.into(),
            instead: instead.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem {
            path,
            line,
            says,
            instead,
        } = self;
        match line {
            0 => write!(f, "{path}: {says}; instead: {instead}"),
            _ => write!(f, "{path}:{line}: {says}; instead: {instead}"),
        }
    }
}

/// Where a check finds problems in a made-up tree, as `path:line`.
#[cfg(test)]
fn places(check: Check, files: &[(&str, &str)]) -> Vec<String> {
    let problems = check(&Tree::of(files.iter().copied()));
    assert!(
        problems.iter().all(|p| !p.says.is_empty() && !p.instead.is_empty()),
        "a check names the fact and the replacement"
    );
    problems.iter().map(|p| format!("{}:{}", p.path, p.line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_place_fact_and_replacement() {
        let problem = Problem::at("a.rs", 3, "says no", "say yes");
        assert_eq!(problem.to_string(), "a.rs:3: says no; instead: say yes");
    }

    #[test]
    fn an_empty_tree_lacks_only_its_papers() {
        for (rule, check) in CHECKS {
            assert_eq!(check(&Tree::default()).is_empty(), rule != "papers", "{rule}");
        }
    }
}
