//! Who is there, and how far: what validators tell each other around the making of the key, as values. Sends nothing itself.

use super::{CeremonyError, Stage};
use cairn_types::{PublicKey, Signature, codec};
use minicbor::{CborLen, Decode, Encode};
use std::collections::BTreeMap;

/// Bytes of a word at most.
pub(crate) const WORD_BYTES_MAX: usize = 256;

/// What a validator tells all others, again and again.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub(crate) struct Word {
    #[cbor(n(0), with = "minicbor::bytes")]
    draft: [u8; 32],
    #[n(1)]
    attempt: u32,
    /// It has heard all others.
    #[n(2)]
    ready: bool,
    /// Its signature; it has its share.
    #[n(3)]
    signature: Option<Signature>,
    /// It has the signatures of all.
    #[n(4)]
    complete: bool,
}

/// The roll of one validator.
pub(crate) struct Roll {
    own: Word,
    /// The last word of each of the others.
    others: BTreeMap<[u8; 32], Option<Word>>,
    /// What is signed, as soon as this validator knows it.
    statement: Option<[u8; 32]>,
    me: [u8; 32],
}

impl Roll {
    pub(crate) fn new(me: [u8; 32], validators: &[[u8; 32]], draft: [u8; 32], attempt: u32) -> Self {
        let others = validators.iter().filter(|key| **key != me).map(|key| (*key, None));
        let mut roll = Self {
            own: Word {
                draft,
                attempt,
                ready: false,
                signature: None,
                complete: false,
            },
            others: others.collect(),
            statement: None,
            me,
        };
        roll.settle();
        roll
    }

    /// The word to tell now.
    pub(crate) fn word(&self) -> Vec<u8> {
        codec::encode(&self.own)
    }

    /// Takes in another's word. What is none, or comes from a stranger, is not heard.
    pub(crate) fn hear(&mut self, from: &[u8; 32], bytes: &[u8]) -> Result<(), CeremonyError> {
        if bytes.len() > WORD_BYTES_MAX {
            return Ok(());
        }
        let (Ok(word), Some(last)) = (codec::decode_canonical::<Word>(bytes), self.others.get_mut(from)) else {
            return Ok(());
        };
        if word.draft != self.own.draft {
            return Err(CeremonyError::OtherDraft(*from));
        }
        if word.attempt != self.own.attempt {
            return Err(CeremonyError::OtherAttempt {
                key: *from,
                theirs: word.attempt,
                ours: self.own.attempt,
            });
        }
        *last = Some(word);
        self.settle();
        Ok(())
    }

    /// This validator has its share and signs.
    pub(crate) fn sign(&mut self, statement: [u8; 32], signature: Signature) {
        self.statement = Some(statement);
        self.own.signature = Some(signature);
        self.settle();
    }

    /// Whether all are there and know that all are there.
    pub(crate) fn is_gathered(&self) -> bool {
        self.missing(|word| word.ready).is_empty()
    }

    /// The signatures of all, by key.
    pub(crate) fn signatures(&self) -> Option<Vec<([u8; 32], Signature)>> {
        let own = self.own.signature.filter(|_| self.own.complete)?;
        let signature = |(key, word): (&[u8; 32], &Option<Word>)| Some((*key, word.as_ref()?.signature?));
        let mut all: Vec<_> = self.others.iter().map(signature).collect::<Option<_>>()?;
        all.push((self.me, own));
        all.sort_unstable_by_key(|(key, _)| *key);
        Some(all)
    }

    /// Whether all others know that all have signed.
    pub(crate) fn is_closed(&self) -> bool {
        self.own.complete && self.missing(|word| word.complete).is_empty()
    }

    /// How far it is for whoever watches.
    pub(crate) fn stage(&self) -> Stage {
        match (self.own.signature, self.own.complete) {
            (None, _) if self.is_gathered() => Stage::Dealing,
            (None, _) => Stage::Gathering {
                missing: self.missing(|_| true),
            },
            (Some(_), false) => Stage::Signing {
                missing: self.missing(|word| word.signature.is_some()),
            },
            (Some(_), true) => Stage::Closing {
                missing: self.missing(|word| word.complete),
            },
        }
    }

    fn missing(&self, has: impl Fn(&Word) -> bool) -> Vec<[u8; 32]> {
        let missing = self.others.iter().filter(|(_, word)| !word.as_ref().is_some_and(&has));
        missing.map(|(key, _)| *key).collect()
    }

