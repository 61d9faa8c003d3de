//! The router as a process: a listener for devices' lines, one task that owns the desk, one that keeps promises on disk, and the network
//! servers. Nothing is decided here but limits.
//!
//! ```text
//! device ═▶ line (who is it, is the packet what was offered) ─▶ owner of the desk ─▶ servers
//!                                                                 └─▶ writer (fsync) ─▶ voucher ═▶ devices
//! ```

use crate::desk::{Answer, Desk, LineId};
use crate::keep::Kept;
use crate::server::{FromServer, ToServer, Uplink};
use cairn_agent::carry::frames::Frames;
use cairn_agent::carry::wire::{Down, Offer, Promise, Sender, Up, hello_message};
use cairn_agent::clock::Clock;
use cairn_agent::port::guard::Guard;
use cairn_types::{ChainId, Credit, DeviceId, DeviceNumber, OrderId, PublicKey, hash};
use futures::future::BoxFuture;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

/// Lines at once.
pub const LINES_MAX: usize = 1_024;
/// How long a stranger may take to say who it is.
const GREETING_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long a line may be silent; devices say every twenty seconds that they are there.
const SILENCE_MAX: Duration = Duration::from_secs(90);
/// Offers of one line that wait for their packets.
const OFFERS_MAX: usize = 256;
/// What waits for the owner of the desk, and for one line.
const ASKS_MAX: usize = 4_096;
const TO_LINE_MAX: usize = 1_024;
/// Downlinks whose end is not known; the oldest is given up for a new one.
const DOWNLINKS_MAX: usize = 1_024;
/// Vouchers are made so often, if there is more to promise.
const SIGN_EVERY: Duration = Duration::from_millis(200);

/// Who may carry, as the ledger has it.
pub trait Members: Send + Sync {
    /// The number of a device of the claim's network.
    fn member(&self, device: DeviceId) -> BoxFuture<'_, Result<Option<DeviceNumber>, String>>;
}

/// How a router stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub lines: usize,
    pub offers: u64,
    pub packets: u64,
    pub verdicts: BTreeMap<&'static str, u64>,
    /// Promised, and left to promise.
    pub promised: Credit,
    pub left: Credit,
}

pub struct Router {
    pub address: SocketAddr,
    pub standing: watch::Receiver<Standing>,
    /// The last promise that is on disk.
    pub promise: watch::Receiver<Option<Promise>>,
    stop: watch::Sender<bool>,
    owner: JoinHandle<()>,
}

/// What a router needs besides its desk.
pub struct Parts {
    pub listen: SocketAddr,
    pub members: Arc<dyn Members>,
    pub clock: Arc<dyn Clock>,
    /// Where promises are kept, and what is kept there.
    pub file: PathBuf,
    pub kept: Kept,
    pub servers: Vec<mpsc::Sender<ToServer>>,
    pub from_servers: mpsc::Receiver<FromServer>,
}

enum Ask {
    Join {
        device: DeviceNumber,
        eui: u64,
        line: mpsc::Sender<Down>,
        answer: oneshot::Sender<Option<LineId>>,
    },
    Offer(LineId, Offer),
    Packet(LineId, Box<(Offer, Vec<u8>)>),
    Sent(LineId, u32, String),
    Gone(LineId),
    Kept(Promise, Vec<DeviceNumber>),
}

impl Router {
    pub async fn start(desk: Desk, parts: Parts) -> io::Result<Self> {
        let listener = TcpListener::bind(parts.listen).await?;
        let address = listener.local_addr()?;
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let (stop, stopped) = watch::channel(false);
        let (tell, standing) = watch::channel(Standing::default());
        let (write, to_write) = mpsc::channel(1);
        let (wrote, promise) = watch::channel(parts.kept.promise.clone());
        let greeter = Arc::new(Greeter {
            chain: desk.terms().chain.clone(),
            order: desk.terms().claim.order,
            members: parts.members,
            asks: asks.clone(),
        });
        let writer = tokio::spawn(keep(parts.kept, parts.file, to_write, asks, wrote));
        let accepting = tokio::spawn(accept(Guard::new(listener, LINES_MAX, GREETING_WAIT_MAX), greeter));
        let owner = Owner {
            desk,
            clock: parts.clock,
            lines: BTreeMap::new(),
            next: 0,
            servers: parts.servers,
            downlinks: VecDeque::new(),
            next_downlink: 0,
            write: Some(write),
            promised: promise
                .borrow()
                .as_ref()
                .map_or(Credit::ZERO, |promise| promise.settle.voucher.credits),
        };
        let owner = tokio::spawn(async move {
            owner.run(asked, parts.from_servers, stopped, tell).await;
            accepting.abort();
            // It ends with the owner's channel; what it was given is written.
            let _ = writer.await;
        });
        Ok(Self {
            address,
            standing,
            promise,
            stop,
            owner,
        })
    }

