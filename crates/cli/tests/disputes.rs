//! Disputes on a real chain of one validator with two verifiers, one of whose bonds alone is a quorum, which lies: watchers find, dispute
//! and judge the wrong result by themselves, and the right one is paid. Whoever disputes what was right loses the bond for it. And on one
//! with three verifiers, of whom one shows its file to the watchers alone: they hand it on, and all follow what is decided by it.
#![allow(clippy::unwrap_used, reason = "all of it is a test")]

mod stand;

use cairn_agent::keys::{KeyKind, Keys};
use cairn_client::{NodeClient, Wallet};
use cairn_ledger::account::Rule;
use cairn_ledger::genesis::{Allocation, GenesisVerifier};
use cairn_ledger::tx::Body;
use cairn_ledger::tx::anchor_epoch::{AnchorEpoch, NetworkAnchor};
use cairn_ledger::tx::settle_epoch::SettleEpoch;
use cairn_ledger::tx::vote_dispute::VoteDispute;
use cairn_ledger::{Genesis, Reject};
use cairn_node::genesis::{Solo, solo, write};
use cairn_types::attestation::Totals;
use cairn_types::{
    AccountId, Attestation, EpochNumber, EpochResult, Hash, MicroUsd, NetworkId, SecretKey, TimeMs, Token, codec,
    merkle,
};
use cairn_verifier::archive::{self, EpochArchive, Manifest};
use cairn_verifier::objects::Remote;
use serde_json::Value;
use stand::*;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::runtime::Runtime;

const EPOCH_MS: u64 = 2_000;
/// How long results may be disputed: long enough for a person at the command line of a busy machine.
const DISPUTE_MS: u64 = 24_000;
const ANCHOR_MS: u64 = 4_000;
/// Epochs in which a reading may fail to be judged, on a machine that is busy.
const ROUNDS_MAX: u64 = 30;

/// A folder for its owner only.
fn make_private(home: &Path) {
    std::fs::create_dir_all(home).unwrap();
    let made = std::process::Command::new("chmod").arg("700").arg(home).status();
    assert!(made.unwrap().success());
}

/// The genesis of a chain on which the liar has three times the bond of the verifier in the home folder.
fn genesis(home: &Path, liar: &SecretKey) -> Genesis {
    let mut keys = Keys::open(&home.join("account.keys")).unwrap();
    let names = ["founder", "verifier", "issuer"];
    keys.make_missing(names.map(|name| (name, KeyKind::Ed25519))).unwrap();
    let key = |name: &str| keys.get(name).unwrap().public();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let mut genesis = solo(&Solo {
        chain: "cairn-disputes".parse().unwrap(),
        start: TimeMs(now - now % EPOCH_MS),
        epoch_ms: EPOCH_MS,
        founder: key("founder"),
        verifier: key("verifier"),
        issuer: key("issuer"),
        others: vec![(liar.public(), Token(1_000_000_000), MicroUsd::ZERO)],
    })
    .unwrap();
    let bond = Token(3 * genesis.verifiers[0].bond.0);
    genesis.allocations[0].token = Token(genesis.allocations[0].token.0 - bond.0);
    genesis.verifiers.push(GenesisVerifier {
        account: Rule::single(liar.public()).account_id(),
        key: liar.public(),
        bond,
    });
    (genesis.limits.dispute_window_ms, genesis.limits.anchor_window_ms) = (DISPUTE_MS, ANCHOR_MS);
    genesis
}

/// The chain with one validator, its node, and the honest verifier.
fn found(home: &Path, genesis: &Genesis) -> (Running, Running) {
    let (ledger, file, key) = (
        home.join("ledger.json"),
        home.join("genesis.json"),
        home.join("validator.keys"),
    );
    std::fs::write(&ledger, write(genesis)).unwrap();
    let new = format!("genesis new --validators 1 --from {} --file", ledger.display());
    cairn_with(home, &new, &[&file]).done();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let with_key = format!("--key {} --file", key.display());
    cairn_with(home, &format!("genesis join --address {free} {with_key}"), &[&file]).done();
    cairn_with(home, &format!("genesis sign {with_key}"), &[&file]).done();
    let run = format!(
        "node run --listen 127.0.0.1:0 --genesis {} --key {} --data {}",
        file.display(),
        key.display(),
        home.join("node").display()
    );
    let node = Running::start(home, &run);
    cairn(home, &format!("config set --node {}", node.url("node"))).done();
    // Block 1 opens the accounts.
    until_event(&node.url("node"), "epoch_closed");
    cairn(home, "network create --name rain --key founder").done();
    let verifier = Running::start(home, "verifier run --key verifier --listen 127.0.0.1:0");
    let url = verifier.url("verifier");
    cairn(home, &format!("verifier set-url {url} --key verifier")).done();
    cairn(home, &format!("config set --verifier {url}")).done();
    (node, verifier)
}

