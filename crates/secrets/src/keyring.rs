//! Opens sealed files: asks for a passphrase once a file, and remembers the key it leads to. What was sealed stays sealed however
//! often it is written.

use crate::error::SecretsError;
use crate::file;
use crate::passphrase::Passphrase;
use crate::sealed::{Header, Key, NONCE_BYTES, NotSealed, OVERHEAD_BYTES_MAX, SALT_BYTES, Sealed, Strength, seal};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use zeroize::Zeroizing;

/// Keys remembered; the oldest is forgotten.
const KEYS_MAX: usize = 16;

type Ask = Box<dyn Fn(&Path) -> Result<Passphrase, SecretsError> + Send + Sync>;

/// Opens files for a process.
pub struct Keyring {
    ask: Ask,
    strength: Strength,
    known: Mutex<Vec<Key>>,
}

/// How a file is kept.
#[derive(Clone, Default)]
pub enum Form {
    /// Readable by its owner, and by whoever has the disk.
    #[default]
    Plain,
    /// Under a passphrase.
    Sealed(SealedForm),
}

/// The key with which a file is sealed again.
#[derive(Clone)]
pub struct SealedForm(Key);

/// A file's content, and how it is kept.
#[derive(Debug)]
pub struct Opened {
    pub content: Zeroizing<Vec<u8>>,
    pub form: Form,
}

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_sealed() { "Sealed" } else { "Plain" })
    }
}

impl Form {
    pub fn is_sealed(&self) -> bool {
        matches!(self, Self::Sealed(_))
    }

    /// Writes a file in this form, whole or not at all.
    pub fn write(&self, path: &Path, content: &[u8]) -> Result<(), SecretsError> {
        match self {
            Self::Plain => file::write(path, content),
            Self::Sealed(SealedForm(key)) => file::write(path, &seal(content, key, random::<NONCE_BYTES>()?)),
        }
    }
}

static PROCESS: OnceLock<Keyring> = OnceLock::new();

impl Keyring {
    pub fn new(ask: impl Fn(&Path) -> Result<Passphrase, SecretsError> + Send + Sync + 'static) -> Self {
        Self {
            ask: Box::new(ask),
            strength: Strength::default(),
            known: Mutex::default(),
        }
    }

    /// Seals new files at another strength than the default.
    pub fn with_strength(mut self, strength: Strength) -> Self {
        self.strength = strength;
        self
    }

    /// That of this process: whoever can be asked for a passphrase is the process's, like its terminal. Asks nobody until
    /// [`Keyring::for_process`] says whom.
    pub fn process() -> &'static Self {
        PROCESS.get_or_init(|| Self::new(|path| Err(SecretsError::NoPassphrase(path.to_owned()))))
    }

    /// Makes this one the process's, if it has none yet.
    pub fn for_process(self) {
        let _ = PROCESS.set(self);
    }

    /// What a file of at most so many bytes holds; `None` when there is none.
    pub fn read(&self, path: &Path, most: u64) -> Result<Option<Opened>, SecretsError> {
        let Some(bytes) = file::read(path, most.saturating_add(OVERHEAD_BYTES_MAX))? else {
            return Ok(None);
        };
        let sealed = match Sealed::read(&bytes) {
            Ok(sealed) => sealed,
            Err(NotSealed::Plain) => {
                return Ok(Some(Opened {
                    content: bytes,
                    form: Form::Plain,
                }));
            }
            Err(NotSealed::Newer) => return Err(SecretsError::Newer(path.to_owned())),
            Err(NotSealed::Damaged) => return Err(SecretsError::Damaged(path.to_owned())),
            Err(NotSealed::TooHard) => return Err(SecretsError::TooHard(path.to_owned())),
        };
        let header = sealed.header;
        let known = self.known().iter().find(|key| key.header == header).cloned();
        let (key, is_new) = match known {
            Some(key) => (key, false),
            None => (derive(&(self.ask)(path)?, header), true),
        };
        let content = sealed.open(&key).ok_or_else(|| SecretsError::Wrong(path.to_owned()))?;
        if is_new {
            self.remember(key.clone());
        }
        Ok(Some(Opened {
            content,
            form: Form::Sealed(SealedForm(key)),
        }))
    }

    /// How a file is kept; plain when there is none.
    pub fn form(&self, path: &Path, most: u64) -> Result<Form, SecretsError> {
        Ok(self.read(path, most)?.map(|opened| opened.form).unwrap_or_default())
    }

    /// Seals a file under a passphrase, whatever it was under before. A file that is not there is made, with nothing in it.
    pub fn seal(&self, path: &Path, most: u64, passphrase: &Passphrase) -> Result<(), SecretsError> {
        let _alone = file::lock(path)?;
        let content = self.read(path, most)?.map(|opened| opened.content).unwrap_or_default();
        let header = Header {
            strength: self.strength,
            salt: random::<SALT_BYTES>()?,
        };
        let key = derive(passphrase, header);
        Form::Sealed(SealedForm(key.clone())).write(path, &content)?;
        self.remember(key);
        Ok(())
    }

    /// Keeps a file plain from now on. Says whether it was sealed.
    pub fn unseal(&self, path: &Path, most: u64) -> Result<bool, SecretsError> {
        let _alone = file::lock(path)?;
        match self.read(path, most)? {
            Some(Opened {
                content,
                form: Form::Sealed(_),
            }) => Form::Plain.write(path, &content).map(|()| true),
            _ => Ok(false),
        }
    }

    fn known(&self) -> MutexGuard<'_, Vec<Key>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, key: Key) {
        let mut known = self.known();
        if known.len() == KEYS_MAX {
            known.remove(0);
        }
        known.push(key);
    }
}