    /// Ends all lines; what was delivered is promised and on disk.
    pub async fn stop(self) -> Option<Promise> {
        self.stop.send_replace(true);
        // A panic of its was logged; what is on disk counts.
        let _ = self.owner.await;
        self.promise.borrow().clone()
    }
}

/// Puts promises on disk, one after the other, before anybody sees them.
async fn keep(
    mut kept: Kept,
    file: PathBuf,
    mut promises: mpsc::Receiver<(Promise, Vec<DeviceNumber>)>,
    asks: mpsc::Sender<Ask>,
    wrote: watch::Sender<Option<Promise>>,
) {
    while let Some((promise, more)) = promises.recv().await {
        kept.promise = Some(promise.clone());
        let (copy, path) = (kept.clone(), file.clone());
        let written = tokio::task::spawn_blocking(move || copy.write(&path)).await;
        match written {
            Ok(Ok(())) => {
                wrote.send_replace(Some(promise.clone()));
                // Without an owner nobody is to be told.
                let _ = asks.send(Ask::Kept(promise, more)).await;
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "a voucher cannot be kept: it is not shown, and devices will wait")
            }
            Err(_) => return,
        }
    }
}

async fn accept(guard: Guard, greeter: Arc<Greeter>) {
    let mut lines = JoinSet::new();
    loop {
        let (stream, from, place) = guard.next().await;
        while lines.try_join_next().is_some() {}
        let greeter = Arc::clone(&greeter);
        lines.spawn(async move {
            if let Err(error) = greeter.serve(stream).await {
                tracing::debug!(%from, %error, "a line ended");
            }
            drop(place);
        });
    }
}

/// Serves lines, each in a task.
struct Greeter {
    chain: ChainId,
    order: OrderId,
    members: Arc<dyn Members>,
    asks: mpsc::Sender<Ask>,
}

impl Greeter {
    async fn serve(&self, stream: TcpStream) -> io::Result<()> {
        let mut frames = Frames::new(stream);
        let greeted = timeout(GREETING_WAIT_MAX, self.greet(&mut frames)).await;
        let (device, key, eui) = greeted.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        let gone = || io::Error::other("the router stops");
        let (line, mut waiting) = mpsc::channel(TO_LINE_MAX);
        let (answer, id) = oneshot::channel();
        let join = Ask::Join {
            device,
            eui,
            line,
            answer,
        };
        self.asks.send(join).await.map_err(|_| gone())?;
        let Some(id) = id.await.map_err(|_| gone())? else {
            let why = "another device's radio has this number";
            frames.send(&Down::Farewell(why.to_owned())).await?;
            return Err(io::Error::other(why));
        };
        let served = self.exchange(&mut frames, id, &key, &mut waiting).await;
        // Without an owner nobody is to be told.
        let _ = self.asks.send(Ask::Gone(id)).await;
        served
    }

    /// Who it is, proven by its key and the ledger's list.
    async fn greet(&self, frames: &mut Frames) -> io::Result<(DeviceNumber, PublicKey, u64)> {
        let mut nonce = [0; 32];
        getrandom::fill(&mut nonce).map_err(io::Error::other)?;
        frames.send(&Down::Challenge(nonce)).await?;
        let Up::Hello { key, eui, signature } = frames.next().await? else {
            return Err(io::Error::other("it does not say who it is"));
        };
        let message = hello_message(&self.chain, &self.order, &nonce, eui);
        let member = match key.verify(&message, &signature) {
            false => Err("the greeting is not signed by the device's key".to_owned()),
            true => self.members.member(key.device_id()).await,
        };
        let why = match member {
            Ok(Some(number)) => {
                frames.send(&Down::Welcome).await?;
                return Ok((number, key, eui));
            }
            Ok(None) => "the ledger has no such device in this network".to_owned(),
            Err(why) => why,
        };
        frames.send(&Down::Farewell(why.clone())).await?;
        Err(io::Error::other(why))
    }

