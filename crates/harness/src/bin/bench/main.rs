//! The benches, each a ratio against what bounds it physically, measured in the same run: one section of Markdown on stdout,
//! progress on stderr. Every bench has a process of its own, so that no memory of one is in the numbers of another. It
//! judges nobody: a ratio below its aim is printed like any other.
//!
//! `cargo xtask bench`, or `bench NAME` for one.

mod assess;
mod coverage;
mod devices;
mod intake;
mod method;
mod roster;
mod settle;
mod transfers;
mod verifiers;

use method::Section;
use std::env;
use std::process::{Command, ExitCode, Stdio};

/// A bench by its name.
type Bench = (&'static str, fn() -> Section);

/// In the order of the path of a report; what each prints.
const BENCHES: [Bench; 8] = [
    ("intake", intake::run),
    ("assess", assess::run),
    ("coverage", coverage::run),
    ("verifiers", verifiers::run),
    ("settle", settle::run),
    ("transfers", transfers::run),
    ("agent-memory", devices::agent),
    ("collector-memory", devices::collector),
];

/// One process' part of a bench that runs in several.
const PARTS: [Bench; 2] = [(intake::PART, intake::part), (transfers::PART, transfers::part)];

fn main() -> ExitCode {
    let done = match env::args().nth(1) {
        Some(name) => one(&name),
        None => {
            println!("{}", method::heading());
            BENCHES.iter().all(|(name, _)| in_its_own_process(name))
        }
    };
    if done { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn one(name: &str) -> bool {
    if let Some((_, part)) = PARTS.iter().find(|(known, _)| *known == name) {
        return match part() {
            Ok(rows) => {
                print!("{rows}");
                true
            }
            Err(error) => {
                eprintln!("{name}: {error}");
                false
            }
        };
    }
    let Some((_, run)) = BENCHES.iter().find(|(known, _)| *known == name) else {
        let names: Vec<&str> = BENCHES.iter().map(|(name, _)| *name).collect();
        eprintln!("no bench {name}; there are {}", names.join(", "));
        return false;
    };
    let load = method::load();
    match run() {
        Ok(text) => {
            println!("{text}\n\n*Load average {load} before, {} after.*\n", method::load());
            true
        }
        Err(error) => {
            eprintln!("{name}: {error}");
            false
        }
    }
}

fn in_its_own_process(name: &str) -> bool {
    eprintln!("bench {name}");
    let output =
        env::current_exe().and_then(|program| Command::new(program).arg(name).stderr(Stdio::inherit()).output());
    match output {
        Ok(output) if output.status.success() => {
            print!("{}", String::from_utf8_lossy(&output.stdout));
            true
        }
        Ok(output) => {
            eprintln!("bench {name} ended with {}", output.status);
            false
        }
        Err(error) => {
            eprintln!("bench {name} did not start: {error}");
            false
        }
    }
}
