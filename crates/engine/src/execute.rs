//! Runs a machine over a batch of the state: calls it, loads what it misses, calls again. Decides nothing about validity.

#[cfg(test)]
mod tests;

use crate::{
    Applied, BlockContext, Executed, Key, Missing, StateMachine, Tx, Value,
    block::{body_bytes, field_bytes},
    committee,
    engine_types::{Digest, State, StateKey, StateValue},
    limits::{BEGIN_BYTES_MAX, BLOCK_BYTES_MAX, RECEIPT_BYTES_MAX, RECEIPT_TOO_LONG, TX_BYTES_MAX, TX_TOO_LONG},
    overlay::Overlay,
};
use commonware_glue::stateful::db::{DatabaseSet, Merkleized as _, Shared, Unmerkleized as _};
use commonware_runtime::Spawner;
use commonware_storage::Context as StorageContext;

pub(crate) type Databases<E> = Shared<State<E>>;
pub(crate) type Batch<E> = <Databases<E> as DatabaseSet<E>>::Unmerkleized;
pub(crate) type Sealed<E> = <Databases<E> as DatabaseSet<E>>::Merkleized;

/// The state fails only by storage faults and by use against the engine's order; both end the process, and a restart
/// recovers.
const STATE_READABLE: &str = "the state is readable while a block is built or verified";

/// Records that are loaded before the transactions run that surely read them; those of later ones when it is their turn, so that a plan of
/// whatever size takes no longer than what is run of it.
const PREFETCH_KEYS: usize = 8_192;

/// One block in execution.
pub(crate) struct Execution<'a, E: Spawner + StorageContext> {
    machine: &'a dyn StateMachine,
    block: BlockContext,
    batch: Batch<E>,
    overlay: Overlay,
}

/// The state after a block.
pub(crate) struct After<E: Spawner + StorageContext> {
    pub(crate) sealed: Sealed<E>,
    pub(crate) state_root: [u8; 32],
    pub(crate) ops_root: [u8; 32],
    pub(crate) ops_start: u64,
    pub(crate) ops_end: u64,
}

impl<'a, E: Spawner + StorageContext> Execution<'a, E> {
    pub(crate) fn new(machine: &'a dyn StateMachine, block: BlockContext, batch: Batch<E>) -> Self {
        Self {
            machine,
            block,
            batch,
            overlay: Overlay::default(),
        }
    }

    /// Why the machine cannot execute this block; asked before anything else.
    pub(crate) async fn unfit(&mut self) -> Option<String> {
        loop {
            match self.machine.unfit(self.block.height, &mut self.overlay) {
                Ok(reason) => return reason,
                Err(Missing(key)) => self.load_missing(key).await,
            }
        }
    }

    /// The block's beginning; returns its receipt. `roll` names the epoch whose validators are written down with it.
    pub(crate) async fn begin(&mut self, roll: Option<u64>) -> Vec<u8> {
        let receipt = loop {
            match self.machine.begin(&self.block, &mut self.overlay) {
                Ok(receipt) => break receipt,
                Err(Missing(key)) => self.load_missing(key).await,
            }
        };
        self.overlay.keep();
        if let Some(epoch) = roll {
            while let Err(Missing(key)) = committee::write(self.machine, epoch, &mut self.overlay) {
                self.load_missing(key).await;
            }
            self.overlay.keep();
        }
        if receipt.len() > BEGIN_BYTES_MAX {
            tracing::error!(
                height = self.block.height,
                bytes = receipt.len(),
                "receipt of begin left out: too long"
            );
            return Vec::new();
        }
        receipt
    }

