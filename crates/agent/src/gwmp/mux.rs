//! The switch between a station's forwarders and whoever listens to them: pure, one datagram in, some out. A radio serves several
//! networks: each upstream gets every uplink, and may ask for downlinks as if it were alone; whoever asks first for a moment on the
//! air has it. It knows only the forwarders of its settings, so that strangers fill no table.

use super::air::{Air, Slot};
use super::packet::{self, Heard, TxError};
use super::plan;
use super::wire::{Datagram, Eui, Kind, Token};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use thiserror::Error;

/// Forwarders of one agent at most.
pub const FORWARDERS_MAX: usize = 256;
/// Upstreams of one forwarder at most.
pub const UPSTREAMS_MAX: usize = 8;
/// Downlinks of one forwarder whose end is not known yet; the oldest is given up for a new one.
const PENDING_MAX: usize = 64;
/// For so long a forwarder that asked for downlinks gets them. They ask every ten seconds or so.
pub const OPEN_MS: u64 = 60_000;
/// Names of refusals that are counted apart; more are counted as one.
const NAMES_MAX: usize = 16;

/// A forwarder as the settings have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Forwarder {
    pub eui: Eui,
    /// Whose reports its receptions are.
    pub device: String,
    pub region: String,
    /// What the station is, as the driver is told: an H3 cell, metres above the sea, dBi.
    pub cell: Option<String>,
    pub height: Option<i16>,
    pub gain: Option<f64>,
    /// The longest transmission in milliseconds, where the country has another limit than the region; 0: any.
    pub dwell_ms: Option<u16>,
    /// `host:port` of other servers that get its uplinks and may ask for downlinks.
    pub upstreams: Vec<String>,
}

#[derive(Debug, Error, PartialEq, Eq)]
pub enum SettingsError {
    #[error("forwarder {0}: its region has no plan here; use one like EU868, US915 or AS923-1")]
    Region(Eui),
    #[error("forwarder {0} stands twice; each radio has its own number")]
    Twice(Eui),
    #[error("forwarder {0}: at most {UPSTREAMS_MAX} upstreams, each like host:1700")]
    Upstreams(Eui),
    #[error("an agent has at most {FORWARDERS_MAX} forwarders")]
    TooMany,
}

/// What the shell shall do.
#[derive(Clone, Debug, PartialEq)]
pub enum Out {
    ToForwarder(SocketAddr, Vec<u8>),
    /// To an upstream of a forwarder, by their places.
    ToUpstream((usize, usize), Vec<u8>),
    /// Hand the message to the agent for the device of this forwarder; once it is on disk, send the answer.
    Keep {
        forwarder: usize,
        message: Vec<u8>,
        to: SocketAddr,
        answer: Vec<u8>,
        /// What is in it, for who carries packets.
        heard: Vec<Heard>,
    },
    /// What became of the downlink of a line: nothing, or the word for what hindered it.
    Told {
        line: u32,
        id: u32,
        error: String,
    },
    /// What became of a beacon, in the same words.
    Beacon {
        id: u32,
        error: String,
    },
}

/// Who asked for a downlink, and its own name for it.
#[derive(Clone, Copy)]
enum Origin {
    Upstream(usize, Token),
    /// A router's line.
    Line(u32, u32),
    /// The agent's own beacons.
    Beacon(u32),
}

/// A downlink on its way.
struct Pending {
    token: Token,
    origin: Origin,
    slot: Slot,
}

struct Radio {
    settings: Forwarder,
    station: Value,
    air: Air,
    /// Where downlinks go, in which version, since when.
    open: Option<(SocketAddr, u8, u64)>,
    seen_ms: Option<u64>,
    pending: VecDeque<Pending>,
    next: u16,
    counts: Counts,
    upstreams: Vec<UpstreamCounts>,
}

#[derive(Clone, Debug, Default)]
struct UpstreamCounts {
    sent: u64,
    acknowledged: u64,
    downlinks: u64,
}

