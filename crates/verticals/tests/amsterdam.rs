//! Judges 48 days of 134 citizens' rain gauges in Amsterdam, and holds the findings against the episodes that the published
//! filters mark. The data are used where they are, never shipped; without them the test says that it was skipped.

use cairn_types::{
    AccountNumber, CellId, DeviceId, DeviceNumber, EpochNumber, NetworkId, Reason, ReportId, TimeMs, hash,
};
use cairn_verticals::kit::memory::Memory;
use cairn_verticals::kit::reasons::{self, EXCLUDED, REDUCED, STANDING};
use cairn_verticals::kit::{Admitted, Epoch, Member, Reading, assess};
use cairn_verticals::sensors::report::{self, RAIN};
use cairn_verticals::{Vertical, sensors::Sensors};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const SLOT_MS: u64 = 300_000;
const SLOTS: usize = 12;
/// Episodes of more steps than this are longer than a day.
const DAY_STEPS: usize = 288;

/// Rain of every gauge, step by step, in micrometres.
struct Data {
    cells: Vec<CellId>,
    names: Vec<String>,
    start: TimeMs,
    rain: Vec<Vec<Option<i64>>>,
}

struct Episode {
    gauge: usize,
    steps: std::ops::Range<usize>,
}

fn folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/weather");
    folder.join("ams_pws_rain_5min.csv.gz").exists().then_some(folder)
}

fn micrometres(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    (!text.is_empty()).then(|| {
        format!("{whole}{fraction:0<3}")
            .parse()
            .expect("millimetres with three decimals")
    })
}

fn read(folder: &Path) -> Data {
    let mut stations = csv::Reader::from_path(folder.join("ams_pws_stations.csv")).expect("stations");
    let degrees = |text: &str| text.parse::<f64>().expect("degrees");
    let cell = |row: &csv::StringRecord| {
        let place = h3o::LatLng::new(degrees(&row[1]), degrees(&row[2])).expect("a place");
        (row[0].to_owned(), CellId::from(place.to_cell(h3o::Resolution::Eight)))
    };
    let cells: BTreeMap<String, CellId> = stations.records().map(|row| cell(&row.expect("a row"))).collect();
    let file = std::fs::File::open(folder.join("ams_pws_rain_5min.csv.gz")).expect("rain");
    let mut table = csv::Reader::from_reader(flate2::read::GzDecoder::new(file));
    let names: Vec<String> = table
        .headers()
        .expect("a header")
        .iter()
        .skip(1)
        .map(str::to_owned)
        .collect();
    let mut start = None;
    let mut rain = vec![Vec::new(); names.len()];
    for row in table.records() {
        let row = row.expect("a row");
        start.get_or_insert_with(|| row[0].parse::<TimeMs>().expect("a time"));
        for (series, value) in rain.iter_mut().zip(row.iter().skip(1)) {
            series.push(micrometres(value));
        }
    }
    Data {
        cells: names.iter().map(|name| cells[name]).collect(),
        names,
        start: start.expect("rows"),
        rain,
    }
}

fn episodes(folder: &Path, data: &Data) -> Vec<Episode> {
    let mut table = csv::Reader::from_path(folder.join("ams_pws_reference_flags.csv")).expect("flags");
    let step = |text: &str| (text.parse::<TimeMs>().expect("a time").since_ms(data.start) / SLOT_MS) as usize;
    let episode = |row: csv::StringRecord| Episode {
        gauge: data.names.iter().position(|name| *name == row[0]).expect("a gauge"),
        steps: step(&row[2])..step(&row[3]) + 1,
    };
    table.records().map(|row| episode(row.expect("a row"))).collect()
}

/// What became of a gauge in 48 days, besides its readings.
#[derive(Clone, Debug, Default)]
struct Life {
    /// Micro-units.
    units: u64,
    /// Exclusions: the first hour, and the first after it.
    exclusions: Vec<(u64, u64)>,
    /// Hours of reports that were paid in part only.
    reduced: u64,
}

