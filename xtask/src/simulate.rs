//! `cargo xtask simulate`: builds the simulator of crates/harness for speed, with all assertions on, and runs it with the arguments
//! it was given. Never plays anything itself.

use std::io;
use std::process::Command;

use crate::{cargo, code_of, with};

/// The simulator's own crates are built like their dependencies: optimised, but with overflow checks and assertions, which a
/// simulation wants.
const OPTIMISED: (&str, &str) = ("CARGO_PROFILE_DEV_OPT_LEVEL", "2");
/// But for the engine: it is generic glue, takes many minutes to optimise, and wins little.
const BUT_ONE: [&str; 2] = ["--config", "profile.dev.package.cairn-engine.opt-level=0"];

pub fn run(arguments: &[String]) -> io::Result<u8> {
    Ok(code_of(simulator(arguments).status()?))
}

fn simulator(arguments: &[String]) -> Command {
    let built = ["run", "--quiet", "--package", "cairn-harness", "--bin", "simulate"];
    let run: Vec<&str> = built.into_iter().chain(BUT_ONE).chain(["--"]).collect();
    let mut command = with(cargo(&run), arguments);
    command.env(OPTIMISED.0, OPTIMISED.1);
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    #[test]
    fn cargo_is_told_what_to_do_first_and_the_simulator_gets_the_rest() {
        let command = simulator(&["--seed".to_owned(), "7".to_owned()]);
        let told: Vec<&OsStr> = command.get_args().collect();
        assert_eq!(told[0], "run");
        assert_eq!(told[told.len() - 3..], ["--", "--seed", "7"]);
    }
}
