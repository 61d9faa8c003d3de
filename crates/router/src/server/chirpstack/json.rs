//! The messages as protobuf's JSON writes them: names in camel case, bytes in base 64, enumerations by name. Pure.

use super::{CodeRate, Downlink, ITEMS_MAX, Item, Modulation, Stats, Status, Timing, gateway};
use crate::server::Uplink;
use cairn_agent::gwmp::packet::encode;
use cairn_types::TimeMs;
use cairn_verticals::wireless::driver::frame::base64;
use serde_json::{Value, json};

fn bytes(value: Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

pub fn up(uplink: &Uplink) -> Vec<u8> {
    let offer = &uplink.offer;
    bytes(json!({
        "phyPayload": encode(&uplink.frame),
        "txInfo": {
            "frequency": offer.frequency_hz,
            "modulation": { "lora": {
                "bandwidth": offer.bandwidth_hz, "spreadingFactor": offer.spreading, "codeRate": "CR_4_5",
            } },
        },
        "rxInfo": {
            "gatewayId": gateway(uplink.eui),
            "uplinkId": uplink.id(),
            "gwTime": offer.heard.to_string(),
            "rssi": uplink.rssi_dbm(),
            "snr": f64::from(offer.snr_ddb) / 10.0,
            "context": encode(&uplink.counter_us().to_be_bytes()),
            "crcStatus": "CRC_OK",
        },
    }))
}

pub fn stats(eui: u64, time: TimeMs, stats: Stats) -> Vec<u8> {
    bytes(json!({
        "gatewayId": gateway(eui),
        "time": time.to_string(),
        "rxPacketsReceived": stats.received,
        "rxPacketsReceivedOk": stats.received,
        "txPacketsReceived": stats.asked,
        "txPacketsEmitted": stats.sent,
    }))
}

pub fn connection(eui: u64, online: bool) -> Vec<u8> {
    bytes(json!({ "gatewayId": gateway(eui), "state": if online { "ONLINE" } else { "OFFLINE" } }))
}

pub fn ack(eui: u64, downlink: &Downlink) -> Vec<u8> {
    let status = |status: Status| json!({ "status": status.name() });
    let items: Vec<Value> = downlink.all().into_iter().map(status).collect();
    bytes(json!({ "gatewayId": gateway(eui), "downlinkId": downlink.id, "items": items }))
}

pub fn down(bytes: &[u8]) -> Option<(u32, Vec<Item>)> {
    let said: Value = serde_json::from_slice(bytes).ok()?;
    let id = number(&said, "downlinkId")?;
    let items = said.get("items")?.as_array()?;
    let items: Option<Vec<_>> = items.iter().take(ITEMS_MAX).map(item).collect();
    Some((id, items?))
}

/// A number that is not written is zero.
fn number(of: &Value, name: &str) -> Option<u32> {
    u32::try_from(of.get(name).map_or(Some(0), Value::as_u64)?).ok()
}

fn item(item: &Value) -> Option<Item> {
    let info = item.get("txInfo")?;
    let context = item.get("context").or_else(|| info.get("context"));
    let power = info.get("power").map_or(Some(0), Value::as_i64)?;
    Some(Item {
        frame: base64(item.get("phyPayload")?.as_str()?)?,
        frequency_hz: number(info, "frequency")?,
        power_dbm: i32::try_from(power).ok()?,
        modulation: modulation(info.get("modulation")?)?,
        timing: timing(info.get("timing")?)?,
        context: context.map_or(Some(Vec::new()), |context| base64(context.as_str()?))?,
    })
}

fn modulation(said: &Value) -> Option<Modulation> {
    if let Some(fsk) = said.get("fsk") {
        return Some(Modulation::Fsk {
            deviation_hz: number(fsk, "frequencyDeviation")?,
            bits_a_second: number(fsk, "datarate")?,
        });
    }
    let lora = said.get("lora")?;
    Some(Modulation::Lora {
        bandwidth_hz: number(lora, "bandwidth")?,
        spreading: number(lora, "spreadingFactor")?,
        code_rate: CodeRate::named(lora.get("codeRate").and_then(Value::as_str).unwrap_or_default()),
        inverted: lora
            .get("polarizationInversion")
            .and_then(Value::as_bool)
            .unwrap_or(false),
    })
}

fn timing(said: &Value) -> Option<Timing> {
    if said.get("immediately").is_some() {
        return Some(Timing::Immediately);
    }
    if let Some(delay) = said.get("delay") {
        let text = delay.get("delay").map_or(Some("0s"), Value::as_str)?;
        return Some(Timing::Delay {
            us: microseconds(text)?,
        });
    }
    let since = said.get("gpsEpoch")?.get("timeSinceGpsEpoch")?.as_str()?;
    Some(Timing::GpsEpoch {
        us: microseconds(since)?,
    })
}

/// A length of time as protobuf writes it in JSON: `1.5s`.
fn microseconds(text: &str) -> Option<u64> {
    let text = text.strip_suffix('s')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || fraction.len() > 9 {
        return None;
    }
    let micro: u64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(micro)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (text, us) in [
            ("1s", Some(1_000_000)),
            ("0.5s", Some(500_000)),
            ("1.000250s", Some(1_000_250)),
            ("1", None),
            ("-1s", None),
            ("1.1234567890s", None),
            ("99999999999999999999s", None),
        ] {
            assert_eq!(microseconds(text), us, "{text}");
        }
    }
}
