//! The ledger as the engine runs it: records of at most 254 bytes in values of 256, events in receipts. Decides nothing, and executes no
//! block of a version of the rules that this program does not speak.
//!
//! ```text
//! value: length 2 │ record … │ zeros          receipt: the events, in CBOR
//! ```

use crate::upgrades;
use cairn_engine::{Address, Applied, BlockContext, Missing, StateMachine, VALUE_BYTES, Validator, Value, View};
use cairn_ledger::protocol::PROTOCOLS;
use cairn_ledger::store::{self, Key, Store};
use cairn_ledger::{Block, Event, Ledger, Reject, Signed, check, reads, view};
use cairn_types::{Hash, TimeMs, codec};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// The ledger behind the engine's trait.
pub struct LedgerMachine {
    ledger: Arc<Ledger>,
    speaks: RangeInclusive<u16>,
}

impl LedgerMachine {
    pub fn new(ledger: Arc<Ledger>) -> Self {
        Self::speaking(ledger, PROTOCOLS)
    }

    /// As a program that speaks these versions of the rules.
    pub fn speaking(ledger: Arc<Ledger>, speaks: RangeInclusive<u16>) -> Self {
        Self { ledger, speaks }
    }
}

impl StateMachine for LedgerMachine {
    fn genesis_digest(&self) -> [u8; 32] {
        self.ledger.digest().0
    }

    fn unfit(&self, height: u64, view: &mut dyn View) -> Result<Option<String>, Missing> {
        let protocol = view::protocol(&mut Records(view)).map_err(missing)?;
        let version = protocol.at(height);
        Ok((!self.speaks.contains(&version)).then(|| upgrades::needed(version, height, &self.speaks)))
    }

    fn begin(&self, block: &BlockContext, view: &mut dyn View) -> Result<Vec<u8>, Missing> {
        let mut events = Vec::new();
        let begun = self
            .ledger
            .begin_block(&mut Records(view), &block_of(block), &mut events);
        begun.map_err(missing).map(|()| codec::encode(&events))
    }

    fn check(&self, transactions: &[&[u8]]) -> Vec<Result<(), u32>> {
        let answers = check(transactions).into_iter();
        answers.map(|answer| answer.map(drop).map_err(number)).collect()
    }

    fn reads(&self, transaction: &[u8]) -> Vec<cairn_engine::Key> {
        let signed = signed(transaction);
        signed.map_or_else(Vec::new, |signed| reads(&signed).into_iter().map(|key| key.0).collect())
    }

    fn validators(&self, view: &mut dyn View) -> Result<Vec<Validator>, Missing> {
        let validators = view::validators(&mut Records(view)).map_err(missing)?;
        // The ledger holds addresses to a looser form; one that nobody can dial is left to whoever dials in.
        let validator = |one: cairn_ledger::records::Validator| {
            let address = one.address.parse().unwrap_or_else(|_| Address::nowhere());
            Validator {
                key: one.key.0,
                address,
            }
        };
        Ok(validators.into_iter().map(validator).collect())
    }

    fn apply(&self, block: &BlockContext, transaction: &[u8], view: &mut dyn View) -> Result<Applied, Missing> {
        let Some(signed) = signed(transaction) else {
            return Ok(Applied::Refused(number(Reject::Malformed)));
        };
        let mut events = Vec::new();
        let applied = self
            .ledger
            .apply(&mut Records(view), &block_of(block), &signed, &mut events);
        Ok(match applied.map_err(missing)? {
            Ok(_) => Applied::Accepted(codec::encode(&events)),
            Err(reject) => Applied::Refused(number(reject)),
        })
    }
}

/// A transaction that was checked before: its form needs no second proof.
pub fn signed(bytes: &[u8]) -> Option<Signed> {
    minicbor::decode(bytes).ok()
}

/// The events of a receipt, or of a block's beginning.
pub fn events(receipt: &[u8]) -> Vec<Event> {
    // The engine leaves out what is longer than its limit: then there is nothing to decode.
    minicbor::decode(receipt).unwrap_or_default()
}

/// A refusal as the engine carries it.
pub fn number(reject: Reject) -> u32 {
    reject.code().into()
}

/// A refusal as the ledger knows it; none for the engine's own.
pub fn reject(number: u32) -> Option<Reject> {
    u16::try_from(number).ok().and_then(|code| Reject::try_from(code).ok())
}

/// A record as a value of fixed size.
pub fn pad(record: &[u8]) -> Value {
    assert!(
        record.len() <= store::VALUE_BYTES_MAX,
        "the ledger's records are this short"
    );
    let mut value = [0; VALUE_BYTES];
    let length = u16::try_from(record.len()).expect("at most 254");
    value[..2].copy_from_slice(&length.to_be_bytes());
    value[2..2 + record.len()].copy_from_slice(record);
    value
}

/// The record in a value; `None` for what `pad` never makes.
pub fn unpad(value: &Value) -> Option<&[u8]> {
    let (length, rest) = value.split_first_chunk()?;
    let (record, zeros) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    zeros.iter().all(|byte| *byte == 0).then_some(record)
}

fn block_of(block: &BlockContext) -> Block {
    Block {
        height: block.height,
        time: TimeMs(block.time_ms),
        beacon: block.beacon.map(Hash),
    }
}

fn missing(missing: store::Missing) -> Missing {
    Missing(missing.0.0)
}

/// The engine's view as the ledger's store.
struct Records<'a>(&'a mut dyn View);

impl Store for Records<'_> {
    fn get(&mut self, key: &Key) -> Result<Option<Vec<u8>>, store::Missing> {
        let value = self.0.get(&key.0).map_err(|missing| store::Missing(Key(missing.0)))?;
        Ok(value.map(|value| unpad(&value).expect("every value was padded here").to_vec()))
    }

    fn put(&mut self, key: Key, value: Vec<u8>) {
        self.0.put(key.0, pad(&value));
    }

    fn delete(&mut self, key: &Key) {
        self.0.delete(&key.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_comes_back_out_of_its_value_and_nothing_else_does() {
        for length in 0..=store::VALUE_BYTES_MAX {
            let record = vec![0xab; length];
            assert_eq!(unpad(&pad(&record)), Some(record.as_slice()));
        }
        let mut longer = pad(&[1; 254]);
        longer[1] = 255;
        assert_eq!(unpad(&longer), None);
        let mut dirty = pad(&[1; 10]);
        dirty[255] = 1;
        assert_eq!(unpad(&dirty), None);
    }

    #[test]
    fn refusals_keep_their_numbers() {
        for refusal in Reject::all() {
            assert_eq!(reject(number(refusal)), Some(refusal));
        }
        assert_eq!(reject(cairn_engine::limits::RECEIPT_TOO_LONG), None);
    }

    #[test]
    fn bytes_that_are_no_transaction_are_refused_and_read_nothing() {
        assert!(signed(&[0xff; 40]).is_none());
        assert!(events(&[0xff]).is_empty());
    }
}
