//! Recorded receptions of a folder (`*.ndjson.gz`, a frame a line, of both forms), sorted into epochs. Every receiver is a station; it
//! is registered where it mostly said at first that it stands. Judges nothing.
//!
//! Beside the records may lie `endpoints*.json`: where senders stand that the lines themselves do not place.

use super::city::Station;
use super::scene::Saying;
use crate::error::{Failure, Kind, OrFail};
use cairn_types::{CellId, EpochClock, EpochNumber, TimeMs};
use cairn_verticals::kit::place::Place;
use cairn_verticals::wireless::driver::recorded::{self, Recorded};
use cairn_verticals::wireless::params::REFERENCES_MAX;
use flate2::read::MultiGzDecoder;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// Receptions of one folder at most: they are held in memory, half a kilobyte each.
const ROWS_MAX: usize = 2_000_000;
/// A line of more bytes is nobody's record.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// Records further than this from the middle one are of no time anybody plays.
const SPAN_MS_MAX: u64 = 1_830 * 86_400_000;
/// So many of a receiver's places are looked at to find where it is registered.
const PLACES_MAX: usize = 256;
/// Bytes of a file of senders' places at most.
const SENDERS_BYTES_MAX: u64 = 16 << 20;

/// One reception, and where it stands written.
pub struct Row {
    pub epoch: u64,
    pub station: usize,
    pub said: Recorded,
    /// Its place in `files`, and its line there, from 1.
    pub file: usize,
    pub line: u64,
}

/// A folder of them.
pub struct Receptions {
    pub stations: Vec<Station>,
    pub clock: EpochClock,
    pub epochs: u64,
    pub files: Vec<String>,
    /// Lines that are no record, and receivers of which a line says too little.
    pub unread_lines: u64,
    pub unread: u64,
    resolution: h3o::Resolution,
    /// By epoch, then by time of arrival.
    rows: Vec<Row>,
}

impl Receptions {
    pub fn open(folder: &Path, resolution: u8, epoch_ms: u64) -> Result<Self, Failure> {
        let resolution = h3o::Resolution::try_from(resolution).or_fail(Kind::Internal, "resolution")?;
        let paths = listed(folder, |name| name.ends_with(".ndjson.gz") || name.ends_with(".ndjson"))?;
        let senders = senders(folder)?;
        let mut receptions = Self {
            stations: Vec::new(),
            clock: EpochClock {
                genesis: TimeMs(0),
                epoch_ms,
            },
            epochs: 0,
            files: Vec::new(),
            unread_lines: 0,
            unread: 0,
            resolution,
            rows: Vec::new(),
        };
        for path in &paths {
            receptions.read(path)?;
        }
        for row in &mut receptions.rows {
            let known = senders
                .get(&row.said.sender)
                .filter(|_| row.said.sender_place.is_none());
            if let Some((place, height)) = known {
                (row.said.sender_place, row.said.sender_height_m) = (Some(*place), *height);
            }
        }
        receptions.settle(folder)?;
        Ok(receptions)
    }

