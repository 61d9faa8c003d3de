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

/// Different words of one verifier that are kept of one epoch: two that contradict each other are enough.
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

/// Whether two results of one verifier cannot both be honest: of one epoch, over the same anchors, on the same result before.
pub fn contradict(first: &EpochResult, second: &EpochResult) -> bool {
    let of = |result: &EpochResult| (result.network, result.epoch, result.previous, result.anchors);
    first.chain == second.chain && of(first) == of(second) && first != second
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

    /// Takes in a word from anywhere. Whether it was new; what does not hold is nobody's word.
    pub fn hear(
        &mut self,
        word: Word,
        chain: &ChainId,
        network: &NetworkId,
        epoch: EpochNumber,
        verifiers: &Verifiers,
    ) -> bool {
        let verifier = word.verifier().and_then(|verifier| verifiers.of(&verifier));
        let Some(verifier) = verifier else { return false };
        let known = self.of.get(&verifier.account).map_or(&[][..], Vec::as_slice);
        let is_known = known.contains(&word) || known.len() >= KEPT_MAX;
        if is_known || !word.holds(chain, network, epoch, verifier) {
            return false;
        }
        self.of.entry(verifier.account).or_default().push(word);
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
            let mut lies = pairs.filter(|(first, second)| contradict(first.result(), second.result()));
            let (first, second) = lies.next()?;
            Some(SlashVerifier {
                verifier: *verifier,
                first: first.result().clone(),
                first_signature: first.signature()?,
                second: second.result().clone(),
                second_signature: second.signature()?,
            })
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
