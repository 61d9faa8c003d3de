//! The state of a node that runs, as a file: the same that a stopped node's folder gives, proven part by part, and only given out here.

use crate::world::World;
use cairn_engine::state::{Download, StateFileError};
use cairn_ledger::account::Rule;
use cairn_ledger::genesis::Allocation;
use cairn_node::moving::{check, export};
use cairn_types::hash::sha256;
use cairn_types::{MicroUsd, SecretKey, Token};
use serde_json::Value;

async fn bytes(world: &World, path: &str) -> (u16, Vec<u8>) {
    let asked = world
        .http
        .get(format!("{}{path}", world.node.url()))
        .send()
        .await
        .unwrap();
    (asked.status().as_u16(), asked.bytes().await.unwrap().to_vec())
}

fn hex_of(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap().as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.map(byte).collect()
}

#[tokio::test]
async fn a_node_that_runs_gives_its_state_out_as_a_stopped_one_does() {
    // So many accounts that their records fill more than one part.
    let world = World::new(|config| {
        let account = |place: u64| Allocation {
            rule: Rule::single(SecretKey::ed25519(sha256(&place.to_be_bytes()).0).public()),
            token: Token(0),
            stable: MicroUsd(0),
        };
        config.genesis.allocations.extend((0..800).map(account));
    })
    .await;
    world.furnish().await;
    let anchor = world.node.chain().anchor().clone();
    let dir = tempfile::tempdir().unwrap();
    let (live, later, stopped) = (
        dir.path().join("live.state"),
        dir.path().join("later.state"),
        dir.path().join("stopped.state"),
    );
    let offer = world.get("/v1/state").await.1;
    let (height, parts) = (offer["height"].as_u64().unwrap(), offer["parts"].as_u64().unwrap());
    assert_eq!(height, world.node.chain().latest().header.height);
    let head = hex_of(&offer["head"]);

    // Every byte is proven before it counts, and there is no file before all are there.
    let mut download = Download::begin(&live, &head, &anchor).unwrap();
    assert!(Download::begin(&later, &head[1..], &anchor).is_err());
    let mut other = anchor.clone();
    other.group_key[5] ^= 1;
    assert!(matches!(
        Download::begin(&later, &head, &other),
        Err(StateFileError::Light(_))
    ));
    for part in 0..parts {
        assert_eq!(download.wants(), Some(part));
        let (status, bytes) = bytes(&world, &format!("/v1/state/{height}/{part}")).await;
        assert_eq!(status, 200);
        for at in (0..bytes.len()).step_by(bytes.len() / 17) {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1;
            assert!(download.take(&wrong).is_err(), "byte {at}");
        }
        download.take(&bytes).unwrap();
        assert!(download.take(&bytes).is_err(), "each part once");
        assert!(!live.exists());
        // The node goes on meanwhile, and the state asked for stays the same.
        world.send(crate::world::CUSTOMER, World::transfer(1)).await;
    }
    assert_eq!(download.wants(), None);
    let header = download.finish().unwrap();
    assert_eq!(header.height, height);
    let moved = check(&live, &anchor, &mut |_, _| {}).unwrap();
    assert_eq!(moved.checked.header, header);

    // What was asked for in vain.
    assert_eq!(bytes(&world, &format!("/v1/state/{height}/{parts}")).await.0, 404);
    assert_eq!(bytes(&world, &format!("/v1/state/{}/0", height + 100)).await.0, 404);
    assert_eq!(bytes(&world, "/v1/state/x/0").await.0, 400);
    let unfinished = Download::begin(&later, &head, &anchor).unwrap();
    assert!(matches!(unfinished.finish(), Err(StateFileError::Length { .. })));
    assert!(!later.exists());

    // Running or stopped: of one height it is one file.
    let offer = world.get("/v1/state").await.1;
    let (height, head) = (offer["height"].as_u64().unwrap(), hex_of(&offer["head"]));
    let mut download = Download::begin(&later, &head, &anchor).unwrap();
    while let Some(part) = download.wants() {
        download
            .take(&bytes(&world, &format!("/v1/state/{height}/{part}")).await.1)
            .unwrap();
    }
    download.finish().unwrap();

    // Killed after any byte: nothing under the file's name, and what is whole need not be fetched again.
    let (cut, part) = (dir.path().join("cut.state"), dir.path().join("cut.state.part"));
    let resume = || Download::resume(&cut, &head, &anchor).unwrap();
    assert!(resume().is_none());
    let whole = std::fs::read(&later).unwrap();
    let (mut had, mut counts) = (0, std::collections::BTreeSet::new());
    for len in (0..whole.len()).step_by(whole.len() / 13).chain([whole.len()]) {
        std::fs::write(&part, &whole[..len]).unwrap();
        let Some(mut download) = resume() else {
            assert_eq!(had, 0, "{len} bytes have a head, as fewer had");
            continue;
        };
        had = download.progress().0;
        counts.insert(had);
        assert!(Download::resume(&cut, &head, &anchor).is_err(), "one at a time writes");
        while let Some(part) = download.wants() {
            let got = bytes(&world, &format!("/v1/state/{height}/{part}")).await.1;
            download.take(&got).unwrap();
        }
        assert!(!cut.exists());
        download.finish().unwrap();
        assert!(std::fs::read(&cut).unwrap() == whole, "{len} bytes");
        std::fs::remove_file(&cut).unwrap();
    }
    assert!(counts.len() > 2, "{counts:?}");
    assert!(
        counts.first() == Some(&0) && counts.last().copied() == offer["operations"].as_u64(),
        "{counts:?}"
    );
    // A byte that went wrong on the disk is where it goes on from; a head of another chain is no use.
    let mut wrong = whole.clone();
    let at = wrong.len() - 40;
    wrong[at] ^= 1;
    std::fs::write(&part, &wrong).unwrap();
    let download = resume().unwrap();
    assert_eq!(download.wants(), Some(offer["parts"].as_u64().unwrap() - 1));
    download.abandon().unwrap();
    assert!(!part.exists());
    std::fs::write(&part, &whole).unwrap();
    assert!(Download::resume(&cut, &head, &other).is_err());

    let World { node, folder, .. } = world;
    node.shutdown().await;
    export(folder.path(), &stopped, &mut |_, _| {}).unwrap();
    assert_eq!(std::fs::read(&later).unwrap(), std::fs::read(&stopped).unwrap());
}
