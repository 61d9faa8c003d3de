//! Takes all that a verifier has at stake, on proof that it signed two different results of one epoch of one network.
//! Half is burned, three tenths go to cover, two tenths to whoever shows it: who reports itself loses four fifths.

use crate::context::{Context, Step, ensure};
use crate::economics::invariants;
use crate::event::Event;
use crate::records::{Emission, Verifier};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, BasisPoints, EpochResult, Signature, Token};
use minicbor::{CborLen, Decode, Encode};

const BURNED: BasisPoints = BasisPoints::new(5_000).expect("below the whole");
const REWARDED: BasisPoints = BasisPoints::new(2_000).expect("below the whole");

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct SlashVerifier {
    #[n(0)]
    pub verifier: AccountId,
    #[n(1)]
    pub first: EpochResult,
    #[n(2)]
    pub first_signature: Signature,
    #[n(3)]
    pub second: EpochResult,
    #[n(4)]
    pub second_signature: Signature,
}

impl SlashVerifier {
    pub(crate) fn reads(&self) -> Vec<Key> {
        vec![Verifier::key(&self.verifier)]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let mut reporter = context.sender(sender)?;
        let mut chain = context.chain()?;
        let mut emission: Loaded<Emission> = context.single()?;
        let mut verifier: Loaded<Verifier> = context.load(&self.verifier)?.ok_or(Reject::NotAVerifier)?;
        let slashed = verifier.at_stake();
        ensure(slashed > Token::ZERO, Reject::NotAVerifier)?;
        let (first, second) = (&self.first, &self.second);
        let same_epoch = first.network == second.network && first.epoch == second.epoch;
        let on_chain = first.chain == context.genesis.chain && second.chain == context.genesis.chain;
        ensure(same_epoch && on_chain && first != second, Reject::EvidenceNotTwo)?;
        let signed =
            first.verify(&verifier.key, &self.first_signature) && second.verify(&verifier.key, &self.second_signature);
        ensure(signed, Reject::EvidenceWrong)?;

        let (burned, rewarded) = (slashed.part(BURNED), slashed.part(REWARDED));
        let cover = slashed.saturating_sub(burned).saturating_sub(rewarded);
        debug_assert_eq!(invariants::slash_is_split(slashed, burned, cover, rewarded), Ok(()));
        reporter.give_token(rewarded)?;
        chain.bond_active = chain
            .bond_active
            .checked_sub(verifier.bond)
            .ok_or(Reject::BondInsufficient)?;
        emission.supply.burned = emission
            .supply
            .burned
            .checked_add(burned)
            .ok_or(Reject::AmountTooLarge)?;
        emission.cover = emission.cover.checked_add(cover).ok_or(Reject::AmountTooLarge)?;
        emission.slashed = emission.slashed.checked_add(slashed).ok_or(Reject::AmountTooLarge)?;
        (verifier.bond, verifier.joining, verifier.unbonding) = (Token::ZERO, Token::ZERO, None);

        context.save(&reporter);
        context.save(&chain);
        context.save(&emission);
        context.save(&verifier);
        context.emit(Event::VerifierSlashed {
            verifier: self.verifier,
            burned,
            cover,
            reporter: *sender,
            rewarded,
        });
        Ok(())
    }
}
