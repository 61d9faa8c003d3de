//! Where the demo's readings come from: a city the vertical's cast makes from a seed, or a folder of measured data.

use super::measured::Measured;
use crate::error::Failure;
use cairn_types::{BasisPoints, CellId, TimeMs};
use cairn_verticals::kit::cast::{Cast, Role};
use cairn_verticals::sensors::cast;
use cairn_verticals::sensors::driver::senml;
use std::path::Path;

/// The seed of the made city: the same city everywhere.
const SEED: u64 = 20_261_101;
/// Honest gauges of the made city.
const HONEST: usize = 60;
/// 2026-06-01T00:00:00Z, when the made city begins.
const MADE_START: TimeMs = TimeMs(1_780_272_000_000);

pub const HOUR_MS: u64 = 3_600_000;

/// Stations of the made city whose operators say how they want to be paid, and the part they want in dollars: a few who have their
/// costs in dollars, and more who would rather hold token.
const CHOOSERS: [(usize, Option<BasisPoints>); 8] = [
    (0, BasisPoints::new(10_000)),
    (1, BasisPoints::new(0)),
    (2, BasisPoints::new(0)),
    (3, BasisPoints::new(5_000)),
    (5, BasisPoints::new(0)),
    (8, BasisPoints::new(0)),
    (13, BasisPoints::new(0)),
    (21, BasisPoints::new(0)),
];

/// One gauge.
#[derive(Clone, Debug)]
pub struct Station {
    /// What its agent calls it.
    pub name: String,
    /// What its own data call it, where that is no name for an agent.
    pub called: Option<String>,
    pub cell: CellId,
    /// What kind of cheat it is, where that is known.
    pub cheat: Option<&'static str>,
}

impl Station {
    /// What people see.
    pub fn shown(&self) -> &str {
        self.called.as_ref().unwrap_or(&self.name)
    }
}

/// What each station says in one hour, as it would send it; `None`: nothing.
pub type Hour = Vec<Option<Vec<u8>>>;

/// A city of gauges over some hours.
pub enum City {
    Made { city: cast::City, stations: Vec<Station> },
    Measured(Box<Measured>),
}

impl City {
    /// The made city over so many days.
    pub fn made(days: u64) -> Self {
        let city = cast::city(SEED, HONEST, true, days * 24);
        let stations = city
            .devices()
            .iter()
            .map(|device| {
                let cheat = match device.role {
                    Role::Honest => None,
                    Role::Cheat { name, .. } => Some(name),
                };
                Station {
                    name: device.name.clone(),
                    called: None,
                    cell: device.cell,
                    cheat,
                }
            })
            .collect();
        Self::Made { city, stations }
    }

    pub fn measured(folder: &Path, resolution: u8) -> Result<Self, Failure> {
        Measured::open(folder, resolution).map(|measured| Self::Measured(Box::new(measured)))
    }

    pub fn stations(&self) -> &[Station] {
        match self {
            Self::Made { stations, .. } => stations,
            Self::Measured(measured) => &measured.stations,
        }
    }

    /// Whose operators choose how they are paid, by station. Nobody knows what those of measured gauges would choose.
    pub fn choosers(&self) -> &'static [(usize, Option<BasisPoints>)] {
        match self {
            Self::Made { .. } => &CHOOSERS,
            Self::Measured(_) => &[],
        }
    }

    /// The first hour's first millisecond.
    pub fn start(&self) -> TimeMs {
        match self {
            Self::Made { .. } => MADE_START,
            Self::Measured(measured) => measured.start,
        }
    }

    pub fn hours(&self) -> Result<u64, Failure> {
        match self {
            Self::Made { city, .. } => Ok(city.epochs()),
            Self::Measured(measured) => measured.hours(),
        }
    }

    /// What every station says in an hour, counted from the start; asked hour by hour, rising. `None` after the last.
    pub fn hour(&mut self, hour: u64) -> Result<Option<Hour>, Failure> {
        match self {
            Self::Made { city, stations } => {
                let says = |device| {
                    let readings = city.readings(device, hour, MADE_START);
                    (!readings.is_empty()).then(|| senml(&readings).into_bytes())
                };
                Ok((hour < city.epochs()).then(|| (0..stations.len()).map(says).collect()))
            }
            Self::Measured(measured) => measured.hour(hour),
        }
    }
}
