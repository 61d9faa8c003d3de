//! Intake against raw signature verification, in one run on one thread: durable reports with receipts per second, over the same
//! envelopes' bare batch verification at the same batch size. `ratio` is of the thread's time on its core (Linux counts it; elsewhere it
//! is of wall time), `ratio_wall` includes waiting for the disk. Prints one line of JSON; measures nothing else.
//!
//! `cargo run --release -p cairn-verifier --example bench_intake [batch] [devices] [rounds]`

use cairn_ledger::records::Settlement;
use cairn_types::batch::{self, Signed};
use cairn_types::intake::IntakeAnswer;
use cairn_types::{
    AccountId, AccountNumber, DeviceNumber, Envelope, EpochClock, EpochNumber, NetworkId, OrderId, PublicKey, Report,
    SecretKey, TimeMs,
};
use cairn_verifier::chain::{AccountAt, ChainError, ChainFacts, ChainView, Closed, NetworkAt, OrderAt, SettledOrder};
use cairn_verifier::collector::{Collector, Settings};
use cairn_verifier::disk::Folder;
use cairn_verifier::intake::Windows;
use cairn_verifier::limits::GROUP_MAX;
use cairn_verifier::roster::RosterMember;
use cairn_verticals::by_name;
use cairn_verticals::kit::Reading;
use cairn_verticals::sensors::report;
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

const NETWORK: NetworkId = NetworkId([1; 32]);
const NOW: TimeMs = TimeMs(1_500_076_800_000);
const CLOCK: EpochClock = EpochClock {
    genesis: TimeMs(1_500_000_000_000),
    epoch_ms: 86_400_000,
};

/// A chain that knows one roster.
struct Roster(Vec<RosterMember>);

fn not_asked() -> ChainError {
    ChainError::Unreachable("the bench asks for rosters only".to_owned())
}

impl ChainView for Roster {
    fn facts(&self) -> Result<ChainFacts, ChainError> {
        Err(not_asked())
    }
    fn network(&self, _: &NetworkId, _: EpochNumber) -> Result<NetworkAt, ChainError> {
        Ok(NetworkAt {
            vertical: "sensors".to_owned(),
            first: EpochNumber(0),
            closes: None,
            parameters: Vec::new(),
            roster: self.0.clone(),
        })
    }
    fn closed(&self, _: &NetworkId, _: EpochNumber) -> Result<Option<Closed>, ChainError> {
        Err(not_asked())
    }
    fn settled_orders(&self, _: &NetworkId, _: EpochNumber) -> Result<Vec<SettledOrder>, ChainError> {
        Err(not_asked())
    }
    fn settlement(&self, _: &NetworkId, _: EpochNumber) -> Result<Option<Settlement>, ChainError> {
        Err(not_asked())
    }
    fn verifier_key(&self, _: &AccountId) -> Result<Option<PublicKey>, ChainError> {
        Err(not_asked())
    }
    fn account(&self, _: &AccountId) -> Result<Option<AccountAt>, ChainError> {
        Err(not_asked())
    }
    fn order(&self, _: &OrderId) -> Result<Option<OrderAt>, ChainError> {
        Err(not_asked())
    }
}

/// Seconds: on the wall, and of this thread on a core.
#[derive(Clone, Copy, Default)]
struct Spent {
    wall: f64,
    core: f64,
}

fn core_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds / 1e9)
}

fn spent<T>(work: impl FnOnce() -> T) -> (T, Spent) {
    let (wall, core) = (Instant::now(), core_seconds());
    let done = work();
    let wall = wall.elapsed().as_secs_f64();
    let core = core.zip(core_seconds()).map_or(wall, |(before, after)| after - before);
    (done, Spent { wall, core })
}

impl std::ops::AddAssign for Spent {
    fn add_assign(&mut self, more: Self) {
        self.wall += more.wall;
        self.core += more.core;
    }
}

fn key(device: usize) -> SecretKey {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&(device as u64).to_be_bytes());
    SecretKey::ed25519(seed)
}

