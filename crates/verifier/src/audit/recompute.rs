//! What an epoch comes to, from the reports in an archive and the ledger alone: what a validator holds a disputed result against. Uses no
//! file that says what judging came to; the memory it begins with is the one that the ledger's last result left.

#[cfg(test)]
mod tests;

use super::{Audit, AuditError, Difference, Stop};
use crate::archive;
use crate::chain::ChainView;
use crate::objects::Objects;
use cairn_ledger::tx::claim_hash;
use cairn_ledger::tx::settle_epoch::Exchange;
use cairn_types::{EpochNumber, EpochResult, Finding, Hash, NetworkId, PayoutLeaf};
use thiserror::Error;

/// What an epoch comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Recomputed {
    pub result: EpochResult,
    /// The exchange among its operators, if there is one.
    pub exchange: Option<Exchange>,
    pub findings: Vec<Finding>,
    pub leaves: Vec<PayoutLeaf>,
    pub memory: Vec<u8>,
}

impl Recomputed {
    /// Names it with its exchange, as disputes and votes do.
    pub fn claim(&self) -> Hash {
        let exchange = self.exchange.map(|exchange| (exchange.offers, exchange.choices));
        claim_hash(&self.result.hash(), exchange)
    }
}

/// Why an epoch cannot be recomputed.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum RecomputeError {
    /// The archive is not one to judge by: it does not hold what devices signed and the ledger says.
    #[error("the archive cannot be judged by: {0}")]
    Unfit(Box<Difference>),
    #[error("the epoch is not closed, or verifiers anchor it still: there is nothing to judge")]
    NotSettled,
    #[error(transparent)]
    Failed(#[from] AuditError),
}

impl From<Stop> for RecomputeError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Differs(difference) => Self::Unfit(difference),
            Stop::Failed(error) => Self::Failed(error),
        }
    }
}

/// Recomputes an epoch of a network from an archive's inputs and the files of all anchors but those at these places.
pub fn recompute(
    objects: &dyn Objects,
    chain: &dyn ChainView,
    network: &NetworkId,
    epoch: EpochNumber,
    without: &[u32],
) -> Result<Recomputed, RecomputeError> {
    let audit = Audit::of(objects, chain, network, epoch);
    Ok(audit.recomputed(without)?)
}

impl Audit<'_> {
    fn recomputed(&self, without: &[u32]) -> Result<Recomputed, Stop> {
        let mut inputs = self.inputs(&self.need(archive::INPUTS)?)?;
        let (union, is_whole) = self.union(&inputs, without)?;
        if !is_whole {
            let (is, must) = ("missing".to_owned(), "there".to_owned());
            return Err(self.differs(archive::INPUTS, None, "anchored meters", is, must));
        }
        inputs.meters = union.meters;
        let (judged, leaves, totals) = self.judge(&inputs, &union.rows)?;
        let chosen = self.choices(&leaves)?;
        let basis = self.basis(without.to_vec())?;
        let (result, exchange) = self.result(&inputs, &union.rows, &judged, (&leaves, totals), &chosen, basis)?;
        Ok(Recomputed {
            result,
            exchange,
            findings: judged.findings,
            leaves,
            memory: judged.memory,
        })
    }
}
