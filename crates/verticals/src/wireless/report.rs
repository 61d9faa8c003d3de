//! The body of a hotspot's report: what it says of itself, the beacons it sent, the frames it heard; see `report.cddl`. It
//! says nothing about whether any of it is true.
//!
//! ```text
//! [station, [beacon, …], [heard, …]]
//!  region, place, height, gain        time, frame, frequency, rate, signal, noise, held, size, source
//! ```
//! Sent and heard stand in the order of time. In the survey each becomes a run of readings: the first names the beacon or
//! the frame, those that follow say more of it.

use crate::kit::vertical::BODY_BYTES_MAX;
use crate::kit::{BodyError, Draw, QuantityText, Reading};
use cairn_types::{CellId, TimeMs, codec, hash};
use minicbor::{Decode, Encode};

pub const REGION: u16 = 0;
pub const PLACE: u16 = 1;
pub const HEIGHT: u16 = 2;
pub const GAIN: u16 = 3;
/// Begins the run of a beacon.
pub const BEACON: u16 = 4;
pub const POWER: u16 = 5;
/// Begins the run of a heard frame.
pub const HEARD: u16 = 6;
pub const FREQUENCY: u16 = 7;
pub const RATE: u16 = 8;
pub const RSSI: u16 = 9;
pub const SNR: u16 = 10;
pub const HELD: u16 = 11;
pub const SIZE: u16 = 12;
pub const SOURCE: u16 = 13;
pub const COUNTER: u16 = 14;
pub const SOURCE_PLACE: u16 = 15;
pub const SOURCE_HEIGHT: u16 = 16;
pub const SOURCE_POWER: u16 = 17;
pub const RANGE: u16 = 18;
pub const TAKEN: u16 = 19;

const fn quantity(
    quantity: u16,
    name: &'static str,
    unit: &'static str,
    decimals: u8,
    draw: Draw,
    sentence: &'static str,
) -> QuantityText {
    QuantityText {
        quantity,
        name,
        unit,
        decimals,
        sentence,
        draw,
    }
}

/// Every quantity, at the place of its number.
#[rustfmt::skip]
pub const QUANTITIES: &[QuantityText] = &[
    quantity(REGION, "region", "", 0, Draw::No, "the region whose rules the radio keeps"),
    quantity(PLACE, "place", "cell", 0, Draw::No, "where the device says it stands"),
    quantity(HEIGHT, "height", "m", 0, Draw::No, "height of the antenna above the ground"),
    quantity(GAIN, "gain", "dBi", 1, Draw::No, "gain of the antenna"),
    quantity(BEACON, "beacon", "", 0, Draw::Events, "a beacon it was asked for and sent"),
    quantity(POWER, "power", "dBm", 1, Draw::Points, "power with which a beacon was sent, at the antenna"),
    quantity(HEARD, "heard", "", 0, Draw::Events, "a frame that it heard"),
    quantity(FREQUENCY, "frequency", "Hz", 0, Draw::No, "frequency of a frame"),
    quantity(RATE, "rate", "", 0, Draw::No, "data rate of a frame"),
    quantity(RSSI, "rssi", "dBm", 1, Draw::Points, "strength of a frame that it heard"),
    quantity(SNR, "snr", "dB", 1, Draw::Points, "how far a frame that it heard stood out of the noise"),
    quantity(HELD, "held", "ms", 0, Draw::No, "how long a frame waited before it was passed on"),
    quantity(SIZE, "size", "B", 0, Draw::No, "bytes of a frame"),
    quantity(SOURCE, "source", "", 0, Draw::No, "who sent a frame"),
    quantity(COUNTER, "counter", "", 0, Draw::No, "number of a frame"),
    quantity(SOURCE_PLACE, "source_place", "cell", 0, Draw::No, "where the sender of a frame stands"),
    quantity(SOURCE_HEIGHT, "source_height", "m", 0, Draw::No, "height of the antenna of a sender"),
    quantity(SOURCE_POWER, "source_power", "dBm", 1, Draw::No, "power of a sender"),
    quantity(RANGE, "range", "m", 0, Draw::Points, "distance to a sender, measured by the time its frame took"),
    quantity(TAKEN, "taken", "ms", 0, Draw::No, "when a customer took a packet"),
];

