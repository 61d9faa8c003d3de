//! A node on a folder that goes away, a clock moved by hand, something of everything on the ledger, and indexes that follow it.

use cairn_client::NodeClient;
use cairn_explorer::content;
use cairn_explorer::db::Location;
use cairn_explorer::follow::{Follower, Writing};
use cairn_explorer::index;
use cairn_explorer::live::Live;
use cairn_ledger::account::Rule;
use cairn_ledger::tx::{Asset, Body, buy_credits, create_network, join_network, move_device, open_order, post_price};
use cairn_ledger::tx::{close_order, register_device::RegisterDevice, retire_device, transfer::Transfer};
use cairn_ledger::{Genesis, Transaction};
use cairn_node::genesis::{Solo, solo};
use cairn_node::{Final, ManualClock, NodeConfig, NodeHandle, start};
use cairn_types::{
    AccountId, CellId, Credit, DeviceId, Hash, MicroUsd, NetworkId, OrderId, Price, SecretKey, TimeMs, Token,
};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::watch;

pub const START: TimeMs = TimeMs(1_500_076_800_000);
pub const EPOCH_MS: u64 = 3_600_000;

pub const FOUNDER: u8 = 1;
pub const VERIFIER: u8 = 2;
pub const CUSTOMER: u8 = 10;
pub const OPERATOR: u8 = 11;

pub fn secret(seed: u8) -> SecretKey {
    SecretKey::ed25519([seed; 32])
}

pub fn account(seed: u8) -> AccountId {
    Rule::single(secret(seed).public()).account_id()
}

pub fn genesis() -> Genesis {
    solo(&Solo {
        chain: "cairn-test".parse().unwrap(),
        start: START,
        epoch_ms: EPOCH_MS,
        founder: secret(FOUNDER).public(),
        verifier: secret(VERIFIER).public(),
        issuer: secret(3).public(),
        others: (10..20)
            .map(|seed| (secret(seed).public(), Token(1_000_000_000), MicroUsd(1_000_000_000)))
            .collect(),
    })
    .unwrap()
}

pub struct World {
    pub node: NodeHandle,
    pub clock: Arc<ManualClock>,
    pub folder: TempDir,
    pub nonce: AtomicU64,
}

/// What `furnish` made.
#[derive(Clone, Copy)]
pub struct Furniture {
    pub network: NetworkId,
    pub device: DeviceId,
    pub order: OrderId,
    pub transfer: Hash,
}

