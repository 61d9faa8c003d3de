//! The operator's payout choice: how much of an epoch's income he wants in dollars, met by exchanging with other operators. Needs no
//! outside market, makes no token and no dollar, and never lets anybody wait: what finds no partner stays as earned.
//!
//! An operator wants `e` (basis points) of his income's value in dollars. At the epoch's mid price `P`:
//! `value = cash + ⌊tokens·P/K⌋`, `wanted = ⌊value·e/10,000⌋`. With `wanted > cash` he sells and offers `⌊(wanted − cash)·K/P⌋` tokens. With
//! less he buys and offers the dollars `⌊⌊(cash − wanted)·K/P⌋·P/K⌋`: what he has too many of, down to whole base units of
//! token. Each side offers what it gives, so nobody offers more than he earned and the sums fit wherever the pools do.
//!
//! **How it works in ordered chunks.** Leaves are pushed in order, a chunk a transaction, so no block sees all offers. Therefore:
//! 1. The attested result carries the two sums of offers, tokens and dollars ([`OfferTotals`]), beside the totals of what is paid.
//!    From them everybody derives the same [`Terms`]: `N = min(tokens, ⌊dollars·K/P⌋)` tokens change hands.
//! 2. Each (network, epoch) keeps, beside its cursor, a [`Running`]: how much the leaves before offered, on each side.
//! 3. A leaf's part is a step of a cumulative division. With `O` offered before it and `o` by it on its side, whose sum is `S`: the side
//!    has exchanged `X = ⌊N·O/S⌋` tokens before it and `X' = ⌊N·(O + o)/S⌋` with it (all of `O`, `o`, `S` in what the side offers); the leaf exchanges `X' − X` tokens for
//!    `⌈X'·P/K⌉ − ⌈X·P/K⌉` dollars. So a leaf exchanges its exact part rounded down or up, never more than it offered, at the price to
//!    less than a micro-dollar; and on both sides the steps end at `N` tokens and `⌈N·P/K⌉` dollars, whatever the chunks. The
//!    ledger checks each leaf alone ([`check_leaf_exchange`]) or works it out ([`leaf_exchange`]), with the operator's choice
//!    read from his account as it stood when the epoch closed.
//! 4. Offers beyond the attested sum are refused on the leaf that passes it; the last chunk must end on the sums exactly
//!    ([`close_exchange`]), else it is refused, the cursor stays, and the attestation is disputable: it was wrong.
//!
//! Both assets are conserved: what sellers give is what buyers get, in tokens and in dollars. Source: economics notes §4.6.

use cairn_types::PayoutLeaf;
use cairn_types::money::{BasisPoints, MicroUsd, Price, Token, mul_div_floor};
use minicbor::{CborLen, Decode, Encode};

use super::{Error, Scale};

/// What a leaf pays before any exchange: cash, and tokens of both kinds together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Earned {
    pub cash: MicroUsd,
    pub tokens: Token,
}

impl Earned {
    /// What a leaf pays as earned; `None` where its tokens do not fit 64 bits.
    pub fn of(leaf: &PayoutLeaf) -> Option<Self> {
        Some(Self {
            cash: leaf.cash,
            tokens: leaf.availability.checked_add(leaf.usage)?,
        })
    }
}

/// What an operator would exchange; at most one side is not zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Offered by a seller.
    pub tokens: Token,
    /// Offered by a buyer.
    pub cash: MicroUsd,
}

/// Sums of all offers of a (network, epoch), part of what verifiers attest. Zero when the price was halted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct OfferTotals {
    #[n(0)]
    pub tokens: Token,
    #[n(1)]
    pub cash: MicroUsd,
}

/// On what terms the leaves of a (network, epoch) exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    pub offered: OfferTotals,
    /// `N`: what all sellers give and all buyers get.
    pub exchanged: Token,
    price: Option<Price>,
    scale: Scale,
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
    pub cash_received: MicroUsd,
    #[n(2)]
    pub cash_given: MicroUsd,
    #[n(3)]
    pub tokens_received: Token,
}

/// What an operator offers. `None` is no choice: paid as earned. Nobody offers anything without a price, or where an income is worth
/// more dollars than 64 bits count.
pub fn offer(scale: Scale, price: Option<Price>, earned: Earned, wants_in_dollars: Option<BasisPoints>) -> Offer {
    let (Some(price), Some(part)) = (price, wants_in_dollars) else {
        return Offer::default();
    };
    let tokens_worth = scale.worth_at_least(earned.tokens, price).ok();
    let Some(value) = tokens_worth.and_then(|worth| earned.cash.checked_add(worth)) else {
        return Offer::default();
    };
    let wanted = value.part(part);
    let missing = scale.tokens_for(wanted.saturating_sub(earned.cash), price);
    let too_many = earned.cash.saturating_sub(wanted);
    let whole_units = scale
        .tokens_for(too_many, price)
        .and_then(|tokens| scale.worth_at_least(tokens, price));
    Offer {
        tokens: missing.unwrap_or_default(), // never fails: `missing` is at most what the tokens are worth
        // Where the tokens cannot be counted, all sellers together have fewer: the offer is never taken in full.
        cash: whole_units.unwrap_or(too_many),
    }
}

