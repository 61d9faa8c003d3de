//! A whole ledger moves from one operator to four validators: with devices, an epoch that nobody settled yet and money held for an
//! order. All of it is the same afterwards, epochs go on, and the first key is enough to believe it.

use crate::world::{CUSTOMER, EPOCH_MS, OPERATOR, START, World, account, genesis};
use cairn_engine::light::{Anchor, HandOver, LightError, Proof, follow};
use cairn_engine::{Identity, deal};
use cairn_ledger::records::{Account, Epoch};
use cairn_ledger::{Genesis, view};
use cairn_node::ceremony::{Dealt, statement};
use cairn_node::founding::{Founding, FoundingError};
use cairn_node::moving::{MovingError, check, export, import};
use cairn_node::{Address, ManualClock, NodeConfig, NodeHandle, start};
use cairn_types::{EpochNumber, SecretKey, TimeMs, Token};
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

fn key_file(dir: &Path, at: usize) -> PathBuf {
    dir.join(format!("{at}.keys"))
}

/// Addresses that are free now.
fn free(count: usize) -> Vec<SocketAddr> {
    let listeners: Vec<TcpListener> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners
        .iter()
        .map(|listener| listener.local_addr().unwrap())
        .collect()
}

/// The file of an era of four, signed by them, as their ceremony leaves it.
fn found(genesis: Genesis, dir: &Path, first: [u8; 96]) -> Founding {
    let mut founding = Founding::after(genesis, 4, first, vec![]).unwrap();
    sign(&mut founding, dir, 0..4);
    founding
}

/// Takes all seats, and signs.
fn sign(founding: &mut Founding, dir: &Path, seats: Range<usize>) {
    let paths: Vec<PathBuf> = seats.clone().map(|at| key_file(dir, at)).collect();
    deal(&paths).unwrap();
    let identities: Vec<Identity> = paths.iter().map(|path| Identity::open(path).unwrap()).collect();
    for ((at, identity), address) in seats.zip(&identities).zip(free(identities.len())) {
        let rule = cairn_ledger::account::Rule::single(SecretKey::ed25519([200 + at as u8; 32]).public());
        founding.join(identity, Address::from(address), rule).unwrap();
    }
    let group = identities[0].group().unwrap().clone();
    let message = statement(&founding.draft().unwrap().0, &group);
    let signatures = identities
        .iter()
        .map(|identity| (identity.key(), identity.sign(&message)));
    let dealt = Dealt {
        signatures: signatures.collect(),
        group,
    };
    founding.found(dealt).unwrap();
}

/// What anybody reads of a node, without the height at which it was read.
async fn seen(url: &str, http: &reqwest::Client, paths: &[String]) -> Vec<Value> {
    let mut all = Vec::new();
    for path in paths {
        let response = http.get(format!("{url}{path}")).send().await.unwrap();
        let mut value: Value = response.json().await.unwrap();
        let object = value.as_object_mut().unwrap();
        assert!(!object.contains_key("code"), "{path}: {object:?}");
        object.remove("at");
        all.push(value);
    }
    all
}

async fn start_validator(dir: &Path, at: usize, founding: &Founding, clock: &Arc<ManualClock>) -> NodeHandle {
    let identity = Identity::open(&key_file(dir, at)).unwrap();
    let own = founding
        .validators
        .iter()
        .find(|founder| founder.key == identity.key())
        .unwrap();
    let mut config = NodeConfig::founded(dir.join(format!("new-{at}")), founding, key_file(dir, at)).unwrap();
    config.listen = "127.0.0.1:0".parse().unwrap();
    config.peers_listen = own.address.to_string().parse().unwrap();
    config.clock = clock.clone();
    // Where shares are renewed every few blocks, many of these are waited for.
    let many = founding.ledger().unwrap().limits.committee_blocks < 100;
    config.pace.idle_interval = Duration::from_millis(if many { 50 } else { 500 });
    tokio::time::timeout(PATIENCE, start(config)).await.unwrap().unwrap()
}

