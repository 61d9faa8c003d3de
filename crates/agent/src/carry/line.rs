//! A radio's line to one router: says who it is, offers what it heard, hands over what is bought, takes promises and downlinks. It
//! comes back by itself; what was offered before is forgotten then, what is owed is not. What to hand over decides the account.

use super::account::Account;
use super::frames::Frames;
use super::market::Wanted;
use super::wire::{Down, Offer, Sender, Up, Verdict, hello_message};
use crate::gwmp::packet::Heard;
use cairn_types::{Credit, SecretKey, TimeMs, hash};
use cairn_verticals::wireless::params::Params;
use cairn_verticals::wireless::service::{meter, pieces};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// Offers that wait for an answer, as many as a router keeps of a line; more wait their turn.
const OFFERS_MAX: usize = 256;
/// Nobody answers a sender that waited longer: its windows are closed. An offer that is not answered in it is given up for another.
const FRESH: Duration = Duration::from_secs(3);
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(5);
/// How often a line says that it is there, and how long the other side may be silent.
const PING: Duration = Duration::from_secs(20);
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// What one radio heard.
#[derive(Clone, Debug)]
pub struct Reception {
    pub heard: Heard,
    pub sender: Sender,
    pub time: TimeMs,
    pub at: Instant,
}

/// A router's downlink, for the switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub forwarder: usize,
    pub line: u32,
    pub id: u32,
    pub json: Vec<u8>,
}

/// How a line stands, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LineStatus {
    pub device: String,
    pub order: String,
    pub router: String,
    pub connected: bool,
    pub offered: u64,
    pub carried: u64,
    /// Not carried, by the router's answer; `cut_off`: the customer owes more than it may; `behind`: more came than the line takes;
    /// `late`: it waited longer than senders do; `unanswered`: the router did not say; `away`: there was no line.
    pub refused: BTreeMap<&'static str, u64>,
    pub promised_credits: u64,
    pub owed_credits: u64,
    pub downlinks: u64,
    pub last_error: String,
}

/// What a line shares with the carrier: the account, and how it stands.
#[derive(Clone)]
pub struct Book(Arc<Mutex<(Account, LineStatus)>>);

impl Book {
    pub fn new(account: Account, status: LineStatus) -> Self {
        Self(Arc::new(Mutex::new((account, status))))
    }

    pub fn open(&self) -> MutexGuard<'_, (Account, LineStatus)> {
        self.0.lock().expect("no holder of the lock panics")
    }

    /// Counts a reception that is not carried.
    pub fn missed(&self, why: &'static str) {
        *self.open().1.refused.entry(why).or_default() += 1;
    }

    pub fn status(&self) -> LineStatus {
        let book = self.open();
        LineStatus {
            promised_credits: book.0.promised().0,
            owed_credits: book.0.owed().0,
            ..book.1.clone()
        }
    }
}

pub struct Line {
    pub number: u32,
    pub forwarder: usize,
    pub wanted: Wanted,
    pub key: SecretKey,
    pub eui: u64,
    pub params: Params,
    pub book: Book,
    pub heard: mpsc::Receiver<Reception>,
    pub told: mpsc::Receiver<(u32, String)>,
    pub asks: mpsc::Sender<Ask>,
}

/// An offered frame.
struct Offered {
    offer: Offer,
    frame: Vec<u8>,
    price: Credit,
    since: Instant,
}

impl Line {
    /// Until its task is ended.
    pub async fn run(mut self) {
        loop {
            let error = match self.connect().await {
                Ok(mut frames) => {
                    self.book.open().1.connected = true;
                    self.talk(&mut frames).await
                }
                Err(error) => error,
            };
            self.lost(&error);
            sleep(RETRY).await;
            while self.heard.try_recv().is_ok() {
                self.book.missed("away");
            }
        }
    }

    fn lost(&self, error: &io::Error) {
        let mut book = self.book.open();
        if book.1.connected || book.1.last_error.is_empty() {
            tracing::warn!(router = self.wanted.claim.router, %error, "no line to a router; it is tried again");
        }
        book.1.connected = false;
        book.1.last_error = error.to_string();
    }

    async fn connect(&mut self) -> io::Result<Frames> {
        let claim = &self.wanted.claim;
        let silent = || io::Error::from(io::ErrorKind::TimedOut);
        let stream = timeout(CONNECT_WAIT_MAX, TcpStream::connect(&claim.router)).await;
        let mut frames = Frames::new(stream.map_err(|_| silent())??);
        let Down::Challenge(nonce) = first(&mut frames).await? else {
            return Err(io::Error::other("the router does not say what to sign"));
        };
        let message = hello_message(&self.wanted.backing.chain, &claim.order, &nonce, self.eui);
        let hello = Up::Hello {
            key: self.key.public(),
            eui: self.eui,
            signature: self.key.sign(&message),
        };
        frames.send(&hello).await?;
        match first(&mut frames).await? {
            Down::Welcome => Ok(frames),
            Down::Farewell(why) => Err(io::Error::other(format!("the router says: {}", plain(&why)))),
            _ => Err(io::Error::other("the router does not greet")),
        }
    }

