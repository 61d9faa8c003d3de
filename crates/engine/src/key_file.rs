//! The file of a node's keys: readable by its owner only, plain or sealed under a passphrase, written whole or not at all, never shown.
//! It begins with an identity; the ceremony adds a share of the group key.
//!
//! ```text
//! [identity]                                         a follower, or a validator before the ceremony
//! [identity, share, validators, their keys, sharing]  a validator; its share is empty once others took its place
//! ```

use crate::{
    engine_types::{Bls, PublicKey},
    keys::Keys,
    light::GROUP_KEY_BYTES,
};
use cairn_secrets::{Form, Keyring, SecretsError};
use cairn_types::{SecretKey, Signature, codec};
use commonware_codec::{Copying, DecodeExt as _, Encode as _, Read as _};
use commonware_cryptography::{
    bls12381::primitives::{
        group::Share,
        sharing::{ModeVersion, Sharing},
    },
    ed25519::PrivateKey,
};
use commonware_utils::{Faults as _, N3f1};
use minicbor::{CborLen, Decode, Encode};
use std::{num::NonZeroU32, path::Path};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Its name in a chain's data folder, unless told otherwise.
pub(crate) const FILE: &str = "validator.keys";
/// Bytes of a key file: more than any number of validators needs.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Why keys could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error("the key file is damaged")]
    Damaged,
    #[error("the key file belongs to other validators than the configuration names")]
    OtherValidators,
    #[error("there is no key file, and only a lone validator makes its own")]
    Absent,
    #[error("the key file has no share of the group key: its validator has not taken part in the ceremony")]
    NoShare,
    #[error("the computer gives no random numbers")]
    Random,
}

impl KeysError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Secrets(error) => error.hint(),
            Self::Damaged => "bring it back from a backup; nobody else has it",
            Self::OtherValidators => "name the key file and the genesis file of one and the same network",
            Self::Absent => "name the file that `cairn genesis join` wrote",
            Self::NoShare => "run `cairn genesis sign` together with the other validators",
            Self::Random => "try again when the system has started up",
        }
    }
}

/// Who a node is, from its key file.
#[derive(Clone, Debug)]
pub struct Identity {
    secret: SecretKey,
    group: Option<Group>,
}

/// The key of all validators together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Checks certificates.
    pub key: [u8; GROUP_KEY_BYTES],
    /// The same with what checks single votes, see [`Config::sharing`](crate::Config::sharing).
    pub sharing: Vec<u8>,
}

impl Group {
    /// The group of so many validators from its sharing; `None` for bytes that are none.
    pub fn read(sharing: &[u8], validators: usize) -> Option<Self> {
        let total = NonZeroU32::new(u32::try_from(validators).ok()?)?;
        let read: Sharing<Bls> = Sharing::read_cfg(&mut Copying(sharing), &(total, ModeVersion::v0())).ok()?;
        let group = Self::of(&read);
        let whole = read.total() == total && read.required() == N3f1::quorum(validators) && group.sharing == sharing;
        whole.then_some(group)
    }

    pub(crate) fn of(sharing: &Sharing<Bls>) -> Self {
        let key = sharing.public().encode();
        Self {
            key: <[u8; GROUP_KEY_BYTES]>::try_from(&key[..]).expect("a group key has 96 bytes"),
            sharing: sharing.encode().to_vec(),
        }
    }
}

impl Identity {
    /// The identity in a file; made there if there is no file.
    pub fn make(path: &Path) -> Result<Self, KeysError> {
        match Self::open(path) {
            Err(KeysError::Absent) => {}
            found => return found,
        }
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(|_| KeysError::Random)?;
        let file = IdentityFile {
            identity: seed.to_vec(),
        };
        put(path, &file)?;
        Self::open(path)
    }

