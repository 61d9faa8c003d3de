//! Puts a device under an owner's account. The device itself signs for this owner on this chain, so nobody registers another's.

use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{Device, DeviceIndex};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::Record;
use cairn_types::{AccountId, ChainId, DeviceNumber, PublicKey, SecretKey, Signature, hash};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct RegisterDevice {
    /// The device's id is its hash.
    #[n(0)]
    pub key: PublicKey,
    /// By the device, over [`message`]; checked with the transaction's own signatures.
    #[n(1)]
    pub signature: Signature,
}

/// What a device signs to be registered by `owner`.
pub fn message(chain: &ChainId, owner: &AccountId, key: &PublicKey) -> [u8; 32] {
    let (kind, bytes) = key.parts();
    hash::domain(
        "cairn/register/1",
        &[chain.as_str().as_bytes(), &owner.0, &[kind], bytes],
    )
    .0
}

impl RegisterDevice {
    /// Made on the device.
    pub fn by_device(chain: &ChainId, owner: &AccountId, device: &SecretKey) -> Self {
        let key = device.public();
        Self {
            key,
            signature: device.sign(&message(chain, owner, &key)),
        }
    }

    pub(crate) fn reads(&self) -> Vec<Key> {
        vec![Device::key(&self.key.device_id())]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let id = self.key.device_id();
        let owner = context.sender(sender)?;
        let mut chain = context.chain()?;
        ensure(context.load::<Device>(&id)?.is_none(), Reject::DeviceExists)?;
        let number = DeviceNumber(chain.devices);
        chain.devices = chain.devices.checked_add(1).ok_or(Reject::AmountTooLarge)?;

        let device = Device {
            number,
            key: self.key,
            owner: *sender,
            owner_number: owner.number,
            registered: chain.epoch,
            retired: None,
            networks: Vec::new(),
            barred: None,
            bars: 0,
        };
        context.insert(&id, &device);
        context.insert(&number, &DeviceIndex { id });
        context.save(&chain);
        context.emit(Event::DeviceRegistered {
            device: id,
            number,
            owner: *sender,
        });
        Ok(())
    }
}
