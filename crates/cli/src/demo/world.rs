//! The demo's services, all real and all on loopback sockets: a node, a verifier, a gateway and an agent; and the network they
//! serve, set up by transactions as anybody's would be.

use super::city::Station;
use super::people::{self, People};
use super::scene::Scene;
use crate::error::{Failure, Kind, OrFail};
use crate::home::{AnchorText, Home, Settings, keys_failed};
use crate::roles::chain::{LocalNode, NodeChain};
use crate::roles::wallet::Wallet;
use cairn_agent::agent::{Agent, Parts};
use cairn_agent::backoff::Backoff;
use cairn_agent::clock::HandClock;
use cairn_agent::device::Network;
use cairn_agent::disk::FolderDisk;
use cairn_agent::keys::Keys;
use cairn_agent::outbox;
use cairn_agent::uplink::Verifier;
use cairn_ledger::Genesis;
use cairn_ledger::tx::create_network::CreateNetwork;
use cairn_ledger::tx::join_network::JoinNetwork;
use cairn_ledger::tx::open_account::OpenAccount;
use cairn_ledger::tx::register_device::RegisterDevice;
use cairn_ledger::tx::{Body, Sponsor};
use cairn_node::genesis::{Solo, solo};
use cairn_node::{ManualClock, NodeConfig, NodeHandle};
use cairn_types::{ChainId, MicroUsd, NetworkId, Price, TimeMs, Token};
use cairn_verifier::chain::ChainView;
use cairn_verifier::clock::Clock as _;
use cairn_verifier::objects::{Objects, Remote};
use cairn_verifier::price::FixedPrice;
use cairn_verifier::submit::Submitter;
use indicatif::ProgressBar;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// H3 resolution of the demo's public places: cells of about 0.7 km².
pub const RESOLUTION: u8 = 8;
/// What the token is worth in the demo: 0.05 US dollars.
const PRICE: Price = Price(5_000_000);
const CHAIN: &str = "cairn-demo";
/// What the founder puts up for the network, and what it sets aside for the fees of those who join: whole tokens.
const BOND_TOKENS: u64 = 100_000;
const ALLOWANCE_TOKENS: u64 = 10_000;
/// Micro-USD of stablecoin, and tokens, with which the customer begins.
const CUSTOMER_STABLE: MicroUsd = MicroUsd(10_000_000_000);
const CUSTOMER_TOKENS: u64 = 100_000;
const WHOLE: u64 = 1_000_000;

/// Every clock of the process, moved together.
#[derive(Clone)]
pub struct DataTime {
    pub chain: Arc<ManualClock>,
    pub verifier: cairn_verifier::clock::ManualClock,
    pub agent: HandClock,
}

impl DataTime {
    fn at(time: TimeMs) -> Self {
        let agent = HandClock::default();
        agent.set(time);
        Self {
            chain: Arc::new(ManualClock::new(time.0)),
            verifier: cairn_verifier::clock::ManualClock::at(time),
            agent,
        }
    }
}

/// What runs.
pub struct World {
    pub genesis: Genesis,
    pub people: People,
    pub network: NetworkId,
    pub time: DataTime,
    pub node: Arc<NodeHandle>,
    pub chain: Arc<NodeChain>,
    pub wallet: Wallet,
    pub verifier: cairn_verifier::Handle,
    pub gateway: cairn_gateway::Handle,
    pub agent: Agent,
    pub archive: PathBuf,
    pub objects: Arc<dyn Objects>,
}

/// The demo's chain at the start of its data.
fn genesis(scene: &Scene, people: &People) -> Result<Genesis, Failure> {
    let chain: ChainId = CHAIN.parse().or_fail(Kind::Internal, "the chain's name")?;
    let few = Token(1_000 * WHOLE);
    solo(&Solo {
        chain,
        start: scene.start(),
        epoch_ms: scene.epoch_ms(),
        founder: people.founder.key.public(),
        verifier: people.verifier.key.public(),
        issuer: people.issuer.key.public(),
        others: vec![
            (people.gateway.key.public(), few, MicroUsd::ZERO),
            (
                people.customer.key.public(),
                Token(CUSTOMER_TOKENS * WHOLE),
                CUSTOMER_STABLE,
            ),
        ],
    })
    .or_fail(Kind::Internal, "the demo's genesis")
}

