//! Which frames are new: a frame is paid once to each device that heard it, and never again when somebody sends or tells it
//! once more later. A counter that starts anew is no fraud.

use super::memory::{
    Bucket, FRAMES_BESIDES, FRAMES_PER_MEMBER, Memory, RECENT_PER_MEMBER, Recent, SOURCES_BESIDES, SOURCES_PER_MEMBER,
    SourceMemory,
};
use super::reasons::{
    APART, BEYOND_REACH, CLOCK, COPIED, DUPLICATE, MISPLACED, MOVED, OUTSIDE_EPOCH, REPLAYED, TOO_STRONG, WRONG_PLACE,
};
use super::said::{Reception, Refusal, Said};
use crate::kit::Epoch;
use crate::wireless::params::Params;
use cairn_types::{DeviceNumber, Reason, TimeMs};
use std::collections::{BTreeMap, BTreeSet};

/// A counter so little below the last one is a frame that was overtaken.
const OVERTAKEN: u32 = 16;
/// So many frames of one sender in a row may have been heard by nobody.
const GAP: u32 = 32;
/// Whoever stands elsewhere than it says, or poses as another, still told when there was such a frame.
const ELSEWHERE: [Reason; 7] = [MOVED, TOO_STRONG, BEYOND_REACH, WRONG_PLACE, MISPLACED, APART, COPIED];

/// What is remembered of a frame: half of its name.
pub fn short(frame: u64) -> u32 {
    u32::try_from(frame >> 32).expect("the upper half")
}

/// When a reception shows that its frame was there: at its time; or, if its device's clock is off, when the customer had it.
fn known_at(reception: &Reception) -> Option<TimeMs> {
    match reception.refusal.map(|refusal| refusal.reason) {
        Some(CLOCK | OUTSIDE_EPOCH) => reception.heard.source?.taken,
        None => Some(reception.heard.time),
        Some(reason) => ELSEWHERE.contains(&reason).then_some(reception.heard.time),
    }
}

/// What earlier epochs know of frames and senders.
pub struct Known {
    /// Frames of earlier epochs and when these began, sorted.
    old: Vec<(u32, TimeMs)>,
    recent: Vec<Recent>,
    pub sources: BTreeMap<u64, SourceMemory>,
}

impl Known {
    pub fn of(memory: &Memory) -> Self {
        let frames = |bucket: &Bucket| bucket.frames().map(|frame| (frame, bucket.start)).collect::<Vec<_>>();
        let mut old: Vec<(u32, TimeMs)> = memory.buckets.iter().flat_map(frames).collect();
        old.sort_unstable();
        Self {
            old,
            recent: memory.recent.clone(),
            sources: memory.sources.iter().map(|source| (source.id, *source)).collect(),
        }
    }

    /// When a frame was last heard long ago, to the epoch.
    fn long_ago(&self, frame: u32) -> Option<TimeMs> {
        let end = self.old.partition_point(|(known, _)| *known <= frame);
        let (known, start) = self.old[..end].last()?;
        (*known == frame).then_some(*start)
    }

    /// The receptions of a frame shortly before the epoch.
    fn lately(&self, frame: u32) -> &[Recent] {
        let start = self.recent.partition_point(|recent| recent.frame < frame);
        let end = self.recent.partition_point(|recent| recent.frame <= frame);
        &self.recent[start..end]
    }

    /// What to remember of frames after this epoch: those whose repeats may still come with their times, the others by name.
    pub fn remember(&self, epoch: &Epoch, params: &Params, said: &Said, memory: &mut Memory) {
        let repeat = u64::from(params.repeat_ms);
        let may_repeat = |time: TimeMs| time.plus_ms(repeat) > epoch.end;
        let new = said.heard.iter().filter(|reception| reception.beacon.is_none());
        let new = new.filter_map(|reception| {
            Some(Recent {
                frame: short(reception.heard.frame),
                time: known_at(reception)?,
                device: epoch.roster[reception.row].number,
            })
        });
        let (mut recent, done): (Vec<Recent>, Vec<Recent>) = self
            .recent
            .iter()
            .copied()
            .chain(new)
            .partition(|recent| may_repeat(recent.time));
        recent.sort_unstable_by_key(|recent| (recent.time, recent.frame, recent.device));
        let spare = recent.len().saturating_sub(RECENT_PER_MEMBER * epoch.roster.len());
        recent.drain(..spare);
        recent.sort_unstable();
        recent.dedup();
        let mut frames: Vec<u32> = done.iter().map(|recent| recent.frame).collect();
        frames.sort_unstable();
        frames.dedup();
        memory.recent = recent;
        if !frames.is_empty() && memory.buckets.last().is_none_or(|bucket| bucket.start < epoch.start) {
            memory.buckets.push(Bucket::of(epoch.start, &frames));
        }
        let length = epoch
            .end
            .since_ms(epoch.start)
            .saturating_mul(params.replay_epochs.into());
        memory
            .buckets
            .retain(|bucket| epoch.end.since_ms(bucket.start) <= length);
        let mut count: usize = memory.buckets.iter().map(Bucket::count).sum();
        while count > FRAMES_PER_MEMBER * epoch.roster.len() + FRAMES_BESIDES && !memory.buckets.is_empty() {
            count -= memory.buckets.remove(0).count();
        }
        let mut sources: Vec<SourceMemory> = self.sources.values().copied().collect();
        sources.sort_unstable_by_key(|source| (std::cmp::Reverse(source.last), source.id));
        sources.truncate(SOURCES_PER_MEMBER * epoch.roster.len() + SOURCES_BESIDES);
        sources.sort_unstable();
        memory.sources = sources;
    }
}

