//! How a new node catches up with a chain whose history grows: by the newest state, and by all blocks from genesis. Prints a section of
//! Markdown; measures, decides nothing.
#![allow(clippy::unwrap_used, reason = "a bench")]

mod stand;

use cairn_engine::CatchUp;
use stand::{ACCOUNTS, Chain, load};
use std::time::Duration;

/// Transfers of each account when new nodes join.
const LENGTHS: [u64; 3] = [20, 80, 320];
/// A node that is further behind fetches the state.
const VIEWS_MAX: u64 = 16;
/// For hearing how far the others are.
const WAIT: Duration = Duration::from_millis(500);

fn main() {
    stand::print(section());
}

async fn section() -> String {
    let (before, chain) = (load(), Chain::found(1, 2 * LENGTHS.len()).await);
    let folder = tempfile::tempdir().unwrap();
    let mut rows = String::new();
    let mut done = 0;
    for (at, length) in LENGTHS.into_iter().enumerate() {
        eprintln!("catching up with {length} transfers of each account");
        chain.all_at_once(done + 1..=length).await;
        done = length;
        let height = chain.nodes[0].chain().latest().header.height;
        let join = |place: usize, views_max: Option<u64>| {
            let catch_up = CatchUp { views_max, wait: WAIT };
            chain.join(2 * at + place, folder.path(), catch_up)
        };
        let state = join(0, Some(VIEWS_MAX)).await;
        let blocks = join(1, None).await;
        rows.push_str(&format!(
            "| {} | {height} | {blocks:.2} | {state:.2} | {:.2} |\n",
            u64::from(ACCOUNTS - 1) * length,
            state / blocks
        ));
    }
    chain.end().await;
    format!(
        "## Catching up\n\n\
         A new node beside a lone validator in the same process, over TCP on loopback, until it has the newest block: once by all blocks from \
         genesis, each executed again and every signature checked, once by the newest state. The same chain each time, with more transfers between \
         {ACCOUNTS} accounts; its state does not grow with them. Each figure is one run; {} ms of those by state are given to hearing how far the \
         others are. Load average {before} before, {} after.\n\n\
         | transfers | blocks | all blocks, s | newest state, s | state to blocks |\n|---|---|---|---|---|\n{rows}",
        WAIT.as_millis(),
        load(),
    )
}
