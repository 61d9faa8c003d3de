//! The devices of an epoch as dense rows, and which of them stand near each other. It measures places only in steps from
//! cell to cell, as finely as the public knows them.

use super::vertical::Member;
use cairn_types::CellId;

/// Rows of members grouped by cell.
#[derive(Clone, Debug)]
pub struct Roster {
    /// Each cell once, sorted, with the range of its members in `rows`.
    cells: Vec<(CellId, std::ops::Range<usize>)>,
    /// Indexes into the member list, cell by cell, rising within a cell.
    rows: Vec<u32>,
}

impl Roster {
    /// Groups members by their cell at a resolution; a coarser cell stays what it is.
    pub fn by_cell(members: &[Member], resolution: u8) -> Self {
        let mut keyed: Vec<(CellId, u32)> = members
            .iter()
            .zip(0u32..)
            .map(|(member, row)| (member.cell.parent(resolution).unwrap_or(member.cell), row))
            .collect();
        keyed.sort_unstable();
        let mut cells: Vec<(CellId, std::ops::Range<usize>)> = Vec::new();
        for (place, (cell, _)) in keyed.iter().enumerate() {
            match cells.last_mut() {
                Some((last, range)) if last == cell => range.end = place + 1,
                _ => cells.push((*cell, place..place + 1)),
            }
        }
        Self {
            cells,
            rows: keyed.into_iter().map(|(_, row)| row).collect(),
        }
    }

    /// How many cells have members.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// The rows of the members of the cell at this place.
    pub fn rows(&self, cell: usize) -> &[u32] {
        &self.rows[self.cells[cell].1.clone()]
    }

    /// Rows of the members within `steps` of the cell at this place, its own included, the nearest first, at most `max`.
    pub fn near(&self, cell: usize, steps: u32, max: usize) -> Vec<u32> {
        let centre = self.cells[cell].0;
        let disk_cells = 3 * u64::from(steps) * (u64::from(steps) + 1) + 1;
        let mut near: Vec<(u32, usize)> = if disk_cells < self.cells.len() as u64 {
            let found = centre.disk(steps).into_iter().filter_map(|other| {
                let place = self.cells.binary_search_by_key(&other, |(cell, _)| *cell).ok()?;
                Some((centre.steps_to(other)?, place))
            });
            found.collect()
        } else {
            let steps_to = |(place, (other, _)): (usize, &(CellId, _))| Some((centre.steps_to(*other)?, place));
            self.cells
                .iter()
                .enumerate()
                .filter_map(steps_to)
                .filter(|(away, _)| *away <= steps)
                .collect()
        };
        near.sort_unstable();
        near.into_iter()
            .flat_map(|(_, place)| self.rows(place))
            .copied()
            .take(max)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_types::{AccountNumber, DeviceId, DeviceNumber, EpochNumber};

    fn members(cells: &[CellId]) -> Vec<Member> {
        let member = |(number, cell): (u32, &CellId)| Member {
            number: DeviceNumber(number),
            device: DeviceId([number as u8; 32]),
            operator: AccountNumber(number),
            cell: *cell,
            joined: EpochNumber(0),
        };
        (0..).zip(cells).map(member).collect()
    }

    #[test]
    fn near_is_the_same_by_disk_and_by_pairs_and_starts_at_home() {
        let centre: CellId = "88196953a1fffff".parse().expect("a cell");
        let everywhere = members(&centre.disk(6));
        let few = members(&[centre.disk(2)[0], centre, centre.disk(3)[0], centre]);
        for (list, steps, expected) in [(&everywhere, 2, 19), (&few, 2, 3), (&few, 0, 2), (&few, 9, 4)] {
            let roster = Roster::by_cell(list, 8);
            let home =
                (0..roster.len()).find(|cell| roster.rows(*cell).iter().any(|row| list[*row as usize].cell == centre));
            let near = roster.near(home.expect("there"), steps, 100);
            assert_eq!(near.len(), expected);
            assert_eq!(list[near[0] as usize].cell, centre);
            assert!(near.iter().all(|row| {
                centre
                    .steps_to(list[*row as usize].cell)
                    .is_some_and(|away| away <= steps)
            }));
            assert_eq!(roster.near(home.expect("there"), steps, 1).len(), 1);
        }
    }

    #[test]
    fn a_finer_cell_is_counted_with_its_parent() {
        let centre: CellId = "88196953a1fffff".parse().expect("a cell");
        let list = members(&[centre, centre.disk(1)[0], centre.disk(1)[6]]);
        assert_eq!(Roster::by_cell(&list, 8).len(), 3);
        assert!(Roster::by_cell(&list, 5).len() <= 2);
    }
}
