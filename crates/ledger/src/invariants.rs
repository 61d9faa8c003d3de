//! What must always hold of the whole state: state -> violations. Changes nothing and repairs nothing: a violation is a bug.
//!
//! Run after every step in tests and simulation; it reads every record, so never inside a block. I1-I5 and I8 are sums over all
//! places where an asset can be; I6 and I7 are checked where pools are fixed and leaves paid, and here for pools in their totals;
//! I9-I12 are properties of functions, tested where those are.

use crate::economics::invariants::{self as rules, leaf_is_no_wash};
use crate::economics::{Scale, Schedule, netting};
use crate::genesis::Genesis;
use crate::records::*;
use crate::store::MemoryStore;
use crate::tables::{self, Record};
use crate::tx::settle_order::chain_meters;
use cairn_types::attestation::Totals;
use cairn_types::{AccountNumber, Credit, EpochNumber, Hash, MicroUsd, NetworkId, Token};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

/// Something that should hold and does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Violation(pub String);

/// Everything that does not hold of a state; nothing before block 1.
pub fn check(store: &MemoryStore, genesis: &Genesis) -> Vec<Violation> {
    let Some(state) = State::read(store) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    check_tokens(&state, genesis, &mut found);
    check_dollars(&state, &mut found);
    check_credits(&state, &mut found);
    check_bonds(&state, store, &mut found);
    check_counts(&state, store, &mut found);
    check_networks(&state, store, genesis, &mut found);
    check_devices(&state, store, &mut found);
    check_disputes(&state, store, &mut found);
    check_validators(&state, store, &mut found);
    check_upgrades(&state, store, &mut found);
    found
}

/// All records that hold or count something.
struct State {
    chain: Chain,
    emission: Emission,
    stable: StableSupply,
    credits: CreditSupply,
    accounts: Vec<Account>,
    issuers: Vec<Issuer>,
    networks: Vec<Network>,
    ids: Vec<NetworkId>,
    usages: Vec<Usage>,
    verifiers: Vec<Verifier>,
    orders: Vec<Order>,
    disputes: Vec<Dispute>,
    devices: Vec<Device>,
}

fn all<R: Record>(store: &MemoryStore) -> Vec<R> {
    store
        .table(R::TABLE as u8)
        .map(|(_, bytes)| tables::decode(bytes))
        .collect()
}

fn one<R: Record>(store: &MemoryStore) -> Option<R> {
    all(store).pop()
}

fn get<R: Record>(store: &MemoryStore, id: &R::Id) -> Option<R> {
    store.record(&R::key(id)).map(tables::decode)
}

impl State {
    fn read(store: &MemoryStore) -> Option<Self> {
        let chain: Chain = one(store)?;
        let numbers = (0..chain.networks).map(cairn_types::NetworkNumber);
        let ids: Vec<NetworkId> = numbers
            .filter_map(|number| get::<NetworkIndex>(store, &number))
            .map(|index| index.id)
            .collect();
        Some(Self {
            emission: one(store)?,
            stable: one(store)?,
            credits: one(store)?,
            accounts: all(store),
            issuers: all(store),
            networks: ids.iter().filter_map(|id| get(store, id)).collect(),
            usages: ids.iter().filter_map(|id| get(store, id)).collect(),
            ids,
            verifiers: all(store),
            orders: all(store),
            disputes: all(store),
            devices: all(store),
            chain,
        })
    }
}

fn hold(found: &mut Vec<Violation>, rule: Result<(), impl Display>) {
    found.extend(rule.err().map(|violation| Violation(violation.to_string())));
}

fn equal<T: PartialEq + std::fmt::Debug>(found: &mut Vec<Violation>, what: &str, left: T, right: T) {
    if left != right {
        found.push(Violation(format!("{what}: {left:?} against {right:?}")));
    }
}

fn at_most<T: PartialOrd + std::fmt::Debug>(found: &mut Vec<Violation>, what: &str, left: T, right: T) {
    if left > right {
        found.push(Violation(format!("{what}: {left:?} above {right:?}")));
    }
}

