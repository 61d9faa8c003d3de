//! The token's price, from what verifiers post each round. Never reads a market, never lets a third of the posters move it out of
//! the range of the others.
//!
//! A round (by default an hour) is accepted when more than two thirds of the posting weight is fresh, that is `2f + 1` of
//! `3f + 1` equal verifiers; a post is fresh in its own round and the next. Then
//! - `P_round`: the lower median by (price, verifier), moved at most ±20 % from the last accepted price (I10);
//! - `P_twap = ⌊mean of the last 24 accepted rounds⌋`;
//! - `conf = ⌈median |p_i − median| · 14,826/10,000⌉`, the spread of a normal distribution by its median deviation, which no
//!   third of liars can move beyond the others' own; rounded up, so that doubt is never lost.
//!
//! | price | formula | used when | rounding works against |
//! |---|---|---|---|
//! | low | `max(1, min(P_round, P_twap) − 2·conf)` | the protocol gives credits for tokens | the customer who burns |
//! | mid | `P_twap` | operators exchange among themselves; reports | nobody |
//! | high | `max(P_round, P_twap) + 2·conf` | the protocol pays tokens for usage | the payee |
//!
//! **Why usage is valued at high, not low.** The no-wash rule promises that paying yourself loses whatever the price does. A
//! self-dealer pays dollars and gets 70 % cash and 25 % in tokens; were those tokens counted at low, and the market a third above
//! it (one fast day of a lagging mean), they would sell for more than the 30 % that were left, and washing would pay. Counted
//! at high they are worth at most 25 % unless the market outruns both the last round and the mean. What passes at high passes
//! at low, so the notes' rule (§4.4) holds as well.
//!
//! No price is quoted when none was accepted for more than three rounds, or when two rounds in a row were wide
//! (`conf > 3 %`). Then burning for credits, exchange and the usage top-up pause; nothing in dollars ever does (I11).
//! Source: economics notes §4.2.

use cairn_types::ids::AccountNumber;
use cairn_types::money::{Price, mul_div_ceil, mul_div_floor};
use minicbor::{CborLen, Decode, Encode};

use super::Parameters;

/// Accepted rounds in the mean.
pub const RING_ROUNDS: usize = 24;
/// Wide rounds in a row that halt the price.
pub const WIDE_ROUNDS_MAX: u8 = 2;
/// Posts outside these are as if never made. Below the lower one a move of 20 % could round to none.
pub const PRICE_MIN: Price = Price(100);
/// Ten million dollars for a token.
pub const PRICE_MAX: Price = Price(1_000_000_000_000_000);

/// One verifier's word on the price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Post {
    pub verifier: AccountNumber,
    pub price: Price,
    /// The round it was made for.
    pub round: u64,
    /// The verifier's bond, or 1 where each counts the same.
    pub weight: u64,
}

/// What the ledger keeps of all rounds: at most 254 bytes encoded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct PriceState {
    /// Accepted prices, the newest last, at most [`RING_ROUNDS`].
    #[n(0)]
    pub ring: Vec<Price>,
    /// The last accepted round.
    #[n(1)]
    pub round: u64,
    /// Confidence of the last accepted round, in units of a price.
    #[n(2)]
    pub confidence: u64,
    /// Wide rounds in a row, up to now.
    #[n(3)]
    pub wide_rounds: u8,
}

/// Prices fit for use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    pub low: Price,
    pub mid: Price,
    pub high: Price,
}

impl Quote {
    /// At what tokens paid for usage are counted, both to size the pool and to check its leaves.
    pub fn for_usage(self) -> Price {
        self.high
    }
}

/// The state after a round, or `None` when too few posted for it: then the last accepted price ages.
/// Of several posts by one verifier the cheapest counts; `weight_total` is the weight of all who may post.
pub fn close_round(
    state: &PriceState,
    round: u64,
    posts: &[Post],
    weight_total: u64,
    parameters: &Parameters,
) -> Option<PriceState> {
    let fresh = fresh_posts(round, posts);
    let weight: u128 = fresh.iter().map(|post| u128::from(post.weight)).sum();
    if weight == 0 || 3 * weight <= 2 * u128::from(weight_total) {
        return None;
    }
    let by_price = |post: &Post| (post.price.0, post.verifier.0, post.weight);
    let median = lower_median(fresh.iter().map(by_price).collect());
    let deviations = fresh
        .iter()
        .map(|post| (post.price.0.abs_diff(median), post.verifier.0, post.weight))
        .collect();
    let confidence =
        mul_div_ceil(lower_median(deviations), 14_826, 10_000).expect("posts are below ten million dollars");

    let price = state
        .ring
        .last()
        .map_or(median, |last| clamp(median, *last, parameters));
    let wide = u128::from(confidence) * 10_000 > u128::from(median) * u128::from(parameters.price_spread_bps.get());
    let oldest_kept = state.ring.len().saturating_sub(RING_ROUNDS - 1);
    let ring = state
        .ring
        .iter()
        .skip(oldest_kept)
        .copied()
        .chain([Price(price)])
        .collect();
    Some(PriceState {
        ring,
        round,
        confidence,
        wide_rounds: if wide { state.wide_rounds.saturating_add(1) } else { 0 },
    })
}

