//! Reads a state file and believes nothing of it but what is proven under the anchor; what comes out is the state's records. Memory
//! grows with the records' keys, not with their values.

use super::{
    Progress, StateFileError,
    file::{Part, Reader, StateHead},
};
use crate::{
    Header, Key, Value,
    engine_types::{Digest, Op},
    light::{Anchor, HandOver, follow, verify_finality},
    records::{CURSOR, Cursor, OWN_TABLE, RecordsWriter},
};
use commonware_codec::{Copying, Decode as _, DecodeExt as _, FixedSize as _};
use commonware_cryptography::Sha256;
use commonware_storage::{
    mmr,
    mmr::{Location, Proof},
    qmdb,
};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

/// Digests in the proof of a part: more than any log can need.
pub(super) const PROOF_DIGESTS_MAX: usize = 256;

/// A state that was checked.
#[derive(Debug)]
pub struct Checked {
    pub head: StateHead,
    /// After whose block this is the state.
    pub header: Header,
    /// The era of that header.
    pub anchor: Anchor,
    path: PathBuf,
    /// Where in the scratch file the value of each record stands.
    places: BTreeMap<Key, u64>,
    values: File,
}

/// Reads a state file and checks all of it. `anchor` may be that of any earlier era.
pub fn check(path: &Path, anchor: &Anchor, progress: Progress<'_>) -> Result<Checked, StateFileError> {
    let (mut reader, head) = Reader::open(path)?;
    if head.chain != anchor.chain {
        return Err(StateFileError::OtherChain(head.chain));
    }
    let anchor = follow(anchor, &head.hand_overs)?;
    let header = verify_finality(&anchor, &head.finality)?;
    // Values are kept in a file without a name: the state may be larger than memory.
    let values = scratch(path)?;
    let mut checked = Checked {
        head,
        header,
        anchor,
        path: path.to_owned(),
        places: BTreeMap::new(),
        values,
    };
    let (start, end) = (checked.header.ops_start, checked.header.ops_end);
    let (mut next, mut written) = (start, 0);
    while let Some(part) = reader.part()? {
        let operations = prove(&part, next, &checked.header)?;
        next += operations.len() as u64;
        for operation in operations {
            checked.take(operation, &mut written)?;
        }
        progress(next - start, end - start);
    }
    if next != end {
        return Err(StateFileError::Length {
            found: next,
            wanted: end,
        });
    }
    checked.drop_own()?;
    Ok(checked)
}

/// The operations of a part, if they stand from `next` on in the log of this header's state.
pub(super) fn prove(part: &Part, next: u64, header: &Header) -> Result<Vec<Op>, StateFileError> {
    let unproven = || StateFileError::Unproven(part.start);
    let operations: Option<Vec<Op>> = part
        .operations
        .chunks(Op::SIZE)
        .map(|bytes| Op::decode(Copying(bytes)).ok())
        .collect();
    let operations = operations
        .filter(|operations| !operations.is_empty())
        .ok_or_else(unproven)?;
    let proof = Proof::<Digest>::decode_cfg(Copying(&part.proof), &PROOF_DIGESTS_MAX).map_err(|_| unproven())?;
    let (after, end) = (next.saturating_add(operations.len() as u64), header.ops_end);
    if part.start != next || after > end {
        return Err(StateFileError::Length {
            found: after,
            wanted: end,
        });
    }
    let root = Digest::from(header.ops_root);
    match qmdb::verify_proof::<Sha256, mmr::Family, Op>(&proof, Location::new(next), &operations, &root) {
        true => Ok(operations),
        false => Err(unproven()),
    }
}

fn scratch(path: &Path) -> Result<File, StateFileError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".values");
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&name)?;
    fs::remove_file(&name)?;
    Ok(file)
}

impl Checked {
    /// How many records there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The record under a key.
    pub fn record(&self, key: &Key) -> Result<Option<Value>, StateFileError> {
        let Some(at) = self.places.get(key) else {
            return Ok(None);
        };
        let mut value = [0; crate::VALUE_BYTES];
        self.values.read_exact_at(&mut value, *at)?;
        Ok(Some(value))
    }

    /// Writes the records in their order to `path`, some of them changed, new or gone; returns the root over them.
    pub fn write_records(
        &self,
        path: &Path,
        changes: &BTreeMap<Key, Option<Value>>,
    ) -> Result<[u8; 32], StateFileError> {
        let mut writer = RecordsWriter::create(path)?;
        let mut changes = changes.iter().peekable();
        for key in self.places.keys() {
            while let Some((new, value)) = changes.next_if(|(changed, _)| *changed < key) {
                value.iter().try_for_each(|value| writer.push(new, value))?;
            }
            let value = match changes.next_if(|(changed, _)| *changed == key) {
                Some((_, changed)) => *changed,
                None => self.record(key)?,
            };
            value.iter().try_for_each(|value| writer.push(key, value))?;
        }
        for (new, value) in changes {
            value.iter().try_for_each(|value| writer.push(new, value))?;
        }
        Ok(writer.finish()?)
    }

    /// How the era of this state hands over to the one that this state is for; `None` while it has not ended.
    pub fn hand_over(&self, successor: &crate::light::Successor) -> Result<(HandOver, Anchor), StateFileError> {
        let hand_over = HandOver {
            finality: self.head.finality.clone(),
            successor: successor.clone(),
        };
        let (_, next) = hand_over.verify(&self.anchor)?;
        Ok((hand_over, next))
    }

    /// The file that was checked.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn take(&mut self, operation: Op, written: &mut u64) -> Result<(), StateFileError> {
        match operation {
            Op::Update(update) => {
                let value: &[u8] = update.value.as_ref();
                self.values.write_all_at(value, *written)?;
                self.places.insert(key(&update.key), *written);
                *written += value.len() as u64;
            }
            Op::Delete(name) => {
                self.places.remove(&key(&name));
            }
            Op::CommitFloor(..) => {}
        }
        Ok(())
    }

    /// What the engine itself noted is no record of the state.
    fn drop_own(&mut self) -> Result<(), StateFileError> {
        if self.header.era > 0 && !Cursor::read(self.record(&CURSOR)?.as_ref()).is_done() {
            return Err(StateFileError::TakingOver);
        }
        self.places.retain(|key, _| key[0] != OWN_TABLE);
        Ok(())
    }
}

fn key(name: &crate::engine_types::StateKey) -> Key {
    let bytes: &[u8] = name.as_ref();
    Key::try_from(bytes).expect("a state key has the size of a key")
}
