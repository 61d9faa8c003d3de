//! A pool divided by weights, to the last unit (largest remainder). Never decides the weights, never loses or makes a unit.
//!
//! `share_i = ⌊pool·w_i/Σw⌋`, and the units still missing go, one each, to the largest remainders `pool·w_i mod Σw`; equal
//! remainders are served by position, first come first. Positions are fixed by whoever sorts the list (operators by number), so
//! the answer is one on every machine. Nobody is more than one unit away from the exact share; a zero weight gets zero.
//!
//! Cost: linear. The quotients use one reciprocal of `Σw` for the whole list (Möller and Granlund, *Improved division by
//! invariant integers*, 2011, algorithm 4) in place of a 128-bit division each, and the cut between remainders that get a unit and
//! those that do not is found by counting their leading bits, then selecting inside one bucket.

use super::Error;

/// Leading bits of the remainders that are counted before selecting.
const BUCKET_BITS: u32 = 11;

/// Shares in the order of `weights`; their sum is `pool`. Weights that sum to zero or beyond 64 bits are refused, except that an
/// empty pool divides into zeros whatever the weights.
pub fn divide(pool: u64, weights: &[u64]) -> Result<Vec<u64>, Error> {
    let total = weights
        .iter()
        .try_fold(0u64, |sum, weight| sum.checked_add(*weight))
        .ok_or(Error::Overflow)?;
    if pool == 0 {
        return Ok(vec![0; weights.len()]);
    }
    if total == 0 {
        return Err(Error::WeightsZero);
    }
    let divisor = Reciprocal::of(total);
    let mut counts = vec![0usize; 1 << BUCKET_BITS];
    let mut shares = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    let mut paid = 0u64;
    for weight in weights {
        let (share, remainder) = divisor.div_rem(pool, *weight);
        paid += share; // cannot overflow: a sum of floors of parts of `pool`
        counts[bucket(remainder)] += 1;
        shares.push(share);
        remainders.push(remainder);
    }
    let missing = usize::try_from(pool - paid).expect("fewer units are missing than there are shares");
    if missing > 0 {
        round_up(&mut shares, &remainders, &counts, missing);
    }
    Ok(shares)
}

/// One more unit for each of the `missing` largest remainders, ties by position.
fn round_up(shares: &mut [u64], remainders: &[u64], counts: &[usize], missing: usize) {
    let mut above = 0;
    let mut cut_bucket = counts.len() - 1;
    while above + counts[cut_bucket] < missing {
        above += counts[cut_bucket];
        cut_bucket -= 1; // cannot pass zero: `missing` is at most the number of remainders
    }
    let mut inside: Vec<u64> = remainders
        .iter()
        .copied()
        .filter(|remainder| bucket(*remainder) == cut_bucket)
        .collect();
    let rank = missing - above;
    let (_, cut, _) = inside.select_nth_unstable_by(rank - 1, |left, right| right.cmp(left));
    let cut = *cut;
    let mut at_cut = rank - inside.iter().filter(|remainder| **remainder > cut).count();
    for (share, remainder) in shares.iter_mut().zip(remainders) {
        let chosen = *remainder > cut || (*remainder == cut && at_cut > 0);
        at_cut -= usize::from(chosen && *remainder == cut);
        *share += u64::from(chosen); // cannot overflow: the shares sum to `pool` afterwards
    }
}

fn bucket(remainder: u64) -> usize {
    (remainder >> (u64::BITS - BUCKET_BITS)) as usize
}

/// Division of 128-bit products by one divisor, prepared once.
struct Reciprocal {
    shift: u32,
    /// The divisor moved so that its top bit is set.
    divisor: u64,
    /// `⌊(2^128 − 1)/divisor⌋ − 2^64`.
    reciprocal: u64,
}

impl Reciprocal {
    fn of(divisor: u64) -> Self {
        let shift = divisor.leading_zeros();
        let divisor = divisor << shift;
        Self {
            shift,
            divisor,
            reciprocal: (u128::MAX / u128::from(divisor)) as u64,
        }
    }

