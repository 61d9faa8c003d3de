//! Proof that a verifier broke a receipt: from the receipt, the ledger, and any archive that has the files, its own among them. What it
//! makes, `slash_receipt` checks again; nobody need believe it.

use crate::archive::{self, ArchiveError, EpochArchive};
use crate::chain::{ChainError, ChainView};
use crate::collector::Sealed;
use crate::objects::Objects;
use cairn_ledger::records::{Anchor, PoolState};
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
    let archive = EpochArchive::of(objects, &network, epoch);
    let state = chain.closed(&network, epoch)?.map(|closed| closed.pool.state);
    let is_final = matches!(state, Some(PoolState::Released | PoolState::Paid));
    let judged = chain.roots(&network, epoch)?.filter(|_| is_final);
    let judged = judged.map(|roots| roots.archive);
    let anchor = anchoring.of(&verifier);
    let shown = show(&[receipt], anchor, judged.as_ref(), Some(&archive))?;
    let Some(anchor) = anchor.filter(|_| shown.is_none()) else {
        return Ok(shown);
    };
    let is_judged = || {
        let rows = judged_rows(&archive)?.unwrap_or_default();
        Ok::<_, ArchiveError>(judged.is_some() && rows.iter().any(|row| row.id == receipt.report))
    };
    if archive.sealed(&anchor.reports_hash)?.is_some() || is_judged()? {
        Ok(None)
    } else {
        Err(EvidenceError::NotHere(verifier))
    }
}

/// The first of these receipts that was broken, with its proof. All are of one verifier and one epoch of a network, whose anchoring has
/// ended, and rightly signed. `judged`: the root over the reports of its result, once that is final. Without the archive only a verifier
/// that anchored nothing is found.
pub fn show(
    receipts: &[&Receipt],
    anchor: Option<&Anchor>,
    judged: Option<&Hash>,
    archive: Option<&EpochArchive<'_>>,
) -> Result<Option<SlashReceipt>, ArchiveError> {
    let proven = |receipt: &Receipt, evidence| {
        let receipt = receipt.clone();
        SlashReceipt { receipt, evidence }
    };
    let Some(anchor) = anchor else {
        return Ok(receipts.first().map(|first| proven(first, Evidence::NoAnchor)));
    };
    let Some(archive) = archive else { return Ok(None) };
    // What was anchored may be no file of reports at all; then only the result shows what is missing.
    let anchored = archive.sealed(&anchor.reports_hash)?;
    if let Some(rows) = anchored.and_then(|file| archive::reports::read(file).ok())
        && let Some((receipt, proof)) = absent(receipts, &rows, &anchor.root)
    {
        return Ok(Some(proven(receipt, Evidence::NotAnchored(proof))));
    }
    // A file that nobody can have was left out, and with it what it should hold.
    let Some(root) = judged else { return Ok(None) };
    let found = judged_rows(archive)?.and_then(|rows| absent(receipts, &rows, root));
    Ok(found.map(|(receipt, proof)| proven(receipt, Evidence::NotJudged(proof))))
}

fn judged_rows(archive: &EpochArchive<'_>) -> Result<Option<Vec<Sealed>>, ArchiveError> {
    let file = archive.get(archive::REPORTS)?;
    let read = |file| archive::reports::read(file).map_err(|error| archive.wrong(archive::REPORTS, error));
    file.map(read).transpose()
}

/// The first receipt whose report is not among these rows, and that it is not, if they are all that a root is over.
fn absent<'a>(receipts: &[&'a Receipt], rows: &[Sealed], root: &Hash) -> Option<(&'a Receipt, AbsenceProof)> {
    let ids: Vec<Hash> = rows.iter().map(|row| Hash(row.id.0)).collect();
    let tree = Tree::new(ids.iter().map(|id| merkle::leaf(&id.0)).collect());
    let is_whole = tree.root() == *root && ids.is_sorted_by(|one, next| one < next);
    let proof = |receipt: &&'a Receipt| Some((*receipt, AbsenceProof::make(&tree, &ids, &Hash(receipt.report.0))?));
    receipts.iter().filter(|_| is_whole).find_map(proof)
}
