//! An explorer killed again and again while it follows: what it holds in the end is what one holds that nobody killed, and at no moment
//! half a block. This program starts itself: the child follows, the parent kills it.

use crate::world::{World, content, follow_to, follower, sqlite};
use cairn_client::Anchor;
use cairn_explorer::db::Session;
use cairn_explorer::db::limit::Limit;
use cairn_explorer::follow::Writing;
use cairn_explorer::index;
use cairn_explorer::live::Live;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tokio::sync::watch;

/// Names the child's index; without it there is no child to be.
const INDEX: &str = "CAIRN_KILLED_INDEX";
const NODE: &str = "CAIRN_KILLED_NODE";
const KILLS: u64 = 12;

/// A process that does not outlive the test.
struct Explorer(Child);

impl Explorer {
    fn start(index: &Path, node: &str, anchor: &Anchor) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::the_explorer_that_is_killed", "--nocapture"])
            .env(INDEX, index)
            .env(NODE, node)
            .env("CAIRN_KILLED_KEY", hex::encode(anchor.group_key))
            .env("CAIRN_KILLED_GENESIS", hex::encode(anchor.genesis))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self(child)
    }
}

impl Drop for Explorer {
    /// As by `kill -9`.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_explorer_that_is_killed() {
    let (Ok(index), Ok(node)) = (std::env::var(INDEX), std::env::var(NODE)) else {
        return;
    };
    let bytes = |name: &str| hex::decode(std::env::var(name).unwrap()).unwrap();
    let anchor = Anchor {
        chain: "cairn-test".to_owned(),
        group_key: bytes("CAIRN_KILLED_KEY").try_into().unwrap(),
        genesis: bytes("CAIRN_KILLED_GENESIS").try_into().unwrap(),
        era: 0,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let location = sqlite(Path::new(&index));
    let live = Live::new(1);
    let follower = runtime.block_on(follower(&node, anchor, &location, live.clone()));
    runtime.spawn(async move {
        let mut news = live.newest();
        while news.changed().await.is_ok() {
            println!("news {}", *news.borrow_and_update());
        }
    });
    let (_stop, stopped) = watch::channel(false);
    let writing = Writing::open(&location, false).unwrap();
    println!("news 0");
    follower.run(writing, runtime.handle(), &stopped);
}

/// How far an index is; every block up to there is whole.
fn look(session: &mut dyn Session) -> u64 {
    session.begin_reading(&Limit::default()).unwrap();
    let height = index::cursor(session).unwrap().map_or(0, |cursor| cursor.height);
    let row = session
        .one(
            "SELECT COUNT(*), COALESCE(MAX(height), 0), COALESCE(SUM(events), 0), COALESCE(SUM(txs), 0) FROM blocks",
            &[],
        )
        .unwrap()
        .unwrap();
    let events = session.one("SELECT COUNT(*) FROM events", &[]).unwrap().unwrap();
    let txs = session.one("SELECT COUNT(*) FROM transactions", &[]).unwrap().unwrap();
    assert_eq!((row.count(0), row.count(1)), (Ok(height), Ok(height)));
    assert_eq!((row.int(2), row.int(3)), (events.int(0), txs.int(0)));
    session.rollback().unwrap();
    height
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_it_holds_whole_blocks_and_ends_with_all_of_them() {
    let world = World::new().await;
    world.furnish().await;
    let path = world.folder.path().join("killed.db");
    let (url, anchor) = (world.node.url(), world.node.chain().anchor().clone());
    let mut seen = 0;
    for kill in 1..=KILLS {
        world.send(crate::world::CUSTOMER, World::transfer(kill)).await;
        let explorer = Explorer::start(&path, &url, &anchor);
        let at = path.clone();
        // It is killed as soon as it has told of something, in the midst of what comes next; at times before it has done anything.
        let looked = tokio::task::spawn_blocking(move || {
            let mut explorer = explorer;
            let lines = BufReader::new(explorer.0.stdout.take().unwrap()).lines();
            let news = lines
                .map_while(Result::ok)
                .filter_map(|line| line.strip_prefix("news ")?.parse::<u64>().ok());
            let enough = if kill % 4 == 0 { 0 } else { 1 };
            assert!(news.into_iter().any(|number| number >= enough), "it goes on");
            drop(explorer);
            look(sqlite(&at).open().unwrap().as_mut())
        });
        let height = looked.await.unwrap();
        assert!(height >= seen, "{height} after {seen}");
        seen = height;
    }
    follow_to(&world, &sqlite(&path), world.height(), false).await;
    let whole = world.file("whole.db");
    follow_to(&world, &whole, world.height(), false).await;
    assert_eq!(content(&sqlite(&path)).await, content(&whole).await);
    world.node.shutdown().await;
}
