//! The JSON inside the datagrams, as far as an agent needs it: receptions (`rxpk`), downlinks (`txpk`) and what became of them
//! (`txpk_ack`). What it does not need is passed over; nothing is changed on its way through.

use super::plan::Modulation;
use cairn_verticals::wireless::driver::frame;
use cairn_verticals::wireless::region::Rate;
use serde_json::{Map, Value, json};

/// Packets of one datagram that are looked at.
pub const PACKETS_MAX: usize = 64;
/// The longest frame a LoRa radio carries.
pub const FRAME_BYTES_MAX: usize = 255;

/// What a forwarder heard: one whole LoRa frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    pub frame: Vec<u8>,
    pub frequency_hz: u32,
    pub rate: Rate,
    /// As the forwarder wrote them, for the report: decibels with their decimals.
    rssi: Value,
    snr: Value,
    datr: String,
    time: Option<String>,
    /// The concentrator's counter in microseconds, when the frame ended.
    pub counter_us: Option<u32>,
    /// Whether the radio knows the time of satellites.
    pub gps: bool,
}

impl Heard {
    pub fn rssi_ddbm(&self) -> i16 {
        tenths(&self.rssi)
    }

    pub fn snr_ddb(&self) -> i16 {
        tenths(&self.snr)
    }

    /// As a message for the driver says it: only what a report needs.
    fn said(&self) -> Value {
        let mut said = json!({
            "freq": f64::from(self.frequency_hz) / 1e6, "datr": self.datr, "stat": 1, "rssi": self.rssi, "lsnr": self.snr,
            "data": encode(&self.frame),
        });
        if let Some(time) = &self.time {
            said["time"] = json!(time);
        }
        said
    }
}

/// What a PUSH_DATA says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pushed {
    pub heard: Vec<Heard>,
    /// Packets that are of no use: broken on the air, of another modulation, or not as the protocol writes them.
    pub passed_over: u64,
    pub status: bool,
}

/// Reads the JSON of a PUSH_DATA; `None` where it is none.
pub fn pushed(json: &[u8]) -> Option<Pushed> {
    let Value::Object(said) = serde_json::from_slice(json).ok()? else {
        return None;
    };
    let mut pushed = Pushed {
        status: said.get("stat").is_some_and(Value::is_object),
        ..Pushed::default()
    };
    let packets = match said.get("rxpk") {
        Some(Value::Array(packets)) => packets.as_slice(),
        Some(Value::Null) | None => &[],
        Some(_) => return None,
    };
    for packet in packets.iter().take(PACKETS_MAX) {
        match packet.as_object().and_then(heard) {
            Some(heard) => pushed.heard.push(heard),
            None => pushed.passed_over += 1,
        }
    }
    pushed.passed_over += packets.len().saturating_sub(PACKETS_MAX) as u64;
    Some(pushed)
}

fn heard(packet: &Map<String, Value>) -> Option<Heard> {
    let text = |name: &str| packet.get(name).and_then(Value::as_str);
    let whole = packet.get("stat").is_none_or(|stat| stat.as_i64() == Some(1));
    if !whole || text("modu").is_some_and(|modulation| modulation != "LORA") {
        return None;
    }
    // With several antennas each has its own numbers: the clearest counts.
    let antennas = packet.get("rsig").and_then(Value::as_array);
    let best = antennas.and_then(|antennas| {
        let snr = |antenna: &&Value| antenna["lsnr"].as_f64().unwrap_or(f64::MIN);
        antennas.iter().max_by(|one, next| snr(one).total_cmp(&snr(next)))
    });
    let number = |value: Option<&Value>| value.filter(|value| value.is_number()).cloned();
    let rssi = number(packet.get("rssi").or_else(|| best.and_then(|best| best.get("rssic"))))?;
    let snr = number(packet.get("lsnr").or_else(|| best.and_then(|best| best.get("lsnr"))))?;
    let in_bounds = |value: &Value, bound: f64| value.as_f64().is_some_and(|number| number.abs() <= bound);
    if !in_bounds(&rssi, 300.0) || !in_bounds(&snr, 100.0) {
        return None;
    }
    let datr = text("datr").filter(|datr| datr.len() <= 16)?.to_owned();
    let frame = frame::base64(text("data").filter(|data| data.len() <= 2 * FRAME_BYTES_MAX)?)?;
    if frame.is_empty() || frame.len() > FRAME_BYTES_MAX {
        return None;
    }
    Some(Heard {
        frame,
        frequency_hz: hertz(packet.get("freq")?)?,
        rate: rate(&datr)?,
        rssi,
        snr,
        datr,
        time: text("time").filter(|time| time.len() <= 40).map(str::to_owned),
        counter_us: counter(packet.get("tmst")),
        gps: packet.get("tmms").is_some_and(Value::is_u64),
    })
}

