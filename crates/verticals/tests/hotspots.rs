//! Judges real receptions of LoRaWAN frames, as two networks logged them, and the same with cheats planted among them. The
//! data are used where they are, never shipped; without them the test says that it was skipped.

use cairn_types::{
    AccountNumber, CellId, DeviceId, DeviceNumber, EpochClock, EpochNumber, NetworkId, Reason, ReportId, TimeMs, hash,
};
use cairn_verticals::Vertical;
use cairn_verticals::kit::place::Place;
use cairn_verticals::kit::{Admitted, Epoch, Member, assess, reasons};
use cairn_verticals::wireless::Wireless;
use cairn_verticals::wireless::driver::recorded::{self, Recorded, read};
use cairn_verticals::wireless::judge::reasons::{DUPLICATE, LATE, TOO_STRONG};
use cairn_verticals::wireless::report::{Body, HEARD_MAX, Heard, Station};
use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};

const DAY_MS: u64 = 86_400_000;
const KM_PER_DEGREE: f64 = 111.195;

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/wireless");
    let folder = std::env::var_os("WIRELESS_DATA").map_or(folder, PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// Splitmix64 of some numbers.
fn mix(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0x1234_5678, |state: u64, number| {
        let mut z = (state ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// One reception, and which cheat it is of, if any.
#[derive(Clone, Debug)]
struct One {
    said: Recorded,
    cheat: Option<&'static str>,
}

/// The files of a folder, each with its receptions.
fn files(folder: &Path) -> Vec<(String, Vec<One>)> {
    let name = |path: &PathBuf| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| name(path).ends_with(".ndjson.gz"))
        .collect();
    paths.sort();
    let senders: Vec<(u64, Place, Option<i16>)> = ["endpoints_sainteynard.json", "endpoints_tourperret.json"]
        .iter()
        .filter_map(|name| std::fs::read_to_string(folder.join(name)).ok())
        .flat_map(|text| recorded::senders(&text).expect("places of senders"))
        .collect();
    let read = |path: &PathBuf| {
        let file = std::fs::File::open(path).expect("a file");
        let lines = std::io::BufReader::new(flate2::read::MultiGzDecoder::new(file)).lines();
        let mut all = Vec::new();
        for line in lines {
            let line = line.expect("text");
            let (heard, unread) = read(&line).unwrap_or_else(|error| panic!("{}: {error}: {line}", path.display()));
            assert_eq!(unread, 0, "{line}");
            all.extend(heard.into_iter().map(|said| One { said, cheat: None }));
        }
        for one in &mut all {
            let known = senders.iter().find(|(sender, _, _)| *sender == one.said.sender);
            let Some((_, place, height)) = known.filter(|_| one.said.sender_place.is_none()) else {
                continue;
            };
            (one.said.sender_place, one.said.sender_height_m) = (Some(*place), *height);
        }
        (name(path), all)
    };
    paths.iter().map(read).collect()
}

fn cell(place: Place) -> CellId {
    let degrees = |micro: i32| f64::from(micro) / 1e6;
    let place = h3o::LatLng::new(degrees(place.latitude), degrees(place.longitude)).expect("a place");
    CellId::from(place.to_cell(h3o::Resolution::Eight))
}

/// Where each receiver is registered: where it said at first that it stood; a receiver that never said it, on this side of
/// the earth. In the order in which they first spoke.
fn roster(all: &[One]) -> (Vec<Member>, BTreeMap<String, usize>) {
    let mut order: Vec<&One> = all.iter().collect();
    order.sort_by_key(|one| one.said.taken);
    let (mut rows, mut places): (BTreeMap<String, usize>, Vec<Vec<CellId>>) = Default::default();
    for one in order {
        let next = places.len();
        let row = *rows.entry(one.said.receiver.clone()).or_insert(next);
        if row == next {
            places.push(Vec::new());
        }
        places[row].extend(one.said.place.map(cell));
    }
    let somewhere = all
        .iter()
        .find_map(|one| one.said.place)
        .map(cell)
        .and_then(|cell| cell.parent(0));
    let member = |(row, places): (u32, Vec<CellId>)| Member {
        number: DeviceNumber(row),
        device: DeviceId(hash::domain("test", &[&row.to_be_bytes()]).0),
        operator: AccountNumber(row),
        cell: recorded::registered(&places)
            .or(somewhere)
            .expect("somebody says where it is"),
        joined: EpochNumber(0),
        barred_until: None,
    };
    ((0..).zip(places).map(member).collect(), rows)
}

/// The reason each reception was refused for.
fn judge(all: &[One], epoch_ms: u64) -> Vec<Option<Reason>> {
    let (roster, rows) = roster(all);
    let first = all.iter().map(|one| one.said.taken.0).min().unwrap_or(0);
    let clock = EpochClock {
        genesis: TimeMs(first / DAY_MS * DAY_MS - DAY_MS),
        epoch_ms,
    };
    let epoch_of = |said: &Recorded| said.epoch(&clock).expect("after the first day").0;
    type Key = (u64, usize, Option<CellId>);
    let mut groups: BTreeMap<Key, Vec<(Heard, usize)>> = BTreeMap::new();
    for (at, one) in all.iter().enumerate() {
        let key = (epoch_of(&one.said), rows[&one.said.receiver], one.said.place.map(cell));
        groups.entry(key).or_default().push((one.said.reception(cell), at));
    }
    let params = Wireless.default_params();
    let mut verdicts = vec![None; all.len()];
    let (mut memory, mut epochs) = (Vec::new(), groups.into_iter().peekable());
    let mut sequence = 0;
    while let Some(((epoch, _, _), _)) = epochs.peek() {
        let epoch = *epoch;
        let (mut reports, mut owners) = (Vec::new(), BTreeMap::new());
        while let Some(((_, row, place), mut group)) = epochs.next_if(|((other, _, _), _)| *other == epoch) {
            group.sort();
            let station = Station {
                region: 0,
                place,
                height_m: all[group[0].1].said.height_m,
                gain_ddbi: None,
            };
            let mut distinct: Vec<(Heard, Vec<usize>)> = Vec::new();
            for (heard, at) in group {
                match distinct.last_mut().filter(|(last, _)| *last == heard) {
                    Some((_, owners)) => owners.push(at),
                    None => distinct.push((heard, vec![at])),
                }
            }
            for part in distinct.chunks(HEARD_MAX) {
                let body = Body {
                    station,
                    beacons: Vec::new(),
                    heard: part.iter().map(|(heard, _)| *heard).collect(),
                };
                let taken = part
                    .iter()
                    .flat_map(|(_, owners)| owners)
                    .map(|at| all[*at].said.taken)
                    .max();
                sequence += 1;
                let id = ReportId(hash::domain("test", &[&u64::to_be_bytes(sequence)]).0);
                owners.insert(id, part.iter().map(|(_, owners)| owners.clone()).collect::<Vec<_>>());
                let time = body.times().expect("something").1;
                reports.push(Admitted {
                    id,
                    device: DeviceNumber(row as u32),
                    time,
                    received: taken.expect("something").max(clock.end(EpochNumber(epoch))),
                    sequence,
                    body: body.encode().expect("a body"),
                });
            }
        }
        let number = EpochNumber(epoch);
        let epoch = Epoch {
            network: NetworkId([1; 32]),
            epoch: number,
            start: clock.start(number),
            end: clock.end(number),
            params: &params,
            roster: &roster,
            memory: &memory,
            beacon: [7; 32],
        };
        let assessment = assess(&Wireless, &epoch, &reports, 1).expect("an epoch");
        for finding in &assessment.findings {
            let heard = finding.spans.iter().filter(|span| span.quantity != reasons::STANDING);
            for (span, owners) in heard.zip(&owners[&finding.report]) {
                for (again, at) in owners.iter().enumerate() {
                    verdicts[*at] = if again > 0 { Some(DUPLICATE) } else { span.reason };
                }
            }
        }
        memory = assessment.memory;
    }
    verdicts
}

fn name(reason: Reason) -> &'static str {
    reasons::text(&Wireless, reason).expect("a reason has a text").name
}

/// A place so many kilometres away in some direction.
fn away(place: Place, km: f64, direction: u64) -> Place {
    let angle = (direction % 360) as f64 * std::f64::consts::PI / 180.0;
    let latitude = f64::from(place.latitude) / 1e6;
    let (north, east) = (
        km * angle.cos() / KM_PER_DEGREE,
        km * angle.sin() / KM_PER_DEGREE / latitude.to_radians().cos(),
    );
    Place {
        latitude: place.latitude + (north * 1e6) as i32,
        longitude: place.longitude + (east * 1e6) as i32,
    }
}

/// From a to b kilometres, more often near.
fn kilometres(drawn: u64, a: f64, b: f64) -> f64 {
    a * (b / a).powf((drawn % 10_000) as f64 / 10_000.0)
}

/// Plants every cheat among honest receptions.
fn plant(seed: u64, honest: &[One]) -> Vec<One> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for one in honest.iter().filter(|one| one.said.place.is_some()) {
        *counts.entry(&one.said.receiver).or_default() += 1;
    }
    let drawn = |name: &str, what: u64| {
        mix(&[
            seed,
            what,
            u64::from_be_bytes(hash::sha256(name.as_bytes()).0[..8].try_into().expect("eight")),
        ])
    };
    let mut busy: Vec<&str> = counts
        .iter()
        .filter(|(_, count)| **count >= 25)
        .map(|(name, _)| *name)
        .collect();
    busy.sort_by_key(|name| drawn(name, 0));
    let part = |nth: usize| busy.iter().copied().skip(nth).step_by(4).take(4).collect::<Vec<_>>();
    let (moved, skewed, sybils, elsewhere) = (part(0), part(1), part(2), part(3));
    let times: Vec<u64> = honest.iter().map(|one| one.said.taken.0).collect();
    let (first, last) = (times.iter().min().expect("some"), times.iter().max().expect("some"));
    let since = |name: &str, what| first + (last - first) / 10 * (5 + drawn(name, what) % 3);
    let mut all = Vec::new();
    for (at, one) in honest.iter().enumerate() {
        let (name, number) = (one.said.receiver.as_str(), at as u64);
        let (said, drawn_here) = (&one.said, mix(&[seed, number]));
        let mut own = one.clone();
        if moved.contains(&name) && said.taken.0 > since(name, 1) {
            let km = kilometres(drawn(name, 2), 5.0, 300.0);
            own.said.place = said.place.map(|place| away(place, km, drawn(name, 3)));
            own.cheat = Some("moved");
        } else if skewed.contains(&name) && said.taken.0 > since(name, 4) {
            let ms = kilometres(drawn(name, 5), 6.0, 7_200.0) as u64 * 1_000;
            let heard = if drawn(name, 6) % 2 == 0 {
                said.heard.0 + ms
            } else {
                said.heard.0 - ms
            };
            own.said.heard = TimeMs(heard);
            own.cheat = Some("skewed");
        } else if elsewhere.contains(&name) {
            let km = kilometres(drawn(name, 2), 5.0, 300.0);
            own.said.place = said.place.map(|place| away(place, km, drawn(name, 3)));
            own.cheat = Some("elsewhere");
        } else if sybils.contains(&name) {
            let mut twin = one.clone();
            twin.said.receiver = format!("{name}-twin");
            twin.said.rssi_ddbm += (drawn_here % 3) as i16 * 10 - 10;
            // Half of the twins also say another noise.
            let noise = (drawn_here >> 40) as i16 % 41 - 20;
            twin.said.snr_ddb += if drawn(name, 7) % 2 == 0 { noise } else { 0 };
            twin.said.heard = said.heard.plus_ms(drawn_here >> 32 & 31);
            twin.cheat = Some("sybil");
            all.push(one.clone());
            own = twin;
        }
        if drawn_here % 50 == 0 && own.cheat.is_none() {
            let shift = (kilometres(drawn_here >> 8, 1.05, 720.0) * 3_600_000.0) as u64;
            let mut again = one.clone();
            again.said.heard = said.heard.plus_ms(shift);
            again.said.taken = said.taken.plus_ms(shift);
            again.cheat = Some("replayed");
            all.push(again);
        }
        if drawn_here % 50 == 1 && said.place.is_some() {
            let stranger = drawn_here >> 16 & 7;
            let mut beyond = one.clone();
            beyond.said.receiver = format!("beyond-{stranger}-{name}");
            beyond.said.place = said
                .place
                .map(|place| away(place, 300.0 + 60.0 * stranger as f64, 45 * stranger));
            beyond.said.height_m = None;
            beyond.said.range_m = None;
            beyond.said.rssi_ddbm = -1_150 - (drawn_here >> 24) as i16 % 100;
            beyond.cheat = Some("beyond");
            all.push(beyond);
        }
        all.push(own);
    }
    all
}

#[derive(Default)]
struct Count {
    all: usize,
    refused: usize,
    reasons: BTreeMap<&'static str, usize>,
}

fn count(all: &[One], verdicts: &[Option<Reason>]) -> BTreeMap<&'static str, Count> {
    let mut counts: BTreeMap<&'static str, Count> = BTreeMap::new();
    for (one, verdict) in all.iter().zip(verdicts) {
        let count = counts.entry(one.cheat.unwrap_or("honest")).or_default();
        count.all += 1;
        // An honest frame that came twice or late is not believed wrongly; it is only not paid.
        let paid_once = one.cheat.is_none() && verdict.is_some_and(|reason| [DUPLICATE, LATE].contains(&reason));
        count.refused += usize::from(verdict.is_some() && !paid_once);
        if let Some(reason) = verdict {
            *count.reasons.entry(name(*reason)).or_default() += 1;
        }
    }
    counts
}

