//! `cargo xtask test`: the house's rules, then every test, then what was skipped and why, then the sums. Installs nothing outside the
//! target folder.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Write},
    mem,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use crate::{cargo, python, root, tally::Tally, target, tidy, with};

/// A file to which tests may append the lines of what they skipped.
const SKIP_LOG: &str = "CAIRN_SKIP_LOG";
/// Lines read but not yet shown.
const LINES_AHEAD_MAX: usize = 1_024;
/// How long no line may come before we look whether the tests have ended.
const SILENCE: Duration = Duration::from_millis(500);
/// What random cases are drawn from, and what it is unless the caller says: one commit's tests do the same wherever they run.
const RANDOM_SEED: (&str, &str) = ("PROPTEST_RNG_SEED", "1");
/// A folder of measured data.
const DATA: &str = "CAIRN_DATA";

pub fn run(arguments: &[String]) -> io::Result<u8> {
    let tidy = tidy::run(&root())? == 0;
    let mut tally = Tally::default();
    let log = target().join("skipped.log");
    fs::create_dir_all(target())?;
    fs::write(&log, "")?;
    let mut command = command(arguments);
    command.env(SKIP_LOG, &log);
    if env::var_os(RANDOM_SEED.0).is_none() {
        command.env(RANDOM_SEED.0, RANDOM_SEED.1);
    }
    match python::environment(&target(), &root().join("xtask/requirements.txt")) {
        Ok(python) => lend(&mut command, &python),
        Err(why) => {
            tally.reason(&format!("tests that speak to Python: {why}"));
        }
    }
    let data = root().join("../shared/data");
    if env::var_os(DATA).is_none() && data.is_dir() {
        command.env(DATA, fs::canonicalize(data)?);
    }

    let passed = watch(command, &mut tally)?;
    tally.log(&fs::read_to_string(&log)?);
    if !tidy {
        println!("tidy found places to mend: see the first lines, or `cargo xtask tidy`");
    }
    println!("{}", tally.closing());
    Ok(u8::from(!(tidy && passed)))
}

/// Runs the tests and shows their lines as they come; answers whether all passed. Ends when the tests do, even if a process they left
/// behind still holds their output open.
fn watch(mut command: Command, tally: &mut Tally) -> io::Result<bool> {
    let mut tests = command.stdout(Stdio::piped()).spawn()?;
    let mut printed = BufReader::new(tests.stdout.take().expect("stdout is piped"));
    let (sender, lines) = mpsc::sync_channel(LINES_AHEAD_MAX);
    thread::spawn(move || {
        let mut line = Vec::new();
        while printed.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0)
            && sender.send(mem::take(&mut line)).is_ok()
        {}
    });
    loop {
        match lines.recv_timeout(SILENCE) {
            Ok(line) => {
                if tally.line(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r'])) {
                    io::stdout().write_all(&line)?;
                }
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(tests.wait()?.success()),
            Err(RecvTimeoutError::Timeout) => {
                if let Some(status) = tests.try_wait()? {
                    return Ok(status.success());
                }
            }
        }
    }
}

/// `cargo test` on the workspace, or as the arguments say; all programs run even when one fails.
fn command(arguments: &[String]) -> Command {
    let split = arguments
        .iter()
        .position(|each| each == "--")
        .unwrap_or(arguments.len());
    let mut command = with(cargo(&["test", "--no-fail-fast"]), &arguments[..split]);
    if split == 0 {
        command.arg("--workspace");
    }
    command
        .args(["--", "--show-output"])
        .args(arguments.iter().skip(split + 1));
    command
}

/// Tests find the interpreter by its variable, and the programs beside it in PATH.
fn lend(command: &mut Command, python: &Path) {
    command.env(python::VARIABLE, python);
    let beside = python.parent().map(Path::to_owned);
    let path = env::var_os("PATH").unwrap_or_default();
    if let Ok(path) = env::join_paths(beside.into_iter().chain(env::split_paths(&path))) {
        command.env("PATH", path);
    }
}
