//! Keeps lines between the radios and those who want their packets: asks the market who does, brings what was heard to every line
//! whose claim wants it, and shows promises to whoever settles them. Bounded in lines; it decides nothing about money.

use super::account::Account;
use super::line::{Ask, Book, Line, LineStatus, Reception};
use super::market::{Market, Wanted};
use super::wire::{Promise, Sender};
use crate::clock::Clock;
use crate::gwmp::packet::Heard;
use cairn_types::{Credit, DeviceId, DeviceNumber, NetworkId, OrderId, SecretKey};
use cairn_verticals::wireless::params::Params;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, MissedTickBehavior, interval};

/// Lines of one agent at most; claims beyond them are not served.
pub const LINES_MAX: usize = 1_024;
/// Claims that one radio serves.
pub const CLAIMS_MAX: usize = 32;
/// Receptions on their way to one line: what a radio hears in the second after which senders listen, were it all of a concentrator's
/// channels at their fastest. More are not offered there, and counted as `behind`.
const TO_LINE_MAX: usize = 512;
/// How often the market is asked, and promises are shown.
pub const EVERY: Duration = Duration::from_secs(15);

/// A radio that carries packets.
#[derive(Clone)]
pub struct Radio {
    /// Its place among the forwarders.
    pub forwarder: usize,
    pub name: String,
    pub device: DeviceId,
    pub key: SecretKey,
    pub eui: u64,
    pub network: NetworkId,
    pub params: Params,
}

/// What the switch says: what a radio heard, and what became of a line's downlink.
#[derive(Clone, Debug)]
pub enum Said {
    Heard(usize, Vec<Heard>),
    Sent { line: u32, id: u32, error: String },
}

/// How lines stand, for whoever asks.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<Book>>>);

impl Lines {
    pub fn status(&self) -> Vec<LineStatus> {
        let books = self.0.lock().expect("no holder of the lock panics");
        books.iter().map(Book::status).collect()
    }
}

pub struct Carrier {
    pub market: Arc<dyn Market>,
    pub clock: Arc<dyn Clock>,
    pub radios: Vec<Radio>,
    /// What any customer may owe a device, whatever it states itself.
    pub exposure_max: Credit,
    /// How often the market is asked.
    pub every: Duration,
    pub lines: Lines,
}

struct Running {
    number: u32,
    wanted: Wanted,
    book: Book,
    heard: mpsc::Sender<Reception>,
    told: mpsc::Sender<(u32, String)>,
    task: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// By the radio's place and the order.
type All = BTreeMap<(usize, OrderId), Running>;

/// What the market answered, asked beside all else so that nothing waits for it.
struct Answers {
    wanted: Vec<(NetworkId, Vec<Wanted>)>,
    devices: BTreeMap<DeviceId, DeviceNumber>,
    shown: Vec<(OrderId, Credit)>,
}

impl Carrier {
    /// Until `stop` is done; then what was promised is shown once more.
    pub async fn run(self, mut said: mpsc::Receiver<Said>, asks: mpsc::Sender<Ask>, stop: impl Future<Output = ()>) {
        let mut all = All::new();
        let mut shown: BTreeMap<OrderId, Credit> = BTreeMap::new();
        let mut devices: BTreeMap<DeviceId, DeviceNumber> = BTreeMap::new();
        let mut numbers = 0;
        let mut asking: Option<JoinHandle<Answers>> = None;
        let mut tick = interval(self.every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                _ = tick.tick(), if asking.is_none() => {
                    let unknown = self.radios.iter().map(|radio| radio.device);
                    let unknown = unknown.filter(|device| !devices.contains_key(device)).collect();
                    asking = Some(tokio::spawn(ask(
                        Arc::clone(&self.market),
                        self.radios.iter().map(|radio| radio.network).collect(),
                        unknown,
                        best(&all, &shown),
                    )));
                }
                answers = async { asking.as_mut().expect("it is there").await }, if asking.is_some() => {
                    asking = None;
                    // A task that panicked has asked nothing; it is asked again.
                    let Ok(answers) = answers else { continue };
                    devices.extend(answers.devices);
                    shown.extend(answers.shown);
                    self.look(&mut all, &mut numbers, &asks, answers.wanted, &devices);
                    shown.retain(|order, _| all.keys().any(|(_, of)| of == order));
                }
                Some(said) = said.recv() => self.bring(&all, said),
            }
        }
        let last = best(&all, &shown);
        show(self.market.as_ref(), last).await;
    }

    fn bring(&self, all: &All, said: Said) {
        match said {
            Said::Heard(forwarder, heard) => {
                let (time, at) = (self.clock.now(), Instant::now());
                for heard in heard {
                    let Some(sender) = Sender::of(&heard.frame) else {
                        continue;
                    };
                    let of_radio = all.range((forwarder, OrderId([0; 32]))..=(forwarder, OrderId([0xff; 32])));
                    for (_, line) in of_radio.filter(|(_, line)| line.wanted.claim.wants(&sender)) {
                        let heard = heard.clone();
                        let reception = Reception {
                            heard,
                            sender,
                            time,
                            at,
                        };
                        if line.heard.try_send(reception).is_err() {
                            line.book.missed("behind");
                        }
                    }
                }
            }
            Said::Sent { line, id, error } => {
                if let Some(line) = all.values().find(|running| running.number == line) {
                    let _ = line.told.try_send((id, error));
                }
            }
        }
    }

