//! A verifier's signed word that the files of some anchors are not to be had, and when enough of them say the same. Decides on values.

use crate::chain::Verifiers;
use cairn_types::{AccountId, ChainId, EpochNumber, Hash, NetworkId, PublicKey, SecretKey, Signature, codec, hash};
use minicbor::{CborLen, Decode, Encode};
use std::collections::BTreeMap;

/// Bytes of one such word.
pub const WITHHELD_BYTES_MAX: u64 = 64 * 1024;

/// Whose files nobody gives.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Missing {
    #[n(0)]
    pub chain: ChainId,
    #[n(1)]
    pub network: NetworkId,
    #[n(2)]
    pub epoch: EpochNumber,
    /// The ledger's hash over all anchors.
    #[n(3)]
    pub anchors: Hash,
    /// Who anchored what is missing, sorted; nobody: all is at hand.
    #[n(4)]
    pub of: Vec<AccountId>,
}

/// The same, signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Withheld {
    #[n(0)]
    pub missing: Missing,
    #[n(1)]
    pub by: AccountId,
    #[n(2)]
    pub signature: Signature,
}

impl Missing {
    fn signed_bytes(&self) -> [u8; 32] {
        hash::domain("cairn/withheld/1", &[&codec::encode(self)]).0
    }

    pub fn sign(self, by: AccountId, key: &SecretKey) -> Withheld {
        let signature = key.sign(&self.signed_bytes());
        Withheld {
            missing: self,
            by,
            signature,
        }
    }
}

impl Withheld {
    /// A peer's own word from its answer; nothing when it is none.
    pub fn read(bytes: &[u8], by: &AccountId, key: &PublicKey) -> Option<Self> {
        let said: Self = codec::decode_canonical(bytes).ok()?;
        let holds = said.by == *by && key.verify(&said.missing.signed_bytes(), &said.signature);
        holds.then_some(said)
    }
}

/// Whether verifiers with more than two thirds of the bond say exactly this.
pub fn is_agreed(missing: &Missing, said: &BTreeMap<AccountId, Missing>, verifiers: &Verifiers) -> bool {
    let same = said.iter().filter(|(_, other)| *other == missing);
    let bonds = same
        .filter_map(|(by, _)| verifiers.of(by))
        .map(|verifier| u128::from(verifier.bond.0));
    verifiers.is_quorum(bonds.sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::VerifierAt;
    use cairn_types::Token;

    fn missing(of: &[u8]) -> Missing {
        Missing {
            chain: "x".parse().unwrap(),
            network: NetworkId([1; 32]),
            epoch: EpochNumber(2),
            anchors: Hash([3; 32]),
            of: of.iter().map(|of| AccountId([*of; 32])).collect(),
        }
    }

    #[test]
    fn a_word_is_its_signers_own() {
        let (key, other) = (SecretKey::ed25519([5; 32]), SecretKey::ed25519([6; 32]));
        let me = AccountId([7; 32]);
        let said = missing(&[1]).sign(me, &key);
        let bytes = codec::encode(&said);
        assert_eq!(Withheld::read(&bytes, &me, &key.public()), Some(said.clone()));
        assert_eq!(Withheld::read(&bytes, &me, &other.public()), None);
        assert_eq!(Withheld::read(&bytes, &AccountId([8; 32]), &key.public()), None);
        let mut changed = said;
        changed.missing.of.clear();
        assert_eq!(Withheld::read(&codec::encode(&changed), &me, &key.public()), None);
    }

    #[test]
    fn only_more_than_two_thirds_that_miss_the_same_agree() {
        let verifier = |number: u8| VerifierAt {
            account: AccountId([number; 32]),
            key: SecretKey::ed25519([number; 32]).public(),
            bond: Token(10),
            url: String::new(),
        };
        let verifiers = Verifiers {
            all: (0..4).map(verifier).collect(),
            bond_active: Token(40),
        };
        let said = |of: &[(u8, &[u8])]| of.iter().map(|(by, of)| (AccountId([*by; 32]), missing(of))).collect();
        assert!(is_agreed(
            &missing(&[3]),
            &said(&[(0, &[3]), (1, &[3]), (2, &[3])]),
            &verifiers
        ));
        assert!(!is_agreed(&missing(&[3]), &said(&[(0, &[3]), (1, &[3])]), &verifiers));
        assert!(!is_agreed(
            &missing(&[3]),
            &said(&[(0, &[3]), (1, &[3]), (2, &[2, 3])]),
            &verifiers
        ));
        assert!(!is_agreed(
            &missing(&[3]),
            &said(&[(0, &[3]), (1, &[3]), (9, &[3])]),
            &verifiers
        ));
    }
}