/// The most beacons and the most heard frames of one body.
pub const BEACONS_MAX: usize = 4;
pub const HEARD_MAX: usize = 128;

/// What a device says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct Station {
    /// The number of its radio region.
    #[n(0)]
    pub region: u8,
    /// Where it knows itself to be, if it does (GPS).
    #[n(1)]
    pub place: Option<CellId>,
    /// Of its antenna, above the sea, in metres.
    #[n(2)]
    pub height_m: Option<i16>,
    /// Of its antenna, in tenths of a dBi.
    #[n(3)]
    pub gain_ddbi: Option<i16>,
}

/// A beacon the device sent, in answer to its challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct Beacon {
    #[n(0)]
    pub time: TimeMs,
    /// Drawn by the device just before it sent: what it sent follows from the challenge and this.
    #[n(1)]
    pub nonce: u64,
    #[n(2)]
    pub frequency_hz: u32,
    #[n(3)]
    pub rate: u8,
    /// Radiated (EIRP), in tenths of a dBm.
    #[n(4)]
    pub power_ddbm: i16,
}

/// A frame the device heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct Heard {
    /// When its last bit was received, by the device's clock.
    #[n(0)]
    pub time: TimeMs,
    /// The first eight bytes of the frame's SHA-256; see `frame`.
    #[n(1)]
    pub frame: u64,
    #[n(2)]
    pub frequency_hz: u32,
    #[n(3)]
    pub rate: u8,
    /// Tenths of a dBm.
    #[n(4)]
    pub rssi_ddbm: i16,
    /// Tenths of a decibel.
    #[n(5)]
    pub snr_ddb: i16,
    /// How long the device kept it before it could be delivered to the customer.
    #[n(6)]
    pub held_ms: u64,
    /// Bytes of the frame.
    #[n(7)]
    pub size: u16,
    #[n(8)]
    pub source: Option<Source>,
}

/// Who sent a frame, as far as that is known: from its header, and from the customer whose device it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(array)]
pub struct Source {
    /// DevEUI where the customer tells it, else DevAddr.
    #[n(0)]
    pub id: u64,
    #[n(1)]
    pub counter: Option<u32>,
    #[n(2)]
    pub place: Option<CellId>,
    /// Above the sea, in metres.
    #[n(3)]
    pub height_m: Option<i16>,
    /// Radiated (EIRP), in tenths of a dBm.
    #[n(4)]
    pub power_ddbm: Option<i16>,
    /// How far away it was by a measurement of its own (time of flight, survey), in metres.
    #[n(5)]
    pub range_m: Option<u32>,
    /// When the customer had the frame, by the customer's clock.
    #[n(6)]
    pub taken: Option<TimeMs>,
}

/// A body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Body {
    #[n(0)]
    pub station: Station,
    #[n(1)]
    pub beacons: Vec<Beacon>,
    #[n(2)]
    pub heard: Vec<Heard>,
}

/// The name of a frame: the same for whoever heard the same bytes.
pub fn frame(bytes: &[u8]) -> u64 {
    crate::kit::challenge::first(&hash::sha256(bytes).0)
}

impl Body {
    /// Puts everything in its order, and what is there twice once.
    pub fn settle(&mut self) {
        self.beacons.sort_unstable();
        self.beacons.dedup();
        self.heard.sort_unstable();
        self.heard.dedup();
    }

