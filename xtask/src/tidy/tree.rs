//! The files of the repository as values: what every check reads. Never changes a file; made-up trees for tests are built the same way.

use std::{collections::BTreeMap, fs, io, path::Path};

use super::source::{self, Line};

/// What holds no source of ours: folders, and the file that stands for `.git` in a linked work tree.
const SKIPPED: [&str; 5] = ["target", ".git", "node_modules", "dist", "__pycache__"];
/// Larger files are data, not source: they are listed but not read.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// One file: its text (empty for data) and, for Rust, its lines taken apart.
#[derive(Debug, Default)]
pub struct File {
    pub text: String,
    pub rust: Vec<Line>,
    /// All of it is test code: it lies in a tests folder, or is a module that exists only under `cfg(test)`.
    pub test: bool,
}

/// Every file by its path from the root, with `/` between the parts.
#[derive(Debug, Default)]
pub struct Tree {
    pub files: BTreeMap<String, File>,
}

impl Tree {
    /// Reads the tree under `root`.
    pub fn read(root: &Path) -> io::Result<Tree> {
        let mut texts = BTreeMap::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let (kind, path) = (entry.file_type()?, entry.path());
                if SKIPPED.contains(&entry.file_name().to_string_lossy().as_ref()) {
                    continue;
                }
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() {
                    let small = entry.metadata()?.len() <= TEXT_BYTES_MAX;
                    let bytes = if small { fs::read(&path)? } else { Vec::new() };
                    let inside = path.strip_prefix(root).expect("the walk began at the root");
                    let name = inside.to_string_lossy().replace('\\', "/");
                    texts.insert(name, String::from_utf8(bytes).unwrap_or_default());
                }
            }
        }
        Ok(Tree::of(texts))
    }

    /// A tree of given texts.
    pub fn of<P: Into<String>, T: Into<String>>(texts: impl IntoIterator<Item = (P, T)>) -> Tree {
        let mut files: BTreeMap<String, File> = BTreeMap::new();
        for (path, text) in texts {
            let (path, text) = (path.into(), text.into());
            let rust = if path.ends_with(".rs") {
                source::lines(&text)
            } else {
                Vec::new()
            };
            let test = in_test_folder(&path);
            files.insert(path, File { text, rust, test });
        }
        for prefix in test_module_prefixes(&files) {
            let below = format!("{prefix}/");
            let file = format!("{prefix}.rs");
            for (path, each) in &mut files {
                each.test |= *path == file || path.starts_with(&below);
            }
        }
        Tree { files }
    }

    /// Rust files.
    pub fn rust(&self) -> impl Iterator<Item = (&str, &File)> {
        self.files
            .iter()
            .filter(|(path, _)| path.ends_with(".rs"))
            .map(|(path, file)| (path.as_str(), file))
    }

    /// Manifests of the crates, the workspace's own left out.
    pub fn manifests(&self) -> impl Iterator<Item = (&str, &File)> {
        self.files
            .iter()
            .filter(|(path, _)| path.ends_with("/Cargo.toml"))
            .map(|(path, file)| (path.as_str(), file))
    }

    /// Files whose name ends so.
    pub fn ending<'a>(&'a self, ends: &'a [&'a str]) -> impl Iterator<Item = (&'a str, &'a File)> {
        self.files
            .iter()
            .filter(move |(path, _)| ends.iter().any(|end| path.ends_with(end)))
            .map(|(path, file)| (path.as_str(), file))
    }

    /// Whether a file or a folder of this path exists.
    pub fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let below = format!("{path}/");
        self.files.contains_key(path)
            || self
                .files
                .range(below.clone()..)
                .next()
                .is_some_and(|(at, _)| at.starts_with(&below))
    }
}

impl File {
    /// Numbered lines (from 1) of a Rust file with whether each is test code.
    pub fn numbered(&self) -> impl Iterator<Item = (usize, &Line, bool)> {
        self.rust
            .iter()
            .enumerate()
            .map(|(i, line)| (i + 1, line, self.test || line.test))
    }

    /// Numbered lines (from 1) of any text.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(i, line)| (i + 1, line))
    }
}

fn in_test_folder(path: &str) -> bool {
    path.split('/')
        .any(|part| matches!(part, "tests" | "benches" | "examples" | "tests.rs"))
}

/// Path, without `.rs`, of every module declared under `cfg(test)` in another file.
fn test_module_prefixes(files: &BTreeMap<String, File>) -> Vec<String> {
    let mut prefixes = Vec::new();
    for (path, file) in files {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let below = match name {
            "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
            _ => path.trim_end_matches(".rs").to_owned(),
        };
        prefixes.extend(
            source::test_modules(&file.rust)
                .iter()
                .map(|module| format!("{below}/{module}")),
        );
    }
    prefixes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_files_are_known_by_folder_and_by_declaration() {
        let tree = Tree::of([
            ("a/src/lib.rs", "#[cfg(test)]\nmod laws;\nmod real;\n"),
            ("a/src/laws.rs", ""),
            ("a/src/laws/first.rs", ""),
            ("a/src/real.rs", ""),
            ("a/tests/story.rs", ""),
        ]);
        let tests: Vec<&str> = tree
            .rust()
            .filter(|(_, file)| file.test)
            .map(|(path, _)| path)
            .collect();
        assert_eq!(tests, ["a/src/laws.rs", "a/src/laws/first.rs", "a/tests/story.rs"]);
    }

    #[test]
    fn folders_exist_when_a_file_does() {
        let tree = Tree::of([("a/b/c.rs", ""), ("a/bc.rs", "")]);
        assert!(tree.has("a/b") && tree.has("a/b/") && tree.has("a/b/c.rs"));
        assert!(!tree.has("a/bb") && !tree.has("a/b/c"));
    }
}