    /// Draws the consequences of what was heard. A wrong signature is as good as none.
    fn settle(&mut self) {
        if let Some(statement) = self.statement {
            for (key, word) in &mut self.others {
                let Some(word) = word else { continue };
                let holds = |signature: &Signature| PublicKey::Ed25519(*key).verify(&statement, signature);
                word.signature = word.signature.filter(holds);
            }
        }
        self.own.ready = self.missing(|_| true).is_empty();
        let signed = self.missing(|word| word.signature.is_some()).is_empty();
        self.own.complete = self.statement.is_some() && signed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_types::SecretKey;

    const DRAFT: [u8; 32] = [9; 32];
    const STATEMENT: [u8; 32] = [8; 32];

    fn secret(at: usize) -> SecretKey {
        SecretKey::ed25519([at as u8 + 1; 32])
    }

    fn key(at: usize) -> [u8; 32] {
        secret(at).public().parts().1.try_into().unwrap()
    }

    fn rolls(n: usize) -> Vec<Roll> {
        let keys = sorted(0..n);
        (0..n).map(key).map(|me| Roll::new(me, &keys, DRAFT, 1)).collect()
    }

    /// As stages name them.
    fn sorted(who: impl IntoIterator<Item = usize>) -> Vec<[u8; 32]> {
        let mut keys: Vec<_> = who.into_iter().map(key).collect();
        keys.sort_unstable();
        keys
    }

    /// Each of `who` hears each other of them once.
    fn tell(rolls: &mut [Roll], who: &[usize]) {
        for from in who {
            let word = rolls[*from].word();
            assert!(word.len() <= WORD_BYTES_MAX);
            for to in who.iter().filter(|to| *to != from) {
                rolls[*to].hear(&key(*from), &word).unwrap();
            }
        }
    }

    fn sign(rolls: &mut [Roll], at: usize) {
        rolls[at].sign(STATEMENT, secret(at).sign(&STATEMENT));
    }

    #[test]
    fn nobody_begins_before_all_are_there_and_know_it() {
        let mut rolls = rolls(4);
        tell(&mut rolls, &[0, 1, 2]);
        tell(&mut rolls, &[0, 1, 2]);
        assert!(rolls.iter().all(|roll| !roll.is_gathered()));
        assert_eq!(rolls[0].stage(), Stage::Gathering { missing: vec![key(3)] });
        assert_eq!(rolls[3].stage(), Stage::Gathering { missing: sorted(0..3) });
        tell(&mut rolls, &[0, 1, 2, 3]);
        assert!(!rolls[0].is_gathered(), "the others may not know yet");
        tell(&mut rolls, &[0, 1, 2, 3]);
        assert!(rolls.iter().all(|roll| roll.stage() == Stage::Dealing));
    }

    #[test]
    fn all_signatures_are_there_before_any_is_given_out() {
        let mut rolls = rolls(3);
        tell(&mut rolls, &[0, 1, 2]);
        tell(&mut rolls, &[0, 1, 2]);
        sign(&mut rolls, 1);
        tell(&mut rolls, &[0, 1, 2]);
        sign(&mut rolls, 0);
        assert_eq!(rolls[0].stage(), Stage::Signing { missing: vec![key(2)] });
        tell(&mut rolls, &[0, 1, 2]);
        assert_eq!(rolls[0].signatures(), None);
        sign(&mut rolls, 2);
        tell(&mut rolls, &[0, 1, 2]);
        let all = rolls[0].signatures().unwrap();
        assert_eq!(all.len(), 3);
        assert!(all.is_sorted());
        for (key, signature) in &all {
            assert!(PublicKey::Ed25519(*key).verify(&STATEMENT, signature));
        }
        assert_eq!(rolls[2].signatures().as_ref(), Some(&all));
        tell(&mut rolls, &[0, 1, 2]);
        assert!(rolls.iter().all(Roll::is_closed));
    }

    #[test]
    fn a_wrong_signature_is_as_good_as_none() {
        let mut rolls = rolls(2);
        tell(&mut rolls, &[0, 1]);
        rolls[1].sign(STATEMENT, secret(0).sign(&STATEMENT));
        tell(&mut rolls, &[0, 1]);
        sign(&mut rolls, 0);
        assert_eq!(rolls[0].signatures(), None);
        assert_eq!(rolls[0].stage(), Stage::Signing { missing: vec![key(1)] });
    }

    #[test]
    fn another_draft_or_attempt_is_named_and_nonsense_is_not_heard() {
        let mut roll = Roll::new(key(0), &[key(0), key(1)], DRAFT, 1);
        let other = Roll::new(key(1), &[key(0), key(1)], [7; 32], 1);
        assert!(matches!(roll.hear(&key(1), &other.word()), Err(CeremonyError::OtherDraft(by)) if by == key(1)));
        let other = Roll::new(key(1), &[key(0), key(1)], DRAFT, 2);
        let heard = roll.hear(&key(1), &other.word());
        assert!(matches!(
            heard,
            Err(CeremonyError::OtherAttempt { theirs: 2, ours: 1, .. })
        ));
        let stranger = Roll::new(key(2), &[key(2)], [7; 32], 1);
        assert!(roll.hear(&key(2), &stranger.word()).is_ok());
        for nonsense in [vec![], vec![0xff; 40], vec![0; WORD_BYTES_MAX + 1]] {
            assert!(roll.hear(&key(1), &nonsense).is_ok());
        }
        assert_eq!(roll.stage(), Stage::Gathering { missing: vec![key(1)] });
    }

    #[test]
    fn a_lone_validator_waits_for_nobody() {
        let mut roll = Roll::new(key(0), &[key(0)], DRAFT, 1);
        assert!(roll.is_gathered());
        roll.sign(STATEMENT, secret(0).sign(&STATEMENT));
        assert_eq!(roll.signatures().unwrap().len(), 1);
        assert!(roll.is_closed());
    }
}
