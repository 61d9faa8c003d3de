//! The economics as pure functions over plain values, one rule a file, in the order money flows. No store, no clock, no floats;
//! every product in 128 bits, every sum checked, every rounding with a direction and a loser named where it happens.
//!
//! ```text
//!  verifiers' posts ─▶ price ─▶ { low | mid | high }
//!  customer ─▶ credits (stable | burned) ─▶ order ─▶ charge ─▶ spent: R_s, R_b
//!  schedule, burns ─▶ emission ─▶ share ─▶ budget of each network
//!                                             │
//!        R_s ─▶ split ─▶ cash ───────────┐    ▼
//!                                        ├─ close ─▶ Pools ─▶ verifiers divide ─▶ leaves ─▶ no_wash ─▶ netting ─▶ balances
//!        availability (sunset), usage ───┘             └─▶ reserve, delegators, verifiers, cover, buy-back, treasury, carry
//! ```
//!
//! The ledger fixes pools with [`close_network_epoch`]; it sees no device, so density and quality weights live with the verifiers,
//! who use [`density`], [`availability`], [`usage`] and [`divide`] on what they judged, and the ledger checks each leaf with
//! [`no_wash`]. Payouts are pushed in ordered chunks; [`netting`] says how operators exchange cash and tokens on the way.

mod error;
mod parameters;

pub mod units;

pub mod price;

pub mod credits;

pub mod emission;

pub mod share;

pub mod split;

pub mod availability;

pub mod usage;

mod close;

pub mod density;

pub mod divide;

pub mod no_wash;

pub mod netting;

pub mod invariants;

pub use close::{Carry, Inputs, Pools, Spent, close_network_epoch};
pub use divide::divide;
pub use emission::{Budget, Schedule, Step, Supply};
pub use error::Error;
pub use parameters::{MULTIPLIER_MAX_BPS, MULTIPLIER_ONE_BPS, NO_WASH_BPS_MIN, Parameters, TOKEN_CAP_MAX};
pub use price::{Post, PriceState, Quote};
pub use units::Scale;
