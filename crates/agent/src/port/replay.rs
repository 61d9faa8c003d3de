//! A file of readings played back: a wide table, one column per station, read row by row and given out hour by hour (or
//! whatever an epoch is). Memory holds one epoch, whatever the file's length. It never asks what time it is.
//!
//! ```text
//! time_utc,ams1,ams2,…            stations.csv: id,latitude,longitude,…
//! 2017-07-15 00:00:00,0.1,,…      an empty field is no reading
//! ```

use cairn_types::{EpochClock, EpochNumber, TimeMs};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Columns of a table at most.
pub const STATIONS_MAX: usize = 100_000;
/// Bytes of one row at most.
pub const ROW_BYTES_MAX: usize = 8 << 20;
/// Rows of one epoch at most: a row each second of an hour, and some.
pub const EPOCH_ROWS_MAX: usize = 4_096;

const FIRST_COLUMN: &str = "time_utc";

#[derive(Debug, Error)]
pub enum ReplayError {
    #[error("{path}: {error}")]
    Csv { path: PathBuf, error: csv::Error },
    #[error("{path}, row {row}: {what}")]
    Row { path: PathBuf, row: u64, what: String },
}

/// Where a station stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Station {
    pub name: String,
    pub latitude: f64,
    pub longitude: f64,
}

/// What one station says in an epoch: times and values as the file writes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saying {
    /// Its place in `Replay::stations`.
    pub station: usize,
    pub readings: Vec<(TimeMs, String)>,
}

impl Saying {
    /// The message a station would send: a line per reading, as drivers of sensors read it.
    pub fn message(&self, quantity: &str) -> Vec<u8> {
        let lines = self
            .readings
            .iter()
            .map(|(time, value)| format!("{time} {quantity}={value}\n"));
        lines.collect::<String>().into_bytes()
    }
}

/// All that is said in an epoch, by station; stations that say nothing are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    pub epoch: EpochNumber,
    pub sayings: Vec<Saying>,
}

/// A table being played. An iterator over the epochs in which anything is said.
pub struct Replay {
    path: PathBuf,
    clock: EpochClock,
    stations: Vec<String>,
    rows: csv::StringRecordsIntoIter<RowLimit<Box<dyn Read + Send>>>,
    row: u64,
    first: TimeMs,
    last: TimeMs,
    /// The first row of the next epoch.
    ahead: Option<(EpochNumber, TimeMs, csv::StringRecord)>,
}

impl Replay {
    /// Opens a table, gzipped when its name ends in `.gz`. Epochs are cut by `clock`; rows before its genesis are an error.
    pub fn open(path: &Path, clock: EpochClock) -> Result<Self, ReplayError> {
        let mut reader = csv::ReaderBuilder::new().from_reader(RowLimit::new(open(path)?));
        let header = reader.headers().map_err(|error| csv_error(path, error))?;
        let mut columns = header.iter();
        let row_error = |what: String| ReplayError::Row {
            path: path.to_owned(),
            row: 1,
            what,
        };
        if columns.next() != Some(FIRST_COLUMN) {
            return Err(row_error(format!("the first column must be {FIRST_COLUMN}")));
        }
        let stations: Vec<String> = columns.map(str::to_owned).collect();
        if stations.is_empty() || stations.len() > STATIONS_MAX {
            return Err(row_error(format!("a table has 1 to {STATIONS_MAX} stations")));
        }
        let mut replay = Self {
            path: path.to_owned(),
            clock,
            stations,
            rows: reader.into_records(),
            row: 1,
            first: TimeMs(0),
            last: TimeMs(0),
            ahead: None,
        };
        replay.ahead = replay.read_row()?;
        replay.first = replay.ahead.as_ref().map_or(TimeMs(0), |(_, time, _)| *time);
        Ok(replay)
    }

    pub fn stations(&self) -> &[String] {
        &self.stations
    }

    /// The time of the first row.
    pub fn first(&self) -> TimeMs {
        self.first
    }

