//! The sealed files of an epoch: everything needed to judge it again, and what judging it came to.
//!
//! ```text
//! <network>/<epoch, 10 digits>/   reports.parquet  inputs.cbor   what went in
//!                                 findings.cbor  memory.cbor  payouts.cbor   what came out
//!                                 choices.cbor    what each payout's operator chose when the epoch closed
//!                                 manifest.cbor   hashes of all of them, the result, signatures: written last
//! ```
//! Beside them, where there are several verifiers:
//!
//! ```text
//!                                 sealed-<sha-256>.parquet   what each verifier anchored, by which others fetch it
//!                                 heard.cbor  differences.cbor   other verifiers' words, and where their results differ
//!                                 said.cbor    its own words, where it gave more than one: without a file, and with it once it turned up
//!                                 withheld.cbor   whose files were not to be had, as this verifier says it
//! ```
//! An epoch with a manifest is complete and not written again while the ledger says of it what it said then; without one it is made
//! anew, to the same bytes. While it is made anew its manifest is empty, and what was said before is in `said.cbor`.

pub mod reports;
#[cfg(test)]
mod tests;

use crate::chain::SettledOrder;
use crate::exchange::Choice;
use crate::meters::MeterEntry;
use crate::objects::{ObjectError, Objects};
use crate::peers::Word;
use crate::roster::RosterMember;
use cairn_ledger::economics::Parameters;
use cairn_ledger::records::Pool;
use cairn_ledger::tx::settle_epoch::ExchangeAttestation;
use cairn_types::{Attestation, ChainId, EpochNumber, Finding, Hash, NetworkId, PayoutLeaf, TimeMs, codec, hash};
use minicbor::{CborLen, Decode, Encode};
use thiserror::Error;

pub const REPORTS: &str = "reports.parquet";
pub const INPUTS: &str = "inputs.cbor";
pub const FINDINGS: &str = "findings.cbor";
pub const MEMORY: &str = "memory.cbor";
pub const PAYOUTS: &str = "payouts.cbor";
pub const CHOICES: &str = "choices.cbor";
pub const MANIFEST: &str = "manifest.cbor";

/// Other verifiers' words on the epoch.
pub const HEARD: &str = "heard.cbor";
/// Where their results differ from ours.
pub const DIFFERENCES: &str = "differences.cbor";
/// Our own words, where we gave several.
pub const SAID: &str = "said.cbor";
/// Whose files we cannot get.
pub const WITHHELD: &str = "withheld.cbor";
/// What the result in force remembers, where ours is another.
pub const ADOPTED: &str = "memory-in-force.cbor";

/// The files a manifest names, in the order in which they are written.
pub const FILES: [&str; 6] = [REPORTS, INPUTS, FINDINGS, MEMORY, PAYOUTS, CHOICES];

/// An archive that cannot be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ArchiveError {
    #[error(transparent)]
    Store(#[from] ObjectError),
    #[error("{path}: {what}")]
    File { path: String, what: String },
}

/// What an epoch is judged by, besides its reports.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Inputs {
    #[n(0)]
    pub chain: ChainId,
    #[n(1)]
    pub network: NetworkId,
    #[n(2)]
    pub epoch: EpochNumber,
    #[n(3)]
    pub start: TimeMs,
    #[n(4)]
    pub end: TimeMs,
    #[n(5)]
    pub vertical: String,
    #[cbor(n(6), with = "minicbor::bytes")]
    pub parameters: Vec<u8>,
    /// The ledger's own numbers, by which pools are divided.
    #[n(7)]
    pub economics: Parameters,
    #[n(8)]
    pub pool: Pool,
    #[n(9)]
    pub beacon: Hash,
    /// Sorted by device number, each once.
    #[n(10)]
    pub roster: Vec<RosterMember>,
    /// What the epoch before left to remember.
    #[cbor(n(11), with = "minicbor::bytes")]
    pub memory: Vec<u8>,
    /// In the ledger's order.
    #[n(12)]
    pub meters: Vec<OrderMeters>,
}

/// A settled voucher and what its provider said it was for: nothing, when nobody said it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct OrderMeters {
    #[n(0)]
    pub settled: SettledOrder,
    #[n(1)]
    pub entries: Vec<MeterEntry>,
}

/// A file of a sealed epoch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct FileEntry {
    #[n(0)]
    pub name: String,
    #[n(1)]
    pub bytes: u64,
    /// SHA-256.
    #[n(2)]
    pub hash: Hash,
}

/// What makes an epoch complete.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Manifest {
    #[n(0)]
    pub files: Vec<FileEntry>,
    #[n(1)]
    pub attestation: Attestation,
    /// Set when operators exchange among themselves.
    #[n(2)]
    pub exchange: Option<ExchangeAttestation>,
}

impl Manifest {
    /// What this verifier says of the epoch, signed.
    pub fn word(&self) -> Word {
        Word {
            attestation: self.attestation.clone(),
            exchange: self.exchange.clone(),
        }
    }
}

impl Inputs {
    /// The hash that a result carries.
    pub fn hash(&self) -> Hash {
        hash::domain("cairn/inputs/1", &[&codec::encode(self)])
    }
}