/// The reason each reading was refused for, and the life of each gauge.
fn judge(data: &Data) -> (Vec<Vec<Option<Reason>>>, Vec<Life>) {
    let member = |(number, cell): (u32, &CellId)| Member {
        number: DeviceNumber(number),
        device: DeviceId([number as u8; 32]),
        operator: AccountNumber(number),
        cell: *cell,
        joined: EpochNumber(0),
        barred_until: None,
    };
    let roster: Vec<Member> = (0..).zip(&data.cells).map(member).collect();
    let params = Sensors.default_params();
    let steps = data.rain[0].len();
    let mut refused = vec![vec![None; steps]; data.cells.len()];
    let mut lives = vec![Life::default(); data.cells.len()];
    let mut memory = Vec::new();
    for hour in 0..steps / SLOTS {
        let start = data.start.plus_ms((hour * SLOTS) as u64 * SLOT_MS);
        let end = start.plus_ms(SLOTS as u64 * SLOT_MS);
        let report = |gauge: usize| {
            let slot = |slot: usize| {
                let value = data.rain[gauge][hour * SLOTS + slot]?;
                Some(Reading {
                    quantity: RAIN,
                    time: start.plus_ms(slot as u64 * SLOT_MS),
                    value,
                })
            };
            let readings: Vec<Reading> = (0..SLOTS).filter_map(slot).collect();
            let time = readings.last()?.time;
            let body = report::encode(&readings).expect("a body");
            let id = hash::domain("test", &[&[gauge as u8], &body]);
            let device = DeviceNumber(gauge as u32);
            Some(Admitted {
                id: ReportId(id.0),
                device,
                time,
                received: end,
                sequence: hour as u64,
                body,
            })
        };
        let reports: Vec<Admitted> = (0..data.cells.len()).filter_map(report).collect();
        let epoch = Epoch {
            network: NetworkId([1; 32]),
            epoch: EpochNumber(hour as u64),
            start,
            end,
            params: &params,
            roster: &roster,
            memory: &memory,
            beacon: [0; 32],
        };
        let assessment = assess(&Sensors, &epoch, &reports, 1).expect("an honest epoch");
        assert_eq!(assessment.findings.len(), reports.len());
        for finding in &assessment.findings {
            assert_eq!(finding.units == 0, finding.reason.is_some());
            let life = &mut lives[finding.device.index()];
            life.units += finding.units;
            life.reduced += u64::from(finding.spans.iter().any(|span| span.reason == Some(REDUCED)));
            let about_readings = finding.spans.iter().filter(|span| span.quantity != STANDING);
            for span in about_readings.filter(|span| span.reason.is_some()) {
                let steps = [span.start, span.end].map(|time| (time.since_ms(data.start) / SLOT_MS) as usize);
                refused[finding.device.index()][steps[0]..steps[1]].fill(span.reason);
            }
        }
        for record in Memory::decode(&assessment.memory).expect("its own").records {
            let Some(exclusion) = record.exclusion.filter(|exclusion| exclusion.from.0 == hour as u64 + 1) else {
                continue;
            };
            let life = &mut lives[record.number.index()];
            life.exclusions.push((exclusion.from.0, exclusion.until.0));
        }
        memory = assessment.memory;
    }
    (refused, lives)
}

