//! The ledger's records in the index, as its own rules and getters ask for them. What was read is kept at hand while one writes.

use crate::db::{DbError, Session, values};
use cairn_ledger::store::{Key, Missing, Store};
use std::collections::{BTreeMap, HashMap};

/// Records at hand; when there are more, all are let go of.
const CACHE_MAX: usize = 200_000;

/// What was read and written lately.
#[derive(Default)]
pub struct Cache {
    records: HashMap<Key, Option<Vec<u8>>>,
}

impl Cache {
    /// After anything that was not committed: what is at hand may never have been.
    pub fn forget(&mut self) {
        self.records.clear();
    }
}

/// The records while a block is applied: writes wait until they are flushed.
pub struct Records<'a> {
    pub session: &'a mut dyn Session,
    cache: &'a mut Cache,
    writes: BTreeMap<Key, Option<Vec<u8>>>,
    failed: Option<DbError>,
}

impl<'a> Records<'a> {
    pub fn new(session: &'a mut dyn Session, cache: &'a mut Cache) -> Self {
        Self {
            session,
            cache,
            writes: BTreeMap::new(),
            failed: None,
        }
    }

    /// Why a record was missing: the database failed.
    pub fn failure(&mut self, missing: Missing) -> DbError {
        let failed = self.failed.take();
        failed.unwrap_or_else(|| DbError::Failed(format!("a record is not at hand: {missing:?}")))
    }

    /// What a getter finds.
    pub fn look<T>(&mut self, look: impl FnOnce(&mut dyn Store) -> Result<T, Missing>) -> Result<T, DbError> {
        let found = look(self);
        found.map_err(|missing| self.failure(missing))
    }

    /// Writes everything into the tables.
    pub fn flush(&mut self) -> Result<(), DbError> {
        if self.cache.records.len() > CACHE_MAX {
            self.cache.forget();
        }
        for (key, value) in std::mem::take(&mut self.writes) {
            match &value {
                Some(value) => self.session.run(
                    "INSERT INTO records (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                    values![&key.0[..], value.as_slice()],
                )?,
                None => self.session.run("DELETE FROM records WHERE key = $1", values![&key.0[..]])?,
            };
            self.cache.records.insert(key, value);
        }
        Ok(())
    }
}

fn load(session: &mut dyn Session, key: &Key) -> Result<Option<Vec<u8>>, DbError> {
    let row = session.one("SELECT value FROM records WHERE key = $1", values![&key.0[..]])?;
    row.map(|row| row.bytes(0).map(<[u8]>::to_vec)).transpose()
}

impl Store for Records<'_> {
    fn get(&mut self, key: &Key) -> Result<Option<Vec<u8>>, Missing> {
        if let Some(value) = self.writes.get(key).or_else(|| self.cache.records.get(key)) {
            return Ok(value.clone());
        }
        match load(self.session, key) {
            Ok(value) => {
                self.cache.records.insert(*key, value.clone());
                Ok(value)
            }
            Err(error) => {
                self.failed = Some(error);
                Err(Missing(*key))
            }
        }
    }

    fn put(&mut self, key: Key, value: Vec<u8>) {
        self.writes.insert(key, Some(value));
    }

    fn delete(&mut self, key: &Key) {
        self.writes.insert(*key, None);
    }
}

/// The records for one question. Writes stay here: a transaction can be tried.
pub struct Reader<'a> {
    session: &'a mut dyn Session,
    tried: BTreeMap<Key, Option<Vec<u8>>>,
    failed: Option<DbError>,
}

impl<'a> Reader<'a> {
    pub fn new(session: &'a mut dyn Session) -> Self {
        Self {
            session,
            tried: BTreeMap::new(),
            failed: None,
        }
    }

    /// What a getter finds.
    pub fn look<T>(&mut self, look: impl FnOnce(&mut dyn Store) -> Result<T, Missing>) -> Result<T, DbError> {
        let found = look(self);
        found.map_err(|missing| {
            let failed = self.failed.take();
            failed.unwrap_or_else(|| DbError::Failed(format!("a record is not at hand: {missing:?}")))
        })
    }
}

/// What a getter finds in a session's records.
pub fn look<T>(
    session: &mut dyn Session,
    look: impl FnOnce(&mut dyn Store) -> Result<T, Missing>,
) -> Result<T, DbError> {
    Reader::new(session).look(look)
}

impl Store for Reader<'_> {
    fn get(&mut self, key: &Key) -> Result<Option<Vec<u8>>, Missing> {
        if let Some(value) = self.tried.get(key) {
            return Ok(value.clone());
        }
        load(self.session, key).map_err(|error| {
            self.failed = Some(error);
            Missing(*key)
        })
    }

    fn put(&mut self, key: Key, value: Vec<u8>) {
        self.tried.insert(key, Some(value));
    }

    fn delete(&mut self, key: &Key) {
        self.tried.insert(*key, None);
    }
}
