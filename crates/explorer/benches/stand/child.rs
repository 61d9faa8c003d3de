//! An explorer in a process of its own, so that its memory is its own: this program started again. It follows, takes findings in, serves,
//! and says when it is done with each.
#![allow(clippy::unwrap_used, reason = "a bench")]

use super::chain::Chain;
use cairn_client::{Anchor, NodeClient};
use cairn_explorer::archives::{Fetcher, Patience, Source, Sources};
use cairn_explorer::db::Location;
use cairn_explorer::follow::{Follower, Writing};
use cairn_explorer::live::Live;
use cairn_explorer::turns::Turns;
use cairn_explorer::{Settings, index, start};
use cairn_types::AccountId;
use cairn_verifier::objects::{Objects, Remote};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

/// Names the child's index; without it there is no child to be.
const INDEX: &str = "CAIRN_BENCH_INDEX";

pub struct Child {
    process: std::process::Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Child {
    pub fn start(chain: &Chain, index: &Path, height: u64, epochs: u64) -> Self {
        let anchor = chain.node.chain().anchor().clone();
        let mut process = Command::new(std::env::current_exe().unwrap())
            .env(INDEX, index)
            .env("CAIRN_BENCH_NODE", chain.node.url())
            .env("CAIRN_BENCH_ARCHIVE", &chain.archive)
            .env("CAIRN_BENCH_CHAIN", &anchor.chain)
            .env("CAIRN_BENCH_KEY", hex::encode(anchor.group_key))
            .env("CAIRN_BENCH_GENESIS", hex::encode(anchor.genesis))
            .env("CAIRN_BENCH_HEIGHT", height.to_string())
            .env("CAIRN_BENCH_EPOCHS", epochs.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// What it says after this word.
    pub fn word(&mut self, name: &str) -> String {
        let line = self.lines.next().expect("the child goes on").unwrap();
        line.strip_prefix(name).expect("it is the next word").trim().to_owned()
    }

    pub fn seconds(&mut self, name: &str) -> f64 {
        self.word(name).parse().unwrap()
    }

    /// Its memory now and the most it ever was, in MB.
    pub fn memory(&self) -> (u64, u64) {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let of = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
            kib * 1_024 / 1_000_000
        };
        (of("VmRSS:"), of("VmHWM:"))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Folder(Arc<dyn Objects>);

impl Sources for Folder {
    fn of(&self, _: &[(AccountId, String)], _: Patience) -> Vec<Source> {
        vec![Source {
            verifier: None,
            url: String::new(),
            objects: self.0.clone(),
        }]
    }
}

pub fn is_wanted() -> bool {
    std::env::var_os(INDEX).is_some()
}

fn told(name: &str) -> String {
    std::env::var(name).unwrap()
}

/// Ends when its parent does.
pub fn run() {
    let bytes = |name: &str| hex::decode(told(name)).unwrap();
    let number = |name: &str| told(name).parse::<u64>().unwrap();
    let anchor = Anchor {
        chain: told("CAIRN_BENCH_CHAIN"),
        group_key: bytes("CAIRN_BENCH_KEY").try_into().unwrap(),
        genesis: bytes("CAIRN_BENCH_GENESIS").try_into().unwrap(),
        era: 0,
    };
    let location = Location::Sqlite(told(INDEX).into());
    let node = told("CAIRN_BENCH_NODE");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let live = Live::new(1);

    let client = NodeClient::trusting(&node, anchor.clone()).unwrap();
    let following = Follower::new(client, location.clone(), live.clone());
    let follower = runtime.block_on(following).unwrap();
    let height = number("CAIRN_BENCH_HEIGHT");
    let at = location.clone();
    let is_there = move || index::cursor(at.open().unwrap().as_mut()).unwrap();
    let is_there = || is_there().is_some_and(|cursor| cursor.height >= height);
    let writing = Writing::open(&location, true).unwrap();
    let seconds = until(&runtime, &live, is_there, |handle, stop| {
        follower.run(writing, handle, stop)
    });
    println!("followed {seconds}");

    let objects: Arc<dyn Objects> = Arc::new(Remote::folder(Path::new(&told("CAIRN_BENCH_ARCHIVE"))).unwrap());
    let fetcher = Fetcher::new(
        location.clone(),
        Arc::new(Folder(objects)),
        live.clone(),
        Turns::default(),
    );
    let epochs = number("CAIRN_BENCH_EPOCHS");
    let mut session = location.open().unwrap();
    let mut is_done = || {
        let here = session.one("SELECT COUNT(*) FROM network_epochs WHERE findings = 'here'", &[]);
        here.unwrap().unwrap().count(0).unwrap() >= epochs
    };
    let seconds = until(&runtime, &live, &mut is_done, |handle, stop| fetcher.run(handle, stop));
    drop(session);
    println!("found {seconds}");

    let settings = Settings::of(&node, anchor, location, "127.0.0.1:0".parse().unwrap());
    let explorer = runtime.block_on(start(settings)).unwrap();
    println!("serving {}", explorer.url());
    let _ = std::io::stdin().read(&mut [0]);
}

/// Runs something in a thread until the news say that it is done; answers how long it took.
fn until(
    runtime: &tokio::runtime::Runtime,
    live: &Live,
    mut is_done: impl FnMut() -> bool,
    run: impl FnOnce(&tokio::runtime::Handle, &watch::Receiver<bool>) + Send,
) -> f64 {
    let (stop, stopped) = watch::channel(false);
    let mut news = live.newest();
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let handle = runtime.handle();
        scope.spawn(move || run(handle, &stopped));
        while !is_done() {
            runtime.block_on(news.changed()).unwrap();
        }
        let seconds = begun.elapsed().as_secs_f64();
        stop.send_replace(true);
        seconds
    })
}