fn show(title: &str, counts: &BTreeMap<&'static str, Count>) {
    for (kind, count) in counts {
        let percent = count.refused as f64 * 100.0 / count.all as f64;
        println!(
            "{title} {kind}: {} of {} refused ({percent:.2} %) {:?}",
            count.refused, count.all, count.reasons
        );
    }
}

#[test]
fn honest_receptions_pass_and_planted_cheats_are_found() {
    let Some(folder) = folder() else {
        println!("SKIPPED: hotspots, no ../shared/data");
        return;
    };
    let mut total: BTreeMap<&'static str, (usize, usize)> = BTreeMap::new();
    let (mut strong, mut links) = (Vec::new(), Vec::new());
    for (file, honest) in files(&folder) {
        let verdicts = judge(&honest, DAY_MS);
        show(&file, &count(&honest, &verdicts));
        for (one, verdict) in honest.iter().zip(&verdicts) {
            if let Some(range) = one.said.range_m.filter(|range| *range > 30_000) {
                links.push((range, verdict.is_some_and(|reason| reason != DUPLICATE)));
            }
            if *verdict == Some(TOO_STRONG) {
                strong.push((one.said.receiver.clone(), one.said.rssi_ddbm, one.said.range_m));
            }
        }
        let number = |name: &str, default: u64| {
            std::env::var(name)
                .ok()
                .and_then(|text| text.parse().ok())
                .unwrap_or(default)
        };
        let planted = plant(number("SEED", 1), &honest);
        let verdicts = judge(&planted, number("EPOCH_MS", DAY_MS));
        if std::env::var_os("MISSED").is_some() {
            for (one, _) in planted
                .iter()
                .zip(&verdicts)
                .filter(|(one, verdict)| one.cheat.is_some() && verdict.is_none())
                .take(40)
            {
                println!("missed {:?}: {:?}", one.cheat, one.said);
            }
        }
        let counts = count(&planted, &verdicts);
        show(&format!("{file} planted"), &counts);
        for (kind, count) in counts {
            let total = total.entry(kind).or_default();
            (total.0, total.1) = (total.0 + count.refused, total.1 + count.all);
        }
    }
    let passed: Vec<u32> = links
        .iter()
        .filter(|(_, refused)| !refused)
        .map(|(range, _)| *range)
        .collect();
    println!(
        "links of more than 30 km: {} of {} pass, the longest {:?} m",
        passed.len(),
        links.len(),
        passed.iter().max()
    );
    println!("too strong: {strong:?}");
    println!("all files: {total:?}");
    let of_thousand = |kind: &str| total.get(kind).map_or(0, |(refused, all)| refused * 1_000 / all);
    assert!(of_thousand("honest") <= 5);
    for kind in ["moved", "elsewhere", "skewed", "sybil", "replayed", "beyond"] {
        assert!(of_thousand(kind) >= 950, "{kind}: {} of 1000", of_thousand(kind));
    }
}
