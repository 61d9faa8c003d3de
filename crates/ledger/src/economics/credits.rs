//! Credits: bought with stablecoin or by burning tokens, spent on service, refunded in part. Never given to another account.
//!
//! A balance has two parts, and each rule says which it touches:
//!
//! | rule | formula | rounding | loser |
//! |---|---|---|---|
//! | pay stable | `reserve += s`, `stable += s` | exact | nobody |
//! | burn tokens | `burned += ⌊t·P_low/K⌋` | down | the customer |
//! | burn for credits | `⌈c·K/P_low⌉` tokens | up | the customer |
//! | refund | `c − ⌈c·fee/10,000⌉` of `stable` only (the tokens behind `burned` are gone) | fee up | the customer |
//! | spend | `stable` first, then `burned` | exact | nobody |
//!
//! **Burn limit.** A breaker against a wrong price: burns fade from the count linearly over the window `W`,
//! `count' = t + ⌈count·max(0, W − Δt)/W⌉ ≤ ⌊supply·x/10,000⌋`. The count rounds up and the limit down, against the customer.
//! A halted price stops burning only. Source: economics notes §4.3; the breaker is Helium's.

use cairn_types::money::{BasisPoints, Credit, MicroUsd, Price, Token, mul_div_ceil};
use cairn_types::time::TimeMs;
use minicbor::{CborLen, Decode, Encode};

use super::{Error, Parameters, Spent};

/// What an account or an escrow holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct CreditBalance {
    /// A dollar of the stable reserve stands behind each million.
    #[n(0)]
    pub stable: Credit,
    /// Bought by burning; nothing stands behind it but the network's service.
    #[n(1)]
    pub burned: Credit,
}

/// How much was burned for credits lately, ledger-wide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct BurnCount {
    #[n(0)]
    pub tokens: Token,
    /// When `tokens` was right; it fades from here.
    #[n(1)]
    pub at: TimeMs,
}

/// What burning does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Burn {
    pub tokens: Token,
    pub credits: Credit,
    pub count: BurnCount,
}

/// What a customer names: the tokens to burn or the credits to get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BurnAsked {
    Tokens(Token),
    Credits(Credit),
}

/// What a refund does: credits leave the balance, `paid` leaves the reserve, `fee` stays in it for the treasury.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refund {
    pub paid: MicroUsd,
    pub fee: MicroUsd,
}

impl CreditBalance {
    /// Both parts together.
    pub fn total(&self) -> Result<Credit, Error> {
        self.stable.checked_add(self.burned).ok_or(Error::Overflow)
    }

    /// After paying stablecoin into the reserve.
    pub fn with_stable(&self, paid: MicroUsd) -> Result<Self, Error> {
        let stable = self.stable.checked_add(Credit(paid.0)).ok_or(Error::Overflow)?;
        Ok(Self { stable, ..*self })
    }

    /// After burning tokens.
    pub fn with_burned(&self, credits: Credit) -> Result<Self, Error> {
        let burned = self.burned.checked_add(credits).ok_or(Error::Overflow)?;
        Ok(Self { burned, ..*self })
    }

    /// With what came back from an escrow, each part to its own.
    pub fn with_returned(&self, returned: &Self) -> Result<Self, Error> {
        self.with_stable(MicroUsd(returned.stable.0))?
            .with_burned(returned.burned)
    }

    /// The balance after spending (or holding in an escrow), and what was taken of each part.
    pub fn spend(&self, credits: Credit) -> Result<(Self, Spent), Error> {
        let stable = self.stable.min(credits);
        let burned = credits.saturating_sub(stable);
        let left = self.burned.checked_sub(burned).ok_or(Error::CreditsInsufficient {
            held: self.stable.0.saturating_add(self.burned.0),
            asked: credits.0,
        })?;
        Ok((
            Self {
                stable: self.stable.saturating_sub(stable),
                burned: left,
            },
            Spent { stable, burned },
        ))
    }

