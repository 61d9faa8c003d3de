//! Reputation of sensors seen from outside: honest gauges among cheats over weeks, and what an excluded gauge still does to
//! its neighbours: nothing.

use cairn_types::{
    AccountNumber, CellId, DeviceId, DeviceNumber, EpochClock, EpochNumber, Finding, NetworkId, ReportId, TimeMs, hash,
};
use cairn_verticals::kit::memory::Memory;
use cairn_verticals::kit::reasons::{EXCLUDED, STANDING};
use cairn_verticals::kit::reputation::{Exclusion, Mark, Record};
use cairn_verticals::kit::{Admitted, Cast, CastReport, Epoch, Member, Reading, Role, assess};
use cairn_verticals::sensors::judge::reasons::{APART, STUCK};
use cairn_verticals::sensors::params::weather;
use cairn_verticals::sensors::report::{self, RAIN, TEMPERATURE};
use cairn_verticals::sensors::{Sensors, cast};

const CLOCK: EpochClock = EpochClock {
    genesis: TimeMs(1_500_076_800_000),
    epoch_ms: 3_600_000,
};

fn member(number: u32, cell: CellId) -> Member {
    Member {
        number: DeviceNumber(number),
        device: DeviceId([number as u8; 32]),
        operator: AccountNumber(number),
        cell,
        joined: EpochNumber(0),
        barred_until: None,
    }
}

fn epoch<'a>(hour: u64, params: &'a [u8], roster: &'a [Member], memory: &'a [u8]) -> Epoch<'a> {
    Epoch {
        network: NetworkId([1; 32]),
        epoch: EpochNumber(hour),
        start: CLOCK.start(EpochNumber(hour)),
        end: CLOCK.end(EpochNumber(hour)),
        params,
        roster,
        memory,
        beacon: [0; 32],
    }
}

#[test]
fn three_weeks_among_cheats_leave_honest_gauges_untouched() {
    let hours = 21 * 24;
    let city = cast::city(5, 24, true, hours);
    let devices = Cast::devices(&city);
    let roster: Vec<Member> = (0..)
        .zip(devices)
        .map(|(number, device)| member(number, device.cell))
        .collect();
    let params = cairn_verticals::Vertical::default_params(&Sensors);
    let mut memory = Vec::new();
    let mut excluded = vec![0; devices.len()];
    for hour in 0..hours {
        let admit = |report: CastReport| Admitted {
            id: ReportId(hash::domain("test", &[&hour.to_be_bytes(), &report.device.to_be_bytes()]).0),
            device: DeviceNumber(report.device as u32),
            time: report.pack.time,
            received: report.received,
            sequence: report.sequence,
            body: report.pack.body,
        };
        let reports: Vec<Admitted> = city.reports(EpochNumber(hour), &CLOCK).into_iter().map(admit).collect();
        let found = assess(&Sensors, &epoch(hour, &params, &roster, &memory), &reports, 2).expect("an epoch");
        for finding in &found.findings {
            let standing = finding.spans.iter().find(|span| span.quantity == STANDING);
            let device = finding.device.index();
            assert!(
                standing.is_none() || devices[device].role != Role::Honest,
                "{} hour {hour}",
                devices[device].name
            );
            excluded[device] += u64::from(standing.is_some_and(|span| span.reason == Some(EXCLUDED)));
        }
        memory = found.memory;
    }
    let cheats = devices
        .iter()
        .zip(&excluded)
        .filter(|(device, _)| device.role != Role::Honest);
    for (device, excluded) in cheats {
        assert!(
            excluded * 2 > hours,
            "{}: excluded in {excluded} of {hours} hours",
            device.name
        );
    }
}

/// An hour in which every device says the same of one quantity every five minutes, the last device something else.
fn hour(devices: u32, quantity: u16, others: i64, last: i64, cells: &[CellId], excluded: Option<u32>) -> Vec<Finding> {
    let roster: Vec<Member> = (0..devices)
        .map(|number| member(number, cells[number as usize % cells.len()]))
        .collect();
    let mark = Mark {
        epoch: EpochNumber(6),
        reason: STUCK,
        weight: 1_000,
    };
    let record = |number| Record {
        exclusion: Some(Exclusion {
            from: EpochNumber(7),
            until: EpochNumber(79),
            score: 4_999,
            line: 5_000,
            evidence: vec![mark],
        }),
        ..Record::of(DeviceNumber(number))
    };
    let memory = Memory {
        records: excluded.map(record).into_iter().collect(),
        vertical: &[],
    };
    let (params, memory) = (weather().encode(), memory.encode());
    let now = epoch(9, &params, &roster, &memory);
    let report = |number: u32| {
        let value = if number == devices - 1 { last } else { others };
        let reading = |slot: u64| Reading {
            quantity,
            time: now.start.plus_ms(slot * 300_000),
            value: value + slot as i64 + i64::from(number),
        };
        let readings: Vec<Reading> = (0..12).map(reading).collect();
        Admitted {
            id: ReportId([number as u8; 32]),
            device: DeviceNumber(number),
            time: readings[11].time,
            received: readings[11].time,
            sequence: 1,
            body: report::encode(&readings).expect("a body"),
        }
    };
    let reports: Vec<Admitted> = (0..devices).map(report).collect();
    assess(&Sensors, &now, &reports, 1).expect("an epoch").findings
}

#[test]
fn an_excluded_gauge_takes_no_share_of_its_cell() {
    let cell: CellId = "881969c9b7fffff".parse().expect("a cell");
    let units = |excluded| {
        let findings = hour(3, RAIN, 10, 10, &[cell], excluded);
        findings.iter().map(|finding| finding.units).collect::<Vec<_>>()
    };
    assert_eq!(units(None), [222_222; 3], "three share what two would earn");
    assert_eq!(units(Some(1)), [333_333, 0, 333_333]);
}

#[test]
fn an_excluded_gauge_is_no_witness() {
    let cells = "881969c9b7fffff".parse::<CellId>().expect("a cell").disk(2);
    let verdict = |excluded| {
        let findings = hour(6, TEMPERATURE, 10_000, 40_000, &cells, excluded);
        findings[5]
            .spans
            .iter()
            .find(|span| span.quantity != STANDING)
            .expect("a run")
            .reason
    };
    assert_eq!(verdict(None), Some(APART), "five neighbours say otherwise");
    assert_eq!(verdict(Some(2)), None, "four prove nothing");
}
