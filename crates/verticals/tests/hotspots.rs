//! Judges real receptions of LoRaWAN frames, as two networks logged them, and the same with cheats planted among them. The
//! data are used where they are, never shipped; without them the test says that it was skipped.

mod planting;

use cairn_types::{
    AccountNumber, CellId, DeviceId, DeviceNumber, EpochClock, EpochNumber, NetworkId, Reason, ReportId, TimeMs, hash,
};
use cairn_verticals::kit::place::Place;
use cairn_verticals::kit::{Admitted, Epoch, Member, assess, reasons};
use cairn_verticals::wireless::Wireless;
use cairn_verticals::wireless::driver::recorded::{self, Recorded, read};
use cairn_verticals::wireless::judge::reasons::{DUPLICATE, LATE, TOO_STRONG};
use cairn_verticals::wireless::params::Params;
use cairn_verticals::wireless::report::{Body, HEARD_MAX, Heard, Station};
use planting::{Line, Mark};
use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};

const DAY_MS: u64 = 86_400_000;

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/wireless");
    let folder = std::env::var_os("WIRELESS_DATA").map_or(folder, PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// One reception, and which cheat it is of, if any.
#[derive(Clone, Debug)]
struct One {
    said: Recorded,
    cheat: Option<Mark>,
}

/// A file's name and lines, and where senders stand that the lines do not place.
struct File {
    name: String,
    lines: Vec<String>,
}

/// The files of a folder.
fn files(folder: &Path) -> Vec<File> {
    let open = |name: &String| {
        let file = std::fs::File::open(folder.join(name)).expect("a file");
        let lines = std::io::BufReader::new(flate2::read::MultiGzDecoder::new(file)).lines();
        File {
            name: name.clone(),
            lines: lines.map(|line| line.expect("text")).collect(),
        }
    };
    planting::listed(folder, ".ndjson.gz").iter().map(open).collect()
}

/// The receptions of lines that say whose they are.
fn receptions(folder: &Path, lines: &[Line]) -> Vec<One> {
    let senders: Vec<(u64, Place, Option<i16>)> = planting::listed(folder, ".json")
        .iter()
        .filter(|name| name.starts_with("endpoints"))
        .filter_map(|name| std::fs::read_to_string(folder.join(name)).ok())
        .flat_map(|text| recorded::senders(&text).expect("places of senders"))
        .collect();
    let mut all = Vec::new();
    for line in lines {
        let (heard, unread) = read(&line.text).unwrap_or_else(|error| panic!("{error}: {}", line.text));
        assert_eq!((unread, heard.len()), (0, line.marks.len()), "{}", line.text);
        for (mut said, (_, cheat)) in heard.into_iter().zip(&line.marks) {
            let known = senders.iter().find(|(sender, _, _)| *sender == said.sender);
            if let Some((_, place, height)) = known.filter(|_| said.sender_place.is_none()) {
                (said.sender_place, said.sender_height_m) = (Some(*place), *height);
            }
            all.push(One { said, cheat: *cheat });
        }
    }
    all
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
    let (mut rows, mut places): (BTreeMap<String, usize>, Vec<Vec<recorded::Said>>) = Default::default();
    for one in order {
        let next = places.len();
        let row = *rows.entry(one.said.receiver.clone()).or_insert(next);
        if row == next {
            places.push(Vec::new());
        }
        places[row].extend(one.said.said(cell));
    }
    let somewhere = all
        .iter()
        .find_map(|one| one.said.place)
        .map(cell)
        .and_then(|cell| cell.parent(0));
    let member = |(row, places): (u32, Vec<recorded::Said>)| Member {
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
    let params = if epoch_ms == DAY_MS {
        Params::daily()
    } else {
        Params::default()
    }
    .encode();
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

#[derive(Default)]
struct Count {
    all: usize,
    refused: usize,
    reasons: BTreeMap<&'static str, usize>,
}

fn count(all: &[One], verdicts: &[Option<Reason>], kind: impl Fn(Mark) -> String) -> BTreeMap<String, Count> {
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    for (one, verdict) in all.iter().zip(verdicts) {
        let kind = one.cheat.map_or("honest".to_owned(), &kind);
        let count = counts.entry(kind).or_default();
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

fn show(title: &str, counts: &BTreeMap<String, Count>) {
    for (kind, count) in counts {
        let percent = count.refused as f64 * 100.0 / count.all as f64;
        println!(
            "{title} {kind}: {} of {} refused ({percent:.2} %) {:?}",
            count.refused, count.all, count.reasons
        );
    }
}

/// A line as it was recorded.
fn honest(text: &str) -> Line {
    let mut line = serde_json::from_str(text).expect("a line");
    let heard = planting::receivers(&mut line).map(std::mem::take).unwrap_or_default();
    Line {
        text: text.to_owned(),
        marks: heard.iter().map(|receiver| (planting::name(receiver), None)).collect(),
    }
}

/// A number of the surroundings, for whoever looks further.
fn number(name: &str, default: u64) -> u64 {
    let said = std::env::var(name).ok().and_then(|text| text.parse().ok());
    said.unwrap_or(default)
}

#[test]
fn honest_receptions_pass() {
    let Some(folder) = folder() else {
        println!("SKIPPED: hotspots, no ../shared/data");
        return;
    };
    let (mut strong, mut links) = (Vec::new(), Vec::new());
    let (mut refused, mut all) = (0, 0);
    for file in files(&folder) {
        let honest = receptions(&folder, &file.lines.iter().map(|line| honest(line)).collect::<Vec<_>>());
        let verdicts = judge(&honest, DAY_MS);
        let counts = count(&honest, &verdicts, |mark| mark.kind.to_owned());
        show(&file.name, &counts);
        (refused, all) = (refused + counts["honest"].refused, all + counts["honest"].all);
        for (one, verdict) in honest.iter().zip(&verdicts) {
            if let Some(range) = one.said.range_m.filter(|range| *range > 30_000) {
                links.push((range, verdict.is_some_and(|reason| reason != DUPLICATE)));
            }
            if *verdict == Some(TOO_STRONG) {
                strong.push((one.said.receiver.clone(), one.said.rssi_ddbm, one.said.range_m));
            }
        }
    }
    let pass: Vec<u32> = links.iter().filter(|link| !link.1).map(|link| link.0).collect();
    let longest = pass.iter().max();
    println!(
        "links of more than 30 km: {} of {} pass, the longest {longest:?} m",
        pass.len(),
        links.len()
    );
    println!("too strong: {strong:?}");
    println!("honest: {refused} of {all} refused");
    assert!(refused * 1_000 <= all, "{refused} of {all}");
}

#[test]
fn planted_cheats_are_found() {
    let Some(folder) = folder() else {
        println!("SKIPPED: hotspots, no ../shared/data");
        return;
    };
    let mut total: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let files = files(&folder);
    let only = std::env::var("FILE").unwrap_or_default();
    let all: Vec<(&str, &[String])> = files.iter().map(|file| (file.name.as_str(), &file.lines[..])).collect();
    for (nth, file) in files.iter().enumerate().filter(|(_, file)| file.name.contains(&only)) {
        for seed in number("SEED", 1)..number("SEED", 1) + number("SEEDS", 1) {
            let planted = planting::plant(
                seed,
                &planting::senders(&folder),
                &planting::others(&all, nth),
                &file.lines,
            );
            let planted = receptions(&folder, &planted);
            let verdicts = judge(&planted, number("EPOCH_MS", DAY_MS));
            for (one, verdict) in planted.iter().zip(&verdicts) {
                let wrong =
                    one.cheat.is_some() == verdict.is_none() && verdict.is_none_or(|reason| reason != DUPLICATE);
                if wrong
                    && std::env::var("WRONG").is_ok_and(|way| {
                        one.cheat
                            .map_or("honest".to_owned(), |mark| format!("{}_{}", mark.kind, mark.way))
                            == way
                    })
                {
                    println!(
                        "wrong {} {seed} {:?} {:?} {:?}",
                        file.name,
                        one.cheat,
                        verdict.map(name),
                        one.said
                    );
                }
            }
            for (kind, count) in count(&planted, &verdicts, |mark| format!("{} {}", mark.kind, mark.way)) {
                if std::env::var_os("SHOW").is_some() {
                    println!(
                        "{} seed {seed} {kind}: {} of {} {:?}",
                        file.name, count.refused, count.all, count.reasons
                    );
                }
                for kind in [kind.split(' ').next().unwrap_or_default(), &kind] {
                    for name in [kind.to_owned(), format!("{kind} {}", file.name)] {
                        let total = total.entry(name).or_default();
                        (total.0, total.1) = (total.0 + count.refused, total.1 + count.all);
                    }
                    if kind == "honest" {
                        break;
                    }
                }
            }
        }
    }
    for (kind, (refused, all)) in &total {
        println!(
            "{kind}: {refused} of {all} refused ({:.2} %)",
            *refused as f64 * 100.0 / *all as f64
        );
    }
    let of_thousand = |kind: &str| total.get(kind).map_or(0, |(refused, all)| refused * 1_000 / all);
    for file in files.iter().filter(|file| file.name.contains(&only)) {
        let honest = format!("honest {}", file.name);
        assert!(of_thousand(&honest) <= 5, "{honest}: {} of 1000", of_thousand(&honest));
    }
    for kind in ["moved", "skewed", "sybil", "replayed", "beyond"] {
        assert!(of_thousand(kind) >= 950, "{kind}: {} of 1000", of_thousand(kind));
    }
}
