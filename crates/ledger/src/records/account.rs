//! Accounts and what they hold; the issuers whose promise the stablecoin is.

use crate::economics::credits::CreditBalance;
use crate::reject::Reject;
use crate::tables::{Record, Table};
use cairn_types::{AccountId, AccountNumber, BasisPoints, EpochNumber, Hash, MicroUsd, Token};
use minicbor::{Decode, Encode};

/// Whoever holds something: operators, customers, founders, verifiers, issuers.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Account {
    #[n(0)]
    pub number: AccountNumber,
    /// Hash of the rule in force; the first one is the account's id.
    #[n(1)]
    pub rule: Hash,
    /// The last nonce used.
    #[n(2)]
    pub nonce: u64,
    #[n(3)]
    pub token: Token,
    #[n(4)]
    pub stable: MicroUsd,
    #[n(5)]
    pub credits: CreditBalance,
    #[n(6)]
    pub payout_choice: PayoutChoice,
}

/// The part of its income an operator wants in stablecoin; `None`: as earned. A change holds from the next epoch on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PayoutChoice {
    #[n(0)]
    pub wants: Option<BasisPoints>,
    /// The first epoch `wants` holds for.
    #[n(1)]
    pub from: EpochNumber,
    /// What held before.
    #[n(2)]
    pub before: Option<BasisPoints>,
    /// How many choices ended: the [`PastChoice`]s of the account. Not written where there are none.
    #[cbor(n(3), skip_if = "is_zero")]
    pub past: u32,
}

/// A choice that another one replaced, so that whoever settles or audits an epoch late finds what held in it. An account's are
/// numbered from 0 as they began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PastChoice {
    #[n(0)]
    pub wants: Option<BasisPoints>,
    /// The first epoch it held for; the last one is before the next choice began.
    #[n(1)]
    pub from: EpochNumber,
}

fn is_zero(past: &u32) -> bool {
    *past == 0
}

impl PayoutChoice {
    /// The choice for the income of an epoch, if it is `from`, the one before, or later: older ones are past.
    pub fn at(&self, epoch: EpochNumber) -> Option<Option<BasisPoints>> {
        if self.from <= epoch {
            return Some(self.wants);
        }
        (self.from == epoch.next()).then_some(self.before)
    }

    /// After a change made in the open epoch, and what that put an end to: nothing, when it corrects another one made in the same
    /// epoch, which never held.
    pub fn changed(&self, wants: Option<BasisPoints>, open: EpochNumber) -> (Self, Option<PastChoice>) {
        let ended = (self.from <= open).then_some(PastChoice {
            wants: self.wants,
            from: self.from,
        });
        let now = Self {
            wants,
            from: open.next(),
            before: ended.map_or(self.before, |ended| ended.wants),
            // One an epoch at most: no chain has so many.
            past: self.past.saturating_add(u32::from(ended.is_some())),
        };
        (now, ended)
    }
}

impl Account {
    pub fn new(number: AccountNumber, rule: Hash) -> Self {
        Self {
            number,
            rule,
            nonce: 0,
            token: Token::ZERO,
            stable: MicroUsd::ZERO,
            credits: CreditBalance::default(),
            payout_choice: PayoutChoice::default(),
        }
    }

    pub fn give_token(&mut self, amount: Token) -> Result<(), Reject> {
        self.token = self.token.checked_add(amount).ok_or(Reject::AmountTooLarge)?;
        Ok(())
    }

    pub fn take_token(&mut self, amount: Token) -> Result<(), Reject> {
        self.token = self.token.checked_sub(amount).ok_or(Reject::TokenInsufficient)?;
        Ok(())
    }

    pub fn give_stable(&mut self, amount: MicroUsd) -> Result<(), Reject> {
        self.stable = self.stable.checked_add(amount).ok_or(Reject::AmountTooLarge)?;
        Ok(())
    }

    pub fn take_stable(&mut self, amount: MicroUsd) -> Result<(), Reject> {
        self.stable = self.stable.checked_sub(amount).ok_or(Reject::StableInsufficient)?;
        Ok(())
    }
}

impl Record for Account {
    const TABLE: Table = Table::Account;
    type Id = AccountId;
}

impl Record for PastChoice {
    const TABLE: Table = Table::PastChoice;
    type Id = (AccountId, u32);
}

/// Which account has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct AccountIndex {
    #[n(0)]
    pub id: AccountId,
}

impl Record for AccountIndex {
    const TABLE: Table = Table::AccountNumber;
    type Id = AccountNumber;
}

/// Who promised the stablecoin: what it issued must be redeemed by it, one dollar each.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Issuer {
    /// Locked since genesis.
    #[n(0)]
    pub bond: Token,
    /// More is never outstanding.
    #[n(1)]
    pub limit: MicroUsd,
    #[n(2)]
    pub outstanding: MicroUsd,
}

impl Record for Issuer {
    const TABLE: Table = Table::Issuer;
    type Id = AccountId;
}
