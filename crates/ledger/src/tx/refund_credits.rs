//! Gives stable-backed credits back for stablecoin, less the refund fee, which goes to the cover fund. Burn-backed credits stay:
//! their tokens are gone.

use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{CreditSupply, StableSupply};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, Credit, MicroUsd};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct RefundCredits {
    #[n(0)]
    pub credits: Credit,
}

impl RefundCredits {
    pub(crate) fn reads(&self) -> Vec<Key> {
        vec![CreditSupply::key(&()), StableSupply::key(&())]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let mut account = context.sender(sender)?;
        let mut stable: Loaded<StableSupply> = context.single()?;
        let mut supply: Loaded<CreditSupply> = context.single()?;
        ensure(self.credits > Credit::ZERO, Reject::AmountZero)?;
        let (credits, refund) = account
            .credits
            .refund(self.credits, context.genesis.economics.refund_fee_bps)?;
        account.credits = credits;
        account.give_stable(refund.paid)?;
        let taken = MicroUsd(self.credits.0);
        stable.reserve = stable.reserve.checked_sub(taken).ok_or(Reject::PotInsufficient)?;
        stable.cover = stable.cover.checked_add(refund.fee).ok_or(Reject::AmountTooLarge)?;
        supply.stable_refunded = supply
            .stable_refunded
            .checked_add(self.credits)
            .ok_or(Reject::AmountTooLarge)?;

        context.save(&account);
        context.save(&stable);
        context.save(&supply);
        context.emit(Event::CreditsRefunded {
            account: *sender,
            credits: self.credits,
            paid: refund.paid,
            fee: refund.fee,
        });
        Ok(())
    }
}
