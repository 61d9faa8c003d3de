//! Takes a part of what a verifier has at stake, on proof that it broke a receipt: it promised to have a report judged in an epoch, and
//! neither its anchor nor the final result of that epoch has it. The ledger sees hashes only. Once for each epoch of a network: many
//! broken receipts of one hour are one failure.

use super::release::load_signers;
use super::slash::slash;
use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{Anchor, AnchorPlace, Anchors, Epoch, Omission, Pool, PoolState, Roots, Settlement, Verifier};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::merkle::AbsenceProof;
use cairn_types::money::mul_div_ceil;
use cairn_types::{AccountId, AccountNumber, Hash, Receipt, Token};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct SlashReceipt {
    /// Names the verifier and is signed by it.
    #[n(0)]
    pub receipt: Receipt,
    #[n(1)]
    pub evidence: Evidence,
}

/// Why the promise is broken.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
pub enum Evidence {
    /// The verifier anchored nothing of that epoch of the network.
    #[n(0)]
    NoAnchor,
    /// The report is not under what it anchored.
    #[n(1)]
    NotAnchored(#[n(0)] AbsenceProof),
    /// The report is not among those that were judged, and that is final. A verifier that anchored a root of nothing, so that
    /// absence cannot be shown, or kept its file to itself, is caught by this. Not one whose reports others left out: it had the
    /// window to dispute that, and where nobody can, only who signed the result answers for it.
    #[n(2)]
    NotJudged(#[n(0)] AbsenceProof),
}

impl SlashReceipt {
    pub(crate) fn reads(&self) -> Vec<Key> {
        let at = (self.receipt.network, self.receipt.epoch);
        vec![
            Verifier::key(&self.receipt.group.verifier),
            Epoch::key(&at.1),
            Pool::key(&at),
            Anchors::key(&at),
            Roots::key(&at),
        ]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let Receipt {
            report, network, epoch, ..
        } = self.receipt;
        let id = self.receipt.group.verifier;
        let verifier: Loaded<Verifier> = context.load(&id)?.ok_or(Reject::NotAVerifier)?;
        let at_stake = verifier.at_stake();
        ensure(at_stake > Token::ZERO, Reject::NotAVerifier)?;
        let closed: Loaded<Epoch> = context.load(&epoch)?.ok_or(Reject::EpochOpen)?;
        let pool: Loaded<Pool> = context.load(&(network, epoch))?.ok_or(Reject::NoPool)?;
        let book = context.load::<Anchors>(&(network, epoch))?;
        let book = book.map(Loaded::into_value).unwrap_or_default();
        let ended = closed.is_anchored(&book, &context.genesis.limits, context.moment()?);
        ensure(ended, Reject::AnchorsOpen)?;
        ensure(self.receipt.verify(&verifier.key), Reject::ReceiptWrong)?;
        let place = (network, epoch, verifier.number);
        let punished = context.load::<Omission>(&place)?;
        ensure(punished.is_none(), Reject::OmissionPunished)?;
        let missing = self.is_missing(verifier.number, &pool, context)?;
        ensure(missing, Reject::ReportNotMissing)?;

        // Rounded up: whoever broke the promise loses the fraction.
        let part = context.genesis.limits.omission_bps.get();
        let amount = mul_div_ceil(at_stake.0, part.into(), 10_000).expect("a part is at most the whole");
        context.insert(&place, &Omission { report });
        context.emit(Event::ReceiptBroken {
            verifier: id,
            network,
            epoch,
            report,
        });
        let rewarded = slash(&id, verifier, Token(amount), sender, context)?;
        let mut reporter = context.sender(sender)?;
        reporter.give_token(rewarded)?;
        context.save(&reporter);
        Ok(())
    }

    /// Whether the result without the report is the verifier's own doing: it signed it, or could have disputed it.
    fn answers_for(&self, verifier: AccountNumber, context: &mut Context<'_>) -> Step<bool> {
        if context.genesis.limits.dispute_window_ms > 0 && context.chain()?.validators > 0 {
            return Ok(true);
        }
        let at = (self.receipt.network, self.receipt.epoch);
        let settlement: Option<Loaded<Settlement>> = context.load(&at)?;
        let signers = load_signers(at, settlement.map_or(0, |settlement| settlement.signers), context)?;
        Ok(signers.iter().any(|signer| signer.account == verifier))
    }

    fn is_missing(&self, verifier: AccountNumber, pool: &Pool, context: &mut Context<'_>) -> Step<bool> {
        let at = (self.receipt.network, self.receipt.epoch);
        let report = Hash(self.receipt.report.0);
        let place = context.load::<AnchorPlace>(&(at.0, at.1, verifier))?;
        Ok(match (&self.evidence, place) {
            (Evidence::NoAnchor, place) => place.is_none(),
            (Evidence::NotAnchored(_), None) => false,
            (Evidence::NotAnchored(proof), Some(place)) => {
                let anchor: Option<Loaded<Anchor>> = context.load(&(at.0, at.1, place.place))?;
                anchor.is_some_and(|anchor| proof.proves(&report, &anchor.root))
            }
            (Evidence::NotJudged(proof), _) => {
                let is_final = matches!(pool.state, PoolState::Released | PoolState::Paid);
                let roots: Option<Loaded<Roots>> = context.load(&at)?;
                let absent = roots.is_some_and(|roots| proof.proves(&report, &roots.archive));
                is_final && absent && self.answers_for(verifier, context)?
            }
        })
    }
}
