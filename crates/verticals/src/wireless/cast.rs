//! A made town of hotspots, the sensors whose packets they carry, and one player for every cheat. Everything follows from
//! the seed, in integers; asked twice, the town says the same. It judges nobody.
//!
//! A radio hears another through free space, a shadow that stays between two places, and a fade that changes with each
//! frame. Beacons are those that the seed of zeros asks for, or another that is given.

mod air;

use super::beacon::{Due, due};
use super::judge::reasons::{
    BEYOND_REACH, CLOCK, COPIED, MOVED, OFF_SCHEDULE, OWN_BEACON, REPLAYED, TOO_LOUD, TOO_STRONG, TOO_WEAK,
};
use super::params::Params;
use super::region::{REGIONS, airtime_us};
use super::report::{Beacon, Body, Heard, Source, Station};
use crate::kit::{Cast, CastDevice, CastReport, Pack, Role};
use air::{Air, mix};
use cairn_types::{AccountNumber, CellId, EpochClock, EpochNumber, Reason, TimeMs};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::collections::BTreeMap;

/// The middle of the town: a cell of resolution 8, at whose size hotspots are placed.
const CENTRE: &str = "881969c9b7fffff";
/// The town's radius, in steps.
const TOWN_STEPS: u32 = 7;
/// At most so many hotspots in one cell of resolution 7, so that nobody crowds.
const PER_PARENT: usize = 4;
/// Sensors in town, and frames each sends in an hour.
const SENSORS: u64 = 6;
const FRAMES: u64 = 2;
/// A sensor's frame, in bytes.
const FRAME_BYTES: u16 = 23;
/// How long ago the frames were heard that the player *replayed* tells again.
const REPLAY_HOURS: u64 = 3;
/// How far ahead the clock of the player *skewed* is.
const SKEW_MS: u64 = 40_000;
/// How late the player *untimely* sends.
const UNTIMELY_MS: u64 = 300_000;

const POWER_DDBM: i16 = 140;
const GAIN_DDBI: i16 = 20;
const HEIGHT_M: i16 = 30;

/// What a device does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Honest,
    Moved,
    Beyond,
    Strong,
    Unreadable,
    Copy { of: usize },
    Replay { of: usize },
    Skewed,
    Untimely,
    Loud,
    Selfish,
}

/// Every cheat: its part, its name, and the reason with which it must be refused.
const CHEATS: [(Part, &str, Reason); 10] = [
    (Part::Moved, "moved", MOVED),
    (Part::Beyond, "beyond", BEYOND_REACH),
    (Part::Strong, "strong", TOO_STRONG),
    (Part::Unreadable, "unreadable", TOO_WEAK),
    (Part::Copy { of: 3 }, "copied", COPIED),
    (Part::Replay { of: 5 }, "replayed", REPLAYED),
    (Part::Skewed, "skewed", CLOCK),
    (Part::Untimely, "untimely", OFF_SCHEDULE),
    (Part::Loud, "loud", TOO_LOUD),
    (Part::Selfish, "selfish", OWN_BEACON),
];

/// A made town.
pub struct Town {
    devices: Vec<CastDevice>,
    parts: Vec<Part>,
    hours: u64,
    seed: u64,
    air: Air,
    /// Where the sensors stand; and a place far away.
    sensors: Vec<CellId>,
    far: CellId,
}

