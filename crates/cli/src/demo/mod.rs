//! The whole network in one process, on a city of rain gauges: made from a seed, or measured.
//!
//! ```text
//! city ─▶ agent ═HTTP═▶ verifier ─▶ archive ─▶ findings ─▶ ledger (BFT, in this process) ─▶ operators
//!                                      └─▶ gateway ◀═HTTP═ customer          auditor ─▶ all of it again
//! ```
//! `city` says what gauges measure, `people` who takes part, `world` starts the real services, `story` plays hour by hour, and
//! `tally` counts. Data time runs as fast as the machine allows: every service's clock is moved by hand.

pub mod city;
pub mod findings;
mod measured;
mod people;
mod purchase;
pub mod story;
pub mod tally;
pub mod world;