    /// The time of the earliest and of the latest thing in it.
    pub fn times(&self) -> Option<(TimeMs, TimeMs)> {
        let sent = self.beacons.iter().map(|beacon| beacon.time);
        let times = sent.chain(self.heard.iter().map(|heard| heard.time));
        times.fold(None, |ends, time| match ends {
            None => Some((time, time)),
            Some((first, last)) => Some((time.min(first), time.max(last))),
        })
    }

    pub fn encode(&self) -> Result<Vec<u8>, BodyError> {
        self.check()?;
        let body = codec::encode(self);
        if body.len() > BODY_BYTES_MAX {
            return Err(BodyError::TooLong);
        }
        Ok(body)
    }

    pub fn decode(body: &[u8]) -> Result<Self, BodyError> {
        if body.len() > BODY_BYTES_MAX {
            return Err(BodyError::TooLong);
        }
        let read: Self = codec::decode_canonical(body).map_err(|error| match error {
            codec::CodecError::NotCanonical => BodyError::NotCanonical,
            codec::CodecError::Malformed(_) => BodyError::Malformed("not [station, beacons, heard]"),
        })?;
        read.check()?;
        Ok(read)
    }

    fn check(&self) -> Result<(), BodyError> {
        let fail = |why| Err(BodyError::Malformed(why));
        if self.beacons.is_empty() && self.heard.is_empty() {
            return fail("neither sent nor heard anything");
        }
        if self.beacons.len() > BEACONS_MAX {
            return fail("at most 4 beacons");
        }
        if self.heard.len() > HEARD_MAX {
            return fail("at most 128 frames");
        }
        let sorted =
            self.beacons.is_sorted_by(|one, next| one < next) && self.heard.is_sorted_by(|one, next| one < next);
        if !sorted {
            return fail("beacons and frames stand in the order of time, each once");
        }
        Ok(())
    }

    /// Appends all it says as readings.
    pub fn readings(&self, out: &mut Vec<Reading>) {
        let Some((first, _)) = self.times() else { return };
        let mut say = |quantity, time, value: Option<i64>| {
            out.extend(value.map(|value| Reading { quantity, time, value }));
        };
        let place = |cell: CellId| cell.get().cast_signed();
        let station = &self.station;
        say(REGION, first, Some(station.region.into()));
        say(PLACE, first, station.place.map(place));
        say(HEIGHT, first, station.height_m.map(i64::from));
        say(GAIN, first, station.gain_ddbi.map(i64::from));
        for beacon in &self.beacons {
            say(BEACON, beacon.time, Some(beacon.nonce.cast_signed()));
            say(FREQUENCY, beacon.time, Some(beacon.frequency_hz.into()));
            say(RATE, beacon.time, Some(beacon.rate.into()));
            say(POWER, beacon.time, Some(beacon.power_ddbm.into()));
        }
        for heard in &self.heard {
            say(HEARD, heard.time, Some(heard.frame.cast_signed()));
            say(FREQUENCY, heard.time, Some(heard.frequency_hz.into()));
            say(RATE, heard.time, Some(heard.rate.into()));
            say(RSSI, heard.time, Some(heard.rssi_ddbm.into()));
            say(SNR, heard.time, Some(heard.snr_ddb.into()));
            say(HELD, heard.time, Some(heard.held_ms.cast_signed()));
            say(SIZE, heard.time, Some(heard.size.into()));
            let Some(source) = &heard.source else { continue };
            say(SOURCE, heard.time, Some(source.id.cast_signed()));
            say(COUNTER, heard.time, source.counter.map(i64::from));
            say(SOURCE_PLACE, heard.time, source.place.map(place));
            say(SOURCE_HEIGHT, heard.time, source.height_m.map(i64::from));
            say(SOURCE_POWER, heard.time, source.power_ddbm.map(i64::from));
            say(RANGE, heard.time, source.range_m.map(i64::from));
            say(TAKEN, heard.time, source.taken.map(|taken| taken.0.cast_signed()));
        }
    }
}

