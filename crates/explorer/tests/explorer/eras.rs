//! An explorer over the end of an era: the ledger moves to other validators, and the index goes on with what they sign.

use crate::world::{CUSTOMER, World, follower, genesis, secret};
use cairn_client::{Anchor, NodeClient};
use cairn_engine::{Identity, deal};
use cairn_explorer::db::Location;
use cairn_explorer::follow::Writing;
use cairn_explorer::index::{self, Cursor};
use cairn_explorer::live::Live;
use cairn_node::ceremony::{Dealt, statement};
use cairn_node::founding::Founding;
use cairn_node::moving::{export, import};
use cairn_node::{Address, NodeConfig, start};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;
use tokio::sync::watch;

/// Nothing waits for this to pass: it turns a hang into a failure.
const PATIENCE: Duration = Duration::from_secs(120);

/// The file of the next era, of one new validator whose account nobody opened, signed by it.
fn found(dir: &Path, first: [u8; 96]) -> Founding {
    let mut founding = Founding::after(genesis(), 1, first, vec![]).unwrap();
    let path = dir.join("new.keys");
    deal(std::slice::from_ref(&path)).unwrap();
    let identity = Identity::open(&path).unwrap();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let rule = cairn_ledger::account::Rule::single(secret(200).public());
    founding.join(&identity, Address::from(address), rule).unwrap();
    let group = identity.group().unwrap().clone();
    let message = statement(&founding.draft().unwrap().0, &group);
    let signatures = [(identity.key(), identity.sign(&message))];
    let dealt = Dealt {
        signatures: signatures.into_iter().collect(),
        group,
    };
    founding.found(dealt).unwrap();
    founding
}

/// Ends the era of a world.
async fn end(world: &World) -> Founding {
    let anchor = world.node.chain().anchor().clone();
    let mut founding = found(world.folder.path(), anchor.group_key);
    let old = world.folder.path().join("node").join("chain").join("validator.keys");
    founding.approve(&Identity::open(&old).unwrap()).unwrap();
    let client = NodeClient::trusting(&world.node.url(), anchor).unwrap();
    client.hand_over(&founding.resolution().unwrap()).await.unwrap();
    let mut latest = world.node.chain().follow();
    let over = latest.wait_for(|latest| latest.header.is_over());
    tokio::time::timeout(PATIENCE, over).await.unwrap().unwrap();
    founding
}

/// The same ledger under the next era's validator.
async fn next(world: World, mut founding: Founding) -> World {
    let World {
        node,
        clock,
        folder,
        nonce,
    } = world;
    node.shutdown().await;
    let dir = folder.path();
    let file = dir.join("ledger.state");
    let last = export(&dir.join("node"), &file, &mut |_, _| {}).unwrap();
    let (_, begin) = import(&mut founding, &file, &dir.join("new"), &mut |_, _| {}).unwrap();
    assert_eq!((last.is_over(), begin.height), (true, last.height));
    let mut config = NodeConfig::founded(dir.join("new"), &founding, dir.join("new.keys")).unwrap();
    config.listen = "127.0.0.1:0".parse().unwrap();
    config.peers_listen = founding.validators[0].address.to_string().parse().unwrap();
    config.clock = clock.clone();
    config.pace.idle_interval = Duration::from_millis(500);
    let node = start(config).await.unwrap();
    World {
        node,
        clock,
        folder,
        nonce,
    }
}

/// Follows a world's node with a key until the index is so far, or something troubles it; answers what, and the key then.
async fn follow(
    world: &World,
    anchor: &Anchor,
    location: &Location,
    is_far: impl Fn(&Cursor) -> bool,
) -> (Option<String>, Anchor) {
    let live = Live::new(1);
    let follower = follower(&world.node.url(), anchor.clone(), location, live.clone()).await;
    let known = follower.anchor();
    let runtime = tokio::runtime::Handle::current();
    let (stop, stopped) = watch::channel(false);
    let at = location.clone();
    let opened = tokio::task::spawn_blocking(move || Writing::open(&at, false).unwrap());
    let writing = opened.await.unwrap();
    let following = std::thread::spawn(move || follower.run(writing, &runtime, &stopped));
    let mut news = live.newest();
    let there = async {
        loop {
            let at = location.clone();
            let look = move || index::cursor(at.open().unwrap().as_mut()).unwrap();
            let cursor = tokio::task::spawn_blocking(look).await.unwrap();
            let trouble = live.progress().trouble;
            if trouble.is_some() || cursor.is_some_and(|cursor| is_far(&cursor)) {
                return trouble;
            }
            news.changed().await.unwrap();
        }
    };
    let trouble = tokio::time::timeout(PATIENCE, there).await.expect("the index follows");
    stop.send_replace(true);
    tokio::task::spawn_blocking(|| following.join().unwrap()).await.unwrap();
    let known = known.borrow().clone();
    (trouble, known)
}

