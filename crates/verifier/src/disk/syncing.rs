//! A disk with a sync of its own: one that is timed, waits, or lies. Everything else goes through as it is.

use super::Disk;
use std::io;

/// The disk below, and what is done when it is asked to sync a file.
pub struct Syncing<F> {
    disk: Box<dyn Disk>,
    sync: F,
}

impl<F: FnMut(&mut dyn Disk, &str) -> io::Result<()> + Send> Syncing<F> {
    pub fn new(disk: Box<dyn Disk>, sync: F) -> Self {
        Self { disk, sync }
    }
}

impl<F: FnMut(&mut dyn Disk, &str) -> io::Result<()> + Send> Disk for Syncing<F> {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&mut self, name: &str, bytes: u64) -> io::Result<()> {
        self.disk.create(name, bytes)
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.disk.write(name, offset, bytes)
    }

    fn sync(&mut self, name: &str) -> io::Result<()> {
        (self.sync)(self.disk.as_mut(), name)
    }

    fn sync_names(&mut self) -> io::Result<()> {
        self.disk.sync_names()
    }

    fn read(&self, name: &str, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
        self.disk.read(name, offset, bytes)
    }

    fn size(&self, name: &str) -> io::Result<Option<u64>> {
        self.disk.size(name)
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn replace(&mut self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.disk.replace(name, bytes)
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }
}
