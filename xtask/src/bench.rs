//! `cargo xtask bench`: runs every bench of the table for speed and writes what they print, under a heading of the machine, to
//! docs/performance.md. Never measures anything itself.

use std::{fs, io, process::Command, process::Stdio, thread};

use crate::{cargo, root};

/// Programs that print one section of Markdown each on stdout (method, table, ratios) and their progress on stderr.
const BENCHES: [(&str, Kind, &str); 5] = [
    ("cairn-harness", Kind::Program, "bench"),
    ("cairn-router", Kind::Example, "carried"),
    ("cairn-node", Kind::Bench, "validators"),
    ("cairn-node", Kind::Bench, "catching_up"),
    ("cairn-explorer", Kind::Bench, "explorer"),
];

/// What cargo calls it.
#[derive(Clone, Copy)]
enum Kind {
    Program,
    Example,
    Bench,
}

impl Kind {
    fn arguments<'a>(self, package: &'a str, name: &'a str) -> Vec<&'a str> {
        match self {
            Self::Program => vec!["run", "--release", "--quiet", "--package", package, "--bin", name],
            Self::Example => vec!["run", "--release", "--quiet", "--package", package, "--example", name],
            Self::Bench => vec!["bench", "--quiet", "--package", package, "--bench", name],
        }
    }
}

const PAGE: &str = "docs/performance.md";

pub fn run() -> io::Result<u8> {
    let mut page = heading();
    for (package, kind, program) in BENCHES {
        eprintln!("building and running {program} of {package}");
        let output = cargo(&kind.arguments(package, program))
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            eprintln!(
                "{program} of {package} failed ({}); {PAGE} is left as it was",
                output.status
            );
            return Ok(1);
        }
        page.push('\n');
        page.push_str(String::from_utf8_lossy(&output.stdout).trim());
        page.push('\n');
    }
    fs::create_dir_all(root().join("docs"))?;
    fs::write(root().join(PAGE), page)?;
    println!("wrote {PAGE}");
    Ok(0)
}

/// What the numbers were measured on.
fn heading() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, name)| name);
    let cores = thread::available_parallelism().map_or(0, usize::from);
    let rust = said_by("rustc", &["--version"]);
    let commit = said_by("git", &["rev-parse", "--short", "HEAD"]);
    format!(
        "# Performance\n\n*Written by `cargo xtask bench`; numbers of one run on one machine. The ratios travel better than the numbers.*\n\n\
         {model}, {cores} cores · {rust} · commit {commit}\n"
    )
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    output.map_or_else(
        |_| format!("no {program}"),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