/// A gauge whose reports the honest verifier takes.
fn gauge(home: &Path) -> Running {
    register_gauge(home);
    Running::start(home, "agent run")
}

fn register_gauge(home: &Path) {
    for line in [
        "key new",
        "account open --sponsor rain",
        "device register gauge --network rain --lat 52.37 --lng 4.9",
        "agent init --network rain --http 0 --mqtt 0",
    ] {
        cairn(home, line).done();
    }
}

/// A verifier played by hand: it anchors that it has no reports, and says what it likes.
struct Liar {
    key: SecretKey,
    account: AccountId,
    client: NodeClient,
    wallet: Wallet,
    runtime: Runtime,
}

impl Liar {
    fn new(key: SecretKey, genesis: &Genesis, node: &str) -> Self {
        Self {
            account: Rule::single(key.public()).account_id(),
            client: NodeClient::new(node).unwrap(),
            wallet: Wallet::single(genesis, key.clone()),
            key,
            runtime: Runtime::new().unwrap(),
        }
    }

    /// Why the ledger refuses, if it does.
    fn send(&mut self, body: Body) -> Option<Reject> {
        let sent = self.runtime.block_on(self.client.send(&mut self.wallet, body));
        sent.err()
            .map(|error| error.reject().unwrap_or_else(|| panic!("{error}")))
    }

    /// Waits for the end of an epoch and anchors nothing of it.
    fn anchor(&mut self, node: &str, network: NetworkId, epoch: EpochNumber) {
        let nothing = NetworkAnchor {
            network,
            root: merkle::root(Vec::new()),
            count: 0,
            reports_hash: archive::reports::empty_hash(),
        };
        let body = AnchorEpoch {
            epoch,
            anchors: vec![nothing],
        };
        while let Some(refused) = self.send(Body::AnchorEpoch(body.clone())) {
            assert!(matches!(refused, Reject::EpochOpen | Reject::NoPool), "{refused:?}");
            until_event(node, "epoch_closed");
        }
    }

    fn settle(&mut self, result: EpochResult) {
        let signature = result.sign(&self.key);
        let body = SettleEpoch {
            attestation: Attestation {
                result,
                signatures: vec![(self.account, signature)],
            },
            exchange: None,
        };
        assert_eq!(self.send(Body::SettleEpoch(body)), None);
    }
}

/// What the honest verifier says of an epoch, once it does.
fn attested(verifier: &str, archives: &Path, network: NetworkId, epoch: EpochNumber) -> EpochResult {
    let objects = Remote::folder(archives).unwrap();
    loop {
        // Asked over HTTP first, so that the verifier has a turn between two looks.
        assert!(page(verifier, "/v1/health").starts_with("HTTP/1.1 200"));
        if let Ok(Some(manifest)) = EpochArchive::of(&objects, &network, epoch).manifest() {
            let Manifest { attestation, .. } = manifest;
            return attestation.result;
        }
    }
}

/// The liar signs what is right until there is something to steal, and then that nobody earned anything. Answers which epoch that was.
fn lie(liar: &mut Liar, home: &Path, node: &str, verifier: &str, agent: &str) -> (NetworkId, EpochNumber) {
    let shown = cairn(home, "network show rain").done();
    let network: NetworkId = shown["network"].as_str().unwrap().parse().unwrap();
    let first = number(&get(node, &format!("/v1/networks/{network}"))["unsettled"]);
    for epoch in (first..first + ROUNDS_MAX).map(EpochNumber) {
        let time = get(node, "/v1/status")["time"].as_str().unwrap().to_owned();
        tell(agent, "gauge", &format!("{time} rain=0.1"));
        liar.anchor(node, network, epoch);
        let right = attested(verifier, &home.join("archive"), network, epoch);
        if right.leaves == 0 {
            liar.settle(right);
            continue;
        }
        liar.settle(EpochResult {
            payouts: merkle::root(Vec::new()),
            leaves: 0,
            totals: Totals::default(),
            ..right
        });
        return (network, epoch);
    }
    panic!("no reading was judged in {ROUNDS_MAX} epochs");
}

