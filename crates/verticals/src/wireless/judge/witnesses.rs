//! Coverage: which beacons were sent as asked, who heard them, which of these witnesses count, and what that is worth to
//! both. It moves no money.

use super::memory::{DeviceMemory, PEERS_MAX, Peer};
use super::places::{Places, judge_link};
use super::reasons::*;
use super::references;
use super::said::{Reception, Refusal, Said, Sent};
use crate::kit::counterparty::Votes;
use crate::kit::witness::{choose, worth};
use crate::kit::{Epoch, density};
use crate::wireless::beacon::{self, Due, due};
use crate::wireless::params::{COARSEST, Params};
use crate::wireless::region::{self, CARRIER_OFF_HZ};
use crate::wireless::report::Beacon;
use cairn_types::CellId;
use cairn_types::money::mul_div_floor;
use std::collections::{BTreeMap, BTreeSet};

/// What sending proves, and what hearing proves, in micro-units.
const HALF: u64 = 500_000;

/// What each member proved of its coverage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proven {
    /// Micro-units, before density.
    pub sent: u64,
    pub heard: u64,
    /// Of a million: what density leaves of it.
    pub part: u64,
}

impl Proven {
    pub fn units(&self) -> u64 {
        mul_div_floor(self.sent + self.heard, self.part, density::WHOLE).unwrap_or(0)
    }
}

/// Each member's rank among those of its cell.
pub fn ranks(epoch: &Epoch) -> Vec<u32> {
    let members = epoch.roster.iter();
    let members: Vec<_> = members
        .map(|member| (member.cell, member.joined, member.number))
        .collect();
    beacon::ranks(&members)
}

/// Judges beacons by what they were asked for, and ties each reception of one to it. Without a seed nothing was asked for.
pub fn judge_beacons(epoch: &Epoch, params: &Params, seed: Option<&[u8; 32]>, ranks: &[u32], said: &mut Said) {
    let Some(seed) = seed else {
        let refusal = Some(Refusal::new(NO_CHALLENGE, 0, 1));
        said.sent.iter_mut().for_each(|sent| sent.refuse(refusal));
        return;
    };
    let mut frames: BTreeMap<u64, usize> = BTreeMap::new();
    let mut sent_by: BTreeMap<usize, BTreeSet<Beacon>> = BTreeMap::new();
    for place in 0..said.sent.len() {
        let (row, spoken) = (said.sent[place].row, said.sent[place].spoken);
        let Some(region) = region::by_number(said.spoken[spoken].station.region) else {
            continue;
        };
        let times = (epoch.epoch, epoch.start, epoch.end);
        let due = due(params, region, seed, times, (epoch.roster[row].cell, ranks[row]));
        let sent = &mut said.sent[place];
        let told = sent_by.entry(row).or_default();
        if !told.insert(sent.beacon) {
            // Whoever was killed while it reported tells the same twice.
            sent.refuse(Some(Refusal::new(DUPLICATE, 2, 1)));
            continue;
        }
        if told.len() > 1 {
            sent.refuse(Some(Refusal::new(NOT_ASKED, told.len(), 1)));
        }
        let refusal = off(params, &due, sent.beacon.time)
            .or_else(|| other_channel(&due, sent.beacon.frequency_hz))
            .or_else(|| other_rate(due.rate, sent.beacon.rate))
            .or_else(|| {
                let loud = sent.beacon.power_ddbm > region.power_ddbm;
                loud.then(|| Refusal::new(TOO_LOUD, sent.beacon.power_ddbm, region.power_ddbm))
            });
        sent.refuse(refusal);
        frames.entry(due.frame(sent.beacon.nonce)).or_insert(place);
    }
    for reception in &mut said.heard {
        reception.beacon = frames.get(&reception.heard.frame).copied();
    }
}

