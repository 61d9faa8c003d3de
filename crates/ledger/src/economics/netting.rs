//! The operator's payout choice: how much of an epoch's income he wants in dollars, met by exchanging with other operators. Needs no
//! outside market, makes no token and no dollar, and never lets anybody wait: what finds no partner stays as earned.
//!
//! An operator wants `e` (basis points) of his income's value in dollars. At the epoch's mid price `P`:
//! `value = cash + ⌊tokens·P/K⌋`, `wanted = ⌊value·e/10,000⌋`. With `wanted > cash` he sells: he offers `⌊(wanted − cash)·K/P⌋` tokens.
//! With less he buys: he offers `cash − wanted` dollars. Nobody offers more than he earned.
//!
//! **How it works in ordered chunks.** Leaves are pushed in order, a chunk a transaction, so no block sees all offers. Therefore:
//! 1. The attested result carries the two sums of offers ([`OfferTotals`]) beside the totals of what is paid. From them everybody
//!    derives the same [`Terms`]: dollars `M = min(B, ⌊T·P/K⌋)` and tokens `N = min(T, ⌊M·K/P⌋)` change hands.
//! 2. Each (network, epoch) keeps, beside its cursor, a [`Running`]: how much was offered by the leaves before, on each side.
//! 3. A leaf's part is the step of a cumulative division: with `O` offered before it and `o` by it, it gives
//!    `⌊N·(O + o)/T⌋ − ⌊N·O/T⌋` tokens and gets `⌊M·(O + o)/T⌋ − ⌊M·O/T⌋` dollars (buyers: with `B`, dollars and tokens
//!    swapped). That is its exact part rounded down or up, never more than it offered, and the steps sum to `N` and `M` on both
//!    sides whatever the chunks. So the ledger checks each leaf alone ([`check_leaf_exchange`]) or computes it
//!    ([`leaf_exchange`]), with the operator's choice read from his account as it stood when the epoch closed.
//! 4. Offers beyond the attested sum are refused on the leaf that passes it; the last chunk must end on the sums exactly
//!    ([`close_exchange`]), else it is refused, the cursor stays, and the attestation is disputable: it was wrong.
//!
//! Both assets are conserved: what sellers give is what buyers get, in tokens (`N`) and in dollars (`M`). The fraction of `⌊M·K/P⌋`, less
//! than one base unit, is lost by the buyers together to the sellers. Source: economics notes §4.6.

use cairn_types::money::{BasisPoints, MicroUsd, Price, Token, mul_div_floor};
use minicbor::{CborLen, Decode, Encode};

use super::{Error, Scale};

/// What a leaf pays before any exchange: cash, and tokens of both kinds together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Earned {
    pub cash: MicroUsd,
    pub tokens: Token,
}

/// What an operator would exchange; at most one side is not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    pub tokens: Token,
    pub cash: MicroUsd,
}

/// Sums of all offers of a (network, epoch), part of what verifiers attest. Zero when the price was halted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct OfferTotals {
    /// `T`: what sellers offer.
    #[n(0)]
    pub tokens: Token,
    /// `B`: what buyers offer.
    #[n(1)]
    pub cash: MicroUsd,
}

/// What changes hands between all sellers and all buyers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    pub offered: OfferTotals,
    /// `N`.
    pub tokens: Token,
    /// `M`.
    pub cash: MicroUsd,
}

/// Offers of the leaves already paid; kept with the cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Running {
    #[n(0)]
    pub tokens: Token,
    #[n(1)]
    pub cash: MicroUsd,
}

/// What one leaf exchanges: one asset given, the other received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Exchange {
    #[n(0)]
    pub tokens_given: Token,
    #[n(1)]
    pub tokens_received: Token,
    #[n(2)]
    pub cash_given: MicroUsd,
    #[n(3)]
    pub cash_received: MicroUsd,
}

/// What an operator offers. `None` is no choice: paid as earned. Without a price nobody offers anything.
pub fn offer(
    scale: Scale,
    price: Option<Price>,
    earned: Earned,
    wants_in_dollars: Option<BasisPoints>,
) -> Result<Offer, Error> {
    let (Some(price), Some(part)) = (price, wants_in_dollars) else {
        return Ok(Offer::default());
    };
    let tokens_worth = scale.worth_at_least(earned.tokens, price)?;
    let value = earned.cash.checked_add(tokens_worth).ok_or(Error::Overflow)?;
    let wanted = value.part(part);
    let missing = wanted.saturating_sub(earned.cash);
    let tokens = scale.tokens_for(missing, price)?;
    Ok(Offer {
        tokens,
        cash: earned.cash.saturating_sub(wanted),
    })
}

