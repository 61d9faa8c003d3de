//! Rows in the forms that customers' tools read, written as they go.

mod csv;
pub mod geojson;
mod parquet;

use crate::rows::Answer;
use std::io::{self, Write};

/// A file form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    GeoJson,
    Parquet,
}

impl Format {
    pub const ALL: [Self; 3] = [Self::Csv, Self::GeoJson, Self::Parquet];

    /// Also the ending of a file's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::GeoJson => "geojson",
            Self::Parquet => "parquet",
        }
    }

    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::GeoJson => "application/geo+json",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// Writes the file. Fails only when `out` does.
pub fn write(format: Format, answer: &Answer, out: &mut (dyn Write + Send)) -> io::Result<()> {
    match format {
        Format::Csv => csv::write(answer, out),
        Format::GeoJson => geojson::write(answer, out),
        Format::Parquet => parquet::write(answer, out),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::rows::{Place, Quantity};
    use cairn_types::{DeviceId, DeviceNumber, TimeMs};

    pub fn place() -> Place {
        Place {
            number: DeviceNumber(1),
            cell: "881969c9b7fffff".parse().unwrap(),
            device: DeviceId([7; 32]),
        }
    }

    pub fn answer() -> Answer {
        let quantity = Quantity {
            name: "rain".to_owned(),
            unit: "mm".to_owned(),
            decimals: 3,
        };
        let mut answer = Answer::new(quantity);
        for (at, value) in [(0, 0), (1, 101), (2, -5)] {
            answer.push(TimeMs(1_500_076_800_000 + at * 300_000), place(), value);
        }
        answer
    }

    type Write = fn(&Answer, &mut (dyn io::Write + Send)) -> io::Result<()>;

    pub fn written(write: Write, answer: &Answer) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(answer, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn every_format_is_found_by_its_name() {
        for format in Format::ALL {
            assert_eq!(Format::by_name(format.name()), Some(format));
        }
        assert_eq!(Format::by_name("xlsx"), None);
    }
}
