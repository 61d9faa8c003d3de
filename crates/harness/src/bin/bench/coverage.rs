//! What judging a million witness reports costs beside reading them once: a hotspot in each cell of a wide valley, each of which sent
//! its beacon and heard those of all around it. Judged in one shard, on one thread.

use crate::method::{Section, Turns, whole};
use cairn_types::{
    AccountNumber, CellId, DeviceId, DeviceNumber, EpochClock, EpochNumber, NetworkId, ReportId, TimeMs, hash,
};
use cairn_verticals::Vertical;
use cairn_verticals::kit::{self, Admitted, Epoch, Member};
use cairn_verticals::wireless::Wireless;
use cairn_verticals::wireless::beacon::{BEACON_BYTES, Due, due};
use cairn_verticals::wireless::params::Params;
use cairn_verticals::wireless::region::REGIONS;
use cairn_verticals::wireless::report::{Beacon, Body, Heard, Station};
use std::collections::HashMap;
use std::error::Error;

const CENTRE: &str = "881969c9b7fffff";
/// Cells around the centre, and how far a beacon is heard, in steps: about a million receptions.
const VALLEY_STEPS: u32 = 57;
const HEARD_STEPS: u32 = 6;
const TURNS: usize = 3;
const CLOCK: EpochClock = EpochClock {
    genesis: TimeMs(1_500_076_800_000),
    epoch_ms: 3_600_000,
};

pub fn run() -> Section {
    let (roster, reports, receptions) = hour()?;
    let params = Wireless.default_params();
    let epoch = Epoch {
        network: NetworkId([1; 32]),
        epoch: EpochNumber(0),
        start: CLOCK.genesis,
        end: CLOCK.end(EpochNumber(0)),
        params: &params,
        roster: &roster,
        memory: &[],
        beacon: [7; 32],
    };
    let mut turns = Turns::default();
    let mut readings = Vec::new();
    let mut result = kit::Assessment::default();
    for _ in 0..TURNS {
        let judged = turns.turn(
            || {
                for report in &reports {
                    readings.clear();
                    assert!(Wireless.read_body(&report.body, &mut readings).is_ok(), "made here");
                }
            },
            || kit::assess(&Wireless, &epoch, &reports, 1),
        );
        result = judged?;
    }
    let earning = result.findings.iter().filter(|finding| finding.units > 0).count();
    let count = receptions as f64;
    Ok(format!(
        "### Coverage\n\n\
         `kit::assess` of the wireless vertical over an hour in which {} hotspots, one in each cell of resolution 8, sent a beacon and \
         witnessed those of all within {HEARD_STEPS} cells. Limit: decoding every body once and judging nothing. One shard. n = {TURNS}.\n\n\
         | hotspots | witness reports | core seconds | witness reports/s per core | limit/s per core | ratio | memory bytes a hotspot | earning |\n\
         |---|---|---|---|---|---|---|---|\n\
         | {} | {} | {:.2} | {} | {} | {:.3} | {} | {:.1} % |\n",
        whole(roster.len() as f64),
        whole(roster.len() as f64),
        whole(count),
        turns.work_core(),
        whole(count / turns.work_core()),
        whole(count / turns.limit_core()),
        turns.ratio(),
        whole(result.memory.len() as f64 / roster.len() as f64),
        100.0 * earning as f64 / reports.len() as f64,
    ))
}

/// The roster, the hour's reports, and how many receptions are in them.
type Hour = (Vec<Member>, Vec<Admitted>, usize);

fn hour() -> Result<Hour, Box<dyn Error>> {
    let centre: CellId = CENTRE.parse()?;
    let cells = centre.disk(VALLEY_STEPS);
    let params = Params::default();
    let times = (EpochNumber(0), CLOCK.genesis, CLOCK.end(EpochNumber(0)));
    let asked: Vec<Due> = cells
        .iter()
        .map(|cell| due(&params, &REGIONS[0], &[0; 32], times, (*cell, 0)))
        .collect();
    let rows: HashMap<CellId, usize> = cells.iter().copied().zip(0..).collect();
    let member = |(number, cell): (u32, &CellId)| Member {
        number: DeviceNumber(number),
        device: DeviceId(hash::domain("bench/device", &[&number.to_be_bytes()]).0),
        operator: AccountNumber(number),
        cell: *cell,
        joined: EpochNumber(0),
        barred_until: None,
    };
    let roster: Vec<Member> = (0..).zip(&cells).map(member).collect();
    let (mut reports, mut receptions) = (Vec::with_capacity(cells.len()), 0);
    for (row, cell) in cells.iter().enumerate() {
        let near = cell.disk(HEARD_STEPS).into_iter().filter(|other| other != cell);
        let near: Vec<usize> = near.filter_map(|other| rows.get(&other).copied()).collect();
        let heard = |other: &usize| {
            let drawn = hash::domain("bench/air", &[&row.to_be_bytes(), &other.to_be_bytes()]).0;
            let due = &asked[*other];
            Heard {
                time: due.time.plus_ms(300 + u64::from(drawn[0])),
                frame: due.frame(*other as u64),
                frequency_hz: due.frequency_hz,
                rate: due.rate,
                rssi_ddbm: -1_000 - i16::from(drawn[1]),
                snr_ddb: i16::from(drawn[2]) / 3,
                held_ms: 0,
                size: BEACON_BYTES as u16,
                source: None,
            }
        };
        let mut body = Body {
            station: Station {
                region: 0,
                place: Some(*cell),
                height_m: Some(240),
                gain_ddbi: Some(21),
            },
            beacons: vec![Beacon {
                time: asked[row].time,
                nonce: row as u64,
                frequency_hz: asked[row].frequency_hz,
                rate: asked[row].rate,
                power_ddbm: 140,
            }],
            heard: near.iter().map(heard).collect(),
        };
        body.settle();
        receptions += body.heard.len();
        reports.push(Admitted {
            id: ReportId(hash::domain("bench/report", &[&row.to_be_bytes()]).0),
            device: DeviceNumber(u32::try_from(row)?),
            time: body.times().ok_or("an empty body")?.1,
            received: CLOCK.end(EpochNumber(0)).plus_ms(1_000),
            sequence: 1,
            body: body.encode()?,
        });
    }
    Ok((roster, reports, receptions))
}