/// A town of so many honest hotspots (at least 12), and one player for each cheat if wanted, for so many hours.
pub fn town(seed: u64, honest: usize, cheats: bool, hours: u64) -> Town {
    let honest = honest.max(12);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let centre: CellId = CENTRE.parse().expect("the constant is a cell");
    let mut below = |n: usize| (random.next_u64() % n.max(1) as u64) as usize;
    let mut near = centre.disk(TOWN_STEPS);
    let sensors: Vec<CellId> = (0..SENSORS).map(|_| near[below(near.len())]).collect();
    let mut full: BTreeMap<Option<CellId>, usize> = BTreeMap::new();
    let mut free = Vec::new();
    while !near.is_empty() {
        let cell = near.swap_remove(below(near.len()));
        let taken = full.entry(cell.parent(7)).or_default();
        *taken += 1;
        if *taken <= PER_PARENT {
            free.push(cell);
        }
    }
    let mut town = Town {
        devices: Vec::new(),
        parts: Vec::new(),
        hours,
        seed,
        air: Air::default(),
        sensors,
        // Another child of the same cell of resolution 1: some hundred kilometres away.
        far: CellId::new(centre.get() ^ 1 << 39).expect("a sibling of the centre"),
    };
    for hotspot in 0..honest {
        let cell = free.pop().unwrap_or(centre);
        let operator = (hotspot * 2 / 3) as u32;
        town.add(
            Part::Honest,
            format!("hotspot-{hotspot:02}"),
            Role::Honest,
            cell,
            operator,
        );
    }
    let players = if cheats { &CHEATS[..] } else { &[] };
    for (place, (part, name, reason)) in players.iter().copied().enumerate() {
        let cell = free.pop().unwrap_or(centre);
        let stranger = (honest * 2 / 3 + 1 + place) as u32;
        town.add(part, name.into(), Role::Cheat { name, reason }, cell, stranger);
    }
    let places: Vec<CellId> = town
        .devices
        .iter()
        .map(|device| device.cell)
        .chain(town.sensors.clone())
        .collect();
    town.air = Air::over(seed, &places);
    town
}

impl Town {
    fn add(&mut self, part: Part, name: String, role: Role, cell: CellId, operator: u32) {
        self.parts.push(part);
        self.devices.push(CastDevice {
            name,
            role,
            cell,
            operator: AccountNumber(operator),
            joined: EpochNumber(0),
        });
    }

    fn sends(&self, device: usize) -> bool {
        !matches!(
            self.parts[device],
            Part::Copy { .. } | Part::Replay { .. } | Part::Beyond | Part::Unreadable
        )
    }

    fn hears(&self, device: usize) -> bool {
        !matches!(
            self.parts[device],
            Part::Untimely | Part::Loud | Part::Selfish | Part::Beyond
        )
    }

    /// The beacon a device sends, when it really does, and its name on the air.
    fn beacon(&self, device: usize, epoch: EpochNumber, clock: &EpochClock, seed: &[u8; 32]) -> (Beacon, TimeMs, Due) {
        let times = (epoch, clock.start(epoch), clock.end(epoch));
        let cell = (self.devices[device].cell, 0);
        let due = due(&Params::default(), &REGIONS[0], seed, times, cell);
        let (said, real) = match self.parts[device] {
            Part::Untimely => {
                let earlier = TimeMs(due.time.0.saturating_sub(UNTIMELY_MS));
                (earlier, earlier)
            }
            Part::Skewed => (due.time, TimeMs(due.time.0.saturating_sub(SKEW_MS))),
            _ => (due.time, due.time),
        };
        let beacon = Beacon {
            time: said,
            nonce: mix(&[self.seed, device as u64, epoch.0]),
            frequency_hz: due.frequency_hz,
            rate: due.rate,
            power_ddbm: if self.parts[device] == Part::Loud {
                300
            } else {
                POWER_DDBM
            },
        };
        (beacon, real, due)
    }

    /// What an honest radio at a device's place hears in an epoch.
    fn hearing(&self, device: usize, epoch: EpochNumber, clock: &EpochClock, seed: &[u8; 32]) -> Vec<Heard> {
        let mut heard = Vec::new();
        for other in (0..self.devices.len()).filter(|other| *other != device && self.sends(*other)) {
            let (beacon, time, due) = self.beacon(other, epoch, clock, seed);
            let frame = Heard {
                time,
                frame: due.frame(beacon.nonce),
                frequency_hz: beacon.frequency_hz,
                rate: beacon.rate,
                rssi_ddbm: POWER_DDBM,
                snr_ddb: 0,
                held_ms: 0,
                size: super::beacon::BEACON_BYTES as u16,
                source: None,
            };
            heard.extend(self.receive(other, device, frame));
        }
        for sensor in 0..SENSORS {
            for number in 0..FRAMES {
                let frame = self.packet(sensor, epoch.0 * FRAMES + number, clock);
                heard.extend(self.receive(self.devices.len() + sensor as usize, device, frame));
            }
        }
        heard
    }

