//! Goes back to what a decided dispute took back: epochs that were settled on top of a result that was replaced are judged and attested
//! anew, on the result in force now. Never signs twice on one basis: what went before is another result.

use super::{Epochs, Progress, Stage};
use crate::chain::ChainError;
use cairn_ledger::records::PoolState;
use cairn_types::{EpochNumber, NetworkId};

impl Epochs {
    /// If settled epochs that waited for their release are not settled any more, begins again with the first of them.
    pub(super) fn go_back(&self, id: &NetworkId, progress: &mut Progress) -> Result<(), ChainError> {
        // The last one is among them if any is: a decision takes back all that come after an epoch.
        let Some(last) = progress.unpaid.back().copied() else {
            return Ok(());
        };
        if !self.is_taken_back(id, last)? {
            return Ok(());
        }
        let mut first = progress.unpaid.len() - 1;
        while first > 0 && self.is_taken_back(id, progress.unpaid[first - 1])? {
            first -= 1;
        }
        let epoch = progress.unpaid[first];
        tracing::warn!(network = %id, %epoch, "a decision took back what was settled from here on; it is attested anew");
        progress.unpaid.truncate(first);
        progress.talks.retain(|talk| talk.epoch < epoch);
        progress.judged = None;
        progress.at_hand.clear();
        progress.sought = None;
        (progress.epoch, progress.stage) = (epoch, Stage::Open);
        Ok(())
    }

    fn is_taken_back(&self, id: &NetworkId, epoch: EpochNumber) -> Result<bool, ChainError> {
        let closed = self.chain.closed(id, epoch)?;
        Ok(closed.is_some_and(|closed| closed.pool.state == PoolState::Closed))
    }
}
