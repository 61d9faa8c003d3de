//! The secret keys of devices in one file that only its owner can read, plain or sealed under a passphrase. A secret is never printed,
//! logged or put into an error.
//!
//! ```text
//! gauge-7 ed25519:5f0c…        a line per device: name, kind, 32 secret bytes in hex
//! roof    p256:91aa…
//! ```

use cairn_secrets::{Form, Keyring, SecretsError, file};
use cairn_types::SecretKey;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use thiserror::Error;
use zeroize::Zeroizing;

/// The longest name of a device.
pub const NAME_BYTES_MAX: usize = 64;
/// The longest file of keys: about half a million devices.
pub const FILE_BYTES_MAX: u64 = 64 << 20;

/// Which kind of key to make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    #[default]
    Ed25519,
    P256,
}

#[derive(Debug, Error)]
pub enum KeysError {
    #[error("{0}; {hint}", hint = .0.hint())]
    Secrets(#[from] SecretsError),
    #[error("{path}, line {line}: expected NAME ed25519:HEX or NAME p256:HEX, each name once")]
    BadLine { path: PathBuf, line: usize },
    #[error("{0:?} is no name of a device; use 1 to {NAME_BYTES_MAX} of a-z, A-Z, 0-9, '-', '_' and '.'")]
    BadName(String),
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
}

/// Whether a device may be called so: it stands in topics, paths and files.
pub fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.')
}

/// Keys by the name of their device.
pub struct Keys {
    path: PathBuf,
    form: Form,
    keys: BTreeMap<String, SecretKey>,
}

impl Keys {
    /// Reads a file of keys; a missing one has none. Refuses a file that others can read, or a folder they can write.
    pub fn open(path: &Path) -> Result<Self, KeysError> {
        let mut keys = Self {
            path: path.to_owned(),
            form: Form::Plain,
            keys: BTreeMap::new(),
        };
        let Some(opened) = Keyring::process().read(path, FILE_BYTES_MAX)? else {
            return Ok(keys);
        };
        if let Some(folder) = folder(path) {
            let meta = folder.metadata().map_err(|error| KeysError::Io {
                path: folder.to_owned(),
                error,
            })?;
            file::refuse_open(folder, meta.mode(), 0o022, 0o700)?;
        }
        keys.form = opened.form;
        let text = std::str::from_utf8(&opened.content).map_err(|_| keys.bad_line(0))?;
        for (at, line) in text.lines().enumerate() {
            let (name, key) = read_line(line).ok_or_else(|| keys.bad_line(at))?;
            if keys.keys.insert(name.to_owned(), key).is_some() {
                return Err(keys.bad_line(at));
            }
        }
        Ok(keys)
    }

    /// Whether the file is under a passphrase.
    pub fn is_sealed(&self) -> bool {
        self.form.is_sealed()
    }

    /// Keys that are in no file, as long as nobody adds one.
    pub fn in_memory(keys: impl IntoIterator<Item = (String, SecretKey)>) -> Self {
        Self {
            path: PathBuf::new(),
            form: Form::Plain,
            keys: keys.into_iter().collect(),
        }
    }

    pub fn get(&self, name: &str) -> Option<&SecretKey> {
        self.keys.get(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// Makes keys for the names that have none and writes the file. Says how many were made.
    pub fn make_missing<'a>(
        &mut self,
        names: impl IntoIterator<Item = (&'a str, KeyKind)>,
    ) -> Result<usize, KeysError> {
        let missing = self.missing(names)?;
        if missing.is_empty() {
            return Ok(0);
        }
        self.change(|keys| {
            for (name, kind) in missing {
                if !keys.contains_key(name) {
                    keys.insert(name.to_owned(), generate(kind)?);
                }
            }
            Ok(())
        })
    }

    /// Takes keys made elsewhere and writes the file; a name that has a key keeps it. Says how many were taken.
    pub fn insert<'a>(&mut self, given: impl IntoIterator<Item = (&'a str, SecretKey)>) -> Result<usize, KeysError> {
        let missing = self.missing(given)?;
        if missing.is_empty() {
            return Ok(0);
        }
        self.change(|keys| {
            for (name, key) in missing {
                keys.entry(name.to_owned()).or_insert(key);
            }
            Ok(())
        })
    }

