//! The pool as the engine sees it: hands out what waits, for blocks and for the other nodes' pools, and tells whoever asked how
//! each transaction ended. Decides nothing.

use super::pool::{Candidate, Departure, Included, Limits, Pool, PoolRefusal, Why};
use cairn_engine::{Tx, TxHash, TxSource};
use cairn_types::{AccountId, Hash};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot, watch};

/// Callers that wait for transactions, together.
pub const WAITERS_MAX: usize = 20_000;
/// Endings other than final that are remembered for whoever asks later.
const ENDINGS_MAX: usize = 20_000;
/// Transactions of other nodes that wait to be looked at; more are dropped, and told again.
const OFFERS_MAX: usize = 8_192;
/// After so many blocks the other nodes are told again of what came in here and still waits: one of them may have been away.
const REPEAT_BLOCKS: u64 = 16;

/// Where a transaction came in first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// At this node, which tells the others.
    Here,
    /// At another, which told this one.
    Elsewhere,
}

/// The pool, shared by the API, the engine and the observer of final blocks.
pub struct SharedPool {
    inner: Mutex<Inner>,
    arrivals: watch::Sender<u64>,
    announced: watch::Sender<u64>,
    offers: mpsc::Sender<Tx>,
    offered: Mutex<Option<mpsc::Receiver<Tx>>>,
    started: Instant,
}

struct Inner {
    pool: Pool,
    /// What came in here and waits.
    ours: BTreeMap<Hash, Tx>,
    /// Those of them that the other nodes are to be told of; each once.
    untold: VecDeque<Hash>,
    waiters: BTreeMap<Hash, Vec<oneshot::Sender<Why>>>,
    waiting: usize,
    /// Newest last.
    ended: VecDeque<Hash>,
    endings: BTreeMap<Hash, Why>,
}

/// What the pool holds now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    pub count: usize,
    pub bytes: usize,
    pub admitted: u64,
    pub waiters: usize,
}

impl SharedPool {
    pub fn new(limits: Limits) -> Self {
        let (offers, offered) = mpsc::channel(OFFERS_MAX);
        Self {
            offers,
            offered: Mutex::new(Some(offered)),
            inner: Mutex::new(Inner {
                pool: Pool::new(limits),
                ours: BTreeMap::new(),
                untold: VecDeque::new(),
                waiters: BTreeMap::new(),
                waiting: 0,
                ended: VecDeque::new(),
                endings: BTreeMap::new(),
            }),
            arrivals: watch::Sender::new(0),
            announced: watch::Sender::new(0),
            started: Instant::now(),
        }
    }

    /// Takes a transaction in, with the last nonce its account had used at `height`. `None` when the pool knows of a later
    /// block: the caller reads the account again.
    pub fn add(
        &self,
        candidate: Candidate,
        last: Option<u64>,
        height: u64,
        origin: Origin,
    ) -> Option<Result<(), PoolRefusal>> {
        let now_ms = self.now_ms();
        let mut inner = self.lock();
        if height < inner.pool.height() {
            return None;
        }
        let (id, tx) = (candidate.id, candidate.tx.clone());
        let new = !inner.pool.contains(&id);
        let expired = inner.pool.expire(now_ms);
        inner.tell(expired);
        let added = inner.pool.add(candidate, last, now_ms).map(|departures| {
            inner.forget(&id);
            inner.tell(departures);
            if new && origin == Origin::Here {
                inner.ours.insert(id, tx);
                inner.untold.push_back(id);
            }
        });
        let arrivals = inner.pool.arrivals();
        let untold = !inner.untold.is_empty();
        drop(inner);
        self.arrivals
            .send_if_modified(|seen| std::mem::replace(seen, arrivals) != arrivals);
        if untold {
            self.announce();
        }
        Some(added)
    }

    /// What other nodes told of, for the one who looks at it.
    pub fn offered(&self) -> Option<mpsc::Receiver<Tx>> {
        self.offered.lock().ok().and_then(|mut offered| offered.take())
    }

    /// Tells when the transaction leaves the pool. Called before it is added, so that nothing is missed; `None` when too
    /// many wait already.
    pub fn wait(&self, id: Hash) -> Option<oneshot::Receiver<Why>> {
        let mut inner = self.lock();
        if inner.waiting >= WAITERS_MAX {
            inner.sweep();
            if inner.waiting >= WAITERS_MAX {
                return None;
            }
        }
        let (sender, receiver) = oneshot::channel();
        inner.waiters.entry(id).or_default().push(sender);
        inner.waiting += 1;
        Some(receiver)
    }

