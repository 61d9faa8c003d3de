//! The founder sets a network's parameters and price; they hold from the next epoch on, so nothing judged under way changes.

use super::create_network::write_terms;
use crate::context::{Context, Step, ensure};
use crate::records::{Network, PARAMETERS_BYTES_MAX, Terms};
use crate::reject::Reject;
use crate::store::Key;
use crate::tables::{Loaded, Record};
use cairn_types::{AccountId, NetworkId};
use minicbor::{CborLen, Decode, Encode};

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct SetParameters {
    #[n(0)]
    pub network: NetworkId,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub parameters: Vec<u8>,
    #[n(2)]
    pub price_micro_usd: u64,
}

impl SetParameters {
    pub(crate) fn reads(&self) -> Vec<Key> {
        vec![Network::key(&self.network), Terms::key(&self.network)]
    }

    pub(crate) fn apply(&self, sender: &AccountId, context: &mut Context<'_>) -> Step<()> {
        ensure(self.parameters.len() <= PARAMETERS_BYTES_MAX, Reject::ParametersTooLong)?;
        let network = context.open_network(&self.network)?;
        ensure(network.founder == *sender, Reject::NotFounder)?;
        let mut terms: Loaded<Terms> = context.load(&self.network)?.ok_or(Reject::NetworkUnknown)?;
        let version = terms.current.version.checked_add(1).ok_or(Reject::AmountTooLarge)?;
        let from = context.chain()?.epoch.next();

        terms.next = Some(write_terms(
            &self.network,
            version,
            from,
            &self.parameters,
            self.price_micro_usd,
            context,
        ));
        context.save(&terms);
        Ok(())
    }
}