    /// Until something fails.
    async fn talk(&mut self, frames: &mut Frames) -> io::Error {
        let mut offers: BTreeMap<u64, Offered> = BTreeMap::new();
        let mut next = 0;
        let mut heard_at = Instant::now();
        let mut ping = Instant::now() + PING;
        loop {
            let oldest = offers.values().next().map(|offered| offered.since + FRESH);
            let given_up = oldest.filter(|_| offers.len() >= OFFERS_MAX);
            let done = tokio::select! {
                () = sleep_until(given_up.unwrap_or(ping)), if given_up.is_some() => {
                    offers.pop_first();
                    self.book.missed("unanswered");
                    Ok(())
                }
                Some(reception) = self.heard.recv(), if given_up.is_none() => {
                    next += 1;
                    self.offer(frames, &mut offers, next, reception).await
                }
                message = frames.next::<Down>() => {
                    heard_at = Instant::now();
                    match message {
                        Ok(message) => self.take(frames, &mut offers, message).await,
                        Err(error) => Err(error),
                    }
                }
                Some((id, error)) = self.told.recv() => frames.send(&Up::Sent { id, error }).await,
                () = sleep_until(ping) => {
                    ping = Instant::now() + PING;
                    match heard_at.elapsed() > SILENCE_MAX {
                        true => Err(io::ErrorKind::TimedOut.into()),
                        false => frames.send(&Up::Ping).await,
                    }
                }
            };
            if let Err(error) = done {
                return error;
            }
        }
    }

    async fn offer(
        &mut self,
        frames: &mut Frames,
        offers: &mut BTreeMap<u64, Offered>,
        number: u64,
        reception: Reception,
    ) -> io::Result<()> {
        let Reception {
            heard,
            sender,
            time,
            at,
        } = reception;
        if at.elapsed() > FRESH {
            self.book.missed("late");
            return Ok(());
        }
        let price = meter(&self.params, pieces(heard.frame.len() as u64)).credits;
        {
            let mut book = self.book.open();
            if !book.0.carries(price) {
                *book.1.refused.entry("cut_off").or_default() += 1;
                return Ok(());
            }
            book.1.offered += 1;
        }
        let offer = Offer {
            number,
            frame: hash::sha256(&heard.frame),
            sender,
            size: heard.frame.len() as u16,
            frequency_hz: heard.frequency_hz,
            spreading: heard.rate.spreading,
            bandwidth_hz: heard.rate.bandwidth_hz,
            rssi_ddbm: heard.rssi_ddbm(),
            snr_ddb: heard.snr_ddb(),
            heard: time,
            counter_us: heard.counter_us,
        };
        let frame = heard.frame;
        let since = Instant::now();
        let offered = Offered {
            offer,
            frame,
            price,
            since,
        };
        offers.insert(number, offered);
        frames.send(&Up::Offer(offer)).await
    }

    async fn take(
        &mut self,
        frames: &mut Frames,
        offers: &mut BTreeMap<u64, Offered>,
        message: Down,
    ) -> io::Result<()> {
        match message {
            Down::Answer { number, verdict } => {
                let Some(Offered {
                    offer, frame, price, ..
                }) = offers.remove(&number)
                else {
                    return Ok(());
                };
                let handed = {
                    let mut book = self.book.open();
                    let handed = book.0.hand_over(verdict, price);
                    match (handed, verdict) {
                        (true, _) => book.1.carried += 1,
                        (false, Verdict::Bought(_)) => *book.1.refused.entry("cut_off").or_default() += 1,
                        (false, verdict) => *book.1.refused.entry(verdict.name()).or_default() += 1,
                    }
                    handed
                };
                if !handed {
                    return Ok(());
                }
                let backing = &self.wanted.backing;
                let signature = self.key.sign(&offer.message(&backing.chain, &backing.order));
                frames
                    .send(&Up::Packet {
                        number,
                        frame,
                        signature,
                    })
                    .await
            }
            Down::Promise(promise) => {
                let taken = self.book.open().0.promise(*promise);
                taken
                    .map(drop)
                    .map_err(|error| io::Error::other(format!("the router's promise: {error}")))
            }
            Down::Send { id, json } => {
                self.book.open().1.downlinks += 1;
                let ask = Ask {
                    forwarder: self.forwarder,
                    line: self.number,
                    id,
                    json,
                };
                match self.asks.try_send(ask) {
                    Ok(()) => Ok(()),
                    // Too much at once: it would be too late.
                    Err(_) => {
                        frames
                            .send(&Up::Sent {
                                id,
                                error: "TOO_LATE".into(),
                            })
                            .await
                    }
                }
            }
            Down::Farewell(why) => Err(io::Error::other(format!("the router says: {}", plain(&why)))),
            Down::Welcome => Ok(()),
            Down::Challenge(_) => Err(io::Error::other("the router begins anew")),
        }
    }
}

async fn first(frames: &mut Frames) -> io::Result<Down> {
    let message = timeout(CONNECT_WAIT_MAX, frames.next()).await;
    message.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// A stranger's words, fit for a log.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