/// Everything that a question finds.
async fn all(location: &Location, sql: &'static str) -> Vec<cairn_explorer::db::Row> {
    let at = location.clone();
    let ask = move || at.open().unwrap().all(sql, &[]).unwrap();
    tokio::task::spawn_blocking(ask).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_goes_on_with_the_next_era_and_has_both() {
    let world = World::new().await;
    world.furnish().await;
    let first = world.node.chain().anchor().clone();
    let [running, restarted, begun, behind] = ["a.db", "b.db", "c.db", "d.db"].map(|name| world.file(name));
    // One stays behind.
    let client = NodeClient::trusting(&world.node.url(), first.clone()).unwrap();
    let block = client.block(1).await.unwrap().unwrap();
    let rules = follower(&world.node.url(), first.clone(), &behind, Live::new(1)).await;
    let at = behind.clone();
    let take = move || {
        Writing::open(&at, false)
            .unwrap()
            .take(rules.rules(), &[block])
            .unwrap()
    };
    tokio::task::spawn_blocking(take).await.unwrap();
    let founding = end(&world).await;
    for location in [&running, &restarted] {
        let (trouble, known) = follow(&world, &first, location, |cursor| cursor.over).await;
        assert_eq!((trouble, known.era), (None, 0));
    }
    let before = all(&running, "SELECT at, id FROM transactions ORDER BY at").await;
    let world = next(world, founding).await;
    world.send(CUSTOMER, World::transfer(3)).await;
    let second = world.node.chain().anchor().clone();
    let height = world.height();
    let far = |cursor: &Cursor| cursor.era == 1 && cursor.height >= height;
    // One ran on and knows the first key, one was started again, one is new.
    let (trouble, known) = follow(&world, &first, &running, far).await;
    assert_eq!(
        (trouble, &known),
        (None, &second),
        "it goes on with the key that was signed over"
    );
    for location in [&restarted, &begun] {
        let (trouble, _) = follow(&world, &second, location, far).await;
        assert_eq!(trouble, None);
    }
    let (trouble, _) = follow(&world, &second, &behind, far).await;
    assert!(
        trouble.unwrap().contains("--rebuild"),
        "blocks of the era before are missing there"
    );
    // Blocks without anything come as time passes.
    let newest = [&running, &restarted, &begun].map(|location| location.clone());
    let height = world.height();
    for location in &newest {
        follow(&world, &second, location, |cursor| cursor.height >= height).await;
    }
    let same = |height: u64| {
        move |rows: Vec<cairn_explorer::db::Row>| {
            rows.into_iter()
                .filter(|row| row.count(0).unwrap() <= height)
                .collect::<Vec<_>>()
        }
    };
    let transactions = "SELECT at, id FROM transactions ORDER BY at";
    let kept = all(&running, transactions).await;
    assert_eq!(kept[..before.len()], before, "what the era before did is there");
    assert!(kept.len() > before.len());
    assert_eq!(all(&restarted, transactions).await, kept);
    assert!(all(&begun, transactions).await.len() < kept.len());
    let blocks = "SELECT height, digest, all_txs FROM blocks ORDER BY height";
    assert_eq!(
        same(height)(all(&restarted, blocks).await),
        same(height)(all(&running, blocks).await)
    );
    let heights = all(&running, "SELECT COUNT(*), MAX(height) FROM blocks").await;
    assert_eq!(heights[0].count(0), heights[0].count(1), "each height once");
    // Whom the records know is listed, the new validator's account too, and each as in an index of the new era alone.
    let accounts = "SELECT number, id, devices FROM accounts ORDER BY number";
    assert_eq!(all(&begun, accounts).await, all(&running, accounts).await);
    let members = "SELECT network, device, operator, cell, joined, left_after FROM members ORDER BY network, device";
    assert_eq!(all(&begun, members).await, all(&running, members).await);
    let networks = "SELECT number, devices, operators FROM networks";
    assert_eq!(all(&begun, networks).await, all(&running, networks).await);
    world.node.shutdown().await;
    // Nobody signs any more: all three are at the same block, or get there, and hold the same records.
    let records = "SELECT key, value FROM records ORDER BY key";
    let cursors = all(&running, "SELECT number FROM meta WHERE name = 'cursor'").await;
    if all(&begun, "SELECT number FROM meta WHERE name = 'cursor'").await == cursors {
        assert_eq!(all(&begun, records).await, all(&running, records).await);
    }
}