/// The hash of a memory that a result carries.
pub fn memory_hash(memory: &[u8]) -> Hash {
    hash::domain("cairn/memory/1", &[memory])
}

/// Bytes as `memory.cbor` holds them.
pub fn memory_file(memory: &[u8]) -> Vec<u8> {
    codec::encode::<minicbor::bytes::ByteVec>(&memory.to_vec().into())
}

/// The name of the reports that a verifier anchored.
pub fn sealed_name(hash: &Hash) -> String {
    format!("sealed-{hash}.parquet")
}

/// The hash in such a name.
pub fn sealed_hash(name: &str) -> Option<Hash> {
    name.strip_prefix("sealed-")?.strip_suffix(".parquet")?.parse().ok()
}

pub fn folder(network: &NetworkId, epoch: EpochNumber) -> String {
    format!("{network}/{:010}", epoch.0)
}

/// The archive of one epoch in a store.
pub struct EpochArchive<'a> {
    objects: &'a dyn Objects,
    folder: String,
}

impl<'a> EpochArchive<'a> {
    pub fn of(objects: &'a dyn Objects, network: &NetworkId, epoch: EpochNumber) -> Self {
        let folder = folder(network, epoch);
        Self { objects, folder }
    }

    pub fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.folder)
    }

    pub fn put(&self, file: &str, bytes: &[u8]) -> Result<(), ArchiveError> {
        Ok(self.objects.put(&self.path(file), bytes)?)
    }

    pub fn get(&self, file: &str) -> Result<Option<Vec<u8>>, ArchiveError> {
        Ok(self.objects.get(&self.path(file))?)
    }

    /// A file that must be there.
    pub fn need(&self, file: &str) -> Result<Vec<u8>, ArchiveError> {
        self.get(file)?.ok_or_else(|| self.wrong(file, "is not there"))
    }

    /// `None` while it is not complete.
    pub fn manifest(&self) -> Result<Option<Manifest>, ArchiveError> {
        let bytes = self.get(MANIFEST)?.filter(|bytes| !bytes.is_empty());
        bytes.map(|bytes| self.read(MANIFEST, &bytes)).transpose()
    }

    /// The files are about to be made anew: what they are is not what the manifest says. Our words must be kept before.
    pub fn open_again(&self) -> Result<(), ArchiveError> {
        self.put(MANIFEST, &[])
    }

    pub fn inputs(&self) -> Result<Inputs, ArchiveError> {
        self.read(INPUTS, &self.need(INPUTS)?)
    }

    pub fn findings(&self) -> Result<Vec<Finding>, ArchiveError> {
        self.read(FINDINGS, &self.need(FINDINGS)?)
    }

    pub fn memory(&self) -> Result<Vec<u8>, ArchiveError> {
        let bytes: minicbor::bytes::ByteVec = self.read(MEMORY, &self.need(MEMORY)?)?;
        Ok(bytes.into())
    }

    pub fn payouts(&self) -> Result<Vec<PayoutLeaf>, ArchiveError> {
        self.read(PAYOUTS, &self.need(PAYOUTS)?)
    }

    /// The reports that a verifier anchored, by their hash: a file of their own, or ours, if they are all there was to judge.
    pub fn sealed(&self, hash: &Hash) -> Result<Option<Vec<u8>>, ArchiveError> {
        if let Some(bytes) = self.get(&sealed_name(hash))? {
            return Ok(Some(bytes));
        }
        let bytes = self.get(REPORTS)?;
        Ok(bytes.filter(|bytes| hash::sha256(bytes) == *hash))
    }

    /// Other verifiers' words as they were heard.
    pub fn heard(&self) -> Result<Vec<Word>, ArchiveError> {
        let bytes = self.get(HEARD)?;
        Ok(bytes
            .map(|bytes| self.read(HEARD, &bytes))
            .transpose()?
            .unwrap_or_default())
    }

    /// Our own words, in the order in which they were given; the last is the manifest's, if that is complete.
    pub fn said(&self) -> Result<Vec<Word>, ArchiveError> {
        let bytes = self.get(SAID)?;
        let said = bytes.map(|bytes| self.read::<Vec<Word>>(SAID, &bytes)).transpose()?;
        let mut said = said.unwrap_or_default();
        if let Some(word) = self.manifest()?.map(|manifest| manifest.word()) {
            said.retain(|other| *other != word);
            said.push(word);
        }
        Ok(said)
    }

    /// Our own words, the last first, and those we heard.
    pub fn words(&self) -> Result<Vec<Word>, ArchiveError> {
        let said = self.said()?.into_iter().rev();
        Ok(said.chain(self.heard()?).collect())
    }

    /// One for each payout.
    pub fn choices(&self) -> Result<Vec<Choice>, ArchiveError> {
        self.read(CHOICES, &self.need(CHOICES)?)
    }

    pub fn read<T>(&self, file: &str, bytes: &[u8]) -> Result<T, ArchiveError>
    where
        T: Encode<()> + for<'b> Decode<'b, ()>,
    {
        codec::decode_canonical(bytes).map_err(|error| self.wrong(file, error))
    }

    pub fn wrong(&self, file: &str, what: impl std::fmt::Display) -> ArchiveError {
        ArchiveError::File {
            path: self.path(file),
            what: what.to_string(),
        }
    }
}
