//! `cargo xtask`: what a person does with this repository, each as one command. Never part of the product; needs nothing but Rust.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::{Command, ExitCode, ExitStatus},
};

mod bench;
mod python;
mod simulate;
mod suite;
mod tally;
mod tidy;
mod web;

const HELP: &str = "\
cargo xtask <command>

  check                 what a change must pass before it is shown: tidy, formatting, lints
  test [arguments]      tidy, then every test of the workspace and of the page, then what was skipped and why
                        (arguments go to `cargo test` instead of --workspace, e.g. `-p cairn-ledger`)
  web                   build the page and run its tests alone
  demo [arguments]      build the page (where there is Node with npm) and the program, and run `cairn demo`: a whole
                        network in one process, from signed reports to paid operators and an audit
                        (`cargo xtask demo --help`)
  simulate [arguments]  play towns with faults from seeds: --seeds N [--from S], --seed S --verbose for the story of
                        one, --plant NAME with a planted bug (`cargo xtask simulate --help`)
  bench [names]         build for speed, measure, and write docs/performance.md; names choose benches (`bench nothing` lists
                        them), the others' sections stay
  kill [arguments]      build for speed, run validators and verifiers as processes, and kill them at random moments
                        (--kills N, --seed N, --committee-blocks N, --data ../shared/data/weather; a few kills are among the
                        tests)
  tidy                  only the house's rules: sizes, arrows between crates, names, pages

Each works from a fresh clone with Rust and a C compiler. Some tests need more, and say so when they skip:

  a foreign CBOR/COSE library and an S3 server   python3 with venv; installed into target/venv from xtask/requirements.txt
                                                 (or CAIRN_PYTHON, an interpreter that has them)
  a real MQTT client and broker                  mosquitto_pub and mosquitto in PATH
  an index in PostgreSQL                         its programs under /usr/lib/postgresql (or CAIRN_POSTGRES, their folder)
  the page in a browser                          Node 20.19 or later with npm, or python3 with venv; packages and Chromium
                                                 come from the npm registry into web/node_modules
  measured data                                  ../shared/data, or CAIRN_DATA

Random cases are the same in every run. PROPTEST_RNG_SEED=N draws others, PROPTEST_CASES=N more of them.
CARGO_TARGET_DIR is honoured. Exit codes: 0 well, 1 something failed, 2 no such command; `demo` and `simulate` have the
program's own.
";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let command = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    let done = match command.as_str() {
        "check" => check(),
        "test" => suite::run(&rest),
        "web" => suite::of_page(),
        "demo" => demo(&rest),
        "bench" => bench::run(&rest),
        "kill" => kill(&rest),
        "simulate" => simulate::run(&rest),
        "tidy" => tidy::run(&root()).map(|problems| u8::from(problems > 0)),
        "" | "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(0)
        }
        unknown => {
            eprint!("`{unknown}` is not a command\n\n{HELP}");
            Ok(2)
        }
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("xtask {command}: {error}");
            ExitCode::from(1)
        }
    }
}

/// Runs all three even when one fails: one run shows everything there is to mend.
fn check() -> io::Result<u8> {
    let tidy = tidy::run(&root())? == 0;
    let formatted = cargo(&["fmt", "--all", "--check"]).status()?.success();
    let linted = cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
        .status()?
        .success();
    for (what, well, mend) in [
        ("tidy", tidy, "the lines above name each replacement"),
        ("formatting", formatted, "run `cargo fmt --all`"),
        ("lints", linted, "clippy names each above"),
    ] {
        println!("{what}: {}", if well { "well" } else { mend });
    }
    Ok(u8::from(!(tidy && formatted && linted)))
}

/// Words of ours go to stderr: stdout belongs to the program.
fn demo(arguments: &[String]) -> io::Result<u8> {
    match web::Web::here(&root()).and_then(|web| web.build()) {
        Ok(()) => {}
        Err(web::Missing::Machine(why)) => eprintln!("without the page, for which Node with npm is needed ({why})"),
        Err(web::Missing::Broken(why)) => eprintln!("without the page: {why}"),
    }
    eprintln!(
        "building cairn for speed (minutes the first time, seconds after), then: cairn demo {}",
        arguments.join(" ")
    );
    let built = cargo(&["build", "--release", "--package", "cairn-cli", "--bin", "cairn"]).status()?;
    if !built.success() {
        return Ok(code_of(built));
    }
    let run = cargo(&[
        "run",
        "--release",
        "--quiet",
        "--package",
        "cairn-cli",
        "--bin",
        "cairn",
        "--",
        "demo",
    ]);
    Ok(code_of(with(run, arguments).status()?))
}

/// The long form of a test: a program of its own, with figures.
fn kill(arguments: &[String]) -> io::Result<u8> {
    let run = cargo(&[
        "test",
        "--release",
        "--quiet",
        "--package",
        "cairn-cli",
        "--test",
        "kills",
        "--",
    ]);
    let many = "--kills 50 --verifiers 3 --devices 40 --epoch-seconds 10 --pause-seconds 10 --cut-seconds 10 --committee-blocks 64";
    let many: Vec<String> = many.split_whitespace().map(str::to_owned).collect();
    // What is asked for later counts.
    Ok(code_of(with(with(run, &many), arguments).status()?))
}

/// The workspace's folder.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("xtask lies in the workspace's folder").to_owned()
}

/// Where builds go.
fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A cargo command on this workspace, run in the caller's folder. What cargo told xtask about itself is not passed on: build scripts
/// would take it for a change and build again.
fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let told = |name: &str| {
        ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_str().is_some_and(told)) {
        command.env_remove(name);
    }
    command
        .args(&arguments[..1])
        .arg("--manifest-path")
        .arg(root().join("Cargo.toml"))
        .args(&arguments[1..]);
    command
}

fn with(mut command: Command, arguments: &[String]) -> Command {
    command.args(arguments);
    command
}

/// The exit code to pass on; one when a signal ended the command.
fn code_of(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
