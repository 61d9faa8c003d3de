//! A real process under load, killed at twenty random moments: it comes back with the roots it showed, and what it called
//! final is still there. This program starts itself: the child is a node, the parent kills it.

use crate::world::genesis;
use cairn_ledger::account::Rule;
use cairn_ledger::records::Account;
use cairn_ledger::tables::decode;
use cairn_ledger::tx::Body;
use cairn_ledger::{Signed, Transaction, view};
use cairn_node::{NodeConfig, start};
use cairn_types::{AccountId, Hash, SecretKey, Token};
use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Names the child's data folder; without it there is no child to be.
const FOLDER: &str = "CAIRN_KILLED_NODE_FOLDER";
const KILLS: usize = 20;
const SENDERS: u8 = 4;
/// Nothing waits for this to pass: it turns a hang into a failure.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
const AMOUNT: u64 = 3;

fn secret(sender: u8) -> SecretKey {
    SecretKey::ed25519([10 + sender; 32])
}

fn account(sender: u8) -> AccountId {
    Rule::single(secret(sender).public()).account_id()
}

/// Pays nobody.
fn recipient() -> AccountId {
    Rule::single(SecretKey::ed25519([19; 32]).public()).account_id()
}

fn transfer(sender: u8, nonce: u64) -> Signed {
    let body = cairn_ledger::tx::transfer::Transfer {
        to: recipient(),
        amount: cairn_ledger::tx::Asset::Token(Token(AMOUNT)),
    };
    let transaction = Transaction {
        chain: "cairn-test".parse().unwrap(),
        account: account(sender),
        nonce,
        fee_max: Token(1_000_000),
        sponsor: None,
        body: Body::Transfer(body),
    };
    transaction.sign(&secret(sender))
}

/// A process that does not outlive the test.
struct Node(Child);

impl Node {
    /// As by `kill -9`.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(folder: &Path) -> (Node, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::the_node_that_is_killed", "--nocapture"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let node = Node(child);
    let address = lines.map_while(Result::ok).find(|line| line.starts_with("http://"));
    (node, address.expect("the node starts again"))
}

async fn get(http: &reqwest::Client, url: String) -> Option<Value> {
    let response = http.get(url).send().await.ok()?;
    response.status().is_success().then_some(())?;
    response.json().await.ok()
}

/// The last nonce of each sender and what the recipient holds, all at one height.
async fn books(http: &reqwest::Client, url: &str) -> (u64, Vec<u64>, u64) {
    let ids = (0..SENDERS).map(account).chain([recipient()]);
    let keys: Vec<String> = ids.map(|id| hex::encode(view::key::<Account>(&id).0)).collect();
    let found = get(http, format!("{url}/v1/records?keys={}", keys.join(",")))
        .await
        .expect("the records are there");
    let values = found["values"].as_array().expect("a value for each key");
    let accounts: Vec<Account> = values
        .iter()
        .map(|value| decode(&hex::decode(value.as_str().expect("each account exists")).unwrap()))
        .collect();
    let (paid, senders) = accounts.split_last().expect("five accounts");
    let nonces = senders.iter().map(|sender| sender.nonce).collect();
    (found["height"].as_u64().unwrap(), nonces, paid.token.0)
}

/// Waits until a block that was shown before is told again: the last one may be replayed after the start.
async fn arrived(http: &reqwest::Client, url: &str, height: u64) {
    let told = async {
        let mut stream = http.get(format!("{url}/v1/events?from={height}")).send().await.unwrap();
        let mut text = String::new();
        while !text.contains(&format!("id: {height}\n")) {
            let chunk = stream.chunk().await.unwrap().expect("the stream goes on");
            text.push_str(&String::from_utf8_lossy(&chunk));
        }
    };
    let told = tokio::time::timeout(PATIENCE, told).await;
    told.unwrap_or_else(|_| panic!("block {height}, shown before the kill, is lost"));
}

/// Sends one transfer after the other until the node is gone; tells each that was called final.
async fn flood(url: String, sender: u8, first: u64, finals: mpsc::Sender<(Hash, u64)>) {
    let http = reqwest::Client::new();
    for nonce in first.. {
        let signed = transfer(sender, nonce);
        let request = http
            .post(format!("{url}/v1/transactions?wait=final"))
            .body(signed.bytes());
        let Ok(response) = request.send().await else { return };
        let status = response.status();
        let Ok(answer) = response.json::<Value>().await else {
            return;
        };
        if status == 503 {
            return;
        }
        assert_eq!(answer["state"], "final", "{answer}");
        let height = answer["height"].as_u64().unwrap();
        if finals.send((signed.transaction.id(), height)).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_that_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let config = NodeConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        ..NodeConfig::solo(folder, genesis())
    };
    let node = start(config).await.unwrap();
    // On a line of its own, whatever the test harness has written before.
    println!("\n{}", node.url());
    panic!("{}", node.failed().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_lose_nothing_that_was_called_final() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = ChaCha12Rng::seed_from_u64(2_026);
    let http = reqwest::Client::new();
    let mut known: BTreeMap<Hash, u64> = BTreeMap::new();
    let mut roots: BTreeMap<u64, Value> = BTreeMap::new();
    for round in 0..=KILLS {
        let (mut child, url) = run(folder.path());
        let reached = known.values().copied().max().unwrap_or(0);
        // The newest are looked for one by one, the others by the sums below.
        let newest = known.iter().filter(|(_, height)| **height + 20 > reached);
        for (id, height) in newest {
            let found = get(&http, format!("{url}/v1/transactions/{id}")).await;
            let found = found.unwrap_or_else(|| panic!("{id} of block {height} is lost in round {round}"));
            assert_eq!(
                (&found["state"], found["height"].as_u64()),
                (&"final".into(), Some(*height))
            );
        }
        if let Some((last, _)) = roots.last_key_value() {
            arrived(&http, &url, *last).await;
        }
        for (height, root) in &roots {
            let block = get(&http, format!("{url}/v1/blocks/{height}")).await.unwrap();
            assert_eq!(&block["state_root"], root, "block {height} in round {round}");
        }
        // All at one height: a block that was called final to nobody may still come in between two questions.
        let (height, nonces, paid) = books(&http, &url).await;
        let total: u64 = nonces.iter().sum();
        assert_eq!(
            paid,
            1_000_000_000 + AMOUNT * total,
            "each nonce paid once, at height {height} in round {round}"
        );
        assert!(total as usize >= known.len(), "what was called final was paid");
        if round == KILLS {
            child.kill();
            break;
        }
        let (sender, mut finals) = mpsc::channel(1);
        let mut floods = JoinSet::new();
        for (at, nonce) in (0..SENDERS).zip(&nonces) {
            floods.spawn(flood(url.clone(), at, nonce + 1, sender.clone()));
        }
        drop(sender);
        let until = random.next_u32() % 40;
        for _ in 0..=until {
            let (id, height) = finals.recv().await.expect("the node takes transactions");
            known.insert(id, height);
        }
        if let Some(status) = get(&http, format!("{url}/v1/status")).await {
            roots.insert(status["height"].as_u64().unwrap(), status["state_root"].clone());
        }
        child.kill();
        // What was answered before the kill counts.
        while let Some((id, height)) = finals.recv().await {
            known.insert(id, height);
        }
        while let Some(flood) = floods.join_next().await {
            flood.unwrap();
        }
    }
    assert!(known.len() > KILLS);
}
