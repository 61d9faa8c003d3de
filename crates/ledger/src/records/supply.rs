//! The books: what exists of each asset, and the pots that belong to nobody's account.

use crate::economics::{self, credits::BurnCount, price::PriceState};
use crate::tables::{Record, Table};
use cairn_types::{Credit, MicroUsd, Token};
use minicbor::{Decode, Encode};

/// Tokens: what was minted, burned and kept in reserve, and what waits in pools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Emission {
    #[n(0)]
    pub supply: economics::Supply,
    /// In pools that are not paid out yet.
    #[n(1)]
    pub pooled: Token,
    /// Slashed and kept for cover.
    #[n(2)]
    pub cover: Token,
    /// Slashed so far; a part was burned, a part covers, a part went to who reported it.
    #[n(3)]
    pub slashed: Token,
}

impl Record for Emission {
    const TABLE: Table = Table::Emission;
    type Id = ();
}

/// Stablecoin: what issuers owe, and where it is when it is on no account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct StableSupply {
    /// Issued and not redeemed, by all issuers.
    #[n(0)]
    pub outstanding: MicroUsd,
    /// Behind stable-backed credits, held or in escrow or spent in an epoch that is not closed: one for one.
    #[n(1)]
    pub reserve: MicroUsd,
    /// In pools that are not paid out yet, verifiers' parts included.
    #[n(2)]
    pub pooled: MicroUsd,
    /// The cover fund.
    #[n(3)]
    pub cover: MicroUsd,
    /// Buys tokens back and burns them.
    #[n(4)]
    pub buy_back: MicroUsd,
}

impl Record for StableSupply {
    const TABLE: Table = Table::StableSupply;
    type Id = ();
}

/// Credits since genesis, by what backs them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct CreditSupply {
    #[n(0)]
    pub stable_bought: Credit,
    #[n(1)]
    pub stable_spent: Credit,
    #[n(2)]
    pub stable_refunded: Credit,
    #[n(3)]
    pub burned_bought: Credit,
    #[n(4)]
    pub burned_spent: Credit,
    /// Tokens ever burned for credits.
    #[n(5)]
    pub tokens_burned: Token,
    /// How much of that was lately.
    #[n(6)]
    pub burn_count: BurnCount,
}

impl Record for CreditSupply {
    const TABLE: Table = Table::CreditSupply;
    type Id = ();
}

/// The price rounds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Prices(#[n(0)] pub PriceState);

impl Record for Prices {
    const TABLE: Table = Table::Prices;
    type Id = ();
}
