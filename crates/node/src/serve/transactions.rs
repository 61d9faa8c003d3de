//! The way in for transactions, and what became of them.

use super::ask::{Asked, Named, Part};
use super::blocks::{named, told};
use super::{Answer, ApiError, Desk};
use crate::faces::{Face, hex, object, with};
use crate::machine::{events, reject};
use crate::mempool::admission::{Progress, SubmitError, Submitted};
use crate::mempool::{PoolRefusal, Why};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use cairn_engine::limits::TX_TOO_LONG;
use cairn_engine::{Resolution, tx_hash};
use cairn_ledger::Reject;
use cairn_types::{Hash, codec};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

#[derive(Deserialize)]
struct SubmitQuery {
    wait: Option<String>,
}

#[derive(Deserialize)]
struct SubmitBody {
    transaction: String,
}

/// A transaction handed in, and whether to wait until it is final.
pub struct Handed {
    bytes: Vec<u8>,
    wait: bool,
}

impl<S: Send + Sync> FromRequest<S> for Handed {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let Asked(query) = Asked::<SubmitQuery>::from_request_parts(&mut parts, state).await?;
        let wait = match query.wait.as_deref() {
            None => false,
            Some("final") => true,
            Some(_) => {
                let hint = "use ?wait=final";
                return Err(ApiError::bad_request("bad_wait", "wait can only be final", hint));
            }
        };
        let kind = parts.headers.get(header::CONTENT_TYPE);
        let json = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        let body = Bytes::from_request(Request::from_parts(parts, body), state).await;
        let body = body.map_err(|rejection| {
            let hint = "send one transaction, at most 64 KiB";
            ApiError::new(rejection.status(), "bad_body", rejection.body_text(), hint)
        })?;
        let bytes = if json { from_json(&body)? } else { body.to_vec() };
        Ok(Self { bytes, wait })
    }
}

/// Takes canonical CBOR as it is, or `{"transaction": "HEX"}`. With `?wait=final` it answers when the transaction is final
/// or cannot be.
pub async fn submit(Shared(desk): Shared<Arc<Desk>>, Handed { bytes, wait }: Handed) -> Answer {
    if let Some(resolution) = Resolution::read(&bytes) {
        return match desk.service.chain.hand_over(&resolution) {
            true => Ok(waiting(Hash(tx_hash(&bytes)))),
            false => Err(ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "no_resolution",
                "too few of this era's validators approve of the successor",
                "more than two thirds of them run `cairn genesis approve` with the key of this era",
            )),
        };
    }
    if desk.service.chain.latest().header.is_over() {
        return Err(ApiError::new(
            StatusCode::CONFLICT,
            "era_over",
            "this era of the chain has ended: nothing happens here any more",
            "send it to a node of the next era",
        ));
    }
    let Submitted { id, progress } = desk.service.admission.submit(bytes, wait).await?;
    desk.metrics.submitted.inc();
    match progress {
        Progress::Final(place) => settled(&desk, id, place.height, place.index).await,
        Progress::Waiting => Ok(waiting(id)),
        Progress::Watched(ending) => {
            // A little before the caller is told that the request itself took too long.
            let patience = desk.service.limits.answer_wait_max.mul_f32(0.9);
            match tokio::time::timeout(patience, ending).await {
                Ok(Ok(why)) => ended(&desk, id, why).await,
                Ok(Err(_)) => Err(ApiError::unavailable("the node is stopping")),
                Err(_) => Ok(waiting(id)),
            }
        }
    }
}

pub async fn one(Shared(desk): Shared<Arc<Desk>>, Named(id): Named<Hash>) -> Answer {
    let service = &desk.service;
    if let Some(place) = service.follower.find(&id) {
        return settled(&desk, id, place.height, place.index).await;
    }
    if service.pool.contains(&id) {
        let found = object([("id", id.face()), ("state", "waiting".into())]);
        return Ok(Json(found).into_response());
    }
    let why = service
        .pool
        .ending(&id)
        .ok_or_else(|| ApiError::not_found("transaction"))?;
    let error = gone(why);
    let number = error.number.map_or(Value::Null, Value::from);
    let found = object([
        ("id", id.face()),
        ("state", "dropped".into()),
        ("code", error.code.into_owned().into()),
        ("number", number),
        ("message", error.message.into()),
        ("hint", error.hint.into()),
    ]);
    Ok(Json(found).into_response())
}

/// A final transaction with the proof that it stands in a final block.
pub async fn proof(Shared(desk): Shared<Arc<Desk>>, Named(id): Named<Hash>) -> Answer {
    let place = desk
        .service
        .follower
        .find(&id)
        .ok_or_else(|| ApiError::not_found("final transaction"))?;
    let told = told(&desk, place.height)
        .await
        .map_err(|error| not_kept(error, place.height))?;
    let finality = desk.service.chain.finality(place.height).await?;
    let index = place.index as usize;
    let tx = told
        .block
        .txs
        .get(index)
        .ok_or_else(|| ApiError::not_found("final transaction"))?;
    let proofs = told.block.prove_tx(index).zip(told.block.prove_receipt(index));
    let (in_block, receipt) = proofs.ok_or_else(|| ApiError::not_found("final transaction"))?;
    let found = object([
        ("id", id.face()),
        ("height", place.height.face()),
        ("index", place.index.face()),
        ("transaction", hex(&tx.bytes)),
        ("receipt", hex(&tx.receipt)),
        ("finality", hex(codec::encode(&finality))),
        ("transaction_proof", hex(codec::encode(&in_block))),
        ("receipt_proof", hex(codec::encode(&receipt))),
    ]);
    Ok(Json(found).into_response())
}

