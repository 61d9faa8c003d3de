//! Networks: who founded them, on what terms, what they hold, and what was used of them in the open epoch.

use crate::economics::{Carry, Spent};
use crate::tables::{Record, Table};
use cairn_types::{AccountId, Credit, EpochNumber, Hash, MicroUsd, NetworkId, NetworkNumber, Token};
use minicbor::{Decode, Encode};

/// Bytes of a network's parameters at most. The ledger never reads them.
pub const PARAMETERS_BYTES_MAX: usize = 1_024;
/// Bytes of parameters in one record.
pub const PARAMETER_PAGE_BYTES: usize = 240;

/// Epochs of a network from the oldest unreleased one to the oldest unsettled one at most: a decision goes through all of them.
pub const UNRELEASED_MAX: u64 = 256;

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Network {
    #[n(0)]
    pub number: NetworkNumber,
    /// Unique among its founder's networks; 1 to 32 bytes.
    #[n(1)]
    pub name: String,
    /// What judges its reports; the ledger only passes it on. 1 to 16 bytes.
    #[n(2)]
    pub vertical: String,
    #[n(3)]
    pub founder: AccountId,
    /// Who may draw on the treasury.
    #[n(4)]
    pub treasurer: AccountId,
    /// H3 resolution of the public place of its devices: exactly this one.
    #[n(5)]
    pub resolution: u8,
    #[n(6)]
    pub bond: Token,
    #[n(7)]
    pub created: EpochNumber,
    /// The last epoch of a network that is being closed.
    #[n(8)]
    pub closes: Option<EpochNumber>,
    /// Entries in its roster.
    #[n(9)]
    pub roster: u32,
    /// The oldest epoch that is neither settled nor expired.
    #[n(10)]
    pub unsettled: EpochNumber,
    #[n(11)]
    pub treasury_token: Token,
    #[n(12)]
    pub treasury_stable: MicroUsd,
    /// Set aside for fees of those who join.
    #[n(13)]
    pub allowance: Token,
    /// What leaves left of earlier pools: used before anything is minted.
    #[n(14)]
    pub carry_token: Token,
    #[n(15)]
    pub carry_stable: MicroUsd,
    /// The oldest epoch that is neither released nor expired: money moves in order.
    #[n(16)]
    pub unreleased: EpochNumber,
    /// The last open epoch in which verifiers could not settle all that is due: before it nothing expires.
    #[n(17)]
    pub held: EpochNumber,
}

impl Network {
    /// Whether so many epochs wait for their release that no more are settled.
    pub fn is_held(&self) -> bool {
        self.unsettled.0.saturating_sub(self.unreleased.0) >= UNRELEASED_MAX
    }

    pub fn carry(&self) -> Carry {
        Carry {
            tokens: self.carry_token,
            micro_usd: self.carry_stable,
        }
    }
}

impl Record for Network {
    const TABLE: Table = Table::Network;
    type Id = NetworkId;
}

/// Which network has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct NetworkIndex {
    #[n(0)]
    pub id: NetworkId,
}

impl Record for NetworkIndex {
    const TABLE: Table = Table::NetworkNumber;
    type Id = NetworkNumber;
}

/// One version of a network's terms; its bytes are in pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct TermsVersion {
    /// Counted from 0; names the pages.
    #[n(0)]
    pub version: u32,
    /// The first epoch it holds for.
    #[n(1)]
    pub from: EpochNumber,
    /// Of the parameter bytes.
    #[n(2)]
    pub hash: Hash,
    #[n(3)]
    pub bytes: u16,
    /// Micro-USD for 10^6 service units.
    #[n(4)]
    pub price_micro_usd: u64,
}

impl TermsVersion {
    /// Records its parameters take.
    pub fn pages(&self) -> u8 {
        let pages = usize::from(self.bytes).div_ceil(PARAMETER_PAGE_BYTES);
        u8::try_from(pages).expect("parameters are at most 1,024 bytes")
    }
}

/// The terms in force and those that follow at the next epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Terms {
    #[n(0)]
    pub current: TermsVersion,
    #[n(1)]
    pub next: Option<TermsVersion>,
}

impl Record for Terms {
    const TABLE: Table = Table::Terms;
    type Id = NetworkId;
}

/// A piece of a version's parameter bytes: (network, version, page).
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ParameterPage {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
}

impl Record for ParameterPage {
    const TABLE: Table = Table::ParameterPage;
    type Id = (NetworkId, u32, u8);
}

/// What customers used of a network in the open epoch, and its share of the emission.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Usage {
    #[n(0)]
    pub stable: Credit,
    #[n(1)]
    pub burned: Credit,
    /// Chain of hashes over the vouchers settled in this epoch.
    #[n(2)]
    pub meters: Hash,
    /// How many were settled.
    #[n(3)]
    pub settled: u32,
    /// Of the ledger's emission, in parts of `economics::share::WHOLE`.
    #[n(4)]
    pub share: u64,
}

impl Usage {
    pub fn spent(&self) -> Spent {
        Spent {
            stable: self.stable,
            burned: self.burned,
        }
    }
}

impl Record for Usage {
    const TABLE: Table = Table::Usage;
    type Id = NetworkId;
}
