//! The devices of an epoch as dense rows, and which of them stand near each other. It measures places only in steps from
//! cell to cell, as finely as the public knows them.

use super::vertical::Member;
use cairn_types::CellId;
use h3o::CellIndex;

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

    /// Calls `visit` for every cell with the rows of the members within `steps` of it, its own included, the nearest first,
    /// at most `max`. Cells that have no common grid are not near each other.
    pub fn each_near(&self, steps: u32, max: usize, mut visit: impl FnMut(usize, &[u32])) {
        let region = |place: &usize| {
            self.cells[*place]
                .0
                .parent(self.cells[*place].0.resolution().saturating_sub(REGION_LEVELS))
        };
        let places: Vec<usize> = (0..self.cells.len()).collect();
        let mut rings: Vec<Vec<usize>> = vec![Vec::new(); steps as usize + 1];
        let mut rows = Vec::new();
        for group in places.chunk_by(|one, next| region(one) == region(next)) {
            let grid = self.grid(group, steps);
            for place in group {
                rings.iter_mut().for_each(Vec::clear);
                let home = grid
                    .binary_search_by_key(place, |(_, place)| *place)
                    .ok()
                    .map(|at| grid[at].0);
                for (at, other) in &grid {
                    let away = home.map_or(u32::MAX, |home: At| home.steps_to(*at));
                    if let Some(ring) = rings.get_mut(away as usize) {
                        ring.push(*other);
                    }
                }
                rows.clear();
                rows.extend(
                    rings
                        .iter()
                        .flatten()
                        .flat_map(|place| self.rows(*place))
                        .copied()
                        .take(max),
                );
                visit(*place, &rows);
            }
        }
    }

    /// Where the cells within reach of a group are, on a grid around the group's first cell, in the order of cells.
    fn grid(&self, group: &[usize], steps: u32) -> Vec<(At, usize)> {
        let anchor = self.cells[group[0]].0;
        let on_grid = |place: usize| Some((At::of(self.cells[place].0, anchor)?, place));
        let origin = At::of(anchor, anchor);
        let width = |place: &usize| Some(origin?.steps_to(At::of(self.cells[*place].0, anchor)?));
        let reach = steps.saturating_add(group.iter().filter_map(width).max().unwrap_or(0));
        if self.cells.len() as u64 <= 3 * u64::from(reach) * (u64::from(reach) + 1) {
            return (0..self.cells.len()).filter_map(on_grid).collect();
        }
        let place = |cell: CellId| self.cells.binary_search_by_key(&cell, |(cell, _)| *cell).ok();
        anchor
            .disk(reach)
            .into_iter()
            .filter_map(place)
            .filter_map(on_grid)
            .collect()
    }
}

/// Cells are put on a grid together with those that share the ancestor so many levels up.
const REGION_LEVELS: u8 = 3;

/// A place on a hexagonal grid whose two axes stand 120 degrees apart.
#[derive(Clone, Copy)]
struct At {
    i: i32,
    j: i32,
}

impl At {
    fn of(cell: CellId, anchor: CellId) -> Option<Self> {
        let index = |cell: CellId| CellIndex::try_from(cell.get()).expect("a cell id is a cell");
        let coord = index(cell).to_local_ij(index(anchor)).ok()?.coord;
        Some(Self { i: coord.i, j: coord.j })
    }

    fn steps_to(self, other: Self) -> u32 {
        let (i, j) = (self.i.abs_diff(other.i), self.j.abs_diff(other.j));
        let across = (i64::from(self.i) - i64::from(other.i)).abs_diff(i64::from(self.j) - i64::from(other.j));
        i.max(j).max(across.try_into().unwrap_or(u32::MAX))
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
            barred_until: None,
        };
        (0..).zip(cells).map(member).collect()
    }

    #[test]
    fn near_is_what_steps_from_cell_to_cell_say_and_starts_at_home() {
        let centre: CellId = "881969c9b7fffff".parse().expect("a cell");
        let city: Vec<CellId> = centre.disk(30).into_iter().step_by(3).collect();
        let few: Vec<CellId> = city.iter().copied().step_by(40).chain([centre, centre]).collect();
        for (cells, steps) in [(&city, 2), (&city, 12), (&few, 0), (&few, 12), (&few, 64)] {
            let list = members(cells);
            let roster = Roster::by_cell(&list, 8);
            let cell_of = |row: u32| list[row as usize].cell;
            let mut visited = 0;
            roster.each_near(steps, usize::MAX, |cell, near| {
                let home = cell_of(roster.rows(cell)[0]);
                let away = |row: u32| home.steps_to(cell_of(row)).expect("one city");
                let mut expected: Vec<u32> = (0..list.len() as u32).filter(|row| away(*row) <= steps).collect();
                expected.sort_unstable_by_key(|row| (away(*row), cell_of(*row), *row));
                assert_eq!(near, expected);
                visited += 1;
            });
            assert_eq!(visited, roster.len());
            roster.each_near(steps, 1, |cell, near| assert_eq!(near, &roster.rows(cell)[..1]));
        }
    }

    #[test]
    fn a_finer_cell_is_counted_with_its_parent() {
        let centre: CellId = "881969c9b7fffff".parse().expect("a cell");
        let list = members(&centre.disk(1));
        assert_eq!(Roster::by_cell(&list, 8).len(), 7);
        assert!(Roster::by_cell(&list, 5).len() <= 3);
    }
}
