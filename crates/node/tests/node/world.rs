//! A node on a folder that goes away, a clock moved by hand, people with keys, and something of everything on the ledger.

use cairn_ledger::account::Rule;
use cairn_ledger::tx::{Asset, Body, buy_credits, create_network, join_network, open_order, post_price};
use cairn_ledger::tx::{register_device::RegisterDevice, transfer::Transfer};
use cairn_ledger::{Genesis, Transaction};
use cairn_node::genesis::{Solo, solo};
use cairn_node::{Final, ManualClock, NodeConfig, NodeHandle, start};
use cairn_types::{
    AccountId, CellId, Credit, DeviceId, EpochNumber, Hash, MicroUsd, NetworkId, OrderId, Price, SecretKey, TimeMs,
    Token,
};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

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
    pub http: reqwest::Client,
    nonce: AtomicU64,
}

/// What `furnish` made.
pub struct Furniture {
    pub network: NetworkId,
    pub device: DeviceId,
    pub order: OrderId,
    pub transfer: Hash,
    pub epoch: EpochNumber,
}

impl World {
    pub async fn new(change: impl FnOnce(&mut NodeConfig)) -> Self {
        Self::on(tempfile::tempdir().unwrap(), START.0 + 1_000, change).await
    }

    pub async fn on(folder: TempDir, now_ms: u64, change: impl FnOnce(&mut NodeConfig)) -> Self {
        let clock = Arc::new(ManualClock::new(now_ms));
        let mut config = NodeConfig {
            listen: "127.0.0.1:0".parse().unwrap(),
            clock: clock.clone(),
            ..NodeConfig::solo(folder.path(), genesis())
        };
        // Steps of the clock are longer, and each makes a block.
        config.pace.idle_interval = Duration::from_secs(1_800);
        change(&mut config);
        let node = start(config).await.unwrap();
        Self {
            node,
            clock,
            folder,
            http: reqwest::Client::new(),
            nonce: AtomicU64::new(now_ms),
        }
    }

    /// A nonce above all before it.
    pub fn nonce(&self) -> u64 {
        self.nonce.fetch_add(1, Ordering::Relaxed)
    }

    pub fn signed(&self, by: u8, nonce: u64, body: Body) -> (Hash, Vec<u8>) {
        let transaction = Transaction {
            chain: "cairn-test".parse().unwrap(),
            account: account(by),
            nonce,
            fee_max: Token(1_000_000_000),
            sponsor: None,
            body,
        };
        (transaction.id(), transaction.sign(&secret(by)).bytes())
    }

    pub async fn send(&self, by: u8, body: Body) -> Final {
        let (_, bytes) = self.signed(by, self.nonce(), body);
        self.node.submit_and_wait(bytes).await.unwrap()
    }

    pub fn transfer(amount: u64) -> Body {
        Body::Transfer(Transfer {
            to: account(OPERATOR),
            amount: Asset::Token(Token(amount)),
        })
    }

    /// A JSON answer and its status.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        let response = self
            .http
            .get(format!("{}{path}", self.node.url()))
            .send()
            .await
            .unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or_default())
    }

    pub async fn post(&self, path: &str, bytes: Vec<u8>) -> (u16, Value) {
        let request = self.http.post(format!("{}{path}", self.node.url())).body(bytes);
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, response.json().await.unwrap_or_default())
    }

    /// A price, a network with a device, an order, a closed epoch: something behind every path.
    pub async fn furnish(&self) -> Furniture {
        let chain = "cairn-test".parse().unwrap();
        self.send(
            VERIFIER,
            Body::PostPrice(post_price::PostPrice {
                price: Price(50_000_000),
            }),
        )
        .await;
        let create = create_network::CreateNetwork {
            name: "one".into(),
            vertical: "kind1".into(),
            resolution: 8,
            parameters: vec![7; 300],
            price_micro_usd: 2_000,
            bond: Token(1_000_000_000),
            allowance: Token(1_000_000),
            treasurer: account(FOUNDER),
        };
        self.send(FOUNDER, Body::CreateNetwork(create)).await;
        let network = NetworkId::of(&chain, &account(FOUNDER), "one");
        let device = secret(30);
        let register = RegisterDevice::by_device(&chain, &account(OPERATOR), &device);
        self.send(OPERATOR, Body::RegisterDevice(register)).await;
        let device = device.public().device_id();
        let cell: CellId = "881969c9b7fffff".parse().unwrap();
        self.send(
            OPERATOR,
            Body::JoinNetwork(join_network::JoinNetwork { device, network, cell }),
        )
        .await;
        let payment = buy_credits::Payment::Stable(MicroUsd(5_000_000));
        self.send(CUSTOMER, Body::BuyCredits(buy_credits::BuyCredits { payment }))
            .await;
        let open = open_order::OpenOrder {
            network,
            provider: account(OPERATOR),
            shape: 0,
            terms: Hash([5; 32]),
            hold: Credit(1_000_000),
            expires: TimeMs(START.0 + 10 * EPOCH_MS),
            voucher_key: secret(31).public(),
        };
        let order = self.send(CUSTOMER, Body::OpenOrder(open)).await;
        let transfer = self.send(CUSTOMER, Self::transfer(77)).await;
        let end = TimeMs(START.0 + EPOCH_MS + 1_000);
        self.node.advance(&self.clock, end).await.unwrap();
        self.send(CUSTOMER, Self::transfer(1)).await;
        Furniture {
            network,
            device,
            order: OrderId(order.id.0),
            transfer: transfer.id,
            epoch: EpochNumber(0),
        }
    }
}
