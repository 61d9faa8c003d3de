//! Plants cheats among recorded receptions, line by line, as text: receivers moved, twins of one radio, frames told again, witnesses
//! beyond reach, clocks that are off, each in several ways. Says of every receiver of every line what it is. It judges nothing.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

pub const KM_PER_DEGREE: f64 = 111.195;
const HOUR_MS: f64 = 3_600_000.0;

/// What a receiver of a line is: nothing said means honest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    pub kind: &'static str,
    pub way: &'static str,
}

/// A line of a file, and what each of its receivers is, in their order.
#[derive(Clone, Debug)]
pub struct Line {
    pub text: String,
    pub marks: Vec<(String, Option<Mark>)>,
}

/// The names of a folder's files that end so, in order.
pub fn listed(folder: &Path, end: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(end)).collect();
    names.sort();
    names
}

/// Where senders stand, by their names, as the files beside the records say.
pub fn senders(folder: &Path) -> BTreeMap<String, (f64, f64)> {
    let texts = listed(folder, ".json")
        .into_iter()
        .filter(|name| name.starts_with("endpoints"));
    let texts = texts.map(|name| std::fs::read_to_string(folder.join(name)).expect("a file"));
    let all = texts
        .filter_map(|text| serde_json::from_str::<BTreeMap<String, Value>>(&text).ok())
        .flatten();
    let of = |(name, said): (String, Value)| {
        let place = (said["latitude"].as_f64()?, said["longitude"].as_f64()?);
        Some((name.to_ascii_lowercase(), place))
    };
    all.filter_map(of).collect()
}

/// Where receivers of other files than one stand.
pub fn others(files: &[(&str, &[String])], own: usize) -> Vec<(String, (f64, f64))> {
    let mut known = BTreeMap::new();
    for (_, (_, lines)) in files.iter().enumerate().filter(|(at, _)| *at != own) {
        for line in lines.iter().step_by(50) {
            let mut line: Value = serde_json::from_str(line).expect("a line");
            let heard = receivers(&mut line).map(std::mem::take).unwrap_or_default();
            known.extend(heard.iter().filter_map(|heard| Some((name(heard), place(heard)?))));
        }
    }
    known.into_iter().collect()
}

/// The ways a cheat goes about it. All that is said of distances stays, goes, or is made to fit the lie.
pub const MOVED: [&str; 7] = ["since", "since_bare", "since_fit", "near", "half", "once", "always"];
pub const SYBIL: [&str; 7] = ["exact", "close", "noisy", "louder", "late", "elsewhere", "many"];
pub const REPLAYED: [&str; 4] = ["whole", "one", "louder", "other"];
pub const BEYOND: [&str; 5] = ["far", "far_bare", "far_copied", "nearer", "known"];
pub const SKEWED: [&str; 3] = ["constant", "drifting", "jumping"];

