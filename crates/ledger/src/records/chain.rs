//! Where the chain is: the open epoch, the round of prices, and how many of everything there are.

use crate::tables::{Record, Table};
use cairn_types::{EpochNumber, Hash, TimeMs, Token};
use minicbor::{Decode, Encode};

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Chain {
    /// Digest of the genesis this chain began with.
    #[n(0)]
    pub genesis: Hash,
    #[n(1)]
    pub height: u64,
    #[n(2)]
    pub time: TimeMs,
    /// The open epoch: joins, usage and orders count into it.
    #[n(3)]
    pub epoch: EpochNumber,
    /// The round in which prices are posted now.
    #[n(4)]
    pub round: u64,
    /// Epochs before this one have their beacon.
    #[n(5)]
    pub beacon_due: EpochNumber,
    #[n(6)]
    pub accounts: u32,
    #[n(7)]
    pub devices: u32,
    #[n(8)]
    pub networks: u32,
    /// Verifiers ever listed and still listed: their indexes are dense.
    #[n(9)]
    pub verifiers: u16,
    /// Bonds of all verifiers that count towards a quorum.
    #[n(10)]
    pub bond_active: Token,
    /// Orders that hold credits.
    #[n(11)]
    pub orders_open: u64,
    /// Validators on the ledger: their places are dense.
    #[n(12)]
    pub validators: u16,
    /// Ballots of validators so far.
    #[n(13)]
    pub ballots: u64,
    /// Results settled so far, of all networks: verifiers' scores count them.
    #[n(14)]
    pub settlements: u64,
}

/// A moment of the chain: windows are counted in time and in blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub time: TimeMs,
    pub height: u64,
}

impl Chain {
    /// The last block's.
    pub fn moment(&self) -> Moment {
        Moment {
            time: self.time,
            height: self.height,
        }
    }
}

impl Record for Chain {
    const TABLE: Table = Table::Chain;
    type Id = ();
}
