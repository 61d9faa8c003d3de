//! A whole network in this process, on the real clock, with its data in a folder: node, verifier and gateway. Starts again on what is
//! there; loses nothing when it ends at any moment.
//!
//! ```text
//! account.keys   founder, verifier, issuer, gateway      node/   chain and genesis      verifier/   log
//! settings.json  where they listen, which chain           archive/   sealed epochs       gateway/    journal
//! ```

use super::chain::{LocalNode, NodeChain};
use super::wallet::Wallet;
use super::{first_run, gateway, until_stopped};
use crate::error::{Done, Failure, Kind, OrFail};
use crate::home::{AnchorText, Home, Settings};
use cairn_ledger::{Genesis, view};
use cairn_node::{NodeConfig, NodeHandle};
use cairn_types::{NetworkId, NetworkNumber, Price, SecretKey};
use cairn_verifier::clock::SystemClock;
use cairn_verifier::objects::{Objects, Remote};
use cairn_verifier::price::FixedPrice;
use cairn_verifier::submit::Submitter;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often the ledger is looked at for networks that are new.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the verifier looks for something to do, at most.
const PACE_MAX: Duration = Duration::from_secs(5);
/// How long after its end an epoch takes reports, at most.
const GRACE_MS_MAX: u64 = 5 * 60 * 1_000;

/// What a person may choose.
pub struct Options {
    pub chain: String,
    /// For a new chain; one that is there keeps its own.
    pub epoch_ms: Option<u64>,
    /// Of the node; verifier and gateway take the next two. 0: any.
    pub port: u16,
    /// What the verifier says a token is worth.
    pub price: Price,
}

pub struct Up {
    home: PathBuf,
    pub genesis: Genesis,
    node: Arc<NodeHandle>,
    chain: Arc<NodeChain>,
    verifier: Option<cairn_verifier::Handle>,
    verifier_key: SecretKey,
    listen: SocketAddr,
    pub gateway: cairn_gateway::Handle,
    price: Price,
    pub networks: Vec<NetworkId>,
    pub settings: Settings,
}

fn listen(first_port: u16, place: u16) -> SocketAddr {
    let port = if first_port == 0 {
        0
    } else {
        first_port.saturating_add(place)
    };
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// Starts everything; returns when all of it takes requests, and the settings say where.
pub async fn start(home: &Home, options: &Options) -> Result<Up, Failure> {
    let folder = home.absolute()?;
    let people = first_run::People::of(home)?;
    let genesis = first_run::genesis(&folder.join("node"), &people, options)?;
    let node = start_node(folder.join("node"), &genesis, options.port).await?;
    let local = LocalNode {
        node: node.clone(),
        runtime: tokio::runtime::Handle::current(),
    };
    let chain = Arc::new(NodeChain::new(Arc::new(local), &genesis));
    let wallet = Wallet::new(node.clone(), genesis.chain.clone());
    first_run::found(&node, &wallet, &people).await?;

    let networks = networks(&node).await?;
    let verifier_key = people.verifier.clone();
    let served = Served {
        home: &folder,
        genesis: &genesis,
        chain: &chain,
        key: &verifier_key,
        price: options.price,
    };
    let verifier = served.verifier(&networks, listen(options.port, 1)).await?;
    let archive = folder.join("archive");
    let objects: Arc<dyn Objects> = Arc::new(Remote::folder(&archive).or_fail(Kind::Files, archive.display())?);
    let gateway = gateway::start(
        folder.join("gateway"),
        &people.gateway,
        chain.clone(),
        objects,
        &verifier.url(),
        listen(options.port, 2),
    )
    .await?;
    let settings = Settings {
        node: Some(node.url()),
        verifier: Some(verifier.url()),
        gateway: Some(gateway.url().to_owned()),
        anchor: Some(AnchorText::from(node.chain().anchor())),
    };
    home.save(&settings)?;
    let listen = address(&verifier.url())?;
    Ok(Up {
        home: folder,
        genesis,
        node,
        chain,
        verifier: Some(verifier),
        verifier_key,
        listen,
        gateway,
        price: options.price,
        networks,
        settings,
    })
}

fn address(url: &str) -> Result<SocketAddr, Failure> {
    let address = url.trim_start_matches("http://").parse();
    address.or_fail(Kind::Internal, "the verifier's address")
}

async fn start_node(folder: PathBuf, genesis: &Genesis, port: u16) -> Result<Arc<NodeHandle>, Failure> {
    let mut config = NodeConfig::solo(folder, genesis.clone());
    config.listen = listen(port, 0);
    // Whoever audits reads vouchers from old blocks.
    config.retain.blocks = None;
    // An epoch shall end when it is over, and not a block's while later.
    config.pace.idle_interval = config
        .pace
        .idle_interval
        .min(Duration::from_millis(genesis.epoch_ms / 4));
    let node = cairn_node::start(config).await.map_err(|error| {
        let hint = error.hint();
        Failure::new(Kind::Files, error).hint(hint)
    })?;
    Ok(Arc::new(node))
}

/// The networks of the ledger that this program can judge, by number.
async fn networks(node: &NodeHandle) -> Result<Vec<NetworkId>, Failure> {
    let look = |error| Failure::new(Kind::Internal, error);
    let (_, chain) = node.look(|store| view::chain(store)).await.map_err(look)?;
    let mut networks = Vec::new();
    for number in 0..chain.map_or(0, |chain| chain.networks) {
        let found = node
            .look(|store| view::network_by_number(store, NetworkNumber(number)))
            .await;
        let (_, found) = found.map_err(look)?;
        let judged = found.filter(|(_, network)| cairn_verticals::by_name(&network.vertical).is_some());
        networks.extend(judged.map(|(id, _)| id));
    }
    Ok(networks)
}

/// What a verifier needs to know here.
struct Served<'a> {
    home: &'a std::path::Path,
    genesis: &'a Genesis,
    chain: &'a Arc<NodeChain>,
    key: &'a SecretKey,
    price: Price,
}