    /// A sensor's frame as it is sent.
    fn packet(&self, sensor: u64, counter: u64, clock: &EpochClock) -> Heard {
        let drawn = mix(&[self.seed, 0x5e_4501, sensor, counter]);
        let start = clock.start(EpochNumber(counter / FRAMES));
        let span = clock.epoch_ms / FRAMES;
        let time = start.plus_ms(counter % FRAMES * span + drawn % (span * 9 / 10).max(1));
        let region = &REGIONS[0];
        Heard {
            time,
            frame: drawn,
            frequency_hz: region.channels_hz[(drawn >> 32) as usize % region.channels_hz.len()],
            rate: 2 + (drawn >> 40) as u8 % 4,
            rssi_ddbm: POWER_DDBM,
            snr_ddb: 0,
            held_ms: 0,
            size: FRAME_BYTES,
            source: Some(Source {
                id: 0x70b3_d500_0000_0000 | sensor,
                counter: u32::try_from(counter).ok(),
                place: Some(self.sensors[sensor as usize]),
                height_m: Some(2),
                power_ddbm: Some(POWER_DDBM),
                range_m: None,
                taken: None,
            }),
        }
    }

    /// A frame as a device hears it, with what was sent in `rssi_ddbm`; `None` when it is too weak.
    fn receive(&self, from: usize, to: usize, sent: Heard) -> Option<Heard> {
        let region = &REGIONS[0];
        let rate = region.rate(sent.rate)?;
        let power = i64::from(sent.rssi_ddbm) + i64::from(GAIN_DDBI);
        let (rssi, snr) = self.air.carry(from, to, sent.frame, sent.frequency_hz.into(), power);
        if snr < rate.snr_min_ddb() {
            return None;
        }
        let late = airtime_us(rate, sent.size.into()) / 1_000 + mix(&[self.seed, to as u64, sent.frame]) % 150;
        let time = sent.time.plus_ms(late);
        Some(Heard {
            time,
            rssi_ddbm: rssi.try_into().ok()?,
            snr_ddb: snr.try_into().ok()?,
            source: sent.source.map(|source| Source {
                taken: Some(time.plus_ms(120)),
                ..source
            }),
            ..sent
        })
    }

    /// What a device says of an epoch whose beacons this seed asks for.
    pub fn says(&self, device: usize, epoch: EpochNumber, clock: &EpochClock, seed: &[u8; 32]) -> Option<Body> {
        let part = self.parts[device];
        let mut body = Body {
            station: Station {
                region: 0,
                place: Some(if part == Part::Moved {
                    self.far
                } else {
                    self.devices[device].cell
                }),
                height_m: Some(HEIGHT_M),
                gain_ddbi: Some(GAIN_DDBI),
            },
            ..Body::default()
        };
        if self.sends(device) {
            body.beacons.push(self.beacon(device, epoch, clock, seed).0);
        }
        if self.hears(device) {
            body.heard = self.hearing(device, epoch, clock, seed);
        }
        match part {
            Part::Copy { of } => self.pose_as(&mut body, of, device, epoch, clock, seed),
            Part::Replay { of } => self.repeat(&mut body, of, epoch, clock),
            Part::Beyond => self.pretend(&mut body, epoch, clock),
            Part::Selfish => self.overhear(&mut body, device, epoch, clock, seed),
            _ => body.heard.iter_mut().for_each(|heard| bend(part, heard)),
        }
        body.heard.retain(|heard| heard.time < clock.end(epoch));
        body.settle();
        body.times().is_some().then_some(body)
    }

