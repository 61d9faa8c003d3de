//! Gives stablecoin back to an issuer, who owes the holder dollars outside: the reference says where to.

use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{Issuer, StableSupply};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, MicroUsd};
use minicbor::{CborLen, Decode, Encode};

/// Bytes of a reference at most.
pub const REFERENCE_BYTES_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct RedeemStable {
    #[n(0)]
    pub issuer: AccountId,
    #[n(1)]
    pub amount: MicroUsd,
    /// For the issuer; public, so better a hash than an account number.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub reference: Vec<u8>,
}

impl RedeemStable {
    pub(crate) fn reads(&self) -> Vec<Key> {
        vec![Issuer::key(&self.issuer), StableSupply::key(&())]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let mut from = context.sender(sender)?;
        ensure(self.amount > MicroUsd::ZERO, Reject::AmountZero)?;
        from.take_stable(self.amount)?;
        let mut issuer: Loaded<Issuer> = context.load(&self.issuer)?.ok_or(Reject::IssuerUnknown)?;
        let mut stable: Loaded<StableSupply> = context.single()?;
        issuer.outstanding = issuer
            .outstanding
            .checked_sub(self.amount)
            .ok_or(Reject::IssuerOwesLess)?;
        stable.outstanding = stable
            .outstanding
            .checked_sub(self.amount)
            .ok_or(Reject::IssuerOwesLess)?;
        ensure(self.reference.len() <= REFERENCE_BYTES_MAX, Reject::ReferenceTooLong)?;

        context.save(&from);
        context.save(&issuer);
        context.save(&stable);
        context.emit(Event::StableRedeemed {
            issuer: self.issuer,
            from: *sender,
            amount: self.amount,
            reference: self.reference.clone(),
        });
        Ok(())
    }
}
