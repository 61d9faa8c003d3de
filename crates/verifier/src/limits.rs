//! Every maximum of the verifier that is not a setting, in one place. What happens at each is said where it is used.

/// Envelopes in one request; a longer sequence is refused whole.
pub const ENVELOPES_PER_REQUEST_MAX: usize = 4_096;

/// Bytes of one request's body.
pub const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Envelopes that are checked, written and signed for together.
pub const GROUP_MAX: usize = 4_096;

/// Bytes of one group in the log, without its frame.
pub const GROUP_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of one record of the log.
pub const RECORD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Devices of one roster, and the highest device number the intake counts in arrays.
pub const DEVICE_NUMBER_MAX: u32 = 64 * 1024 * 1024;

/// Bytes of one file of the archive that is read into memory.
pub const ARCHIVE_FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

/// Good signatures after which a device that sent a bad one is checked together with the others again.
pub const STRIKES: u8 = 32;
