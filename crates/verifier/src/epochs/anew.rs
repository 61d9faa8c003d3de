//! Goes back to what a decided dispute took back: epochs that were settled on top of a result that was replaced are judged and attested
//! anew, on the result in force now, and so is the epoch whose result was replaced by one over more files. Goes back as well to what was not
//! judged for want of a file that turned up. Never signs twice on one basis: what went before, or what is left out, is another.

use super::{EpochError, Epochs, Progress, Unpaid};
use crate::archive::{EpochArchive, reports};
use crate::chain::ChainError;
use cairn_ledger::records::PoolState;
use cairn_types::{EpochNumber, NetworkId};

impl Epochs {
    /// If settled epochs that waited for their release are not settled any more, begins again with the first of them.
    pub(super) fn go_back(&self, id: &NetworkId, progress: &mut Progress) -> Result<(), ChainError> {
        // The last one is among them if any is: a decision takes back all that come after an epoch.
        let Some(last) = progress.unpaid.back() else {
            return Ok(());
        };
        if !self.is_taken_back(id, last)? {
            return Ok(());
        }
        let mut first = progress.unpaid.len() - 1;
        while first > 0 && self.is_taken_back(id, &progress.unpaid[first - 1])? {
            first -= 1;
        }
        let epoch = progress.unpaid[first].epoch;
        tracing::warn!(network = %id, %epoch, "a decision replaced or took back what was settled from here on; it is judged anew");
        progress.unpaid.truncate(first);
        progress.return_to(epoch);
        Ok(())
    }

    /// Also what is settled over more files than ours by now.
    fn is_taken_back(&self, id: &NetworkId, unpaid: &Unpaid) -> Result<bool, ChainError> {
        let closed = self.chain.closed(id, unpaid.epoch)?;
        if closed.is_some_and(|closed| closed.pool.state == PoolState::Closed) {
            return Ok(true);
        }
        let settlement = self.chain.settlement(id, unpaid.epoch)?;
        Ok(settlement.is_some_and(|settled| usize::from(settled.without) != unpaid.without.len()))
    }

    /// Whether an epoch with a result in force was not judged here by the files of that result, and they are to be had by now. They are
    /// asked for of everybody.
    pub(super) fn is_found_again(
        &self,
        id: &NetworkId,
        first: EpochNumber,
        epoch: EpochNumber,
        archive: &EpochArchive<'_>,
    ) -> Result<bool, EpochError> {
        let Some(without) = self.settled_without(id, epoch)? else {
            return Ok(false);
        };
        // By these files it comes to what it came to.
        if self.is_judged(id, &Progress::at(first, epoch), archive)? {
            return Ok(false);
        }
        let (others, empty) = (self.others(&self.verifiers()?), reports::empty_hash());
        let anchors = (0u32..).zip(self.chain.anchoring(id, epoch)?.anchors);
        let judged = anchors.filter(|(place, anchor)| anchor.reports_hash != empty && !without.contains(place));
        let mut are_there = true;
        for (_, anchor) in judged {
            are_there &=
                archive.sealed(&anchor.reports_hash)?.is_some() || self.fetch(id, epoch, &anchor, &others, archive)?;
        }
        if are_there {
            tracing::warn!(network = %id, %epoch, "the files turned up by which this epoch was decided: it is judged after all");
        }
        Ok(are_there)
    }

    /// Whether some file that was anchored of an epoch is here.
    pub(super) fn has_part(
        &self,
        id: &NetworkId,
        epoch: EpochNumber,
        archive: &EpochArchive<'_>,
    ) -> Result<bool, EpochError> {
        let empty = reports::empty_hash();
        for anchor in self.chain.anchoring(id, epoch)?.anchors {
            if anchor.reports_hash != empty && archive.sealed(&anchor.reports_hash)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
