//! Where archives are kept: a folder, S3 and its kin, or memory. Whole objects, put at once; an object is there or not.

mod http;
#[cfg(test)]
pub mod moto;
mod remote;
#[cfg(test)]
mod tests;

pub use http::{HttpArchive, fetch, patient};
pub use remote::{Remote, S3};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use thiserror::Error;

/// A store that did not do what it was asked.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("object store, {path}: {what}")]
pub struct ObjectError {
    pub path: String,
    pub what: String,
}

/// Objects by path; paths are `a/b/c`.
pub trait Objects: Send + Sync {
    /// Durable and whole when it returns.
    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), ObjectError>;

    /// `None` when there is no such object. Refuses one longer than `limits::ARCHIVE_FILE_BYTES_MAX`.
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, ObjectError>;

    /// The names directly below a prefix, sorted.
    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError>;
}

/// Objects in memory: for tests and simulations. Clones share them.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    /// So many puts still succeed; `None`: all.
    puts_left: Option<u32>,
}

impl Memory {
    /// Lets so many puts succeed, then none, as if the process were killed there; `None` lifts it.
    pub fn stop_after(&self, puts: Option<u32>) {
        self.state().puts_left = puts;
    }

    /// Every path, sorted.
    pub fn paths(&self) -> Vec<String> {
        self.state().objects.keys().cloned().collect()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().expect("no holder of the lock panics")
    }
}

impl Objects for Memory {
    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), ObjectError> {
        let mut state = self.state();
        if let Some(left) = &mut state.puts_left {
            *left = left.checked_sub(1).ok_or_else(|| ObjectError {
                path: path.to_owned(),
                what: "stopped".to_owned(),
            })?;
        }
        state.objects.insert(path.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        Ok(self.state().objects.get(path).cloned())
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        let below = if prefix.is_empty() {
            String::new()
        } else {
            format!("{prefix}/")
        };
        let state = self.state();
        let rests = state.objects.keys().filter_map(|path| path.strip_prefix(&below));
        let mut names: Vec<String> = rests
            .filter_map(|rest| rest.split('/').next())
            .map(str::to_owned)
            .collect();
        names.dedup();
        Ok(names)
    }
}
