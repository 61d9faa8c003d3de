//! Verifiers and their bonds.

use super::{Chain, Score};
use crate::genesis::Genesis;
use crate::tables::{Record, Table};
use cairn_types::{AccountId, AccountNumber, EpochNumber, Price, PublicKey, Token};
use minicbor::{Decode, Encode};

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Verifier {
    #[n(0)]
    pub number: AccountNumber,
    /// Its place in the list of verifiers.
    #[n(1)]
    pub index: u16,
    /// Signs attestations and receipts. Fixed while it has a bond, so that what it signed can be held against it.
    #[n(2)]
    pub key: PublicKey,
    /// Counts towards a quorum.
    #[n(3)]
    pub bond: Token,
    /// Bonded in the open epoch: counts from the next.
    #[n(4)]
    pub joining: Token,
    /// On its way back, still liable.
    #[n(5)]
    pub unbonding: Option<Unbonding>,
    /// Its last word on the price and the round it was for.
    #[n(6)]
    pub price: Option<(Price, u64)>,
    /// The epoch in which it was first bonded: from this one on it anchors what it collected.
    #[n(7)]
    pub since: EpochNumber,
    /// Open disputes of results it signed: while there is one, its stake does not leave.
    #[n(8)]
    pub held: u32,
}

/// What a verifier says of itself, and how its word compared with what was settled. It outlives the bond.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Profile {
    /// Where it is reached; empty when it does not say.
    #[n(0)]
    pub url: String,
    #[n(1)]
    pub score: Score,
}

impl Record for Profile {
    const TABLE: Table = Table::VerifierProfile;
    type Id = AccountId;
}

/// Stake that leaves. Of nothing after all of it was slashed: until every window is over in which what it signed can be disputed, a
/// verifier stays on record, so that a dispute finds who it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Unbonding {
    #[n(0)]
    pub amount: Token,
    /// Returned when this epoch closes, or a later one: by then the chain must have been up long enough.
    #[n(1)]
    pub until: EpochNumber,
    /// The chain's uptime by which every window is over in which something can be held against it.
    #[n(2)]
    pub until_uptime_ms: u64,
}

impl Unbonding {
    /// From now on, as long as genesis wants stake to stay liable.
    pub fn begin(amount: Token, chain: &Chain, genesis: &Genesis) -> Self {
        let epochs = genesis.limits.unbond_epochs;
        Self {
            amount,
            until: EpochNumber(chain.epoch.0.saturating_add(epochs)),
            until_uptime_ms: chain.uptime_ms.saturating_add(epochs.saturating_mul(genesis.epoch_ms)),
        }
    }
}

impl Verifier {
    /// With nothing at stake yet.
    pub fn new(number: AccountNumber, index: u16, key: PublicKey, since: EpochNumber) -> Self {
        Self {
            number,
            index,
            key,
            bond: Token::ZERO,
            joining: Token::ZERO,
            unbonding: None,
            price: None,
            since,
            held: 0,
        }
    }

    pub fn unbonding_amount(&self) -> Token {
        self.unbonding.map_or(Token::ZERO, |unbonding| unbonding.amount)
    }

    /// The stake that returns when an epoch closes at some uptime of the chain.
    pub fn leaving(&self, closing: EpochNumber, uptime_ms: u64) -> Option<Unbonding> {
        self.unbonding
            .filter(|unbonding| unbonding.until <= closing && unbonding.until_uptime_ms <= uptime_ms && self.held == 0)
    }

    /// With nothing at stake, and nothing it signed that could still be disputed.
    pub fn is_gone(&self) -> bool {
        self.at_stake() == Token::ZERO && self.unbonding.is_none() && self.held == 0
    }

    /// All that is at stake; genesis' cap on the supply keeps it countable.
    pub fn at_stake(&self) -> Token {
        Token::checked_sum([self.bond, self.joining, self.unbonding_amount()]).expect("below the cap of the supply")
    }
}

impl Record for Verifier {
    const TABLE: Table = Table::Verifier;
    type Id = AccountId;
}

/// The list of verifiers, dense from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct VerifierIndex {
    #[n(0)]
    pub id: AccountId,
}

impl Record for VerifierIndex {
    const TABLE: Table = Table::VerifierIndex;
    type Id = u16;
}
