//! Decides when which radio beacons, what of it is reported, and which of the frames that were heard are beacons of others. Pure: time,
//! numbers and answers come as values; what is to be done goes out as acts, which count once the book is on disk.

use super::book::{Book, Entry, Stage};
use super::challenge::{Challenge, Standing};
use crate::gwmp::packet::{self, Heard};
use cairn_types::{DeviceId, EpochClock, EpochNumber, NetworkId, TimeMs};
use cairn_verticals::wireless::beacon::{BEACON_BYTES, Due, due, ranks};
use cairn_verticals::wireless::params::Params;
use cairn_verticals::wireless::region::{self, CARRIER_OFF_HZ, Region, airtime_us};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// For so long a forwarder that says nothing is waited for; then the beacon is taken to be sent, and others say whether it was.
const ANSWER_MS: u64 = 3_000;
/// Between two tries to hand over a beacon that was refused for the moment.
const RETRY_MS: u64 = 1_000;
const TRIES_MAX: u32 = 8;
/// Powers a radio is asked for one after another when it has not the one before, in dBm.
const POWERS_DBM: [i16; 8] = [27, 20, 16, 14, 13, 12, 11, 10];

/// A network of radios.
#[derive(Clone, Debug)]
pub struct Net {
    pub id: NetworkId,
    pub clock: EpochClock,
    pub params: Params,
}

/// A radio that beacons.
#[derive(Clone, Debug)]
pub struct Hotspot {
    /// Its place among the forwarders.
    pub forwarder: usize,
    /// Its place in the networks.
    pub network: usize,
    pub name: String,
    pub device: DeviceId,
    pub region: &'static Region,
    /// What a report says of the station.
    pub station: Value,
    /// The most it radiates (EIRP), in dBm, where its operator wants less than the region allows.
    pub power_dbm: Option<i16>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Ask the ledger.
    Ask { network: usize, epoch: EpochNumber },
    /// Hand a beacon to a forwarder.
    Send { forwarder: usize, id: u32, json: Vec<u8> },
    /// Hand what was sent to a device's outbox, and say so by `Schedule::reported` once it is there.
    Report {
        device: String,
        message: Vec<u8>,
        beacon: Sent,
    },
}

/// Which beacon a report is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sent {
    pub device: DeviceId,
    pub epoch: EpochNumber,
    pub nonce: u64,
}

/// How a radio's beacon stands, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BeaconStatus {
    pub device: String,
    pub epoch: u64,
    /// `asking`, `none`, `waiting`, `handed`, `sent` or `failed`.
    pub state: &'static str,
    /// What hinders it.
    pub why: String,
    pub time: Option<String>,
    pub frequency_hz: Option<u32>,
    pub datr: Option<String>,
    pub power_dbm: Option<i16>,
    pub airtime_ms: Option<u64>,
    /// Since the start: beacons sent, epochs in which none could be, and beacons of others that were heard; those of this epoch.
    pub sent: u64,
    pub failed: u64,
    pub heard: u64,
    pub heard_now: u64,
}

/// Where a radio is with its beacon of an epoch.
enum Turn {
    /// The challenge is not known yet.
    Asking,
    /// There is none: why.
    Nothing(&'static str),
    Waits {
        due: Due,
        from: TimeMs,
        power_dbm: i16,
        nonce: Option<u64>,
        tries: u32,
    },
    Handed {
        due: Due,
        id: u32,
        since: TimeMs,
        tries: u32,
    },
    Sent,
    Failed(String),
}

/// A network's epoch.
struct Round {
    epoch: Option<EpochNumber>,
    challenge: Option<Challenge>,
    asking: bool,
    ask_at: TimeMs,
    why: String,
    /// What others are asked for, by region and in the order of time.
    others: BTreeMap<&'static str, Vec<(Due, DeviceId)>>,
}

pub struct Schedule {
    networks: Vec<Net>,
    hotspots: Vec<Hotspot>,
    rounds: Vec<Round>,
    turns: Vec<Turn>,
    status: Vec<BeaconStatus>,
    book: Book,
    /// Reports on their way to the outbox: until they are there, the book holds their beacons as handed over.
    reporting: BTreeSet<Sent>,
    /// The book could not be read: in the epoch under way nothing is sent.
    blind: bool,
    is_changed: bool,
    next_id: u32,
}

impl Schedule {
    /// `book`: what the file held; `None` where it cannot be read.
    pub fn new(networks: Vec<Net>, hotspots: Vec<Hotspot>, book: Option<Book>) -> Self {
        let round = |_| Round {
            epoch: None,
            challenge: None,
            asking: false,
            ask_at: TimeMs(0),
            why: String::new(),
            others: BTreeMap::new(),
        };
        let status = |hotspot: &Hotspot| BeaconStatus {
            device: hotspot.name.clone(),
            ..BeaconStatus::default()
        };
        Self {
            rounds: networks.iter().map(round).collect(),
            turns: hotspots.iter().map(|_| Turn::Asking).collect(),
            status: hotspots.iter().map(status).collect(),
            blind: book.is_none(),
            book: book.unwrap_or_default(),
            reporting: BTreeSet::new(),
            is_changed: false,
            next_id: 0,
            networks,
            hotspots,
        }
    }

