//! A validator's keys and the file that holds them: written once, readable by its owner only, never shown.

use crate::{
    engine_types::{Bls, PublicKey},
    light::GROUP_KEY_BYTES,
};
use cairn_types::codec;
use commonware_codec::{Copying, DecodeExt as _, Encode as _, Read as _};
use commonware_cryptography::{
    Signer as _,
    bls12381::{
        dkg::feldman_desmedt as dkg,
        primitives::{
            group::Share,
            sharing::{Mode, ModeVersion, Sharing},
        },
    },
    ed25519::PrivateKey,
};
use commonware_math::algebra::Random as _;
use commonware_utils::{N3f1, ordered::Set};
use minicbor::{CborLen, Decode, Encode};
use rand_core::CryptoRng;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    num::NonZeroU32,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};
use zeroize::{Zeroize, ZeroizeOnDrop};

const FILE: &str = "validator.keys";

/// What a validator signs with, and what all validators know of each other.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) identity: PrivateKey,
    pub(crate) share: Share,
    pub(crate) validators: Set<PublicKey>,
    pub(crate) sharing: Sharing<Bls>,
}

/// Why keys could not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error("the key file cannot be read or written: {0}")]
    File(#[from] io::Error),
    #[error("the key file is damaged")]
    Damaged,
    #[error("the key file belongs to other validators than the configuration names")]
    OtherValidators,
    #[error("there is no key file, and only a lone validator makes its own")]
    Absent,
    #[error("the computer gives no random numbers")]
    Random,
}

#[derive(Encode, Decode, CborLen, Zeroize, ZeroizeOnDrop)]
#[cbor(array)]
struct KeyFile {
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

impl Keys {
    /// The group key against which certificates are checked.
    pub(crate) fn group_key(&self) -> [u8; GROUP_KEY_BYTES] {
        let bytes = self.sharing.public().encode();
        <[u8; GROUP_KEY_BYTES]>::try_from(&bytes[..]).expect("a group key has 96 bytes")
    }

    /// Keys for `n` validators made by one dealer, who knows them all: for a lone validator, and for networks in one
    /// process. They come in the order of their public keys.
    pub(crate) fn deal(n: NonZeroU32, mut rng: impl CryptoRng) -> Vec<Self> {
        let mut identities: Vec<PrivateKey> = (0..n.get()).map(|_| PrivateKey::random(&mut rng)).collect();
        identities.sort_by_key(PrivateKey::public_key);
        let validators = Set::from_iter_dedup(identities.iter().map(PrivateKey::public_key));
        let (sharing, shares) = dkg::deal_anonymous::<Bls, N3f1>(rng, Mode::NonZeroCounter, n);
        identities
            .into_iter()
            .zip(shares)
            .map(|(identity, share)| Self {
                identity,
                share,
                validators: validators.clone(),
                sharing: sharing.clone(),
            })
            .collect()
    }

    /// The keys in `dir`; a lone validator (`validators` empty) without any makes them.
    pub(crate) fn open(dir: &Path, validators: &[[u8; 32]]) -> Result<Self, KeysError> {
        let path = dir.join(FILE);
        let keys = match fs::read(&path) {
            Ok(bytes) => Self::decode(bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound && validators.is_empty() => {
                let keys = Self::alone()?;
                keys.write(&path)?;
                keys
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(KeysError::Absent),
            Err(error) => return Err(error.into()),
        };
        let mut named = validators.to_vec();
        named.sort_unstable();
        let own: Vec<[u8; 32]> = keys.validators.iter().map(crate::block::key_bytes).collect();
        let same = if named.is_empty() { own.len() == 1 } else { own == named };
        same.then_some(keys).ok_or(KeysError::OtherValidators)
    }

    fn alone() -> Result<Self, KeysError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| KeysError::Random)?;
        let rng = <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::from_seed(seed);
        seed.zeroize();
        let dealt = Self::deal(NonZeroU32::MIN, rng).pop();
        Ok(dealt.expect("one validator was asked for"))
    }

    fn write(&self, path: &Path) -> Result<(), KeysError> {
        let mut bytes = codec::encode(&KeyFile {
            identity: self.identity.encode().to_vec(),
            share: self.share.encode().to_vec(),
            validators: self.validators.len() as u32,
            keys: self.validators.iter().flat_map(crate::block::key_bytes).collect(),
            sharing: self.sharing.encode().to_vec(),
        });
        let written = write_secret(path, &bytes);
        bytes.zeroize();
        Ok(written?)
    }

    fn decode(mut bytes: Vec<u8>) -> Result<Self, KeysError> {
        let file = codec::decode_canonical::<KeyFile>(&bytes);
        bytes.zeroize();
        let file = file.map_err(|_| KeysError::Damaged)?;
        Self::from_file(&file).ok_or(KeysError::Damaged)
    }

    fn from_file(file: &KeyFile) -> Option<Self> {
        let validators: Vec<PublicKey> = file
            .keys
            .chunks(32)
            .map(|key| PublicKey::decode(Copying(key)).ok())
            .collect::<Option<_>>()?;
        let total = NonZeroU32::new(file.validators).filter(|total| total.get() as usize == validators.len())?;
        let keys = Self {
            identity: PrivateKey::decode(Copying(&file.identity)).ok()?,
            share: Share::decode(Copying(&file.share)).ok()?,
            validators: Set::from_iter_dedup(validators),
            sharing: Sharing::read_cfg(&mut Copying(&file.sharing), &(total, ModeVersion::v0())).ok()?,
        };
        let whole = keys.validators.len() == total.get() as usize
            && keys.sharing.total() == total
            && keys.sharing.partial_public(keys.share.index).ok() == Some(keys.share.public::<Bls>());
        whole.then_some(keys)
    }
}

/// Writes a file that only its owner may read, whole or not at all.
fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_lone_validator_makes_its_keys_once_and_keeps_them_to_itself() {
        let dir = tempfile::tempdir().unwrap();
        let made = Keys::open(dir.path(), &[]).unwrap();
        let read = Keys::open(dir.path(), &[]).unwrap();
        assert_eq!(made.group_key(), read.group_key());
        assert_eq!(made.identity.public_key(), read.identity.public_key());
        let mode = fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let other = Keys::open(dir.path(), &[[1; 32]]);
        assert!(matches!(other, Err(KeysError::OtherValidators)));
    }

    #[test]
    fn a_damaged_or_missing_key_file_is_said_to_be_so() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Keys::open(dir.path(), &[[1; 32]]), Err(KeysError::Absent)));
        Keys::open(dir.path(), &[]).unwrap();
        let path = dir.path().join(FILE);
        let whole = fs::read(&path).unwrap();
        for len in [0, 1, 40, whole.len() - 1] {
            fs::write(&path, &whole[..len]).unwrap();
            assert!(matches!(Keys::open(dir.path(), &[]), Err(KeysError::Damaged)));
        }
        let mut wrong_share = whole;
        wrong_share[40] ^= 1;
        fs::write(&path, &wrong_share).unwrap();
        assert!(matches!(Keys::open(dir.path(), &[]), Err(KeysError::Damaged)));
    }

    #[test]
    fn dealt_keys_are_in_order_and_of_one_group() {
        let rng = <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::from_seed([1; 32]);
        let keys = Keys::deal(NonZeroU32::MIN.saturating_add(3), rng);
        for (at, own) in keys.iter().enumerate() {
            assert_eq!(own.validators[at], own.identity.public_key());
            assert_eq!(own.group_key(), keys[0].group_key());
            assert_eq!(own.share.index.get() as usize, at);
        }
    }
}