async fn until(node: &NodeHandle, enough: impl FnMut(&cairn_engine::Latest) -> bool) {
    let mut latest = node.chain().follow();
    tokio::time::timeout(PATIENCE, latest.wait_for(enough))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_ledger_moves_to_four_validators_with_all_that_is_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(|_| {}).await;
    let made = world.furnish().await;
    let anchor = world.node.chain().anchor().clone();
    let mut founding = found(genesis(), dir.path(), anchor.group_key);
    let paths: Vec<String> = vec![
        format!("/v1/accounts/{}", account(CUSTOMER)),
        format!("/v1/accounts/{}", account(OPERATOR)),
        format!("/v1/networks/{}", made.network),
        format!("/v1/devices/{}", made.device),
        format!("/v1/orders/{}", made.order),
        format!("/v1/networks/{}/epochs/0", made.network),
        "/v1/epochs/0".into(),
        "/v1/supply".into(),
        "/v1/verifiers".into(),
        "/v1/price".into(),
    ];

    // A stranger's approval is worth nothing, the validator's ends the era.
    let mut forged = founding.clone();
    forged
        .approve(&Identity::open(&key_file(dir.path(), 0)).unwrap())
        .unwrap();
    let (status, answer) = world
        .post("/v1/transactions", forged.resolution().unwrap().encode())
        .await;
    assert_eq!((status, answer["code"].as_str()), (422, Some("no_resolution")));
    let old = Identity::open(&world.folder.path().join("chain").join("validator.keys")).unwrap();
    founding.approve(&old).unwrap();
    let before_end = dir.path().join("early.state");
    let (status, _) = world
        .post("/v1/transactions", founding.resolution().unwrap().encode())
        .await;
    assert_eq!(status, 202);
    until(&world.node, |latest| latest.header.is_over()).await;
    let before = seen(&world.node.url(), &world.http, &paths).await;
    assert_eq!(world.get("/v1/status").await.1["over"], true);
    let (_, late) = world.signed(CUSTOMER, world.nonce(), World::transfer(5));
    let (status, answer) = world.post("/v1/transactions", late).await;
    assert_eq!((status, answer["code"].as_str()), (409, Some("era_over")));
    let World {
        node,
        clock,
        folder,
        http,
        ..
    } = world;
    let last = node.chain().latest().header;
    node.shutdown().await;

    // Out of the old folder, into new ones.
    let file = dir.path().join("ledger.state");
    let header = export(folder.path(), &file, &mut |_, _| {}).unwrap();
    assert!(header.is_over() && header.height <= last.height);
    let moved = check(&file, &anchor, &mut |_, _| {}).unwrap();
    assert_eq!(
        (moved.chain.devices, moved.chain.networks, moved.chain.orders_open),
        (1, 1, 1)
    );
    assert!(matches!(
        import(&mut founding.clone(), &file, folder.path(), &mut |_, _| {}),
        Err(MovingError::FolderUsed)
    ));
    let bytes = std::fs::read(&file).unwrap();
    for at in (0..bytes.len()).step_by(bytes.len() / 23) {
        let mut other = bytes.clone();
        other[at] ^= 1;
        std::fs::write(&before_end, &other).unwrap();
        assert!(check(&before_end, &anchor, &mut |_, _| {}).is_err(), "byte {at}");
    }
    assert!(matches!(
        NodeConfig::founded(dir.path(), &founding, key_file(dir.path(), 0)),
        Err(cairn_node::NodeError::Founding(FoundingError::NotBegun))
    ));
    let (_, begin) = import(&mut founding, &file, &dir.path().join("new-1"), &mut |_, _| {}).unwrap();
    assert_eq!(begin.height, header.height);
    let written = dir.path().join("era.json");
    founding.write_file(&written).unwrap();
    let founding = Founding::read_file(&written).unwrap();
    let (again, _) = (
        import(&mut founding.clone(), &file, &dir.path().join("twice"), &mut |_, _| {}).unwrap(),
        (),
    );
    assert_eq!(again.1, begin, "whoever imports it gets the same");

    // The new era.
    let starts = (0..4).map(|at| start_validator(dir.path(), at, &founding, &clock));
    let nodes = futures::future::join_all(starts).await;
    for node in &nodes {
        // Its records are there with the block after which the ledger goes on.
        let mut head = node.chain().follow();
        tokio::time::timeout(PATIENCE, async {
            while node.look(|store| view::chain(store)).await.unwrap().1.is_none() {
                head.changed().await.unwrap();
            }
        })
        .await
        .unwrap();
        assert_eq!(seen(&node.url(), &http, &paths).await, before);
        let same = node.look(|store| view::chain(store)).await.unwrap().1.unwrap();
        assert_eq!((same.genesis, same.epoch), (moved.chain.genesis, moved.chain.epoch));
        let listed = node.look(|store| view::validators(store)).await.unwrap().1;
        let listed = listed.iter().map(|one| (one.key.0, one.account, one.address.clone()));
        let founders = founding.validators.iter();
        let founders = founders.map(|one| (one.key, one.account.account_id(), one.address.to_string()));
        assert!(listed.eq(founders), "only the new validators are on the ledger");
    }

    // A stranger with the first key.
    let eras = seen(&nodes[2].url(), &http, &["/v1/eras".into()]).await.remove(0);
    let hand_overs: Vec<HandOver> = eras["hand_overs"].as_array().unwrap().iter().map(read_hex).collect();
    let next = follow(&anchor, &hand_overs).unwrap();
    assert_eq!((next.era, &next), (1, nodes[0].chain().anchor()));
    let key = view::key::<Account>(&account(CUSTOMER)).0;
    let proof: Proof = nodes[3].chain().prove(key).await.unwrap();
    let (proven, value) = proof.verify(&next, &key).unwrap();
    assert!(value.is_some() && proven.height > header.height);
    assert_eq!(value, moved.checked.record(&key).unwrap());
    let mut forged = hand_overs.clone();
    forged[0].successor.group_key = anchor.group_key;
    assert_eq!(follow(&anchor, &forged), Err(LightError::OtherSuccessor));
    let other = Anchor {
        group_key: next.group_key,
        ..anchor.clone()
    };
    assert!(follow(&other, &hand_overs).is_err());

    // Epochs go on, and so do transactions.
    clock.advance_to(START.0 + 2 * EPOCH_MS + 1_000);
    for node in &nodes {
        let end = TimeMs(START.0 + 2 * EPOCH_MS);
        until(node, |latest| latest.header.time_ms >= end.0).await;
        let epoch = node.look(|store| view::epoch(store, EpochNumber(1))).await.unwrap().1;
        assert!(epoch.is_some_and(|epoch: Epoch| epoch.closed_height > header.height));
    }
    for node in nodes {
        node.shutdown().await;
    }
}