fn check_tokens(state: &State, genesis: &Genesis, found: &mut Vec<Violation>) {
    let supply = &state.emission.supply;
    let mut held: Vec<Token> = state.accounts.iter().map(|account| account.token).collect();
    held.extend(state.issuers.iter().map(|issuer| issuer.bond));
    held.extend(state.verifiers.iter().map(Verifier::at_stake));
    for network in &state.networks {
        held.extend([
            network.bond,
            network.treasury_token,
            network.allowance,
            network.carry_token,
        ]);
    }
    held.extend(state.disputes.iter().map(|dispute| dispute.bond));
    held.extend([state.emission.pooled, state.emission.cover, supply.reserve]);
    hold(found, rules::supply_is_held(supply, &held));
    hold(found, rules::remint_is_burned(supply));
    let scheduled =
        Schedule::new(genesis.schedule.clone()).and_then(|schedule| match state.chain.epoch.0.checked_sub(1) {
            Some(last) => schedule.through(EpochNumber(last)),
            None => Ok(Token::ZERO),
        });
    match scheduled {
        Ok(scheduled) => hold(
            found,
            rules::mint_is_scheduled(supply, scheduled, genesis.economics.cap),
        ),
        Err(error) => found.push(Violation(format!("I2 the schedule can be summed: {error}"))),
    }
    at_most(
        found,
        "burned for credits is burned",
        state.credits.tokens_burned,
        supply.burned,
    );
}

fn check_dollars(state: &State, found: &mut Vec<Violation>) {
    let held_credits: u128 = held_credits(state).map(|credits| u128::from(credits.0)).sum();
    let spent: u128 = state.usages.iter().map(|usage| u128::from(usage.stable.0)).sum();
    equal(
        found,
        "I4 reserve = stable credits held and spent in open epochs",
        u128::from(state.stable.reserve.0),
        held_credits + spent,
    );
    let mut pots: Vec<MicroUsd> = state.accounts.iter().map(|account| account.stable).collect();
    for network in &state.networks {
        pots.extend([network.treasury_stable, network.carry_stable]);
    }
    pots.extend([state.stable.pooled, state.stable.cover, state.stable.buy_back]);
    let behind_credits = Credit(state.stable.reserve.0);
    hold(
        found,
        rules::stable_is_backed(state.stable.outstanding, behind_credits, &pots),
    );
    let owed: u128 = state
        .issuers
        .iter()
        .map(|issuer| u128::from(issuer.outstanding.0))
        .sum();
    equal(
        found,
        "I4 issuers owe what is outstanding",
        owed,
        u128::from(state.stable.outstanding.0),
    );
    for issuer in &state.issuers {
        at_most(
            found,
            "an issuer owes at most its limit",
            issuer.outstanding,
            issuer.limit,
        );
    }
}

/// Stable-backed credits of accounts and escrows.
fn held_credits(state: &State) -> impl Iterator<Item = Credit> {
    let accounts = state.accounts.iter().map(|account| account.credits.stable);
    accounts.chain(state.orders.iter().map(|order| order.held.stable))
}

fn check_credits(state: &State, found: &mut Vec<Violation>) {
    let books = &state.credits;
    let sum = |credits: &mut dyn Iterator<Item = Credit>| Credit::checked_sum(credits).unwrap_or(Credit(u64::MAX));
    let stable = sum(&mut held_credits(state));
    let accounts = state.accounts.iter().map(|account| account.credits.burned);
    let burned = sum(&mut accounts.chain(state.orders.iter().map(|order| order.held.burned)));
    hold(
        found,
        rules::credits_are_accounted(books.stable_bought, stable, books.stable_spent, books.stable_refunded),
    );
    hold(
        found,
        rules::credits_are_accounted(books.burned_bought, burned, books.burned_spent, Credit::ZERO),
    );
    let settled: u128 = state.orders.iter().map(|order| u128::from(order.settled.0)).sum();
    let spent = u128::from(books.stable_spent.0) + u128::from(books.burned_spent.0);
    equal(found, "what orders settled is what was spent", settled, spent);
    for order in state.orders.iter().filter(|order| order.state != OrderState::Open) {
        equal(found, "an ended order holds nothing", order.held, Default::default());
    }
}

