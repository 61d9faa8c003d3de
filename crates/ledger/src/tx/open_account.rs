//! Opens the account whose first rule signs this transaction. Its fee needs a sponsor, or fees of zero: a new account holds nothing.

use super::Signed;
use crate::context::{Context, Step};
use crate::event::Event;
use crate::records::{Account, AccountIndex};
use crate::reject::Reject;
use cairn_types::AccountNumber;
use minicbor::{CborLen, Decode, Encode};

/// The account is `hash(rule)` of the rule shown by the witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct OpenAccount {}

impl OpenAccount {
    pub(crate) fn apply(&self, signed: &Signed, context: &mut Context<'_>) -> Step<()> {
        let id = signed.transaction.account;
        let mut chain = context.chain()?;
        let number = AccountNumber(chain.accounts);
        chain.accounts = chain.accounts.checked_add(1).ok_or(Reject::AmountTooLarge)?;

        let mut account = Account::new(number, signed.witness.rule.hash());
        account.nonce = signed.transaction.nonce;
        context.insert(&id, &account);
        context.insert(&number, &AccountIndex { id });
        context.save(&chain);
        context.emit(Event::AccountOpened { account: id, number });
        Ok(())
    }
}
