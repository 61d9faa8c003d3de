//! Token, dollar and credit turned into each other at a price. Never chooses the price, never rounds in favour of who asks.
//!
//! Let `K = 10^(decimals + 2)`: price has 8 decimals of a dollar, credit has 6, so `K = 10^8 · 10^decimals / 10^6`.
//!
//! | from → to | formula | rounding | the fraction is lost by |
//! |---|---|---|---|
//! | tokens burned → credits | `⌊t·P/K⌋` | down | the customer |
//! | credits wanted → tokens burned | `⌈c·K/P⌉` | up | the customer |
//! | dollars owed → tokens | `⌊u·K/P⌋` | down | the payee |
//! | tokens → dollars, as a limit on the payee | `⌈t·P/K⌉` | up | the payee |
//! | tokens → dollars, as a report | `⌊t·P/K⌋` | down | nobody: only shown |
//!
//! **Rounding law (I9).** What flows out is super-additive, `f(a) + f(b) ≤ f(a + b)`; what is taken in is sub-additive,
//! `g(a) + g(b) ≥ g(a + b)`. So cutting one request into many never pays.
//! Source: economics notes §4.1; Helium floors the burn for a credit-denominated request and so mints credits for nothing.

use cairn_types::money::{Credit, MicroUsd, Price, Token, mul_div_ceil, mul_div_floor};

use super::Error;

/// A token has at most this many decimals, so `K` stays below 10^12.
pub const DECIMALS_MAX: u8 = 9;

/// `K` of the file's head, fixed at genesis by the token's decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale(u64);

impl Scale {
    /// More than [`DECIMALS_MAX`] decimals are refused.
    pub fn of_decimals(decimals: u8) -> Result<Self, Error> {
        if decimals > DECIMALS_MAX {
            return Err(Error::ParameterOutOfBounds {
                name: "decimals",
                value: decimals.into(),
                min: 0,
                max: DECIMALS_MAX.into(),
            });
        }
        Ok(Self(10u64.pow(u32::from(decimals) + 2)))
    }

    /// `⌊t·P/K⌋`: what burning these tokens buys.
    pub fn credits_for(self, tokens: Token, price: Price) -> Result<Credit, Error> {
        self.value_floor(tokens, price).map(Credit)
    }

    /// `⌈c·K/P⌉`: what must be burned for these credits.
    pub fn burn_for(self, credits: Credit, price: Price) -> Result<Token, Error> {
        nonzero(price)?;
        mul_div_ceil(credits.0, self.0, price.0)
            .map(Token)
            .ok_or(Error::Overflow)
    }

    /// `⌊u·K/P⌋`: tokens paid instead of these dollars.
    pub fn tokens_for(self, micro_usd: MicroUsd, price: Price) -> Result<Token, Error> {
        nonzero(price)?;
        mul_div_floor(micro_usd.0, self.0, price.0)
            .map(Token)
            .ok_or(Error::Overflow)
    }

    /// As [`Self::tokens_for`], but an amount too large to count is the largest countable one: only for limits that are
    /// then bounded by a budget.
    pub fn tokens_for_saturating(self, micro_usd: MicroUsd, price: Price) -> Result<Token, Error> {
        nonzero(price)?;
        Ok(Token(mul_div_floor(micro_usd.0, self.0, price.0).unwrap_or(u64::MAX)))
    }

    /// `⌈t·P/K⌉`: what a payee is held to have received.
    pub fn worth_at_most(self, tokens: Token, price: Price) -> Result<MicroUsd, Error> {
        nonzero(price)?;
        mul_div_ceil(tokens.0, price.0, self.0)
            .map(MicroUsd)
            .ok_or(Error::Overflow)
    }

    /// `⌊t·P/K⌋`: what a report or a netting offer counts.
    pub fn worth_at_least(self, tokens: Token, price: Price) -> Result<MicroUsd, Error> {
        self.value_floor(tokens, price).map(MicroUsd)
    }

    fn value_floor(self, tokens: Token, price: Price) -> Result<u64, Error> {
        nonzero(price)?;
        mul_div_floor(tokens.0, price.0, self.0).ok_or(Error::Overflow)
    }
}

