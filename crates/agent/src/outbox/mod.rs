//! What the agent must not lose: messages until they are sealed, envelopes until their receipt. It never signs and never
//! sends.
//!
//! ```text
//! outbox-0007  [marks] frame frame frame        a group of records is one frame, one write, one sync
//! outbox-0008  [marks] frame …                  new ones go to the end of the last file
//!              └ how far every device is        a file goes when it is the oldest and nothing in it is alive
//! ```
//! Every file starts with the marks of all devices, so older files can go without a sequence number ever being used twice.
//! When more than half of the bytes are dead, what lives in the oldest file is copied to the end. A file is never written
//! again after a restart. At most `bytes_max` bytes are on disk, of which less than half can be alive; then new ones are
//! refused, never old ones dropped.

pub mod record;
mod recover;

use crate::disk::Disk;
use cairn_types::codec;
use cairn_types::{DeviceId, TimeMs};
use record::{FRAME_BYTES_MAX, GROUP_BYTES, Mark, Message, Record, Sealed};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use thiserror::Error;

/// How much the outbox may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes on disk at most; without two files' worth of them, half can be alive.
    pub bytes_max: u64,
    /// A file that has so many bytes is followed by a new one.
    pub file_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes_max: 512 << 20,
            file_bytes: 8 << 20,
        }
    }
}

/// Why something is not on disk.
#[derive(Debug, Error)]
pub enum OutboxError {
    #[error("the disk is full; free some space, what waits is kept")]
    DiskFull,
    #[error("the disk failed: {0}")]
    Disk(io::Error),
    #[error("the disk failed before, so nothing more is written; start the agent again once the disk works")]
    Stopped,
    #[error("{file} is damaged at byte {place}; move the file away to go on without what is in it")]
    Damaged { file: String, place: u64 },
}

impl From<io::Error> for OutboxError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Self::DiskFull,
            _ => Self::Disk(error),
        }
    }
}

/// Where a record stands.
#[derive(Clone, Copy, Debug)]
struct Slot {
    file: u64,
    place: u32,
    length: u32,
    at: TimeMs,
}

#[derive(Debug)]
struct Segment {
    file: u64,
    length: u64,
    alive: u64,
}

/// Records that will be synced together.
#[derive(Debug, Default)]
pub struct Group {
    bytes: Vec<u8>,
    changes: Vec<(Change, usize, usize)>,
    marks: BTreeMap<DeviceId, Mark>,
}

#[derive(Debug)]
enum Change {
    Message(u64, TimeMs),
    Sealed(u64, TimeMs),
    Consumed(u64),
    Mark(Mark),
}

impl Group {
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether it should be committed before more is put into it.
    pub fn is_full(&self) -> bool {
        self.bytes.len() >= GROUP_BYTES
    }

    fn put(&mut self, change: Change, record: &Record) {
        let start = self.bytes.len();
        self.bytes.extend(codec::encode(record));
        self.changes.push((change, start, self.bytes.len() - start));
    }

    pub fn message(&mut self, message: Message) {
        self.put(Change::Message(message.entry, message.now), &Record::Message(message));
    }

    pub fn sealed(&mut self, sealed: Sealed) {
        if let Some(mark) = sealed.mark {
            self.marks.insert(mark.device, mark);
            self.changes.push((Change::Mark(mark), 0, 0));
        }
        self.put(Change::Sealed(sealed.entry, sealed.at), &Record::Sealed(sealed));
    }

    /// How far a device is, where nothing could be sealed.
    pub fn mark(&mut self, mark: Mark) {
        self.marks.insert(mark.device, mark);
        self.put(Change::Mark(mark), &Record::Mark(mark));
    }

    /// A message that a mark of this group prunes.
    pub fn consumed(&mut self, entry: u64) {
        self.changes.push((Change::Consumed(entry), 0, 0));
    }
}

pub struct Outbox {
    disk: Box<dyn Disk>,
    limits: Limits,
    /// Oldest first.
    segments: VecDeque<Segment>,
    /// Whether the last segment was begun by this process, and so may be written.
    writing: bool,
    /// The disk's state is unknown after a failure that could not be undone.
    stopped: bool,
    next_file: u64,
    next_entry: u64,
    messages: BTreeMap<u64, Slot>,
    sealed: BTreeMap<u64, Slot>,
    alive_bytes: u64,
    marks: BTreeMap<DeviceId, Mark>,
    /// Settled in memory, and not yet on disk: after a crash these are sent once more.
    unwritten: Vec<u64>,
    torn_bytes: u64,
}

/// Settlements that wait for a group to go with; more are written on their own.
const UNWRITTEN_MAX: usize = 4_096;

impl Outbox {
    /// A number for the next message or envelope.
    pub fn next_entry(&mut self) -> u64 {
        let entry = self.next_entry;
        self.next_entry += 1;
        entry
    }

    /// How far a device is, counting what `group` will add.
    pub fn mark(&self, device: &DeviceId, group: &Group) -> Option<Mark> {
        group.marks.get(device).or_else(|| self.marks.get(device)).copied()
    }

