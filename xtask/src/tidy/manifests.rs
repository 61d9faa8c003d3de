//! Manifests: every dependency of the workspace says why it is there and is used; members take versions, licence and lints from the workspace.

use super::{Problem, source::has_word, tree::Tree};

/// A dependency line of a manifest.
#[derive(Debug, PartialEq, Eq)]
pub struct Dependency<'a> {
    pub name: &'a str,
    /// Counted from 1.
    pub line: usize,
    pub only_tests: bool,
    /// The whole line.
    text: &'a str,
}

/// Every dependency a manifest names, in its order.
pub fn dependencies(manifest: &str) -> Vec<Dependency<'_>> {
    let mut found = Vec::new();
    let mut section = "";
    for (i, text) in manifest.lines().enumerate() {
        let line = i + 1;
        if let Some(header) = text.trim().strip_prefix('[') {
            section = header.trim_end_matches(']');
            if let Some((kind, name)) = section
                .rsplit_once('.')
                .filter(|(kind, _)| kind.ends_with("dependencies"))
            {
                found.push(Dependency {
                    name,
                    line,
                    only_tests: kind.ends_with("dev-dependencies"),
                    text,
                });
            }
        } else if section.ends_with("dependencies")
            && let Some((key, _)) = text
                .split_once('=')
                .filter(|(key, _)| !key.trim_start().starts_with('#'))
        {
            let name = key.trim().split('.').next().expect("split gives at least one part");
            found.push(Dependency {
                name,
                line,
                only_tests: section.ends_with("dev-dependencies"),
                text,
            });
        }
    }
    found
}

pub fn check(tree: &Tree) -> Vec<Problem> {
    let workspace = tree.files.get("Cargo.toml");
    let mut problems = workspace.map_or(Vec::new(), |file| {
        [without_reason(&file.text), wanted_by_none(tree, &file.text)].concat()
    });
    for (path, file) in tree.manifests() {
        if file.text.contains("\n[workspace]") || file.text.starts_with("[workspace]") {
            continue; // a package of its own, outside the workspace
        }
        for (line, inherits) in [
            ("license", "license.workspace = true"),
            ("[lints]", "[lints]\nworkspace = true"),
        ] {
            if !file.text.contains(inherits) {
                problems.push(Problem::at(
                    path,
                    0,
                    format!("`{line}` is not the workspace's"),
                    format!("write `{}`", inherits.replace('\n', " ")),
                ));
            }
        }
        for dependency in dependencies(&file.text) {
            problems.extend(outside_workspace(path, &dependency));
            problems.extend(unused(tree, path, &dependency));
        }
    }
    problems
}

/// A reason stands on the line itself, or in a comment at the head of its group (a group ends at an empty line).
fn without_reason(manifest: &str) -> Vec<Problem> {
    let lines: Vec<&str> = manifest.lines().collect();
    let reasoned = |line: usize| {
        let group = lines[..line].iter().rev().take_while(|each| !each.trim().is_empty());
        lines[line].contains('#') || group.into_iter().any(|each| each.trim_start().starts_with('#'))
    };
    dependencies(manifest)
        .into_iter()
        .filter(|dependency| !reasoned(dependency.line - 1))
        .map(|dependency| {
            let says = format!("dependency `{}` has no reason", dependency.name);
            Problem::at(
                "Cargo.toml",
                dependency.line,
                says,
                "say on its line, or above its group, what we need it for",
            )
        })
        .collect()
}

/// Dependencies of the workspace that no member names.
fn wanted_by_none(tree: &Tree, manifest: &str) -> Vec<Problem> {
    let wanted = |name: &str| {
        tree.manifests()
            .any(|(_, file)| dependencies(&file.text).iter().any(|each| each.name == name))
    };
    dependencies(manifest)
        .into_iter()
        .filter(|dependency| !wanted(dependency.name))
        .map(|dependency| {
            Problem::at(
                "Cargo.toml",
                dependency.line,
                format!("no crate uses `{}`", dependency.name),
                "delete the line",
            )
        })
        .collect()
}

