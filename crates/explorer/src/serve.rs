//! The whole explorer: the threads that follow and fetch, and the door. Loses nothing when it ends at any moment.

use crate::api::audit::Audits;
use crate::api::{self, Door, Shared, Streams};
use crate::archives::{Fetcher, HttpSources, Sources};
use crate::db::{DbError, Location, Readers};
use crate::dial;
use crate::follow::{FollowError, Follower, Writing};
use crate::live::Live;
use crate::webhooks::Webhooks;
use cairn_client::{Anchor, ClientError, NodeClient};
use cairn_node::HttpLimits;
use cairn_types::TimeMs;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::runtime::Handle as Runtime;
use tokio::sync::watch;

/// Streams at once.
const STREAMS_MAX: usize = 256;
/// For one answer out of the index: it ends before the door ends the waiting for it.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(80);
/// For a connection to node, gateway or verifier.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);

/// What an explorer needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The node that is followed.
    pub node: String,
    pub anchor: Anchor,
    pub gateway: Option<String>,
    /// Verifiers whose archives are asked before those that the ledger names.
    pub verifiers: Vec<String>,
    pub database: Location,
    /// Makes the index anew.
    pub rebuild: bool,
    pub listen: SocketAddr,
    pub allow_origin: Option<String>,
    /// Names under which it is reached, besides addresses and `localhost`.
    pub hosts: Vec<String>,
    /// Whether operators may have alerts posted.
    pub webhooks: bool,
    /// Whether verifiers that the ledger names, and addresses that operators sign, may be on this computer or in its own network.
    pub near: bool,
    /// The time that the chain goes by, where it is not this computer's: a demo's.
    pub clock: Clock,
}

/// What says the time.
#[derive(Clone)]
pub struct Clock(pub Arc<dyn Fn() -> TimeMs + Send + Sync>);

impl std::fmt::Debug for Clock {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Clock({})", (self.0)())
    }
}

impl Default for Clock {
    /// This computer's.
    fn default() -> Self {
        Self(Arc::new(system_time))
    }
}

impl Settings {
    /// Of one node alone: nothing is passed on, and nobody else may read.
    pub fn of(node: &str, anchor: Anchor, database: Location, listen: SocketAddr) -> Self {
        Self {
            node: node.to_owned(),
            anchor,
            gateway: None,
            verifiers: Vec::new(),
            database,
            rebuild: false,
            listen,
            allow_origin: None,
            hosts: Vec::new(),
            webhooks: false,
            near: false,
            clock: Clock::default(),
        }
    }
}

/// This computer's time.
pub fn system_time() -> TimeMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimeMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Why an explorer does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Node(#[from] ClientError),
    #[error(transparent)]
    Follow(#[from] FollowError),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("{0} is taken or may not be listened on: {1}")]
    Listen(SocketAddr, std::io::Error),
    #[error("{0}")]
    Thread(std::io::Error),
}

impl StartError {
    /// What to do about it.
    pub fn hint(&self) -> &str {
        match self {
            Self::Node(error) => error.hint(),
            Self::Follow(error) => error.hint(),
            Self::Db(error) => error.hint(),
            Self::Listen(..) => "name another address with --listen",
            Self::Thread(_) => "end other programs, or raise the limit of threads",
        }
    }
}

/// A running explorer.
pub struct Handle {
    url: String,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
    doors: Vec<tokio::task::JoinHandle<()>>,
}

/// As a person is told where it is: on this computer by name, for a browser's passkeys belong to a name and to no number.
pub fn page_url(address: SocketAddr) -> String {
    match address.ip().is_loopback() {
        true => format!("http://localhost:{}", address.port()),
        false => format!("http://{address}"),
    }
}

/// The other place at which a browser looks for `localhost`, where this computer has it and it is free.
async fn beside(address: SocketAddr) -> Option<TcpListener> {
    let is_first = address.ip().is_loopback() && address.is_ipv4();
    let other = SocketAddr::from((Ipv6Addr::LOCALHOST, address.port()));
    match is_first {
        true => TcpListener::bind(other).await.ok(),
        false => None,
    }
}

impl Handle {
    /// Where its page is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends everything; what is committed stays.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        for door in self.doors {
            // One that panicked has said so.
            let _ = door.await;
        }
        let threads = self.threads;
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                // One that panicked has said so.
                let _ = thread.join();
            }
        });
        let _ = joined.await;
    }
}

