//! Devices that report once a second to whichever verifier takes it, keep every receipt they are given, and at the end hold the verifiers
//! to them. They say what a measured gauge said, at a new time, or a made drizzle.

use super::chance::Chance;
use super::fleet::{Fleet, ask, exchange};
use super::stand::cairn;
use super::{Options, fleet::Process};
use cairn_agent::keys::Keys;
use cairn_agent::port::replay::{Replay, stations};
use cairn_types::intake::{IntakeAnswer, MEDIA_TYPE, PATH};
use cairn_types::{Envelope, EpochClock, EpochNumber, NetworkId, PublicKey, Report, ReportId, SecretKey, TimeMs};
use cairn_verifier::archive::{REPORTS, folder, reports};
use cairn_verifier::clock::{Clock, SystemClock};
use cairn_verticals::kit::Reading;
use cairn_verticals::sensors::report;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two reports of a device.
const EVERY: Duration = Duration::from_secs(1);
/// Verifiers that a report is offered to before it waits for the next round.
const OFFERS_MAX: usize = 3;
/// Rounds that a report may wait for somebody to take it.
const WAITING_MAX: usize = 20_000;

pub struct Devices {
    network: NetworkId,
    keys: Vec<SecretKey>,
    /// What each says, round after round, in micrometres of rain.
    rain: Vec<Vec<i64>>,
}

/// A place of measured or made rain.
struct Place {
    latitude: f64,
    longitude: f64,
    rain: Vec<i64>,
}

impl Devices {
    /// An account that owns them, opened and paid for by the network.
    pub fn register(fleet: &Fleet, options: &Options) -> Self {
        let home = fleet.home();
        let places = match &options.data {
            Some(folder) => measured(folder, options.devices),
            None => made(options.devices),
        };
        cairn(home, "key new").done();
        cairn(home, "account open").done();
        let network = cairn(home, "network show").done();
        for (at, place) in places.iter().enumerate() {
            let line = format!(
                "device register gauge-{at} --lat {} --lng {}",
                place.latitude, place.longitude
            );
            cairn(home, &line).done();
        }
        let keys = Keys::open(&home.join("agent/keys")).unwrap();
        Self {
            network: network["network"].as_str().unwrap().parse().unwrap(),
            keys: (0..places.len())
                .map(|at| keys.get(&format!("gauge-{at}")).unwrap().clone())
                .collect(),
            rain: places.into_iter().map(|place| place.rain).collect(),
        }
    }

    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// Begins to report, in a thread.
    pub fn report(self, fleet: &Fleet, seed: u64) -> Reporting {
        let mut verifiers: Vec<Taker> = Vec::new();
        for process in fleet.processes().iter().filter(|one| one.name.starts_with("verifier")) {
            let keys = Keys::open(&fleet.home().join(&process.name).join("account.keys")).unwrap();
            verifiers.push(Taker::new(process, keys.get("verifier").unwrap().public()));
        }
        let sent = Arc::new(Mutex::new(Sent {
            network: self.network,
            receipts: vec![BTreeSet::new(); verifiers.len()],
            names: verifiers.iter().map(|one| one.name.clone()).collect(),
            refused: 0,
        }));
        let (end, ended) = channel::<()>();
        let shared = sent.clone();
        let thread = std::thread::spawn(move || {
            let mut chance = Chance(seed);
            let mut waiting = Vec::new();
            let mut round = 0;
            while ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                waiting.extend(self.round(round));
                assert!(waiting.len() <= WAITING_MAX, "nobody takes reports");
                waiting = deliver(waiting, &verifiers, &shared, &mut chance);
                round += 1;
            }
        });
        Reporting { sent, end, thread }
    }

    /// What all say now, signed.
    fn round(&self, round: usize) -> Vec<Vec<u8>> {
        let now = SystemClock.now();
        // Readings are of whole seconds.
        let time = TimeMs(now.0 - now.0 % 1_000);
        let devices = self.keys.iter().zip(&self.rain);
        let said = devices.map(|(key, rain)| {
            let reading = Reading {
                quantity: report::RAIN,
                time,
                value: rain[round % rain.len()],
            };
            let report = Report {
                network: self.network,
                time,
                sequence: round as u64 + 1,
                body: report::encode(&[reading]).unwrap(),
            };
            Envelope::seal(&report, key)
        });
        said.collect()
    }
}

/// A verifier as a device knows it.
struct Taker {
    name: String,
    url: String,
    key: PublicKey,
}

impl Taker {
    fn new(process: &Process, key: PublicKey) -> Self {
        Self {
            name: process.name.clone(),
            url: process.url.clone(),
            key,
        }
    }
}

/// Offers reports, split among verifiers, until one answers; those that nobody took come back.
fn deliver(waiting: Vec<Vec<u8>>, verifiers: &[Taker], sent: &Mutex<Sent>, chance: &mut Chance) -> Vec<Vec<u8>> {
    let mut left = waiting;
    let first = chance.below(verifiers.len());
    for offer in 0..OFFERS_MAX {
        let mut not_taken = Vec::new();
        for (at, part) in left.chunks(left.len().div_ceil(verifiers.len()).max(1)).enumerate() {
            let to = (first + offer + at) % verifiers.len();
            let part = part.iter().take(cairn_types::intake::ENVELOPES_MAX);
            let part: Vec<Vec<u8>> = part.cloned().collect();
            not_taken.extend(post(part, to, &verifiers[to], sent));
        }
        left = not_taken;
        if left.is_empty() {
            break;
        }
    }
    left
}

