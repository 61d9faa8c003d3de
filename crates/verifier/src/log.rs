//! The append log: what is in it was on disk before anybody was told so. One fsync per group; a group is there whole or not at all.
//!
//! ```text
//! segment-0000000007.log   preallocated   │ frame │ frame │ frame │ 0 0 0 0 …
//! frame                    mark(seed, segment) · length · digest(seed, segment, offset, payload) · payload
//! ```
//! The digest binds a frame to its place, so the old content of a reused segment means nothing. Mark and digest depend on a secret
//! seed beside the log, so no report can contain a frame, nor what makes a restart look for one. A frame that does not hold ends its
//! segment: it was never acknowledged. A frame that holds *after* one that does not is damage, and the log refuses to open.
//!
//! What a sync failed for can still be read after a restart of the process, and be gone after a power loss. It can only be in the
//! newest segment, since another follows once all before is on disk; so the newest is written and synced again before the log is open.

mod frame;
#[cfg(test)]
mod tests;

pub use frame::{Kind, Record};

use crate::disk::Disk;
use crate::limits::FRAME_BYTES_MAX;
use cairn_types::TimeMs;
use frame::Frames;
use std::collections::BTreeMap;
use std::io;
use thiserror::Error;

const SEED_FILE: &str = "seed";
const SEGMENT_PREFIX: &str = "segment-";
const SPARE_PREFIX: &str = "spare-";
const SUFFIX: &str = ".log";

/// Released segments kept for reuse; more are removed.
const SPARES_MAX: usize = 4;

/// What goes wrong with a log.
#[derive(Debug, Error)]
pub enum LogError {
    #[error("the disk is full")]
    Full,
    #[error("disk: {0}")]
    Disk(#[from] io::Error),
    #[error("{segment} is damaged at byte {offset}: groups that were acknowledged follow it; restore the file")]
    Damaged { segment: String, offset: u64 },
    #[error("segments are there, and the file {SEED_FILE} that tells their frames is not, or is damaged; restore it")]
    SeedLost,
    #[error(
        "a group of {bytes} bytes is longer than the {limit} that a frame of this log may have; send fewer at once"
    )]
    GroupTooLong { bytes: usize, limit: usize },
    #[error("record {0:?} is not in the log")]
    NotThere(Location),
}

/// Where a record's bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    pub segment: u32,
    pub offset: u32,
    pub bytes: u32,
}

/// The log. Its owner appends, reads, and says when records are needed no longer.
pub struct Log {
    disk: Box<dyn Disk>,
    seed: [u8; 32],
    segment_bytes: u32,
    /// Records still needed, by segment.
    live: BTreeMap<u32, u64>,
    /// The segment that is written and where its next frame goes; `None` until the first append.
    head: Option<(u32, u32)>,
    next: u32,
    spares: Vec<String>,
    /// Where a group was written that could not be synced: segment, offset and bytes.
    torn: Option<(u32, u32, usize)>,
}