/// Refuses duplicates and replays; what stands is new.
pub fn judge(epoch: &Epoch, params: &Params, said: &mut Said, known: &mut Known) {
    let first = first_heard(said, known);
    let fresh = follow_counters(params, said, known, &first);
    let mut order: Vec<usize> = (0..said.heard.len())
        .filter(|place| said.heard[*place].stands())
        .collect();
    let key = |said: &Said, place: usize| {
        let reception = &said.heard[place];
        (reception.heard.frame, reception.heard.time, reception.row, place)
    };
    order.sort_unstable_by_key(|place| key(said, *place));
    let mut rest = &order[..];
    while let Some(first_of_run) = rest.first() {
        let name = said.heard[*first_of_run].heard.frame;
        let alike = rest
            .iter()
            .take_while(|place| said.heard[**place].heard.frame == name)
            .count();
        let (run, later) = rest.split_at(alike);
        rest = later;
        let frame = short(name);
        let lately = known.lately(frame);
        let long_ago = known.long_ago(frame);
        let began = first[&name];
        let mut devices: BTreeSet<DeviceNumber> = lately.iter().map(|recent| recent.device).collect();
        for place in run.iter().copied() {
            let reception = &mut said.heard[place];
            let number = epoch.roster[reception.row].number;
            let age = reception.heard.time.since_ms(began);
            let limit = u64::from(params.repeat_ms);
            if let Some(start) = long_ago.filter(|_| !fresh[place]) {
                let age = reception.heard.time.since_ms(start);
                reception.refuse(Some(Refusal::new(REPLAYED, age, limit)));
            } else if age > limit && !fresh[place] {
                reception.refuse(Some(Refusal::new(REPLAYED, age, limit)));
            } else if !devices.insert(number) {
                reception.refuse(Some(Refusal::new(DUPLICATE, 2, 1)));
            }
        }
    }
}

/// When each frame of the epoch was first heard, in it or shortly before.
fn first_heard(said: &Said, known: &Known) -> BTreeMap<u64, TimeMs> {
    let mut first: BTreeMap<u64, TimeMs> = BTreeMap::new();
    for reception in &said.heard {
        let Some(time) = known_at(reception) else { continue };
        let frame = reception.heard.frame;
        let began = first.entry(frame).or_insert_with(|| {
            let lately = known.lately(short(frame)).iter().map(|recent| recent.time).min();
            lately.map_or(time, |lately| lately.min(time))
        });
        *began = time.min(*began);
    }
    first
}

/// Follows each sender's counter through the epoch; says of each reception whether its counter goes on after a new start
/// that came later than the frame of the same bytes was first heard.
fn follow_counters(params: &Params, said: &Said, known: &mut Known, first: &BTreeMap<u64, TimeMs>) -> Vec<bool> {
    let repeat = u64::from(params.repeat_ms);
    let mut fresh = vec![false; said.heard.len()];
    let counted = |place: &usize| {
        let reception = &said.heard[*place];
        let source = reception.heard.source.filter(|_| reception.stands())?;
        Some((source.id, reception.heard.time, source.counter?, reception.heard.frame))
    };
    let mut order: Vec<usize> = (0..said.heard.len()).filter(|place| counted(place).is_some()).collect();
    order.sort_unstable_by_key(|place| (counted(place), *place));
    for run in order.chunk_by(|one, next| counted(one).map(|it| it.0) == counted(next).map(|it| it.0)) {
        let frames: Vec<(TimeMs, u32, u64)> = run
            .iter()
            .filter_map(|place| counted(place).map(|(_, time, counter, frame)| (time, counter, frame)))
            .collect();
        let id = said.heard[run[0]].heard.source.map_or(0, |source| source.id);
        let mut state = known.sources.get(&id).copied();
        for (at, (time, counter, frame)) in frames.iter().enumerate() {
            // Heard before, in an earlier epoch or longer ago than its sender repeats it.
            let began = first.get(frame).filter(|began| time.since_ms(**began) > repeat);
            let old = known.long_ago(short(*frame)).or(began.copied());
            let next = frames[at..].iter().find(|(_, _, other)| other != frame);
            let state = state.get_or_insert(SourceMemory {
                id,
                counter: *counter,
                since: *time,
                last: *time,
            });
            state.last = *time;
            let after = next.map(|(_, next, _)| next.wrapping_sub(*counter));
            let goes_on = |gap: u32| after.is_some_and(|after| (1..=gap).contains(&after));
            if *counter > state.counter {
                // What goes on after a new start is not the old frame of the same bytes, if what follows goes on too.
                let near = *counter - state.counter <= if next.is_some() { GAP } else { OVERTAKEN };
                let again = old.is_some_and(|old| old < state.since) && near && (next.is_none() || goes_on(GAP));
                fresh[run[at]] = again;
                if old.is_none() || again {
                    state.counter = *counter;
                }
            } else if state.counter - *counter > OVERTAKEN && (old.is_none() || goes_on(OVERTAKEN)) {
                (state.counter, state.since) = (*counter, *time);
                fresh[run[at]] = true;
            }
        }
        if let Some(state) = state {
            known.sources.insert(id, state);
        }
    }
    fresh
}
