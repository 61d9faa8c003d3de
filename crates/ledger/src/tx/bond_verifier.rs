//! Puts token at stake behind what a verifier will sign. The bond counts towards a quorum from the next epoch on.

use super::settle_epoch::load_profiles;
use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{Chain, Verifier, VerifierIndex};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, PublicKey, Token};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct BondVerifier {
    #[n(0)]
    pub amount: Token,
    /// Signs attestations and receipts; the same while anything is bonded.
    #[n(1)]
    pub key: PublicKey,
}

/// Settlements up to now are nothing it could have signed.
pub(crate) fn begin_score(id: &AccountId, chain: &Chain, context: &mut Context<'_>) -> Step<()> {
    let half = context.genesis.limits.score_half_epochs;
    for mut profile in load_profiles(&[*id], context)? {
        profile.score.seen = chain.settlements;
        profile.score = profile.score.at(chain.settlements, chain.epoch, half);
        context.save(&profile);
    }
    Ok(())
}

impl BondVerifier {
    pub(crate) fn reads(&self, sender: &AccountId) -> Vec<Key> {
        vec![Verifier::key(sender)]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let mut account = context.sender(sender)?;
        ensure(self.amount > Token::ZERO, Reject::AmountZero)?;
        account.take_token(self.amount)?;
        let limits = &context.genesis.limits;
        let mut chain = context.chain()?;
        let mut verifier = match context.load::<Verifier>(sender)? {
            Some(verifier) => verifier,
            None => {
                ensure(chain.verifiers < limits.verifiers_max, Reject::VerifiersFull)?;
                let index = chain.verifiers;
                chain.verifiers = chain.verifiers.checked_add(1).ok_or(Reject::VerifiersFull)?;
                context.insert(&index, &VerifierIndex { id: *sender });
                context.save(&chain);
                begin_score(sender, &chain, context)?;
                Loaded::new(sender, Verifier::new(account.number, index, self.key, chain.epoch))
            }
        };
        ensure(verifier.key == self.key, Reject::VerifierKeyFixed)?;
        verifier.joining = verifier
            .joining
            .checked_add(self.amount)
            .ok_or(Reject::AmountTooLarge)?;
        let bonded = verifier
            .bond
            .checked_add(verifier.joining)
            .ok_or(Reject::AmountTooLarge)?;
        ensure(bonded >= limits.verifier_bond_min, Reject::BondTooSmall)?;

        context.save(&account);
        context.save(&verifier);
        context.emit(Event::VerifierBonded {
            verifier: *sender,
            amount: self.amount,
        });
        Ok(())
    }
}
