//! Files of one folder, as the outbox needs them: append, sync, read back. Decisions are elsewhere.
//!
//! `FolderDisk` is a real folder that one process owns. `MemoryDisk` is for tests and deterministic networks: it can run
//! full, fail a sync, and lose what was not synced.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

/// A flat folder of append-only files.
pub trait Disk: Send {
    /// Names of all files, sorted.
    fn list(&self) -> io::Result<Vec<String>>;
    fn length(&self, name: &str) -> io::Result<u64>;
    /// Bytes from `offset`: `length` of them, or fewer where the file ends.
    fn read(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>>;
    /// Writes at the end of a file, which is made when missing. After an error an unknown part may have been written.
    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Returns once the file's bytes and its name survive a power cut.
    fn sync(&mut self, name: &str) -> io::Result<()>;
    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()>;
    fn remove(&mut self, name: &str) -> io::Result<()>;
}

/// A folder with mode 0700, locked by one process.
pub struct FolderDisk {
    folder: PathBuf,
    /// The file written last, and whether its name is not yet known to be on disk.
    open: Option<(String, File, bool)>,
    /// The file read last.
    reader: Option<(String, File)>,
    _lock: File,
}

const LOCK: &str = "lock";

impl FolderDisk {
    /// Makes the folder when missing. Fails with `WouldBlock` while another process has it.
    pub fn open(folder: &Path) -> io::Result<Self> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(folder.join(LOCK))?;
        lock.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => {
                io::Error::new(io::ErrorKind::WouldBlock, "another process uses this folder")
            }
            std::fs::TryLockError::Error(error) => error,
        })?;
        Ok(Self {
            folder: folder.to_owned(),
            open: None,
            reader: None,
            _lock: lock,
        })
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    fn writer(&mut self, name: &str) -> io::Result<&mut (String, File, bool)> {
        if self.open.as_ref().is_none_or(|(open, _, _)| open != name) {
            let path = self.folder.join(name);
            let new = !path.exists();
            let mut file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(path)?;
            file.seek(SeekFrom::End(0))?;
            self.open = Some((name.to_owned(), file, new));
        }
        Ok(self.open.as_mut().expect("opened in the lines before"))
    }
}

impl Disk for FolderDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string()
                && name != LOCK
                && entry.file_type()?.is_file()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        Ok(std::fs::metadata(self.folder.join(name))?.len())
    }

    fn read(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        if self.reader.as_ref().is_none_or(|(open, _)| open != name) {
            self.reader = Some((name.to_owned(), File::open(self.folder.join(name))?));
        }
        let (_, file) = self.reader.as_ref().expect("opened in the lines before");
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match file.read_at(&mut bytes[filled..], offset + filled as u64)? {
                0 => break,
                n => filled += n,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.writer(name)?.1.write_all(bytes)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let (_, file, new) = self.writer(name)?;
        file.sync_data()?;
        if std::mem::take(new) {
            self.sync_folder()?;
        }
        Ok(())
    }

    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()> {
        let (_, file, _) = self.writer(name)?;
        file.set_len(length)?;
        file.seek(SeekFrom::End(0))?;
        file.sync_data()
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.open.take_if(|(open, _, _)| open == name);
        self.reader.take_if(|(open, _)| open == name);
        std::fs::remove_file(self.folder.join(name))?;
        self.sync_folder()
    }
}

/// Files in memory behind a handle that can be cloned: one for the outbox, one for whoever breaks it.
#[derive(Clone, Default)]
pub struct MemoryDisk(Arc<Mutex<Memory>>);

#[derive(Default)]
struct Memory {
    /// Bytes of each file, and how many of them are synced.
    files: BTreeMap<String, (Vec<u8>, usize)>,
    free_bytes: Option<usize>,
    sync_fails: bool,
}

impl MemoryDisk {
    /// From now on only so many more bytes fit; `None` lifts the limit.
    pub fn limit(&self, free_bytes: Option<usize>) {
        self.memory().free_bytes = free_bytes;
    }

    /// From now on every sync fails, or none.
    pub fn fail_syncs(&self, fails: bool) {
        self.memory().sync_fails = fails;
    }

    /// What a power cut leaves: all that was synced, and `kept` more bytes of each file.
    pub fn after_crash(&self, kept: usize) -> Self {
        let mut files = self.memory().files.clone();
        for (bytes, synced) in files.values_mut() {
            bytes.truncate(*synced + kept);
            *synced = bytes.len();
        }
        Self::of(files)
    }