    /// How a transaction ended that is not final, as far as remembered.
    pub fn ending(&self, id: &Hash) -> Option<Why> {
        self.lock().endings.get(id).copied()
    }

    pub fn contains(&self, id: &Hash) -> bool {
        self.lock().pool.contains(id)
    }

    /// The transaction of an account that waits with this nonce.
    pub fn held(&self, account: &AccountId, nonce: u64) -> Option<Tx> {
        self.lock().pool.held(account, nonce)
    }

    /// The highest nonce with which a transaction of the account waits.
    pub fn last_nonce(&self, account: &AccountId) -> Option<u64> {
        self.lock().pool.last_nonce(account)
    }

    pub fn level(&self) -> Level {
        let inner = self.lock();
        Level {
            count: inner.pool.count(),
            bytes: inner.pool.bytes(),
            admitted: inner.pool.arrivals(),
            waiters: inner.waiting,
        }
    }

    /// A block is final.
    pub fn finalized(&self, height: u64, included: &[Included]) {
        let now_ms = self.now_ms();
        let mut inner = self.lock();
        let departures = inner.pool.finalized(height, included);
        inner.tell(departures);
        let expired = inner.pool.expire(now_ms);
        inner.tell(expired);
        if height.is_multiple_of(REPEAT_BLOCKS) && !inner.ours.is_empty() {
            inner.untold = inner.ours.keys().copied().collect();
            drop(inner);
            self.announce();
        }
    }

    fn announce(&self) {
        self.announced.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no one panics while holding the pool")
    }
}

impl TxSource for SharedPool {
    fn peek(&self, count_max: usize, bytes_max: usize, skip: &dyn Fn(&TxHash) -> bool) -> Vec<Tx> {
        self.lock().pool.peek(count_max, bytes_max, skip)
    }

    fn refused(&self, hash: &TxHash, code: u32, height: u64) {
        let mut inner = self.lock();
        let departures = inner.pool.refused(hash, code, height);
        inner.tell(departures);
    }

    fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    fn announced(&self) -> watch::Receiver<u64> {
        self.announced.subscribe()
    }

    fn outgoing(&self, count_max: usize, bytes_max: usize) -> Vec<Tx> {
        let mut inner = self.lock();
        let (mut picked, mut bytes) = (Vec::new(), 0);
        while let Some(id) = inner.untold.front().copied().filter(|_| picked.len() < count_max) {
            if let Some(tx) = inner.ours.get(&id) {
                bytes += tx.bytes.len();
                if bytes > bytes_max {
                    break;
                }
                picked.push(tx.clone());
            }
            inner.untold.pop_front();
        }
        picked
    }

    fn offer(&self, txs: Vec<Tx>) {
        for tx in txs {
            // One too many comes again.
            let _ = self.offers.try_send(tx);
        }
    }
}

impl Inner {
    fn tell(&mut self, departures: impl IntoIterator<Item = Departure>) {
        for Departure { id, why } in departures {
            self.ours.remove(&id);
            for waiter in self.waiters.remove(&id).unwrap_or_default() {
                self.waiting -= 1;
                // Whoever asked may have gone.
                let _ = waiter.send(why);
            }
            if matches!(why, Why::Final { .. }) {
                self.forget(&id);
            } else if self.endings.insert(id, why).is_none() {
                self.ended.push_back(id);
                if self.ended.len() > ENDINGS_MAX {
                    let oldest = self.ended.pop_front().expect("more than none");
                    self.endings.remove(&oldest);
                }
            }
        }
    }

    /// It waits again, or is final: the earlier ending no longer holds.
    fn forget(&mut self, id: &Hash) {
        if self.endings.remove(id).is_some() {
            self.ended.retain(|ended| ended != id);
        }
    }

    /// Drops the waiters whose callers have gone.
    fn sweep(&mut self) {
        self.waiters.retain(|_, waiters| {
            waiters.retain(|waiter| !waiter.is_closed());
            !waiters.is_empty()
        });
        self.waiting = self.waiters.values().map(Vec::len).sum();
    }
}
