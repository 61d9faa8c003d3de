//! Our own word on an epoch: signed once for what is judged. When a file turns up that was left out, or the ledger settled a result over
//! other files than ours, the epoch is judged again by that, and another word stands beside the first. Never signs two results by the
//! same files: whoever holds both could take our bond.
//!
//! ```text
//! judged ─▶ said.cbor: what we said before, and this ─▶ manifest emptied ─▶ files ─▶ manifest
//! ```
//! Killed in between, the epoch is judged again: to the word that is there already.

use super::{EpochError, Epochs, Progress};
use crate::archive::{self, EpochArchive};
use crate::attest;
use crate::chain::{Anchoring, Basis, ChainError};
use crate::peers::Word;
use cairn_ledger::records::Anchor;
use cairn_ledger::tx::settle_epoch::Exchange;
use cairn_types::{EpochNumber, EpochResult, NetworkId, TimeMs, codec};

/// Files that settled results leave out are asked for so often, as long as the results can be disputed.
const LATE_MS: u64 = 60_000;

impl Epochs {
    /// Our word on a result, kept before anything of the epoch is written over.
    pub(super) fn say(
        &self,
        archive: &EpochArchive<'_>,
        result: EpochResult,
        exchange: Option<Exchange>,
    ) -> Result<Word, EpochError> {
        let mut said = archive.said()?;
        let is_first = said.is_empty();
        // On another basis the ledger settles none of them any more.
        let basis = |result: &EpochResult| (result.anchors, result.previous);
        said.retain(|word| basis(word.result()) == basis(&result));
        let is_same = |word: &Word| *word.result() == result || word.result().contradicts(&result);
        let word = match said.iter().position(is_same) {
            Some(at) => {
                let word = said.remove(at);
                if *word.result() != result {
                    let (network, epoch) = (result.network, result.epoch);
                    tracing::error!(%network, %epoch, "the epoch comes to another result than the one we signed: our word stays");
                }
                word
            }
            None => {
                let (verifier, key) = (self.settings.submitter.account, &self.settings.key);
                Word {
                    attestation: attest::attest(result, verifier, key),
                    exchange: exchange.map(|exchange| attest::attest_exchange(exchange, key)),
                }
            }
        };
        if !is_first {
            said.push(word.clone());
            archive.put(archive::SAID, &codec::encode(&said))?;
            archive.open_again()?;
        }
        Ok(word)
    }

    /// Whether we gave our word on an epoch, and it is by what the ledger says and by all files that are to be had; of a settled epoch, by
    /// those that the settled result is by.
    pub(super) fn is_judged(
        &self,
        id: &NetworkId,
        progress: &Progress,
        archive: &EpochArchive<'_>,
    ) -> Result<bool, EpochError> {
        let Some(manifest) = archive.manifest()? else {
            return Ok(false);
        };
        let (epoch, result) = (progress.epoch, &manifest.attestation.result);
        if self.is_expired(id, epoch)? {
            return Ok(true);
        }
        let basis = Basis::of(self.chain.as_ref(), id, progress.first, epoch, Vec::new())?;
        if (result.anchors, result.previous) != (basis.anchors, basis.previous) {
            return Ok(false);
        }
        match self.settled_without(id, epoch)? {
            Some(without) => Ok(result.without == without),
            None => Ok(!self.is_turned_up(id, epoch, &result.without, archive)?),
        }
    }

    /// What the settled result leaves out; `None` while none is settled.
    pub(super) fn settled_without(&self, id: &NetworkId, epoch: EpochNumber) -> Result<Option<Vec<u32>>, ChainError> {
        match self.chain.settlement(id, epoch)? {
            Some(settlement) if settlement.without == 0 => Ok(Some(Vec::new())),
            Some(_) => self.chain.without(id, epoch).map(Some),
            None => Ok(None),
        }
    }

    /// Whether a file that was left out is in our archive by now. Goes on asking for those that are not.
    fn is_turned_up(
        &self,
        id: &NetworkId,
        epoch: EpochNumber,
        without: &[u32],
        archive: &EpochArchive<'_>,
    ) -> Result<bool, EpochError> {
        if without.is_empty() {
            return Ok(false);
        }
        let Anchoring { anchors, .. } = self.chain.anchoring(id, epoch)?;
        let others = self.others(&self.verifiers()?);
        let empty = archive::reports::empty_hash();
        let left_out = without.iter().filter_map(|place| anchors.get(*place as usize));
        let left_out: Vec<&Anchor> = left_out.filter(|anchor| anchor.reports_hash != empty).collect();
        let mut is_there = false;
        for anchor in left_out {
            let is_known = archive.get(&archive::sealed_name(&anchor.reports_hash))?.is_some();
            is_there |= is_known || self.fetch(id, epoch, anchor, &others, archive)?;
        }
        Ok(is_there)
    }

    /// Keeps asking for what settled results that wait for their release left out, so that whoever finds it here can have them replaced.
    pub(super) fn seek_late(&self, now: TimeMs, id: &NetworkId, progress: &mut Progress) -> Result<(), EpochError> {
        let is_due = progress.sought_late.is_none_or(|last| now >= last.plus_ms(LATE_MS));
        if !is_due {
            return Ok(());
        }
        progress.sought_late = Some(now);
        for unpaid in progress.unpaid.iter().filter(|unpaid| !unpaid.without.is_empty()) {
            let archive = EpochArchive::of(self.objects.as_ref(), id, unpaid.epoch);
            self.is_turned_up(id, unpaid.epoch, &unpaid.without, &archive)?;
        }
        Ok(())
    }
}
