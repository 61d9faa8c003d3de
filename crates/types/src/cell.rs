//! Places as H3 cells: what the public sees of where a device stands, at the resolution its network chose.

use h3o::{CellIndex, Resolution};
use minicbor::{CborLen, Decode, Encode};
use thiserror::Error;

/// A valid H3 cell index of any resolution.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, CborLen)]
#[cbor(transparent)]
pub struct CellId(#[n(0)] u64);

/// A number or text that is no H3 cell, or a cell where it cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CellError {
    #[error("not an H3 cell index")]
    NotACell,
    #[error("an H3 resolution is 0 to 15")]
    NotAResolution,
}

impl CellId {
    pub fn new(index: u64) -> Result<Self, CellError> {
        CellIndex::try_from(index)
            .map(|_| Self(index))
            .map_err(|_| CellError::NotACell)
    }

    pub fn get(self) -> u64 {
        self.0
    }

    fn index(self) -> CellIndex {
        CellIndex::try_from(self.0).expect("checked when it was made")
    }

    /// 0 (continents) to 15 (a square metre).
    pub fn resolution(self) -> u8 {
        self.index().resolution().into()
    }

    /// The cell of a coarser or equal resolution that holds this one; `None` when asked for a finer one.
    pub fn parent(self, resolution: u8) -> Option<Self> {
        let resolution = Resolution::try_from(resolution).ok()?;
        self.index().parent(resolution).map(|cell| Self(cell.into()))
    }

    /// Steps from cell to neighbouring cell; `None` across resolutions or where the grid has no such measure (pentagons).
    pub fn steps_to(self, other: Self) -> Option<u32> {
        self.index()
            .grid_distance(other.index())
            .ok()
            .and_then(|steps| steps.try_into().ok())
    }

    /// All cells within so many steps, this one included, in rising order.
    pub fn disk(self, steps: u32) -> Vec<Self> {
        let mut cells: Vec<Self> = self
            .index()
            .grid_disk::<Vec<_>>(steps)
            .into_iter()
            .map(|cell| Self(cell.into()))
            .collect();
        cells.sort_unstable();
        cells
    }
}

impl From<CellIndex> for CellId {
    fn from(cell: CellIndex) -> Self {
        Self(cell.into())
    }
}

impl std::fmt::Display for CellId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl std::fmt::Debug for CellId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CellId({self})")
    }
}

impl std::str::FromStr for CellId {
    type Err = CellError;
    fn from_str(text: &str) -> Result<Self, CellError> {
        u64::from_str_radix(text, 16)
            .map_err(|_| CellError::NotACell)
            .and_then(Self::new)
    }
}

impl<'b, C> Decode<'b, C> for CellId {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::new(d.u64()?).map_err(|_| minicbor::decode::Error::message("not an H3 cell index"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMSTERDAM: &str = "881969c9b7fffff";

    #[test]
    fn a_cell_reads_back_and_a_random_number_does_not() {
        let cell: CellId = AMSTERDAM.parse().expect("a cell");
        assert_eq!(cell.to_string(), AMSTERDAM);
        assert_eq!(cell.resolution(), 8);
        assert_eq!(CellId::new(12_345), Err(CellError::NotACell));
        assert!(minicbor::decode::<CellId>(&minicbor::to_vec(12_345u64).expect("memory")).is_err());
    }

    #[test]
    fn a_parent_is_coarser_and_a_disk_grows_by_rings() {
        let cell: CellId = AMSTERDAM.parse().expect("a cell");
        assert_eq!(cell.parent(7).map(CellId::resolution), Some(7));
        assert_eq!(cell.parent(9), None);
        assert_eq!(cell.disk(2).len(), 19);
        assert!(
            cell.disk(2)
                .iter()
                .all(|other| cell.steps_to(*other).is_some_and(|steps| steps <= 2))
        );
    }
}