/// What was counted since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Whole LoRa frames.
    pub packets: u64,
    /// Of them, on disk.
    pub kept: u64,
    pub passed_over: u64,
    pub malformed: u64,
    /// Downlinks given to the forwarder, and those it says it sends.
    pub downlinks: u64,
    pub downlinks_sent: u64,
    /// Downlinks refused, by name; the agent's own refusals and the forwarder's.
    pub downlinks_refused: BTreeMap<String, u64>,
}

/// How a forwarder stands, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ForwarderStatus {
    pub eui: String,
    pub device: String,
    pub region: String,
    /// Where it sends from, while it asks for downlinks.
    pub address: Option<String>,
    pub seen_ms_ago: Option<u64>,
    #[serde(flatten)]
    pub counts: Counts,
    pub upstreams: Vec<UpstreamStatus>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UpstreamStatus {
    pub address: String,
    pub sent: u64,
    pub acknowledged: u64,
    pub downlinks: u64,
}

pub struct Mux {
    radios: Vec<Radio>,
    by_eui: BTreeMap<Eui, usize>,
    /// Datagrams of forwarders that are not in the settings, or of no protocol.
    strangers: u64,
}

impl Mux {
    pub fn new(forwarders: Vec<Forwarder>) -> Result<Self, SettingsError> {
        if forwarders.len() > FORWARDERS_MAX {
            return Err(SettingsError::TooMany);
        }
        let mut mux = Self {
            radios: Vec::new(),
            by_eui: BTreeMap::new(),
            strangers: 0,
        };
        for settings in forwarders {
            let eui = settings.eui;
            let plan = plan::of(&settings.region).ok_or(SettingsError::Region(eui))?;
            let is_upstream = |upstream: &String| {
                upstream
                    .rsplit_once(':')
                    .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0))
            };
            if settings.upstreams.len() > UPSTREAMS_MAX || !settings.upstreams.iter().all(is_upstream) {
                return Err(SettingsError::Upstreams(eui));
            }
            if mux.by_eui.insert(eui, mux.radios.len()).is_some() {
                return Err(SettingsError::Twice(eui));
            }
            mux.radios.push(Radio {
                air: Air::new(plan, settings.dwell_ms),
                station: station(&settings),
                upstreams: vec![UpstreamCounts::default(); settings.upstreams.len()],
                open: None,
                seen_ms: None,
                pending: VecDeque::new(),
                next: 0,
                counts: Counts::default(),
                settings,
            });
        }
        Ok(mux)
    }

    /// The settings of the forwarder at this place.
    pub fn forwarder(&self, place: usize) -> Option<&Forwarder> {
        self.radios.get(place).map(|radio| &radio.settings)
    }

    /// A datagram that came to the port.
    pub fn from_forwarder(&mut self, from: SocketAddr, bytes: &[u8], now_ms: u64) -> Vec<Out> {
        let datagram = Datagram::read(bytes);
        let eui = datagram.and_then(|datagram| match datagram.kind {
            Kind::PushData { eui, .. } | Kind::PullData { eui } | Kind::TxAck { eui, .. } => Some(eui),
            _ => None,
        });
        let place = eui.and_then(|eui| self.by_eui.get(&eui).copied());
        let (Some(datagram), Some(place)) = (datagram, place) else {
            self.strangers += 1;
            if self.strangers.is_power_of_two() {
                let eui = eui.map_or("of no protocol".to_owned(), |eui| eui.to_string());
                tracing::warn!(%from, eui, count = self.strangers, "a datagram of no forwarder of the settings: passed over");
            }
            return Vec::new();
        };
        let radio = &mut self.radios[place];
        radio.seen_ms = Some(now_ms);
        let Datagram { version, token, kind } = datagram;
        match kind {
            Kind::PushData { eui, json } => radio.push(place, (from, version, token, eui), json, now_ms),
            Kind::PullData { .. } => {
                radio.open = Some((from, version, now_ms));
                let kind = Kind::PullAck;
                let answer = Datagram { version, token, kind };
                let mut out = vec![Out::ToForwarder(from, answer.write())];
                out.extend(
                    (0..radio.upstreams.len()).map(|upstream| Out::ToUpstream((place, upstream), bytes.to_vec())),
                );
                out
            }
            Kind::TxAck { json, .. } => radio.sent(place, token, json),
            _ => Vec::new(),
        }
    }

    /// A datagram from an upstream of a forwarder.
    pub fn from_upstream(&mut self, (place, upstream): (usize, usize), bytes: &[u8], now_ms: u64) -> Vec<Out> {
        let Some(radio) = self
            .radios
            .get_mut(place)
            .filter(|radio| upstream < radio.upstreams.len())
        else {
            return Vec::new();
        };
        let Some(Datagram { version, token, kind }) = Datagram::read(bytes) else {
            radio.counts.malformed += 1;
            return Vec::new();
        };
        match kind {
            Kind::PushAck => radio.upstreams[upstream].acknowledged += 1,
            Kind::PullResp { json } => {
                radio.upstreams[upstream].downlinks += 1;
                let origin = Origin::Upstream(upstream, token);
                match radio.downlink(origin, json, now_ms) {
                    Ok(out) => return vec![out],
                    // Version 1 has no way to say so.
                    Err(error) if version > 1 => {
                        return vec![radio.tell(place, origin, &packet::tx_ack(Some(error)))];
                    }
                    Err(_) => {}
                }
            }
            _ => {}
        }
        Vec::new()
    }

    /// A downlink that a router asks for over a line.
    pub fn from_line(&mut self, place: usize, (line, id): (u32, u32), json: &[u8], now_ms: u64) -> Vec<Out> {
        self.asked(place, Origin::Line(line, id), json, now_ms)
    }

    /// A beacon of the radio's own.
    pub fn from_beaconer(&mut self, place: usize, id: u32, json: &[u8], now_ms: u64) -> Vec<Out> {
        self.asked(place, Origin::Beacon(id), json, now_ms)
    }

    fn asked(&mut self, place: usize, origin: Origin, json: &[u8], now_ms: u64) -> Vec<Out> {
        let Some(radio) = self.radios.get_mut(place) else {
            return Vec::new();
        };
        match radio.downlink(origin, json, now_ms) {
            // A forwarder of version 1 tells nothing: that it has it must do.
            Ok(out) if radio.open.is_some_and(|(_, version, _)| version == 1) => {
                vec![out, radio.tell(place, origin, &[])]
            }
            Ok(out) => vec![out],
            Err(error) => vec![radio.tell(place, origin, &packet::tx_ack(Some(error)))],
        }
    }

    /// A message of a forwarder is on disk.
    pub fn kept(&mut self, place: usize, packets: u64) {
        if let Some(radio) = self.radios.get_mut(place) {
            radio.counts.kept += packets;
        }
    }

    pub fn status(&self, now_ms: u64) -> Vec<ForwarderStatus> {
        self.radios.iter().map(|radio| radio.status(now_ms)).collect()
    }
}

