//! A fifth validator comes and an old one goes, by the commands of docs/operate/validators.md, in processes of their own: under the same
//! key and without a stop, while the chain is used and the newcomer is killed.

use super::operator::{Operator, Process};
use super::stand::get;
use super::{fields, run};
use cairn_agent::keys::Keys;
use cairn_client::{Committee, NodeClient, Wallet};
use cairn_ledger::tx::transfer::Transfer;
use cairn_ledger::tx::{Asset, Body};
use cairn_node::founding::Founding;
use cairn_types::{AccountId, Token};
use serde_json::Value;
use std::fs;
use tokio::runtime::Runtime;

/// The least with which there may be five validators.
pub const COMMITTEE_BLOCKS: u64 = 20;
/// Blocks until whoever is voted in has its share, or whoever is voted out signs no more, and as many again: renewals may fail.
const BLOCKS_MAX: u64 = 8 * COMMITTEE_BLOCKS;
/// Blocks in which whoever signs has led one.
const LEADS_WITHIN: u64 = 2 * COMMITTEE_BLOCKS;

/// Somebody who uses the chain all along, through one node: each payment has a block of its own.
struct Payer {
    runtime: Runtime,
    node: String,
    client: NodeClient,
    wallet: Wallet,
    payee: AccountId,
}

impl Payer {
    /// The founder, who pays its own validator.
    fn new(operator: &Operator, node: &str) -> Self {
        let founding = Founding::read_file(&operator.file()).unwrap();
        let keys = Keys::open(&operator.folder.join("home/account.keys")).unwrap();
        Self {
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap(),
            node: node.to_owned(),
            client: NodeClient::trusting(node, founding.anchor().unwrap()).unwrap(),
            wallet: Wallet::single(&founding.ledger().unwrap(), keys.get("founder").unwrap().clone()),
            payee: founding.validators[0].account.account_id(),
        }
    }

    /// Answers the height at which the payment is final.
    fn pay(&mut self) -> u64 {
        let body = Body::Transfer(Transfer {
            to: self.payee,
            amount: Asset::Token(Token(1)),
        });
        let paid = self.client.send(&mut self.wallet, body);
        self.runtime.block_on(paid).unwrap().height
    }

    fn committee(&self, node: &str) -> Option<Committee> {
        let told = NodeClient::new(node).unwrap();
        self.runtime.block_on(told.status()).unwrap().committee
    }

    /// Pays until a node says of the validators what is wanted.
    fn until(&mut self, what: &str, node: &str, is_so: impl Fn(&Committee) -> bool) {
        let mut last = None;
        for _ in 0..BLOCKS_MAX {
            last = self.committee(node);
            if last.as_ref().is_some_and(&is_so) {
                return;
            }
            self.pay();
        }
        panic!("{what}: {last:?}");
    }

    /// Who led a block.
    fn leader(&self, height: u64) -> String {
        let block = get(&self.node, &format!("/v1/blocks/{height}"));
        format!("ed25519:{}", block["leader"].as_str().unwrap())
    }
}

