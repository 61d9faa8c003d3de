//! Lets a cast play its story and collects what was found. It asserts nothing itself.

use super::SEED;
use crate::Vertical;
use crate::kit::{Admitted, CastDevice, Epoch, Member, assess};
use cairn_types::{
    AccountNumber, DeviceId, DeviceNumber, EpochClock, EpochNumber, Finding, NetworkId, Reason, ReportId, TimeMs, hash,
};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::collections::BTreeMap;

pub const CLOCK: EpochClock = EpochClock {
    genesis: TimeMs(1_500_076_800_000),
    epoch_ms: 3_600_000,
};

/// How a story is played.
pub struct Scene<'a> {
    /// The seed of the cast.
    pub seed: u64,
    pub epochs: u64,
    pub shards: usize,
    /// The seed of another order of arrival.
    pub shuffle: Option<u64>,
    /// Other ids, other numbers in the same order of registration, other operators.
    pub renamed: bool,
    /// Who takes part.
    pub plays: &'a dyn Fn(&CastDevice) -> bool,
}

impl Default for Scene<'_> {
    fn default() -> Self {
        Self {
            seed: SEED,
            epochs: u64::MAX,
            shards: 1,
            shuffle: None,
            renamed: false,
            plays: &|_| true,
        }
    }
}

/// What was found, epoch by epoch and device by device of the cast.
#[derive(Default)]
pub struct Story {
    pub findings: Vec<Vec<Finding>>,
    pub memories: Vec<Vec<u8>>,
    pub units: Vec<u64>,
    /// How many runs of readings, or reports without any, were refused for each reason.
    pub reasons: Vec<BTreeMap<Reason, usize>>,
}

fn number(place: usize, scene: &Scene) -> DeviceNumber {
    DeviceNumber(if scene.renamed {
        3 * place as u32 + 5
    } else {
        place as u32
    })
}

fn id(place: usize, scene: &Scene) -> DeviceId {
    let name: &[u8] = if scene.renamed { b"other" } else { b"one" };
    DeviceId(hash::domain("test/device", &[name, &place.to_be_bytes()]).0)
}

/// The members of the vertical's cast, in order of registration.
pub fn roster(vertical: &dyn Vertical, scene: &Scene) -> Vec<Member> {
    let member = |(place, device): (usize, &CastDevice)| Member {
        number: number(place, scene),
        device: id(place, scene),
        operator: AccountNumber(if scene.renamed {
            1_000 - device.operator.0
        } else {
            device.operator.0
        }),
        cell: device.cell,
        joined: device.joined,
        barred_until: None,
    };
    let cast = vertical.cast(scene.seed);
    cast.devices()
        .iter()
        .enumerate()
        .filter(|(_, device)| (scene.plays)(device))
        .map(member)
        .collect()
}

pub fn epoch<'a>(epoch: u64, params: &'a [u8], roster: &'a [Member], memory: &'a [u8]) -> Epoch<'a> {
    let number = EpochNumber(epoch);
    let (start, end) = (CLOCK.start(number), CLOCK.end(number));
    Epoch {
        network: NetworkId([1; 32]),
        epoch: number,
        start,
        end,
        params,
        roster,
        memory,
        beacon: [0; 32],
    }
}

/// The cast's reports of an epoch, as admitted.
pub fn admitted(vertical: &dyn Vertical, scene: &Scene, epoch: u64) -> Vec<Admitted> {
    let cast = vertical.cast(scene.seed);
    let plays = |device: usize| (scene.plays)(&cast.devices()[device]);
    let reports = cast
        .reports(EpochNumber(epoch), &CLOCK)
        .into_iter()
        .filter(|report| plays(report.device));
    let admit = |report: crate::kit::CastReport| Admitted {
        id: ReportId(
            hash::domain(
                "test/report",
                &[&id(report.device, scene).0, &report.sequence.to_be_bytes()],
            )
            .0,
        ),
        device: number(report.device, scene),
        time: report.pack.time,
        received: report.received,
        sequence: report.sequence,
        body: report.pack.body,
    };
    reports.map(admit).collect()
}

fn shuffle<T>(seed: u64, list: &mut [T]) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    for place in (1..list.len()).rev() {
        list.swap(place, (random.next_u64() % (place as u64 + 1)) as usize);
    }
}

pub fn play(vertical: &dyn Vertical, scene: &Scene) -> Story {
    let cast = vertical.cast(scene.seed);
    let (params, members) = (vertical.default_params(), roster(vertical, scene));
    let devices = cast.devices().len();
    let place_of = |device: DeviceNumber| {
        (0..devices)
            .find(|place| number(*place, scene) == device)
            .expect("one of the cast")
    };
    let mut story = Story {
        units: vec![0; devices],
        reasons: vec![BTreeMap::new(); devices],
        ..Story::default()
    };
    let mut memory = Vec::new();
    for number in 0..cast.epochs().min(scene.epochs) {
        let mut reports = admitted(vertical, scene, number);
        if let Some(seed) = scene.shuffle {
            shuffle(seed, &mut reports);
        }
        let assessment = assess(
            vertical,
            &epoch(number, &params, &members, &memory),
            &reports,
            scene.shards,
        )
        .expect("an epoch");
        assert_eq!(assessment.findings.len(), reports.len());
        for finding in &assessment.findings {
            let place = place_of(finding.device);
            story.units[place] += finding.units;
            let spans = finding.spans.iter().filter_map(|span| span.reason);
            for reason in spans.chain(finding.reason.filter(|_| finding.spans.is_empty())) {
                *story.reasons[place].entry(reason).or_default() += 1;
            }
        }
        memory = assessment.memory.clone();
        story.memories.push(assessment.memory);
        story.findings.push(assessment.findings);
    }
    story
}

/// Findings of bodies of one day sent again the next, in envelopes of that day or in new ones.
pub fn late(vertical: &dyn Vertical, today_in_the_envelope: bool) -> Vec<Finding> {
    let scene = Scene::default();
    let (params, members) = (vertical.default_params(), roster(vertical, &scene));
    let today = epoch(24, &params, &members, &[]);
    let mut reports = admitted(vertical, &scene, 0);
    for report in &mut reports {
        report.received = today.end;
        if today_in_the_envelope {
            report.time = TimeMs(today.end.0 - 1_000);
        }
    }
    assess(vertical, &today, &reports, 1).expect("an epoch").findings
}

/// Reports with this body and numbers of all sizes, from members and others.
pub fn strangers(random: &mut ChaCha8Rng, body: &[u8], members: &[Member]) -> Vec<Admitted> {
    let mut extreme = || [0, 1, CLOCK.genesis.0, u64::MAX, random.next_u64()][random.next_u64() as usize % 5];
    let report = |place: u8| Admitted {
        id: ReportId([place; 32]),
        device: DeviceNumber(if place.is_multiple_of(3) {
            extreme() as u32
        } else {
            members[usize::from(place) % members.len()].number.0
        }),
        time: TimeMs(extreme()),
        received: TimeMs(extreme()),
        sequence: extreme(),
        body: body.to_vec(),
    };
    (0..9).map(report).collect()
}
