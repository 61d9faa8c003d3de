//! The bounded queue in front of the one thread that owns the collector. What waits there together is decided together, so the busier
//! it is, the more reports share an fsync. A full queue is said so, never waited for.

#[cfg(test)]
mod tests;

use crate::chain::SettledOrder;
use crate::clock::Clock;
use crate::collector::{CollectError, Collector, Sealed};
use crate::epochs::Collect;
use crate::limits::{GROUP_BYTES_MAX, GROUP_MAX};
use crate::meters::{MeterEntry, MeterError};
use crate::metrics::Metrics;
use bytes::Bytes;
use cairn_types::intake::IntakeAnswer;
use cairn_types::{EpochNumber, NetworkId, TimeMs};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Messages that wait at most, besides the limit on envelopes.
const MESSAGES_MAX: usize = 4_096;

/// A request's envelopes: where they are in its body.
pub struct Envelopes {
    pub body: Bytes,
    pub places: Vec<Range<usize>>,
}

/// The queue is full, or its thread is gone: come back later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

type Reply<T> = oneshot::Sender<Result<T, CollectError>>;

enum Message {
    Take(Envelopes, oneshot::Sender<Vec<IntakeAnswer>>),
    TakeMeters(Bytes, oneshot::Sender<Result<(), MeterError>>),
    Seal(TimeMs, NetworkId, EpochNumber, Reply<bool>),
    Sealed(NetworkId, EpochNumber, Reply<Vec<Sealed>>),
    MetersOf(NetworkId, Vec<SettledOrder>, Reply<Vec<Vec<MeterEntry>>>),
    Forget(NetworkId, EpochNumber, Reply<()>),
    Stop,
}

/// A handle to the collector's thread.
#[derive(Clone)]
pub struct Mailbox {
    messages: SyncSender<Message>,
    waiting: Arc<AtomicUsize>,
    envelopes_max: usize,
    metrics: Metrics,
}

/// Gives the collector a thread of its own, which ends after `Mailbox::stop`.
pub fn spawn(
    collector: Collector,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    envelopes_max: usize,
) -> std::io::Result<(Mailbox, JoinHandle<()>)> {
    let (messages, inbox) = sync_channel(MESSAGES_MAX);
    let waiting = Arc::new(AtomicUsize::new(0));
    let owner = Owner {
        collector,
        clock,
        metrics: metrics.clone(),
        waiting: waiting.clone(),
    };
    let thread = std::thread::Builder::new()
        .name("cairn-collector".to_owned())
        .spawn(move || owner.run(&inbox))?;
    let mailbox = Mailbox {
        messages,
        waiting,
        envelopes_max,
        metrics,
    };
    Ok((mailbox, thread))
}

impl Mailbox {
    /// Hands envelopes over and waits for their answers.
    pub async fn take(&self, envelopes: Envelopes) -> Result<Vec<IntakeAnswer>, Busy> {
        let count = envelopes.places.len();
        let before = self.waiting.fetch_add(count, Ordering::SeqCst);
        if before > 0 && before + count > self.envelopes_max {
            self.waiting.fetch_sub(count, Ordering::SeqCst);
            return Err(Busy);
        }
        self.metrics.queue(before + count);
        let (reply, answers) = oneshot::channel();
        if self.messages.try_send(Message::Take(envelopes, reply)).is_err() {
            self.waiting.fetch_sub(count, Ordering::SeqCst);
            return Err(Busy);
        }
        answers.await.map_err(|_| Busy)
    }

    pub async fn take_meters(&self, body: Bytes) -> Result<Result<(), MeterError>, Busy> {
        let (reply, answer) = oneshot::channel();
        self.messages
            .try_send(Message::TakeMeters(body, reply))
            .map_err(|_| Busy)?;
        answer.await.map_err(|_| Busy)
    }

    /// Ends the thread once it has answered what waits. Blocks while the queue is full.
    pub fn stop(&self) {
        // A thread that is gone has stopped.
        let _ = self.messages.send(Message::Stop);
    }