/// Appends what a body says to `out`; on an error nothing is.
pub fn decode(body: &[u8], out: &mut Vec<Reading>) -> Result<(), BodyError> {
    Body::decode(body)?.readings(out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(time: u64, frame: u64) -> Heard {
        Heard {
            time: TimeMs(time),
            frame,
            frequency_hz: 868_100_000,
            rate: 5,
            rssi_ddbm: -1_180,
            snr_ddb: -35,
            held_ms: 0,
            size: 23,
            source: None,
        }
    }

    fn body() -> Body {
        Body {
            station: Station {
                region: 0,
                place: "881969c9b7fffff".parse().ok(),
                height_m: Some(240),
                gain_ddbi: None,
            },
            beacons: vec![Beacon {
                time: TimeMs(5),
                nonce: u64::MAX,
                frequency_hz: 868_500_000,
                rate: 3,
                power_ddbm: 140,
            }],
            heard: vec![
                heard(1, u64::MAX),
                Heard {
                    source: Some(Source {
                        id: 7,
                        counter: Some(0),
                        place: None,
                        height_m: Some(-3),
                        power_ddbm: None,
                        range_m: Some(4_174),
                        taken: None,
                    }),
                    ..heard(9, 2)
                },
            ],
        }
    }

    #[test]
    fn the_bytes_of_a_body_are_these_for_ever() {
        let bytes = body().encode().expect("a body");
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let expected = concat!(
            "83",
            "83001b0881969c9b7fffff18f0",
            "8185051bffffffffffffffff1a33c4422003188c",
            "82",
            "88011bffffffffffffffff1a33be27a00539049b38220017",
            "8909021a33be27a00539049b3822001786",
            "0700f622f619104e",
        );
        let expected: String = expected.split_whitespace().collect();
        assert_eq!(hex, expected);
        assert_eq!(Body::decode(&bytes), Ok(body()));
    }

    #[test]
    fn readings_tell_bodies_apart() {
        let said = |change: fn(&mut Body)| {
            let mut body = body();
            change(&mut body);
            let mut readings = Vec::new();
            body.readings(&mut readings);
            readings
        };
        let all = [
            said(|_| {}),
            said(|body| body.station.height_m = None),
            said(|body| body.station.gain_ddbi = Some(240)),
            said(|body| body.heard[0].source = body.heard[1].source),
            said(|body| body.heard[1].source = None),
            said(|body| body.beacons.clear()),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(all[..place].iter().all(|other| other != one));
            assert!(
                one.iter()
                    .all(|reading| QUANTITIES[usize::from(reading.quantity)].quantity == reading.quantity)
            );
        }
    }

    #[test]
    fn what_cannot_be_a_body_is_refused() {
        let encoded = |change: fn(&mut Body)| {
            let mut body = body();
            change(&mut body);
            codec::encode(&body)
        };
        type Case = (&'static str, fn(&mut Body));
        let cases: [Case; 5] = [
            ("nothing", |body| {
                body.beacons.clear();
                body.heard.clear();
            }),
            ("out of order", |body| body.heard.reverse()),
            ("twice", |body| body.heard[1] = body.heard[0]),
            ("too many beacons", |body| {
                body.beacons = (0..5)
                    .map(|nonce| Beacon {
                        nonce,
                        ..body.beacons[0]
                    })
                    .collect();
            }),
            ("too many frames", |body| {
                body.heard = (0..129).map(|time| heard(time, 1)).collect()
            }),
        ];
        for (why, change) in cases {
            assert!(Body::decode(&encoded(change)).is_err(), "{why}");
        }
        let mut longer = encoded(|_| {});
        longer.push(0);
        assert!(Body::decode(&longer).is_err(), "a byte follows");
        let mut full = body();
        full.heard = (0..HEARD_MAX as u64)
            .map(|time| Heard {
                time: TimeMs(1 << 40 | time),
                frame: u64::MAX,
                ..full.heard[1]
            })
            .collect();
        assert!(full.encode().is_ok(), "a full body fits");
    }
}