/// A message for the driver of the device: what it heard, after what its station is, which the driver must know first.
pub fn message(station: &Value, heard: &[Heard]) -> Vec<u8> {
    let packets: Vec<Value> = heard.iter().map(Heard::said).collect();
    // Written by hand, as the order of the two matters.
    format!("{{\"station\":{station},\"rxpk\":{}}}", Value::Array(packets)).into_bytes()
}

/// A beacon for the forwarder: sent at once, as a node would send it, so that other stations' receivers take it.
pub fn beacon(frequency_hz: u32, rate: Rate, power_dbm: i16, payload: &[u8]) -> Vec<u8> {
    let txpk = json!({
        "imme": true, "rfch": 0, "freq": f64::from(frequency_hz) / 1e6, "powe": power_dbm, "modu": "LORA",
        "datr": rate.text(), "codr": "4/5", "ipol": false, "size": payload.len(), "ncrc": false, "data": encode(payload),
    });
    json!({ "txpk": txpk }).to_string().into_bytes()
}

/// When a downlink is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Immediately,
    /// At this count of the concentrator, in microseconds.
    Counter(u32),
    /// At a time of the satellites.
    Satellites,
}

/// A downlink that a network server asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Downlink {
    pub when: When,
    pub frequency_hz: u32,
    /// `None`: neither LoRa nor FSK, or no rate of theirs.
    pub modulation: Option<Modulation>,
    /// What shall be radiated (EIRP); the forwarder takes its own antenna into account.
    pub power_ddbm: i64,
    pub bytes: u32,
}

/// Reads the JSON of a PULL_RESP; `None` where it is none, or says too little to judge it.
pub fn downlink(json: &[u8]) -> Option<Downlink> {
    let said: Value = serde_json::from_slice(json).ok()?;
    let packet = said.get("txpk")?.as_object()?;
    let text = |name: &str| packet.get(name).and_then(Value::as_str);
    let frame = frame::base64(text("data").filter(|data| data.len() <= 2 * FRAME_BYTES_MAX)?)?;
    let when = if packet.get("imme").and_then(Value::as_bool) == Some(true) {
        When::Immediately
    } else if packet.contains_key("tmst") {
        When::Counter(counter(packet.get("tmst"))?)
    } else if packet.contains_key("tmms") || packet.contains_key("time") {
        When::Satellites
    } else {
        return None;
    };
    let modulation = match text("modu") {
        None | Some("LORA") => text("datr").and_then(rate).map(Modulation::Lora),
        Some("FSK") => fsk(packet),
        Some(_) => None,
    };
    let power = packet.get("powe").and_then(Value::as_f64).unwrap_or(14.0);
    (frame.len() <= FRAME_BYTES_MAX && power.abs() <= 100.0).then_some(Downlink {
        when,
        frequency_hz: hertz(packet.get("freq")?)?,
        modulation,
        power_ddbm: (power * 10.0).round() as i64,
        bytes: u32::try_from(frame.len()).ok()?,
    })
}

/// Why the agent lets no downlink through, in the protocol's words. A forwarder has a reason more: a beacon of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TxError {
    TooLate,
    TooEarly,
    CollisionPacket,
    TxFreq,
    TxPower,
    GpsUnlocked,
    /// Not of the protocol's own list, but what ChirpStack's servers know: the law's time on the air is used up.
    DutyCycleOverflow,
}

impl TxError {
    pub fn name(self) -> &'static str {
        match self {
            Self::TooLate => "TOO_LATE",
            Self::TooEarly => "TOO_EARLY",
            Self::CollisionPacket => "COLLISION_PACKET",
            Self::TxFreq => "TX_FREQ",
            Self::TxPower => "TX_POWER",
            Self::GpsUnlocked => "GPS_UNLOCKED",
            Self::DutyCycleOverflow => "DUTY_CYCLE_OVERFLOW",
        }
    }
}

