//! What the demo plays: which kind of network, whose stations, and what each says in an epoch.

use super::city::{City, HOUR_MS, Station};
use super::hotspots::Hotspots;
use crate::error::Failure;
use cairn_types::TimeMs;
use cairn_verticals::Vertical;
use cairn_verticals::sensors::Sensors;
use cairn_verticals::wireless::Wireless;

/// A message of a station's port, and when it comes.
pub struct Saying {
    pub station: usize,
    pub at: TimeMs,
    pub message: Vec<u8>,
}

pub enum Scene {
    Gauges(City),
    Hotspots(Box<Hotspots>),
}

impl Scene {
    pub fn vertical(&self) -> &'static dyn Vertical {
        match self {
            Self::Gauges(_) => &Sensors,
            Self::Hotspots(_) => &Wireless,
        }
    }

    /// The network's name on the ledger.
    pub fn network(&self) -> &'static str {
        match self {
            Self::Gauges(_) => "city-rain",
            Self::Hotspots(_) => "valley-hotspots",
        }
    }

    pub fn params(&self) -> Vec<u8> {
        match self {
            Self::Gauges(_) => Sensors.default_params(),
            Self::Hotspots(hotspots) => hotspots.params(),
        }
    }

    pub fn epoch_ms(&self) -> u64 {
        match self {
            Self::Gauges(_) => HOUR_MS,
            Self::Hotspots(hotspots) => hotspots.epoch_ms(),
        }
    }

    pub fn stations(&self) -> &[Station] {
        match self {
            Self::Gauges(city) => city.stations(),
            Self::Hotspots(hotspots) => hotspots.stations(),
        }
    }

    /// The first epoch's first millisecond.
    pub fn start(&self) -> TimeMs {
        match self {
            Self::Gauges(city) => city.start(),
            Self::Hotspots(hotspots) => hotspots.start(),
        }
    }

    pub fn epochs(&self) -> Result<u64, Failure> {
        match self {
            Self::Gauges(city) => city.hours(),
            Self::Hotspots(hotspots) => Ok(hotspots.epochs()),
        }
    }

    /// What is said in an epoch, in the order of time; epochs are asked for one after another. `seed`: the beacon of the epoch judged
    /// before. `None` after the last.
    pub fn epoch(&mut self, epoch: u64, seed: &[u8; 32]) -> Result<Option<Vec<Saying>>, Failure> {
        match self {
            Self::Gauges(city) => {
                let at = city.start().plus_ms(epoch * HOUR_MS);
                let Some(hour) = city.hour(epoch)? else { return Ok(None) };
                let saying = |(station, message): (usize, Option<Vec<u8>>)| {
                    Some(Saying {
                        station,
                        at,
                        message: message?,
                    })
                };
                Ok(Some(hour.into_iter().enumerate().filter_map(saying).collect()))
            }
            Self::Hotspots(hotspots) => Ok(hotspots.epoch(epoch, seed)),
        }
    }

    /// What it is, for people.
    pub fn title(&self, epochs: u64) -> String {
        match self {
            Self::Gauges(city) => format!(
                "A city of {} rain gauges, {epochs} hours of data time from {}.",
                city.stations().len(),
                city.start()
            ),
            Self::Hotspots(hotspots) => hotspots.title(epochs),
        }
    }
}
