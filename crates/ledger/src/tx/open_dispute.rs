//! Claims, with a bond, what an epoch comes to that is not settled in time (see [`super::stalled`]), or that an attested result is wrong, or
//! leaves out what is to be had by now, and says which one is right. Until the validators have decided, the money of that epoch waits, and
//! with it what builds on it: later epochs of the same network, and nothing else.

use super::ballot;
use super::decide::hold;
use super::release::load_signers;
use super::result::{Claim, Settled, standing};
use super::settle_epoch::Exchange;
use super::{stalled, without};
use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{Account, Dispute, DisputeState, PoolState, Whose};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::Loaded;
use cairn_types::{AccountId, EpochResult};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct OpenDispute {
    /// What the epoch comes to, says the disputer.
    #[n(0)]
    pub claimed: EpochResult,
    /// The exchange among its operators, if there is one.
    #[n(1)]
    pub exchange: Option<Exchange>,
}

impl OpenDispute {
    pub(crate) fn reads(&self) -> Vec<Key> {
        Claim::reads_settled(&self.claimed)
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let result = &self.claimed;
        let at = (result.network, result.epoch);
        ensure(result.chain == context.genesis.chain, Reject::WrongChain)?;
        if stalled::is_unsettled(at, context)? {
            return stalled::open(self, sender, context);
        }
        let limits = context.genesis.limits;
        let mut disputer = context.sender(sender)?;
        disputer.take_token(limits.dispute_bond)?;
        let claim = Claim {
            result,
            exchange: self.exchange.as_ref(),
        };
        let Settled { settlement, pool, .. } = claim.check_settled(context)?;
        ensure(context.chain()?.validators > 0, Reject::NoValidators)?;
        ensure(context.load::<Dispute>(&at)?.is_none(), Reject::DisputeExists)?;
        let over = limits.is_over(limits.dispute_window_ms, settlement.settled(), context.moment()?);
        ensure(pool.state == PoolState::Settled && !over, Reject::DisputeTooLate)?;
        ensure(
            claim.hash() != standing(at, &settlement, context)?,
            Reject::ClaimIsSettled,
        )?;
        claim.check_without(&settlement, context)?;
        let signers = load_signers(at, settlement.signers, context)?;

        hold(&signers, context)?;
        put(&claim, sender, &disputer, context)
    }
}

/// Writes down an open case of `sender`, whose account put up the bond, and tells it.
pub(super) fn put(
    claim: &Claim<'_>,
    sender: &AccountId,
    account: &Loaded<Account>,
    context: &mut Context<'_>,
) -> Step<()> {
    let claimed = claim.result;
    let at = (claimed.network, claimed.epoch);
    let dispute = Dispute {
        state: DisputeState::Open,
        ballot: ballot::next(context)?,
        disputer: *sender,
        bond: context.genesis.limits.dispute_bond,
        claim: claim.hash(),
        opened: context.block.time,
        without: without::count(claimed),
    };
    without::write(at, Whose::Claimed, claimed, context);
    context.save(account);
    context.insert(&at, &dispute);
    context.emit(Event::DisputeOpened {
        network: at.0,
        epoch: at.1,
        disputer: dispute.disputer,
        bond: dispute.bond,
        claim: dispute.claim,
    });
    Ok(())
}