    fn read(&mut self, path: &Path) -> Result<(), Failure> {
        let file = File::open(path).or_fail(Kind::Files, path.display())?;
        let packed = path.extension().is_some_and(|extension| extension == "gz");
        let bytes: Box<dyn Read> = if packed {
            Box::new(MultiGzDecoder::new(file))
        } else {
            Box::new(file)
        };
        let mut reader = BufReader::new(bytes);
        let at = self.files.len();
        self.files
            .push(path.file_name().unwrap_or_default().to_string_lossy().into_owned());
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let taken = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
            if taken.or_fail(Kind::Files, path.display())? == 0 {
                break;
            }
            let text = std::str::from_utf8(&line).ok().map(str::trim);
            if text.is_some_and(str::is_empty) {
                continue;
            }
            let Some((heard, unread)) = text.and_then(|text| recorded::read(text).ok()) else {
                self.unread_lines += 1;
                continue;
            };
            self.unread += unread as u64;
            self.rows.extend(heard.into_iter().map(|said| Row {
                epoch: 0,
                station: 0,
                said,
                file: at,
                line: number,
            }));
            if self.rows.len() > ROWS_MAX {
                let failure = Failure::new(Kind::Files, format!("more than {ROWS_MAX} receptions"));
                return Err(failure.hint("play fewer files, or fewer days, at a time"));
            }
        }
        Ok(())
    }

    /// Puts rows into epochs, and receivers into the order in which they first spoke.
    fn settle(&mut self, folder: &Path) -> Result<(), Failure> {
        self.rows.sort_by_key(|row| row.said.taken);
        let Some(middle) = self.rows.get(self.rows.len() / 2).map(|row| row.said.taken) else {
            let failure = Failure::new(Kind::Files, format!("{} holds no reception", folder.display()));
            return Err(failure.hint("the folder must hold *.ndjson.gz; without --data a made town plays"));
        };
        let before = self.rows.len();
        self.rows
            .retain(|row| row.said.taken.since_ms(middle).max(middle.since_ms(row.said.taken)) <= SPAN_MS_MAX);
        self.unread += (before - self.rows.len()) as u64;
        let epoch_ms = self.clock.epoch_ms;
        let first = self.rows.first().map_or(0, |row| row.said.taken.0);
        // An epoch earlier, for what was heard before it came.
        self.clock.genesis = TimeMs((first / epoch_ms * epoch_ms).saturating_sub(epoch_ms));
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        let mut places: Vec<Vec<recorded::Said>> = Vec::new();
        let mut near: Vec<Option<CellId>> = Vec::new();
        for at in 0..self.rows.len() {
            let said = &self.rows[at].said;
            let next = names.len();
            let station = *names.entry(said.receiver.clone()).or_insert(next);
            if station == next {
                places.push(Vec::new());
                near.push(None);
            }
            let sender = said.sender_place.map(|place| self.cell(place));
            if places[station].len() < PLACES_MAX {
                places[station].extend(said.said(|place| self.cell(place)));
            }
            near[station] = near[station].or(sender);
            let clock = self.clock;
            let row = &mut self.rows[at];
            row.station = station;
            row.epoch = row.said.epoch(&clock).map_or(0, |epoch| epoch.0);
        }
        self.rows.sort_by_key(|row| (row.epoch, row.said.taken));
        self.epochs = self.rows.last().map_or(0, |row| row.epoch + 1);
        // Who never says where it stands is taken to be where its first known sender is, or any other.
        let somewhere = places
            .iter()
            .flatten()
            .next()
            .map(|(cell, _)| *cell)
            .or(near.iter().flatten().next().copied());
        let mut cells = Vec::new();
        for (places, near) in places.iter().zip(&near) {
            let cell = recorded::registered(places).or(*near).or(somewhere);
            let missing = || Failure::new(Kind::Files, "no receiver and no sender says where it stands");
            cells.push(cell.ok_or_else(missing)?);
        }
        let mut by_place: Vec<(usize, String)> = names.into_iter().map(|(name, at)| (at, name)).collect();
        by_place.sort_unstable();
        let station = |((_, name), cell): ((usize, String), CellId)| {
            let is_name = cairn_agent::keys::is_name(&name);
            let other = || format!("receiver-{}", cairn_types::hash::sha256(name.as_bytes()));
            Station {
                name: if is_name {
                    name.clone()
                } else {
                    other().chars().take(32).collect()
                },
                called: (!is_name).then_some(name),
                cell,
                cheat: None,
            }
        };
        self.stations = by_place.into_iter().zip(cells).map(station).collect();
        Ok(())
    }

    fn cell(&self, place: Place) -> CellId {
        let degrees = |micro: i32| f64::from(micro) / 1e6;
        let place = h3o::LatLng::new(degrees(place.latitude), degrees(place.longitude));
        CellId::from(place.expect("micro-degrees are finite").to_cell(self.resolution))
    }

    /// Senders that stand still where it is known, the busiest ones: this network's references.
    pub fn references(&self) -> Vec<u64> {
        let mut senders: BTreeMap<u64, (u64, Option<CellId>)> = BTreeMap::new();
        for row in &self.rows {
            let cell = row.said.sender_place.map(|place| self.cell(place));
            let (count, known) = senders.entry(row.said.sender).or_insert((0, cell));
            *count += 1;
            *known = known.filter(|known| Some(*known) == cell);
        }
        let still = senders.into_iter().filter(|(_, (_, cell))| cell.is_some());
        let mut busiest: Vec<(u64, u64)> = still.map(|(sender, (count, _))| (count, sender)).collect();
        busiest.sort_unstable_by_key(|(count, sender)| (std::cmp::Reverse(*count), *sender));
        busiest.truncate(REFERENCES_MAX);
        let mut references: Vec<u64> = busiest.into_iter().map(|(_, sender)| sender).collect();
        references.sort_unstable();
        references
    }

    pub fn title(&self, epochs: u64) -> String {
        let unread = match self.unread_lines + self.unread {
            0 => String::new(),
            _ => format!(
                " {} lines and {} receivers say too little to be played.",
                self.unread_lines, self.unread
            ),
        };
        format!(
            "{} receptions by {} hotspots in {} files, {epochs} days of data time from {}. The records hold no beacons: coverage is \
             proven by {} senders at known places.{unread}",
            self.rows.len(),
            self.stations.len(),
            self.files.len(),
            self.clock.genesis,
            self.references().len(),
        )
    }

    pub fn rows(&self, epoch: u64) -> &[Row] {
        let from = self.rows.partition_point(|row| row.epoch < epoch);
        let to = self.rows.partition_point(|row| row.epoch <= epoch);
        &self.rows[from..to]
    }

    /// How a row is heard by its station's agent.
    pub fn heard(&self, row: &Row) -> cairn_verticals::wireless::report::Heard {
        row.said.reception(|place| self.cell(place))
    }

    /// Each reception as it comes to its station's agent, which keeps it until the customer has it.
    pub fn sayings(&self, epoch: u64) -> Option<Vec<Saying>> {
        let number = EpochNumber(epoch);
        let (start, end) = (self.clock.start(number), self.clock.end(number));
        let saying = |row: &Row| Saying {
            station: row.station,
            at: row.said.taken.clamp(start, TimeMs(end.0 - 1)),
            message: row.said.message(|place| self.cell(place)).into_bytes(),
        };
        (epoch < self.epochs).then(|| self.rows(epoch).iter().map(saying).collect())
    }
}

/// The files of a folder whose names are wanted, in the order of names.
fn listed(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, Failure> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).or_fail(Kind::Files, folder.display())? {
        let entry = entry.or_fail(Kind::Files, folder.display())?;
        if wanted(&entry.file_name().to_string_lossy()) {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

/// Where senders stand, by the files beside the records; what is no such file is passed over.
fn senders(folder: &Path) -> Result<BTreeMap<u64, (Place, Option<i16>)>, Failure> {
    let mut senders = BTreeMap::new();
    for path in listed(folder, |name| name.starts_with("endpoints") && name.ends_with(".json"))? {
        let file = File::open(&path).or_fail(Kind::Files, path.display())?;
        let mut text = String::new();
        let read = file.take(SENDERS_BYTES_MAX).read_to_string(&mut text);
        let known = read
            .ok()
            .and_then(|_| recorded::senders(&text).ok())
            .unwrap_or_default();
        senders.extend(
            known
                .into_iter()
                .map(|(sender, place, height)| (sender, (place, height))),
        );
    }
    Ok(senders)
}
