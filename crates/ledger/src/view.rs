//! Reading the ledger: typed getters over any store, for nodes, verifiers, clients and tests. Changes nothing.
//!
//! A client that holds proven bytes of single records uses [`key`] to name them and `tables::decode` to read them.

use crate::economics::Quote;
use crate::genesis::{Genesis, Limits};
use crate::records::*;
use crate::store::{Key, Missing, Store};
use crate::tables::{self, Record};
use cairn_types::{
    AccountId, AccountNumber, BasisPoints, DeviceId, DeviceNumber, EpochNumber, NetworkId, NetworkNumber, OrderId,
};
use std::ops::Range;

/// Entries of one page of a roster at most.
pub const ROSTER_PAGE_MAX: u32 = 1_000;

type Read<T> = Result<T, Missing>;

/// The key of a record: `key::<Account>(&id)`.
pub fn key<R: Record>(id: &R::Id) -> Key {
    R::key(id)
}

/// Any record by its id, if there is one.
pub fn record<R: Record>(store: &mut dyn Store, id: &R::Id) -> Read<Option<R>> {
    Ok(tables::load::<R>(store, id)?.map(tables::Loaded::into_value))
}

/// Any record that block 1 wrote. Before block 1 there is none.
pub fn single<R: Record<Id = ()>>(store: &mut dyn Store) -> Read<Option<R>> {
    record(store, &())
}

/// Where the chain is; `None` before block 1.
pub fn chain(store: &mut dyn Store) -> Read<Option<Chain>> {
    single(store)
}

pub fn account(store: &mut dyn Store, id: &AccountId) -> Read<Option<Account>> {
    record(store, id)
}

/// The account with a number, and its id.
pub fn account_by_number(store: &mut dyn Store, number: AccountNumber) -> Read<Option<(AccountId, Account)>> {
    let Some(AccountIndex { id }) = record(store, &number)? else {
        return Ok(None);
    };
    Ok(account(store, &id)?.map(|account| (id, account)))
}

/// What the operators with these numbers chose for the income of an epoch, one for each. For a closed epoch the answer never changes,
/// whenever it is asked for.
pub fn payout_choices(
    store: &mut dyn Store,
    operators: &[AccountNumber],
    epoch: EpochNumber,
) -> Read<Vec<Option<BasisPoints>>> {
    all(operators.iter().map(|number| match account_by_number(store, *number)? {
        Some((id, account)) => payout_choice(store, &id, account.payout_choice, epoch),
        None => Ok(None),
    }))
}

/// The choice that held in an epoch: mostly the account's own, else the newest past one that had begun by then.
fn payout_choice(
    store: &mut dyn Store,
    account: &AccountId,
    now: PayoutChoice,
    epoch: EpochNumber,
) -> Read<Option<BasisPoints>> {
    if let Some(wants) = now.at(epoch) {
        return Ok(wants);
    }
    let (mut held, mut begun, mut later) = (None, 0, now.past);
    while begun < later {
        let middle = begun + (later - begun) / 2;
        match record::<PastChoice>(store, &(*account, middle))? {
            Some(past) if past.from <= epoch => (held, begun) = (past.wants, middle + 1),
            _ => later = middle,
        }
    }
    Ok(held)
}

pub fn issuer(store: &mut dyn Store, id: &AccountId) -> Read<Option<Issuer>> {
    record(store, id)
}

pub fn network(store: &mut dyn Store, id: &NetworkId) -> Read<Option<Network>> {
    record(store, id)
}

pub fn network_by_number(store: &mut dyn Store, number: NetworkNumber) -> Read<Option<(NetworkId, Network)>> {
    let Some(NetworkIndex { id }) = record(store, &number)? else {
        return Ok(None);
    };
    Ok(network(store, &id)?.map(|network| (id, network)))
}

/// The terms in force and those to come.
pub fn terms(store: &mut dyn Store, id: &NetworkId) -> Read<Option<Terms>> {
    record(store, id)
}

/// Usage of the open epoch, and the network's share of the emission.
pub fn usage(store: &mut dyn Store, id: &NetworkId) -> Read<Option<Usage>> {
    record(store, id)
}

/// The parameter bytes of a version of a network's terms, until its pages end.
pub fn parameters(store: &mut dyn Store, id: &NetworkId, version: u32) -> Read<Vec<u8>> {
    let mut bytes = Vec::new();
    for page in 0..=u8::MAX {
        let Some(read) = record::<ParameterPage>(store, &(*id, version, page))? else {
            break;
        };
        let full = read.bytes.len() == PARAMETER_PAGE_BYTES;
        bytes.extend(read.bytes);
        if !full || bytes.len() >= PARAMETERS_BYTES_MAX {
            break;
        }
    }
    Ok(bytes)
}

