//! What a hotspot's port gives, as bodies of reports: the JSON of a packet forwarder's datagrams, notes of its agent on
//! beacons sent and on itself, and recorded receptions. It keeps a bounded number of receptions and cuts packs at the ends
//! of epochs. It opens no socket, signs and sends nothing.
//!
//! ```text
//! {"rxpk":[{"time":"…","freq":868.1,"datr":"SF7BW125","stat":1,"rssi":-118,"lsnr":-3.5,"size":23,"data":"…"}]}
//! {"beacon":{"time":1645519998110,"nonce":7,"freq":868.3,"datr":"SF9BW125","power":14}}
//! {"station":{"region":"EU868","cell":"881969c9b7fffff","height":240,"gain":3.5}}
//! ```
//! A message may have several of these. What a station says of itself holds for what is in its message and comes after it.

pub mod frame;
mod gwmp;
pub mod note;
pub mod recorded;

use super::region;
use super::report::{BEACONS_MAX, Body, HEARD_MAX, Station};
use crate::kit::{Driver, DriverError, Pack};
use cairn_types::{EpochClock, EpochNumber, TimeMs};
use std::collections::BTreeMap;

/// The longest message of a port, in bytes: the longest datagram there is.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// The most receptions and beacons that wait for their epoch's end.
pub const WAITING_MAX: usize = 64 * HEARD_MAX;

/// The driver of one hotspot.
pub struct HotspotDriver {
    clock: EpochClock,
    /// The region it is in until it says another.
    region: u8,
    station: Station,
    /// By epoch (none: before the first) and by what the station said of itself.
    waiting: BTreeMap<(Option<EpochNumber>, Station), Body>,
    count: usize,
}

impl HotspotDriver {
    /// Of a hotspot in the region of this number, until a station message says otherwise.
    pub fn new(clock: EpochClock, region: u8) -> Self {
        Self {
            clock,
            region,
            station: station_in(region),
            waiting: BTreeMap::new(),
            count: 0,
        }
    }

    /// The epoch in which something is reported: that of its time; the one everybody is in where its clock is so far off that it
    /// would be reported to an epoch long over, or not yet begun. What is off so far is refused there by name.
    fn epoch(&self, time: TimeMs, held_ms: u64, now: TimeMs) -> Option<EpochNumber> {
        let off = now.since_ms(time).saturating_sub(held_ms).max(time.since_ms(now));
        let time = if off > self.clock.epoch_ms / 4 { now } else { time };
        self.clock.epoch_of(time)
    }
}

fn station_in(region: u8) -> Station {
    Station {
        region,
        ..Station::default()
    }
}

fn region_of(station: &Station) -> Result<&'static region::Region, DriverError> {
    region::by_number(station.region).ok_or(DriverError::Malformed("the station's region is not known"))
}

impl Driver for HotspotDriver {
    fn push(&mut self, message: &[u8], now: TimeMs) -> Result<usize, DriverError> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(DriverError::TooLong);
        }
        let text = std::str::from_utf8(message).map_err(|_| DriverError::Malformed("not UTF-8"))?;
        let station = gwmp::station_of(text)?.unwrap_or(self.station);
        let said = gwmp::read(text, region_of(&station)?, now)?;
        let count = said.beacons.len() + said.heard.len();
        if self.count + count > WAITING_MAX {
            return Err(DriverError::Full);
        }
        self.station = station;
        self.count += count;
        for beacon in said.beacons {
            let epoch = self.epoch(beacon.time, 0, now);
            self.waiting.entry((epoch, station)).or_default().beacons.push(beacon);
        }
        for heard in said.heard {
            let epoch = self.epoch(heard.time, heard.held_ms, now);
            self.waiting.entry((epoch, station)).or_default().heard.push(heard);
        }
        Ok(count)
    }

    fn packs(&mut self, until: TimeMs) -> Vec<Pack> {
        let clock = self.clock;
        let is_done = |epoch: Option<EpochNumber>| epoch.is_none_or(|epoch| clock.end(epoch) <= until);
        let mut packs = Vec::new();
        self.waiting.retain(|(epoch, station), body| {
            let done = is_done(*epoch);
            if done {
                let ends = epoch.map(|epoch| (clock.start(epoch), clock.end(epoch)));
                packs.extend(packs_of(*station, std::mem::take(body), ends));
            }
            !done
        });
        self.count = self
            .waiting
            .values()
            .map(|body| body.beacons.len() + body.heard.len())
            .sum();
        if until == TimeMs(u64::MAX) {
            self.station = station_in(self.region);
        }
        packs
    }
}

