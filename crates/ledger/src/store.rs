//! Where records live: a key-value store that may answer "not loaded yet". Never does I/O itself; the shell behind the trait does.
//!
//! ```text
//! entry point ── writes into an Overlay ── reads through it ──▶ Store ──▶ Missing(key)?  the overlay is dropped, nothing changed
//!                      └── only when everything held: flush ──▶ Store                    the shell loads the key and calls again
//! ```

use cairn_types::hash::{self, Hash};
use std::collections::BTreeMap;

/// Bytes of a key: a table and the hash of an id.
pub const KEY_BYTES: usize = 33;

/// Bytes of a record at most; the engine keeps records of fixed size and needs two bytes for the length.
pub const VALUE_BYTES_MAX: usize = 254;

/// The name of a record: `[table][hash of the id]`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub [u8; KEY_BYTES]);

/// A record that is not loaded yet. Nothing was written; load it and call again.
///
/// A call asks for all it can name before it gives up, so a shell that notes every failed `get` of the call and loads them
/// together needs few rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing(pub Key);

/// Records by key.
pub trait Store {
    fn get(&mut self, key: &Key) -> Result<Option<Vec<u8>>, Missing>;
    fn put(&mut self, key: Key, value: Vec<u8>);
    fn delete(&mut self, key: &Key);
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({}:{}…)", self.0[0], hex::encode(&self.0[1..5]))
    }
}

/// All records in memory, in order of their keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryStore {
    records: BTreeMap<Key, Vec<u8>>,
}

impl MemoryStore {
    /// The records of one table, in order of their keys.
    pub fn table(&self, table: u8) -> impl Iterator<Item = (&Key, &[u8])> {
        let (mut first, mut last) = ([0; KEY_BYTES], [0xff; KEY_BYTES]);
        (first[0], last[0]) = (table, table);
        self.records
            .range(Key(first)..=Key(last))
            .map(|(key, value)| (key, value.as_slice()))
    }

    /// Every record, in order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &[u8])> {
        self.records.iter().map(|(key, value)| (key, value.as_slice()))
    }

    /// One record's bytes.
    pub fn record(&self, key: &Key) -> Option<&[u8]> {
        self.records.get(key).map(Vec::as_slice)
    }

    /// A hash of every record: two stores with one digest hold the same. Not the engine's root.
    pub fn digest(&self) -> Hash {
        let parts: Vec<&[u8]> = self
            .records
            .iter()
            .flat_map(|(key, value)| [&key.0[..], value.as_slice()])
            .collect();
        hash::domain("cairn/records/1", &parts)
    }

    pub fn len(&self) -> usize {
        self.records.len()
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }
}

impl Store for MemoryStore {
    fn get(&mut self, key: &Key) -> Result<Option<Vec<u8>>, Missing> {
        Ok(self.records.get(key).cloned())
    }

    fn put(&mut self, key: Key, value: Vec<u8>) {
        self.records.insert(key, value);
    }

    fn delete(&mut self, key: &Key) {
        self.records.remove(key);
    }
}

/// Writes held back until all of them are wanted.
pub struct Overlay<'a> {
    below: &'a mut dyn Store,
    writes: BTreeMap<Key, Option<Vec<u8>>>,
}

impl<'a> Overlay<'a> {
    pub fn new(below: &'a mut dyn Store) -> Self {
        Self {
            below,
            writes: BTreeMap::new(),
        }
    }

    /// Everything written goes below, in order of the keys.
    pub fn flush(self) {
        for (key, value) in self.writes {
            match value {
                Some(value) => self.below.put(key, value),
                None => self.below.delete(&key),
            }
        }
    }
}

impl Store for Overlay<'_> {
    fn get(&mut self, key: &Key) -> Result<Option<Vec<u8>>, Missing> {
        match self.writes.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.below.get(key),
        }
    }

    fn put(&mut self, key: Key, value: Vec<u8>) {
        self.writes.insert(key, Some(value));
    }

    fn delete(&mut self, key: &Key) {
        self.writes.insert(*key, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> Key {
        Key([n; KEY_BYTES])
    }

    #[test]
    fn an_overlay_dropped_changes_nothing_and_one_flushed_everything() {
        let mut store = MemoryStore::default();
        store.put(key(1), vec![1]);
        let before = store.clone();
        let mut overlay = Overlay::new(&mut store);
        overlay.delete(&key(1));
        overlay.put(key(2), vec![2]);
        assert_eq!(overlay.get(&key(1)), Ok(None));
        assert_eq!(overlay.get(&key(2)), Ok(Some(vec![2])));
        drop(overlay);
        assert_eq!(store, before);
        let mut overlay = Overlay::new(&mut store);
        overlay.delete(&key(1));
        overlay.put(key(2), vec![2]);
        overlay.flush();
        assert_eq!(store.iter().collect::<Vec<_>>(), [(&key(2), &[2][..])]);
    }

    #[test]
    fn a_table_holds_its_own_records_only() {
        let mut store = MemoryStore::default();
        for n in [3, 4, 4, 5] {
            store.put(key(n), vec![n]);
        }
        assert_eq!(store.table(4).count(), 1);
        assert_eq!(store.table(6).count(), 0);
    }
}
