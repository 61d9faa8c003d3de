//! A verifier as a service: the HTTP face, the collector's thread, the epochs' thread, and a handle to all of it. Wires, and decides
//! nothing.
//!
//! ```text
//! sockets ─▶ http ─▶ mailbox ─▶ collector thread ─▶ log          epochs thread ─▶ archive, chain
//!                                      ▲────────── seal, read ──────────┘   ▲ advance(now), or every `pace`
//! ```

#[cfg(test)]
mod several;
#[cfg(test)]
mod tests;

use crate::chain::{Chain, ChainError};
use crate::clock::Clock;
use crate::collector::{self, CollectError, Collector};
use crate::disk::Folder;
use crate::epochs::{self, Advanced, EpochError, Epochs, Waits};
use crate::http::{self, Desk, Rate, Shared, Standing, Timeouts};
use crate::intake::Windows;
use crate::limits::SEGMENT_BYTES_MIN;
use crate::mailbox::{self, Mailbox};
use crate::metrics::{self, Metrics};
use crate::objects::{ObjectError, Objects, Remote, S3};
use crate::peers::courier::{Courier, Patience};
use crate::price::PriceFeed;
use crate::submit::Submitter;
use cairn_types::{AccountId, EpochNumber, NetworkId, SecretKey, TimeMs};
use cairn_verticals::by_name;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Where sealed epochs go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArchivePlace {
    Folder(PathBuf),
    S3(S3),
}

/// Everything a verifier is told.
#[derive(Clone)]
pub struct Config {
    /// Port 0 takes any free one.
    pub listen: SocketAddr,
    /// The folder of the log.
    pub data: PathBuf,
    pub archive: ArchivePlace,
    /// The bonded verifier's key: signs receipts and results.
    pub key: SecretKey,
    /// The verifier's account.
    pub submitter: Submitter,
    pub networks: Vec<NetworkId>,
    /// Random bytes for a new log.
    pub log_seed: [u8; 32],
    pub windows: Windows,
    /// Advances by itself so often; `None`: only when told to.
    pub pace: Option<Duration>,
    pub segment_bytes: u32,
    /// Rosters are asked for again at most so often when a device is not known.
    pub roster_ms_min: u64,
    pub remember_epochs: u64,
    /// Envelopes that wait for the log at most.
    pub queue_envelopes_max: usize,
    pub connections_max: usize,
    pub timeouts: Timeouts,
    pub rate: Rate,
    /// What `Retry-After` says.
    pub retry_seconds: u32,
    /// Where other verifiers are reached, where their address on the ledger does not serve.
    pub addresses: BTreeMap<AccountId, String>,
    /// How long other verifiers may take.
    pub patience: Patience,
}