/// Bodies of what was said in one epoch, from its start to before its end: one, or more where it is more than a body takes.
pub fn packs_of(station: Station, mut whole: Body, ends: Option<(TimeMs, TimeMs)>) -> Vec<Pack> {
    whole.settle();
    let mut packs = Vec::new();
    let (mut beacons, mut heard) = (whole.beacons.chunks(BEACONS_MAX), whole.heard.chunks(HEARD_MAX));
    loop {
        let (beacons, heard) = (beacons.next(), heard.next());
        if beacons.is_none() && heard.is_none() {
            return packs;
        }
        let body = Body {
            station,
            beacons: beacons.unwrap_or_default().to_vec(),
            heard: heard.unwrap_or_default().to_vec(),
        };
        let Some((_, latest)) = body.times() else { return packs };
        let time = ends.map_or(latest, |(start, end)| {
            let is_inside = (start..end).contains(&latest);
            if is_inside {
                latest
            } else {
                TimeMs(end.0.saturating_sub(1))
            }
        });
        packs.extend(body.encode().ok().map(|body| Pack { time, body }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wireless::report::Heard;

    const HOUR: EpochClock = EpochClock {
        genesis: TimeMs(0),
        epoch_ms: 3_600_000,
    };

    #[test]
    fn receptions_wait_for_their_epochs_end_and_come_in_bodies() {
        let mut driver = HotspotDriver::new(HOUR, 0);
        let station = r#"{"station":{"region":"EU868","cell":"881969c9b7fffff","height":240,"gain":3.5}}"#;
        assert_eq!(driver.push(station.as_bytes(), TimeMs(0)), Ok(0));
        for packet in 0..200u64 {
            let message = format!(
                r#"{{"rxpk":[{{"freq":868.1,"datr":"SF7BW125","stat":1,"rssi":-118,"lsnr":-3.5,"size":2,"data":"{}"}}]}}"#,
                ["qqo=", "u7s=", "zMw="][packet as usize % 3]
            );
            assert_eq!(driver.push(message.as_bytes(), TimeMs(packet * 30_000)), Ok(1));
        }
        assert!(driver.packs(TimeMs(3_599_999)).is_empty());
        let first = driver.packs(TimeMs(3_600_000));
        assert_eq!(first.len(), 1, "120 receptions");
        let rest = driver.packs(TimeMs(u64::MAX));
        let count = |packs: &[Pack]| -> usize {
            packs
                .iter()
                .map(|pack| Body::decode(&pack.body).expect("a body").heard.len())
                .sum()
        };
        assert_eq!((count(&first), count(&rest)), (120, 80));
        let body = Body::decode(&first[0].body).expect("a body");
        assert_eq!((body.station.height_m, body.station.gain_ddbi), (Some(240), Some(35)));
        assert_eq!(first[0].time, body.heard[119].time);
    }

    #[test]
    fn more_than_a_body_takes_becomes_several() {
        let heard = |time: u64| Heard {
            time: TimeMs(time),
            frame: time,
            frequency_hz: 868_100_000,
            rate: 0,
            rssi_ddbm: 0,
            snr_ddb: 0,
            held_ms: 0,
            size: 0,
            source: None,
        };
        let whole = Body {
            heard: (0..300).rev().map(heard).collect(),
            ..Body::default()
        };
        let packs = packs_of(Station::default(), whole, None);
        let sizes: Vec<usize> = packs
            .iter()
            .map(|pack| Body::decode(&pack.body).expect("a body").heard.len())
            .collect();
        assert_eq!(sizes, [128, 128, 44]);
        assert!(packs_of(Station::default(), Body::default(), None).is_empty());
    }

    #[test]
    fn a_station_that_moves_or_whose_clock_is_far_off_is_told_apart() {
        let mut driver = HotspotDriver::new(HOUR, 0);
        let mut push = |cell: &str, heard: u64, held: u64, now: u64| {
            let message = format!(
                r#"{{"rxpk":[{{"heard":{heard},"held":{held},"freq":903.9,"datr":"SF10BW125","rssi":-118,"lsnr":-3.5,"data":"qqo="}}],
                "station":{{"cell":"{cell}","region":"US915"}}}}"#
            );
            assert_eq!(driver.push(message.as_bytes(), TimeMs(now)), Ok(1));
        };
        let (here, there) = ("881969c9b7fffff", "881969c9b1fffff");
        push(here, 1_000, 0, 1_200);
        push(there, 2_000, 0, 2_200);
        push(here, 3_000, 3_700_000, 3_703_100);
        push(here, 99_000_000, 0, 3_600_500);
        push(here, 7_201_000, 0, 99_000_000);
        let packs = driver.packs(TimeMs(99_000_001));
        let bodies: Vec<Body> = packs
            .iter()
            .map(|pack| Body::decode(&pack.body).expect("a body"))
            .collect();
        let said: Vec<(u64, Vec<u64>)> = packs
            .iter()
            .zip(&bodies)
            .map(|(pack, body)| (pack.time.0, body.heard.iter().map(|heard| heard.time.0).collect()))
            .collect();
        assert_eq!(
            said,
            [
                (2_000, vec![2_000]),
                (3_000, vec![1_000, 3_000]),
                (7_199_999, vec![99_000_000]),
            ]
        );
        assert_eq!(bodies[0].station.place, there.parse().ok());
        let last = driver.packs(TimeMs(u64::MAX));
        assert_eq!(
            last[0].time,
            TimeMs(100_799_999),
            "what comes a day late is of the hour it comes in"
        );
        let european = r#"{"rxpk":[{"freq":868.1,"datr":"SF7BW125","rssi":-1,"lsnr":0,"data":"qqo="}]}"#;
        assert_eq!(driver.push(european.as_bytes(), TimeMs(5)), Ok(1), "as new");
    }

    #[test]
    fn strangers_bytes_never_panic_and_make_only_good_bodies() {
        use crate::kit::Vertical as _;
        use rand_core::{Rng, SeedableRng};
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let messages = [
            r#"{"rxpk":[{"freq":868.1,"datr":"SF7BW125","stat":1,"rssi":-118,"lsnr":-3.5,"size":2,"data":"gAcAAEiARwAFFNS7Msys"}]}"#,
            r#"{"rxpk":[{"heard":5,"held":7,"eui":"a8","cell":"881969c9b7fffff","height":3,"range":9,"taken":1,"time":"2013-03-31T16:21:17.5Z"}]}"#,
            r#"{"beacon":{"time":1645519998110,"nonce":7,"freq":868.3,"datr":"SF9BW125","power":14}}"#,
            r#"{"station":{"region":"US915","cell":"881969c9b7fffff","height":240,"gain":3.5}}"#,
            r#"{"dev_eui":"A","fcnt":7,"hotspots":[{"frequency":868.2,"hold_time":7,"id":"1","lat":45.1,"long":5.7,"reported_at":1,"rssi":-1,"snr":-3.7,"spreading":"SF12BW125","_distance":{"_distanceHorizon":99}}],"_timestamp":6}"#,
            r#"{"devEUI":"d","rxInfo":[{"gatewayID":"1","location":{"latitude":1,"longitude":2},"rssi":-1,"loRaSNR":-6.2,"time":"2023-06-23T09:10:28.649Z"}],"txInfo":{"frequency":1,"dr":5},"_timestamp":6}"#,
        ];
        let mut driver = HotspotDriver::new(HOUR, 0);
        for round in 0..6_000 {
            let mut bytes = messages[round % messages.len()].as_bytes().to_vec();
            for _ in 0..random.next_u64() % 4 {
                let at = random.next_u64() as usize % bytes.len().max(1);
                match random.next_u64() % 3 {
                    0 => bytes[at] = random.next_u64() as u8 & 0x7f,
                    1 => bytes.insert(at, b"0123456789-eE.{}[]\",:"[random.next_u64() as usize % 21]),
                    _ => bytes.truncate(at.max(1)),
                }
            }
            drop(driver.push(&bytes, TimeMs(random.next_u64())));
            if let Ok(text) = std::str::from_utf8(&bytes) {
                drop(recorded::read(text));
                drop(recorded::senders(text));
            }
        }
        let packs = driver.packs(TimeMs(u64::MAX));
        assert!(!packs.is_empty());
        assert!(
            packs
                .iter()
                .all(|pack| crate::wireless::Wireless.check_body(&pack.body).is_ok())
        );
    }
}
