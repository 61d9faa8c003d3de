//! The JSON in a packet forwarder's datagrams (Semtech's protocol, `PROTOCOL.TXT` of packet_forwarder, section 4) and the
//! notes an agent adds: beacons it sent, and what the station is. Fields it does not know are passed over.

use super::frame::{Header, base64, header};
use crate::kit::DriverError;
use crate::kit::decimal::scaled;
use crate::kit::json::{Text, plain};
use crate::wireless::region::{self, Region};
use crate::wireless::report::{Beacon, Heard, Source, Station, frame};
use cairn_types::{CellId, TimeMs};

/// The most packets of one message.
const PACKETS_MAX: usize = 256;

const SHAPE: DriverError = DriverError::Malformed("not the JSON of a packet forwarder");
const FIELD: DriverError = DriverError::Malformed("a field of a packet is not as a packet forwarder writes it");

/// What one message says was sent and heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub beacons: Vec<Beacon>,
    pub heard: Vec<Heard>,
}

/// Reads one message. Packets with a broken checksum, or of another modulation than LoRa, are left out. The region is
/// what the message's own `station` says, wherever that stands in it.
pub fn read(text: &str, region: &Region, now: TimeMs) -> Result<Said, DriverError> {
    let mut text = Text::new(text);
    let mut said = Said::default();
    text.members(|text, name| match name {
        "rxpk" => text.items(|text| {
            if said.heard.len() >= PACKETS_MAX {
                return Err(DriverError::TooLong);
            }
            said.heard.extend(packet(text, region, now)?);
            Ok(())
        }),
        "beacon" => {
            said.beacons.push(beacon(text, region, now)?);
            Ok(())
        }
        _ => text.value().map(drop),
    })?;
    if text.is_empty() { Ok(said) } else { Err(SHAPE) }
}

/// What a message says of the station, if it does.
pub fn station_of(text: &str) -> Result<Option<Station>, DriverError> {
    let (mut text, mut said) = (Text::new(text), None);
    text.members(|text, name| {
        if name == "station" {
            said = Some(station(text)?);
            return Ok(());
        }
        text.value().map(drop)
    })?;
    Ok(said)
}

/// A number of so many decimals, narrowed.
fn number<T: TryFrom<i64>>(value: &str, decimals: u8) -> Result<T, DriverError> {
    let value = plain(value)
        .and_then(|text| scaled(text, decimals, 1, 1))
        .ok_or(FIELD)?;
    T::try_from(value).map_err(|_| FIELD)
}

/// A time as the forwarder writes it: with whatever decimals of a second.
fn time(value: &str) -> Option<TimeMs> {
    let text = plain(value)?.trim_end_matches('Z');
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let ms: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let whole: TimeMs = seconds.parse().ok()?;
    Some(whole.plus_ms(ms))
}

/// A time in milliseconds since 1970, as an agent writes it.
fn milliseconds(value: &str) -> Result<TimeMs, DriverError> {
    number(value, 0).map(TimeMs)
}

fn cell(value: &str) -> Result<CellId, DriverError> {
    plain(value).and_then(|text| text.parse().ok()).ok_or(FIELD)
}

fn packet(text: &mut Text, region: &Region, now: TimeMs) -> Result<Option<Heard>, DriverError> {
    let mut heard = Heard {
        time: now,
        frame: 0,
        frequency_hz: 0,
        rate: 0,
        rssi_ddbm: 0,
        snr_ddb: 0,
        held_ms: 0,
        size: 0,
        source: None,
    };
    let (mut rate, mut whole, mut lora, mut data) = (None, true, true, None);
    let (mut name_of, mut size) = (None, 0);
    let (mut eui, mut told) = (
        None,
        Source {
            id: 0,
            counter: None,
            place: None,
            height_m: None,
            power_ddbm: None,
            range_m: None,
            taken: None,
        },
    );
    text.members(|text, name| {
        let value = text.value()?;
        match name {
            "time" => heard.time = time(value).unwrap_or(heard.time),
            "heard" => heard.time = milliseconds(value)?,
            "held" => heard.held_ms = number(value, 0)?,
            "freq" => heard.frequency_hz = number(value, 6)?,
            "datr" => rate = plain(value).and_then(|text| region.rate_of(text)),
            "modu" => lora = plain(value) == Some("LORA"),
            "stat" => whole = number::<i8>(value, 0)? == 1,
            "rssi" => heard.rssi_ddbm = number(value, 1)?,
            "lsnr" => heard.snr_ddb = number(value, 1)?,
            "data" => data = plain(value).and_then(base64),
            "frame" => name_of = plain(value).and_then(|text| u64::from_str_radix(text, 16).ok()),
            "size" => size = number(value, 0)?,
            "eui" => eui = plain(value).and_then(|text| u64::from_str_radix(text, 16).ok()),
            "fcnt" => told.counter = Some(number(value, 0)?),
            "cell" => told.place = Some(cell(value)?),
            "height" => told.height_m = Some(number(value, 0)?),
            "power" => told.power_ddbm = Some(number(value, 1)?),
            "range" => told.range_m = Some(number(value, 0)?),
            "taken" => told.taken = Some(milliseconds(value)?),
            _ => {}
        }
        Ok(())
    })?;
    if !whole || !lora {
        return Ok(None);
    }
    heard.rate = rate.ok_or(DriverError::Malformed("no data rate of the region"))?;
    // Whoever keeps the bytes to itself names the frame.
    let (name, size, sender) = match data {
        Some(data) => {
            let sender = match header(&data) {
                Header::Data { address, counter, .. } => Some((u64::from(address), Some(u32::from(counter)))),
                Header::Join { dev_eui, .. } => Some((dev_eui, None)),
                Header::Other => None,
            };
            (frame(&data), u16::try_from(data.len()).map_err(|_| FIELD)?, sender)
        }
        None => (name_of.ok_or(FIELD)?, size, None),
    };
    (heard.frame, heard.size) = (name, size);
    let sender = eui.map(|eui| (eui, sender.and_then(|(_, counter)| counter))).or(sender);
    heard.source = sender.map(|(id, counter)| Source {
        id,
        counter: told.counter.or(counter),
        ..told
    });
    Ok(Some(heard))
}