/// The parameter bytes that held in a closed epoch.
pub fn parameters_at(store: &mut dyn Store, id: &NetworkId, epoch: EpochNumber) -> Read<Option<Vec<u8>>> {
    let Some(pool) = pool(store, id, epoch)? else {
        return Ok(None);
    };
    parameters(store, id, pool.terms).map(Some)
}

pub fn device(store: &mut dyn Store, id: &DeviceId) -> Read<Option<Device>> {
    record(store, id)
}

pub fn device_by_number(store: &mut dyn Store, number: DeviceNumber) -> Read<Option<(DeviceId, Device)>> {
    let Some(DeviceIndex { id }) = record(store, &number)? else {
        return Ok(None);
    };
    Ok(device(store, &id)?.map(|device| (id, device)))
}

/// The end of the bar that covers an epoch, if one does: the first epoch in which the device counts again. For a closed epoch the answer never changes.
pub fn barred_until(
    store: &mut dyn Store,
    id: &DeviceId,
    device: &Device,
    epoch: EpochNumber,
) -> Read<Option<EpochNumber>> {
    let mut bar = device.barred;
    let mut earlier = device.bars.saturating_sub(1);
    while bar.is_some_and(|bar| epoch < bar.from) && earlier > 0 {
        earlier -= 1; // above zero
        bar = record(store, &(*id, earlier))?;
    }
    Ok(bar.filter(|bar| bar.covers(epoch)).map(|bar| bar.until))
}

/// What a verifier says of itself.
pub fn profile(store: &mut dyn Store, id: &AccountId) -> Read<Option<Profile>> {
    record(store, id)
}

/// How a verifier's word compared with what was settled, as of now.
pub fn score(store: &mut dyn Store, limits: &Limits, id: &AccountId) -> Read<Score> {
    let (profile, chain) = (profile(store, id), chain(store));
    let (score, chain) = (profile?.unwrap_or_default().score, chain?);
    Ok(chain.map_or(score, |chain| {
        score.at(chain.settlements, chain.epoch, limits.score_half_epochs)
    }))
}

/// A device's latest stay in a network, with its place in the roster.
pub fn membership(store: &mut dyn Store, device: &DeviceId, network: &NetworkId) -> Read<Option<(u32, RosterEntry)>> {
    let Some(Membership { entry }) = record(store, &(*device, *network))? else {
        return Ok(None);
    };
    Ok(record(store, &(*network, entry))?.map(|stay| (entry, stay)))
}

/// Entries `start..` of a network's roster, at most [`ROSTER_PAGE_MAX`]; fewer than asked for: the roster ends.
pub fn roster(store: &mut dyn Store, network: &NetworkId, start: u32, count: u32) -> Read<Vec<RosterEntry>> {
    let end = start.saturating_add(count.min(ROSTER_PAGE_MAX));
    let entries = all((start..end).map(|entry| record(store, &(*network, entry))))?;
    Ok(entries.into_iter().map_while(|stay| stay).collect())
}

/// Asks for everything before it gives up on what is missing, so that a shell loads it together.
fn all<T>(asked: impl Iterator<Item = Read<T>>) -> Read<Vec<T>> {
    let answers: Vec<Read<T>> = asked.collect();
    answers.into_iter().collect()
}

/// The members of a network in an epoch, sorted by device number. For a closed epoch pass its pool's `roster` as `entries`,
/// for the open one the network's.
pub fn members(store: &mut dyn Store, network: &NetworkId, epoch: EpochNumber, entries: u32) -> Read<Vec<RosterEntry>> {
    let stays = all((0..entries).map(|entry| record::<RosterEntry>(store, &(*network, entry))))?;
    let mut members: Vec<RosterEntry> = stays.into_iter().flatten().filter(|stay| stay.covers(epoch)).collect();
    members.sort_unstable_by_key(|stay| stay.device);
    Ok(members)
}

/// Those of these stays that cover an epoch, sorted by device number. Of a device that moved the later one counts.
pub fn standing(stays: &[RosterEntry], epoch: EpochNumber) -> Vec<RosterEntry> {
    let mut members: Vec<RosterEntry> = stays.iter().filter(|stay| stay.covers(epoch)).copied().collect();
    members.sort_by_key(|stay| (stay.device, std::cmp::Reverse(stay.joined)));
    members.dedup_by_key(|stay| stay.device);
    members
}

/// A closed epoch.
pub fn epoch(store: &mut dyn Store, epoch: EpochNumber) -> Read<Option<Epoch>> {
    record(store, &epoch)
}

/// What a network pays out for a closed epoch.
pub fn pool(store: &mut dyn Store, network: &NetworkId, epoch: EpochNumber) -> Read<Option<Pool>> {
    record(store, &(*network, epoch))
}

