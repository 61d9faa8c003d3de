//! Real measured rain: a city's citizens' gauges from two files, read hour by hour, so that memory does not grow with days.
//!
//! `ams_pws_stations.csv` (id, latitude, longitude, …) says where gauges stand; `ams_pws_rain_5min.csv.gz` has a line every five
//! minutes: time_utc, then millimetres a gauge, empty where it said nothing.

use super::city::{Hour, Station};
use crate::error::{Failure, Kind, OrFail};
use cairn_types::{CellId, TimeMs};
use cairn_verticals::kit::Reading;
use cairn_verticals::sensors::report::RAIN;
use flate2::read::MultiGzDecoder;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

const STATIONS: &str = "ams_pws_stations.csv";
const RAIN_FILE: &str = "ams_pws_rain_5min.csv.gz";
const HOUR_MS: u64 = 3_600_000;
/// Columns of one file at most.
const GAUGES_MAX: usize = 10_000;
/// Bytes of the unpacked rain file at most: a packed file of hostile making ends there.
const UNPACKED_BYTES_MAX: u64 = 8 << 30;

/// A folder of measured rain, opened.
pub struct Measured {
    pub stations: Vec<Station>,
    pub start: TimeMs,
    path: PathBuf,
    lines: csv::Reader<BufReader<std::io::Take<MultiGzDecoder<File>>>>,
    /// The line read ahead: the first of the next hour.
    ahead: Option<csv::StringRecord>,
}

