//! What judging an epoch costs beside reading it once: a made city of many gauges, in its driest and in its wettest hour, with the
//! memory of the day before. Judged in one shard, on one thread.

use crate::method::{Section, Turns, resident_bytes, whole};
use cairn_types::{AccountNumber, DeviceId, DeviceNumber, EpochClock, EpochNumber, NetworkId, ReportId, TimeMs, hash};
use cairn_verticals::Vertical;
use cairn_verticals::kit::{self, Admitted, Cast, Epoch, Member};
use cairn_verticals::sensors::cast;
use std::error::Error;
use std::fmt::Write;

const SIZES: [usize; 2] = [2_000, 20_000];
const TURNS: usize = 7;
const HOUR_MS: u64 = 3_600_000;
/// The hour to measure comes from the second day, so that the first is in memory.
const WARM_HOURS: u64 = 24;
const HOURS: u64 = 48;
const CLOCK: EpochClock = EpochClock {
    genesis: TimeMs(1_500_001_200_000),
    epoch_ms: HOUR_MS,
};

/// One hour, ready to be judged.
pub struct Hour {
    pub clock: EpochClock,
    pub epoch: EpochNumber,
    pub reports: Vec<Admitted>,
    pub memory: Vec<u8>,
    pub rain: i64,
}

pub fn run() -> Section {
    let mut text = format!(
        "### Assess\n\n\
         `kit::assess` of the sensors vertical over an hour of a made city with every cheat in it, 12 readings a gauge, after {WARM_HOURS} \
         hours of memory; all gauges stand in 271 cells of one city, where every rule about neighbours has most to do. Limit: decoding every \
         body once and judging nothing. One shard. n = {TURNS}.\n\n\
         | gauges | hour | readings/s per core | ms an epoch | limit/s per core | ratio | memory bytes a gauge | earning |\n\
         |---|---|---|---|---|---|---|---|\n"
    );
    let vertical = cairn_verticals::by_name("sensors").ok_or("no sensors")?;
    let before = resident_bytes();
    for size in SIZES {
        eprintln!("assess: {size} gauges");
        for row in measure(vertical, size)? {
            text.push_str(&row);
        }
    }
    let most = (resident_bytes() - before) / SIZES[SIZES.len() - 1] as f64;
    write!(
        text,
        "\nThe process holds {} bytes a gauge more at the end than at the start, reports, rosters and freed memory included.",
        whole(most)
    )?;
    Ok(text)
}

fn measure(vertical: &dyn Vertical, gauges: usize) -> Result<Vec<String>, Box<dyn Error>> {
    let city = cast::city(7, gauges, true, HOURS);
    let roster = roster(city.devices());
    let params = vertical.default_params();
    let (dry, wet) = driest_and_wettest(vertical, &city)?;
    let mut memory = Vec::new();
    let mut hours = Vec::new();
    for hour in 0..=dry.max(wet) {
        let (reports, rain) = reports(vertical, &city, &CLOCK, EpochNumber(hour))?;
        let now = Hour {
            clock: CLOCK,
            epoch: EpochNumber(hour),
            reports,
            memory,
            rain,
        };
        memory = judge(vertical, &params, &roster, &now)?.memory;
        if hour == dry || hour == wet {
            hours.push(now);
        }
    }
    hours.sort_by_key(|hour| hour.rain);
    let mut rows = Vec::new();
    for hour in &hours {
        let name = if hour.epoch.0 == dry { "driest" } else { "wettest" };
        rows.push(row(vertical, &params, &roster, hour, name)?);
    }
    Ok(rows)
}

fn row(vertical: &dyn Vertical, params: &[u8], roster: &[Member], hour: &Hour, name: &str) -> Section {
    let mut turns = Turns::default();
    let mut readings = Vec::new();
    let mut result = kit::Assessment::default();
    for _ in 0..TURNS {
        let judged = turns.turn(
            || {
                readings.clear();
                for report in &hour.reports {
                    assert!(
                        vertical.read_body(&report.body, &mut readings).is_ok(),
                        "a cast speaks well"
                    );
                }
            },
            || judge(vertical, params, roster, hour),
        );
        result = judged?;
    }
    let count = readings.len() as f64;
    let earning = result.findings.iter().filter(|finding| finding.units > 0).count();
    Ok(format!(
        "| {} | {name}, {:.1} mm a gauge | {} | {:.1} | {} | {:.3} | {} | {:.1} % |\n",
        whole(roster.len() as f64),
        hour.rain as f64 / 1_000.0 / roster.len() as f64,
        whole(count / turns.work_core()),
        turns.work_core() * 1e3,
        whole(count / turns.limit_core()),
        turns.ratio(),
        whole(result.memory.len() as f64 / roster.len() as f64),
        100.0 * earning as f64 / hour.reports.len() as f64,
    ))
}

pub fn judge(
    vertical: &dyn Vertical,
    params: &[u8],
    roster: &[Member],
    hour: &Hour,
) -> Result<kit::Assessment, kit::AssessError> {
    let epoch = Epoch {
        network: NetworkId([1; 32]),
        epoch: hour.epoch,
        start: hour.clock.start(hour.epoch),
        end: hour.clock.end(hour.epoch),
        params,
        roster,
        memory: &hour.memory,
        beacon: [7; 32],
    };
    kit::assess(vertical, &epoch, &hour.reports, 1)
}

pub fn roster(devices: &[kit::CastDevice]) -> Vec<Member> {
    let member = |(number, device): (u32, &kit::CastDevice)| Member {
        number: DeviceNumber(number),
        device: DeviceId(hash::domain("bench/device", &[&number.to_be_bytes()]).0),
        operator: AccountNumber(device.operator.0),
        cell: device.cell,
        joined: device.joined,
        barred_until: None,
    };
    (0..).zip(devices).map(member).collect()
}

/// The reports of an hour and all the rain in them.
pub fn reports(
    vertical: &dyn Vertical,
    city: &cast::City,
    clock: &EpochClock,
    epoch: EpochNumber,
) -> Result<(Vec<Admitted>, i64), Box<dyn Error>> {
    let mut readings = Vec::new();
    let mut admitted = Vec::new();
    for report in city.reports(epoch, clock) {
        vertical.read_body(&report.pack.body, &mut readings)?;
        let parts: [&[u8]; 2] = [&(report.device as u64).to_be_bytes(), &report.sequence.to_be_bytes()];
        admitted.push(Admitted {
            id: ReportId(hash::domain("bench/report", &parts).0),
            device: DeviceNumber(u32::try_from(report.device)?),
            time: report.pack.time,
            received: report.received,
            sequence: report.sequence,
            body: report.pack.body,
        });
    }
    Ok((admitted, readings.iter().map(|reading| reading.value).sum()))
}

fn driest_and_wettest(vertical: &dyn Vertical, city: &cast::City) -> Result<(u64, u64), Box<dyn Error>> {
    let mut rains = Vec::new();
    for hour in WARM_HOURS..HOURS {
        rains.push((reports(vertical, city, &CLOCK, EpochNumber(hour))?.1, hour));
    }
    let (driest, wettest) = rains.iter().min().zip(rains.iter().max()).ok_or("no hours")?;
    Ok((driest.1, wettest.1))
}
