//! A chain process: the ledger on the engine, fed by the mempool, served over HTTP. Everything it starts it also ends.

use crate::eras::{self, Eras, ErasError};
use crate::follow::Follower;
use crate::founding::{Founding, FoundingError};
use crate::genesis::{self, GenesisFileError};
use crate::index::Index;
use crate::machine::{LedgerMachine, events};
use crate::mempool::admission::{Admission, Progress, SubmitError, Submitted};
use crate::mempool::{self, SharedPool, Why};
use crate::serve::{self, HttpLimits};
use crate::state::{State, StateError};
use crate::upgrades::{self, Rules};
use cairn_engine::{
    AskError, CatchUp, Clock, Config, EPOCH_BLOCKS, Ended, EraStart, Handle, Header, ManualClock, Pace, Retain,
    SystemClock, Validator,
};
use cairn_ledger::protocol::PROTOCOLS;
use cairn_ledger::records::Protocol;
use cairn_ledger::store::{Key, Missing, Store};
use cairn_ledger::{Event, Genesis, Ledger, Reject};
use cairn_types::{Hash, TimeMs};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Where the API listens unless told otherwise: this computer only.
pub const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8640);

/// What a node is told at its start.
#[derive(Clone)]
pub struct NodeConfig {
    pub data_dir: PathBuf,
    /// Of the HTTP API.
    pub listen: SocketAddr,
    pub genesis: Genesis,
    pub clock: Arc<dyn Clock>,
    pub pace: Pace,
    pub retain: Retain,
    /// Threads of the chain's runtime.
    pub threads: usize,
    /// All validators; empty when this node is the only one.
    pub validators: Vec<Validator>,
    /// The file of this node's keys; one that is not a validator's follows.
    pub keys: PathBuf,
    /// The validators' group, as their ceremony gave it; see [`Config::sharing`].
    pub sharing: Vec<u8>,
    /// Keys of nodes that may follow this one.
    pub followers: Vec<[u8; 32]>,
    pub catch_up: CatchUp,
    /// Where other nodes reach this one.
    pub peers_listen: SocketAddr,
    /// For a later era: those before it.
    pub eras: Option<Eras>,
    pub mempool: mempool::Limits,
    pub http: HttpLimits,
    /// Versions of the ledger's rules that this program is taken to speak: its own, but in tests of upgrades.
    pub speaks: RangeInclusive<u16>,
}

impl NodeConfig {
    /// One node of a founded chain: a validator, or a follower if its key is not among theirs.
    pub fn founded(data_dir: impl Into<PathBuf>, founding: &Founding, keys: PathBuf) -> Result<Self, NodeError> {
        let group = &founding.founded()?.group;
        Ok(Self {
            validators: founding.peers(),
            sharing: group.sharing.clone(),
            keys,
            eras: founding.eras()?,
            ..Self::solo(data_dir, founding.ledger()?)
        })
    }

    /// The only validator of its chain, on the computer's clock.
    pub fn solo(data_dir: impl Into<PathBuf>, genesis: Genesis) -> Self {
        let data_dir = data_dir.into();
        let chain = Config::alone(data_dir.join("chain"), genesis.chain.as_str());
        Self {
            listen: LISTEN_DEFAULT,
            genesis,
            clock: Arc::new(SystemClock),
            pace: chain.pace,
            retain: chain.retain,
            threads: chain.threads,
            validators: chain.validators,
            keys: chain.keys,
            sharing: chain.sharing,
            followers: chain.followers,
            catch_up: chain.catch_up,
            peers_listen: chain.listen,
            eras: None,
            mempool: mempool::Limits::default(),
            http: HttpLimits::default(),
            speaks: PROTOCOLS,
            data_dir,
        }
    }
}

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error(transparent)]
    Genesis(#[from] GenesisFileError),
    #[error(transparent)]
    Founding(#[from] FoundingError),
    #[error(transparent)]
    Eras(#[from] ErasError),
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
    #[error("cannot open the index of transactions: {0}")]
    Index(std::io::Error),
    #[error(transparent)]
    Chain(#[from] cairn_engine::StartError),
    #[error(transparent)]
    Ended(#[from] NodeEnded),
}

/// How a node ended that nobody asked to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeEnded {
    #[error("the node failed: {0}")]
    Failed(String),
    /// Nothing of the block was executed.
    #[error("the node stopped: {0}")]
    Unfit(String),
}

impl NodeEnded {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Failed(_) => "start it again; it goes on where it was. Its log says more",
            Self::Unfit(_) => "install the version it names, then start it again; docs/operate/upgrade.md tells how",
        }
    }
}

impl From<Ended> for NodeEnded {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Unfit(reason) => Self::Unfit(reason),
            Ended::Failed(reason) => Self::Failed(reason),
            Ended::Shutdown => Self::Failed("it was shut down".to_owned()),
        }
    }
}

