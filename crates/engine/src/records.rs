//! The records of a state in one order, cut into chunks under one root: what a later era begins with. Its first blocks take the
//! chunks in, one after the other, as transactions of the engine's own; the machine is not asked before all are there.
//!
//! ```text
//! record: key 33 │ length 2 │ value without the zeros at its end      sorted by key      chunk: records, at most 64 KiB
//! root over the chunks ─▶ the era's genesis block        file: magic, then for each chunk length 4 │ chunk │ SHA-256 32
//! ```

mod file;
mod machine;
mod source;

pub use file::{RecordsError, RecordsFile, RecordsWriter};
pub(crate) use machine::{CURSOR, Cursor, OWN_TABLE};
pub(crate) use source::Taking;

use crate::{EraStart, KEY_BYTES, Key, VALUE_BYTES, Value, assemble::Host};
use cairn_types::{
    codec,
    merkle::{self, RangeProof},
};
use machine::TakingOver;
use minicbor::{CborLen, Decode, Encode};
use std::sync::Arc;

/// Bytes of a chunk at most: with its proof it fits into a transaction.
pub const CHUNK_BYTES_MAX: usize = 64 * 1024;
/// Begins a transaction that brings a chunk; no machine's transaction begins so.
const MARK: &[u8; 8] = b"\0records";

/// A chunk on its way into a block.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
struct Brought {
    #[n(0)]
    proof: RangeProof,
    #[cbor(n(1), with = "minicbor::bytes")]
    chunk: Vec<u8>,
}

impl Brought {
    fn encode(&self) -> Vec<u8> {
        [&MARK[..], &codec::encode(self)].concat()
    }

    /// What a transaction brings; `None` for one that brings no chunk.
    fn read(tx: &[u8]) -> Option<Self> {
        codec::decode_canonical(tx.strip_prefix(MARK)?).ok()
    }

    fn is_under(&self, root: &[u8; 32]) -> bool {
        self.proof
            .proves(&[merkle::leaf(&self.chunk)], &cairn_types::Hash(*root))
    }
}

/// Whether a transaction is the engine's own: it brings records, and the machine has never seen it.
pub fn is_records(tx: &[u8]) -> bool {
    tx.starts_with(MARK)
}

/// Some of the records of the era before, as a transaction brings them.
pub struct Part {
    pub records: Vec<(Key, Value)>,
    /// Whether there are none after these.
    pub is_last: bool,
}

/// The records in a transaction that brings them. For those who follow a chain without its state.
pub fn records_in(tx: &[u8]) -> Option<Part> {
    let brought = Brought::read(tx)?;
    Some(Part {
        records: parse(&brought.chunk)?,
        is_last: brought.proof.count.checked_sub(1) == Some(brought.proof.start),
    })
}

/// Adds a record to a chunk; false when it has no room left.
fn push(chunk: &mut Vec<u8>, key: &Key, value: &Value) -> bool {
    let len = value.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if chunk.len() + KEY_BYTES + 2 + len > CHUNK_BYTES_MAX {
        return false;
    }
    chunk.extend(key);
    chunk.extend(u16::try_from(len).expect("a value has 256 bytes").to_be_bytes());
    chunk.extend(&value[..len]);
    true
}

/// The records of a chunk; `None` when it is not one.
fn parse(mut chunk: &[u8]) -> Option<Vec<(Key, Value)>> {
    let mut records = Vec::new();
    while !chunk.is_empty() {
        let (key, rest) = chunk.split_first_chunk::<KEY_BYTES>()?;
        let (len, rest) = rest.split_first_chunk::<2>()?;
        let len = usize::from(u16::from_be_bytes(*len));
        let (bytes, rest) = rest.split_at_checked(len).filter(|_| len <= VALUE_BYTES)?;
        let mut value = [0; VALUE_BYTES];
        value[..len].copy_from_slice(bytes);
        records.push((*key, value));
        chunk = rest;
    }
    Some(records)
}

/// Puts what takes records in around the process of a later era; the first one needs none.
pub(crate) fn wrap(host: Host, begin: &EraStart, file: Option<Arc<RecordsFile>>) -> (Host, Option<Arc<Taking>>) {
    let Some(root) = begin.records else {
        return (host, None);
    };
    let machine = Arc::new(TakingOver::new(host.machine, root));
    let taking = Arc::new(Taking::new(host.source, host.observer, file));
    let host = Host {
        machine,
        source: taking.clone(),
        observer: taking.clone(),
        clock: host.clock,
    };
    (host, Some(taking))
}

#[cfg(test)]
mod tests;
