//! What a collector must remember of epochs whose reports left the log: where each network stands, and which sequence numbers are
//! used. One small file beside the log, replaced whole. A file that does not hold together is refused: an empty one in its place
//! would take reports of sealed epochs.

use super::CollectError;
use crate::disk::Disk;
use cairn_types::{EpochNumber, NetworkId, codec};
use minicbor::{CborLen, Decode, Encode};
use std::io;

const FILE: &str = "checkpoint";

/// The checkpoint of all networks, sorted by id.
#[derive(Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Checkpoint {
    #[n(0)]
    networks: Vec<Saved>,
}

/// One network.
#[derive(Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Saved {
    #[n(0)]
    id: NetworkId,
    /// Epochs before it take no reports.
    #[n(1)]
    pub open: EpochNumber,
    /// The last epoch whose reports are not in the log any more.
    #[n(2)]
    pub forgotten: Option<EpochNumber>,
    /// The next sequence number of each device, as of `forgotten` or later.
    #[n(3)]
    pub sequences: Vec<u64>,
}

impl Checkpoint {
    pub fn load(disk: &mut dyn Disk) -> Result<Self, CollectError> {
        let bytes = disk.read_all(FILE).map_err(crate::log::LogError::Disk)?;
        let Some(bytes) = bytes else {
            return Ok(Self::default());
        };
        let loaded: Self =
            codec::decode_canonical(&bytes).map_err(|error| CollectError::Checkpoint(error.to_string()))?;
        let wrong = |what: &str| Err(CollectError::Checkpoint(what.to_owned()));
        if !loaded.networks.is_sorted_by(|one, next| one.id < next.id) {
            return wrong("its networks are not sorted, each once");
        }
        if loaded.networks.iter().any(|saved| saved.forgotten >= Some(saved.open)) {
            return wrong("it has forgotten an epoch that is not sealed");
        }
        Ok(loaded)
    }

    pub fn save(&self, disk: &mut dyn Disk) -> Result<(), crate::log::LogError> {
        disk.replace(FILE, &codec::encode(self))
            .map_err(|error| match error.kind() {
                io::ErrorKind::StorageFull => crate::log::LogError::Full,
                _ => error.into(),
            })
    }

    pub fn network(&self, id: &NetworkId) -> Option<&Saved> {
        self.networks.iter().find(|saved| saved.id == *id)
    }

    /// Takes over where a network stands; its sequence numbers only when reports are being forgotten, `forgotten` included.
    pub fn update(&mut self, id: &NetworkId, open: EpochNumber, forgotten: Option<(EpochNumber, &[u64])>) {
        let at = match self.networks.binary_search_by_key(id, |saved| saved.id) {
            Ok(at) => at,
            Err(at) => {
                let new = Saved {
                    id: *id,
                    open,
                    forgotten: None,
                    sequences: Vec::new(),
                };
                self.networks.insert(at, new);
                at
            }
        };
        let saved = &mut self.networks[at];
        saved.open = open;
        if let Some((last, sequences)) = forgotten {
            saved.forgotten = Some(last);
            saved.sequences = sequences.to_vec();
        }
    }
}
