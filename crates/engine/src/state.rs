//! A whole state as one file that proves itself: whoever has the validators' key needs nothing else to believe it. It is what state
//! sync sends, in order: the log of operations that made the state, each part with its proof under a final header.
//!
//! ```text
//! export: folder of a stopped node ─▶ state file        check: state file, anchor ─▶ records, sorted ─▶ [`records`](crate::records)
//!
//! file: magic │ frame: head │ frame: part of the log …        frame: length 4 │ CBOR │ SHA-256 32
//! ```

mod check;
mod download;
mod export;
mod file;

pub use check::{Checked, check};
pub(crate) use download::part_start;
pub use download::{Download, PART_OPERATIONS};
pub(crate) use export::part;
pub use export::{Export, export};
pub use file::{Part, StateHead};

use crate::{StartError, light::LightError, records::RecordsError};
use std::io;

/// Told how much of the log is done, and how much there is.
pub type Progress<'a> = &'a mut (dyn FnMut(u64, u64) + Send);

/// Why a state cannot be exported or believed.
#[derive(Debug, thiserror::Error)]
pub enum StateFileError {
    #[error("the state file cannot be used: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Folder(#[from] StartError),
    #[error("there is no chain in this folder")]
    NoChain,
    #[error("no block of this chain is final yet")]
    NoBlock,
    #[error("the operations before {0} are not kept here any more")]
    Pruned(u64),
    #[error("this is not a state file")]
    NotAState,
    #[error("state files of version {0} are not known here")]
    Version(u32),
    #[error("the state file is damaged at byte {0}")]
    Damaged(u64),
    #[error("the state file ends too early or too late: it has operations up to {found} of {wanted}")]
    Length { found: u64, wanted: u64 },
    #[error("the operations from {0} on are not those of the state")]
    Unproven(u64),
    #[error("the state is of the chain {0}")]
    OtherChain(String),
    #[error("the header of the state is not to be believed: {0}")]
    Light(#[from] LightError),
    #[error("the era that this state belongs to is still taking over its records")]
    TakingOver,
    #[error(transparent)]
    Records(#[from] RecordsError),
    #[error("the chain's files cannot be read: {0}")]
    Failed(String),
}

impl StateFileError {
    /// Whether a file or folder here cannot be used; otherwise what is in it does not hold.
    pub fn is_of_files(&self) -> bool {
        matches!(
            self,
            Self::Io(_) | Self::Folder(_) | Self::NoChain | Self::NoBlock | Self::Pruned(_) | Self::Failed(_)
        )
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io(_) => "check that file and folder are yours and the disk is not full",
            Self::Folder(error) => error.hint(),
            Self::NoChain => "name the folder that `cairn node run --data` or `cairn up` uses",
            Self::NoBlock | Self::TakingOver => "let the node run for a while first",
            Self::Pruned(_) => "export from another validator's folder",
            Self::NotAState | Self::Version(_) => "name a file that `cairn state export` of this version wrote",
            Self::Damaged(_) | Self::Length { .. } => "copy the file again, or export it again",
            Self::Unproven(_) => "whoever made this file changed the state: take it from another validator",
            Self::OtherChain(_) | Self::Light(_) => {
                "the file is of another chain or era than the genesis file, or was forged: compare both with somebody you trust"
            }
            Self::Records(error) => error.hint(),
            Self::Failed(_) => "start the node once, so that it recovers its files, stop it, and try again",
        }
    }
}
