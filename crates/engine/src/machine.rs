//! What the engine runs: a state machine over fixed-size records, called synchronously. Never does I/O, never waits.
//!
//! ```text
//! begin(block) ── once a block, before its transactions        every call gets a View; a read that is not loaded yet
//! apply(block, tx) ── each transaction, in order               answers Missing, the call returns it, the engine loads all
//!                                                              that the call missed, forgets what it wrote, and calls again
//! ```
//!
//! A call asks for all it can name before it gives up on the first that is missing: then it is called a few times, and not once a record.
//!
//! A transaction that refuses is left out of the block, and a block that contains one is invalid: a refusal changes
//! nothing and pays nothing, so room in a block would be free for whoever fills it with refusals.

use crate::Validator;

/// Bytes of a key: a table byte and a 32-byte hash. The first eight bytes index the state, so they must be well spread.
pub const KEY_BYTES: usize = 33;
/// Bytes of a record.
pub const VALUE_BYTES: usize = 256;
/// The name of a record.
pub type Key = [u8; KEY_BYTES];
/// A record.
pub type Value = [u8; VALUE_BYTES];

/// A record that is not loaded yet. The machine returns it; the engine loads it, with all else that the call asked for, and calls again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing(pub Key);

/// The records as one call sees them: everything before it in the block, and its own writes.
pub trait View {
    fn get(&mut self, key: &Key) -> Result<Option<Value>, Missing>;
    fn put(&mut self, key: Key, value: Value);
    fn delete(&mut self, key: &Key);
}

/// The block in which a call runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockContext {
    /// 1 for the first block, which writes genesis.
    pub height: u64,
    /// Unix milliseconds of the chain's clock, never less than the parent's.
    pub time_ms: u64,
    /// Hash of the seed that consensus revealed with the parent; none in block 1. Bind first, read in a later block.
    pub beacon: Option<[u8; 32]>,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It took effect; the receipt (what happened, in the machine's own bytes) is kept in the block beside it.
    Accepted(Vec<u8>),
    /// It changed nothing, for this reason.
    Refused(u32),
}

/// A deterministic state machine: the same blocks give the same records and receipts on every computer.
pub trait StateMachine: Send + Sync + 'static {
    /// Digest of everything that fixes genesis. Another genesis is another chain.
    fn genesis_digest(&self) -> [u8; 32];

    /// Why this program cannot execute the block of a height, by the state before it; none when it can. Asked before the block begins: a
    /// node that cannot go on ends there, and leaves everything as it is for a program that can.
    fn unfit(&self, height: u64, view: &mut dyn View) -> Result<Option<String>, Missing> {
        let _ = (height, view);
        Ok(None)
    }

    /// What a block does before its transactions. Returns a receipt like a transaction's; it cannot refuse.
    fn begin(&self, block: &BlockContext, view: &mut dyn View) -> Result<Vec<u8>, Missing>;

    /// Checks that need no state, in one batch: form and signatures. One answer per transaction, in order.
    ///
    /// Must be called by a [`TxSource`](crate::TxSource) before it hands a transaction out; the engine calls it for the
    /// blocks of others.
    fn check(&self, transactions: &[&[u8]]) -> Vec<Result<(), u32>>;

    /// The records that `apply` will surely read, so that they are loaded together. May be empty; need not be complete.
    fn reads(&self, transaction: &[u8]) -> Vec<Key>;

    /// The validators after what was done so far; empty: those of the genesis go on. They take over some epochs of the engine later.
    fn validators(&self, view: &mut dyn View) -> Result<Vec<Validator>, Missing>;

    /// One transaction, already checked.
    fn apply(&self, block: &BlockContext, transaction: &[u8], view: &mut dyn View) -> Result<Applied, Missing>;
}
