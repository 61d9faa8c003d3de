//! Accepted readings of released epochs, from the archive. Believes no file: an epoch is read only if its roots are those that
//! the ledger settled. Reads one epoch at a time, and keeps a few. Asked for an epoch that is not released, it would keep a result
//! that a dispute may still replace: nobody asks, since plans end there.
//!
//! ```text
//! ledger: settlement.result ══ manifest.attestation.result ══ inputs, ids of reports, findings     report ⋈ finding ─▶ readings
//! ```

mod epoch;

pub use epoch::EpochRows;

use crate::ledger::{Ledger, LedgerError};
use crate::limits::{Limits, RESULTS_MAX};
use cairn_types::{EpochNumber, Hash, NetworkId};
use cairn_verifier::archive::ArchiveError;
use cairn_verifier::objects::Objects;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use thiserror::Error;

/// Rows that cannot be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SourceError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("epoch {epoch}: {what} in the archive is not what was settled on the ledger")]
    Differs { epoch: EpochNumber, what: &'static str },
    #[error("the answer has more than {0} rows")]
    TooManyRows(u64),
    #[error("the answer has more devices than one meter record may have")]
    TooManyDevices,
    #[error("reading the archive took too long")]
    Stopped,
}

/// The archive of released epochs, and what was read of it lately.
pub struct Source {
    ledger: Arc<dyn Ledger>,
    objects: Arc<dyn Objects>,
    readings_max: usize,
    kept: Mutex<Kept>,
}

type Key = (NetworkId, EpochNumber);

#[derive(Default)]
struct Kept {
    /// Oldest use first.
    epochs: VecDeque<(Key, Arc<EpochRows>)>,
    readings: usize,
    results: BTreeMap<Key, Hash>,
}

impl Source {
    pub fn new(ledger: Arc<dyn Ledger>, objects: Arc<dyn Objects>, limits: &Limits) -> Self {
        Self {
            ledger,
            objects,
            readings_max: limits.cached_readings_max,
            kept: Mutex::default(),
        }
    }

    /// A released epoch's accepted readings; `None` when it expired.
    pub fn epoch(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Arc<EpochRows>>, SourceError> {
        let key = (*network, epoch);
        if let Some(rows) = self.kept().used(&key) {
            return Ok(Some(rows));
        }
        let Some(result) = self.result(&key)? else {
            return Ok(None);
        };
        let rows = Arc::new(epoch::read(self.objects.as_ref(), network, epoch, &result)?);
        self.kept().keep(key, rows.clone(), self.readings_max);
        Ok(Some(rows))
    }

    /// The hash of what was settled: of a released epoch it never changes.
    fn result(&self, key: &Key) -> Result<Option<Hash>, LedgerError> {
        if let Some(result) = self.kept().results.get(key) {
            return Ok(Some(*result));
        }
        let Some(settlement) = self.ledger.settlement(&key.0, key.1)? else {
            return Ok(None);
        };
        let mut kept = self.kept();
        if kept.results.len() >= RESULTS_MAX {
            kept.results.clear();
        }
        kept.results.insert(*key, settlement.result);
        Ok(Some(settlement.result))
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().expect("no holder of the lock panics")
    }
}

impl Kept {
    fn used(&mut self, key: &Key) -> Option<Arc<EpochRows>> {
        let at = self.epochs.iter().position(|(kept, _)| kept == key)?;
        let found = self.epochs.remove(at)?;
        let rows = found.1.clone();
        self.epochs.push_back(found);
        Some(rows)
    }

    /// Keeps an epoch and drops those not used for longest; one larger than everything is not kept.
    fn keep(&mut self, key: Key, rows: Arc<EpochRows>, readings_max: usize) {
        if rows.weight() > readings_max || self.epochs.iter().any(|(kept, _)| *kept == key) {
            return;
        }
        self.readings += rows.weight();
        self.epochs.push_back((key, rows));
        while self.readings > readings_max {
            let Some((_, dropped)) = self.epochs.pop_front() else {
                break;
            };
            self.readings -= dropped.weight();
        }
    }
}
