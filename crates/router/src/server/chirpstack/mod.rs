//! ChirpStack's gateway messages (its `gw.proto`, version 4, as its gateway bridge publishes them): uplinks, statistics, connection
//! states and acknowledgements out; downlinks in. In JSON or in protobuf, which its servers tell apart by the first byte, as we do.
//! Pure.

mod json;
mod protobuf;

use super::Uplink;
use cairn_agent::gwmp::packet::encode;
use cairn_types::TimeMs;
use serde_json::{Value, json};

/// The most tries of one downlink that are looked at: receive windows.
const ITEMS_MAX: usize = 8;

/// How messages are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Marshaler {
    #[default]
    Json,
    Protobuf,
}

impl Marshaler {
    /// `event/up`.
    pub fn up(self, uplink: &Uplink) -> Vec<u8> {
        match self {
            Self::Json => json::up(uplink),
            Self::Protobuf => protobuf::up(uplink),
        }
    }

    /// `event/stats`.
    pub fn stats(self, eui: u64, time: TimeMs, stats: Stats) -> Vec<u8> {
        match self {
            Self::Json => json::stats(eui, time, stats),
            Self::Protobuf => protobuf::stats(eui, time, stats),
        }
    }

    /// `state/conn`.
    pub fn connection(self, eui: u64, online: bool) -> Vec<u8> {
        match self {
            Self::Json => json::connection(eui, online),
            Self::Protobuf => protobuf::connection(eui, online),
        }
    }

    /// `event/ack`: what became of each try.
    pub fn ack(self, eui: u64, downlink: &Downlink) -> Vec<u8> {
        match self {
            Self::Json => json::ack(eui, downlink),
            Self::Protobuf => protobuf::ack(eui, downlink),
        }
    }
}

/// What a radio did since it was told last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub received: u32,
    /// Downlinks asked for, and those that were sent.
    pub asked: u32,
    pub sent: u32,
}

/// A downlink with all its tries, as PULL_RESP would say them.
#[derive(Clone, Debug, PartialEq)]
pub struct Downlink {
    pub id: u32,
    pub tries: Vec<Vec<u8>>,
    /// What became of those before.
    pub statuses: Vec<Status>,
}

impl Downlink {
    /// What became of every try; those that were not needed are ignored.
    fn all(&self) -> Vec<Status> {
        let given = self.statuses.iter().copied();
        let all = given.chain(std::iter::repeat(Status::Ignored));
        all.take(self.statuses.len() + self.tries.len()).collect()
    }
}

/// ChirpStack's words for what became of a try, with their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ignored = 0,
    Ok = 1,
    TooLate = 2,
    TooEarly = 3,
    CollisionPacket = 4,
    CollisionBeacon = 5,
    TxFreq = 6,
    TxPower = 7,
    GpsUnlocked = 8,
    QueueFull = 9,
    InternalError = 10,
    DutyCycleOverflow = 11,
}