    /// Gives the key of one name to another, whose own key stays as `NAME.old`, `NAME.old-2` and so on: it may open other doors. Nothing
    /// happens when there is no such key.
    pub fn replace(&mut self, name: &str, by: &str) -> Result<(), KeysError> {
        let moved = self.change(|keys| {
            let Some(key) = keys.remove(by) else { return Ok(()) };
            if let Some(old) = keys.insert(name.to_owned(), key) {
                let others = (2..).map(|at| format!("{name}.old-{at}"));
                let mut names = std::iter::once(format!("{name}.old")).chain(others);
                let kept = names.find(|name| !keys.contains_key(name)).expect("names do not end");
                if !is_name(&kept) {
                    return Err(KeysError::BadName(kept));
                }
                keys.insert(kept, old);
            }
            Ok(())
        });
        moved.map(drop)
    }

    /// Those whose name has no key yet; every name must be one.
    fn missing<'a, T>(&self, given: impl IntoIterator<Item = (&'a str, T)>) -> Result<Vec<(&'a str, T)>, KeysError> {
        let mut missing = Vec::new();
        for (name, value) in given {
            if !is_name(name) {
                return Err(KeysError::BadName(name.to_owned()));
            }
            if !self.keys.contains_key(name) {
                missing.push((name, value));
            }
        }
        Ok(missing)
    }

    /// Changes the file as it is now, alone: a process that adds a key at the same time waits, and loses none. Says how many keys
    /// were added.
    fn change(
        &mut self,
        change: impl FnOnce(&mut BTreeMap<String, SecretKey>) -> Result<(), KeysError>,
    ) -> Result<usize, KeysError> {
        let _alone = file::lock(&self.path)?;
        *self = Self::open(&self.path)?;
        let before = self.keys.clone();
        change(&mut self.keys)?;
        let same =
            |(name, key): (&String, &SecretKey)| before.get(name).is_some_and(|old| old.public() == key.public());
        if self.keys.len() != before.len() || !self.keys.iter().all(same) {
            self.save()?;
        }
        Ok(self.keys.len().saturating_sub(before.len()))
    }

    fn save(&self) -> Result<(), KeysError> {
        let mut text = Zeroizing::new(String::with_capacity(self.keys.len() * 144));
        for (name, key) in &self.keys {
            let (kind, secret) = match key {
                SecretKey::Ed25519(secret) => ("ed25519", secret),
                SecretKey::P256(secret, _) => ("p256", secret),
            };
            let digits = Zeroizing::new(hex::encode(secret.as_slice()));
            writeln!(text, "{name} {kind}:{}", *digits).expect("writing into memory cannot fail");
        }
        Ok(self.form.write(&self.path, text.as_bytes())?)
    }

    fn bad_line(&self, at: usize) -> KeysError {
        KeysError::BadLine {
            path: self.path.clone(),
            line: at + 1,
        }
    }
}

fn folder(path: &Path) -> Option<&Path> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty())
}

fn read_line(line: &str) -> Option<(&str, SecretKey)> {
    let (name, key) = line.split_once(' ').filter(|(name, _)| is_name(name))?;
    let (kind, digits) = key.split_once(':')?;
    let mut secret = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits, secret.as_mut_slice()).ok()?;
    match kind {
        "ed25519" => Some((name, SecretKey::ed25519(*secret))),
        "p256" => SecretKey::p256(*secret).ok().map(|key| (name, key)),
        _ => None,
    }
}