    /// Whether so many more bytes may be put into the group.
    pub fn has_room(&self, group: &Group, bytes: usize) -> bool {
        let alive_max = self.limits.bytes_max.saturating_sub(2 * self.file_bytes()) / 2;
        self.alive_bytes + (group.bytes.len() + bytes) as u64 <= alive_max
    }

    /// When a file is long enough: with many devices, long enough that their marks are a small part of it.
    fn file_bytes(&self) -> u64 {
        self.limits
            .file_bytes
            .max((4 * MARK_BYTES_MAX * self.marks.len()) as u64)
    }

    /// Envelopes that wait for a receipt, oldest first.
    pub fn sealed(&self) -> impl ExactSizeIterator<Item = u64> {
        self.sealed.keys().copied()
    }

    /// When the oldest waiting envelope was sealed.
    pub fn oldest(&self) -> Option<TimeMs> {
        self.sealed.values().next().map(|slot| slot.at)
    }

    pub fn alive_bytes(&self) -> u64 {
        self.alive_bytes
    }

    pub fn disk_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    /// Bytes of an unfinished group that a crash left at the end of the last file. Nobody was told that they are kept.
    pub fn torn_bytes(&self) -> u64 {
        self.torn_bytes
    }

    pub fn read_message(&mut self, entry: u64) -> Result<Option<Message>, OutboxError> {
        match self.messages.get(&entry).copied() {
            None => Ok(None),
            Some(slot) => match self.read(slot)? {
                Record::Message(message) => Ok(Some(message)),
                _ => Err(self.damaged(slot)),
            },
        }
    }

    pub fn read_sealed(&mut self, entry: u64) -> Result<Option<Sealed>, OutboxError> {
        match self.sealed.get(&entry).copied() {
            None => Ok(None),
            Some(slot) => match self.read(slot)? {
                Record::Sealed(sealed) => Ok(Some(sealed)),
                _ => Err(self.damaged(slot)),
            },
        }
    }

    /// The bytes an envelope takes, so that a batch can be cut before reading it.
    pub fn sealed_bytes(&self, entry: u64) -> usize {
        self.sealed.get(&entry).map_or(0, |slot| slot.length as usize)
    }

    fn read(&mut self, slot: Slot) -> Result<Record, OutboxError> {
        let bytes = self
            .disk
            .read(&name(slot.file), slot.place.into(), slot.length as usize)?;
        minicbor::decode(&bytes).map_err(|_| self.damaged(slot))
    }

    fn damaged(&self, slot: Slot) -> OutboxError {
        OutboxError::Damaged {
            file: name(slot.file),
            place: slot.place.into(),
        }
    }

    /// Returns once the group is on disk. On an error nothing of it counts.
    pub fn commit(&mut self, group: Group) -> Result<(), OutboxError> {
        self.write(&group.bytes).map(|(file, start)| {
            for (change, place, length) in group.changes {
                self.apply(change, file, start + place as u64, length);
            }
        })?;
        self.retire();
        Ok(())
    }

    /// Forgets an envelope. The disk learns it with the next group.
    pub fn settle(&mut self, entry: u64) {
        if let Some(slot) = self.sealed.remove(&entry) {
            self.died(slot);
            self.unwritten.push(entry);
        }
    }

    /// Writes what waits for a group, and makes room; to be called now and then, and at the end with `all`.
    pub fn tidy(&mut self, all: bool) -> Result<(), OutboxError> {
        if self.unwritten.len() >= UNWRITTEN_MAX || (all && !self.unwritten.is_empty()) {
            self.write(&[])?;
        }
        self.retire();
        for _ in 0..self.segments.len() {
            let enough = self.disk_bytes() <= 2 * self.alive_bytes + 2 * self.file_bytes();
            match self.segments.front() {
                Some(oldest) if self.writing && !enough && self.segments.len() > 1 => self.copy_forward(oldest.file)?,
                _ => break,
            }
            self.retire();
        }
        Ok(())
    }

    fn copy_forward(&mut self, file: u64) -> Result<(), OutboxError> {
        let in_file = |slots: &BTreeMap<u64, Slot>| -> Vec<(u64, Slot)> {
            slots
                .iter()
                .filter(|(_, slot)| slot.file == file)
                .map(|(entry, slot)| (*entry, *slot))
                .collect()
        };
        let mut group = Group::default();
        let messages = in_file(&self.messages)
            .into_iter()
            .map(|(entry, slot)| (Change::Message(entry, slot.at), slot));
        let sealed = in_file(&self.sealed)
            .into_iter()
            .map(|(entry, slot)| (Change::Sealed(entry, slot.at), slot));
        for (change, slot) in messages.chain(sealed).collect::<Vec<_>>() {
            let start = group.bytes.len();
            let bytes = self
                .disk
                .read(&name(slot.file), slot.place.into(), slot.length as usize)?;
            group.bytes.extend(&bytes);
            group.changes.push((change, start, bytes.len()));
            if group.is_full() {
                self.commit(std::mem::take(&mut group))?;
            }
        }
        self.commit(group)
    }

