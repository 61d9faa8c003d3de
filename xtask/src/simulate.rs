//! `cargo xtask simulate`: builds the simulator of crates/harness for speed, with all assertions on, and runs it with the arguments
//! it was given. Never plays anything itself.

use std::io;

use crate::{cargo, code_of, with};

/// The simulator's own crates are built like their dependencies: optimised, but with overflow checks and assertions, which a
/// simulation wants.
const OPTIMISED: (&str, &str) = ("CARGO_PROFILE_DEV_OPT_LEVEL", "2");

pub fn run(arguments: &[String]) -> io::Result<u8> {
    let built = ["--package", "cairn-harness", "--bin", "simulate"];
    let run = ["run", "--quiet"].into_iter().chain(built).chain(["--"]);
    let mut command = with(cargo(&run.collect::<Vec<_>>()), arguments);
    command.env(OPTIMISED.0, OPTIMISED.1);
    Ok(code_of(command.status()?))
}
