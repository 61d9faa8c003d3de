//! Anchored files that others hand on. A file needs no word of anybody: its SHA-256 is what a verifier anchored on the ledger. Says whether
//! one is wanted here and keeps it; believes nothing but the ledger and the hash.
//!
//! ```text
//! file, by its hash ─▶ anchored? ─▶ here already? ─▶ still needed? ─▶ at most so long ─▶ its hash holds ─▶ archive
//! ```

use crate::archive::{self, ArchiveError, EpochArchive, REPORTS, reports};
use crate::chain::{ChainError, ChainView, Verifiers};
use crate::limits::{ARCHIVE_FILE_BYTES_MAX, SEALED_FILE_BYTES_MAX, SEALED_METERS_BYTES_MAX, SEALED_ROW_BYTES_MAX};
use crate::objects::Objects;
use cairn_ledger::records::{Anchor, PoolState};
use cairn_types::envelope::ENVELOPE_BYTES_MAX;
use cairn_types::{AccountId, EpochNumber, Hash, NetworkId, hash};
use thiserror::Error;

/// The header with which a verifier says who it is where it is asked for a file (`HEAD`).
pub const WHO: &str = "cairn-verifier";

/// The reports that somebody anchored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct File {
    pub network: NetworkId,
    pub epoch: EpochNumber,
    /// SHA-256.
    pub hash: Hash,
}

/// Whether a file is wanted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    Here,
    Wanted { bytes_max: u64 },
}

/// Why a file is not taken.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum NotTaken {
    #[error("nobody anchored a file with this hash in this epoch")]
    NotAnchored,
    #[error("the money of this epoch is released: nothing is decided by its files any more")]
    Released,
    #[error("what was anchored under this hash has at most {0} bytes")]
    TooLong(u64),
    #[error("these bytes have another hash than the file's name")]
    OtherHash,
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// The longest file an anchor can be of.
pub fn bytes_max(anchor: &Anchor) -> u64 {
    let row = ENVELOPE_BYTES_MAX as u64 + SEALED_ROW_BYTES_MAX;
    // Meters stand there as hexadecimal digits.
    let besides = SEALED_FILE_BYTES_MAX + 2 * SEALED_METERS_BYTES_MAX as u64;
    let bytes = anchor.count.saturating_mul(row).saturating_add(besides);
    bytes.min(ARCHIVE_FILE_BYTES_MAX)
}

/// The files that a result is by which leaves out the anchors at these places. A file of no reports everybody has.
pub fn files(
    chain: &dyn ChainView,
    network: &NetworkId,
    epoch: EpochNumber,
    without: &[u32],
) -> Result<Vec<File>, ChainError> {
    let empty = reports::empty_hash();
    let anchors = (0u32..).zip(chain.anchoring(network, epoch)?.anchors);
    let judged = anchors.filter(|(place, anchor)| anchor.reports_hash != empty && !without.contains(place));
    let mut files: Vec<File> = judged
        .map(|(_, anchor)| File {
            network: *network,
            epoch,
            hash: anchor.reports_hash,
        })
        .collect();
    files.sort_unstable();
    files.dedup();
    Ok(files)
}

/// Whether an archive has a file. Reads no reports where the names say it.
pub fn holds(objects: &dyn Objects, file: &File) -> Result<bool, ArchiveError> {
    let names = objects.list(&archive::folder(&file.network, file.epoch))?;
    if names.contains(&archive::sealed_name(&file.hash)) {
        return Ok(true);
    }
    let archive = EpochArchive::of(objects, &file.network, file.epoch);
    match archive.manifest()? {
        Some(manifest) => Ok(manifest
            .files
            .iter()
            .any(|entry| entry.name == REPORTS && entry.hash == file.hash)),
        None => Ok(archive.sealed(&file.hash)?.is_some()),
    }
}

