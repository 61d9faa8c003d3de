//! Datagrams of packet forwarders (UDP, port 1680 by custom) and the way to their other servers. It moves bytes between sockets,
//! the switch (`gwmp::mux`) and the agent; a PUSH_ACK means that the packets are on disk. Nothing is decided here.
//!
//! ```text
//! forwarders ═▶ socket ─▶ mux ─▶ agent ─▶ PUSH_ACK          one task owns socket and mux
//!                          ├─▶ upstream 0: socket of its own, one task
//!                          └─▶ upstream 1: …
//! ```
//! UDP asks nobody for a password: whoever reaches the socket can speak for the radios. It listens on loopback unless told otherwise.

use crate::agent::TakeError;
use crate::carry::carrier::Said;
use crate::carry::line::Ask;
use crate::gwmp::mux::{ForwarderStatus, Mux, Out};
use crate::gwmp::wire::DATAGRAM_BYTES_MAX;
use crate::shell::mailbox::Mailbox;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// Messages that wait for the disk; more are not taken, nor acknowledged.
const KEEPING_MAX: usize = 512;
/// Datagrams on their way to one upstream; more are dropped, as networks do.
const TO_UPSTREAM_MAX: usize = 64;
/// Datagrams from all upstreams that wait for the switch.
const FROM_UPSTREAMS_MAX: usize = 256;
/// Between two tries to reach an upstream by its name.
const RETRY: Duration = Duration::from_secs(10);
/// Upstreams may move: their names are asked for again.
const NAME_TIME: Duration = Duration::from_secs(15 * 60);

/// Where the port's task is asked how the forwarders stand.
#[derive(Clone)]
pub struct Forwarders(mpsc::Sender<oneshot::Sender<Vec<ForwarderStatus>>>);

impl Forwarders {
    /// `None` once the port is closed.
    pub async fn status(&self) -> Option<Vec<ForwarderStatus>> {
        let (answer, status) = oneshot::channel();
        self.0.send(answer).await.ok()?;
        status.await.ok()
    }
}

/// The way between the switch and who carries packets to routers, or sends beacons.
pub struct Carried {
    pub said: mpsc::Sender<Said>,
    pub asks: mpsc::Receiver<Ask>,
}

/// The port, not yet serving.
pub struct Port {
    socket: Arc<UdpSocket>,
    mux: Mux,
    asks: mpsc::Receiver<oneshot::Sender<Vec<ForwarderStatus>>>,
}

impl Port {
    pub async fn open(address: SocketAddr, mux: Mux) -> io::Result<(Self, Forwarders, SocketAddr)> {
        let socket = UdpSocket::bind(address).await?;
        let address = socket.local_addr()?;
        let (asking, asks) = mpsc::channel(16);
        let port = Self {
            socket: Arc::new(socket),
            mux,
            asks,
        };
        Ok((port, Forwarders(asking), address))
    }

