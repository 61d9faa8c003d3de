//! A real folder through `std::fs`. Keeps its files open; syncs data, and the folder itself after every change of names.

use super::Disk;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// Bytes of zeros written at a time while space is reserved.
const STEP: usize = 1024 * 1024;

/// A folder on this machine's disk.
pub struct Folder {
    path: PathBuf,
    open: BTreeMap<String, File>,
}

impl Folder {
    /// Makes the folder if it is not there.
    pub fn open(path: impl Into<PathBuf>) -> io::Result<Self> {
        let path = path.into();
        fs::create_dir_all(&path)?;
        Ok(Self {
            path,
            open: BTreeMap::new(),
        })
    }

    fn file(&mut self, name: &str) -> io::Result<&File> {
        if !self.open.contains_key(name) {
            let file = OpenOptions::new().read(true).write(true).open(self.path.join(name))?;
            self.open.insert(name.to_owned(), file);
        }
        self.open.get(name).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn fill(&mut self, name: &str, bytes: u64) -> io::Result<File> {
        let path = self.path.join(name);
        let mut options = OpenOptions::new();
        let mut file = options.read(true).write(true).create(true).truncate(true).open(path)?;
        let zeros = vec![0; STEP];
        let mut left = bytes;
        while left > 0 {
            let step = zeros.len().min(usize::try_from(left).unwrap_or(STEP));
            file.write_all(&zeros[..step])?;
            left -= step as u64;
        }
        file.sync_all()?;
        self.sync_names()?;
        Ok(file)
    }
}

impl Disk for Folder {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.extend(entry.file_name().into_string());
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn create(&mut self, name: &str, bytes: u64) -> io::Result<()> {
        match self.fill(name, bytes) {
            Ok(file) => {
                self.open.insert(name.to_owned(), file);
                Ok(())
            }
            Err(error) => {
                // Best effort: what is left of it is found and reused or removed at the next start.
                let _ = fs::remove_file(self.path.join(name));
                Err(error)
            }
        }
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file(name)?.write_all_at(bytes, offset)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        self.file(name)?.sync_data()
    }

    fn sync_names(&mut self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    fn read(&self, name: &str, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
        let opened;
        let file = match self.open.get(name) {
            Some(file) => file,
            None => {
                opened = File::open(self.path.join(name))?;
                &opened
            }
        };
        let end = file.metadata()?.len();
        let there = usize::try_from(end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut read = vec![0; bytes.min(there)];
        file.read_exact_at(&mut read, offset)?;
        Ok(read)
    }

    fn size(&self, name: &str) -> io::Result<Option<u64>> {
        match fs::metadata(self.path.join(name)) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.open.remove(from);
        self.open.remove(to);
        fs::rename(self.path.join(from), self.path.join(to))?;
        self.sync_names()
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let new = self.path.join(format!("{name}.new"));
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        self.open.remove(name);
        fs::rename(&new, self.path.join(name))?;
        self.sync_names()
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.open.remove(name);
        fs::remove_file(self.path.join(name))?;
        self.sync_names()
    }
}
