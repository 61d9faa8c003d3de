//! A verifier in memory that really checks, and agents to send to it. It can be told to be down, busy, or to lie.

#![allow(dead_code, clippy::unwrap_used)]

use cairn_agent::agent::{Agent, Parts};
use cairn_agent::backoff::Backoff;
use cairn_agent::device::Network;
use cairn_agent::disk::MemoryDisk;
use cairn_agent::keys::{KeyKind, Keys};
use cairn_agent::outbox::Limits;
use cairn_agent::uplink::{Delivery, Uplink, Verifier};
use cairn_types::intake::{IntakeAnswer, IntakeRefusal, split_sequence};
use cairn_types::receipt::Promise;
use cairn_types::{
    AccountId, DeviceId, Envelope, EpochClock, NetworkId, PublicKey, ReportId, SecretKey, TimeMs, receipt,
};
use futures::future::BoxFuture;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

pub const HOUR_MS: u64 = 3_600_000;
pub const NOON: TimeMs = TimeMs(1_500_076_800_000);
pub const NETWORK: NetworkId = NetworkId([3; 32]);
const CLOCK: EpochClock = EpochClock {
    genesis: TimeMs(0),
    epoch_ms: HOUR_MS,
};
const ACCOUNT: AccountId = AccountId([9; 32]);

/// What the verifier does with the next batch instead of taking it.
#[derive(Clone, Debug)]
pub enum Mood {
    Down,
    Busy(Option<u64>),
    Unreadable,
    /// It takes the batch, and its answer gets lost.
    AnswerLost,
    WrongKey,
    OtherReports,
    Garbage,
    RefuseAll(IntakeRefusal),
}

#[derive(Default)]
struct Inside {
    known: BTreeMap<DeviceId, PublicKey>,
    taken: BTreeMap<ReportId, Envelope>,
    order: Vec<ReportId>,
    moods: VecDeque<Mood>,
    pauses: Vec<u64>,
    batches: usize,
    urls: Vec<String>,
}

#[derive(Clone, Default)]
pub struct TestVerifier(Arc<Mutex<Inside>>);

impl TestVerifier {
    pub fn as_verifier(url: &str) -> Verifier {
        Verifier {
            url: url.into(),
            account: ACCOUNT,
            key: Self::key().public(),
        }
    }

    fn key() -> SecretKey {
        SecretKey::ed25519([5; 32])
    }

    pub fn know(&self, key: PublicKey) {
        self.0.lock().unwrap().known.insert(key.device_id(), key);
    }

    pub fn next_moods(&self, moods: impl IntoIterator<Item = Mood>) {
        self.0.lock().unwrap().moods.extend(moods);
    }

    /// Everything taken, in order.
    pub fn taken(&self) -> Vec<Envelope> {
        let inside = self.0.lock().unwrap();
        inside.order.iter().map(|id| inside.taken[id].clone()).collect()
    }

    pub fn pauses(&self) -> Vec<u64> {
        self.0.lock().unwrap().pauses.clone()
    }

    pub fn batches(&self) -> usize {
        self.0.lock().unwrap().batches
    }

    /// To which addresses batches were sent.
    pub fn urls(&self) -> Vec<String> {
        self.0.lock().unwrap().urls.clone()
    }

    pub fn receive(&self, body: &[u8]) -> Delivery {
        let mut inside = self.0.lock().unwrap();
        inside.batches += 1;
        let mood = inside.moods.pop_front();
        match mood {
            Some(Mood::Down) => return Delivery::Unreachable("it is down".into()),
            Some(Mood::Busy(retry_after_ms)) => return Delivery::Busy { retry_after_ms },
            Some(Mood::Unreadable) => return Delivery::Unreadable { status: 413 },
            Some(Mood::Garbage) => return Delivery::Answers(b"<html>".to_vec()),
            _ => {}
        }
        let items = split_sequence(body, 1_024).expect("an agent sends sequences");
        let mut reports = Vec::new();
        let mut answers: Vec<Option<IntakeAnswer>> = Vec::new();
        for item in items {
            let envelope = Envelope::parse(item).expect("an agent sends envelopes");
            let refused = |refusal| Some(IntakeAnswer::refused(refusal, ""));
            if let Some(Mood::RefuseAll(refusal)) = mood {
                answers.push(refused(refusal));
            } else {
                match inside.known.get(&envelope.device) {
                    None => answers.push(refused(IntakeRefusal::UnknownDevice)),
                    Some(key) if !envelope.verify(key) => answers.push(refused(IntakeRefusal::WrongSignature)),
                    Some(_) => {
                        reports.push(Promise {
                            report: envelope.id(),
                            network: envelope.report.network,
                            epoch: CLOCK.epoch_of(envelope.report.time).expect("after 1970"),
                        });
                        answers.push(None);
                        if inside.taken.insert(envelope.id(), envelope.clone()).is_none() {
                            inside.order.push(envelope.id());
                        }
                    }
                }
            }
        }
        let key = match mood {
            Some(Mood::WrongKey) => SecretKey::ed25519([6; 32]),
            _ => Self::key(),
        };
        if let Some(Mood::OtherReports) = mood {
            reports.iter_mut().for_each(|promise| promise.report.0[0] ^= 1);
        }
        let mut receipts = receipt::issue(ACCOUNT, &key, NOON, &reports).into_iter();
        let answers: Vec<_> = answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(|| IntakeAnswer::Receipt(receipts.next().expect("one per report"))))
            .collect();
        match mood {
            Some(Mood::AnswerLost) => Delivery::Unreachable("the connection broke".into()),
            _ => Delivery::Answers(IntakeAnswer::encode_sequence(&answers)),
        }
    }
}

