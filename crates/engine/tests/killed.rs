//! A chain killed at any moment comes back with every block it ever showed, and goes on. This program starts itself: the
//! child runs the chain and prints what is final, the parent kills it after so many lines.
#![allow(clippy::unwrap_used, reason = "a test may")]

#[expect(dead_code, reason = "the other test files use the rest")]
mod toy;

use cairn_engine::{Config, SystemClock, start_tokio};
use std::{
    collections::BTreeMap,
    env,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};
use toy::{Counters, Pool, account_key, count_in, count_up};

const FOLDER: &str = "CAIRN_KILLED_FOLDER";
/// Lines read before each kill: from the first block of all to the middle of a flood.
const LINES: [usize; 6] = [1, 3, 30, 2, 75, 120];

fn main() {
    match env::var_os(FOLDER) {
        Some(folder) => run_chain(Path::new(&folder)),
        None => kill_again_and_again(),
    }
}

fn kill_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut shown: BTreeMap<u64, String> = BTreeMap::new();
    for (round, lines) in LINES.into_iter().enumerate() {
        let mut child = Command::new(env::current_exe().unwrap())
            .env(FOLDER, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let known = shown.len();
        let mut again = 0;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let (height, rest) = line.split_once(' ').unwrap();
            match shown.insert(height.parse().unwrap(), rest.to_owned()) {
                Some(before) => assert_eq!(before, rest, "block {height} in round {round}"),
                None => assert_eq!(again, known, "every block shown before is shown again first"),
            }
            again += usize::from(again < known);
            if shown.len() >= known + lines {
                break;
            }
        }
        // Killed as by `kill -9`.
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(shown.len(), known + lines, "the chain goes on in round {round}");
    }
    assert_eq!(
        shown.keys().copied().collect::<Vec<_>>(),
        (1..=shown.len() as u64).collect::<Vec<_>>()
    );
    println!("killed {} times, {} blocks kept ... ok", LINES.len(), shown.len());
}

/// Counts up for ever and prints each final block.
#[tokio::main(flavor = "current_thread")]
async fn run_chain(dir: &Path) {
    let pool = Pool::new(Some(0));
    let mut config = Config::alone(dir, "cairn-killed");
    // Small blocks, so that there are many.
    config.pace.block_txs_max = 20;
    let chain = start_tokio(
        config,
        Arc::new(Counters),
        pool.clone(),
        pool.clone(),
        Arc::new(SystemClock),
    )
    .await
    .unwrap();
    let records = chain.read(vec![account_key(1)]).await.unwrap();
    let from = records.values[0].as_ref().map_or(0, count_in);
    (from + 1..from + 8_000).for_each(|count| pool.submit(count_up(1, count)));
    let mut told = pool.told.subscribe();
    let mut printed = 0;
    loop {
        let blocks = told.wait_for(|blocks| blocks.len() > printed).await.unwrap().clone();
        let mut out = std::io::stdout().lock();
        for block in &blocks[printed..] {
            let receipts: Vec<_> = block.txs.iter().map(|tx| tx.receipt.clone()).collect();
            let last = receipts
                .last()
                .map_or(0, |receipt| u64::from_be_bytes(receipt[..].try_into().unwrap()));
            let digest = cairn_types::hash::Hash(block.digest);
            // Nobody listens any more once the parent has read enough.
            if writeln!(out, "{} {digest} {last}", block.header.height).is_err() {
                return;
            }
        }
        printed = blocks.len();
    }
}
