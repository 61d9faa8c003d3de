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
    /// How long the chain was up: the time between its blocks, of each gap no more than `Limits::gap_ms_max`. Never ahead of the clock.
    #[n(15)]
    pub uptime_ms: u64,
}

/// A moment of the chain. Windows are counted in uptime and in blocks: while the chain halts nobody can act, and none passes. The time
/// is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub time: TimeMs,
    pub uptime_ms: u64,
    pub height: u64,
}

impl Chain {
    /// The last block's.
    pub fn moment(&self) -> Moment {
        Moment {
            time: self.time,
            uptime_ms: self.uptime_ms,
            height: self.height,
        }
    }

    /// The next block begins.
    pub(crate) fn go_on(&mut self, height: u64, time: TimeMs, gap_ms_max: u64) {
        let gap_ms = time.since_ms(self.time);
        self.height = height;
        self.time = self.time.max(time);
        self.uptime_ms = self.uptime_ms.saturating_add(gap_ms.min(gap_ms_max));
    }
}

impl Record for Chain {
    const TABLE: Table = Table::Chain;
    type Id = ();
}