fn check_bonds(state: &State, store: &MemoryStore, found: &mut Vec<Violation>) {
    let active: u128 = state.verifiers.iter().map(|verifier| u128::from(verifier.bond.0)).sum();
    equal(
        found,
        "the active bond is the sum of bonds",
        active,
        u128::from(state.chain.bond_active.0),
    );
    for profile in all::<Profile>(store) {
        at_most(
            found,
            "scores count what was settled",
            profile.score.seen,
            state.chain.settlements,
        );
    }
    equal(
        found,
        "every verifier is listed",
        state.verifiers.len(),
        usize::from(state.chain.verifiers),
    );
    let places: BTreeSet<u16> = state.verifiers.iter().map(|verifier| verifier.index).collect();
    equal(
        found,
        "verifiers have places of their own",
        places.len(),
        state.verifiers.len(),
    );
    at_most(
        found,
        "I8 slashed and kept is slashed",
        state.emission.cover,
        state.emission.slashed,
    );
}

fn check_counts(state: &State, store: &MemoryStore, found: &mut Vec<Violation>) {
    let chain = &state.chain;
    let past: usize = state
        .accounts
        .iter()
        .map(|account| account.payout_choice.past as usize)
        .sum();
    equal(found, "past choices are counted", all::<PastChoice>(store).len(), past);
    equal(
        found,
        "accounts are counted",
        state.accounts.len(),
        chain.accounts as usize,
    );
    equal(
        found,
        "devices are counted",
        state.devices.len(),
        chain.devices as usize,
    );
    equal(
        found,
        "networks are counted",
        state.networks.len(),
        chain.networks as usize,
    );
    let open = state
        .orders
        .iter()
        .filter(|order| order.state == OrderState::Open)
        .count();
    equal(found, "open orders are counted", open as u64, chain.orders_open);
    let numbers: BTreeSet<u32> = state.accounts.iter().map(|account| account.number.0).collect();
    equal(
        found,
        "account numbers are dense",
        numbers.last().map_or(0, |last| last + 1) as usize,
        state.accounts.len(),
    );
    equal(found, "account numbers differ", numbers.len(), state.accounts.len());
}

/// Pools: what is paid is within what was attested, that within what was fixed; and what is in no leaf is pooled no more.
fn check_networks(state: &State, store: &MemoryStore, genesis: &Genesis, found: &mut Vec<Violation>) {
    let (mut tokens, mut dollars) = (0i128, 0i128);
    for (id, network) in state.ids.iter().zip(&state.networks) {
        at_most(
            found,
            "what is released is settled",
            network.unreleased,
            network.unsettled,
        );
        if let Some(usage) = get::<Usage>(store, id) {
            check_vouchers(&(*id, state.chain.epoch), usage.settled, usage.meters, store, found);
        }
        let waiting = network.unsettled.0.saturating_sub(network.unreleased.0);
        at_most(found, "few epochs wait for their release", waiting, UNRELEASED_MAX);
        for epoch in network.created.0..state.chain.epoch.0 {
            let at = (*id, EpochNumber(epoch));
            if let Some(pool) = get::<Pool>(store, &at) {
                let (more_tokens, more_dollars) = check_pool(&pool, &at, network, store, genesis, found);
                tokens += more_tokens;
                dollars += more_dollars;
            }
        }
    }
    equal(
        found,
        "I6 tokens pooled = pools less what they paid",
        tokens,
        i128::from(state.emission.pooled.0),
    );
    equal(
        found,
        "I6 dollars pooled = pools less what they paid",
        dollars,
        i128::from(state.stable.pooled.0),
    );
    let shares: u128 = state.usages.iter().map(|usage| u128::from(usage.share)).sum();
    at_most(
        found,
        "shares are parts of a whole",
        shares,
        u128::from(crate::economics::share::WHOLE),
    );
}

/// Every settled voucher is on record, and they chain to the hash of their epoch.
fn check_vouchers(
    at: &(NetworkId, EpochNumber),
    count: u32,
    meters: Hash,
    store: &MemoryStore,
    found: &mut Vec<Violation>,
) {
    let settled = (0..=count).map_while(|place| get::<SettledOrder>(store, &(at.0, at.1, place)));
    let (chained, on_record) = settled.fold((Hash::default(), 0), |(chained, on_record), one| {
        (chain_meters(&chained, &one.order, one.paid, &one.meters), on_record + 1)
    });
    equal(found, "settled vouchers are on record", on_record, count);
    equal(found, "settled vouchers chain to their epoch's hash", chained, meters);
}

