//! How many believed devices share a cell, quantity by quantity and slot by slot. Who is refused or excluded takes nothing
//! from others.

use super::slots::{Board, NONE};
use super::verdicts::Verdicts;
use crate::kit::{Epoch, Roster, crowding};
use crate::sensors::params::Params;

/// The share of each believed device of a cell.
pub struct Crowd {
    slots: usize,
    /// The cell of each row.
    cells: Vec<u32>,
    /// Micro-units: cells by paid quantities by slots.
    shares: Vec<u32>,
}

impl Crowd {
    pub fn of(
        epoch: &Epoch,
        params: &Params,
        board: &Board,
        verdicts: &Verdicts,
        excluded: &[bool],
        slots: usize,
    ) -> Self {
        let roster = Roster::by_cell(epoch.roster, params.crowd_resolution);
        let mut crowd = Self {
            slots,
            cells: vec![0; epoch.roster.len()],
            shares: Vec::new(),
        };
        for cell in 0..roster.len() {
            for row in roster.rows(cell) {
                crowd.cells[*row as usize] = u32::try_from(cell).expect("not more cells than devices");
            }
        }
        crowd.shares = vec![0; roster.len() * params.paid_count() as usize * slots];
        for (quantity, series) in (0u16..).zip(board).filter(|(quantity, _)| params.is_paid(*quantity)) {
            let Some(series) = series else { continue };
            for row in (0..epoch.roster.len()).filter(|row| !excluded[*row]) {
                for (slot, value) in series.row(row).iter().enumerate() {
                    if *value != NONE && verdicts.get(series.owner(row, slot)).is_none() {
                        let place = crowd.place(params, row, quantity, slot);
                        crowd.shares[place] += 1;
                    }
                }
            }
        }
        for share in &mut crowd.shares {
            *share = crowding::share(*share, params.crowd_target.into()) as u32;
        }
        crowd
    }

    /// Micro-units of one believed reading of a paid quantity, as if a slot were an hour.
    pub fn share(&self, params: &Params, row: usize, quantity: u16, slot: usize) -> u64 {
        self.shares[self.place(params, row, quantity, slot)].into()
    }

    fn place(&self, params: &Params, row: usize, quantity: u16, slot: usize) -> usize {
        let rank = (params.paid & ((1 << quantity) - 1)).count_ones() as usize;
        (self.cells[row] as usize * params.paid_count() as usize + rank) * self.slots + slot
    }
}
