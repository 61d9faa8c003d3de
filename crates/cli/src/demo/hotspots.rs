//! Where the demo's hotspots come from: a town the vertical's cast makes from a seed, or a folder of recorded receptions, each receiver
//! of which becomes a hotspot with an agent of its own.

use super::city::{HOUR_MS, Station};
use super::receptions::{Receptions, Row};
use super::scene::Saying;
use crate::error::Failure;
use cairn_types::{EpochClock, EpochNumber, TimeMs};
use cairn_verticals::kit::{Cast as _, Role};
use cairn_verticals::wireless::cast::{Town, town};
use cairn_verticals::wireless::driver::note;
use cairn_verticals::wireless::params::Params;
use std::path::Path;

/// The seed of the made town, and its honest hotspots.
const SEED: u64 = 20_261_101;
const HONEST: usize = 22;
/// 2026-06-01T00:00:00Z, when the made town begins.
const MADE_START: TimeMs = TimeMs(1_780_272_000_000);
const DAY_MS: u64 = 24 * HOUR_MS;

pub enum Hotspots {
    Made { town: Box<Town>, stations: Vec<Station> },
    Recorded(Receptions),
}

impl Hotspots {
    pub fn made(days: u64) -> Self {
        let town = town(SEED, HONEST, true, days * 24);
        let station = |device: &cairn_verticals::kit::CastDevice| Station {
            name: device.name.clone(),
            called: None,
            cell: device.cell,
            cheat: match device.role {
                Role::Honest => None,
                Role::Cheat { name, .. } => Some(name),
            },
        };
        let stations = town.devices().iter().map(station).collect();
        Self::Made {
            town: Box::new(town),
            stations,
        }
    }

    pub fn recorded(folder: &Path, resolution: u8) -> Result<Self, Failure> {
        Receptions::open(folder, resolution, DAY_MS).map(Self::Recorded)
    }

    /// Made beacons are of hours; records have none, and are judged day by day.
    pub fn epoch_ms(&self) -> u64 {
        match self {
            Self::Made { .. } => HOUR_MS,
            Self::Recorded(_) => DAY_MS,
        }
    }

    pub fn params(&self) -> Vec<u8> {
        let params = match self {
            Self::Made { .. } => Params::default(),
            Self::Recorded(receptions) => Params {
                references: receptions.references(),
                ..Params::daily()
            },
        };
        params.encode()
    }

    pub fn stations(&self) -> &[Station] {
        match self {
            Self::Made { stations, .. } => stations,
            Self::Recorded(receptions) => &receptions.stations,
        }
    }

    pub fn start(&self) -> TimeMs {
        match self {
            Self::Made { .. } => MADE_START,
            Self::Recorded(receptions) => receptions.clock.genesis,
        }
    }

    pub fn epochs(&self) -> u64 {
        match self {
            Self::Made { town, .. } => town.epochs(),
            Self::Recorded(receptions) => receptions.epochs,
        }
    }

    pub fn title(&self, epochs: u64) -> String {
        match self {
            Self::Made { stations, .. } => format!(
                "A town of {} hotspots, {epochs} hours of data time from {MADE_START}.",
                stations.len()
            ),
            Self::Recorded(receptions) => receptions.title(epochs),
        }
    }

    /// The records of an epoch; none of a made town.
    pub fn rows(&self, epoch: u64) -> &[Row] {
        match self {
            Self::Made { .. } => &[],
            Self::Recorded(receptions) => receptions.rows(epoch),
        }
    }

    pub fn recordings(&self) -> Option<&Receptions> {
        match self {
            Self::Made { .. } => None,
            Self::Recorded(receptions) => Some(receptions),
        }
    }

    pub fn epoch(&self, epoch: u64, seed: &[u8; 32]) -> Option<Vec<Saying>> {
        match self {
            Self::Made { town, stations } => {
                let clock = EpochClock {
                    genesis: MADE_START,
                    epoch_ms: HOUR_MS,
                };
                let number = EpochNumber(epoch);
                let at = TimeMs(clock.end(number).0 - 1);
                let saying = |station| {
                    let body = town.says(station, number, &clock, seed)?;
                    let message = note::message(&body).into_bytes();
                    Some(Saying { station, at, message })
                };
                // The town goes on in the epoch after the last, in which that one's packets are paid.
                (epoch <= town.epochs()).then(|| (0..stations.len()).filter_map(saying).collect())
            }
            Self::Recorded(receptions) => receptions.sayings(epoch),
        }
    }
}
