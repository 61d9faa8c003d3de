//! A node outside the validators: it serves what they make final, and what it is given reaches them, though it never leads.

use crate::world::{CUSTOMER, OPERATOR, World, account, genesis};
use cairn_engine::{Group, Identity, Validator, deal};
use cairn_ledger::view;
use cairn_node::{NodeConfig, NodeHandle, start};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

/// Nothing waits for this to pass: it turns a hang into a failure.
const PATIENCE: Duration = Duration::from_secs(60);

async fn follower(folder: &Path, validator: &Validator, group: &Group) -> NodeHandle {
    let config = NodeConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        validators: vec![validator.clone()],
        keys: folder.join("follower.keys"),
        sharing: group.sharing.clone(),
        ..NodeConfig::solo(folder.join("follower"), genesis())
    };
    start(config).await.unwrap()
}

#[tokio::test]
async fn a_transaction_given_to_a_follower_becomes_final_and_both_serve_it() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("validator.keys");
    let key = deal(std::slice::from_ref(&keys)).unwrap()[0];
    let group = Identity::open(&keys).unwrap().group().unwrap().clone();
    let known = Identity::make(&folder.path().join("follower.keys")).unwrap().key();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let validator = Validator {
        key,
        address: address.into(),
    };
    let world = World::new(|config| {
        config.validators = vec![validator.clone()];
        config.keys = keys;
        config.followers = vec![known];
        config.peers_listen = address;
        // The chain's time stands still: a block comes with a transaction only, or when it was quiet for so long.
        config.pace.idle_interval = Duration::from_secs(5);
    })
    .await;
    let follower = follower(folder.path(), &validator, &group).await;
    let (id, bytes) = world.signed(CUSTOMER, world.nonce(), World::transfer(77));
    let mut followed = follower.chain().follow();
    let there = followed.wait_for(|latest| latest.header.height > 0);
    tokio::time::timeout(PATIENCE, there).await.unwrap().unwrap();
    let done = tokio::time::timeout(PATIENCE, follower.submit_and_wait(bytes))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(done.id, id);
    world.node.taken_in(done.height).await.unwrap();
    for node in [&world.node, &follower] {
        let (_, paid) = node
            .look(|store| view::account(store, &account(OPERATOR)))
            .await
            .unwrap();
        assert_eq!(paid.unwrap().token.0, 1_000_000_077);
        assert_eq!(node.chain().block(done.height).await.unwrap().header.leader, key);
    }
    assert_eq!(follower.chain().validator(), known);
    follower.shutdown().await;
    world.node.shutdown().await;
}
