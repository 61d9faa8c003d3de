//! What verifiers say an epoch of a network came to, and the payments that follow from it.

use crate::hash::{self, Hash};
use crate::ids::{AccountId, AccountNumber, ChainId, EpochNumber, NetworkId};
use crate::keys::{PublicKey, SecretKey, Signature};
use crate::money::{Credit, MicroUsd, Token};
use crate::{codec, merkle};
use minicbor::{CborLen, Decode, Encode};

/// Anchors that a result may leave out: as many as a chain may have verifiers, so that all who can withhold a file can be done without.
pub const WITHOUT_MAX: usize = 1_024;

/// The result of judging one epoch of one network: roots of what went in and came out, and the totals of its payments.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct EpochResult {
    #[n(0)]
    pub chain: ChainId,
    #[n(1)]
    pub network: NetworkId,
    #[n(2)]
    pub epoch: EpochNumber,
    /// Hash of what was judged besides the reports: parameters, roster, memory of the epoch before, meters, beacon.
    #[n(3)]
    pub inputs: Hash,
    /// Root of the tree over the sorted ids of the archived reports.
    #[n(4)]
    pub archive: Hash,
    /// Root of the tree over the findings, sorted by report id.
    #[n(5)]
    pub findings: Hash,
    /// Hash of what the vertical remembers for the next epoch.
    #[n(6)]
    pub memory: Hash,
    /// Root of the tree over the payout leaves, sorted by operator.
    #[n(7)]
    pub payouts: Hash,
    /// How many payout leaves there are.
    #[n(8)]
    pub leaves: u32,
    #[n(9)]
    pub totals: Totals,
    /// The ledger's hash over the anchors whose reports were judged.
    #[n(10)]
    pub anchors: Hash,
    /// Hash of the result in force for the epoch before, whose memory was judged with; zero at the network's first epoch, and after one
    /// that expired. Attesting an epoch again, because the one before was replaced, is so no second word on the first.
    #[n(11)]
    pub previous: Hash,
    /// Places in the ledger's book of the epoch's anchors, in order of arrival, whose reports were not to be had and are left out. A result
    /// over more of them is another word, and no second one on this.
    #[n(12)]
    pub without: Vec<u32>,
}

/// Sums over all payout leaves of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Totals {
    /// Micro-units.
    #[n(0)]
    pub units: u64,
    #[n(1)]
    pub availability: Token,
    #[n(2)]
    pub usage: Token,
    #[n(3)]
    pub cash: MicroUsd,
    #[n(4)]
    pub customers_paid: Credit,
}

/// What one operator gets for one epoch of one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct PayoutLeaf {
    #[n(0)]
    pub operator: AccountNumber,
    /// Micro-units its devices earned.
    #[n(1)]
    pub units: u64,
    /// Token for being there: its share of the availability pool.
    #[n(2)]
    pub availability: Token,
    /// Token for what customers used.
    #[n(3)]
    pub usage: Token,
    /// Stablecoin for what customers used.
    #[n(4)]
    pub cash: MicroUsd,
    /// What customers paid for the service of its devices; the no-wash rule is checked against it.
    #[n(5)]
    pub customers_paid: Credit,
}

/// Verifiers' signatures over one result.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Attestation {
    #[n(0)]
    pub result: EpochResult,
    /// Sorted by verifier, each once.
    #[n(1)]
    pub signatures: Vec<(AccountId, Signature)>,
}

impl EpochResult {
    pub fn signed_bytes(&self) -> [u8; 32] {
        hash::domain("cairn/result/1", &[&codec::encode(self)]).0
    }

    pub fn hash(&self) -> Hash {
        Hash(self.signed_bytes())
    }

    pub fn sign(&self, key: &SecretKey) -> Signature {
        key.sign(&self.signed_bytes())
    }

    pub fn verify(&self, key: &PublicKey, signature: &Signature) -> bool {
        key.verify(&self.signed_bytes(), signature)
    }

    /// Whether one verifier that signed both cannot be honest. What is judged follows from the anchors, those left out, and the result
    /// before; where all these are the same, there is one result. A word on anchors or on a result before that are not the ledger's can
    /// never be settled: who was shown another ledger's may speak again.
    pub fn contradicts(&self, other: &Self) -> bool {
        let of = |result: &Self| (result.network, result.epoch, result.anchors, result.previous);
        self.chain == other.chain && of(self) == of(other) && self.without == other.without && self != other
    }

    /// Whether what it leaves out is a rising list of places among so many anchors.
    pub fn leaves_out_of(&self, anchors: u32) -> bool {
        let rises = self.without.is_sorted_by(|one, next| one < next);
        let last = self.without.last();
        rises && self.without.len() <= WITHOUT_MAX && last.is_none_or(|last| *last < anchors)
    }
}

/// Whether a list of places leaves out less than another, and nothing else. Both rise.
pub fn leaves_out_less(without: &[u32], than: &[u32]) -> bool {
    let mut rest = than.iter();
    without.len() < than.len() && without.iter().all(|place| rest.any(|other| other == place))
}

impl PayoutLeaf {
    pub fn hash(&self) -> Hash {
        merkle::leaf(&codec::encode(self))
    }
}

impl Totals {
    /// These totals with one more leaf; `None` when a sum does not fit.
    pub fn plus(self, leaf: &PayoutLeaf) -> Option<Self> {
        Some(Self {
            units: self.units.checked_add(leaf.units)?,
            availability: self.availability.checked_add(leaf.availability)?,
            usage: self.usage.checked_add(leaf.usage)?,
            cash: self.cash.checked_add(leaf.cash)?,
            customers_paid: self.customers_paid.checked_add(leaf.customers_paid)?,
        })
    }
}
