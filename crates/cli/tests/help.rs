//! The help of every command, as `docs/cli.md` has it. `UPDATE=1 cargo test -p cairn-cli --test help` writes the page anew.
#![allow(clippy::unwrap_used, reason = "all of it is a test")]

use std::path::Path;
use std::process::Command;

/// What `cairn help COMMAND…` says.
fn help(of: &[String]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cairn"));
    let said = command.arg("help").args(of).env_remove("CAIRN_HOME").output().unwrap();
    assert!(said.status.success(), "cairn help {of:?}");
    let text = String::from_utf8(said.stdout).unwrap();
    text.lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n")
        .trim()
        .to_owned()
}

/// The names under `Commands:`.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    listed
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn page(of: &[String], into: &mut String) {
    let help = help(of);
    let name = std::iter::once("cairn")
        .chain(of.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join(" ");
    let mark = if of.is_empty() { "#" } else { "##" };
    into.push_str(&format!("\n{mark} {name}\n\n```text\n{help}\n```\n"));
    for command in commands(&help) {
        let mut deeper = of.to_vec();
        deeper.push(command);
        page(&deeper, into);
    }
}

#[test]
fn the_reference_is_what_the_program_says() {
    let mut said = "<!-- Written by crates/cli/tests/help.rs with UPDATE=1; not by hand. -->\n".to_owned();
    page(&[], &mut said);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &said).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == said,
        "docs/cli.md is not what `cairn help` says; write it anew with UPDATE=1"
    );
    for named in [
        "cairn demo",
        "cairn device register",
        "cairn export income",
        "cairn config show",
    ] {
        assert!(said.contains(&format!("## {named}\n")), "{named}");
    }
}

#[test]
fn every_service_starts_what_the_program_knows() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/operate");
    let mut units = 0;
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if file.extension().is_none_or(|kind| kind != "service") {
            continue;
        }
        let unit = std::fs::read_to_string(&file).unwrap();
        let line = unit
            .lines()
            .find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/cairn "));
        let line = line.unwrap_or_else(|| panic!("{}", file.display()));
        // Words that are unknown come before the help.
        let mut command = Command::new(env!("CARGO_BIN_EXE_cairn"));
        let said = command.args(line.split_whitespace()).arg("--help").output().unwrap();
        assert!(
            said.status.success(),
            "{line}: {}",
            String::from_utf8_lossy(&said.stderr)
        );
        units += 1;
    }
    assert!(units > 0);
}
