//! Where secrets are kept, each under a name: one file beside the key file, readable by its owner only, always sealed under the
//! identity in the key file. So a passphrase on the key file covers it, and a new passphrase changes nothing here.

use crate::key_file::{self, KeysError};
use cairn_secrets::{Form, Keyring, Passphrase, SecretsError, Strength};
use cairn_types::{codec, hash};
use commonware_codec::Encode as _;
use commonware_cryptography::ed25519::PrivateKey;
use minicbor::{CborLen, Decode, Encode};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
};
use zeroize::Zeroizing;

/// Bytes of the file: more than two epochs of any number of validators need.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// What follows the key file's name.
const SUFFIX: &str = ".shares";
/// The identity cannot be guessed, so there is nothing to make slow.
const STRENGTH: Strength = Strength {
    memory_kib: 64,
    passes: 1,
    lanes: 1,
};
const DISK_WORKS: &str =
    "the file of shares can be written; a validator that forgot what it dealt would contradict itself";

type Entries = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// Where secrets are kept, each under a name.
pub(crate) trait Shelf: Send + Sync {
    /// Durable when it returns.
    fn put(&self, name: &str, bytes: &[u8]);
    fn get(&self, name: &str) -> Option<Zeroizing<Vec<u8>>>;
    fn names(&self) -> Vec<String>;
    fn remove(&self, names: &[String]);
    /// Takes the share out with which the era began: it could sign for ever.
    fn forget_founding(&self);
}

/// A shelf that lasts as long as its process: for simulation.
#[cfg(any(test, feature = "sim"))]
#[derive(Default)]
pub(crate) struct Memory(Mutex<Entries>);

#[cfg(any(test, feature = "sim"))]
impl Shelf for Memory {
    fn put(&self, name: &str, bytes: &[u8]) {
        lock(&self.0).insert(name.to_owned(), Zeroizing::new(bytes.to_vec()));
    }

    fn get(&self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        lock(&self.0).get(name).cloned()
    }

    fn names(&self) -> Vec<String> {
        lock(&self.0).keys().cloned().collect()
    }

    fn remove(&self, names: &[String]) {
        lock(&self.0).retain(|name, _| !names.contains(name));
    }

    fn forget_founding(&self) {}
}

fn lock(entries: &Mutex<Entries>) -> MutexGuard<'_, Entries> {
    entries.lock().expect("no panic while this lock is held")
}

/// The file beside a key file.
pub(crate) struct File {
    keys: PathBuf,
    path: PathBuf,
    form: Form,
    entries: Mutex<Entries>,
}

#[derive(Encode, Decode, CborLen)]
#[cbor(array)]
struct Line {
    #[n(0)]
    name: String,
    #[cbor(n(1), with = "minicbor::bytes")]
    bytes: Vec<u8>,
}

impl File {
    /// That of the key file with this identity, made at the first start.
    pub(crate) fn open(keys: &Path, identity: &PrivateKey) -> Result<Self, KeysError> {
        let path = beside(keys);
        let secret = Zeroizing::new(identity.encode().to_vec());
        let key = hash::domain("cairn/shares-file/1", &[&secret]);
        let phrase = Zeroizing::new(key.to_string());
        let keyring = Keyring::new(move |_| Passphrase::new(phrase.clone())).with_strength(STRENGTH);
        let passphrase = Passphrase::new(Zeroizing::new(key.to_string()))?;
        let opened = match keyring.read(&path, FILE_BYTES_MAX)? {
            Some(opened) => opened,
            None => {
                keyring.seal(&path, FILE_BYTES_MAX, &passphrase)?;
                let made = keyring.read(&path, FILE_BYTES_MAX)?;
                made.ok_or(KeysError::Secrets(SecretsError::Damaged(path.clone())))?
            }
        };
        if !opened.form.is_sealed() {
            // Not what this program wrote; going on with it would write shares down for whoever has the disk.
            return Err(SecretsError::Damaged(path).into());
        }
        let lines: Vec<Line> = match opened.content.is_empty() {
            true => Vec::new(),
            false => codec::decode_canonical(&opened.content).map_err(|_| SecretsError::Damaged(path.clone()))?,
        };
        let entries = lines.into_iter().map(|line| (line.name, Zeroizing::new(line.bytes)));
        Ok(Self {
            keys: keys.to_owned(),
            entries: Mutex::new(entries.collect()),
            form: opened.form,
            path,
        })
    }

