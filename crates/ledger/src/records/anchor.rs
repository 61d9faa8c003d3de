//! What verifiers anchored of a network's epoch: the reports each will be held to. The ledger sees roots, never reports.

use crate::tables::{Record, Table};
use cairn_types::hash;
use cairn_types::{AccountId, AccountNumber, EpochNumber, Hash, NetworkId, ReportId, codec};
use minicbor::{CborLen, Decode, Encode};

/// One verifier's reports of one epoch of one network; named by its place in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Anchor {
    #[n(0)]
    pub verifier: AccountId,
    /// Root of the tree over the sorted ids of its reports.
    #[n(1)]
    pub root: Hash,
    /// How many there are.
    #[n(2)]
    pub count: u64,
    /// SHA-256 of its sealed reports file, by which others fetch and check it.
    #[n(3)]
    pub reports_hash: Hash,
}

impl Record for Anchor {
    const TABLE: Table = Table::Anchor;
    type Id = (NetworkId, EpochNumber, u16);
}

/// Where a verifier's anchor stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct AnchorPlace {
    #[n(0)]
    pub place: u16,
}

impl Record for AnchorPlace {
    const TABLE: Table = Table::AnchorPlace;
    type Id = (NetworkId, EpochNumber, AccountNumber);
}

/// That a verifier was held to account for a broken receipt of an epoch of a network: once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Omission {
    /// The report whose receipt showed it.
    #[n(0)]
    pub report: ReportId,
}

impl Record for Omission {
    const TABLE: Table = Table::Omission;
    type Id = (NetworkId, EpochNumber, AccountNumber);
}

/// All anchors of an epoch of a network so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Anchors {
    #[n(0)]
    pub count: u16,
    /// Of those, how many are of verifiers that were listed when the epoch closed: with all of them anchoring ends.
    #[n(1)]
    pub listed: u16,
    /// Reports of all anchors; one that several verifiers have is counted as often.
    #[n(2)]
    pub reports: u64,
    /// Chain of hashes over the anchors in order of arrival; zero while there are none. A result names it.
    #[n(3)]
    pub digest: Hash,
}

impl Anchors {
    /// With one more anchor, of a verifier that was listed when the epoch closed or not; `None` when it cannot be counted.
    pub fn with(&self, anchor: &Anchor, listed: bool) -> Option<Self> {
        Some(Self {
            count: self.count.checked_add(1)?,
            listed: self.listed.checked_add(u16::from(listed))?,
            reports: self.reports.checked_add(anchor.count)?,
            digest: hash::domain("cairn/anchors/1", &[&self.digest.0, &codec::encode(anchor)]),
        })
    }
}

impl Record for Anchors {
    const TABLE: Table = Table::Anchors;
    type Id = (NetworkId, EpochNumber);
}
