//! Devices, their memberships, and the rosters by which verifiers enumerate a network.
//!
//! A roster only grows: to join, to come back or to move appends an entry, and the entry before it gets its last epoch. So the
//! roster of any epoch, however old, is `joined <= epoch && epoch <= left`.

use crate::tables::{Record, Table};
use cairn_types::{
    AccountId, AccountNumber, CellId, DeviceId, DeviceNumber, EpochNumber, NetworkId, NetworkNumber, PublicKey,
};
use minicbor::{Decode, Encode};

/// Networks one device serves at once.
pub const NETWORKS_PER_DEVICE_MAX: usize = 8;

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Device {
    #[n(0)]
    pub number: DeviceNumber,
    #[n(1)]
    pub key: PublicKey,
    #[n(2)]
    pub owner: AccountId,
    #[n(3)]
    pub owner_number: AccountNumber,
    #[n(4)]
    pub registered: EpochNumber,
    /// In which epoch it was given up, for ever.
    #[n(5)]
    pub retired: Option<EpochNumber>,
    /// Where it is a member, sorted.
    #[n(6)]
    pub networks: Vec<NetworkNumber>,
    /// Its latest bar.
    #[n(7)]
    pub barred: Option<Bar>,
    /// How many bars it had.
    #[n(8)]
    pub bars: u32,
}

impl Record for Device {
    const TABLE: Table = Table::Device;
    type Id = DeviceId;
}

/// Epochs in which a device's reports earn nothing; (device, how-manieth), so that old epochs can be audited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Bar {
    #[n(0)]
    pub from: EpochNumber,
    /// The first one in which they count again.
    #[n(1)]
    pub until: EpochNumber,
}

impl Bar {
    pub fn covers(&self, epoch: EpochNumber) -> bool {
        (self.from..self.until).contains(&epoch)
    }
}

impl Record for Bar {
    const TABLE: Table = Table::Bar;
    type Id = (DeviceId, u32);
}

/// That two reports of a device under one sequence number of a network were shown: once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Equivocation {
    /// When.
    #[n(0)]
    pub epoch: EpochNumber,
}

impl Record for Equivocation {
    const TABLE: Table = Table::Equivocation;
    type Id = (DeviceId, NetworkId, u64);
}

/// Which device has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct DeviceIndex {
    #[n(0)]
    pub id: DeviceId,
}

impl Record for DeviceIndex {
    const TABLE: Table = Table::DeviceNumber;
    type Id = DeviceNumber;
}

/// Where a device stands in a network's roster: its latest entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Membership {
    #[n(0)]
    pub entry: u32,
}

impl Record for Membership {
    const TABLE: Table = Table::Membership;
    type Id = (DeviceId, NetworkId);
}

/// One stay of a device in one cell of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RosterEntry {
    #[n(0)]
    pub device: DeviceNumber,
    #[n(1)]
    pub id: DeviceId,
    #[n(2)]
    pub operator: AccountNumber,
    #[n(3)]
    pub cell: CellId,
    /// The first epoch that counts.
    #[n(4)]
    pub joined: EpochNumber,
    /// The last epoch that counts.
    #[n(5)]
    pub left: Option<EpochNumber>,
}

impl RosterEntry {
    /// Whether the stay covers an epoch.
    pub fn covers(&self, epoch: EpochNumber) -> bool {
        self.joined <= epoch && self.left.is_none_or(|left| epoch <= left)
    }
}

impl Record for RosterEntry {
    const TABLE: Table = Table::Roster;
    type Id = (NetworkId, u32);
}