    /// The identity in a file.
    pub fn open(path: &Path) -> Result<Self, KeysError> {
        let stored = Stored::read(path)?.ok_or(KeysError::Absent)?;
        let seed = stored.identity().encode();
        let seed = <[u8; 32]>::try_from(&seed[..]).expect("an Ed25519 secret has 32 bytes");
        Ok(Self {
            secret: SecretKey::ed25519(seed),
            group: match stored {
                Stored::Identity(_) => None,
                Stored::Whole(keys) => Some(Group::of(&keys.sharing)),
            },
        })
    }

    /// The node's public key: 32 bytes of Ed25519.
    pub fn key(&self) -> [u8; 32] {
        let cairn_types::PublicKey::Ed25519(key) = self.secret.public() else {
            unreachable!("an identity is an Ed25519 key")
        };
        key
    }

    /// The group that this node has a share of.
    pub fn group(&self) -> Option<&Group> {
        self.group.as_ref()
    }

    /// Signs in the node's name.
    pub fn sign(&self, message: &[u8]) -> Signature {
        self.secret.sign(message)
    }
}

/// What a file holds.
pub(crate) enum Stored {
    Identity(PrivateKey),
    Whole(Keys),
}

#[derive(Encode, Decode, CborLen, Zeroize, ZeroizeOnDrop)]
#[cbor(array)]
struct IdentityFile {
    #[cbor(n(0), with = "minicbor::bytes")]
    identity: Vec<u8>,
}

#[derive(Encode, Decode, CborLen, Zeroize, ZeroizeOnDrop)]
#[cbor(array)]
struct WholeFile {
    #[cbor(n(0), with = "minicbor::bytes")]
    identity: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    share: Vec<u8>,
    #[n(2)]
    #[zeroize(skip)]
    validators: u32,
    #[cbor(n(3), with = "minicbor::bytes")]
    #[zeroize(skip)]
    keys: Vec<u8>,
    #[cbor(n(4), with = "minicbor::bytes")]
    #[zeroize(skip)]
    sharing: Vec<u8>,
}

impl Stored {
    /// What a file holds; `None` when there is none, or one that was sealed before it had anything in it.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, KeysError> {
        match Keyring::process().read(path, FILE_BYTES_MAX)? {
            None => Ok(None),
            Some(opened) if opened.content.is_empty() && opened.form.is_sealed() => Ok(None),
            Some(opened) => Self::decode(&opened.content).map(Some).ok_or(KeysError::Damaged),
        }
    }

    pub(crate) fn identity(&self) -> &PrivateKey {
        match self {
            Self::Identity(identity) => identity,
            Self::Whole(keys) => &keys.identity,
        }
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        match codec::decode_canonical::<WholeFile>(bytes) {
            Ok(file) => file.keys().map(Self::Whole),
            Err(_) => {
                let file = codec::decode_canonical::<IdentityFile>(bytes).ok()?;
                PrivateKey::decode(Copying(&file.identity)).ok().map(Self::Identity)
            }
        }
    }
}

impl WholeFile {
    fn keys(&self) -> Option<Keys> {
        let validators: Vec<PublicKey> = self
            .keys
            .chunks(32)
            .map(|key| PublicKey::decode(Copying(key)).ok())
            .collect::<Option<_>>()?;
        let total = NonZeroU32::new(self.validators)?;
        let keys = Keys::new(
            PrivateKey::decode(Copying(&self.identity)).ok()?,
            validators,
            Sharing::read_cfg(&mut Copying(&self.sharing), &(total, ModeVersion::v0())).ok()?,
        )?;
        match self.share.is_empty() {
            true => Some(keys),
            false => keys.with_share(Share::decode(Copying(&self.share)).ok()?),
        }
    }
}

/// Writes a validator's keys.
pub(crate) fn write(path: &Path, keys: &Keys) -> Result<(), KeysError> {
    let share = keys.share.as_ref().ok_or(KeysError::NoShare)?;
    put(path, &whole(keys, share.encode().to_vec()))
}

/// Takes the share out of a file: later ones are kept elsewhere, and a quorum of old ones could sign anything for ever.
pub(crate) fn forget_share(path: &Path) -> Result<(), KeysError> {
    match Stored::read(path)? {
        Some(Stored::Whole(keys)) if keys.share.is_some() => put(path, &whole(&keys, Vec::new())),
        _ => Ok(()),
    }
}

