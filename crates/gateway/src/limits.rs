//! Every maximum of the gateway. Those that an operator may set are in `Limits`; what happens at each is said where it is used.

use std::time::Duration;

/// Cells of one query at most. A coarse cell stands for all cells inside it.
pub const CELLS_MAX: usize = 256;

/// Days of one query at most.
pub const DAYS_MAX: u64 = 366;

/// Epochs of one query at most, whatever their length.
pub const EPOCHS_MAX: u64 = 20_000;

/// Bytes of a quantity's name.
pub const QUANTITY_BYTES_MAX: usize = 32;

/// Bytes of a request's body.
pub const BODY_BYTES_MAX: usize = 32 * 1024;

/// Bytes of a question in an address: all cells of a query, and room.
pub const ASKED_BYTES_MAX: usize = 8 * 1024;

/// Purchases of an API key that are remembered: asked for again, they are delivered again.
pub const LATELY_MAX: usize = 256;

/// Rows of one group in an exported Parquet file: what is held beside the answer itself.
pub const GROUP_ROWS: usize = 65_536;

/// Bytes of an export on their way to a caller at once.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// Results of released epochs remembered, so that the ledger is asked once for each.
pub const RESULTS_MAX: usize = 100_000;

/// What an operator may set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Rows of one answer; more is asked for in parts.
    pub rows_max: u64,
    /// Readings kept in memory from epochs read before, 24 bytes each.
    pub cached_readings_max: usize,
    /// Quotes and deliveries at once; more are told to come back.
    pub queries_max: usize,
    /// For reading the archive for one query.
    pub scan_wait_max: Duration,
    /// Sales that are not settled, metered and closed yet; while there are more, nothing is sold.
    pub pending_max: usize,
    /// API keys in use; while there are more, none begins to be.
    pub keys_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rows_max: 1_000_000,
            cached_readings_max: 1_000_000,
            queries_max: 4,
            scan_wait_max: Duration::from_secs(60),
            pending_max: 1_024,
            keys_max: 16_384,
        }
    }
}
