//! Who may act for an account: keys, of which some number must sign. Never knows a secret, never looks at balances.
//!
//! An account's id is the hash of the rule that opened it and stays for ever; the rule in force may be rotated. The ledger
//! keeps the rule's hash only: whoever signs shows the rule.
//!
//! ```text
//! witness  [rule, [[index, signature], …]]                                                        as long as no passkey signs
//!          [rule, [[index, signature], …], [[index, authenticator data, client data], …]]         for each signature by a passkey
//! ```

use cairn_types::batch;
use cairn_types::codec;
use cairn_types::hash::{self, Hash};
use cairn_types::passkey::Assertion;
use cairn_types::{AccountId, PublicKey, SecretKey, Signature};
use minicbor::{CborLen, Decode, Encode};

/// Keys of one rule at most.
pub const KEYS_MAX: usize = 7;

/// So many of these keys must sign.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Rule {
    #[n(0)]
    pub threshold: u8,
    /// Sorted, each once.
    #[n(1)]
    pub keys: Vec<PublicKey>,
}

/// A rule shown, and signatures that satisfy it: exactly `threshold`, by rising index of the key. It is no part of what is signed, and of the
/// transaction's name neither.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Witness {
    #[n(0)]
    pub rule: Rule,
    #[n(1)]
    pub signatures: Vec<(u8, Signature)>,
    /// What passkeys signed: one for each of their signatures, by rising index.
    #[cbor(n(2), skip_if = "Vec::is_empty")]
    pub assertions: Vec<Assertion>,
}

impl Rule {
    /// One key that signs alone.
    pub fn single(key: PublicKey) -> Self {
        Self {
            threshold: 1,
            keys: vec![key],
        }
    }

    /// `threshold` of `keys`, which are sorted here.
    pub fn any_of(threshold: u8, mut keys: Vec<PublicKey>) -> Self {
        keys.sort_unstable();
        Self { threshold, keys }
    }

    /// Whether it has 1 to 7 sorted, different keys and a threshold among them.
    pub fn is_valid(&self) -> bool {
        (1..=KEYS_MAX).contains(&self.keys.len())
            && self.keys.windows(2).all(|pair| pair[0] < pair[1])
            && (1..=self.keys.len()).contains(&usize::from(self.threshold))
    }

    pub fn hash(&self) -> Hash {
        hash::domain("cairn/account/1", &[&codec::encode(self)])
    }

    /// The id of the account that this rule opens.
    pub fn account_id(&self) -> AccountId {
        AccountId(self.hash().0)
    }

    /// A witness by these secrets; those whose key is not in the rule, and more than the threshold, are left out.
    pub fn witness(&self, message: &[u8], secrets: &[SecretKey]) -> Witness {
        self.witness_by(|key| {
            let secret = secrets.iter().find(|secret| secret.public() == *key)?;
            Some((secret.sign(message), None))
        })
    }

    /// A witness by those keys that sign when asked, passkeys with an assertion; more than the threshold are not asked.
    pub fn witness_by(&self, mut sign: impl FnMut(&PublicKey) -> Option<(Signature, Option<Assertion>)>) -> Witness {
        let signed = (0u8..).zip(&self.keys).filter_map(|(index, key)| {
            let (signature, assertion) = sign(key)?;
            Some(((index, signature), assertion.map(|given| Assertion { index, ..given })))
        });
        let (signatures, assertions): (_, Vec<_>) = signed.take(usize::from(self.threshold)).unzip();
        Witness {
            rule: self.clone(),
            signatures,
            assertions: assertions.into_iter().flatten().collect(),
        }
    }
}

impl Witness {
    /// Whether all is there that must be, and nothing else. Not whether the signatures hold.
    pub fn is_complete(&self) -> bool {
        self.has_signatures() && self.has_assertions()
    }

    /// Whether the right number of signatures by different keys of the rule is there.
    pub fn has_signatures(&self) -> bool {
        self.signatures.len() == usize::from(self.rule.threshold)
            && self.signatures.windows(2).all(|pair| pair[0].0 < pair[1].0)
            && self
                .signatures
                .iter()
                .all(|(index, _)| usize::from(*index) < self.rule.keys.len())
    }

    /// Whether each signature by a passkey has its assertion, in its bounds, and nothing else has one.
    pub fn has_assertions(&self) -> bool {
        let key = |index: u8| self.rule.keys.get(usize::from(index));
        let asserted = |index: &u8| key(*index).is_some_and(PublicKey::is_passkey);
        let wanted = self.signatures.iter().map(|(index, _)| *index).filter(asserted);
        wanted.eq(self.assertions.iter().map(|assertion| assertion.index))
            && self.assertions.iter().all(Assertion::is_bounded)
    }

    /// The signatures of a complete witness, to be checked in a batch.
    pub fn signed<'a>(&'a self, message: &'a [u8]) -> impl Iterator<Item = batch::Signed<'a>> {
        self.signatures.iter().filter_map(move |(index, signature)| {
            Some(batch::Signed {
                key: *self.rule.keys.get(usize::from(*index))?,
                message,
                signature: *signature,
                assertion: self.assertions.iter().find(|assertion| assertion.index == *index),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(n: u8) -> Vec<SecretKey> {
        (1..=n).map(|seed| SecretKey::ed25519([seed; 32])).collect()
    }

    fn rule(threshold: u8, n: u8) -> Rule {
        Rule::any_of(threshold, secrets(n).iter().map(SecretKey::public).collect())
    }

    #[test]
    fn a_rule_has_sorted_keys_and_a_threshold_among_them() {
        assert!(rule(2, 3).is_valid());
        assert!(rule(7, 7).is_valid());
        assert!(!rule(0, 3).is_valid());
        assert!(!rule(4, 3).is_valid());
        assert!(!rule(1, 8).is_valid());
        assert!(!rule(1, 0).is_valid());
        let mut unsorted = rule(1, 2);
        unsorted.keys.reverse();
        assert!(!unsorted.is_valid());
        assert!(!Rule::any_of(1, vec![secrets(1)[0].public(); 2]).is_valid());
    }

    #[test]
    fn a_witness_has_exactly_the_threshold_of_different_keys() {
        let rule = rule(2, 3);
        let witness = rule.witness(b"message", &secrets(3));
        assert!(witness.is_complete());
        assert_eq!(witness.signed(b"message").filter(batch::Signed::holds).count(), 2);
        assert!(!rule.witness(b"message", &secrets(1)).is_complete());
        let mut twice = witness.clone();
        twice.signatures[1] = twice.signatures[0];
        assert!(!twice.is_complete());
        let mut outside = witness;
        outside.signatures[1].0 = 3;
        assert!(!outside.is_complete());
    }
}
