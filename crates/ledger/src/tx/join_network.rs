//! Makes a device a member of a network, at a cell of exactly the network's resolution: nothing finer is ever public.

use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{Device, Membership, NETWORKS_PER_DEVICE_MAX, Network, RosterEntry};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, CellId, DeviceId, EpochNumber, NetworkId};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct JoinNetwork {
    #[n(0)]
    pub device: DeviceId,
    #[n(1)]
    pub network: NetworkId,
    #[n(2)]
    pub cell: CellId,
}

impl JoinNetwork {
    pub(crate) fn reads(&self) -> Vec<Key> {
        let membership = Membership::key(&(self.device, self.network));
        vec![Device::key(&self.device), Network::key(&self.network), membership]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let open = context.chain()?.epoch;
        let mut network = context.open_network(&self.network)?;
        let mut device = own_device(&self.device, sender, context)?;
        let place = device
            .networks
            .binary_search(&network.number)
            .err()
            .ok_or(Reject::DeviceInNetwork)?;
        ensure(
            device.networks.len() < NETWORKS_PER_DEVICE_MAX,
            Reject::DeviceNetworksFull,
        )?;
        ensure(
            self.cell.resolution() == network.resolution,
            Reject::CellNotAtResolution,
        )?;
        let joined = match context.load::<Membership>(&(self.device, self.network))? {
            Some(before) => open.max(last_epoch(&self.network, before.entry, context)?.next()),
            None => open,
        };
        let entry = append(
            &self.network,
            &mut network,
            &device,
            self.device,
            self.cell,
            joined,
            context,
        )?;
        device.networks.insert(place, network.number);

        context.save(&device);
        context.save(&network);
        let (network, device) = (self.network, self.device);
        context.emit(Event::NetworkJoined {
            network,
            device,
            entry,
            cell: self.cell,
            from: joined,
        });
        Ok(())
    }
}

/// A device of the sender that is not retired.
pub(super) fn own_device(id: &DeviceId, sender: &AccountId, context: &mut Context<'_>) -> Step<Loaded<Device>> {
    let device: Loaded<Device> = context.load(id)?.ok_or(Reject::DeviceUnknown)?;
    ensure(device.owner == *sender, Reject::NotDeviceOwner)?;
    ensure(device.retired.is_none(), Reject::DeviceRetired)?;
    Ok(device)
}

/// Adds a stay to the roster and makes it the device's latest.
pub(super) fn append(
    id: &NetworkId,
    network: &mut Network,
    device: &Device,
    device_id: DeviceId,
    cell: CellId,
    joined: EpochNumber,
    context: &mut Context<'_>,
) -> Step<u32> {
    let entry = network.roster;
    network.roster = entry.checked_add(1).ok_or(Reject::RosterFull)?;
    let operator = device.owner_number;
    let stay = RosterEntry {
        device: device.number,
        id: device_id,
        operator,
        cell,
        joined,
        left: None,
    };
    context.insert(&(*id, entry), &stay);
    context.insert(&(device_id, *id), &Membership { entry });
    Ok(entry)
}

/// The last epoch of an ended stay.
fn last_epoch(network: &NetworkId, entry: u32, context: &mut Context<'_>) -> Step<EpochNumber> {
    let stay: Loaded<RosterEntry> = context.load(&(*network, entry))?.expect("a membership names an entry");
    Ok(stay.left.expect("a device that is no member has left"))
}
