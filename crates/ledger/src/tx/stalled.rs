//! Epochs that verifiers do not settle. A verifier with a third of the bond, silent or of another opinion, keeps the others from a quorum;
//! then whoever has a bond puts the epoch before the validators, who decide it as they decide disputes: by recomputing it, and by votes.
//!
//! ```text
//! closed ─ stall_ms of uptime, no result ─▶ open_dispute ─┬─ more than two thirds of the validators: settled, without signers
//!                                                         ├─ a quorum of verifiers after all: settled, the case ends
//!                                                         └─ neither until the epoch expires: as without it, the case ends
//! ```
//! **Who, and for what bond.** Anybody, once for each epoch, for the bond of a dispute. It returns whatever comes of the case, unless the
//! validators find another result by the same files than was claimed: then it is lost as by a false dispute. A claim that leaves out
//! other files than the validators had is no lie. No more than one epoch of a network can be stalled, the oldest one.
//!
//! **Whose result.** The validators' alone: what was claimed binds nobody. So it does not matter who opens a case, and an empty claim does
//! no harm. Verifiers' stake is not held: nobody signed anything that could be wrong.
//!
//! **Another window?** Nobody may dispute what validators decided: the same ones would compute the same again. It waits for its window
//! all the same. Until its money moves verifiers take what it was judged by from whoever hands it on, and sign what was decided.
//!
//! **Who is paid.** Verifiers who sign the decided result before its release share the verifiers' part by their bonds; what of it nobody
//! signs for is carried on, as what no leaf gets. Whoever stays silent loses its reward and nothing else. Who signed another result by the
//! same files loses all it has at stake, to whoever shows that (`slash_verifier`). Scores stay as they are: the ledger cannot see who was
//! silent and who was kept from a quorum.

use super::ballot::{Cast, validators};
use super::decide::{forfeit, return_bond};
use super::open_dispute::{self, OpenDispute};
use super::release::{self, load_signers, skip_expired, write_signers};
use super::result::{Claim, standing};
use super::vote_dispute::VoteDispute;
use super::without;
use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{
    Dispute, DisputeState, Epoch, ExchangeBook, Moment, Network, Pool, PoolState, Roots, Settlement, Signer, Verifier,
    Whose,
};
use crate::reject::Reject;
use crate::tables::Loaded;
use cairn_types::{AccountId, EpochNumber, NetworkId, Token};

type At = (NetworkId, EpochNumber);

/// An epoch that is to be settled next.
struct Due {
    network: Loaded<Network>,
    epoch: Loaded<Epoch>,
    pool: Loaded<Pool>,
}

/// Whether there is a pool of an epoch and no result.
pub(super) fn is_unsettled(at: At, context: &mut Context<'_>) -> Step<bool> {
    let (settlement, pool) = (context.load::<Settlement>(&at), context.load::<Pool>(&at));
    let is_closed = pool?.is_some_and(|pool| pool.state == PoolState::Closed);
    Ok(settlement?.is_none() && is_closed)
}

fn due(at: At, context: &mut Context<'_>) -> Step<Due> {
    let network = context.network(&at.0)?;
    let open = context.chain()?.epoch;
    ensure(at.1 < open, Reject::EpochOpen)?;
    let due = skip_expired(&at.0, network.unsettled, open, context)?;
    ensure(at.1 == due, Reject::EpochNotNext)?;
    let pool: Loaded<Pool> = context.load(&at)?.ok_or(Reject::EpochNotNext)?;
    let epoch: Loaded<Epoch> = context.load(&at.1)?.ok_or(Reject::EpochOpen)?;
    Ok(Due { network, epoch, pool })
}

/// Since when verifiers could settle what is due: its closing, or that of the last epoch in which a dispute kept them from it; `None`: that
/// one is open still. And since when the result before it is in force.
fn since(at: At, due: &Due, context: &mut Context<'_>) -> Step<Option<(Moment, Option<Moment>)>> {
    let from = at.1.max(due.network.held);
    let closed = context.load::<Epoch>(&from)?.map(|epoch| epoch.closed());
    let before = at.1.0.checked_sub(1).map(EpochNumber);
    let before = match before.filter(|_| at.1 > due.network.created) {
        Some(before) => context.load::<Settlement>(&(at.0, before))?,
        None => None,
    };
    Ok(closed.map(|closed| (closed, before.map(|before| before.settled()))))
}

/// Puts an epoch that is not settled before the validators.
pub(super) fn open(case: &OpenDispute, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
    let result = &case.claimed;
    let (at, limits) = ((result.network, result.epoch), context.genesis.limits);
    ensure(limits.stall_ms > 0, Reject::NotSettled)?;
    let mut opener = context.sender(sender)?;
    opener.take_token(limits.dispute_bond)?;
    let due = due(at, context)?;
    ensure(due.epoch.beacon.is_some(), Reject::BeaconPending)?;
    let claim = Claim {
        result,
        exchange: case.exchange.as_ref(),
    };
    claim.check(&due.network, &due.epoch, &due.pool, context)?;
    ensure(context.chain()?.validators > 0, Reject::NoValidators)?;
    ensure(context.load::<Dispute>(&at)?.is_none(), Reject::DisputeExists)?;
    ensure(!due.network.is_held(), Reject::UnreleasedTooMany)?;
    let (epoch_ms, now) = (context.genesis.epoch_ms, context.moment()?);
    let since = since(at, &due, context)?;
    let is_stalled = since.is_some_and(|(closed, before)| limits.is_stalled(epoch_ms, closed, before, now));
    ensure(is_stalled, Reject::NotStalled)?;
    open_dispute::put(&claim, sender, &opener, context)
}