    /// A copy with one file's bytes changed by `change`.
    pub fn with(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut files = self.memory().files.clone();
        if let Some((bytes, synced)) = files.get_mut(name) {
            change(bytes);
            *synced = bytes.len();
        }
        Self::of(files)
    }

    fn of(files: BTreeMap<String, (Vec<u8>, usize)>) -> Self {
        Self(Arc::new(Mutex::new(Memory {
            files,
            ..Memory::default()
        })))
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().expect("nobody panics while holding it")
    }
}

fn missing() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

impl Disk for MemoryDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.memory().files.keys().cloned().collect())
    }

    fn length(&self, name: &str) -> io::Result<u64> {
        self.memory()
            .files
            .get(name)
            .map(|(bytes, _)| bytes.len() as u64)
            .ok_or_else(missing)
    }

    fn read(&mut self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let memory = self.memory();
        let (bytes, _) = memory.files.get(name).ok_or_else(missing)?;
        let rest = bytes
            .get(usize::try_from(offset).unwrap_or(usize::MAX)..)
            .unwrap_or_default();
        Ok(rest[..rest.len().min(length)].to_vec())
    }

    fn append(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut memory = self.memory();
        let fits = memory.free_bytes.unwrap_or(usize::MAX).min(bytes.len());
        let (file, _) = memory.files.entry(name.to_owned()).or_default();
        file.extend_from_slice(&bytes[..fits]);
        memory.free_bytes = memory.free_bytes.map(|free| free - fits);
        if fits < bytes.len() {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(())
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        let mut memory = self.memory();
        if memory.sync_fails {
            return Err(io::Error::other("the disk does not answer"));
        }
        let (bytes, synced) = memory.files.get_mut(name).ok_or_else(missing)?;
        *synced = bytes.len();
        Ok(())
    }

    fn truncate(&mut self, name: &str, length: u64) -> io::Result<()> {
        let mut memory = self.memory();
        let (bytes, synced) = memory.files.get_mut(name).ok_or_else(missing)?;
        let freed = bytes.len().saturating_sub(length as usize);
        bytes.truncate(length as usize);
        *synced = bytes.len();
        memory.free_bytes = memory.free_bytes.map(|free| free + freed);
        Ok(())
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut memory = self.memory();
        let (bytes, _) = memory.files.remove(name).ok_or_else(missing)?;
        memory.free_bytes = memory.free_bytes.map(|free| free + bytes.len());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// What every disk promises.
    fn check(mut disk: impl Disk) {
        disk.append("a", b"one").unwrap();
        disk.append("b", b"x").unwrap();
        disk.append("a", b"two").unwrap();
        disk.sync("a").unwrap();
        assert_eq!(disk.list().unwrap(), ["a", "b"]);
        assert_eq!(disk.length("a").unwrap(), 6);
        assert_eq!(disk.read("a", 2, 2).unwrap(), b"et");
        assert_eq!(disk.read("a", 5, 9).unwrap(), b"o");
        assert_eq!(disk.read("a", 9, 9).unwrap(), b"");
        disk.truncate("a", 3).unwrap();
        disk.append("a", b"!").unwrap();
        assert_eq!(disk.read("a", 0, 9).unwrap(), b"one!");
        disk.remove("a").unwrap();
        assert_eq!(disk.list().unwrap(), ["b"]);
        assert!(disk.read("a", 0, 1).is_err());
        assert!(disk.length("a").is_err());
    }

    #[test]
    fn a_folder_and_a_memory_behave_alike() {
        let folder = tempfile::tempdir().unwrap();
        check(FolderDisk::open(&folder.path().join("outbox")).unwrap());
        check(MemoryDisk::default());
    }

    #[test]
    fn a_folder_belongs_to_one_process_and_one_account() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox");
        let mut disk = FolderDisk::open(&path).unwrap();
        disk.append("a", b"one").unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(path.join("a").metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let second = FolderDisk::open(&path).map(|_| ()).unwrap_err();
        assert_eq!(second.kind(), io::ErrorKind::WouldBlock);
        drop(disk);
        FolderDisk::open(&path).unwrap();
    }

    #[test]
    fn a_crash_loses_what_was_not_synced_and_a_full_disk_says_so() {
        let mut disk = MemoryDisk::default();
        disk.append("a", b"one").unwrap();
        disk.sync("a").unwrap();
        disk.append("a", b"two").unwrap();
        assert_eq!(disk.after_crash(1).read("a", 0, 9).unwrap(), b"onet");
        disk.limit(Some(2));
        assert_eq!(disk.append("a", b"six").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(disk.read("a", 0, 9).unwrap(), b"onetwosi");
    }
}
