//! The ceremony in which validators make their group key: none of them, and nobody else, ever holds it whole. All take part at
//! the same time; a validator that is killed goes on where it was when it is started again.
//!
//! ```text
//! gather ─▶ deal ─▶ keep the share ─▶ sign ─▶ collect all signatures
//! (all, with the same draft)          └ so whoever has all signatures knows that each has its share
//! ```

mod roll;
mod secrets;
mod tokio_ceremony;

use crate::{Group, KeysError, StartError, Validator};
use cairn_types::{PublicKey, Signature, hash};
use std::{net::SocketAddr, path::PathBuf};

pub use tokio_ceremony::{Tell, bootstrap_tokio};

/// What one validator is told of a ceremony. All but the paths and `listen` must be the same for all.
#[derive(Clone, Debug)]
pub struct Ceremony {
    /// A folder of its own, with what is needed to go on after a kill; removed when all are done.
    pub dir: PathBuf,
    /// The file with this validator's identity. Its share is added there.
    pub keys: PathBuf,
    /// The chain's name.
    pub chain: String,
    /// Digest of what they sign.
    pub draft: [u8; 32],
    /// Counts ceremonies of this draft: one that failed is not held again.
    pub attempt: u32,
    pub validators: Vec<Validator>,
    /// Where the other validators reach this one.
    pub listen: SocketAddr,
}

/// How far a ceremony is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// These have not come yet; none: they all have, and do not know it yet.
    Gathering { missing: Vec<[u8; 32]> },
    /// All are there and make the key.
    Dealing,
    /// The share is in the key file; these have not signed yet.
    Signing { missing: Vec<[u8; 32]> },
    /// All have signed; these may not know it yet.
    Closing { missing: Vec<[u8; 32]> },
}

/// What a ceremony comes to, the same for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dealt {
    pub group: Group,
    /// Each validator's signature of [`statement`], by its key.
    pub signatures: Vec<([u8; 32], Signature)>,
}

/// Why a ceremony came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CeremonyError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("this node's key is not among the validators")]
    NotAValidator,
    #[error("validator {} has another draft", PublicKey::Ed25519(*.0))]
    OtherDraft([u8; 32]),
    #[error("validator {} takes part in attempt {theirs}, this one in attempt {ours}", PublicKey::Ed25519(*.key))]
    OtherAttempt { key: [u8; 32], theirs: u32, ours: u32 },
    #[error("too few validators took part to the end")]
    Failed,
    #[error("the share of {} became public, as it answered too late", PublicKey::Ed25519(*.0))]
    Revealed([u8; 32]),
    #[error("the key file holds a share of another group")]
    OtherGroup,
    #[error("this validator has no share, though the ceremony went well")]
    NoShare,
    #[error("the ceremony broke off: {0}")]
    Broken(String),
}

impl CeremonyError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Start(error) => error.hint(),
            Self::NotAValidator => "run `cairn genesis join` with this key file first, and pass the file on",
            Self::OtherDraft(_) => "compare what `cairn genesis show` says of both files; all must have the same one",
            Self::OtherAttempt { .. } => "agree on one number, and all name it with --attempt",
            Self::Failed | Self::Revealed(_) | Self::NoShare => {
                "all run it again, with --attempt and the next number; no key of this attempt is used"
            }
            Self::OtherGroup => "name the key file that joined this draft, or join again with a new one",
            Self::Broken(_) => "run it again: it goes on where it was; the log says more",
        }
    }
}

impl From<KeysError> for CeremonyError {
    fn from(error: KeysError) -> Self {
        Self::Start(error.into())
    }
}

impl From<std::io::Error> for CeremonyError {
    fn from(error: std::io::Error) -> Self {
        Self::Start(error.into())
    }
}

/// What each validator signs when it has its share: the draft and the group that came of it.
pub fn statement(draft: &[u8; 32], group: &Group) -> [u8; 32] {
    hash::domain("cairn/ceremony/1", &[draft, &group.key, &group.sharing]).0
}
