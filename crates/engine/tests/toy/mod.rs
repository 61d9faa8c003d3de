//! A machine of counters, a pool and an observer that remember everything: what the engine's tests run.

use cairn_engine::{
    Applied, BlockContext, Finalized, Key, Missing, Observer, StateMachine, Tx, TxHash, TxSource, Validator, Value,
    View, tx_hash,
};
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
};
use tokio::sync::watch;

pub const GENESIS: [u8; 32] = [7; 32];
pub const BAD_FORM: u32 = 1;
pub const BAD_COUNT: u32 = 2;
pub const BAD_SIGNATURE: u32 = 3;

/// Accounts count up: a transaction `account ‖ count` is accepted when it names the next count of its account.
pub struct Counters;

pub fn count_up(account: u64, count: u64) -> Tx {
    let mut bytes = account.to_be_bytes().to_vec();
    bytes.extend(count.to_be_bytes());
    Tx::new(bytes)
}

/// One that `check` refuses and `apply` would accept, as if its signature were wrong.
pub fn forged(account: u64, count: u64) -> Tx {
    let mut bytes = count_up(account, count).bytes.to_vec();
    bytes.push(0);
    Tx::new(bytes)
}

pub fn account_key(account: u64) -> Key {
    key(1, &account.to_be_bytes())
}

/// Written by every block: its height, its time and its beacon.
pub fn block_key() -> Key {
    key(2, b"block")
}

pub fn count_in(value: &Value) -> u64 {
    u64::from_be_bytes(value[..8].try_into().unwrap())
}

fn key(table: u8, id: &[u8]) -> Key {
    let mut key = [table; 33];
    key[1..].copy_from_slice(&tx_hash(id));
    key
}

fn value(count: u64) -> Value {
    let mut value = [0; 256];
    value[..8].copy_from_slice(&count.to_be_bytes());
    value
}

fn read(tx: &[u8]) -> Option<(u64, u64)> {
    let (account, count) = tx.get(..16).filter(|_| tx.len() <= 17)?.split_at(8);
    Some((
        u64::from_be_bytes(account.try_into().unwrap()),
        u64::from_be_bytes(count.try_into().unwrap()),
    ))
}

impl StateMachine for Counters {
    fn genesis_digest(&self) -> [u8; 32] {
        GENESIS
    }

    fn begin(&self, block: &BlockContext, view: &mut dyn View) -> Result<Vec<u8>, Missing> {
        let blocks = view.get(&block_key())?.map_or(0, |value| count_in(&value));
        assert_eq!(blocks + 1, block.height, "blocks come one after the other");
        let mut record = value(block.height);
        record[8..16].copy_from_slice(&block.time_ms.to_be_bytes());
        record[16..48].copy_from_slice(&block.beacon.unwrap_or_default());
        view.put(block_key(), record);
        Ok(block.height.to_be_bytes().to_vec())
    }

    fn check(&self, transactions: &[&[u8]]) -> Vec<Result<(), u32>> {
        let check = |tx: &&[u8]| match (read(tx), tx.len()) {
            (Some(_), 16) => Ok(()),
            (Some(_), _) => Err(BAD_SIGNATURE),
            (None, _) => Err(BAD_FORM),
        };
        transactions.iter().map(check).collect()
    }

    fn reads(&self, transaction: &[u8]) -> Vec<Key> {
        // Odd accounts are left for the engine to find out.
        read(transaction)
            .filter(|(account, _)| account % 2 == 0)
            .map(|(account, _)| account_key(account))
            .into_iter()
            .collect()
    }

    fn validators(&self, _: &mut dyn View) -> Result<Vec<Validator>, Missing> {
        Ok(Vec::new())
    }

    fn apply(&self, _: &BlockContext, transaction: &[u8], view: &mut dyn View) -> Result<Applied, Missing> {
        let Some((account, count)) = read(transaction) else {
            return Ok(Applied::Refused(BAD_FORM));
        };
        // Written before it is known whether it stays: the engine must take it back.
        view.put(key(3, b"last"), value(account));
        let before = view.get(&account_key(account))?.map_or(0, |value| count_in(&value));
        if count != before + 1 {
            return Ok(Applied::Refused(BAD_COUNT));
        }
        view.put(account_key(account), value(count));
        Ok(Applied::Accepted(before.to_be_bytes().to_vec()))
    }
}

