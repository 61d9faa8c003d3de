//! A validator's process around the engine: the node's own pool, the records as of the newest block it was told of, and what it was
//! told before. And whoever looks on, who sees the blocks of all honest ones.

use cairn_engine::{Finalized, Observer, Tx, TxHash, TxSource, tx_hash};
use cairn_ledger::tx::Signed;
use cairn_ledger::{Block, Body, Event, Genesis, view};
use cairn_node::mempool::{Candidate, Included, Limits, Origin, SharedPool};
use cairn_types::{AccountId, Attestation, Hash, TimeMs, codec};
use cairn_verifier::chain::local::LocalChain;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// The pool's own time is the computer's, which is none of the run's: nothing leaves for its age.
const LIMITS: Limits = Limits {
    count_max: 50_000,
    bytes_max: 64 << 20,
    account_count_max: 1_024,
    replace_percent: 10,
    wait_ms_max: u64::MAX,
};

/// One validator. Its index outlives its process unless that is lost too.
pub struct Node {
    pub chain: LocalChain,
    pub forges: bool,
    onlooker: Arc<Onlooker>,
    is_honest: bool,
    pool: Mutex<Arc<SharedPool>>,
    /// Digests of the blocks it was told of.
    told: Mutex<BTreeMap<u64, TxHash>>,
    /// The process that runs now asked to be told of everything again.
    forgot: AtomicBool,
    broken: Mutex<Vec<String>>,
}

impl Node {
    pub fn new(genesis: &Genesis, onlooker: Arc<Onlooker>, is_honest: bool, forges: bool) -> Arc<Self> {
        Arc::new(Self {
            chain: LocalChain::following(genesis.clone()).expect("the genesis is sound"),
            forges,
            onlooker,
            is_honest,
            pool: Mutex::new(Arc::new(SharedPool::new(LIMITS))),
            told: Mutex::default(),
            forgot: AtomicBool::new(false),
            broken: Mutex::default(),
        })
    }

    /// Its process ends: nobody is answered, what waited in its pool is lost.
    pub fn end(&self, forgets: bool) {
        self.chain.set_away(true);
        self.forgot.store(forgets, Ordering::Relaxed);
        *lock(&self.pool) = Arc::new(SharedPool::new(LIMITS));
    }

    pub fn begin(&self) {
        self.chain.set_away(false);
    }

    pub fn height(&self) -> u64 {
        lock(&self.told).last_key_value().map_or(0, |(height, _)| *height)
    }

    pub fn digest_at(&self, height: u64) -> Option<TxHash> {
        lock(&self.told).get(&height).copied()
    }

    pub fn broken(&self) -> Vec<String> {
        lock(&self.broken).clone()
    }

    pub fn pool(&self) -> Arc<SharedPool> {
        lock(&self.pool).clone()
    }

    /// Takes a transaction into the pool as the node does, whose state knows the account's last nonce.
    pub fn admit(&self, signed: &Signed, bytes: Vec<u8>, origin: Origin) -> bool {
        let transaction = &signed.transaction;
        let last = match self.chain.block().height {
            0 => None,
            _ => self.last_nonce(&transaction.account),
        };
        let candidate = Candidate {
            id: transaction.id(),
            tx: Tx::new(bytes),
            account: transaction.account,
            nonce: transaction.nonce,
            fee_max: transaction.fee_max,
        };
        matches!(self.pool().add(candidate, last, u64::MAX, origin), Some(Ok(())))
    }

    fn last_nonce(&self, account: &AccountId) -> Option<u64> {
        let account = self.chain.read(|store| view::account(store, account));
        account.expect("memory has every record").map(|account| account.nonce)
    }

    fn say(&self, what: String) {
        lock(&self.broken).push(what);
    }
}

impl TxSource for Node {
    fn peek(&self, count_max: usize, bytes_max: usize, skip: &dyn Fn(&TxHash) -> bool) -> Vec<Tx> {
        let mut some = self.pool().peek(count_max, bytes_max, skip);
        if let (true, Some(tx)) = (self.forges, some.first_mut()) {
            let mut bytes = tx.bytes.to_vec();
            if let Some(last) = bytes.last_mut() {
                *last ^= 1;
            }
            *tx = Tx::new(bytes);
        }
        some
    }

    fn refused(&self, hash: &TxHash, code: u32, height: u64) {
        self.pool().refused(hash, code, height);
    }

    fn arrivals(&self) -> watch::Receiver<u64> {
        self.pool().arrivals()
    }

    fn announced(&self) -> watch::Receiver<u64> {
        self.pool().announced()
    }

    fn outgoing(&self, count_max: usize, bytes_max: usize) -> Vec<Tx> {
        self.pool().outgoing(count_max, bytes_max)
    }

    fn offer(&self, txs: Vec<Tx>) {
        for tx in txs {
            // Their form was looked at on the way.
            if let Ok(signed) = codec::decode_canonical::<Signed>(&tx.bytes) {
                self.admit(&signed, tx.bytes.to_vec(), Origin::Elsewhere);
            }
        }
    }
}

impl Observer for Node {
    fn stored_height(&self) -> Option<u64> {
        let forgot = self.forgot.load(Ordering::Relaxed);
        Some(if forgot { 0 } else { self.height() })
    }