/// The sums of offers, for whoever attests.
pub fn offer_totals(offers: impl IntoIterator<Item = Offer>) -> Result<OfferTotals, Error> {
    offers.into_iter().try_fold(OfferTotals::default(), |sum, offer| {
        Ok(OfferTotals {
            tokens: sum.tokens.checked_add(offer.tokens).ok_or(Error::Overflow)?,
            cash: sum.cash.checked_add(offer.cash).ok_or(Error::Overflow)?,
        })
    })
}

/// What the sums come to at the price.
pub fn terms(scale: Scale, price: Option<Price>, offered: OfferTotals) -> Result<Terms, Error> {
    let Some(price) = price else {
        return Ok(Terms {
            offered,
            ..Terms::default()
        });
    };
    let cash = scale.worth_at_least(offered.tokens, price)?.min(offered.cash);
    let tokens = scale.tokens_for(cash, price)?.min(offered.tokens);
    Ok(Terms { offered, tokens, cash })
}

/// What the next leaf exchanges, and what is offered up to and with it.
pub fn leaf_exchange(terms: &Terms, before: Running, offer: Offer) -> Result<(Exchange, Running), Error> {
    let after = Running {
        tokens: before.tokens.checked_add(offer.tokens).ok_or(Error::Overflow)?,
        cash: before.cash.checked_add(offer.cash).ok_or(Error::Overflow)?,
    };
    if after.tokens > terms.offered.tokens {
        return Err(Error::AboveTotal {
            reached: after.tokens.0,
            total: terms.offered.tokens.0,
        });
    }
    if after.cash > terms.offered.cash {
        return Err(Error::AboveTotal {
            reached: after.cash.0,
            total: terms.offered.cash.0,
        });
    }
    let sold = |amount: u64| step(amount, before.tokens.0, after.tokens.0, terms.offered.tokens.0);
    let bought = |amount: u64| step(amount, before.cash.0, after.cash.0, terms.offered.cash.0);
    let exchange = Exchange {
        tokens_given: Token(sold(terms.tokens.0)?),
        tokens_received: Token(bought(terms.tokens.0)?),
        cash_given: MicroUsd(bought(terms.cash.0)?),
        cash_received: MicroUsd(sold(terms.cash.0)?),
    };
    Ok((exchange, after))
}

/// Refuses a leaf whose exchange is not the one its offer gives; what is offered up to and with it.
pub fn check_leaf_exchange(terms: &Terms, before: Running, offer: Offer, claimed: Exchange) -> Result<Running, Error> {
    let (exchange, after) = leaf_exchange(terms, before, offer)?;
    if exchange == claimed {
        Ok(after)
    } else {
        Err(Error::ExchangeDiffers)
    }
}

/// Refuses the last chunk unless the offers ended on the attested sums: then both assets are conserved.
pub fn close_exchange(terms: &Terms, running: Running) -> Result<(), Error> {
    let below = |reached: u64, total: u64| {
        if reached == total {
            Ok(())
        } else {
            Err(Error::BelowTotal { reached, total })
        }
    };
    below(running.tokens.0, terms.offered.tokens.0)?;
    below(running.cash.0, terms.offered.cash.0)
}

impl Exchange {
    /// What a leaf pays after it.
    pub fn apply(&self, earned: Earned) -> Result<Earned, Error> {
        let tokens = earned
            .tokens
            .checked_sub(self.tokens_given)
            .and_then(|left| left.checked_add(self.tokens_received));
        let cash = earned
            .cash
            .checked_sub(self.cash_given)
            .and_then(|left| left.checked_add(self.cash_received));
        Ok(Earned {
            tokens: tokens.ok_or(Error::Overflow)?,
            cash: cash.ok_or(Error::Overflow)?,
        })
    }
}

