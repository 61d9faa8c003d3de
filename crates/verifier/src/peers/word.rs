//! A verifier's signed word on what an epoch came to, as verifiers pass it on, and when enough of them make a quorum. Decides on
//! values; fetches nothing.

use crate::chain::{VerifierAt, Verifiers};
use cairn_ledger::tx::settle_epoch::ExchangeAttestation;
use cairn_ledger::tx::slash_verifier::SlashVerifier;
use cairn_types::{AccountId, Attestation, ChainId, EpochNumber, EpochResult, NetworkId, Signature, codec};
use minicbor::{CborLen, Decode, Encode};
use std::collections::BTreeMap;

/// Bytes of all words that one verifier passes on of one epoch.
pub const WORDS_BYTES_MAX: u64 = 1 << 20;

/// Words of one verifier that are kept of one epoch, besides those that agree with as many of our last ones: two that contradict each
/// other are enough, and one that nobody else says is of no use.
const KEPT_MAX: usize = 4;

/// A result, and the exchange beside it, each with the signature of one verifier.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Word {
    #[n(0)]
    pub attestation: Attestation,
    #[n(1)]
    pub exchange: Option<ExchangeAttestation>,
}

impl Word {
    pub fn result(&self) -> &EpochResult {
        &self.attestation.result
    }

    /// Whose word it is; `None` when it has not one signature.
    pub fn verifier(&self) -> Option<AccountId> {
        match self.attestation.signatures.as_slice() {
            [(verifier, _)] => Some(*verifier),
            _ => None,
        }
    }

    fn signature(&self) -> Option<Signature> {
        self.attestation.signatures.first().map(|(_, signature)| *signature)
    }

    /// Whether it is a bonded verifier's word on this epoch.
    fn holds(&self, chain: &ChainId, network: &NetworkId, epoch: EpochNumber, verifier: &VerifierAt) -> bool {
        let result = self.result();
        let is_of = result.chain == *chain && result.network == *network && result.epoch == epoch;
        let is_signed = |signature: Signature| result.verify(&verifier.key, &signature);
        is_of && self.signature().is_some_and(is_signed) && self.exchange_holds(verifier)
    }

    fn exchange_holds(&self, verifier: &VerifierAt) -> bool {
        let Some(attested) = &self.exchange else { return true };
        let is_signed = |signature: &Signature| verifier.key.verify(&attested.exchange.signed_bytes(), signature);
        let one = attested.signatures.len() == 1 && attested.signatures.iter().all(is_signed);
        one && attested.exchange.result == self.result().hash()
    }

    /// Whether both settle as one.
    pub fn agrees(&self, other: &Self) -> bool {
        let exchange = |word: &Self| word.exchange.as_ref().map(|attested| attested.exchange);
        self.result() == other.result() && exchange(self) == exchange(other)
    }
}

/// All words on one epoch of one network, of verifiers with a bond.
#[derive(Clone, Debug, Default)]
pub struct Words {
    of: BTreeMap<AccountId, Vec<Word>>,
}

impl Words {
    pub fn iter(&self) -> impl Iterator<Item = (&AccountId, &Word)> {
        self.of
            .iter()
            .flat_map(|(verifier, words)| words.iter().map(move |word| (verifier, word)))
    }

    pub fn has(&self, verifier: &AccountId) -> bool {
        self.of.contains_key(verifier)
    }

    /// Takes in a word from anywhere; `said` are ours on the epoch, the last one last. Whether it was new; what does not hold is nobody's
    /// word. However many words somebody signs, that keeps out neither what agrees with us nor what contradicts itself.
    pub fn hear(&mut self, word: Word, said: &[Word], epoch: EpochNumber, verifiers: &Verifiers) -> bool {
        let Some(ours) = said.last().map(Word::result) else {
            return false;
        };
        let verifier = word.verifier().and_then(|verifier| verifiers.of(&verifier));
        let Some(verifier) = verifier else { return false };
        let known = self.of.get(&verifier.account).map_or(&[][..], Vec::as_slice);
        let is_known = known.iter().any(|other| other.agrees(&word));
        if is_known || !word.holds(&ours.chain, &ours.network, epoch, verifier) {
            return false;
        }
        let is_useful = |word: &Word| said.iter().rev().take(KEPT_MAX).any(|ours| ours.agrees(word));
        let is_lie = |other: &Word| other.result().contradicts(word.result());
        let others = known.iter().filter(|other| !is_useful(other)).count();
        let mut gives_way = None;
        if !is_useful(&word) && others >= KEPT_MAX {
            gives_way = known.iter().position(|other| !is_useful(other) && !is_lie(other));
            if gives_way.is_none() || !known.iter().any(is_lie) {
                return false;
            }
        }
        let words = self.of.entry(verifier.account).or_default();
        gives_way.map(|at| words.remove(at));
        words.push(word);
        true
    }

    /// The signatures under one result, once verifiers with more than two thirds of the bond agree with a word.
    pub fn quorum(&self, word: &Word, verifiers: &Verifiers) -> Option<Word> {
        let mut bond: u128 = 0;
        let mut all = Word {
            attestation: Attestation {
                result: word.result().clone(),
                signatures: Vec::new(),
            },
            exchange: word.exchange.as_ref().map(|attested| ExchangeAttestation {
                exchange: attested.exchange,
                signatures: Vec::new(),
            }),
        };
        for (verifier, words) in &self.of {
            let agreeing = words.iter().find(|other| other.agrees(word));
            let bonded = verifiers.of(verifier).filter(|verifier| verifier.bond.0 > 0);
            let Some((agreeing, bonded)) = agreeing.zip(bonded) else {
                continue;
            };
            bond += u128::from(bonded.bond.0);
            all.attestation.signatures.extend(&agreeing.attestation.signatures);
            if let (Some(all), Some(one)) = (&mut all.exchange, &agreeing.exchange) {
                all.signatures.extend(&one.signatures);
            }
        }
        verifiers.is_quorum(bond).then_some(all)
    }