/// One request; answers what may be offered again.
fn post(envelopes: Vec<Vec<u8>>, to: usize, verifier: &Taker, sent: &Mutex<Sent>) -> Vec<Vec<u8>> {
    let head = format!("POST {PATH} HTTP/1.1\r\nContent-Type: {MEDIA_TYPE}\r\n");
    let Some(body) = exchange(&verifier.url, &head, &envelopes.concat()) else {
        return envelopes;
    };
    // Cut off in the middle it is no answer.
    let Ok(answers) = IntakeAnswer::decode_sequence(&body, envelopes.len()) else {
        return envelopes;
    };
    if answers.len() != envelopes.len() {
        return envelopes;
    }
    let mut again = Vec::new();
    let mut sent = sent.lock().unwrap();
    for (envelope, answer) in envelopes.into_iter().zip(answers) {
        match answer {
            IntakeAnswer::Receipt(receipt) => {
                assert!(
                    receipt.verify(&verifier.key),
                    "{} signs what it promises",
                    verifier.name
                );
                assert_eq!(receipt.report, Envelope::parse(&envelope).unwrap().id());
                sent.receipts[to].insert((receipt.epoch, receipt.report));
            }
            refused if refused.is_temporary() => again.push(envelope),
            IntakeAnswer::Refused { .. } => sent.refused += 1,
        }
    }
    again
}

/// What was said to devices.
#[derive(Clone)]
pub struct Sent {
    network: NetworkId,
    names: Vec<String>,
    /// By verifier.
    receipts: Vec<BTreeSet<(EpochNumber, ReportId)>>,
    /// Reports that a verifier finally refused.
    pub refused: usize,
}

pub struct Reporting {
    sent: Arc<Mutex<Sent>>,
    end: Sender<()>,
    thread: JoinHandle<()>,
}

impl Reporting {
    pub fn last_verifier(&self) -> usize {
        self.sent.lock().unwrap().receipts.len() - 1
    }

    pub fn receipts_of(&self, verifier: usize) -> usize {
        self.sent.lock().unwrap().receipts[verifier].len()
    }

    pub fn end(self) -> Sent {
        drop(self.end);
        self.thread.join().unwrap();
        self.sent.lock().unwrap().clone()
    }
}

/// How receipts were kept.
pub struct Honoured {
    pub receipts: usize,
    pub lost: usize,
    pub epochs: usize,
}

impl Sent {
    /// Waits until every epoch of a receipt is settled, and sealed by its verifier; counts receipts whose report is not in that.
    pub fn honoured(&self, fleet: &Fleet) -> Honoured {
        let mut honoured = Honoured {
            receipts: 0,
            lost: 0,
            epochs: 0,
        };
        let node = &fleet.urls(Process::is_validator)[0];
        let epochs: BTreeSet<EpochNumber> = self.receipts.iter().flatten().map(|(epoch, _)| *epoch).collect();
        for epoch in &epochs {
            let path = format!("/v1/networks/{}/epochs/{epoch}", self.network);
            fleet.until(&format!("epoch {epoch} is not settled"), || {
                ask(node, &path).is_some_and(|said| said["settlement"].is_object())
            });
        }
        honoured.epochs = epochs.len();
        for (name, receipts) in self.names.iter().zip(&self.receipts) {
            let mut by_epoch: BTreeMap<EpochNumber, BTreeSet<ReportId>> = BTreeMap::new();
            for (epoch, report) in receipts {
                by_epoch.entry(*epoch).or_default().insert(*report);
            }
            honoured.receipts += receipts.len();
            for (epoch, promised) in by_epoch {
                let file = fleet
                    .home()
                    .join(name)
                    .join("archive")
                    .join(folder(&self.network, epoch))
                    .join(REPORTS);
                fleet.until(&format!("{name} does not seal epoch {epoch}"), || file.exists());
                let rows = reports::read(std::fs::read(&file).unwrap()).unwrap();
                let sealed: BTreeSet<ReportId> = rows.into_iter().map(|row| row.id).collect();
                honoured.lost += promised.difference(&sealed).count();
            }
        }
        honoured
    }
}

/// Gauges of a folder of measured rain, a row of five minutes for each second.
fn measured(data: &Path, most: usize) -> Vec<Place> {
    let table = data.join("ams_pws_rain_5min.csv.gz");
    let clock = |genesis| EpochClock {
        genesis,
        epoch_ms: 300_000,
    };
    let first = Replay::open(&table, clock(TimeMs(0))).unwrap().first();
    let replay = Replay::open(&table, clock(first)).unwrap();
    let names = replay.stations().to_vec();
    let mut rain = vec![Vec::new(); names.len()];
    for played in replay.take(2_000) {
        for saying in played.unwrap().sayings {
            let millimetres: Vec<f64> = saying
                .readings
                .iter()
                .filter_map(|(_, text)| text.parse().ok())
                .collect();
            rain[saying.station].extend(millimetres.iter().map(|rain| (rain * 1_000.0).round() as i64));
        }
    }
    let stand: BTreeMap<String, (f64, f64)> = stations(&data.join("ams_pws_stations.csv"))
        .unwrap()
        .into_iter()
        .map(|station| (station.name, (station.latitude, station.longitude)))
        .collect();
    let gauges = names.iter().zip(rain).filter(|(_, rain)| !rain.is_empty());
    let gauges = gauges.map(|(name, rain)| Place {
        latitude: stand[name].0,
        longitude: stand[name].1,
        rain,
    });
    gauges.take(most).collect()
}

fn made(count: usize) -> Vec<Place> {
    let place = |at: usize| Place {
        latitude: 52.3 + at as f64 / 100.0,
        longitude: 4.8 + at as f64 / 100.0,
        rain: (0..60).map(|second| (second % 7) * 10).collect(),
    };
    (0..count).map(place).collect()
}
