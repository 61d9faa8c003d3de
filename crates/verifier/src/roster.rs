//! Who belongs to a network in an epoch, with the keys to check their reports. Made by the ledger; archived as it was.

use cairn_types::{AccountNumber, CellId, DeviceId, DeviceNumber, EpochNumber, PublicKey};
use cairn_verticals::kit::Member;
use minicbor::{CborLen, Decode, Encode};

/// One device of a network in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct RosterMember {
    #[n(0)]
    pub number: DeviceNumber,
    #[n(1)]
    pub key: PublicKey,
    #[n(2)]
    pub operator: AccountNumber,
    #[n(3)]
    pub cell: CellId,
    #[n(4)]
    pub joined: EpochNumber,
    /// The first epoch in which its reports count again, where the ledger bars it in this one.
    #[n(5)]
    pub barred_until: Option<EpochNumber>,
}

impl RosterMember {
    pub fn device(&self) -> DeviceId {
        self.key.device_id()
    }
}

/// What the verticals need of a roster.
pub fn members(roster: &[RosterMember]) -> Vec<Member> {
    let member = |entry: &RosterMember| Member {
        number: entry.number,
        device: entry.device(),
        operator: entry.operator,
        cell: entry.cell,
        joined: entry.joined,
        barred_until: entry.barred_until,
    };
    roster.iter().map(member).collect()
}

/// The entry of a device number in a roster sorted by number.
pub fn find(roster: &[RosterMember], number: DeviceNumber) -> Option<&RosterMember> {
    let at = roster.binary_search_by_key(&number, |entry| entry.number).ok()?;
    roster.get(at)
}