fn whole(keys: &Keys, share: Vec<u8>) -> WholeFile {
    WholeFile {
        identity: keys.identity.encode().to_vec(),
        share,
        validators: u32::try_from(keys.validators.len()).expect("bounded by VALIDATORS_MAX"),
        keys: keys.validators.iter().flat_map(crate::block::key_bytes).collect(),
        sharing: keys.sharing.encode().to_vec(),
    }
}

/// How a key file is kept.
pub(crate) fn form(path: &Path) -> Result<Form, KeysError> {
    Ok(Keyring::process().form(path, FILE_BYTES_MAX)?)
}

/// Writes a file in the form it has: one under a passphrase stays so.
fn put<T: Encode<()> + CborLen<()>>(path: &Path, file: &T) -> Result<(), KeysError> {
    let form = form(path)?;
    let bytes = Zeroizing::new(codec::encode(file));
    Ok(form.write(path, &bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_secrets::Passphrase;
    use std::{fs, os::unix::fs::PermissionsExt as _};

    #[test]
    fn an_identity_is_made_once_and_signs_what_anyone_can_check() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.keys");
        assert!(matches!(Identity::open(&path), Err(KeysError::Absent)));
        let made = Identity::make(&path).unwrap();
        assert_eq!(Identity::make(&path).unwrap().key(), made.key());
        assert_eq!(made.group(), None);
        let key = cairn_types::PublicKey::Ed25519(made.key());
        assert!(key.verify(b"message", &made.sign(b"message")));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = format!("{made:?}");
        let secret = hex(made.secret.secret_bytes().as_slice());
        assert!(!text.contains(&secret));
    }

    #[test]
    fn keys_under_a_passphrase_stay_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.keys");
        let passphrase = || Passphrase::new(Zeroizing::new("correct horse".to_owned()));
        Keyring::new(move |_| passphrase()).for_process();
        let keyring = Keyring::process();
        keyring.seal(&path, FILE_BYTES_MAX, &passphrase().unwrap()).unwrap();
        assert!(matches!(Identity::open(&path), Err(KeysError::Absent)));
        let made = Identity::make(&path).unwrap();
        let secret = made.secret.secret_bytes().to_vec();
        let holds = |part: &[u8]| fs::read(&path).unwrap().windows(part.len()).any(|found| found == part);
        assert!(!holds(&secret));
        assert_eq!(Identity::open(&path).unwrap().key(), made.key());
        keyring.unseal(&path, FILE_BYTES_MAX).unwrap();
        assert!(holds(&secret));
        assert_eq!(Identity::open(&path).unwrap().key(), made.key());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Identity::open(&path).unwrap_err().hint().contains("chmod 600"));
    }

    #[test]
    fn a_share_is_taken_out_of_its_file_and_all_else_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.keys");
        crate::deal(&[path.clone(), dir.path().join("other.keys")]).unwrap();
        let open = || match Stored::read(&path).unwrap() {
            Some(Stored::Whole(keys)) => keys,
            _ => panic!("a validator's file"),
        };
        let before = open();
        forget_share(&path).unwrap();
        forget_share(&path).unwrap();
        let after = open();
        assert!(before.share.is_some() && after.share.is_none());
        assert_eq!(after.validators, before.validators);
        let names: Vec<[u8; 32]> = before.validators.iter().map(crate::block::key_bytes).collect();
        let opened = Keys::open(&path, &names, &before.sharing.encode()).unwrap();
        assert_eq!(opened.group_key(), before.group_key());
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn a_damaged_file_is_said_to_be_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        Identity::make(&path).unwrap();
        let whole = fs::read(&path).unwrap();
        for len in [0, 1, whole.len() - 1] {
            fs::write(&path, &whole[..len]).unwrap();
            assert!(matches!(Identity::open(&path), Err(KeysError::Damaged)), "{len}");
        }
    }
}
