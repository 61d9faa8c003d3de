//! What the ledger's records say: accounts, networks, devices, epochs, orders, verifiers, prices, books.

use super::ask::{Asked, Id, Name, Named};
use super::chain::place;
use super::{Answer, ApiError, Desk};
use crate::faces::{Face, hex, object, with};
use crate::state::all;
use axum::Json;
use axum::extract::State as Shared;
use axum::response::IntoResponse;
use cairn_engine::Header;
use cairn_ledger::genesis::Limits;
use cairn_ledger::records::{NetworkIndex, RosterEntry, VerifierIndex};
use cairn_ledger::store::{Missing, Store};
use cairn_ledger::view;
use cairn_types::{AccountId, AccountNumber, DeviceId, DeviceNumber, EpochNumber, NetworkId, NetworkNumber, OrderId};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// Networks of one page.
const NETWORKS_MAX: u32 = 100;
/// Roster entries of one page.
const ROSTER_MAX: u32 = 500;

/// Looks, and answers with where it holds.
async fn answer(desk: &Desk, what: &str, look: impl FnMut(&mut dyn Store) -> Result<Option<Value>, Missing>) -> Answer {
    let (header, found) = desk.service.state.look([], look).await?;
    reply(&header, found.ok_or_else(|| ApiError::not_found(what))?)
}

fn reply(header: &Header, found: Value) -> Answer {
    Ok(Json(with(found, [("at", object(place(header)))])).into_response())
}

/// The account, and the nonce for its next transaction, counting those that wait.
pub async fn account(Shared(desk): Shared<Arc<Desk>>, Named(name): Named<Name<AccountId, AccountNumber>>) -> Answer {
    answer(&desk, "account", |store| {
        let found = match name {
            Name::Id(id) => view::account(store, &id)?.map(|account| (id, account)),
            Name::Number(number) => view::account_by_number(store, number)?,
        };
        Ok(found.map(|(id, account)| {
            let waiting = desk.service.pool.last_nonce(&id).unwrap_or(0);
            let next = account.nonce.max(waiting).saturating_add(1);
            with(account.face(), [("id", id.face()), ("next_nonce", next.face())])
        }))
    })
    .await
}

#[derive(Deserialize)]
pub struct PageQuery {
    start: Option<u32>,
    count: Option<u32>,
}

fn page(query: PageQuery, max: u32) -> std::ops::Range<u32> {
    let start = query.start.unwrap_or(0);
    start..start.saturating_add(query.count.unwrap_or(max).min(max))
}

/// Networks in the order of their creation.
pub async fn networks(Shared(desk): Shared<Arc<Desk>>, Asked(query): Asked<PageQuery>) -> Answer {
    let page = page(query, NETWORKS_MAX);
    let keys = page
        .clone()
        .map(|number| view::key::<NetworkIndex>(&NetworkNumber(number)));
    let (header, found) = desk
        .service
        .state
        .look(keys, |store| {
            let total = view::chain(store)?.map_or(0, |chain| chain.networks);
            let numbers = page.start..page.end.min(total);
            let networks = all(numbers.map(|number| view::network_by_number(store, NetworkNumber(number))))?;
            let faces = networks
                .into_iter()
                .flatten()
                .map(|(id, network)| with(network.face(), [("id", id.face())]));
            Ok(object([("total", total.face()), ("networks", faces.collect())]))
        })
        .await?;
    reply(&header, found)
}

/// One network: its record, its terms with their bytes, and what is used of it in the open epoch.
pub async fn network(Shared(desk): Shared<Arc<Desk>>, Named(name): Named<Name<NetworkId, NetworkNumber>>) -> Answer {
    answer(&desk, "network", |store| {
        let found = match name {
            Name::Id(id) => view::network(store, &id)?.map(|network| (id, network)),
            Name::Number(number) => view::network_by_number(store, number)?,
        };
        let Some((id, network)) = found else { return Ok(None) };
        let (terms, usage) = (view::terms(store, &id), view::usage(store, &id));
        let (terms, usage) = (terms?, usage?);
        let parameters = match &terms {
            Some(terms) => hex(view::parameters(store, &id, terms.current.version)?),
            None => Value::Null,
        };
        Ok(Some(with(
            network.face(),
            [
                ("id", id.face()),
                ("terms", terms.face()),
                ("parameters", parameters),
                ("usage", usage.face()),
            ],
        )))
    })
    .await
}

