//! The chain process.
pub mod mempool;
mod serve;
