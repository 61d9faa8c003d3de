//! A disk in memory that loses and tears what was not synced when it crashes, and has an end to its space. Shared by its
//! clones: the one that a log owns and the one that a test keeps. Never touches the machine's disk.

use super::Disk;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

#[derive(Default)]
struct State {
    files: BTreeMap<String, Content>,
    space: u64,
    syncs_fail: bool,
}

#[derive(Default, Clone)]
struct Content {
    durable: Vec<u8>,
    now: Vec<u8>,
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

    /// The power goes: of each sector written but not synced, `keep` says whether it arrived.
    pub fn crash(&self, mut keep: impl FnMut() -> bool) {
        for content in self.state().files.values_mut() {
            content.durable.resize(content.now.len(), 0);
            for (durable, now) in content.durable.chunks_mut(SECTOR).zip(content.now.chunks(SECTOR)) {
                if durable != now && keep() {
                    durable.copy_from_slice(now);
                }
            }
            content.now.clone_from(&content.durable);
        }
    }

    /// What a file holds now.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        self.state().files.get(name).map(|content| content.now.clone())
    }

    /// Puts bytes in a file's place, durable, as an outside hand would.
    pub fn tamper(&self, name: &str, bytes: Vec<u8>) {
        let content = Content {
            durable: bytes.clone(),
            now: bytes,
        };
        self.state().files.insert(name.to_owned(), content);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder of the lock panics")
    }
}

impl State {
    fn file(&mut self, name: &str) -> io::Result<&mut Content> {
        self.files.get_mut(name).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn room_for(&self, name: &str, bytes: usize) -> io::Result<()> {
        let others = self.files.iter().filter(|(other, _)| *other != name);
        let used: usize = others.map(|(_, content)| content.now.len()).sum();
        if (used + bytes) as u64 > self.space {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl Disk for SimulatedDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.state().files.keys().cloned().collect())
    }

    fn create(&mut self, name: &str, bytes: u64) -> io::Result<()> {
        let bytes = usize::try_from(bytes).map_err(|_| io::ErrorKind::StorageFull)?;
        let mut state = self.state();
        state.room_for(name, bytes)?;
        let zeros = Content {
            durable: vec![0; bytes],
            now: vec![0; bytes],
        };
        state.files.insert(name.to_owned(), zeros);
        Ok(())
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        let content = state.file(name)?;
        let from = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let to = content.now.get_mut(from..from + bytes.len());
        to.ok_or(io::ErrorKind::StorageFull)?.copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut state = self.state();
        if state.syncs_fail {
            return Err(io::Error::other("the disk does not answer"));
        }
        let content = state.file(name)?;
        content.durable.clone_from(&content.now);
        Ok(())
    }

    fn read(&self, name: &str, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let mut state = self.state();
        let now = &state.file(name)?.now;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(now.len());
        let to = from.saturating_add(bytes).min(now.len());
        Ok(now[from..to].to_vec())
    }

    fn size(&self, name: &str) -> io::Result<Option<u64>> {
        Ok(self.state().files.get(name).map(|content| content.now.len() as u64))
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.state();
        let content = state.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.state();
        state.room_for(name, bytes.len())?;
        let content = Content {
            durable: bytes.to_vec(),
            now: bytes.to_vec(),
        };
        state.files.insert(name.to_owned(), content);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.state().files.remove(name);
        Ok(())
    }
}
