//! Disputes of attested results, and epochs that verifiers did not settle and were put before the validators.

use crate::tables::{Record, Table};
use cairn_types::{AccountId, EpochNumber, Hash, NetworkId, TimeMs, Token};
use minicbor::{Decode, Encode};

/// How a dispute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum DisputeState {
    /// Validators vote; money waits.
    #[n(0)]
    Open,
    /// The attested result was right.
    #[n(1)]
    Rejected,
    /// The attested result was wrong and is replaced.
    #[n(2)]
    Upheld,
    /// The attested result was right without some reports that are to be had by now: it is replaced by one over them, and nobody is to
    /// blame.
    #[n(3)]
    Completed,
    /// Verifiers attested nothing in time: what the validators found is the result.
    #[n(4)]
    Settled,
}

/// A bonded claim of what an epoch of a network comes to: that its attested result is wrong, or, where none was attested in time, that it
/// is stalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Dispute {
    #[n(0)]
    pub state: DisputeState,
    /// Names its votes: of validators on what the epoch comes to.
    #[n(1)]
    pub ballot: u64,
    #[n(2)]
    pub disputer: AccountId,
    /// Held while it is open.
    #[n(3)]
    pub bond: Token,
    /// Hash of the result that the disputer claims, exchange included.
    #[n(4)]
    pub claim: Hash,
    #[n(5)]
    pub opened: TimeMs,
    /// How many anchors the claimed result leaves out, while it is open; see [`super::WithoutPage`].
    #[n(6)]
    pub without: u16,
}

impl Record for Dispute {
    const TABLE: Table = Table::Dispute;
    type Id = (NetworkId, EpochNumber);
}
