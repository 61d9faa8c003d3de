//! Recorded receptions, a frame a line, as two network servers log them: Helium's console integration (`hotspots`) and
//! ChirpStack's (`rxInfo`, of versions 3 and 4). Each receiver becomes a reception as its own agent would have reported it. It
//! opens no file.

use super::frame::base64;
use super::note;
use crate::kit::DriverError;
use crate::kit::challenge::first;
use crate::kit::decimal::scaled;
use crate::kit::json::{Text, plain};
use crate::kit::place::{Place, Point, radius_m};
use crate::wireless::params::Params;
use crate::wireless::region::{self, REGIONS};
use crate::wireless::report::{self, Heard, Source, Station};
use cairn_types::{CellId, EpochClock, EpochNumber, TimeMs, hash};

const SHAPE: DriverError = DriverError::Malformed("not a line of recorded receptions");

/// How long a frame takes from a receiver to the server where nothing is said of it, in milliseconds.
const ON_THE_WAY_MS: u64 = 230;

/// One receiver's reception of one frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The receiver's name.
    pub receiver: String,
    pub place: Option<Place>,
    pub height_m: Option<i16>,
    pub region: u8,
    /// The frame's bytes; where the line has them not, a stand-in that is the same for the same frame.
    pub data: Vec<u8>,
    pub frame: u64,
    /// The sender's name, and that as a number; its counter, place and height.
    pub sender_name: String,
    pub sender: u64,
    pub counter: Option<u32>,
    pub sender_place: Option<Place>,
    pub sender_height_m: Option<i16>,
    /// How far away the sender was, where the line says so.
    pub range_m: Option<u32>,
    pub heard: TimeMs,
    pub held_ms: u64,
    /// When the server had it.
    pub taken: TimeMs,
    pub frequency_hz: u32,
    pub rate: u8,
    pub rssi_ddbm: i16,
    pub snr_ddb: i16,
}

/// A line's receptions, and how many of its receivers say too little to be one.
pub type Line = (Vec<Recorded>, usize);

/// A receiver whose clock is further off than this was never told the time: it has none.
const NO_CLOCK_MS: u64 = 180 * 86_400_000;

/// The longest payload of a frame.
const PAYLOAD_MAX: usize = 242;

/// So many of the first places a receiver says decide where it is registered.
const FIRST_PLACES: usize = 9;

impl Recorded {
    /// The reception as the receiver's own agent reports it; `cell` knows cells of places.
    pub fn reception(&self, cell: impl Fn(Place) -> CellId) -> Heard {
        Heard {
            time: self.heard,
            frame: self.frame,
            frequency_hz: self.frequency_hz,
            rate: self.rate,
            rssi_ddbm: self.rssi_ddbm,
            snr_ddb: self.snr_ddb,
            held_ms: self.held_ms,
            size: u16::try_from(self.data.len()).unwrap_or(u16::MAX),
            source: Some(Source {
                id: self.sender,
                counter: self.counter,
                place: self.sender_place.map(cell),
                height_m: self.sender_height_m,
                power_ddbm: None,
                range_m: self.range_m,
                taken: Some(self.taken),
            }),
        }
    }

    /// What the receiver says of itself.
    pub fn station(&self, cell: impl Fn(Place) -> CellId) -> Station {
        Station {
            region: self.region,
            place: self.place.map(cell),
            height_m: self.height_m,
            gain_ddbi: None,
        }
    }

    /// The place that was said, and whether the distance to the sender fits it, as far as cells tell.
    pub fn said(&self, cell: impl Fn(Place) -> CellId) -> Option<Said> {
        let own = cell(self.place?);
        let fits = self.sender_place.zip(self.range_m).map(|(sender, range)| {
            let sender = cell(sender);
            let metres = Point::of(own).metres_to(Point::of(sender));
            metres.abs_diff(range.into()) <= radius_m(own) + radius_m(sender) + u64::from(Params::default().place_off_m)
        });
        Some((own, fits))
    }

    /// What the receiver's packet forwarder, and the customer who took the frame, tell the receiver's agent.
    pub fn message(&self, cell: impl Fn(Place) -> CellId) -> String {
        note::reception(&self.station(&cell), &self.reception(&cell), &self.data)
    }