#[test]
fn published_episodes_are_found_and_little_else_is_refused() {
    let Some(folder) = folder() else {
        println!("SKIPPED: amsterdam, no ../shared/data");
        return;
    };
    let data = read(&folder);
    let episodes = episodes(&folder, &data);
    let (refused, lives) = judge(&data);

    let reported = |gauge: usize, step: usize| data.rain[gauge][step].is_some();
    let mut inside = vec![vec![false; data.rain[0].len()]; data.cells.len()];
    let (mut answered, mut silent, mut readings, mut hit) = (0, 0, 0, 0);
    for episode in &episodes {
        inside[episode.gauge][episode.steps.clone()].fill(true);
        let said: Vec<usize> = episode
            .steps
            .clone()
            .filter(|step| reported(episode.gauge, *step))
            .collect();
        let found = said
            .iter()
            .filter(|step| refused[episode.gauge][**step].is_some())
            .count();
        answered += usize::from(found > 0);
        silent += usize::from(said.is_empty());
        readings += said.len();
        hit += found;
        if episode.steps.len() > DAY_STEPS {
            let name = &data.names[episode.gauge];
            assert!(
                found * 10 >= said.len() * 9,
                "{name} {:?}: {found} of {} readings",
                episode.steps,
                said.len()
            );
        }
    }
    let (mut outside, mut wrongly) = (0usize, BTreeMap::<&str, (usize, usize)>::new());
    for (gauge, series) in refused.iter().enumerate() {
        for (step, reason) in series.iter().enumerate().filter(|(step, _)| reported(gauge, *step)) {
            outside += usize::from(!inside[gauge][step]);
            if let Some(reason) = reason {
                let text = reasons::text(&Sensors, *reason).expect("a reason has a text");
                let count = wrongly.entry(text.name).or_default();
                if inside[gauge][step] {
                    count.0 += 1
                } else {
                    count.1 += 1
                }
            }
        }
    }
    let excluded = wrongly.remove("excluded").unwrap_or_default();
    let wrong: usize = wrongly.values().map(|count| count.1).sum();
    println!(
        "episodes {} answered {answered}, of which without any reading {silent}",
        episodes.len()
    );
    println!("readings inside {readings} refused {hit}; outside {outside} refused {wrong}");
    println!("by reason (inside, outside): {wrongly:?}");
    if std::env::var_os("GAUGES").is_some() {
        for (gauge, name) in data.names.iter().enumerate() {
            let mut by = BTreeMap::<u16, usize>::new();
            for (step, reason) in refused[gauge]
                .iter()
                .enumerate()
                .filter(|(step, _)| !inside[gauge][*step])
            {
                if let (Some(reason), true) = (reason, reported(gauge, step)) {
                    *by.entry(reason.0).or_default() += 1;
                }
            }
            if !by.is_empty() {
                println!("{name} outside {by:?} {:?}", lives[gauge]);
            }
        }
    }
    assert!(
        answered * 100 >= (episodes.len() - silent) * 95,
        "{answered} episodes answered"
    );
    assert!(
        hit * 100 >= readings * 98,
        "{hit} of {readings} readings in episodes refused"
    );
    assert!(
        wrong * 100 <= outside,
        "{wrong} of {outside} readings outside episodes refused"
    );
    check_reputation(&data, &refused, &lives);
    println!("readings lost to exclusion alone (inside, outside): {excluded:?}");
    assert!(
        (wrong + excluded.1) * 1_000 <= 15 * outside,
        "{wrong} + {excluded:?} of {outside} readings outside episodes refused"
    );
}

/// Reputation leaves every gauge alone of which most is believed, and what it takes is little.
fn check_reputation(data: &Data, refused: &[Vec<Option<Reason>>], lives: &[Life]) {
    let (mut lost, mut gauges, mut in_part) = (0, 0, 0);
    for (gauge, life) in lives.iter().enumerate() {
        let (name, reported) = (&data.names[gauge], data.rain[gauge].iter().flatten().count());
        let by_rules = refused[gauge]
            .iter()
            .flatten()
            .filter(|reason| **reason != EXCLUDED)
            .count();
        let percent = by_rules * 100 / reported.max(1);
        in_part += usize::from(life.reduced > 0 && life.exclusions.is_empty());
        if life.exclusions.is_empty() {
            continue;
        }
        let hours: u64 = life.exclusions.iter().map(|(from, until)| until - from).sum();
        let believed = refused[gauge]
            .iter()
            .filter(|reason| **reason == Some(EXCLUDED))
            .count();
        println!(
            "{name}: {percent} % refused by the rules; excluded {} times, {hours} hours, in them {} hours of readings that \
             would have been believed; {} hours paid in part",
            life.exclusions.len(),
            believed / SLOTS,
            life.reduced
        );
        assert!(percent >= 25, "{name} is excluded, and only {percent} % of it refused");
        gauges += 1;
        lost += believed;
    }
    let all: usize = data.rain.iter().map(|rain| rain.iter().flatten().count()).sum();
    println!(
        "of {} gauges {gauges} were excluded at some time, {in_part} others were paid in part at some time; {lost} of {all} \
         readings lost to it",
        lives.len()
    );
    assert!(gauges <= 8 && lost * 200 <= all, "{gauges} gauges, {lost} readings");
}