    async fn exchange(
        &self,
        frames: &mut Frames,
        id: LineId,
        key: &PublicKey,
        waiting: &mut mpsc::Receiver<Down>,
    ) -> io::Result<()> {
        let mut offers: BTreeMap<u64, Offer> = BTreeMap::new();
        let mut until = Instant::now() + SILENCE_MAX;
        loop {
            tokio::select! {
                message = frames.next::<Up>() => {
                    until = Instant::now() + SILENCE_MAX;
                    let ask = match message? {
                        Up::Offer(offer) => {
                            offers.insert(offer.number, offer);
                            while offers.len() > OFFERS_MAX {
                                offers.pop_first();
                            }
                            Ask::Offer(id, offer)
                        }
                        Up::Packet { number, frame, signature } => {
                            let offer = offers.remove(&number);
                            let offer = offer.ok_or_else(|| io::Error::other("a packet that was not offered"))?;
                            let genuine = offer.frame == hash::sha256(&frame)
                                && usize::from(offer.size) == frame.len()
                                && Sender::of(&frame) == Some(offer.sender)
                                && key.verify(&offer.message(&self.chain, &self.order), &signature);
                            if !genuine {
                                return Err(io::Error::other("a packet is not what was offered, or not signed"));
                            }
                            Ask::Packet(id, Box::new((offer, frame)))
                        }
                        Up::Sent { id: downlink, error } => Ask::Sent(id, downlink, error),
                        Up::Ping => {
                            frames.send(&Down::Welcome).await?;
                            continue;
                        }
                        Up::Hello { .. } => return Err(io::Error::other("it says twice who it is")),
                    };
                    self.asks.send(ask).await.map_err(|_| io::Error::other("the router stops"))?;
                }
                down = waiting.recv() => match down {
                    Some(down) => {
                        if let Down::Answer { number, verdict } = &down
                            && !matches!(verdict, cairn_agent::carry::wire::Verdict::Bought(_))
                        {
                            offers.remove(number);
                        }
                        frames.send(&down).await?;
                    }
                    // Another line of the same device took its place, or the router stops.
                    None => return Ok(()),
                },
                () = sleep_until(until) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
    }
}

struct Line {
    device: DeviceNumber,
    eui: u64,
    to: mpsc::Sender<Down>,
}

/// A downlink on its way.
struct Downlink {
    id: u32,
    line: LineId,
    server: usize,
    token: u64,
}

struct Owner {
    desk: Desk,
    clock: Arc<dyn Clock>,
    lines: BTreeMap<LineId, Line>,
    next: LineId,
    servers: Vec<mpsc::Sender<ToServer>>,
    downlinks: VecDeque<Downlink>,
    next_downlink: u32,
    write: Option<mpsc::Sender<(Promise, Vec<DeviceNumber>)>>,
    promised: Credit,
}

impl Owner {
    async fn run(
        mut self,
        mut asks: mpsc::Receiver<Ask>,
        mut from_servers: mpsc::Receiver<FromServer>,
        mut stopped: watch::Receiver<bool>,
        tell: watch::Sender<Standing>,
    ) {
        let mut sign = interval(SIGN_EVERY);
        sign.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.desk.next_due().map(|due| due.since_ms(self.clock.now()));
            tokio::select! {
                // An error means that the router is gone, which is a stop as well.
                _ = stopped.wait_for(|stopped| *stopped) => break,
                Some(ask) = asks.recv() => self.take(ask),
                Some(downlink) = from_servers.recv() => self.send_down(downlink),
                () = tokio::time::sleep(Duration::from_millis(due.unwrap_or_default())), if due.is_some() => {
                    let answers = self.desk.due(self.clock.now());
                    answers.into_iter().for_each(|answer| self.answer(answer));
                }
                _ = sign.tick() => {
                    self.sign();
                    tell.send_replace(self.standing());
                }
            }
        }
        asks.close();
        while let Some(ask) = asks.recv().await {
            if let Ask::Packet(line, packet) = ask {
                self.packet(line, *packet);
            }
        }
        self.lines.clear();
        // The last word: waits for its turn at the disk.
        if let (Some(write), Some(last)) = (self.write.take(), self.desk.sign()) {
            let _ = write.send(last).await;
        }
    }

    fn standing(&self) -> Standing {
        let counts = &self.desk.counts;
        Standing {
            lines: self.lines.len(),
            offers: counts.offers,
            packets: counts.packets,
            verdicts: counts.verdicts.clone(),
            promised: self.promised,
            left: self.desk.left(),
        }
    }

    fn take(&mut self, ask: Ask) {
        match ask {
            Ask::Join {
                device,
                eui,
                line,
                answer,
            } => {
                let of_radio = self.lines.iter().filter(|(_, line)| line.eui == eui);
                let before: Vec<(LineId, DeviceNumber)> = of_radio.map(|(id, line)| (*id, line.device)).collect();
                if before.iter().any(|(_, other)| *other != device) {
                    // Nobody takes another's downlinks by saying its number. Whoever asked may be gone.
                    let _ = answer.send(None);
                    return;
                }
                // The latest line of a radio is the one it listens to.
                before.into_iter().for_each(|(id, _)| self.end(id));
                self.next += 1;
                self.tell_servers(&ToServer::Online(eui));
                self.lines.insert(self.next, Line { device, eui, to: line });
                // Whoever asked may be gone: then it says so next.
                let _ = answer.send(Some(self.next));
            }
            Ask::Offer(line, offer) => {
                let Some(device) = self.lines.get(&line).map(|line| line.device) else {
                    return;
                };
                let now = self.clock.now();
                if let Some(answer) = self.desk.offer(line, device, offer, now) {
                    self.answer(answer);
                }
            }
            Ask::Packet(line, packet) => self.packet(line, *packet),
            Ask::Sent(line, id, error) => {
                let found = self
                    .downlinks
                    .iter()
                    .position(|downlink| downlink.id == id && downlink.line == line);
                let Some(downlink) = found.and_then(|found| self.downlinks.remove(found)) else {
                    return;
                };
                self.told(&downlink, error);
            }
            Ask::Gone(line) => self.end(line),
            Ask::Kept(promise, more) => {
                self.promised = promise.settle.voucher.credits;
                let of_more = self.lines.values().filter(|line| more.contains(&line.device));
                for line in of_more {
                    // A line that reads nothing will be told with the next one.
                    let _ = line.to.try_send(Down::Promise(Box::new(promise.clone())));
                }
            }
        }
    }

    fn packet(&mut self, line: LineId, (offer, frame): (Offer, Vec<u8>)) {
        if !self.desk.packet(line, offer.number) {
            return;
        }
        let eui = self.lines.get(&line).map_or(0, |line| line.eui);
        self.tell_servers(&ToServer::Uplink(Uplink { eui, offer, frame }));
        // Long before a device stops for want of a voucher.
        if self.desk.unsigned().0 >= self.desk.terms().claim.exposure.0 / 4 {
            self.sign();
        }
    }

    /// Signs what is owed, if the disk has time for it.
    fn sign(&mut self) {
        let Some(write) = &self.write else { return };
        if let Ok(place) = write.clone().try_reserve_owned()
            && let Some(promise) = self.desk.sign()
        {
            place.send(promise);
        }
    }

    fn answer(&mut self, answer: Answer) {
        let Answer { line, number, verdict } = answer;
        let Some(to) = self.lines.get(&line).map(|line| line.to.clone()) else {
            // Its line ended while it waited: what was bought of it never comes, the next best is asked.
            self.desk.gone(line, self.clock.now());
            return;
        };
        if to.try_send(Down::Answer { number, verdict }).is_err() {
            self.end(line);
        }
    }

    fn send_down(&mut self, downlink: FromServer) {
        let FromServer {
            server,
            eui,
            token,
            json,
        } = downlink;
        self.next_downlink = self.next_downlink.wrapping_add(1);
        let id = self.next_downlink;
        let line = self.lines.iter().find(|(_, line)| line.eui == eui);
        let way = line.map(|(line, to)| (*line, to.to.try_send(Down::Send { id, json }).is_ok()));
        let downlink = Downlink {
            id,
            line: way.map_or(0, |(line, _)| line),
            server,
            token,
        };
        match way {
            Some((_, true)) => {
                if self.downlinks.len() >= DOWNLINKS_MAX {
                    self.downlinks.pop_front();
                }
                self.downlinks.push_back(downlink);
            }
            _ => self.told(&downlink, "TOO_LATE".to_owned()),
        }
    }

    fn told(&self, downlink: &Downlink, error: String) {
        let error: String = error.chars().filter(char::is_ascii_graphic).take(32).collect();
        if let Some(server) = self.servers.get(downlink.server) {
            let token = downlink.token;
            let _ = server.try_send(ToServer::Told { token, error });
        }
    }

    fn tell_servers(&self, word: &ToServer) {
        for server in &self.servers {
            if server.try_send(word.clone()).is_err() {
                tracing::warn!("a network server takes no more: a packet is lost to it");
            }
        }
    }

    fn end(&mut self, line: LineId) {
        if let Some(ended) = self.lines.remove(&line) {
            self.desk.gone(line, self.clock.now());
            if !self.lines.values().any(|line| line.eui == ended.eui) {
                self.tell_servers(&ToServer::Offline(ended.eui));
            }
        }
    }
}
