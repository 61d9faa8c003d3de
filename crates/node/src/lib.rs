//! The chain process: `mempool → engine → ledger → serve`. It orders transactions and serves what they came to; it never
//! looks into what devices report.
//!
//! ```text
//!  HTTP ─▶ serve ─▶ mempool ─▶ engine ─▶ machine (the ledger) ─▶ records, receipts
//!            ▲                    └─▶ follow ─▶ index, newest blocks, those who wait
//!            └────── state ◀──────────┘
//! ```
//! Modules stand in the order in which a transaction meets them.

pub mod genesis;

pub mod eras;

pub mod founding;

pub mod mempool;

mod machine;

mod follow;
mod index;

mod state;

pub mod upgrades;

pub mod faces;

mod serve;

mod node;

pub mod moving;

pub use cairn_engine::{Address, CatchUp, Identity, KeysError, ManualClock, SystemClock, ceremony};
pub use machine::{LedgerMachine, events, pad, reject, unpad};
pub use mempool::admission::{SubmitError, Submitted};
pub use node::{Final, LISTEN_DEFAULT, NodeConfig, NodeEnded, NodeError, NodeHandle, OutcomeError, start};
pub use serve::{ApiError, Caller, FORESEEN, HttpLimits, ROUTES, from_json, listen, reading};
pub use state::StateError;

#[cfg(test)]
mod four_validators;
#[cfg(test)]
mod largest;
#[cfg(test)]
mod voted_validators;