    /// The receptions of another, a decibel stronger or weaker.
    fn pose_as(
        &self,
        body: &mut Body,
        of: usize,
        device: usize,
        epoch: EpochNumber,
        clock: &EpochClock,
        seed: &[u8; 32],
    ) {
        body.heard = self.hearing(of, epoch, clock, seed);
        for heard in &mut body.heard {
            let drawn = mix(&[self.seed, device as u64, heard.frame]);
            heard.rssi_ddbm += (drawn % 3) as i16 * 10 - 10;
            heard.time = heard.time.plus_ms(drawn >> 32 & 63);
        }
    }

    /// Packets that another heard some hours ago, as if they came now.
    fn repeat(&self, body: &mut Body, of: usize, epoch: EpochNumber, clock: &EpochClock) {
        body.heard.clear();
        let Some(earlier) = epoch.0.checked_sub(REPLAY_HOURS) else {
            return;
        };
        for sensor in 0..SENSORS {
            for number in 0..FRAMES {
                let sent = self.packet(sensor, earlier * FRAMES + number, clock);
                let Some(mut heard) = self.receive(self.devices.len() + sensor as usize, of, sent) else {
                    continue;
                };
                let shift = REPLAY_HOURS * clock.epoch_ms;
                heard.time = heard.time.plus_ms(shift);
                heard.source = heard.source.map(|source| Source {
                    taken: source.taken.map(|taken| taken.plus_ms(shift)),
                    ..source
                });
                body.heard.push(heard);
            }
        }
    }

    /// Packets of a sender that is far away.
    fn pretend(&self, body: &mut Body, epoch: EpochNumber, clock: &EpochClock) {
        for number in 0..FRAMES {
            let sent = self.packet(0, epoch.0 * FRAMES + number, clock);
            let drawn = mix(&[self.seed, 0xfa7, sent.frame]);
            body.heard.push(Heard {
                frame: drawn,
                rssi_ddbm: -1_150 - (drawn % 40) as i16,
                snr_ddb: -20,
                source: sent.source.map(|source| Source {
                    id: 0xfa7,
                    place: Some(self.far),
                    ..source
                }),
                ..sent
            });
        }
    }

    /// Its own beacon, as if from the air.
    fn overhear(&self, body: &mut Body, device: usize, epoch: EpochNumber, clock: &EpochClock, seed: &[u8; 32]) {
        let (beacon, time, due) = self.beacon(device, epoch, clock, seed);
        body.heard = vec![Heard {
            time: time.plus_ms(400),
            frame: due.frame(beacon.nonce),
            frequency_hz: beacon.frequency_hz,
            rate: beacon.rate,
            rssi_ddbm: -900,
            snr_ddb: 60,
            held_ms: 0,
            size: super::beacon::BEACON_BYTES as u16,
            source: None,
        }];
    }
}

/// What a cheat makes of a reception.
fn bend(part: Part, heard: &mut Heard) {
    match part {
        Part::Strong => heard.rssi_ddbm += 600,
        Part::Unreadable => heard.snr_ddb = -350,
        Part::Skewed => heard.time = heard.time.plus_ms(SKEW_MS),
        _ => {}
    }
}

impl Cast for Town {
    fn devices(&self) -> &[CastDevice] {
        &self.devices
    }

    fn epochs(&self) -> u64 {
        self.hours
    }

    fn reports(&self, epoch: EpochNumber, clock: &EpochClock) -> Vec<CastReport> {
        let report = |device: usize| {
            let body = self.says(device, epoch, clock, &[0; 32])?;
            let (_, time) = body.times()?;
            Some(CastReport {
                device,
                sequence: epoch.0,
                received: clock.end(epoch).plus_ms(1_000 * (1 + device as u64 % 30)),
                pack: Pack {
                    time,
                    body: body.encode().expect("an hour of a hotspot fits a body"),
                },
            })
        };
        (0..self.devices.len()).filter_map(report).collect()
    }
}
