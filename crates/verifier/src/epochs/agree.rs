//! Hears what other verifiers say an epoch came to, until verifiers with more than two thirds of the bond say what we say: then all their
//! signatures go to the ledger, from whoever has them first. Goes on hearing for a while after that, so that whoever differs is seen.
//! Never changes our own words: where we gave several, whatever has a quorum first settles.
//!
//! ```text
//! our word, served ─┬─ theirs, checked against key and bond ─▶ quorum ─▶ settle_epoch
//!                   ├─ another result without the same files ─▶ differences.cbor: which fields, which finding first
//!                   └─ two words of one verifier ─▶ slash_verifier
//! ```

use super::{Advanced, EpochError, Epochs, Progress, complete};
use crate::archive::{self, EpochArchive, Manifest};
use crate::chain::{ChainError, Verifiers};
use crate::differences::{self, Differs};
use crate::limits::FINDINGS_BYTES_MAX;
use crate::peers::word::Words;
use crate::peers::{WORDS_BYTES_MAX, Wanted, What, Word};
use crate::submit::{self, SubmitError};
use cairn_ledger::tx::Body;
use cairn_ledger::tx::slash_verifier::SlashVerifier;
use cairn_types::{AccountId, EpochNumber, Finding, Hash, NetworkId, Token, codec, finding};
use std::collections::BTreeSet;

/// Epochs for whose last verifiers it goes on listening.
const TALKS_MAX: usize = 4;

/// What is said of one epoch.
pub(super) struct Talk {
    pub epoch: EpochNumber,
    /// Ours, the last one last: what our files are of.
    said: Vec<Word>,
    words: Words,
    differs: Vec<Differs>,
    /// So many of them were announced.
    told: usize,
    /// Verifiers whose two words are on their way to the ledger, or were refused there.
    reported: BTreeSet<AccountId>,
}

impl Talk {
    /// As it stood when it was last written down.
    fn open(
        archive: &EpochArchive<'_>,
        epoch: EpochNumber,
        said: Vec<Word>,
        verifiers: &Verifiers,
    ) -> Result<Self, EpochError> {
        let differs = archive.get(archive::DIFFERENCES)?;
        let differs = differs.map(|bytes| archive.read(archive::DIFFERENCES, &bytes));
        let mut talk = Self {
            epoch,
            words: Words::default(),
            differs: differs.transpose()?.unwrap_or_default(),
            told: 0,
            reported: BTreeSet::new(),
            said,
        };
        let ours = talk.said.clone().into_iter().rev();
        for word in ours.chain(archive.heard()?) {
            talk.hear(word, verifiers);
        }
        Ok(talk)
    }

    fn hear(&mut self, word: Word, verifiers: &Verifiers) -> bool {
        self.words.hear(word, &self.said, self.epoch, verifiers)
    }

    /// One of ours with all the signatures under it, if there are enough.
    fn quorum(&self, verifiers: &Verifiers) -> Option<Word> {
        let mut last_first = self.said.iter().rev();
        last_first.find_map(|ours| self.words.quorum(ours, verifiers))
    }

    /// Whether a difference is told as finely as it can be: our findings are of our last word.
    fn is_told(differs: &Differs, last: Option<Hash>) -> bool {
        let is_coarse = !differs.fields.iter().any(|field| field == "findings");
        differs.first.is_some() || is_coarse || Some(differs.ours) != last
    }

    fn last(&self) -> Option<Hash> {
        self.said.last().map(|ours| ours.result().hash())
    }
}

