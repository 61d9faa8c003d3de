//! What the engine asks of the process around it: transactions, time, and someone to tell. Its methods never block.

use crate::Finalized;
use std::{sync::Arc, time::SystemTime};
use tokio::sync::watch;

/// SHA-256 of a transaction's bytes.
pub type TxHash = [u8; 32];

/// The hash under which a transaction is known.
pub fn tx_hash(bytes: &[u8]) -> TxHash {
    cairn_types::hash::sha256(bytes).0
}

/// A transaction on its way into a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tx {
    pub hash: TxHash,
    pub bytes: Arc<[u8]>,
}

impl Tx {
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        let bytes = bytes.into();
        Self {
            hash: tx_hash(&bytes),
            bytes,
        }
    }
}

/// The pool of waiting transactions. It hands out only what [`StateMachine::check`](crate::StateMachine::check) passed.
pub trait TxSource: Send + Sync + 'static {
    /// The next transactions in their order, at most `count_max` and `bytes_max` together, without those for which
    /// `skip` is true (they stand in a block that is not final yet). Takes nothing out: a transaction leaves the pool
    /// when [`Observer::finalized`] shows it in a block, when `refused` names it, or by the pool's own rules.
    fn peek(&self, count_max: usize, bytes_max: usize, skip: &dyn Fn(&TxHash) -> bool) -> Vec<Tx>;

    /// The machine refused it while a block was built at `height`, after those before it in the pool. The pool decides
    /// whether to drop it, and tells whoever waits for it.
    fn refused(&self, hash: &TxHash, code: u32, height: u64);

    /// Counts transactions ever admitted. A proposer with nothing to do wakes when it changes.
    fn arrivals(&self) -> watch::Receiver<u64>;

    /// Changes when there is something in [`outgoing`](TxSource::outgoing). A pool that tells nobody never does.
    fn announced(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }

    /// Takes transactions out of those that the other nodes have not been told of: what came in here, and what waits for long.
    fn outgoing(&self, count_max: usize, bytes_max: usize) -> Vec<Tx> {
        let _ = (count_max, bytes_max);
        Vec::new()
    }

    /// Another node told of these; [`StateMachine::check`](crate::StateMachine::check) passed all of them. The pool decides
    /// what it takes, and does not tell them on.
    fn offer(&self, txs: Vec<Tx>) {
        let _ = txs;
    }
}

/// Who is told of finalized blocks: in order, each at least once, also after a crash. Called on a task of its own, one
/// call at a time; slowness delays only the next call (and, after many blocks, the filling of new ones).
pub trait Observer: Send + Sync + 'static {
    /// The last height whose block this observer has stored for good; 0 at first. Read once at the start: blocks from
    /// the next height are told (again). One that keeps nothing returns `None` and is told of new blocks only.
    fn stored_height(&self) -> Option<u64>;

    /// A block is final. Idempotent: the same block may come again after a restart.
    fn finalized(&self, block: Arc<Finalized>);

    /// Blocks before `height` are not kept here: they were pruned before this observer saw them, or the state was fetched
    /// instead. `finalized` goes on there.
    fn skipped_to(&self, height: u64);
}

/// Where block times come from.
pub trait Clock: Send + Sync + 'static {
    /// Unix milliseconds. A block's time is this, but never less than its parent's.
    fn now_ms(&self) -> u64;

    /// Changes when a clock that is moved by hand was moved; `None` for one that runs by itself.
    fn moved(&self) -> Option<watch::Receiver<u64>> {
        None
    }
}

/// The computer's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A clock moved by hand: data time for demonstrations and tests. It never goes back.
#[derive(Debug)]
pub struct ManualClock(watch::Sender<u64>);

impl ManualClock {
    pub fn new(start_ms: u64) -> Self {
        Self(watch::Sender::new(start_ms))
    }

    /// Moves on to `now_ms`; an earlier time leaves the clock as it is.
    pub fn advance_to(&self, now_ms: u64) {
        self.0.send_if_modified(|time| {
            let later = now_ms > *time;
            *time = now_ms.max(*time);
            later
        });
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        *self.0.borrow()
    }

    fn moved(&self) -> Option<watch::Receiver<u64>> {
        Some(self.0.subscribe())
    }
}
