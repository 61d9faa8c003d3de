//! What must always hold of the economics, as checks on plain sums. They change nothing and repair nothing: a violation is a bug.
//!
//! I1 supply · I2 mint and cap · I3 re-emission · I4 stable reserve · I5 credits · I6 every division and every closing · I7 no-wash ·
//! I8 slashing · I10 price moves · I11 a halted price stops nothing in dollars. I9 (rounding) is a property of functions and is
//! tested where they are; I12 (one state on every machine) is the ledger's. Source: economics notes §4.9.
//! Sums are in 128 bits: a check never overflows before it can report.

use cairn_types::money::{Credit, MicroUsd, Price, Token};

use super::{Carry, Error, Inputs, Parameters, Pools, Supply, close_network_epoch, no_wash};

/// A broken invariant: the two sides that should have been in the stated relation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {left} against {right}")]
pub struct Violation {
    pub rule: &'static str,
    pub left: u128,
    pub right: u128,
}

type Check = Result<(), Violation>;

fn equal(rule: &'static str, left: u128, right: u128) -> Check {
    if left == right {
        Ok(())
    } else {
        Err(Violation { rule, left, right })
    }
}

fn at_most(rule: &'static str, left: u128, right: u128) -> Check {
    if left <= right {
        Ok(())
    } else {
        Err(Violation { rule, left, right })
    }
}

fn sum(parts: &[u64]) -> u128 {
    parts.iter().map(|part| u128::from(*part)).sum()
}

/// I1: premine and minted, less burned, is what all places hold: balances, bonds, held-back income, pools, reserve.
pub fn supply_is_held(supply: &Supply, held: &[Token]) -> Check {
    let held: u128 = held.iter().map(|part| u128::from(part.0)).sum();
    equal(
        "I1 premine + minted = held + burned",
        sum(&[supply.premine.0, supply.minted.0]),
        held + u128::from(supply.burned.0),
    )
}

/// I2: what was minted was scheduled up to now, or reminted, and what exists is within the cap.
pub fn mint_is_scheduled(supply: &Supply, scheduled_until_now: Token, cap: Token) -> Check {
    at_most(
        "I2 minted ≤ scheduled + reminted",
        supply.minted.0.into(),
        sum(&[scheduled_until_now.0, supply.reminted.0]),
    )?;
    at_most(
        "I2 existing ≤ cap",
        sum(&[supply.premine.0, supply.minted.0]),
        sum(&[cap.0, supply.burned.0]),
    )
}

/// I3: no more was minted again, and no more topped up, than was burned.
pub fn remint_is_burned(supply: &Supply) -> Check {
    at_most("I3 reminted ≤ burned", supply.reminted.0.into(), supply.burned.0.into())?;
    at_most(
        "I3 topped up ≤ burned",
        supply.topped_up.0.into(),
        supply.burned.0.into(),
    )
}

/// I4: the stable reserve is stable credits outstanding and all pots of dollars: cover, treasuries, buy-back, verifiers, cash pools, balances.
pub fn stable_is_backed(reserve: MicroUsd, stable_credits: Credit, pots: &[MicroUsd]) -> Check {
    let pots: u128 = pots.iter().map(|pot| u128::from(pot.0)).sum();
    equal(
        "I4 stable reserve = stable credits + pots",
        reserve.0.into(),
        u128::from(stable_credits.0) + pots,
    )
}

/// I5: credits ever issued are outstanding, spent or refunded.
pub fn credits_are_accounted(issued: Credit, outstanding: Credit, spent: Credit, refunded: Credit) -> Check {
    equal(
        "I5 issued = outstanding + spent + refunded",
        issued.0.into(),
        sum(&[outstanding.0, spent.0, refunded.0]),
    )
}

/// I6: the shares of a division and what is carried are the pool.
pub fn division_is_exact(pool: u64, shares: &[u64], carried: u64) -> Check {
    equal(
        "I6 shares + carry = pool",
        sum(shares) + u128::from(carried),
        pool.into(),
    )
}

