//! The records as a block's execution sees them: loaded ones, and what the block has written so far. Loads nothing itself.

use crate::{Key, Missing, Value, View};
use std::collections::{BTreeMap, HashMap};

/// Loaded and written records of one block, with the writes of the current step apart so that they can be taken back.
#[derive(Default)]
pub(crate) struct Overlay {
    loaded: HashMap<Key, Option<Value>>,
    written: BTreeMap<Key, Option<Value>>,
    /// What `written` held before each write of the current step.
    undo: Vec<(Key, Option<Option<Value>>)>,
    /// What the current step asked for that is not loaded.
    missed: Vec<Key>,
}

impl Overlay {
    /// Adds a record from the state.
    pub(crate) fn load(&mut self, key: Key, value: Option<Value>) {
        self.loaded.insert(key, value);
    }

    /// All that the steps since the last call asked for in vain, each once: a machine asks for all it can name before it gives up.
    pub(crate) fn take_missed(&mut self) -> Vec<Key> {
        let mut missed = std::mem::take(&mut self.missed);
        missed.sort_unstable();
        missed.dedup();
        missed.retain(|key| !self.knows(key));
        missed
    }

    /// Whether a read of `key` would be answered.
    pub(crate) fn knows(&self, key: &Key) -> bool {
        self.loaded.contains_key(key) || self.written.contains_key(key)
    }

    /// The current step is done; its writes stay.
    pub(crate) fn keep(&mut self) {
        self.undo.clear();
    }

    /// Takes back the writes of the current step.
    pub(crate) fn take_back(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(value) => self.written.insert(key, value),
                None => self.written.remove(&key),
            };
        }
    }

    /// All that was written, by key; a record that ends as it was is not written.
    pub(crate) fn into_writes(self) -> impl Iterator<Item = (Key, Option<Value>)> {
        let loaded = self.loaded;
        self.written
            .into_iter()
            .filter(move |(key, value)| loaded.get(key) != Some(value))
    }

    fn write(&mut self, key: Key, value: Option<Value>) {
        let before = self.written.insert(key, value);
        self.undo.push((key, before));
    }
}

impl View for Overlay {
    fn get(&mut self, key: &Key) -> Result<Option<Value>, Missing> {
        let known = self.written.get(key).or_else(|| self.loaded.get(key));
        known.copied().ok_or_else(|| {
            self.missed.push(*key);
            Missing(*key)
        })
    }

    fn put(&mut self, key: Key, value: Value) {
        self.write(key, Some(value));
    }

    fn delete(&mut self, key: &Key) {
        self.write(*key, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Key = [1; 33];
    const B: Key = [2; 33];

    #[test]
    fn a_step_taken_back_leaves_what_was_kept_before() {
        let mut overlay = Overlay::default();
        assert_eq!(overlay.get(&A), Err(Missing(A)));
        overlay.load(A, None);
        overlay.put(A, [1; 256]);
        overlay.keep();
        overlay.put(A, [2; 256]);
        overlay.put(A, [3; 256]);
        overlay.put(B, [4; 256]);
        overlay.delete(&B);
        overlay.take_back();
        assert_eq!(overlay.get(&A), Ok(Some([1; 256])));
        assert_eq!(overlay.get(&B), Err(Missing(B)));
        assert_eq!(overlay.into_writes().collect::<Vec<_>>(), [(A, Some([1; 256]))]);
    }

    #[test]
    fn all_that_was_missed_is_known_once_and_what_is_known_by_then_is_not() {
        let mut overlay = Overlay::default();
        for key in [B, A, B] {
            assert_eq!(overlay.get(&key), Err(Missing(key)));
        }
        assert_eq!(overlay.take_missed(), [A, B]);
        assert!(overlay.take_missed().is_empty());
        assert_eq!(overlay.get(&A), Err(Missing(A)));
        overlay.load(A, None);
        assert!(overlay.take_missed().is_empty());
    }

    #[test]
    fn a_record_that_ends_as_it_was_is_not_written() {
        let mut overlay = Overlay::default();
        overlay.load(A, Some([1; 256]));
        overlay.load(B, None);
        overlay.delete(&A);
        overlay.put(A, [1; 256]);
        overlay.put(B, [1; 256]);
        overlay.delete(&B);
        assert_eq!(overlay.into_writes().count(), 0);
    }
}