impl Epochs {
    /// Whether an epoch is settled: ours by a quorum that we bring, or that of others.
    pub(super) fn settle(
        &self,
        id: &NetworkId,
        progress: &mut Progress,
        archive: &EpochArchive<'_>,
    ) -> Result<bool, EpochError> {
        let manifest = complete(archive)?;
        let (epoch, said) = (progress.epoch, archive.said()?);
        let mut verifiers = self.verifiers()?;
        let talk = match progress.talks.iter().position(|talk| talk.epoch == epoch) {
            Some(at) if progress.talks[at].said == said => &mut progress.talks[at],
            known => {
                let before = known.and_then(|at| progress.talks.remove(at));
                let mut talk = Talk::open(archive, epoch, said, &verifiers)?;
                if let Some(before) = before {
                    (talk.told, talk.reported) = (before.told, before.reported);
                }
                progress.talks.push_back(talk);
                progress.talks.back_mut().expect("it was just put there")
            }
        };
        if self.chain.settlement(id, epoch)?.is_some() {
            if self.is_in_force(id, epoch, &manifest)? && self.chain.is_decided(id, epoch)? {
                let ours = Word {
                    attestation: manifest.attestation,
                    exchange: manifest.exchange,
                };
                submit::sign(self.chain.as_ref(), &self.settings.submitter, &ours)?;
                self.listen(id, talk, &verifiers, true)?;
                self.accuse(talk, &ours)?;
            }
            return Ok(true);
        }
        if talk.quorum(&verifiers).is_none() {
            self.listen(id, talk, &verifiers, true)?;
            // Whoever was reported has no bond any more.
            verifiers = self.verifiers()?;
        }
        let Some(all) = talk.quorum(&verifiers) else {
            return Ok(false);
        };
        let submitter = &self.settings.submitter;
        match submit::settle(self.chain.as_ref(), submitter, &all.attestation, all.exchange.as_ref()) {
            // Somebody was faster with another result: it is in force.
            Err(SubmitError::OtherResult { .. } | SubmitError::OtherExchange) => {}
            settled => settled?,
        }
        Ok(self.chain.settlement(id, epoch)?.is_some())
    }

