//! Which block a transaction stands in, for the newest transactions: an append-only log that is read at the start. It only
//! repeats what blocks say: what is lost of it comes again from the engine, which tells blocks from `stored_height` on.
//!
//! ```text
//! record: height 8 │ count 4 │ ids 32 each │ first 8 bytes of the record's SHA-256        a torn last record is cut off
//! ```

use cairn_types::Hash;
use cairn_types::hash::sha256;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Transactions of one generation. When it is full the one before is forgotten.
const GENERATION_TXS_MAX: usize = 500_000;
/// Blocks without transactions are recorded this seldom.
const EMPTY_BLOCKS: u64 = 64;
const CHECK_BYTES: usize = 8;

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub height: u64,
    pub index: u32,
}

/// The newest transactions by id.
pub struct Index {
    folder: PathBuf,
    txs_max: usize,
    older: HashMap<Hash, Place>,
    newer: HashMap<Hash, Place>,
    /// None after a failed write: a hole in the log would hide blocks at the next start.
    log: Option<File>,
    /// The last height in memory.
    height: u64,
    /// The last height on disk.
    stored: u64,
}

impl Index {
    pub fn open(folder: &Path) -> io::Result<Self> {
        Self::with_limit(folder, GENERATION_TXS_MAX)
    }

    fn with_limit(folder: &Path, txs_max: usize) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut stored = 0;
        let mut older = HashMap::new();
        load(&path(folder, "older"), &mut older, &mut stored)?;
        let mut newer = HashMap::new();
        let valid = load(&path(folder, "newer"), &mut newer, &mut stored)?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path(folder, "newer"))?;
        log.set_len(valid)?;
        Ok(Self {
            folder: folder.to_owned(),
            txs_max,
            older,
            newer,
            log: Some(log),
            height: stored,
            stored,
        })
    }

    /// Blocks up to here need not be told again.
    pub fn stored_height(&self) -> u64 {
        self.stored
    }

    pub fn find(&self, id: &Hash) -> Option<Place> {
        self.newer.get(id).or_else(|| self.older.get(id)).copied()
    }

    /// Takes in a block's transactions, in order. A block that is here already changes nothing.
    pub fn add(&mut self, height: u64, ids: &[Hash]) -> io::Result<()> {
        if height <= self.height {
            return Ok(());
        }
        self.height = height;
        if self.newer.len() + ids.len() > self.txs_max {
            self.turn()?;
        }
        for (index, id) in (0..).zip(ids) {
            self.newer.insert(*id, Place { height, index });
        }
        if ids.is_empty() && !height.is_multiple_of(EMPTY_BLOCKS) {
            return Ok(());
        }
        let Some(log) = &mut self.log else { return Ok(()) };
        if let Err(error) = log.write_all(&record(height, ids)) {
            self.log = None;
            return Err(error);
        }
        self.stored = height;
        Ok(())
    }

    /// The newer generation becomes the older one.
    fn turn(&mut self) -> io::Result<()> {
        self.older = std::mem::take(&mut self.newer);
        self.log = None;
        std::fs::rename(path(&self.folder, "newer"), path(&self.folder, "older"))?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path(&self.folder, "newer"))?;
        self.log = Some(log);
        Ok(())
    }
}

fn path(folder: &Path, generation: &str) -> PathBuf {
    folder.join(format!("transactions-{generation}.log"))
}

fn record(height: u64, ids: &[Hash]) -> Vec<u8> {
    let count = u32::try_from(ids.len()).expect("a block holds fewer transactions than u32 counts");
    let mut bytes = Vec::with_capacity(12 + 32 * ids.len() + CHECK_BYTES);
    bytes.extend(height.to_be_bytes());
    bytes.extend(count.to_be_bytes());
    ids.iter().for_each(|id| bytes.extend(id.0));
    let check = sha256(&bytes).0;
    bytes.extend(&check[..CHECK_BYTES]);
    bytes
}

