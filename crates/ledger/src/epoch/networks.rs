//! The networks as closing an epoch works on them: loaded once, changed by the steps, written at the end.

use crate::context::{Context, Step};
use crate::records::{Network, NetworkIndex, Terms, Usage};
use crate::tables::Loaded;
use cairn_types::{EpochNumber, NetworkId, NetworkNumber};

pub(super) struct Closing {
    pub id: NetworkId,
    pub network: Loaded<Network>,
    pub usage: Loaded<Usage>,
    pub terms: Loaded<Terms>,
    /// Takes part in the epoch being closed; a network that ended before it does not.
    pub active: bool,
}

pub(super) fn load(open: EpochNumber, context: &mut Context<'_>) -> Step<Vec<Closing>> {
    let numbers: Vec<NetworkNumber> = (0..context.chain()?.networks).map(NetworkNumber).collect();
    let ids: Vec<NetworkId> = context
        .load_many::<NetworkIndex>(&numbers)?
        .into_iter()
        .map(|index| index.expect("numbers are dense").id)
        .collect();
    let networks = context.load_many::<Network>(&ids);
    let usages = context.load_many::<Usage>(&ids);
    let terms = context.load_many::<Terms>(&ids);
    let all = ids.into_iter().zip(networks?).zip(usages?).zip(terms?);
    let closing = all.map(|(((id, network), usage), terms)| {
        let network = network.expect("an index names a network");
        let active = network.closes.is_none_or(|last| open <= last);
        let usage = usage.expect("a network has usage");
        let terms = terms.expect("a network has terms");
        Closing {
            id,
            network,
            usage,
            terms,
            active,
        }
    });
    Ok(closing.collect())
}