/// `⌊amount·after/total⌋ − ⌊amount·before/total⌋`; nothing where nobody offers.
fn step(amount: u64, before: u64, after: u64, total: u64) -> Result<u64, Error> {
    if total == 0 {
        return Ok(0);
    }
    let up_to = |offered| mul_div_floor(amount, offered, total).ok_or(Error::Overflow);
    Ok(up_to(after)? - up_to(before)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HALF: Price = Price(50_000_000);

    fn scale() -> Scale {
        Scale::of_decimals(6).expect("few decimals")
    }

    fn earned(cash: u64, tokens: u64) -> Earned {
        Earned {
            cash: MicroUsd(cash),
            tokens: Token(tokens),
        }
    }

    /// Pays all leaves, as the ledger does chunk by chunk.
    fn settle(price: Price, leaves: &[(Earned, Option<u16>)]) -> Vec<Earned> {
        let wants = |wants: Option<u16>| wants.map(|part| BasisPoints::new(part).expect("a part"));
        let offers: Vec<Offer> = leaves
            .iter()
            .map(|(earned, part)| offer(scale(), Some(price), *earned, wants(*part)).expect("fits"))
            .collect();
        let terms = terms(
            scale(),
            Some(price),
            offer_totals(offers.iter().copied()).expect("fits"),
        )
        .expect("fits");
        let mut running = Running::default();
        let mut paid = Vec::new();
        for ((earned, _), offer) in leaves.iter().zip(offers) {
            let (exchange, after) = leaf_exchange(&terms, running, offer).expect("within the sums");
            assert_eq!(check_leaf_exchange(&terms, running, offer, exchange), Ok(after));
            assert!(exchange.tokens_given <= offer.tokens && exchange.cash_given <= offer.cash);
            running = after;
            paid.push(exchange.apply(*earned).expect("at most what was earned"));
        }
        assert_eq!(close_exchange(&terms, running), Ok(()));
        paid
    }

    #[test]
    fn the_table_of_exchanges_at_half_a_dollar() {
        let (all, none) = (Some(10_000), Some(0));
        // One wants dollars only, one tokens only; both are served in full.
        assert_eq!(
            settle(HALF, &[(earned(0, 200), all), (earned(100, 0), none)]),
            [earned(100, 0), earned(0, 200)]
        );
        // Two buyers share what one seller offers, by what each offered.
        assert_eq!(
            settle(
                HALF,
                &[(earned(75, 0), none), (earned(0, 100), all), (earned(25, 0), none)]
            ),
            [earned(38, 75), earned(50, 0), earned(12, 25)]
        );
        // Nobody on the other side, or no choice: paid as earned.
        assert_eq!(
            settle(HALF, &[(earned(5, 7), all), (earned(5, 7), None)]),
            [earned(5, 7), earned(5, 7)]
        );
        // What is wanted is had already.
        assert_eq!(
            settle(HALF, &[(earned(50, 100), Some(5_000)), (earned(0, 9), all)]),
            [earned(50, 100), earned(0, 9)]
        );
    }

    #[test]
    fn without_a_price_nothing_is_offered_or_exchanged() {
        assert_eq!(
            offer(scale(), None, earned(5, 7), Some(BasisPoints::WHOLE)),
            Ok(Offer::default())
        );
        let terms = terms(scale(), None, OfferTotals::default()).expect("nothing to compute");
        assert_eq!(close_exchange(&terms, Running::default()), Ok(()));
    }

    #[test]
    fn false_sums_and_false_leaves_are_refused() {
        let offered = OfferTotals {
            tokens: Token(100),
            cash: MicroUsd(50),
        };
        let terms = terms(scale(), Some(HALF), offered).expect("fits");
        let sell = |tokens| Offer {
            tokens: Token(tokens),
            cash: MicroUsd(0),
        };
        let start = Running::default();
        assert_eq!(
            leaf_exchange(&terms, start, sell(101)),
            Err(Error::AboveTotal {
                reached: 101,
                total: 100
            })
        );
        assert_eq!(
            check_leaf_exchange(&terms, start, sell(100), Exchange::default()),
            Err(Error::ExchangeDiffers)
        );
        let (_, after) = leaf_exchange(&terms, start, sell(99)).expect("within the sums");
        assert_eq!(
            close_exchange(&terms, after),
            Err(Error::BelowTotal {
                reached: 99,
                total: 100
            })
        );
    }

    proptest! {
        #[test]
        fn both_assets_are_conserved_and_nobody_loses_more_than_a_fraction(
            price in 1_000u64..1 << 40,
            leaves in prop::collection::vec((0u64..1 << 30, 0u64..1 << 30, prop::option::of(0u16..=10_000)), 0..40),
        ) {
            let price = Price(price);
            let leaves: Vec<_> = leaves.into_iter().map(|(cash, tokens, part)| (earned(cash, tokens), part)).collect();
            let paid = settle(price, &leaves);
            let sum = |list: &mut dyn Iterator<Item = Earned>| list.fold((0, 0), |s, e| (s.0 + e.cash.0, s.1 + e.tokens.0));
            prop_assert_eq!(sum(&mut leaves.iter().map(|leaf| leaf.0)), sum(&mut paid.iter().copied()));
            for ((before, part), after) in leaves.iter().zip(&paid) {
                if part.is_none() {
                    prop_assert_eq!(before, after);
                }
                let value = |e: &Earned| u128::from(e.cash.0) * 100_000_000 + u128::from(e.tokens.0) * u128::from(price.0);
                // One unit of each asset by its own step, and the buyers' common fraction of a base unit.
                let fraction = 100_000_000 + 2 * u128::from(price.0);
                prop_assert!(value(before) <= value(after) + fraction, "{:?} {:?}", before, after);
            }
        }
    }
}
