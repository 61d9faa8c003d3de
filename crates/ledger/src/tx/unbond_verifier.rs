//! Takes stake back: it stops counting at once, stays liable for some epochs and as much of the chain's uptime, then returns to the
//! account by itself.

use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{Unbonding, Verifier};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, Token};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct UnbondVerifier {
    #[n(0)]
    pub amount: Token,
}

impl UnbondVerifier {
    pub(crate) fn reads(&self, sender: &AccountId) -> Vec<Key> {
        vec![Verifier::key(sender)]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        ensure(self.amount > Token::ZERO, Reject::AmountZero)?;
        let limits = &context.genesis.limits;
        let mut verifier: Loaded<Verifier> = context.load(sender)?.ok_or(Reject::NotAVerifier)?;
        let mut chain = context.chain()?;
        let left = verifier.bond.checked_sub(self.amount).ok_or(Reject::BondInsufficient)?;
        let stays = left.checked_add(verifier.joining).ok_or(Reject::AmountTooLarge)?;
        ensure(
            stays == Token::ZERO || stays >= limits.verifier_bond_min,
            Reject::BondTooSmall,
        )?;
        ensure(verifier.unbonding_amount() == Token::ZERO, Reject::AlreadyUnbonding)?;
        let unbonding = Unbonding::begin(self.amount, &chain, context.genesis);
        verifier.bond = left;
        verifier.unbonding = Some(unbonding);
        chain.bond_active = chain
            .bond_active
            .checked_sub(self.amount)
            .ok_or(Reject::BondInsufficient)?;

        context.save(&verifier);
        context.save(&chain);
        context.emit(Event::VerifierUnbonding {
            verifier: *sender,
            amount: self.amount,
            until: unbonding.until,
        });
        Ok(())
    }
}
