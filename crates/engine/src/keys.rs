//! What a node signs with, and what it knows of those who sign with it.

use crate::{
    block::key_bytes,
    engine_types::{Bls, PublicKey},
    key_file::{self, Group, KeysError, Stored},
    light::GROUP_KEY_BYTES,
};
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
use commonware_utils::{Faults as _, N3f1, ordered::Set};
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, SeedableRng as _};
use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// A node's keys.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) identity: PrivateKey,
    /// A validator's share of the group key; a follower has none.
    pub(crate) share: Option<Share>,
    pub(crate) validators: Set<PublicKey>,
    /// The group key in the form with which single votes are checked.
    pub(crate) sharing: Sharing<Bls>,
}

impl Keys {
    /// Keys without a share; `None` when the sharing is not one among these validators.
    pub(crate) fn new(identity: PrivateKey, validators: Vec<PublicKey>, sharing: Sharing<Bls>) -> Option<Self> {
        let count = validators.len();
        let validators = Set::from_iter_dedup(validators);
        let whole = validators.len() == count
            && sharing.total().get() as usize == count
            && sharing.required() == N3f1::quorum(count);
        whole.then_some(Self {
            identity,
            share: None,
            validators,
            sharing,
        })
    }

    /// The keys with this node's share; `None` when it is not its own.
    pub(crate) fn with_share(mut self, share: Share) -> Option<Self> {
        let place = self.validators.position(&self.identity.public_key())?;
        let own = share.index.get() as usize == place
            && self.sharing.partial_public(share.index).ok() == Some(share.public::<Bls>());
        self.share = Some(share);
        own.then_some(self)
    }

    /// The group key against which certificates are checked.
    pub(crate) fn group_key(&self) -> [u8; GROUP_KEY_BYTES] {
        Group::of(&self.sharing).key
    }

    /// Keys for `n` validators made by one dealer, who knows them all. They come in the order of their public keys.
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
                share: Some(share),
                validators: validators.clone(),
                sharing: sharing.clone(),
            })
            .collect()
    }

    /// The keys in a file. A lone validator (`validators` empty) without a file makes one; a node outside the validators
    /// needs their `sharing`.
    pub(crate) fn open(path: &Path, validators: &[[u8; 32]], sharing: &[u8]) -> Result<Self, KeysError> {
        match Stored::read(path)? {
            Some(Stored::Whole(keys)) => keys.checked(validators, sharing),
            Some(Stored::Identity(identity)) => Self::follower(identity, validators, sharing),
            None if validators.is_empty() => {
                let keys = Self::deal(NonZeroU32::MIN, system_rng()?).pop();
                let keys = keys.expect("one validator was asked for");
                key_file::write(path, &keys)?;
                Ok(keys)
            }
            None => Err(KeysError::Absent),
        }
    }

    fn checked(self, validators: &[[u8; 32]], sharing: &[u8]) -> Result<Self, KeysError> {
        let mut named = validators.to_vec();
        named.sort_unstable();
        let own: Vec<[u8; 32]> = self.validators.iter().map(key_bytes).collect();
        let same = if named.is_empty() { own.len() == 1 } else { own == named };
        let same_group = sharing.is_empty() || self.sharing.encode()[..] == *sharing;
        (same && same_group).then_some(self).ok_or(KeysError::OtherValidators)
    }

    fn follower(identity: PrivateKey, validators: &[[u8; 32]], sharing: &[u8]) -> Result<Self, KeysError> {
        let me = key_bytes(&identity.public_key());
        let total = u32::try_from(validators.len()).ok().and_then(NonZeroU32::new);
        let Some(total) = total.filter(|_| !validators.contains(&me)) else {
            return Err(KeysError::NoShare);
        };
        let keys: Option<Vec<PublicKey>> = validators
            .iter()
            .map(|key| PublicKey::decode(Copying(key)).ok())
            .collect();
        let sharing = Sharing::read_cfg(&mut Copying(sharing), &(total, ModeVersion::v0())).ok();
        keys.zip(sharing)
            .and_then(|(keys, sharing)| Self::new(identity, keys, sharing))
            .ok_or(KeysError::OtherValidators)
    }
}

/// Makes the keys of a network whose validators are all one operator's, a file for each, and returns their public keys in
/// the order of the files. Whoever runs this could sign alone for ever: validators who do not trust each other hold a
/// ceremony instead.
pub fn deal(paths: &[PathBuf]) -> Result<Vec<[u8; 32]>, KeysError> {
    let Some(n) = u32::try_from(paths.len()).ok().and_then(NonZeroU32::new) else {
        return Ok(Vec::new());
    };
    let dealt = Keys::deal(n, system_rng()?);
    for (keys, path) in dealt.iter().zip(paths) {
        key_file::write(path, keys)?;
    }
    Ok(dealt
        .iter()
        .map(|keys| key_bytes(&keys.identity.public_key()))
        .collect())
}