/// Checks a pool and says what is still in it.
fn check_pool(
    pool: &Pool,
    at: &(NetworkId, EpochNumber),
    network: &Network,
    store: &MemoryStore,
    genesis: &Genesis,
    found: &mut Vec<Violation>,
) -> (i128, i128) {
    let chain: Option<Chain> = get(store, &());
    let uptime_ms = chain.map_or(0, |chain| chain.uptime_ms);
    let rule = leaf_is_no_wash(
        &genesis.economics,
        pool.usage_price,
        pool.cash,
        pool.usage,
        pool.customers_paid(),
    );
    hold(found, rule);
    check_vouchers(at, pool.settled, pool.meters, store, found);
    let settlement: Option<Settlement> = get(store, at);
    let expected = matches!(pool.state, PoolState::Settled | PoolState::Released | PoolState::Paid);
    equal(
        found,
        "a settled pool has a settlement, no other has",
        settlement.is_some(),
        expected,
    );
    equal(
        found,
        "epochs are settled or expired in order",
        pool.state == PoolState::Closed,
        at.1 >= network.unsettled && pool.state != PoolState::Expired,
    );
    let moved = matches!(pool.state, PoolState::Released | PoolState::Paid | PoolState::Expired);
    equal(
        found,
        "epochs are released or expired in order",
        moved,
        at.1 < network.unreleased || pool.state == PoolState::Expired,
    );
    if let Some(settlement) = &settlement {
        at_most(
            found,
            "nothing was settled at a later uptime than the chain's",
            settlement.uptime_ms,
            uptime_ms,
        );
        let pages = (0..SignerPage::pages(settlement.signers)).map(|page| get(store, &(at.0, at.1, page)));
        let signers: usize = pages.flatten().map(|page: SignerPage| page.signers.len()).sum();
        equal(
            found,
            "who signed is on record",
            signers,
            usize::from(settlement.signers),
        );
        let without = without(store, at, Whose::Settled, settlement.without);
        let book: Option<Anchors> = get(store, at);
        let anchors = u32::from(book.map_or(0, |book| book.count));
        equal(
            found,
            "what is left out is on record",
            without.len(),
            usize::from(settlement.without),
        );
        equal(
            found,
            "what is left out was anchored, each once",
            without.is_sorted_by(|one, next| one < next)
                && without.last().is_none_or(|last| u32::from(*last) < anchors),
            true,
        );
    }
    let Some(settlement) = settlement.filter(|_| pool.state != PoolState::Settled) else {
        if let Some(settlement) = settlement {
            equal(found, "nothing is paid before the release", settlement.cursor, 0);
            equal(
                found,
                "nothing is paid before the release",
                settlement.paid,
                Totals::default(),
            );
        }
        let waiting = matches!(pool.state, PoolState::Closed | PoolState::Settled);
        let tokens = i128::from(pool.availability.0) + i128::from(pool.usage.0);
        let dollars = i128::from(pool.cash.0) + i128::from(pool.verifiers.0);
        return if waiting { (tokens, dollars) } else { (0, 0) };
    };
    let (attested, paid) = (&settlement.totals, &settlement.paid);
    at_most(
        found,
        "the cursor is within the leaves",
        settlement.cursor,
        settlement.leaves,
    );
    at_most(
        found,
        "I6 attested availability is within the pool",
        attested.availability,
        pool.availability,
    );
    at_most(
        found,
        "I6 attested usage is within the pool",
        attested.usage,
        pool.usage,
    );
    at_most(found, "I6 attested cash is within the pool", attested.cash, pool.cash);
    at_most(
        found,
        "customers paid what they paid",
        attested.customers_paid,
        pool.customers_paid(),
    );
    at_most(
        found,
        "paid availability is attested",
        paid.availability,
        attested.availability,
    );
    at_most(found, "paid usage is attested", paid.usage, attested.usage);
    at_most(found, "paid cash is attested", paid.cash, attested.cash);
    let done = settlement.cursor == settlement.leaves;
    equal(
        found,
        "who reached the last leaf paid all",
        done,
        pool.state == PoolState::Paid,
    );
    if done {
        equal(found, "all leaves sum to what was attested", paid, attested);
    }
    let (given_tokens, given_dollars) = exchanged(pool, &settlement, at, store, genesis);
    let left = |attested: u64, paid: u64| i128::from(attested) - i128::from(paid);
    let tokens = left(attested.availability.0, paid.availability.0) + left(attested.usage.0, paid.usage.0);
    (
        tokens + given_tokens,
        left(attested.cash.0, paid.cash.0) + given_dollars,
    )
}

