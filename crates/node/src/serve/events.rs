//! The ledger's events as server-sent events, from any block that is still kept. A reader pulls: nothing is queued for it.
//! One that has caught up and then falls behind the blocks at hand is cut, and told so.
//!
//! ```text
//! event: <kind>   data: {"height", "time", "index", "transaction", "event": {"kind", fields}, "cbor"}
//! event: block    id: <height>   data: {"height", "time", "digest", "state_root"}      after the events of each block
//! event: cut      data: {"code", "message", "hint"}                                    the last one
//! ```

use super::ask::Asked;
use super::blocks::{named, told};
use super::{Answer, ApiError, Desk};
use crate::faces::{Face, hex, object};
use crate::follow::Told;
use crate::machine::events;
use axum::extract::{FromRequestParts, State as Shared};
use axum::http::request::Parts;
use axum::response::IntoResponse;
use axum::response::sse::{Event as Message, KeepAlive, Sse};
use cairn_ledger::Event;
use cairn_types::{Hash, TimeMs, codec};
use futures::{Stream, StreamExt, stream};
use serde::Deserialize;
use serde_json::Value;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, watch};

#[derive(Deserialize)]
struct StreamQuery {
    /// The first height to tell of; the next block when left out.
    from: Option<u64>,
}

/// Where a reader is.
struct Reader {
    desk: Arc<Desk>,
    next: u64,
    head: watch::Receiver<u64>,
    stop: watch::Receiver<bool>,
    /// It has seen the newest block once: from then on it must keep up.
    live: bool,
    done: bool,
    _place: OwnedSemaphorePermit,
}

/// From which height to tell: after the last one heard, or as asked.
pub struct Start(Option<u64>);

impl<S: Sync> FromRequestParts<S> for Start {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Asked(query) = Asked::<StreamQuery>::from_request_parts(parts, state).await?;
        let heard = parts
            .headers
            .get("last-event-id")
            .and_then(|id| id.to_str().ok()?.parse::<u64>().ok());
        Ok(Self(heard.map(|heard| heard.saturating_add(1)).or(query.from)))
    }
}

pub async fn stream(Shared(desk): Shared<Arc<Desk>>, Start(start): Start) -> Answer {
    let place = desk
        .streams
        .clone()
        .try_acquire_owned()
        .map_err(|_| ApiError::busy("streams_full", "as many event streams are open as may be"))?;
    let head = desk.service.follower.head();
    let next = start.unwrap_or_else(|| head.borrow().saturating_add(1)).max(1);
    let reader = Reader {
        stop: desk.service.stop.clone(),
        desk,
        next,
        head,
        live: false,
        done: false,
        _place: place,
    };
    Ok(Sse::new(messages(reader))
        .keep_alive(KeepAlive::default())
        .into_response())
}

fn messages(reader: Reader) -> impl Stream<Item = Result<Message, Infallible>> {
    stream::unfold(reader, |mut reader| async move {
        let batch = reader.batch().await?;
        Some((stream::iter(batch.into_iter().map(Ok)), reader))
    })
    .flatten()
}

impl Reader {
    /// The messages of the next block, once it is final; `None` at the end.
    async fn batch(&mut self) -> Option<Vec<Message>> {
        if self.done {
            return None;
        }
        let next = self.next;
        let head = tokio::select! {
            // What is final is told before the end.
            biased;
            head = self.head.wait_for(|head| *head >= next) => head.ok().map(|head| *head)?,
            _ = self.stop.wait_for(|stop| *stop) => {
                self.done = true;
                return Some(vec![cut("stopping", "the node stops", next)]);
            }
        };
        let block = match self.desk.service.follower.recent(next) {
            Some(block) => block,
            None if self.live => {
                self.done = true;
                return Some(vec![cut("slow_reader", "the stream was read too slowly", next)]);
            }
            None => match told(&self.desk, next).await {
                Ok(block) => block,
                Err(error) => {
                    self.done = true;
                    let newest = if error.code == "not_found" { head } else { next };
                    return Some(vec![cut(
                        "not_kept",
                        &format!("block {next}: {}", error.message),
                        newest,
                    )]);
                }
            },
        };
        self.live |= next == head;
        self.next += 1;
        Some(of_block(&block))
    }
}

fn of_block(told: &Told) -> Vec<Message> {
    let begin = events(&told.block.begin);
    let begin = begin.iter().map(|event| (None, event.clone()));
    let applied = told.ids.iter().zip(&told.block.txs);
    let applied = applied.flat_map(|(id, tx)| events(&tx.receipt).into_iter().map(|event| (Some(*id), event)));
    let mut messages: Vec<Message> = (0u32..)
        .zip(begin.chain(applied))
        .map(|(index, (id, event))| of_event(told, index, id, &event))
        .collect();
    let header = &told.block.header;
    let data = object([
        ("height", header.height.face()),
        ("time", TimeMs(header.time_ms).face()),
        ("digest", hex(told.block.digest)),
        ("state_root", hex(header.state_root)),
    ]);
    messages.push(message("block", &data).id(header.height.to_string()));
    messages
}

fn of_event(told: &Told, index: u32, transaction: Option<Hash>, event: &Event) -> Message {
    let header = &told.block.header;
    let named = named(event);
    let kind = named["kind"].as_str().unwrap_or("event").to_owned();
    let data = object([
        ("height", header.height.face()),
        ("time", TimeMs(header.time_ms).face()),
        ("index", index.face()),
        ("transaction", transaction.face()),
        ("event", named),
        ("cbor", hex(codec::encode(event))),
    ]);
    message(&kind, &data)
}

fn cut(code: &str, says: &str, next: u64) -> Message {
    let hint = format!("connect again with ?from={next}");
    let data = object([("code", code.into()), ("message", says.into()), ("hint", hint.into())]);
    message("cut", &data)
}

fn message(kind: &str, data: &Value) -> Message {
    Message::default().event(kind).data(data.to_string())
}