impl Log {
    /// Opens the log, hands every record to `each`, oldest first, and forgets what was torn. `each` says whether the record is
    /// still needed. `fresh_seed` is used when the log is new.
    pub fn open(
        mut disk: Box<dyn Disk>,
        segment_bytes: u32,
        fresh_seed: [u8; 32],
        each: &mut dyn FnMut(Location, TimeMs, Record<'_>) -> bool,
    ) -> Result<Self, LogError> {
        // A name whose sync failed in an earlier life is there now, and would not be after a power loss.
        disk.sync_names()?;
        let names = disk.list()?;
        let numbers = |prefix| names.iter().filter_map(move |name| number_of(prefix, name));
        let segments: Vec<u32> = numbers(SEGMENT_PREFIX).collect();
        let seed = match disk.read_all(SEED_FILE)?.and_then(|bytes| bytes.try_into().ok()) {
            Some(seed) => seed,
            None if !segments.is_empty() => return Err(LogError::SeedLost),
            None => {
                disk.replace(SEED_FILE, &fresh_seed).map_err(full)?;
                fresh_seed
            }
        };
        let mut log = Self {
            disk,
            seed,
            segment_bytes,
            live: BTreeMap::new(),
            head: None,
            // A number is never used again while a file holds frames of it.
            next: numbers(SPARE_PREFIX).max().map_or(0, |newest| newest.saturating_add(1)),
            spares: numbers(SPARE_PREFIX)
                .map(|number| name_of(SPARE_PREFIX, number))
                .collect(),
            torn: None,
        };
        for number in &segments {
            log.recover(*number, segments.last() == Some(number), each)?;
        }
        Ok(log)
    }

    fn recover(
        &mut self,
        number: u32,
        is_newest: bool,
        each: &mut dyn FnMut(Location, TimeMs, Record<'_>) -> bool,
    ) -> Result<(), LogError> {
        let name = segment_name(number);
        let bytes = self.disk.read_all(&name)?.unwrap_or_default();
        let mut frames = Frames::of(self.seed, number, &bytes);
        let mut live = 0;
        let mut end = 0;
        while let Some((payload, after)) = frames.read(end) {
            let place =
                u32::try_from(after - payload.len()).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
            for (at, received, record) in frame::records(payload) {
                let location = Location {
                    segment: number,
                    offset: place + at,
                    bytes: record.bytes.len() as u32,
                };
                live += u64::from(each(location, received, record));
            }
            end = after;
        }
        if frames.any_after(end) {
            return Err(LogError::Damaged {
                segment: name,
                offset: end as u64,
            });
        }
        tracing::debug!(
            segment = name,
            bytes = end,
            hashed = frames.hashed(),
            "a segment was read"
        );
        if is_newest {
            // The same bytes in the same place: a power loss meanwhile changes nothing that is on disk.
            self.disk.write(&name, 0, &bytes[..end])?;
            self.disk.sync(&name)?;
        }
        self.live.insert(number, live);
        self.next = self.next.max(number.saturating_add(1));
        // A shorter file is one whose making was cut off, or of an older setting; it is read but not written.
        self.head = (bytes.len() == self.segment_bytes as usize).then_some((number, end as u32));
        Ok(())
    }

    /// Writes a group and syncs it. When it returns the group is durable; on an error nothing of it counts.
    pub fn append(&mut self, received: TimeMs, records: &[Record<'_>]) -> Result<Vec<Location>, LogError> {
        let payload_bytes = frame::payload_bytes(records);
        let framed = payload_bytes + frame::HEADER_BYTES;
        let limit = FRAME_BYTES_MAX.min(self.segment_bytes as usize);
        if framed > limit {
            return Err(LogError::GroupTooLong { bytes: framed, limit });
        }
        self.wipe_torn()?;
        let (segment, offset) = match self.head {
            Some((segment, end)) if end as usize + framed <= self.segment_bytes as usize => (segment, end),
            _ => (self.roll()?, 0),
        };
        let (bytes, places) = frame::write(&self.seed, segment, offset, received, records);
        let name = segment_name(segment);
        self.disk.write(&name, offset.into(), &bytes).map_err(full)?;
        if let Err(error) = self.disk.sync(&name) {
            // What the disk then holds is unknown and it may not say so twice: the segment is written no more.
            self.head = None;
            self.torn = Some((segment, offset, bytes.len()));
            return Err(full(error));
        }
        self.head = Some((segment, offset + bytes.len() as u32));
        *self.live.entry(segment).or_default() += records.len() as u64;
        let location = |(at, record): (u32, &Record<'_>)| Location {
            segment,
            offset: offset + at,
            bytes: record.bytes.len() as u32,
        };
        Ok(places.into_iter().zip(records).map(location).collect())
    }

    /// Wipes out what could not be synced: it was never acknowledged, and must not be found at a restart when the epoch it
    /// belongs to has been sealed without it.
    pub fn wipe_torn(&mut self) -> Result<(), LogError> {
        let Some((segment, offset, bytes)) = self.torn else {
            return Ok(());
        };
        let name = segment_name(segment);
        self.disk.write(&name, offset.into(), &vec![0; bytes]).map_err(full)?;
        self.disk.sync(&name).map_err(full)?;
        self.torn = None;
        Ok(())
    }

    /// Starts the next segment, in an old one's place if there is one.
    fn roll(&mut self) -> Result<u32, LogError> {
        let number = self.next;
        let name = segment_name(number);
        match self.spares.pop() {
            Some(spare) if self.disk.size(&spare)? == Some(self.segment_bytes.into()) => {
                self.disk.rename(&spare, &name).map_err(full)?;
            }
            other => {
                if let Some(spare) = other {
                    self.disk.remove(&spare)?;
                }
                self.disk.create(&name, self.segment_bytes.into()).map_err(full)?;
            }
        }
        self.next = number.saturating_add(1);
        self.live.insert(number, 0);
        self.head = Some((number, 0));
        Ok(number)
    }

    /// A record's bytes.
    pub fn read(&self, location: Location) -> Result<Vec<u8>, LogError> {
        let name = segment_name(location.segment);
        let bytes = self.disk.read(&name, location.offset.into(), location.bytes as usize)?;
        if bytes.len() == location.bytes as usize {
            Ok(bytes)
        } else {
            Err(LogError::NotThere(location))
        }
    }

    /// Says that a record is needed no longer. Its segment is reused once that holds for all of it: see `reclaim`.
    pub fn release(&mut self, location: Location) {
        if let Some(live) = self.live.get_mut(&location.segment) {
            *live = live.saturating_sub(1);
        }
    }

    /// Gives segments without needed records back. Returns how many. One that the disk does not give up is found at the next start.
    pub fn reclaim(&mut self) -> Result<usize, LogError> {
        let head = self.head.map(|(segment, _)| segment);
        let torn = self.torn.map(|(segment, ..)| segment);
        let dead: Vec<u32> = self
            .live
            .iter()
            .filter(|(segment, live)| **live == 0 && Some(**segment) != head && Some(**segment) != torn)
            .map(|(segment, _)| *segment)
            .collect();
        for segment in &dead {
            self.live.remove(segment);
            let name = segment_name(*segment);
            if self.spares.len() < SPARES_MAX {
                let spare = name_of(SPARE_PREFIX, *segment);
                self.disk.rename(&name, &spare)?;
                self.spares.push(spare);
            } else {
                self.disk.remove(&name)?;
            }
        }
        Ok(dead.len())
    }

    /// Segments in use.
    pub fn segments(&self) -> usize {
        self.live.len()
    }

    /// The disk, for small files beside the log.
    pub fn disk(&mut self) -> &mut dyn Disk {
        self.disk.as_mut()
    }
}

fn segment_name(number: u32) -> String {
    name_of(SEGMENT_PREFIX, number)
}

fn name_of(prefix: &str, number: u32) -> String {
    format!("{prefix}{number:010}{SUFFIX}")
}

fn number_of(prefix: &str, name: &str) -> Option<u32> {
    let digits = name.strip_prefix(prefix)?.strip_suffix(SUFFIX)?;
    digits.parse().ok().filter(|number| name_of(prefix, *number) == name)
}

fn full(error: io::Error) -> LogError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => LogError::Full,
        _ => LogError::Disk(error),
    }
}
