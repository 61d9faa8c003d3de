//! Files that only their owner may read: opened by it alone, written whole or not at all, changed by one process at a time.

use crate::error::SecretsError;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A file's bytes; `None` when there is none. Refuses one that others can read.
pub fn read(path: &Path, most: u64) -> Result<Option<Zeroizing<Vec<u8>>>, SecretsError> {
    let io = SecretsError::io(path);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io(error)),
    };
    let meta = file.metadata().map_err(&io)?;
    refuse_open(path, meta.mode(), 0o077, 0o600)?;
    let too_long = || SecretsError::TooLong {
        path: path.to_owned(),
        most,
    };
    if meta.len() > most {
        return Err(too_long());
    }
    // Room from the start: what grows leaves copies behind.
    let room = usize::try_from(meta.len()).unwrap_or(0) + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    file.take(most + 1).read_to_end(&mut bytes).map_err(&io)?;
    if bytes.len() as u64 > most {
        return Err(too_long());
    }
    Ok(Some(bytes))
}

/// Refuses what has any of the forbidden bits.
pub fn refuse_open(path: &Path, mode: u32, forbidden: u32, wanted: u32) -> Result<(), SecretsError> {
    if mode & forbidden == 0 {
        return Ok(());
    }
    Err(SecretsError::Open {
        path: path.to_owned(),
        mode: mode & 0o777,
        wanted,
    })
}

/// Writes a new file beside the old one, syncs it, and puts it in the old one's place.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), SecretsError> {
    let put = || {
        let draft = draft(path);
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        File::open(folder(path))?.sync_all()
    };
    put().map_err(SecretsError::io(path))
}

/// What a file is called until it is whole.
fn draft(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".new");
    name.into()
}

/// Alone with a file, until this is dropped or the process ends. Makes the file's folder when it is missing.
pub fn lock(path: &Path) -> Result<File, SecretsError> {
    let alone = || {
        let folder = folder(path);
        if !folder.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let mut options = OpenOptions::new();
        let options = options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(path.with_extension("lock"))?;
        file.lock()?;
        Ok(file)
    };
    alone().map_err(SecretsError::io(path))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_can_read_is_refused_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        write(&path, b"secret").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        for mode in [0o640, 0o604, 0o660, 0o644] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = read(&path, 100).unwrap_err();
            assert!(error.hint().contains("chmod 600"), "{error}");
            assert!(error.to_string().contains(&format!("{mode:03o}")), "{error}");
        }
    }

    #[test]
    fn a_longer_file_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        write(&path, b"secret").unwrap();
        assert_eq!(read(&path, 6).unwrap().unwrap().as_slice(), b"secret");
        assert!(matches!(read(&path, 5), Err(SecretsError::TooLong { most: 5, .. })));
        assert!(read(&folder.path().join("none"), 5).unwrap().is_none());
    }

    #[test]
    fn what_a_kill_left_of_a_file_to_be_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        write(&path, b"old").unwrap();
        fs::write(draft(&path), b"torn").unwrap();
        assert_eq!(read(&path, 6).unwrap().unwrap().as_slice(), b"old");
        write(&path, b"new").unwrap();
        assert_eq!(read(&path, 6).unwrap().unwrap().as_slice(), b"new");
        assert!(!draft(&path).exists());
    }
}