fn nonzero(price: Price) -> Result<(), Error> {
    if price.0 == 0 { Err(Error::PriceZero) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scale(decimals: u8) -> Scale {
        Scale::of_decimals(decimals).expect("at most nine decimals")
    }

    #[test]
    fn published_conversions_come_out() {
        // (decimals, price × 1e8, micro-USD, tokens down, burn up): the first two rows are the examples of Akash AEP-76.
        let table = [
            (6, 114_000_000, 1_000_000_000, 877_192_982, 877_192_983),
            (6, 150_000_000, 1_000_000_000, 666_666_666, 666_666_667),
            (6, 90_000_000, 1_000_000_000, 1_111_111_111, 1_111_111_112),
            (6, 125_000_000, 10_000_000_000_000, 8_000_000_000_000, 8_000_000_000_000),
            (0, 100_000_000, 1_000_000, 1, 1),
            (0, 300_000_000, 2_999_999, 0, 1),
            (9, 1, 1, 100_000_000_000, 100_000_000_000),
        ];
        for (decimals, price, usd, down, up) in table {
            let scale = scale(decimals);
            assert_eq!(scale.tokens_for(MicroUsd(usd), Price(price)), Ok(Token(down)));
            assert_eq!(scale.burn_for(Credit(usd), Price(price)), Ok(Token(up)));
        }
    }

    #[test]
    fn the_customer_loses_the_fraction_of_a_credit() {
        assert_eq!(scale(6).credits_for(Token(3), Price(50_000_000)), Ok(Credit(1)));
        assert_eq!(scale(6).worth_at_most(Token(3), Price(50_000_000)), Ok(MicroUsd(2)));
    }

    #[test]
    fn zero_price_too_many_decimals_and_overflow_are_refused() {
        assert_eq!(scale(6).tokens_for(MicroUsd(1), Price(0)), Err(Error::PriceZero));
        assert_eq!(scale(9).tokens_for(MicroUsd(u64::MAX), Price(1)), Err(Error::Overflow));
        assert_eq!(
            scale(9).tokens_for_saturating(MicroUsd(u64::MAX), Price(1)),
            Ok(Token(u64::MAX))
        );
        assert!(Scale::of_decimals(10).is_err());
    }

    proptest! {
        #[test]
        fn splitting_a_request_never_pays(d in 0u8..=9, a in 0u64..1 << 40, b in 0u64..1 << 40, p in 1u64..1 << 40) {
            let (k, p) = (scale(d), Price(p));
            let sum = |x: Result<u64, Error>, y: Result<u64, Error>| x.ok()?.checked_add(y.ok()?);
            if let (Some(parts), Ok(whole)) = (
                sum(k.credits_for(Token(a), p).map(|c| c.0), k.credits_for(Token(b), p).map(|c| c.0)),
                k.credits_for(Token(a + b), p),
            ) {
                prop_assert!(parts <= whole.0);
            }
            if let (Some(parts), Ok(whole)) = (
                sum(k.tokens_for(MicroUsd(a), p).map(|t| t.0), k.tokens_for(MicroUsd(b), p).map(|t| t.0)),
                k.tokens_for(MicroUsd(a + b), p),
            ) {
                prop_assert!(parts <= whole.0);
            }
            if let (Some(parts), Ok(whole)) = (
                sum(k.burn_for(Credit(a), p).map(|t| t.0), k.burn_for(Credit(b), p).map(|t| t.0)),
                k.burn_for(Credit(a + b), p),
            ) {
                prop_assert!(parts >= whole.0);
            }
        }

        #[test]
        fn burning_then_being_paid_back_never_gains(d in 0u8..=9, c in 0u64..1 << 40, p in 1u64..1 << 40) {
            let (k, p) = (scale(d), Price(p));
            if let Ok(burned) = k.burn_for(Credit(c), p) {
                prop_assert!(k.tokens_for(MicroUsd(c), p).expect("smaller than what was burned") <= burned);
                prop_assert!(k.credits_for(burned, p).map_or(true, |got| got.0 >= c));
            }
        }
    }
}