fn off(params: &Params, due: &Due, time: cairn_types::TimeMs) -> Option<Refusal> {
    let off = due.time.since_ms(time).max(time.since_ms(due.time));
    (off > params.beacon_off_ms.into()).then(|| Refusal::new(OFF_SCHEDULE, off, params.beacon_off_ms))
}

fn other_channel(due: &Due, frequency_hz: u32) -> Option<Refusal> {
    let off = due.frequency_hz.abs_diff(frequency_hz) > CARRIER_OFF_HZ;
    off.then(|| Refusal::new(WRONG_FREQUENCY, frequency_hz, due.frequency_hz))
}

fn other_rate(asked: u8, rate: u8) -> Option<Refusal> {
    (asked != rate).then(|| Refusal::new(WRONG_RATE, rate, asked))
}

/// Judges receptions of beacons. Where a reception and a beacon contradict each other, the other receptions of the beacon
/// say who is wrong; where there are none, nobody is blamed.
pub fn judge_receptions(epoch: &Epoch, params: &Params, places: &Places, said: &mut Said) {
    let mut denials: Vec<Option<Refusal>> = vec![None; said.heard.len()];
    let mut votes = vec![Votes::default(); said.sent.len()];
    for (place, reception) in said.heard.iter().enumerate() {
        let Some(beacon) = reception.beacon.filter(|_| reception.stands()) else {
            continue;
        };
        let sent = &said.sent[beacon];
        if sent.row != reception.row {
            denials[place] = contradiction(params, places, said, reception, sent);
            let counts = !said.spoken[reception.spoken].excluded;
            if counts {
                votes[beacon].count(denials[place].is_none());
            }
        }
    }
    for (place, denial) in denials.iter().enumerate() {
        let Some(beacon) = said.heard[place].beacon.filter(|beacon| votes[*beacon].is_denied()) else {
            continue;
        };
        said.sent[beacon].refuse(*denial);
    }
    for (place, denial) in denials.into_iter().enumerate() {
        let Some(beacon) = said.heard[place].beacon else {
            continue;
        };
        let (reception, sent) = (&said.heard[place], &said.sent[beacon]);
        let refusal = match denial {
            _ if reception.row == sent.row => Some(Refusal::new(OWN_BEACON, 1, 0)),
            _ if sent.refusal.is_some() || said.spoken[sent.spoken].excluded => Some(Refusal::new(BAD_BEACON, 1, 0)),
            Some(denial) if votes[beacon].is_borne_out() => Some(denial),
            Some(denial) => Some(Refusal::new(UNSETTLED, denial.measured, denial.limit)),
            None => unrelated(epoch, params, reception.row, sent.row),
        };
        said.heard[place].refuse(refusal);
    }
}

/// What of a reception cannot be, if the beacon was sent as its sender says.
fn contradiction(params: &Params, places: &Places, said: &Said, reception: &Reception, sent: &Sent) -> Option<Refusal> {
    let (to, from) = (&said.spoken[reception.spoken], &said.spoken[sent.spoken]);
    let (heard, beacon) = (&reception.heard, &sent.beacon);
    let off = heard.time.since_ms(beacon.time).max(beacon.time.since_ms(heard.time));
    let limit = 2 * u64::from(params.clock_ms) + u64::from(params.same_ms);
    if off > limit {
        return Some(Refusal::new(CLOCK, off, limit));
    }
    if heard.frequency_hz.abs_diff(beacon.frequency_hz) > CARRIER_OFF_HZ {
        return Some(Refusal::new(WRONG_FREQUENCY, heard.frequency_hz, beacon.frequency_hz));
    }
    if heard.rate != beacon.rate {
        return Some(Refusal::new(WRONG_RATE, heard.rate, beacon.rate));
    }
    let ends = (
        places.member(params, sent.row, from),
        places.member(params, reception.row, to),
    );
    judge_link(params, heard, &ends.0, (&ends.1, to), beacon.power_ddbm)
}

