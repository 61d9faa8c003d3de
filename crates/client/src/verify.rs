//! What is believed, and why: certificates against the validators' one key, headers, records and their absence, transactions
//! and their receipts. Bytes from strangers in, checked values out; no I/O.

use crate::error::ClientError;
use cairn_engine::Header;
use cairn_engine::light::{self, Anchor, Finality, Proof};
use cairn_ledger::store::Key;
use cairn_ledger::tables::Record;
use cairn_ledger::{Event, view};
use cairn_types::merkle::RangeProof;
use minicbor::Decode;

pub use cairn_engine::light::{Certified, verify_certificate};

/// Bytes of a value: a length of two, the record, zeros.
type Value = cairn_engine::Value;

/// A checked thing and the header under which it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked<T> {
    pub header: Header,
    pub value: T,
}

/// How long a proof is, in bytes, part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    pub whole: usize,
    /// The validators' signatures over a header.
    pub certificate: usize,
    /// From the header proven to the one that is certified.
    pub headers: usize,
    /// From the record, or its absence, to the header's root.
    pub record: usize,
}

/// A final transaction, as a node proves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxProof {
    pub transaction: Vec<u8>,
    pub receipt: Vec<u8>,
    pub finality: Finality,
    pub in_block: RangeProof,
    pub in_receipts: RangeProof,
}

/// Checks a proof of one record: its value, or that there is none.
pub fn record<R: Record>(anchor: &Anchor, id: &R::Id, proof: &[u8]) -> Result<Checked<Option<R>>, ClientError> {
    let Checked { header, value } = bytes(anchor, &view::key::<R>(id), proof)?;
    let value = value.as_deref().map(decode).transpose()?;
    Ok(Checked { header, value })
}

/// Checks a proof of the bytes under a key.
pub fn bytes(anchor: &Anchor, key: &Key, proof: &[u8]) -> Result<Checked<Option<Vec<u8>>>, ClientError> {
    let proof: Proof = read(proof)?;
    let (header, value) = proof.verify(anchor, &key.0)?;
    let value = match value {
        Some(value) => Some(
            unpad(&value)
                .ok_or(ClientError::Nonsense("a value that no ledger wrote"))?
                .to_vec(),
        ),
        None => None,
    };
    Ok(Checked { header, value })
}

/// The sizes of a proof's parts; checks its form only.
pub fn sizes(proof: &[u8]) -> Result<Sizes, ClientError> {
    let read: Proof = read(proof)?;
    Ok(Sizes {
        whole: proof.len(),
        certificate: read.finality.certificate.len(),
        headers: read.finality.headers.len(),
        record: read.proof.len(),
    })
}

/// Checks that a transaction is final and what it came to; answers its place in the block and its events.
pub fn transaction(anchor: &Anchor, proof: &TxProof) -> Result<Checked<(u64, Vec<Event>)>, ClientError> {
    let header = light::verify_finality(anchor, &proof.finality)?;
    light::verify_tx(&header, &proof.transaction, &proof.in_block)?;
    light::verify_receipt(&header, &proof.receipt, &proof.in_receipts)?;
    // Receipt 0 is that of the block's beginning.
    if proof.in_receipts.start != proof.in_block.start.saturating_add(1) {
        return Err(ClientError::OtherThing("the receipt of another transaction"));
    }
    let events = read(&proof.receipt)?;
    let value = (proof.in_block.start, events);
    Ok(Checked { header, value })
}

/// A record from bytes that may be anybody's.
pub fn decode<R: Record>(bytes: &[u8]) -> Result<R, ClientError> {
    read(bytes)
}

pub(crate) fn read<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, ClientError> {
    minicbor::decode(bytes).map_err(|_| ClientError::Nonsense("not the CBOR that was expected"))
}

fn unpad(value: &Value) -> Option<&[u8]> {
    let (length, rest) = value.split_first_chunk()?;
    rest.get(..u16::from_be_bytes(*length).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_ledger::records::Account;
    use cairn_types::AccountId;

    #[test]
    fn a_value_is_unpadded_as_nodes_pad_it() {
        for length in [0, 1, 100, 254] {
            let record = vec![7; length];
            assert_eq!(unpad(&cairn_node::pad(&record)), Some(record.as_slice()));
        }
        assert_eq!(unpad(&[0xff; 256]), None);
    }

    #[test]
    fn bytes_of_strangers_are_errors_and_never_a_panic() {
        let anchor = Anchor {
            chain: "cairn-test".into(),
            group_key: [0; 96],
            genesis: [0; 32],
            era: 0,
        };
        for bytes in [vec![], vec![0xff; 64], vec![0x83, 0x82, 0x80, 0x40, 0xf6, 0x40]] {
            assert!(record::<Account>(&anchor, &AccountId([1; 32]), &bytes).is_err());
            assert!(decode::<Account>(&bytes).is_err());
        }
    }
}