fn read_hex(value: &Value) -> HandOver {
    let bytes: Vec<u8> = value
        .as_str()
        .unwrap()
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    cairn_types::codec::decode_canonical(&bytes).unwrap()
}

#[tokio::test]
async fn a_later_era_renews_its_shares_among_its_own_validators() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(START.0 + 1_000));
    let mut rules = genesis();
    (rules.limits.validators_max, rules.limits.committee_blocks) = (4, 16);
    let mut first = Founding::new(rules, 1, Token(1_000_000)).unwrap();
    sign(&mut first, dir.path(), 9..10);
    let old = start_validator(dir.path(), 9, &first, &clock).await;
    let anchor = old.chain().anchor().clone();
    assert_eq!(first.anchor().unwrap(), anchor);
    // The state that moves has lists of whom its shares were renewed among.
    until(&old, |latest| latest.header.epoch > 1).await;
    let mut founding = found(first.ledger().unwrap(), dir.path(), anchor.group_key);
    assert_eq!(
        founding.anchor().unwrap(),
        anchor,
        "the first key stays the one to trust"
    );
    founding
        .approve(&Identity::open(&key_file(dir.path(), 9)).unwrap())
        .unwrap();
    assert!(old.chain().hand_over(&founding.resolution().unwrap()));
    until(&old, |latest| latest.header.is_over()).await;
    old.shutdown().await;
    let file = dir.path().join("ledger.state");
    export(&dir.path().join("new-9"), &file, &mut |_, _| {}).unwrap();
    import(&mut founding, &file, &dir.path().join("new-0"), &mut |_, _| {}).unwrap();

    let starts = (0..4).map(|at| start_validator(dir.path(), at, &founding, &clock));
    let nodes = futures::future::join_all(starts).await;
    let own: Vec<[u8; 32]> = founding.validators.iter().map(|one| one.key).collect();
    for node in &nodes {
        // Whom the ledger named in the second epoch signs in the fifth.
        until(node, |latest| latest.header.epoch >= 4).await;
        let committee = node.chain().committee().await.unwrap();
        assert!(committee.signs, "{committee:?}");
        assert_eq!((&committee.members, &committee.receiving), (&own, &own));
        assert_eq!(committee.announced, own);
    }
    for node in nodes {
        node.shutdown().await;
    }
}

#[test]
fn a_folder_without_a_chain_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let none = export(dir.path(), &dir.path().join("out"), &mut |_, _| {});
    assert!(matches!(none, Err(MovingError::State(_))));
}
