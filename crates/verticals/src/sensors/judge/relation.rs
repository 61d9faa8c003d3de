//! How a gauge's rain relates to its neighbours' over days: by a constant factor it has another unit, not at all it stands
//! elsewhere. Both need much proof, and counts fade so that a repaired gauge is believed again.

use super::memory::{PLACE_EPOCHS_MAX, PlaceCount, UNIT_SLOTS_MAX, UnitCount};
use super::slots::NONE;
use crate::kit::range::Excess;
use crate::sensors::params::Params;

/// Of the wet slots, so many percent must be far off in the same direction to prove another unit.
const UNIT_PERCENT: i64 = 80;

/// Less rain than this in an epoch, in micrometres, is dew or one tip of a bucket.
const WET_MICROMETRES: i64 = 200;

/// Counts the slots of an epoch in which it rains here and around.
pub fn count_unit(params: &Params, values: &[i64], twice: &[i64], count: &mut UnitCount) {
    let factor = i64::from(params.unit_factor);
    let wet = |(value, twice): &(&i64, &i64)| **value > 0 && **twice > 0;
    for (value, twice) in values.iter().zip(twice).filter(wet) {
        count.both += 1;
        count.high += u8::from(value.saturating_mul(2) > twice.saturating_mul(factor));
        count.low += u8::from(value.saturating_mul(2 * factor) < *twice);
        if count.both >= UNIT_SLOTS_MAX {
            *count = UnitCount {
                both: count.both / 2,
                high: count.high / 2,
                low: count.low / 2,
            };
        }
    }
}

/// Another unit: the percentage of wet slots far off in one direction.
pub fn other_unit(params: &Params, count: &UnitCount) -> Option<Excess> {
    let measured = i64::from(count.high.max(count.low)) * 100 / i64::from(count.both.max(1));
    let proven = count.both >= params.unit_slots && measured >= UNIT_PERCENT;
    proven.then_some(Excess {
        measured,
        limit: UNIT_PERCENT,
    })
}

/// Counts an epoch of which at least half can be compared.
pub fn count_place(values: &[i64], twice: &[i64], count: &mut PlaceCount) {
    let comparable = |(value, twice): &(&i64, &i64)| **value != NONE && **twice != NONE;
    let (mut slots, mut here, mut around) = (0usize, 0i64, false);
    for (value, twice) in values.iter().zip(twice).filter(comparable) {
        slots += 1;
        here = here.saturating_add(*value);
        around |= *twice > 0;
    }
    if slots * 2 < values.len() {
        return;
    }
    let here = here >= WET_MICROMETRES;
    count.epochs += 1;
    count.here += u16::from(here);
    count.around += u16::from(around);
    count.both += u16::from(here && around);
    if count.epochs >= PLACE_EPOCHS_MAX {
        let PlaceCount {
            epochs,
            here,
            around,
            both,
        } = *count;
        *count = PlaceCount {
            epochs: epochs / 2,
            here: here / 2,
            around: around / 2,
            both: both / 2,
        };
    }
}

/// Another place: the correlation of wet and dry epochs with the neighbours', in percent rounded down, is below the limit.
pub fn other_place(params: &Params, count: &PlaceCount) -> Option<Excess> {
    if count.epochs < params.place_epochs || count.here.min(count.around) < params.place_wet {
        return None;
    }
    let [epochs, here, around, both] = [count.epochs, count.here, count.around, count.both].map(i64::from);
    let spread = here * (epochs - here) * around * (epochs - around);
    let measured = (100 * (both * epochs - here * around)).div_euclid(spread.isqrt().max(1));
    let limit = i64::from(params.place_percent);
    (measured < limit).then_some(Excess { measured, limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_in_inches_is_found_and_a_poor_one_is_not() {
        let params = Params::default();
        let twice: Vec<i64> = (1..=30).map(|mm| mm * 200).collect();
        for (name, scale, found) in [
            ("inches", (10, 254), true),
            ("tenths", (10, 1), true),
            ("half blocked", (1, 3), false),
        ] {
            let values: Vec<i64> = twice.iter().map(|twice| twice / 2 * scale.0 / scale.1).collect();
            let mut count = UnitCount::default();
            count_unit(&params, &values, &twice, &mut count);
            assert_eq!(other_unit(&params, &count).is_some(), found, "{name}");
            let mut few = UnitCount::default();
            count_unit(&params, &values[..20], &twice[..20], &mut few);
            assert_eq!(other_unit(&params, &few), None, "{name}: too few");
        }
    }

    #[test]
    fn a_gauge_that_fades_stays_in_bounds() {
        let params = Params::default();
        let mut count = UnitCount::default();
        count_unit(&params, &[1; 10_000], &[200; 10_000], &mut count);
        assert!(count.both < UNIT_SLOTS_MAX && count.low <= count.both);
    }

    #[test]
    fn rain_at_other_times_is_another_place() {
        let params = Params::default();
        for (name, here_of, found) in [("same", 0, false), ("elsewhere", 5, true), ("an hour late", 1, true)] {
            let mut count = PlaceCount::default();
            for epoch in 0..96u64 {
                let wet = |epoch: u64| if epoch.is_multiple_of(8) { 500 } else { 0 };
                count_place(&[wet(epoch + here_of); 12], &[wet(epoch); 12], &mut count);
            }
            assert_eq!(other_place(&params, &count).is_some(), found, "{name}: {count:?}");
        }
    }
}
