//! The machine of a later era: takes in the records of the one before, chunk by chunk in their order, and is the machine itself from
//! then on. Until then nothing else happens.

use super::Brought;
use crate::{
    Applied, BlockContext, KEY_BYTES, Key, Missing, StateMachine, VALUE_BYTES, Validator, Value, View,
    limits::{OTHER_RECORDS, TAKING_OVER},
};
use std::sync::Arc;

/// Begins the keys of the records that are the engine's own; they are not exported.
pub(crate) const OWN_TABLE: u8 = 0xff;
/// How many chunks were taken in, and of how many.
pub(crate) const CURSOR: Key = [OWN_TABLE; KEY_BYTES];

pub(crate) struct TakingOver {
    inner: Arc<dyn StateMachine>,
    root: [u8; 32],
}

/// The numbers in the record under [`CURSOR`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub(crate) next: u64,
    /// 0 while the first chunk is awaited.
    pub(crate) count: u64,
    /// Of the block that took the last one in.
    pub(crate) height: u64,
}

impl Cursor {
    pub(crate) fn read(value: Option<&Value>) -> Self {
        let number = |at: usize| {
            let bytes = value.and_then(|value| value[at..].first_chunk());
            bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes))
        };
        Self {
            next: number(0),
            count: number(8),
            height: number(16),
        }
    }

    fn value(self) -> Value {
        let mut value = [0; VALUE_BYTES];
        value[..8].copy_from_slice(&self.next.to_be_bytes());
        value[8..16].copy_from_slice(&self.count.to_be_bytes());
        value[16..24].copy_from_slice(&self.height.to_be_bytes());
        value
    }

    pub(crate) fn is_done(self) -> bool {
        self.count > 0 && self.next >= self.count
    }
}

impl TakingOver {
    pub(crate) fn new(inner: Arc<dyn StateMachine>, root: [u8; 32]) -> Self {
        Self { inner, root }
    }

    fn take(&self, block: &BlockContext, tx: &[u8], view: &mut dyn View) -> Result<Applied, Missing> {
        let cursor = cursor(view)?;
        let Some(brought) = Brought::read(tx).filter(|brought| brought.proof.start == cursor.next) else {
            return Ok(Applied::Refused(OTHER_RECORDS));
        };
        let Some(records) = super::parse(&brought.chunk).filter(|_| !cursor.is_done()) else {
            return Ok(Applied::Refused(OTHER_RECORDS));
        };
        for (key, value) in records {
            view.put(key, value);
        }
        let next = Cursor {
            next: cursor.next + 1,
            count: brought.proof.count,
            height: block.height,
        };
        view.put(CURSOR, next.value());
        Ok(Applied::Accepted(Vec::new()))
    }
}

fn cursor(view: &mut dyn View) -> Result<Cursor, Missing> {
    Ok(Cursor::read(view.get(&CURSOR)?.as_ref()))
}

impl StateMachine for TakingOver {
    fn genesis_digest(&self) -> [u8; 32] {
        self.inner.genesis_digest()
    }

    fn unfit(&self, height: u64, view: &mut dyn View) -> Result<Option<String>, Missing> {
        match cursor(view)?.is_done() {
            true => self.inner.unfit(height, view),
            false => Ok(None),
        }
    }

    fn begin(&self, block: &BlockContext, view: &mut dyn View) -> Result<Vec<u8>, Missing> {
        match cursor(view)?.is_done() {
            true => self.inner.begin(block, view),
            false => Ok(Vec::new()),
        }
    }

    fn check(&self, transactions: &[&[u8]]) -> Vec<Result<(), u32>> {
        let (records, others): (Vec<&[u8]>, Vec<&[u8]>) = transactions.iter().partition(|tx| super::is_records(tx));
        if records.is_empty() {
            return self.inner.check(&others);
        }
        let mut answers = self.inner.check(&others).into_iter();
        let check = |tx: &&[u8]| match super::is_records(tx) {
            true => {
                let brought = Brought::read(tx).filter(|brought| brought.is_under(&self.root));
                brought.map(drop).ok_or(OTHER_RECORDS)
            }
            // One that the machine does not answer for is as good as refused.
            false => answers.next().unwrap_or(Err(TAKING_OVER)),
        };
        transactions.iter().map(check).collect()
    }

    fn reads(&self, transaction: &[u8]) -> Vec<Key> {
        match super::is_records(transaction) {
            true => Vec::new(),
            false => self.inner.reads(transaction),
        }
    }

    fn validators(&self, view: &mut dyn View) -> Result<Vec<Validator>, Missing> {
        match cursor(view)?.is_done() {
            true => self.inner.validators(view),
            false => Ok(Vec::new()),
        }
    }

    fn apply(&self, block: &BlockContext, transaction: &[u8], view: &mut dyn View) -> Result<Applied, Missing> {
        if super::is_records(transaction) {
            return self.take(block, transaction, view);
        }
        // The machine has begun this block only if all was there before.
        let cursor = cursor(view)?;
        match cursor.is_done() && cursor.height < block.height {
            true => self.inner.apply(block, transaction, view),
            false => Ok(Applied::Refused(TAKING_OVER)),
        }
    }
}