    fn read_row(&mut self) -> Result<Option<(EpochNumber, TimeMs, csv::StringRecord)>, ReplayError> {
        self.row += 1;
        let Some(record) = self.rows.next() else {
            return Ok(None);
        };
        let record = record.map_err(|error| csv_error(&self.path, error))?;
        let time: TimeMs = match record.get(0).map(str::parse) {
            Some(Ok(time)) => time,
            _ => return Err(self.error("a row starts with a time such as 2017-07-15 00:05:00".into())),
        };
        if time <= self.last && self.row > 2 {
            return Err(self.error(format!("{time} is not later than the row before")));
        }
        self.last = time;
        let epoch = self
            .clock
            .epoch_of(time)
            .ok_or_else(|| self.error(format!("{time} is before genesis")))?;
        Ok(Some((epoch, time, record)))
    }

    fn next_epoch(&mut self) -> Result<Option<Played>, ReplayError> {
        let Some((epoch, mut time, mut record)) = self.ahead.take() else {
            return Ok(None);
        };
        let mut readings: Vec<Vec<(TimeMs, String)>> = vec![Vec::new(); self.stations.len()];
        for count in 1.. {
            for (station, value) in readings.iter_mut().zip(record.iter().skip(1)) {
                if !value.trim().is_empty() {
                    station.push((time, value.trim().to_owned()));
                }
            }
            match self.read_row()? {
                Some((same, next, row)) if same == epoch => {
                    if count == EPOCH_ROWS_MAX {
                        return Err(self.error(format!("an epoch has at most {EPOCH_ROWS_MAX} rows")));
                    }
                    (time, record) = (next, row);
                }
                ahead => {
                    self.ahead = ahead;
                    break;
                }
            }
        }
        let sayings = readings
            .into_iter()
            .enumerate()
            .filter(|(_, readings)| !readings.is_empty());
        let sayings = sayings.map(|(station, readings)| Saying { station, readings });
        Ok(Some(Played {
            epoch,
            sayings: sayings.collect(),
        }))
    }

    fn error(&self, what: String) -> ReplayError {
        ReplayError::Row {
            path: self.path.clone(),
            row: self.row,
            what,
        }
    }
}

impl Iterator for Replay {
    type Item = Result<Played, ReplayError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_epoch().transpose()
    }
}

/// Reads the places of stations: the columns `id`, `latitude` and `longitude`; others are not looked at.
pub fn stations(path: &Path) -> Result<Vec<Station>, ReplayError> {
    let mut reader = csv::ReaderBuilder::new().from_reader(RowLimit::new(open(path)?));
    let header = reader.headers().map_err(|error| csv_error(path, error))?.clone();
    let row_error = |row, what: String| ReplayError::Row {
        path: path.to_owned(),
        row,
        what,
    };
    let column = |name: &str| {
        let at = header.iter().position(|column| column == name);
        at.ok_or_else(|| row_error(1, format!("the column {name} is missing")))
    };
    let (id, latitude, longitude) = (column("id")?, column("latitude")?, column("longitude")?);
    let mut stations = Vec::new();
    for (row, record) in (2..).zip(reader.records()) {
        let record = record.map_err(|error| csv_error(path, error))?;
        let degrees = |at: usize, max: f64| {
            let value = record.get(at).and_then(|text| text.trim().parse::<f64>().ok());
            let inside = value.filter(|value| value.abs() <= max);
            inside.ok_or_else(|| {
                row_error(
                    row,
                    format!("{:?} is no coordinate", record.get(at).unwrap_or_default()),
                )
            })
        };
        stations.push(Station {
            name: record.get(id).unwrap_or_default().to_owned(),
            latitude: degrees(latitude, 90.0)?,
            longitude: degrees(longitude, 180.0)?,
        });
        if stations.len() > STATIONS_MAX {
            return Err(row_error(row, format!("there are at most {STATIONS_MAX} stations")));
        }
    }
    Ok(stations)
}

fn open(path: &Path) -> Result<Box<dyn Read + Send>, ReplayError> {
    let file = File::open(path).map_err(|error| csv_error(path, error.into()))?;
    if path.extension().is_some_and(|end| end == "gz") {
        Ok(Box::new(MultiGzDecoder::new(file)))
    } else {
        Ok(Box::new(file))
    }
}

fn csv_error(path: &Path, error: csv::Error) -> ReplayError {
    ReplayError::Csv {
        path: path.to_owned(),
        error,
    }
}

/// A reader that fails when no line ends for too long: a row is bounded before anybody holds it.
struct RowLimit<R> {
    inner: R,
    row_bytes: usize,
}