    /// The balance after giving stable-backed credits back for stablecoin.
    pub fn refund(&self, credits: Credit, fee: BasisPoints) -> Result<(Self, Refund), Error> {
        let stable = self.stable.checked_sub(credits).ok_or(Error::CreditsInsufficient {
            held: self.stable.0,
            asked: credits.0,
        })?;
        let paid = MicroUsd(credits.part(fee.rest()).0);
        let fee = MicroUsd(credits.0).saturating_sub(paid);
        Ok((Self { stable, ..*self }, Refund { paid, fee }))
    }
}

/// What burning gives at the low price, and the count after it. Refused while the price is halted, for nothing, and above the limit.
pub fn burn(
    asked: BurnAsked,
    price_low: Option<Price>,
    count: BurnCount,
    supply: Token,
    now: TimeMs,
    parameters: &Parameters,
) -> Result<Burn, Error> {
    let price = price_low.ok_or(Error::PriceHalted)?;
    let scale = parameters.scale()?;
    let (tokens, credits) = match asked {
        BurnAsked::Tokens(tokens) => (tokens, scale.credits_for(tokens, price)?),
        BurnAsked::Credits(credits) => (scale.burn_for(credits, price)?, credits),
    };
    if credits == Credit::ZERO {
        return Err(Error::AmountZero);
    }
    let window = parameters.burn_window_ms;
    let left = window.saturating_sub(now.since_ms(count.at));
    let faded = mul_div_ceil(count.tokens.0, left, window)
        .map(Token)
        .ok_or(Error::Overflow)?;
    let reached = faded.checked_add(tokens).ok_or(Error::Overflow)?;
    let limit = supply.part(parameters.burn_limit_bps);
    if reached > limit {
        return Err(Error::BurnLimitReached {
            reached: reached.0,
            limit: limit.0,
        });
    }
    Ok(Burn {
        tokens,
        credits,
        count: BurnCount {
            tokens: reached,
            at: now.max(count.at),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HALF: Option<Price> = Some(Price(50_000_000));
    const DAY_MS: u64 = 86_400_000;

    fn parameters() -> Parameters {
        Parameters::daily(6, Token(1_000_000), Token(0))
    }

    fn burn_at(asked: BurnAsked, price: Option<Price>, counted: u64, age_ms: u64) -> Result<Burn, Error> {
        let count = BurnCount {
            tokens: Token(counted),
            at: TimeMs(1_000),
        };
        burn(
            asked,
            price,
            count,
            Token(100_000),
            TimeMs(1_000 + age_ms),
            &parameters(),
        )
    }

    #[test]
    fn burning_rounds_against_the_customer_and_stops_at_the_limit_and_without_a_price() {
        let tokens = |n| BurnAsked::Tokens(Token(n));
        let made =
            |result: Result<Burn, Error>| result.map(|burn| (burn.tokens.0, burn.credits.0, burn.count.tokens.0));
        assert_eq!(made(burn_at(tokens(3), HALF, 0, 0)), Ok((3, 1, 3)));
        assert_eq!(
            made(burn_at(BurnAsked::Credits(Credit(1)), Some(Price(30_000_000)), 0, 0)),
            Ok((4, 1, 4))
        );
        assert_eq!(made(burn_at(tokens(1), HALF, 0, 0)), Err(Error::AmountZero));
        assert_eq!(made(burn_at(tokens(10), None, 0, 0)), Err(Error::PriceHalted));
        assert_eq!(made(burn_at(tokens(200), HALF, 800, 0)), Ok((200, 100, 1_000)));
        assert_eq!(
            made(burn_at(tokens(201), HALF, 800, 0)),
            Err(Error::BurnLimitReached {
                reached: 1_001,
                limit: 1_000
            })
        );
        assert_eq!(made(burn_at(tokens(600), HALF, 800, DAY_MS / 2)), Ok((600, 300, 1_000)));
        assert_eq!(made(burn_at(tokens(600), HALF, 799, DAY_MS / 2)), Ok((600, 300, 1_000)));
        assert_eq!(made(burn_at(tokens(1_000), HALF, 800, DAY_MS)), Ok((1_000, 500, 1_000)));
        assert_eq!(
            made(burn_at(tokens(1_000), HALF, 800, 9 * DAY_MS)),
            Ok((1_000, 500, 1_000))
        );
    }

    #[test]
    fn stable_credits_are_spent_first_and_only_they_are_refunded() {
        let balance = CreditBalance {
            stable: Credit(100),
            burned: Credit(50),
        };
        let (left, spent) = balance.spend(Credit(120)).expect("enough");
        assert_eq!(
            left,
            CreditBalance {
                stable: Credit(0),
                burned: Credit(30)
            }
        );
        assert_eq!(
            spent,
            Spent {
                stable: Credit(100),
                burned: Credit(20)
            }
        );
        assert_eq!(
            balance.spend(Credit(151)),
            Err(Error::CreditsInsufficient { held: 150, asked: 151 })
        );
        assert_eq!(
            balance.spend(Credit(u64::MAX)),
            Err(Error::CreditsInsufficient {
                held: 150,
                asked: u64::MAX
            })
        );

        let fee = BasisPoints::new(100).expect("a part");
        let (left, refund) = balance.refund(Credit(99), fee).expect("enough");
        assert_eq!(
            left,
            CreditBalance {
                stable: Credit(1),
                burned: Credit(50)
            }
        );
        assert_eq!(
            refund,
            Refund {
                paid: MicroUsd(98),
                fee: MicroUsd(1)
            }
        );
        assert_eq!(
            balance.refund(Credit(101), fee),
            Err(Error::CreditsInsufficient { held: 100, asked: 101 })
        );
    }

    proptest! {
        #[test]
        fn holding_and_returning_leaves_a_balance_as_it_was(stable in 0u64..1 << 62, burned in 0u64..1 << 62, part: u64) {
            let balance = CreditBalance { stable: Credit(stable), burned: Credit(burned) };
            let held = Credit(part % (stable + burned + 1));
            let (left, spent) = balance.spend(held).expect("at most the balance");
            prop_assert_eq!(spent.total(), Ok(held));
            let returned = CreditBalance { stable: spent.stable, burned: spent.burned };
            prop_assert_eq!(left.with_returned(&returned), Ok(balance));
        }

        #[test]
        fn cutting_a_burn_or_a_refund_into_parts_never_pays(a in 1u64..400, b in 1u64..400, price in 1u64..1 << 30) {
            let credits = |n: u64| burn_at(BurnAsked::Tokens(Token(n)), Some(Price(price)), 0, 0).map_or(0, |burn| burn.credits.0);
            prop_assert!(credits(a) + credits(b) <= credits(a + b));
            let balance = CreditBalance { stable: Credit(1_000), burned: Credit(0) };
            let paid = |n: u64| balance.refund(Credit(n), BasisPoints::new(70).expect("a part")).expect("enough").1.paid.0;
            prop_assert!(paid(a) + paid(b) <= paid(a + b));
        }

        #[test]
        fn many_small_burns_within_a_window_pass_no_more_than_one(parts in prop::collection::vec((1u64..300, 0u64..DAY_MS / 4), 1..40)) {
            let (mut count, mut now, mut burned) = (BurnCount::default(), TimeMs(DAY_MS), Vec::new());
            for (tokens, wait_ms) in parts {
                now = now.plus_ms(wait_ms);
                let asked = BurnAsked::Tokens(Token(tokens * 2));
                if let Ok(done) = burn(asked, HALF, count, Token(100_000), now, &parameters()) {
                    count = done.count;
                    burned.push((now, done.tokens.0));
                }
            }
            for (start, _) in &burned {
                // Linear fading bounds any window by twice the limit; within one instant by the limit itself.
                let within = |ms: u64| burned.iter().filter(|(at, _)| at >= start && at.since_ms(*start) <= ms).map(|(_, t)| t).sum::<u64>();
                prop_assert!(within(0) <= 1_000);
                prop_assert!(within(DAY_MS) <= 2_000);
            }
        }
    }
}
