//! The chain's machinery: consensus, blocks, authenticated state and proofs for any [`StateMachine`]. It knows nothing of
//! what the records mean, and no other crate knows what it is made of: Commonware is named here and nowhere else.
//!
//! ```text
//! TxSource ─▶ pacing ─▶ application ─▶ consensus ─▶ state, blocks ─▶ Observer
//!             (when)    (StateMachine)  (votes)      (on disk)    └─▶ Handle: read, prove, block
//! ```

mod config;
mod engine_types;
mod finalized;
mod handle;
mod header;
mod host;
pub mod light;
pub mod limits;
mod machine;

pub use config::{Config, ConfigError, Pace, Retain, Validator};
pub use finalized::{Executed, Finalized};
pub use handle::{AskError, Ended, Handle, Latest, Records};
pub use header::{HEADER_BYTES, Header, HeaderError, SEED_BYTES};
pub use host::{Clock, ManualClock, Observer, SystemClock, Tx, TxHash, TxSource, tx_hash};
pub use machine::{Applied, BlockContext, KEY_BYTES, Key, Missing, StateMachine, VALUE_BYTES, Value, View};