fn token(home: &Path, name: &str) -> u64 {
    number(&cairn(home, &format!("account show {name}")).done()["token"])
}

/// Nobody is there but two watchers: one with token for a bond, one with a vote.
fn watched(home: &Path, node: &str, epoch: EpochNumber, reward: u64) {
    let (archives, right) = (home.join("archive"), home.join("right.result"));
    let judge = format!(
        "dispute judge {epoch} --network rain --archive {} --save",
        archives.display()
    );
    let judged = cairn_with(home, &judge, &[&right]).done();
    assert_eq!(judged["settled_is_right"], false);
    assert!(judged["first_difference"].is_object(), "{judged}");
    let planned = cairn_with(home, "dispute open --key founder --dry-run", &[&right]).done();
    let before = token(home, "founder");

    let height = number(&get(node, "/v1/status")["height"]);
    let court = Running::start(home, "dispute watch --key validator --listen 127.0.0.1:0");
    let auditor = Running::start(home, "dispute watch --key founder --open --listen 127.0.0.1:0");
    assert_eq!(
        (&court.ready["validator"], &auditor.ready["validator"]),
        (&Value::Bool(true), &Value::Bool(false))
    );
    until_event_from(node, "dispute_decided", Some(height));

    let shown = cairn(home, &format!("dispute show {epoch} --network rain")).done();
    assert_eq!(
        (&shown["dispute"]["state"], &shown["result"]),
        (&Value::from("upheld"), &judged["result"])
    );
    let honest = cairn(home, "verifier show verifier").done();
    assert_eq!(
        honest["bond_token"], honest["bond_active_token"],
        "the liar has nothing at stake"
    );
    assert_eq!(token(home, "founder"), before - number(&planned["fee_token"]) + reward);
    for (running, told) in [
        (&court, "cairn_watch_votes_against_total 1"),
        (&auditor, "cairn_watch_disputes_opened_total 1"),
    ] {
        let text = page(&running.url("watch"), "/metrics");
        assert!(text.contains(told), "{text}");
    }
    court.end();
    auditor.end();
}

/// The file of another result: it says that other findings were made.
fn altered(file: &Path) -> PathBuf {
    let mut claim: VoteDispute = codec::decode_canonical(&std::fs::read(file).unwrap()).unwrap();
    claim.result.findings = Hash([9; 32]);
    let other = file.with_extension("other");
    std::fs::write(&other, codec::encode(&claim)).unwrap();
    other
}

/// By hand: whoever disputes what was right loses the bond.
fn false_dispute(home: &Path, node: &str) {
    until_event(node, "epoch_settled");
    let network = cairn(home, "network show rain").done()["network"].clone();
    let path = format!("/v1/networks/{}", network.as_str().unwrap());
    let epoch = number(&get(node, &path)["unsettled"]) - 1;

    let archive = home.join("archive");
    let judge = format!("dispute judge {epoch} --archive {}", archive.display());
    let right = home.join("right.result");
    let judged = cairn_with(home, &format!("{judge} --save"), &[&right]).done();
    assert_eq!(
        (&judged["settled_is_right"], &judged["disputer_is_right"]),
        (&Value::Bool(true), &Value::Null)
    );
    let open = "dispute open --key founder";
    assert_eq!(
        cairn_with(home, open, &[&right]).refused(4),
        "refused",
        "it is what was settled"
    );
    let wrong = altered(&right);
    let before = token(home, "founder");
    let planned = cairn_with(home, &format!("{open} --dry-run"), &[&wrong]).done();
    let opened = cairn_with(home, open, &[&wrong]).done();
    let cost = number(&planned["bond_token"]) + number(&planned["fee_token"]);
    assert_eq!(token(home, "founder"), before - cost);
    assert_eq!(cairn_with(home, open, &[&wrong]).refused(4), "refused", "once");

    let listed = cairn(home, "dispute list").done()["disputes"].clone();
    let open = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|dispute| dispute["state"] == "open");
    assert_eq!(open.unwrap()["epoch"], opened["epoch"]);
    let show = format!("dispute show {epoch}");
    let shown = cairn(home, &show).done();
    assert_eq!(
        (&shown["result"], &shown["votes"][0]["choice"]),
        (&judged["result"], &Value::Null)
    );
    let held = cairn(home, "verifier show verifier").done();
    assert_eq!(number(&held["held_disputes"]), 1);
    assert_eq!(cairn(home, &judge).done()["disputer_is_right"], false);
    assert_eq!(
        cairn_with(home, "dispute vote --key founder", &[&wrong]).refused(4),
        "refused",
        "no validator"
    );

    cairn(home, &format!("{judge} --vote --key validator --dry-run")).done();
    let voted = cairn(home, &format!("{judge} --vote --key validator")).done();
    assert_eq!(
        (&voted["decided"], &voted["upheld"]),
        (&Value::Bool(true), &Value::Bool(false))
    );
    assert_eq!(
        cairn_with(home, "dispute vote --key validator", &[&wrong]).refused(4),
        "refused"
    );
    let shown = cairn(home, &show).done();
    assert_eq!(
        (&shown["dispute"]["state"], &shown["votes"][0]["choice"]),
        (&Value::from("rejected"), &shown["standing"])
    );
    assert_eq!(token(home, "founder"), before - cost);
    let free = cairn(home, "verifier show verifier").done();
    assert_eq!(
        (number(&free["held_disputes"]), &free["bond_token"]),
        (0, &held["bond_token"])
    );
    assert!(number(&free["score"]["agreed"]) > 0);
}

