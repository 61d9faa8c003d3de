//! Whom this process asks for the passphrases of sealed key files: a file that was named, or the person at the terminal. Never an
//! argument or a variable: others can read those.

use crate::error::{Done, Failure, Kind};
use cairn_agent::keys::FILE_BYTES_MAX;
use cairn_secrets::{Keyring, Passphrase, SecretsError, terminal};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Names the file where no argument does: for services.
pub const VARIABLE: &str = "CAIRN_PASSPHRASE_FILE";

static FILE: OnceLock<PathBuf> = OnceLock::new();

/// From now on sealed files open, and a death of this process leaves no picture of what it knew.
pub fn begin(file: Option<PathBuf>) {
    // A system that refuses has no such pictures, or an owner who wants them.
    let _ = cairn_secrets::leave_no_core();
    if let Some(file) = file {
        // Processes started from here run in other folders.
        let _ = FILE.set(std::path::absolute(&file).unwrap_or(file));
    }
    Keyring::new(|path| match self::file() {
        Some(file) => Passphrase::of_file(file),
        None => {
            let typed = terminal::ask(&format!("Passphrase of {}", path.display()))?;
            typed.ok_or_else(|| SecretsError::NoPassphrase(path.to_owned()))
        }
    })
    .for_process();
}

/// The file that was named.
pub fn file() -> Option<&'static Path> {
    FILE.get().map(PathBuf::as_path)
}

/// Seals a file when a passphrase is at hand without asking anybody.
pub fn seal_if_named(path: &Path) -> Done {
    match file() {
        Some(_) => seal(path).map(drop),
        None => Ok(()),
    }
}

/// The passphrase under which a file shall be: of the file named for it, or typed twice.
fn new_passphrase(path: &Path, given: Option<&Path>) -> Result<Passphrase, SecretsError> {
    match given {
        Some(file) => Passphrase::of_file(file),
        None => {
            let typed = terminal::ask_new(&format!("New passphrase of {}", path.display()))?;
            typed.ok_or_else(|| SecretsError::NoPassphrase(path.to_owned()))
        }
    }
}

/// Seals a file that is plain, or is not there yet; one that is sealed stays as it is. Says whether it did.
pub fn seal(path: &Path) -> Result<bool, Failure> {
    let keyring = Keyring::process();
    let seal = || {
        if keyring.form(path, FILE_BYTES_MAX)?.is_sealed() {
            return Ok(false);
        }
        let passphrase = new_passphrase(path, file())?;
        keyring.seal(path, FILE_BYTES_MAX, &passphrase).map(|()| true)
    };
    seal().map_err(failed)
}

/// Puts a file that is sealed under a new passphrase.
pub fn seal_anew(path: &Path, new_file: Option<&Path>) -> Done {
    let keyring = Keyring::process();
    let seal = || {
        keyring.form(path, FILE_BYTES_MAX)?;
        let passphrase = new_passphrase(path, new_file)?;
        keyring.seal(path, FILE_BYTES_MAX, &passphrase)
    };
    seal().map_err(failed)
}

/// Keeps a file plain from now on. Says whether it was sealed.
pub fn unseal(path: &Path) -> Result<bool, Failure> {
    Keyring::process().unseal(path, FILE_BYTES_MAX).map_err(failed)
}

pub fn failed(error: SecretsError) -> Failure {
    let kind = match error {
        SecretsError::NoPassphrase(_) | SecretsError::Passphrase | SecretsError::Unlike | SecretsError::Interrupted => {
            Kind::Usage
        }
        SecretsError::Wrong(_) | SecretsError::TooHard(_) => Kind::Refused,
        _ => Kind::Files,
    };
    let hint = error.hint();
    Failure::new(kind, error).hint(hint)
}
