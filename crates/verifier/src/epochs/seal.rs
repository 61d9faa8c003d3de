//! Seals what we collected of an epoch into one file and binds us to it on the ledger. The file is in the archive before its hash is on
//! the ledger, and is not made anew once it is there. Never judges.

use super::{Collect, EpochError, Epochs, Progress, Stage};
use crate::archive::{self, EpochArchive, OrderMeters};
use crate::{attest, submit};
use cairn_ledger::tx::anchor_epoch::NetworkAnchor;
use cairn_types::{EpochNumber, NetworkId, TimeMs, hash};

/// Epochs sealed in one advance while an earlier one waits.
const AHEAD_MAX: usize = 64;

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

    /// Seals and anchors the epochs after the one at hand as their time comes, however long that one waits: what receipts promised of
    /// an epoch must not depend on when another is settled.
    pub(super) fn anchor_ahead(
        &self,
        now: TimeMs,
        id: &NetworkId,
        progress: &mut Progress,
        collect: &mut dyn Collect,
    ) -> Result<(), EpochError> {
        if progress.stage == Stage::Open {
            return Ok(());
        }
        progress.ahead = progress.ahead.max(progress.epoch);
        for _ in 0..AHEAD_MAX {
            let epoch = progress.ahead.next();
            if now < self.facts.clock.end(epoch).plus_ms(self.settings.grace_ms)
                || self.chain.closed(id, epoch)?.is_none()
                || self.chain.network(id, epoch)?.closes.is_some_and(|last| epoch > last)
                || !collect.seal(now, id, epoch)?
            {
                break;
            }
            if !self.is_expired(id, epoch)? {
                let archive = EpochArchive::of(self.objects.as_ref(), id, epoch);
                self.anchor(id, epoch, &archive, collect)?;
            }
            progress.ahead = epoch;
        }
        self.fetch_ahead(id, progress)
    }
}
