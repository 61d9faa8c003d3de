//! Pages point at what exists: relative links in every page, and paths in backticks in the pages that map the tree.
//! A path may carry a name after `::`, which the file must then contain: `xtask/src/tidy.rs::CHECKS`.

use super::{Problem, source::has_word, tree::Tree};

/// Pages whose backticked paths are a map of the tree as it is.
const MAPS: [&str; 3] = ["README.md", "ARCHITECTURE.md", "STYLE.md"];
/// Endings that make a backticked word without a folder the name of a file.
const FILE_ENDINGS: [&str; 6] = [".rs", ".toml", ".cddl", ".md", ".txt", ".py"];

pub fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, file) in tree.ending(&[".md"]) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut fenced = false;
        for (number, line) in file.lines() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            if fenced {
                continue;
            }
            for target in link_targets(line)
                .into_iter()
                .filter(|target| !leads_to_something(tree, folder, target))
            {
                problems.push(Problem::at(
                    path,
                    number,
                    format!("links to `{target}`, which is not there"),
                    "link to where it is now",
                ));
            }
            for said in backticked(line).into_iter().filter(|_| MAPS.contains(&path)) {
                if let Some(says) = wrong_path(tree, said) {
                    problems.push(Problem::at(path, number, says, "name it as it is now"));
                }
            }
        }
    }
    problems
}

/// Targets of `[words](target)` outside inline code.
fn link_targets(line: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    for (at, _) in line.match_indices("](") {
        let in_code = line[..at].matches('`').count() % 2 == 1;
        if let Some(end) = line[at + 2..].find(')').filter(|_| !in_code) {
            targets.push(line[at + 2..at + 2 + end].trim());
        }
    }
    targets
}

fn leads_to_something(tree: &Tree, folder: &str, target: &str) -> bool {
    if target.contains("://") || target.starts_with("mailto:") || target.starts_with('#') {
        return true;
    }
    let file = target.split(['#', ' ']).next().expect("split gives at least one part");
    resolve(folder, file).is_some_and(|path| path.is_empty() || tree.has(&path))
}

/// The path from the root; none when it leaves the repository.
fn resolve(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

fn backticked(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

/// What is wrong with a backticked word, when it is a path in the tree: it is not there, or lacks the name it should hold.
fn wrong_path(tree: &Tree, said: &str) -> Option<String> {
    let (path, name) = said
        .split_once("::")
        .map_or((said, None), |(path, name)| (path, Some(name)));
    if path.is_empty()
        || path.contains(|c: char| c.is_whitespace() || "<>*{}$=,()\"".contains(c))
        || path.starts_with(['/', '.', '-']) && !tree.has(path)
    {
        return None;
    }
    let first = path.split('/').next().expect("split gives at least one part");
    let from_root = path.contains('/') && tree.has(first);
    let file_name = FILE_ENDINGS.iter().any(|ending| path.ends_with(ending));
    if !from_root && !file_name {
        return None;
    }
    let suffix = format!("/{path}");
    let found: Vec<&str> = tree
        .files
        .keys()
        .filter(|each| *each == path || (!from_root && each.ends_with(&suffix)))
        .map(String::as_str)
        .collect();
    match name {
        _ if found.is_empty() && !tree.has(path) => Some(format!("`{path}` is not there")),
        Some(name)
            if !found
                .iter()
                .any(|file| name.split("::").all(|part| has_word(&tree.files[*file].text, part))) =>
        {
            Some(format!("`{path}` does not say `{name}`"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::places, *};

    #[test]
    fn links_lead_to_something() {
        let page = "[a](../b.md#x) [c](gone.md) [d](https://x.example/y) [e](#top)\n`[f](nowhere)`\n```\n[g](nowhere)\n```\n[h](../../out.md)\n";
        assert_eq!(
            places(check, &[("docs/a.md", page), ("b.md", "")]),
            ["docs/a.md:1", "docs/a.md:6"]
        );
    }

    #[test]
    fn a_map_names_what_is_there() {
        let map = "`crates/a/src/b.rs::admit` `crates/a` `crates/<name>/x` `cargo run` `b.rs`\n`crates/a/src/gone.rs`\n`crates/a/src/b.rs::refuse`\n`c.rs`\n";
        let files = [
            ("ARCHITECTURE.md", map),
            ("crates/a/src/b.rs", "fn admit() {}"),
            ("docs/x.md", "`crates/a/gone.rs`"),
        ];
        assert_eq!(
            places(check, &files),
            ["ARCHITECTURE.md:2", "ARCHITECTURE.md:3", "ARCHITECTURE.md:4"]
        );
    }
}