fn derive(passphrase: &Passphrase, header: Header) -> Key {
    Key::derive(passphrase, header).expect("what was read, and what is asked for here, is bounded")
}

fn random<const N: usize>() -> Result<[u8; N], SecretsError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| SecretsError::Random)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const LIGHT: Strength = Strength {
        memory_kib: 32,
        passes: 1,
        lanes: 1,
    };
    const MOST: u64 = 1_000;

    fn passphrase(text: &str) -> Passphrase {
        Passphrase::new(Zeroizing::new(text.to_owned())).unwrap()
    }

    fn knows(text: &'static str) -> Keyring {
        Keyring::new(move |_| Ok(passphrase(text))).with_strength(LIGHT)
    }

    fn asks_nobody() -> Keyring {
        Keyring::new(|path| Err(SecretsError::NoPassphrase(path.to_owned()))).with_strength(LIGHT)
    }

    fn place() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("account.keys");
        (folder, path)
    }

    fn content(keyring: &Keyring, path: &Path) -> Result<Vec<u8>, SecretsError> {
        Ok(keyring.read(path, MOST)?.unwrap().content.to_vec())
    }

    #[test]
    fn a_file_is_sealed_sealed_anew_and_opened_again() {
        let (_folder, path) = place();
        Form::Plain.write(&path, b"secret").unwrap();
        asks_nobody().seal(&path, MOST, &passphrase("first one")).unwrap();
        let first = fs::read(&path).unwrap();
        assert!(!first.windows(6).any(|part| part == b"secret"));
        assert!(matches!(
            content(&asks_nobody(), &path),
            Err(SecretsError::NoPassphrase(_))
        ));
        assert!(matches!(
            content(&knows("other one"), &path),
            Err(SecretsError::Wrong(_))
        ));
        assert_eq!(content(&knows("first one"), &path).unwrap(), b"secret");

        // Whoever does not know the old passphrase gives no new one.
        let stranger = knows("other one").seal(&path, MOST, &passphrase("other one"));
        assert!(matches!(stranger, Err(SecretsError::Wrong(_))));
        assert_eq!(fs::read(&path).unwrap(), first);
        knows("first one").seal(&path, MOST, &passphrase("second one")).unwrap();
        assert!(matches!(
            content(&knows("first one"), &path),
            Err(SecretsError::Wrong(_))
        ));
        assert!(knows("second one").unseal(&path, MOST).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"secret");
        assert!(!asks_nobody().unseal(&path, MOST).unwrap());
    }

    #[test]
    fn what_was_sealed_is_written_sealed_with_another_nonce() {
        let (_folder, path) = place();
        knows("first one").seal(&path, MOST, &passphrase("first one")).unwrap();
        let form = knows("first one").read(&path, MOST).unwrap().unwrap().form;
        form.write(&path, b"more").unwrap();
        let once = fs::read(&path).unwrap();
        form.write(&path, b"more").unwrap();
        assert_ne!(fs::read(&path).unwrap(), once);
        assert_eq!(content(&knows("first one"), &path).unwrap(), b"more");
        assert!(!format!("{form:?}").contains('['));
    }

    #[test]
    fn nobody_is_asked_twice_for_one_file() {
        let (_folder, path) = place();
        knows("first one").seal(&path, MOST, &passphrase("first one")).unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let keyring = Keyring::new(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(passphrase("first one"))
        });
        for _ in 0..3 {
            assert_eq!(content(&keyring, &path).unwrap(), b"");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn keys_that_are_remembered_have_an_end() {
        let (folder, _) = place();
        let keyring = knows("first one");
        for at in 0..2 * KEYS_MAX {
            let path = folder.path().join(format!("{at}.keys"));
            keyring.seal(&path, MOST, &passphrase("first one")).unwrap();
        }
        assert_eq!(keyring.known().len(), KEYS_MAX);
    }
}