/// Reads whole records into `places`; answers how many bytes they take.
fn load(path: &Path, places: &mut HashMap<Hash, Place>, stored: &mut u64) -> io::Result<u64> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_end(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut rest = bytes.as_slice();
    while let Some((height, ids, after)) = parse(rest) {
        for (index, id) in (0..).zip(ids) {
            let id = Hash(id.try_into().expect("cut into 32 bytes"));
            places.insert(id, Place { height, index });
        }
        *stored = height.max(*stored);
        rest = after;
    }
    Ok((bytes.len() - rest.len()) as u64)
}

/// The first record: its height, its ids, and what follows. `None` for what is torn or damaged.
fn parse(bytes: &[u8]) -> Option<(u64, std::slice::ChunksExact<'_, u8>, &[u8])> {
    let (height, rest) = bytes.split_first_chunk()?;
    let (count, rest) = rest.split_first_chunk()?;
    let ids_bytes = usize::try_from(u32::from_be_bytes(*count)).ok()?.checked_mul(32)?;
    let (ids, rest) = rest.split_at_checked(ids_bytes)?;
    let (check, after) = rest.split_at_checked(CHECK_BYTES)?;
    let covered = bytes.get(..12 + ids_bytes)?;
    (sha256(covered).0.starts_with(check)).then(|| (u64::from_be_bytes(*height), ids.chunks_exact(32), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> Hash {
        Hash([n; 32])
    }

    fn place(height: u64, index: u32) -> Option<Place> {
        Some(Place { height, index })
    }

    #[test]
    fn what_was_added_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mut index = Index::open(folder.path()).unwrap();
        index.add(1, &[id(1), id(2)]).unwrap();
        index.add(2, &[]).unwrap();
        index.add(3, &[id(3)]).unwrap();
        index.add(3, &[id(9)]).unwrap();
        drop(index);
        let index = Index::open(folder.path()).unwrap();
        assert_eq!(index.stored_height(), 3);
        assert_eq!(
            [index.find(&id(2)), index.find(&id(3)), index.find(&id(9))],
            [place(1, 1), place(3, 0), None]
        );
    }

    #[test]
    fn a_torn_record_is_forgotten_and_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let log = path(folder.path(), "newer");
        let mut index = Index::open(folder.path()).unwrap();
        index.add(1, &[id(1)]).unwrap();
        index.add(2, &[id(2)]).unwrap();
        drop(index);
        let whole = std::fs::read(&log).unwrap();
        for cut in whole.len() / 2..whole.len() {
            std::fs::write(&log, &whole[..cut]).unwrap();
            let mut index = Index::open(folder.path()).unwrap();
            assert_eq!((index.stored_height(), index.find(&id(2))), (1, None));
            index.add(2, &[id(2)]).unwrap();
            drop(index);
            assert_eq!(std::fs::read(&log).unwrap(), whole);
        }
        let mut damaged = whole.clone();
        damaged[20] ^= 1;
        std::fs::write(&log, &damaged).unwrap();
        assert_eq!(Index::open(folder.path()).unwrap().stored_height(), 0);
    }

    #[test]
    fn the_oldest_generation_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut index = Index::with_limit(folder.path(), 2).unwrap();
        for height in 1..=5 {
            index.add(height, &[id(height as u8)]).unwrap();
        }
        let found = |index: &Index| (1..=5).map(|n| index.find(&id(n)).is_some()).collect::<Vec<_>>();
        assert_eq!(found(&index), [false, false, true, true, true]);
        drop(index);
        let index = Index::with_limit(folder.path(), 2).unwrap();
        assert_eq!(found(&index), [false, false, true, true, true]);
    }

    #[test]
    fn blocks_without_transactions_are_recorded_seldom() {
        let folder = tempfile::tempdir().unwrap();
        let mut index = Index::open(folder.path()).unwrap();
        (1..=130).for_each(|height| index.add(height, &[]).unwrap());
        assert_eq!(index.stored_height(), 128);
    }
}