impl Served<'_> {
    async fn verifier(&self, networks: &[NetworkId], listen: SocketAddr) -> Result<cairn_verifier::Handle, Failure> {
        let mut log_seed = [0; 32];
        getrandom::fill(&mut log_seed).or_fail(Kind::Internal, "the system gives no randomness")?;
        let submitter = Submitter::single(self.key.clone());
        let data = self.home.join("verifier");
        let mut config = cairn_verifier::Config::new(data, self.key.clone(), submitter, networks.to_vec(), log_seed);
        config.listen = listen;
        config.archive = cairn_verifier::ArchivePlace::Folder(self.home.join("archive"));
        config.windows.grace_ms = (self.genesis.epoch_ms / 2).min(GRACE_MS_MAX);
        config.pace = Some(Duration::from_millis(self.genesis.epoch_ms / 20).min(PACE_MAX));
        let feed = Arc::new(FixedPrice(self.price));
        cairn_verifier::start(config, self.chain.clone(), Arc::new(SystemClock), Some(feed))
            .await
            .or_fail(Kind::Files, "the verifier does not start")
    }
}

impl Up {
    /// Runs until it is asked to end, or a part of it fails.
    pub async fn serve(mut self) -> Done {
        let node = self.node.clone();
        let mut look = tokio::time::interval(LOOK_EVERY);
        let stopped = until_stopped();
        tokio::pin!(stopped);
        let done = loop {
            tokio::select! {
                () = &mut stopped => break Ok(()),
                failure = node.failed() => break Err(Failure::new(Kind::Internal, format!("the node failed: {failure}"))),
                _ = look.tick() => if let Err(failure) = self.take_in().await { break Err(failure) },
            }
        };
        drop(node);
        self.stop().await;
        done
    }

    /// Begins to judge networks that are new. The verifier starts again for them: its senders keep what it has not taken.
    async fn take_in(&mut self) -> Done {
        let networks = networks(&self.node).await?;
        if networks == self.networks {
            return Ok(());
        }
        if let Some(verifier) = self.verifier.take() {
            verifier.shutdown().await.or_fail(Kind::Internal, "the verifier")?;
        }
        let served = Served {
            home: &self.home,
            genesis: &self.genesis,
            chain: &self.chain,
            key: &self.verifier_key,
            price: self.price,
        };
        self.verifier = Some(served.verifier(&networks, self.listen).await?);
        self.networks = networks;
        Ok(())
    }

    /// Ends those that ask before those that answer.
    async fn stop(self) {
        let Self {
            gateway,
            verifier,
            chain,
            node,
            ..
        } = self;
        gateway.shutdown().await;
        if let Some(verifier) = verifier {
            // Its threads end with it; one that failed has said so in the log.
            let _ = verifier.shutdown().await;
        }
        drop(chain);
        // Whoever still holds the node is on its way out; the chain survives being dropped at any moment.
        if let Ok(node) = Arc::try_unwrap(node) {
            node.shutdown().await;
        }
    }
}