    /// Opens lines to who wants something, and ends those to who does not any more.
    fn look(
        &self,
        all: &mut All,
        numbers: &mut u32,
        asks: &mpsc::Sender<Ask>,
        wanted: Vec<(NetworkId, Vec<Wanted>)>,
        devices: &BTreeMap<DeviceId, DeviceNumber>,
    ) {
        for (network, wanted) in wanted {
            for radio in self.radios.iter().filter(|radio| radio.network == network) {
                all.retain(|(forwarder, order), _| {
                    *forwarder != radio.forwarder || wanted.iter().any(|one| one.claim.order == *order)
                });
                let Some(device) = devices.get(&radio.device) else {
                    tracing::warn!(device = radio.name, "the ledger has no such device: nothing is carried");
                    continue;
                };
                for one in wanted.iter().take(CLAIMS_MAX) {
                    self.serve(all, numbers, asks, (radio, *device), one);
                }
            }
        }
        let books = all.values().map(|line| line.book.clone()).collect();
        *self.lines.0.lock().expect("no holder of the lock panics") = books;
    }

    fn serve(
        &self,
        all: &mut All,
        numbers: &mut u32,
        asks: &mpsc::Sender<Ask>,
        (radio, device): (&Radio, DeviceNumber),
        wanted: &Wanted,
    ) {
        let place = (radio.forwarder, wanted.claim.order);
        let before = all.get(&place);
        if before.is_some_and(|line| line.wanted == *wanted) || (before.is_none() && all.len() >= LINES_MAX) {
            return;
        }
        let book = match before {
            // The customer says it anew: what it owes stays.
            Some(line) => line.book.clone(),
            None => {
                let exposure = wanted.claim.exposure.min(self.exposure_max);
                let status = LineStatus {
                    device: radio.name.clone(),
                    order: wanted.claim.order.to_string(),
                    router: wanted.claim.router.clone(),
                    ..LineStatus::default()
                };
                Book::new(Account::new(wanted.backing.clone(), device, exposure), status)
            }
        };
        *numbers += 1;
        let (heard, receptions) = mpsc::channel(TO_LINE_MAX);
        let (told, ends) = mpsc::channel(TO_LINE_MAX);
        let line = Line {
            number: *numbers,
            forwarder: radio.forwarder,
            wanted: wanted.clone(),
            key: radio.key.clone(),
            eui: radio.eui,
            params: radio.params.clone(),
            book: book.clone(),
            heard: receptions,
            told: ends,
            asks: asks.clone(),
        };
        let running = Running {
            number: *numbers,
            wanted: wanted.clone(),
            book,
            heard,
            told,
            task: tokio::spawn(line.run()).abort_handle(),
        };
        all.insert(place, running);
    }
}

/// The best promise of each order that was not shown yet.
fn best(all: &All, shown: &BTreeMap<OrderId, Credit>) -> Vec<Promise> {
    let mut best: BTreeMap<OrderId, Promise> = BTreeMap::new();
    for ((_, order), line) in all {
        let Some(promise) = line.book.open().0.best().cloned() else {
            continue;
        };
        let credits = promise.settle.voucher.credits;
        let before = best.get(order).map(|promise| promise.settle.voucher.credits);
        if before.max(shown.get(order).copied()) < Some(credits) {
            best.insert(*order, promise);
        }
    }
    best.into_values().collect()
}

async fn ask(
    market: Arc<dyn Market>,
    networks: BTreeSet<NetworkId>,
    unknown: Vec<DeviceId>,
    promises: Vec<Promise>,
) -> Answers {
    let shown = show(market.as_ref(), promises).await;
    let mut answers = Answers {
        wanted: Vec::new(),
        devices: BTreeMap::new(),
        shown,
    };
    for network in networks {
        match market.wanted(network).await {
            Ok(wanted) => answers.wanted.push((network, wanted)),
            Err(why) => tracing::warn!(why, "who wants packets cannot be asked: the lines there are stay"),
        }
    }
    for device in unknown {
        match market.device(device).await {
            Ok(number) => answers.devices.extend(number.map(|number| (device, number))),
            Err(why) => tracing::warn!(why, "the ledger cannot be asked for a device"),
        }
    }
    answers
}

/// Says what was taken.
async fn show(market: &dyn Market, promises: Vec<Promise>) -> Vec<(OrderId, Credit)> {
    let mut shown = Vec::new();
    for promise in promises {
        let voucher = promise.settle.voucher;
        match market.show(promise).await {
            Ok(()) => shown.push((voucher.order, voucher.credits)),
            Err(why) => {
                tracing::warn!(order = %voucher.order, why, "a promise is not with the gateway yet; it is shown again");
            }
        }
    }
    shown
}
