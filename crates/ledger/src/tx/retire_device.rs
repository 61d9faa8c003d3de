//! Gives a device up for ever: it leaves every network, and its key never registers again.

use super::join_network::own_device;
use super::leave_network::end_stay;
use crate::context::{Context, Step};
use crate::event::Event;
use crate::records::{Device, NetworkIndex};
use crate::store::Key;
use crate::tables::Record;
use cairn_types::{AccountId, DeviceId};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct RetireDevice {
    #[n(0)]
    pub device: DeviceId,
}

impl RetireDevice {
    pub(crate) fn reads(&self) -> Vec<Key> {
        vec![Device::key(&self.device)]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let open = context.chain()?.epoch;
        let mut device = own_device(&self.device, sender, context)?;
        let members = std::mem::take(&mut device.networks);
        for index in context.load_many::<NetworkIndex>(&members)? {
            let network = index.expect("numbers are dense").id;
            end_stay(&network, &self.device, open, context)?;
        }
        device.retired = Some(open);
        context.save(&device);
        context.emit(Event::DeviceRetired { device: self.device });
        Ok(())
    }
}
