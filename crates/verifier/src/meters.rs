//! What customers were served, device by device: a provider says it before it settles the voucher whose root it has.
//!
//! ```text
//! gateway ─▶ POST /v1/meters {network, order, entries (device, credits)}, signed by the provider's account
//! gateway ─▶ ledger: settle_order {voucher.meters = root(entries)}        verifier: entries of exactly that root count
//! ```
//! Never trusted beyond the ledger: entries count only under a root that a settled voucher carries, up to what it paid.

use crate::chain::{ChainError, ChainView, SettledOrder};
use crate::limits::RECORD_BYTES_MAX;
use crate::log::Location;
use cairn_ledger::account::{Rule, Witness};
use cairn_types::{
    AccountId, ChainId, Credit, DeviceNumber, EpochClock, EpochNumber, Hash, NetworkId, OrderId, SecretKey, TimeMs,
};
use cairn_types::{batch, codec, hash, merkle};
use minicbor::{CborLen, Decode, Encode};
use std::collections::BTreeMap;
use thiserror::Error;

/// Devices in one record at most.
pub const ENTRIES_MAX: usize = 65_536;

/// What one device delivered, in credits charged for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct MeterEntry {
    #[n(0)]
    pub device: DeviceNumber,
    #[n(1)]
    pub credits: Credit,
}

/// What was delivered for one voucher. Entries are sorted by device, each once.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct MeterRecord {
    #[n(0)]
    pub network: NetworkId,
    #[n(1)]
    pub order: OrderId,
    #[n(2)]
    pub entries: Vec<MeterEntry>,
}

/// A record with the signatures of the provider's account.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct SignedMeters {
    #[n(0)]
    pub record: MeterRecord,
    #[n(1)]
    pub witness: Witness,
}

/// Why a record is not taken.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MeterError {
    #[error("not a meter record: {0}")]
    Malformed(String),
    #[error("a meter record has at most {ENTRIES_MAX} entries, sorted by device, each once")]
    Entries,
    #[error("a network this verifier does not serve")]
    OtherNetwork,
    #[error("the ledger has no such order for this network")]
    OrderUnknown,
    #[error("not signed by the account that serves the order")]
    NotProvider,
    #[error("the verifier cannot take it now: {0}")]
    Unavailable(String),
}

impl MeterError {
    /// Whether the same record may be taken later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::OrderUnknown)
    }
}

/// The root that a voucher for these entries carries.
pub fn root(entries: &[MeterEntry]) -> Hash {
    merkle::root(
        entries
            .iter()
            .map(|entry| merkle::leaf(&codec::encode(entry)))
            .collect(),
    )
}

impl MeterRecord {
    fn message(&self, chain: &ChainId) -> [u8; 32] {
        hash::domain(
            "cairn/meter-record/1",
            &[chain.as_str().as_bytes(), &codec::encode(self)],
        )
        .0
    }

    /// Signed by a provider's account.
    pub fn sign_by(self, chain: &ChainId, rule: &Rule, secrets: &[SecretKey]) -> SignedMeters {
        let witness = rule.witness(&self.message(chain), secrets);
        SignedMeters { record: self, witness }
    }
}

/// Reads strangers' bytes and checks them against the ledger.
pub fn check(bytes: &[u8], chain: &dyn ChainView) -> Result<SignedMeters, MeterError> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(MeterError::Malformed("too long".to_owned()));
    }
    let signed: SignedMeters =
        codec::decode_canonical(bytes).map_err(|error| MeterError::Malformed(error.to_string()))?;
    let record = &signed.record;
    let is_sorted = record.entries.is_sorted_by(|one, next| one.device < next.device);
    if record.entries.len() > ENTRIES_MAX || !is_sorted {
        return Err(MeterError::Entries);
    }
    let unavailable = |error: ChainError| MeterError::Unavailable(error.to_string());
    let order = chain.order(&record.order).map_err(unavailable)?;
    let order = order
        .filter(|order| order.network == record.network)
        .ok_or(MeterError::OrderUnknown)?;
    let facts = chain.facts().map_err(unavailable)?;
    if !is_signed_by(&signed, &order.provider, &facts.chain, chain).map_err(unavailable)? {
        return Err(MeterError::NotProvider);
    }
    Ok(signed)
}

fn is_signed_by(
    signed: &SignedMeters,
    provider: &AccountId,
    id: &ChainId,
    chain: &dyn ChainView,
) -> Result<bool, ChainError> {
    let witness = &signed.witness;
    if !witness.rule.is_valid() || !witness.is_complete() {
        return Ok(false);
    }
    let account = chain.account(provider)?;
    if account.is_none_or(|account| account.rule != witness.rule.hash()) {
        return Ok(false);
    }
    let message = signed.record.message(id);
    let batch: Vec<_> = witness.signed(&message).collect();
    Ok(batch::verify(&batch).into_iter().all(|holds| holds))
}

type Key = (NetworkId, OrderId, Hash);

/// The records in the log, by the root that makes them count.
#[derive(Default)]
pub struct Meters {
    records: BTreeMap<Key, (Location, EpochNumber)>,
}

impl Meters {
    pub fn knows(&self, record: &MeterRecord) -> bool {
        self.records.contains_key(&key(record))
    }

    /// Remembers a record that is on disk, received in an epoch. `false` when it was known.
    pub fn record(&mut self, record: &MeterRecord, received: EpochNumber, location: Location) -> bool {
        let new = !self.knows(record);
        self.records.entry(key(record)).or_insert((location, received));
        new
    }

    /// The same, from the log at a restart: whether it is needed still.
    pub fn replay(
        &mut self,
        clock: EpochClock,
        location: Location,
        received: TimeMs,
        bytes: &[u8],
        forgotten: &BTreeMap<NetworkId, Option<EpochNumber>>,
    ) -> bool {
        let Ok(signed) = codec::decode_canonical::<SignedMeters>(bytes) else {
            return false;
        };
        let epoch = clock.epoch_of(received).unwrap_or_default();
        let last = forgotten.get(&signed.record.network);
        match last {
            Some(last) if last.is_none_or(|last| epoch > last) => self.record(&signed.record, epoch, location),
            _ => false,
        }
    }

    /// Where the record of a settled voucher is.
    pub fn of(&self, network: &NetworkId, settled: &SettledOrder) -> Option<Location> {
        let record = self.records.get(&(*network, settled.order, settled.meters))?;
        Some(record.0)
    }

    /// Forgets what was received in an epoch or before.
    pub fn forget(&mut self, network: &NetworkId, epoch: EpochNumber) -> Vec<Location> {
        let is_old = |key: &Key, received: &EpochNumber| key.0 == *network && *received <= epoch;
        let old = self.records.iter().filter(|(key, (_, received))| is_old(key, received));
        let locations = old.map(|(_, (location, _))| *location).collect();
        self.records.retain(|key, (_, received)| !is_old(key, received));
        locations
    }
}

fn key(record: &MeterRecord) -> Key {
    (record.network, record.order, root(&record.entries))
}
