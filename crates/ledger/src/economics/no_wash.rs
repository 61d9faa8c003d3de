//! The no-wash rule on one payout leaf. Never asks who paid whom: it holds for everybody, so it needs no detector.
//!
//! `cash + ⌈tokens·P/K⌉ ≤ ⌊(10,000 − φ)·paid/10,000⌋`, with `P` the epoch's price for usage and `φ ≥ 500`. Both roundings work against
//! the payee. It is the usage part of the leaf that counts: availability is paid for being there, not for what a customer
//! paid. Whoever pays himself loses at least `φ` of what he cycles (I7). Source: economics notes §4.4(4).

use cairn_types::money::{BasisPoints, Credit, MicroUsd, Price, Token};

use super::{Error, Scale};

/// The most that may come back of what customers paid.
pub fn limit(customers_paid: Credit, no_wash: BasisPoints) -> MicroUsd {
    MicroUsd(customers_paid.part(no_wash.rest()).0)
}

/// Refuses a leaf that returns more than [`limit`]. Without a price (`None`: it was halted when the epoch closed) a leaf may hold
/// no tokens for usage.
pub fn check_leaf(
    scale: Scale,
    usage_price: Option<Price>,
    no_wash: BasisPoints,
    cash: MicroUsd,
    usage_tokens: Token,
    customers_paid: Credit,
) -> Result<(), Error> {
    let tokens_worth = match usage_price {
        _ if usage_tokens == Token::ZERO => MicroUsd::ZERO,
        Some(price) => scale.worth_at_most(usage_tokens, price)?,
        None => return Err(Error::PriceHalted),
    };
    let value = cash.checked_add(tokens_worth).ok_or(Error::Overflow)?;
    let limit = limit(customers_paid, no_wash);
    if value > limit {
        return Err(Error::WashPossible {
            value_micro_usd: value.0,
            limit_micro_usd: limit.0,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cash: u64, tokens: u64, paid: u64) -> Result<(), Error> {
        // Six decimals at half a dollar: a base unit is worth half a micro-dollar.
        let scale = Scale::of_decimals(6).expect("few decimals");
        let margin = BasisPoints::new(500).expect("a part");
        check_leaf(
            scale,
            Some(Price(50_000_000)),
            margin,
            MicroUsd(cash),
            Token(tokens),
            Credit(paid),
        )
    }

    #[test]
    fn the_limit_is_met_but_not_passed() {
        let refused = |value, limit| {
            Err(Error::WashPossible {
                value_micro_usd: value,
                limit_micro_usd: limit,
            })
        };
        assert_eq!(check(0, 0, 0), Ok(()));
        assert_eq!(check(95, 0, 100), Ok(()));
        assert_eq!(check(70, 50, 100), Ok(()));
        assert_eq!(check(70, 51, 100), refused(96, 95));
        assert_eq!(check(10, 0, 10), refused(10, 9));
        assert_eq!(check(1, 0, 1), refused(1, 0));
        assert_eq!(check(u64::MAX, 2, u64::MAX), Err(Error::Overflow));
    }

    #[test]
    fn without_a_price_only_cash_passes() {
        let scale = Scale::of_decimals(6).expect("few decimals");
        let check = |tokens| check_leaf(scale, None, BasisPoints::ZERO, MicroUsd(1), Token(tokens), Credit(1));
        assert_eq!(check(0), Ok(()));
        assert_eq!(check(1), Err(Error::PriceHalted));
    }
}
