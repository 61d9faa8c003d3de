//! One radio that poses as several: devices that hear the same transmissions as strong and as clear as each other. Two
//! antennas at one mast do not: reflections fade each in its own way, by decibels from frame to frame.

use super::memory::{DeviceMemory, TWINS_MAX, Twin};
use super::reasons::{COPIED, DUPLICATE};
use super::said::{Refusal, Said};
use crate::kit::Epoch;
use crate::wireless::params::Params;
use crate::wireless::report::Heard;
use std::collections::BTreeMap;

/// At most so many receivers of one transmission are compared with each other.
const RECEIVERS_MAX: usize = 64;
/// The most receptions counted of a pair; more are counted in half.
const COUNT_MAX: u16 = 1_000;
/// A few receptions prove a copy only where they are one in so many of all it told, or more.
const OWN_PARTS: u32 = 4;
/// Who is exactly as clear need only be as strong within so many times what counts as the same.
const EQUAL_STEPS: u16 = 6;

/// Compares all that heard the same transmission, in pairs; remembers what is suspicious, refuses what is proven. Of a pair
/// the one registered later is the copy.
pub fn judge(epoch: &Epoch, params: &Params, said: &mut Said, devices: &mut [DeviceMemory]) {
    let mut told = vec![0u16; devices.len()];
    let pairs = pairs(params, said, &mut told);
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
            ..Twin::default()
        });
        known.add(&count);
    }
    for ((later, _), twin) in &mut counts {
        twin.told = twin.told.saturating_add(told[*later]);
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
    twins.retain(|twin| u32::from(twin.same.max(twin.near).max(twin.equal)) * 2 >= u32::from(twin.both));
    let most = |twin: &Twin| (twin.alike.max(twin.equal), twin.same.max(twin.near));
    twins.sort_unstable_by_key(|twin| (std::cmp::Reverse(most(twin)), twin.device));
    twins.truncate(TWINS_MAX);
    twins.sort_unstable_by_key(|twin| twin.device);
}

impl Twin {
    fn add(&mut self, more: &Self) {
        self.both = self.both.saturating_add(more.both);
        self.alike = self.alike.saturating_add(more.alike);
        self.same = self.same.saturating_add(more.same);
        self.near = self.near.saturating_add(more.near);
        self.equal = self.equal.saturating_add(more.equal);
        while self.both >= COUNT_MAX {
            let Self {
                both,
                alike,
                same,
                near,
                equal,
                told,
                ..
            } = self;
            for count in [both, alike, same, near, equal, told] {
                *count /= 2;
            }
        }
    }
}

fn proof(params: &Params, twin: &Twin) -> Option<Refusal> {
    let percent = |count: u16, percent: u8| u32::from(count) * 100 >= u32::from(twin.both) * u32::from(percent);
    let (most, some, many) = (params.twin_percent, params.twin_long_min / 3, params.twin_long_min);
    // Two that now and then hear the same thing may be alike a few times by chance; a copy has little else to tell.
    let is_copy = u32::from(twin.both) * OWN_PARTS >= u32::from(twin.told);
    let proven = |count: u16, least: u8, percents: u8| {
        let enough = count >= least.into() && (is_copy || count >= many.into());
        (enough && percent(count, percents)).then(|| Refusal::new(COPIED, count, least))
    };
    // As strong and as clear; or as strong, and half as often as clear; or as strong, whatever the noise; or exactly as clear,
    // however strong; or both but for a little more.
    let half = percent(twin.alike, most / 2);
    proven(twin.alike, params.twin_min, most)
        .or(proven(twin.same, some, params.twin_long_percent).filter(|_| half))
        .or(proven(twin.same, many, params.twin_long_percent))
        .or(proven(twin.equal, some, most))
        .or(proven(twin.near, 2 * some, most))
}

/// What one transmission says of a pair of devices.
#[derive(Clone, Copy, Debug, Default)]
struct Alike {
    /// As strong, and as clear too.
    same: bool,
    alike: bool,
    /// Both within twice as much.
    near: bool,
    /// Exactly as clear, and not far from as strong.
    equal: bool,
}

fn compare(params: &Params, one: &Heard, other: &Heard) -> Alike {
    let (off, limit) = (one.rssi_ddbm.abs_diff(other.rssi_ddbm), params.twin_ddb.unsigned_abs());
    let noise = one.snr_ddb.abs_diff(other.snr_ddb);
    Alike {
        same: off <= limit,
        alike: off <= limit && noise <= limit,
        near: off.max(noise) <= 2 * limit,
        // No ratio at all is what a radio says that measures none.
        equal: noise == 0 && one.snr_ddb != 0 && off <= EQUAL_STEPS * limit,
    }
}

/// For each pair, the later row first, its common transmissions. A device that tells a transmission twice, as one with two
/// antennas does, is compared by whichever of its receptions is most like the other's. Counts in `told` what each told of.
fn pairs(params: &Params, said: &Said, told: &mut [u16]) -> BTreeMap<(usize, usize), Twin> {
    let mut order: Vec<usize> = (0..said.heard.len())
        .filter(|place| {
            let refusal = said.heard[*place].refusal;
            refusal.is_none_or(|refusal| refusal.reason == DUPLICATE)
        })
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
    let mut pairs: BTreeMap<(usize, usize), Twin> = BTreeMap::new();
    let one_frame = |one: &usize, next: &usize| (key(one).0, key(one).1) == (key(next).0, key(next).1);
    let mut alike: Vec<((usize, usize), Alike)> = Vec::new();
    let mut rows: Vec<usize> = Vec::new();
    for run in order.chunk_by(one_frame) {
        let mut rest = run;
        while let Some(first) = rest.first() {
            let began = said.heard[*first].heard.time;
            let until =
                rest.partition_point(|place| said.heard[*place].heard.time.since_ms(began) <= params.same_ms.into());
            let (transmission, later) = rest.split_at(until);
            rest = later;
            rows.extend(transmission.iter().map(|place| said.heard[*place].row));
            rows.sort_unstable();
            rows.dedup();
            for row in rows.drain(..) {
                told[row] = told[row].saturating_add(1);
            }
            for (at, place) in transmission.iter().enumerate() {
                let one = &said.heard[*place];
                let others = transmission[at + 1..].iter().take(RECEIVERS_MAX);
                for other in others
                    .map(|place| &said.heard[*place])
                    .filter(|other| other.row != one.row)
                {
                    let pair = (one.row.max(other.row), one.row.min(other.row));
                    alike.push((pair, compare(params, &one.heard, &other.heard)));
                }
            }
            alike.sort_unstable_by_key(|(pair, _)| *pair);
            for of_pair in alike.chunk_by(|one, next| one.0 == next.0) {
                let any = |is: fn(&Alike) -> bool| u16::from(of_pair.iter().any(|(_, alike)| is(alike)));
                let pair = pairs.entry(of_pair[0].0).or_default();
                pair.add(&Twin {
                    device: pair.device,
                    both: 1,
                    alike: any(|alike| alike.alike),
                    same: any(|alike| alike.same),
                    near: any(|alike| alike.near),
                    equal: any(|alike| alike.equal),
                    told: 0,
                });
            }
            alike.clear();
        }
    }
    pairs
}
