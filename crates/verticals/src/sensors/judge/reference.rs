//! What the neighbours say: for every device and slot the median of those nearby, the device itself left out. It refuses
//! only what stands apart from all of them.

use super::reasons::APART;
use super::slots::{NONE, Series};
use super::verdicts::Verdicts;
use crate::kit::neighbours::{twice_deviation, twice_median, twice_median_without};
use crate::kit::range::Limits;
use crate::kit::roster::Roster;
use crate::sensors::params::Params;

/// Twice the neighbours' median for each device and slot, `NONE` where too few report.
pub struct Reference {
    slots: usize,
    twice: Vec<i64>,
}

impl Reference {
    pub fn row(&self, row: usize) -> &[i64] {
        &self.twice[row * self.slots..(row + 1) * self.slots]
    }
}

/// Asks the neighbours of every device. Those marked in `ignored` are not asked; they still hear the answer.
pub fn reference(
    params: &Params,
    limits: &Limits,
    roster: &Roster,
    series: &Series,
    ignored: &[bool],
    verdicts: &mut Verdicts,
) -> Reference {
    let slots = series.slots;
    let mut twice = vec![NONE; ignored.len() * slots];
    let mut columns: Vec<Vec<i64>> = vec![Vec::new(); slots];
    let mut scratch = Vec::new();
    roster.each_near(
        params.near_steps.into(),
        usize::from(params.near_max) + 1,
        |cell, near| {
            gather(near, series, ignored, &mut columns);
            for (place, row) in roster.rows(cell).iter().map(|row| *row as usize).enumerate() {
                let asked = !ignored[row] && place <= usize::from(params.near_max);
                for (slot, column) in columns.iter().enumerate() {
                    let own = series.row(row)[slot];
                    let median = match column.binary_search(&own) {
                        Ok(itself) if asked && column.len() > usize::from(params.near_min) => {
                            twice_median_without(column, itself)
                        }
                        Err(_) | Ok(_) if !asked || own == NONE => enough(column, params).and_then(twice_median),
                        _ => None,
                    };
                    let Some(median) = median else { continue };
                    twice[row * slots + slot] = median;
                    let away = own.saturating_mul(2).saturating_sub(median).saturating_abs() / 2;
                    if limits.apart > 0 && own != NONE && away > limits.apart {
                        let spread = twice_deviation(column, median, &mut scratch);
                        let limit = limits.apart.saturating_add(spread.saturating_mul(3) / 2);
                        if away > limit {
                            verdicts.refuse(series.owner(row, slot), APART, away, limit);
                        }
                    }
                }
            }
        },
    );
    Reference { slots, twice }
}

fn enough<'a>(column: &'a [i64], params: &Params) -> Option<&'a [i64]> {
    (column.len() >= usize::from(params.near_min)).then_some(column)
}

/// Fills a sorted column per slot with what these rows report.
fn gather(near: &[u32], series: &Series, ignored: &[bool], columns: &mut [Vec<i64>]) {
    columns.iter_mut().for_each(Vec::clear);
    for row in near.iter().map(|row| *row as usize).filter(|row| !ignored[*row]) {
        for (column, value) in columns.iter_mut().zip(series.row(row)) {
            if *value != NONE {
                column.push(*value);
            }
        }
    }
    columns
        .iter_mut()
        .filter(|column| !column.is_sorted())
        .for_each(|column| column.sort_unstable());
}