    fn finalized(&self, block: Arc<Finalized>) {
        let height = block.header.height;
        let known = self.digest_at(height);
        if known.is_some_and(|known| known != block.digest) {
            self.say(format!("was told of two blocks {height}"));
            return;
        }
        if known.is_none() {
            let last = self.height();
            if height != last + 1 {
                self.say(format!("was told of block {height} after {last}"));
                return;
            }
            if let Err(what) = take(&self.chain, &block) {
                self.say(what);
            }
            lock(&self.told).insert(height, block.digest);
        }
        if self.is_honest {
            self.onlooker.see(&block);
        }
        let included: Vec<Included> = transactions(&block).iter().map(included).collect();
        self.pool().finalized(height, &included);
    }

    fn skipped_to(&self, height: u64) {
        self.say(format!("was told of no block before {height}"));
    }
}

/// Who sees the blocks of all honest validators, and keeps the first of each height.
pub struct Onlooker {
    pub chain: LocalChain,
    blocks: Mutex<BTreeMap<u64, Arc<Finalized>>>,
    broken: Mutex<Vec<String>>,
    minorities: Mutex<Vec<String>>,
}

impl Onlooker {
    pub fn new(genesis: &Genesis) -> Self {
        Self {
            chain: LocalChain::following(genesis.clone()).expect("the genesis is sound"),
            blocks: Mutex::default(),
            broken: Mutex::default(),
            minorities: Mutex::default(),
        }
    }

    pub fn height(&self) -> u64 {
        lock(&self.blocks).last_key_value().map_or(0, |(height, _)| *height)
    }

    pub fn blocks(&self) -> Vec<Arc<Finalized>> {
        lock(&self.blocks).values().cloned().collect()
    }

    pub fn broken(&self) -> Vec<String> {
        lock(&self.broken).clone()
    }

    /// Results that were taken on the word of too little bond.
    pub fn minorities(&self) -> Vec<String> {
        lock(&self.minorities).clone()
    }

    fn see(&self, block: &Arc<Finalized>) {
        let height = block.header.height;
        let known = lock(&self.blocks).get(&height).cloned();
        match known {
            Some(known) => {
                if known.header != block.header || known.digest != block.digest {
                    lock(&self.broken).push(format!("two validators were told of different blocks {height}"));
                }
            }
            None => {
                let before = bonds(&self.chain);
                if let Err(what) = take(&self.chain, block) {
                    lock(&self.broken).push(what);
                }
                let after = bonds(&self.chain);
                for signed in transactions(block) {
                    if let Body::SettleEpoch(settle) = &signed.transaction.body {
                        let few = minority(&before, &settle.attestation);
                        // Bonds may have changed within the block: it was too little by no count.
                        let few = few.filter(|_| minority(&after, &settle.attestation).is_some());
                        lock(&self.minorities).extend(few);
                    }
                }
                lock(&self.blocks).insert(height, block.clone());
            }
        }
    }
}

/// What each verifier has at stake for a quorum.
pub fn bonds(chain: &LocalChain) -> BTreeMap<AccountId, u64> {
    if chain.block().height == 0 {
        return BTreeMap::new();
    }
    let verifiers = chain.read(|store| view::verifiers(store).expect("memory has every record"));
    let bond = |(id, verifier): (AccountId, cairn_ledger::records::Verifier)| (id, verifier.bond.0);
    verifiers.into_iter().map(bond).collect()
}

/// What is wrong with a quorum, if it is none of bond.
pub fn minority(bonds: &BTreeMap<AccountId, u64>, attestation: &Attestation) -> Option<String> {
    let signers = attestation.signatures.iter().filter_map(|(by, _)| bonds.get(by));
    let (signed, whole): (u64, u64) = (signers.sum(), bonds.values().sum());
    (3 * u128::from(signed) <= 2 * u128::from(whole))
        .then(|| format!("epoch {} was settled by {signed} of {whole}", attestation.result.epoch))
}

/// Brings a chain on by a block, and holds what it announces against the block's receipts.
pub fn take(chain: &LocalChain, block: &Finalized) -> Result<(), String> {
    let header = &block.header;
    let at = Block {
        height: header.height,
        time: TimeMs(header.time_ms),
        beacon: header.beacon().map(Hash),
    };
    let taken = chain.take(at, &transactions(block));
    let announced = taken.map_err(|reject| format!("block {} holds what is refused: {reject}", header.height))?;
    let receipts = block.txs.iter().map(|tx| tx.receipt.as_slice());
    let receipts = std::iter::once(block.begin.as_slice()).chain(receipts);
    let told: Vec<Event> = receipts.flat_map(cairn_node::events).collect();
    (announced == told)
        .then_some(())
        .ok_or_else(|| format!("block {} announces otherwise", header.height))
}

/// The transactions of a block.
pub fn transactions(block: &Finalized) -> Vec<Signed> {
    let signed = block.txs.iter().map(|tx| codec::decode_canonical::<Signed>(&tx.bytes));
    signed
        .map(|signed| signed.expect("a final block holds only what was checked"))
        .collect()
}

/// The hashes of a block's transactions.
pub fn hashes(block: &Finalized) -> impl Iterator<Item = TxHash> {
    block.txs.iter().map(|tx| tx_hash(&tx.bytes))
}

fn included(signed: &Signed) -> Included {
    Included {
        id: signed.transaction.id(),
        account: signed.transaction.account,
        nonce: signed.transaction.nonce,
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().expect("no holder of the lock panics")
}