/// What sellers gave less what buyers got so far: nothing once all leaves are paid.
fn exchanged(
    pool: &Pool,
    settlement: &Settlement,
    at: &(NetworkId, EpochNumber),
    store: &MemoryStore,
    genesis: &Genesis,
) -> (i128, i128) {
    let book: Option<ExchangeBook> = if settlement.exchanged { get(store, at) } else { None };
    let scale: Option<Scale> = genesis.economics.scale().ok();
    let (Some(book), Some(scale)) = (book, scale) else {
        return (0, 0);
    };
    let so_far = netting::Offer {
        tokens: book.running.tokens,
        cash: book.running.cash,
    };
    let exchange = netting::terms(scale, pool.exchange_price, book.offers)
        .and_then(|terms| netting::leaf_exchange(&terms, netting::Running::default(), so_far))
        .map_or(netting::Exchange::default(), |(exchange, _)| exchange);
    let net = |given: u64, received: u64| i128::from(given) - i128::from(received);
    (
        net(exchange.tokens_given.0, exchange.tokens_received.0),
        net(exchange.cash_given.0, exchange.cash_received.0),
    )
}

/// The places on the pages of a list of so many.
fn without(store: &MemoryStore, at: &(NetworkId, EpochNumber), whose: Whose, count: u16) -> Vec<u16> {
    let pages = WithoutPage::pages(whose, count).map(|page| get(store, &(at.0, at.1, page)));
    pages.flatten().flat_map(|page: WithoutPage| page.places).collect()
}

/// A dispute that is open holds its bond, its pool and the stake of those who signed; one that is decided holds nothing.
fn check_disputes(state: &State, store: &MemoryStore, found: &mut Vec<Violation>) {
    let mut held: BTreeMap<AccountNumber, u32> = BTreeMap::new();
    let (mut on_networks, mut pages) = (0, 0);
    for (id, network) in state.ids.iter().zip(&state.networks) {
        for epoch in (network.created.0..state.chain.epoch.0).map(EpochNumber) {
            let Some(dispute) = get::<Dispute>(store, &(*id, epoch)) else {
                continue;
            };
            on_networks += 1;
            let open = dispute.state == DisputeState::Open;
            equal(
                found,
                "a dispute holds its bond while it is open",
                open,
                dispute.bond > Token::ZERO,
            );
            let claimed = without(store, &(*id, epoch), Whose::Claimed, dispute.without);
            equal(
                found,
                "what a claim leaves out is on record while its dispute is open",
                (claimed.len(), open || claimed.is_empty()),
                (usize::from(dispute.without), true),
            );
            pages += WithoutPage::pages(Whose::Claimed, dispute.without).len();
            let pool: Option<Pool> = get(store, &(*id, epoch));
            let settlement: Option<Settlement> = get(store, &(*id, epoch));
            if open && settlement.is_none() {
                let is_due = (network.unsettled.0..=epoch.0)
                    .map(EpochNumber)
                    .find(|due| get::<Pool>(store, &(*id, *due)).is_none_or(|pool| pool.state != PoolState::Expired));
                equal(
                    found,
                    "what is put before the validators unsettled is to be settled next",
                    (is_due, pool.map(|pool| pool.state)),
                    (Some(epoch), Some(PoolState::Closed)),
                );
                continue;
            }
            let (Some(pool), Some(settlement)) = (pool, settlement) else {
                found.push(Violation("what is disputed is settled".to_owned()));
                continue;
            };
            if !open {
                continue;
            }
            equal(
                found,
                "what is disputed is not released",
                pool.state,
                PoolState::Settled,
            );
            let pages = (0..SignerPage::pages(settlement.signers)).map(|page| get(store, &(*id, epoch, page)));
            for signer in pages.flatten().flat_map(|page: SignerPage| page.signers) {
                *held.entry(signer.account).or_default() += 1;
            }
        }
    }
    let settled = all::<Settlement>(store).into_iter();
    pages += settled
        .map(|one| WithoutPage::pages(Whose::Settled, one.without).len())
        .sum::<usize>();
    equal(
        found,
        "no list of what is left out outlives what it is of",
        all::<WithoutPage>(store).len(),
        pages,
    );
    equal(
        found,
        "every dispute is of an epoch of a network",
        on_networks,
        state.disputes.len(),
    );
    for verifier in &state.verifiers {
        let disputes = held.get(&verifier.number).copied().unwrap_or_default();
        equal(found, "disputes hold those who signed", verifier.held, disputes);
    }
}