impl Part for Hash {
    fn read(text: &str) -> Result<Self, ApiError> {
        text.parse().map_err(|_| {
            let hint = "use the id that submitting answered";
            ApiError::bad_request("bad_id", "a transaction's id is 64 hexadecimal digits", hint)
        })
    }
}

/// The transaction's bytes out of the JSON body.
pub fn from_json(body: &[u8]) -> Result<Vec<u8>, ApiError> {
    let read: Option<SubmitBody> = serde_json::from_slice(body).ok();
    read.and_then(|body| hex::decode(body.transaction).ok()).ok_or_else(|| {
        ApiError::bad_request(
            "bad_body",
            "the body is not {\"transaction\": \"HEX\"}",
            "send the transaction's CBOR in hexadecimal digits, or as it is without the JSON content type",
        )
    })
}

fn waiting(id: Hash) -> Response {
    let found = object([("id", id.face()), ("state", "waiting".into())]);
    (StatusCode::ACCEPTED, Json(found)).into_response()
}

async fn ended(desk: &Desk, id: Hash, why: Why) -> Answer {
    match why {
        Why::Final { height, index } => settled(desk, id, height, index).await,
        other => Err(gone(other)),
    }
}

async fn settled(desk: &Desk, id: Hash, height: u64, index: u32) -> Answer {
    let told = told(desk, height).await.map_err(|error| not_kept(error, height))?;
    let receipt = told.block.txs.get(index as usize).map_or(&[][..], |tx| &tx.receipt);
    let events: Vec<Value> = events(receipt).iter().map(named).collect();
    let found = with(
        object([("id", id.face()), ("state", "final".into()), ("height", height.face())]),
        [
            ("index", index.face()),
            ("time", cairn_types::TimeMs(told.block.header.time_ms).face()),
            ("receipt", hex(receipt)),
            ("events", events.into()),
        ],
    );
    Ok(Json(found).into_response())
}

/// The index remembers more blocks than the node may keep.
fn not_kept(error: ApiError, height: u64) -> ApiError {
    if error.status != StatusCode::NOT_FOUND {
        return error;
    }
    let message = format!("it is final in block {height}, which this node no longer keeps");
    ApiError::new(
        StatusCode::GONE,
        "not_kept",
        message,
        "ask a node that keeps all blocks",
    )
}

/// What to say of a transaction that left the pool and is not final.
fn gone(why: Why) -> ApiError {
    let conflict = |code, message: String, hint| ApiError::new(StatusCode::CONFLICT, code, message, hint);
    match why {
        Why::Refused { code, height } => match reject(code) {
            Some(reject) => refused(reject),
            None if code == TX_TOO_LONG => refused(Reject::TooLong),
            None => ApiError::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "receipt_too_long",
                format!("what it would announce does not fit into block {height}"),
                "do less in one transaction",
            ),
        },
        Why::Final { height, .. } => conflict("final", format!("it is final in block {height}"), "nothing to do"),
        Why::Superseded => conflict(
            "superseded",
            "another transaction of the account with this nonce or a higher one is final".into(),
            "sign it again with a higher nonce if it should still happen",
        ),
        Why::Replaced { by } => conflict(
            "replaced",
            format!("its account replaced it by {by}"),
            "follow the one that replaced it",
        ),
        Why::Expired => conflict(
            "expired",
            "no block took it in time".into(),
            "send it again; if that repeats, the chain stands still",
        ),
    }
}

/// A refusal of the ledger: its number, its name, its sentence, its hint.
pub fn refused(reject: Reject) -> ApiError {
    ApiError {
        status: StatusCode::UNPROCESSABLE_ENTITY,
        code: snake(&format!("{reject:?}")).into(),
        number: Some(reject.code().into()),
        message: reject.sentence().into(),
        hint: reject.hint(),
    }
}

/// `FeeAboveMax` as `fee_above_max`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

impl From<SubmitError> for ApiError {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::Refused(reject) => refused(reject),
            SubmitError::TooLong { .. } => Self {
                message: error.to_string(),
                ..refused(Reject::TooLong)
            },
            SubmitError::Pool(refusal) => match refusal {
                PoolRefusal::NonceUsed { .. } => refused(Reject::NonceUsed),
                PoolRefusal::Underpriced { .. } => Self::new(
                    StatusCode::CONFLICT,
                    "underpriced",
                    refusal.to_string(),
                    "raise fee_max, or use the next nonce",
                ),
                PoolRefusal::AccountFull => Self::busy("account_full", refusal.to_string()),
                PoolRefusal::Full => Self::busy("pool_full", refusal.to_string()),
            },
            SubmitError::Busy | SubmitError::TooManyWait => Self::busy("busy", error.to_string()),
            SubmitError::State(error) => error.into(),
            SubmitError::Stopped => Self::unavailable(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_a_code_made_of_its_name() {
        let error = refused(Reject::FeeAboveMax);
        assert_eq!(
            (error.code.as_ref(), error.number),
            ("fee_above_max", Some(Reject::FeeAboveMax.code().into()))
        );
    }

    #[test]
    fn what_is_too_long_says_how_long_it_is_how_long_it_may_be_and_what_to_do() {
        let error = ApiError::from(SubmitError::TooLong { bytes: 70_000 });
        assert_eq!((error.code.as_ref(), error.number), ("too_long", Some(1)));
        assert_eq!(error.message, "the transaction has 70000 bytes, and one may have 65536");
        assert!(error.hint.contains("several transactions"));
    }

    #[test]
    fn a_full_pool_says_when_to_come_back() {
        let response = ApiError::from(SubmitError::Pool(PoolRefusal::Full)).into_response();
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(response.headers().contains_key(header::RETRY_AFTER));
    }
}
