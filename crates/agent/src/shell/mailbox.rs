//! What ports and uplink ask of the one task that owns the agent. The mailbox is bounded: when it is full, whoever asks
//! waits or is told that it is full.

use crate::agent::{Batch, TakeError};
use crate::routes::Routes;
use crate::status::Status;
use crate::uplink::{Delivery, Verifier};
use bytes::Bytes;
use cairn_types::TimeMs;
use std::future::Future;
use tokio::sync::{mpsc, oneshot};

/// Asks that wait at most; a message has at most `MESSAGE_BYTES_MAX` bytes.
pub const WAITING_MAX: usize = 1_024;

/// What is asked.
pub(super) enum Ask {
    Take(Take),
    Send(oneshot::Sender<Outgoing>),
    Delivered(Batch, Delivery),
    Routes(Routes, TimeMs),
    Status(oneshot::Sender<Status>),
}

pub(super) struct Take {
    pub name: String,
    pub message: Bytes,
    pub answer: oneshot::Sender<Result<usize, TakeError>>,
}

/// What to send now, or when to ask again.
pub(super) enum Outgoing {
    Batch(Box<Batch>, Verifier),
    Nothing { until: Option<TimeMs> },
}

/// The way to ask. Clones ask the same agent.
#[derive(Clone)]
pub struct Mailbox(mpsc::Sender<Ask>);

impl Mailbox {
    pub(super) fn new() -> (Self, mpsc::Receiver<Ask>) {
        let (asks, mailbox) = mpsc::channel(WAITING_MAX);
        (Self(asks), mailbox)
    }

    /// Hands over a message as soon as there is room. The answer comes once it is on disk.
    pub async fn take(
        &self,
        name: &str,
        message: Bytes,
    ) -> Result<impl Future<Output = Result<usize, TakeError>> + use<>, TakeError> {
        let (take, answer) = take(name, message);
        self.0.send(take).await.map_err(|_| TakeError::Busy)?;
        Ok(async { answer.await.unwrap_or(Err(TakeError::Busy)) })
    }

    /// Hands over a message if there is room now, and waits until it is on disk.
    pub async fn take_now(&self, name: &str, message: Bytes) -> Result<usize, TakeError> {
        let (take, answer) = take(name, message);
        self.0.try_send(take).map_err(|_| TakeError::Busy)?;
        answer.await.unwrap_or(Err(TakeError::Busy))
    }

    /// How the agent stands; `None` once it has stopped.
    pub async fn status(&self) -> Option<Status> {
        let (answer, status) = oneshot::channel();
        self.0.send(Ask::Status(answer)).await.ok()?;
        status.await.ok()
    }

    pub(super) async fn outgoing(&self) -> Option<Outgoing> {
        let (answer, outgoing) = oneshot::channel();
        self.0.send(Ask::Send(answer)).await.ok()?;
        outgoing.await.ok()
    }

    /// Where reports go from now on, as the ledger said at a time; `None` once the agent has stopped.
    pub(crate) async fn set_routes(&self, routes: Routes, heard: TimeMs) -> Option<()> {
        self.0.send(Ask::Routes(routes, heard)).await.ok()
    }

    pub(super) async fn delivered(&self, batch: Batch, delivery: Delivery) -> Option<()> {
        self.0.send(Ask::Delivered(batch, delivery)).await.ok()
    }
}

fn take(name: &str, message: Bytes) -> (Ask, oneshot::Receiver<Result<usize, TakeError>>) {
    let (answer, answered) = oneshot::channel();
    let take = Take {
        name: name.to_owned(),
        message,
        answer,
    };
    (Ask::Take(take), answered)
}