impl Radio {
    fn push(
        &mut self,
        place: usize,
        (from, version, token, eui): (SocketAddr, u8, Token, Eui),
        json: &[u8],
        now_ms: u64,
    ) -> Vec<Out> {
        let Some(pushed) = packet::pushed(json) else {
            self.counts.malformed += 1;
            return Vec::new();
        };
        self.counts.packets += pushed.heard.len() as u64;
        self.counts.passed_over += pushed.passed_over;
        pushed.heard.iter().for_each(|heard| self.air.heard(heard, now_ms));
        let kind = Kind::PushData { eui, json };
        let copy = Datagram { version, token, kind }.write();
        let mut out = Vec::new();
        for (upstream, counts) in self.upstreams.iter_mut().enumerate() {
            counts.sent += 1;
            out.push(Out::ToUpstream((place, upstream), copy.clone()));
        }
        let kind = Kind::PushAck;
        let answer = Datagram { version, token, kind }.write();
        out.push(match pushed.heard.is_empty() {
            true => Out::ToForwarder(from, answer),
            false => Out::Keep {
                forwarder: place,
                message: packet::message(&self.station, &pushed.heard),
                to: from,
                answer,
                heard: pushed.heard,
            },
        });
        out
    }

    /// Lets a downlink through, if region, hour and radio allow it.
    fn downlink(&mut self, origin: Origin, json: &[u8], now_ms: u64) -> Result<Out, TxError> {
        let let_through = self.let_through(origin, json, now_ms);
        if let Err(error) = &let_through {
            self.refused(error.name());
        }
        let_through
    }

