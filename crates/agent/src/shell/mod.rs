//! The agent as a process: ports, one committer that owns the agent, one uplink. Nothing is decided here.
//!
//! ```text
//! http ────┐                          ┌─▶ spawn_blocking(agent: take, commit, answer)
//! mqtt ────┤                          │
//! datagram ┼─▶ mailbox ─▶ committer ──┤
//! uplink ──┤      (bounded)           ├─▶ wakes the uplink
//! ledger ──┘                          └─▶ wakes who asks the ledger, when nobody takes a batch
//! ```
//! On stop the ports finish what they have begun, the uplink sends what it can within a limit, and the committer writes down
//! the rest.

pub mod mailbox;

use crate::agent::{Agent, AgentError, TakeError};
use crate::beacon::beaconer::Beaconer;
use crate::carry::carrier::Carrier;
use crate::clock::Clock;
use crate::config::{Config, ConfigError};
use crate::disk::FolderDisk;
use crate::gwmp::mux::{Forwarder, Mux, SettingsError};
use crate::keys::{Keys, KeysError};
use crate::outbox::OutboxError;
use crate::port::guard::Guard;
use crate::port::{datagram, http, mqtt};
use crate::registry::Asking;
use crate::uplink::Uplink;
use cairn_secrets::SecretsError;
use cairn_types::TimeMs;
use mailbox::{Ask, Mailbox, Outgoing, Take};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep, timeout, timeout_at};

/// Asks that are answered together, with one sync.
const GROUP_MAX: usize = 1_024;
/// Packets and downlinks between the switch and the carrier.
const CARRIED_MAX: usize = 1_024;
/// How long the committer sleeps when nothing is due.
const IDLE: Duration = Duration::from_secs(60);
/// How long it rests after the disk failed.
const REST: Duration = Duration::from_secs(1);
/// How long the uplink may go on sending after a stop, and the ports may take to end.
const FLUSH: Duration = Duration::from_secs(10);