    /// Writes records and what was settled since as one frame. Returns the file and where the records start in it.
    fn write(&mut self, records: &[u8]) -> Result<(u64, u64), OutboxError> {
        if self.stopped {
            return Err(OutboxError::Stopped);
        }
        let mut bytes = records.to_vec();
        for entry in &self.unwritten {
            bytes.extend(codec::encode(&Record::Settled(*entry)));
        }
        assert!(
            bytes.len() <= FRAME_BYTES_MAX,
            "a group is closed before it is too long"
        );
        let full = self.segments.back().is_none_or(|last| last.length >= self.file_bytes());
        let begun = !self.writing || full;
        if begun {
            self.segments.push_back(Segment {
                file: self.next_file,
                length: 0,
                alive: 0,
            });
            self.next_file += 1;
        }
        let last = self.segments.back().expect("pushed when there was none");
        let (file, before) = (last.file, last.length);
        let written = self.append(file, before, begun, &bytes);
        let last = self.segments.back_mut().expect("still there");
        match written {
            Ok((start, length)) => {
                last.length = length;
                self.writing = true;
                self.unwritten.clear();
                Ok((file, start))
            }
            Err(error) => {
                self.undo(file, before, begun);
                Err(error)
            }
        }
    }

    fn append(&mut self, file: u64, before: u64, begun: bool, records: &[u8]) -> Result<(u64, u64), OutboxError> {
        let mut length = before;
        let mut put = |disk: &mut dyn Disk, records: &[u8]| -> Result<u64, OutboxError> {
            let bytes = record::frame(file, length, records);
            disk.append(&name(file), &bytes)?;
            let start = length + record::HEADER_BYTES as u64;
            length += bytes.len() as u64;
            Ok(start)
        };
        if begun {
            let marks: Vec<Mark> = self.marks.values().copied().collect();
            for part in marks.chunks(MARKS_PER_FRAME) {
                let records: Vec<u8> = part
                    .iter()
                    .flat_map(|mark| codec::encode(&Record::Mark(*mark)))
                    .collect();
                put(self.disk.as_mut(), &records)?;
            }
        }
        let start = put(self.disk.as_mut(), records)?;
        if let Err(error) = self.disk.sync(&name(file)) {
            // After a failed sync nobody knows what is on the disk.
            self.stopped = true;
            return Err(error.into());
        }
        Ok((start, length))
    }

    /// Takes back a write that failed in the middle.
    fn undo(&mut self, file: u64, before: u64, begun: bool) {
        let undone = if begun {
            self.segments.pop_back();
            self.writing = self.writing && !self.segments.is_empty();
            match self.disk.remove(&name(file)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        } else {
            self.disk.truncate(&name(file), before)
        };
        self.stopped |= undone.is_err();
    }

    fn apply(&mut self, change: Change, file: u64, place: u64, length: usize) {
        let slot = |at| Slot {
            file,
            place: u32::try_from(place).expect("a file is far below 4 GiB"),
            length: u32::try_from(length).expect("a record is shorter than its file"),
            at,
        };
        let (slot, before) = match change {
            Change::Mark(mark) => {
                self.marks.insert(mark.device, mark);
                return;
            }
            Change::Consumed(entry) => {
                if let Some(slot) = self.messages.remove(&entry) {
                    self.died(slot);
                }
                return;
            }
            Change::Message(entry, at) => (slot(at), self.messages.insert(entry, slot(at))),
            Change::Sealed(entry, at) => (slot(at), self.sealed.insert(entry, slot(at))),
        };
        self.alive_bytes += u64::from(slot.length);
        self.count(slot.file, 1);
        if let Some(before) = before {
            self.died(before);
        }
    }

    fn died(&mut self, slot: Slot) {
        self.alive_bytes -= u64::from(slot.length);
        self.count(slot.file, -1);
    }

    fn count(&mut self, file: u64, change: i64) {
        if let Ok(at) = self.segments.binary_search_by_key(&file, |segment| segment.file) {
            let segment = &mut self.segments[at];
            segment.alive = segment.alive.checked_add_signed(change).expect("what dies was alive");
        }
    }

    /// Removes the oldest files in which nothing is alive. The file being written stays: it holds the marks.
    fn retire(&mut self) {
        while self.writing && self.segments.len() > 1 && self.segments[0].alive == 0 {
            if let Err(error) = self.disk.remove(&name(self.segments[0].file)) {
                tracing::warn!(%error, "an empty outbox file stays for now");
                return;
            }
            self.segments.pop_front();
        }
    }
}

/// A mark's bytes at most: an id, four numbers, and what CBOR adds.
const MARK_BYTES_MAX: usize = 80;
const MARKS_PER_FRAME: usize = GROUP_BYTES / MARK_BYTES_MAX;

fn name(file: u64) -> String {
    format!("outbox-{file:016x}")
}

/// The number in the name of an outbox file.
fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("outbox-").filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests;
