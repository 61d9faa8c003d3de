//! What a router must find again: its order, and the last promise it made. Written whole before a promise is shown to anybody, so that a
//! router that was killed never promises less than before.

use cairn_agent::carry::wire::{Claim, Promise};
use cairn_secrets::{Form, SecretsError};
use cairn_types::{AccountId, ChainId, Credit, SecretKey, codec};
use minicbor::{CborLen, Decode, Encode};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use thiserror::Error;

const BYTES_MAX: u64 = 1 << 20;

#[derive(Debug, Error)]
pub enum KeepError {
    #[error("{0}: {1}")]
    Read(PathBuf, io::Error),
    #[error("{0} is damaged; restore it from a copy: it has the key of an order")]
    Damaged(PathBuf),
    #[error(transparent)]
    Write(#[from] SecretsError),
}

/// A router's order. The claim is as it was said last, its time apart.
#[derive(Clone, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Kept {
    #[n(0)]
    pub chain: String,
    #[n(1)]
    pub gateway: String,
    #[n(2)]
    pub provider: AccountId,
    #[n(3)]
    pub claim: Claim,
    #[n(4)]
    pub held: Credit,
    #[cbor(n(5), with = "minicbor::bytes")]
    secret: [u8; 32],
    #[n(6)]
    pub promise: Option<Promise>,
}

/// Without the secret.
impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept({:?})", self.claim)
    }
}

impl Kept {
    pub fn new(
        chain: &ChainId,
        gateway: &str,
        provider: AccountId,
        claim: Claim,
        held: Credit,
        secret: [u8; 32],
    ) -> Self {
        Self {
            chain: chain.to_string(),
            gateway: gateway.to_owned(),
            provider,
            claim,
            held,
            secret,
            promise: None,
        }
    }

    /// The voucher key of the order.
    pub fn secret(&self) -> SecretKey {
        SecretKey::ed25519(self.secret)
    }

    /// `None` where there is no file.
    pub fn read(path: &Path) -> Result<Option<Self>, KeepError> {
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(KeepError::Read(path.to_owned(), error)),
        };
        let mut bytes = Vec::new();
        let read = file.take(BYTES_MAX).read_to_end(&mut bytes);
        read.map_err(|error| KeepError::Read(path.to_owned(), error))?;
        let kept: Option<Self> = codec::decode_canonical(&bytes).ok();
        kept.map(Some).ok_or_else(|| KeepError::Damaged(path.to_owned()))
    }

    /// For its owner only; whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), KeepError> {
        Ok(Form::Plain.write(path, &codec::encode(self))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desk::tests::terms;

    #[test]
    fn what_was_kept_is_found_again_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("router");
        assert!(matches!(Kept::read(&path), Ok(None)));
        let terms = terms(1, 1_000, 500, 0);
        let promise = Promise::sign(terms.claim.order, vec![], &terms.chain, &terms.secret);
        let mut kept = Kept::new(
            &terms.chain,
            "http://gateway",
            AccountId([1; 32]),
            terms.claim,
            terms.held,
            [1; 32],
        );
        kept.promise = promise;
        kept.write(&path).unwrap();
        assert_eq!(Kept::read(&path).unwrap(), Some(kept));
        std::fs::write(&path, b"no").unwrap();
        assert!(matches!(Kept::read(&path), Err(KeepError::Damaged(_))));
    }
}