impl PriceState {
    /// The last accepted price, whether or not it may still be used.
    pub fn last(&self) -> Option<Price> {
        self.ring.last().copied()
    }

    /// The prices in `round_now`, or `None` while the price is halted: never posted, stale or wide.
    pub fn quote(&self, round_now: u64, parameters: &Parameters) -> Option<Quote> {
        let last = self.last()?;
        let age_rounds = round_now.saturating_sub(self.round);
        if age_rounds > parameters.price_stale_rounds || self.wide_rounds >= WIDE_ROUNDS_MAX {
            return None;
        }
        let sum: u128 = self.ring.iter().map(|price| u128::from(price.0)).sum();
        let mean = Price(u64::try_from(sum / self.ring.len() as u128).expect("a mean is at most the largest"));
        let doubt = self.confidence.saturating_mul(2);
        Some(Quote {
            low: Price(last.min(mean).0.saturating_sub(doubt).max(1)),
            mid: mean,
            high: Price(last.max(mean).0.saturating_add(doubt)),
        })
    }
}

/// One post a verifier, sorted by verifier, made for this round or the one before, within the bounds of a price.
fn fresh_posts(round: u64, posts: &[Post]) -> Vec<Post> {
    let mut fresh: Vec<Post> = posts
        .iter()
        .filter(|post| post.round <= round && round - post.round <= 1 && (PRICE_MIN..=PRICE_MAX).contains(&post.price))
        .copied()
        .collect();
    fresh.sort_unstable_by_key(|post| (post.verifier, post.price, post.weight));
    fresh.dedup_by_key(|post| post.verifier);
    fresh
}

/// The first value, by (value, id), at which half of the weight is reached. With equal weights: the lower median.
fn lower_median(mut values: Vec<(u64, u32, u64)>) -> u64 {
    values.sort_unstable();
    let half_doubled: u128 = values.iter().map(|(_, _, weight)| u128::from(*weight)).sum();
    let mut reached = 0u128;
    for (value, _, weight) in &values {
        reached += u128::from(*weight);
        if 2 * reached >= half_doubled && *weight > 0 {
            return *value;
        }
    }
    unreachable!("the whole weight is more than half of it")
}

