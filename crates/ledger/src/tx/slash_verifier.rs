//! Takes all that a verifier has at stake, on proof that it signed two different results of one epoch of one network, or one that
//! differs from what validators decided of it. Results that build
//! on different ones before are no such two: after a dispute replaced the one before, verifiers attest anew. Nor are results that leave
//! out different anchors: when a file turns up that was left out, they attest it as well.

use super::slash::slash;
use super::stalled::is_decided;
use crate::context::{Context, Step, ensure};
use crate::records::Verifier;
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, EpochResult, Signature, Token};
use minicbor::{CborLen, Decode, Encode};

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
    /// `None`: the second is what validators decided of an epoch that verifiers did not settle. Who signed another one by the same files
    /// is as much to blame.
    #[n(4)]
    pub second_signature: Option<Signature>,
}

impl SlashVerifier {
    pub(crate) fn reads(&self) -> Vec<Key> {
        vec![Verifier::key(&self.verifier)]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let verifier: Loaded<Verifier> = context.load(&self.verifier)?.ok_or(Reject::NotAVerifier)?;
        let slashed = verifier.at_stake();
        ensure(slashed > Token::ZERO, Reject::NotAVerifier)?;
        let (first, second) = (&self.first, &self.second);
        let on_chain = first.chain == context.genesis.chain;
        ensure(on_chain && first.contradicts(second), Reject::EvidenceNotTwo)?;
        let at = (second.network, second.epoch);
        let second_holds = match &self.second_signature {
            Some(signature) => second.verify(&verifier.key, signature),
            None => is_decided(at, &second.hash(), context)?,
        };
        let signed = first.verify(&verifier.key, &self.first_signature) && second_holds;
        ensure(signed, Reject::EvidenceWrong)?;

        let rewarded = slash(&self.verifier, verifier, slashed, sender, context)?;
        let mut reporter = context.sender(sender)?;
        reporter.give_token(rewarded)?;
        context.save(&reporter);
        Ok(())
    }
}
