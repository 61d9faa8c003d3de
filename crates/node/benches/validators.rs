//! What several validators cost: time to finality and transactions a second with 1, 4 and 7 of them on loopback, the bytes and the time
//! of what a light client checks, and how a new node catches up. Prints a section of Markdown; measures, decides nothing.
#![allow(clippy::unwrap_used, reason = "a bench")]

use cairn_engine::{CatchUp, Identity, Validator, deal};
use cairn_ledger::account::Rule;
use cairn_ledger::records::Account;
use cairn_ledger::tables::Record;
use cairn_ledger::tx::{Asset, Body, transfer::Transfer};
use cairn_ledger::{Genesis, Transaction};
use cairn_node::genesis::{Solo, solo};
use cairn_node::{NodeConfig, NodeHandle, start};
use cairn_types::{MicroUsd, SecretKey, TimeMs, Token, codec, hash};
use futures::future::join_all;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Validators of each chain.
const SIZES: [usize; 3] = [1, 4, 7];
const ACCOUNTS: u32 = 1_024;
/// Transfers one after the other, each waited for.
const ALONE: u64 = 40;
/// Transfers of each account, all accounts at once.
const EACH: u64 = 8;
/// Of the chain that new nodes catch up with.
const EACH_OF_HISTORY: u64 = 40;
const CHECKS: usize = 400;
/// A node that is further behind fetches the state.
const VIEWS_MAX: u64 = 16;