impl NodeError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Genesis(error) => error.hint(),
            Self::Founding(error) => error.hint(),
            Self::Eras(error) => error.hint(),
            Self::Listen(..) => "another process has the address; name another one, or port 0 for any",
            Self::Index(_) => "check that the data folder is yours and the disk is not full",
            Self::Chain(error) => error.hint(),
            Self::Ended(ended) => ended.hint(),
        }
    }
}

/// A transaction in a final block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Final {
    pub id: Hash,
    pub height: u64,
    pub index: u32,
    pub events: Vec<Event>,
}

/// Why a transaction is not final.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutcomeError {
    #[error(transparent)]
    Submit(#[from] SubmitError),
    #[error(transparent)]
    Refused(Reject),
    #[error("the transaction left the pool: {0:?}")]
    Gone(Why),
    #[error("the era has ended; nothing happens any more on this chain")]
    EraOver,
    #[error(transparent)]
    Chain(#[from] AskError),
}

/// A running node.
pub struct NodeHandle {
    address: SocketAddr,
    chain: Handle,
    state: State,
    admission: Admission,
    follower: Arc<Follower>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

/// Starts a node: when this returns, it serves.
pub async fn start(config: NodeConfig) -> Result<NodeHandle, NodeError> {
    eras::settle(&config.data_dir, config.eras.as_ref())?;
    genesis::settle(&config.data_dir, &config.genesis)?;
    let begin = match &config.eras {
        None => EraStart::default(),
        Some(eras) => eras.start(&config.genesis)?,
    };
    let era_base = begin.height;
    let records = config.data_dir.join(eras::RECORDS_NAME);
    let ledger = Ledger::new(config.genesis.clone()).map_err(GenesisFileError::from)?;
    let ledger = Arc::new(ledger);
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| NodeError::Listen(config.listen, error))?;
    let address = listener
        .local_addr()
        .map_err(|error| NodeError::Listen(config.listen, error))?;
    let index = Index::open(&config.data_dir.join("index")).map_err(NodeError::Index)?;
    let stored = index.stored_height();
    let pool = Arc::new(SharedPool::new(config.mempool));
    let follower = Arc::new(Follower::new(index, pool.clone()));
    let validators = config.validators.len().max(1);
    let engine = Config {
        validators: config.validators,
        keys: config.keys,
        sharing: config.sharing,
        followers: config.followers,
        catch_up: config.catch_up,
        listen: config.peers_listen,
        pace: config.pace,
        epoch_blocks: NonZeroU64::new(config.genesis.limits.committee_blocks).unwrap_or(EPOCH_BLOCKS),
        retain: config.retain,
        threads: config.threads,
        records: (begin.era > 0 && records.exists()).then_some(records),
        begin,
        ..Config::alone(config.data_dir.join("chain"), config.genesis.chain.as_str())
    };
    let machine = Arc::new(LedgerMachine::speaking(ledger.clone(), config.speaks.clone()));
    let chain = cairn_engine::start_tokio(engine, machine, pool.clone(), follower.clone(), config.clock).await?;
    let state = State::new(chain.clone());
    let genesis = Arc::new(config.genesis);
    let (admission, desk) = Admission::new(ledger, state.clone(), pool.clone(), follower.clone());
    let (stop, stopped) = watch::channel(false);
    let (rules, rules_seen) = watch::channel(Rules {
        protocol: Protocol::default(),
        speaks: config.speaks,
    });
    let service = serve::Service {
        chain: chain.clone(),
        state: state.clone(),
        admission: admission.clone(),
        pool,
        follower: follower.clone(),
        genesis,
        eras: config.eras,
        rules: rules_seen,
        validators,
        limits: config.http,
        stop: stopped.clone(),
    };
    let mut tasks = JoinSet::new();
    // What this node once called final is there again before anybody asks. And before block 1, which writes genesis, nobody
    // has an account; a lone validator makes it at once.
    let least = stored.max(era_base + u64::from(validators == 1));
    let mut latest = chain.follow();
    let mut head = follower.head();
    let caught_up = async {
        let _ = latest.wait_for(|latest| latest.header.height >= least).await;
        let _ = head.wait_for(|head| *head >= least).await;
    };
    tokio::select! {
        () = caught_up => {}
        ended = chain.failed() => return Err(NodeEnded::from(ended).into()),
    }
    tasks.spawn(upgrades::follow(state.clone(), chain.follow(), rules, stopped.clone()));
    tasks.spawn(desk.run());
    tasks.spawn(serve::run(listener, service, stopped));
    Ok(NodeHandle {
        address,
        chain,
        state,
        admission,
        follower,
        stop,
        tasks,
    })
}

impl NodeHandle {
    /// Where the API listens.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The chain itself: proofs, blocks, its trust anchor.
    pub fn chain(&self) -> &Handle {
        &self.chain
    }

    /// Hands a transaction in without waiting for a block.
    pub async fn submit(&self, bytes: Vec<u8>) -> Result<Submitted, SubmitError> {
        self.admission.submit(bytes, false).await
    }

    /// Hands a transaction in and waits until it is final or cannot be.
    pub async fn submit_and_wait(&self, bytes: Vec<u8>) -> Result<Final, OutcomeError> {
        let Submitted { id, progress } = self.admission.submit(bytes, true).await?;
        let why = match progress {
            Progress::Final(place) => Why::Final {
                height: place.height,
                index: place.index,
            },
            Progress::Watched(ending) => tokio::select! {
                biased;
                ending = ending => ending.map_err(|_| SubmitError::Stopped)?,
                () = self.over() => return Err(OutcomeError::EraOver),
            },
            Progress::Waiting => return Err(SubmitError::Stopped.into()),
        };
        match why {
            Why::Final { height, index } => {
                let block = match self.follower.recent(height) {
                    Some(told) => told.block.clone(),
                    None => Arc::new(self.chain.block(height).await?),
                };
                let receipt = block.txs.get(index as usize).map_or(&[][..], |tx| &tx.receipt);
                let events = events(receipt);
                Ok(Final {
                    id,
                    height,
                    index,
                    events,
                })
            }
            Why::Refused { code, .. } => Err(match crate::machine::reject(code) {
                Some(reject) => OutcomeError::Refused(reject),
                None => OutcomeError::Gone(why),
            }),
            _ => Err(OutcomeError::Gone(why)),
        }
    }

    /// Resolves once the era has ended and this node has taken in all of it.
    async fn over(&self) {
        let mut latest = self.chain.follow();
        let over = latest.wait_for(|latest| latest.header.is_over()).await;
        let height = over.map(|latest| latest.header.height);
        match height {
            Ok(height) if self.taken_in(height).await.is_ok() => {}
            _ => std::future::pending().await,
        }
    }

    /// What a getter of the ledger finds in the newest final state, and that block's header.
    pub async fn look<T>(
        &self,
        look: impl FnMut(&mut dyn Store) -> Result<T, Missing>,
    ) -> Result<(Header, T), StateError> {
        self.look_with([], look).await
    }

    /// The same, with keys it will surely ask for: they are loaded together.
    pub async fn look_with<T>(
        &self,
        first: impl IntoIterator<Item = Key>,
        look: impl FnMut(&mut dyn Store) -> Result<T, Missing>,
    ) -> Result<(Header, T), StateError> {
        self.state.look(first, look).await
    }

    /// Moves a clock that is moved by hand, and waits for a final block of that time. A block comes when a transaction waits,
    /// or when the chain's time is `idle_interval` behind: keep that below the steps of the clock.
    pub async fn advance(&self, clock: &ManualClock, to: TimeMs) -> Result<Header, AskError> {
        clock.advance_to(to.0);
        let mut latest = self.chain.follow();
        let reached = latest.wait_for(|latest| latest.header.time_ms >= to.0).await;
        reached.map(|latest| latest.header.clone()).map_err(|_| AskError::Ended)
    }

    /// Waits until this node has taken in the block of a height: its events, its transactions.
    pub async fn taken_in(&self, height: u64) -> Result<(), AskError> {
        let mut head = self.follower.head();
        head.wait_for(|head| *head >= height)
            .await
            .map(drop)
            .map_err(|_| AskError::Ended)
    }

    /// Resolves only when the chain ends by itself, and says how; the process should end then.
    pub async fn failed(&self) -> NodeEnded {
        self.chain.failed().await.into()
    }

    /// Ends the API, then the chain. What was finalized stays.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        drop(self.admission);
        while let Some(task) = self.tasks.join_next().await {
            if let Err(error) = task {
                tracing::error!(%error, "a part of the node ended badly");
            }
        }
        self.chain.shutdown().await;
    }
}
