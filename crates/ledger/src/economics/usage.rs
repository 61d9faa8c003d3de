//! Pay for service: what a customer is charged, what the network adds in tokens, how operators share both. Never pays a leaf more
//! than the no-wash rule lets pass.
//!
//! - **Charge.** `⌈units · price · m / (10^6 · 10^4)⌉` credits for `units` at a price per million of them; the customer loses the
//!   fraction. A multiplier `m` (1.0 to 5.0, granted by the network) scales the price charged, and the charge *is* the weight by
//!   which pools are divided, so a multiplier makes no value of its own (HIP-150).
//! - **Token pool.** `W = min(⌊(⌊κ·R⌋ + ⌊op·R_b⌋)·K/P⌋, room, budget)`: κ on top of all revenue `R`, and tokens for the operators' part of
//!   burn-backed revenue `R_b`, which brings no cash. `room` is what the no-wash rule leaves beside the cash. `P` is the price for usage
//!   ([`super::price::Quote::for_usage`]); without one `W = 0`, and the budget goes the way of all unspent budget.
//! - **Division.** By credits charged `u_i` of `U`: `cash_i = ⌊C·u_i/U⌋`, `tokens_i = min(⌊W·u_i/U⌋, ⌊(limit_i − cash_i)·K/P⌋)`. Floors,
//!   not largest remainders: a unit rounded up could break the rule on a small leaf. What remains is carried (I6).
//!
//! Source: economics notes §4.4(2)–(4).

use cairn_types::money::{Credit, MicroUsd, Price, Token, mul_div_floor};

use super::parameters::{MULTIPLIER_MAX_BPS, MULTIPLIER_ONE_BPS};
use super::{Error, Parameters, Pools, Scale, Spent, no_wash};

/// What service costs its customer.
pub fn charge(service_units: u64, price_micro_usd_per_million: u64, multiplier_bps: u32) -> Result<Credit, Error> {
    if !(MULTIPLIER_ONE_BPS..=MULTIPLIER_MAX_BPS).contains(&multiplier_bps) {
        return Err(Error::ParameterOutOfBounds {
            name: "multiplier_bps",
            value: multiplier_bps.into(),
            min: MULTIPLIER_ONE_BPS.into(),
            max: MULTIPLIER_MAX_BPS.into(),
        });
    }
    let at_one = u128::from(service_units) * u128::from(price_micro_usd_per_million);
    let charged = at_one
        .checked_mul(multiplier_bps.into())
        .ok_or(Error::Overflow)?
        .div_ceil(10_000_000_000);
    u64::try_from(charged).map(Credit).map_err(|_| Error::Overflow)
}

/// `W`, gross of what delegators get. `cash` is the operators' cash pool of the same epoch, `budget` what the emission leaves for usage.
pub fn token_pool(
    spent: Spent,
    cash: MicroUsd,
    budget: Token,
    usage_price: Option<Price>,
    parameters: &Parameters,
) -> Result<Token, Error> {
    let Some(price) = usage_price else {
        return Ok(Token::ZERO);
    };
    let revenue = spent.total()?;
    let on_top = revenue.part(parameters.usage_token_bps);
    let instead_of_cash = spent.burned.part(parameters.operators_bps);
    let wanted = on_top.checked_add(instead_of_cash).ok_or(Error::Overflow)?;
    let room = no_wash::limit(revenue, parameters.no_wash_bps).saturating_sub(cash);
    let tokens = parameters
        .scale()?
        .tokens_for_saturating(MicroUsd(wanted.0).min(room), price)?;
    Ok(tokens.min(budget))
}

/// One operator's part of an epoch's usage pools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UsageShare {
    pub cash: MicroUsd,
    pub tokens: Token,
}

