//! A whole network in this process, on the real clock, with its data in a folder: node, verifier, gateway and explorer. Starts again on what is
//! there; loses nothing when it ends at any moment.
//!
//! ```text
//! account.keys   founder, verifier, issuer, gateway      node/   chain and genesis      verifier/   log
//! settings.json  where they listen, which chain           archive/   sealed epochs       gateway/    journal
//! explorer.db    what the explorer indexed: may be removed, it is made again
//! ```

use super::chain::{LocalNode, NodeChain};
use super::wallet::Wallet;
use super::{explorer, first_run, gateway, verifier};
use crate::error::{Done, Failure, Kind, OrFail};
use crate::home::{AnchorText, Home, Settings};
use cairn_explorer::Clock;
use cairn_explorer::db::Location;
use cairn_ledger::Genesis;
use cairn_node::{NodeConfig, NodeHandle};
use cairn_types::Price;
use cairn_verifier::ArchivePlace;
use cairn_verifier::objects::{Objects, Remote};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What a person may choose.
pub struct Options {
    pub chain: String,
    /// For a new chain; one that is there keeps its own.
    pub epoch_ms: Option<u64>,
    /// Of the node; verifier, gateway and explorer take the next three. 0: any.
    pub port: u16,
    /// What the verifier says a token is worth.
    pub price: Price,
}

pub struct Up {
    pub genesis: Genesis,
    node: Arc<NodeHandle>,
    chain: Arc<NodeChain>,
    pub verifier: verifier::Service,
    pub gateway: cairn_gateway::Handle,
    pub explorer: cairn_explorer::Handle,
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

    let archive = folder.join("archive");
    let verifier = verifier::start(verifier::Settings {
        chain: chain.clone(),
        account: people.verifier.clone(),
        key: people.verifier.clone(),
        data: folder.join("verifier"),
        archive: ArchivePlace::Folder(archive.clone()),
        listen: listen(options.port, 1),
        price: Some(options.price),
    })
    .await?;
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
    let wanted = explorer::beside(
        [&node.url(), &verifier.url(), gateway.url()],
        node.chain().anchor(),
        Location::Sqlite(folder.join("explorer.db")),
        listen(options.port, 3),
        Clock::default(),
    );
    let explorer = explorer::start(wanted).await?;
    let settings = Settings {
        node: Some(node.url()),
        verifier: Some(verifier.url()),
        gateway: Some(gateway.url().to_owned()),
        anchor: Some(AnchorText::from(node.chain().anchor())),
        decimals: Some(genesis.economics.decimals),
    };
    home.save(&settings)?;
    Ok(Up {
        genesis,
        node,
        chain,
        verifier,
        gateway,
        explorer,
        settings,
    })
}

async fn start_node(folder: PathBuf, genesis: &Genesis, port: u16) -> Result<Arc<NodeHandle>, Failure> {
    let mut config = NodeConfig::solo(folder, genesis.clone());
    config.listen = listen(port, 0);
    // Whoever asks for a transaction finds it, however old it is.
    config.retain.blocks = None;
    // An epoch shall end when it is over, and not a block's while later.
    config.pace.idle_interval = config
        .pace
        .idle_interval
        .min(Duration::from_millis(genesis.epoch_ms / 4));
    let node = cairn_node::start(config).await.map_err(super::node_failed)?;
    Ok(Arc::new(node))
}

impl Up {
    /// Runs until it is asked to end, or a part of it fails.
    pub async fn serve(mut self, stopped: impl Future<Output = ()>) -> Done {
        let node = self.node.clone();
        let mut look = tokio::time::interval(verifier::LOOK_EVERY);
        tokio::pin!(stopped);
        let done = loop {
            tokio::select! {
                () = &mut stopped => break Ok(()),
                ended = node.failed() => break Err(super::node_ended(&ended)),
                _ = look.tick() => if let Err(failure) = self.verifier.take_in().await { break Err(failure) },
            }
        };
        drop(node);
        self.stop().await;
        done
    }

    /// Ends those that ask before those that answer.
    async fn stop(self) {
        let Self {
            gateway,
            explorer,
            mut verifier,
            chain,
            node,
            ..
        } = self;
        explorer.shutdown().await;
        gateway.shutdown().await;
        // Its threads end with it; one that failed has said so in the log.
        let _ = verifier.stop().await;
        drop((verifier, chain));
        // Whoever still holds the node is on its way out; the chain survives being dropped at any moment.
        if let Ok(node) = Arc::try_unwrap(node) {
            node.shutdown().await;
        }
    }
}
