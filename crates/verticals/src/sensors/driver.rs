//! What a station's port gives, as bodies of reports: SenML in JSON, lines of name=value pairs, and the query strings that
//! weather stations send to weather sites. It converts units with integers, keeps a bounded number of readings, and cuts
//! packs at the ends of epochs. It signs and sends nothing.
//!
//! ```text
//! [{"bn":"rain","bu":"mm","bt":1500076800,"v":0.101}]
//! 2017-07-15T00:00:00Z rain=0.101 temperature=19.5
//! ID=KX&dateutc=2017-07-15+00:00:00&tempf=67.1&dailyrainin=0.04&humidity=80
//! ```

mod json;
mod station;

use super::report::{self, QUANTITIES_MAX, RAIN, READINGS_MAX};
use crate::kit::{Driver, DriverError, Pack, Reading};
use cairn_types::{EpochClock, TimeMs};
use std::collections::BTreeMap;

pub use json::senml;

/// The longest message of a port, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// The most readings that wait for their epoch's end.
pub const WAITING_MAX: usize = 16 * READINGS_MAX * QUANTITIES_MAX;

/// The driver of one station.
pub struct StationDriver {
    clock: EpochClock,
    slot_ms: u64,
    /// By quantity and time; a later value of the same time replaces the earlier one.
    waiting: BTreeMap<(u16, TimeMs), i64>,
    /// What the station's rain counter last said, in micrometres since its midnight.
    rain_counter: Option<i64>,
}

impl StationDriver {
    pub fn new(clock: EpochClock, slot_ms: u64) -> Self {
        Self {
            clock,
            slot_ms: slot_ms.max(1_000),
            waiting: BTreeMap::new(),
            rain_counter: None,
        }
    }

    /// The start of the slot of a time, in whole seconds.
    fn slot_start(&self, time: TimeMs) -> TimeMs {
        let Some(epoch) = self.clock.epoch_of(time) else {
            return time;
        };
        let start = self.clock.start(epoch);
        start.plus_ms(time.since_ms(start) / self.slot_ms * self.slot_ms)
    }

    /// Keeps readings as they were said.
    fn keep(&mut self, readings: &[Reading]) {
        let whole = |time: TimeMs| TimeMs(time.0 / 1_000 * 1_000);
        self.waiting.extend(
            readings
                .iter()
                .map(|reading| ((reading.quantity, whole(reading.time)), reading.value)),
        );
    }

    /// Keeps what a station said that speaks more often than once a slot: its rain adds up, all else is the latest.
    fn keep_in_slots(&mut self, readings: &[Reading]) {
        for reading in readings {
            let time = TimeMs(self.slot_start(reading.time).0 / 1_000 * 1_000);
            let value = self.waiting.entry((reading.quantity, time)).or_default();
            *value = if reading.quantity == RAIN {
                value.saturating_add(reading.value)
            } else {
                reading.value
            };
        }
    }
}

impl Driver for StationDriver {
    fn push(&mut self, message: &[u8], now: TimeMs) -> Result<usize, DriverError> {
        if message.len() > MESSAGE_BYTES_MAX {
            return Err(DriverError::TooLong);
        }
        let text = std::str::from_utf8(message)
            .map_err(|_| DriverError::Malformed("not UTF-8"))?
            .trim();
        let mut counter = self.rain_counter;
        let mut in_slots = false;
        let readings = match text.as_bytes().first() {
            None => return Err(DriverError::Malformed("an empty message")),
            Some(b'[' | b'{') => json::read(text, now)?,
            Some(_) if text.contains('&') => {
                in_slots = true;
                station::read_query(text, now, &mut counter)?
            }
            Some(_) => station::read_lines(text, now)?,
        };
        if self.waiting.len() + readings.len() > WAITING_MAX {
            return Err(DriverError::Full);
        }
        self.rain_counter = counter;
        if in_slots {
            self.keep_in_slots(&readings)
        } else {
            self.keep(&readings)
        }
        Ok(readings.len())
    }

