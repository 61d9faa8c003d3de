//! Transactions that wait for a block. `pool` decides (synchronously, without a clock), `admission` checks what comes in,
//! `source` hands out to the engine and tells whoever waits.
//!
//! ```text
//! POST /v1/transactions ─▶ admission ─▶ pool ─▶ source ─▶ engine
//!                          (signatures,  (limits,   └──▶ waiters: final, refused, gone
//!                           nonce, fee)   order)
//! ```

mod pool;
mod source;

pub use pool::{Candidate, Departure, Included, Limits, Pool, PoolRefusal, Why};
pub use source::{Level, SharedPool};

#[cfg(test)]
mod tests;