    /// The book, if it must be on disk before the acts are done.
    pub fn to_keep(&mut self) -> Option<Book> {
        std::mem::take(&mut self.is_changed).then(|| self.book.clone())
    }

    /// What is due now. `nonce` draws a number that nobody knows.
    pub fn step(&mut self, now: TimeMs, nonce: &mut dyn FnMut() -> u64) -> Vec<Act> {
        let mut acts = Vec::new();
        self.report_unfinished(now, &mut acts);
        for network in 0..self.networks.len() {
            self.begin(network, now);
            let round = &mut self.rounds[network];
            if let Some(epoch) = round.epoch
                && round.challenge.is_none()
                && !round.asking
                && now >= round.ask_at
            {
                round.asking = true;
                acts.push(Act::Ask { network, epoch });
            }
        }
        for at in 0..self.hotspots.len() {
            acts.extend(self.turn(at, now, nonce));
        }
        acts
    }

    /// A new epoch begins for a network, if it does.
    fn begin(&mut self, network: usize, now: TimeMs) {
        let epoch = self.networks[network].clock.epoch_of(now);
        let round = &mut self.rounds[network];
        if round.epoch == epoch {
            return;
        }
        let is_first = round.epoch.is_none();
        *round = Round {
            epoch,
            challenge: None,
            // What was asked of another epoch is answered to nobody.
            asking: false,
            ask_at: TimeMs(0),
            why: String::new(),
            others: BTreeMap::new(),
        };
        for (at, hotspot) in self
            .hotspots
            .iter()
            .enumerate()
            .filter(|(_, one)| one.network == network)
        {
            let known = self.book.get(&hotspot.device);
            let known = known.filter(|entry| Some(entry.epoch) >= epoch && entry.network == self.networks[network].id);
            self.turns[at] = match known.map(|entry| entry.stage) {
                _ if known.is_some_and(|entry| Some(entry.epoch) > epoch) => {
                    Turn::Nothing("the clock went back: it has sent in a later epoch")
                }
                None if self.blind && is_first => {
                    Turn::Nothing("the file of beacons cannot be read: it begins with the next epoch")
                }
                None => Turn::Asking,
                Some(Stage::Handed | Stage::Reported) => Turn::Sent,
                Some(Stage::Refused) => Turn::Failed("it was refused before the agent was started anew".to_owned()),
            };
            let status = &mut self.status[at];
            *status = BeaconStatus {
                device: std::mem::take(&mut status.device),
                epoch: epoch.map_or(0, |epoch| epoch.0),
                sent: status.sent,
                failed: status.failed,
                heard: status.heard,
                ..BeaconStatus::default()
            };
        }
    }

    /// What a process that was killed had handed to a forwarder: it may be on the air, so it is reported. Who is killed before the
    /// book says that the outbox has it reports the same once more, which the judge takes for the same.
    fn report_unfinished(&mut self, now: TimeMs, acts: &mut Vec<Act>) {
        for (at, hotspot) in self.hotspots.iter().enumerate() {
            let is_handed = matches!(self.turns[at], Turn::Handed { .. });
            let entry = self.book.get_mut(&hotspot.device);
            let Some(entry) = entry.filter(|entry| entry.stage == Stage::Handed && !is_handed) else {
                continue;
            };
            // What is older would be reported to another epoch than it was sent in.
            let clock = self.networks[hotspot.network].clock;
            if now.since_ms(entry.time).max(entry.time.since_ms(now)) > clock.epoch_ms / 4 {
                entry.stage = Stage::Reported;
                self.is_changed = true;
            } else if self.reporting.insert(sent_of(entry)) {
                acts.push(report(hotspot, entry));
            }
        }
    }