    /// Serves until `stop` is done; what waits for the disk then is acknowledged first.
    pub async fn serve(
        self,
        mailbox: Mailbox,
        carried: Option<Carried>,
        beacons: Option<Carried>,
        stop: impl Future<Output = ()>,
    ) {
        let Self { socket, mux, mut asks } = self;
        let started = Instant::now();
        let now_ms = || u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (told, mut from_upstreams) = mpsc::channel(FROM_UPSTREAMS_MAX);
        let mut tasks = JoinSet::new();
        let apart = |carried: Option<Carried>| match carried {
            Some(Carried { said, asks }) => (Some(said), Some(asks)),
            None => (None, None),
        };
        let (carrier, mut lines) = apart(carried);
        let (beaconer, mut beacons) = apart(beacons);
        let mut switch = Switch {
            carrier,
            beaconer,
            socket: Arc::clone(&socket),
            upstreams: upstreams(&mux, &told, &mut tasks),
            mux,
            mailbox,
            keeping: FuturesUnordered::new(),
        };
        let mut bytes = vec![0; DATAGRAM_BYTES_MAX + 1];
        tokio::pin!(stop);
        loop {
            let out = tokio::select! {
                () = &mut stop => break,
                received = socket.recv_from(&mut bytes) => match received {
                    Ok((length, from)) => switch.mux.from_forwarder(from, &bytes[..length], now_ms()),
                    // Somebody we answered is gone: the socket is well.
                    Err(_) => Vec::new(),
                },
                Some((place, bytes)) = from_upstreams.recv() => switch.mux.from_upstream(place, &bytes, now_ms()),
                Some(ask) = async { lines.as_mut()?.recv().await }, if lines.is_some() => {
                    switch.mux.from_line(ask.forwarder, (ask.line, ask.id), &ask.json, now_ms())
                }
                Some(ask) = async { beacons.as_mut()?.recv().await }, if beacons.is_some() => {
                    switch.mux.from_beaconer(ask.forwarder, ask.id, &ask.json, now_ms())
                }
                Some(kept) = switch.keeping.next(), if !switch.keeping.is_empty() => {
                    switch.kept(kept).await;
                    Vec::new()
                }
                Some(answer) = asks.recv() => {
                    // Whoever asked may be gone.
                    let _ = answer.send(switch.mux.status(now_ms()));
                    Vec::new()
                }
            };
            switch.act(out).await;
        }
        while let Some(kept) = switch.keeping.next().await {
            switch.kept(kept).await;
        }
    }
}

/// What became of a message for the agent, and whom to tell.
struct Kept {
    forwarder: usize,
    to: SocketAddr,
    answer: Vec<u8>,
    result: Result<usize, TakeError>,
}

struct Switch {
    socket: Arc<UdpSocket>,
    mux: Mux,
    mailbox: Mailbox,
    carrier: Option<mpsc::Sender<Said>>,
    beaconer: Option<mpsc::Sender<Said>>,
    upstreams: Vec<Vec<mpsc::Sender<Vec<u8>>>>,
    keeping: FuturesUnordered<BoxFuture<'static, Kept>>,
}

impl Switch {
    async fn act(&mut self, out: Vec<Out>) {
        for one in out {
            match one {
                Out::ToForwarder(to, bytes) => self.send(to, &bytes).await,
                Out::ToUpstream((forwarder, upstream), bytes) => {
                    let upstreams = self.upstreams.get(forwarder);
                    if let Some(upstream) = upstreams.and_then(|upstreams| upstreams.get(upstream)) {
                        // A full one loses it, as a network would.
                        let _ = upstream.try_send(bytes);
                    }
                }
                Out::Keep {
                    forwarder,
                    message,
                    to,
                    answer,
                    heard,
                } => {
                    if let Some(beaconer) = &self.beaconer {
                        // One that is behind counts fewer beacons; they are reported all the same.
                        let _ = beaconer.try_send(Said::Heard(forwarder, heard.clone()));
                    }
                    self.say(Said::Heard(forwarder, heard));
                    self.keep(forwarder, message, to, answer);
                }
                Out::Told { line, id, error } => self.say(Said::Sent { line, id, error }),
                Out::Beacon { id, error } => {
                    if let Some(beaconer) = &self.beaconer {
                        // What it is not told it takes to be sent: others will say whether they heard it.
                        let _ = beaconer.try_send(Said::Sent { line: 0, id, error });
                    }
                }
            }
        }
    }

    /// A carrier that is behind hears it no more: senders wait for seconds at most.
    fn say(&self, said: Said) {
        if let Some(carrier) = &self.carrier {
            let _ = carrier.try_send(said);
        }
    }

