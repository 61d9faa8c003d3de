//! Records keep their order and their bytes, and nothing but what is under the root is taken in.

use super::*;
use crate::{
    Applied, BlockContext, Missing, StateMachine, View,
    limits::{OTHER_RECORDS, TAKING_OVER},
    sim::toy::{Counters, GENESIS, account_key, count_up},
};
use std::{collections::BTreeMap, fs, path::Path};

#[derive(Default)]
struct Memory(BTreeMap<Key, Value>);

impl View for Memory {
    fn get(&mut self, key: &Key) -> Result<Option<Value>, Missing> {
        Ok(self.0.get(key).copied())
    }

    fn put(&mut self, key: Key, value: Value) {
        self.0.insert(key, value);
    }

    fn delete(&mut self, key: &Key) {
        self.0.remove(key);
    }
}

/// So many records that they need several chunks.
fn some() -> BTreeMap<Key, Value> {
    let record = |at: u64| {
        let mut value = [0; VALUE_BYTES];
        value[..8].copy_from_slice(&at.to_be_bytes());
        value[255] = u8::from(at.is_multiple_of(3));
        (account_key(at), value)
    };
    (0..1_100).map(record).collect()
}

fn write(path: &Path, records: &BTreeMap<Key, Value>) -> [u8; 32] {
    let mut file = RecordsWriter::create(path).unwrap();
    records.iter().for_each(|(key, value)| file.push(key, value).unwrap());
    file.finish().unwrap()
}

const BLOCK: BlockContext = BlockContext {
    height: 9,
    time_ms: 9,
    beacon: None,
};

#[test]
fn all_records_are_taken_in_once_in_their_order_and_the_machine_waits_for_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records");
    let records = some();
    let root = write(&path, &records);
    let file = RecordsFile::open(&path).unwrap();
    assert_eq!((file.root(), file.chunks()), (root, 3));
    let machine = TakingOver::new(Arc::new(Counters), root);
    assert_eq!(machine.genesis_digest(), GENESIS);
    let mut view = Memory::default();
    let chunks: Vec<Vec<u8>> = (0..3).map(|at| file.bring(at).unwrap()).collect();
    let early = count_up(100_000, 1);
    for chunk in &chunks {
        assert_eq!(machine.begin(&BLOCK, &mut view), Ok(vec![]));
        assert_eq!(
            machine.apply(&BLOCK, &early.bytes, &mut view),
            Ok(Applied::Refused(TAKING_OVER))
        );
        for other in chunks.iter().filter(|other| *other != chunk) {
            assert_eq!(
                machine.apply(&BLOCK, other, &mut view),
                Ok(Applied::Refused(OTHER_RECORDS))
            );
        }
        assert_eq!(machine.apply(&BLOCK, chunk, &mut view), Ok(Applied::Accepted(vec![])));
    }
    assert_eq!(
        machine.apply(&BLOCK, &chunks[2], &mut view),
        Ok(Applied::Refused(OTHER_RECORDS))
    );
    // The machine never began this block.
    assert_eq!(
        machine.apply(&BLOCK, &early.bytes, &mut view),
        Ok(Applied::Refused(TAKING_OVER))
    );
    let next = BlockContext { height: 10, ..BLOCK };
    assert!(matches!(
        machine.apply(&next, &early.bytes, &mut view),
        Ok(Applied::Accepted(_))
    ));
    for (key, value) in &records {
        assert_eq!(view.0.get(key), Some(value));
    }
}

#[test]
fn what_is_not_under_the_root_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records");
    let root = write(&path, &some());
    let file = RecordsFile::open(&path).unwrap();
    let machine = TakingOver::new(Arc::new(Counters), root);
    let chunk = file.bring(1).unwrap();
    let plain = count_up(1, 1);
    let answers = machine.check(&[&chunk, &plain.bytes, &chunk[..chunk.len() - 1], b"\0records"]);
    assert_eq!(answers, [Ok(()), Ok(()), Err(OTHER_RECORDS), Err(OTHER_RECORDS)]);
    for at in (0..chunk.len()).step_by(997) {
        let mut other = chunk.clone();
        other[at] ^= 1;
        assert!(machine.check(&[&other])[0].is_err(), "byte {at}");
    }
}

#[test]
fn every_flipped_byte_of_the_file_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records");
    let records: BTreeMap<Key, Value> = some().into_iter().take(20).collect();
    let root = write(&path, &records);
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        let mut other = whole.clone();
        other[at] ^= 1;
        fs::write(&path, &other).unwrap();
        assert!(RecordsFile::open(&path).is_err(), "byte {at}");
        if at > 0 && at != MAGIC_BYTES {
            fs::write(&path, &whole[..at]).unwrap();
            assert!(RecordsFile::open(&path).is_err(), "{at} bytes");
        }
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(RecordsFile::open(&path).unwrap().root(), root);
}

const MAGIC_BYTES: usize = 16;

#[test]
fn records_out_of_order_and_no_records_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records");
    let mut file = RecordsWriter::create(&path).unwrap();
    file.push(&[2; KEY_BYTES], &[1; VALUE_BYTES]).unwrap();
    for key in [[2; KEY_BYTES], [1; KEY_BYTES]] {
        assert!(matches!(file.push(&key, &[1; VALUE_BYTES]), Err(RecordsError::Order)));
    }
    let none = RecordsWriter::create(&path).unwrap().finish();
    assert!(matches!(none, Err(RecordsError::Empty)));
    assert!(!path.exists());
}