impl World {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now_ms = START.0 + 1_000;
        let clock = Arc::new(ManualClock::new(now_ms));
        let mut config = NodeConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            clock: clock.clone(),
            ..NodeConfig::solo(folder.path().join("node"), genesis())
        };
        // Steps of the clock are longer, and each makes a block.
        config.pace.idle_interval = Duration::from_secs(1_800);
        let node = start(config).await.unwrap();
        Self {
            node,
            clock,
            folder,
            nonce: AtomicU64::new(now_ms),
        }
    }

    pub fn signed(&self, by: u8, body: Body) -> (Hash, Vec<u8>) {
        let transaction = Transaction {
            chain: "cairn-test".parse().unwrap(),
            account: account(by),
            nonce: self.nonce.fetch_add(1, Ordering::Relaxed),
            fee_max: Token(1_000_000_000),
            sponsor: None,
            body,
        };
        (transaction.id(), transaction.sign(&secret(by)).bytes())
    }

    pub async fn send(&self, by: u8, body: Body) -> Final {
        let (_, bytes) = self.signed(by, body);
        self.node.submit_and_wait(bytes).await.unwrap()
    }

    pub fn transfer(amount: u64) -> Body {
        Body::Transfer(Transfer {
            to: account(OPERATOR),
            amount: Asset::Token(Token(amount)),
        })
    }

    /// A price, a network with devices that join, move and retire, orders, a closed epoch.
    pub async fn furnish(&self) -> Furniture {
        let chain = "cairn-test".parse().unwrap();
        let price = Price(50_000_000);
        self.send(VERIFIER, Body::PostPrice(post_price::PostPrice { price }))
            .await;
        let create = create_network::CreateNetwork {
            name: "rain".into(),
            vertical: "sensors".into(),
            resolution: 8,
            parameters: cairn_verticals::by_name("sensors").unwrap().default_params(),
            price_micro_usd: 2_000,
            bond: Token(1_000_000_000),
            allowance: Token(1_000_000),
            treasurer: account(FOUNDER),
        };
        self.send(FOUNDER, Body::CreateNetwork(create)).await;
        let network = NetworkId::of(&chain, &account(FOUNDER), "rain");
        let cells: [CellId; 2] = ["881969c9b7fffff".parse().unwrap(), "881969c9b3fffff".parse().unwrap()];
        let mut devices = Vec::new();
        for seed in [30, 31] {
            let register = RegisterDevice::by_device(&chain, &account(OPERATOR), &secret(seed));
            self.send(OPERATOR, Body::RegisterDevice(register)).await;
            let device = secret(seed).public().device_id();
            let cell = cells[0];
            let join = join_network::JoinNetwork { device, network, cell };
            self.send(OPERATOR, Body::JoinNetwork(join)).await;
            devices.push(device);
        }
        let payment = buy_credits::Payment::Stable(MicroUsd(5_000_000));
        self.send(CUSTOMER, Body::BuyCredits(buy_credits::BuyCredits { payment }))
            .await;
        let open = |terms: u8| open_order::OpenOrder {
            network,
            provider: account(OPERATOR),
            shape: 0,
            terms: Hash([terms; 32]),
            hold: Credit(1_000_000),
            expires: TimeMs(START.0 + 10 * EPOCH_MS),
            voucher_key: secret(31).public(),
        };
        let order = self.send(CUSTOMER, Body::OpenOrder(open(5))).await;
        let other = self.send(CUSTOMER, Body::OpenOrder(open(6))).await;
        let close = close_order::CloseOrder {
            order: OrderId(other.id.0),
        };
        self.send(OPERATOR, Body::CloseOrder(close)).await;
        let transfer = self.send(CUSTOMER, Self::transfer(77)).await;
        self.hour(1).await;
        let (device, cell) = (devices[0], cells[1]);
        let to = move_device::MoveDevice { device, network, cell };
        self.send(OPERATOR, Body::MoveDevice(to)).await;
        let device = devices[1];
        let retire = retire_device::RetireDevice { device };
        self.send(OPERATOR, Body::RetireDevice(retire)).await;
        self.hour(2).await;
        Furniture {
            network,
            device: devices[0],
            order: OrderId(order.id.0),
            transfer: transfer.id,
        }
    }

    /// The next hour begins.
    pub async fn hour(&self, hour: u64) {
        let end = TimeMs(START.0 + hour * EPOCH_MS + 1_000);
        self.node.advance(&self.clock, end).await.unwrap();
        self.send(CUSTOMER, Self::transfer(1)).await;
    }

    pub fn height(&self) -> u64 {
        self.node.chain().latest().header.height
    }

    pub fn file(&self, name: &str) -> Location {
        Location::Sqlite(self.folder.path().join(name))
    }
}

pub async fn follower(url: &str, anchor: cairn_client::Anchor, location: &Location, live: Live) -> Follower {
    let client = NodeClient::trusting(url, anchor).unwrap();
    Follower::new(client, location.clone(), live).await.unwrap()
}

/// Follows until the index has a height.
pub async fn follow_to(world: &World, location: &Location, height: u64, rebuild: bool) {
    let live = Live::new(1);
    let anchor = world.node.chain().anchor().clone();
    let follower = follower(&world.node.url(), anchor, location, live.clone()).await;
    let runtime = tokio::runtime::Handle::current();
    let (stop, stopped) = watch::channel(false);
    let at = location.clone();
    let opened = tokio::task::spawn_blocking(move || Writing::open(&at, rebuild).unwrap());
    let writing = opened.await.unwrap();
    let following = std::thread::spawn(move || follower.run(writing, &runtime, &stopped));
    let mut news = live.newest();
    let there = async {
        while cursor(location).await < height {
            news.changed().await.unwrap();
        }
    };
    // Nothing waits for this to pass: it turns a hang into a failure.
    tokio::time::timeout(Duration::from_secs(120), there)
        .await
        .expect("the index follows");
    stop.send_replace(true);
    tokio::task::spawn_blocking(|| following.join().unwrap()).await.unwrap();
}

/// How far an index is.
pub async fn cursor(location: &Location) -> u64 {
    let at = location.clone();
    let look = move || index::cursor(at.open().unwrap().as_mut()).unwrap();
    let cursor = tokio::task::spawn_blocking(look).await.unwrap();
    cursor.map_or(0, |cursor| cursor.height)
}

/// The hash of all that an index holds.
pub async fn content(location: &Location) -> Hash {
    let at = location.clone();
    let hash = tokio::task::spawn_blocking(move || content::hash(at.open().unwrap().as_mut()).unwrap());
    hash.await.unwrap()
}

pub fn sqlite(path: &Path) -> Location {
    Location::Sqlite(path.to_owned())
}