/// The vouchers settled in an epoch, open or closed, in the order of settling.
pub fn settled_orders(store: &mut dyn Store, network: &NetworkId, epoch: EpochNumber) -> Read<Vec<SettledOrder>> {
    let count = match pool(store, network, epoch)? {
        Some(pool) => pool.settled,
        None => match chain(store)?.filter(|chain| chain.epoch == epoch) {
            Some(_) => usage(store, network)?.map_or(0, |usage| usage.settled),
            None => 0,
        },
    };
    let settled = all((0..count).map(|place| record::<SettledOrder>(store, &(*network, epoch, place))))?;
    Ok(settled.into_iter().flatten().collect())
}

/// What was attested of it and how far it is paid.
pub fn settlement(store: &mut dyn Store, network: &NetworkId, epoch: EpochNumber) -> Read<Option<Settlement>> {
    record(store, &(*network, epoch))
}

/// Who anchored an epoch of a network, in order of arrival.
pub fn anchors(store: &mut dyn Store, network: &NetworkId, epoch: EpochNumber) -> Read<Vec<Anchor>> {
    let count = anchor_book(store, network, epoch)?.count;
    let anchors = all((0..count).map(|place| record::<Anchor>(store, &(*network, epoch, place))))?;
    Ok(anchors.into_iter().flatten().collect())
}

/// What all anchors of an epoch of a network come to.
pub fn anchor_book(store: &mut dyn Store, network: &NetworkId, epoch: EpochNumber) -> Read<Anchors> {
    Ok(record(store, &(*network, epoch))?.unwrap_or_default())
}

/// Whether anchoring a closed epoch of a network has ended: what may be judged is known.
pub fn is_anchored(store: &mut dyn Store, limits: &Limits, network: &NetworkId, number: EpochNumber) -> Read<bool> {
    let (book, closed, now) = (anchor_book(store, network, number), epoch(store, number), chain(store));
    let (book, closed, now) = (book?, closed?, now?);
    Ok(closed
        .zip(now)
        .is_some_and(|(closed, now)| closed.is_anchored(&book, limits, now.moment())))
}

/// Who signed a settled result, with the bonds they had.
pub fn signers(store: &mut dyn Store, network: &NetworkId, epoch: EpochNumber) -> Read<Vec<Signer>> {
    let count = settlement(store, network, epoch)?.map_or(0, |settlement| settlement.signers);
    let pages = (0..SignerPage::pages(count)).map(|page| record::<SignerPage>(store, &(*network, epoch, page)));
    let pages = all(pages)?;
    Ok(pages.into_iter().flatten().flat_map(|page| page.signers).collect())
}

/// The anchors that a settled result leaves out, by their places in order of arrival.
pub fn without(store: &mut dyn Store, network: &NetworkId, epoch: EpochNumber) -> Read<Vec<u32>> {
    let count = settlement(store, network, epoch)?.map_or(0, |settlement| settlement.without);
    places(store, network, epoch, WithoutPage::pages(Whose::Settled, count))
}

/// The anchors that the disputer's claim leaves out, while the dispute is open.
pub fn claimed_without(store: &mut dyn Store, network: &NetworkId, epoch: EpochNumber) -> Read<Vec<u32>> {
    let count = dispute(store, network, epoch)?.map_or(0, |dispute| dispute.without);
    places(store, network, epoch, WithoutPage::pages(Whose::Claimed, count))
}

fn places(store: &mut dyn Store, network: &NetworkId, epoch: EpochNumber, pages: Range<u8>) -> Read<Vec<u32>> {
    let pages = all(pages.map(|page| record::<WithoutPage>(store, &(*network, epoch, page))))?;
    let places = pages.into_iter().flatten().flat_map(|page| page.places);
    Ok(places.map(u32::from).collect())
}

/// Whether the window for disputes of a settled epoch is over by now: it may be released, if it is its turn.
pub fn is_releasable(store: &mut dyn Store, limits: &Limits, network: &NetworkId, epoch: EpochNumber) -> Read<bool> {
    let (settlement, now) = (settlement(store, network, epoch), chain(store));
    Ok(settlement?
        .zip(now?)
        .is_some_and(|(settlement, now)| limits.is_over(limits.dispute_window_ms, settlement.settled(), now.moment())))
}

/// How much of the window for disputes of a settled epoch is left, of the chain's uptime.
pub fn window_left_ms(
    store: &mut dyn Store,
    limits: &Limits,
    network: &NetworkId,
    epoch: EpochNumber,
) -> Read<Option<u64>> {
    let (settlement, now) = (settlement(store, network, epoch), chain(store));
    let both = settlement?.zip(now?);
    Ok(both.map(|(settlement, now)| limits.left_ms(limits.dispute_window_ms, settlement.settled(), now.moment())))
}

