//! Reading the state of a running chain with the ledger's own getters: what a getter misses is loaded, all at one height, and
//! the getter is asked again. Never writes.

use crate::machine::unpad;
use cairn_engine::limits::READ_KEYS_MAX;
use cairn_engine::{AskError, Handle, Header};
use cairn_ledger::store::{Key, Missing, Store};
use std::collections::{BTreeMap, BTreeSet};

/// Times a getter may ask for more.
const ROUNDS_MAX: usize = 64;

/// The state of the newest final block.
#[derive(Clone)]
pub struct State {
    chain: Handle,
}

/// Why the state cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    #[error(transparent)]
    Ask(#[from] AskError),
    #[error("the question needs more than {READ_KEYS_MAX} records")]
    TooMuch,
}

impl State {
    pub fn new(chain: Handle) -> Self {
        Self { chain }
    }

    /// What `look` finds, and the header of the block after which it holds. `first` are keys it will surely ask for.
    pub async fn look<T>(
        &self,
        first: impl IntoIterator<Item = Key>,
        mut look: impl FnMut(&mut dyn Store) -> Result<T, Missing>,
    ) -> Result<(Header, T), StateError> {
        let mut keys: BTreeSet<Key> = first.into_iter().collect();
        for _ in 0..ROUNDS_MAX {
            if keys.len() > READ_KEYS_MAX {
                return Err(StateError::TooMuch);
            }
            let asked: Vec<Key> = keys.iter().copied().collect();
            let records = self.chain.read(asked.iter().map(|key| key.0).collect()).await?;
            let values = records.values.iter();
            let values = values.map(|value| value.as_ref().and_then(unpad).map(<[u8]>::to_vec));
            let mut snapshot = Snapshot {
                records: asked.into_iter().zip(values).collect(),
                missed: Vec::new(),
            };
            match look(&mut snapshot) {
                Ok(found) => return Ok((records.header, found)),
                Err(missing) => {
                    keys.extend(snapshot.missed);
                    keys.insert(missing.0);
                }
            }
        }
        Err(StateError::TooMuch)
    }
}

/// Asks for all before giving up on the first that is missing, so that they are loaded together.
pub fn all<T>(found: impl IntoIterator<Item = Result<T, Missing>>) -> Result<Vec<T>, Missing> {
    let found: Vec<_> = found.into_iter().collect();
    found.into_iter().collect()
}

/// Records of one height; reading only.
struct Snapshot {
    records: BTreeMap<Key, Option<Vec<u8>>>,
    missed: Vec<Key>,
}

impl Store for Snapshot {
    fn get(&mut self, key: &Key) -> Result<Option<Vec<u8>>, Missing> {
        self.records.get(key).cloned().ok_or_else(|| {
            self.missed.push(*key);
            Missing(*key)
        })
    }

    fn put(&mut self, _: Key, _: Vec<u8>) {
        unreachable!("getters do not write");
    }

    fn delete(&mut self, _: &Key) {
        unreachable!("getters do not write");
    }
}
