//! Every maximum of the verifier that is not a setting, in one place. What happens at each is said where it is used.

use std::time::Duration;

/// Envelopes that are checked, written and signed for together.
pub const GROUP_MAX: usize = 4_096;

/// Bytes of the envelopes of one group; a request is always below it.
pub const GROUP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Bytes of one frame of the log: a group at its limits with all that is written around it. A longer one is neither written nor read.
pub const FRAME_BYTES_MAX: usize = GROUP_BYTES_MAX + 16 * GROUP_MAX + 64;

/// The shortest segment of a log that takes every group.
pub const SEGMENT_BYTES_MIN: usize = FRAME_BYTES_MAX;

/// Bytes of one meter record.
pub const RECORD_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Devices of one roster, and the highest device number the intake counts in arrays.
pub const DEVICE_NUMBER_MAX: u32 = 64 * 1024 * 1024;

/// Bytes of one file of the archive that is read into memory.
pub const ARCHIVE_FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Good signatures after which a device that sent a bad one is checked together with the others again.
pub const STRIKES: u8 = 32;

/// Bytes of what providers said of an epoch's vouchers, as a verifier seals it with its reports.
pub const SEALED_METERS_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of a sealed row besides its envelope, and of a sealed file besides its rows and meters.
pub const SEALED_ROW_BYTES_MAX: u64 = 128;
pub const SEALED_FILE_BYTES_MAX: u64 = 64 * 1024;

/// Bytes of the envelopes of all verifiers' reports of one epoch of a network.
pub const UNION_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

/// Devices of one sealed file that are no members any more: each costs a question to the ledger.
pub const LEFT_DEVICES_MAX: usize = 4_096;

/// Archive files that are handed on to this verifier at once, all together and by one address. Where all places are taken the slowest
/// gives way, if it had its place for so long: who drips keeps nobody out.
pub const HANDED_AT_ONCE_MAX: usize = 8;
pub const HANDED_BY_ONE_MAX: usize = 2;
pub const HANDED_SPARED: Duration = Duration::from_secs(2);

/// KiB of such files that one address may send at once, and in each second after that; an attempt counts as the last at least.
pub const HANDED_KIB_MAX: u32 = 1024 * 1024;
pub const HANDED_KIB_PER_SECOND: u32 = 4 * 1024;
pub const HANDED_KIB_MIN: u64 = 256;

/// Bytes that must come in a second, so that nobody holds a place by dripping.
pub const HANDED_BYTES_PER_SECOND_MIN: u64 = 1024 * 1024;

/// Bytes of another verifier's findings that are read to see where they differ.
pub const FINDINGS_BYTES_MAX: u64 = 256 * 1024 * 1024;