    /// A report is in the outbox, on disk, or the outbox will never take it; or it was full for too long, and is asked again.
    pub fn reported(&mut self, beacon: Sent, is_done: bool) {
        self.reporting.remove(&beacon);
        let entry = self.book.get_mut(&beacon.device);
        let entry = entry.filter(|entry| sent_of(entry) == beacon && entry.stage == Stage::Handed);
        if let Some(entry) = entry.filter(|_| is_done) {
            entry.stage = Stage::Reported;
            self.is_changed = true;
        }
    }

    /// The ledger's answer.
    pub fn learn(
        &mut self,
        network: usize,
        epoch: EpochNumber,
        answer: Result<Option<Challenge>, String>,
        now: TimeMs,
    ) {
        let net = &mut self.networks[network];
        let round = &mut self.rounds[network];
        if round.epoch != Some(epoch) {
            return;
        }
        round.asking = false;
        round.ask_at = now.plus_ms((net.clock.epoch_ms / 100).clamp(200, 15_000));
        match answer {
            Ok(Some(mut challenge)) => {
                net.params = challenge.params.take().unwrap_or_else(|| net.params.clone());
                round.challenge = Some(challenge);
            }
            Ok(None) => round.why = "the ledger has not revealed the seed yet".to_owned(),
            Err(why) => round.why = why,
        }
        let Some(challenge) = &round.challenge else { return };
        let Some(seed) = challenge.seed else { return };
        let times = (epoch, net.clock.start(epoch), net.clock.end(epoch));
        let ranks = standings(&challenge.members);
        for hotspot in self.hotspots.iter().filter(|hotspot| hotspot.network == network) {
            round.others.entry(hotspot.region.name).or_insert_with(|| {
                let asked = |(member, rank): (&Standing, &u32)| {
                    let place = (member.cell, *rank);
                    (due(&net.params, hotspot.region, &seed, times, place), member.device)
                };
                let mut others: Vec<_> = challenge.members.iter().zip(&ranks).map(asked).collect();
                others.sort_unstable_by_key(|(due, device)| (due.time, *device));
                others
            });
        }
    }

    /// What one radio is to do.
    fn turn(&mut self, at: usize, now: TimeMs, nonce: &mut dyn FnMut() -> u64) -> Option<Act> {
        let hotspot = &self.hotspots[at];
        let round = &self.rounds[hotspot.network];
        let params = &self.networks[hotspot.network].params;
        let (epoch, patience) = (round.epoch?, u64::from(params.beacon_off_ms) / 2);
        if let (Turn::Asking, Some(challenge)) = (&self.turns[at], &round.challenge) {
            self.turns[at] = wanted(hotspot, epoch, challenge, round);
        }
        match &mut self.turns[at] {
            Turn::Waits { due, from, .. } if now > due.time.plus_ms(patience).max(*from) => {
                let tried = &self.status[at].why;
                let why = if tried.is_empty() {
                    "its time was over before the seed was known"
                } else {
                    tried
                };
                let why = why.to_owned();
                self.failed(at, why);
                None
            }
            Turn::Waits {
                due,
                from,
                power_dbm,
                nonce: drawn,
                tries,
            } if now >= *from => {
                let (due, power_dbm, tries) = (due.clone(), *power_dbm, *tries);
                let nonce = *drawn.get_or_insert_with(nonce);
                let rate = hotspot.region.rate(due.rate)?;
                let entry = Entry {
                    device: hotspot.device,
                    network: self.networks[hotspot.network].id,
                    epoch,
                    time: now,
                    nonce,
                    frequency_hz: due.frequency_hz,
                    rate: due.rate,
                    power_dbm,
                    stage: Stage::Handed,
                };
                self.book.insert(hotspot.device, entry);
                self.is_changed = true;
                self.next_id = self.next_id.wrapping_add(1);
                let json = packet::beacon(due.frequency_hz, rate, power_dbm, &due.payload(nonce));
                let (forwarder, id) = (hotspot.forwarder, self.next_id);
                self.turns[at] = Turn::Handed {
                    due,
                    id,
                    since: now,
                    tries,
                };
                Some(Act::Send { forwarder, id, json })
            }
            Turn::Handed { since, .. } if now.since_ms(*since) > ANSWER_MS => self.sent(at),
            _ => None,
        }
    }

