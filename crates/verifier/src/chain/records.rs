//! The verifier's questions answered from the ledger's records, wherever they come from: memory, a node, proofs over HTTP.

use super::{
    AccountAt, Anchoring, ChainError, ChainFacts, Closed, DeviceAt, NetworkAt, OrderAt, VerifierAt, Verifiers,
};
use crate::exchange::Choice;
use crate::roster::RosterMember;
use cairn_ledger::genesis::Limits;
use cairn_ledger::records::{Device, DisputeState, ExchangeBook, Roots, SettledOrder, Settlement, VerifierIndex};
use cairn_ledger::{Genesis, Missing, Store, view};
use cairn_types::{AccountId, AccountNumber, DeviceId, EpochNumber, NetworkId, OrderId, PublicKey};

fn unreachable(missing: Missing) -> ChainError {
    ChainError::Unreachable(format!("a record is not at hand: {missing:?}"))
}

pub fn facts(genesis: &Genesis) -> ChainFacts {
    ChainFacts {
        chain: genesis.chain.clone(),
        clock: genesis.clock(),
        round_ms: genesis.round_ms,
        economics: genesis.economics,
        limits: genesis.limits,
    }
}

/// The vouchers settled in an epoch, in the ledger's order.
pub fn settled_orders(
    store: &mut dyn Store,
    network: &NetworkId,
    epoch: EpochNumber,
) -> Result<Vec<SettledOrder>, ChainError> {
    view::settled_orders(store, network, epoch).map_err(unreachable)
}

pub fn network(store: &mut dyn Store, id: &NetworkId, epoch: EpochNumber) -> Result<NetworkAt, ChainError> {
    let network = view::network(store, id).map_err(unreachable)?;
    let network = network.ok_or(ChainError::NetworkUnknown(*id))?;
    let pool = view::pool(store, id, epoch).map_err(unreachable)?;
    let version = match pool {
        Some(pool) => pool.terms,
        None => {
            let terms = view::terms(store, id)
                .map_err(unreachable)?
                .ok_or(ChainError::NetworkUnknown(*id))?;
            let next = terms.next.filter(|next| next.from <= epoch);
            next.unwrap_or(terms.current).version
        }
    };
    let parameters = view::parameters(store, id, version).map_err(unreachable)?;
    let entries = pool.map_or(network.roster, |pool| pool.roster);
    let mut roster: Vec<RosterMember> = Vec::new();
    let stays = view::members(store, id, epoch, entries).map_err(unreachable)?;
    let stays = view::standing(&stays, epoch);
    // All are asked for before the first that is missing ends it, so that a shell loads them together.
    let devices: Vec<Result<Option<Device>, Missing>> =
        stays.iter().map(|stay| view::device(store, &stay.id)).collect();
    let bars: Vec<Result<Option<EpochNumber>, Missing>> = stays
        .iter()
        .zip(&devices)
        .map(|(stay, device)| match device {
            Ok(Some(device)) => view::barred_until(store, &stay.id, device, epoch),
            _ => Ok(None),
        })
        .collect();
    for ((stay, device), barred_until) in stays.into_iter().zip(devices).zip(bars) {
        let Some(device) = device.map_err(unreachable)? else {
            continue;
        };
        roster.push(RosterMember {
            number: stay.device,
            key: device.key,
            operator: stay.operator,
            cell: stay.cell,
            joined: stay.joined,
            barred_until: barred_until.map_err(unreachable)?,
        });
    }
    Ok(NetworkAt {
        vertical: network.vertical,
        first: network.created,
        closes: network.closes,
        parameters,
        roster,
    })
}

pub fn closed(store: &mut dyn Store, id: &NetworkId, epoch: EpochNumber) -> Result<Option<Closed>, ChainError> {
    let pool = view::pool(store, id, epoch).map_err(unreachable)?;
    let beacon = view::epoch(store, epoch)
        .map_err(unreachable)?
        .and_then(|closed| closed.beacon);
    Ok(pool.zip(beacon).map(|(pool, beacon)| Closed { pool, beacon }))
}

pub fn anchoring(
    store: &mut dyn Store,
    limits: &Limits,
    id: &NetworkId,
    epoch: EpochNumber,
) -> Result<Anchoring, ChainError> {
    let (anchors, book) = (view::anchors(store, id, epoch), view::anchor_book(store, id, epoch));
    let has_ended = view::is_anchored(store, limits, id, epoch).map_err(unreachable)?;
    Ok(Anchoring {
        anchors: anchors.map_err(unreachable)?,
        digest: book.map_err(unreachable)?.digest,
        has_ended,
    })
}

