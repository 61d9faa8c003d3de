//! Where a later era of a chain comes from: the first key, each hand-over since, and the records with which it begins. All of it is
//! checked again wherever it is read, so a node's folder, a file that goes round and a node's answer are worth the same.

use crate::faces::{Face, FaceError, Fields, FromFace, hex, object};
use cairn_engine::EraStart;
use cairn_engine::light::{Anchor, GROUP_KEY_BYTES, HandOver, LightError, follow};
use cairn_engine::limits::ERAS_MAX;
use cairn_ledger::Genesis;
use cairn_types::{Hash, codec};
use serde_json::Value;
use std::io;
use std::path::Path;

/// Its name in a data folder.
pub const FILE_NAME: &str = "eras.json";
/// The file of records in a data folder, from which the era's first blocks take them.
pub const RECORDS_NAME: &str = "records";
/// More is not a file of eras.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A later era.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eras {
    /// The group key of the first era: all that anybody must know beforehand.
    pub first: [u8; GROUP_KEY_BYTES],
    /// The oldest first; the last one is to this era.
    pub hand_overs: Vec<HandOver>,
    /// The root over the records with which this era begins.
    pub records: Hash,
}

/// Why a later era cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ErasError {
    #[error("cannot read or write the list of eras: {0}")]
    Io(#[from] io::Error),
    #[error("the list of eras is not JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    #[error("the list of eras is not one: {0}")]
    NotEras(#[from] FaceError),
    #[error("an era did not hand over to the next: {0}")]
    Light(#[from] LightError),
    #[error("there is no hand-over")]
    None,
    #[error("this folder holds another era of the chain")]
    Other,
}

impl ErasError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Io(_) => "check that the folder is yours and the disk is not full",
            Self::Other => "name another folder with --data: each era has its own",
            _ => "take the era's genesis file anew from a validator that imported the state",
        }
    }
}

/// The anchor of a chain's first era.
pub fn first_anchor(genesis: &Genesis, first: [u8; GROUP_KEY_BYTES]) -> Anchor {
    Anchor {
        chain: genesis.chain.as_str().to_owned(),
        group_key: first,
        genesis: genesis.digest().0,
        era: 0,
    }
}

impl Eras {
    /// Where this era begins, each hand-over checked.
    pub fn start(&self, genesis: &Genesis) -> Result<EraStart, ErasError> {
        let (last, before) = self.hand_overs.split_last().ok_or(ErasError::None)?;
        let anchor = follow(&first_anchor(genesis, self.first), before)?;
        let (header, _) = last.verify(&anchor)?;
        Ok(EraStart::after(&header, self.records.0))
    }
}

/// What a data folder says of its era; `None` for the first.
pub fn read(folder: &Path) -> Result<Option<Eras>, ErasError> {
    let path = folder.join(FILE_NAME);
    match std::fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
        Ok(meta) if meta.len() > FILE_BYTES_MAX => return Err(FaceError::Expected("a shorter file").into()),
        Ok(_) => {}
    }
    let json: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    Ok(Some(Eras::from_face(&json)?))
}

/// Writes the eras beside the chain's data at the first start; later, refuses any other.
pub fn settle(folder: &Path, eras: Option<&Eras>) -> Result<(), ErasError> {
    let here = read(folder)?;
    if here.as_ref() == eras {
        return Ok(());
    }
    let (None, Some(eras)) = (here, eras) else {
        return Err(ErasError::Other);
    };
    if folder.join("chain").join("chain").exists() {
        return Err(ErasError::Other);
    }
    std::fs::create_dir_all(folder)?;
    let draft = folder.join("eras.json.new");
    std::fs::write(&draft, format!("{:#}\n", eras.face()))?;
    std::fs::File::open(&draft)?.sync_all()?;
    Ok(std::fs::rename(draft, folder.join(FILE_NAME))?)
}

/// Hand-overs as hexadecimal digits of their one byte form.
pub(crate) fn hand_overs_face(hand_overs: &[HandOver]) -> Value {
    hand_overs
        .iter()
        .map(|hand_over| hex(codec::encode(hand_over)))
        .collect()
}

pub(crate) fn hand_over(text: &str) -> Result<HandOver, FaceError> {
    let bytes = hex::decode(text).map_err(|_| FaceError::Expected("hexadecimal digits"))?;
    codec::decode_canonical(&bytes).map_err(|_| FaceError::Expected("a hand-over"))
}

pub(crate) fn hand_overs(texts: &[String]) -> Result<Vec<HandOver>, FaceError> {
    match texts.len() > ERAS_MAX {
        true => Err(FaceError::Expected("fewer eras")),
        false => texts.iter().map(|text| hand_over(text)).collect(),
    }
}

pub(crate) fn group_key(text: &str) -> Result<[u8; GROUP_KEY_BYTES], FaceError> {
    let mut key = [0; GROUP_KEY_BYTES];
    hex::decode_to_slice(text, &mut key).map_err(|_| FaceError::Expected("96 bytes in hexadecimal digits"))?;
    Ok(key)
}

impl Face for Eras {
    fn face(&self) -> Value {
        object([
            ("first_group_key", hex(self.first)),
            ("hand_overs", hand_overs_face(&self.hand_overs)),
            ("records", self.records.face()),
        ])
    }
}

impl FromFace for Eras {
    fn from_face(value: &Value) -> Result<Self, FaceError> {
        let mut fields = Fields::of(value)?;
        let first: String = fields.take("first_group_key")?;
        let texts: Vec<String> = fields.take("hand_overs")?;
        let eras = Self {
            first: group_key(&first).map_err(|error| error.within("first_group_key"))?,
            hand_overs: hand_overs(&texts).map_err(|error| error.within("hand_overs"))?,
            records: fields.take("records")?,
        };
        fields.end()?;
        Ok(eras)
    }
}