    fn let_through(&mut self, origin: Origin, json: &[u8], now_ms: u64) -> Result<Out, TxError> {
        let open = self
            .open
            .filter(|(_, _, since)| now_ms.saturating_sub(*since) <= OPEN_MS);
        let (to, version, _) = open.ok_or(TxError::TooLate)?;
        let asked = packet::downlink(json).ok_or(TxError::TxFreq)?;
        let slot = match origin {
            Origin::Beacon(_) => self.air.book_beacon(&asked, now_ms)?,
            _ => self.air.book(&asked, now_ms)?,
        };
        self.counts.downlinks += 1;
        self.next = self.next.wrapping_add(1);
        let token = self.next.to_be_bytes();
        // Version 1 tells nothing of what became of it.
        if version > 1 {
            if self.pending.len() >= PENDING_MAX {
                self.pending.pop_front();
            }
            self.pending.push_back(Pending { token, origin, slot });
        }
        let kind = Kind::PullResp { json };
        Ok(Out::ToForwarder(to, Datagram { version, token, kind }.write()))
    }

    /// What the forwarder says became of a downlink.
    fn sent(&mut self, place: usize, token: Token, json: &[u8]) -> Vec<Out> {
        let Some(found) = self.pending.iter().position(|pending| pending.token == token) else {
            return Vec::new();
        };
        let Some(pending) = self.pending.remove(found) else {
            return Vec::new();
        };
        match packet::acknowledged(json) {
            Ok(()) => self.counts.downlinks_sent += 1,
            Err(error) => {
                self.air.release(pending.slot);
                self.refused(&error);
            }
        }
        vec![self.tell(place, pending.origin, json)]
    }

    fn tell(&self, place: usize, origin: Origin, json: &[u8]) -> Out {
        match origin {
            Origin::Upstream(upstream, token) => {
                let eui = self.settings.eui;
                let kind = Kind::TxAck { eui, json };
                let version = 2;
                Out::ToUpstream((place, upstream), Datagram { version, token, kind }.write())
            }
            Origin::Line(line, id) => Out::Told {
                line,
                id,
                error: packet::acknowledged(json).err().unwrap_or_default(),
            },
            Origin::Beacon(id) => Out::Beacon {
                id,
                error: packet::acknowledged(json).err().unwrap_or_default(),
            },
        }
    }

    fn refused(&mut self, name: &str) {
        let refused = &mut self.counts.downlinks_refused;
        let known = refused.contains_key(name) || refused.len() < NAMES_MAX;
        *refused
            .entry(if known { name } else { "other" }.to_owned())
            .or_default() += 1;
    }

    fn status(&self, now_ms: u64) -> ForwarderStatus {
        let open = self
            .open
            .filter(|(_, _, since)| now_ms.saturating_sub(*since) <= OPEN_MS);
        let upstreams = self.settings.upstreams.iter().zip(&self.upstreams);
        ForwarderStatus {
            eui: self.settings.eui.to_string(),
            device: self.settings.device.clone(),
            region: self.settings.region.clone(),
            address: open.map(|(address, _, _)| address.to_string()),
            seen_ms_ago: self.seen_ms.map(|seen| now_ms.saturating_sub(seen)),
            counts: self.counts.clone(),
            upstreams: upstreams
                .map(|(address, counts)| UpstreamStatus {
                    address: address.clone(),
                    sent: counts.sent,
                    acknowledged: counts.acknowledged,
                    downlinks: counts.downlinks,
                })
                .collect(),
        }
    }
}

/// What the driver is told of the station.
pub(crate) fn station(settings: &Forwarder) -> Value {
    let mut station = json!({ "region": settings.region });
    let told = [
        ("cell", settings.cell.as_ref().map(|cell| json!(cell))),
        ("height", settings.height.map(|height| json!(height))),
        ("gain", settings.gain.map(|gain| json!((gain * 10.0).round() / 10.0))),
    ];
    for (name, value) in told {
        if let Some(value) = value {
            station[name] = value;
        }
    }
    station
}

#[cfg(test)]
mod tests;