fn beacon(text: &mut Text, region: &Region, now: TimeMs) -> Result<Beacon, DriverError> {
    let mut beacon = Beacon {
        time: now,
        nonce: 0,
        frequency_hz: 0,
        rate: u8::MAX,
        power_ddbm: 0,
    };
    text.members(|text, name| {
        let value = text.value()?;
        match name {
            "time" => beacon.time = milliseconds(value)?,
            "nonce" => beacon.nonce = plain(value).and_then(|text| text.parse().ok()).ok_or(FIELD)?,
            "freq" => beacon.frequency_hz = number(value, 6)?,
            "datr" => beacon.rate = plain(value).and_then(|text| region.rate_of(text)).ok_or(FIELD)?,
            "power" => beacon.power_ddbm = number(value, 1)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(beacon)
}

fn station(text: &mut Text) -> Result<Station, DriverError> {
    let mut station = Station::default();
    text.members(|text, name| {
        let value = text.value()?;
        match name {
            "region" => {
                let name = plain(value).ok_or(FIELD)?;
                station.region =
                    region::number(name).ok_or_else(|| DriverError::Unknown(name.chars().take(32).collect()))?;
            }
            "cell" => station.place = Some(cell(value)?),
            "height" => station.height_m = Some(number(value, 0)?),
            "gain" => station.gain_ddbi = Some(number(value, 1)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(station)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: TimeMs = TimeMs(1_672_867_882_173);

    #[test]
    fn a_forwarders_packet_is_a_reception() {
        let message = r#"{"rxpk":[
            {"tmst":3512348611,"chan":2,"rfch":0,"freq":866.349812,"stat":1,"modu":"LORA","datr":"SF7BW125","codr":"4/6",
             "rssi":-35,"lsnr":5.1,"size":36,"time":"2013-03-31T16:21:17.528002Z",
             "data":"gAcAAEiARwAFFNS7MsysVH1JfcuHWg6BlMPSEMlrB7bcNfUe"},
            {"freq":868.1,"stat":-1,"datr":"SF7BW125","rssi":-35,"data":""},
            {"freq":868.1,"modu":"FSK","stat":1,"datr":50000,"rssi":-35,"data":""}],
            "stat":{"rxnb":2}}"#;
        let said = read(message, &region::REGIONS[0], NOW).expect("a message");
        let heard = said.heard[0];
        assert_eq!(said.heard.len(), 1);
        assert_eq!(heard.time, "2013-03-31T16:21:17.528Z".parse().expect("a time"));
        assert_eq!((heard.frequency_hz, heard.rate, heard.size), (866_349_812, 5, 36));
        assert_eq!((heard.rssi_ddbm, heard.snr_ddb), (-350, 51));
        let source = heard.source.expect("a data frame");
        assert_eq!((source.id, source.counter), (0x4800_0007, Some(71)));
    }

    #[test]
    fn rates_are_those_of_the_region_the_station_is_in() {
        let packet = r#""rxpk":[{"freq":903.9,"datr":"SF10BW125","stat":1,"rssi":-118,"lsnr":-3.5,"data":"AA=="}]"#;
        for (station, rate) in [("", 2), (r#""station":{"region":"US915"},"#, 0)] {
            let message = format!("{{{packet},{station}\"stat\":{{}}}}");
            let said = station_of(&message).expect("a message").unwrap_or_default();
            let said = read(&message, &region::REGIONS[usize::from(said.region)], NOW).expect("a message");
            assert_eq!(said.heard[0].rate, rate, "{station}");
        }
    }

    #[test]
    fn what_the_customer_tells_is_taken_along() {
        let message = r#"{"rxpk":[{"heard":5,"held":7,"freq":868.1,"datr":"SF12BW125","stat":1,"rssi":-118,"lsnr":-17.5,
            "eui":"a81758fffe04b1c1","fcnt":65607,"cell":"881969c9b7fffff","height":310,"range":12749,"taken":99,
            "data":"gAcAAEiARwAFFNS7MsysVH1JfcuHWg6BlMPSEMlrB7bcNfUe"}]}"#;
        let heard = read(message, &region::REGIONS[0], NOW).expect("a message").heard[0];
        let source = heard.source.expect("a data frame");
        assert_eq!(
            (heard.time, heard.held_ms, source.taken),
            (TimeMs(5), 7, Some(TimeMs(99)))
        );
        assert_eq!(
            (source.id, source.counter, source.range_m, source.height_m),
            (0xa817_58ff_fe04_b1c1, Some(65_607), Some(12_749), Some(310))
        );
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for message in [
            "",
            "[]",
            r#"{"rxpk":{}}"#,
            r#"{"rxpk":[{"freq":868.1,"datr":"SF7BW125"}]}"#,
            r#"{"rxpk":[{"freq":868.1,"datr":"SF7BW1","data":"AA=="}]}"#,
            r#"{"beacon":{"datr":"x"}}"#,
            r#"{"station":{"region":"MOON"}}"#,
            r#"{"stat":{}} x"#,
        ] {
            let refused = station_of(message).and_then(|_| read(message, &region::REGIONS[0], NOW));
            assert!(refused.is_err(), "{message}");
        }
        let said = read(r#"{"stat":{"rxnb":0}}"#, &region::REGIONS[0], NOW);
        assert_eq!(said, Ok(Said::default()));
    }
}
