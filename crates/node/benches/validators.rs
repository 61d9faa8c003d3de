//! What several validators cost: time to finality and transactions a second with 1, 4 and 7 of them on loopback, the bytes and the time
//! of what a light client checks. Prints a section of Markdown; measures, decides nothing.
#![allow(clippy::unwrap_used, reason = "a bench")]

mod stand;

use cairn_ledger::account::Rule;
use cairn_ledger::records::Account;
use cairn_ledger::tables::Record;
use cairn_types::codec;
use stand::{ACCOUNTS, Chain, load, secret};
use std::time::Instant;

/// Validators of each chain.
const SIZES: [usize; 3] = [1, 4, 7];
/// Transfers one after the other, each waited for.
const ALONE: u64 = 40;
/// Transfers of each account, all accounts at once.
const EACH: u64 = 8;
const CHECKS: usize = 400;

fn main() {
    stand::print(section());
}

async fn section() -> String {
    let mut rows = String::new();
    let mut light = String::new();
    let mut alone: Option<(f64, f64)> = None;
    for size in SIZES {
        eprintln!("{size} validators");
        let chain = Chain::found(size, 0).await;
        let finality = one_by_one(&chain).await;
        let rate = chain.all_at_once(1..=EACH).await;
        let (first_finality, first_rate) = *alone.get_or_insert((median(&finality), rate));
        rows.push_str(&format!(
            "| {size} | {:.1} | {:.1} | {:.2} | {rate:.0} | {:.2} |\n",
            median(&finality),
            tenth_longest(&finality),
            median(&finality) / first_finality,
            rate / first_rate,
        ));
        light.push_str(&light_client(&chain, size).await);
        chain.end().await;
    }
    format!(
        "## Validators\n\n\
         All validators of a chain in one process, over TCP on loopback, with their stores on disk, on the real clock: N of them share \
         this machine's cores, so the ratios say what N cost together, not what N machines would do. Load average at the end: {}.\n\n\
         ### Finality and throughput\n\n\
         *Final after*: from handing a transfer to one node until that node calls it final, {ALONE} one after the other. \
         *Transfers/s*: {ACCOUNTS} accounts at once, each {EACH} transfers, the next when the one before is final, handed to the nodes in \
         turn; every validator checks every signature and keeps its own state tree.\n\n\
         | validators | final after, ms, median | a tenth take longer than, ms | to N = 1 | transfers/s | to N = 1 |\n|---|---|---|---|---|---|\n{rows}\n\
         ### What a light client checks\n\n\
         An account's record under the group key: finality certificate, headers to it, path in the state tree of {ACCOUNTS} accounts; n = {CHECKS}, \
         one thread. The certificate does not grow with the validators.\n\n\
         | validators | certificate, bytes | whole proof, bytes | checked in, µs | certificate alone, µs |\n|---|---|---|---|---|\n{light}",
        load(),
    )
}

/// Milliseconds until final, of one account.
async fn one_by_one(chain: &Chain) -> Vec<f64> {
    let mut took = Vec::new();
    for nonce in 1..=ALONE {
        let bytes = chain.transfer(0, nonce);
        let begun = Instant::now();
        chain.nodes[0].submit_and_wait(bytes).await.unwrap();
        took.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    took
}

async fn light_client(chain: &Chain, size: usize) -> String {
    let chain = chain.nodes[0].chain();
    let account = Rule::single(secret(7).public()).account_id();
    let key = Account::key(&account).0;
    let proof = chain.prove(key).await.unwrap();
    let anchor = chain.anchor();
    let whole = time(|| assert!(proof.verify(anchor, &key).unwrap().1.is_some()));
    let certificate = &proof.finality.certificate;
    let alone = time(|| {
        cairn_engine::light::verify_certificate(&anchor.chain, &anchor.group_key, certificate).unwrap();
    });
    format!(
        "| {size} | {} | {} | {whole:.0} | {alone:.0} |\n",
        certificate.len(),
        codec::encode(&proof).len()
    )
}

/// Microseconds, the median.
fn time(mut work: impl FnMut()) -> f64 {
    let took: Vec<f64> = (0..CHECKS)
        .map(|_| {
            let begun = Instant::now();
            work();
            begun.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    median(&took)
}

fn sorted(numbers: &[f64]) -> Vec<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

fn median(numbers: &[f64]) -> f64 {
    sorted(numbers)[numbers.len() / 2]
}

fn tenth_longest(numbers: &[f64]) -> f64 {
    sorted(numbers)[numbers.len() * 9 / 10]
}
