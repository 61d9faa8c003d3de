//! A device's epoch as one series: equal to another device's it is a copy, equal to its own of another day a replay. A
//! series in which nothing changes proves nothing.
//!
//! Proof is counted in changes of value that were equal, from epoch to epoch; an epoch that differs halves it. Of devices
//! with equal series the original is the one whose report the verifier had clearly earlier, else the one that joined
//! earlier, else the one that was registered earlier: it is not hurt by its copies.

use super::memory::{DeviceMemory, PAST_EPOCHS_MAX, PAST_MAX, Past, Replay, Twin};
use super::slots::{Board, NONE};
use crate::kit::Member;
use crate::sensors::params::Params;
use crate::sensors::report::RAIN;
use cairn_types::{DeviceNumber, TimeMs, hash};

/// What a device said in an epoch, in short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// First eight bytes of the hash of all values with their slots, dry slots left out.
    pub series: u64,
    /// How often a value differs from the one before it; 0: the series proves nothing.
    pub changes: u16,
    /// When its first report was received; `None` when it sent nothing that has a slot.
    pub received: Option<TimeMs>,
}

/// The short form of one device's values.
pub fn said(board: &Board, row: usize, received: Option<TimeMs>, bytes: &mut Vec<u8>) -> Said {
    bytes.clear();
    let mut changes = 0u16;
    for (quantity, series) in (0u16..).zip(board) {
        let Some(series) = series else { continue };
        let mut before = None;
        for (slot, value) in (0u32..).zip(series.row(row)) {
            if *value == NONE {
                continue;
            }
            let dry = quantity == RAIN && *value == 0;
            if !dry {
                bytes.extend_from_slice(&quantity.to_be_bytes());
                bytes.extend_from_slice(&slot.to_be_bytes());
                bytes.extend_from_slice(&value.to_be_bytes());
            }
            if before.is_some_and(|before| before != *value) && !dry {
                changes = changes.saturating_add(1);
            }
            before = Some(*value);
        }
    }
    let series = if changes == 0 { 0 } else { short(bytes) };
    Said {
        series,
        changes,
        received,
    }
}

fn short(bytes: &[u8]) -> u64 {
    hash::sha256(bytes).0[..8]
        .iter()
        .fold(0, |short, byte| short << 8 | u64::from(*byte))
}

/// For each device the row of the original its series is equal to; `None` for originals and for what proves nothing.
pub fn originals(params: &Params, members: &[Member], said: &[Said]) -> Vec<Option<usize>> {
    let mut originals = vec![None; said.len()];
    let mut rows: Vec<usize> = (0..said.len()).filter(|row| said[*row].changes > 0).collect();
    rows.sort_unstable_by_key(|row| said[*row].series);
    for group in rows
        .chunk_by(|one, next| said[*one].series == said[*next].series)
        .filter(|group| group.len() > 1)
    {
        let first = group
            .iter()
            .filter_map(|row| said[*row].received)
            .min()
            .unwrap_or_default();
        let early = |row: &&usize| {
            said[**row]
                .received
                .is_some_and(|time| time <= first.plus_ms(params.copy_lead_ms.into()))
        };
        let original = group
            .iter()
            .filter(early)
            .min_by_key(|row| (members[**row].joined, members[**row].number))
            .copied();
        for row in group.iter().filter(|row| Some(**row) != original) {
            originals[*row] = original;
        }
    }
    originals
}

/// Carries the proof that a device copies into this epoch.
pub fn copy(
    params: &Params,
    members: &[Member],
    all: &[Said],
    row: usize,
    original: Option<usize>,
    twin: &mut Option<Twin>,
) {
    let (own, most) = (&all[row], 4 * u16::from(params.copy_changes));
    if own.received.is_none() {
        return;
    }
    if let Some(twin) = twin.as_mut() {
        let other = members.binary_search_by_key(&twin.device, |member| member.number).ok();
        let still = other.is_none_or(|other| all[other].changes == 0);
        if other.is_some() && other == original {
            twin.changes = twin.changes.saturating_add(own.changes).min(most);
        } else if own.changes > 0 || !still {
            twin.changes /= 2;
        }
    }
    let Some(original) = original else { return clear(twin) };
    let device: DeviceNumber = members[original].number;
    if twin.is_none_or(|twin| twin.device != device && twin.changes < own.changes) {
        *twin = Some(Twin {
            device,
            changes: own.changes,
        });
    }
}

fn clear(twin: &mut Option<Twin>) {
    if twin.is_some_and(|twin| twin.changes == 0) {
        *twin = None;
    }
}

/// Carries the proof that a device repeats itself into this epoch, and remembers the epoch.
pub fn replay(params: &Params, own: &Said, memory: &mut DeviceMemory) {
    memory.past.retain_mut(|past| {
        past.ago = past.ago.saturating_add(1);
        past.ago <= PAST_EPOCHS_MAX
    });
    if own.received.is_none() {
        return;
    }
    let most = 4 * u16::from(params.replay_changes);
    let series = (own.changes > 0).then_some((own.series >> 32) as u32);
    if let Some(replay) = memory.replay.as_mut() {
        let then = memory
            .past
            .iter()
            .find(|past| past.ago == replay.lag)
            .map(|past| past.series);
        match (series, then) {
            (Some(now), Some(then)) if now == then => {
                replay.changes = replay.changes.saturating_add(own.changes).min(most)
            }
            (None, None) => {}
            _ => replay.changes /= 2,
        }
    }
    if memory.replay.is_some_and(|replay| replay.changes == 0) {
        memory.replay = None;
    }
    let Some(series) = series else { return };
    let seen = memory.past.iter().find(|past| past.series == series);
    if let Some(past) = seen.filter(|_| memory.replay.is_none_or(|replay| replay.changes < own.changes)) {
        memory.replay = Some(Replay {
            lag: past.ago,
            changes: own.changes,
        });
    }
    memory.past.insert(0, Past { ago: 0, series });
    memory.past.truncate(PAST_MAX);
}