    fn write(&self, entries: &Entries) {
        let line = |(name, bytes): (&String, &Zeroizing<Vec<u8>>)| Line {
            name: name.clone(),
            bytes: bytes.to_vec(),
        };
        let mut lines: Vec<Line> = entries.iter().map(line).collect();
        let bytes = Zeroizing::new(codec::encode(&lines));
        lines
            .iter_mut()
            .for_each(|line| zeroize::Zeroize::zeroize(&mut line.bytes));
        self.form.write(&self.path, &bytes).expect(DISK_WORKS);
    }
}

/// The file of shares that belongs to a key file.
pub(crate) fn beside(keys: &Path) -> PathBuf {
    let mut name = keys.as_os_str().to_owned();
    name.push(SUFFIX);
    name.into()
}

impl Shelf for File {
    fn put(&self, name: &str, bytes: &[u8]) {
        let mut entries = lock(&self.entries);
        let new = entries.insert(name.to_owned(), Zeroizing::new(bytes.to_vec()));
        if new.is_none_or(|before| before[..] != *bytes) {
            self.write(&entries);
        }
    }

    fn get(&self, name: &str) -> Option<Zeroizing<Vec<u8>>> {
        lock(&self.entries).get(name).cloned()
    }

    fn names(&self) -> Vec<String> {
        lock(&self.entries).keys().cloned().collect()
    }

    fn remove(&self, names: &[String]) {
        let mut entries = lock(&self.entries);
        let before = entries.len();
        entries.retain(|name, _| !names.contains(name));
        if entries.len() < before {
            self.write(&entries);
        }
    }

    fn forget_founding(&self) {
        // The next epoch comes by here again.
        if let Err(error) = key_file::forget_share(&self.keys) {
            tracing::warn!(%error, "the share with which the era began is still in the key file");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Identity, key_file::Stored};
    use std::{fs, os::unix::fs::PermissionsExt as _};

    #[test]
    fn secrets_come_back_are_for_their_owner_only_and_in_no_one_elses_hands() {
        let dir = tempfile::tempdir().unwrap();
        let keys = dir.path().join("mine.keys");
        Identity::make(&keys).unwrap();
        let identity = |path: &Path| Stored::read(path).unwrap().unwrap().identity().clone();
        let shelf = File::open(&keys, &identity(&keys)).unwrap();
        shelf.put("00000000000000000001-share", b"a share of the key");
        shelf.put("00000000000000000002-share", b"the next share");
        shelf.remove(&["00000000000000000001-share".to_owned()]);
        drop(shelf);
        let path = beside(&keys);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(14).any(|part| part == b"the next share"));
        let again = File::open(&keys, &identity(&keys)).unwrap();
        assert_eq!(again.names(), ["00000000000000000002-share"]);
        assert_eq!(again.get("00000000000000000002-share").unwrap()[..], *b"the next share");

        let other = dir.path().join("other.keys");
        Identity::make(&other).unwrap();
        assert!(
            File::open(&keys, &identity(&other)).is_err(),
            "another identity opens nothing"
        );
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(
            File::open(&keys, &identity(&keys)).is_err(),
            "what is damaged is said to be so"
        );
        fs::write(&path, b"").unwrap();
        assert!(
            File::open(&keys, &identity(&keys)).is_err(),
            "and what is not sealed is no file of shares"
        );
    }
}
