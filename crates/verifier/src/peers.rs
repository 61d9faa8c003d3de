//! The other verifiers, as this one hears them: files by hash, and signed words. Nothing of theirs is believed; what is asked for is
//! bounded, and whoever asks checks what came.
//!
//! ```text
//! GET /v1/archive/{network}/{epoch}/sealed-{hash}.parquet    the reports a verifier anchored, from whoever has the file
//! GET /v1/attestations/{network}/{epoch}                     its own words on an epoch, and those it heard
//! GET /v1/withheld/{network}/{epoch}                         whose files it cannot get
//! GET /v1/archive/{network}/{epoch}/findings.cbor            where it differs;  memory.cbor where the ledger settled another's result
//! ```
//! Asking never waits: what is here is given, what is not is sought meanwhile. A peer that is slow, lies or is away costs only itself.

pub mod courier;
pub mod withheld;
pub mod word;

use crate::archive::{ArchiveError, EpochArchive, REPORTS, WITHHELD};
use crate::chain::VerifierAt;
use crate::objects::Objects;
use cairn_types::{EpochNumber, Hash, NetworkId};
pub use word::{WORDS_BYTES_MAX, Word};

/// What is asked of another verifier about an epoch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// A file of its archive with this SHA-256.
    Hashed { name: String, hash: Hash },
    /// A file of its archive; whoever asks knows another way to check it.
    Named(&'static str),
    /// Its own words and those it heard.
    Words,
    /// Whose files it cannot get, if it says so.
    Withheld,
}

/// One thing wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    pub network: NetworkId,
    pub epoch: EpochNumber,
    pub what: What,
    /// A longer answer is none.
    pub bytes_max: u64,
}

impl Wanted {
    /// Where a verifier serves it, below its address.
    pub fn path(&self) -> String {
        let (network, epoch) = (self.network, self.epoch.0);
        match &self.what {
            What::Hashed { name, .. } => format!("/v1/archive/{network}/{epoch}/{name}"),
            What::Named(name) => format!("/v1/archive/{network}/{epoch}/{name}"),
            What::Words => format!("/v1/attestations/{network}/{epoch}"),
            What::Withheld => format!("/v1/withheld/{network}/{epoch}"),
        }
    }
}

/// The way to the others.
pub trait Peers: Send + Sync {
    /// What is wanted, of the first of `from` that gives it; `None`: it is not here yet. A hashed file has its hash; all else is as the
    /// peer said it. What was given is gone here: asked again, it is sought again.
    fn get(&self, wanted: &Wanted, from: &[VerifierAt]) -> Option<Vec<u8>>;

    /// Nothing of an epoch is wanted any more.
    fn forget(&self, network: &NetworkId, epoch: EpochNumber);
}

/// Of a verifier that knows no other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Peers for Nobody {
    fn get(&self, _: &Wanted, _: &[VerifierAt]) -> Option<Vec<u8>> {
        None
    }

    fn forget(&self, _: &NetworkId, _: EpochNumber) {}
}

/// What a verifier with this store answers to a peer; `None`: it has it not.
pub fn answer(objects: &dyn Objects, wanted: &Wanted) -> Result<Option<Vec<u8>>, ArchiveError> {
    let archive = EpochArchive::of(objects, &wanted.network, wanted.epoch);
    match &wanted.what {
        What::Hashed { name, hash } => {
            if let Some(bytes) = archive.get(name)? {
                return Ok(Some(bytes));
            }
            // Whoever asks for any hash shall not have all reports read and hashed for it.
            let manifest = archive.manifest()?;
            let mut files = manifest.iter().flat_map(|manifest| &manifest.files);
            let is_other = files.any(|file| file.name == REPORTS && file.hash != *hash);
            if is_other { Ok(None) } else { archive.sealed(hash) }
        }
        // The manifest of what is being made anew is empty.
        What::Named(name) => Ok(archive.get(name)?.filter(|bytes| !bytes.is_empty())),
        What::Words => Ok(Some(word::file(archive.words()?))),
        What::Withheld => archive.get(WITHHELD),
    }
}