/// Starts everything in a folder. `first_port` is where the node listens, with verifier and gateway behind it; 0 for any.
pub async fn start(scene: &Scene, folder: &Path, first_port: u16, bar: &ProgressBar) -> Result<World, Failure> {
    let people = People::of(scene.stations().iter().map(|station| station.name.as_str()));
    let genesis = genesis(scene, &people)?;
    let time = DataTime::at(scene.start());
    let mut config = NodeConfig::solo(folder.join("node"), genesis.clone());
    config.listen = listen(first_port, 0);
    config.clock = time.chain.clone();
    // Data time stands still between hours: only transactions and hours make blocks.
    config.pace.idle_interval = Duration::from_millis(scene.epoch_ms());
    config.retain.blocks = None;
    let node = cairn_node::start(config).await.map_err(|error| {
        let hint = error.hint();
        Failure::new(Kind::Files, error).hint(hint)
    })?;
    let node = Arc::new(node);
    let runtime = tokio::runtime::Handle::current();
    let chain = LocalNode {
        node: node.clone(),
        runtime: runtime.clone(),
    };
    let chain = Arc::new(NodeChain::new(Arc::new(chain), &genesis));
    let wallet = Wallet::new(node.clone(), genesis.chain.clone());
    let network = create_network(&wallet, &people, &genesis, scene).await?;
    enlist(&wallet, &people, scene.stations(), &network, &genesis, bar).await?;

    let archive = folder.join("archive");
    let verifier = start_verifier(
        folder,
        &archive,
        &people,
        &network,
        &chain,
        &time,
        listen(first_port, 1),
    )
    .await?;
    let objects: Arc<dyn Objects> = Arc::new(Remote::folder(&archive).or_fail(Kind::Files, archive.display())?);
    let gateway = start_gateway(
        folder,
        &people,
        &chain,
        &objects,
        &verifier.url(),
        listen(first_port, 2),
    )
    .await?;
    let agent = open_agent(folder, scene, &people, &network, &genesis, &verifier.url())?;
    Ok(World {
        genesis,
        people,
        network,
        time,
        node,
        chain,
        wallet,
        verifier,
        gateway,
        agent,
        archive,
        objects,
    })
}

fn listen(first_port: u16, place: u16) -> SocketAddr {
    let port = if first_port == 0 {
        0
    } else {
        first_port.saturating_add(place)
    };
    SocketAddr::from(([127, 0, 0, 1], port))
}

async fn create_network(
    wallet: &Wallet,
    people: &People,
    genesis: &Genesis,
    scene: &Scene,
) -> Result<NetworkId, Failure> {
    let founder = &people.founder;
    let body = CreateNetwork {
        name: scene.network().to_owned(),
        vertical: scene.vertical().name().to_owned(),
        resolution: RESOLUTION,
        parameters: scene.params(),
        price_micro_usd: 100_000_000,
        bond: Token(BOND_TOKENS * WHOLE),
        allowance: Token(ALLOWANCE_TOKENS * WHOLE),
        treasurer: founder.account,
    };
    wallet.send(&founder.key, None, Body::CreateNetwork(body)).await?;
    Ok(NetworkId::of(&genesis.chain, &founder.account, scene.network()))
}

/// Opens every operator's account, registers its device and lets it join; the network pays the fees. One after another: numbers
/// follow the order, and payouts the numbers.
async fn enlist(
    wallet: &Wallet,
    people: &People,
    stations: &[Station],
    network: &NetworkId,
    genesis: &Genesis,
    bar: &ProgressBar,
) -> Result<(), Failure> {
    bar.set_length(stations.len() as u64);
    let sponsor = Some(Sponsor::Network(*network));
    for (station, operator) in stations.iter().zip(&people.operators) {
        wallet
            .send(&operator.key, sponsor, Body::OpenAccount(OpenAccount {}))
            .await?;
        let device = people::device(&station.name);
        let register = RegisterDevice::by_device(&genesis.chain, &operator.account, &device);
        wallet
            .send(&operator.key, sponsor, Body::RegisterDevice(register))
            .await?;
        let join = JoinNetwork {
            device: device.public().device_id(),
            network: *network,
            cell: station.cell,
        };
        wallet.send(&operator.key, sponsor, Body::JoinNetwork(join)).await?;
        bar.inc(1);
    }
    Ok(())
}

async fn start_verifier(
    folder: &Path,
    archive: &Path,
    people: &People,
    network: &NetworkId,
    chain: &Arc<NodeChain>,
    time: &DataTime,
    listen: SocketAddr,
) -> Result<cairn_verifier::Handle, Failure> {
    let key = people.verifier.key.clone();
    let submitter = Submitter::single(key.clone());
    let log_seed = cairn_types::hash::domain("cairn/demo-log/1", &[]).0;
    let mut config = cairn_verifier::Config::new(folder.join("verifier"), key, submitter, vec![*network], log_seed);
    config.listen = listen;
    config.archive = cairn_verifier::ArchivePlace::Folder(archive.to_owned());
    config.windows.grace_ms = 0;
    config.pace = None;
    let feed = Arc::new(FixedPrice(PRICE));
    cairn_verifier::start(config, chain.clone(), Arc::new(time.verifier.clone()), Some(feed))
        .await
        .or_fail(Kind::Files, "the verifier does not start")
}