/// Who is too close to the sender to be its witness.
fn unrelated(epoch: &Epoch, params: &Params, here: usize, there: usize) -> Option<Refusal> {
    let (here, there) = (&epoch.roster[here], &epoch.roster[there]);
    if here.operator == there.operator {
        return Some(Refusal::new(SAME_OPERATOR, 1, 0));
    }
    let steps = here.cell.steps_to(there.cell).unwrap_or(u32::MAX);
    (steps < params.apart_steps.into()).then(|| Refusal::new(TOO_NEAR, steps, params.apart_steps))
}

/// The receptions of each beacon that can count.
fn candidates(said: &Said) -> BTreeMap<usize, Vec<usize>> {
    let mut candidates: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (place, reception) in said.heard.iter().enumerate() {
        let Some(beacon) = reception.beacon else { continue };
        if reception.stands() {
            candidates.entry(beacon).or_default().push(place);
        }
    }
    candidates
}

/// Notes who sent and who heard, and refuses those who for too long did only one of both.
pub fn judge_both_ways(params: &Params, said: &mut Said, devices: &mut [DeviceMemory]) {
    let candidates = candidates(said);
    let mut did = vec![(false, false); devices.len()];
    for (beacon, heard) in &candidates {
        let others = heard
            .iter()
            .filter(|place| !said.spoken[said.heard[**place].spoken].excluded);
        did[said.sent[*beacon].row].0 |= others.count() > 0;
        for place in heard {
            did[said.heard[*place].row].1 = true;
        }
    }
    let mut spoke = vec![false; devices.len()];
    for spoken in &said.spoken {
        spoke[spoken.row] = true;
    }
    let ago = |ago: u8, did: bool| if did { 0 } else { ago.saturating_add(1) };
    let mut refusals = vec![None; devices.len()];
    for (row, device) in devices.iter_mut().enumerate().filter(|(row, _)| spoke[*row]) {
        device.sent_ago = ago(device.sent_ago, did[row].0);
        device.heard_ago = ago(device.heard_ago, did[row].1);
        let longest = device.sent_ago.max(device.heard_ago);
        if longest > params.both_ways_epochs {
            refusals[row] = Some(Refusal::new(ONE_WAY, longest, params.both_ways_epochs));
        }
    }
    for reception in said.heard.iter_mut().filter(|reception| reception.beacon.is_some()) {
        reception.refuse(refusals[reception.row]);
    }
    for sent in &mut said.sent {
        sent.refuse(refusals[sent.row]);
    }
}

