//! The file of an era's records: written once, in order, whole or not at all; read at any chunk. Every byte of it is checked when it
//! is opened, and each chunk again when it is read.

use super::{Brought, CHUNK_BYTES_MAX, push};
use crate::{Key, Value};
use cairn_types::{
    Hash,
    hash::sha256,
    merkle::{self, Tree},
};
use std::{
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

const MAGIC: &[u8; 16] = b"cairn-records\0\0\x01";
const DIGEST_BYTES: usize = 32;

/// Why there is no file of records.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    #[error("the file of records cannot be used: {0}")]
    Io(#[from] io::Error),
    #[error("this is not a file of records, or one of another version")]
    NotRecords,
    #[error("the file of records is damaged at byte {0}")]
    Damaged(u64),
    #[error("the records are not in their order")]
    Order,
    #[error("there are no records")]
    Empty,
}

impl RecordsError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io(_) => "check that the folder is yours and the disk is not full",
            _ => "make it again from the state file: `cairn state import`",
        }
    }
}

/// Writes records that come in the order of their keys.
pub struct RecordsWriter {
    path: PathBuf,
    part: PathBuf,
    file: BufWriter<File>,
    chunk: Vec<u8>,
    last: Option<Key>,
    leaves: Vec<Hash>,
}

impl RecordsWriter {
    pub fn create(path: &Path) -> Result<Self, RecordsError> {
        let part = path.with_extension("part");
        let mut file = BufWriter::new(File::create(&part)?);
        file.write_all(MAGIC)?;
        Ok(Self {
            path: path.to_owned(),
            part,
            file,
            chunk: Vec::new(),
            last: None,
            leaves: Vec::new(),
        })
    }

    pub fn push(&mut self, key: &Key, value: &Value) -> Result<(), RecordsError> {
        if self.last.is_some_and(|last| last >= *key) {
            return Err(RecordsError::Order);
        }
        self.last = Some(*key);
        if !push(&mut self.chunk, key, value) {
            self.close()?;
            assert!(push(&mut self.chunk, key, value), "a record fits into an empty chunk");
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), RecordsError> {
        let chunk = std::mem::take(&mut self.chunk);
        let len = u32::try_from(chunk.len()).expect("bounded by CHUNK_BYTES_MAX");
        self.file.write_all(&len.to_be_bytes())?;
        self.file.write_all(&chunk)?;
        self.file.write_all(&sha256(&chunk).0)?;
        self.leaves.push(merkle::leaf(&chunk));
        Ok(())
    }

    /// Puts the file in its place; returns the root over the records.
    pub fn finish(mut self) -> Result<[u8; 32], RecordsError> {
        if self.last.is_none() {
            return Err(RecordsError::Empty);
        }
        self.close()?;
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&self.part, &self.path)?;
        if let Some(folder) = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            File::open(folder)?.sync_all()?;
        }
        Ok(merkle::root(self.leaves).0)
    }
}

/// A file of records.
pub struct RecordsFile {
    file: File,
    /// Where each chunk begins, and how long it is.
    places: Vec<(u64, usize)>,
    tree: Tree,
}

impl std::fmt::Debug for RecordsFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RecordsFile({} chunks)", self.places.len())
    }
}

impl RecordsFile {
    /// Reads all of it once.
    pub fn open(path: &Path) -> Result<Self, RecordsError> {
        let mut file = BufReader::new(File::open(path)?);
        let mut magic = [0; MAGIC.len()];
        let read = file.read_exact(&mut magic);
        if read.is_err() || magic != *MAGIC {
            return Err(RecordsError::NotRecords);
        }
        let (mut at, mut places, mut leaves) = (MAGIC.len() as u64, Vec::new(), Vec::new());
        while let Some(chunk) = next_chunk(&mut file).map_err(|()| RecordsError::Damaged(at))? {
            places.push((at + 4, chunk.len()));
            leaves.push(merkle::leaf(&chunk));
            at += (4 + chunk.len() + DIGEST_BYTES) as u64;
        }
        if places.is_empty() {
            return Err(RecordsError::Empty);
        }
        Ok(Self {
            file: file.into_inner(),
            places,
            tree: Tree::new(leaves),
        })
    }

    pub fn chunks(&self) -> u64 {
        self.tree.count()
    }

    /// The root over all records.
    pub fn root(&self) -> [u8; 32] {
        self.tree.root().0
    }

    /// The transaction that brings a chunk.
    pub(super) fn bring(&self, at: u64) -> Result<Vec<u8>, RecordsError> {
        let place = usize::try_from(at).ok().and_then(|at| self.places.get(at));
        let (Some((from, len)), Some(proof)) = (place, self.tree.prove(at, at.saturating_add(1))) else {
            return Err(RecordsError::NotRecords);
        };
        let mut chunk = vec![0; *len];
        self.file.read_exact_at(&mut chunk, *from)?;
        let brought = Brought { proof, chunk };
        match brought.is_under(&self.root()) {
            true => Ok(brought.encode()),
            false => Err(RecordsError::Damaged(*from)),
        }
    }
}

/// The next chunk; none at the file's end.
fn next_chunk(file: &mut impl Read) -> Result<Option<Vec<u8>>, ()> {
    let mut len = [0; 4];
    match file.read(&mut len[..1]) {
        Ok(0) => return Ok(None),
        Ok(_) => file.read_exact(&mut len[1..]).map_err(drop)?,
        Err(_) => return Err(()),
    }
    let len = u32::from_be_bytes(len) as usize;
    if len == 0 || len > CHUNK_BYTES_MAX {
        return Err(());
    }
    let mut chunk = vec![0; len + DIGEST_BYTES];
    file.read_exact(&mut chunk).map_err(drop)?;
    let digest = chunk.split_off(len);
    (sha256(&chunk).0[..] == digest[..]).then_some(Some(chunk)).ok_or(())
}
