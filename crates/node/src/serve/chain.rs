//! What the chain is and how far: status, health, genesis, raw records, and proofs for those who believe nothing else.

use super::ask::{Asked, Named, Part};
use super::{Answer, ApiError, Desk};
use crate::eras::hand_overs_face;
use crate::faces::{Face, hex, object, with};
use crate::genesis;
use crate::machine::unpad;
use crate::upgrades::Rules;
use axum::Json;
use axum::extract::{FromRequestParts, State as Shared};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use cairn_engine::{Committee, Header, KEY_BYTES, Key};
use cairn_ledger::view;
use cairn_types::{PublicKey, TimeMs, codec};
use futures::FutureExt;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// The API's description, checked in beside the crate.
pub const OPENAPI: &str = include_str!("../../openapi.json");

/// Keys of one question for records.
const KEYS_MAX: usize = 100;

/// What a beacon is worth when one operator runs the chain.
pub const FORESEEN: &str = "this chain has one validator: its operator can foresee every beacon";

/// Where an answer holds.
pub fn place(header: &Header) -> [(&'static str, Value); 2] {
    [
        ("height", header.height.face()),
        ("time", TimeMs(header.time_ms).face()),
    ]
}

/// Who signs blocks now, and who is next.
fn committee_face(committee: &Committee) -> Value {
    let keys = |keys: &[[u8; 32]]| -> Vec<String> {
        let name = |key: &[u8; 32]| PublicKey::Ed25519(*key).to_string();
        keys.iter().map(name).collect()
    };
    json!({
        "epoch": committee.epoch,
        "until": committee.until,
        "signs": committee.signs,
        "renewed": committee.renewed,
        "members": keys(&committee.members),
        "receiving": keys(&committee.receiving),
        "announced": keys(&committee.announced),
    })
}

pub async fn status(Shared(desk): Shared<Arc<Desk>>, (): ()) -> Answer {
    let service = &desk.service;
    let latest = service.chain.latest();
    let anchor = service.chain.anchor();
    let level = service.pool.level();
    // Right after its start a node may not know yet.
    let committee = service.chain.committee().await.ok();
    let validators = committee
        .as_ref()
        .map_or(service.validators, |committee| committee.members.len());
    let status = json!({
        "chain": anchor.chain,
        "version": env!("CARGO_PKG_VERSION"),
        "height": latest.header.height,
        "time": TimeMs(latest.header.time_ms).face(),
        "digest": hex(latest.digest),
        "state_root": hex(latest.header.state_root),
        "genesis": hex(anchor.genesis),
        "protocol": protocol_face(&service.rules.borrow()),
        "era": anchor.era,
        "over": latest.header.is_over(),
        "group_key": hex(anchor.group_key),
        "validators": validators,
        "committee": committee.map(|committee| committee_face(&committee)),
        "beacon_note": (validators == 1).then_some(FORESEEN),
        "epoch_ms": service.genesis.epoch_ms,
        "start": service.genesis.start.face(),
        "decimals": service.genesis.economics.decimals,
        "pool": { "transactions": level.count, "bytes": level.bytes },
    });
    Ok(Json(status).into_response())
}

/// The rules in force and to come, and whether this program speaks them.
fn protocol_face(rules: &Rules) -> Value {
    let next = rules.protocol.announced().map(
        |(version, height)| json!({ "version": version, "height": height, "spoken": rules.speaks.contains(&version) }),
    );
    json!({
        "version": rules.protocol.version,
        "since": rules.protocol.since,
        "next": next,
        "speaks_min": rules.speaks.start(),
        "speaks_max": rules.speaks.end(),
    })
}

/// Which version of the rules holds, which came before, and what validators vote on, as the ledger has it.
pub async fn protocol(Shared(desk): Shared<Arc<Desk>>, (): ()) -> Answer {
    let looked = desk.service.state.look([], |store| {
        let protocol = view::protocol(store)?;
        let upgrades = view::upgrades(store)?;
        let votes = protocol.ballot.map(|ballot| view::votes(store, ballot)).transpose()?;
        Ok((protocol, upgrades, votes.unwrap_or_default()))
    });
    let (header, (protocol, upgrades, votes)) = looked.await?;
    let rules = Rules {
        protocol,
        ..desk.service.rules.borrow().clone()
    };
    let upgrades: Vec<Value> = upgrades
        .iter()
        .map(|(version, upgrade)| json!({ "version": version, "height": upgrade.height }))
        .collect();
    let votes: Vec<Value> = votes
        .iter()
        .map(|(validator, vote)| json!({ "validator": validator.face(), "choice": vote.choice.face() }))
        .collect();
    let found = with(
        object(place(&header)),
        [
            ("protocol", protocol_face(&rules)),
            ("upgrades", upgrades.into()),
            ("votes", votes.into()),
        ],
    );
    Ok(Json(found).into_response())
}

fn running(desk: &Desk) -> bool {
    desk.service.chain.ended().now_or_never().is_none()
}

/// Whether the process should live on, and the upgrade before which it will stop.
pub async fn health(Shared(desk): Shared<Arc<Desk>>, (): ()) -> Answer {
    let running = running(&desk);
    let status = if running {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let needs = desk.service.rules.borrow().needs();
    let needs = needs.map(|(version, height)| json!({ "version": version, "height": height }));
    Ok((status, Json(json!({ "healthy": running, "needs_upgrade": needs }))).into_response())
}

/// Whether it has caught up and answers.
pub async fn ready(Shared(desk): Shared<Arc<Desk>>, (): ()) -> Answer {
    let height = desk.service.chain.latest().header.height;
    let head = *desk.service.follower.head().borrow();
    let ready = running(&desk) && height > 0 && head >= height;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    Ok((
        status,
        Json(json!({ "ready": ready, "height": height, "taken_in": head })),
    )
        .into_response())
}

pub async fn genesis(Shared(desk): Shared<Arc<Desk>>, (): ()) -> Answer {
    let text = genesis::write(&desk.service.genesis);
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

/// The genesis in its one byte form, whose digest a trust anchor names.
pub async fn genesis_cbor(Shared(desk): Shared<Arc<Desk>>, (): ()) -> Answer {
    let bytes = desk.service.genesis.bytes();
    Ok(([(header::CONTENT_TYPE, "application/cbor")], bytes).into_response())
}

/// From the first key to the one that signs now: what a client with the first key needs to follow.
pub async fn eras(Shared(desk): Shared<Arc<Desk>>, (): ()) -> Answer {
    let service = &desk.service;
    let (first, hand_overs) = match &service.eras {
        None => (service.chain.anchor().group_key, &[][..]),
        Some(eras) => (eras.first, &eras.hand_overs[..]),
    };
    let found = json!({
        "era": service.chain.anchor().era,
        "first_group_key": hex(first),
        "hand_overs": hand_overs_face(hand_overs),
    });
    Ok(Json(found).into_response())
}

pub async fn openapi(_: Shared<Arc<Desk>>, (): ()) -> Answer {
    Ok(([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response())
}

#[derive(Deserialize)]
struct RecordsQuery {
    keys: String,
}

/// The records asked for.
pub struct Keys(Vec<Key>);

impl<S: Sync> FromRequestParts<S> for Keys {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Asked(query) = Asked::<RecordsQuery>::from_request_parts(parts, state).await?;
        let mut names = query.keys.split(',');
        let keys = names.by_ref().take(KEYS_MAX).map(Key::read).collect::<Result<_, _>>()?;
        if names.next().is_some() {
            let message = format!("one question names at most {KEYS_MAX} keys");
            return Err(ApiError::bad_request("too_many", message, "cut the list"));
        }
        Ok(Self(keys))
    }
}

/// Records by key as this node has them, without proof.
pub async fn records(Shared(desk): Shared<Arc<Desk>>, Keys(keys): Keys) -> Answer {
    let records = desk.service.chain.read(keys).await?;
    let values: Vec<Value> = records
        .values
        .iter()
        .map(|value| value.as_ref().and_then(unpad).map_or(Value::Null, hex))
        .collect();
    let found = with(object(place(&records.header)), [("values", values.into())]);
    Ok(Json(found).into_response())
}

/// A record's value, or its absence, with all that a stranger needs to believe it.
pub async fn proof(Shared(desk): Shared<Arc<Desk>>, Named(key): Named<Key>) -> Answer {
    let proof = desk.service.chain.prove(key).await?;
    let first = proof.finality.headers.first();
    let header = first.and_then(|header| Header::decode(&header.0).ok());
    let header = header.ok_or_else(|| ApiError::unavailable("the proof has no header"))?;
    let found = with(
        object(place(&header)),
        [
            ("state_root", hex(header.state_root)),
            ("present", proof.value.is_some().into()),
            ("value", proof.value.as_ref().and_then(unpad).map_or(Value::Null, hex)),
            ("proof", hex(codec::encode(&proof))),
        ],
    );
    Ok(Json(found).into_response())
}

impl Part for Key {
    fn read(text: &str) -> Result<Self, ApiError> {
        let mut key = [0; KEY_BYTES];
        hex::decode_to_slice(text, &mut key).map_err(|_| key_error())?;
        Ok(key)
    }
}

fn key_error() -> ApiError {
    ApiError::bad_request(
        "bad_key",
        "a key is 66 hexadecimal digits: a table and a hash",
        "ask with ?keys=KEY,KEY or /v1/proofs/KEY; cairn_ledger::view::key names a record",
    )
}
