//! A disk in memory that loses and tears what was not synced when it crashes, and has an end to its space. Shared by its
//! clones: the one that a log owns and the one that a test keeps. Never touches the machine's disk.
//!
//! ```text
//! write ─▶ what is read (cache) ──sync: what was written since──▶ what is there after a crash
//! ```
//! A sync that fails is as on a real machine: what was written can still be read, the cache takes it for written out, and a later
//! sync that succeeds does not write it again. Names of files are kept the same way.

use super::Disk;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

#[derive(Default)]
struct State {
    files: BTreeMap<u64, Content>,
    /// Which file has which name now, and after a crash.
    names: BTreeMap<String, u64>,
    durable_names: BTreeMap<String, u64>,
    next: u64,
    space: u64,
    syncs_fail: bool,
    written: u64,
}

#[derive(Default, Clone)]
struct Content {
    durable: Vec<u8>,
    now: Vec<u8>,
    /// Sectors that the next sync writes.
    dirty: BTreeSet<usize>,
}

/// A simulated disk.
#[derive(Clone)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

impl SimulatedDisk {
    /// An empty disk of so many bytes.
    pub fn new(space: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            space,
            ..State::default()
        })))
    }

    /// Changes the space; what is stored stays, even above it.
    pub fn set_space(&self, bytes: u64) {
        self.state().space = bytes;
    }

    /// While set, every sync fails and nothing becomes durable.
    pub fn fail_syncs(&self, fail: bool) {
        self.state().syncs_fail = fail;
    }

    /// The power goes: of each sector that is not what it was when last synced, `keep` says whether it arrived. Names that were
    /// not synced are lost.
    pub fn crash(&self, mut keep: impl FnMut() -> bool) {
        let mut state = self.state();
        let state = &mut *state;
        state.names.clone_from(&state.durable_names);
        state.forget_nameless();
        for content in state.files.values_mut() {
            for (durable, now) in content.durable.chunks_mut(SECTOR).zip(content.now.chunks(SECTOR)) {
                if durable != now && keep() {
                    durable.copy_from_slice(now);
                }
            }
            content.now.clone_from(&content.durable);
            content.dirty.clear();
        }
    }

    /// What a file holds now.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let mut state = self.state();
        state.file(name).ok().map(|content| content.now.clone())
    }

    /// Puts bytes in a file's place, durable, as an outside hand would.
    pub fn tamper(&self, name: &str, bytes: Vec<u8>) {
        let mut state = self.state();
        state.put(name, bytes);
        state.sync_name(name);
    }

    /// Bytes written into files so far.
    pub fn written(&self) -> u64 {
        self.state().written
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder of the lock panics")
    }
}

impl State {
    fn file(&mut self, name: &str) -> io::Result<&mut Content> {
        let file = self.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        self.files.get_mut(file).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// A synced file under a name that is not.
    fn put(&mut self, name: &str, bytes: Vec<u8>) {
        let content = Content {
            durable: bytes.clone(),
            now: bytes,
            dirty: BTreeSet::new(),
        };
        self.written += content.now.len() as u64;
        self.files.insert(self.next, content);
        self.names.insert(name.to_owned(), self.next);
        self.next += 1;
    }

    fn sync_name(&mut self, name: &str) {
        match self.names.get(name) {
            Some(file) => drop(self.durable_names.insert(name.to_owned(), *file)),
            None => drop(self.durable_names.remove(name)),
        }
    }

    fn sync_names(&mut self) -> io::Result<()> {
        self.answers()?;
        self.durable_names.clone_from(&self.names);
        self.forget_nameless();
        Ok(())
    }

    fn forget_nameless(&mut self) {
        let named: BTreeSet<u64> = self.names.values().copied().collect();
        self.files.retain(|file, _| named.contains(file));
    }

    fn answers(&self) -> io::Result<()> {
        if self.syncs_fail {
            return Err(io::Error::other("the disk does not answer"));
        }
        Ok(())
    }

    fn room_for(&self, name: &str, bytes: usize) -> io::Result<()> {
        let others = self.names.iter().filter(|(other, _)| *other != name);
        let used: usize = others
            .filter_map(|(_, file)| self.files.get(file))
            .map(|content| content.now.len())
            .sum();
        if (used + bytes) as u64 > self.space {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl Disk for SimulatedDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn create(&mut self, name: &str, bytes: u64) -> io::Result<()> {
        let bytes = usize::try_from(bytes).map_err(|_| io::ErrorKind::StorageFull)?;
        let mut state = self.state();
        state.room_for(name, bytes)?;
        state.answers()?;
        state.put(name, vec![0; bytes]);
        state.sync_names()
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let content = state.file(name)?;
        let from = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let to = from + bytes.len();
        let place = content.now.get_mut(from..to).ok_or(io::ErrorKind::StorageFull)?;
        place.copy_from_slice(bytes);
        content.dirty.extend(from / SECTOR..to.div_ceil(SECTOR));
        state.written += bytes.len() as u64;
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        let answers = state.answers();
        let content = state.file(name)?;
        let dirty = std::mem::take(&mut content.dirty);
        answers?;
        for sector in dirty {
            let range = sector * SECTOR..((sector + 1) * SECTOR).min(content.now.len());
            content.durable[range.clone()].copy_from_slice(&content.now[range]);
        }
        Ok(())
    }

    fn sync_names(&mut self) -> io::Result<()> {
        self.state().sync_names()
    }

    fn read(&self, name: &str, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let mut state = self.state();
        let now = &state.file(name)?.now;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(now.len());
        let to = from.saturating_add(bytes).min(now.len());
        Ok(now[from..to].to_vec())
    }

    fn size(&self, name: &str) -> io::Result<Option<u64>> {
        Ok(self.content(name).map(|now| now.len() as u64))
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let file = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), file);
        state.sync_names()
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.room_for(name, bytes.len())?;
        state.answers()?;
        state.put(name, bytes.to_vec());
        state.sync_names()
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        state.names.remove(name);
        state.sync_names()
    }
}
