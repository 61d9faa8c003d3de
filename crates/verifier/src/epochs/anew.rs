//! Goes back to what a decided dispute took back: epochs that were settled on top of a result that was replaced are judged and attested
//! anew, on the result in force now, and so is the epoch whose result was replaced by one over more files. Never signs twice on one
//! basis: what went before, or what is left out, is another.

use super::{Epochs, Progress, Stage, Unpaid};
use crate::chain::ChainError;
use cairn_ledger::records::PoolState;
use cairn_types::NetworkId;

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
        progress.talks.retain(|talk| talk.epoch < epoch);
        progress.judged = None;
        progress.at_hand.clear();
        progress.sought = None;
        (progress.epoch, progress.stage) = (epoch, Stage::Open);
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
}
