//! Versions of the ledger's rules. Which one holds in a block is in the state, announced beforehand by the validators; so a block
//! comes out the same whenever and by whichever program it is executed. A rule that changes keeps its old form beside the new one, and
//! asks `Context::protocol` which of them holds. Never asks how old this program is.

use std::ops::RangeInclusive;

/// The first version this program knows the rules of.
pub const PROTOCOL_MIN: u16 = 1;
/// The last one.
pub const PROTOCOL_MAX: u16 = 1;

/// The versions this program speaks. A block of any other version is not to be executed by it.
pub const PROTOCOLS: RangeInclusive<u16> = PROTOCOL_MIN..=PROTOCOL_MAX;
