//! The bytes of an outbox file: frames of records, one frame per group that is synced together. Nothing here does I/O.
//!
//! ```text
//! file = frame frame …        frame = length (4, big-endian) ‖ check (8) ‖ record record …      record = CBOR
//! check = SHA-256 over file number, place in the file and records, cut to 8 bytes
//! ```
//! A frame is there as a whole or not at all. The check binds its place, so bytes of a message that look like a frame are
//! none.

use cairn_types::{DeviceId, TimeMs, hash};
use minicbor::{Decode, Encode};

/// Bytes before the records of a frame.
pub const HEADER_BYTES: usize = 12;
/// A group is closed when it has so many bytes.
pub const GROUP_BYTES: usize = 2 << 20;
/// The longest frame that is read: a group, and the last thing that was put into it.
pub const FRAME_BYTES_MAX: usize = 2 * GROUP_BYTES;

/// Something to remember. Entries are numbered; a copy keeps its number.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Record {
    #[n(0)]
    Message(#[n(0)] Message),
    #[n(1)]
    Sealed(#[n(0)] Sealed),
    /// An envelope that needs no more sending.
    #[n(2)]
    Settled(#[n(0)] u64),
    #[n(3)]
    Mark(#[n(0)] Mark),
}

/// What a port gave for a device, kept until its readings are sealed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Message {
    #[n(0)]
    pub entry: u64,
    #[n(1)]
    pub device: DeviceId,
    /// When it arrived.
    #[n(2)]
    pub now: TimeMs,
    /// The ends of the first and the last epoch of its readings.
    #[n(3)]
    pub first_end: TimeMs,
    #[n(4)]
    pub last_end: TimeMs,
    #[n(5)]
    pub readings: u32,
    #[cbor(n(6), with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
}

/// An envelope, kept until its receipt.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Sealed {
    #[n(0)]
    pub entry: u64,
    #[n(1)]
    pub at: TimeMs,
    /// How far the device is with it; `None` when somebody else sealed it.
    #[n(2)]
    pub mark: Option<Mark>,
    #[cbor(n(3), with = "minicbor::bytes")]
    pub envelope: Vec<u8>,
}

/// How far a device is: its last sequence number, and what of its messages is sealed: all of those up to entry `whole`, and
/// of those up to entry `upto` the readings of epochs that end at or before `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Mark {
    #[n(0)]
    pub device: DeviceId,
    #[n(1)]
    pub sequence: u64,
    #[n(2)]
    pub upto: u64,
    #[n(3)]
    pub until: TimeMs,
    #[n(4)]
    pub whole: u64,
}

/// A message as far as it must be known without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    pub entry: u64,
    pub first_end: TimeMs,
    pub last_end: TimeMs,
    pub readings: u32,
    pub bytes: u32,
}

impl Message {
    pub fn kept(&self) -> Kept {
        Kept {
            entry: self.entry,
            first_end: self.first_end,
            last_end: self.last_end,
            readings: self.readings,
            bytes: u32::try_from(self.bytes.len()).expect("a frame is far below 4 GiB"),
        }
    }
}

impl Mark {
    /// The mark of a device that has not sealed anything.
    pub fn new(device: DeviceId) -> Self {
        Self {
            device,
            sequence: 0,
            upto: 0,
            until: TimeMs(0),
            whole: 0,
        }
    }

    /// Whether everything in a message is sealed.
    pub fn has_all_of(&self, kept: &Kept) -> bool {
        kept.entry <= self.whole || (kept.entry <= self.upto && kept.last_end <= self.until)
    }

    /// Removes from a device's messages, in order of entry, those that are wholly sealed, except the last of them: a driver
    /// may remember from it where a counter stood. Returns the removed.
    pub fn prune(&self, kept: &mut Vec<Kept>) -> Vec<Kept> {
        let last = kept.iter().rfind(|one| self.has_all_of(one)).map(|one| one.entry);
        kept.extract_if(.., |one| self.has_all_of(one) && Some(one.entry) != last)
            .collect()
    }
}

/// What stands at a place of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'b> {
    /// Records, and how many bytes the frame takes.
    Whole(&'b [u8], usize),
    /// The file ends here.
    End,
    /// No frame that was ever written here, or only a part of one.
    Broken,
}

fn check(file: u64, place: u64, records: &[u8]) -> [u8; 8] {
    let hash = hash::domain("cairn/outbox/1", &[&file.to_be_bytes(), &place.to_be_bytes(), records]);
    *hash.0.first_chunk().expect("a hash has 32 bytes")
}

/// A frame for this place.
pub fn frame(file: u64, place: u64, records: &[u8]) -> Vec<u8> {
    let length = u32::try_from(records.len()).expect("a group is far below 4 GiB");
    [&length.to_be_bytes(), check(file, place, records).as_slice(), records].concat()
}

/// Reads the frame at the start of `bytes`, which begin at `place` and hold at least `FRAME_BYTES_MAX + HEADER_BYTES` or
/// everything to the end of the file.
pub fn read_frame(file: u64, place: u64, bytes: &[u8]) -> Frame<'_> {
    if bytes.is_empty() {
        return Frame::End;
    }
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return Frame::Broken;
    };
    let (length, found) = header.split_at(4);
    let length = u32::from_be_bytes(length.try_into().expect("split at 4")) as usize;
    match rest.get(..length) {
        Some(records) if length <= FRAME_BYTES_MAX && check(file, place, records) == found => {
            Frame::Whole(records, HEADER_BYTES + length)
        }
        _ => Frame::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_holds_at_its_place_only_and_not_in_part() {
        let bytes = frame(3, 40, b"records");
        assert_eq!(read_frame(3, 40, &bytes), Frame::Whole(b"records", bytes.len()));
        assert_eq!(read_frame(3, 41, &bytes), Frame::Broken);
        assert_eq!(read_frame(4, 40, &bytes), Frame::Broken);
        assert_eq!(read_frame(3, 40, &[]), Frame::End);
        for end in 1..bytes.len() {
            assert_eq!(read_frame(3, 40, &bytes[..end]), Frame::Broken);
        }
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 1;
            assert_eq!(read_frame(3, 40, &broken), Frame::Broken, "byte {at}");
        }
    }
}
