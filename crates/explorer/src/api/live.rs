//! What happens, as server-sent events. A reader pulls; one that comes back with the last name it heard is told what it missed.

use super::{ApiError, Head};
use crate::live::Message;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use cairn_verifier::http::household;
use futures::{Stream, StreamExt, stream};
use std::collections::HashMap;
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::watch;

/// Streams that are open, by who reads them. Clones share them.
#[derive(Clone)]
pub struct Streams(Arc<Open>);

struct Open {
    most: usize,
    by: Mutex<HashMap<Option<IpAddr>, usize>>,
}

/// The place of one stream, free again when it is dropped.
pub struct Place {
    of: Streams,
    by: Option<IpAddr>,
}

impl Streams {
    pub fn new(most: usize) -> Self {
        let by = Mutex::default();
        Self(Arc::new(Open { most, by }))
    }

    /// A place, if there is one; nobody has more than half of them.
    fn take(&self, caller: Option<IpAddr>) -> Option<Place> {
        let by = caller.map(household);
        let mut open = self.open();
        let all: usize = open.values().sum();
        let own = open.get(&by).copied().unwrap_or(0);
        if all >= self.0.most || own >= self.0.most / 2 {
            return None;
        }
        open.insert(by, own + 1);
        Some(Place { of: self.clone(), by })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<Option<IpAddr>, usize>> {
        self.0.by.lock().expect("no holder of the lock panics")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.of.open();
        match open.get_mut(&self.by) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(open.remove(&self.by)),
        }
    }
}

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
    _place: Place,
}

pub async fn stream(head: Head) -> Result<Response, ApiError> {
    let operator = head.read(|ask| ask.maybe_account("operator")).await?;
    let full = || {
        let hint = "ask again later, or close another";
        ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "streams_full",
            "as many streams are open as may be",
            hint,
        )
    };
    let place = head
        .shared
        .streams
        .take(head.caller.map(|caller| caller.0))
        .ok_or_else(full)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_every_stream_from_others() {
        let streams = Streams::new(4);
        let take = |address: &str| streams.take(Some(address.parse().unwrap()));
        let mut own = vec![take("10.0.0.1").unwrap(), take("10.0.0.1").unwrap()];
        assert!(take("10.0.0.1").is_none(), "half of them");
        let others = [take("10.0.0.2").unwrap(), take("2001:db8::1").unwrap()];
        assert!(take("10.0.0.3").is_none(), "all of them");
        own.pop();
        assert!(take("10.0.0.3").is_some());
        drop((own, others));
        assert!(streams.open().is_empty());
    }
}