impl Status {
    const ALL: [(Self, &'static str); 12] = [
        (Self::Ignored, "IGNORED"),
        (Self::Ok, "OK"),
        (Self::TooLate, "TOO_LATE"),
        (Self::TooEarly, "TOO_EARLY"),
        (Self::CollisionPacket, "COLLISION_PACKET"),
        (Self::CollisionBeacon, "COLLISION_BEACON"),
        (Self::TxFreq, "TX_FREQ"),
        (Self::TxPower, "TX_POWER"),
        (Self::GpsUnlocked, "GPS_UNLOCKED"),
        (Self::QueueFull, "QUEUE_FULL"),
        (Self::InternalError, "INTERNAL_ERROR"),
        (Self::DutyCycleOverflow, "DUTY_CYCLE_OVERFLOW"),
    ];

    /// Of a forwarder's word for what hindered a downlink; nothing did where it says none.
    pub fn of(error: &str) -> Self {
        if error.is_empty() {
            return Self::Ok;
        }
        let known = Self::ALL.iter().skip(2).find(|(_, name)| *name == error);
        known.map_or(Self::InternalError, |(status, _)| *status)
    }

    fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// One try, as either encoding says it.
struct Item {
    frame: Vec<u8>,
    frequency_hz: u32,
    power_dbm: i32,
    modulation: Modulation,
    timing: Timing,
    context: Vec<u8>,
}

enum Modulation {
    Lora {
        bandwidth_hz: u32,
        spreading: u32,
        code_rate: CodeRate,
        inverted: bool,
    },
    Fsk {
        deviation_hz: u32,
        bits_a_second: u32,
    },
}

/// Of LoRa; a number that is not known is the usual one.
#[derive(Clone, Copy)]
struct CodeRate(u8);

impl CodeRate {
    const NAMES: [&str; 4] = ["CR_4_5", "CR_4_6", "CR_4_7", "CR_4_8"];
    const WRITTEN: [&str; 4] = ["4/5", "4/6", "4/7", "4/8"];

    fn named(name: &str) -> Self {
        let place = Self::NAMES.iter().position(|known| *known == name);
        Self(place.unwrap_or(0) as u8)
    }

    /// ChirpStack numbers them from one.
    fn numbered(number: i32) -> Self {
        let place = usize::try_from(number - 1)
            .ok()
            .filter(|place| *place < Self::NAMES.len());
        Self(place.unwrap_or(0) as u8)
    }

    fn written(self) -> &'static str {
        Self::WRITTEN[usize::from(self.0)]
    }
}

enum Timing {
    Immediately,
    /// After the uplink that the context names.
    Delay {
        us: u64,
    },
    GpsEpoch {
        us: u64,
    },
}

/// Reads `command/down` in either encoding.
pub fn down(bytes: &[u8]) -> Option<Downlink> {
    let (id, items) = match bytes.first() {
        Some(b'{') => json::down(bytes)?,
        _ => protobuf::down(bytes)?,
    };
    let tries: Option<Vec<_>> = items.iter().map(txpk).collect();
    let tries = tries.filter(|tries| !tries.is_empty())?;
    Some(Downlink {
        id,
        tries,
        statuses: Vec::new(),
    })
}

/// As a PULL_RESP says it.
fn txpk(item: &Item) -> Option<Vec<u8>> {
    let mut txpk = json!({
        "freq": f64::from(item.frequency_hz) / 1e6, "rfch": 0, "powe": item.power_dbm, "imme": false,
        "size": item.frame.len(), "data": encode(&item.frame),
    });
    let mut set = |name: &str, value: Value| txpk[name] = value;
    match item.modulation {
        Modulation::Lora {
            bandwidth_hz,
            spreading,
            code_rate,
            inverted,
        } => {
            set("modu", json!("LORA"));
            set("datr", json!(format!("SF{spreading}BW{}", bandwidth_hz / 1_000)));
            set("codr", json!(code_rate.written()));
            set("ipol", json!(inverted));
            // A LoRaWAN downlink has no checksum of its own over LoRa, and has one over FSK.
            set("ncrc", json!(true));
        }
        Modulation::Fsk {
            deviation_hz,
            bits_a_second,
        } => {
            set("modu", json!("FSK"));
            set("datr", json!(bits_a_second));
            set("fdev", json!(deviation_hz));
        }
    }
    match item.timing {
        Timing::Immediately => set("imme", json!(true)),
        Timing::Delay { us } => {
            let context: [u8; 4] = item.context.as_slice().try_into().ok()?;
            let counter = u32::from_be_bytes(context).wrapping_add(us as u32);
            set("tmst", json!(counter));
        }
        Timing::GpsEpoch { us } => set("tmms", json!(us / 1_000)),
    }
    Some(json!({ "txpk": txpk }).to_string().into_bytes())
}

fn gateway(eui: u64) -> String {
    format!("{eui:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_agent::gwmp::packet::{self, When};

    #[test]
    fn a_downlink_has_its_windows_after_the_uplink_it_answers() {
        let item = |delay: &str, frequency: u32| {
            json!({
                "phyPayload": "IBAR", "context": encode(&1_000_000u32.to_be_bytes()),
                "txInfo": { "frequency": frequency, "power": 16, "timing": { "delay": { "delay": delay } },
                    "modulation": { "lora": { "bandwidth": 125000, "spreadingFactor": 7, "codeRate": "CR_4_5", "polarizationInversion": true } } },
            })
        };
        let said = json!({ "downlinkId": 7, "gatewayId": "00", "items": [item("5s", 868_100_000), item("6.5s", 869_525_000)] });
        let mut downlink = down(said.to_string().as_bytes()).unwrap();
        let read = |json: &[u8]| packet::downlink(json).unwrap();
        let first = read(&downlink.tries[0]);
        assert_eq!(first.when, When::Counter(6_000_000));
        assert_eq!(
            (first.frequency_hz, first.power_ddbm, first.bytes),
            (868_100_000, 160, 3)
        );
        let second = read(&downlink.tries[1]);
        assert_eq!(second.when, When::Counter(7_500_000));
        downlink.statuses = vec![Status::of("TOO_LATE")];
        downlink.tries.remove(0);
        let told: Value = serde_json::from_slice(&Marshaler::Json.ack(5, &downlink)).unwrap();
        assert_eq!(
            told["items"],
            json!([{ "status": "TOO_LATE" }, { "status": "IGNORED" }])
        );
        assert_eq!(told["gatewayId"], "0000000000000005");
        let told = Marshaler::Protobuf.ack(5, &downlink);
        // Two items; of the second nothing is said, as nothing is what ignored is written as.
        assert_eq!(told, b"\x10\x07\x2a\x02\x08\x02\x2a\x00\x32\x100000000000000005");
    }

    #[test]
    fn fsk_keeps_its_rate_and_deviation() {
        let fsk = json!({ "frequencyDeviation": 25_000, "datarate": 50_000 });
        let said = json!({ "downlinkId": 7, "items": [{ "phyPayload": "IBAR", "txInfo": {
            "frequency": 868_800_000, "power": 14, "timing": { "immediately": {} }, "modulation": { "fsk": fsk } } }] });
        let downlink = down(said.to_string().as_bytes()).unwrap();
        let read = packet::downlink(&downlink.tries[0]).unwrap();
        let fsk = cairn_agent::gwmp::plan::Modulation::Fsk {
            bits_a_second: 50_000,
            deviation_hz: 25_000,
        };
        assert_eq!((read.modulation, read.when), (Some(fsk), When::Immediately));
    }

    #[test]
    fn other_timings_and_nonsense() {
        let said = |timing: Value| {
            json!({ "downlinkId": 7, "items": [{ "phyPayload": "IBAR", "txInfo": { "frequency": 868_100_000, "power": 14, "timing": timing,
                "modulation": { "lora": { "bandwidth": 125000, "spreadingFactor": 7 } } } }] })
            .to_string()
        };
        let first = |timing: Value| down(said(timing).as_bytes()).map(|downlink| downlink.tries[0].clone());
        let when = |timing| packet::downlink(&first(timing).unwrap()).unwrap().when;
        assert_eq!(when(json!({ "immediately": {} })), When::Immediately);
        let gps = json!({ "gpsEpoch": { "timeSinceGpsEpoch": "12.25s" } });
        assert_eq!(when(gps), When::Satellites);
        assert_eq!(first(json!({ "delay": { "delay": "1s" } })), None, "nothing it answers");
        for nothing in [
            &b""[..],
            b"{}",
            b"[]",
            br#"{"items":[]}"#,
            br#"{"items":[{}]}"#,
            br#"{"downlinkId":-1,"items":[]}"#,
            b"\x2a",
            b"\x2a\x00",
            b"\x18\x07",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert_eq!(down(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn the_word_for_what_hindered_a_downlink_is_chirpstacks_own() {
        for (status, name) in Status::ALL {
            assert_eq!(status.name(), name);
        }
        assert_eq!((Status::of(""), Status::of("TX_POWER")), (Status::Ok, Status::TxPower));
        assert_eq!(
            (Status::of("SEND_LBT"), Status::of("OK"), Status::of("IGNORED")),
            (Status::InternalError, Status::InternalError, Status::InternalError)
        );
    }
}