    /// The epoch it is reported in: that in which it was heard, unless the receiver's clock is so far off that it reports to
    /// another than everybody is in.
    pub fn epoch(&self, clock: &EpochClock) -> Option<EpochNumber> {
        let arrived = TimeMs(self.taken.0.saturating_sub(self.held_ms));
        let off = arrived.since_ms(self.heard).max(self.heard.since_ms(arrived));
        clock.epoch_of(if off > clock.epoch_ms / 4 { arrived } else { self.heard })
    }
}

/// A place that a receiver said, and whether it fits how far away it said its sender was, where it did.
pub type Said = (CellId, Option<bool>);

/// Where a receiver is registered that says these places one after another: the earliest of the first that it says again, else
/// the very first. Places that measured distances contradict are passed over, unless they contradict all.
pub fn registered(places: &[Said]) -> Option<CellId> {
    let of = |wanted: fn(&Said) -> bool| {
        places
            .iter()
            .copied()
            .filter(wanted)
            .take(FIRST_PLACES)
            .collect::<Vec<_>>()
    };
    let mut first = of(|(_, fits)| *fits != Some(false));
    if first.is_empty() {
        first = of(|_| true);
    }
    let again = first
        .iter()
        .enumerate()
        .find(|(at, place)| first[at + 1..].iter().any(|other| other.0 == place.0));
    again.map(|(_, place)| place).or(first.first()).map(|(cell, _)| *cell)
}

/// What a line says once for all its receivers.
#[derive(Default)]
struct About<'a> {
    sender: &'a str,
    address: &'a str,
    counter: Option<u32>,
    port: &'a str,
    raw: &'a str,
    payload: &'a str,
    decoded: &'a str,
    /// As the server dates it: in milliseconds, or as text.
    taken: Option<TimeMs>,
    dated: Option<TimeMs>,
    reported: Option<TimeMs>,
    place: Option<Place>,
    height_m: Option<i16>,
    frequency_hz: Option<u32>,
    rate: Option<u8>,
    modulation: Modulation,
    size: Option<usize>,
}

/// A LoRa modulation that is said piece by piece.
#[derive(Clone, Copy, Default)]
struct Modulation {
    spreading: Option<u8>,
    bandwidth_hz: Option<u32>,
}

/// What a line says of one receiver.
#[derive(Default)]
struct Receiver<'a> {
    name: &'a str,
    place: Spot,
    frequency_hz: Option<u32>,
    spreading: &'a str,
    rssi_ddbm: Option<i16>,
    snr_ddb: Option<i16>,
    /// By the receiver's clock.
    heard: Option<TimeMs>,
    /// When the receiver's network had it.
    reported: Option<TimeMs>,
    held_ms: u64,
    range_m: Option<u32>,
    sender_height_m: Option<i16>,
}

/// A place that is said piece by piece.
#[derive(Clone, Copy, Default)]
struct Spot {
    latitude: Option<i32>,
    longitude: Option<i32>,
    height_m: Option<i16>,
}

impl Spot {
    fn place(self) -> Option<Place> {
        let (latitude, longitude) = (self.latitude?, self.longitude?);
        // A receiver that was never told where it stands is logged at a pole.
        let on_earth = latitude.abs() < 89_990_000 && longitude.abs() <= 180_000_000;
        on_earth.then_some(Place { latitude, longitude })
    }

    fn take(&mut self, name: &str, value: &str) {
        match name {
            "latitude" | "lat" => self.latitude = number(value, 6),
            "longitude" | "long" | "lng" | "lon" => self.longitude = number(value, 6),
            "altitude" => self.height_m = number(value, 0),
            _ => {}
        }
    }
}

/// A number of so many decimals; floats that a program printed in full are cut first.
fn number<T: TryFrom<i64>>(value: &str, decimals: u8) -> Option<T> {
    let text = plain(value)?;
    let text = match text.split_once('.') {
        Some((whole, fraction)) if fraction.len() > 9 && !fraction.contains(['e', 'E']) => {
            text.get(..whole.len() + 10).unwrap_or(text)
        }
        _ => text,
    };
    T::try_from(scaled(text, decimals, 1, 1)?).ok()
}