fn check_validators(state: &State, store: &MemoryStore, found: &mut Vec<Violation>) {
    let validators: Vec<Validator> = all(store);
    let count = usize::from(state.chain.validators);
    let listed = (0..state.chain.validators).filter_map(|place| get::<Validator>(store, &place));
    let keys: BTreeSet<_> = listed.map(|validator| (validator.key, validator.account)).collect();
    equal(found, "validators are counted", validators.len(), count);
    equal(found, "validators have places of their own", keys.len(), count);
}

/// The versions of the rules came one after the other, the last one at the latest now.
fn check_upgrades(state: &State, store: &MemoryStore, found: &mut Vec<Violation>) {
    let protocol: Protocol = one(store).unwrap_or_default();
    let heights: Vec<u64> = (2..=protocol.version)
        .filter_map(|version| get::<Upgrade>(store, &version))
        .map(|upgrade| upgrade.height)
        .collect();
    let count = usize::from(protocol.version.saturating_sub(1));
    equal(found, "upgrades are counted", all::<Upgrade>(store).len(), count);
    equal(found, "every version has its upgrade", heights.len(), count);
    let rises = heights.windows(2).all(|pair| pair[0] < pair[1]);
    equal(found, "versions came one after the other", rises, true);
    let since = heights.last().copied().unwrap_or(1);
    equal(
        found,
        "the version in force holds since its upgrade",
        protocol.since,
        since,
    );
    at_most(found, "the version in force came", protocol.since, state.chain.height);
    let is_ahead = protocol.next.is_none_or(|next| next > state.chain.height);
    equal(found, "what is announced is to come", is_ahead, true);
    let ballot = protocol.ballot.is_none_or(|ballot| ballot < state.chain.ballots);
    equal(found, "a ballot was counted", ballot, true);
}

fn check_devices(state: &State, store: &MemoryStore, found: &mut Vec<Violation>) {
    for device in &state.devices {
        let id = device.key.device_id();
        at_most(
            found,
            "a device serves at most eight networks",
            device.networks.len(),
            NETWORKS_PER_DEVICE_MAX,
        );
        equal(
            found,
            "a retired device serves none",
            device.retired.is_some() && !device.networks.is_empty(),
            false,
        );
        for (network_id, network) in state.ids.iter().zip(&state.networks) {
            let member = device.networks.binary_search(&network.number).is_ok();
            let stay: Option<RosterEntry> = get::<Membership>(store, &(id, *network_id))
                .and_then(|membership| get(store, &(*network_id, membership.entry)));
            let open = stay.is_some_and(|stay| stay.left.is_none());
            equal(found, "a member has an open stay, nobody else has", member, open);
            equal(
                found,
                "a stay is in a cell of the network's resolution",
                stay.is_none_or(|stay| stay.cell.resolution() == network.resolution),
                true,
            );
        }
    }
    for (id, network) in state.ids.iter().zip(&state.networks) {
        let next: Option<RosterEntry> = get(store, &(*id, network.roster));
        equal(found, "a roster ends where it says", next.is_none(), true);
        let mut covered = BTreeSet::new();
        for entry in (0..network.roster).filter_map(|entry| get::<RosterEntry>(store, &(*id, entry))) {
            if entry.covers(state.chain.epoch) {
                equal(
                    found,
                    "a device stands once in an epoch's roster",
                    covered.insert(entry.device),
                    true,
                );
            }
        }
    }
}