    /// What became of a beacon that was handed over: an empty word, or what hindered it.
    pub fn told(&mut self, id: u32, error: &str, now: TimeMs) -> Option<Act> {
        let of_id = |turn: &Turn| matches!(turn, Turn::Handed { id: known, .. } if *known == id);
        let at = self.turns.iter().position(of_id)?;
        if error.is_empty() {
            return self.sent(at);
        }
        let Turn::Handed { due, tries, .. } = &self.turns[at] else {
            return None;
        };
        let (due, tries) = (due.clone(), tries + 1);
        let entry = self.book.get_mut(&self.hotspots[at].device)?;
        entry.stage = Stage::Refused;
        self.is_changed = true;
        let (power, nonce) = (entry.power_dbm, entry.nonce);
        let power_dbm = match error {
            "TX_POWER" => POWERS_DBM.into_iter().find(|lower| *lower < power),
            "COLLISION_PACKET" | "COLLISION_BEACON" | "TOO_LATE" | "TOO_EARLY" => Some(power),
            _ => None,
        };
        self.status[at].why = error.to_owned();
        match power_dbm.filter(|_| tries < TRIES_MAX) {
            Some(power_dbm) => {
                self.status[at].power_dbm = Some(power_dbm);
                self.turns[at] = Turn::Waits {
                    due,
                    from: now.plus_ms(RETRY_MS),
                    power_dbm,
                    nonce: Some(nonce),
                    tries,
                };
            }
            None => self.failed(at, error.to_owned()),
        }
        None
    }

    /// It is on the air, as far as anybody here knows.
    fn sent(&mut self, at: usize) -> Option<Act> {
        let hotspot = &self.hotspots[at];
        self.turns[at] = Turn::Sent;
        self.status[at].sent += 1;
        self.status[at].why.clear();
        let entry = self.book.get(&hotspot.device)?;
        self.reporting.insert(sent_of(entry));
        Some(report(hotspot, entry))
    }

    fn failed(&mut self, at: usize, why: String) {
        let name = &self.hotspots[at].name;
        tracing::warn!(device = name, why, "no beacon could be sent in this epoch");
        self.status[at].failed += 1;
        self.turns[at] = Turn::Failed(why);
    }

    /// The book is not on disk: it is to be kept again.
    pub fn not_kept(&mut self) {
        self.is_changed = true;
    }

    /// Counts beacons of others among what a radio heard.
    pub fn heard(&mut self, forwarder: usize, heard: &[Heard], now: TimeMs) {
        let Some(at) = self.hotspots.iter().position(|hotspot| hotspot.forwarder == forwarder) else {
            return;
        };
        let hotspot = &self.hotspots[at];
        let params = &self.networks[hotspot.network].params;
        let others = self.rounds[hotspot.network].others.get(hotspot.region.name);
        let slack = u64::from(params.beacon_off_ms) + 2 * u64::from(params.clock_ms);
        let from = TimeMs(now.0.saturating_sub(slack));
        let others = others.map(Vec::as_slice).unwrap_or_default();
        let near = &others[others.partition_point(|(due, _)| due.time < from)..];
        let near = &near[..near.partition_point(|(due, _)| due.time <= now.plus_ms(slack))];
        let is_beacon = |heard: &&Heard| {
            heard.frame.len() == BEACON_BYTES
                && near.iter().any(|(due, device)| {
                    *device != hotspot.device
                        && due.frequency_hz.abs_diff(heard.frequency_hz) <= CARRIER_OFF_HZ
                        && hotspot.region.rate(due.rate) == Some(heard.rate)
                })
        };
        let count = heard.iter().filter(is_beacon).count() as u64;
        self.status[at].heard += count;
        self.status[at].heard_now += count;
    }

