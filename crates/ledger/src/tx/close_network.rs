//! The founder ends a network: the next epoch is its last. Bond, allowance and what pools left return by themselves when the
//! last epoch is settled or expired.

use crate::context::{Context, Step, ensure};
use crate::event::Event;
use crate::records::Network;
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::Record;
use cairn_types::{AccountId, NetworkId};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct CloseNetwork {
    #[n(0)]
    pub network: NetworkId,
}

impl CloseNetwork {
    pub(crate) fn reads(&self) -> Vec<Key> {
        vec![Network::key(&self.network)]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        let mut network = context.open_network(&self.network)?;
        ensure(network.founder == *sender, Reject::NotFounder)?;
        let last = context.chain()?.epoch.next();
        network.closes = Some(last);
        context.save(&network);
        context.emit(Event::NetworkClosing {
            network: self.network,
            last,
        });
        Ok(())
    }
}
