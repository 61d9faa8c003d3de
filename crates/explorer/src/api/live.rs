//! What happens, as server-sent events. A reader pulls; one that comes back with the last name it heard is told what it missed.

use super::{ApiError, Head};
use crate::live::Message;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::{Stream, StreamExt, stream};
use std::convert::Infallible;
use tokio::sync::{OwnedSemaphorePermit, watch};

/// Where a reader is.
struct Reader {
    head: Head,
    /// The last message it heard.
    heard: u64,
    /// Whose alerts it wants, and nothing else.
    operator: Option<u64>,
    newest: watch::Receiver<u64>,
    stop: watch::Receiver<bool>,
    /// It cannot be told all that it missed.
    lost: bool,
    _place: OwnedSemaphorePermit,
}

pub async fn stream(head: Head) -> Result<Response, ApiError> {
    let operator = head.read(|ask| ask.maybe_account("operator")).await?;
    let places = head.shared.streams.clone();
    let full = || {
        let hint = "ask again later, or close another";
        ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "streams_full",
            "as many streams are open as may be",
            hint,
        )
    };
    let place = places.try_acquire_owned().map_err(|_| full())?;
    let live = &head.shared.live;
    let name = head.headers.get("last-event-id").and_then(|name| name.to_str().ok());
    let newest = live.newest();
    let heard = name.map(|name| live.number(name).filter(|number| live.after(*number).is_some()));
    let lost = matches!(heard, Some(None));
    let heard = heard.flatten().unwrap_or(*newest.borrow());
    let reader = Reader {
        heard,
        operator,
        newest,
        stop: head.shared.stop.clone(),
        lost,
        head,
        _place: place,
    };
    Ok(Sse::new(messages(reader))
        .keep_alive(KeepAlive::default())
        .into_response())
}

fn messages(reader: Reader) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(reader, |mut reader| async move {
        let batch = reader.batch().await?;
        Some((stream::iter(batch.into_iter().map(Ok)), reader))
    })
    .flatten()
}

impl Reader {
    async fn batch(&mut self) -> Option<Vec<Event>> {
        let live = self.head.shared.live.clone();
        if std::mem::take(&mut self.lost) {
            let name = live.name(self.heard);
            return Some(vec![Event::default().event("reset").id(name).data("{}")]);
        }
        let heard = self.heard;
        tokio::select! {
            _ = self.stop.wait_for(|stop| *stop) => return None,
            newest = self.newest.wait_for(|newest| *newest > heard) => newest.ok().map(drop)?,
        }
        match live.after(heard) {
            Some(messages) => {
                self.heard = messages.last().map_or(heard, |last| last.number);
                let of = |message: &Message| {
                    let event = Event::default().event(message.kind).id(live.name(message.number));
                    event.data(message.data.to_string())
                };
                let wanted = |message: &&Message| self.operator.is_none() || message.operator == self.operator;
                Some(messages.iter().filter(wanted).map(of).collect())
            }
            None => {
                self.heard = *self.newest.borrow();
                self.lost = true;
                Some(Vec::new())
            }
        }
    }
}