    /// How every radio's beacon stands.
    pub fn status(&self) -> Vec<BeaconStatus> {
        let all = self.turns.iter().zip(&self.status).zip(&self.hotspots);
        let one = |((turn, status), hotspot): ((&Turn, &BeaconStatus), &Hotspot)| {
            let asked = |time: TimeMs, frequency_hz: u32, rate: u8, power_dbm: i16| {
                let rate = hotspot.region.rate(rate);
                BeaconStatus {
                    time: Some(time.to_string()),
                    frequency_hz: Some(frequency_hz),
                    datr: rate.map(region::Rate::text),
                    power_dbm: Some(power_dbm),
                    airtime_ms: rate.map(|rate| airtime_us(rate, BEACON_BYTES as u32).div_ceil(1_000)),
                    ..status.clone()
                }
            };
            let known = self
                .book
                .get(&hotspot.device)
                .filter(|entry| entry.epoch.0 == status.epoch);
            let kept = || match known {
                Some(entry) => asked(entry.time, entry.frequency_hz, entry.rate, entry.power_dbm),
                None => status.clone(),
            };
            let said = |state, why: &str, status: BeaconStatus| BeaconStatus {
                state,
                why: why.to_owned(),
                ..status
            };
            match turn {
                Turn::Asking => said("asking", &self.rounds[hotspot.network].why, status.clone()),
                Turn::Nothing(why) => said("none", why, status.clone()),
                Turn::Waits { due, power_dbm, .. } => {
                    let asked = asked(due.time, due.frequency_hz, due.rate, *power_dbm);
                    said("waiting", &status.why, asked)
                }
                Turn::Handed { .. } => said("handed", &status.why, kept()),
                Turn::Sent => said("sent", &status.why, kept()),
                Turn::Failed(why) => said("failed", why, kept()),
            }
        };
        all.map(one).collect()
    }
}

fn standings(members: &[Standing]) -> Vec<u32> {
    let of = |member: &Standing| (member.cell, member.joined, member.number);
    ranks(&members.iter().map(of).collect::<Vec<_>>())
}

/// What a radio is asked for in an epoch.
fn wanted(hotspot: &Hotspot, epoch: EpochNumber, challenge: &Challenge, round: &Round) -> Turn {
    if challenge.seed.is_none() {
        return Turn::Nothing("no epoch of the network was judged before: there is no seed");
    }
    let member = challenge.members.iter().find(|member| member.device == hotspot.device);
    match member {
        None => return Turn::Nothing("the device is no member of the network in this epoch"),
        // Others may still join before it in this epoch: what it is asked for is not sure.
        Some(member) if member.joined == epoch => {
            return Turn::Nothing("the device joined in this epoch: it begins with the next");
        }
        Some(_) => {}
    }
    let others = round
        .others
        .get(hotspot.region.name)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let Some((due, _)) = others.iter().find(|(_, device)| *device == hotspot.device) else {
        return Turn::Nothing("the region has no beacons");
    };
    let most = hotspot.region.power_ddbm.div_euclid(10);
    Turn::Waits {
        from: due.time,
        due: due.clone(),
        power_dbm: hotspot.power_dbm.map_or(most, |own| own.min(most)),
        nonce: None,
        tries: 0,
    }
}

fn sent_of(entry: &Entry) -> Sent {
    Sent {
        device: entry.device,
        epoch: entry.epoch,
        nonce: entry.nonce,
    }
}

/// What was sent, as the device's driver reads it.
fn report(hotspot: &Hotspot, entry: &Entry) -> Act {
    let rate = hotspot.region.rate(entry.rate).map(region::Rate::text);
    let beacon = json!({
        "time": entry.time.0, "nonce": entry.nonce, "freq": f64::from(entry.frequency_hz) / 1e6, "datr": rate,
        "power": entry.power_dbm,
    });
    Act::Report {
        device: hotspot.name.clone(),
        message: json!({ "station": hotspot.station, "beacon": beacon })
            .to_string()
            .into_bytes(),
        beacon: sent_of(entry),
    }
}

#[cfg(test)]
mod tests;