#[derive(Debug, Error)]
pub enum ShellError {
    #[error("{address}: {error}")]
    Listen { address: SocketAddr, error: io::Error },
    #[error("{path}: {error}")]
    Folder { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    #[error(transparent)]
    Forwarders(#[from] SettingsError),
    #[error("a task of the agent panicked: {0}")]
    Panicked(#[from] JoinError),
    #[error("the HTTP port failed: {0}")]
    Http(io::Error),
}

/// Where to listen; port 0 lets the system choose.
#[derive(Clone, Debug, Default)]
pub struct Ports {
    pub http: Option<SocketAddr>,
    pub mqtt: Option<SocketAddr>,
    /// Where packet forwarders send to, and which.
    pub gwmp: Option<(SocketAddr, Vec<Forwarder>)>,
}

/// What a shell may have besides its ports.
#[derive(Default)]
pub struct Extras {
    /// How the ledger is asked who has a bond.
    pub asking: Option<Asking>,
    /// Who carries what forwarders hear to those who pay for it.
    pub carrier: Option<Carrier>,
    /// Who sends the beacons that radios are asked for.
    pub beaconer: Option<Beaconer>,
}

/// A running agent.
pub struct Shell {
    /// Where it listens.
    pub http: Option<SocketAddr>,
    pub mqtt: Option<SocketAddr>,
    pub gwmp: Option<SocketAddr>,
    pub mailbox: Mailbox,
    stop: watch::Sender<bool>,
    end: oneshot::Sender<()>,
    ports: Vec<JoinHandle<Result<(), ShellError>>>,
    uplink: JoinHandle<()>,
    asker: Option<JoinHandle<()>>,
    committer: JoinHandle<Result<Agent, ShellError>>,
}

impl Shell {
    /// Opens the agent of a configuration on its folder. Keys must be there.
    pub fn open(config: &Config) -> Result<Agent, ShellError> {
        let disk = |path: PathBuf| FolderDisk::open(&path).map_err(|error| ShellError::Folder { path, error });
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| KeysError::from(SecretsError::Random))?;
        let (outbox, journal) = (disk(config.outbox_path())?, disk(config.journal_path())?);
        let keys = Keys::open(&config.keys_path())?;
        Ok(Agent::open(
            config.parts(seed)?,
            &keys,
            Box::new(outbox),
            Box::new(journal),
        )?)
    }

    /// Starts it with the verifiers of the settings only.
    pub async fn start(
        agent: Agent,
        ports: Ports,
        uplink: Arc<dyn Uplink>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ShellError> {
        Self::start_with(agent, ports, uplink, clock, Extras::default()).await
    }

    /// Starts it with all that belongs to it.
    pub async fn start_with(
        mut agent: Agent,
        ports: Ports,
        uplink: Arc<dyn Uplink>,
        clock: Arc<dyn Clock>,
        extras: Extras,
    ) -> Result<Self, ShellError> {
        let Extras {
            asking,
            carrier,
            beaconer,
        } = extras;
        if let Some(routes) = asking.as_ref().and_then(Asking::kept) {
            agent.set_routes(routes, None);
        }
        let (mailbox, asks) = Mailbox::new();
        let (stop, stopped) = watch::channel(false);
        let mut running = Vec::new();
        let (mut gwmp, mut forwarders) = (None, None);
        if let Some((address, settings)) = ports.gwmp {
            let opened = datagram::Port::open(address, Mux::new(settings)?).await;
            let (port, status, address) = opened.map_err(|error| ShellError::Listen { address, error })?;
            let lines = carrier
                .as_ref()
                .map(|carrier| carrier.lines.clone())
                .unwrap_or_default();
            let carried = carrier.map(|carrier| {
                let (said, heard) = mpsc::channel(CARRIED_MAX);
                let (asks, asked) = mpsc::channel(CARRIED_MAX);
                let stop = stopping(stopped.clone());
                running.push(tokio::spawn(async {
                    carrier.run(heard, asks, stop).await;
                    Ok(())
                }));
                datagram::Carried { said, asks: asked }
            });
            let beacons = beaconer
                .as_ref()
                .map(|beaconer| beaconer.board.clone())
                .unwrap_or_default();
            let beaconed = beaconer.map(|beaconer| {
                let (said, heard) = mpsc::channel(CARRIED_MAX);
                let (asks, asked) = mpsc::channel(CARRIED_MAX);
                let (mailbox, stop) = (mailbox.clone(), stopping(stopped.clone()));
                running.push(tokio::spawn(async {
                    beaconer.run(mailbox, heard, asks, stop).await;
                    Ok(())
                }));
                datagram::Carried { said, asks: asked }
            });
            let (mailbox, stop) = (mailbox.clone(), stopping(stopped.clone()));
            running.push(tokio::spawn(async {
                port.serve(mailbox, carried, beaconed, stop).await;
                Ok(())
            }));
            let radios = http::Radios {
                forwarders: status,
                lines,
                beacons,
            };
            (gwmp, forwarders) = (Some(address), Some(radios));
        }
        let http = match ports.http {
            None => None,
            Some(address) => {
                let (guard, address) = listen(address, http::CONNECTIONS_MAX, http::PATIENCE).await?;
                let serve = http::serve(guard, mailbox.clone(), forwarders, stopping(stopped.clone()));
                running.push(tokio::spawn(async { serve.await.map_err(ShellError::Http) }));
                Some(address)
            }
        };
        let mqtt = match ports.mqtt {
            None => None,
            Some(address) => {
                let (guard, address) = listen(address, mqtt::CONNECTIONS_MAX, mqtt::PATIENCE).await?;
                let stopped = stopped.clone();
                let serve = mqtt::serve(guard, mailbox.clone(), move || stopping(stopped.clone()));
                running.push(tokio::spawn(async {
                    serve.await;
                    Ok(())
                }));
                Some(address)
            }
        };
        let wakes = Wakes::default();
        let (end, ended) = oneshot::channel();
        let asker = asking.map(|asking| {
            let stop = stopping(stopped.clone());
            let failing = Arc::clone(&wakes.failing);
            tokio::spawn(asking.run(mailbox.clone(), Arc::clone(&clock), failing, stop))
        });
        let wake = Arc::clone(&wakes.send);
        let sending = send(mailbox.clone(), uplink, Arc::clone(&clock), wake, stopped);
        Ok(Self {
            http,
            mqtt,
            gwmp,
            mailbox,
            stop,
            end,
            ports: running,
            uplink: tokio::spawn(sending),
            asker,
            committer: tokio::spawn(commit(agent, asks, ended, clock, wakes)),
        })
    }

    /// Ends the ports, sends what can be sent soon, writes down the rest, and gives the agent back.
    pub async fn stop(self) -> Result<Agent, ShellError> {
        self.stop.send_replace(true);
        let until = Instant::now() + FLUSH;
        for mut port in self.ports {
            match timeout_at(until, &mut port).await {
                Ok(ended) => ended??,
                Err(_) => port.abort(),
            }
        }
        self.uplink.await?;
        if let Some(asker) = self.asker {
            asker.await?;
        }
        // Connections that did not end may still hold mailboxes: these are closed now. An error means it has ended itself.
        let _ = self.end.send(());
        self.committer.await?
    }

    /// Returns when a part of the agent has failed; while all is well, never.
    pub async fn failed(&mut self) -> ShellError {
        match (&mut self.committer).await {
            Ok(Err(error)) => error,
            Ok(Ok(_)) => ShellError::Outbox(OutboxError::Stopped),
            Err(error) => error.into(),
        }
    }
}

async fn listen(address: SocketAddr, places: usize, patience: Duration) -> Result<(Guard, SocketAddr), ShellError> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| ShellError::Listen { address, error })?;
    let address = listener
        .local_addr()
        .map_err(|error| ShellError::Listen { address, error })?;
    Ok((Guard::new(listener, places, patience), address))
}

async fn stopping(mut stopped: watch::Receiver<bool>) {
    // An error means that the shell is gone, which is a stop as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn wait_until(clock: &dyn Clock, until: Option<TimeMs>) -> Duration {
    until.map_or(IDLE, |until| {
        Duration::from_millis(until.since_ms(clock.now()).max(1)).min(IDLE)
    })
}

/// Those who wait for a word of the committer.
#[derive(Default)]
struct Wakes {
    /// There is something to send.
    send: Arc<Notify>,
    /// A batch was not taken.
    failing: Arc<Notify>,
}

/// Owns the agent: gathers asks, has them answered together, and seals what is due. Ends when nobody can ask any more.
async fn commit(
    mut agent: Agent,
    mut asks: mpsc::Receiver<Ask>,
    mut end: oneshot::Receiver<()>,
    clock: Arc<dyn Clock>,
    wakes: Wakes,
) -> Result<Agent, ShellError> {
    let mut rest = Duration::ZERO;
    let mut ending = false;
    loop {
        let mut group = Vec::new();
        let due = wait_until(clock.as_ref(), agent.next_due()).max(rest);
        let ended = tokio::select! {
            count = asks.recv_many(&mut group, GROUP_MAX) => count == 0,
            () = sleep(due) => false,
            _ = &mut end, if !ending => {
                asks.close();
                ending = true;
                continue;
            }
        };
        let now = clock.now();
        let before = agent.next_send();
        let done = tokio::task::spawn_blocking(move || {
            let done = if ended {
                agent.finish()
            } else {
                answer(&mut agent, group, now)
            };
            (agent, done)
        });
        let (back, done) = done.await?;
        agent = back;
        rest = match done {
            Err(error @ OutboxError::Stopped) => return Err(error.into()),
            Err(error) => {
                tracing::error!(%error, "the outbox cannot be written");
                REST
            }
            Ok(()) => Duration::ZERO,
        };
        if ended {
            return Ok(agent);
        }
        // Only what is new: the uplink was told itself when to ask again, and would otherwise never come to wait.
        let next = agent.next_send();
        if next.is_some() && next != before {
            wakes.send.notify_one();
        }
        if agent.is_failing() {
            wakes.failing.notify_one();
        }
    }
}

/// An agent without threads and clock, for whoever drives it by hand: what is asked waits until it is answered.
pub struct Desk {
    agent: Agent,
    asks: mpsc::Receiver<Ask>,
}

impl Desk {
    pub fn new(agent: Agent) -> (Self, Mailbox) {
        let (mailbox, asks) = Mailbox::new();
        (Self { agent, asks }, mailbox)
    }