/// Whether a verifier with this store that is at this epoch of the network wants a file.
pub fn want(
    objects: &dyn Objects,
    chain: &dyn ChainView,
    file: &File,
    at: Option<EpochNumber>,
) -> Result<Want, NotTaken> {
    let anchors = chain.anchoring(&file.network, file.epoch)?.anchors;
    // Who copies another's file may say another number of reports.
    let same = anchors.iter().filter(|anchor| anchor.reports_hash == file.hash);
    let bytes_max = same.map(bytes_max).max().ok_or(NotTaken::NotAnchored)?;
    if file.hash == reports::empty_hash() || holds(objects, file)? {
        return Ok(Want::Here);
    }
    let closed = chain.closed(&file.network, file.epoch)?;
    let is_open = closed.is_none_or(|closed| matches!(closed.pool.state, PoolState::Closed | PoolState::Settled));
    let is_behind = at.is_some_and(|at| at <= file.epoch);
    match is_open || is_behind {
        true => Ok(Want::Wanted { bytes_max }),
        false => Err(NotTaken::Released),
    }
}

/// Keeps a wanted file, if it is the one of this hash.
pub fn keep(objects: &dyn Objects, file: &File, bytes: &[u8]) -> Result<(), NotTaken> {
    if hash::sha256(bytes) != file.hash {
        return Err(NotTaken::OtherHash);
    }
    let archive = EpochArchive::of(objects, &file.network, file.epoch);
    Ok(archive.put(&archive::sealed_name(&file.hash), bytes)?)
}

/// Whether a file is with so many verifiers that nobody's silence can keep it from the others: more than two thirds of the bond of those
/// who say where they are. Of those at most a third lies, so that some of the rest have it, who give it to everybody.
///
/// Who says no address can be neither asked nor handed anything, and is heard by nobody: it does not count, on either side. Where nobody
/// says one there is nobody to wait for.
pub fn is_spread(verifiers: &Verifiers, is_holder: impl Fn(&AccountId) -> bool) -> bool {
    let told = verifiers.all.iter().filter(|verifier| !verifier.url.is_empty());
    let (mut all, mut held) = (0u128, 0u128);
    for verifier in told {
        let bond = u128::from(verifier.bond.0);
        all += bond;
        held += if is_holder(&verifier.account) { bond } else { 0 };
    }
    all == 0 || 3 * held > 2 * all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::VerifierAt;
    use cairn_types::{SecretKey, Token};

    fn verifiers(bonds: &[(u64, &str)]) -> Verifiers {
        let one = |(at, (bond, url)): (usize, &(u64, &str))| VerifierAt {
            account: AccountId([at as u8; 32]),
            key: SecretKey::ed25519([at as u8; 32]).public(),
            bond: Token(*bond),
            url: (*url).to_owned(),
        };
        Verifiers {
            all: bonds.iter().enumerate().map(one).collect(),
            bond_active: Token::ZERO,
        }
    }

    #[test]
    fn a_file_is_spread_when_more_than_two_thirds_of_the_bond_with_an_address_hold_it() {
        let check = |bonds: &[(u64, &str)], holders: &[u8], is: bool| {
            let held = |account: &AccountId| holders.contains(&account.0[0]);
            assert_eq!(is_spread(&verifiers(bonds), held), is, "{bonds:?} {holders:?}");
        };
        let even = [(10, "a"), (10, "b"), (10, "c"), (10, "d")];
        check(&even, &[0, 1, 2], true);
        check(&even, &[0, 1], false);
        check(&even[..3], &[0, 1], false);
        check(&[(21, "a"), (10, "b")], &[0], true);
        check(&[(20, "a"), (10, "b")], &[0], false);
        // Who cannot be reached holds nothing up, and does not count as one that has it.
        check(&[(90, ""), (10, "b")], &[1], true);
        check(&[(90, ""), (10, "b")], &[0], false);
        check(&[(90, "")], &[], true);
        check(&[], &[], true);
        check(&[(u64::MAX, "a"), (u64::MAX, "b")], &[0], false);
    }
}
