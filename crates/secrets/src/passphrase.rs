//! A passphrase, and the file from which a service takes it. Never printed.

use crate::error::SecretsError;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use zeroize::Zeroizing;

/// More is no passphrase.
pub(crate) const BYTES_MAX: usize = 1_024;
/// Fewer are guessed.
pub(crate) const CHARACTERS_MIN: usize = 8;

#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase")
    }
}

impl Passphrase {
    /// Refuses one that is too short or too long to be one.
    pub fn new(text: Zeroizing<String>) -> Result<Self, SecretsError> {
        let fits = text.len() <= BYTES_MAX && text.chars().count() >= CHARACTERS_MIN;
        if fits {
            Ok(Self(text))
        } else {
            Err(SecretsError::Passphrase)
        }
    }

    /// The first line of a file that only this user, or what starts services for it, can read.
    pub fn of_file(path: &Path) -> Result<Self, SecretsError> {
        let io = SecretsError::io(path);
        let file = File::open(path).map_err(&io)?;
        let meta = file.metadata().map_err(&io)?;
        // What a service manager hands to a service belongs to root and opens to it by an access list, which shows as the group's bits.
        let handed = meta.uid() == 0 && !rustix::process::geteuid().is_root();
        let forbidden = if handed { 0o037 } else { 0o077 };
        crate::file::refuse_open(path, meta.mode(), forbidden, 0o600)?;
        let mut text = Zeroizing::new(String::with_capacity(BYTES_MAX + 3));
        file.take(BYTES_MAX as u64 + 3).read_to_string(&mut text).map_err(&io)?;
        let line = text.split(['\r', '\n']).next().unwrap_or_default();
        Self::new(Zeroizing::new(line.to_owned()))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        *self.0 == *other.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_gives_its_first_line_to_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passphrase");
        for text in ["correct horse\n", "correct horse", "correct horse\r\nmore\n"] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
            assert_eq!(Passphrase::of_file(&path).unwrap().bytes(), b"correct horse");
            fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        }
        for mode in [0o604, 0o620, 0o640, 0o666] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = Passphrase::of_file(&path).unwrap_err();
            assert!(error.hint().contains("chmod 600"), "{mode:o}: {error}");
        }
    }

    #[test]
    fn what_is_too_short_or_too_long_is_none_and_is_never_shown() {
        for text in ["", "seven77", &"x".repeat(BYTES_MAX + 1)] {
            let made = Passphrase::new(Zeroizing::new(text.to_owned()));
            assert!(matches!(made, Err(SecretsError::Passphrase)), "{}", text.len());
        }
        let made = Passphrase::new(Zeroizing::new("eight888".to_owned())).unwrap();
        assert!(!format!("{made:?}").contains("eight"));
    }
}
