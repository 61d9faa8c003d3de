//! ChirpStack's gateway messages in JSON (its `gw.proto`, version 4, as its gateway bridge publishes them): uplinks, connection states,
//! acknowledgements out; downlinks in. Pure.

use super::Uplink;
use cairn_agent::gwmp::packet::encode;
use cairn_verticals::wireless::driver::frame::base64;
use serde_json::{Value, json};

/// The most tries of one downlink that are looked at: receive windows.
const ITEMS_MAX: usize = 8;

/// `event/up`.
pub fn up(uplink: &Uplink) -> Value {
    let offer = &uplink.offer;
    json!({
        "phyPayload": encode(&uplink.frame),
        "txInfo": {
            "frequency": offer.frequency_hz,
            "modulation": { "lora": {
                "bandwidth": offer.bandwidth_hz, "spreadingFactor": offer.spreading, "codeRate": "CR_4_5",
            } },
        },
        "rxInfo": {
            "gatewayId": format!("{:016x}", uplink.eui),
            "uplinkId": uplink.id(),
            "gwTime": offer.heard.to_string(),
            "rssi": i64::from(offer.rssi_ddbm).div_euclid(10),
            "snr": f64::from(offer.snr_ddb) / 10.0,
            "context": encode(&uplink.counter_us().to_be_bytes()),
            "crcStatus": "CRC_OK",
        },
    })
}

/// `state/conn`.
pub fn connection(eui: u64, online: bool) -> Value {
    json!({ "gatewayId": format!("{eui:016x}"), "state": if online { "ONLINE" } else { "OFFLINE" } })
}

/// A downlink with all its tries, as PULL_RESP would say them.
#[derive(Clone, Debug, PartialEq)]
pub struct Downlink {
    pub id: u32,
    pub tries: Vec<Vec<u8>>,
    /// What became of those before.
    pub statuses: Vec<&'static str>,
}

/// Reads `command/down`.
pub fn down(bytes: &[u8]) -> Option<Downlink> {
    let said: Value = serde_json::from_slice(bytes).ok()?;
    let id = u32::try_from(said.get("downlinkId").map_or(Some(0), Value::as_u64)?).ok()?;
    let items = said.get("items")?.as_array()?;
    let tries: Option<Vec<_>> = items.iter().take(ITEMS_MAX).map(txpk).collect();
    let tries = tries.filter(|tries| !tries.is_empty())?;
    Some(Downlink {
        id,
        tries,
        statuses: Vec::new(),
    })
}

fn txpk(item: &Value) -> Option<Vec<u8>> {
    let info = item.get("txInfo")?;
    let lora = info.get("modulation")?.get("lora")?;
    let number = |of: &Value, name: &str| of.get(name).map_or(Some(0), Value::as_i64);
    let frame = base64(item.get("phyPayload")?.as_str()?)?;
    let khz = number(lora, "bandwidth")? / 1_000;
    let mut txpk = json!({
        "freq": number(info, "frequency")? as f64 / 1e6, "rfch": 0, "powe": number(info, "power")?, "modu": "LORA",
        "datr": format!("SF{}BW{khz}", number(lora, "spreadingFactor")?), "codr": code_rate(lora.get("codeRate")),
        "ipol": lora.get("polarizationInversion").and_then(Value::as_bool).unwrap_or(false),
        "size": frame.len(), "data": encode(&frame), "ncrc": true, "imme": false,
    });
    let timing = info.get("timing")?;
    let context = || base64(item.get("context").or_else(|| info.get("context"))?.as_str()?);
    if timing.get("immediately").is_some() {
        txpk["imme"] = json!(true);
    } else if let Some(delay) = timing.get("delay") {
        let context: [u8; 4] = context()?.try_into().ok()?;
        let delay_us = microseconds(delay.get("delay").map_or(Some("0s"), Value::as_str)?)?;
        let counter = u32::from_be_bytes(context).wrapping_add(delay_us as u32);
        txpk["tmst"] = json!(counter);
    } else {
        let since = timing.get("gpsEpoch")?.get("timeSinceGpsEpoch")?.as_str()?;
        txpk["tmms"] = json!(microseconds(since)? / 1_000);
    }
    Some(json!({ "txpk": txpk }).to_string().into_bytes())
}

