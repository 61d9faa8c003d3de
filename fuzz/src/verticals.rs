//! What verticals read from devices, ports and governance. Each input is given to every vertical; it is taken when one takes it.

use cairn_types::{AccountNumber, DeviceId, DeviceNumber, EpochClock, EpochNumber, NetworkId, ReportId, TimeMs};
use cairn_verticals::{
    ALL, Vertical,
    kit::{Admitted, Epoch, Member, assess},
};

use crate::Target;

/// Casts live by it: epochs of an hour.
const CLOCK: EpochClock = EpochClock {
    genesis: TimeMs(1_500_076_800_000),
    epoch_ms: 3_600_000,
};
const SEED: u64 = 7;

pub const TARGETS: &[Target] = &[
    Target {
        name: "body",
        run: |bytes| any(|vertical| body(vertical, bytes)),
        seeds: bodies,
    },
    Target {
        name: "port",
        run: |bytes| any(|vertical| port(vertical, bytes)),
        seeds: messages,
    },
    Target {
        name: "params",
        run: |bytes| any(|vertical| params(vertical, bytes)),
        seeds: || ALL.iter().map(|vertical| vertical.default_params()).collect(),
    },
    Target {
        name: "memory",
        run: |bytes| any(|vertical| memory(vertical, bytes)),
        seeds: memories,
    },
];

fn any(takes: impl Fn(&dyn Vertical) -> bool) -> bool {
    ALL.iter().filter(|vertical| takes(**vertical)).count() > 0
}

/// What intake refuses, judging survives; what it takes has a finding, whoever sent it.
fn body(vertical: &dyn Vertical, bytes: &[u8]) -> bool {
    let mut readings = Vec::new();
    let taken = vertical.check_body(bytes).is_ok();
    assert_eq!(taken, vertical.read_body(bytes, &mut readings).is_ok());
    assert!(taken || readings.is_empty(), "a refused body leaves nothing behind");
    let reports = vec![
        report(1, 0, bytes.to_vec()),
        report(2, 1, bytes.to_vec()),
        report(3, 9, bytes.to_vec()),
    ];
    let (one, many) = (judged(vertical, &reports, &[], 1), judged(vertical, &reports, &[], 3));
    assert_eq!(one.as_ref().map(|(findings, _)| *findings), Some(reports.len()));
    assert!(one == many, "shards change nothing");
    taken
}

/// A driver's own packs are bodies that intake takes.
fn port(vertical: &dyn Vertical, bytes: &[u8]) -> bool {
    let driver = vertical.driver(&vertical.default_params(), CLOCK);
    let mut driver = driver.expect("default parameters are valid");
    let taken = (0..3)
        .filter(|&at| driver.push(bytes, CLOCK.genesis.plus_ms(at * 60_000)).is_ok())
        .count();
    for pack in driver.packs(TimeMs(u64::MAX)) {
        assert_eq!(vertical.check_body(&pack.body), Ok(()));
    }
    taken > 0
}

fn params(vertical: &dyn Vertical, bytes: &[u8]) -> bool {
    let valid = vertical.check_params(bytes).is_ok();
    assert!(!valid || vertical.driver(bytes, CLOCK).is_ok());
    for delivered in [0, 1, u64::MAX] {
        assert_eq!(vertical.meter(bytes, delivered).is_ok(), valid);
    }
    valid
}

/// Memory comes from an archive: an auditor reads it before it knows that its hash was attested.
fn memory(vertical: &dyn Vertical, bytes: &[u8]) -> bool {
    let reports = vec![report(1, 0, bodies().swap_remove(0))];
    judged(vertical, &reports, bytes, 2).is_some()
}

/// How many findings, and the memory; none when the epoch's own bytes are refused.
fn judged(vertical: &dyn Vertical, reports: &[Admitted], memory: &[u8], shards: usize) -> Option<(usize, Vec<u8>)> {
    let roster: Vec<Member> = vertical
        .cast(SEED)
        .devices()
        .iter()
        .zip(0..2)
        .map(|(device, number)| Member {
            number: DeviceNumber(number),
            device: DeviceId([1; 32]),
            operator: AccountNumber(number),
            cell: device.cell,
            joined: EpochNumber(0),
            barred_until: None,
        })
        .collect();
    let params = vertical.default_params();
    let epoch = Epoch {
        network: NetworkId([3; 32]),
        epoch: EpochNumber(0),
        start: CLOCK.genesis,
        end: CLOCK.end(EpochNumber(0)),
        params: &params,
        roster: &roster,
        memory,
        beacon: [5; 32],
    };
    let assessment = assess(vertical, &epoch, reports, shards).ok()?;
    Some((assessment.findings.len(), assessment.memory))
}

fn report(id: u8, device: u32, body: Vec<u8>) -> Admitted {
    Admitted {
        id: ReportId([id; 32]),
        device: DeviceNumber(device),
        time: CLOCK.genesis,
        received: CLOCK.genesis,
        sequence: 1,
        body,
    }
}

/// What casts say in their first hour.
fn bodies() -> Vec<Vec<u8>> {
    let said = ALL
        .iter()
        .flat_map(|vertical| vertical.cast(SEED).reports(EpochNumber(0), &CLOCK).into_iter().take(12));
    said.map(|report| report.pack.body).collect()
}

fn memories() -> Vec<Vec<u8>> {
    let reports: Vec<Admitted> = bodies()
        .into_iter()
        .take(2)
        .zip(0u8..)
        .map(|(body, at)| report(at, at.into(), body))
        .collect();
    ALL.iter()
        .filter_map(|vertical| Some(judged(*vertical, &reports, &[], 1)?.1))
        .collect()
}

/// What stations' ports say.
fn messages() -> Vec<Vec<u8>> {
    let messages = [
        r#"[{"bn":"rain","bu":"mm","bt":1500076800,"v":0.101},{"t":300,"v":2e-1}]"#,
        "2017-07-15T00:00:00Z rain=0.101 temperature=19.5\n",
        "ID=KX&dateutc=2017-07-15+00:00:00&tempf=67.1&dailyrainin=0.04&humidity=80",
    ];
    messages.map(|message| message.as_bytes().to_vec()).to_vec()
}
