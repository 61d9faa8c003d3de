//! Why a secret could not be read or kept. Names files and facts; never a secret.

use crate::passphrase::{BYTES_MAX, CHARACTERS_MIN};
use crate::sealed::{MEMORY_KIB_MAX, PASSES_MAX};
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    #[error("{path} can be read or changed by others (mode {mode:03o})")]
    Open { path: PathBuf, mode: u32, wanted: u32 },
    #[error("{path} has more than {most} bytes; it is no file of secrets")]
    TooLong { path: PathBuf, most: u64 },
    #[error("{0} begins as a sealed file and does not go on as one")]
    Damaged(PathBuf),
    #[error("{0} was sealed by a newer version of this program")]
    Newer(PathBuf),
    #[error("{0} asks for more work than {MEMORY_KIB_MAX} KiB and {PASSES_MAX} passes before it opens")]
    TooHard(PathBuf),
    #[error("{0} does not open: the passphrase is another one, or the file was changed")]
    Wrong(PathBuf),
    #[error("{0} is sealed, and there is nobody to ask for its passphrase")]
    NoPassphrase(PathBuf),
    #[error("a passphrase has {CHARACTERS_MIN} characters at least and {BYTES_MAX} bytes at most")]
    Passphrase,
    #[error("the passphrase was not given twice alike")]
    Unlike,
    #[error("asked for a passphrase, nobody gave one")]
    Interrupted,
    #[error("the computer gives no random numbers")]
    Random,
}

impl SecretsError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "check that the file is there, yours, and that the disk is not full",
            Self::Open { wanted: 0o700, .. } => "close the folder with chmod 700",
            Self::Open { .. } => "close it with chmod 600",
            Self::TooLong { .. } => "name the file of keys",
            Self::Damaged(_) => "bring it back from a backup; nobody else has it",
            Self::Newer(_) => "use the newest version",
            Self::TooHard(_) => "bring it back from a backup: this program never asks for so much",
            Self::Wrong(_) => "give the passphrase again; if it is the right one, bring the file back from a backup",
            Self::NoPassphrase(_) => {
                "name a file that holds it: --passphrase-file FILE, or CAIRN_PASSPHRASE_FILE; or ask at a terminal"
            }
            Self::Passphrase => "choose a longer one: five words at random are easy to keep and hard to guess",
            Self::Unlike | Self::Interrupted => "try again; nothing was changed",
            Self::Random => "try again when the system has started up",
        }
    }

    pub(crate) fn io(path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| Self::Io {
            path: path.to_owned(),
            error,
        }
    }
}
