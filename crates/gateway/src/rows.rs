//! What a customer gets: readings accepted by the verifiers, placed no finer than their network's cell. Held compactly; a row is
//! put together when it is written.

use cairn_types::{CellId, DeviceId, DeviceNumber, TimeMs};
use std::collections::BTreeMap;

/// A delivered reading.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub time: TimeMs,
    pub device: DeviceId,
    pub cell: CellId,
    /// In `unit / 10^decimals` of the quantity.
    pub value: i64,
}

/// What the numbers in rows mean: a value `v` reads as `v / 10^decimals` of `unit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantity {
    pub name: String,
    pub unit: String,
    pub decimals: u8,
}

/// A device where it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub number: DeviceNumber,
    pub cell: CellId,
    pub device: DeviceId,
}

/// An answer: rows by time, then by device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub quantity: Quantity,
    places: Vec<Place>,
    by_place: BTreeMap<Place, u32>,
    rows: Vec<(TimeMs, u32, i64)>,
}

impl Answer {
    pub fn new(quantity: Quantity) -> Self {
        Self {
            quantity,
            places: Vec::new(),
            by_place: BTreeMap::new(),
            rows: Vec::new(),
        }
    }

    pub fn push(&mut self, time: TimeMs, place: Place, value: i64) {
        let next =
            u32::try_from(self.places.len()).expect("an answer has fewer places than rows, and those are limited");
        let at = *self.by_place.entry(place).or_insert(next);
        if at == next {
            self.places.push(place);
        }
        self.rows.push((time, at, value));
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        self.rows.iter().map(|(time, at, value)| {
            let place = &self.places[*at as usize];
            Row {
                time: *time,
                device: place.device,
                cell: place.cell,
                value: *value,
            }
        })
    }
}

/// A value as people write it: `101` with three decimals is `0.101`.
pub fn decimal(value: i64, decimals: u8) -> String {
    let digits = value.unsigned_abs().to_string();
    let decimals = usize::from(decimals);
    let padded = format!("{digits:0>width$}", width = decimals + 1);
    let (whole, part) = padded.split_at(padded.len() - decimals);
    let sign = if value < 0 { "-" } else { "" };
    let part = part.trim_end_matches('0');
    let point = if part.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{part}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_written_with_its_decimals_and_no_zeros_behind() {
        for (value, decimals, text) in [
            (101, 3, "0.101"),
            (0, 3, "0"),
            (-5, 3, "-0.005"),
            (19_500, 3, "19.5"),
            (101_325, 0, "101325"),
            (i64::MIN, 3, "-9223372036854775.808"),
        ] {
            assert_eq!(decimal(value, decimals), text);
        }
    }
}