fn main() {
    // `cargo test` runs benches too, to see that they build.
    if !std::env::args().any(|word| word == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    println!("{}", runtime.block_on(section()));
}

async fn section() -> String {
    let mut rows = String::new();
    let mut light = String::new();
    let mut alone: Option<(f64, f64)> = None;
    for size in SIZES {
        eprintln!("{size} validators");
        let chain = Chain::found(size).await;
        let finality = chain.one_by_one().await;
        let rate = chain.all_at_once(EACH).await;
        let (first_finality, first_rate) = *alone.get_or_insert((median(&finality), rate));
        rows.push_str(&format!(
            "| {size} | {:.1} | {:.1} | {:.2} | {rate:.0} | {:.2} |\n",
            median(&finality),
            tenth_longest(&finality),
            median(&finality) / first_finality,
            rate / first_rate,
        ));
        light.push_str(&chain.light(size).await);
        chain.end().await;
    }
    format!(
        "## Validators\n\n\
         All validators of a chain in one process, over TCP on loopback, with their stores on disk, on the real clock: N of them share \
         this machine's cores, so the ratios say what N cost together, not what N machines would do. Load average at the end: {}.\n\n\
         ### Finality and throughput\n\n\
         *Final after*: from handing a transfer to one node until that node calls it final, {ALONE} one after the other. \
         *Transfers/s*: {ACCOUNTS} accounts at once, each {EACH} transfers, the next when the one before is final, handed to the nodes in \
         turn; every validator checks every signature and keeps its own state tree.\n\n\
         | validators | final after, ms, median | a tenth take longer than, ms | to N = 1 | transfers/s | to N = 1 |\n|---|---|---|---|---|---|\n{rows}\n\
         ### What a light client checks\n\n\
         An account's record under the group key: finality certificate, headers to it, path in the state tree of {ACCOUNTS} accounts; n = {CHECKS}, \
         one thread. The certificate does not grow with the validators.\n\n\
         | validators | certificate, bytes | whole proof, bytes | checked in, µs | certificate alone, µs |\n|---|---|---|---|---|\n{light}\n{}",
        load(),
        catching_up().await
    )
}

/// A chain whose validators all run here.
struct Chain {
    _folder: tempfile::TempDir,
    genesis: Genesis,
    nodes: Vec<Arc<NodeHandle>>,
    validators: Vec<Validator>,
    sharing: Vec<u8>,
    /// Keys of those who may follow.
    followers: Vec<PathBuf>,
}

fn secret(number: u32) -> SecretKey {
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
    async fn found(size: usize) -> Self {
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
        let followers: Vec<PathBuf> = (0..2).map(|at| path(format!("follower-{at}.keys"))).collect();
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

    fn transfer(&self, from: u32, nonce: u64) -> Vec<u8> {
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

    /// Milliseconds until final, of one account.
    async fn one_by_one(&self) -> Vec<f64> {
        let mut took = Vec::new();
        for nonce in 1..=ALONE {
            let bytes = self.transfer(0, nonce);
            let begun = Instant::now();
            self.nodes[0].submit_and_wait(bytes).await.unwrap();
            took.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        took
    }

    /// Transfers a second, of all accounts but the first.
    async fn all_at_once(&self, each: u64) -> f64 {
        let signed: Vec<Vec<Vec<u8>>> = (1..ACCOUNTS)
            .map(|from| (1..=each).map(|nonce| self.transfer(from, nonce)).collect())
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

    async fn light(&self, size: usize) -> String {
        let chain = self.nodes[0].chain();
        let account = Rule::single(secret(7).public()).account_id();
        let key = Account::key(&account).0;
        let proof = chain.prove(key).await.unwrap();
        let anchor = chain.anchor();
        let whole = time(|| assert!(proof.verify(anchor, &key).unwrap().1.is_some()));
        let certificate = &proof.finality.certificate;
        let alone = time(|| {
            cairn_engine::light::verify_certificate(&anchor.chain, &anchor.group_key, certificate).unwrap();
        });
        format!(
            "| {size} | {} | {} | {whole:.0} | {alone:.0} |\n",
            certificate.len(),
            codec::encode(&proof).len()
        )
    }

    /// How long a new node takes to have all, in seconds.
    async fn join(&self, at: usize, folder: &Path, catch_up: CatchUp) -> f64 {
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

    async fn end(self) {
        for node in self.nodes {
            if let Ok(node) = Arc::try_unwrap(node) {
                node.shutdown().await;
            }
        }
    }
}

async fn catching_up() -> String {
    eprintln!("catching up");
    let chain = Chain::found(4).await;
    chain.all_at_once(EACH_OF_HISTORY).await;
    let height = chain.nodes[0].chain().latest().header.height;
    let folder = tempfile::tempdir().unwrap();
    let wait = Duration::from_millis(500);
    let (by_state, by_blocks) = (Some(VIEWS_MAX), None);
    let state = chain
        .join(
            0,
            folder.path(),
            CatchUp {
                views_max: by_state,
                wait,
            },
        )
        .await;
    let blocks = chain
        .join(
            1,
            folder.path(),
            CatchUp {
                views_max: by_blocks,
                wait,
            },
        )
        .await;
    chain.end().await;
    format!(
        "### Catching up\n\n\
         A new node beside four validators, whose chain has {height} blocks with {} transfers between {ACCOUNTS} accounts, until it has the newest \
         block; {} ms of it are spent waiting to hear how far the others are. Replay grows with the history; fetching the state has a price of its own, \
         which a short history does not repay.\n\n\
         | by | seconds | to replay |\n|---|---|---|\n| all blocks from genesis, each executed again | {blocks:.2} | 1.00 |\n| the newest state | {state:.2} | {:.2} |\n",
        u64::from(ACCOUNTS - 1) * EACH_OF_HISTORY,
        wait.as_millis(),
        state / blocks,
    )
}

/// Microseconds, the median.
fn time(mut work: impl FnMut()) -> f64 {
    let took: Vec<f64> = (0..CHECKS)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    median(&took)
}

fn sorted(numbers: &[f64]) -> Vec<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

fn median(numbers: &[f64]) -> f64 {
    sorted(numbers)[numbers.len() / 2]
}

fn tenth_longest(numbers: &[f64]) -> f64 {
    sorted(numbers)[numbers.len() * 9 / 10]
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}
