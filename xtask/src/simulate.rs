//! `cargo xtask simulate`: builds the simulator of crates/harness for speed, with all assertions on, and runs it with the arguments
//! it was given. Never plays anything itself.

use std::io;

use crate::{cargo, code_of, with};

/// The simulator's own crates are built like their dependencies: optimised, but with overflow checks and assertions, which a
/// simulation wants.
const OPTIMISED: (&str, &str) = ("CARGO_PROFILE_DEV_OPT_LEVEL", "2");
/// But for the engine: it is generic glue, takes many minutes to optimise, and wins little.
const BUT_ONE: [&str; 2] = ["--config", "profile.dev.package.cairn-engine.opt-level=0"];

pub fn run(arguments: &[String]) -> io::Result<u8> {
    let built = ["--package", "cairn-harness", "--bin", "simulate"];
    let run = BUT_ONE.into_iter().chain(["run", "--quiet"]).chain(built).chain(["--"]);
    let mut command = with(cargo(&run.collect::<Vec<_>>()), arguments);
    command.env(OPTIMISED.0, OPTIMISED.1);
    Ok(code_of(command.status()?))
}