fn outside_workspace(path: &str, dependency: &Dependency<'_>) -> Option<Problem> {
    let text = dependency.text.replace(' ', "");
    let inherited = text.contains("workspace=true");
    let says = format!("dependency `{}` does not come from the workspace", dependency.name);
    let instead = "declare it with its reason in the workspace's Cargo.toml and write `.workspace = true` here";
    (!inherited).then(|| Problem::at(path, dependency.line, says, instead))
}

/// A crate whose identifier no Rust file of the member names, unless a comment on its line says why it is there.
fn unused(tree: &Tree, path: &str, dependency: &Dependency<'_>) -> Option<Problem> {
    let folder = path.trim_end_matches("Cargo.toml");
    let identifier = dependency.name.replace('-', "_");
    let used = |line: &super::source::Line| has_word(&line.code, &identifier);
    let mut files = tree.rust().filter(|(file, _)| file.starts_with(folder));
    if dependency.text.contains('#') || files.any(|(_, file)| file.rust.iter().any(used)) {
        return None;
    }
    let says = format!("dependency `{}` is used nowhere in this crate", dependency.name);
    Some(Problem::at(
        path,
        dependency.line,
        says,
        "delete the line, or say in a comment on it what it switches on",
    ))
}

#[cfg(test)]
mod tests {
    use super::{super::places, *};

    const HEAD: &str = "license.workspace = true\n[lints]\nworkspace = true\n";

    #[test]
    fn dependencies_are_read_in_each_of_their_forms() {
        let text = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\n# b = 1\nc = { workspace = true }\n[dev-dependencies]\nd = \"1\"\n[dependencies.e]\nversion = \"1\"\n";
        let found: Vec<(&str, usize, bool)> = dependencies(text)
            .iter()
            .map(|d| (d.name, d.line, d.only_tests))
            .collect();
        assert_eq!(
            found,
            [("a", 4, false), ("c", 6, false), ("d", 8, true), ("e", 9, false)]
        );
    }

    #[test]
    fn each_dependency_has_a_reason_on_its_line_or_above_its_group() {
        let text = "[workspace.dependencies]\na = \"1\" # for b\n\n# group\nb = \"1\"\nc = \"1\"\n\nd = \"1\"\n";
        let member = format!(
            "{HEAD}[dependencies]\na.workspace = true # x\nb.workspace = true # x\nc.workspace = true # x\nd.workspace = true # x\n"
        );
        assert_eq!(
            places(check, &[("Cargo.toml", text), ("m/Cargo.toml", &member)]),
            ["Cargo.toml:8"]
        );
        let member = member.replace("c.workspace = true # x\n", "");
        assert_eq!(
            places(check, &[("Cargo.toml", text), ("m/Cargo.toml", &member)]),
            ["Cargo.toml:8", "Cargo.toml:6"]
        );
    }

    #[test]
    fn members_inherit() {
        let own = format!("{HEAD}[dependencies]\na = \"1\"\nb.workspace = true\n");
        let files = [
            ("m/Cargo.toml", own.as_str()),
            ("m/src/lib.rs", "use a::A; use b::B;"),
            ("n/Cargo.toml", "[package]\n"),
        ];
        assert_eq!(
            places(check, &files),
            ["m/Cargo.toml:5", "n/Cargo.toml:0", "n/Cargo.toml:0"]
        );
    }

    #[test]
    fn unused_dependencies_are_named() {
        let own = format!(
            "{HEAD}[dependencies]\na-b.workspace = true\nc.workspace = true\nd.workspace = true # switches on e\n"
        );
        let files = [
            ("m/Cargo.toml", own.as_str()),
            ("m/src/lib.rs", "use a_b::A; // c is only spoken of\n"),
        ];
        assert_eq!(places(check, &files), ["m/Cargo.toml:6"]);
    }
}