/// The part of who served `charged` of the pools' `customers_paid`. It depends on no other operator, passes the no-wash check, and
/// all parts together are at most the pools.
pub fn share(pools: &Pools, charged: Credit, scale: Scale, parameters: &Parameters) -> Result<UsageShare, Error> {
    if charged > pools.customers_paid {
        return Err(Error::AboveTotal {
            reached: charged.0,
            total: pools.customers_paid.0,
        });
    }
    if charged == Credit::ZERO {
        return Ok(UsageShare::default());
    }
    let part = |pool: u64| mul_div_floor(pool, charged.0, pools.customers_paid.0).ok_or(Error::Overflow);
    let limit = no_wash::limit(charged, parameters.no_wash_bps);
    let cash = MicroUsd(part(pools.cash.0)?).min(limit);
    let tokens = match pools.usage_price {
        Some(price) => Token(part(pools.usage.0)?).min(scale.tokens_for_saturating(limit.saturating_sub(cash), price)?),
        None => Token::ZERO,
    };
    Ok(UsageShare { cash, tokens })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_customer_pays_the_started_credit() {
        for (units, price, multiplier, credits) in [
            (1, 1, 10_000, 1),
            (1_000_000, 5, 10_000, 5),
            (1_000_001, 5, 10_000, 6),
            (1_000_000, 5, 50_000, 25),
            (0, 5, 10_000, 0),
        ] {
            assert_eq!(charge(units, price, multiplier), Ok(Credit(credits)));
        }
        assert_eq!(charge(u64::MAX, u64::MAX, 10_000), Err(Error::Overflow));
        assert!(charge(1, 1, 9_999).is_err() && charge(1, 1, 50_001).is_err());
    }

    #[test]
    fn the_token_pool_is_bounded_by_revenue_by_cash_and_by_budget() {
        let parameters = Parameters::daily(6, Token(1_000_000_000), Token(0));
        let pool = |stable, burned, cash, budget, price: Option<u64>| {
            let spent = Spent {
                stable: Credit(stable),
                burned: Credit(burned),
            };
            token_pool(spent, MicroUsd(cash), Token(budget), price.map(Price), &parameters)
                .expect("fits")
                .0
        };
        let half = Some(50_000_000);
        assert_eq!(pool(1_000, 0, 700, 10_000, half), 500);
        assert_eq!(pool(0, 1_000, 0, 10_000, half), 1_900);
        assert_eq!(pool(1_000, 0, 800, 10_000, half), 300);
        assert_eq!(pool(1_000, 0, 700, 100, half), 100);
        assert_eq!(pool(1_000, 0, 700, 10_000, None), 0);
        assert_eq!(pool(u64::MAX, 0, 0, 10_000, Some(1)), 10_000);
    }

    #[test]
    fn a_leaf_gets_its_floor_and_never_more_than_its_limit() {
        let parameters = Parameters::daily(6, Token(1_000_000_000), Token(0));
        let pools = Pools {
            usage: Token(50),
            cash: MicroUsd(70),
            customers_paid: Credit(100),
            usage_price: Some(Price(50_000_000)),
            ..Pools::default()
        };
        let share = |pools: &Pools, charged| {
            let scale = parameters.scale().expect("few decimals");
            share(pools, Credit(charged), scale, &parameters).map(|share| (share.cash.0, share.tokens.0))
        };
        // Ten credits: 7 in cash leave two micro-dollars under the limit of nine, so four tokens of the exact five.
        for (charged, part) in [
            (0, (0, 0)),
            (1, (0, 0)),
            (2, (1, 0)),
            (10, (7, 4)),
            (19, (13, 9)),
            (100, (70, 50)),
        ] {
            assert_eq!(share(&pools, charged), Ok(part), "for {charged}");
        }
        assert_eq!(
            share(&pools, 101),
            Err(Error::AboveTotal {
                reached: 101,
                total: 100
            })
        );
        assert_eq!(
            share(
                &Pools {
                    usage_price: None,
                    ..pools
                },
                10
            ),
            Ok((7, 0))
        );
    }
}
