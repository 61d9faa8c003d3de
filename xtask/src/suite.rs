//! `cargo xtask test`: the house's rules, then every test, the page's last, then what was skipped and why, then the sums. Installs nothing
//! outside the target folder and the page's own.

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

use crate::{
    cargo, code_of, python, root,
    tally::Tally,
    target, tidy,
    web::{self, Missing, Web},
    with,
};

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

    // Before the tests: the page that is there is built into the program.
    let page = match of_everything(arguments) {
        true => Some(page()),
        false => None,
    };
    let passed = watch(command, |line| tally.line(line))?;
    tally.log(&fs::read_to_string(&log)?);
    let page_well = match page {
        None => true,
        Some(Ok(web)) => test_page(&web, &mut tally)?,
        Some(Err(Missing::Machine(why))) => {
            tally.reason(&format!("tests of the page: {why}"));
            true
        }
        Some(Err(Missing::Broken(why))) => {
            println!("the page: {why}");
            false
        }
    };
    if !tidy {
        println!("tidy found places to mend: see the first lines, or `cargo xtask tidy`");
    }
    println!("{}", tally.closing());
    Ok(u8::from(!(tidy && passed && page_well)))
}

/// `cargo xtask web`: the page's tests alone. Here a machine that lacks something is a failure: nothing else was asked for.
pub fn of_page() -> io::Result<u8> {
    let web = match page() {
        Ok(web) => web,
        Err(Missing::Machine(why) | Missing::Broken(why)) => return Err(io::Error::other(why)),
    };
    let built = cargo(&["build", "--package", "cairn-cli", "--bin", "cairn"]).status()?;
    if !built.success() {
        return Ok(code_of(built));
    }
    let mut tally = Tally::default();
    let well = test_page(&web, &mut tally)?;
    println!("{}", tally.closing());
    Ok(u8::from(!well))
}

/// Whether these arguments ask for all tests there are.
fn of_everything(arguments: &[String]) -> bool {
    arguments.is_empty()
}

/// The page, built.
fn page() -> Result<Web, Missing> {
    let web = Web::here_or_fetched(&root(), &target())?;
    web.build()?;
    Ok(web)
}

/// Components first: they take seconds. Both run even when one fails.
fn test_page(web: &Web, tally: &mut Tally) -> io::Result<bool> {
    let mut well = true;
    for command in [
        web.component_tests(),
        web.browser_tests(web::free_port()?, &std::path::absolute(target().join("debug/cairn"))?),
    ] {
        well &= watch(command, |line| {
            tally.page_line(line);
            true
        })?;
    }
    Ok(well)
}

/// Runs tests and shows those of their lines that `show` wants shown, as they come; answers whether all passed. Ends when the tests do,
/// even if a process they left behind still holds their output open.
fn watch(mut command: Command, mut show: impl FnMut(&str) -> bool) -> io::Result<bool> {
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
                if show(String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r'])) {
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
