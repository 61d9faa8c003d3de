//! Density on a hexagonal grid, rolled up from fine cells to coarse ones: what many devices at one place are worth together,
//! at each size of place. It never says which of them is the good one.
//!
//! At each resolution a cell counts what its children count after their limit. Its limit is its target, times the number of
//! its neighbours that reach the target themselves as far as they pass `neighbours - 1`, and never above its maximum. What
//! of a cell's count is within the limit is its part; a device is worth the product of the parts of the cells around it
//! (Helium's HIP 17 and 104 in the same form).

use cairn_types::CellId;
use minicbor::{Decode, Encode};
use std::collections::BTreeMap;

/// The limit at one resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Level {
    /// So many neighbours at their target, this cell counted among them, do not raise the limit yet.
    #[n(0)]
    pub neighbours: u16,
    #[n(1)]
    pub target: u16,
    #[n(2)]
    pub max: u16,
}

/// Parts are of this.
pub const WHOLE: u64 = 1_000_000;

/// What a device in each of the given cells is worth, in millionths, rounded down at each level: `cells` has one entry for
/// each device that counts. `levels` begins at resolution `coarsest`; finer cells are rolled up, coarser ones stay out.
pub fn parts(cells: &[CellId], coarsest: u8, levels: &[Level]) -> BTreeMap<CellId, u64> {
    let finest = coarsest
        .saturating_add(u8::try_from(levels.len()).unwrap_or(u8::MAX))
        .saturating_sub(1);
    let mut part: BTreeMap<CellId, u64> = cells.iter().map(|cell| (*cell, WHOLE)).collect();
    let mut counts: BTreeMap<CellId, u64> = BTreeMap::new();
    for cell in cells {
        *counts.entry(cell.parent(finest).unwrap_or(*cell)).or_default() += 1;
    }
    let numbered: Vec<(u8, &Level)> = (coarsest..).zip(levels).collect();
    for (resolution, level) in numbered.into_iter().rev() {
        let mut rolled: BTreeMap<CellId, u64> = BTreeMap::new();
        for (cell, count) in &counts {
            *rolled.entry(cell.parent(resolution).unwrap_or(*cell)).or_default() += count;
        }
        let clipped = |(cell, count): (&CellId, &u64)| (*cell, (*count).min(limit(*cell, &rolled, level)));
        let within: BTreeMap<CellId, u64> = rolled.iter().map(clipped).collect();
        for (cell, part) in &mut part {
            let around = cell.parent(resolution).unwrap_or(*cell);
            let (count, within) = (rolled.get(&around), within.get(&around));
            let (Some(count), Some(within)) = (count, within) else {
                continue;
            };
            *part = *part * within / count.max(&1);
        }
        counts = within;
    }
    part
}

fn limit(cell: CellId, counts: &BTreeMap<CellId, u64>, level: &Level) -> u64 {
    let target = u64::from(level.target);
    let reached = |cell: &CellId| counts.get(cell).is_some_and(|count| *count >= target);
    let full = cell.disk(1).iter().filter(|near| reached(near)).count() as u64;
    let more = (full + 1).saturating_sub(level.neighbours.into()).max(1);
    (target * more).min(level.max.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEVELS: [Level; 2] = [
        Level {
            neighbours: 4,
            target: 5,
            max: 10,
        },
        Level {
            neighbours: 2,
            target: 1,
            max: 1,
        },
    ];

    fn cell(text: &str) -> CellId {
        text.parse().expect("a cell")
    }

    #[test]
    fn devices_in_one_cell_share_what_one_is_worth() {
        let here = cell("881969c9b7fffff");
        for (devices, worth) in [(1, 1_000_000), (2, 500_000), (3, 333_333), (10, 100_000)] {
            assert_eq!(parts(&vec![here; devices], 7, &LEVELS)[&here], worth);
        }
    }

    #[test]
    fn a_full_cell_is_clipped_again_where_it_is_rolled_up() {
        let coarse = cell("881969c9b7fffff").parent(7).expect("a parent");
        let children: Vec<CellId> = cell("881969c9b7fffff")
            .disk(3)
            .into_iter()
            .filter(|cell| cell.parent(7) == Some(coarse))
            .collect();
        assert_eq!(children.len(), 7);
        let alone = parts(&children, 7, &LEVELS);
        assert!(
            alone.values().all(|part| *part == 5 * WHOLE / 7),
            "seven where five are wanted"
        );
        assert!(parts(&children[..5], 7, &LEVELS).values().all(|part| *part == WHOLE));
        let mut crowd = children[..5].to_vec();
        crowd.push(children[0]);
        let crowded = parts(&crowd, 7, &LEVELS);
        assert_eq!((crowded[&children[0]], crowded[&children[1]]), (WHOLE / 2, WHOLE));
    }

    #[test]
    fn a_cell_among_full_cells_may_hold_more_up_to_its_maximum() {
        let middle = cell("881969c9b7fffff").parent(7).expect("a parent");
        let fill = |coarse: &CellId, count: usize| {
            let near = cell("881969c9b7fffff").disk(9).into_iter();
            let own: Vec<CellId> = near.filter(|cell| cell.parent(7) == Some(*coarse)).collect();
            own.into_iter().take(count).collect::<Vec<_>>()
        };
        let mut cells: Vec<CellId> = fill(&middle, 7);
        for (neighbours, part) in [(0, 5 * WHOLE / 7), (2, 5 * WHOLE / 7), (4, WHOLE)] {
            cells.truncate(7);
            for near in middle.disk(1).iter().filter(|near| **near != middle).take(neighbours) {
                cells.extend(fill(near, 5));
            }
            assert_eq!(parts(&cells, 7, &LEVELS)[&cells[0]], part, "{neighbours} neighbours");
        }
    }
}
