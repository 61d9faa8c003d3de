//! The index: what a block changes in its tables. One block is one step; nothing here commits.
//!
//! ```text
//! checked block ─▶ apply: the ledger's own rules over `records` ─▶ receipts = the header's? ─▶ notes: a row for each fact ─▶ cursor
//! ```

pub mod apply;
mod money;
mod notes;
mod parties;
pub mod records;
mod write;

pub use apply::{Applied, ApplyError, Rules};
pub use records::{Reader, Records};
pub use write::{Cursor, cursor, device_states, header_at, set_cursor};
#[cfg(test)]
pub use write::{device as put_device, network as put_network, put_account};

/// Bits of a transaction's place in its block.
pub const TX_BITS: u32 = 13;
/// Bits of an event's place in its block.
pub const EVENT_BITS: u32 = 20;

/// The place of a transaction in the chain.
pub fn tx_at(height: u64, place: usize) -> u64 {
    height << TX_BITS | place as u64
}

/// The height and the place in the block of a transaction.
pub fn tx_place(at: u64) -> (u64, u64) {
    (at >> TX_BITS, at & ((1 << TX_BITS) - 1))
}

/// The place of an event in the chain.
pub fn event_at(height: u64, place: usize) -> u64 {
    height << EVENT_BITS | place as u64
}

/// The height and the place in the block of an event.
pub fn event_place(at: u64) -> (u64, u64) {
    (at >> EVENT_BITS, at & ((1 << EVENT_BITS) - 1))
}

/// Days since 1970, in UTC.
pub fn day_of(time_ms: u64) -> u64 {
    time_ms / 86_400_000
}
