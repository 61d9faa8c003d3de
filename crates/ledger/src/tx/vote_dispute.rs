//! A validator says what a stalled epoch comes to (see [`super::stalled`]), or a disputed one, after it recomputed it from the archive: by what the settled result leaves out first,
//! and where that is what was settled, by what the disputer's claim leaves out less. One vote each, which may change until more than two
//! thirds of the validators for one result decide: a file may turn up for some of them later.

use super::ballot::{Cast, validators};
use super::decide::Decision;
use super::result::{Claim, Settled, standing, vote_hash};
use super::settle_epoch::Exchange;
use super::stalled;
use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{Dispute, DisputeState};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::Loaded;
use cairn_types::{AccountId, EpochResult};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct VoteDispute {
    /// What the epoch comes to, says the validator: the attested result, the disputer's, or another.
    #[n(0)]
    pub result: EpochResult,
    #[n(1)]
    pub exchange: Option<Exchange>,
    /// Whether those who signed what was settled are to blame: by what it leaves out itself it is wrong. Nobody is for a result that was
    /// right without what turned up later.
    #[n(2)]
    pub blame: bool,
}

impl VoteDispute {
    pub(crate) fn reads(&self) -> Vec<Key> {
        Claim::reads_settled(&self.result)
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let result = &self.result;
        let at = (result.network, result.epoch);
        ensure(result.chain == context.genesis.chain, Reject::WrongChain)?;
        if stalled::is_unsettled(at, context)? {
            return stalled::vote(self, sender, context);
        }
        let claim = Claim {
            result,
            exchange: self.exchange.as_ref(),
        };
        let Settled {
            network,
            settlement,
            pool,
        } = claim.check_settled(context)?;
        let dispute: Loaded<Dispute> = context.load(&at)?.ok_or(Reject::DisputeUnknown)?;
        if dispute.state == DisputeState::Settled {
            return stalled::sign(self, sender, &pool, settlement, context);
        }
        ensure(dispute.state == DisputeState::Open, Reject::DisputeDecided)?;
        let validators = validators(context)?;
        let choice = vote_hash(&claim.hash(), self.blame);
        let cast = Cast::check(sender, dispute.ballot, choice, &validators, context)?;
        let is_other = claim.hash() != standing(at, &settlement, context)?;
        let is_by_the_same = claim.check_without(&settlement, context)?;
        ensure(self.blame == (is_other && is_by_the_same), Reject::BlameWrong)?;

        cast.write(context);
        context.emit(Event::DisputeVoted {
            network: at.0,
            epoch: at.1,
            validator: *sender,
            choice,
        });
        if cast.decides {
            let decision = Decision {
                at,
                network,
                settlement,
                dispute,
            };
            decision.apply(&claim, self.blame, context)?;
        }
        Ok(())
    }
}
