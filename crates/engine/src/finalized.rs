//! A finalized block in plain bytes: what observers and readers of the chain see. Never holds what is not final.

use crate::Header;
use cairn_types::merkle::{self, RangeProof, Tree};

/// A finalized block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finalized {
    pub header: Header,
    /// [`Header::digest`].
    pub digest: [u8; 32],
    /// What the machine's `begin` reported.
    pub begin: Vec<u8>,
    /// In order; each with the receipt that `apply` gave.
    pub txs: Vec<Executed>,
    /// The validators' certificate of this very block, if there is one: a block may also be final through a later one
    /// (see [`Handle::finality`](crate::Handle::finality)).
    pub certificate: Option<Vec<u8>>,
}

/// A transaction that took effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    pub bytes: Vec<u8>,
    pub receipt: Vec<u8>,
}

impl Finalized {
    /// Proof that transaction `index` stands in this block, for [`light::verify_tx`](crate::light::verify_tx).
    pub fn prove_tx(&self, index: usize) -> Option<RangeProof> {
        prove(self.txs.iter().map(|tx| tx.bytes.as_slice()), index)
    }

    /// Proof of the receipt of transaction `index`, for [`light::verify_receipt`](crate::light::verify_receipt).
    pub fn prove_receipt(&self, index: usize) -> Option<RangeProof> {
        prove(receipts(&self.begin, &self.txs), index.checked_add(1)?)
    }
}

fn prove<'a>(leaves: impl Iterator<Item = &'a [u8]>, index: usize) -> Option<RangeProof> {
    Tree::new(leaves.map(merkle::leaf).collect()).prove(index as u64, index.checked_add(1)? as u64)
}

/// The leaves of the receipt tree in order.
fn receipts<'a>(begin: &'a [u8], txs: &'a [Executed]) -> impl Iterator<Item = &'a [u8]> {
    std::iter::once(begin).chain(txs.iter().map(|tx| tx.receipt.as_slice()))
}

pub(crate) fn tx_root(txs: &[Executed]) -> [u8; 32] {
    merkle::root(txs.iter().map(|tx| merkle::leaf(&tx.bytes)).collect()).0
}

pub(crate) fn receipt_root(begin: &[u8], txs: &[Executed]) -> [u8; 32] {
    merkle::root(receipts(begin, txs).map(merkle::leaf).collect()).0
}