/// A validator's vote on what an epoch comes to that is not settled.
pub(super) fn vote(vote: &VoteDispute, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
    let result = &vote.result;
    let at = (result.network, result.epoch);
    let dispute: Loaded<Dispute> = context.load(&at)?.ok_or(Reject::NotSettled)?;
    let due = due(at, context)?;
    let claim = Claim {
        result,
        exchange: vote.exchange.as_ref(),
    };
    claim.check(&due.network, &due.epoch, &due.pool, context)?;
    let validators = validators(context)?;
    let cast = Cast::check(sender, dispute.ballot, claim.hash(), &validators, context)?;
    ensure(!vote.blame, Reject::BlameWrong)?;

    cast.write(context);
    context.emit(Event::DisputeVoted {
        network: at.0,
        epoch: at.1,
        validator: *sender,
        choice: claim.hash(),
    });
    if cast.decides {
        settle(at, &claim, due, dispute, context)?;
    }
    Ok(())
}

/// The validators decided: their result is settled.
fn settle(at: At, right: &Claim<'_>, due: Due, mut dispute: Loaded<Dispute>, context: &mut Context<'_>) -> Step<()> {
    let Due {
        mut network,
        epoch,
        mut pool,
    } = due;
    let unpaid = right.check(&network, &epoch, &pool, context)?;
    let chain = context.chain()?;
    let (result, upheld) = (right.result, right.hash() == dispute.claim);
    let claimed = without::load(at, Whose::Claimed, dispute.without, context)?;
    let is_false = !upheld && result.without == claimed;
    let bond = std::mem::take(&mut dispute.bond);
    if is_false {
        forfeit(bond, context)?;
    } else {
        return_bond(at, &dispute.disputer, bond, context)?;
    }
    without::delete(at, Whose::Claimed, std::mem::take(&mut dispute.without), context);
    dispute.state = DisputeState::Settled;
    context.save(&dispute);
    let settlement = Settlement::of(result, right.exchange.is_some(), chain.moment(), 0);
    context.insert(&at, &settlement);
    without::write(at, Whose::Settled, result, context);
    context.insert(&at, &Roots::of(result));
    if let Some(exchange) = right.exchange {
        context.insert(&at, &ExchangeBook::of(exchange));
    }
    pool.state = PoolState::Settled;
    network.unsettled = skip_expired(&at.0, at.1.next(), chain.epoch, context)?;
    context.emit(Event::DisputeDecided {
        network: at.0,
        epoch: at.1,
        upheld,
        result: result.hash(),
        blame: false,
    });
    release::settled(result, unpaid, &settlement, (network, pool), context)
}

/// A verifier signs what the validators decided, for its share of the verifiers' part. Once, and before the release.
pub(super) fn sign(
    vote: &VoteDispute,
    sender: &AccountId,
    pool: &Pool,
    mut settlement: Loaded<Settlement>,
    context: &mut Context<'_>,
) -> Step<()> {
    let at = (vote.result.network, vote.result.epoch);
    let claim = Claim {
        result: &vote.result,
        exchange: vote.exchange.as_ref(),
    };
    ensure(pool.state == PoolState::Settled, Reject::DisputeDecided)?;
    let verifier = context.load::<Verifier>(sender)?;
    let verifier = verifier.filter(|verifier| verifier.bond > Token::ZERO);
    let verifier = verifier.ok_or(Reject::NotAVerifier)?;
    let mut signers = load_signers(at, settlement.signers, context)?;
    let has_signed = signers.iter().any(|signer| signer.account == verifier.number);
    ensure(!has_signed, Reject::VoteGiven)?;
    let is_it = claim.hash() == standing(at, &settlement, context)?;
    ensure(is_it && !vote.blame, Reject::BlameWrong)?;
    let room = settlement.signers < context.genesis.limits.verifiers_max;
    ensure(room, Reject::VerifiersFull)?;

    signers.push(Signer {
        account: verifier.number,
        bond: verifier.bond,
    });
    settlement.signers += 1;
    write_signers(at, &signers, context);
    context.save(&settlement);
    context.emit(Event::DisputeVoted {
        network: at.0,
        epoch: at.1,
        validator: *sender,
        choice: claim.hash(),
    });
    Ok(())
}

/// Whether a result is what validators decided of an epoch that was not settled.
pub(super) fn is_decided(at: At, result: &cairn_types::Hash, context: &mut Context<'_>) -> Step<bool> {
    let (dispute, settlement) = (context.load::<Dispute>(&at), context.load::<Settlement>(&at));
    let is_settled = dispute?.is_some_and(|dispute| dispute.state == DisputeState::Settled);
    Ok(is_settled && settlement?.is_some_and(|settlement| settlement.result == *result))
}

/// A case that is over without a decision: verifiers settled the epoch after all, it expired, or what it builds on was replaced. The bond
/// returns.
pub(crate) fn lapse(at: At, dispute: &Dispute, context: &mut Context<'_>) -> Step<()> {
    return_bond(at, &dispute.disputer, dispute.bond, context)?;
    without::delete(at, Whose::Claimed, dispute.without, context);
    context.delete::<Dispute>(&at);
    Ok(())
}
