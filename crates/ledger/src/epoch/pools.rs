//! Fixes what each network pays out for the epoch, and books every token and dollar that closing moves.

use super::networks::Closing;
use crate::context::{Context, Step};
use crate::economics::{Budget, Inputs, Pools, Quote, close_network_epoch, invariants};
use crate::event::Event;
use crate::records::{Emission, Pool, PoolState, StableSupply, Usage};
use crate::reject::Reject;
use crate::tables::Loaded;
use cairn_types::{EpochNumber, MicroUsd, Token};

pub(super) fn fix(
    open: EpochNumber,
    quote: Option<Quote>,
    budgets: &[Budget],
    networks: &mut [Closing],
    context: &mut Context<'_>,
) -> Step<()> {
    let mut emission: Loaded<Emission> = context.single()?;
    let mut stable: Loaded<StableSupply> = context.single()?;
    for (closing, budget) in networks.iter_mut().zip(budgets).filter(|(closing, _)| closing.active) {
        let inputs = Inputs {
            parameters: &context.genesis.economics,
            age_epochs: open.0.saturating_sub(closing.network.created.0),
            budget: *budget,
            spent: closing.usage.spent(),
            carry: closing.network.carry(),
            quote,
            delegated: false,
        };
        let pools = close_network_epoch(&inputs)?;
        debug_assert_eq!(invariants::closing_is_exact(&inputs, &pools), Ok(()));
        debug_assert_eq!(invariants::halt_stops_no_dollars(&inputs, &pools), Ok(()));
        book_tokens(&pools, &mut emission)?;
        book_dollars(closing, &pools, &mut stable)?;
        write(open, closing, &pools, context);
    }
    context.save(&emission);
    context.save(&stable);
    Ok(())
}

fn book_tokens(pools: &Pools, emission: &mut Emission) -> Step<()> {
    let pooled = Token::checked_sum([emission.pooled, pools.availability, pools.usage, pools.delegators]);
    emission.supply = emission.supply.after(pools)?;
    emission.pooled = pooled.ok_or(Reject::AmountTooLarge)?;
    Ok(())
}

/// Dollars behind spent credits leave the reserve for the places the split names.
fn book_dollars(closing: &Closing, pools: &Pools, stable: &mut StableSupply) -> Step<()> {
    let spent = MicroUsd(closing.usage.stable.0);
    let pooled = MicroUsd::checked_sum([stable.pooled, pools.cash, pools.verifiers]);
    stable.reserve = stable.reserve.checked_sub(spent).ok_or(Reject::PotInsufficient)?;
    stable.pooled = pooled.ok_or(Reject::AmountTooLarge)?;
    stable.cover = stable.cover.checked_add(pools.cover).ok_or(Reject::AmountTooLarge)?;
    stable.buy_back = stable
        .buy_back
        .checked_add(pools.buy_back)
        .ok_or(Reject::AmountTooLarge)?;
    Ok(())
}

fn write(open: EpochNumber, closing: &mut Closing, pools: &Pools, context: &mut Context<'_>) {
    let terms = &closing.terms.current;
    let pool = Pool {
        state: PoolState::Closed,
        availability: pools.availability,
        usage: pools.usage,
        cash: pools.cash,
        verifiers: pools.verifiers,
        spent_stable: closing.usage.stable,
        spent_burned: closing.usage.burned,
        usage_price: pools.usage_price,
        exchange_price: pools.exchange_price,
        meters: closing.usage.meters,
        settled: closing.usage.settled,
        terms: terms.version,
        parameters: terms.hash,
        roster: closing.network.roster,
    };
    context.insert(&(closing.id, open), &pool);
    let treasury = closing.network.treasury_stable.checked_add(pools.treasury);
    closing.network.treasury_stable = treasury.expect("dollars are at most what issuers owe");
    closing.network.carry_token = pools.carry.tokens;
    closing.network.carry_stable = pools.carry.micro_usd;
    *closing.usage = Usage {
        share: closing.usage.share,
        ..Usage::default()
    };
    context.emit(Event::PoolFixed {
        network: closing.id,
        epoch: open,
        availability: pools.availability,
        usage: pools.usage,
        cash: pools.cash,
        customers_paid: pools.customers_paid,
    });
}
