//! Transactions that wait for a block. `admission` checks what comes in, `pool` decides (synchronously, without a clock),
//! `source` hands out to the engine and tells whoever waits.
//!
//! ```text
//! POST /v1/transactions ─▶ admission ─▶ pool ─▶ source ─▶ engine: blocks, other nodes' pools
//!      other nodes' pools ─▶ (signatures,  (limits,   └──▶ waiters: final, refused, gone
//!                           nonce, fee)   order)
//! ```

pub mod admission;
mod pool;
mod source;

#[cfg(test)]
mod tests;

pub use pool::{Candidate, Departure, Included, Limits, Pool, PoolRefusal, Why};
pub use source::{Level, Origin, SharedPool, WAITERS_MAX};
