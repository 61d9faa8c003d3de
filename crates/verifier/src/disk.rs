//! The few things a log asks of a disk. `Folder` does them for real; `SimulatedDisk` in memory, with torn writes and an end to
//! its space. Never decides what is written.

mod folder;
mod simulated;
mod syncing;

pub use folder::Folder;
pub use simulated::SimulatedDisk;
pub use syncing::Syncing;

use std::io;

/// A folder of files. Names are plain: no separators, no dots at the start.
pub trait Disk: Send {
    /// The names of all files, sorted.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Makes a file of so many zero bytes, space reserved; durable when it returns. On an error the file is gone again.
    fn create(&mut self, name: &str, bytes: u64) -> io::Result<()>;

    /// Writes inside a file. Durable only after `sync`.
    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes all writes to a file durable that were made since it was last asked to. When it fails, what was written may be read
    /// and yet never reach the disk, however often it is asked again: only bytes written again do.
    fn sync(&mut self, name: &str) -> io::Result<()>;

    /// Makes the names of all files durable as they are now.
    fn sync_names(&mut self) -> io::Result<()>;

    /// Reads up to `bytes` bytes; fewer at the end of the file.
    fn read(&self, name: &str, offset: u64, bytes: usize) -> io::Result<Vec<u8>>;

    /// Bytes of a file; `None` when there is none.
    fn size(&self, name: &str) -> io::Result<Option<u64>>;

    /// Gives a file another name; durable when it returns.
    fn rename(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Puts a small file in place at once: after a crash it has the old content or the new one.
    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()>;

    fn remove(&mut self, name: &str) -> io::Result<()>;

    /// The whole of a small file.
    fn read_all(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match self.size(name)? {
            None => Ok(None),
            Some(bytes) => {
                let bytes = usize::try_from(bytes).map_err(|_| io::ErrorKind::FileTooLarge)?;
                self.read(name, 0, bytes).map(Some)
            }
        }
    }
}
