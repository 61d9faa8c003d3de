//! What a customer asks for: readings of one quantity, by cells and time. Bounded before anything is read.

use crate::limits::{CELLS_MAX, DAYS_MAX, QUANTITY_BYTES_MAX};
use cairn_types::{CellId, NetworkId, TimeMs, codec, hash};
use minicbor::{CborLen, Decode, Encode};
use thiserror::Error;

const DAY_MS: u64 = 86_400_000;

/// Readings of `quantity` from devices in `cells`, from `from` to before `to`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Query {
    #[n(0)]
    pub network: NetworkId,
    /// Of any resolution up to the network's. Sorted, each once. Empty: every cell of the network.
    #[n(1)]
    pub cells: Vec<CellId>,
    /// What the network's vertical calls it.
    #[n(2)]
    pub quantity: String,
    #[n(3)]
    pub from: TimeMs,
    #[n(4)]
    pub to: TimeMs,
}

/// A query that cannot be answered.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum QueryError {
    #[error("a query names at most {CELLS_MAX} cells; use coarser ones")]
    TooManyCells,
    #[error("cells must be sorted and named once")]
    CellsNotSorted,
    #[error("cell {cell} is finer than the network's cells of resolution {resolution}")]
    CellTooFine { cell: CellId, resolution: u8 },
    #[error("the time must run forward")]
    NoTime,
    #[error("a query spans at most {DAYS_MAX} days; ask in parts")]
    TooLong,
    #[error("a query spans fewer epochs; ask in parts")]
    TooManyEpochs,
    #[error("there is no such quantity; this network has {0}")]
    NoSuchQuantity(String),
}

impl Query {
    pub fn check(&self) -> Result<(), QueryError> {
        if self.cells.len() > CELLS_MAX {
            return Err(QueryError::TooManyCells);
        }
        if !self.cells.is_sorted_by(|one, next| one < next) {
            return Err(QueryError::CellsNotSorted);
        }
        if self.quantity.len() > QUANTITY_BYTES_MAX {
            return Err(QueryError::NoSuchQuantity("names of fewer bytes".to_owned()));
        }
        if self.from >= self.to {
            return Err(QueryError::NoTime);
        }
        if self.to.since_ms(self.from) > DAYS_MAX * DAY_MS {
            return Err(QueryError::TooLong);
        }
        Ok(())
    }

    /// A cell finer than the network's would find nothing, ever.
    pub fn check_cells(&self, resolution: u8) -> Result<(), QueryError> {
        match self.cells.iter().find(|cell| cell.resolution() > resolution) {
            Some(cell) => Err(QueryError::CellTooFine {
                cell: *cell,
                resolution,
            }),
            None => Ok(()),
        }
    }

    /// Whether a device standing in `cell` is asked for.
    pub fn covers(&self, cell: CellId) -> bool {
        let inside = |wanted: &CellId| cell.parent(wanted.resolution()) == Some(*wanted);
        self.cells.is_empty() || self.cells.iter().any(inside)
    }

    /// Names the query in an order's terms and in requests.
    pub fn hash(&self) -> hash::Hash {
        hash::domain("cairn/query/1", &[&codec::encode(self)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> CellId {
        text.parse().expect("a cell")
    }

    fn query(cells: Vec<CellId>) -> Query {
        Query {
            network: NetworkId([1; 32]),
            cells,
            quantity: "rain".to_owned(),
            from: TimeMs(0),
            to: TimeMs(DAY_MS),
        }
    }

    #[test]
    fn a_coarse_cell_covers_what_lies_inside_it() {
        let inner = cell("881969c9b7fffff");
        let coarse = inner.parent(5).expect("coarser");
        assert!(query(vec![coarse]).covers(inner));
        assert!(query(vec![inner]).covers(inner));
        assert!(query(vec![]).covers(inner));
        assert!(!query(vec![inner]).covers(coarse));
        let elsewhere = inner
            .disk(40)
            .into_iter()
            .find(|other| other.parent(5) != Some(coarse))
            .expect("far enough");
        assert!(!query(vec![coarse]).covers(elsewhere));
    }

    #[test]
    fn a_query_out_of_bounds_is_refused_for_its_reason() {
        let inner = cell("881969c9b7fffff");
        let long = Query {
            to: TimeMs(DAY_MS * 400),
            ..query(vec![])
        };
        let none = Query {
            to: TimeMs(0),
            ..query(vec![])
        };
        for (query, answer) in [
            (query(vec![inner]), Ok(())),
            (query(vec![inner, inner]), Err(QueryError::CellsNotSorted)),
            (query(inner.disk(10)), Err(QueryError::TooManyCells)),
            (none, Err(QueryError::NoTime)),
            (long, Err(QueryError::TooLong)),
        ] {
            assert_eq!(query.check(), answer);
        }
        assert_eq!(query(vec![inner]).check_cells(8), Ok(()));
        let (cell, resolution) = (inner, 7);
        assert_eq!(
            query(vec![inner]).check_cells(7),
            Err(QueryError::CellTooFine { cell, resolution })
        );
    }
}