    /// `⌊pool·weight/divisor⌋` and the remainder moved by `shift`; exact because `weight ≤ divisor`, so the quotient is at most `pool`.
    #[inline]
    fn div_rem(&self, pool: u64, weight: u64) -> (u64, u64) {
        let moved = weight << self.shift; // keeps every bit: `weight` is at most the divisor
        let product = u128::from(pool) * u128::from(moved);
        let (high, low) = ((product >> 64) as u64, product as u64);
        let guess = u128::from(self.reciprocal) * u128::from(high) + product;
        let mut quotient = ((guess >> 64) as u64).wrapping_add(1);
        let mut remainder = low.wrapping_sub(quotient.wrapping_mul(self.divisor));
        if remainder > guess as u64 {
            quotient = quotient.wrapping_sub(1);
            remainder = remainder.wrapping_add(self.divisor);
        }
        if remainder >= self.divisor {
            quotient = quotient.wrapping_add(1);
            remainder -= self.divisor;
        }
        (quotient, remainder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same rule, slow and obvious.
    fn divide_slowly(pool: u64, weights: &[u64]) -> Vec<u64> {
        let total: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
        let product = |index: &usize| u128::from(pool) * u128::from(weights[*index]);
        let mut shares: Vec<u64> = (0..weights.len())
            .map(|index| u64::try_from(product(&index) / total).expect("at most the pool"))
            .collect();
        let missing = pool - shares.iter().sum::<u64>();
        let mut order: Vec<usize> = (0..weights.len()).collect();
        order.sort_by_key(|index| (std::cmp::Reverse(product(index) % total), *index));
        for index in order.into_iter().take(usize::try_from(missing).expect("small")) {
            shares[index] += 1;
        }
        shares
    }

    #[test]
    fn the_table_of_divisions() {
        let table: [(u64, &[u64], &[u64]); 8] = [
            (10, &[1, 1, 1], &[4, 3, 3]),
            (11, &[1, 1, 1], &[4, 4, 3]),
            (100, &[50, 30, 20], &[50, 30, 20]),
            (1, &[1, 2, 2], &[0, 1, 0]),
            (7, &[0, 5, 0], &[0, 7, 0]),
            (0, &[0, 0], &[0, 0]),
            (u64::MAX, &[1, u64::MAX - 1], &[1, u64::MAX - 1]),
            (u64::MAX, &[1], &[u64::MAX]),
        ];
        for (pool, weights, shares) in table {
            assert_eq!(divide(pool, weights).as_deref(), Ok(shares), "{pool} by {weights:?}");
        }
    }

    #[test]
    fn nobody_to_pay_and_uncountable_weights_are_refused() {
        assert_eq!(divide(1, &[]), Err(Error::WeightsZero));
        assert_eq!(divide(1, &[0, 0]), Err(Error::WeightsZero));
        assert_eq!(divide(1, &[u64::MAX, 1]), Err(Error::Overflow));
        assert_eq!(divide(0, &[]), Ok(vec![]));
    }

    #[test]
    fn equal_weights_in_great_number_share_to_the_unit() {
        let shares = divide(1_234_567, &vec![3; 100_000]).expect("weights are not zero");
        assert_eq!(shares.iter().sum::<u64>(), 1_234_567);
        assert!(shares.windows(2).all(|pair| pair[0] >= pair[1]));
    }

    #[test]
    fn each_correction_of_the_guessed_quotient_is_exact() {
        const TOP: u64 = 1 << 63;
        let table: [(u64, &[u64]); 4] = [
            (1, &[0, 1]),
            (u64::MAX - 1, &[TOP + 2, 1]),
            (TOP - 1, &[TOP + 3]),
            (u64::MAX - 1, &[TOP + 1, 2]),
        ];
        for (pool, weights) in table {
            assert_eq!(
                divide(pool, weights),
                Ok(divide_slowly(pool, weights)),
                "{pool} by {weights:?}"
            );
        }
    }

    fn weights() -> impl Strategy<Value = Vec<u64>> {
        let weight = prop_oneof![0u64..4, 0u64..1 << 20, 0u64..1 << 57];
        prop::collection::vec(weight, 1..100)
    }

    proptest! {
        #[test]
        fn fast_and_slow_agree_and_sum_to_the_pool(pool in prop_oneof![0u64..200, any::<u64>()], weights in weights()) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let shares = divide(pool, &weights).expect("weights are not zero");
            prop_assert_eq!(shares.iter().map(|share| u128::from(*share)).sum::<u128>(), u128::from(pool));
            prop_assert_eq!(shares, divide_slowly(pool, &weights));
        }
    }
}
