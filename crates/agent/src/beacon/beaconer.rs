//! The task that keeps the schedule of beacons: asks the ledger, writes the book before a radio has anything, and goes between the
//! schedule, the switch and the outbox. It decides nothing.

use super::book;
use super::challenge::{Challenge, Challenger};
use super::schedule::{Act, BeaconStatus, Hotspot, Net, Schedule, Sent};
use crate::carry::carrier::Said;
use crate::carry::line::Ask;
use crate::clock::Clock;
use crate::shell::mailbox::Mailbox;
use bytes::Bytes;
use cairn_types::{DeviceId, EpochNumber};
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How often the schedule is looked at: a beacon may be off its time by seconds.
pub const EVERY: Duration = Duration::from_millis(250);
/// Between two tries to hand a report to an outbox that has no room.
const RETRY: Duration = Duration::from_secs(5);
const TRIES_MAX: u32 = 120;

/// How beacons stand, for whoever asks.
#[derive(Clone, Default)]
pub struct Board(Arc<Mutex<Vec<BeaconStatus>>>);

impl Board {
    pub fn status(&self) -> Vec<BeaconStatus> {
        self.0.lock().expect("no holder of the lock panics").clone()
    }

    fn set(&self, status: Vec<BeaconStatus>) {
        *self.0.lock().expect("no holder of the lock panics") = status;
    }
}

pub struct Beaconer {
    pub challenger: Arc<dyn Challenger>,
    pub clock: Arc<dyn Clock>,
    pub networks: Vec<Net>,
    pub hotspots: Vec<Hotspot>,
    /// Where it is kept which beacon each radio was handed.
    pub file: PathBuf,
    pub every: Duration,
    pub board: Board,
}

/// What the ledger answered of an epoch of a network.
type Answer = (usize, EpochNumber, Result<Option<Challenge>, String>);

/// A number that nobody knows.
fn nonce() -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    u64::from_be_bytes(bytes)
}

struct Running {
    challenger: Arc<dyn Challenger>,
    clock: Arc<dyn Clock>,
    /// By network.
    devices: Vec<(cairn_types::NetworkId, Vec<DeviceId>)>,
    file: PathBuf,
    board: Board,
    schedule: Schedule,
    mailbox: Mailbox,
    asks: mpsc::Sender<Ask>,
    asking: JoinSet<Answer>,
    reports: JoinSet<(Sent, bool)>,
}

impl Beaconer {
    /// Until `stop` is done; then what was sent is handed to the outbox.
    pub async fn run(
        self,
        mailbox: Mailbox,
        mut said: mpsc::Receiver<Said>,
        asks: mpsc::Sender<Ask>,
        stop: impl Future<Output = ()>,
    ) {
        let book = book::open(&self.file);
        if book.is_none() {
            tracing::warn!(file = %self.file.display(), "the file of beacons cannot be read: none is sent in this epoch");
        }
        let of = |(place, net): (usize, &Net)| {
            let own = self.hotspots.iter().filter(|hotspot| hotspot.network == place);
            (net.id, own.map(|hotspot| hotspot.device).collect())
        };
        let mut running = Running {
            devices: self.networks.iter().enumerate().map(of).collect(),
            schedule: Schedule::new(self.networks, self.hotspots, book),
            challenger: self.challenger,
            clock: self.clock,
            file: self.file,
            board: self.board,
            mailbox,
            asks,
            asking: JoinSet::new(),
            reports: JoinSet::new(),
        };
        let mut tick = interval(self.every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(stop);
        loop {
            let acts = tokio::select! {
                () = &mut stop => break,
                _ = tick.tick() => {
                    let now = running.clock.now();
                    running.schedule.step(now, &mut nonce)
                }
                Some(answered) = running.asking.join_next(), if !running.asking.is_empty() => {
                    // A task that panicked has asked nothing; the next epoch asks again.
                    if let Ok((network, epoch, answer)) = answered {
                        let now = running.clock.now();
                        running.schedule.learn(network, epoch, answer, now);
                    }
                    Vec::new()
                }
                Some(said) = said.recv() => {
                    let now = running.clock.now();
                    match said {
                        Said::Heard(forwarder, heard) => {
                            running.schedule.heard(forwarder, &heard, now);
                            Vec::new()
                        }
                        Said::Sent { id, error, .. } => running.schedule.told(id, &error, now).into_iter().collect(),
                    }
                }
                Some(reported) = running.reports.join_next(), if !running.reports.is_empty() => {
                    running.reported(reported);
                    Vec::new()
                }
            };
            running.act(acts).await;
        }
        while let Some(reported) = running.reports.join_next().await {
            running.reported(reported);
        }
        running.act(Vec::new()).await;
    }
}

impl Running {
    /// A report came to its end. A task that panicked never says so: what it had is reported by the next process.
    fn reported(&mut self, reported: Result<(Sent, bool), tokio::task::JoinError>) {
        if let Ok((beacon, is_done)) = reported {
            self.schedule.reported(beacon, is_done);
        }
    }

    /// Keeps the book, then does what was decided; nothing of it where the book cannot be kept.
    async fn act(&mut self, acts: Vec<Act>) {
        let mut is_kept = true;
        if let Some(book) = self.schedule.to_keep() {
            let file = self.file.clone();
            let kept = tokio::task::spawn_blocking(move || book::keep(&file, &book)).await;
            if let Ok(Err(error)) = &kept {
                tracing::error!(file = %self.file.display(), %error, "the file of beacons cannot be written: none is sent");
            }
            is_kept = kept.is_ok_and(|kept| kept.is_ok());
            if !is_kept {
                self.schedule.not_kept();
            }
        }
        for act in acts {
            match act {
                Act::Ask { network, epoch } => self.ask(network, epoch),
                Act::Send { forwarder, id, json } if is_kept => {
                    let line = 0;
                    let ask = Ask {
                        forwarder,
                        line,
                        id,
                        json,
                    };
                    if self.asks.try_send(ask).is_err() {
                        let now = self.clock.now();
                        self.schedule.told(id, "TOO_LATE", now);
                    }
                }
                Act::Send { id, .. } => {
                    let now = self.clock.now();
                    self.schedule.told(id, "DISK", now);
                }
                Act::Report {
                    device,
                    message,
                    beacon,
                } => {
                    let report = report(self.mailbox.clone(), device, message);
                    self.reports.spawn(async move { (beacon, report.await) });
                }
            }
        }
        self.board.set(self.schedule.status());
    }

    fn ask(&mut self, network: usize, epoch: EpochNumber) {
        let (challenger, (id, devices)) = (Arc::clone(&self.challenger), self.devices[network].clone());
        self.asking.spawn(async move {
            let answer = challenger.challenge(id, epoch, devices).await;
            (network, epoch, answer)
        });
    }
}

/// Hands a report to the outbox, as soon as that has room; says whether that is done with. The outbox answers once it is on disk.
async fn report(mailbox: Mailbox, device: String, message: Vec<u8>) -> bool {
    let message = Bytes::from(message);
    for _ in 0..TRIES_MAX {
        let taken = match mailbox.take(&device, message.clone()).await {
            Ok(taken) => taken.await,
            Err(error) => Err(error),
        };
        match taken {
            Ok(_) => return true,
            Err(error) if error.is_temporary() => sleep(RETRY).await,
            Err(error) => {
                tracing::error!(device, %error, "a beacon is not reported");
                return true;
            }
        }
    }
    tracing::error!(device, "a beacon is not reported: the outbox has no room");
    false
}
