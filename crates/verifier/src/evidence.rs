//! Proof that a verifier broke a receipt: from the receipt, the ledger, and any archive that has the files, its own among them. What it
//! makes, `slash_receipt` checks again; nobody need believe it.

use crate::archive::{self, ArchiveError, EpochArchive};
use crate::chain::{ChainError, ChainView};
use crate::collector::Sealed;
use crate::objects::Objects;
use cairn_ledger::records::PoolState;
use cairn_ledger::tx::slash_receipt::{Evidence, SlashReceipt};
use cairn_types::merkle::{self, AbsenceProof, Tree};
use cairn_types::{Hash, Receipt};
use thiserror::Error;

/// Why it cannot be said whether a receipt was kept.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum EvidenceError {
    #[error("epoch {0} still takes anchors; ask again when it is settled")]
    TooEarly(cairn_types::EpochNumber),
    #[error("no verifier {0} is bonded on this chain; ask the chain that the receipt is of")]
    NotAVerifier(cairn_types::AccountId),
    #[error("the receipt is not signed by the verifier it names; ask it for another")]
    NotSigned,
    #[error("this archive has not the reports that {0} anchored; ask another verifier's")]
    NotHere(cairn_types::AccountId),
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// The proof that a receipt was broken; `None`: its report is anchored and, as far as that is final, judged.
pub fn broken(
    receipt: &Receipt,
    chain: &dyn ChainView,
    objects: &dyn Objects,
) -> Result<Option<SlashReceipt>, EvidenceError> {
    let (verifier, network, epoch) = (receipt.group.verifier, receipt.network, receipt.epoch);
    let key = chain
        .verifier_key(&verifier)?
        .ok_or(EvidenceError::NotAVerifier(verifier))?;
    if !receipt.verify(&key) {
        return Err(EvidenceError::NotSigned);
    }
    let anchoring = chain.anchoring(&network, epoch)?;
    if !anchoring.has_ended {
        return Err(EvidenceError::TooEarly(epoch));
    }
    let proven = |evidence| {
        let receipt = receipt.clone();
        Ok(Some(SlashReceipt { receipt, evidence }))
    };
    let Some(anchor) = anchoring.of(&verifier) else {
        return proven(Evidence::NoAnchor);
    };
    let archive = EpochArchive::of(objects, &network, epoch);
    let report = Hash(receipt.report.0);
    let rows_of = |file: Option<Vec<u8>>| file.map(|file| archive::reports::read(file).unwrap_or_default());
    let anchored = rows_of(archive.sealed(&anchor.reports_hash)?);
    let is_known = anchored.is_some();
    if let Some(proof) = anchored.and_then(|rows| absence(&rows, &report, &anchor.root)) {
        return proven(Evidence::NotAnchored(proof));
    }
    // A file that nobody can have was left out, and with it what it should hold.
    let state = chain.closed(&network, epoch)?.map(|closed| closed.pool.state);
    let is_final = matches!(state, Some(PoolState::Released | PoolState::Paid));
    if let Some(roots) = chain.roots(&network, epoch)?.filter(|_| is_final) {
        let judged = rows_of(archive.get(archive::REPORTS)?).unwrap_or_default();
        if let Some(proof) = absence(&judged, &report, &roots.archive) {
            return proven(Evidence::NotJudged(proof));
        }
        if judged.iter().any(|row| row.id == receipt.report) {
            return Ok(None);
        }
    }
    if is_known {
        Ok(None)
    } else {
        Err(EvidenceError::NotHere(verifier))
    }
}

/// That a report is not among these rows, if they are all that a root is over.
fn absence(rows: &[Sealed], report: &Hash, root: &Hash) -> Option<AbsenceProof> {
    let ids: Vec<Hash> = rows.iter().map(|row| Hash(row.id.0)).collect();
    let tree = Tree::new(ids.iter().map(|id| merkle::leaf(&id.0)).collect());
    let is_whole = tree.root() == *root && ids.is_sorted_by(|one, next| one < next);
    is_whole.then(|| AbsenceProof::make(&tree, &ids, report)).flatten()
}