/// The stays of a network's devices, in the order they began.
pub async fn roster(
    Shared(desk): Shared<Arc<Desk>>,
    (Named(Id(id)), Asked(query)): (Named<Id<NetworkId>>, Asked<PageQuery>),
) -> Answer {
    let page = page(query, ROSTER_MAX);
    let keys = page.clone().map(|entry| view::key::<RosterEntry>(&(id, entry)));
    let (header, found) = desk
        .service
        .state
        .look(keys, |store| {
            let Some(network) = view::network(store, &id)? else {
                return Ok(None);
            };
            let entries = view::roster(store, &id, page.start, page.end - page.start)?;
            Ok(Some(object([
                ("network", id.face()),
                ("total", network.roster.face()),
                ("start", page.start.face()),
                ("entries", entries.face()),
            ])))
        })
        .await?;
    reply(&header, found.ok_or_else(|| ApiError::not_found("network"))?)
}

/// One epoch of one network: its pool, who anchored what, what was attested, by whom, without whose reports, whether it is disputed,
/// how far it is paid, what its operators exchange.
pub async fn network_epoch(
    Shared(desk): Shared<Arc<Desk>>,
    Named((Id(id), Id(number))): Named<(Id<NetworkId>, Id<EpochNumber>)>,
) -> Answer {
    answer(&desk, "closed epoch of this network", |store| {
        let (pool, epoch) = (view::pool(store, &id, number), view::epoch(store, number));
        let (settlement, roots) = (view::settlement(store, &id, number), view::roots(store, &id, number));
        let exchange = view::exchange(store, &id, number);
        let anchors = anchors(&desk.service.genesis.limits, &id, number, store);
        let (pool, epoch, settlement, roots, exchange) = (pool?, epoch?, settlement?, roots?, exchange?);
        let (signers, dispute) = (view::signers(store, &id, number), dispute(&id, number, store));
        let without = view::without(store, &id, number);
        let left = view::window_left_ms(store, &desk.service.genesis.limits, &id, number);
        let (limits, epoch_ms) = (&desk.service.genesis.limits, desk.service.genesis.epoch_ms);
        let stalled = view::is_stalled(store, limits, epoch_ms, &id, number);
        let (anchors, signers, dispute) = (anchors?, signers?, dispute?);
        let without = left_out(&id, number, &without?, store)?;
        let (left, stalled) = (left?, stalled?);
        Ok(pool.map(|pool| {
            object([
                ("network", id.face()),
                ("number", number.face()),
                ("epoch", epoch.face()),
                ("pool", pool.face()),
                ("anchors", anchors),
                ("settlement", settlement.face()),
                ("window_left_ms", left.face()),
                ("stalled", stalled.face()),
                ("roots", roots.face()),
                ("exchange", exchange.face()),
                ("signers", signers.face()),
                ("left_out", without),
                ("dispute", dispute),
            ])
        }))
    })
    .await
}

/// The dispute of an epoch with the votes so far, or null.
fn dispute(id: &NetworkId, number: EpochNumber, store: &mut dyn Store) -> Result<Value, Missing> {
    let Some(dispute) = view::dispute(store, id, number)? else {
        return Ok(Value::Null);
    };
    let votes = view::votes(store, dispute.ballot)?;
    let votes = votes
        .iter()
        .map(|(validator, vote)| object([("validator", validator.face()), ("choice", vote.choice.face())]));
    let votes: Vec<Value> = votes.collect();
    Ok(with(dispute.face(), [("votes", votes.into())]))
}

/// The verifiers whose reports the settled result leaves out, in order of their anchors' arrival.
fn left_out(id: &NetworkId, number: EpochNumber, places: &[u32], store: &mut dyn Store) -> Result<Value, Missing> {
    if places.is_empty() {
        return Ok(Value::Array(Vec::new()));
    }
    let anchors = view::anchors(store, id, number)?;
    let left_out = places.iter().filter_map(|place| anchors.get(*place as usize));
    let verifiers: Vec<Value> = left_out.map(|anchor| anchor.verifier.face()).collect();
    Ok(verifiers.into())
}

/// Who anchored an epoch, in order of arrival, and whether others still may.
fn anchors(limits: &Limits, id: &NetworkId, number: EpochNumber, store: &mut dyn Store) -> Result<Value, Missing> {
    let (book, by) = (view::anchor_book(store, id, number), view::anchors(store, id, number));
    let ended = view::is_anchored(store, limits, id, number)?;
    Ok(with(book?.face(), [("ended", ended.face()), ("by", by?.face())]))
}

/// A closed epoch, the same for all networks.
pub async fn epoch(Shared(desk): Shared<Arc<Desk>>, Named(Id(number)): Named<Id<EpochNumber>>) -> Answer {
    answer(&desk, "closed epoch", |store| {
        Ok(view::epoch(store, number)?.map(|epoch| with(epoch.face(), [("number", number.face())])))
    })
    .await
}

