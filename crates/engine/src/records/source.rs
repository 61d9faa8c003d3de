//! Hands in the chunks that are still missing, before anything else, if this node has their file; and sees which were taken in.
//! Knows nothing of what the records mean.

use super::{Brought, RecordsFile, is_records, machine::Cursor};
use crate::{Finalized, Observer, Tx, TxHash, TxSource, Value};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// The pool and the observer of a later era.
pub(crate) struct Taking {
    source: Arc<dyn TxSource>,
    observer: Arc<dyn Observer>,
    file: Option<Arc<RecordsFile>>,
    /// The next chunk that no final block holds; none before the state was looked at.
    next: Mutex<Option<u64>>,
    moved: watch::Sender<u64>,
}

impl Taking {
    pub(crate) fn new(source: Arc<dyn TxSource>, observer: Arc<dyn Observer>, file: Option<Arc<RecordsFile>>) -> Self {
        Self {
            source,
            observer,
            file,
            next: Mutex::new(None),
            moved: watch::Sender::new(0),
        }
    }

    /// Begins where the state is.
    pub(crate) fn resume(&self, cursor: Option<Value>) {
        self.advance(Cursor::read(cursor.as_ref()).next);
    }

    fn advance(&self, to: u64) {
        let mut next = self.next.lock().expect("no panic while this lock is held");
        *next = Some(next.map_or(to, |next| next.max(to)));
        self.moved.send_modify(|moved| *moved += 1);
    }

    /// The file and the next chunk of it, while there is one.
    fn missing(&self) -> Option<(&RecordsFile, Option<u64>)> {
        let file = self.file.as_deref()?;
        let next = *self.next.lock().expect("no panic while this lock is held");
        next.is_none_or(|next| next < file.chunks()).then_some((file, next))
    }
}

impl TxSource for Taking {
    fn peek(&self, count_max: usize, bytes_max: usize, skip: &dyn Fn(&TxHash) -> bool) -> Vec<Tx> {
        let (file, from) = match self.missing() {
            None => return self.source.peek(count_max, bytes_max, skip),
            Some((_, None)) => return Vec::new(),
            Some((file, Some(from))) => (file, from),
        };
        let (mut txs, mut room) = (Vec::new(), bytes_max);
        for at in from..file.chunks() {
            if txs.len() == count_max {
                break;
            }
            let tx = match file.bring(at) {
                Ok(tx) => Tx::new(tx),
                Err(error) => {
                    tracing::error!(%error, chunk = at, "the records of the era before cannot be read");
                    break;
                }
            };
            if skip(&tx.hash) {
                continue;
            }
            let Some(rest) = room.checked_sub(tx.bytes.len()) else {
                break;
            };
            room = rest;
            txs.push(tx);
        }
        txs
    }

    fn refused(&self, hash: &TxHash, code: u32, height: u64) {
        self.source.refused(hash, code, height);
    }

    fn arrivals(&self) -> watch::Receiver<u64> {
        match self.missing() {
            Some(_) => self.moved.subscribe(),
            None => self.source.arrivals(),
        }
    }

    fn announced(&self) -> watch::Receiver<u64> {
        self.source.announced()
    }

    fn outgoing(&self, count_max: usize, bytes_max: usize) -> Vec<Tx> {
        self.source.outgoing(count_max, bytes_max)
    }

    fn offer(&self, mut txs: Vec<Tx>) {
        txs.retain(|tx| !is_records(&tx.bytes));
        self.source.offer(txs);
    }
}

impl Observer for Taking {
    fn stored_height(&self) -> Option<u64> {
        self.observer.stored_height()
    }

    fn finalized(&self, block: Arc<Finalized>) {
        let chunks = block.txs.iter().filter_map(|tx| Brought::read(&tx.bytes));
        if let Some(last) = chunks.map(|brought| brought.proof.start).max() {
            self.advance(last + 1);
        }
        self.observer.finalized(block);
    }

    fn skipped_to(&self, height: u64) {
        self.observer.skipped_to(height);
    }
}
