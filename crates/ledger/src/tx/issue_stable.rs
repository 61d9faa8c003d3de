//! An issuer named in genesis puts stablecoin on an account: its promise to redeem each for a dollar.

use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{Account, Issuer, StableSupply};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, MicroUsd};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct IssueStable {
    #[n(0)]
    pub to: AccountId,
    #[n(1)]
    pub amount: MicroUsd,
}

impl IssueStable {
    pub(crate) fn reads(&self, sender: &AccountId) -> Vec<Key> {
        vec![Account::key(&self.to), Issuer::key(sender), StableSupply::key(&())]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        ensure(self.amount > MicroUsd::ZERO, Reject::AmountZero)?;
        let mut to = context.account(&self.to, Reject::RecipientUnknown)?;
        let mut issuer: Loaded<Issuer> = context.load(sender)?.ok_or(Reject::NotAnIssuer)?;
        let mut stable: Loaded<StableSupply> = context.single()?;
        let owed = issuer
            .outstanding
            .checked_add(self.amount)
            .ok_or(Reject::AmountTooLarge)?;
        ensure(owed <= issuer.limit, Reject::IssuerLimitReached)?;
        issuer.outstanding = owed;
        stable.outstanding = stable
            .outstanding
            .checked_add(self.amount)
            .ok_or(Reject::AmountTooLarge)?;
        to.give_stable(self.amount)?;

        context.save(&issuer);
        context.save(&stable);
        context.save(&to);
        context.emit(Event::StableIssued {
            issuer: *sender,
            to: self.to,
            amount: self.amount,
        });
        Ok(())
    }
}