/// What keeps a verifier from starting.
#[derive(Debug, Error)]
pub enum StartError {
    #[error("network {network}: no vertical is called {vertical}")]
    Vertical { network: NetworkId, vertical: String },
    #[error("a segment of the log has at least {0} bytes")]
    SegmentTooShort(usize),
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error(transparent)]
    Collect(#[from] CollectError),
    #[error(transparent)]
    Epochs(#[from] EpochError),
    #[error(transparent)]
    Archive(#[from] ObjectError),
    #[error("{0}")]
    System(#[from] std::io::Error),
}

impl Config {
    /// A verifier of this machine alone, its archive beside its log.
    pub fn new(
        data: PathBuf,
        key: SecretKey,
        submitter: Submitter,
        networks: Vec<NetworkId>,
        log_seed: [u8; 32],
    ) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            archive: ArchivePlace::Folder(data.join("archive")),
            data: data.join("log"),
            key,
            submitter,
            networks,
            log_seed,
            windows: Windows {
                ahead_ms_max: 10 * 60 * 1_000,
                grace_ms: 5 * 60 * 1_000,
            },
            pace: None,
            segment_bytes: 8 * 1024 * 1024,
            roster_ms_min: 1_000,
            remember_epochs: 24,
            queue_envelopes_max: 65_536,
            connections_max: 256,
            timeouts: Timeouts {
                idle: Duration::from_secs(60),
                request: Duration::from_secs(30),
            },
            rate: Rate {
                per_second: 50_000,
                burst: 100_000,
            },
            retry_seconds: 2,
            addresses: BTreeMap::new(),
            patience: Patience::default(),
        }
    }
}

/// Times that a verifier without a pace advances for what came of others while it was told to.
const ROUNDS_MAX: usize = 8;

enum Order {
    Advance(TimeMs, oneshot::Sender<Advanced>),
    Stop,
}

/// A running verifier.
pub struct Handle {
    address: SocketAddr,
    orders: SyncSender<Order>,
    mailbox: Mailbox,
    metrics: Metrics,
    stop_http: Option<oneshot::Sender<()>>,
    http: tokio::task::JoinHandle<std::io::Result<()>>,
    threads: Vec<JoinHandle<()>>,
}

/// Starts a verifier; returns once it takes reports. Needs a tokio runtime for its sockets.
pub async fn start(
    config: Config,
    chain: Arc<dyn Chain>,
    clock: Arc<dyn Clock>,
    feed: Option<Arc<dyn PriceFeed>>,
) -> Result<Handle, StartError> {
    let listener = TcpListener::bind(config.listen).await?;
    let address = listener.local_addr()?;
    let metrics = Metrics::default();
    let (opening, counting) = (config.clone(), metrics.clone());
    let runtime = tokio::runtime::Handle::current();
    let opened = tokio::task::spawn_blocking(move || {
        // Beside the log, whose folder holds nothing but segments.
        let folder = opening.data.with_extension("fetched");
        let courier = Courier::open(&folder, opening.patience, runtime)?;
        open(&opening, chain, clock, feed, courier, counting)
    });
    let opened = opened.await.map_err(std::io::Error::other)??;
    let Opened {
        shared,
        mailbox,
        orders,
        threads,
    } = opened;
    let (stop_http, stopped) = oneshot::channel();
    let serving = http::serve(listener, config.timeouts, config.connections_max, shared, stopped);
    let http = tokio::spawn(serving);
    Ok(Handle {
        address,
        orders,
        mailbox,
        metrics,
        stop_http: Some(stop_http),
        http,
        threads,
    })
}

struct Opened {
    shared: Arc<Shared>,
    mailbox: Mailbox,
    orders: SyncSender<Order>,
    threads: Vec<JoinHandle<()>>,
}

/// Opens log, archive and epochs, and starts their threads. Blocks: it reads the log and asks the chain.
fn open(
    config: &Config,
    chain: Arc<dyn Chain>,
    clock: Arc<dyn Clock>,
    feed: Option<Arc<dyn PriceFeed>>,
    courier: Courier,
    metrics: Metrics,
) -> Result<Opened, StartError> {
    if (config.segment_bytes as usize) < SEGMENT_BYTES_MIN {
        return Err(StartError::SegmentTooShort(SEGMENT_BYTES_MIN));
    }
    let objects: Arc<dyn Objects> = Arc::new(match &config.archive {
        ArchivePlace::Folder(path) => Remote::folder(path)?,
        ArchivePlace::S3(place) => Remote::s3(place)?,
    });
    let ledger = chain.clone();
    // Beside the log as well.
    let desk = Desk::open(&config.data.with_extension("handed"))?;
    let facts = chain.facts()?;
    let mut networks = Vec::with_capacity(config.networks.len());
    for id in &config.networks {
        let network = chain.network(id, EpochNumber(u64::MAX))?;
        let vertical = by_name(&network.vertical);
        let vertical = vertical.ok_or(StartError::Vertical {
            network: *id,
            vertical: network.vertical,
        })?;
        networks.push((*id, vertical, network.first));
    }
    let settings = collector::Settings {
        verifier: config.submitter.account,
        key: config.key.clone(),
        windows: config.windows,
        clock: facts.clock,
        segment_bytes: config.segment_bytes,
        roster_ms_min: config.roster_ms_min,
        log_seed: config.log_seed,
    };
    let disk = metrics::timed(Box::new(Folder::open(&config.data)?), metrics.clone());
    let collector = Collector::open(settings, chain.clone(), Box::new(disk), &networks)?;
    let settings = epochs::Settings {
        key: config.key.clone(),
        submitter: config.submitter.clone(),
        grace_ms: config.windows.grace_ms,
        shards: 1,
        remember_epochs: config.remember_epochs,
        addresses: config.addresses.clone(),
    };
    let peers = Arc::new(courier.clone());
    let epochs = Epochs::open(settings, chain, objects.clone(), peers, feed, &config.networks)?;

    let (mailbox, collecting) = mailbox::spawn(collector, clock.clone(), metrics.clone(), config.queue_envelopes_max)?;
    let (orders, inbox) = sync_channel(16);
    let standing = Arc::new(Mutex::new(standing_of(&epochs)));
    let keeper = Keeper {
        epochs,
        courier,
        mailbox: mailbox.clone(),
        clock: clock.clone(),
        pace: config.pace,
        metrics: metrics.clone(),
        standing: standing.clone(),
    };
    let keeping = std::thread::Builder::new()
        .name("cairn-epochs".to_owned())
        .spawn(move || keeper.run(&inbox))?;
    let shared = Shared {
        chain: facts.chain,
        verifier: config.submitter.account,
        mailbox: mailbox.clone(),
        metrics,
        clock,
        objects,
        networks: config.networks.clone(),
        standing,
        rate: Shared::rates(config.rate),
        readers: Shared::readers(),
        ledger,
        desk,
        retry_seconds: config.retry_seconds,
    };
    Ok(Opened {
        shared: Arc::new(shared),
        mailbox,
        orders,
        threads: vec![keeping, collecting],
    })
}

impl Handle {
    /// Where it is reached.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// It is now `now`: seals, judges, attests, settles and pays everything due; returns when that is done.
    pub async fn advance(&self, now: TimeMs) -> Advanced {
        let (reply, done) = oneshot::channel();
        let orders = self.orders.clone();
        // The channel is short; waiting for a place in it must not hold an async thread.
        let sent = tokio::task::spawn_blocking(move || orders.send(Order::Advance(now, reply)).is_ok()).await;
        if sent.unwrap_or(false) {
            done.await.unwrap_or_default()
        } else {
            Advanced::default()
        }
    }

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Answers what it has taken, then stops.
    pub async fn shutdown(mut self) -> std::io::Result<()> {
        if let Some(stop) = self.stop_http.take() {
            // A server that is gone has stopped.
            let _ = stop.send(());
        }
        let Self {
            orders,
            mailbox,
            threads,
            http,
            ..
        } = self;
        let abort = http.abort_handle();
        let waited = tokio::time::timeout(Duration::from_secs(5), http).await;
        tokio::task::spawn_blocking(move || {
            // Threads that are gone have stopped.
            let _ = orders.send(Order::Stop);
            mailbox.stop();
            threads.into_iter().for_each(|thread| drop(thread.join()));
        })
        .await
        .map_err(std::io::Error::other)?;
        match waited {
            Ok(served) => served.map_err(std::io::Error::other)?,
            Err(_) => {
                abort.abort();
                Ok(())
            }
        }
    }
}

/// The owner of the epochs.
struct Keeper {
    epochs: Epochs,
    courier: Courier,
    mailbox: Mailbox,
    clock: Arc<dyn Clock>,
    pace: Option<Duration>,
    metrics: Metrics,
    standing: Arc<Mutex<Vec<Standing>>>,
}

impl Keeper {
    fn run(mut self, inbox: &Receiver<Order>) {
        loop {
            let order = match self.pace {
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(pace) => inbox.recv_timeout(pace),
            };
            match order {
                Ok(Order::Advance(now, reply)) => {
                    let advanced = self.advance(now);
                    // Whoever asked may be gone.
                    let _ = reply.send(advanced);
                }
                Err(RecvTimeoutError::Timeout) => {
                    let now = self.clock.now();
                    self.advance(now);
                }
                Ok(Order::Stop) | Err(RecvTimeoutError::Disconnected) => {
                    self.courier.close();
                    return;
                }
            }
        }
    }

    /// Without a pace of its own it also waits for what it asked others for, as long as something comes.
    fn advance(&mut self, now: TimeMs) -> Advanced {
        let mut advanced = self.epochs.advance(now, &mut self.mailbox);
        let mut arrived = 0;
        for _ in 0..ROUNDS_MAX {
            if self.pace.is_some() || !waits_for_others(&advanced) {
                break;
            }
            match self.courier.wait(arrived) {
                Some(more) => arrived = more,
                None => break,
            }
            let more = self.epochs.advance(now, &mut self.mailbox);
            let (paid, differs) = (advanced.paid, advanced.differs);
            advanced = more;
            advanced.paid.splice(0..0, paid);
            advanced.differs.splice(0..0, differs);
        }
        advanced
            .differs
            .iter()
            .for_each(|(.., verifier)| self.metrics.differs(verifier));
        let standing = standing_of(&self.epochs);
        let mut stages: Vec<(&'static str, i64)> = epochs::Stage::ALL.iter().map(|stage| (stage.name(), 0)).collect();
        for one in &standing {
            stages
                .iter_mut()
                .filter(|(name, _)| *name == one.stage)
                .for_each(|(_, count)| *count += 1);
        }
        self.metrics.epochs(&stages, advanced.paid.len());
        *self.standing.lock().expect("no holder of the lock panics") = standing;
        advanced
    }
}

fn waits_for_others(advanced: &Advanced) -> bool {
    let others = [Waits::Reports, Waits::Memory, Waits::Signatures];
    advanced.waits.iter().any(|(.., waits)| others.contains(waits))
}

fn standing_of(epochs: &Epochs) -> Vec<Standing> {
    let one = |(network, epoch, stage): (&NetworkId, EpochNumber, epochs::Stage)| Standing {
        network: *network,
        epoch,
        stage: stage.name(),
    };
    epochs.stages().map(one).collect()
}
