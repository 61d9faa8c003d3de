//! Gives a member another public cell, from the next epoch on, for a fee: who moves every day is not where he says.

use super::join_network::{append, own_device};
use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{Device, Membership, Network, RosterEntry};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, CellId, DeviceId, NetworkId};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct MoveDevice {
    #[n(0)]
    pub device: DeviceId,
    #[n(1)]
    pub network: NetworkId,
    #[n(2)]
    pub cell: CellId,
}

impl MoveDevice {
    pub(crate) fn reads(&self) -> Vec<Key> {
        let membership = Membership::key(&(self.device, self.network));
        vec![Device::key(&self.device), Network::key(&self.network), membership]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let open = context.chain()?.epoch;
        let mut network = context.open_network(&self.network)?;
        let device = own_device(&self.device, sender, context)?;
        ensure(
            device.networks.binary_search(&network.number).is_ok(),
            Reject::DeviceNotInNetwork,
        )?;
        let before = context
            .load::<Membership>(&(self.device, self.network))?
            .expect("a member has a membership")
            .entry;
        let mut stay: Loaded<RosterEntry> = context
            .load(&(self.network, before))?
            .expect("a membership names an entry");
        ensure(
            self.cell.resolution() == network.resolution,
            Reject::CellNotAtResolution,
        )?;
        ensure(self.cell != stay.cell, Reject::CellUnchanged)?;

        let from = open.next();
        let entry = if stay.joined > open {
            stay.cell = self.cell;
            before
        } else {
            stay.left = Some(open);
            append(
                &self.network,
                &mut network,
                &device,
                self.device,
                self.cell,
                from,
                context,
            )?
        };
        context.save(&stay);
        context.save(&network);
        let (network, device) = (self.network, self.device);
        context.emit(Event::DeviceMoved {
            network,
            device,
            entry,
            cell: self.cell,
            from,
        });
        Ok(())
    }
}