/// A batch of envelopes: `devices` devices in turn, each with rising sequence numbers.
fn sealed(keys: &[SecretKey], batch: usize, round: usize) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let per_device = batch.div_ceil(keys.len());
    let reading = |slot: u64| Reading {
        quantity: report::RAIN,
        time: TimeMs(NOW.0 - slot * 300_000),
        value: 100,
    };
    let body = report::encode(&(0..12).rev().map(reading).collect::<Vec<_>>())?;
    let one = |at: usize| {
        let sequence = (round * per_device + at / keys.len()) as u64;
        Envelope::seal(
            &Report {
                network: NETWORK,
                time: NOW,
                sequence,
                body: body.clone(),
            },
            &keys[at % keys.len()],
        )
    };
    Ok((0..batch).map(one).collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<usize> = std::env::args()
        .skip(1)
        .map(|text| text.parse())
        .collect::<Result<_, _>>()?;
    let argument = |at: usize, default: usize| arguments.get(at).copied().unwrap_or(default);
    let (batch, devices, rounds) = (
        argument(0, 1_024).min(GROUP_MAX),
        argument(1, 256).max(1),
        argument(2, 64),
    );
    let keys: Vec<SecretKey> = (0..devices).map(key).collect();
    let publics: Vec<PublicKey> = keys.iter().map(SecretKey::public).collect();
    let member = |(at, key): (usize, &SecretKey)| -> Result<RosterMember, Box<dyn Error>> {
        Ok(RosterMember {
            number: DeviceNumber(u32::try_from(at)?),
            key: key.public(),
            operator: AccountNumber(0),
            cell: "881969c9b7fffff".parse()?,
            joined: EpochNumber(0),
        })
    };
    let roster = keys.iter().enumerate().map(member).collect::<Result<Vec<_>, _>>()?;
    let folder = std::env::temp_dir().join(format!("cairn-bench-intake-{}", std::process::id()));
    let settings = Settings {
        verifier: AccountId([2; 32]),
        key: SecretKey::ed25519([3; 32]),
        windows: Windows {
            ahead_ms_max: 600_000,
            grace_ms: 300_000,
        },
        clock: CLOCK,
        segment_bytes: 32 << 20,
        roster_ms_min: 1_000,
        log_seed: [4; 32],
    };
    let sensors = by_name("sensors").ok_or("no sensors")?;
    let networks = [(NETWORK, sensors, EpochNumber(0))];
    let mut collector = Collector::open(
        settings,
        Arc::new(Roster(roster)),
        Box::new(Folder::open(&folder)?),
        &networks,
    )?;

    let (mut raw, mut intake, mut bytes) = (Spent::default(), Spent::default(), 0);
    // The first rounds warm caches and make the first segment.
    for round in 0..rounds + 4 {
        let envelopes = sealed(&keys, batch, round)?;
        let parsed: Vec<Envelope> = envelopes
            .iter()
            .map(|bytes| Envelope::parse(bytes))
            .collect::<Result<_, _>>()?;
        let signed: Vec<Signed<'_>> = parsed
            .iter()
            .zip(publics.iter().cycle())
            .map(|(envelope, key)| Signed {
                key: *key,
                message: envelope.signed_bytes(),
                signature: envelope.signature,
            })
            .collect();
        let (holds, verifying) = spent(|| batch::verify(&signed));
        assert!(holds.into_iter().all(|holds| holds), "all are rightly signed");

        let slices: Vec<&[u8]> = envelopes.iter().map(Vec::as_slice).collect();
        let ((answers, reply), taking) = spent(|| {
            let answers = collector.take(NOW, &slices).answers;
            let reply = IntakeAnswer::encode_sequence(&answers);
            (answers, reply)
        });
        assert!(
            answers.iter().all(|answer| matches!(answer, IntakeAnswer::Receipt(_))),
            "all get receipts"
        );
        if round >= 4 {
            raw += verifying;
            intake += taking;
            bytes = envelopes[0].len() + reply.len() / batch;
        }
    }
    drop(collector);
    std::fs::remove_dir_all(&folder)?;
    let reports = (batch * rounds) as f64;
    println!(
        "{{\"bench\":\"intake\",\"batch\":{batch},\"devices\":{devices},\"reports\":{reports},\"wire_bytes_per_report\":{bytes},\
         \"raw_per_core_second\":{:.0},\"durable_per_core_second\":{:.0},\"ratio\":{:.3},\"durable_per_wall_second\":{:.0},\"ratio_wall\":{:.3}}}",
        reports / raw.core,
        reports / intake.core,
        raw.core / intake.core,
        reports / intake.wall,
        raw.wall / intake.wall,
    );
    Ok(())
}