/// Into `⌈0.8·last⌉..=⌊1.2·last⌋` (at the default of 20 %) and the bounds of a price: both edges lie within the permitted move.
fn clamp(price: u64, last: Price, parameters: &Parameters) -> u64 {
    let step = u64::from(parameters.price_move_bps.get());
    let floor = mul_div_ceil(last.0, 10_000 - step, 10_000).expect("a part is at most the whole");
    let ceiling = mul_div_floor(last.0, 10_000 + step, 10_000).expect("a price is below ten million dollars");
    price.clamp(floor, ceiling).clamp(PRICE_MIN.0, PRICE_MAX.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_types::money::Token;
    use proptest::prelude::*;

    fn parameters() -> Parameters {
        Parameters::daily(6, Token(1_000_000_000), Token(0))
    }

    fn posts(round: u64, prices: &[u64]) -> Vec<Post> {
        (1..)
            .zip(prices)
            .map(|(id, price)| Post {
                verifier: AccountNumber(id),
                price: Price(*price),
                round,
                weight: 1,
            })
            .collect()
    }

    fn after(rounds: &[&[u64]]) -> PriceState {
        (1..).zip(rounds).fold(PriceState::default(), |state, (round, prices)| {
            let verifiers = prices.len() as u64;
            close_round(&state, round, &posts(round, prices), verifiers, &parameters()).unwrap_or(state)
        })
    }

    #[test]
    fn more_than_two_thirds_must_be_fresh() {
        for (fresh, verifiers, accepted) in [
            (1, 1, true),
            (1, 2, false),
            (2, 2, true),
            (2, 3, false),
            (3, 4, true),
            (4, 6, false),
            (5, 7, true),
            (0, 0, false),
        ] {
            let posts = posts(1, &vec![1_000; fresh]);
            let state = close_round(&PriceState::default(), 1, &posts, verifiers, &parameters());
            assert_eq!(state.is_some(), accepted, "{fresh} of {verifiers}");
        }
    }

    #[test]
    fn old_future_absurd_and_repeated_posts_do_not_count() {
        let mut posts = posts(10, &[1_000, 1_000, 1_000, 1_000]);
        posts[3].round = 9;
        assert!(close_round(&PriceState::default(), 10, &posts, 4, &parameters()).is_some());
        for spoil in [
            |p: &mut Post| p.round = 8,
            |p: &mut Post| p.round = 11,
            |p: &mut Post| p.price = PRICE_MIN,
        ] {
            let mut spoiled = posts.clone();
            spoil(&mut spoiled[0]);
            spoil(&mut spoiled[1]);
            spoiled
                .iter_mut()
                .for_each(|post| post.price.0 -= u64::from(post.price == PRICE_MIN));
            assert!(close_round(&PriceState::default(), 10, &spoiled, 4, &parameters()).is_none());
        }
        posts.iter_mut().for_each(|post| post.verifier = AccountNumber(7));
        assert!(close_round(&PriceState::default(), 10, &posts, 4, &parameters()).is_none());
    }

    #[test]
    fn the_median_is_the_lower_one_and_moves_by_a_fifth() {
        assert_eq!(after(&[&[1_000, 1_004, 1_008, 1_012]]).last(), Some(Price(1_004)));
        assert_eq!(after(&[&[1_000], &[5_000]]).last(), Some(Price(1_200)));
        assert_eq!(after(&[&[1_001], &[100]]).last(), Some(Price(801)));
        assert_eq!(after(&[&[100], &[100]]).last(), Some(PRICE_MIN));
    }

    #[test]
    fn the_quote_leans_against_whoever_asks() {
        let state = after(&[&[1_000, 1_000, 1_000, 1_000], &[1_090, 1_100, 1_110, 1_120]]);
        // median 1100; deviations 10, 0, 10, 20: lower median 10, times 1.4826, up: 15; mean of 1000 and 1100.
        let quote = state.quote(2, &parameters());
        assert_eq!(
            quote,
            Some(Quote {
                low: Price(1_020),
                mid: Price(1_050),
                high: Price(1_130)
            })
        );
    }

    #[test]
    fn staleness_and_two_wide_rounds_halt_and_a_narrow_round_resumes() {
        let parameters = parameters();
        let state = after(&[&[1_000; 4]]);
        assert!(state.quote(4, &parameters).is_some());
        assert!(state.quote(5, &parameters).is_none());
        assert!(PriceState::default().quote(0, &parameters).is_none());
        let wide: &[u64] = &[900, 960, 1_000, 1_060];
        assert!(after(&[wide]).quote(1, &parameters).is_some());
        assert!(after(&[wide, wide]).quote(2, &parameters).is_none());
        assert!(after(&[wide, wide, &[1_000; 4]]).quote(3, &parameters).is_some());
    }

    #[test]
    fn a_full_state_fits_one_record_and_forgets_the_oldest() {
        let rounds = vec![[PRICE_MAX.0; 1]; 30];
        let rounds: Vec<&[u64]> = rounds.iter().map(|round| round.as_slice()).collect();
        let mut state = after(&rounds);
        assert_eq!(state.ring.len(), RING_ROUNDS);
        (state.round, state.confidence) = (u64::MAX, u64::MAX);
        assert!(minicbor::to_vec(&state).expect("writing to memory").len() <= 254);
    }

    proptest! {
        #[test]
        fn a_third_of_liars_stays_within_the_honest_range(
            honest in prop::collection::vec(1_000u64..2_000, 5..=5), liars in prop::collection::vec(any::<u64>(), 2..=2),
        ) {
            let all: Vec<u64> = honest.iter().chain(&liars).copied().collect();
            if let Some(state) = close_round(&PriceState::default(), 1, &posts(1, &all), 7, &parameters()) {
                let price = state.last().expect("accepted").0;
                prop_assert!((honest.iter().min()..=honest.iter().max()).contains(&Some(&price)));
            }
        }

        #[test]
        fn any_posts_in_any_order_give_one_price_within_the_move(
            last in PRICE_MIN.0..=PRICE_MAX.0,
            list in prop::collection::vec((0u32..6, any::<u64>(), 0u64..4, any::<u64>()), 0..12),
        ) {
            let posts: Vec<Post> = list.into_iter()
                .map(|(id, price, round, weight)| Post { verifier: AccountNumber(id), price: Price(price % PRICE_MAX.0), round, weight })
                .collect();
            let before = PriceState { ring: vec![Price(last)], round: 1, confidence: 0, wide_rounds: 0 };
            let after = close_round(&before, 3, &posts, 10, &parameters());
            let reversed: Vec<Post> = posts.iter().rev().copied().collect();
            prop_assert_eq!(&after, &close_round(&before, 3, &reversed, 10, &parameters()));
            if let Some(state) = after {
                let price = u128::from(state.last().expect("accepted").0);
                prop_assert!(price * 10 >= u128::from(last) * 8 && price * 10 <= u128::from(last) * 12);
                if let Some(quote) = state.quote(3, &parameters()) {
                    prop_assert!(Price(1) <= quote.low && quote.low <= quote.mid && quote.mid <= quote.high);
                }
            }
        }
    }
}