    fn keep(&mut self, forwarder: usize, message: Vec<u8>, to: SocketAddr, answer: Vec<u8>) {
        let Some(device) = self.mux.forwarder(forwarder).map(|settings| settings.device.clone()) else {
            return;
        };
        if self.keeping.len() >= KEEPING_MAX {
            tracing::warn!(device, "too much waits for the disk: packets are not taken");
            return;
        }
        let mailbox = self.mailbox.clone();
        self.keeping.push(Box::pin(async move {
            let result = mailbox.take_now(&device, Bytes::from(message)).await;
            Kept {
                forwarder,
                to,
                answer,
                result,
            }
        }));
    }

    async fn kept(&mut self, kept: Kept) {
        match kept.result {
            Ok(packets) => {
                self.mux.kept(kept.forwarder, packets as u64);
                self.send(kept.to, &kept.answer).await;
            }
            Err(error) => {
                let device = self
                    .mux
                    .forwarder(kept.forwarder)
                    .map(|settings| settings.device.as_str());
                tracing::warn!(device, %error, "packets are not taken, and not acknowledged");
            }
        }
    }

    async fn send(&mut self, to: SocketAddr, bytes: &[u8]) {
        if let Err(error) = self.socket.send_to(bytes, to).await {
            tracing::debug!(%to, %error, "a datagram was not sent");
        }
    }
}

/// What an upstream said, with its place.
type Told = mpsc::Sender<((usize, usize), Vec<u8>)>;

/// A task for each upstream of each forwarder, and the way to it. They end with the set.
fn upstreams(mux: &Mux, told: &Told, tasks: &mut JoinSet<()>) -> Vec<Vec<mpsc::Sender<Vec<u8>>>> {
    let mut all = Vec::new();
    for place in 0.. {
        let Some(forwarder) = mux.forwarder(place) else { break };
        let mut ways = Vec::new();
        for (upstream, name) in forwarder.upstreams.iter().enumerate() {
            let (way, waiting) = mpsc::channel(TO_UPSTREAM_MAX);
            tasks.spawn(reach(name.clone(), (place, upstream), waiting, told.clone()));
            ways.push(way);
        }
        all.push(ways);
    }
    all
}

/// Keeps a socket to an upstream, and goes between it and the switch.
async fn reach(name: String, place: (usize, usize), mut waiting: mpsc::Receiver<Vec<u8>>, told: Told) {
    let mut silent = false;
    loop {
        match connect(&name).await {
            Ok(socket) => {
                if std::mem::take(&mut silent) {
                    tracing::info!(upstream = name, "an upstream can be reached again");
                }
                if exchange(&socket, place, &mut waiting, &told).await.is_none() {
                    return;
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut silent, true) {
                    tracing::warn!(upstream = name, %error, "an upstream cannot be reached; it is tried again");
                }
                sleep(RETRY).await;
                // What waited is too old to be of use.
                while waiting.try_recv().is_ok() {}
            }
        }
    }
}

async fn connect(name: &str) -> io::Result<UdpSocket> {
    let mut found = tokio::net::lookup_host(name).await?;
    let address = found
        .next()
        .ok_or_else(|| io::Error::other("the name has no address"))?;
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    // From then on the system lets only this upstream's datagrams in.
    socket.connect(address).await?;
    Ok(socket)
}

/// Until the name is to be asked for again; `None` when the switch is gone.
async fn exchange(
    socket: &UdpSocket,
    place: (usize, usize),
    waiting: &mut mpsc::Receiver<Vec<u8>>,
    told: &Told,
) -> Option<()> {
    let until = Instant::now() + NAME_TIME;
    let mut bytes = vec![0; DATAGRAM_BYTES_MAX + 1];
    loop {
        tokio::select! {
            next = waiting.recv() => {
                // Nobody there now: whoever listens again gets the next one.
                let _ = socket.send(&next?).await;
            }
            received = socket.recv(&mut bytes) => {
                if let Ok(length) = received {
                    told.send((place, bytes[..length].to_vec())).await.ok()?;
                }
            }
            () = tokio::time::sleep_until(until) => return Some(()),
        }
    }
}