/// The sums of offers, for whoever attests.
pub fn offer_totals(offers: impl IntoIterator<Item = Offer>) -> Result<OfferTotals, Error> {
    let none = Running::default();
    let sum = offers.into_iter().try_fold(none, |sum, offer| sum.with(offer))?;
    Ok(OfferTotals {
        tokens: sum.tokens,
        cash: sum.cash,
    })
}

/// What the sums come to at the price.
pub fn terms(scale: Scale, price: Option<Price>, offered: OfferTotals) -> Result<Terms, Error> {
    let exchanged = match price {
        Some(price) => scale.tokens_for_saturating(offered.cash, price)?.min(offered.tokens),
        None => Token::ZERO,
    };
    Ok(Terms {
        offered,
        exchanged,
        price,
        scale,
    })
}

/// What the next leaf exchanges, and what is offered up to and with it.
pub fn leaf_exchange(terms: &Terms, before: Running, offer: Offer) -> Result<(Exchange, Running), Error> {
    let after = before.with(offer)?;
    let (tokens_given, cash_received) = terms.step(before.tokens.0, after.tokens.0, terms.offered.tokens.0)?;
    let (tokens_received, cash_given) = terms.step(before.cash.0, after.cash.0, terms.offered.cash.0)?;
    Ok((
        Exchange {
            tokens_given,
            cash_received,
            cash_given,
            tokens_received,
        },
        after,
    ))
}

/// Refuses a leaf whose exchange is not the one its offer gives; what is offered up to and with it.
pub fn check_leaf_exchange(terms: &Terms, before: Running, offer: Offer, stated: Exchange) -> Result<Running, Error> {
    let (exchange, after) = leaf_exchange(terms, before, offer)?;
    if exchange == stated {
        Ok(after)
    } else {
        Err(Error::ExchangeDiffers)
    }
}

/// Refuses the last chunk unless the offers ended on the attested sums: then both assets are conserved.
pub fn close_exchange(terms: &Terms, running: Running) -> Result<(), Error> {
    let ended = |reached, total| {
        if reached == total {
            Ok(())
        } else {
            Err(Error::BelowTotal { reached, total })
        }
    };
    ended(running.tokens.0, terms.offered.tokens.0)?;
    ended(running.cash.0, terms.offered.cash.0)
}

impl Running {
    /// With one more leaf's offer.
    fn with(self, offer: Offer) -> Result<Self, Error> {
        Ok(Self {
            tokens: self.tokens.checked_add(offer.tokens).ok_or(Error::Overflow)?,
            cash: self.cash.checked_add(offer.cash).ok_or(Error::Overflow)?,
        })
    }
}