    fn packs(&mut self, until: TimeMs) -> Vec<Pack> {
        let mut epochs: BTreeMap<Option<u64>, Vec<Reading>> = BTreeMap::new();
        let done = |time: TimeMs| {
            self.clock
                .epoch_of(time)
                .is_none_or(|epoch| self.clock.end(epoch) <= until)
        };
        self.waiting.retain(|(quantity, time), value| {
            let done = done(*time);
            if done {
                let reading = Reading {
                    quantity: *quantity,
                    time: *time,
                    value: *value,
                };
                epochs
                    .entry(self.clock.epoch_of(*time).map(|epoch| epoch.0))
                    .or_default()
                    .push(reading);
            }
            !done
        });
        epochs.into_values().flat_map(|readings| packs_of(&readings)).collect()
    }
}

/// Bodies of readings of one epoch: one, or more where a quantity has more readings than a body takes.
pub fn packs_of(readings: &[Reading]) -> Vec<Pack> {
    let mut bodies: Vec<Vec<Reading>> = Vec::new();
    for run in readings.chunk_by(|one, next| one.quantity == next.quantity) {
        for (place, part) in run.chunks(READINGS_MAX).enumerate() {
            if bodies.len() == place {
                bodies.push(Vec::new());
            }
            bodies[place].extend_from_slice(part);
        }
    }
    let pack = |body: Vec<Reading>| {
        let time = body.iter().map(|reading| reading.time).max()?;
        Some(Pack {
            time,
            body: report::encode(&body).ok()?,
        })
    };
    bodies.into_iter().filter_map(pack).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sensors::report::{HUMIDITY, PM10, PRESSURE, TEMPERATURE, WIND};

    const HOUR: EpochClock = EpochClock {
        genesis: TimeMs(0),
        epoch_ms: 3_600_000,
    };
    const MIDNIGHT: TimeMs = TimeMs(1_500_076_800_000);

    fn read(messages: &[&str]) -> Result<Vec<(u16, u64, i64)>, DriverError> {
        let mut driver = StationDriver::new(HOUR, 300_000);
        for message in messages {
            driver.push(message.as_bytes(), MIDNIGHT)?;
        }
        let mut readings = Vec::new();
        for pack in driver.packs(TimeMs(u64::MAX)) {
            report::decode(&pack.body, &mut readings).expect("a driver's body");
        }
        Ok(readings
            .iter()
            .map(|r| (r.quantity, (r.time.0 - MIDNIGHT.0) / 1_000, r.value))
            .collect())
    }

    #[test]
    fn each_form_of_message_gives_the_same_readings() {
        let expected = vec![(RAIN, 300, 101), (TEMPERATURE, 300, 19_500)];
        for message in [
            r#"[{"bn":"urn:dev:ow:10e2073a:","bt":1500077100,"n":"rain","u":"mm","v":0.101},{"n":"temperature","u":"Cel","v":19.5}]"#,
            r#" [ {"bt":1.5000771e9,"n":"rain","v":101e-3} , {"n":"temperature","u":"K","v":292.65} ] "#,
            r#"[{"bt":1500077000,"t":100,"n":"rain","u":"m","v":0.000101},{"n":"temperature","t":100,"v":19.5}]"#,
            r#"[{"t":300,"n":"rain","v":0.101},{"n":"temperature","t":300,"v":19.5}]"#,
            "2017-07-15T00:05:00Z rain=0.101 temperature=19.5",
            "2017-07-15T00:05:00Z,rain=0.101,temperature=19.5 # roof",
        ] {
            assert_eq!(read(&[message]).as_ref(), Ok(&expected), "{message}");
        }
    }

    #[test]
    fn a_query_string_is_converted_and_its_rain_counter_differenced() {
        let at = |time, rain| {
            format!(
                "/weatherstation/updateweatherstation.php?ID=K&PASSWORD=x&dateutc=2017-07-15+00:{time}&tempf=67.1&humidity=80&baromin=29.92&windspeedmph=10&AqPM10=5&dailyrainin={rain}&softwaretype=y HTTP/1.1"
            )
        };
        let messages = [
            ("05:00", "0.10"),
            ("10:00", "0.14"),
            ("12:30", "0.15"),
            ("15:16", "0.01"),
        ]
        .map(|(time, rain)| at(time, rain));
        let readings = read(&messages.each_ref().map(String::as_str)).expect("readings");
        let of = |quantity: u16| {
            readings
                .iter()
                .filter(|r| r.0 == quantity)
                .map(|r| r.2)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            of(RAIN),
            [1_270, 254],
            "the first message only sets the counter; at midnight it starts again"
        );
        assert_eq!(of(TEMPERATURE)[0], 19_500);
        assert_eq!(
            (of(HUMIDITY)[0], of(PRESSURE)[0], of(WIND)[0], of(PM10)[0]),
            (80_000, 101_321, 4_470, 5_000)
        );
    }

    #[test]
    fn packs_end_with_their_epochs() {
        let mut driver = StationDriver::new(HOUR, 300_000);
        for minute in (0..150).step_by(5) {
            let time = MIDNIGHT.plus_ms(minute * 60_000);
            driver.push(format!("{time} rain=0").as_bytes(), time).expect("a line");
        }
        let ends = |packs: Vec<Pack>| {
            packs
                .iter()
                .map(|pack| (pack.time.0 - MIDNIGHT.0) / 60_000)
                .collect::<Vec<_>>()
        };
        assert_eq!(ends(driver.packs(MIDNIGHT.plus_ms(3_599_999))), [0; 0]);
        assert_eq!(ends(driver.packs(MIDNIGHT.plus_ms(2 * 3_600_000))), [55, 115]);
        assert_eq!(ends(driver.packs(TimeMs(u64::MAX))), [145]);
    }

    #[test]
    fn more_readings_than_a_body_takes_go_into_several() {
        let mut driver = StationDriver::new(HOUR, 300_000);
        for second in 0..150 {
            let time = MIDNIGHT.plus_ms(second * 1_000);
            driver
                .push(format!("{time} rain=0 noise=50").as_bytes(), time)
                .expect("a line");
        }
        assert_eq!(driver.packs(TimeMs(u64::MAX)).len(), 3);
    }

    #[test]
    fn what_is_no_message_is_refused_and_changes_nothing() {
        let deep = "[".repeat(60_000);
        for message in [
            "",
            " ",
            "rain",
            "rain=",
            "rain=x",
            "snow=1",
            "2017-07-15 rain=1",
            "[]",
            "[{}]",
            "{",
            "[{\"n\":\"rain\"}]",
            "[{\"n\":\"rain\",\"v\":true}]",
            "[{\"n\":\"rain\",\"v\":1}",
            "[{\"n\":\"rain\",\"v\":1}]]",
            "a=1&b=2",
            "[{\"n\":\"rain\",\"u\":\"lm\",\"v\":1}]",
            "[{\"n\":\"ra\\u0069n\",\"v\":1}]",
            "dateutc=x&tempf=1",
            &deep,
        ] {
            assert!(read(&[message]).is_err(), "{message:.40}");
        }
        assert!(
            StationDriver::new(HOUR, 300_000)
                .push(&vec![b' '; MESSAGE_BYTES_MAX + 1], MIDNIGHT)
                .is_err()
        );
        assert!(StationDriver::new(HOUR, 300_000).push(&[0xff, 0xfe], MIDNIGHT).is_err());
    }

    #[test]
    fn json_that_we_write_we_read() {
        let readings = [
            Reading {
                quantity: RAIN,
                time: MIDNIGHT,
                value: 101,
            },
            Reading {
                quantity: TEMPERATURE,
                time: MIDNIGHT,
                value: -50,
            },
        ];
        assert_eq!(
            read(&[&senml(&readings)]),
            Ok(vec![(RAIN, 0, 101), (TEMPERATURE, 0, -50)])
        );
    }
}
