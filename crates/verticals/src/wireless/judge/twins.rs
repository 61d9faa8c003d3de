//! One radio that poses as several: devices that hear the same transmissions as strong and as clear as each other. Two
//! antennas at one mast do not: reflections fade each in its own way, by decibels from frame to frame.

use super::memory::{DeviceMemory, TWINS_MAX, Twin};
use super::reasons::COPIED;
use super::said::{Refusal, Said};
use crate::kit::Epoch;
use crate::wireless::params::Params;
use std::collections::BTreeMap;

/// At most so many receivers of one transmission are compared with each other.
const RECEIVERS_MAX: usize = 64;
/// The most receptions counted of a pair; more are counted in half.
const COUNT_MAX: u16 = 1_000;

/// Compares all that heard the same transmission, in pairs; remembers what is suspicious, refuses what is proven. Of a pair
/// the one registered later is the copy.
pub fn judge(epoch: &Epoch, params: &Params, said: &mut Said, devices: &mut [DeviceMemory]) {
    let pairs = pairs(params, said);
    let mut counts: BTreeMap<(usize, usize), Twin> = BTreeMap::new();
    for (later, device) in devices.iter().enumerate() {
        for twin in &device.twins {
            let Ok(earlier) = epoch.roster.binary_search_by_key(&twin.device, |member| member.number) else {
                continue;
            };
            counts.insert((later, earlier), *twin);
        }
    }
    for (pair, count) in pairs {
        let known = counts.entry(pair).or_insert(Twin {
            device: epoch.roster[pair.1].number,
            both: 0,
            alike: 0,
            same: 0,
        });
        known.add(count);
    }
    let mut proven: Vec<Option<Refusal>> = vec![None; devices.len()];
    for device in devices.iter_mut() {
        device.twins.clear();
    }
    for ((later, _), twin) in counts {
        if let Some(refusal) = proof(params, &twin) {
            let stronger = proven[later].is_none_or(|known| known.measured < refusal.measured);
            proven[later] = if stronger { Some(refusal) } else { proven[later] };
        }
        devices[later].twins.push(twin);
    }
    for device in devices.iter_mut() {
        keep_most(&mut device.twins);
    }
    for reception in &mut said.heard {
        reception.refuse(proven[reception.row]);
    }
    for sent in &mut said.sent {
        sent.refuse(proven[sent.row]);
    }
}

/// Remembers the pairs that look most like one radio.
fn keep_most(twins: &mut Vec<Twin>) {
    twins.retain(|twin| u32::from(twin.same) * 2 >= u32::from(twin.both));
    twins.sort_unstable_by_key(|twin| (std::cmp::Reverse((twin.alike, twin.same)), twin.device));
    twins.truncate(TWINS_MAX);
    twins.sort_unstable_by_key(|twin| twin.device);
}

impl Twin {
    fn add(&mut self, (both, alike, same): (u16, u16, u16)) {
        self.both = self.both.saturating_add(both);
        self.alike = self.alike.saturating_add(alike);
        self.same = self.same.saturating_add(same);
        while self.both >= COUNT_MAX {
            (self.both, self.alike, self.same) = (self.both / 2, self.alike / 2, self.same / 2);
        }
    }
}

fn proof(params: &Params, twin: &Twin) -> Option<Refusal> {
    let percent = |count: u16, percent: u8| u32::from(count) * 100 >= u32::from(twin.both) * u32::from(percent);
    let alike = percent(twin.alike, params.twin_percent);
    let (same, half) = (
        percent(twin.same, params.twin_long_percent),
        percent(twin.alike, params.twin_percent / 2),
    );
    let proven = |count: u16, least: u8| (count >= least.into()).then(|| Refusal::new(COPIED, count, least));
    // As strong and as clear; or as strong, and half as often as clear; or as strong, whatever the noise.
    let few = proven(twin.alike, params.twin_min).filter(|_| alike);
    let some = proven(twin.same, params.twin_long_min / 3).filter(|_| same && half);
    let many = proven(twin.same, params.twin_long_min).filter(|_| same);
    few.or(some).or(many)
}

/// For each pair, the later row first: common receptions, those alike in signal and noise, those alike in signal.
fn pairs(params: &Params, said: &Said) -> BTreeMap<(usize, usize), (u16, u16, u16)> {
    let mut order: Vec<usize> = (0..said.heard.len())
        .filter(|place| said.heard[*place].stands())
        .collect();
    let key = |place: &usize| {
        let reception = &said.heard[*place];
        (
            reception.heard.frame,
            (reception.heard.frequency_hz / 50_000).div_ceil(2),
            reception.heard.time,
            reception.row,
            *place,
        )
    };
    order.sort_unstable_by_key(key);
    let mut pairs: BTreeMap<(usize, usize), (u16, u16, u16)> = BTreeMap::new();
    let one_frame = |one: &usize, next: &usize| (key(one).0, key(one).1) == (key(next).0, key(next).1);
    for run in order.chunk_by(one_frame) {
        for (at, place) in run.iter().enumerate() {
            let one = &said.heard[*place];
            for other in run[at + 1..]
                .iter()
                .take(RECEIVERS_MAX)
                .map(|place| &said.heard[*place])
            {
                if other.heard.time.since_ms(one.heard.time) > params.same_ms.into() {
                    break;
                }
                if one.row == other.row {
                    continue;
                }
                let same = one.heard.rssi_ddbm.abs_diff(other.heard.rssi_ddbm) <= params.twin_ddb.unsigned_abs();
                let clear = one.heard.snr_ddb.abs_diff(other.heard.snr_ddb) <= params.twin_ddb.unsigned_abs();
                let pair = pairs
                    .entry((one.row.max(other.row), one.row.min(other.row)))
                    .or_default();
                pair.0 = pair.0.saturating_add(1);
                pair.1 = pair.1.saturating_add((same && clear).into());
                pair.2 = pair.2.saturating_add(same.into());
            }
        }
    }
    pairs
}
