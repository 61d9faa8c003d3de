//! The bytes of a group in the log. Reads what a crash may have left: anything. Never hashes more than a frame may be long where
//! no frame was written: a frame's mark is known to nobody without the log's seed.
//!
//! ```text
//! frame      mark · length u32 · digest(seed, segment, offset, payload) · payload
//! mark       "CGRP" · keyed(seed, segment)
//! payload    received u64 · records u32 · { kind u8 · tag u32 · bytes u32 · bytes }        all big-endian
//! ```

use crate::limits::FRAME_BYTES_MAX;
use cairn_types::TimeMs;
use cairn_types::hash;

const MAGIC: [u8; 4] = *b"CGRP";
pub const MARK_BYTES: usize = MAGIC.len() + 8;
const LENGTH_BYTES: usize = 4;
const DIGEST_BYTES: usize = 16;

type Mark = [u8; MARK_BYTES];

/// Bytes before a payload.
pub const HEADER_BYTES: usize = MARK_BYTES + LENGTH_BYTES + DIGEST_BYTES;
const RECORD_HEADER_BYTES: usize = 9;
const GROUP_HEADER_BYTES: usize = 12;

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An envelope; the tag is its device's number.
    Report,
    /// What customers were served, as a provider signed it; the tag is 0.
    Meters,
}

/// One thing to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub kind: Kind,
    pub tag: u32,
    pub bytes: &'a [u8],
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Report => 0,
            Self::Meters => 1,
        }
    }

    fn of(code: u8) -> Option<Self> {
        [Self::Report, Self::Meters]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

pub fn payload_bytes(records: &[Record<'_>]) -> usize {
    let records: usize = records
        .iter()
        .map(|record| RECORD_HEADER_BYTES + record.bytes.len())
        .sum();
    GROUP_HEADER_BYTES + records
}

/// The frame of a group, and where in it each record's bytes begin.
pub fn write(
    seed: &[u8; 32],
    segment: u32,
    offset: u32,
    received: TimeMs,
    records: &[Record<'_>],
) -> (Vec<u8>, Vec<u32>) {
    let payload_bytes = payload_bytes(records);
    let mut out = Vec::with_capacity(HEADER_BYTES + payload_bytes);
    let mut places = Vec::with_capacity(records.len());
    out.extend(mark(seed, segment));
    out.extend((payload_bytes as u32).to_be_bytes());
    out.extend([0; DIGEST_BYTES]);
    out.extend(received.0.to_be_bytes());
    out.extend((records.len() as u32).to_be_bytes());
    for record in records {
        out.push(record.kind.code());
        out.extend(record.tag.to_be_bytes());
        out.extend((record.bytes.len() as u32).to_be_bytes());
        places.push(out.len() as u32);
        out.extend(record.bytes);
    }
    let digest = digest(seed, segment, offset, &out[HEADER_BYTES..]);
    out[MARK_BYTES + LENGTH_BYTES..HEADER_BYTES].copy_from_slice(&digest);
    (out, places)
}

fn digest(seed: &[u8; 32], segment: u32, offset: u32, payload: &[u8]) -> [u8; DIGEST_BYTES] {
    let parts: [&[u8]; 4] = [seed, &segment.to_be_bytes(), &offset.to_be_bytes(), payload];
    let whole = hash::domain("cairn/log/1", &parts).0;
    let mut digest = [0; DIGEST_BYTES];
    digest.copy_from_slice(&whole[..DIGEST_BYTES]);
    digest
}

/// What every frame of a segment begins with. No report can contain it, nor can what a reused segment held before.
fn mark(seed: &[u8; 32], segment: u32) -> Mark {
    let keyed = hash::domain("cairn/log-mark/1", &[seed, &segment.to_be_bytes()]).0;
    let mut mark = [0; MARK_BYTES];
    mark[..MAGIC.len()].copy_from_slice(&MAGIC);
    mark[MAGIC.len()..].copy_from_slice(&keyed[..MARK_BYTES - MAGIC.len()]);
    mark
}

/// The frames in a segment's bytes.
pub struct Frames<'a> {
    seed: [u8; 32],
    segment: u32,
    mark: Mark,
    bytes: &'a [u8],
    /// Bytes of payloads hashed so far.
    hashed: u64,
}

impl<'a> Frames<'a> {
    pub fn of(seed: [u8; 32], segment: u32, bytes: &'a [u8]) -> Self {
        Self {
            mark: mark(&seed, segment),
            seed,
            segment,
            bytes,
            hashed: 0,
        }
    }

    /// The payload of the frame at `offset` and where the next one begins; `None` when no whole frame is there.
    pub fn read(&mut self, offset: usize) -> Option<(&'a [u8], usize)> {
        let header = self.bytes.get(offset..offset.checked_add(HEADER_BYTES)?)?;
        let (mark, rest) = header.split_at(MARK_BYTES);
        let (length, written) = rest.split_at(LENGTH_BYTES);
        if mark != self.mark {
            return None;
        }
        let length = u32::from_be_bytes(length.try_into().ok()?) as usize;
        if length > FRAME_BYTES_MAX - HEADER_BYTES {
            return None;
        }
        let from = offset + HEADER_BYTES;
        let to = from.checked_add(length)?;
        let payload = self.bytes.get(from..to)?;
        self.hashed += length as u64;
        let holds = written == digest(&self.seed, self.segment, u32::try_from(offset).ok()?, payload);
        holds.then_some((payload, to))
    }

    /// Whether a whole frame begins anywhere after `offset`.
    pub fn any_after(&mut self, offset: usize) -> bool {
        let mut from = offset;
        while let Some(at) = self.next_mark(from) {
            if self.read(at).is_some() {
                return true;
            }
            from = at + 1;
        }
        false
    }

    fn next_mark(&self, from: usize) -> Option<usize> {
        let mut from = from;
        loop {
            let rest = self.bytes.get(from..)?;
            let at = rest.iter().position(|byte| *byte == MAGIC[0])?;
            if rest[at..].starts_with(&self.mark) {
                return Some(from + at);
            }
            from += at + 1;
        }
    }

    /// Bytes of payloads hashed so far: what reading cost.
    pub fn hashed(&self) -> u64 {
        self.hashed
    }
}

/// The records of a payload with the place of their bytes in it. A payload whose digest holds is well-formed; of any other,
/// what can be read.
pub fn records(payload: &[u8]) -> impl Iterator<Item = (u32, TimeMs, Record<'_>)> {
    let received = be(payload, 0, 8).unwrap_or(0);
    let count = be(payload, 8, 4).unwrap_or(0);
    let mut at = GROUP_HEADER_BYTES;
    (0..count).map_while(move |_| {
        let kind = Kind::of(*payload.get(at)?)?;
        let tag = be(payload, at + 1, 4)? as u32;
        let bytes = be(payload, at + 5, 4)? as usize;
        let from = at + RECORD_HEADER_BYTES;
        let record = Record {
            kind,
            tag,
            bytes: payload.get(from..from.checked_add(bytes)?)?,
        };
        at = from + bytes;
        Some((from as u32, TimeMs(received), record))
    })
}

/// A big-endian number of up to eight bytes.
fn be(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let field = bytes.get(at..at.checked_add(length)?)?;
    Some(field.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}