/// What the honest verifier said all along is paid when the window is over, and anybody finds it so.
fn paid(home: &Path, node: &str, network: NetworkId, epoch: EpochNumber) {
    let path = format!("/v1/networks/{network}/epochs/{epoch}");
    while get(node, &path)["pool"]["state"] != "paid" {
        until_event(node, "epoch_closed");
    }
    assert!(token(home, "me") > 0, "the right result pays whoever has the gauge");
    let audit = format!("audit --epoch {epoch} --archive {}", home.join("archive").display());
    let audited = cairn(home, &audit).done();
    assert_eq!(
        (number(&audited["matching"]), &audited["first_difference"]),
        (1, &Value::Null)
    );
}

#[test]
fn a_wrong_result_is_found_and_replaced_by_watchers_alone_and_a_false_dispute_costs_its_bond() {
    let place = Place::new();
    let home = place.home.as_path();
    make_private(home);
    let secret = SecretKey::ed25519([77; 32]);
    let genesis = genesis(home, &secret);
    let (node, verifier) = found(home, &genesis);
    let agent = gauge(home);
    let url = node.url("node");
    let mut liar = Liar::new(secret, &genesis, &url);
    let (network, epoch) = lie(&mut liar, home, &url, &verifier.url("verifier"), &agent.url("http"));
    watched(home, &url, epoch, genesis.limits.verifier_bond_min.0 / 5);
    false_dispute(home, &url);
    paid(home, &url, network, epoch);
    agent.end();
    verifier.end();
    node.end();
}

#[test]
fn what_a_verifier_with_most_of_the_bond_is_silent_about_watchers_put_before_the_validators_and_it_is_paid() {
    let place = Place::new();
    let home = place.home.as_path();
    make_private(home);
    let secret = SecretKey::ed25519([78; 32]);
    let mut genesis = genesis(home, &secret);
    (genesis.limits.dispute_window_ms, genesis.limits.stall_ms) = (ANCHOR_MS, 2 * ANCHOR_MS);
    let (node, verifier) = found(home, &genesis);
    let agent = gauge(home);
    let url = node.url("node");
    let court = Running::start(home, "dispute watch --key validator --listen 127.0.0.1:0");
    let auditor = Running::start(home, "dispute watch --key founder --open --listen 127.0.0.1:0");
    let before = cairn(home, "verifier list").done();
    let shown = cairn(home, "network show rain").done();
    let network: NetworkId = shown["network"].as_str().unwrap().parse().unwrap();
    let mut rounds = 0..3 * ROUNDS_MAX;
    while token(home, "me") == 0 {
        assert!(rounds.next().is_some(), "nobody was paid");
        let time = get(&url, "/v1/status")["time"].as_str().unwrap().to_owned();
        tell(&agent.url("http"), "gauge", &format!("{time} rain=0.1"));
        until_event(&url, "epoch_closed");
    }
    let epoch_of = |epoch: &u64| get(&url, &format!("/v1/networks/{network}/epochs/{epoch}"));
    let earned = |epoch: &u64| number(&epoch_of(epoch)["settlement"]["totals"]["units"]) > 0;
    let first = number(&shown["unsettled"]);
    let epoch = (first..).find(earned).unwrap();
    let dispute = cairn(home, &format!("dispute show {epoch} --network rain")).done();
    assert_eq!(dispute["dispute"]["state"], "settled", "{dispute}");
    paid(home, &url, network, EpochNumber(epoch));
    // Silence costs its own reward and nothing else; who signed what was decided is paid for it.
    let after = cairn(home, "verifier list").done();
    assert_eq!(bonds(&after), bonds(&before));
    let signers = epoch_of(&epoch)["signers"].as_array().unwrap().clone();
    assert_eq!(signers.len(), 1, "{signers:?}");
    for running in [auditor, court, agent, verifier, node] {
        running.end();
    }
}

