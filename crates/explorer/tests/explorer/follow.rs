//! Following: what is indexed is what the chain says, made again it is the same, and what does not hold is never taken in.

use crate::server::Server;
use crate::world::{CUSTOMER, World, account, content, cursor, follow_to, follower};
use cairn_client::NodeClient;
use cairn_explorer::follow::{CheckError, Writing, certified};
use cairn_explorer::index::{ApplyError, records};
use cairn_explorer::live::Live;
use cairn_ledger::records::Account;
use cairn_ledger::{Key, view};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_holds_what_the_chain_does_and_made_again_elsewhere_it_is_the_same() {
    let world = World::new().await;
    world.furnish().await;
    let first = world.file("a.db");
    follow_to(&world, &first, world.height(), false).await;
    // Every record is the node's own.
    let client = NodeClient::new(&world.node.url()).unwrap();
    let mut keys: Vec<Key> = (10..20).map(|seed| view::key::<Account>(&account(seed))).collect();
    keys.push(view::key::<cairn_ledger::records::Chain>(&()));
    let (_, told) = client.raw(&keys).await.unwrap();
    let (at, asked) = (first.clone(), keys.clone());
    let here = tokio::task::spawn_blocking(move || {
        let mut session = at.open().unwrap();
        let get = |key: &Key| records::look(session.as_mut(), |store| store.get(key)).unwrap();
        asked.iter().map(get).collect::<Vec<_>>()
    });
    assert_eq!(here.await.unwrap(), told);
    assert!(told.iter().all(Option::is_some));
    // Going on, then all at once, then in another database.
    world.send(CUSTOMER, World::transfer(5)).await;
    world.hour(3).await;
    follow_to(&world, &first, world.height(), false).await;
    let kept = content(&first).await;
    let counting = first.clone();
    let counted = tokio::task::spawn_blocking(move || {
        let mut session = counting.open().unwrap();
        let mut count = |sql: &str| session.one(sql, &[]).unwrap().unwrap().int(0).unwrap();
        [
            (
                "SELECT operators FROM networks",
                "SELECT COUNT(DISTINCT operator) FROM members",
            ),
            (
                "SELECT number FROM meta WHERE name = 'operators'",
                "SELECT COUNT(*) FROM accounts WHERE devices > 0",
            ),
            (
                "SELECT number FROM meta WHERE name = 'customers'",
                "SELECT COUNT(*) FROM accounts WHERE bought_stable > 0 OR bought_burned > 0 OR orders > 0",
            ),
        ]
        .map(|(kept, all)| (count(kept), count(all)))
    });
    assert_eq!(counted.await.unwrap(), [(1, 1); 3], "what is counted as it comes");
    let second = world.file("b.db");
    follow_to(&world, &second, world.height(), false).await;
    assert_eq!(content(&second).await, kept);
    follow_to(&world, &first, world.height(), true).await;
    assert_eq!(content(&first).await, kept, "rebuilt");
    let Some(server) = Server::start("an index in PostgreSQL") else {
        world.node.shutdown().await;
        return;
    };
    follow_to(&world, server.location(), world.height(), false).await;
    assert_eq!(content(server.location()).await, kept, "another database");
    world.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn following_goes_on_after_a_database_server_has_ended_its_connections() {
    let Some(server) = Server::start("a server that ends connections") else {
        return;
    };
    let world = World::new().await;
    let (at, live) = (server.location().clone(), Live::new(1));
    let anchor = world.node.chain().anchor().clone();
    let follower = follower(&world.node.url(), anchor, &at, live.clone()).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let (runtime, opened) = (tokio::runtime::Handle::current(), at.clone());
    let open = move || Writing::open(&opened, false).unwrap();
    let writing = tokio::task::spawn_blocking(open).await.unwrap();
    let following = std::thread::spawn(move || follower.run(writing, &runtime, &stopped));
    let mut news = live.newest();
    for round in 1..=2 {
        world.send(CUSTOMER, World::transfer(round)).await;
        let there = async {
            while cursor(&at).await < world.height() {
                news.changed().await.unwrap();
            }
        };
        // Nothing waits for this to pass: it turns a hang into a failure.
        tokio::time::timeout(Duration::from_secs(120), there)
            .await
            .expect("the index follows");
        let ending = at.clone();
        let end = move || {
            // All but its own, which it picks before it ends any.
            let sql = "SELECT COUNT(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity
                WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() OFFSET 0) others";
            ending.open().unwrap().one(sql, &[]).unwrap().unwrap().count(0)
        };
        assert!(
            tokio::task::spawn_blocking(end)
                .await
                .unwrap()
                .is_ok_and(|ended| ended > 0)
        );
    }
    stop.send_replace(true);
    tokio::task::spawn_blocking(|| following.join().unwrap()).await.unwrap();
    world.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocks_that_are_not_what_the_validators_signed_are_never_taken_in() {
    let world = World::new().await;
    world.furnish().await;
    let anchor = world.node.chain().anchor().clone();
    let client = NodeClient::trusting(&world.node.url(), anchor.clone()).unwrap();
    let mut blocks = Vec::new();
    for height in 1..=world.height() {
        blocks.push(client.block(height).await.unwrap().unwrap());
    }
    assert_eq!(certified(&anchor, None, 1, &blocks), Ok(blocks.len()));
    let mut cut = blocks.clone();
    cut.iter_mut().skip(3).for_each(|block| block.certificate = None);
    assert_eq!(certified(&anchor, None, 1, &cut), Ok(3));
    let mut gap = blocks.clone();
    gap.remove(4);
    assert!(matches!(
        certified(&anchor, None, 1, &gap),
        Err(CheckError::OtherHeight { .. })
    ));
    let mut other = blocks.clone();
    other[2].header.state_root[0] ^= 1;
    assert_eq!(certified(&anchor, None, 1, &other), Err(CheckError::Link(4)));
    let mut forged = blocks.clone();
    let last = forged.last_mut().unwrap();
    last.header.tx_root[0] ^= 1;
    let height = last.header.height;
    assert_eq!(
        certified(&anchor, None, 1, &forged),
        Err(CheckError::OtherBlock(height))
    );
    let mut swapped = blocks.clone();
    let certificate = swapped.last_mut().unwrap().certificate.as_mut().unwrap();
    let end = certificate.len() - 1;
    certificate[end] ^= 1;
    assert!(matches!(
        certified(&anchor, None, 1, &swapped),
        Err(CheckError::Certificate { .. })
    ));
    assert_eq!(certified(&anchor, Some([7; 32]), 1, &blocks), Err(CheckError::Link(1)));
    // What runs to something else than the header says is not kept either, nor any block of the same batch.
    let location = world.file("x.db");
    let follower = follower(&world.node.url(), anchor, &location, Live::new(1)).await;
    let at = location.clone();
    let taken = tokio::task::spawn_blocking(move || {
        let mut writing = Writing::open(&at, false).unwrap();
        let full = blocks.iter().position(|block| block.txs.len() == 1).unwrap();
        let mut without = blocks.clone();
        without[full].txs.clear();
        let refused = writing.take(follower.rules(), &without);
        assert!(matches!(refused, Err(ApplyError::OtherTransactions(_))), "{refused:?}");
        let mut other = blocks.clone();
        other[full].header.receipt_root[0] ^= 1;
        let refused = writing.take(follower.rules(), &other);
        assert!(matches!(refused, Err(ApplyError::OtherReceipts(_))), "{refused:?}");
        assert_eq!(cairn_explorer::index::cursor(writing.session.as_mut()), Ok(None));
        let applied = writing.take(follower.rules(), &blocks).unwrap();
        // The same blocks a second time are not taken twice.
        assert!(writing.take(follower.rules(), &blocks).is_err());
        applied.len() as u64
    });
    assert_eq!(taken.await.unwrap(), world.height());
    world.node.shutdown().await;
}