/// Splitmix64 of some numbers.
pub fn mix(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0x1234_5678, |state: u64, number| {
        let mut z = (state ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// From a to b, more often near a.
pub fn between(drawn: u64, a: f64, b: f64) -> f64 {
    a * (b / a).powf((drawn % 10_000) as f64 / 10_000.0)
}

fn seed_of(seed: u64, name: &str, what: u64) -> u64 {
    let name = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    mix(&[seed, what, name])
}

/// A place so many kilometres away in some direction.
pub fn away((latitude, longitude): (f64, f64), km: f64, direction: u64) -> (f64, f64) {
    let angle = (direction % 360) as f64 * std::f64::consts::PI / 180.0;
    let north = km * angle.cos() / KM_PER_DEGREE;
    let east = km * angle.sin() / KM_PER_DEGREE / latitude.to_radians().cos();
    (latitude + north, longitude + east)
}

fn metres(one: (f64, f64), other: (f64, f64)) -> u64 {
    let (a, b) = (one.0.to_radians(), other.0.to_radians());
    let (north, east) = ((a - b) / 2.0, (one.1 - other.1).to_radians() / 2.0);
    let chord = north.sin().powi(2) + a.cos() * b.cos() * east.sin().powi(2);
    (2.0 * 6_371_000.0 * chord.sqrt().asin()) as u64
}

fn field<'a>(value: &'a mut Value, names: &[&str]) -> Option<&'a mut Value> {
    let name = names
        .iter()
        .find(|name| value.get(**name).is_some_and(|value| !value.is_null()))?;
    value.get_mut(*name)
}

pub fn receivers(line: &mut Value) -> Option<&mut Vec<Value>> {
    field(line, &["hotspots", "rxInfo"])?.as_array_mut()
}

pub fn name(receiver: &Value) -> String {
    let name = ["id", "gatewayID"].iter().find_map(|name| receiver[*name].as_str());
    name.unwrap_or_default().to_owned()
}

fn place(receiver: &Value) -> Option<(f64, f64)> {
    let of = |value: &Value, names: [&str; 2]| {
        let place = (value[names[0]].as_f64()?, value[names[1]].as_f64()?);
        // A receiver that was never told where it stands is logged at a pole.
        (place.0.abs() < 89.9).then_some(place)
    };
    of(receiver, ["lat", "long"]).or_else(|| of(&receiver["location"], ["latitude", "longitude"]))
}

fn put(receiver: &mut Value, (latitude, longitude): (f64, f64)) {
    if receiver.get("lat").is_some() {
        (receiver["lat"], receiver["long"]) = (json!(latitude), json!(longitude));
    } else {
        (receiver["location"]["latitude"], receiver["location"]["longitude"]) = (json!(latitude), json!(longitude));
    }
}

/// What is said of the distance: gone, or as it would be from the place that is said.
fn tell_distance(receiver: &mut Value, sender: Option<(f64, f64)>) {
    match (sender, place(receiver), receiver["_distance"].is_object()) {
        (Some(sender), Some(own), true) => receiver["_distance"]["_distanceHaversine"] = json!(metres(sender, own)),
        _ => drop(
            receiver
                .as_object_mut()
                .and_then(|receiver| receiver.remove("_distance")),
        ),
    }
}

fn taken(line: &Value) -> u64 {
    line["_timestamp"].as_u64().unwrap_or(0)
}

fn iso(ms: u64) -> String {
    cairn_types::TimeMs(ms).to_string()
}

fn ms_of(text: &str) -> Option<u64> {
    let (whole, fraction) = text
        .trim_end_matches('Z')
        .split_once('.')
        .unwrap_or((text.trim_end_matches('Z'), ""));
    let whole: cairn_types::TimeMs = format!("{whole}Z").parse().ok()?;
    Some(whole.0 + format!("{fraction:0<3}").get(..3)?.parse::<u64>().ok()?)
}

/// Moves the time at which a receiver says that it heard; whether it said any.
fn shift(receiver: &mut Value, ms: i64) -> bool {
    if let Some(reported) = receiver["reported_at"].as_u64() {
        receiver["reported_at"] = json!(reported.saturating_add_signed(ms));
        return true;
    }
    let Some(time) = receiver["time"].as_str().and_then(ms_of) else {
        return false;
    };
    receiver["time"] = json!(iso_ms(time.saturating_add_signed(ms)));
    true
}

fn iso_ms(ms: u64) -> String {
    let whole = iso(ms / 1_000 * 1_000);
    let whole = whole.trim_end_matches('Z');
    let whole = whole.split('.').next().unwrap_or(whole);
    format!("{whole}.{:03}Z", ms % 1_000)
}

fn louder(receiver: &mut Value, rssi: i64, snr: f64) {
    receiver["rssi"] = json!(receiver["rssi"].as_f64().unwrap_or(0.0) as i64 + rssi);
    if let Some(value) = field(receiver, &["snr", "loRaSNR"]) {
        *value = json!((value.as_f64().unwrap_or(0.0) + snr).max(-19.5));
    }
}

/// Who cheats how.
struct Cast {
    seed: u64,
    /// By receiver.
    roles: BTreeMap<String, Mark>,
    /// When each was first and last heard from.
    spans: BTreeMap<String, (u64, u64)>,
    /// Where each stood when it was last heard.
    stands: BTreeMap<String, (f64, f64)>,
    /// Places of senders beside the lines, by name.
    senders: BTreeMap<String, (f64, f64)>,
    /// Receivers of any file, with where they stand, for witnesses that are really there.
    known: Vec<(String, (f64, f64))>,
}

impl Cast {
    fn draw(&self, name: &str, what: u64) -> u64 {
        seed_of(self.seed, name, what)
    }

    /// When what is done from some time on begins: after four to six tenths of its time.
    fn since(&self, name: &str) -> u64 {
        let (first, last) = self.spans.get(name).copied().unwrap_or_default();
        first + (last - first) / 10 * (4 + self.draw(name, 1) % 3)
    }

    fn sender(&self, line: &Value) -> Option<(f64, f64)> {
        let said = &line["_devLocation"];
        let said = said["latitude"].as_f64().zip(said["longitude"].as_f64());
        let name = line["dev_eui"].as_str().or(line["devEUI"].as_str()).unwrap_or_default();
        said.or_else(|| self.senders.get(&name.to_ascii_lowercase()).copied())
    }

    fn moves(&self, name: &str, way: &str, receiver: &mut Value, line: &Value, drawn: u64) -> bool {
        let day = taken(line) / 86_400_000;
        let now = match way {
            "half" => mix(&[self.seed, self.draw(name, 4), day]).is_multiple_of(2),
            "once" => drawn.is_multiple_of(20),
            "always" => true,
            _ => taken(line) > self.since(name),
        };
        let Some(own) = place(receiver).filter(|_| now) else {
            return false;
        };
        let which = if way == "once" { drawn >> 20 } else { 0 };
        let far = if way == "near" { 10.0 } else { 300.0 };
        put(
            receiver,
            away(own, between(self.draw(name, 2) ^ which, 5.0, far), self.draw(name, 3)),
        );
        match way {
            "since_bare" => tell_distance(receiver, None),
            "since_fit" => tell_distance(receiver, self.sender(line)),
            _ => {}
        }
        true
    }

    fn skews(&self, name: &str, way: &str, receiver: &mut Value, line: &Value, drawn: u64) -> bool {
        if taken(line) <= self.since(name) {
            return false;
        }
        let most = between(self.draw(name, 5), 6.0, 86_400.0) * 1_000.0;
        let last = self.spans.get(name).map_or(0, |span| span.1);
        let part = (taken(line) - self.since(name)) as f64 / (last - self.since(name)).max(1) as f64;
        let ms = match way {
            "constant" => most,
            "drifting" => 6_000.0 + most * part,
            _ => between(drawn >> 9, 6.0, 86_400.0) * 1_000.0,
        };
        let back = self.draw(name, 6).is_multiple_of(2);
        shift(receiver, if back { -(ms as i64) } else { ms as i64 })
    }

    /// Twins of a reception.
    fn twins(&self, name: &str, way: &str, receiver: &Value, drawn: u64) -> Vec<Value> {
        let one = |nth: u64| {
            let drawn = mix(&[drawn, nth]);
            let mut twin = receiver.clone();
            let id = if twin.get("id").is_some() { "id" } else { "gatewayID" };
            twin[id] = json!(format!("{name}-twin{nth}"));
            let (rssi, snr) = match way {
                "exact" => (0, 0.0),
                "close" | "many" | "elsewhere" | "late" => ((drawn % 3) as i64 - 1, 0.0),
                "louder" => ((drawn % 5) as i64 - 2, ((drawn >> 8) % 9) as f64 * 0.5 - 2.0),
                _ => ((drawn % 3) as i64 - 1, ((drawn >> 8) % 5) as f64 * 0.5 - 1.0),
            };
            louder(&mut twin, rssi, snr);
            let most = if way == "late" { 500 } else { 20 };
            shift(&mut twin, ((drawn >> 32) % (2 * most + 1)) as i64 - most as i64);
            if way == "elsewhere"
                && let Some(own) = place(&twin)
            {
                put(&mut twin, away(own, 3.0 + nth as f64, self.draw(name, 3)));
                tell_distance(&mut twin, None);
            }
            twin
        };
        (1..=if way == "many" { 3 } else { 1 }).map(one).collect()
    }

    /// A witness that cannot have heard it, beside one that did.
    fn beyond(&self, way: &str, receiver: &Value, line: &Value, drawn: u64) -> Option<Value> {
        let own = place(receiver)?;
        let mut far = receiver.clone();
        let id = if far.get("id").is_some() { "id" } else { "gatewayID" };
        let stranger = drawn >> 16 & 7;
        if way == "known" {
            let there: Vec<_> = self
                .known
                .iter()
                .filter(|(_, place)| metres(own, *place) > 300_000)
                .collect();
            let (name, place) = there.get(stranger as usize % there.len().max(1))?;
            far[id] = json!(name);
            put(&mut far, *place);
        } else {
            // It stands where it stands, whatever it is planted beside.
            let beside = name(receiver);
            far[id] = json!(format!("beyond-{way}-{stranger}-{beside}"));
            let km = if way == "nearer" {
                230.0 + 10.0 * stranger as f64
            } else {
                300.0 + 60.0 * stranger as f64
            };
            let beside = self.stands.get(&beside).copied().unwrap_or(own);
            put(&mut far, away(beside, km, 45 * stranger));
        }
        if let Some(location) = far.get_mut("location").and_then(Value::as_object_mut) {
            location.remove("altitude");
        }
        match way {
            "far_copied" => {}
            "far_bare" => tell_distance(&mut far, None),
            _ => tell_distance(&mut far, self.sender(line)),
        }
        far["rssi"] = json!(-115 - ((drawn >> 24) % 6) as i64);
        Some(far)
    }

    /// A frame told again later: by all, by one, louder, or by another.
    fn replay(&self, way: &str, line: &Value, drawn: u64) -> Option<Value> {
        let ms = (between(drawn >> 8, 1.05, 720.0) * HOUR_MS) as i64;
        let mut again = line.clone();
        for name in ["_timestamp", "reported_at"] {
            if let Some(time) = again[name].as_u64() {
                again[name] = json!(time.saturating_add_signed(ms));
            }
        }
        if again["_date"].is_string() {
            again["_date"] = json!(iso_ms(taken(&again)));
        }
        let heard = receivers(&mut again)?;
        if way != "whole" {
            heard.truncate(1);
        }
        for receiver in heard {
            shift(receiver, ms);
            match way {
                "louder" => louder(receiver, (drawn >> 20) as i64 % 21 - 10, 0.0),
                "other" => {
                    let own = place(receiver)?;
                    let near: Vec<_> = self
                        .known
                        .iter()
                        .filter(|(_, place)| metres(own, *place) < 6_000)
                        .collect();
                    let (name, place) = near.get((drawn >> 30) as usize % near.len().max(1))?;
                    let id = if receiver.get("id").is_some() {
                        "id"
                    } else {
                        "gatewayID"
                    };
                    receiver[id] = json!(name);
                    put(receiver, *place);
                    let sender = self.sender(line);
                    tell_distance(receiver, sender);
                }
                _ => {}
            }
        }
        Some(again)
    }
}

/// Plants cheats in the lines of one file.
pub fn plant(
    seed: u64,
    senders: &BTreeMap<String, (f64, f64)>,
    elsewhere: &[(String, (f64, f64))],
    lines: &[String],
) -> Vec<Line> {
    let mut lines: Vec<Value> = lines
        .iter()
        .map(|line| serde_json::from_str(line).expect("a line"))
        .collect();
    lines.sort_by_key(taken);
    let (mut counts, mut places): (BTreeMap<String, usize>, BTreeMap<String, (f64, f64)>) = Default::default();
    let mut spans: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for line in &mut lines {
        let now = taken(line);
        for receiver in receivers(line).into_iter().flatten() {
            *counts.entry(name(receiver)).or_default() += 1;
            spans.entry(name(receiver)).or_insert((now, now)).1 = now;
            places.extend(place(receiver).map(|place| (name(receiver), place)));
        }
    }
    let mut cast = Cast {
        seed,
        roles: BTreeMap::new(),
        spans,
        senders: senders.clone(),
        stands: places.clone(),
        known: places.into_iter().chain(elsewhere.iter().cloned()).collect(),
    };
    // Of the receivers that were heard from a few times some cheat: one in three, at least four.
    let mut busy: Vec<&String> = counts
        .iter()
        .filter(|(_, count)| **count >= 10)
        .map(|(name, _)| name)
        .collect();
    busy.sort_by_key(|name| seed_of(seed, name, 0));
    let cheats = (busy.len() / 3).max(4.min(busy.len() / 2));
    for (nth, name) in busy.into_iter().take(cheats).enumerate() {
        let which = cast.draw(name, 8) as usize;
        let mark = match nth % 3 {
            0 => Mark {
                kind: "moved",
                way: MOVED[which % MOVED.len()],
            },
            1 => Mark {
                kind: "sybil",
                way: SYBIL[which % SYBIL.len()],
            },
            _ => Mark {
                kind: "skewed",
                way: SKEWED[which % SKEWED.len()],
            },
        };
        cast.roles.insert(name.clone(), mark);
    }
    let mut all = Vec::new();
    for (at, honest) in lines.iter().enumerate() {
        let drawn = mix(&[seed, at as u64]);
        let mut line = honest.clone();
        let mut marks = Vec::new();
        if let Some(heard) = receivers(&mut line) {
            for (nth, mut receiver) in std::mem::take(heard).into_iter().enumerate() {
                let name = name(&receiver);
                let (role, drawn) = (cast.roles.get(&name).copied(), mix(&[drawn, nth as u64]));
                let twins = match role {
                    Some(Mark { kind: "sybil", way }) => cast.twins(&name, way, &receiver, drawn),
                    _ => Vec::new(),
                };
                let beyond = BEYOND[(drawn >> 40) as usize % BEYOND.len()];
                let far = (drawn % 50 == 1)
                    .then(|| cast.beyond(beyond, &receiver, honest, drawn))
                    .flatten();
                let cheats = match role {
                    Some(Mark { kind: "moved", way }) => cast.moves(&name, way, &mut receiver, honest, drawn),
                    Some(Mark { kind: "skewed", way }) => cast.skews(&name, way, &mut receiver, honest, drawn),
                    _ => false,
                };
                heard.push(receiver);
                marks.push((name, role.filter(|_| cheats)));
                for twin in twins {
                    marks.push((self::name(&twin), role));
                    heard.push(twin);
                }
                if let Some(far) = far {
                    marks.push((
                        self::name(&far),
                        Some(Mark {
                            kind: "beyond",
                            way: beyond,
                        }),
                    ));
                    heard.push(far);
                }
            }
        }
        all.push((
            taken(&line),
            Line {
                text: line.to_string(),
                marks,
            },
        ));
        if drawn.is_multiple_of(50) {
            let way = REPLAYED[(drawn >> 44) as usize % REPLAYED.len()];
            if let Some(mut again) = cast.replay(way, honest, drawn) {
                let mark = Mark { kind: "replayed", way };
                let heard = receivers(&mut again).map(|heard| heard.iter().map(name).collect::<Vec<_>>());
                let marks = heard
                    .unwrap_or_default()
                    .into_iter()
                    .map(|name| (name, Some(mark)))
                    .collect();
                all.push((
                    taken(&again),
                    Line {
                        text: again.to_string(),
                        marks,
                    },
                ));
            }
        }
    }
    all.sort_by_key(|(taken, _)| *taken);
    all.into_iter().map(|(_, line)| line).collect()
}