    /// Proof against each verifier that gave two words where one can be true.
    pub fn contradictions(&self) -> Vec<SlashVerifier> {
        let of = |(verifier, words): (&AccountId, &Vec<Word>)| {
            let pairs = words.iter().enumerate().flat_map(|(at, first)| {
                let later = words[at + 1..].iter();
                later.map(move |second| (first, second))
            });
            let mut lies = pairs.filter(|(first, second)| first.result().contradicts(second.result()));
            let (first, second) = lies.next()?;
            Some(SlashVerifier {
                verifier: *verifier,
                first: first.result().clone(),
                first_signature: first.signature()?,
                second: second.result().clone(),
                second_signature: Some(second.signature()?),
            })
        };
        self.of.iter().filter_map(of).collect()
    }

    /// What verifiers signed that contradicts a result, each of them once.
    pub fn against(&self, right: &Word) -> Vec<(AccountId, Signature, EpochResult)> {
        let of = |(verifier, words): (&AccountId, &Vec<Word>)| {
            let mut lies = words.iter().filter(|word| word.result().contradicts(right.result()));
            let lie = lies.next()?;
            Some((*verifier, lie.signature()?, lie.result().clone()))
        };
        self.of.iter().filter_map(of).collect()
    }

    /// Words from a peer's answer; none when it is not one.
    pub fn read(bytes: &[u8]) -> Vec<Word> {
        if bytes.len() as u64 > WORDS_BYTES_MAX {
            return Vec::new();
        }
        codec::decode_canonical(bytes).unwrap_or_default()
    }
}

/// Words as they are passed on: as many as an answer may be long.
pub fn file(words: Vec<Word>) -> Vec<u8> {
    let mut left = WORDS_BYTES_MAX - 16;
    let fits = |word: &Word| {
        let rest = left.checked_sub(minicbor::len(word) as u64);
        left = rest.unwrap_or(left);
        rest.is_some()
    };
    codec::encode(&words.into_iter().take_while(fits).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attest::attest;
    use cairn_types::attestation::Totals;
    use cairn_types::{Hash, SecretKey, Token};

    fn key(of: u8) -> SecretKey {
        SecretKey::ed25519([of; 32])
    }

    fn word(by: u8, without: &[u32], findings: u8) -> Word {
        let result = EpochResult {
            chain: "x".parse().unwrap(),
            network: cairn_types::NetworkId([1; 32]),
            epoch: EpochNumber(2),
            inputs: Hash([3; 32]),
            archive: Hash([4; 32]),
            findings: Hash([findings; 32]),
            memory: Hash([5; 32]),
            payouts: Hash([6; 32]),
            leaves: 0,
            totals: Totals::default(),
            anchors: Hash([7; 32]),
            previous: Hash([8; 32]),
            without: without.to_vec(),
        };
        Word {
            attestation: attest(result, AccountId([by; 32]), &key(by)),
            exchange: None,
        }
    }

    fn verifiers() -> Verifiers {
        let verifier = |of: u8| VerifierAt {
            account: AccountId([of; 32]),
            key: key(of).public(),
            bond: Token(10),
            url: String::new(),
        };
        Verifiers {
            all: (0..4).map(verifier).collect(),
            bond_active: Token(40),
        }
    }

    #[test]
    fn however_much_a_liar_signs_what_agrees_with_us_and_what_contradicts_itself_is_kept() {
        let (verifiers, epoch) = (verifiers(), EpochNumber(2));
        let said: Vec<Word> = [&[1, 2][..], &[1], &[]].map(|without| word(0, without, 9)).to_vec();
        let mut words = Words::default();
        let hear = |words: &mut Words, word| words.hear(word, &said, epoch, &verifiers);
        for noise in 10..40 {
            assert_eq!(hear(&mut words, word(1, &[noise], 9)), noise < 10 + KEPT_MAX as u32);
        }
        for ours in &said {
            let without = &ours.result().without;
            assert!(hear(&mut words, word(1, without, 9)), "{without:?}");
            assert!(!hear(&mut words, word(1, without, 9)), "once");
            assert!(hear(&mut words, word(2, without, 9)) && hear(&mut words, ours.clone()));
            assert!(words.quorum(ours, &verifiers).is_some());
        }
        assert!(words.contradictions().is_empty());
        // A lie takes the place of noise, not of what it contradicts.
        assert!(hear(&mut words, word(1, &[12], 8)));
        assert!(hear(&mut words, word(1, &[1], 8)));
        let proofs = words.contradictions();
        assert_eq!(proofs.len(), 1);
        assert!(proofs[0].first.contradicts(&proofs[0].second));
        assert_eq!(words.of[&AccountId([1; 32])].len(), KEPT_MAX + said.len());
        assert!(said.iter().all(|ours| words.quorum(ours, &verifiers).is_some()));
    }

    #[test]
    fn what_is_passed_on_is_never_longer_than_an_answer_may_be() {
        let long: Vec<u32> = (0..cairn_types::attestation::WITHOUT_MAX as u32).collect();
        let many = vec![word(0, &long, 9); 500];
        let bytes = file(many);
        assert!(bytes.len() as u64 <= WORDS_BYTES_MAX);
        assert!(Words::read(&bytes).len() > 100);
    }
}
