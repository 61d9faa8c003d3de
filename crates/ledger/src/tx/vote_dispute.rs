//! A validator says what a disputed epoch comes to, after it recomputed it from the archive. One vote each, never changed; more than two
//! thirds of the validators for one result decide.

use super::ballot::{Cast, validators};
use super::decide::Decision;
use super::result::Claim;
use super::settle_epoch::Exchange;
use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{Dispute, DisputeState, Epoch, Network, Pool, Settlement};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
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
        let at = (self.result.network, self.result.epoch);
        let mut keys = vec![
            Network::key(&at.0),
            Epoch::key(&at.1),
            Pool::key(&at),
            Settlement::key(&at),
            Dispute::key(&at),
        ];
        keys.extend(Claim::reads(&self.result));
        keys
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let result = &self.result;
        let at = (result.network, result.epoch);
        ensure(result.chain == context.genesis.chain, Reject::WrongChain)?;
        let network = context.network(&at.0)?;
        let epoch: Loaded<Epoch> = context.load(&at.1)?.ok_or(Reject::EpochOpen)?;
        let settlement: Loaded<Settlement> = context.load(&at)?.ok_or(Reject::NotSettled)?;
        let pool: Loaded<Pool> = context.load(&at)?.ok_or(Reject::NotSettled)?;
        let claim = Claim {
            result,
            exchange: self.exchange.as_ref(),
        };
        claim.check(&network, &epoch, &pool, context)?;
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
