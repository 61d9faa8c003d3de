//! Final blocks: the newest few, and one with everything in it.

use super::ask::{Asked, Named, Part};
use super::{Answer, ApiError, Desk};
use crate::faces::{Face, event, hex, object, with};
use crate::follow::Told;
use crate::machine::events;
use axum::Json;
use axum::extract::State as Shared;
use axum::response::IntoResponse;
use cairn_engine::Header;
use cairn_types::TimeMs;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// Blocks of one page.
const PAGE_MAX: u64 = 50;

#[derive(Deserialize)]
pub struct ListQuery {
    /// Only blocks below this height.
    before: Option<u64>,
    limit: Option<u64>,
}

/// The newest first.
pub async fn list(Shared(desk): Shared<Arc<Desk>>, Asked(query): Asked<ListQuery>) -> Answer {
    let head = *desk.service.follower.head().borrow();
    let end = query.before.unwrap_or(u64::MAX).min(head.saturating_add(1));
    let start = end.saturating_sub(query.limit.unwrap_or(PAGE_MAX).min(PAGE_MAX)).max(1);
    let mut blocks = Vec::new();
    for height in (start..end).rev() {
        match told(&desk, height).await {
            Ok(told) => blocks.push(summary(&told)),
            // Older ones are not kept.
            Err(error) if error.code == "not_found" => break,
            Err(error) => return Err(error),
        }
    }
    Ok(Json(object([("blocks", blocks.into())])).into_response())
}

/// Counted from 1.
pub struct Height(u64);

impl Part for Height {
    fn read(text: &str) -> Result<Self, ApiError> {
        let hint = "GET /v1/status says the newest";
        let height = text.parse().map(Self);
        height.map_err(|_| ApiError::bad_request("bad_height", "a height is a whole number", hint))
    }
}

pub async fn one(Shared(desk): Shared<Arc<Desk>>, Named(Height(height)): Named<Height>) -> Answer {
    let told = told(&desk, height).await?;
    let begin: Vec<Value> = events(&told.block.begin).iter().map(named).collect();
    let transactions: Vec<Value> = told
        .ids
        .iter()
        .zip(&told.block.txs)
        .map(|(id, tx)| {
            let events: Vec<Value> = events(&tx.receipt).iter().map(named).collect();
            object([("id", id.face()), ("bytes", hex(&tx.bytes)), ("events", events.into())])
        })
        .collect();
    let certificate = told.block.certificate.as_ref().map_or(Value::Null, hex);
    let block = with(
        summary(&told),
        [
            ("header_bytes", hex(told.block.header.encode())),
            ("certificate", certificate),
            ("events", begin.into()),
            ("transactions", transactions.into()),
        ],
    );
    Ok(Json(block).into_response())
}

/// A block at hand, or from the engine.
pub async fn told(desk: &Desk, height: u64) -> Result<Arc<Told>, ApiError> {
    match desk.service.follower.recent(height) {
        Some(told) => Ok(told),
        None => Ok(Arc::new(Told::of(Arc::new(desk.service.chain.block(height).await?)))),
    }
}

/// An event as one object.
pub fn named(told: &cairn_ledger::Event) -> Value {
    let (kind, fields) = event(told);
    with(fields, [("kind", kind.into())])
}

fn summary(told: &Told) -> Value {
    let block = &told.block;
    let Header {
        height,
        time_ms,
        parent,
        state_root,
        tx_root,
        receipt_root,
        txs,
        leader,
        view,
        ..
    } = &block.header;
    object([
        ("height", height.face()),
        ("time", TimeMs(*time_ms).face()),
        ("digest", hex(block.digest)),
        ("parent", hex(parent)),
        ("state_root", hex(state_root)),
        ("transaction_root", hex(tx_root)),
        ("receipt_root", hex(receipt_root)),
        ("transaction_count", txs.face()),
        ("leader", hex(leader)),
        ("view", view.face()),
        ("beacon", block.header.beacon().map_or(Value::Null, hex)),
    ])
}