    fn ask<T>(&self, message: impl FnOnce(Reply<T>) -> Message) -> Result<T, CollectError> {
        let (reply, answer) = oneshot::channel();
        match self.messages.try_send(message(reply)) {
            Ok(()) => {}
            Err(TrySendError::Full(message)) => self.messages.send(message).map_err(|_| CollectError::Stopped)?,
            Err(TrySendError::Disconnected(_)) => return Err(CollectError::Stopped),
        }
        answer.blocking_recv().map_err(|_| CollectError::Stopped)?
    }
}

/// Called from the epochs' thread, never from an async one.
impl Collect for Mailbox {
    fn seal(&mut self, now: TimeMs, network: &NetworkId, epoch: EpochNumber) -> Result<bool, CollectError> {
        self.ask(|reply| Message::Seal(now, *network, epoch, reply))
    }

    fn sealed(&mut self, network: &NetworkId, epoch: EpochNumber) -> Result<Vec<Sealed>, CollectError> {
        self.ask(|reply| Message::Sealed(*network, epoch, reply))
    }

    fn meters_of(
        &mut self,
        network: &NetworkId,
        settled: &[SettledOrder],
    ) -> Result<Vec<Vec<MeterEntry>>, CollectError> {
        self.ask(|reply| Message::MetersOf(*network, settled.to_vec(), reply))
    }

    fn forget(&mut self, network: &NetworkId, epoch: EpochNumber) -> Result<(), CollectError> {
        self.ask(|reply| Message::Forget(*network, epoch, reply))
    }
}

/// The thread's side.
struct Owner {
    collector: Collector,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    waiting: Arc<AtomicUsize>,
}

impl Owner {
    fn run(mut self, inbox: &Receiver<Message>) {
        let mut next = inbox.recv().ok();
        while let Some(message) = next.take() {
            match message {
                Message::Take(envelopes, reply) => next = self.take_group((envelopes, reply), inbox),
                Message::Stop => return,
                other => self.answer(other),
            }
            if next.is_none() {
                next = inbox.recv().ok();
            }
        }
    }

    /// Decides a request with all that wait behind it, up to a group; returns the first message that is of another kind.
    fn take_group(
        &mut self,
        first: (Envelopes, oneshot::Sender<Vec<IntakeAnswer>>),
        inbox: &Receiver<Message>,
    ) -> Option<Message> {
        let (mut count, mut bytes) = (first.0.places.len(), first.0.body.len());
        let mut requests = vec![first];
        let mut next = None;
        while count < GROUP_MAX && next.is_none() {
            let fits =
                |more: &Envelopes| count + more.places.len() <= GROUP_MAX && bytes + more.body.len() <= GROUP_BYTES_MAX;
            match inbox.try_recv() {
                Ok(Message::Take(envelopes, reply)) if fits(&envelopes) => {
                    count += envelopes.places.len();
                    bytes += envelopes.body.len();
                    requests.push((envelopes, reply));
                }
                Ok(other) => next = Some(other),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
            }
        }
        let slices: Vec<&[u8]> = requests
            .iter()
            .flat_map(|(envelopes, _)| envelopes.places.iter().map(|place| &envelopes.body[place.clone()]))
            .collect();
        let answered = self.collector.take(self.clock.now(), &slices);
        self.metrics.decided(answered.accepted, &answered.answers);
        let left = self.waiting.fetch_sub(count, Ordering::SeqCst) - count;
        self.metrics.queue(left);
        let mut answers = answered.answers.into_iter();
        for (envelopes, reply) in requests {
            // Whoever asked may be gone; its reports are on disk all the same, and a resend gets its receipts.
            let _ = reply.send(answers.by_ref().take(envelopes.places.len()).collect());
        }
        next
    }

    fn answer(&mut self, message: Message) {
        // Whoever asked may be gone.
        match message {
            Message::TakeMeters(body, reply) => {
                let _ = reply.send(self.collector.take_meters(self.clock.now(), &body));
            }
            Message::Seal(now, network, epoch, reply) => {
                let _ = reply.send(self.collector.seal(now, &network, epoch));
            }
            Message::Sealed(network, epoch, reply) => {
                let _ = reply.send(self.collector.sealed(&network, epoch));
            }
            Message::MetersOf(network, settled, reply) => {
                let _ = reply.send(self.collector.meters_of(&network, &settled));
            }
            Message::Forget(network, epoch, reply) => {
                let _ = reply.send(self.collector.forget(&network, epoch));
            }
            Message::Take(..) | Message::Stop => {}
        }
    }
}