/// Draws the witnesses that count, and says what that proves for each member.
pub fn draw(
    epoch: &Epoch,
    params: &Params,
    ranks: &[u32],
    said: &mut Said,
    devices: &mut [DeviceMemory],
) -> Vec<Proven> {
    let mut proven = vec![Proven::default(); epoch.roster.len()];
    let mut percents = vec![0u64; epoch.roster.len()];
    let mut witnessed: Vec<Vec<usize>> = vec![Vec::new(); epoch.roster.len()];
    let target = u64::from(params.witness_target);
    let mut heard_of = candidates(said);
    for beacon in 0..said.sent.len() {
        if said.sent[beacon].refusal.is_some() {
            continue;
        }
        let heard = heard_of.remove(&beacon).unwrap_or_default();
        let is_counted = |place: &usize| !said.spoken[said.heard[*place].spoken].excluded;
        let counted: Vec<usize> = heard.iter().copied().filter(is_counted).collect();
        if counted.is_empty() {
            said.sent[beacon].refuse(Some(Refusal::new(UNHEARD, 0, 1)));
            continue;
        }
        let row = said.sent[beacon].row;
        let cell = |place: &usize| {
            let row = said.heard[*place].row;
            (epoch.roster[row].cell.get(), ranks[row])
        };
        let keys: Vec<(u64, u32)> = counted.iter().map(cell).collect();
        let subject = (epoch.roster[row].cell.get(), ranks[row]);
        let subject = subject.0 ^ u64::from(subject.1) << 56;
        let chosen = choose(&epoch.beacon, subject, &keys, params.witness_max.into());
        let count = chosen.iter().filter(|chosen| **chosen).count() as u64;
        proven[row].sent = HALF * count.min(target) / target;
        let from = epoch.roster[row].number;
        for (place, chosen) in counted.iter().zip(chosen) {
            if !chosen {
                let limit = params.witness_max;
                said.heard[*place].refuse(Some(Refusal::new(NOT_DRAWN, counted.len(), limit)));
                continue;
            }
            let witness = said.heard[*place].row;
            let peers = &devices[witness].peers;
            let known = peers.binary_search_by_key(&from, |peer| peer.device);
            let repeats = known.map_or(0, |at| peers[at].repeats);
            percents[witness] += worth(repeats, params.repeat_percent, params.repeat_floor);
            witnessed[witness].push(row);
        }
    }
    references::count(epoch, params, ranks, said, &mut percents);
    for (row, proven) in proven.iter_mut().enumerate() {
        proven.heard = HALF * percents[row].min(100 * target) / (100 * target);
    }
    for spoken in said.spoken.iter().filter(|spoken| spoken.excluded) {
        proven[spoken.row] = Proven {
            part: density::WHOLE,
            ..excluded_proof(said, spoken.row)
        };
    }
    for (device, rows) in devices.iter_mut().zip(&mut witnessed) {
        remember_peers(epoch, device, rows);
    }
    crowd(epoch, params, said, &mut proven);
    proven
}

/// What an excluded device says is judged, so that it can come back, and nothing of it is paid.
fn excluded_proof(said: &Said, row: usize) -> Proven {
    let stands = said
        .heard
        .iter()
        .any(|reception| reception.row == row && reception.beacon.is_some() && reception.stands());
    Proven {
        heard: if stands { HALF } else { 0 },
        ..Proven::default()
    }
}

/// Whom a device witnessed again, and whom no longer.
fn remember_peers(epoch: &Epoch, device: &mut DeviceMemory, rows: &mut Vec<usize>) {
    rows.sort_unstable();
    rows.dedup();
    for peer in &mut device.peers {
        let row = epoch.roster.binary_search_by_key(&peer.device, |member| member.number);
        let again = row.is_ok_and(|row| rows.binary_search(&row).is_ok());
        peer.repeats = if again {
            peer.repeats.saturating_add(1)
        } else {
            peer.repeats.saturating_sub(1)
        };
    }
    device.peers.retain(|peer| peer.repeats > 0);
    for row in rows.iter() {
        let number = epoch.roster[*row].number;
        if device.peers.iter().all(|peer| peer.device != number) {
            device.peers.push(Peer {
                device: number,
                repeats: 1,
            });
        }
    }
    device
        .peers
        .sort_unstable_by_key(|peer| (std::cmp::Reverse(peer.repeats), peer.device));
    device.peers.truncate(PEERS_MAX);
    device.peers.sort_unstable_by_key(|peer| peer.device);
}

/// What density leaves of each: only who proved something and is not excluded takes a share.
fn crowd(epoch: &Epoch, params: &Params, said: &Said, proven: &mut [Proven]) {
    let mut excluded = vec![false; proven.len()];
    for spoken in &said.spoken {
        excluded[spoken.row] = spoken.excluded;
    }
    let counts = |row: &usize| !excluded[*row] && proven[*row].sent + proven[*row].heard > 0;
    let rows: Vec<usize> = (0..proven.len()).filter(counts).collect();
    let cells: Vec<CellId> = rows.iter().map(|row| epoch.roster[*row].cell).collect();
    let parts = density::parts(&cells, COARSEST, &params.density);
    for (row, cell) in rows.into_iter().zip(cells) {
        proven[row].part = parts.get(&cell).copied().unwrap_or(0);
    }
}
