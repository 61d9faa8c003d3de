//! The folder of a person's keys and settings. Secrets leave it only to sign; nothing here prints one.
//!
//! ```text
//! settings.json   where node, verifier and gateway are, and the trust anchor of the node's chain
//! accounts.json   accounts that are not just the key of their name: rotated ones, and those of several keys
//! account.keys    the keys of accounts, 0600        agent/keys   the keys of devices, where the agent finds them
//! ```

use crate::error::{Done, Failure, Kind, OrFail};
use cairn_agent::keys::{Keys, KeysError};
use cairn_client::Anchor;
use cairn_types::SecretKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Where the node is unless settings say otherwise.
pub const NODE_DEFAULT: &str = "http://127.0.0.1:8640";
const SETTINGS: &str = "settings.json";
/// More is not settings, nor a list of accounts.
const JSON_BYTES_MAX: u64 = 64 * 1024;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    pub node: Option<String>,
    pub verifier: Option<String>,
    pub gateway: Option<String>,
    pub anchor: Option<AnchorText>,
    /// Of the chain's token, so that amounts can be read where no node is asked.
    pub decimals: Option<u8>,
}

/// The trust anchor as people can compare it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorText {
    pub chain: String,
    pub group_key: String,
    pub genesis: String,
    pub era: u32,
}

impl From<&Anchor> for AnchorText {
    fn from(anchor: &Anchor) -> Self {
        Self {
            chain: anchor.chain.clone(),
            group_key: hex::encode(anchor.group_key),
            genesis: hex::encode(anchor.genesis),
            era: anchor.era,
        }
    }
}

impl AnchorText {
    pub fn anchor(&self) -> Result<Anchor, Failure> {
        let mut anchor = Anchor {
            chain: self.chain.clone(),
            group_key: [0; 96],
            genesis: [0; 32],
            era: self.era,
        };
        let read = hex::decode_to_slice(&self.group_key, &mut anchor.group_key)
            .and_then(|()| hex::decode_to_slice(&self.genesis, &mut anchor.genesis));
        read.or_fail(Kind::Files, "the trust anchor in settings.json")?;
        Ok(anchor)
    }
}

impl Settings {
    pub fn node(&self) -> &str {
        self.node.as_deref().unwrap_or(NODE_DEFAULT)
    }

    /// The verifier; unless told otherwise the one beside the node.
    pub fn verifier(&self) -> Result<String, Failure> {
        self.verifier
            .clone()
            .map_or_else(|| crate::roles::beside(self.node(), 1), Ok)
    }

    pub fn gateway(&self) -> Result<String, Failure> {
        self.gateway
            .clone()
            .map_or_else(|| crate::roles::beside(self.node(), 2), Ok)
    }
}

/// The folder; made when something is first written into it.
pub struct Home {
    path: PathBuf,
}

impl Home {
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The folder's full name; it is there afterwards.
    pub fn absolute(&self) -> Result<PathBuf, Failure> {
        self.make()?;
        std::fs::canonicalize(&self.path).or_fail(Kind::Files, self.path.display())
    }

    /// Makes the folder, for its owner's eyes only.
    pub fn make(&self) -> Done {
        if self.path.is_dir() {
            return Ok(());
        }
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path);
        made.or_fail(Kind::Files, self.path.display())
    }

    pub fn settings(&self) -> Result<Settings, Failure> {
        self.read(
            SETTINGS,
            "mend the file, or remove it: addresses and trust anchor are learned again",
        )
    }

    /// What a JSON file of this folder says; the default of its kind while there is none.
    pub fn read<T: DeserializeOwned + Default>(&self, name: &str, hint: &str) -> Result<T, Failure> {
        let path = self.join(name);
        match std::fs::metadata(&path) {
            Err(_) => return Ok(T::default()),
            Ok(meta) if meta.len() > JSON_BYTES_MAX => {
                return Err(Failure::new(Kind::Files, format!("{} is too long", path.display())).hint(hint));
            }
            Ok(_) => {}
        }
        let text = std::fs::read_to_string(&path).or_fail(Kind::Files, path.display())?;
        let read = serde_json::from_str(&text).or_fail(Kind::Files, path.display());
        read.map_err(|failure| failure.hint(hint))
    }

    pub fn save(&self, settings: &Settings) -> Done {
        self.write_json(SETTINGS, settings)
    }

    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Done {
        let text = serde_json::to_string_pretty(value).or_fail(Kind::Internal, name)?;
        self.write(name, format!("{text}\n").as_bytes())
    }

    /// Writes a file that only its owner reads, whole or not at all.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Done {
        self.make()?;
        write_whole(&self.join(name), bytes)
    }

    pub fn account_keys(&self) -> Result<Keys, Failure> {
        self.keys(&self.account_keys_path())
    }

    pub fn account_keys_path(&self) -> PathBuf {
        self.join("account.keys")
    }

    pub fn device_keys(&self) -> Result<Keys, Failure> {
        self.keys(&self.device_keys_path())
    }

    pub fn device_keys_path(&self) -> PathBuf {
        self.join("agent").join("keys")
    }

    fn keys(&self, path: &Path) -> Result<Keys, Failure> {
        Keys::open(path).map_err(keys_failed)
    }

    /// The key of an account, by its name.
    pub fn account_key(&self, name: &str) -> Result<SecretKey, Failure> {
        let keys = self.account_keys()?;
        keys.get(name).cloned().ok_or_else(|| {
            Failure::new(
                Kind::NotFound,
                format!("{} has no account key called {name}", self.path.display()),
            )
            .hint(format!(
                "make it with `cairn key new {name}`, or name another with --key"
            ))
        })
    }
}

/// Writes a file that only its owner reads, whole or not at all.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Done {
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = PathBuf::from(draft);
    let put = || {
        let _ = std::fs::remove_file(&draft);
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&draft, path)
    };
    put().or_fail(Kind::Files, path.display())
}

pub fn keys_failed(error: KeysError) -> Failure {
    match error {
        KeysError::Secrets(error) => crate::unlock::failed(error),
        KeysError::BadName(_) => Failure::new(Kind::Usage, error),
        _ => Failure::new(Kind::Files, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn settings_read_back_and_only_their_owner_can_read_them() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(&folder.path().join("home"));
        assert_eq!(home.settings().unwrap(), Settings::default());
        let settings = Settings {
            node: Some("http://127.0.0.1:9000".to_owned()),
            anchor: Some(AnchorText::from(&Anchor {
                chain: "x".to_owned(),
                group_key: [1; 96],
                genesis: [2; 32],
                era: 0,
            })),
            ..Settings::default()
        };
        home.save(&settings).unwrap();
        assert_eq!(home.settings().unwrap(), settings);
        assert_eq!(settings.gateway().unwrap(), "http://127.0.0.1:9002");
        for (path, mode) in [(home.join(""), 0o700), (home.join(SETTINGS), 0o600)] {
            assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
        }
    }

    #[test]
    fn a_key_that_is_not_there_is_not_found() {
        let folder = tempfile::tempdir().unwrap();
        let failure = Home::at(folder.path()).account_key("me").map(drop).unwrap_err();
        assert_eq!(failure.kind, Kind::NotFound);
        assert!(failure.hint.unwrap().contains("cairn key new me"));
    }
}