/// What each verifier has at stake.
fn bonds(list: &Value) -> Vec<u64> {
    let all = list["verifiers"].as_array().unwrap();
    all.iter().map(|verifier| number(&verifier["bond_token"])).collect()
}

#[test]
fn where_results_may_be_disputed_a_watcher_runs_beside_each_validator() {
    let place = Place::new();
    let home = place.home.as_path();
    let up = Running::start(home, "up --port 0 --epoch-seconds 2 --dispute-seconds 30");
    let board: Value = serde_json::from_str(&std::fs::read_to_string(home.join("up.json")).unwrap()).unwrap();
    let board = board.to_string();
    assert!(
        board.contains("\"watch-1\"") && board.contains("\"verifier-1\""),
        "{board}"
    );
    up.end();
    for other in ["--dispute-seconds 31", "--committee-blocks 16"] {
        let again = cairn(home, &format!("up --port 0 {other}"));
        assert_eq!(again.refused(2), "usage", "the chain keeps its numbers");
    }
}

/// A chain with two verifiers that are a quorum together, and a third one.
fn genesis_of_three(home: &Path, others: [&SecretKey; 2]) -> Genesis {
    let mut genesis = genesis(home, others[1]);
    let bond = genesis.verifiers[0].bond;
    // The second has twice the bond of each other.
    for (key, times) in others.into_iter().zip([2, 1]) {
        let account = Rule::single(key.public()).account_id();
        genesis.verifiers.retain(|verifier| verifier.account != account);
        genesis.verifiers.push(GenesisVerifier {
            account,
            key: key.public(),
            bond: Token(times * bond.0),
        });
    }
    // What was put aside for one that has three times the bond is what these two have; this one needs token for fees.
    genesis.allocations.push(Allocation {
        rule: Rule::single(others[0].public()),
        token: Token(1_000_000_000),
        stable: MicroUsd::ZERO,
    });
    genesis.allocations[0].token = Token(genesis.allocations[0].token.0 - 1_000_000_000);
    genesis
}

/// A verifier in a home of its own, with the key of its account.
fn verifier_in(home: &Path, node: &str) -> Running {
    cairn(home, &format!("config set --node {node}")).done();
    Running::start(home, "verifier run --key verifier --listen 127.0.0.1:0")
}

fn home_with_key(home: &Path) -> SecretKey {
    make_private(home);
    let mut keys = Keys::open(&home.join("account.keys")).unwrap();
    keys.make_missing([("verifier", KeyKind::Ed25519)]).unwrap();
    keys.get("verifier").unwrap().clone()
}

/// Readings until one of them stands in a file that a verifier anchored and its settled epoch leaves out; the file's hash.
fn left_out(node: &str, agent: &str, network: NetworkId, by: &AccountId) -> (EpochNumber, String) {
    let path = format!("/v1/networks/{network}");
    let mut epoch = number(&get(node, &path)["unsettled"]);
    for _ in 0..ROUNDS_MAX {
        let time = get(node, "/v1/status")["time"].as_str().unwrap().to_owned();
        tell(agent, "gauge", &format!("{time} rain=0.1"));
        until_event(node, "epoch_settled");
        let settled = number(&get(node, &path)["unsettled"]);
        for epoch in std::mem::replace(&mut epoch, settled)..settled {
            let shown = get(node, &format!("{path}/epochs/{epoch}"));
            let out = shown["left_out"].as_array().cloned().unwrap_or_default();
            if out.is_empty() {
                continue;
            }
            let anchors = shown["anchors"]["by"].as_array().unwrap();
            let of = |anchor: &&Value| anchor["verifier"] == by.to_string();
            let hash = anchors.iter().find(of).unwrap()["reports_hash"].clone();
            return (EpochNumber(epoch), hash.as_str().unwrap().to_owned());
        }
    }
    panic!("no file was left out in {ROUNDS_MAX} rounds");
}