impl Measured {
    pub fn open(folder: &Path, resolution: u8) -> Result<Self, Failure> {
        let places = places(&folder.join(STATIONS), resolution)?;
        let path = folder.join(RAIN_FILE);
        let mut lines = open(&path)?;
        let header = lines.headers().or_fail(Kind::Files, path.display())?.clone();
        if header.get(0) != Some("time_utc") || header.len() < 2 || header.len() > GAUGES_MAX {
            return Err(bad(&path, 1, "the first line must be time_utc and one column a gauge"));
        }
        let stations = header
            .iter()
            .skip(1)
            .map(|name| {
                let cell = places.get(name).copied();
                let cell = cell.ok_or_else(|| bad(&path, 1, format!("gauge {name} is not in {STATIONS}")))?;
                Ok(Station {
                    name: name.to_owned(),
                    cell,
                    cheat: None,
                })
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let mut measured = Self {
            stations,
            start: TimeMs(0),
            path,
            lines,
            ahead: None,
        };
        measured.advance()?;
        let first = measured
            .ahead
            .as_ref()
            .ok_or_else(|| bad(&measured.path, 2, "there is no line of readings"))?;
        let time = measured.time(first)?;
        measured.start = TimeMs(time.0 - time.0 % HOUR_MS);
        Ok(measured)
    }

    /// How many hours the file spans, by reading it once.
    pub fn hours(&self) -> Result<u64, Failure> {
        let mut lines = open(&self.path)?;
        let mut last = None;
        let mut record = csv::StringRecord::new();
        while lines
            .read_record(&mut record)
            .or_fail(Kind::Files, self.path.display())?
        {
            last = Some(self.time(&record)?);
        }
        Ok(last.map_or(0, |last| last.since_ms(self.start) / HOUR_MS + 1))
    }

    /// What every gauge measured in the hour from `start`; `None` after the last line.
    pub fn hour(&mut self, start: TimeMs) -> Result<Option<Hour>, Failure> {
        if self.ahead.is_none() {
            return Ok(None);
        }
        let end = start.plus_ms(HOUR_MS);
        let mut hour: Hour = vec![Vec::new(); self.stations.len()];
        while let Some(record) = self.ahead.take() {
            let time = self.time(&record)?;
            if time < start {
                return Err(bad(&self.path, line(&record), "times must rise"));
            }
            if time >= end {
                self.ahead = Some(record);
                break;
            }
            for (readings, field) in hour
                .iter_mut()
                .zip(record.iter().skip(1))
                .filter(|(_, field)| !field.is_empty())
            {
                let value = micrometres(field).ok_or_else(|| {
                    bad(
                        &self.path,
                        line(&record),
                        format!("\"{field}\" is not a number of millimetres"),
                    )
                })?;
                if readings.last().is_none_or(|last: &Reading| last.time < time) {
                    readings.push(Reading {
                        quantity: RAIN,
                        time,
                        value,
                    });
                }
            }
            self.advance()?;
        }
        Ok(Some(hour))
    }

    fn advance(&mut self) -> Result<(), Failure> {
        let mut record = csv::StringRecord::new();
        let more = self
            .lines
            .read_record(&mut record)
            .or_fail(Kind::Files, self.path.display())?;
        self.ahead = more.then_some(record);
        Ok(())
    }

    fn time(&self, record: &csv::StringRecord) -> Result<TimeMs, Failure> {
        let text = record.get(0).unwrap_or_default();
        text.parse()
            .map_err(|error| bad(&self.path, line(record), format!("\"{text}\": {error}")))
    }
}

fn open(path: &Path) -> Result<csv::Reader<BufReader<std::io::Take<MultiGzDecoder<File>>>>, Failure> {
    let file = File::open(path)
        .or_fail(Kind::Files, path.display())
        .map_err(|failure| {
            failure.hint(format!(
                "the folder must hold {STATIONS} and {RAIN_FILE}; without --data a made city plays"
            ))
        })?;
    let unpacked = MultiGzDecoder::new(file).take(UNPACKED_BYTES_MAX);
    Ok(csv::Reader::from_reader(BufReader::new(unpacked)))
}

/// Where gauges stand, as cells.
fn places(path: &Path, resolution: u8) -> Result<BTreeMap<String, CellId>, Failure> {
    let mut lines = csv::Reader::from_path(path).or_fail(Kind::Files, path.display())?;
    let header = lines.headers().or_fail(Kind::Files, path.display())?.clone();
    let column = |name: &str| {
        header
            .iter()
            .position(|field| field == name)
            .ok_or_else(|| bad(path, 1, format!("there is no column {name}")))
    };
    let (id, latitude, longitude) = (column("id")?, column("latitude")?, column("longitude")?);
    let resolution = h3o::Resolution::try_from(resolution).or_fail(Kind::Internal, "resolution")?;
    let mut places = BTreeMap::new();
    for record in lines.records() {
        let record = record.or_fail(Kind::Files, path.display())?;
        let degrees = |at: usize| record.get(at).and_then(|field| field.parse::<f64>().ok());
        let place = degrees(latitude)
            .zip(degrees(longitude))
            .and_then(|(lat, lng)| h3o::LatLng::new(lat, lng).ok());
        let place = place.ok_or_else(|| bad(path, line(&record), "latitude and longitude must be degrees"))?;
        let name = record.get(id).unwrap_or_default().to_owned();
        places.insert(name, CellId::from(place.to_cell(resolution)));
    }
    Ok(places)
}

/// Millimetres in decimal to whole micrometres, exactly; digits beyond them are cut.
fn micrometres(text: &str) -> Option<i64> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 9 || !plain(whole) || !plain(part) {
        return None;
    }
    let thousandths: String = part.chars().chain("000".chars()).take(3).collect();
    Some(sign * (whole.parse::<i64>().ok()? * 1_000 + thousandths.parse::<i64>().ok()?))
}

fn line(record: &csv::StringRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}

fn bad(path: &Path, line: u64, why: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::Files, format!("{}, line {line}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn folder(stations: &str, rain: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(STATIONS), stations).expect("written");
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(rain.as_bytes()).expect("memory");
        std::fs::write(folder.path().join(RAIN_FILE), packed.finish().expect("memory")).expect("written");
        folder
    }

    const PLACES: &str = "id,latitude,longitude\na,52.37,4.89\nb,52.38,4.90\n";

    #[test]
    fn hours_come_one_after_another_and_gaps_stay_gaps() {
        let rain = "time_utc,b,a\n2017-07-15 00:50:00,0.101,\n2017-07-15 00:55:00,,1.5\n2017-07-15 02:00:00,0,0\n";
        let folder = folder(PLACES, rain);
        let mut measured = Measured::open(folder.path(), 8).expect("good");
        assert_eq!(measured.start.to_string(), "2017-07-15T00:00:00Z");
        assert_eq!(measured.hours().expect("good"), 3);
        assert_eq!(
            measured.stations.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
            ["b", "a"]
        );
        let mut start = measured.start;
        let mut counts = Vec::new();
        while let Some(hour) = measured.hour(start).expect("good") {
            counts.push(
                hour.iter()
                    .map(|readings| readings.iter().map(|r| r.value).collect())
                    .collect::<Vec<Vec<i64>>>(),
            );
            start = start.plus_ms(HOUR_MS);
        }
        assert_eq!(
            counts,
            [
                vec![vec![101], vec![1_500]],
                vec![vec![], vec![]],
                vec![vec![0], vec![0]]
            ]
        );
    }

    #[test]
    fn what_is_wrong_with_a_file_is_named_with_its_line() {
        for (stations, rain, why) in [
            (PLACES, "time_utc,a,c\n", "line 1: gauge c is not in"),
            (PLACES, "time,a\n", "line 1: the first line must be"),
            (PLACES, "time_utc,a\n", "line 2: there is no line"),
            (PLACES, "time_utc,a\nyesterday,1\n", "line 2: \"yesterday\""),
            ("id,latitude\n", "time_utc,a\n", "line 1: there is no column longitude"),
            (
                "id,latitude,longitude\na,x,4\n",
                "time_utc,a\n",
                "line 2: latitude and longitude",
            ),
        ] {
            let folder = folder(stations, rain);
            let failure = Measured::open(folder.path(), 8).err().expect("bad");
            assert!(failure.message.contains(why), "{} does not say {why}", failure.message);
        }
        let folder = folder(PLACES, "time_utc,a\n2017-07-15 00:00:00,wet\n");
        let mut measured = Measured::open(folder.path(), 8).expect("good so far");
        let failure = measured.hour(measured.start).err().expect("bad");
        assert!(
            failure.message.contains("line 2: \"wet\" is not a number"),
            "{}",
            failure.message
        );
    }

    #[test]
    fn millimetres_become_micrometres_exactly() {
        for (text, value) in [
            ("0", Some(0)),
            ("0.101", Some(101)),
            ("19.8979", Some(19_897)),
            ("-0.5", Some(-500)),
            ("12", Some(12_000)),
        ] {
            assert_eq!(micrometres(text), value, "{text}");
        }
        for bad in ["", "-", ".5", "1e3", "nan", "1.-2", "12345678901"] {
            assert_eq!(micrometres(bad), None, "{bad}");
        }
    }
}