impl<R> RowLimit<R> {
    fn new(inner: R) -> Self {
        Self { inner, row_bytes: 0 }
    }
}

impl<R: Read> Read for RowLimit<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buf)?;
        self.row_bytes = match buf[..count].iter().rposition(|byte| *byte == b'\n') {
            Some(end) => count - end - 1,
            None => self.row_bytes + count,
        };
        if self.row_bytes > ROW_BYTES_MAX {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a row has at most {ROW_BYTES_MAX} bytes"),
            ));
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    const HOUR: EpochClock = EpochClock {
        genesis: TimeMs(1_500_076_800_000),
        epoch_ms: 3_600_000,
    };

    fn write(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        if name.ends_with("gz") {
            let mut file = GzEncoder::new(File::create(&path).unwrap(), Compression::fast());
            file.write_all(text.as_bytes()).unwrap();
            file.finish().unwrap();
        } else {
            std::fs::write(&path, text).unwrap();
        }
        (folder, path)
    }

    #[test]
    fn a_table_plays_epoch_by_epoch() {
        let table = "time_utc,a,b,c\n2017-07-15 00:00:00,0.1,,\n2017-07-15 00:55:00,0,2,\n2017-07-15 03:00:00,,,7\n";
        for name in ["rain.csv", "rain.csv.gz"] {
            let (_folder, path) = write(name, table);
            let replay = Replay::open(&path, HOUR).unwrap();
            assert_eq!(replay.stations(), ["a", "b", "c"]);
            assert_eq!(replay.first(), HOUR.genesis);
            let played: Vec<Played> = replay.map(Result::unwrap).collect();
            let said: Vec<_> = played
                .iter()
                .map(|played| {
                    let of = |saying: &Saying| (saying.station, String::from_utf8(saying.message("rain")).unwrap());
                    (played.epoch.0, played.sayings.iter().map(of).collect::<Vec<_>>())
                })
                .collect();
            let a = "2017-07-15T00:00:00Z rain=0.1\n2017-07-15T00:55:00Z rain=0\n".to_owned();
            let b = "2017-07-15T00:55:00Z rain=2\n".to_owned();
            let c = "2017-07-15T03:00:00Z rain=7\n".to_owned();
            assert_eq!(said, [(0, vec![(0, a), (1, b)]), (3, vec![(2, c)])]);
        }
    }

    #[test]
    fn what_is_no_table_is_an_error_that_names_the_row() {
        for (table, what) in [
            ("", "first column"),
            ("time,a\n", "first column"),
            ("time_utc\n", "stations"),
            ("time_utc,a\nyesterday,1\n", "row 2"),
            ("time_utc,a\n2017-07-14 23:59:59,1\n", "before genesis"),
            ("time_utc,a\n2017-07-15 00:05:00,1\n2017-07-15 00:00:00,1\n", "row 3"),
            ("time_utc,a\n2017-07-15 00:05:00,1,2\n", "fields"),
        ] {
            let (_folder, path) = write("rain.csv", table);
            let error = match Replay::open(&path, HOUR) {
                Err(error) => error,
                Ok(replay) => replay.collect::<Result<Vec<_>, _>>().unwrap_err(),
            };
            assert!(error.to_string().contains(what), "{table:?}: {error}");
        }
    }

    #[test]
    fn a_row_without_an_end_is_stopped() {
        let (_folder, path) = write("rain.csv.gz", &format!("time_utc,{}", "a".repeat(2 * ROW_BYTES_MAX)));
        let error = Replay::open(&path, HOUR).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("a row has at most"), "{error}");
    }

    #[test]
    fn places_are_read_by_the_names_of_their_columns() {
        let (_folder, path) = write("stations.csv", "id,x,longitude,latitude\nams1,9,4.67,52.3\n");
        let expected = Station {
            name: "ams1".into(),
            latitude: 52.3,
            longitude: 4.67,
        };
        assert_eq!(stations(&path).unwrap(), [expected]);
        for bad in [
            "id,latitude\n",
            "id,latitude,longitude\na,91,0\n",
            "id,latitude,longitude\na,nan,0\n",
        ] {
            assert!(stations(&write("stations.csv", bad).1).is_err(), "{bad}");
        }
    }
}