/// I6 for a closed epoch: tokens, budget and dollars that went in came out, and I7 in total.
pub fn closing_is_exact(inputs: &Inputs<'_>, pools: &Pools) -> Check {
    let Inputs {
        budget,
        spent,
        carry,
        parameters,
        ..
    } = *inputs;
    equal(
        "I6 carry + minted + reserve_out = token pools + reserve_in + carry'",
        sum(&[
            carry.tokens.0,
            pools.minted_scheduled.0,
            pools.reminted.0,
            pools.reserve_out.0,
        ]),
        sum(&[
            pools.availability.0,
            pools.usage.0,
            pools.delegators.0,
            pools.reserve_in.0,
            pools.carry.tokens.0,
        ]),
    )?;
    equal(
        "I6 budget = minted + unminted",
        sum(&[budget.scheduled.0, budget.remintable.0]),
        sum(&[pools.minted_scheduled.0, pools.reminted.0, pools.unminted.0]),
    )?;
    equal(
        "I6 stable revenue + carry = dollar pools + carry'",
        sum(&[spent.stable.0, carry.micro_usd.0]),
        sum(&[
            pools.cash.0,
            pools.verifiers.0,
            pools.cover.0,
            pools.buy_back.0,
            pools.treasury.0,
            pools.carry.micro_usd.0,
        ]),
    )?;
    equal(
        "I6 customers paid = R_s + R_b",
        pools.customers_paid.0.into(),
        sum(&[spent.stable.0, spent.burned.0]),
    )?;
    at_most(
        "I2 minted from the schedule ≤ scheduled",
        pools.minted_scheduled.0.into(),
        budget.scheduled.0.into(),
    )?;
    at_most(
        "I3 reminted ≤ remintable",
        pools.reminted.0.into(),
        budget.remintable.0.into(),
    )?;
    at_most(
        "reserve_in ≤ room",
        pools.reserve_in.0.into(),
        budget.reserve_room.0.into(),
    )?;
    at_most(
        "reserve_out ≤ draw",
        pools.reserve_out.0.into(),
        budget.reserve_draw.0.min(budget.top_up_bound.0).into(),
    )?;
    leaf_is_no_wash(
        parameters,
        pools.usage_price,
        pools.cash,
        pools.usage,
        pools.customers_paid,
    )
}

/// I7 on one leaf, or on all together.
pub fn leaf_is_no_wash(
    parameters: &Parameters,
    usage_price: Option<Price>,
    cash: MicroUsd,
    usage: Token,
    customers_paid: Credit,
) -> Check {
    let limit = no_wash::limit(customers_paid, parameters.no_wash_bps);
    let broken = |value: u64| Violation {
        rule: "I7 value returned ≤ limit",
        left: value.into(),
        right: limit.0.into(),
    };
    let scale = parameters.scale().map_err(|_| broken(u64::MAX))?;
    match no_wash::check_leaf(scale, usage_price, parameters.no_wash_bps, cash, usage, customers_paid) {
        Ok(()) => Ok(()),
        Err(Error::WashPossible { value_micro_usd, .. }) => Err(broken(value_micro_usd)),
        Err(_) => Err(broken(u64::MAX)),
    }
}

/// I8: what was slashed was burned, or went to cover or to the reporter.
pub fn slash_is_split(slashed: Token, burned: Token, cover: Token, reporter: Token) -> Check {
    equal(
        "I8 slashed = burned + cover + reporter",
        slashed.0.into(),
        sum(&[burned.0, cover.0, reporter.0]),
    )
}

/// I10: an accepted price is within the permitted move from the one before.
pub fn price_moved_within(last: Price, next: Price, parameters: &Parameters) -> Check {
    let step = u128::from(parameters.price_move_bps.get());
    at_most(
        "I10 price not above its move",
        u128::from(next.0) * 10_000,
        u128::from(last.0) * (10_000 + step),
    )?;
    at_most(
        "I10 price not below its move",
        u128::from(last.0) * (10_000 - step),
        u128::from(next.0) * 10_000,
    )
}

/// I11: closing with the price halted gives the same in dollars and in scheduled availability.
pub fn halt_stops_no_dollars(inputs: &Inputs<'_>, pools: &Pools) -> Check {
    let halted = close_network_epoch(&Inputs { quote: None, ..*inputs }).map_err(|_| Violation {
        rule: "I11 closing works without a price",
        left: 0,
        right: 0,
    })?;
    let dollars = |pools: &Pools| {
        let Carry { micro_usd, .. } = pools.carry;
        [
            pools.cash,
            pools.verifiers,
            pools.cover,
            pools.buy_back,
            pools.treasury,
            micro_usd,
        ]
    };
    for (with, without) in dollars(pools).into_iter().zip(dollars(&halted)) {
        equal(
            "I11 dollars are the same without a price",
            with.0.into(),
            without.0.into(),
        )?;
    }
    equal(
        "I11 availability is the same without a price",
        pools.availability.0.into(),
        halted.availability.0.into(),
    )
}
