//! Gives token or stablecoin to another account. Credits cannot be given.

use super::Asset;
use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::Account;
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::Record;
use cairn_types::{AccountId, MicroUsd, Token};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Transfer {
    #[n(0)]
    pub to: AccountId,
    #[n(1)]
    pub amount: Asset,
}

impl Transfer {
    pub(crate) fn reads(&self) -> Vec<Key> {
        vec![Account::key(&self.to)]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let mut from = context.sender(sender)?;
        ensure(
            !matches!(self.amount, Asset::Token(Token(0)) | Asset::Stable(MicroUsd(0))),
            Reject::AmountZero,
        )?;
        let mut to = context.account(&self.to, Reject::RecipientUnknown)?;
        ensure(self.to != *sender, Reject::RecipientIsSender)?;
        match self.amount {
            Asset::Token(amount) => {
                from.take_token(amount)?;
                to.give_token(amount)?;
            }
            Asset::Stable(amount) => {
                from.take_stable(amount)?;
                to.give_stable(amount)?;
            }
        }
        context.save(&from);
        context.save(&to);
        context.emit(Event::Transferred {
            from: *sender,
            to: self.to,
            amount: self.amount,
        });
        Ok(())
    }
}
