//! A state file fetched from a node that runs, part by part, each proven before it is written. Asks nobody itself: whoever uses it brings
//! the parts, in order, from wherever they are. One that was left halfway goes on where it was.

use super::{
    StateFileError,
    check::prove,
    file::{Part, Reader, StateHead, Writer, part_path},
};
use crate::{
    Header,
    light::{Anchor, follow, verify_finality},
};
use cairn_types::codec;
use std::{num::NonZeroU64, path::Path};

/// Operations in a part.
pub const PART_OPERATIONS: NonZeroU64 = NonZeroU64::MIN.saturating_add(1_023);

/// Where the operations of a part begin; `None` after the last one.
pub(crate) fn part_start(header: &Header, part: u64) -> Option<u64> {
    let start = part.checked_mul(PART_OPERATIONS.get())?.checked_add(header.ops_start)?;
    (start < header.ops_end).then_some(start)
}

fn decode(head: &[u8]) -> Result<StateHead, StateFileError> {
    codec::decode_canonical(head).map_err(|_| StateFileError::NotAState)
}

/// The header that a head is about.
fn proven(head: &StateHead, anchor: &Anchor) -> Result<Header, StateFileError> {
    if head.chain != anchor.chain {
        return Err(StateFileError::OtherChain(head.chain.clone()));
    }
    Ok(verify_finality(&follow(anchor, &head.hand_overs)?, &head.finality)?)
}

/// A state file in the making.
pub struct Download {
    writer: Writer,
    header: Header,
    /// The next operation.
    next: u64,
    parts: u64,
}

impl Download {
    /// Begins a file with what a node says of its newest state, once it is proven. `anchor` may be that of any earlier era.
    pub fn begin(out: &Path, head: &[u8], anchor: &Anchor) -> Result<Self, StateFileError> {
        let head = decode(head)?;
        let header = proven(&head, anchor)?;
        Ok(Self {
            writer: Writer::create(out, &head)?,
            next: header.ops_start,
            header,
            parts: 0,
        })
    }

    /// Goes on with a file that was begun and left, with all parts of it that are whole and proven; none when there is no such file, or
    /// it is no use: of another chain, damaged in its head, or of before the era's end that `newest` tells.
    pub fn resume(out: &Path, newest: &[u8], anchor: &Anchor) -> Result<Option<Self>, StateFileError> {
        let newest = proven(&decode(newest)?, anchor)?;
        let Ok((mut reader, head)) = Reader::open(&part_path(out)) else {
            return Ok(None);
        };
        let Ok(header) = proven(&head, anchor) else {
            return Ok(None);
        };
        let is_late = newest.is_over() && header != newest;
        if header.era != newest.era || header.height > newest.height || is_late {
            return Ok(None);
        }
        let (mut next, mut parts, mut kept) = (header.ops_start, 0, reader.at);
        // What follows the last whole part was being written.
        while let Ok(Some(part)) = reader.part() {
            let Ok(operations) = prove(&part, next, &header) else {
                break;
            };
            next += operations.len() as u64;
            parts += 1;
            kept = reader.at;
        }
        Ok(Some(Self {
            writer: Writer::open(out, kept)?,
            header,
            next,
            parts,
        }))
    }

    /// Removes what was begun, as no use to anybody.
    pub fn abandon(self) -> Result<(), StateFileError> {
        Ok(self.writer.abandon()?)
    }

    /// After whose block this is the state.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The number of the part that is next; `None` when all are there.
    pub fn wants(&self) -> Option<u64> {
        (self.next < self.header.ops_end).then_some(self.parts)
    }

    /// Operations that are there, and how many there will be.
    pub fn progress(&self) -> (u64, u64) {
        let (start, end) = (self.header.ops_start, self.header.ops_end);
        (self.next - start, end.saturating_sub(start))
    }

    /// Writes the next part, if it is the one.
    pub fn take(&mut self, part: &[u8]) -> Result<(), StateFileError> {
        let part: Part = codec::decode_canonical(part).map_err(|_| StateFileError::Unproven(self.next))?;
        let operations = prove(&part, self.next, &self.header)?;
        self.writer.part(&part)?;
        self.next += operations.len() as u64;
        self.parts += 1;
        Ok(())
    }

    /// Puts the whole file in its place.
    pub fn finish(self) -> Result<Header, StateFileError> {
        if self.next != self.header.ops_end {
            return Err(StateFileError::Length {
                found: self.next,
                wanted: self.header.ops_end,
            });
        }
        self.writer.finish()?;
        Ok(self.header)
    }
}
