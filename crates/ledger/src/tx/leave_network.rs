//! Ends a device's membership: the open epoch is its last.

use super::join_network::own_device;
use crate::context::{Context, Step};
use crate::event::Event;
use crate::records::{Device, Membership, Network, RosterEntry};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, DeviceId, EpochNumber, NetworkId};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct LeaveNetwork {
    #[n(0)]
    pub device: DeviceId,
    #[n(1)]
    pub network: NetworkId,
}

impl LeaveNetwork {
    pub(crate) fn reads(&self) -> Vec<Key> {
        let membership = Membership::key(&(self.device, self.network));
        vec![Device::key(&self.device), Network::key(&self.network), membership]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let open = context.chain()?.epoch;
        let network = context.network(&self.network)?;
        let mut device = own_device(&self.device, sender, context)?;
        let place = device
            .networks
            .binary_search(&network.number)
            .map_err(|_| Reject::DeviceNotInNetwork)?;
        device.networks.remove(place);
        end_stay(&self.network, &self.device, open, context)?;
        context.save(&device);
        Ok(())
    }
}

/// Ends a member's stay with the open epoch; a stay that would begin later covers no epoch at all.
pub(super) fn end_stay(
    network: &NetworkId,
    device: &DeviceId,
    open: EpochNumber,
    context: &mut Context<'_>,
) -> Step<()> {
    let entry = context
        .load::<Membership>(&(*device, *network))?
        .expect("a member has a membership")
        .entry;
    let mut stay: Loaded<RosterEntry> = context.load(&(*network, entry))?.expect("a membership names an entry");
    stay.left = Some(open);
    context.save(&stay);
    context.emit(Event::NetworkLeft {
        network: *network,
        device: *device,
        entry,
        last: open,
    });
    Ok(())
}
