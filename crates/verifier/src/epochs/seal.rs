//! Seals what we collected of an epoch into one file and binds us to it on the ledger. The file is in the archive before its hash is on
//! the ledger, and is not made anew once it is there. Never judges.

use super::{Collect, EpochError, Epochs};
use crate::archive::{self, EpochArchive, OrderMeters};
use crate::{attest, submit};
use cairn_ledger::tx::anchor_epoch::NetworkAnchor;
use cairn_types::{EpochNumber, NetworkId, hash};

impl Epochs {
    /// Seals the file of our reports and binds us to it. Too late, it costs what our receipts promised.
    pub(super) fn anchor(
        &self,
        id: &NetworkId,
        epoch: EpochNumber,
        archive: &EpochArchive<'_>,
        collect: &mut dyn Collect,
    ) -> Result<(), EpochError> {
        let anchoring = self.chain.anchoring(id, epoch)?;
        if let Some(ours) = anchoring.of(&self.settings.submitter.account) {
            if archive.sealed(&ours.reports_hash)?.is_none() {
                tracing::error!(network = %id, %epoch, "the file we anchored is gone from the archive; others may have it");
            }
            return Ok(());
        }
        let reports = collect.sealed(id, epoch)?;
        let settled = self.chain.settled_orders(id, epoch)?;
        let entries = collect.meters_of(id, &settled)?;
        let meters = settled.into_iter().zip(entries);
        let meters: Vec<OrderMeters> = meters
            .map(|(settled, entries)| OrderMeters { settled, entries })
            .collect();
        let file = archive::reports::write(&reports, &meters);
        archive.put(archive::REPORTS, &file)?;
        let anchor = NetworkAnchor {
            network: *id,
            root: attest::archive_root(&reports),
            count: reports.len() as u64,
            reports_hash: hash::sha256(&file),
        };
        if !submit::anchor(self.chain.as_ref(), &self.settings.submitter, epoch, anchor)? {
            tracing::error!(network = %id, %epoch, reports = reports.len(), "anchored too late: our reports are not judged");
        }
        Ok(())
    }
}
