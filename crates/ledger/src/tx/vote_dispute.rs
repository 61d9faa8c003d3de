//! A validator says what a disputed epoch comes to, after it recomputed it from the archive. One vote each, never changed; more than two
//! thirds of the validators for one result decide.

use super::ballot::{Cast, validators};
use super::decide::Decision;
use super::result::{Claim, Settled};
use super::settle_epoch::Exchange;
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
}

impl VoteDispute {
    pub(crate) fn reads(&self) -> Vec<Key> {
        Claim::reads_settled(&self.result)
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let result = &self.result;
        let at = (result.network, result.epoch);
        ensure(result.chain == context.genesis.chain, Reject::WrongChain)?;
        let claim = Claim {
            result,
            exchange: self.exchange.as_ref(),
        };
        let Settled {
            network, settlement, ..
        } = claim.check_settled(context)?;
        let dispute: Loaded<Dispute> = context.load(&at)?.ok_or(Reject::DisputeUnknown)?;
        ensure(dispute.state == DisputeState::Open, Reject::DisputeDecided)?;
        let validators = validators(context)?;
        let choice = claim.hash();
        let cast = Cast::check(sender, dispute.ballot, choice, false, &validators, context)?;

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
            decision.apply(&claim, context)?;
        }
        Ok(())
    }
}