/// The JSON of a TX_ACK.
pub fn tx_ack(error: Option<TxError>) -> Vec<u8> {
    let error = error.map_or("NONE", TxError::name);
    json!({ "txpk_ack": { "error": error } }).to_string().into_bytes()
}

/// Whether a forwarder's TX_ACK says that the packet is sent, and in what words not. A warning is no refusal.
pub fn acknowledged(json: &[u8]) -> Result<(), String> {
    let said: Value = serde_json::from_slice(json).unwrap_or_default();
    match said["txpk_ack"]["error"].as_str() {
        None | Some("" | "NONE") => Ok(()),
        Some(error) => Err(error.chars().filter(char::is_ascii_graphic).take(32).collect()),
    }
}

/// `SF7BW125`.
pub fn rate(text: &str) -> Option<Rate> {
    let (spreading, khz) = text.strip_prefix("SF")?.split_once("BW")?;
    let (spreading, khz) = (spreading.parse::<u8>().ok()?, khz.parse::<u32>().ok()?);
    ((5..=12).contains(&spreading) && [125, 250, 500].contains(&khz)).then_some(Rate {
        spreading,
        bandwidth_hz: khz * 1_000,
    })
}

/// `"datr":50000,"fdev":25000`: bits a second, and how far the carrier is shifted.
fn fsk(packet: &Map<String, Value>) -> Option<Modulation> {
    let number = |name: &str| packet.get(name)?.as_u64().and_then(|number| u32::try_from(number).ok());
    Some(Modulation::Fsk {
        bits_a_second: number("datr")?,
        deviation_hz: number("fdev")?,
    })
}

fn hertz(mega: &Value) -> Option<u32> {
    let hertz = (mega.as_f64()? * 1e6).round();
    (1e6..=4e9).contains(&hertz).then_some(hertz as u32)
}

fn counter(value: Option<&Value>) -> Option<u32> {
    u32::try_from(value?.as_u64()?).ok()
}

fn tenths(value: &Value) -> i16 {
    (value.as_f64().unwrap_or_default() * 10.0).round() as i16
}