/// Starts everything; returns when requests are taken.
pub async fn start(settings: Settings) -> Result<Handle, StartError> {
    let client = NodeClient::trusting(&settings.node, settings.anchor.clone())?;
    let (client, _) = client.followed().await?;
    let mut run = [0; 8];
    // Only names this run for those who listen.
    let _ = getrandom::fill(&mut run);
    let live = Live::new(u64::from_be_bytes(run));
    let location = settings.database.clone();
    let follower = Follower::new(client.clone(), location.clone(), live.clone()).await?;
    let genesis = Arc::new(follower.rules().ledger.genesis().clone());
    let (at, rebuild) = (location.clone(), settings.rebuild);
    let opened = tokio::task::spawn_blocking(move || Writing::open(&at, rebuild)).await;
    let writing = opened.map_err(|error| DbError::Failed(error.to_string()))??;
    let listener = TcpListener::bind(settings.listen).await;
    let listener = listener.map_err(|error| StartError::Listen(settings.listen, error))?;
    let address = listener
        .local_addr()
        .map_err(|error| StartError::Listen(settings.listen, error))?;
    let runtime = Runtime::current();
    let failed = |error: reqwest::Error| ClientError::Unreachable(error.to_string());
    let (stop, stopped) = watch::channel(false);
    let (named, near) = (settings.verifiers.clone(), settings.near);
    let sources = HttpSources::new(named, near, runtime.clone(), stopped.clone()).map_err(failed)?;
    let sources: Arc<dyn Sources> = Arc::new(sources);
    let patient = || reqwest::Client::builder().connect_timeout(CONNECT_WAIT_MAX);
    let http = dial::client(true, patient()).map_err(failed)?;
    let strangers = dial::client(settings.near, patient()).map_err(failed)?;
    let (audit_asked, mut audits_wanted) = watch::channel(0);
    let (at, wanted, near) = (location.clone(), settings.webhooks, settings.near);
    let opened = tokio::task::spawn_blocking(move || wanted.then(|| Webhooks::open(at, near)).transpose()).await;
    let webhooks = opened.map_err(|error| DbError::Failed(error.to_string()))??;
    let anchor = follower.anchor();
    let shared = Arc::new(Shared {
        readers: Readers::new(location.clone(), ANSWER_WAIT_MAX),
        genesis: genesis.clone(),
        anchor,
        live: live.clone(),
        client,
        node: settings.node.clone(),
        gateway: settings.gateway.clone(),
        verifiers: settings.verifiers.clone(),
        sources: sources.clone(),
        audits: Audits::default(),
        audit_asked,
        http,
        strangers,
        near: settings.near,
        tables: Shared::table_places(),
        charts: Shared::places(),
        streams: Streams::new(STREAMS_MAX),
        webhooks: webhooks.clone(),
        answered: Default::default(),
        standings: Default::default(),
        clock: settings.clock.clone(),
        stop: stopped.clone(),
    });
    let mut threads = Vec::new();
    let turns = writing.turns.clone();
    let (handle, halt) = (runtime.clone(), stopped.clone());
    threads.push(thread("explorer-follow", move || {
        follower.run(writing, &handle, &halt)
    })?);
    let fetcher = Fetcher::new(location.clone(), sources.clone(), live.clone(), turns);
    let (handle, halt) = (runtime.clone(), stopped.clone());
    threads.push(thread("explorer-archives", move || fetcher.run(&handle, &halt))?);
    let (audits, mut halt, clock) = (shared.audits.clone(), stopped.clone(), settings.clock.clone());
    let handle = runtime.clone();
    threads.push(thread("explorer-audits", move || {
        while !*halt.borrow() {
            audits_wanted.mark_unchanged();
            if audits.run_next(&location, &genesis, sources.as_ref(), || (clock.0)()) {
                continue;
            }
            handle.block_on(async {
                tokio::select! {
                    _ = halt.wait_for(|stop| *stop) => {}
                    Ok(()) = audits_wanted.changed() => {}
                }
            });
        }
    })?);
    if let Some(webhooks) = webhooks {
        tokio::spawn(webhooks.run(live, stopped.clone()));
    }
    let door = Door {
        allow_origin: settings.allow_origin.clone(),
        hosts: settings.hosts.clone(),
        ..Door::default()
    };
    let router = api::router(shared, door);
    let limits = HttpLimits {
        answer_wait_max: Duration::from_secs(90),
        ..HttpLimits::default()
    };
    let listeners = [Some(listener), beside(address).await];
    let door = |listener| tokio::spawn(cairn_node::listen(listener, router.clone(), limits, stopped.clone()));
    let doors = listeners.into_iter().flatten().map(door).collect();
    Ok(Handle {
        url: page_url(address),
        stop,
        threads,
        doors,
    })
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    let named = std::thread::Builder::new().name(name.to_owned());
    named.spawn(run).map_err(StartError::Thread)
}