#[test]
fn a_file_shown_to_watchers_alone_is_handed_to_all_verifiers_and_what_is_decided_by_it_is_followed() {
    let place = Place::new();
    let home = place.home.as_path();
    let (second, third) = (home.with_extension("second"), home.with_extension("third"));
    make_private(home);
    let keys = [home_with_key(&second), home_with_key(&third)];
    let genesis = genesis_of_three(home, [&keys[0], &keys[1]]);
    let (node, first) = found(home, &genesis);
    let url = node.url("node");
    let other = verifier_in(&second, &url);
    cairn(
        &second,
        &format!("verifier set-url {} --key verifier", other.url("verifier")),
    )
    .done();
    // The third tells nobody where it is, but for its own gauge.
    let liar = verifier_in(&third, &url);
    cairn(home, &format!("config set --verifier {}", liar.url("verifier"))).done();
    let agent = gauge_of_one_verifier(home);
    let shown = cairn(home, "network show rain").done();
    let network: NetworkId = shown["network"].as_str().unwrap().parse().unwrap();
    let by = Rule::single(keys[1].public()).account_id();
    let (epoch, hash) = left_out(&url, &agent.url("http"), network, &by);

    let file = format!("/v1/archive/{network}/{epoch}/sealed-{hash}.parquet");
    let honest = [first.url("verifier"), other.url("verifier")];
    for verifier in &honest {
        assert!(page(verifier, &file).starts_with("HTTP/1.1 404"), "{verifier}");
    }
    let height = number(&get(&url, "/v1/status")["height"]);
    let before = token(home, "founder");
    let seen = third.join("archive");
    let watch = |line: &str| {
        let line = format!("dispute watch {line} --listen 127.0.0.1:0 --archive {}", seen.display());
        Running::start(home, &line)
    };
    let court = watch("--key validator");
    let auditor = watch("--key founder --open --complete");
    until_event_from(&url, "dispute_decided", Some(height));
    let shown = cairn(home, &format!("dispute show {epoch} --network rain")).done();
    assert_eq!(shown["dispute"]["state"], "completed", "{shown}");
    for verifier in &honest {
        let told = head(verifier, &file);
        assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    }
    let text = page(&auditor.url("watch"), "/metrics") + &page(&court.url("watch"), "/metrics");
    assert!(text.contains("cairn_watch_files_handed_total 2"), "{text}");

    // All follow it: the epoch is paid by that file, and later ones are settled on top of it.
    paid(home, &url, network, epoch);
    let later = number(&get(&url, &format!("/v1/networks/{network}"))["unsettled"]);
    assert!(later > epoch.0 + 1, "{later}");
    let other_archive = second.join("archive");
    let audit = format!("audit --epoch {epoch} --archive {}", other_archive.display());
    assert_eq!(cairn(home, &audit).done()["first_difference"], Value::Null);
    let fees = before - token(home, "founder");
    assert!(fees < genesis.limits.dispute_bond.0, "its bond returned: {fees}");
    for verifier in ["verifier", &keys_id(&keys[0])] {
        let shown = cairn(home, &format!("verifier show {verifier}")).done();
        assert!(number(&shown["bond_token"]) > 0, "nobody is to blame: {shown}");
    }
    for running in [auditor, court, agent, liar, other, first, node] {
        running.end();
    }
}

fn keys_id(key: &SecretKey) -> String {
    Rule::single(key.public()).account_id().to_string()
}

/// A gauge whose agent sends to the verifier of the settings and to nobody else.
fn gauge_of_one_verifier(home: &Path) -> Running {
    register_gauge(home);
    let file = home.join("agent.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("discover = true"), "{text}");
    std::fs::write(&file, text.replace("discover = true", "discover = false")).unwrap();
    Running::start(home, "agent run")
}