/// Bytes in base 64 (RFC 4648, section 4), with padding.
pub fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |place: usize| u32::from(three.get(place).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= three.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_64_is_the_inverse_of_what_is_read() {
        for length in 0..70u8 {
            let bytes: Vec<u8> = (0..length).map(|byte| byte.wrapping_mul(37)).collect();
            let text = encode(&bytes);
            assert_eq!((text.len() % 4, frame::base64(&text)), (0, Some(bytes)));
        }
        assert_eq!(encode(b"foob"), "Zm9vYg==");
    }

    #[test]
    fn whole_lora_frames_are_taken_and_all_else_is_counted() {
        let json = r#"{"rxpk":[
            {"tmst":3512348611,"chan":2,"rfch":0,"freq":866.349812,"stat":1,"modu":"LORA","datr":"SF7BW125","codr":"4/6",
             "rssi":-35,"lsnr":5.1,"size":3,"time":"2013-03-31T16:21:17.528002Z","tmms":1,"data":"AQID"},
            {"freq":868.1,"datr":"SF9BW125","data":"AQID","rsig":[{"rssic":-90,"lsnr":-3.5},{"rssic":-80,"lsnr":2.0}]},
            {"freq":868.1,"stat":-1,"datr":"SF7BW125","rssi":-35,"lsnr":1,"data":"AQID"},
            {"freq":868.8,"stat":1,"modu":"FSK","datr":50000,"rssi":-75,"data":"AQID"},
            {"freq":868.1,"stat":1,"datr":"SF7BW125","rssi":-35,"lsnr":1,"data":"?"},
            {"freq":868.1,"stat":1,"datr":"SF7BW125","lsnr":1,"data":"AQID"}, 7],
            "stat":{"rxnb":2}}"#;
        let pushed = pushed(json.as_bytes()).unwrap();
        assert_eq!((pushed.heard.len(), pushed.passed_over, pushed.status), (2, 5, true));
        let (one, two) = (&pushed.heard[0], &pushed.heard[1]);
        assert_eq!(
            (one.counter_us, one.gps, one.frequency_hz),
            (Some(3_512_348_611), true, 866_349_812)
        );
        assert_eq!((two.rssi_ddbm(), two.snr_ddb(), two.gps), (-800, 20, false));
        assert_eq!(super::pushed(b"[]"), None);
        assert_eq!(super::pushed(br#"{"rxpk":{}}"#), None);
    }

    #[test]
    fn the_driver_reads_what_it_is_told_with_the_stations_own_region() {
        use cairn_types::{EpochClock, TimeMs};
        use cairn_verticals::kit::Driver;
        use cairn_verticals::wireless::{driver::HotspotDriver, report::Body};
        let clock = EpochClock {
            genesis: TimeMs(0),
            epoch_ms: 1_000,
        };
        let json = r#"{"rxpk":[{"freq":903.9,"stat":1,"modu":"LORA","datr":"SF10BW125","rssi":-35,"lsnr":5.1,"data":"AQID"}]}"#;
        let pushed = pushed(json.as_bytes()).unwrap();
        let message = message(&json!({ "region": "US915", "gain": 3.5 }), &pushed.heard);
        let mut driver = HotspotDriver::new(clock, 0);
        assert_eq!(driver.push(&message, TimeMs(5)), Ok(1));
        let body = Body::decode(&driver.packs(TimeMs(u64::MAX))[0].body).unwrap();
        assert_eq!((body.station.region, body.station.gain_ddbi), (1, Some(35)));
        let heard = body.heard[0];
        assert_eq!(
            (heard.rate, heard.rssi_ddbm, heard.frequency_hz),
            (0, -350, 903_900_000)
        );
    }

    #[test]
    fn a_downlink_says_when_where_and_how_loud() {
        let read = |json: &str| downlink(json.as_bytes());
        let txpk =
            |rest: &str| format!(r#"{{"txpk":{{"freq":869.525,"powe":27,"datr":"SF9BW125","data":"AQID"{rest}}}}}"#);
        let at = read(&txpk(r#","tmst":5,"rfch":0,"ipol":true"#)).unwrap();
        assert_eq!(
            (at.when, at.frequency_hz, at.power_ddbm, at.bytes),
            (When::Counter(5), 869_525_000, 270, 3)
        );
        assert_eq!(read(&txpk(r#","imme":true,"tmst":5"#)).unwrap().when, When::Immediately);
        assert_eq!(read(&txpk(r#","tmms":5"#)).unwrap().when, When::Satellites);
        let modulation = |json: &str| read(json).unwrap().modulation;
        let slow = rate("SF9BW125").map(Modulation::Lora);
        assert_eq!(modulation(&txpk(r#","imme":true,"modu":"LORA""#)), slow);
        for other in ["FSK", "LR-FHSS"] {
            assert_eq!(modulation(&txpk(&format!(r#","imme":true,"modu":"{other}""#))), None);
        }
        let shifted = |rest: &str| {
            format!(
                r#"{{"txpk":{{"imme":true,"freq":868.8,"powe":14,"modu":"FSK","datr":50000{rest},"data":"AQID"}}}}"#
            )
        };
        let fsk = Modulation::Fsk {
            bits_a_second: 50_000,
            deviation_hz: 25_000,
        };
        assert_eq!(modulation(&shifted(r#","fdev":25000"#)), Some(fsk));
        for without in ["", r#","fdev":-1"#, r#","fdev":4294967296"#, r#","fdev":"25000""#] {
            assert_eq!(modulation(&shifted(without)), None, "{without}");
        }
        for nothing in [
            txpk(""),
            txpk(r#","tmst":-1"#),
            "{}".to_owned(),
            "".to_owned(),
            r#"{"txpk":[]}"#.to_owned(),
        ] {
            assert_eq!(read(&nothing), None, "{nothing}");
        }
    }

    #[test]
    fn what_became_of_a_downlink_is_read_in_all_forms() {
        for json in [
            "",
            "{}",
            r#"{"txpk_ack":{"error":"NONE"}}"#,
            r#"{"txpk_ack":{"warn":"TX_POWER","value":27}}"#,
        ] {
            assert_eq!(acknowledged(json.as_bytes()), Ok(()), "{json}");
        }
        for error in [
            TxError::TooLate,
            TxError::TooEarly,
            TxError::CollisionPacket,
            TxError::TxFreq,
            TxError::TxPower,
            TxError::GpsUnlocked,
            TxError::DutyCycleOverflow,
        ] {
            assert_eq!(acknowledged(&tx_ack(Some(error))), Err(error.name().to_owned()));
        }
        assert_eq!(acknowledged(&tx_ack(None)), Ok(()));
    }
}
