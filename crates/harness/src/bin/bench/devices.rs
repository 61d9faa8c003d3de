//! What a device costs in memory: in an agent process that holds many, and in the verifier that knows them all. Counts what the
//! process has in memory before and after, so the allocator's own waste is in it.

use crate::method::{Section, resident_bytes, whole};
use crate::roster::{self, Devices, NOW};
use cairn_agent::agent::{Agent, DeviceIndex, Parts};
use cairn_agent::backoff::Backoff;
use cairn_agent::device::Network;
use cairn_agent::disk::FolderDisk;
use cairn_agent::keys::{KeyKind, Keys};
use cairn_agent::outbox::Limits;
use cairn_agent::uplink::Verifier;
use cairn_types::{AccountId, EpochClock, IntakeAnswer, NetworkId, SecretKey, TimeMs};
use std::error::Error;

const HOUR_MS: u64 = 3_600_000;
const AGENT_DEVICES: usize = 20_000;
const COLLECTOR_DEVICES: u32 = 100_000;
const REPORTS_EACH: usize = 4;
const BATCH: usize = 1_024;

pub fn agent() -> Section {
    let folder = tempfile::tempdir()?;
    let names: Vec<String> = (0..AGENT_DEVICES).map(|at| format!("gauge-{at}")).collect();
    let mut keys = Keys::open(&folder.path().join("agent/keys"))?;
    keys.make_missing(names.iter().map(|name| (name.as_str(), KeyKind::Ed25519)))?;
    let parts = parts(&names)?;
    let disks = (
        Box::new(FolderDisk::open(&folder.path().join("outbox"))?),
        Box::new(FolderDisk::open(&folder.path().join("journal"))?),
    );
    let before = resident_bytes();
    let each = |before: f64| whole((resident_bytes() - before) / AGENT_DEVICES as f64);
    let mut agent = Agent::open(parts, &keys, disks.0, disks.1)?;
    let open = each(before);
    let devices: Vec<DeviceIndex> = agent.devices().map(|(device, _, _)| device).collect();
    let message: Vec<u8> = (0..12)
        .flat_map(|slot| format!("{} rain=0.{}\n", TimeMs(HOUR_MS + slot * 300_000), slot % 4).into_bytes())
        .collect();
    for device in devices {
        agent.submit(device, &message, TimeMs(2 * HOUR_MS - 1))?;
    }
    agent.commit()?;
    let waiting = each(before);
    agent.seal_due(TimeMs(2 * HOUR_MS))?;
    let sealed = each(before);
    Ok(format!(
        "### Memory a device\n\n\
         Growth of the process's resident memory (`/proc/self/statm`) over the number of devices.\n\n\
         Agent with {} devices, each with a key of its own, outbox and journal in a folder:\n\n\
         | open, bytes a device | with an hour of 12 readings kept | that hour sealed and waiting for its receipt |\n|---|---|---|\n\
         | {open} | {waiting} | {sealed} |",
        whole(AGENT_DEVICES as f64),
    ))
}

fn parts(names: &[String]) -> Result<Parts, Box<dyn Error>> {
    let vertical = cairn_verticals::by_name("sensors").ok_or("no sensors")?;
    let network = Network {
        name: "rain".into(),
        id: NetworkId([3; 32]),
        vertical,
        params: vertical.default_params(),
        clock: EpochClock {
            genesis: TimeMs(0),
            epoch_ms: HOUR_MS,
        },
        readings_max: 512,
        grace_ms: 0,
    };
    Ok(Parts {
        networks: vec![network],
        devices: names.iter().map(|name| (name.clone(), 0)).collect(),
        verifiers: vec![Verifier {
            url: String::new(),
            account: AccountId([9; 32]),
            key: SecretKey::ed25519([5; 32]).public(),
        }],
        limits: Limits::default(),
        backoff: Backoff::default(),
        receipts_bytes_max: 64 << 20,
        seed: [0; 32],
    })
}

pub fn collector() -> Section {
    let folder = tempfile::tempdir()?;
    eprintln!("collector: {COLLECTOR_DEVICES} keys");
    let mut devices = Devices::new(COLLECTOR_DEVICES);
    let chain = devices.chain()?;
    let body = roster::body(12)?;
    let mut collector = roster::collector(chain, &folder.path().join("log"))?;
    // One report has the roster loaded.
    let first = devices.reports(std::iter::once(0), &body);
    let before = resident_bytes();
    let each = |before: f64| whole((resident_bytes() - before) / f64::from(COLLECTOR_DEVICES));
    collector.take(NOW, &[first[0].as_slice()]);
    let loaded = each(before);
    let mut after = Vec::new();
    for _ in 0..REPORTS_EACH {
        for start in (0..COLLECTOR_DEVICES as usize).step_by(BATCH) {
            let end = (start + BATCH).min(COLLECTOR_DEVICES as usize);
            let envelopes = devices.reports(start..end, &body);
            let slices: Vec<&[u8]> = envelopes.iter().map(Vec::as_slice).collect();
            let answers = collector.take(NOW, &slices).answers;
            let receipts = answers
                .iter()
                .filter(|answer| matches!(answer, IntakeAnswer::Receipt(_)));
            assert_eq!(receipts.count(), slices.len(), "every report gets its receipt");
        }
        after.push(each(before));
    }
    Ok(format!(
        "Collector of a verifier with a roster of {} devices (the chain's own copy not counted). Reports are on disk; what remains of them in \
         memory until their epoch is archived:\n\n\
         | roster loaded, bytes a device | after 1 report each | after {REPORTS_EACH} reports each |\n|---|---|---|\n\
         | {loaded} | {} | {} |",
        whole(COLLECTOR_DEVICES.into()),
        after[0],
        after[REPORTS_EACH - 1],
    ))
}