    /// Answers all that waits, as the committer does.
    pub fn answer(&mut self, now: TimeMs) -> Result<(), OutboxError> {
        let group = std::iter::from_fn(|| self.asks.try_recv().ok())
            .take(GROUP_MAX)
            .collect();
        answer(&mut self.agent, group, now)
    }
}

/// Answers a group of asks: messages are answered once they are on disk. A disk that fails stops no sending.
fn answer(agent: &mut Agent, group: Vec<Ask>, now: TimeMs) -> Result<(), OutboxError> {
    let mut taken = Vec::new();
    let mut sends = Vec::new();
    let mut done = Ok(());
    for ask in group {
        match ask {
            Ask::Take(take) => {
                if agent.is_full() {
                    done = done.and(settle(agent, &mut taken));
                }
                let Take { name, message, answer } = take;
                let device = agent.find(&name).ok_or(TakeError::UnknownDevice);
                taken.push((answer, device.and_then(|device| agent.take(device, &message, now))));
            }
            Ask::Delivered(batch, delivery) => {
                agent.delivered(batch, delivery, now);
            }
            Ask::Routes(routes, heard) => agent.set_routes(routes, Some(heard)),
            Ask::Send(answer) => sends.push(answer),
            Ask::Status(answer) => {
                // Whoever asked may be gone.
                let _ = answer.send(agent.status(now));
            }
        }
    }
    done = done.and(settle(agent, &mut taken));
    done = done.and(agent.seal_due(now));
    for answer in sends {
        let outgoing = match agent.outgoing(now) {
            Ok(Some(batch)) => {
                let verifier = agent.verifiers()[batch.verifier].clone();
                Outgoing::Batch(Box::new(batch), verifier)
            }
            Ok(None) => Outgoing::Nothing {
                until: agent.next_send(),
            },
            Err(error) => {
                done = done.and(Err(error));
                Outgoing::Nothing {
                    until: agent.next_send(),
                }
            }
        };
        if let Err(Outgoing::Batch(batch, _)) = answer.send(outgoing) {
            agent.take_back(*batch);
        }
    }
    done
}

/// Messages of a group, and what is to be said about each.
type Taken = Vec<(oneshot::Sender<Result<usize, TakeError>>, Result<usize, TakeError>)>;

/// Commits and tells everybody what became of their message.
fn settle(agent: &mut Agent, taken: &mut Taken) -> Result<(), OutboxError> {
    let committed = agent.commit();
    for (answer, result) in taken.drain(..) {
        let result = match (&committed, result) {
            (Err(_), Ok(_)) => Err(TakeError::Disk),
            (_, result) => result,
        };
        // Whoever asked may be gone: the message is on disk all the same.
        let _ = answer.send(result);
    }
    committed
}

/// Sends what the agent gives, one batch at a time.
async fn send(
    mailbox: Mailbox,
    uplink: Arc<dyn Uplink>,
    clock: Arc<dyn Clock>,
    wake: Arc<Notify>,
    stopped: watch::Receiver<bool>,
) {
    let stop = stopping(stopped.clone());
    let over = async {
        stopping(stopped.clone()).await;
        sleep(FLUSH).await;
    };
    tokio::pin!(stop, over);
    while let Some(outgoing) = mailbox.outgoing().await {
        match outgoing {
            Outgoing::Batch(batch, verifier) => {
                let delivery = tokio::select! {
                    delivery = uplink.send(&verifier, batch.body.clone()) => delivery,
                    () = &mut over => break,
                };
                if mailbox.delivered(*batch, delivery).await.is_none() {
                    break;
                }
            }
            // What cannot be sent now stays on disk.
            Outgoing::Nothing { .. } if *stopped.borrow() => break,
            Outgoing::Nothing { until } => {
                let wait = wait_until(clock.as_ref(), until);
                tokio::select! {
                    // Woken or not, there may be something now.
                    _ = timeout(wait, wake.notified()) => {}
                    () = &mut stop => {}
                }
            }
        }
    }
}