impl Terms {
    /// Tokens and their dollars exchanged while a side's offers go from `before` to `after` of their `total`.
    fn step(&self, before: u64, after: u64, total: u64) -> Result<(Token, MicroUsd), Error> {
        if after > total {
            return Err(Error::AboveTotal { reached: after, total });
        }
        let Some(price) = self.price.filter(|_| total > 0) else {
            return Ok((Token::ZERO, MicroUsd::ZERO));
        };
        let up_to = |sum| {
            mul_div_floor(self.exchanged.0, sum, total)
                .map(Token)
                .ok_or(Error::Overflow)
        };
        let worth = |tokens| self.scale.worth_at_most(tokens, price);
        let (from, to) = (up_to(before)?, up_to(after)?);
        Ok((to.saturating_sub(from), worth(to)?.saturating_sub(worth(from)?))) // both only grow along the leaves
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HALF: Price = Price(50_000_000);

    fn scale(decimals: u8) -> Scale {
        Scale::of_decimals(decimals).expect("few decimals")
    }

    fn earned(cash: u64, tokens: u64) -> Earned {
        Earned {
            cash: MicroUsd(cash),
            tokens: Token(tokens),
        }
    }

    /// Pays all leaves, as the ledger does chunk by chunk.
    fn settle(decimals: u8, price: Price, leaves: &[(Earned, Option<u16>)]) -> Vec<Earned> {
        let wants = |part: Option<u16>| part.map(|part| BasisPoints::new(part).expect("a part"));
        let offers: Vec<Offer> = leaves
            .iter()
            .map(|(earned, part)| offer(scale(decimals), Some(price), *earned, wants(*part)))
            .collect();
        let totals = offer_totals(offers.iter().copied()).expect("at most what was earned");
        let terms = terms(scale(decimals), Some(price), totals).expect("the price is not zero");
        let mut running = Running::default();
        let mut paid = Vec::new();
        for ((earned, _), offer) in leaves.iter().zip(offers) {
            let (exchange, after) = leaf_exchange(&terms, running, offer).expect("within the sums");
            assert_eq!(check_leaf_exchange(&terms, running, offer, exchange), Ok(after));
            assert!(exchange.tokens_given <= offer.tokens);
            running = after;
            paid.push(exchange.apply(*earned).expect("at most what was earned"));
        }
        assert_eq!(close_exchange(&terms, running), Ok(()));
        paid
    }

    fn check(price: Price, leaves: &[(Earned, Option<u16>)], paid: &[Earned]) {
        assert_eq!(settle(6, price, leaves), paid);
    }

    #[test]
    fn the_table_of_exchanges() {
        let (all, none) = (Some(10_000), Some(0));
        // One wants dollars only, one tokens only; both are served in full.
        check(
            HALF,
            &[(earned(0, 200), all), (earned(100, 0), none)],
            &[earned(100, 0), earned(0, 200)],
        );
        // Two buyers share what one seller offers, by what each offered.
        let two_buyers = [(earned(75, 0), none), (earned(0, 100), all), (earned(25, 0), none)];
        check(HALF, &two_buyers, &[earned(37, 75), earned(50, 0), earned(13, 25)]);
        // Nobody on the other side, or no choice: paid as earned.
        check(
            HALF,
            &[(earned(5, 7), all), (earned(5, 7), None)],
            &[earned(5, 7), earned(5, 7)],
        );
        // What is wanted is had already.
        check(
            HALF,
            &[(earned(50, 100), Some(5_000)), (earned(0, 9), all)],
            &[earned(50, 100), earned(0, 9)],
        );
        // A base unit worth ten dollars: whoever has nine buys none, and nobody pays for what he does not get.
        let unit = Price(1_000_000_000_000_000);
        let dear = [
            (earned(9_000_000, 0), none),
            (earned(0, 2), all),
            (earned(15_000_000, 0), none),
        ];
        check(
            unit,
            &dear,
            &[earned(9_000_000, 0), earned(10_000_000, 1), earned(5_000_000, 1)],
        );
    }

    #[test]
    fn without_a_price_nothing_is_offered_or_exchanged() {
        assert_eq!(
            offer(scale(6), None, earned(5, 7), Some(BasisPoints::WHOLE)),
            Offer::default()
        );
        let terms = terms(scale(6), None, OfferTotals::default()).expect("nothing is offered");
        assert_eq!(
            leaf_exchange(&terms, Running::default(), Offer::default()).map(|(done, _)| done),
            Ok(Exchange::default())
        );
        assert_eq!(close_exchange(&terms, Running::default()), Ok(()));
    }

    #[test]
    fn false_sums_and_false_leaves_are_refused() {
        let offered = OfferTotals {
            tokens: Token(100),
            cash: MicroUsd(50),
        };
        let terms = terms(scale(6), Some(HALF), offered).expect("the price is not zero");
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

    fn leaf() -> impl Strategy<Value = (Earned, Option<u16>)> {
        let amount = || prop_oneof![0u64..20, 0u64..1 << 30, 0u64..1 << 55];
        (amount(), amount(), prop::option::of(0u16..=10_000))
            .prop_map(|(cash, tokens, part)| (earned(cash, tokens), part))
    }

    proptest! {
        #[test]
        fn both_assets_are_conserved_and_nobody_loses_a_micro_dollar(
            decimals in 0u8..=9,
            price in prop_oneof![1u64..1 << 20, 1u64..1 << 40, 1u64..1 << 50],
            leaves in prop::collection::vec(leaf(), 0..40),
        ) {
            let paid = settle(decimals, Price(price), &leaves);
            let sum = |list: &mut dyn Iterator<Item = Earned>| list.fold((0, 0), |s, e| (s.0 + e.cash.0, s.1 + e.tokens.0));
            prop_assert_eq!(sum(&mut leaves.iter().map(|leaf| leaf.0)), sum(&mut paid.iter().copied()));
            for ((before, part), after) in leaves.iter().zip(&paid) {
                if part.is_none() {
                    prop_assert_eq!(before, after);
                }
                let micro_usd = 10u128.pow(u32::from(decimals) + 2);
                let value = |e: &Earned| u128::from(e.cash.0) * micro_usd + u128::from(e.tokens.0) * u128::from(price);
                prop_assert!(value(before).abs_diff(value(after)) < micro_usd, "{:?} {:?}", before, after);
            }
        }
    }
}