fn url(ready: &Value) -> &str {
    ready["node"].as_str().unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The fifth operator, with a key and an open account with something for fees; and the account's id.
fn newcomer(founder: &Operator, node: &str, fifth: Operator) -> (Operator, String) {
    fs::copy(founder.file(), fifth.file()).unwrap();
    founder.done("network create --name rain --key founder");
    fifth.done(&format!("config set --genesis genesis.json --node {node}"));
    fifth.done("key new validator");
    fifth.done("account open --key validator");
    let account = text(&fifth.done("account show validator")["account"]);
    founder.done(&format!("account transfer {account} --token 1 --key founder"));
    (fifth, account)
}

/// All of `voters` wish the same; the last of them decides.
fn vote(voters: &[&Operator], line: &str) {
    let (last, others) = voters.split_last().unwrap();
    for (voter, decides) in others.iter().map(|one| (one, false)).chain([(last, true)]) {
        assert_eq!(voter.done(line)["decided"], decides, "{line}");
    }
}

/// The last of `nodes` is that of the last operator.
pub fn take_one_in_and_let_one_go(
    operators: &[Operator],
    fifth: Operator,
    nodes: &mut Vec<(Process, Value)>,
    shown: &Value,
) {
    let node = url(&nodes[0].1).to_owned();
    let (fifth, account) = newcomer(&operators[0], &node, fifth);
    let key = text(&fifth.done("node key validator-5.keys")["key"]);
    let start = format!("--key validator-5.keys --peer-listen {}", fifth.address);
    let (process, ready) = run(&fifth, &start);
    assert_eq!(
        (&ready["votes"], &ready["height"]),
        (&false.into(), &0.into()),
        "nobody lets it in"
    );
    founders_are_listed(operators, shown);
    let add = format!(
        "validator vote add --validator {key} --address {} --account {account}",
        fifth.address
    );
    operators[0].refused(&format!("{add} --key founder"), 4);
    operators[0].done(&format!("{add} --key validator --dry-run"));
    let voters: Vec<&Operator> = operators.iter().take(3).collect();
    vote(&voters, &format!("{add} --key validator"));
    operators[3].refused(&format!("{add} --key validator"), 4);
    assert_eq!(consensus_of(&fifth, &key), "waits");

    let mut payer = Payer::new(&operators[0], &node);
    let is_in = |keys: &[String]| keys.contains(&key);
    payer.until("the fifth gets its share", &node, |committee| {
        is_in(&committee.receiving)
    });
    let (process, ready) = {
        // As by `kill -9`.
        drop((process, ready));
        run(&fifth, &start)
    };
    payer.until("the fifth signs", url(&ready), |committee| {
        committee.signs && is_in(&committee.members)
    });
    assert_eq!(ready["group_key"], shown["group_key"]);
    let led = (0..LEADS_WITHIN).any(|_| {
        let height = payer.pay();
        payer.leader(height) == key
    });
    assert!(led, "the fifth signs and leads no block");
    fifth.done(&format!("config set --node {}", url(&ready)));
    assert_eq!(consensus_of(&fifth, &key), "signs");

    // Who knows the genesis file of before and nothing else believes what the newcomer shows.
    let verified = fifth.done("verify account validator");
    assert_eq!(verified["group_key"], shown["group_key"]);
    assert_eq!(verified["records"][0]["present"], true, "{verified}");
    nodes.push((process, ready));

    let gone = text(&operators[3].done("node key")["key"]);
    let everyone: Vec<&Operator> = operators.iter().take(3).chain([&fifth]).collect();
    vote(
        &everyone,
        &format!("validator vote remove --validator {gone} --key validator"),
    );
    assert_eq!(consensus_of(&operators[0], &gone), "leaves");
    let old = url(&nodes[3].1).to_owned();
    payer.until("the old one signs no more", &old, |committee| {
        !committee.signs && !committee.members.contains(&gone)
    });
    assert_eq!(consensus_of(&operators[0], &gone), "gone");
    // It reads along until it is stopped, which nobody notices.
    let (process, _) = nodes.remove(3);
    process.terminate();
    for _ in 0..3 {
        let height = payer.pay();
        assert_ne!(payer.leader(height), gone);
    }
    for (_, ready) in nodes.iter() {
        let committee = payer.committee(url(ready)).unwrap();
        assert!(committee.signs && committee.members.len() == 4, "{committee:?}");
    }
    let listed = fifth.done("validator list");
    assert_eq!(fields(&listed["validators"], "consensus"), ["signs"; 4]);
}

/// At first the ledger has those who founded the chain.
fn founders_are_listed(operators: &[Operator], shown: &Value) {
    let listed = operators[0].done("validator list")["validators"].clone();
    assert_eq!(fields(&listed, "validator"), fields(&shown["validators"], "key"));
    assert_eq!(fields(&listed, "address"), fields(&shown["validators"], "address"));
    assert_eq!(fields(&listed, "consensus"), ["signs"; 4]);
}

/// What `cairn validator list` says of one, wherever it stands.
fn consensus_of(operator: &Operator, key: &str) -> String {
    let listed = operator.done("validator list");
    let all = listed["validators"].as_array().unwrap();
    if let Some(one) = all.iter().find(|one| one["validator"] == key) {
        return text(&one["consensus"]);
    }
    let leaving = listed["leaving"].as_array().unwrap();
    let leaves = leaving.iter().any(|one| one == key);
    if leaves { "leaves" } else { "gone" }.to_owned()
}
