//! Real measured rain: a city's citizens' gauges from two files, played hour by hour by the agent's replay port, so that memory does
//! not grow with days.
//!
//! `ams_pws_stations.csv` (id, latitude, longitude, …) says where gauges stand; `ams_pws_rain_5min.csv.gz` has a line every five
//! minutes: time_utc, then millimetres a gauge, empty where it said nothing.

use super::city::{HOUR_MS, Hour, Station};
use crate::error::{Failure, Kind, OrFail};
use cairn_agent::port::replay::{self, Played, Replay, ReplayError};
use cairn_types::{CellId, EpochClock, EpochNumber, TimeMs};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const STATIONS: &str = "ams_pws_stations.csv";
const RAIN: &str = "ams_pws_rain_5min.csv.gz";

/// A folder of measured rain, opened.
pub struct Measured {
    pub stations: Vec<Station>,
    /// The beginning of the first hour.
    pub start: TimeMs,
    path: PathBuf,
    replay: Replay,
    /// The hour read last, until it is asked for.
    ahead: Option<Played>,
}

impl Measured {
    /// Opens a folder; places are cells of a resolution.
    pub fn open(folder: &Path, resolution: u8) -> Result<Self, Failure> {
        let places = places(&folder.join(STATIONS), resolution)?;
        let path = folder.join(RAIN);
        let first = Replay::open(&path, clock(TimeMs(0))).map_err(bad)?.first();
        let start = TimeMs(first.0 - first.0 % HOUR_MS);
        let replay = Replay::open(&path, clock(start)).map_err(bad)?;
        let place = |name: &String| {
            let cell = places.get(name).copied();
            let cell = cell.ok_or_else(|| {
                Failure::new(
                    Kind::Files,
                    format!("{}: gauge {name} is not in {STATIONS}", path.display()),
                )
            })?;
            Ok(Station {
                name: name.clone(),
                called: None,
                cell,
                cheat: None,
            })
        };
        let stations = replay.stations().iter().map(place).collect::<Result<_, Failure>>()?;
        let mut measured = Self {
            stations,
            start,
            path,
            replay,
            ahead: None,
        };
        measured.advance()?;
        if measured.ahead.is_none() {
            return Err(Failure::new(
                Kind::Files,
                format!("{} has no line of readings", measured.path.display()),
            ));
        }
        Ok(measured)
    }

    /// How many hours the file spans, by reading it once.
    pub fn hours(&self) -> Result<u64, Failure> {
        let mut hours = 0;
        for played in Replay::open(&self.path, clock(self.start)).map_err(bad)? {
            hours = played.map_err(bad)?.epoch.0 + 1;
        }
        Ok(hours)
    }

    /// What every gauge says in an hour, as a station would send it; `None` after the last line. Hours are asked for in order.
    pub fn hour(&mut self, hour: u64) -> Result<Option<Hour>, Failure> {
        let Some(ahead) = &self.ahead else { return Ok(None) };
        let mut messages: Hour = vec![None; self.stations.len()];
        if ahead.epoch == EpochNumber(hour) {
            for saying in &ahead.sayings {
                messages[saying.station] = Some(saying.message("rain"));
            }
            self.advance()?;
        }
        Ok(Some(messages))
    }

    fn advance(&mut self) -> Result<(), Failure> {
        self.ahead = self.replay.next().transpose().map_err(bad)?;
        Ok(())
    }
}

fn clock(start: TimeMs) -> EpochClock {
    EpochClock {
        genesis: start,
        epoch_ms: HOUR_MS,
    }
}

/// Where gauges stand, as cells.
fn places(path: &Path, resolution: u8) -> Result<BTreeMap<String, CellId>, Failure> {
    let resolution = h3o::Resolution::try_from(resolution).or_fail(Kind::Internal, "resolution")?;
    let stations = replay::stations(path).map_err(bad)?;
    let cell = |station: replay::Station| {
        let place = h3o::LatLng::new(station.latitude, station.longitude).or_fail(Kind::Files, path.display())?;
        Ok((station.name, CellId::from(place.to_cell(resolution))))
    };
    stations.into_iter().map(cell).collect()
}

fn bad(error: ReplayError) -> Failure {
    Failure::new(Kind::Files, error).hint(format!(
        "the folder must hold {STATIONS} and {RAIN}; without --data a made city plays"
    ))
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
        std::fs::write(folder.path().join(RAIN), packed.finish().expect("memory")).expect("written");
        folder
    }

    const PLACES: &str = "id,latitude,longitude\na,52.37,4.89\nb,52.38,4.90\n";

    #[test]
    fn hours_come_one_after_another_and_silent_ones_stay_silent() {
        let rain = "time_utc,b,a\n2017-07-15 00:50:00,0.101,\n2017-07-15 00:55:00,,1.5\n2017-07-15 02:00:00,0,0\n";
        let folder = folder(PLACES, rain);
        let mut measured = Measured::open(folder.path(), 8).expect("good");
        assert_eq!(measured.start.to_string(), "2017-07-15T00:00:00Z");
        assert_eq!(measured.hours().expect("good"), 3);
        assert_eq!(
            measured.stations.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
            ["b", "a"]
        );
        let said: Vec<Vec<bool>> = (0..)
            .map_while(|hour| measured.hour(hour).expect("good"))
            .map(|hour| hour.iter().map(Option::is_some).collect())
            .collect();
        assert_eq!(said, [[true, true], [false, false], [true, true]]);
    }

    #[test]
    fn what_is_wrong_with_a_folder_is_named() {
        for (stations, rain, why) in [
            (PLACES, "time_utc,a,c\n2017-07-15 00:00:00,1,1\n", "gauge c is not in"),
            (PLACES, "time,a\n", "the first column must be time_utc"),
            (PLACES, "time_utc,a\n", "has no line of readings"),
            (PLACES, "time_utc,a\nyesterday,1\n", "row 2"),
            ("id,latitude\n", "time_utc,a\n", "the column longitude is missing"),
            ("id,latitude,longitude\na,x,4\n", "time_utc,a\n", "is no coordinate"),
        ] {
            let folder = folder(stations, rain);
            let failure = Measured::open(folder.path(), 8).err().expect("bad");
            assert!(failure.message.contains(why), "{} does not say {why}", failure.message);
        }
        let failure = Measured::open(Path::new("/nowhere"), 8).err().expect("bad");
        assert!(failure.hint.is_some_and(|hint| hint.contains(RAIN)));
    }
}
