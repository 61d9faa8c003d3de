//! What a port's message is that tells of a station, its beacons and what it heard: the other way round of reading one. For made
//! and recorded hotspots; a real one's messages come from its packet forwarder.

use super::frame::to_base64;
use crate::kit::decimal::text;
use crate::wireless::region::{self, Rate};
use crate::wireless::report::{Beacon, Body, Heard, Station};

/// A member of an object that is left out where nothing is known.
fn member(object: &mut String, name: &str, value: Option<impl ToString>) {
    if let Some(value) = value {
        let comma = if object.is_empty() { "" } else { "," };
        object.push_str(&format!(r#"{comma}"{name}":{}"#, value.to_string()));
    }
}

fn quoted(text: impl ToString) -> String {
    format!(r#""{}""#, text.to_string())
}

fn tenths(value: i16) -> String {
    text(value.into(), 1)
}

fn rate_of(station: &Station, rate: u8) -> String {
    let rate = region::by_number(station.region).and_then(|region| region.rate(rate));
    quoted(rate.map_or(String::new(), Rate::text))
}

/// The message of a whole body; frames stand in it by their names.
pub fn message(body: &Body) -> String {
    let heard: Vec<String> = body
        .heard
        .iter()
        .map(|heard| packet(&body.station, heard, None))
        .collect();
    let beacons = body.beacons.iter().map(|beacon| sent(&body.station, beacon));
    let beacons: String = beacons.map(|beacon| format!(r#""beacon":{{{beacon}}},"#)).collect();
    format!(
        r#"{{{beacons}"station":{{{}}},"rxpk":[{}]}}"#,
        station(&body.station),
        heard.join(",")
    )
}

/// The message of one reception, with the bytes that were heard.
pub fn reception(of: &Station, heard: &Heard, data: &[u8]) -> String {
    format!(
        r#"{{"station":{{{}}},"rxpk":[{}]}}"#,
        station(of),
        packet(of, heard, Some(data))
    )
}

fn station(station: &Station) -> String {
    let mut object = String::new();
    member(
        &mut object,
        "region",
        region::by_number(station.region).map(|region| quoted(region.name)),
    );
    member(&mut object, "cell", station.place.map(quoted));
    member(&mut object, "height", station.height_m);
    member(&mut object, "gain", station.gain_ddbi.map(tenths));
    object
}

fn sent(station: &Station, beacon: &Beacon) -> String {
    let mut object = String::new();
    member(&mut object, "time", Some(beacon.time.0));
    member(&mut object, "nonce", Some(beacon.nonce));
    member(&mut object, "freq", Some(text(beacon.frequency_hz.into(), 6)));
    member(&mut object, "datr", Some(rate_of(station, beacon.rate)));
    member(&mut object, "power", Some(tenths(beacon.power_ddbm)));
    object
}

fn packet(station: &Station, heard: &Heard, data: Option<&[u8]>) -> String {
    let mut object = String::new();
    member(&mut object, "heard", Some(heard.time.0));
    member(&mut object, "held", Some(heard.held_ms));
    member(&mut object, "freq", Some(text(heard.frequency_hz.into(), 6)));
    member(&mut object, "datr", Some(rate_of(station, heard.rate)));
    member(&mut object, "rssi", Some(tenths(heard.rssi_ddbm)));
    member(&mut object, "lsnr", Some(tenths(heard.snr_ddb)));
    if data.is_none() {
        member(&mut object, "frame", Some(quoted(format!("{:016x}", heard.frame))));
        member(&mut object, "size", Some(heard.size));
    }
    member(&mut object, "data", data.map(|data| quoted(to_base64(data))));
    if let Some(source) = heard.source {
        member(&mut object, "eui", Some(quoted(format!("{:016x}", source.id))));
        member(&mut object, "fcnt", source.counter);
        member(&mut object, "cell", source.place.map(quoted));
        member(&mut object, "height", source.height_m);
        member(&mut object, "power", source.power_ddbm.map(tenths));
        member(&mut object, "range", source.range_m);
        member(&mut object, "taken", source.taken.map(|taken| taken.0));
    }
    format!("{{{object}}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::{Cast as _, Driver as _};
    use crate::wireless::cast::town;
    use crate::wireless::driver::HotspotDriver;
    use cairn_types::{EpochClock, EpochNumber, TimeMs};

    #[test]
    fn what_a_whole_town_says_reads_back_from_messages() {
        let clock = EpochClock {
            genesis: TimeMs(1_500_076_800_000),
            epoch_ms: 3_600_000,
        };
        let (town, hour) = (town(7, 12, true, 8), EpochNumber(4));
        for device in 0..town.devices().len() {
            let Some(body) = town.says(device, hour, &clock, &[3; 32]) else {
                continue;
            };
            let mut driver = HotspotDriver::new(clock, 5);
            driver
                .push(message(&body).as_bytes(), TimeMs(clock.end(hour).0 - 1))
                .expect("a message");
            let packs = driver.packs(TimeMs(u64::MAX));
            assert_eq!(Body::decode(&packs[0].body), Ok(body));
        }
    }
}
