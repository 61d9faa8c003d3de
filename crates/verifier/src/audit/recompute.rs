//! What an epoch comes to, from the reports in an archive and the ledger alone: what a validator holds a disputed result against. Uses no
//! file that says what judging came to, and believes the memory of the epoch before only when the ledger's result leads to it.

#[cfg(test)]
mod tests;

use super::{Audit, AuditError, Difference, Stop};
use crate::archive::{self, EpochArchive};
use crate::chain::ChainView;
use crate::objects::Objects;
use cairn_ledger::tx::settle_epoch::Exchange;
use cairn_types::{EpochNumber, EpochResult, Finding, Hash, NetworkId, PayoutLeaf, codec};
use thiserror::Error;

/// Expired epochs in a row that are recomputed for what they left to remember, at most.
const EXPIRED_MAX: u32 = 64;

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

/// Why an epoch cannot be recomputed.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum RecomputeError {
    /// The archive is not one to judge by: it does not hold what devices signed and the ledger says.
    #[error("the archive cannot be judged by: {0}")]
    Unfit(Box<Difference>),
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

/// Recomputes an epoch of a network from an archive's reports and inputs.
pub fn recompute(
    objects: &dyn Objects,
    chain: &dyn ChainView,
    network: &NetworkId,
    epoch: EpochNumber,
) -> Result<Recomputed, RecomputeError> {
    let audit = Audit::of(objects, chain, network, epoch);
    Ok(audit.recomputed(EXPIRED_MAX)?)
}

impl Audit<'_> {
    fn recomputed(&self, expired_max: u32) -> Result<Recomputed, Stop> {
        let inputs = self.inputs(&self.need(archive::INPUTS)?)?;
        self.memory_before(&inputs.memory, expired_max)?;
        let reports = self.reports(self.need(archive::REPORTS)?, &inputs)?;
        let (judged, leaves, totals) = self.judge(&inputs, &reports)?;
        let chosen = self.choices(&leaves)?;
        let (result, exchange) = self.result(&inputs, &reports, &judged, &leaves, totals, &chosen)?;
        Ok(Recomputed {
            result,
            exchange,
            findings: judged.findings,
            leaves,
            memory: judged.memory,
        })
    }

    /// The memory that the epoch begins with is the one that the result in force before it left; where the epoch before expired, the one
    /// that it comes to.
    fn memory_before(&self, memory: &[u8], expired_max: u32) -> Result<(), Stop> {
        let first = self.chain.network(self.network, self.epoch)?.first;
        let Some(before) = self
            .epoch
            .0
            .checked_sub(1)
            .map(EpochNumber)
            .filter(|_| self.epoch > first)
        else {
            return Ok(());
        };
        let Some(settled) = self.chain.settlement(self.network, before)? else {
            let deeper = expired_max
                .checked_sub(1)
                .ok_or_else(|| self.unusable(archive::INPUTS, "too many epochs before it expired"))?;
            let came_to = Audit::of(self.objects, self.chain, self.network, before).recomputed(deeper)?;
            return self.same(archive::INPUTS, "memory", memory, &came_to.memory);
        };
        let file = EpochArchive::of(self.objects, self.network, before).path(archive::MANIFEST);
        let bytes = self.objects.get(&file).map_err(archive::ArchiveError::from)?;
        let bytes = bytes.ok_or_else(|| self.unusable(&file, "missing"))?;
        let manifest: archive::Manifest =
            codec::decode_canonical(&bytes).map_err(|error| self.unusable(&file, error))?;
        let result = manifest.attestation.result;
        self.expect(&file, None, "result", &result.hash(), &settled.result)?;
        let left: Hash = archive::memory_hash(memory);
        self.expect(archive::INPUTS, None, "memory", &left, &result.memory)
    }
}
