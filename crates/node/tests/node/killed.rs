//! A real process under load, killed at twenty random moments: it comes back with the roots it showed, and what it called
//! final is still there. This program starts itself: the child is a node, the parent kills it.

use crate::world::genesis;
use cairn_ledger::account::Rule;
use cairn_ledger::tx::Body;
use cairn_ledger::{Signed, Transaction};
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
const AMOUNT: u64 = 3;

fn secret(sender: u8) -> SecretKey {
    SecretKey::ed25519([10 + sender; 32])
}

fn account(sender: u8) -> AccountId {
    Rule::single(secret(sender).public()).account_id()
}

/// Pays the account of seed 19, which pays nobody.
fn transfer(sender: u8, nonce: u64) -> Signed {
    let body = cairn_ledger::tx::transfer::Transfer {
        to: Rule::single(SecretKey::ed25519([19; 32]).public()).account_id(),
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
        for (height, root) in &roots {
            let block = get(&http, format!("{url}/v1/blocks/{height}")).await.unwrap();
            assert_eq!(&block["state_root"], root, "block {height} in round {round}");
        }
        let mut nonces = Vec::new();
        for sender in 0..SENDERS {
            let found = get(&http, format!("{url}/v1/accounts/{}", account(sender)))
                .await
                .unwrap();
            nonces.push(found["nonce"].as_u64().unwrap());
        }
        let paid = get(
            &http,
            format!(
                "{url}/v1/accounts/{}",
                Rule::single(SecretKey::ed25519([19; 32]).public()).account_id()
            ),
        );
        let paid = paid.await.unwrap()["token"].as_str().unwrap().parse::<u64>().unwrap();
        let total: u64 = nonces.iter().sum();
        assert_eq!(paid, 1_000_000_000 + AMOUNT * total, "each nonce paid once");
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