impl Uplink for TestVerifier {
    fn send<'a>(&'a self, verifier: &'a Verifier, body: Vec<u8>) -> BoxFuture<'a, Delivery> {
        self.0.lock().unwrap().urls.push(verifier.url.clone());
        Box::pin(async move { self.receive(&body) })
    }

    fn pause(&self, ms: u64) -> BoxFuture<'_, ()> {
        self.0.lock().unwrap().pauses.push(ms);
        Box::pin(async {})
    }
}

/// Keys in a folder, disks in memory, a verifier that knows the devices: everything an agent needs to be opened again.
pub struct Stand {
    pub folder: tempfile::TempDir,
    pub outbox: MemoryDisk,
    pub journal: MemoryDisk,
    pub verifier: TestVerifier,
    pub names: Vec<String>,
    pub limits: Limits,
}

impl Stand {
    pub fn new(devices: usize) -> Self {
        let stand = Self {
            folder: tempfile::tempdir().unwrap(),
            outbox: MemoryDisk::default(),
            journal: MemoryDisk::default(),
            verifier: TestVerifier::default(),
            names: (0..devices).map(|at| format!("gauge-{at}")).collect(),
            limits: Limits::default(),
        };
        let mut keys = stand.keys();
        let kinds = stand.names.iter().enumerate().map(|(at, name)| match at % 5 {
            4 => (name.as_str(), KeyKind::P256),
            _ => (name.as_str(), KeyKind::Ed25519),
        });
        keys.make_missing(kinds).unwrap();
        for name in &stand.names {
            stand.verifier.know(keys.get(name).unwrap().public());
        }
        stand
    }

    pub fn keys(&self) -> Keys {
        Keys::open(&self.folder.path().join("agent/keys")).unwrap()
    }

    pub fn parts(&self) -> Parts {
        Parts {
            networks: vec![network()],
            devices: self.names.iter().map(|name| (name.clone(), 0)).collect(),
            verifiers: vec![TestVerifier::as_verifier("http://verifier")],
            limits: self.limits,
            backoff: Backoff::default(),
            receipts_bytes_max: 1 << 20,
            seed: [1; 32],
        }
    }

    pub fn open(&self) -> Agent {
        let (outbox, journal) = (Box::new(self.outbox.clone()), Box::new(self.journal.clone()));
        Agent::open(self.parts(), &self.keys(), outbox, journal).unwrap()
    }

    /// The same after a power cut.
    pub fn crash(&mut self) -> Agent {
        self.outbox = self.outbox.after_crash(0);
        self.journal = self.journal.after_crash(0);
        self.open()
    }
}

pub fn network() -> Network {
    let vertical = cairn_verticals::by_name("sensors").unwrap();
    Network {
        name: "rain".into(),
        id: NETWORK,
        vertical,
        params: vertical.default_params(),
        clock: CLOCK,
        readings_max: 10_000,
        grace_ms: 60_000,
    }
}

/// A line as a gauge says it.
pub fn rain(time: TimeMs, mm: &str) -> Vec<u8> {
    format!("{time} rain={mm}").into_bytes()
}

/// The readings of everything taken: minutes after noon and micrometres, in the order of arrival.
pub fn minutes(envelopes: &[Envelope]) -> Vec<(u64, i64)> {
    let vertical = cairn_verticals::by_name("sensors").unwrap();
    let mut readings = Vec::new();
    for envelope in envelopes {
        vertical.read_body(&envelope.report.body, &mut readings).unwrap();
    }
    readings
        .iter()
        .map(|reading| (reading.time.since_ms(NOON) / 60_000, reading.value))
        .collect()
}

/// Says once that a test cannot run here.
pub fn skip(what: &str) {
    let line = format!("SKIPPED: {what}");
    println!("{line}");
    if let Some(path) = std::env::var_os("CAIRN_SKIP_LOG") {
        let mut log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .unwrap();
        std::io::Write::write_all(&mut log, format!("{line}\n").as_bytes()).unwrap();
    }
}
