//! What an epoch comes to that is not settled; whether a settled result is right, and who is to blame if not. A result says what it leaves out: it is to blame only if it is wrong by
//! that. What it left out and is to be had by now makes another result right, and nobody wrong.
//!
//! ```text
//! recomputed by what the settled result leaves out ─┬─ another result ─▶ that one, with blame
//!                                                   └─ the settled one ─▶ recomputed by what the disputer leaves out less
//!                                                                         ├─ the disputer's claim ─▶ that one, without blame
//!                                                                         └─ not, or not to be had ─▶ the settled one
//! ```

use super::{AuditError, RecomputeError, Recomputed, recompute};
use crate::archive::{EpochArchive, reports};
use crate::chain::ChainView;
use crate::objects::Objects;
use cairn_ledger::records::PoolState;
use cairn_ledger::tx::claim_hash;
use cairn_ledger::tx::vote_dispute::VoteDispute;
use cairn_types::attestation::leaves_out_less;
use cairn_types::{EpochNumber, Hash, NetworkId};

/// What a disputer claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// As the ledger's dispute names it.
    pub claim: Hash,
    /// What it leaves out.
    pub without: Vec<u32>,
}

/// What a settled result is found to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It is what the epoch comes to.
    Right(Box<Recomputed>),
    /// By what it leaves out itself the epoch comes to this: who signed it is to blame.
    Wrong(Box<Recomputed>),
    /// It is right by what it leaves out, and over more files, which are to be had, the epoch comes to this: nobody is to blame.
    Completed(Box<Recomputed>),
    /// Verifiers settled nothing. By all files that are to be had the epoch comes to this.
    Unsettled(Box<Recomputed>),
}

impl Verdict {
    /// What the epoch comes to.
    pub fn comes_to(&self) -> &Recomputed {
        match self {
            Self::Right(found) | Self::Wrong(found) | Self::Completed(found) | Self::Unsettled(found) => found,
        }
    }

    /// A validator's vote for it.
    pub fn vote(&self) -> VoteDispute {
        let Recomputed { result, exchange, .. } = self.comes_to();
        VoteDispute {
            result: result.clone(),
            exchange: *exchange,
            blame: matches!(self, Self::Wrong(_)),
        }
    }
}

/// Judges the settled result of an epoch, and the claim of its disputer; without one, what all files of the archive come to.
pub fn verdict(
    objects: &dyn Objects,
    chain: &dyn ChainView,
    network: &NetworkId,
    epoch: EpochNumber,
    claimed: Option<&Claimed>,
) -> Result<Verdict, RecomputeError> {
    let settlement = chain.settlement(network, epoch).map_err(AuditError::from)?;
    let Some(settlement) = settlement else {
        return unsettled(objects, chain, network, epoch);
    };
    let without = chain.without(network, epoch).map_err(AuditError::from)?;
    let book = chain.exchange(network, epoch).map_err(AuditError::from)?;
    let exchange = book.map(|book| (book.offers, book.choices));
    let standing = claim_hash(&settlement.result, exchange);
    let settled = recompute(objects, chain, network, epoch, &without)?;
    if settled.claim() != standing {
        return Ok(Verdict::Wrong(Box::new(settled)));
    }
    let less = match claimed {
        Some(claimed) => claimed.without.clone(),
        None => not_here(objects, chain, network, epoch, &without)?,
    };
    if leaves_out_less(&less, &without) {
        match recompute(objects, chain, network, epoch, &less) {
            Ok(full) if claimed.is_none_or(|claimed| claimed.claim == full.claim()) => {
                return Ok(Verdict::Completed(Box::new(full)));
            }
            // Another result than is claimed, or files that are not to be had.
            Ok(_) | Err(RecomputeError::Unfit(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Verdict::Right(Box::new(settled)))
}

/// What an epoch comes to that is not settled, by all files that are to be had: whoever judges hands on what it judges by, so that all
/// judge the same in the end. What somebody claims of it binds nobody.
fn unsettled(
    objects: &dyn Objects,
    chain: &dyn ChainView,
    network: &NetworkId,
    epoch: EpochNumber,
) -> Result<Verdict, RecomputeError> {
    let closed = chain.closed(network, epoch).map_err(AuditError::from)?;
    let anchoring = chain.anchoring(network, epoch).map_err(AuditError::from)?;
    let is_closed = closed.is_some_and(|closed| closed.pool.state == PoolState::Closed);
    if !is_closed || !anchoring.has_ended {
        return Err(RecomputeError::NotSettled);
    }
    let archive = EpochArchive::of(objects, network, epoch);
    let mut without = Vec::new();
    for (place, anchor) in (0u32..).zip(&anchoring.anchors) {
        let is_empty = anchor.reports_hash == reports::empty_hash();
        if !is_empty
            && archive
                .sealed(&anchor.reports_hash)
                .map_err(AuditError::from)?
                .is_none()
        {
            without.push(place);
        }
    }
    let found = recompute(objects, chain, network, epoch, &without)?;
    Ok(Verdict::Unsettled(Box::new(found)))
}

/// Those of the anchors that are left out whose files this archive has not.
fn not_here(
    objects: &dyn Objects,
    chain: &dyn ChainView,
    network: &NetworkId,
    epoch: EpochNumber,
    without: &[u32],
) -> Result<Vec<u32>, AuditError> {
    let anchors = chain.anchoring(network, epoch)?.anchors;
    let archive = EpochArchive::of(objects, network, epoch);
    let mut missing = Vec::new();
    for place in without {
        let Some(anchor) = anchors.get(*place as usize) else {
            continue;
        };
        // With an empty file the result is the same but for its name.
        let is_empty = anchor.reports_hash == reports::empty_hash();
        if is_empty || archive.sealed(&anchor.reports_hash)?.is_none() {
            missing.push(*place);
        }
    }
    Ok(missing)
}
