//! Evidence from others nearby: robust middles that a minority cannot move. It knows no quantity and no place.

/// Twice the median: the sum of the two middle values, so that an even count needs no fraction. `None` of nothing.
/// `sorted` rises.
pub fn twice_median(sorted: &[i64]) -> Option<i64> {
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = sorted[(sorted.len() - 1) / 2];
    Some(upper.saturating_add(lower))
}

/// Twice the median without the value at `left_out`: what the others say to the one who stands there.
pub fn twice_median_without(sorted: &[i64], left_out: usize) -> Option<i64> {
    let count = sorted.len().checked_sub(1)?;
    let at = |place: usize| sorted.get(place + usize::from(place >= left_out)).copied();
    if count == 0 {
        return None;
    }
    Some(at(count / 2)?.saturating_add(at((count - 1) / 2)?))
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
    scratch.sort_unstable();
    scratch.get(scratch.len().saturating_sub(1) / 2).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_the_mean_of_the_two_middles() {
        for (values, twice) in [
            (vec![], None),
            (vec![3], Some(6)),
            (vec![1, 4], Some(5)),
            (vec![0, 1, 9], Some(2)),
        ] {
            assert_eq!(twice_median(&values), twice);
        }
        assert_eq!(twice_median(&[i64::MAX, i64::MAX]), Some(i64::MAX));
    }

    #[test]
    fn leaving_one_out_is_the_median_of_the_rest() {
        let sorted = [1, 3, 3, 8, 20, 21];
        for left_out in 0..sorted.len() {
            for count in 1..=sorted.len() {
                let kept: Vec<i64> = (0..count)
                    .filter(|place| *place != left_out)
                    .map(|place| sorted[place])
                    .collect();
                if left_out < count {
                    assert_eq!(twice_median_without(&sorted[..count], left_out), twice_median(&kept));
                }
            }
        }
    }

    #[test]
    fn less_than_half_of_liars_hardly_move_middle_and_spread() {
        let mut values = vec![10, 11, 12, 13, 14, i64::MAX, i64::MAX];
        values.sort_unstable();
        let twice = twice_median(&values).expect("some");
        assert_eq!(twice, 26);
        assert_eq!(twice_deviation(&values, twice, &mut Vec::new()), 4);
    }
}
