//! Opening an outbox: all files are read in order, and what lives is found again. Nothing is sent or sealed here.

use super::record::{FRAME_BYTES_MAX, Frame, HEADER_BYTES, Kept, Mark, Record, read_frame};
use super::{Change, Limits, Outbox, OutboxError, Segment, name, number};
use crate::disk::Disk;
use cairn_types::DeviceId;
use std::collections::{BTreeMap, VecDeque};

impl Outbox {
    /// Reads back what an outbox holds, with the messages that wait per device in the order of arrival.
    pub fn open(disk: Box<dyn Disk>, limits: Limits) -> Result<(Self, BTreeMap<DeviceId, Vec<Kept>>), OutboxError> {
        let mut outbox = Self {
            disk,
            limits,
            segments: VecDeque::new(),
            writing: false,
            stopped: false,
            next_file: 1,
            next_entry: 1,
            messages: BTreeMap::new(),
            sealed: BTreeMap::new(),
            alive_bytes: 0,
            marks: BTreeMap::new(),
            unwritten: Vec::new(),
            torn_bytes: 0,
        };
        let files: Vec<u64> = outbox.disk.list()?.iter().filter_map(|name| number(name)).collect();
        let mut kept = BTreeMap::new();
        for file in &files {
            outbox.read_file(*file, files.last() == Some(file), &mut kept)?;
            outbox.next_file = file + 1;
        }
        Ok((outbox, kept))
    }

    fn read_file(
        &mut self,
        file: u64,
        last: bool,
        kept: &mut BTreeMap<DeviceId, Vec<Kept>>,
    ) -> Result<(), OutboxError> {
        self.segments.push_back(Segment {
            file,
            length: 0,
            alive: 0,
        });
        let name = name(file);
        let mut place = 0;
        loop {
            let bytes = self.disk.read(&name, place, HEADER_BYTES + FRAME_BYTES_MAX)?;
            match read_frame(file, place, &bytes) {
                Frame::End => break,
                Frame::Whole(records, length) => {
                    let start = place + HEADER_BYTES as u64;
                    self.read_records(file, start, records, kept)
                        .ok_or_else(|| OutboxError::Damaged {
                            file: name.clone(),
                            place,
                        })?;
                    place += length as u64;
                }
                Frame::Broken => {
                    let rest = self.disk.length(&name)? - place;
                    if !last || rest > (HEADER_BYTES + FRAME_BYTES_MAX) as u64 {
                        return Err(OutboxError::Damaged { file: name, place });
                    }
                    tracing::warn!(file = name, bytes = rest, "cut off a group that was never finished");
                    self.torn_bytes = rest;
                    self.disk.truncate(&name, place)?;
                    break;
                }
            }
        }
        self.segments.back_mut().expect("pushed above").length = place;
        Ok(())
    }

    fn read_records(
        &mut self,
        file: u64,
        start: u64,
        records: &[u8],
        kept: &mut BTreeMap<DeviceId, Vec<Kept>>,
    ) -> Option<()> {
        let mut decoder = minicbor::Decoder::new(records);
        while decoder.position() < records.len() {
            let before = decoder.position();
            let record: Record = decoder.decode().ok()?;
            let (place, length) = (start + before as u64, decoder.position() - before);
            match record {
                Record::Message(message) => {
                    self.seen(message.entry);
                    let of_device = kept.entry(message.device).or_default();
                    if let Err(at) = of_device.binary_search_by_key(&message.entry, |one| one.entry) {
                        of_device.insert(at, message.kept());
                    }
                    self.apply(Change::Message(message.entry, message.now), file, place, length);
                }
                Record::Sealed(sealed) => {
                    self.seen(sealed.entry);
                    if let Some(mark) = sealed.mark {
                        self.advance(mark, kept);
                    }
                    self.apply(Change::Sealed(sealed.entry, sealed.at), file, place, length);
                }
                Record::Settled(entry) => {
                    self.seen(entry);
                    if let Some(slot) = self.sealed.remove(&entry) {
                        self.died(slot);
                    }
                }
                Record::Mark(mark) => self.advance(mark, kept),
            }
        }
        Some(())
    }

    fn seen(&mut self, entry: u64) {
        self.next_entry = self.next_entry.max(entry.saturating_add(1));
    }

    /// Takes over a mark unless a later one is known: a copied envelope still carries its old one.
    fn advance(&mut self, mark: Mark, kept: &mut BTreeMap<DeviceId, Vec<Kept>>) {
        self.seen(mark.upto);
        if self
            .marks
            .get(&mark.device)
            .is_some_and(|known| known.sequence > mark.sequence)
        {
            return;
        }
        self.marks.insert(mark.device, mark);
        for removed in kept
            .get_mut(&mark.device)
            .map(|kept| mark.prune(kept))
            .unwrap_or_default()
        {
            if let Some(slot) = self.messages.remove(&removed.entry) {
                self.died(slot);
            }
        }
    }
}