async fn start_gateway(
    folder: &Path,
    people: &People,
    chain: &Arc<NodeChain>,
    objects: &Arc<dyn Objects>,
    verifier: &str,
    listen: SocketAddr,
) -> Result<cairn_gateway::Handle, Failure> {
    crate::roles::gateway::start(
        folder.join("gateway"),
        &people.gateway.key,
        chain.clone(),
        objects.clone(),
        verifier,
        listen,
    )
    .await
}

/// The agent of all stations, with the demo's own keys in a file as any agent has.
fn open_agent(
    folder: &Path,
    scene: &Scene,
    people: &People,
    network: &NetworkId,
    genesis: &Genesis,
    verifier: &str,
) -> Result<Agent, Failure> {
    let stations = scene.stations();
    let folder = folder.join("agent");
    let mut keys = Keys::open(&folder.join("device.keys")).or_fail(Kind::Files, "the agent's keys")?;
    let known = stations
        .iter()
        .map(|station| (station.name.as_str(), people::device(&station.name)));
    keys.insert(known).or_fail(Kind::Files, "the agent's keys")?;
    let network = Network {
        name: scene.network().to_owned(),
        id: *network,
        vertical: scene.vertical(),
        params: scene.params(),
        clock: genesis.clock(),
        readings_max: u32::MAX,
        grace_ms: 0,
    };
    let parts = Parts {
        networks: vec![network],
        devices: stations.iter().map(|station| (station.name.clone(), 0)).collect(),
        verifiers: vec![Verifier {
            url: verifier.to_owned(),
            account: people.verifier.account,
            key: people.verifier.key.public(),
        }],
        limits: outbox::Limits::default(),
        backoff: Backoff::default(),
        receipts_bytes_max: 64 << 20,
        seed: [7; 32],
    };
    let outbox = FolderDisk::open(&folder.join("outbox")).or_fail(Kind::Files, "the agent's outbox")?;
    let journal = FolderDisk::open(&folder.join("journal")).or_fail(Kind::Files, "the agent's journal")?;
    Agent::open(parts, &keys, Box::new(outbox), Box::new(journal)).or_fail(Kind::Files, "the agent does not start")
}

impl World {
    /// An explorer beside the others, which goes by data time.
    pub async fn explorer(&self, folder: &Path, first_port: u16) -> Result<cairn_explorer::Handle, Failure> {
        let clock = self.time.verifier.clone();
        let wanted = crate::roles::explorer::beside(
            [&self.node.url(), &self.verifier.url(), self.gateway.url()],
            self.node.chain().anchor(),
            cairn_explorer::db::Location::Sqlite(folder.join("explorer.db")),
            listen(first_port, 3),
            cairn_explorer::Clock(Arc::new(move || clock.now())),
        );
        crate::roles::explorer::start(wanted).await
    }

    /// A folder of commands for this network, in which they act for its founder and its customer: a newcomer's account begins with nothing,
    /// and somebody has to give it the first token.
    pub fn home(&self, folder: &Path) -> Result<PathBuf, Failure> {
        let home = Home::at(&folder.join("home"));
        home.save(&Settings {
            node: Some(self.node.url()),
            verifier: Some(self.verifier.url()),
            gateway: Some(self.gateway.url().to_owned()),
            anchor: Some(AnchorText::from(self.node.chain().anchor())),
            decimals: Some(self.genesis.economics.decimals),
        })?;
        let people = [("founder", &self.people.founder), ("customer", &self.people.customer)];
        let mut keys = home.account_keys()?;
        keys.insert(people.map(|(name, person)| (name, person.key.clone())))
            .map_err(keys_failed)?;
        home.absolute()
    }

    /// The chain for blocking questions.
    pub fn view(&self) -> Arc<dyn ChainView> {
        self.chain.clone()
    }

    /// Ends every service, the ones that ask before those that answer.
    pub async fn stop(self) {
        let Self {
            gateway,
            verifier,
            chain,
            wallet,
            node,
            ..
        } = self;
        gateway.shutdown().await;
        // Its threads end with it; one that failed has said so in the log.
        let _ = verifier.shutdown().await;
        drop((chain, wallet));
        // Whoever still holds the node is on its way out; the chain survives being dropped at any moment.
        if let Ok(node) = Arc::try_unwrap(node) {
            node.shutdown().await;
        }
    }
}
