//! The frames of a state file, written whole or not at all, and read one after the other. Until it is whole it has another name, and what
//! stands under that name can be gone on with.

use super::StateFileError;
use crate::light::{Finality, HandOver};
use cairn_types::{codec, hash::sha256};
use minicbor::{CborLen, Decode, Encode};
use std::{
    fs::{self, File, TryLockError},
    io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

const MAGIC: &[u8; 16] = b"cairn-state\0\0\0\0\x01";
/// The version of what stands in the frames.
pub(super) const VERSION: u32 = 1;
const DIGEST_BYTES: usize = 32;
/// A frame is a head with many eras or 1,024 operations with their proof; both are far below.
const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a state file says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct StateHead {
    #[n(0)]
    pub version: u32,
    /// The chain's name.
    #[n(1)]
    pub chain: String,
    /// The header after whose block this is the state, and why it is final.
    #[n(2)]
    pub finality: Finality,
    /// From the first era to the one of that header.
    #[n(3)]
    pub hand_overs: Vec<HandOver>,
}

impl StateHead {
    pub fn new(chain: String, finality: Finality, hand_overs: Vec<HandOver>) -> Self {
        Self {
            version: VERSION,
            chain,
            finality,
            hand_overs,
        }
    }
}

/// A part of the log of operations.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Part {
    /// Where in the log it begins.
    #[n(0)]
    pub start: u64,
    /// Operations, one after the other.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub operations: Vec<u8>,
    /// That they stand there.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub proof: Vec<u8>,
}

pub(super) struct Writer {
    path: PathBuf,
    part: PathBuf,
    file: BufWriter<File>,
}

impl Writer {
    pub(super) fn create(path: &Path, head: &StateHead) -> io::Result<Self> {
        let mut writer = Self::open(path, 0)?;
        writer.file.write_all(MAGIC)?;
        writer.frame(&codec::encode(head))?;
        Ok(writer)
    }

    /// Goes on after so many bytes of what was begun; what stands behind them is dropped.
    pub(super) fn open(path: &Path, kept: u64) -> io::Result<Self> {
        let part = part_path(path);
        let mut file = File::options().write(true).create(true).truncate(false).open(&part)?;
        let taken = || io::Error::new(io::ErrorKind::ResourceBusy, "it is being written by another process");
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => taken(),
            TryLockError::Error(error) => error,
        })?;
        // The one that held the lock may have put the file in its place: then it has this name no more.
        let (ours, named) = (file.metadata()?, fs::metadata(&part).map_err(|_| taken())?);
        if (ours.dev(), ours.ino()) != (named.dev(), named.ino()) {
            return Err(taken());
        }
        file.set_len(kept)?;
        file.seek(SeekFrom::Start(kept))?;
        Ok(Self {
            path: path.to_owned(),
            file: BufWriter::new(file),
            part,
        })
    }

    pub(super) fn part(&mut self, part: &Part) -> io::Result<()> {
        self.frame(&codec::encode(part))
    }

    fn frame(&mut self, payload: &[u8]) -> io::Result<()> {
        assert!(payload.len() <= FRAME_BYTES_MAX, "what is written here is bounded");
        let len = u32::try_from(payload.len()).expect("bounded by FRAME_BYTES_MAX");
        self.file.write_all(&len.to_be_bytes())?;
        self.file.write_all(payload)?;
        self.file.write_all(&sha256(payload).0)
    }

    pub(super) fn abandon(self) -> io::Result<()> {
        fs::remove_file(&self.part)
    }

    pub(super) fn finish(self) -> io::Result<()> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        fs::rename(&self.part, &self.path)
    }
}

/// What a file is called until it is whole.
pub(super) fn part_path(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    part.into()
}

pub(super) struct Reader {
    file: BufReader<File>,
    pub(super) at: u64,
}

impl Reader {
    /// Opens a file and reads its head.
    pub(super) fn open(path: &Path) -> Result<(Self, StateHead), StateFileError> {
        let mut file = BufReader::new(File::open(path)?);
        let mut magic = [0; MAGIC.len()];
        if file.read_exact(&mut magic).is_err() || magic != *MAGIC {
            return Err(StateFileError::NotAState);
        }
        let mut reader = Self {
            file,
            at: MAGIC.len() as u64,
        };
        let payload = reader.frame()?.ok_or(StateFileError::NotAState)?;
        let head: StateHead = codec::decode_canonical(&payload).map_err(|_| StateFileError::NotAState)?;
        match head.version {
            VERSION => Ok((reader, head)),
            other => Err(StateFileError::Version(other)),
        }
    }

    /// The next part, and where in the file its payload begins; none at the end.
    pub(super) fn part(&mut self) -> Result<Option<Part>, StateFileError> {
        let at = self.at;
        let Some(payload) = self.frame()? else { return Ok(None) };
        let part = codec::decode_canonical(&payload).map_err(|_| StateFileError::Damaged(at))?;
        Ok(Some(part))
    }

    fn frame(&mut self) -> Result<Option<Vec<u8>>, StateFileError> {
        let damaged = |_| StateFileError::Damaged(self.at);
        let mut len = [0; 4];
        if self.file.read(&mut len[..1])? == 0 {
            return Ok(None);
        }
        self.file.read_exact(&mut len[1..]).map_err(damaged)?;
        let len = u32::from_be_bytes(len) as usize;
        if len > FRAME_BYTES_MAX {
            return Err(StateFileError::Damaged(self.at));
        }
        let mut payload = vec![0; len + DIGEST_BYTES];
        self.file.read_exact(&mut payload).map_err(damaged)?;
        let digest = payload.split_off(len);
        if sha256(&payload).0[..] != digest[..] {
            return Err(StateFileError::Damaged(self.at));
        }
        self.at += (4 + len + DIGEST_BYTES) as u64;
        Ok(Some(payload))
    }
}
