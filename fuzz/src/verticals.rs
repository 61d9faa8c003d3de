//! What verticals read from devices, ports and governance. Each input is given to every vertical; it is taken when one takes it.

use std::sync::LazyLock;

use cairn_types::{AccountNumber, DeviceId, DeviceNumber, EpochClock, EpochNumber, NetworkId, ReportId, TimeMs};
use cairn_verticals::{
    ALL, Vertical,
    kit::{Admitted, Epoch, Member, assess},
    wireless::driver::recorded,
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
        name: "recorded",
        run: recorded,
        seeds: lines,
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

/// A log of receptions, and of places of senders, is a file that somebody else wrote.
fn recorded(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let nowhere: cairn_types::CellId = "881969c9b7fffff".parse().expect("a cell");
    let (heard, _) = recorded::read(text).unwrap_or_default();
    for one in &heard {
        let reception = one.reception(|_| nowhere);
        assert_eq!(reception.time, one.heard);
        one.epoch(&CLOCK);
    }
    !heard.is_empty() | recorded::senders(text).is_ok_and(|senders| !senders.is_empty())
}

/// Memory comes from an archive: an auditor reads it before it knows that its hash was attested.
fn memory(vertical: &dyn Vertical, bytes: &[u8]) -> bool {
    let reports = vec![report(1, 0, player(vertical).bodies[0].clone())];
    judged(vertical, &reports, bytes, 2).is_some()
}

/// How many findings, and the memory; none when the epoch's own bytes are refused.
fn judged(vertical: &dyn Vertical, reports: &[Admitted], memory: &[u8], shards: usize) -> Option<(usize, Vec<u8>)> {
    let params = vertical.default_params();
    let epoch = Epoch {
        network: NetworkId([3; 32]),
        epoch: EpochNumber(0),
        start: CLOCK.genesis,
        end: CLOCK.end(EpochNumber(0)),
        params: &params,
        roster: &player(vertical).roster,
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

/// The first two devices of a cast, and what its first twelve say in their first hour. Made once: a town takes its time.
struct Player {
    roster: Vec<Member>,
    bodies: Vec<Vec<u8>>,
}

static PLAYERS: LazyLock<Vec<Player>> = LazyLock::new(|| ALL.iter().map(|vertical| Player::of(*vertical)).collect());

fn player(vertical: &dyn Vertical) -> &'static Player {
    let at = ALL.iter().position(|other| other.name() == vertical.name());
    &PLAYERS[at.expect("targets know the verticals there are")]
}

impl Player {
    fn of(vertical: &dyn Vertical) -> Self {
        let cast = vertical.cast(SEED);
        let member = |(device, number): (&cairn_verticals::kit::CastDevice, u32)| Member {
            number: DeviceNumber(number),
            device: DeviceId([1; 32]),
            operator: AccountNumber(number),
            cell: device.cell,
            joined: EpochNumber(0),
            barred_until: None,
        };
        let said = cast.reports(EpochNumber(0), &CLOCK).into_iter().take(12);
        Self {
            roster: cast.devices().iter().zip(0..2).map(member).collect(),
            bodies: said.map(|report| report.pack.body).collect(),
        }
    }
}

fn bodies() -> Vec<Vec<u8>> {
    PLAYERS.iter().flat_map(|player| player.bodies.clone()).collect()
}

fn memories() -> Vec<Vec<u8>> {
    let left = |vertical: &&dyn Vertical| {
        let bodies = player(*vertical).bodies.iter().take(2).cloned();
        let reports: Vec<Admitted> = bodies
            .zip(0u8..)
            .map(|(body, at)| report(at, at.into(), body))
            .collect();
        Some(judged(*vertical, &reports, &[], 1)?.1)
    };
    ALL.iter().filter_map(left).collect()
}

/// What stations' ports say.
fn messages() -> Vec<Vec<u8>> {
    let messages = [
        r#"[{"bn":"rain","bu":"mm","bt":1500076800,"v":0.101},{"t":300,"v":2e-1}]"#,
        "2017-07-15T00:00:00Z rain=0.101 temperature=19.5\n",
        "ID=KX&dateutc=2017-07-15+00:00:00&tempf=67.1&dailyrainin=0.04&humidity=80",
        r#"{"rxpk":[{"tmst":3512348611,"chan":2,"rfch":0,"freq":868.1,"stat":1,"modu":"LORA","datr":"SF7BW125","codr":"4/6","rssi":-35,"lsnr":5.1,"size":36,"time":"2017-07-15T00:00:30.528002Z","data":"gAcAAEiARwAFFNS7MsysVH1JfcuHWg6BlMPSEMlrB7bcNfUe"}],"stat":{"rxnb":2}}"#,
        r#"{"rxpk":[{"heard":1500076803000,"held":7,"freq":868.5,"datr":"SF12BW125","rssi":-118,"lsnr":-17.5,"eui":"a81758fffe04b1c1","cell":"881969c9b7fffff","height":310,"range":12749,"taken":1500076803100,"data":"gAcAAEiARwAFFNS7MsysVH1JfcuHWg6BlMPSEMlrB7bcNfUe"}]}"#,
        r#"{"beacon":{"time":1500077803000,"nonce":12345,"freq":868.1,"datr":"SF12BW125","power":14}}"#,
        r#"{"station":{"region":"EU868","cell":"881969c9b7fffff","height":220,"gain":2.1}}"#,
    ];
    messages.map(|message| message.as_bytes().to_vec()).to_vec()
}

/// What networks logged of receptions, in both forms, and where senders stand.
fn lines() -> Vec<Vec<u8>> {
    let lines = [
        r#"{"dev_eui":"A817","devaddr":"07000048","fcnt":71,"port":5,"payload_size":23,"raw_packet":"gAcA","hotspots":[{"frequency":868.2999877929688,"hold_time":7864,"id":"11xH","lat":45.184,"long":5.707,"reported_at":1672867882173,"rssi":-111,"snr":-3.79,"spreading":"SF12BW125","_distance":{"_distanceHaversine":2334,"_distanceHorizon":62883}}],"_timestamp":1672867882661,"_devLocation":{"latitude":45.18,"longitude":5.74,"altitude":310}}"#,
        r#"{"devEUI":"d1d1","rxInfo":[{"gatewayID":"10","time":"2023-06-23T09:10:28.649Z","location":{"latitude":45.195,"longitude":-5.7733,"altitude":220},"rssi":-120,"loRaSNR":-6.2}],"txInfo":{"frequency":868100000,"dr":5},"fCnt":1143,"fPort":3,"data":"50","_timestamp":1687511428896,"object":{"a":[1]}}"#,
        r#"{"D1D1":{"name":"Y","latitude":45.2,"longitude":5.7,"altitude":1340}}"#,
    ];
    lines.map(|line| line.as_bytes().to_vec()).to_vec()
}
