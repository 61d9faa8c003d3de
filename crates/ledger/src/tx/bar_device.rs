//! Bars a device that signed two different reports under one sequence number: for some epochs its reports earn nothing, in every network.
//! The ledger reads the envelopes, never their bodies. No money moves.

use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::{Bar, Device, Equivocation, Network};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, Envelope, EpochNumber};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct BarDevice {
    /// The bytes of a signed report.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub first: Vec<u8>,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub second: Vec<u8>,
}

impl BarDevice {
    /// The two reports, when they are of one device, network and sequence number, and differ.
    fn evidence(&self) -> Option<(Envelope, Envelope)> {
        let (first, second) = (Envelope::parse(&self.first).ok()?, Envelope::parse(&self.second).ok()?);
        let of = |envelope: &Envelope| (envelope.device, envelope.report.network, envelope.report.sequence);
        (of(&first) == of(&second) && first.id() != second.id()).then_some((first, second))
    }

    pub(crate) fn reads(&self) -> Vec<Key> {
        let Some((first, _)) = self.evidence() else {
            return Vec::new();
        };
        vec![Device::key(&first.device), Network::key(&first.report.network)]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let (first, second) = self.evidence().ok_or(Reject::EquivocationNotTwo)?;
        let (id, network, sequence) = (first.device, first.report.network, first.report.sequence);
        context.network(&network)?;
        let mut device: Loaded<Device> = context.load(&id)?.ok_or(Reject::DeviceUnknown)?;
        let signed = first.verify(&device.key) && second.verify(&device.key);
        ensure(signed, Reject::EquivocationWrong)?;
        let at = (id, network, sequence);
        let punished = context.load::<Equivocation>(&at)?;
        ensure(punished.is_none(), Reject::EquivocationPunished)?;
        let open = context.chain()?.epoch;
        let barred = device.barred.is_some_and(|bar| open < bar.until);
        ensure(!barred, Reject::DeviceBarred)?;

        let until = EpochNumber(open.0.saturating_add(context.genesis.limits.bar_epochs));
        let bar = Bar { from: open, until };
        let place = device.bars;
        device.barred = Some(bar);
        device.bars = place.checked_add(1).ok_or(Reject::AmountTooLarge)?;
        context.save(&device);
        context.insert(&(id, place), &bar);
        context.insert(&at, &Equivocation { epoch: open });
        context.emit(Event::DeviceBarred {
            device: id,
            network,
            sequence,
            from: open,
            until,
            reporter: *sender,
        });
        Ok(())
    }
}