fn spot(value: &str) -> Result<Spot, DriverError> {
    let mut spot = Spot::default();
    if value.starts_with('{') {
        Text::new(value).members(|text, name| {
            spot.take(name, text.value()?);
            Ok(())
        })?;
    }
    Ok(spot)
}

/// The receptions of one line; none of a line that tells of no frame. Fields it does not know, in whatever order, are passed over.
pub fn read(line: &str) -> Result<Line, DriverError> {
    let mut about = About::default();
    let mut receivers = Vec::new();
    let mut text = Text::new(line);
    text.members(|text, name| {
        let value = text.value()?;
        match name {
            "dev_eui" | "devEUI" | "devEui" => about.sender = plain(value).unwrap_or(""),
            "devaddr" | "devAddr" => about.address = plain(value).unwrap_or(""),
            "fcnt" | "fCnt" => about.counter = number(value, 0),
            "port" | "fPort" => about.port = value,
            "raw_packet" => about.raw = plain(value).unwrap_or(""),
            "payload" | "data" => about.payload = value,
            "decoded" | "object" => about.decoded = value,
            "payload_size" => about.size = number::<u16>(value, 0).map(usize::from),
            "dr" => about.rate = number(value, 0),
            "_timestamp" => about.taken = number(value, 0).map(TimeMs),
            "_date" | "time" => about.dated = plain(value).and_then(time),
            "reported_at" => about.reported = number(value, 0).map(TimeMs),
            "_devLocation" => (about.place, about.height_m) = spot(value).map(|spot| (spot.place(), spot.height_m))?,
            "deviceInfo" if value.starts_with('{') => Text::new(value).members(|text, name| {
                let value = text.value()?;
                if matches!(name, "devEui" | "devEUI") {
                    about.sender = plain(value).unwrap_or("");
                }
                Ok(())
            })?,
            "txInfo" if value.starts_with('{') => sent(value, &mut about)?,
            "hotspots" | "rxInfo" if value.starts_with('[') => Text::new(value).items(|text| {
                receivers.push(receiver(text)?);
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    if !text.is_empty() {
        return Err(SHAPE);
    }
    let data = data(&about);
    let heard: Vec<Recorded> = receivers
        .iter()
        .filter_map(|receiver| recorded(&about, &data, receiver))
        .collect();
    let unread = receivers.len() - heard.len();
    Ok((heard, unread))
}

/// What a server says of how a frame was sent.
fn sent<'a>(value: &'a str, about: &mut About<'a>) -> Result<(), DriverError> {
    Text::new(value).members(|text, name| {
        let value = text.value()?;
        match name {
            "frequency" => about.frequency_hz = hertz(value),
            "dr" => about.rate = number(value, 0),
            "modulation" | "lora" | "loRaModulationInfo" if value.starts_with('{') => sent(value, about)?,
            "spreadingFactor" => about.modulation.spreading = number(value, 0),
            "bandwidth" => {
                // In hertz, or in kilohertz.
                let said = number::<u32>(value, 0);
                about.modulation.bandwidth_hz = said.map(|said| if said < 10_000 { said * 1_000 } else { said });
            }
            _ => {}
        }
        Ok(())
    })
}

/// A frequency in hertz, or in megahertz.
fn hertz(value: &str) -> Option<u32> {
    match number::<u32>(value, 6) {
        Some(hertz) => Some(hertz),
        None => number(value, 0),
    }
}

/// A time of day and date, with whatever decimals of a second, and without or with an offset of none.
fn time(text: &str) -> Option<TimeMs> {
    let text = text.strip_suffix("+00:00").unwrap_or(text).trim_end_matches('Z');
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let ms: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    let whole: TimeMs = format!("{seconds}Z").parse().ok()?;
    Some(whole.plus_ms(ms))
}

/// A sender's name as a number, in whatever case it is written.
fn sender(name: &str) -> u64 {
    first(&hash::sha256(name.to_ascii_lowercase().as_bytes()).0)
}

/// Where senders stand, as a file beside the records says: an object of names, each with latitude, longitude, altitude.
pub fn senders(text: &str) -> Result<Vec<(u64, Place, Option<i16>)>, DriverError> {
    let mut senders = Vec::new();
    Text::new(text).members(|text, name| {
        let spot = spot(text.value()?)?;
        senders.extend(spot.place().map(|place| (sender(name), place, spot.height_m)));
        Ok(())
    })?;
    Ok(senders)
}

/// What was sent: the bytes where the line has them, else a frame made of all that it says of them.
fn data(about: &About) -> Vec<u8> {
    if let Some(raw) = base64(about.raw).filter(|raw| !raw.is_empty()) {
        return raw;
    }
    let counter = about.counter.unwrap_or(0).to_be_bytes();
    let said: [&[u8]; 6] = [
        about.sender.as_bytes(),
        about.address.as_bytes(),
        &counter,
        about.port.as_bytes(),
        about.payload.as_bytes(),
        about.decoded.as_bytes(),
    ];
    let all = hash::domain("cairn/wireless/recorded/1", &said);
    let address = u32::from_str_radix(about.address, 16).unwrap_or_else(|_| sender(about.sender) as u32 >> 7);
    let payload = plain(about.payload).unwrap_or("");
    let is_hex = payload.len().is_multiple_of(2) && payload.bytes().all(|byte| byte.is_ascii_hexdigit());
    let size = about.size.unwrap_or(if is_hex {
        payload.len() / 2
    } else {
        payload.len() * 3 / 4
    });
    // An unconfirmed uplink: header, address, no options, counter, port, payload, code of integrity.
    let mut data = vec![0x40];
    data.extend(address.to_le_bytes());
    data.push(0);
    data.extend(&counter[2..].iter().rev().copied().collect::<Vec<u8>>());
    data.push(number(about.port, 0).unwrap_or(1));
    data.extend(all.0.iter().cycle().take(size.min(PAYLOAD_MAX)));
    data.extend(&all.0[28..]);
    data
}

fn receiver<'a>(text: &mut Text<'a>) -> Result<Receiver<'a>, DriverError> {
    let mut receiver = Receiver::default();
    text.members(|text, name| {
        let value = text.value()?;
        match name {
            "id" | "gatewayID" | "gatewayId" => receiver.name = plain(value).unwrap_or(""),
            "lat" | "long" | "lng" | "lon" => receiver.place.take(name, value),
            "location" if value.starts_with('{') => receiver.place = spot(value)?,
            "frequency" => receiver.frequency_hz = hertz(value),
            "spreading" => receiver.spreading = plain(value).unwrap_or(""),
            "rssi" => receiver.rssi_ddbm = number(value, 1),
            "snr" | "loRaSNR" => receiver.snr_ddb = number(value, 1),
            "hold_time" => receiver.held_ms = number(value, 0).unwrap_or(0),
            "reported_at" => receiver.reported = number(value, 0).map(TimeMs),
            "time" | "gwTime" => receiver.heard = plain(value).and_then(time),
            "_distance" if value.starts_with('{') => Text::new(value).members(|text, name| {
                let value = text.value()?;
                match name {
                    "_distanceHaversine" => receiver.range_m = number(value, 0),
                    "_distanceHorizon" => receiver.sender_height_m = number(value, 0).map(height_of_horizon),
                    _ => {}
                }
                Ok(())
            })?,
            _ => {}
        }
        Ok(())
    })?;
    Ok(receiver)
}

/// The height from which the horizon is so many metres away on a sphere without air: d² / 2R.
fn height_of_horizon(metres: u32) -> i16 {
    let height = u64::from(metres) * u64::from(metres) / (2 * crate::kit::place::EARTH_M);
    i16::try_from(height).unwrap_or(i16::MAX)
}

fn recorded(about: &About, data: &[u8], receiver: &Receiver) -> Option<Recorded> {
    let said = receiver
        .reported
        .map(|reported| TimeMs(reported.0.saturating_sub(receiver.held_ms)));
    let taken = about.taken.or(about.dated).or(about.reported).or(receiver.reported);
    let taken = taken.or(receiver.heard.map(|heard| heard.plus_ms(ON_THE_WAY_MS)))?;
    let heard = receiver.heard.or(said);
    let heard = heard.filter(|heard| heard.since_ms(taken).max(taken.since_ms(*heard)) <= NO_CLOCK_MS);
    let frequency_hz = receiver.frequency_hz.or(about.frequency_hz)?;
    let (region, rate) = radio(about, receiver, frequency_hz)?;
    if receiver.name.is_empty() || about.sender.is_empty() {
        return None;
    }
    Some(Recorded {
        receiver: receiver.name.to_owned(),
        place: receiver.place.place(),
        height_m: receiver.place.height_m,
        region,
        data: data.to_vec(),
        frame: report::frame(data),
        sender_name: about.sender.to_owned(),
        sender: sender(about.sender),
        counter: about.counter,
        sender_place: about.place,
        sender_height_m: about.height_m.or(receiver.sender_height_m),
        range_m: receiver.range_m,
        heard: heard.unwrap_or(TimeMs(taken.0.saturating_sub(ON_THE_WAY_MS))),
        held_ms: receiver.held_ms,
        taken,
        frequency_hz,
        rate,
        rssi_ddbm: receiver.rssi_ddbm?,
        // A server that leaves out what is nought leaves out such a ratio too.
        snr_ddb: receiver.snr_ddb.unwrap_or(0),
    })
}

/// Region and rate, by whichever name the line gives the rate; Europe's where only its number is known.
fn radio(about: &About, receiver: &Receiver, frequency_hz: u32) -> Option<(u8, u8)> {
    let Modulation {
        spreading,
        bandwidth_hz,
    } = about.modulation;
    let said = spreading.map(|spreading| region::Rate {
        spreading,
        bandwidth_hz: bandwidth_hz.unwrap_or(125_000),
    });
    let text = match (receiver.spreading, said) {
        ("", Some(rate)) => rate.text(),
        (text, _) if text.starts_with("SF") && !text.contains("BW") => format!("{text}BW125"),
        (text, _) => text.to_owned(),
    };
    let known = region::of(frequency_hz, &text).or_else(|| Some((0, REGIONS[0].rate_of(&text)?)));
    known.or_else(|| Some((0, about.rate?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELIUM: &str = r#"{"name":"X","dev_eui":"A817","devaddr":"07000048","fcnt":71,"port":5,"payload_size":23,"raw_packet":"gAcA",
        "hotspots":[{"frequency":868.2999877929688,"hold_time":7864,"id":"11xH","lat":45.18402099609375,"long":5.7073974609375,
        "name":"0e","reported_at":1672867882173,"rssi":-111,"snr":-3.799999952316284,"spreading":"SF12BW125","status":"success",
        "_distance":{"_distanceHaversine":2334,"_distanceHorizon":62883}}],"_timestamp":1672867882661,
        "_devLocation":{"name":"T","latitude":45.18402099609375,"longitude":5.7403564453125,"altitude":310}}"#;
    const CHIRPSTACK: &str = r#"{"deviceName":"Y","devEUI":"d1d1","rxInfo":[{"gatewayID":"10","location":{"latitude":45.195,
        "longitude":-5.7733,"altitude":220},"rssi":-120,"loRaSNR":-6.2,"_distance":{"_distanceHorizon":131217}},
        {"gatewayID":"d0","time":"2023-06-23T09:10:28.649Z","rssi":-112,"loRaSNR":-5}],"txInfo":{"frequency":868100000,"dr":5},
        "fCnt":1143,"fPort":3,"data":"50","_timestamp":1687511428896,"object":{"a":[1]}}"#;

    #[test]
    fn both_forms_give_receptions() {
        let (heard, _) = read(HELIUM).expect("a line");
        let one = &heard[0];
        assert_eq!((heard.len(), one.receiver.as_str(), one.counter), (1, "11xH", Some(71)));
        assert_eq!(
            (one.frequency_hz, one.rate, one.rssi_ddbm, one.snr_ddb),
            (868_299_988, 0, -1_110, -38)
        );
        assert_eq!(
            (one.heard, one.held_ms, one.taken),
            (TimeMs(1_672_867_874_309), 7_864, TimeMs(1_672_867_882_661))
        );
        assert_eq!(
            (one.range_m, one.sender_height_m, one.height_m),
            (Some(2_334), Some(310), None)
        );
        let place = Place {
            latitude: 45_184_021,
            longitude: 5_707_397,
        };
        assert_eq!(one.place, Some(place));

        let (heard, _) = read(CHIRPSTACK).expect("a line");
        assert_eq!(heard.len(), 2);
        assert_eq!((heard[0].frame, heard[0].taken), (heard[1].frame, heard[1].taken));
        assert_eq!(heard[0].heard, TimeMs(1_687_511_428_666), "no clock of its own");
        assert_eq!(heard[1].heard, TimeMs(1_687_511_428_649));
        assert_eq!(
            (heard[0].height_m, heard[0].rate, heard[0].sender_height_m),
            (Some(220), 5, Some(1_351))
        );
        assert_eq!(heard[0].place.map(|place| place.longitude), Some(-5_773_300));
    }

    #[test]
    fn a_receiver_is_registered_where_it_said_at_first_and_again_that_it_was() {
        let cell = |text: &str| text.parse::<CellId>().expect("a cell");
        let (here, there) = (cell("881969c9b7fffff"), cell("881969c9b1fffff"));
        let (fits, lies) = ((here, Some(true)), (there, Some(false)));
        let (here, there) = ((here, None), (there, None));
        for (places, place) in [
            (vec![], None),
            (vec![here, there], Some(here)),
            (vec![there, here, here], Some(here)),
            ([vec![here; 2], vec![there; 7]].concat(), Some(here)),
            ([vec![here; 9], vec![there; 90]].concat(), Some(here)),
            ([vec![lies; 90], vec![fits]].concat(), Some(here)),
            (vec![lies, lies], Some(there)),
        ] {
            let place = place.map(|(cell, _)| cell);
            assert_eq!(registered(&places), place);
        }
    }

    #[test]
    fn a_receiver_whose_clock_is_far_off_reports_to_the_epoch_everybody_is_in() {
        let clock = EpochClock {
            genesis: TimeMs(0),
            epoch_ms: 3_600_000,
        };
        let mut one = read(HELIUM).expect("a line").0.remove(0);
        let now = one.taken.0 / 3_600_000;
        for (heard, epoch) in [
            (one.heard, now),
            (TimeMs(one.heard.0 - 800_000_000), now),
            (TimeMs(now * 3_600_000 - 1), now - 1),
        ] {
            (one.heard, one.held_ms) = (heard, 0);
            one.taken = if epoch == now { one.taken } else { TimeMs(heard.0 + 2) };
            assert_eq!(one.epoch(&clock), Some(EpochNumber(epoch)));
        }
    }

    #[test]
    fn a_clock_that_was_never_set_is_none() {
        let heard = |time: &str| {
            read(&CHIRPSTACK.replace("2023-06-23T09:10:28.649Z", time))
                .expect("a line")
                .0[1]
                .heard
        };
        assert_eq!(
            heard("2021-05-18T09:10:28.649Z"),
            TimeMs(1_687_511_428_896 - ON_THE_WAY_MS)
        );
        assert_eq!(heard("2023-05-18T09:10:28.649Z"), TimeMs(1_684_401_028_649));
    }

    #[test]
    fn senders_are_known_by_name() {
        let text =
            r#"{"D1D1": {"name": "Y", "latitude": 45.2, "longitude": 5.7, "altitude": 1340}, "x": {"name": "?"}}"#;
        let place = Place {
            latitude: 45_200_000,
            longitude: 5_700_000,
        };
        let (heard, _) = read(CHIRPSTACK).expect("a line");
        assert_eq!(senders(text), Ok(vec![(heard[0].sender, place, Some(1_340))]));
    }

    /// As ChirpStack 4 logs it: other names, and what is nought left out.
    const CHIRPSTACK_4: &str = r#"{"time":"2024-06-23T09:10:28.896123+00:00","deviceInfo":{"devEui":"d1d1","tags":{}},"devAddr":"00189440",
        "dr":5,"fCnt":7,"fPort":3,"data":"AQI=","rxInfo":[{"gatewayId":"ab","gwTime":"2024-06-23T09:10:28.700+00:00","rssi":-48,
        "location":{"latitude":45.1,"longitude":5.7}}],"txInfo":{"frequency":868500000,"modulation":{"lora":{"bandwidth":125000,
        "spreadingFactor":7,"codeRate":"CR_4_5"}}}}"#;

    #[test]
    fn fields_may_be_called_otherwise_or_be_missing() {
        let (heard, unread) = read(CHIRPSTACK_4).expect("a line");
        let one = &heard[0];
        assert_eq!(
            (heard.len(), unread, one.rate, one.snr_ddb, one.data.len()),
            (1, 0, 5, 0, 16)
        );
        assert_eq!(one.taken.since_ms(one.heard), 196);
        assert_eq!(one.frequency_hz, 868_500_000);
        let american = HELIUM
            .replace("868.2999877929688", "903.9")
            .replace("SF12BW125", "SF10BW125");
        let one = read(&american).expect("a line").0.remove(0);
        assert_eq!((one.region, one.rate), (1, 0));
        for (line, heard) in [
            (HELIUM.replace(r#","_timestamp":1672867882661"#, ""), 1),
            (HELIUM.replace(r#""rssi":-111,"#, ""), 0),
            (HELIUM.replace("\"dev_eui\":\"A817\",", ""), 0),
            (HELIUM.replace("SF12BW125", "SF12"), 1),
            (HELIUM.replace("\"name\":\"0e\"", "\"location\":null"), 1),
            (
                CHIRPSTACK.replace(r#","location":{"latitude":45.195"#, r#","location":{"latitude":null"#),
                2,
            ),
        ] {
            let (read, unread) = read(&line).expect("a line");
            let all = line.matches("\"rssi\"").count().max(1);
            assert_eq!((read.len(), read.len() + unread), (heard, all), "{line}");
        }
    }

    #[test]
    fn a_receivers_agent_hears_the_same() {
        use crate::kit::Driver as _;
        use crate::wireless::driver::HotspotDriver;
        use crate::wireless::report::Body;
        let clock = EpochClock {
            genesis: TimeMs(0),
            epoch_ms: 3_600_000,
        };
        let nowhere: CellId = "881969c9b7fffff".parse().expect("a cell");
        for line in [HELIUM, CHIRPSTACK, CHIRPSTACK_4] {
            for one in read(line).expect("a line").0 {
                let mut driver = HotspotDriver::new(clock, 3);
                assert_eq!(driver.push(one.message(|_| nowhere).as_bytes(), one.taken), Ok(1));
                let body = Body::decode(&driver.packs(TimeMs(u64::MAX))[0].body).expect("a body");
                assert_eq!(body.heard, [one.reception(|_| nowhere)]);
                assert_eq!((body.station.region, body.station.height_m), (0, one.height_m));
                assert_eq!(body.station.place, one.place.map(|_| nowhere));
            }
        }
    }

    #[test]
    fn another_payload_is_another_frame_and_other_lines_are_none() {
        let frame = |line: &str| read(line).expect("a line").0[0].frame;
        assert_ne!(frame(CHIRPSTACK), frame(&CHIRPSTACK.replace("\"50\"", "\"51\"")));
        assert_ne!(frame(CHIRPSTACK), frame(&CHIRPSTACK.replace("1143", "1144")));
        assert_eq!(frame(HELIUM), frame(&HELIUM.replace("-111", "-112")));
        assert_eq!(read(r#"{"deviceName":"Y","margin":7,"_timestamp":1}"#), Ok((vec![], 0)));
        assert_eq!(read(r#"{"rxInfo":[{"rssi":1}]}"#), Ok((vec![], 1)));
        for broken in ["", "[]", &CHIRPSTACK[..200]] {
            assert!(read(broken).is_err(), "{broken}");
        }
    }
}
