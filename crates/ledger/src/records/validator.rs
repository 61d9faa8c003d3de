//! Validators on the ledger, and what they vote on.

use crate::tables::{Record, Table};
use cairn_types::{AccountId, AccountNumber, Hash, ValidatorKey};
use minicbor::{Decode, Encode};

/// A member of consensus, by its place in a dense list.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Validator {
    /// Votes in its name.
    #[n(0)]
    pub account: AccountId,
    #[n(1)]
    pub number: AccountNumber,
    /// By which its peers know it.
    #[n(2)]
    pub key: ValidatorKey,
    /// Where its peers reach it.
    #[n(3)]
    pub address: String,
}

impl Record for Validator {
    const TABLE: Table = Table::Validator;
    type Id = u16;
}

/// The ballot on a validator's key that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct ValidatorBallot {
    #[n(0)]
    pub ballot: u64,
}

impl Record for ValidatorBallot {
    const TABLE: Table = Table::ValidatorBallot;
    type Id = ValidatorKey;
}

/// A validator's vote: (ballot, its account's number).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Vote {
    /// Hash of what it voted for.
    #[n(0)]
    pub choice: Hash,
}

impl Record for Vote {
    const TABLE: Table = Table::Vote;
    type Id = (u64, AccountNumber);
}