/// A generator with a seed of the system's.
pub(crate) fn system_rng() -> Result<ChaCha20Rng, KeysError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|_| KeysError::Random)?;
    Ok(ChaCha20Rng::from_seed(*seed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Identity, key_file::FILE};
    use std::fs;

    fn dealt(n: u32) -> Vec<Keys> {
        Keys::deal(NonZeroU32::new(n).unwrap(), ChaCha20Rng::from_seed([1; 32]))
    }

    fn names(keys: &Keys) -> Vec<[u8; 32]> {
        keys.validators.iter().map(key_bytes).collect()
    }

    #[test]
    fn a_lone_validator_makes_its_keys_once_and_keeps_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let made = Keys::open(&path, &[], &[]).unwrap();
        let read = Keys::open(&path, &[], &[]).unwrap();
        assert_eq!(made.group_key(), read.group_key());
        assert_eq!(made.identity.public_key(), read.identity.public_key());
        let other = Keys::open(&path, &[[1; 32]], &[]);
        assert!(matches!(other, Err(KeysError::OtherValidators)));
    }

    #[test]
    fn a_damaged_or_missing_key_file_is_said_to_be_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        assert!(matches!(Keys::open(&path, &[[1; 32]], &[]), Err(KeysError::Absent)));
        Keys::open(&path, &[], &[]).unwrap();
        let whole = fs::read(&path).unwrap();
        for len in [0, 1, 40, whole.len() - 1] {
            fs::write(&path, &whole[..len]).unwrap();
            assert!(matches!(Keys::open(&path, &[], &[]), Err(KeysError::Damaged)));
        }
        let mut wrong_share = whole;
        wrong_share[40] ^= 1;
        fs::write(&path, &wrong_share).unwrap();
        assert!(matches!(Keys::open(&path, &[], &[]), Err(KeysError::Damaged)));
    }

    #[test]
    fn a_validators_keys_fit_its_own_network_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE);
        let keys = dealt(4);
        key_file::write(&path, &keys[2]).unwrap();
        let (names, sharing) = (names(&keys[2]), keys[2].sharing.encode());
        assert_eq!(Keys::open(&path, &names, &sharing).unwrap().share, keys[2].share);
        assert!(matches!(
            Keys::open(&path, &names[1..], &sharing),
            Err(KeysError::OtherValidators)
        ));
        assert!(matches!(
            Keys::open(&path, &names, &[1]),
            Err(KeysError::OtherValidators)
        ));
        let group = Identity::open(&path).unwrap().group().cloned().unwrap();
        assert_eq!(group.key, keys[0].group_key());
        assert_eq!(Group::read(&group.sharing, 4), Some(group.clone()));
        assert_eq!(Group::read(&group.sharing, 3), None);
        assert_eq!(Group::read(&group.sharing[1..], 4), None);
    }

    #[test]
    fn a_share_belongs_to_its_own_validator() {
        let keys = dealt(4);
        let own = keys[1].clone();
        let share = keys[2].share.clone().unwrap();
        assert!(own.with_share(share).is_none());
    }

    #[test]
    fn a_follower_needs_the_validators_sharing_and_no_place_among_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("follower.keys");
        let me = Identity::make(&path).unwrap().key();
        let keys = dealt(4);
        let (names, sharing) = (names(&keys[0]), keys[0].sharing.encode());
        let follower = Keys::open(&path, &names, &sharing).unwrap();
        assert_eq!(follower.group_key(), keys[0].group_key());
        assert!(follower.share.is_none());
        assert!(matches!(
            Keys::open(&path, &names, &[]),
            Err(KeysError::OtherValidators)
        ));
        assert!(matches!(
            Keys::open(&path, &names[1..], &sharing),
            Err(KeysError::OtherValidators)
        ));
        assert!(matches!(Keys::open(&path, &[me], &sharing), Err(KeysError::NoShare)));
        assert!(matches!(Keys::open(&path, &[], &sharing), Err(KeysError::NoShare)));
    }

    #[test]
    fn dealt_keys_are_in_order_and_of_one_group() {
        let keys = dealt(4);
        for (at, own) in keys.iter().enumerate() {
            assert_eq!(own.validators[at], own.identity.public_key());
            assert_eq!(own.group_key(), keys[0].group_key());
            assert_eq!(own.share.as_ref().unwrap().index.get() as usize, at);
        }
    }
}
