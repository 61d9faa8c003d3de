//! Epochs that verifiers did not settle in time: their pools are carried on to the network's next epoch, so no money waits for ever.
//! One epoch closes at a time, so at most one a network expires. The chain must have been up for as long, and made as many blocks:
//! after a halt many epochs close at once, and verifiers must not lose what nobody could have settled. For the same reason a network's
//! epochs do not expire while a dispute holds them, nor soon after.

use super::networks::Closing;
use crate::context::{Context, Step};
use crate::event::Event;
use crate::records::{Account, Dispute, Epoch, Moment, Pool, PoolState};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use crate::tx::lapse;
use cairn_types::{EpochNumber, MicroUsd, Token};

pub(super) fn unsettled(open: EpochNumber, networks: &mut [Closing], context: &mut Context<'_>) -> Step<()> {
    let Some(oldest) = open.0.checked_sub(context.genesis.limits.settle_epochs) else {
        return Ok(());
    };
    for closing in networks.iter_mut().filter(|closing| closing.network.is_held()) {
        closing.network.held = open;
    }
    let due: Vec<&mut Closing> = networks.iter_mut().filter(|closing| is_due(closing, oldest)).collect();
    // From the later of the two on verifiers could settle it; it is closed, as both are that old.
    let from = |closing: &&mut Closing| closing.network.unsettled.max(closing.network.held);
    let epochs: Vec<EpochNumber> = due.iter().map(from).collect();
    let pools: Vec<_> = due
        .iter()
        .map(|closing| (closing.id, closing.network.unsettled))
        .collect();
    let cases = context.load_many::<Dispute>(&pools);
    let (epochs, pools) = (context.load_many::<Epoch>(&epochs), context.load_many::<Pool>(&pools));
    let cases = cases?;
    let openers: Vec<Key> = cases
        .iter()
        .flatten()
        .map(|case| Account::key(&case.disputer))
        .collect();
    context.touch(&openers)?;
    for (((closing, epoch), pool), case) in due.into_iter().zip(epochs?).zip(pools?).zip(cases) {
        if !is_over(epoch.ok_or(Reject::EpochOpen)?.closed(), context)? {
            continue;
        }
        let due = closing.network.unsettled;
        let mut pool: Loaded<Pool> = pool.ok_or(Reject::EpochNotNext)?;
        let network = &mut closing.network;
        network.unsettled = due.next();
        if network.unreleased == due {
            network.unreleased = due.next();
        }
        if pool.state == PoolState::Expired {
            continue; // before a dispute took back what was settled before it: its money was carried on then
        }
        let tokens = pool
            .availability
            .checked_add(pool.usage)
            .ok_or(Reject::AmountTooLarge)?;
        let dollars = pool.cash.checked_add(pool.verifiers).ok_or(Reject::AmountTooLarge)?;
        network.carry_token = network.carry_token.checked_add(tokens).ok_or(Reject::AmountTooLarge)?;
        network.carry_stable = network
            .carry_stable
            .checked_add(dollars)
            .ok_or(Reject::AmountTooLarge)?;
        if let Some(case) = case {
            // The validators were asked and could not decide: as if they had not been.
            lapse((closing.id, due), &case, context)?;
        }
        pool.state = PoolState::Expired;
        context.save(&pool);
        context.pool_token(Token::ZERO, tokens)?;
        context.pool_stable(MicroUsd::ZERO, dollars)?;
        context.emit(Event::EpochExpired {
            network: closing.id,
            epoch: due,
            unpaid_token: tokens,
            unpaid_stable: dollars,
        });
    }
    Ok(())
}

/// Whether verifiers had the time to settle what was closed at a moment.
fn is_over(closed: Moment, context: &mut Context<'_>) -> Step<bool> {
    let (now, epochs) = (context.moment()?, context.genesis.limits.settle_epochs);
    let window_ms = epochs.saturating_mul(context.genesis.epoch_ms);
    Ok(now.uptime_ms.saturating_sub(closed.uptime_ms) >= window_ms
        && now.height >= closed.height.saturating_add(epochs))
}

/// Whether a network's oldest unsettled epoch is that old; a network that ended has none.
fn is_due(closing: &Closing, oldest: u64) -> bool {
    let due = closing.network.unsettled;
    due.0 <= oldest && closing.network.held.0 <= oldest && closing.network.closes.is_none_or(|last| due <= last)
}
