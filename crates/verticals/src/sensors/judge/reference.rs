//! What the neighbours say: for every device and slot the median of those nearby, the device itself left out. It refuses
//! only what stands apart from all of them.

use super::reasons::APART;
use super::slots::{NONE, Series};
use super::verdicts::Verdicts;
use crate::kit::neighbours::{Middle, twice_deviation};
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
    let enough = usize::from(params.near_min);
    roster.each_near(
        params.near_steps.into(),
        usize::from(params.near_max) + 1,
        |cell, near| {
            gather(near, series, ignored, &mut columns);
            for (slot, column) in columns.iter_mut().enumerate() {
                let Some(middle) = Middle::of(column).filter(|middle| middle.count() >= enough) else {
                    continue;
                };
                for (place, row) in roster.rows(cell).iter().map(|row| *row as usize).enumerate() {
                    let own = series.row(row)[slot];
                    let asked = own != NONE && !ignored[row] && place <= usize::from(params.near_max);
                    let median = match asked {
                        true if middle.count() > enough => middle.twice_without(own),
                        true => None,
                        false => Some(middle.twice()),
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

/// Fills a column per slot with what these rows report.
fn gather(near: &[u32], series: &Series, ignored: &[bool], columns: &mut [Vec<i64>]) {
    columns.iter_mut().for_each(Vec::clear);
    for row in near.iter().map(|row| *row as usize).filter(|row| !ignored[*row]) {
        for (column, value) in columns.iter_mut().zip(series.row(row)) {
            if *value != NONE {
                column.push(*value);
            }
        }
    }
}
