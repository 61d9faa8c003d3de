//! A whole ledger out of a node's folder into one file, and out of that file into the folder of a new era. Checks everything against
//! the first key; knows of the records only what the ledger's own getters say.

use crate::eras::{self, ErasError, RECORDS_NAME};
use crate::founding::{Founding, FoundingError};
use crate::genesis::{self, GenesisFileError};
use crate::machine::{pad, unpad};
use crate::upgrades;
use cairn_engine::light::Anchor;
use cairn_engine::state::{self, Checked, Export, Progress, StateFileError};
use cairn_engine::{EraStart, KEY_BYTES, Value};
use cairn_ledger::protocol::PROTOCOLS;
use cairn_ledger::records::{Chain, Protocol};
use cairn_ledger::store::{Key, Missing, Store};
use cairn_ledger::succession::{SuccessionError, Successor, take_over};
use cairn_ledger::view;
use cairn_types::{Hash, ValidatorKey};
use std::collections::BTreeMap;
use std::path::Path;

/// Why a state does not move.
#[derive(Debug, thiserror::Error)]
pub enum MovingError {
    #[error(transparent)]
    State(#[from] StateFileError),
    #[error(transparent)]
    Genesis(#[from] GenesisFileError),
    #[error(transparent)]
    Founding(#[from] FoundingError),
    #[error(transparent)]
    Eras(#[from] ErasError),
    #[error("the state cannot be used: {0}")]
    Io(#[from] std::io::Error),
    #[error("the state has no ledger of this chain in it")]
    NoLedger,
    #[error("the state was exported before the era ended")]
    NotOver,
    #[error("this folder holds a chain already")]
    FolderUsed,
    #[error("the era's validators cannot take the ledger over: {0}")]
    Succession(#[from] SuccessionError),
    #[error("this program cannot go on with this state: {0}")]
    Unfit(String),
}

impl MovingError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::State(error) => error.hint(),
            Self::Genesis(error) => error.hint(),
            Self::Founding(error) => error.hint(),
            Self::Eras(error) => error.hint(),
            Self::Io(_) => "check that file and folder are yours and the disk is not full",
            Self::NoLedger => "name the state file and the genesis file of one and the same chain",
            Self::NotOver => "`cairn genesis hand-over` first, then export the state again",
            Self::Succession(_) => "found the era with fewer validators",
            Self::Unfit(_) => "install the version it names and import the state with it",
            Self::FolderUsed => "name a new folder with --data: each era has its own",
        }
    }
}

/// A state file that was checked, and what the ledger in it says.
#[derive(Debug)]
pub struct Moved {
    pub checked: Checked,
    pub chain: Chain,
    /// By which rules it goes on.
    pub protocol: Protocol,
}

/// Writes the newest final state of a stopped node's folder to `out`.
pub fn export(data: &Path, out: &Path, progress: Progress<'_>) -> Result<Header, MovingError> {
    let path = data.join(genesis::FILE_NAME);
    if !path.exists() {
        return Err(StateFileError::NoChain.into());
    }
    let genesis = genesis::read_file(&path)?;
    let hand_overs = eras::read(data)?.map_or_else(Vec::new, |eras| eras.hand_overs);
    let export = Export {
        dir: data.join("chain"),
        chain: genesis.chain.as_str().to_owned(),
        hand_overs,
        out: out.to_owned(),
    };
    Ok(state::export(export, progress)?)
}

/// Writes what a running node sends of its newest final state to `out`, each part of it proven first. `anchor` may be of any earlier era.
pub use cairn_engine::Header;
pub use cairn_engine::state::Download;

/// Reads a state file and checks all of it.
pub fn check(file: &Path, anchor: &Anchor, progress: Progress<'_>) -> Result<Moved, MovingError> {
    let checked = state::check(file, anchor, progress)?;
    let mut records = Records::of(&checked);
    let chain = view::chain(&mut records);
    let protocol = view::protocol(&mut records);
    if let Some(error) = records.failed {
        return Err(error.into());
    }
    let chain = chain.ok().flatten().filter(|chain| chain.genesis.0 == anchor.genesis);
    let chain = chain.ok_or(MovingError::NoLedger)?;
    let protocol = protocol.map_err(|_| MovingError::NoLedger)?;
    Ok(Moved {
        checked,
        chain,
        protocol,
    })
}

/// Puts the records of a state file into the folder of the era that a founding file founds, and notes in the file how it begins.
pub fn import(
    founding: &mut Founding,
    file: &Path,
    data: &Path,
    progress: Progress<'_>,
) -> Result<(Moved, EraStart), MovingError> {
    if data.join("chain").join("chain").exists() {
        return Err(MovingError::FolderUsed);
    }
    let successor = founding.successor()?;
    let moved = check(file, &founding.anchor_before()?, progress)?;
    if !moved.checked.header.is_over() {
        return Err(MovingError::NotOver);
    }
    let next = moved.checked.header.height.saturating_add(1);
    let version = moved.protocol.at(next);
    if !PROTOCOLS.contains(&version) {
        return Err(MovingError::Unfit(upgrades::needed(version, next, &PROTOCOLS)));
    }
    let (hand_over, _) = moved.checked.hand_over(&successor)?;
    std::fs::create_dir_all(data)?;
    let changes = succeed(&moved.checked, founding)?;
    let records = Hash(moved.checked.write_records(&data.join(RECORDS_NAME), &changes)?);
    let start = founding.begin_era(hand_over, records)?;
    Ok((moved, start))
}

/// What the new era's validators change in the records that they take over: the list of validators is theirs.
fn succeed(checked: &Checked, founding: &Founding) -> Result<BTreeMap<[u8; KEY_BYTES], Option<Value>>, MovingError> {
    let successors: Vec<Successor> = founding
        .validators
        .iter()
        .map(|founder| Successor {
            rule: founder.account.clone(),
            key: ValidatorKey(founder.key),
            address: founder.address.to_string(),
        })
        .collect();
    let mut records = Records::of(checked);
    let taken = take_over(&mut records, &successors);
    if let Some(error) = records.failed {
        return Err(error.into());
    }
    taken?;
    let changes = records.changes.into_iter();
    Ok(changes
        .map(|(key, value)| (key.0, value.map(|value| pad(&value))))
        .collect())
}

/// The records of a checked file, and what is changed of them.
struct Records<'a> {
    checked: &'a Checked,
    changes: BTreeMap<Key, Option<Vec<u8>>>,
    failed: Option<StateFileError>,
}

impl<'a> Records<'a> {
    fn of(checked: &'a Checked) -> Self {
        Self {
            checked,
            changes: BTreeMap::new(),
            failed: None,
        }
    }
}

impl Store for Records<'_> {
    fn get(&mut self, key: &Key) -> Result<Option<Vec<u8>>, Missing> {
        if let Some(changed) = self.changes.get(key) {
            return Ok(changed.clone());
        }
        match self.checked.record(&key.0) {
            Ok(value) => Ok(value.as_ref().and_then(unpad).map(<[u8]>::to_vec)),
            Err(error) => {
                self.failed = Some(error);
                Err(Missing(*key))
            }
        }
    }

    fn put(&mut self, key: Key, value: Vec<u8>) {
        self.changes.insert(key, Some(value));
    }

    fn delete(&mut self, key: &Key) {
        self.changes.insert(*key, None);
    }
}
