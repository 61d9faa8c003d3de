//! A made city under a moving field of rain, its honest gauges, and one player for every cheat. Everything follows from the
//! seed, in integers; asked twice, the city says the same. It judges nobody.
//!
//! Distances are in thousandths of a step between cells, rain in micrometres per slot of five minutes. A storm is a disc
//! that moves over the city; a gauge catches a little more or less than falls, and tips at 0.101 mm.

mod field;

use super::judge::reasons::{AHEAD, COPIED, FAULTY_ZERO, REPLAYED, STUCK, WRONG_PLACE, WRONG_UNIT};
use super::report::{self, RAIN};
use crate::kit::{Cast, CastDevice, CastReport, Pack, Reading, Role};
use cairn_types::{AccountNumber, CellId, EpochClock, EpochNumber, Reason, TimeMs};
use field::{Field, Point};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

pub const SLOTS: u64 = 12;
pub const SLOT_MS: u64 = 300_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_HOURS: u64 = 24;

/// The middle of the city: a cell of resolution 8 in Amsterdam, at whose size gauges are placed.
const CENTRE: &str = "881969c9b7fffff";
/// The city's radius, in steps.
const CITY_STEPS: u32 = 9;
/// How far ahead the clock of the player *ahead* is.
const AHEAD_HOURS: u64 = 2;

/// What a device does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Honest,
    Indoor,
    Stuck,
    Copy { of: usize },
    Elsewhere,
    Replay,
    Inches,
    Ahead,
    Double { of: usize },
}

/// Every cheat: its part, its name, and the reason with which it must be refused.
const CHEATS: [(Part, &str, Reason); 8] = [
    (Part::Indoor, "indoor", FAULTY_ZERO),
    (Part::Stuck, "stuck", STUCK),
    (Part::Copy { of: 7 }, "copied", COPIED),
    (Part::Elsewhere, "elsewhere", WRONG_PLACE),
    (Part::Replay, "replayed", REPLAYED),
    (Part::Inches, "inches", WRONG_UNIT),
    (Part::Ahead, "ahead", AHEAD),
    (Part::Double { of: 11 }, "double", COPIED),
];

/// A made city.
pub struct City {
    devices: Vec<CastDevice>,
    parts: Vec<Part>,
    places: Vec<Point>,
    hours: u64,
    /// Rain over the city, and over another one far away.
    here: Field,
    elsewhere: Field,
}

/// A city of so many honest gauges (at least 12), and one player for each cheat if wanted, for so many hours.
pub fn city(seed: u64, honest: usize, cheats: bool, hours: u64) -> City {
    let honest = honest.max(12);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let centre: CellId = CENTRE.parse().expect("the constant is a cell");
    let mut free = centre.disk(CITY_STEPS);
    free.extend(free.clone());
    let mut city = City {
        devices: Vec::new(),
        parts: Vec::new(),
        places: Vec::new(),
        hours,
        here: Field::new(&mut random, hours),
        elsewhere: Field::new(&mut random, hours),
    };
    for gauge in 0..honest {
        if free.is_empty() {
            free = centre.disk(CITY_STEPS);
        }
        let cell = free.swap_remove((random.next_u64() % free.len() as u64) as usize);
        city.add(
            Part::Honest,
            format!("gauge-{gauge:02}"),
            Role::Honest,
            cell,
            (gauge * 2 / 3) as u32,
        );
    }
    for (place, (part, name, reason)) in CHEATS
        .into_iter()
        .enumerate()
        .take(if cheats { CHEATS.len() } else { 0 })
    {
        let stranger = (honest * 2 / 3 + 1 + place) as u32;
        let (cell, operator) = match part {
            Part::Double { of } => (city.devices[of].cell, city.devices[of].operator.0),
            _ => (free.pop().unwrap_or(centre), stranger),
        };
        city.add(part, name.into(), Role::Cheat { name, reason }, cell, operator);
    }
    city
}

impl City {
    fn add(&mut self, part: Part, name: String, role: Role, cell: CellId, operator: u32) {
        let centre: CellId = CENTRE.parse().expect("the constant is a cell");
        self.places.push(field::point(centre, cell));
        self.parts.push(part);
        self.devices.push(CastDevice {
            name,
            role,
            cell,
            operator: AccountNumber(operator),
            joined: EpochNumber(0),
        });
    }

    pub fn devices(&self) -> &[CastDevice] {
        &self.devices
    }

    /// What a device says in the hour that begins `hour` hours after `start`, with the times it claims.
    pub fn readings(&self, device: usize, hour: u64, start: TimeMs) -> Vec<Reading> {
        let begin = start.plus_ms(hour * HOUR_MS);
        let claimed = if self.parts[device] == Part::Ahead {
            begin.plus_ms(AHEAD_HOURS * HOUR_MS)
        } else {
            begin
        };
        let reading = |(slot, value): (u64, Option<i64>)| {
            Some(Reading {
                quantity: RAIN,
                time: claimed.plus_ms(slot * SLOT_MS),
                value: value?,
            })
        };
        (0..SLOTS).zip(self.values(device, hour)).filter_map(reading).collect()
    }

    fn values(&self, device: usize, hour: u64) -> Vec<Option<i64>> {
        let own = |field: &Field| field.gauge(device as u64, self.places[device], hour);
        match self.parts[device] {
            Part::Honest | Part::Ahead => own(&self.here),
            Part::Indoor => vec![Some(0); SLOTS as usize],
            Part::Stuck => vec![Some(202); SLOTS as usize],
            Part::Copy { of } | Part::Double { of } => self.values(of, hour),
            Part::Elsewhere => own(&self.elsewhere),
            Part::Replay => self.here.gauge(device as u64, self.places[device], hour % DAY_HOURS),
            Part::Inches => own(&self.here)
                .into_iter()
                .map(|value| Some(value? * 10 / 254))
                .collect(),
        }
    }

    /// When the verifier has what a device says about an hour.
    fn received(&self, device: usize, hour_end: TimeMs) -> TimeMs {
        match self.parts[device] {
            Part::Copy { of } => self.received(of, hour_end).plus_ms(15 * 60_000),
            Part::Double { of } => self.received(of, hour_end),
            _ => hour_end.plus_ms(1_000 * (1 + device as u64 % 30)),
        }
    }
}

impl Cast for City {
    fn devices(&self) -> &[CastDevice] {
        &self.devices
    }

    fn epochs(&self) -> u64 {
        self.hours
    }

    fn reports(&self, epoch: EpochNumber, clock: &EpochClock) -> Vec<CastReport> {
        let report = |device: usize| {
            let hour = if self.parts[device] == Part::Ahead {
                epoch.0.checked_sub(AHEAD_HOURS)?
            } else {
                epoch.0
            };
            let readings = self.readings(device, hour, clock.genesis);
            let time = readings.iter().map(|reading| reading.time).max()?;
            let pack = Pack {
                time,
                body: report::encode(&readings).expect("an hour of a gauge fits a body"),
            };
            let received = self.received(device, clock.genesis.plus_ms((hour + 1) * HOUR_MS));
            Some(CastReport {
                device,
                sequence: epoch.0,
                received,
                pack,
            })
        };
        (0..self.devices.len()).filter_map(report).collect()
    }
}