fn code_rate(said: Option<&Value>) -> &'static str {
    match said.and_then(Value::as_str) {
        Some("CR_4_6") => "4/6",
        Some("CR_4_7") => "4/7",
        Some("CR_4_8") => "4/8",
        _ => "4/5",
    }
}

/// A length of time as protobuf writes it in JSON: `1.5s`.
fn microseconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text
        .strip_suffix('s')?
        .split_once('.')
        .unwrap_or((text.strip_suffix('s')?, ""));
    let digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let micro: u64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(micro)
}

/// `event/ack`: what became of each try.
pub fn ack(eui: u64, downlink: &Downlink) -> Value {
    let given = downlink.statuses.iter().copied();
    let all = given
        .chain(std::iter::repeat("IGNORED"))
        .take(downlink.statuses.len() + downlink.tries.len());
    let items: Vec<Value> = all.map(|status| json!({ "status": status })).collect();
    json!({ "gatewayId": format!("{eui:016x}"), "downlinkId": downlink.id, "items": items })
}

/// ChirpStack's word for what became of a try.
pub fn status(error: &str) -> &'static str {
    const KNOWN: [&str; 9] = [
        "TOO_LATE",
        "TOO_EARLY",
        "COLLISION_PACKET",
        "COLLISION_BEACON",
        "TX_FREQ",
        "TX_POWER",
        "GPS_UNLOCKED",
        "QUEUE_FULL",
        "DUTY_CYCLE_OVERFLOW",
    ];
    match KNOWN.iter().find(|known| **known == error) {
        Some(known) => known,
        None if error.is_empty() => "OK",
        None => "INTERNAL_ERROR",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let read = |json: &[u8]| cairn_agent::gwmp::packet::downlink(json).unwrap();
        let first = read(&downlink.tries[0]);
        assert_eq!(first.when, cairn_agent::gwmp::packet::When::Counter(6_000_000));
        assert_eq!(
            (first.frequency_hz, first.power_ddbm, first.bytes),
            (868_100_000, 160, 3)
        );
        let second = read(&downlink.tries[1]);
        assert_eq!(second.when, cairn_agent::gwmp::packet::When::Counter(7_500_000));
        downlink.statuses = vec![status("TOO_LATE")];
        downlink.tries.remove(0);
        let told = ack(5, &downlink);
        assert_eq!(
            told["items"],
            json!([{ "status": "TOO_LATE" }, { "status": "IGNORED" }])
        );
        assert_eq!(told["gatewayId"], "0000000000000005");
    }

    #[test]
    fn other_timings_and_nonsense() {
        let said = |timing: Value| {
            json!({ "downlinkId": 7, "items": [{ "phyPayload": "IBAR", "txInfo": { "frequency": 868_100_000, "power": 14, "timing": timing,
                "modulation": { "lora": { "bandwidth": 125000, "spreadingFactor": 7 } } } }] })
            .to_string()
        };
        let first = |timing: Value| down(said(timing).as_bytes()).map(|downlink| downlink.tries[0].clone());
        let when = |timing| {
            cairn_agent::gwmp::packet::downlink(&first(timing).unwrap())
                .unwrap()
                .when
        };
        assert_eq!(
            when(json!({ "immediately": {} })),
            cairn_agent::gwmp::packet::When::Immediately
        );
        let gps = json!({ "gpsEpoch": { "timeSinceGpsEpoch": "12.25s" } });
        assert_eq!(when(gps), cairn_agent::gwmp::packet::When::Satellites);
        assert_eq!(first(json!({ "delay": { "delay": "1s" } })), None, "nothing it answers");
        for nothing in [
            "",
            "{}",
            "[]",
            r#"{"items":[]}"#,
            r#"{"items":[{}]}"#,
            r#"{"downlinkId":-1,"items":[]}"#,
        ] {
            assert_eq!(down(nothing.as_bytes()), None, "{nothing}");
        }
        for (text, us) in [
            ("1s", Some(1_000_000)),
            ("0.5s", Some(500_000)),
            ("1", None),
            ("-1s", None),
            ("1.1234567890s", None),
        ] {
            assert_eq!(microseconds(text), us, "{text}");
        }
        assert_eq!((status(""), status("SEND_LBT")), ("OK", "INTERNAL_ERROR"));
    }
}