/// Whether an epoch may be put before the validators, as far as its time goes: it is the oldest of its network that is not settled, and
/// verifiers had their time.
pub fn is_stalled(
    store: &mut dyn Store,
    limits: &Limits,
    epoch_ms: u64,
    id: &NetworkId,
    epoch: EpochNumber,
) -> Read<bool> {
    let (network, chain) = (network(store, id)?, chain(store)?);
    let Some((network, chain)) = network.zip(chain).filter(|(network, _)| network.unsettled == epoch) else {
        return Ok(false);
    };
    let pool: Option<Pool> = record(store, &(*id, epoch))?;
    let from: Option<Epoch> = record(store, &epoch.max(network.held))?;
    let before = epoch
        .0
        .checked_sub(1)
        .map(EpochNumber)
        .filter(|_| epoch > network.created);
    let before = match before {
        Some(before) => settlement(store, id, before)?.map(|before| before.settled()),
        None => None,
    };
    let is_closed = pool.is_some_and(|pool| pool.state == PoolState::Closed);
    let is_over = |from: Epoch| limits.is_stalled(epoch_ms, from.closed(), before, chain.moment());
    Ok(is_closed && from.is_some_and(is_over))
}

/// The dispute of an epoch of a network, open or decided, or its case of an epoch that is not settled.
pub fn dispute(store: &mut dyn Store, network: &NetworkId, epoch: EpochNumber) -> Read<Option<Dispute>> {
    record(store, &(*network, epoch))
}

/// What the present validators voted for on a ballot, in order of their list.
pub fn votes(store: &mut dyn Store, ballot: u64) -> Read<Vec<(AccountId, Vote)>> {
    let validators = validators(store)?;
    let votes = all(validators
        .iter()
        .map(|one| record::<Vote>(store, &(ballot, one.number))))?;
    let votes = validators.iter().zip(votes);
    Ok(votes.filter_map(|(one, vote)| Some((one.account, vote?))).collect())
}

/// All validators on the ledger, in order of their list.
pub fn validators(store: &mut dyn Store) -> Read<Vec<Validator>> {
    let count = chain(store)?.map_or(0, |chain| chain.validators);
    let validators = all((0..count).map(|place| record::<Validator>(store, &place)))?;
    Ok(validators.into_iter().flatten().collect())
}

/// Which version of the rules holds, and what is announced.
pub fn protocol(store: &mut dyn Store) -> Read<Protocol> {
    Ok(single(store)?.unwrap_or_default())
}

/// The first block of each version but the first, the second version's first.
pub fn upgrades(store: &mut dyn Store) -> Read<Vec<(u16, Upgrade)>> {
    let last = protocol(store)?.version;
    let upgrades = all((2..=last).map(|version| record::<Upgrade>(store, &version)))?;
    let upgrades = (2..=last).zip(upgrades);
    Ok(upgrades
        .filter_map(|(version, upgrade)| Some((version, upgrade?)))
        .collect())
}

/// The attested roots.
pub fn roots(store: &mut dyn Store, network: &NetworkId, epoch: EpochNumber) -> Read<Option<Roots>> {
    record(store, &(*network, epoch))
}

/// The attested exchange among its operators; `None` when everybody is paid as earned.
pub fn exchange(store: &mut dyn Store, network: &NetworkId, epoch: EpochNumber) -> Read<Option<ExchangeBook>> {
    record(store, &(*network, epoch))
}

pub fn order(store: &mut dyn Store, id: &OrderId) -> Read<Option<Order>> {
    record(store, id)
}

pub fn verifier(store: &mut dyn Store, id: &AccountId) -> Read<Option<Verifier>> {
    record(store, id)
}

/// All verifiers, in order of their list.
pub fn verifiers(store: &mut dyn Store) -> Read<Vec<(AccountId, Verifier)>> {
    let count = chain(store)?.map_or(0, |chain| chain.verifiers);
    let mut verifiers = Vec::new();
    for place in 0..count {
        if let Some(VerifierIndex { id }) = record(store, &place)? {
            verifiers.extend(verifier(store, &id)?.map(|verifier| (id, verifier)));
        }
    }
    Ok(verifiers)
}

/// The prices in use; `None` while halted.
pub fn quote(store: &mut dyn Store, genesis: &Genesis) -> Read<Option<Quote>> {
    let round = chain(store)?.map_or(0, |chain| chain.round);
    let prices: Option<Prices> = single(store)?;
    Ok(prices.and_then(|prices| prices.0.quote(round, &genesis.economics)))
}

/// The token's books.
pub fn emission(store: &mut dyn Store) -> Read<Option<Emission>> {
    single(store)
}

/// The stablecoin's books.
pub fn stable(store: &mut dyn Store) -> Read<Option<StableSupply>> {
    single(store)
}

/// The credits' books.
pub fn credits(store: &mut dyn Store) -> Read<Option<CreditSupply>> {
    single(store)
}
