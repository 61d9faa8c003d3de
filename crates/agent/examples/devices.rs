//! What many devices cost: memory per device, and reports per second from message to checked receipt, on a real folder.
//!
//! `cargo run --release -p cairn-agent --example devices -- [devices] [hours]`

use cairn_agent::agent::{Agent, DeviceIndex, Parts};
use cairn_agent::backoff::Backoff;
use cairn_agent::clock::SystemClock;
use cairn_agent::device::Network;
use cairn_agent::disk::FolderDisk;
use cairn_agent::keys::{KeyKind, Keys};
use cairn_agent::outbox::Limits;
use cairn_agent::uplink::{Delivery, Uplink, Verifier};
use cairn_types::intake::{ENVELOPES_MAX, IntakeAnswer, split_sequence};
use cairn_types::{AccountId, Envelope, EpochClock, NetworkId, SecretKey, TimeMs, receipt};
use futures::future::BoxFuture;
use std::error::Error;
use std::time::Instant;

const HOUR_MS: u64 = 3_600_000;
const ACCOUNT: AccountId = AccountId([9; 32]);

/// A verifier that believes everything, so that only the agent's work is measured (and the signing of its receipts).
struct Believer(SecretKey);

impl Uplink for Believer {
    fn send<'a>(&'a self, _: &'a Verifier, body: Vec<u8>) -> BoxFuture<'a, Delivery> {
        let items = split_sequence(&body, ENVELOPES_MAX).unwrap_or_default();
        let reports: Vec<_> = items
            .iter()
            .filter_map(|item| Some(Envelope::parse(item).ok()?.id()))
            .collect();
        let receipts = receipt::issue(ACCOUNT, &self.0, TimeMs(0), &reports);
        let answers: Vec<_> = receipts.into_iter().map(IntakeAnswer::Receipt).collect();
        let bytes = IntakeAnswer::encode_sequence(&answers);
        Box::pin(async move { Delivery::Answers(bytes) })
    }

    fn pause(&self, _: u64) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// Bytes of this process in memory, as Linux counts them.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: u64 = statm
        .split_whitespace()
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .unwrap_or(0);
    pages * 4_096
}

fn parts(names: &[String], key: &SecretKey) -> Result<Parts, Box<dyn Error>> {
    let vertical = cairn_verticals::by_name("sensors").ok_or("the vertical is not there")?;
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
            account: ACCOUNT,
            key: key.public(),
        }],
        limits: Limits::default(),
        backoff: Backoff::default(),
        receipts_bytes_max: 64 << 20,
        seed: [0; 32],
    })
}

/// Twelve readings of a gauge in an hour.
fn message(hour: u64) -> Vec<u8> {
    let line = |slot: u64| format!("{} rain=0.{}\n", TimeMs(hour * HOUR_MS + slot * 300_000), slot % 4);
    (0..12).map(line).collect::<String>().into_bytes()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u64>());
    let devices = arguments.next().unwrap_or(Ok(10_000))?;
    let hours = arguments.next().unwrap_or(Ok(5))?;
    let folder = tempfile::tempdir()?;
    let before = resident_bytes();
    let verifier = Believer(SecretKey::ed25519([5; 32]));
    let names: Vec<String> = (0..devices).map(|at| format!("gauge-{at}")).collect();
    let mut keys = Keys::open(&folder.path().join("agent/keys"))?;
    keys.make_missing(names.iter().map(|name| (name.as_str(), KeyKind::Ed25519)))?;
    let parts = parts(&names, &verifier.0)?;
    let disks = (
        Box::new(FolderDisk::open(&folder.path().join("outbox"))?),
        Box::new(FolderDisk::open(&folder.path().join("journal"))?),
    );
    let mut agent = Agent::open(parts, &keys, disks.0, disks.1)?;
    drop(keys);
    let every: Vec<DeviceIndex> = agent.devices().map(|(device, _, _)| device).collect();
    let mut most = 0;
    let started = Instant::now();
    let mut receipts = 0;
    for hour in 1..=hours {
        let message = message(hour);
        let now = TimeMs(hour * HOUR_MS + HOUR_MS - 1);
        for device in &every {
            agent.submit(*device, &message, now)?;
        }
        agent.commit()?;
        most = most.max(resident_bytes().saturating_sub(before));
        agent.seal_due(TimeMs((hour + 1) * HOUR_MS))?;
        receipts += agent.flush(&verifier, &SystemClock, 3).await?.receipts.len();
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{devices} devices, {hours} hours of 12 readings: {receipts} receipts in {seconds:.2} s");
    println!(
        "{:.0} reports a second, sign and check included, one core",
        receipts as f64 / seconds
    );
    println!(
        "{} bytes a device while its hour waits, at most (all memory of the process since its start)",
        most / devices.max(1)
    );
    Ok(())
}
