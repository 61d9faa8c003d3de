//! What the node does with every final block: remembers where its transactions stand, keeps the newest blocks at hand for
//! those who follow, and only then tells those who wait. Never decides what is final.

use crate::index::{Index, Place};
use crate::machine::signed;
use crate::mempool::{Included, SharedPool};
use cairn_engine::{Finalized, Observer, is_own, tx_hash};
use cairn_ledger::Transaction;
use cairn_types::Hash;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// Newest blocks kept at hand.
const BLOCKS_MAX: usize = 256;
/// Bytes of transactions and receipts of those.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// A final block and the ids of its transactions.
#[derive(Clone, Debug)]
pub struct Told {
    pub block: Arc<Finalized>,
    pub ids: Vec<Hash>,
}

/// The observer of final blocks.
pub struct Follower {
    pool: Arc<SharedPool>,
    inner: Mutex<Inner>,
    head: watch::Sender<u64>,
}

struct Inner {
    index: Index,
    recent: VecDeque<Arc<Told>>,
    bytes: usize,
}

impl Follower {
    pub fn new(index: Index, pool: Arc<SharedPool>) -> Self {
        Self {
            pool,
            head: watch::Sender::new(index.stored_height()),
            inner: Mutex::new(Inner {
                index,
                recent: VecDeque::new(),
                bytes: 0,
            }),
        }
    }

    /// Where a transaction stands that is final.
    pub fn find(&self, id: &Hash) -> Option<Place> {
        self.lock().index.find(id)
    }

    /// A block at hand.
    pub fn recent(&self, height: u64) -> Option<Arc<Told>> {
        let inner = self.lock();
        let first = inner.recent.front()?.block.header.height;
        let at = usize::try_from(height.checked_sub(first)?).ok()?;
        inner.recent.get(at).cloned()
    }

    /// The last height this node has taken in.
    pub fn head(&self) -> watch::Receiver<u64> {
        self.head.subscribe()
    }

    /// Whether somebody waits for blocks to be taken in.
    #[cfg(test)]
    pub fn is_waited_for(&self) -> bool {
        self.head.receiver_count() > 0
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no one panics while holding the follower")
    }
}

impl Told {
    pub fn of(block: Arc<Finalized>) -> Self {
        let ids = block.txs.iter().map(|tx| id(&tx.bytes)).collect();
        Self { block, ids }
    }
}

impl Observer for Follower {
    fn stored_height(&self) -> Option<u64> {
        Some(self.lock().index.stored_height())
    }

    fn finalized(&self, block: Arc<Finalized>) {
        let height = block.header.height;
        let ledgers = block.txs.iter().filter(|tx| !is_own(&tx.bytes));
        let included: Vec<Included> = ledgers
            .map(|tx| transaction(&tx.bytes))
            .map(|transaction| Included {
                id: transaction.id(),
                account: transaction.account,
                nonce: transaction.nonce,
            })
            .collect();
        self.lock().take(Told::of(block));
        self.head.send_if_modified(|head| {
            let later = height > *head;
            *head = height.max(*head);
            later
        });
        // Last, so that whoever is told finds it.
        self.pool.finalized(height, &included);
    }

    fn skipped_to(&self, height: u64) {
        tracing::warn!(
            height,
            "earlier blocks are pruned; their transactions are not in the index"
        );
    }
}

impl Inner {
    fn take(&mut self, told: Told) {
        let height = told.block.header.height;
        if let Err(error) = self.index.add(height, &told.ids) {
            tracing::error!(%error, height, "the index of transactions cannot be written; it is kept in memory only");
        }
        let last = self.recent.back().map(|told| told.block.header.height);
        if last.is_some_and(|last| height <= last) {
            return;
        }
        if last.is_some_and(|last| height != last + 1) {
            self.recent.clear();
            self.bytes = 0;
        }
        self.bytes += bytes(&told);
        self.recent.push_back(Arc::new(told));
        while self.recent.len() > BLOCKS_MAX || (self.bytes > BYTES_MAX && self.recent.len() > 1) {
            let oldest = self.recent.pop_front().expect("more than one");
            self.bytes -= bytes(&oldest);
        }
    }
}

/// The id of a transaction; one of the engine's own has that of its bytes.
fn id(bytes: &[u8]) -> Hash {
    match is_own(bytes) {
        true => Hash(tx_hash(bytes)),
        false => transaction(bytes).id(),
    }
}

fn transaction(bytes: &[u8]) -> Transaction {
    let signed = signed(bytes).expect("a final block holds only what was checked");
    signed.transaction
}

fn bytes(told: &Told) -> usize {
    let block = &told.block;
    block.begin.len()
        + block
            .txs
            .iter()
            .map(|tx| tx.bytes.len() + tx.receipt.len())
            .sum::<usize>()
}
