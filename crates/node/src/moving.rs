//! A whole ledger out of a node's folder into one file, and out of that file into the folder of a new era. Checks everything against
//! the first key; knows of the records only what the ledger's own getters say.

use crate::eras::{self, ErasError, RECORDS_NAME};
use crate::founding::{Founding, FoundingError};
use crate::genesis::{self, GenesisFileError};
use crate::machine::unpad;
use crate::upgrades;
use cairn_engine::light::Anchor;
use cairn_engine::state::{self, Checked, Export, Progress, StateFileError};
use cairn_engine::{EraStart, Header};
use cairn_ledger::protocol::PROTOCOLS;
use cairn_ledger::records::{Chain, Protocol};
use cairn_ledger::store::{Key, Missing, Store};
use cairn_ledger::view;
use cairn_types::Hash;
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

/// Reads a state file and checks all of it.
pub fn check(file: &Path, anchor: &Anchor, progress: Progress<'_>) -> Result<Moved, MovingError> {
    let checked = state::check(file, anchor, progress)?;
    let mut records = Records {
        checked: &checked,
        failed: None,
    };
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
    let records = Hash(moved.checked.write_records(&data.join(RECORDS_NAME))?);
    let start = founding.begin_era(hand_over, records)?;
    Ok((moved, start))
}

/// The records of a checked file; reading only.
struct Records<'a> {
    checked: &'a Checked,
    failed: Option<StateFileError>,
}

impl Store for Records<'_> {
    fn get(&mut self, key: &Key) -> Result<Option<Vec<u8>>, Missing> {
        match self.checked.record(&key.0) {
            Ok(value) => Ok(value.as_ref().and_then(unpad).map(<[u8]>::to_vec)),
            Err(error) => {
                self.failed = Some(error);
                Err(Missing(*key))
            }
        }
    }

    fn put(&mut self, _: Key, _: Vec<u8>) {
        unreachable!("getters do not write");
    }

    fn delete(&mut self, _: &Key) {
        unreachable!("getters do not write");
    }
}