fn generate(kind: KeyKind) -> Result<SecretKey, KeysError> {
    loop {
        let mut secret = Zeroizing::new([0; 32]);
        getrandom::fill(secret.as_mut_slice()).map_err(|_| SecretsError::Random)?;
        match kind {
            KeyKind::Ed25519 => return Ok(SecretKey::ed25519(*secret)),
            // One in 2^32 is no scalar: draw again.
            KeyKind::P256 => {
                if let Ok(key) = SecretKey::p256(*secret) {
                    return Ok(key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn made() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent").join("keys");
        let wanted = [("roof", KeyKind::P256), ("gauge-7", KeyKind::Ed25519)];
        let mut keys = Keys::open(&path).unwrap();
        assert_eq!(keys.make_missing(wanted).unwrap(), 2);
        assert_eq!(keys.make_missing(wanted).unwrap(), 0);
        (folder, path)
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o777
    }

    #[test]
    fn two_that_add_keys_at_once_lose_none() {
        let (_folder, path) = made();
        let stale: Vec<Keys> = (0..8).map(|_| Keys::open(&path).unwrap()).collect();
        std::thread::scope(|threads| {
            for (at, mut keys) in stale.into_iter().enumerate() {
                threads.spawn(move || {
                    let name = format!("late-{at}");
                    assert_eq!(keys.make_missing([(name.as_str(), KeyKind::Ed25519)]).unwrap(), 1);
                    assert_eq!(keys.make_missing([("roof", KeyKind::P256)]).unwrap(), 0);
                });
            }
        });
        assert_eq!(Keys::open(&path).unwrap().names().count(), 2 + 8);
    }

    #[test]
    fn a_key_made_elsewhere_is_taken_once() {
        let (_folder, path) = made();
        let mut keys = Keys::open(&path).unwrap();
        let mine = || SecretKey::ed25519([3; 32]);
        assert_eq!(keys.insert([("new", mine()), ("roof", mine())]).unwrap(), 1);
        let keys = Keys::open(&path).unwrap();
        assert_eq!(keys.get("new").unwrap().public(), mine().public());
        assert_ne!(keys.get("roof").unwrap().public(), mine().public());
    }

    #[test]
    fn a_key_takes_the_place_of_another() {
        let (_folder, path) = made();
        let mut keys = Keys::open(&path).unwrap();
        let [gauge, roof] = ["gauge-7", "roof"].map(|name| keys.get(name).unwrap().public());
        keys.replace("gauge-7", "nothing").unwrap();
        keys.replace("gauge-7", "roof").unwrap();
        keys.make_missing([("roof", KeyKind::Ed25519)]).unwrap();
        keys.replace("gauge-7", "roof").unwrap();
        let keys = Keys::open(&path).unwrap();
        let names: Vec<&str> = keys.names().collect();
        assert_eq!(names, ["gauge-7", "gauge-7.old", "gauge-7.old-2"]);
        for (name, key) in [("gauge-7.old", gauge), ("gauge-7.old-2", roof)] {
            assert_eq!(keys.get(name).unwrap().public(), key);
        }
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn keys_are_made_once_and_only_their_owner_can_read_them() {
        let (_folder, path) = made();
        let (one, two) = (Keys::open(&path).unwrap(), Keys::open(&path).unwrap());
        for name in ["gauge-7", "roof"] {
            assert_eq!(one.get(name).unwrap().public(), two.get(name).unwrap().public());
        }
        assert_eq!(one.names().collect::<Vec<_>>(), ["gauge-7", "roof"]);
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        assert!(!path.with_extension("new").exists());
    }

    #[test]
    fn what_others_can_read_or_replace_is_refused_with_a_hint() {
        let (_folder, path) = made();
        for bad in [0o640, 0o604, 0o660, 0o644] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(bad)).unwrap();
            let error = Keys::open(&path).map(|_| ()).unwrap_err().to_string();
            assert!(
                error.contains("chmod 600") && error.contains(&format!("{bad:03o}")),
                "{error}"
            );
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::set_permissions(path.parent().unwrap(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let error = Keys::open(&path).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("chmod 700"), "{error}");
    }

    #[test]
    fn an_error_names_the_line_and_not_the_secret() {
        let (_folder, path) = made();
        let secret = "ab".repeat(31);
        for line in [&format!("x ed25519:{secret}"), "x", "a/b ed25519:00", "x rsa:00"] {
            std::fs::write(&path, format!("{line}\n")).unwrap();
            let error = Keys::open(&path).map(|_| ()).unwrap_err();
            assert!(matches!(error, KeysError::BadLine { line: 1, .. }), "{error}");
            assert!(!format!("{error} {error:?}").contains("abab"));
        }
    }

    #[test]
    fn a_name_is_plain() {
        assert!(is_name("ams-7_roof.2"));
        for bad in ["", ".", "..", "a/b", "a b", "é", &"a".repeat(65)] {
            assert!(!is_name(bad), "{bad}");
        }
        let folder = tempfile::tempdir().unwrap();
        let mut keys = Keys::open(&folder.path().join("keys")).unwrap();
        assert!(matches!(
            keys.make_missing([("../x", KeyKind::Ed25519)]),
            Err(KeysError::BadName(_))
        ));
    }
}
