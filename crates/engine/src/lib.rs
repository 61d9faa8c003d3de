//! The chain's machinery: consensus, blocks, authenticated state and proofs for any [`StateMachine`]. It knows nothing of
//! what the records mean, and no other crate knows what it is made of: Commonware is named here and nowhere else.
//!
//! ```text
//! TxSource ─▶ pacing ─▶ application ─▶ consensus ─▶ state, blocks ─▶ Observer
//!             (when)    (StateMachine)  (votes)      (on disk)    └─▶ Handle: read, prove, block
//! ```

mod address;
mod application;
mod assemble;
mod block;
mod catch_up;
pub mod ceremony;
mod committee;
mod config;
mod ending;
mod engine_types;
mod execute;
mod feed;
mod finalized;
mod fitness;
mod handle;
mod header;
mod host;
mod key_file;
mod keys;
pub mod light;
pub mod limits;
mod machine;
mod overlay;
mod pacing;
pub mod records;
mod relay;
mod seeds;
mod service;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
pub mod state;
mod tcp;
mod tokio_node;
mod turns;

pub use address::{ADDRESS_BYTES_MAX, Address, AddressError};
pub use config::{CatchUp, Config, ConfigError, EPOCH_BLOCKS, EraStart, Pace, Retain, Validator};
pub use ending::{Approval, Resolution, is_own};
pub use finalized::{Executed, Finalized};
pub use handle::{AskError, Committee, Ended, Handle, Latest, Records};
pub use header::{HEADER_BYTES, Header, HeaderError, NOBODY, OVER, SEED_BYTES};
pub use host::{Clock, ManualClock, Observer, SystemClock, Tx, TxHash, TxSource, tx_hash};
pub use key_file::{Group, Identity, KeysError};
pub use keys::deal;
pub use machine::{Applied, BlockContext, KEY_BYTES, Key, Missing, StateMachine, VALUE_BYTES, Value, View};
pub use tokio_node::{StartError, start_tokio};

#[cfg(test)]
extern crate self as cairn_engine;