/// A device and where it is a member. What became of its reports is for the verifiers to say.
pub async fn device(Shared(desk): Shared<Arc<Desk>>, Named(name): Named<Name<DeviceId, DeviceNumber>>) -> Answer {
    answer(&desk, "device", |store| {
        let found = match name {
            Name::Id(id) => view::device(store, &id)?.map(|device| (id, device)),
            Name::Number(number) => view::device_by_number(store, number)?,
        };
        let Some((id, device)) = found else { return Ok(None) };
        let networks = device
            .networks
            .iter()
            .map(|number| view::network_by_number(store, *number));
        let networks = all(networks)?;
        let stays = networks
            .iter()
            .flatten()
            .map(|(network, _)| view::membership(store, &id, network));
        let stays = all(stays)?;
        let memberships = networks.iter().flatten().zip(stays).filter_map(|((network, _), stay)| {
            let (entry, stay) = stay?;
            Some(with(
                stay.face(),
                [("network", network.face()), ("entry", entry.face())],
            ))
        });
        let memberships: Vec<Value> = memberships.collect();
        Ok(Some(with(
            device.face(),
            [("id", id.face()), ("memberships", memberships.into())],
        )))
    })
    .await
}

pub async fn order(Shared(desk): Shared<Arc<Desk>>, Named(Id(id)): Named<Id<OrderId>>) -> Answer {
    answer(&desk, "order", |store| {
        Ok(view::order(store, &id)?.map(|order| with(order.face(), [("id", id.face())])))
    })
    .await
}

/// All verifiers, in the order of their list.
pub async fn verifiers(Shared(desk): Shared<Arc<Desk>>, (): ()) -> Answer {
    answer(&desk, "chain", |store| {
        let Some(chain) = view::chain(store)? else {
            return Ok(None);
        };
        let places = (0..chain.verifiers).map(|place| view::record::<VerifierIndex>(store, &place));
        let ids: Vec<AccountId> = all(places)?.into_iter().flatten().map(|place| place.id).collect();
        let verifiers = all(ids.iter().map(|id| view::verifier(store, id)));
        let profiles = all(ids.iter().map(|id| view::profile(store, id)));
        let half_epochs = desk.service.genesis.limits.score_half_epochs;
        let faces = ids
            .iter()
            .zip(verifiers?)
            .zip(profiles?)
            .filter_map(|((id, verifier), profile)| {
                let profile = profile.unwrap_or_default();
                let score = profile.score.at(chain.settlements, chain.epoch, half_epochs);
                let url = Some(profile.url).filter(|url| !url.is_empty());
                let told = [("id", id.face()), ("url", url.face()), ("score", score.face())];
                Some(with(verifier?.face(), told))
            });
        let faces: Vec<Value> = faces.collect();
        Ok(Some(object([
            ("bond_active", chain.bond_active.face()),
            ("verifiers", faces.into()),
        ])))
    })
    .await
}

/// All validators on the ledger, in the order of their list; consensus follows some renewals of the shares later.
pub async fn validators(Shared(desk): Shared<Arc<Desk>>, (): ()) -> Answer {
    answer(&desk, "chain", |store| {
        let (chain, validators) = (view::chain(store), view::validators(store));
        let (chain, validators) = (chain?, validators?);
        Ok(chain.map(|_| object([("validators", validators.face())])))
    })
    .await
}

/// Dollars per whole token, times 10^8; nulls while there is no usable price.
pub async fn price(Shared(desk): Shared<Arc<Desk>>, (): ()) -> Answer {
    answer(&desk, "chain", |store| {
        let Some(chain) = view::chain(store)? else {
            return Ok(None);
        };
        let quote = view::quote(store, &desk.service.genesis)?;
        Ok(Some(object([
            ("round", chain.round.face()),
            ("halted", quote.is_none().into()),
            ("low", quote.map(|quote| quote.low).face()),
            ("mid", quote.map(|quote| quote.mid).face()),
            ("high", quote.map(|quote| quote.high).face()),
        ])))
    })
    .await
}

/// The books of token, stablecoin and credits.
pub async fn supply(Shared(desk): Shared<Arc<Desk>>, (): ()) -> Answer {
    answer(&desk, "chain", |store| {
        let (token, stable, credits) = (view::emission(store), view::stable(store), view::credits(store));
        let (Some(token), Some(stable), Some(credits)) = (token?, stable?, credits?) else {
            return Ok(None);
        };
        Ok(Some(object([
            ("token", token.face()),
            ("stable", stable.face()),
            ("credits", credits.face()),
            (
                "stable_note",
                "until a bridge exists, the stablecoin is the promise of the bonded issuers named in genesis".into(),
            ),
        ])))
    })
    .await
}