    /// Loads what the first of these transactions surely read, in one go. Of how many: one at least, if there is one, and no more once
    /// that is [`PREFETCH_KEYS`] records.
    async fn prefetch<'t>(&mut self, txs: impl Iterator<Item = &'t [u8]>) -> usize {
        let (mut keys, mut count): (Vec<Key>, usize) = (Vec::new(), 0);
        for tx in txs {
            keys.extend(self.machine.reads(tx));
            count += 1;
            if keys.len() >= PREFETCH_KEYS {
                break;
            }
        }
        keys.sort_unstable();
        keys.dedup();
        keys.retain(|key| !self.overlay.knows(key));
        self.load(keys).await;
        count
    }

    async fn load(&mut self, keys: Vec<Key>) {
        let names: Vec<StateKey> = keys.iter().copied().map(StateKey::new).collect();
        let values = self
            .batch
            .get_many(&names.iter().collect::<Vec<_>>())
            .await
            .expect(STATE_READABLE);
        for (key, value) in keys.into_iter().zip(values) {
            self.overlay.load(key, value.map(record));
        }
    }

    /// One transaction. Its writes stay only if it was accepted.
    pub(crate) async fn apply(&mut self, tx: &[u8]) -> Applied {
        let applied = loop {
            match self.machine.apply(&self.block, tx, &mut self.overlay) {
                Ok(applied) => break applied,
                Err(Missing(key)) => self.load_missing(key).await,
            }
        };
        match applied {
            Applied::Accepted(receipt) if receipt.len() > RECEIPT_BYTES_MAX => self.refuse(RECEIPT_TOO_LONG),
            Applied::Refused(code) => self.refuse(code),
            accepted => accepted,
        }
    }

    /// As many of `txs` in order as fit into the block while there is time, and those that refused with their codes. The first that does
    /// not fit ends it, so that it is the next block's first: nothing that came later takes its place. And the first is run whatever the
    /// time: however long a block's beginning takes, what waits gets on.
    pub(crate) async fn fill(
        &mut self,
        begin: &[u8],
        txs: &[Tx],
        has_time: impl Fn() -> bool,
    ) -> (Vec<Executed>, Vec<(Tx, u32)>) {
        let (mut executed, mut refused) = (Vec::with_capacity(txs.len()), Vec::new());
        let mut room = BLOCK_BYTES_MAX - field_bytes(begin);
        let (txs, too_long): (Vec<&Tx>, Vec<&Tx>) = txs.iter().partition(|tx| tx.bytes.len() <= TX_BYTES_MAX);
        refused.extend(too_long.into_iter().map(|tx| (tx.clone(), TX_TOO_LONG)));
        let mut ahead = 0;
        for (at, tx) in txs.iter().enumerate() {
            if at > 0 && !has_time() {
                break;
            }
            if at == ahead {
                ahead += self.prefetch(txs[at..].iter().map(|tx| tx.bytes.as_ref())).await;
            }
            match self.apply(&tx.bytes).await {
                Applied::Refused(code) => refused.push((Tx::clone(tx), code)),
                Applied::Accepted(receipt) => {
                    let taken = body_bytes(&tx.bytes, &receipt);
                    if taken > room {
                        self.overlay.take_back();
                        break;
                    }
                    room -= taken;
                    self.overlay.keep();
                    executed.push(Executed {
                        bytes: tx.bytes.to_vec(),
                        receipt,
                    });
                }
            }
        }
        (executed, refused)
    }

    /// Whether these transactions, all of them, give these receipts.
    pub(crate) async fn repeat(&mut self, txs: &[Executed]) -> bool {
        let mut ahead = 0;
        for (at, tx) in txs.iter().enumerate() {
            if at == ahead {
                ahead += self.prefetch(txs[at..].iter().map(|tx| tx.bytes.as_slice())).await;
            }
            if self.apply(&tx.bytes).await != Applied::Accepted(tx.receipt.clone()) {
                return false;
            }
            self.overlay.keep();
        }
        true
    }

    /// Seals the state.
    pub(crate) async fn seal(self) -> After<E> {
        let mut batch = self.batch;
        for (key, value) in self.overlay.into_writes() {
            batch = batch.write(StateKey::new(key), value.map(StateValue::new));
        }
        let sealed = batch.merkleize().await.expect(STATE_READABLE);
        let root: Digest = sealed.root();
        After {
            state_root: root.0,
            ops_root: sealed.ops_root().0,
            ops_start: *sealed.sync_boundary(),
            ops_end: *sealed.bounds().tip.size,
            sealed,
        }
    }

    fn refuse(&mut self, code: u32) -> Applied {
        self.overlay.take_back();
        Applied::Refused(code)
    }

    /// Loads `key`, and whatever else the machine asked for before it gave up: one by one, a transaction over a thousand records would be run
    /// a thousand times.
    async fn load_missing(&mut self, key: Key) {
        self.overlay.take_back();
        assert!(
            !self.overlay.knows(&key),
            "the machine misses a record that it was given"
        );
        let mut keys = self.overlay.take_missed();
        if !keys.contains(&key) {
            keys.push(key);
        }
        self.load(keys).await;
    }
}

fn record(value: StateValue) -> Value {
    let bytes: &[u8] = value.as_ref();
    Value::try_from(bytes).expect("a state value has the size of a record")
}
