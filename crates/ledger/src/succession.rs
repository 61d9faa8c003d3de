//! A ledger that moved to an era of other validators: its list of validators becomes theirs, and whoever of them has no account yet gets an
//! empty one. Called once for an era, on the records with which it begins. Moves no money.

use crate::account::Rule;
use crate::records::{Account, AccountIndex, Chain, Validator};
use crate::store::{Missing, Store};
use crate::tables::{self, Record};
use cairn_types::{AccountNumber, ValidatorKey};

/// A validator of the era that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successor {
    /// Of the account that votes in its name, as it was when it was opened.
    pub rule: Rule,
    pub key: ValidatorKey,
    pub address: String,
}

/// Why the validators of an era cannot be those of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SuccessionError {
    #[error("there is no ledger")]
    NoLedger,
    #[error("the ledger cannot count more accounts or validators")]
    TooMany,
    #[error("a record is not at hand: {0:?}")]
    Missing(Missing),
}

impl From<Missing> for SuccessionError {
    fn from(missing: Missing) -> Self {
        Self::Missing(missing)
    }
}

/// Puts these validators in the place of all that were there. Votes that others gave count no more, as those of any who left.
pub fn take_over(store: &mut dyn Store, successors: &[Successor]) -> Result<(), SuccessionError> {
    let mut chain = tables::load::<Chain>(store, &())?.ok_or(SuccessionError::NoLedger)?;
    let (before, mut validators) = (chain.validators, 0u16);
    for successor in successors {
        let id = successor.rule.account_id();
        let number = match tables::load::<Account>(store, &id)? {
            Some(account) => account.number,
            None => {
                let number = AccountNumber(chain.accounts);
                chain.accounts = chain.accounts.checked_add(1).ok_or(SuccessionError::TooMany)?;
                tables::insert(store, &id, &Account::new(number, successor.rule.hash()));
                tables::insert(store, &number, &AccountIndex { id });
                number
            }
        };
        let validator = Validator {
            account: id,
            number,
            key: successor.key,
            address: successor.address.clone(),
        };
        tables::insert(store, &validators, &validator);
        validators = validators.checked_add(1).ok_or(SuccessionError::TooMany)?;
    }
    for place in validators..before {
        store.delete(&Validator::key(&place));
    }
    chain.validators = validators;
    tables::save(store, &chain);
    Ok(())
}
