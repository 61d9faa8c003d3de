//! Faulty zeros and high influx: the published filters for citizens' rain gauges (de Vos, Leijnse, Overeem and Uijlenhoet
//! 2019, doi 10.1029/2019GL083731), with their own numbers as defaults. They know rain only.
//!
//! *Faulty zero*: no rain here in more than `zero_slots` slots one after another while the neighbours' median is above
//! zero in each; from then on every zero, until a value above zero. A slot without a reading counts as a zero for opening
//! the verdict, as published, but there is nothing in it to refuse.
//! *High influx*: more than `b` where the median is below `a`, or more than `b/a` times the median where it is not.

use super::reasons::{FAULTY_ZERO, HIGH_INFLUX};
use super::slots::{NONE, Series};
use super::verdicts::Verdicts;
use crate::sensors::params::Params;

/// Judges one device's rain of an epoch against twice the neighbours' median. `missed` goes from epoch to epoch.
pub fn judge(params: &Params, series: &Series, row: usize, twice: &[i64], missed: &mut u16, verdicts: &mut Verdicts) {
    let mut zeros: Vec<usize> = Vec::new();
    for (slot, (value, twice)) in series.row(row).iter().zip(twice).enumerate() {
        if *value != NONE && *value > 0 {
            refuse_zeros(params, series, row, &mut zeros, *missed, verdicts);
            *missed = 0;
            if *twice != NONE {
                influx(params, series, row, slot, *value, *twice, verdicts);
            }
            continue;
        }
        *missed = miss(*missed, *twice != NONE && *twice > 0, params.zero_slots);
        if *missed > u16::from(params.zero_slots) && *value != NONE && *twice != NONE {
            zeros.push(slot);
        }
    }
    refuse_zeros(params, series, row, &mut zeros, *missed, verdicts);
}

/// Counts a slot without a value above zero.
fn miss(missed: u16, wet_around: bool, zero_slots: u8) -> u16 {
    match wet_around {
        true => missed.saturating_add(1),
        false if missed > u16::from(zero_slots) => missed,
        false => 0,
    }
}

fn refuse_zeros(
    params: &Params,
    series: &Series,
    row: usize,
    zeros: &mut Vec<usize>,
    missed: u16,
    verdicts: &mut Verdicts,
) {
    for slot in zeros.drain(..) {
        verdicts.refuse(
            series.owner(row, slot),
            FAULTY_ZERO,
            missed.into(),
            params.zero_slots.into(),
        );
    }
}

fn influx(params: &Params, series: &Series, row: usize, slot: usize, value: i64, twice: i64, verdicts: &mut Verdicts) {
    let (low, high) = (i64::from(params.influx_low), i64::from(params.influx_high));
    let limit = if twice < 2 * low {
        high
    } else {
        twice.saturating_mul(high) / (2 * low)
    };
    if value > limit {
        verdicts.refuse(series.owner(row, slot), HIGH_INFLUX, value, limit);
    }
}