pub fn settlement(store: &mut dyn Store, id: &NetworkId, epoch: EpochNumber) -> Result<Option<Settlement>, ChainError> {
    view::settlement(store, id, epoch).map_err(unreachable)
}

pub fn is_releasable(
    store: &mut dyn Store,
    limits: &Limits,
    id: &NetworkId,
    epoch: EpochNumber,
) -> Result<bool, ChainError> {
    view::is_releasable(store, limits, id, epoch).map_err(unreachable)
}

pub fn is_stalled(
    store: &mut dyn Store,
    limits: &Limits,
    epoch_ms: u64,
    id: &NetworkId,
    epoch: EpochNumber,
) -> Result<bool, ChainError> {
    view::is_stalled(store, limits, epoch_ms, id, epoch).map_err(unreachable)
}

pub fn is_decided(store: &mut dyn Store, id: &NetworkId, epoch: EpochNumber) -> Result<bool, ChainError> {
    let dispute = view::dispute(store, id, epoch).map_err(unreachable)?;
    Ok(dispute.is_some_and(|dispute| dispute.state == DisputeState::Settled))
}

pub fn without(store: &mut dyn Store, id: &NetworkId, epoch: EpochNumber) -> Result<Vec<u32>, ChainError> {
    view::without(store, id, epoch).map_err(unreachable)
}

pub fn choices(
    store: &mut dyn Store,
    operators: &[AccountNumber],
    epoch: EpochNumber,
) -> Result<Vec<Choice>, ChainError> {
    view::payout_choices(store, operators, epoch).map_err(unreachable)
}

pub fn exchange(store: &mut dyn Store, id: &NetworkId, epoch: EpochNumber) -> Result<Option<ExchangeBook>, ChainError> {
    view::exchange(store, id, epoch).map_err(unreachable)
}

pub fn roots(store: &mut dyn Store, id: &NetworkId, epoch: EpochNumber) -> Result<Option<Roots>, ChainError> {
    view::roots(store, id, epoch).map_err(unreachable)
}

pub fn verifiers(store: &mut dyn Store) -> Result<Verifiers, ChainError> {
    let Some(chain) = view::chain(store).map_err(unreachable)? else {
        return Ok(Verifiers::default());
    };
    let places = 0..chain.verifiers;
    // All are asked for before the first that is missing ends it, so that a shell loads them together.
    let listed: Vec<_> = places
        .map(|place| view::record::<VerifierIndex>(store, &place))
        .collect();
    let listed: Vec<_> = listed.into_iter().collect::<Result<_, _>>().map_err(unreachable)?;
    let ids: Vec<AccountId> = listed.into_iter().flatten().map(|place| place.id).collect();
    let records: Vec<_> = ids.iter().map(|id| view::verifier(store, id)).collect();
    let records: Vec<_> = records.into_iter().collect::<Result<_, _>>().map_err(unreachable)?;
    let profiles: Vec<_> = ids.iter().map(|id| view::profile(store, id)).collect();
    let profiles: Vec<_> = profiles.into_iter().collect::<Result<_, _>>().map_err(unreachable)?;
    let known = ids.into_iter().zip(profiles).zip(records);
    let known = known.filter_map(|((id, profile), found)| Some((id, profile, found?)));
    let mut all: Vec<VerifierAt> = known
        .map(|(account, profile, verifier)| VerifierAt {
            account,
            key: verifier.key,
            bond: verifier.bond,
            url: profile.map(|profile| profile.url).unwrap_or_default(),
        })
        .collect();
    all.sort_unstable_by_key(|verifier| verifier.account);
    Ok(Verifiers {
        all,
        bond_active: chain.bond_active,
    })
}

pub fn verifier_key(store: &mut dyn Store, id: &AccountId) -> Result<Option<PublicKey>, ChainError> {
    let verifier = view::verifier(store, id).map_err(unreachable)?;
    Ok(verifier.map(|verifier| verifier.key))
}

pub fn device(store: &mut dyn Store, id: &DeviceId) -> Result<Option<DeviceAt>, ChainError> {
    let device = view::device(store, id).map_err(unreachable)?;
    Ok(device.map(|device| DeviceAt {
        number: device.number,
        key: device.key,
    }))
}

pub fn account(store: &mut dyn Store, id: &AccountId) -> Result<Option<AccountAt>, ChainError> {
    let account = view::account(store, id).map_err(unreachable)?;
    Ok(account.map(|account| AccountAt {
        rule: account.rule,
        nonce: account.nonce,
    }))
}

pub fn order(store: &mut dyn Store, id: &OrderId) -> Result<Option<OrderAt>, ChainError> {
    let order = view::order(store, id).map_err(unreachable)?;
    Ok(order.map(|order| OrderAt {
        network: order.network,
        provider: order.provider,
    }))
}
