//! Devices that report once a second to whichever verifier takes it, keep every receipt they are given, and at the end hold the verifiers
//! to them. They say what a measured gauge said, at a new time, or a made drizzle.

use super::chance::Chance;
use super::fleet::{Fleet, ask, said};
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
use std::cell::Cell;
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
/// What a verifier says that cannot write.
pub const DISK_FULL: &str = "the disk is full";
/// Reports of one request of a device that talks.
const REPORTS_AT_ONCE: usize = 128;
/// Requests until a full disk must have been noticed.
const REQUESTS_MAX: usize = 1_000;

pub struct Devices {
    network: NetworkId,
    keys: Vec<SecretKey>,
    /// One that says nothing by itself.
    silent: SecretKey,
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
            Some(folder) => measured(folder, options.devices + 1),
            None => made(options.devices + 1),
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
        let mut keys: Vec<SecretKey> = (0..places.len())
            .map(|at| keys.get(&format!("gauge-{at}")).unwrap().clone())
            .collect();
        Self {
            network: network["network"].as_str().unwrap().parse().unwrap(),
            silent: keys.pop().unwrap(),
            keys,
            rain: places.into_iter().map(|place| place.rain).collect(),
        }
    }

    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// Begins to report, in a thread; the device that stays silent is given back.
    pub fn report(self, fleet: &Fleet, seed: u64) -> (Reporting, Talker) {
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
            put_off: BTreeMap::new(),
        }));
        let talker = Talker {
            network: self.network,
            key: self.silent.clone(),
            to: verifiers.last().unwrap().clone(),
            said: Cell::new(0),
        };
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
        (Reporting { sent, end, thread }, talker)
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

/// A device that says as much as it can, to one verifier.
pub struct Talker {
    network: NetworkId,
    key: SecretKey,
    to: Taker,
    said: Cell<u64>,
}

impl Talker {
    /// Talks until not even the shortest report is taken, for want of room; answers those that were put off last.
    pub fn fill(&self, reporting: &Reporting) -> Vec<Vec<u8>> {
        let mut waiting = Vec::new();
        for body in [long_body, short_body] {
            waiting.clear();
            let mut count = REPORTS_AT_ONCE;
            for _ in 0..REQUESTS_MAX {
                while waiting.len() < count {
                    waiting.push(self.say(body));
                }
                let refusals = reporting.refusals_for(DISK_FULL);
                if self.offer(waiting[..count].to_vec(), reporting).is_empty() {
                    waiting.drain(..count);
                } else if reporting.refusals_for(DISK_FULL) > refusals {
                    if count == 1 {
                        break;
                    }
                    count /= 2;
                }
            }
            assert_eq!(count, 1, "{} takes reports without end", self.to.name);
        }
        waiting
    }

    /// Offers reports once; answers what was put off.
    pub fn offer(&self, reports: Vec<Vec<u8>>, reporting: &Reporting) -> Vec<Vec<u8>> {
        post(reports, reporting.last_verifier(), &self.to, &reporting.sent)
    }

    /// Says something new, as briefly as it can.
    pub fn speak(&self) -> Vec<u8> {
        self.say(short_body)
    }

    fn say(&self, body: fn(TimeMs) -> Vec<u8>) -> Vec<u8> {
        let now = SystemClock.now();
        let time = TimeMs(now.0 - now.0 % 1_000);
        self.said.set(self.said.get() + 1);
        let report = Report {
            network: self.network,
            time,
            sequence: self.said.get(),
            body: body(time),
        };
        Envelope::seal(&report, &self.key)
    }
}

fn short_body(time: TimeMs) -> Vec<u8> {
    let reading = Reading {
        quantity: report::RAIN,
        time,
        value: 0,
    };
    report::encode(&[reading]).unwrap()
}

/// As many readings of as many quantities as a report may have.
fn long_body(last: TimeMs) -> Vec<u8> {
    let count = report::READINGS_MAX as u64;
    let reading = |quantity: usize, second: u64| Reading {
        quantity: quantity as u16,
        time: TimeMs(last.0 - second * 1_000),
        value: report::VALUE_MAX - 1 - second as i64 * 2,
    };
    let readings: Vec<Reading> = (0..report::QUANTITIES_MAX)
        .flat_map(|quantity| (0..count).map(move |second| reading(quantity, second)))
        .collect();
    report::encode(&readings).unwrap()
}

/// A verifier as a device knows it.
#[derive(Clone)]
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
    let Some((status, body)) = said(&verifier.url, &head, &envelopes.concat()) else {
        return envelopes;
    };
    if status != 200 {
        // Nothing of the request was taken.
        let reason = String::from_utf8_lossy(&body).into_owned();
        *sent.lock().unwrap().put_off.entry(reason).or_default() += envelopes.len();
        return envelopes;
    }
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
    /// Reports that were to be sent again, by what the verifier said.
    put_off: BTreeMap<String, usize>,
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

    /// How many of these have a receipt of this verifier.
    pub fn promised(&self, verifier: usize, reports: &[Vec<u8>]) -> usize {
        let ids: BTreeSet<ReportId> = reports
            .iter()
            .map(|report| Envelope::parse(report).unwrap().id())
            .collect();
        let sent = self.sent.lock().unwrap();
        let promised = sent.receipts[verifier].iter().filter(|(_, id)| ids.contains(id));
        promised.count()
    }

    /// Reports put off for a reason that says this.
    pub fn refusals_for(&self, why: &str) -> usize {
        let sent = self.sent.lock().unwrap();
        let so = sent.put_off.iter().filter(|(reason, _)| reason.contains(why));
        so.map(|(_, count)| count).sum()
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
