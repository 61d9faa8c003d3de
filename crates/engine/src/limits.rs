//! What a block may hold. These are rules of the chain: a block beyond them is invalid, so they never shrink.

/// Bytes of one transaction.
pub const TX_BYTES_MAX: usize = 128 * 1024;
/// Transactions of one block.
pub const BLOCK_TXS_MAX: usize = 8_192;
/// Bytes of all transactions and receipts of one block, with their lengths.
pub const BLOCK_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of the receipt of one transaction; one that would write more is refused with [`RECEIPT_TOO_LONG`].
pub const RECEIPT_BYTES_MAX: usize = 128 * 1024;
/// Bytes of the receipt of a block's beginning; a longer one is left out of the block, and logged.
pub const BEGIN_BYTES_MAX: usize = 1024 * 1024;
/// The refusal code of the engine itself; a machine's codes stay below.
pub const RECEIPT_TOO_LONG: u32 = u32::MAX;
/// The era's first blocks take in the records of the one before; nothing else happens yet.
pub const TAKING_OVER: u32 = u32::MAX - 1;
/// Records that are not under the era's root, or whose turn it is not.
pub const OTHER_RECORDS: u32 = u32::MAX - 2;
/// A resolution that ends another era, or that too few validators want.
pub const NO_RESOLUTION: u32 = u32::MAX - 3;
/// A transaction of more than [`TX_BYTES_MAX`]: no block can hold it.
pub const TX_TOO_LONG: u32 = u32::MAX - 4;
/// Validators of one chain: beyond a few hundred, threshold votes are too slow.
pub const VALIDATORS_MAX: usize = 128;
/// Nodes outside the validators that follow one node: memory grows with them.
pub const FOLLOWERS_MAX: usize = 32;
/// Bytes of a chain's name.
pub const CHAIN_NAME_BYTES_MAX: usize = 32;
/// Records that one question to the [`Handle`](crate::Handle) may ask for: all that any transaction of the ledger touches, and a megabyte.
pub const READ_KEYS_MAX: usize = 4_096;
/// Eras of one chain.
pub const ERAS_MAX: usize = 256;
/// Headers between a height and the certificate that finalizes it.
pub const FINALITY_HEADERS_MAX: usize = 256;
