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

#[cfg(test)]
mod tests {
    use super::super::{Quote, Schedule, Spent, share};
    use super::*;
    use cairn_types::attestation::Totals;
    use cairn_types::ids::EpochNumber;
    use proptest::prelude::*;

    #[test]
    fn every_check_names_what_it_finds() {
        let supply = Supply {
            premine: Token(10),
            minted: Token(5),
            burned: Token(3),
            ..Supply::default()
        };
        let parameters = Parameters::daily(6, Token(1_000), Token(0));
        let found = |check: Check| check.err().map(|violation| (violation.left, violation.right));
        assert_eq!(found(supply_is_held(&supply, &[Token(7), Token(5)])), None);
        assert_eq!(found(supply_is_held(&supply, &[Token(7)])), Some((15, 10)));
        assert_eq!(found(mint_is_scheduled(&supply, Token(4), Token(20))), Some((5, 4)));
        assert_eq!(found(mint_is_scheduled(&supply, Token(5), Token(11))), Some((15, 14)));
        assert_eq!(
            found(remint_is_burned(&Supply {
                reminted: Token(4),
                ..supply
            })),
            Some((4, 3))
        );
        assert_eq!(
            found(remint_is_burned(&Supply {
                topped_up: Token(4),
                ..supply
            })),
            Some((4, 3))
        );
        assert_eq!(
            found(stable_is_backed(MicroUsd(9), Credit(4), &[MicroUsd(3), MicroUsd(2)])),
            None
        );
        assert_eq!(
            found(stable_is_backed(MicroUsd(8), Credit(4), &[MicroUsd(5)])),
            Some((8, 9))
        );
        assert_eq!(
            found(credits_are_accounted(Credit(9), Credit(4), Credit(3), Credit(1))),
            Some((9, 8))
        );
        assert_eq!(found(division_is_exact(9, &[4, 4], 1)), None);
        assert_eq!(found(division_is_exact(9, &[4, 4], 0)), Some((8, 9)));
        assert_eq!(
            found(slash_is_split(Token(10), Token(5), Token(3), Token(1))),
            Some((10, 9))
        );
        assert_eq!(found(price_moved_within(Price(1_000), Price(1_200), &parameters)), None);
        assert_eq!(
            found(price_moved_within(Price(1_000), Price(1_201), &parameters)),
            Some((12_010_000, 12_000_000))
        );
        assert_eq!(
            found(price_moved_within(Price(1_000), Price(799), &parameters)),
            Some((8_000_000, 7_990_000))
        );
    }

    /// One epoch of two networks, as strangers might make it.
    #[derive(Clone, Copy, Debug)]
    struct Happening {
        burned_per_mille: u64,
        spent: [Spent; 2],
        price: Option<u64>,
        paid_per_mille: u64,
    }

    fn happening() -> impl Strategy<Value = Happening> {
        let spent = || {
            (0u64..1 << 34, 0u64..1 << 34).prop_map(|(s, b)| Spent {
                stable: Credit(s),
                burned: Credit(b),
            })
        };
        (
            0u64..200,
            spent(),
            spent(),
            prop::option::of(100u64..1 << 34),
            0u64..=1_000,
        )
            .prop_map(|(burned_per_mille, one, other, price, paid_per_mille)| Happening {
                burned_per_mille,
                spent: [one, other],
                price,
                paid_per_mille,
            })
    }

    proptest! {
        /// The ledger's epoch step in small: everything that is minted is held, scheduled or burned before, for as long as it runs.
        #[test]
        fn the_books_balance_over_many_epochs(epochs in prop::collection::vec(happening(), 1..60)) {
            let cap = Token(10_000_000_000);
            let parameters = Parameters::daily(3, cap, Token(2_000_000_000));
            let annual = [Token(6_000_000_000), Token(2_000_000_000)];
            let schedule = Schedule::yearly(EpochNumber(0), 20, &annual).expect("ordered");
            prop_assert_eq!(schedule.check_cap(parameters.premine, cap), Ok(()));

            let mut supply = Supply { premine: parameters.premine, ..Supply::default() };
            let mut balances = parameters.premine.0;
            let mut carry = [Carry::default(); 2];
            let mut shares = vec![share::WHOLE / 2; 2];
            for (epoch, happening) in (0..).zip(epochs) {
                let burned = balances / 1_000 * happening.burned_per_mille;
                balances -= burned;
                supply.burned.0 += burned;

                let (opened, budget) = supply.open_epoch(schedule.at(EpochNumber(epoch)), &parameters).expect("fits");
                supply = opened;
                for (network, budget) in budget.by_network(&shares).expect("some share").into_iter().enumerate() {
                    let quote = happening.price.map(|price| Quote { low: Price(price), mid: Price(price + 1), high: Price(price + 2) });
                    let spent = happening.spent[network];
                    let inputs = Inputs {
                        parameters: &parameters, age_epochs: epoch, budget, spent, carry: carry[network], quote, delegated: network == 0,
                    };
                    let pools = close_network_epoch(&inputs).expect("fits");
                    prop_assert_eq!(closing_is_exact(&inputs, &pools), Ok(()));
                    prop_assert_eq!(halt_stops_no_dollars(&inputs, &pools), Ok(()));
                    supply = supply.after(&pools).expect("fits");

                    let part = |pool: u64| pool / 1_000 * happening.paid_per_mille;
                    let paid = Totals {
                        availability: Token(part(pools.availability.0)),
                        usage: Token(part(pools.usage.0)),
                        cash: MicroUsd(part(pools.cash.0)),
                        ..Totals::default()
                    };
                    let left = pools.remainder(&paid).expect("within the pools");
                    carry[network] = Carry {
                        tokens: Token(pools.carry.tokens.0 + left.tokens.0),
                        micro_usd: MicroUsd(pools.carry.micro_usd.0 + left.micro_usd.0),
                    };
                    balances += paid.availability.0 + paid.usage.0 + pools.delegators.0;
                }
                let measures = happening.spent.map(|spent| share::Measure { usage: spent.stable.0, ..Default::default() });
                shares = share::next_shares(&shares, &measures, &parameters).expect("fits");

                let held = [Token(balances), supply.reserve, carry[0].tokens, carry[1].tokens];
                prop_assert_eq!(supply_is_held(&supply, &held), Ok(()));
                let scheduled = schedule.through(EpochNumber(epoch)).expect("fits");
                prop_assert_eq!(mint_is_scheduled(&supply, scheduled, cap), Ok(()));
                prop_assert_eq!(remint_is_burned(&supply), Ok(()));
            }
        }
    }
}
