//! A chain of real nodes for benches: founded, filled with transfers, joined by new nodes. Measures how long; judges nothing.
#![allow(dead_code, clippy::unwrap_used, reason = "each bench uses a part of it")]

use cairn_engine::{CatchUp, Identity, Validator, deal};
use cairn_ledger::account::Rule;
use cairn_ledger::tx::{Asset, Body, transfer::Transfer};
use cairn_ledger::{Genesis, Transaction};
use cairn_node::genesis::{Solo, solo};
use cairn_node::{NodeConfig, NodeHandle, start};
use cairn_types::{MicroUsd, SecretKey, TimeMs, Token, hash};
use futures::future::join_all;
use std::net::TcpListener;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Measures and prints a section.
pub fn print(section: impl Future<Output = String>) {
    // `cargo test` runs benches too, to see that they build.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    println!("{}", runtime.block_on(section));
}

pub const ACCOUNTS: u32 = 1_024;

/// A chain whose validators all run here.
pub struct Chain {
    _folder: tempfile::TempDir,
    genesis: Genesis,
    pub nodes: Vec<Arc<NodeHandle>>,
    validators: Vec<Validator>,
    sharing: Vec<u8>,
    /// Keys of those who may follow.
    followers: Vec<PathBuf>,
}

pub fn secret(number: u32) -> SecretKey {
    SecretKey::ed25519(hash::domain("bench/account", &[&number.to_be_bytes()]).0)
}

fn genesis() -> Genesis {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let key = |number: u32| secret(1_000_000 + number).public();
    solo(&Solo {
        chain: "cairn-bench".parse().unwrap(),
        start: TimeMs(now - 60_000),
        epoch_ms: 86_400_000,
        founder: key(0),
        verifier: key(1),
        issuer: key(2),
        others: (0..ACCOUNTS)
            .map(|number| (secret(number).public(), Token(1_000_000_000), MicroUsd::ZERO))
            .collect(),
    })
    .unwrap()
}

fn free_address() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

impl Chain {
    /// Begins, with so many validators and so many keys of nodes that may follow.
    pub async fn found(size: usize, followers: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: String| folder.path().join(name);
        let files: Vec<PathBuf> = (0..size).map(|at| path(format!("{at}.keys"))).collect();
        let keys = deal(&files).unwrap();
        let addresses: Vec<_> = (0..size).map(|_| free_address()).collect();
        let validators: Vec<Validator> = keys
            .iter()
            .zip(&addresses)
            .map(|(key, address)| Validator {
                key: *key,
                address: (*address).into(),
            })
            .collect();
        let followers: Vec<PathBuf> = (0..followers).map(|at| path(format!("follower-{at}.keys"))).collect();
        let known: Vec<[u8; 32]> = followers
            .iter()
            .map(|file| Identity::make(file).unwrap().key())
            .collect();
        let sharing = Identity::open(&files[0]).unwrap().group().unwrap().sharing.clone();
        let genesis = genesis();
        let starting = files.iter().zip(&addresses).enumerate().map(|(at, (file, address))| {
            let mut config = NodeConfig::solo(path(format!("node-{at}")), genesis.clone());
            config.listen = "127.0.0.1:0".parse().unwrap();
            config.validators = validators.clone();
            config.keys = file.clone();
            config.sharing = sharing.clone();
            config.followers = known.clone();
            config.peers_listen = *address;
            start(config)
        });
        let nodes = join_all(starting).await.into_iter().map(|node| Arc::new(node.unwrap()));
        let chain = Self {
            genesis: genesis.clone(),
            nodes: nodes.collect(),
            validators,
            sharing,
            followers,
            _folder: folder,
        };
        for node in &chain.nodes {
            let _ = node.chain().follow().wait_for(|latest| latest.header.height > 0).await;
        }
        chain
    }

    pub fn transfer(&self, from: u32, nonce: u64) -> Vec<u8> {
        let key = secret(from);
        let to = Rule::single(secret((from + 1) % ACCOUNTS).public()).account_id();
        let transaction = Transaction {
            chain: self.genesis.chain.clone(),
            account: Rule::single(key.public()).account_id(),
            nonce,
            fee_max: Token(1_000_000),
            sponsor: None,
            body: Body::Transfer(Transfer {
                to,
                amount: Asset::Token(Token(1)),
            }),
        };
        transaction.sign(&key).bytes()
    }

    /// Transfers a second, of all accounts but the first; each makes those of these numbers.
    pub async fn all_at_once(&self, nonces: RangeInclusive<u64>) -> f64 {
        let signed: Vec<Vec<Vec<u8>>> = (1..ACCOUNTS)
            .map(|from| nonces.clone().map(|nonce| self.transfer(from, nonce)).collect())
            .collect();
        let count = signed.iter().map(Vec::len).sum::<usize>();
        let begun = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for (at, transfers) in signed.into_iter().enumerate() {
            let node = self.nodes[at % self.nodes.len()].clone();
            tasks.spawn(async move {
                for bytes in transfers {
                    node.submit_and_wait(bytes).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        count as f64 / begun.elapsed().as_secs_f64()
    }

    /// How long a new node takes to have all, in seconds.
    pub async fn join(&self, at: usize, folder: &Path, catch_up: CatchUp) -> f64 {
        let goal = self.nodes[0].chain().latest().header.height;
        let mut config = NodeConfig::solo(folder.join(format!("new-{at}")), self.genesis.clone());
        config.listen = "127.0.0.1:0".parse().unwrap();
        config.validators = self.validators.clone();
        config.keys = self.followers[at].clone();
        config.sharing = self.sharing.clone();
        config.peers_listen = free_address();
        config.catch_up = catch_up;
        let begun = Instant::now();
        let node = start(config).await.unwrap();
        let mut follow = node.chain().follow();
        let _ = follow.wait_for(|latest| latest.header.height >= goal).await;
        let took = begun.elapsed().as_secs_f64();
        node.shutdown().await;
        took
    }

    pub async fn end(self) {
        for node in self.nodes {
            if let Ok(node) = Arc::try_unwrap(node) {
                node.shutdown().await;
            }
        }
    }
}

/// Load averages of 1, 5 and 15 minutes.
pub fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}
