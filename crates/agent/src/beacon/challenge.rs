//! What an agent must learn of the ledger to know what it is asked for. Whoever implements the asking proves it.

use cairn_types::{CellId, DeviceId, DeviceNumber, EpochNumber, NetworkId};
use cairn_verticals::wireless::params::Params;
use futures::future::BoxFuture;

/// A member of a network in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub device: DeviceId,
    pub number: DeviceNumber,
    pub cell: CellId,
    pub joined: EpochNumber,
}

/// An epoch of a network, as far as it decides about beacons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The beacon of the epoch before, which that epoch's judgement hands on. `None`: no epoch of the network was judged before, so there
    /// is nothing that nobody could know.
    pub seed: Option<[u8; 32]>,
    pub members: Vec<Standing>,
    /// The network's parameters in the epoch; those of the settings where it is not asked.
    pub params: Option<Params>,
}

pub trait Challenger: Send + Sync {
    /// The challenge of an epoch, for these devices of ours; `None` while the ledger has not revealed it.
    fn challenge(
        &self,
        network: NetworkId,
        epoch: EpochNumber,
        devices: Vec<DeviceId>,
    ) -> BoxFuture<'_, Result<Option<Challenge>, String>>;
}
