//! The whole network in one process: a city of rain gauges or a town of hotspots, made from a seed, or measured.
//!
//! ```text
//! scene ─▶ agent ═HTTP═▶ verifier ─▶ archive ─▶ findings ─▶ ledger (BFT, in this process) ─▶ operators
//!                                       └─▶ gateway ◀═HTTP═ customer          auditor ─▶ all of it again
//! ```
//! `city` and `hotspots` say what is measured and heard, `people` who takes part, `world` starts the real services, `story` plays epoch
//! by epoch, and `tally` counts. Data time runs as fast as the machine allows: every service's clock is moved by hand.

mod carried;
pub mod city;
pub mod findings;
pub mod hotspots;
mod measured;
mod people;
mod purchase;
mod receptions;
pub mod scene;
pub mod screen;
pub mod story;
pub mod tally;
pub mod world;