    /// Whether what the ledger settled is what we said.
    pub(super) fn is_in_force(
        &self,
        id: &NetworkId,
        epoch: EpochNumber,
        manifest: &Manifest,
    ) -> Result<bool, EpochError> {
        let exchange = manifest.exchange.as_ref();
        match submit::is_settled(self.chain.as_ref(), &manifest.attestation, exchange) {
            Ok(is_ours) => Ok(is_ours),
            Err(error @ (SubmitError::OtherResult { .. } | SubmitError::OtherExchange)) => {
                tracing::error!(network = %id, %epoch, %error, "the result in force is not ours; the next epoch builds on it");
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Goes on hearing about epochs that are settled.
    pub(super) fn listen_all(&self, id: &NetworkId, progress: &mut Progress, advanced: &mut Advanced) {
        let mut talks = std::mem::take(&mut progress.talks);
        while talks.len() > TALKS_MAX {
            let old = talks.pop_front();
            old.iter().for_each(|talk| self.peers.forget(id, talk.epoch));
        }
        for mut talk in talks {
            let is_settled = talk.epoch < progress.epoch;
            let is_over = match self.verifiers().map_err(EpochError::from) {
                _ if !is_settled => false,
                Ok(verifiers) => {
                    let listened = self.listen(id, &mut talk, &verifiers, false);
                    if let Err(error) = &listened {
                        tracing::warn!(network = %id, epoch = %talk.epoch, %error, "what others say is not heard");
                    }
                    listened.is_ok() && self.is_over(&talk, &verifiers)
                }
                Err(_) => false,
            };
            let new = talk.differs.iter().skip(talk.told);
            advanced
                .differs
                .extend(new.map(|differs| (*id, talk.epoch, differs.verifier)));
            talk.told = talk.differs.len();
            if is_over {
                self.peers.forget(id, talk.epoch);
            } else {
                progress.talks.push_back(talk);
            }
        }
    }

    /// Whether everybody was heard, and every difference is told.
    fn is_over(&self, talk: &Talk, verifiers: &Verifiers) -> bool {
        let others = self.others(verifiers);
        let mut bonded = others.iter().filter(|other| other.bond > Token::ZERO);
        let all = bonded.all(|other| talk.words.has(&other.account));
        let last = talk.last();
        all && talk.differs.iter().all(|differs| Talk::is_told(differs, last))
    }

    /// Takes in what the others say of an epoch, and writes down what is new: everybody's words as long as they are needed, later of those
    /// who were not heard.
    fn listen(&self, id: &NetworkId, talk: &mut Talk, verifiers: &Verifiers, all: bool) -> Result<(), EpochError> {
        let archive = EpochArchive::of(self.objects.as_ref(), id, talk.epoch);
        let mut is_new = false;
        for other in self.others(verifiers) {
            if !all && talk.words.has(&other.account) {
                continue;
            }
            let wanted = self.wanted(id, talk.epoch, What::Words, WORDS_BYTES_MAX);
            for word in Words::read(&self.peers.get(&wanted, &[other]).unwrap_or_default()) {
                is_new |= talk.hear(word, verifiers);
            }
        }
        if is_new {
            let me = self.settings.submitter.account;
            let others = talk.words.iter().filter(|(verifier, _)| **verifier != me);
            let others = others.map(|(_, word)| word);
            archive.put(archive::HEARD, &codec::encode(&others.collect::<Vec<_>>()))?;
        }
        self.report(id, talk)?;
        self.compare(id, talk, verifiers, &archive)
    }

    /// Who gave two words loses its bond.
    fn report(&self, id: &NetworkId, talk: &mut Talk) -> Result<(), EpochError> {
        for proof in talk.words.contradictions() {
            let verifier = proof.verifier;
            if talk.reported.contains(&verifier) || verifier == self.settings.submitter.account {
                continue;
            }
            tracing::error!(network = %id, epoch = %talk.epoch, %verifier, "a verifier signed two results of one epoch");
            let submitted = self
                .settings
                .submitter
                .submit(self.chain.as_ref(), Body::SlashVerifier(proof));
            match submitted {
                // Refused: somebody was faster, or it has nothing left.
                Ok(()) | Err(SubmitError::Chain(ChainError::Refused { .. })) => talk.reported.insert(verifier),
                Err(error) => return Err(error.into()),
            };
        }
        Ok(())
    }

    /// Who signed another result by the same files than validators decided loses its bond.
    fn accuse(&self, talk: &mut Talk, decided: &Word) -> Result<(), EpochError> {
        for (verifier, first_signature, first) in talk.words.against(decided) {
            if verifier == self.settings.submitter.account || !talk.reported.insert(verifier) {
                continue;
            }
            let epoch = first.epoch;
            tracing::error!(%epoch, %verifier, "a verifier signed another result than validators decided");
            let proof = SlashVerifier {
                verifier,
                first,
                first_signature,
                second: decided.result().clone(),
                second_signature: None,
            };
            match self
                .settings
                .submitter
                .submit(self.chain.as_ref(), Body::SlashVerifier(proof))
            {
                // Refused: somebody was faster, or it has nothing left.
                Ok(()) | Err(SubmitError::Chain(ChainError::Refused { .. })) => {}
                Err(error) => {
                    talk.reported.remove(&verifier);
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }

    /// Finds who says something else than we do, and where.
    fn compare(
        &self,
        id: &NetworkId,
        talk: &mut Talk,
        verifiers: &Verifiers,
        archive: &EpochArchive<'_>,
    ) -> Result<(), EpochError> {
        let mut is_new = false;
        for (verifier, word) in talk.words.iter() {
            // By other files it is another result.
            let mut said = talk.said.iter().map(Word::result);
            let Some(ours) = said.find(|ours| ours.without == word.result().without) else {
                continue;
            };
            if ours == word.result() {
                continue;
            }
            let (own, theirs) = (ours.hash(), word.result().hash());
            let known = talk
                .differs
                .iter()
                .any(|known| (known.ours, known.theirs) == (own, theirs) && known.verifier == *verifier);
            if !known {
                let fields = differences::fields(ours, word.result());
                tracing::error!(network = %id, epoch = %talk.epoch, %verifier, ?fields, "a verifier attests another result than we do");
                talk.differs.push(Differs {
                    verifier: *verifier,
                    ours: own,
                    theirs,
                    fields,
                    first: None,
                });
                is_new = true;
            }
        }
        let last = talk.last();
        for differs in talk.differs.iter_mut().filter(|differs| !Talk::is_told(differs, last)) {
            let mut words = talk.words.iter();
            let word = words.find(|(_, word)| word.result().hash() == differs.theirs);
            let (Some((_, word)), Some(from)) = (word, verifiers.of(&differs.verifier)) else {
                continue;
            };
            let others = self.others(verifiers);
            let Some(from) = others.iter().find(|other| other.account == from.account) else {
                continue;
            };
            let wanted = self.wanted(id, talk.epoch, What::Named(archive::FINDINGS), FINDINGS_BYTES_MAX);
            let bytes = self.peers.get(&wanted, std::slice::from_ref(from)).unwrap_or_default();
            let theirs: Option<Vec<Finding>> = codec::decode_canonical(&bytes).ok();
            if let Some(theirs) = theirs.filter(|theirs| finding::root(theirs) == word.result().findings) {
                differs.first = differences::first_finding(&archive.findings()?, &theirs);
                is_new |= differs.first.is_some();
            }
        }
        if is_new {
            archive.put(archive::DIFFERENCES, &codec::encode(&talk.differs))?;
        }
        Ok(())
    }

    fn wanted(&self, id: &NetworkId, epoch: EpochNumber, what: What, bytes_max: u64) -> Wanted {
        Wanted {
            network: *id,
            epoch,
            what,
            bytes_max,
        }
    }
}
