//! Evidence from others nearby: robust middles that a minority cannot move. It knows no quantity and no place.

use std::cmp::Ordering;

/// The middle of some values, known well enough to say what the middle of all but one of them is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Middle {
    count: usize,
    /// The values in the places before, at and after half the count, in rising order; the outer ones where there are any.
    before: i64,
    at: i64,
    after: i64,
}

impl Middle {
    /// The middle of values, which are put in another order; `None` of nothing.
    pub fn of(values: &mut [i64]) -> Option<Self> {
        let (count, half) = (values.len(), values.len() / 2);
        if count == 0 {
            return None;
        }
        let (left, at, right) = values.select_nth_unstable(half);
        let at = *at;
        let (before, after) = (
            left.iter().max().copied().unwrap_or(at),
            right.iter().min().copied().unwrap_or(at),
        );
        Some(Self {
            count,
            before,
            at,
            after,
        })
    }

    pub fn count(&self) -> usize {
        self.count
    }

    /// Twice the median: the sum of the two middle values, so that an even count needs no fraction.
    pub fn twice(&self) -> i64 {
        let lower = if self.count.is_multiple_of(2) {
            self.before
        } else {
            self.at
        };
        self.at.saturating_add(lower)
    }

    /// Twice the median without one of the values: what the others say to the one who gave it. `None` when it was the only
    /// one.
    pub fn twice_without(&self, value: i64) -> Option<i64> {
        let (lower, upper) = match (self.count, value.cmp(&self.at)) {
            (0 | 1, _) => return None,
            (count, Ordering::Less) if count.is_multiple_of(2) => (self.at, self.at),
            (count, _) if count.is_multiple_of(2) => (self.before, self.before),
            (_, Ordering::Less) => (self.at, self.after),
            (_, Ordering::Equal) => (self.before, self.after),
            (_, Ordering::Greater) => (self.before, self.at),
        };
        Some(lower.saturating_add(upper))
    }
}

/// The median absolute deviation from a median given twice, again twice and rounded down by the lower middle.
/// `scratch` is overwritten.
pub fn twice_deviation(values: &[i64], twice_median: i64, scratch: &mut Vec<i64>) -> i64 {
    scratch.clear();
    scratch.extend(
        values
            .iter()
            .map(|value| value.saturating_mul(2).saturating_sub(twice_median).saturating_abs()),
    );
    let lower = scratch.len().saturating_sub(1) / 2;
    if scratch.is_empty() {
        0
    } else {
        *scratch.select_nth_unstable(lower).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twice the median, by sorting.
    fn plain(values: &[i64]) -> Option<i64> {
        let mut values = values.to_vec();
        values.sort_unstable();
        let upper = values.get(values.len() / 2)?;
        Some(upper.saturating_add(values[(values.len() - 1) / 2]))
    }

    #[test]
    fn the_middle_is_the_mean_of_the_two_middles_whoever_is_left_out() {
        let pool = [3, 21, 1, 3, 20, 8, 0, 0, 3, -5, 8, 7];
        for start in 0..pool.len() {
            for end in start..=pool.len() {
                let values = &pool[start..end];
                let middle = Middle::of(&mut values.to_vec());
                assert_eq!(middle.map(|middle| middle.twice()), plain(values));
                for left_out in 0..values.len() {
                    let others = [&values[..left_out], &values[left_out + 1..]].concat();
                    assert_eq!(
                        middle.and_then(|middle| middle.twice_without(values[left_out])),
                        plain(&others)
                    );
                }
            }
        }
        assert_eq!(
            Middle::of(&mut [i64::MAX, i64::MAX]).map(|middle| middle.twice()),
            Some(i64::MAX)
        );
    }

    #[test]
    fn less_than_half_of_liars_hardly_move_middle_and_spread() {
        let mut values = [10, i64::MAX, 11, 12, 13, i64::MAX, 14];
        let twice = Middle::of(&mut values).expect("some").twice();
        assert_eq!(twice, 26);
        assert_eq!(twice_deviation(&values, twice, &mut Vec::new()), 4);
    }
}