/// A pool, and the observer that empties it.
pub struct Pool {
    state: Mutex<PoolState>,
    arrivals: watch::Sender<u64>,
    announced: watch::Sender<u64>,
    pub told: watch::Sender<Vec<Arc<Finalized>>>,
    pub skipped: watch::Sender<Vec<u64>>,
    stored: Option<u64>,
}

#[derive(Default)]
struct PoolState {
    order: u64,
    waiting: BTreeMap<u64, Tx>,
    outgoing: Vec<Tx>,
    refused: Vec<(TxHash, u32)>,
}

impl Pool {
    /// One whose observer has stored blocks up to `stored`.
    pub fn new(stored: Option<u64>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            arrivals: watch::Sender::new(0),
            announced: watch::Sender::new(0),
            told: watch::Sender::new(Vec::new()),
            skipped: watch::Sender::new(Vec::new()),
            stored,
        })
    }

    /// Takes a transaction in and keeps it to this pool.
    pub fn submit(&self, tx: Tx) {
        let mut state = self.state.lock().unwrap();
        state.order += 1;
        let order = state.order;
        state.waiting.insert(order, tx);
        self.arrivals.send_replace(order);
    }

    /// Takes a transaction in and tells the other nodes.
    pub fn announce(&self, tx: Tx) {
        self.state.lock().unwrap().outgoing.push(tx.clone());
        self.submit(tx);
        self.announced.send_modify(|count| *count += 1);
    }

    pub fn refused(&self) -> Vec<(TxHash, u32)> {
        self.state.lock().unwrap().refused.clone()
    }

    /// Waits until `count` transactions were told final; returns their hashes in order.
    pub async fn final_txs(&self, count: usize) -> Vec<TxHash> {
        let mut told = self.told.subscribe();
        let told = told.wait_for(|blocks| hashes(blocks).len() >= count).await.unwrap();
        hashes(&told)
    }
}

fn hashes(blocks: &[Arc<Finalized>]) -> Vec<TxHash> {
    blocks
        .iter()
        .flat_map(|block| block.txs.iter().map(|tx| tx_hash(&tx.bytes)))
        .collect()
}

impl TxSource for Pool {
    fn peek(&self, count_max: usize, _: usize, skip: &dyn Fn(&TxHash) -> bool) -> Vec<Tx> {
        let state = self.state.lock().unwrap();
        let free = state.waiting.values().filter(|tx| !skip(&tx.hash));
        free.take(count_max).cloned().collect()
    }

    fn refused(&self, hash: &TxHash, code: u32, _: u64) {
        let mut state = self.state.lock().unwrap();
        state.waiting.retain(|_, tx| tx.hash != *hash);
        state.refused.push((*hash, code));
    }

    fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }

    fn announced(&self) -> watch::Receiver<u64> {
        self.announced.subscribe()
    }

    fn outgoing(&self, count_max: usize, _: usize) -> Vec<Tx> {
        let mut state = self.state.lock().unwrap();
        let count = state.outgoing.len().min(count_max);
        state.outgoing.drain(..count).collect()
    }

    fn offer(&self, txs: Vec<Tx>) {
        txs.into_iter().for_each(|tx| self.submit(tx));
    }
}

impl Observer for Pool {
    fn stored_height(&self) -> Option<u64> {
        self.stored
    }

    fn finalized(&self, block: Arc<Finalized>) {
        let gone: HashSet<TxHash> = block.txs.iter().map(|tx| tx_hash(&tx.bytes)).collect();
        self.state
            .lock()
            .unwrap()
            .waiting
            .retain(|_, tx| !gone.contains(&tx.hash));
        self.told.send_modify(|told| told.push(block));
    }

    fn skipped_to(&self, height: u64) {
        self.skipped.send_modify(|skipped| skipped.push(height));
    }
}
