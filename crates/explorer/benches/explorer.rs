//! How fast an explorer takes in a chain and the findings of its epochs, how much memory it needs, and how fast it answers. Prints a
//! section of Markdown; measures, decides nothing. `--devices N` and `--epochs N` make it smaller.
#![allow(clippy::unwrap_used, reason = "a bench")]

mod stand;

use serde_json::Value;
use stand::chain::Chain;
use stand::child::{self, Child};
use stand::{load, number, print};
use std::time::{Duration, Instant};

/// Questions of each kind, one after the other.
const QUESTIONS: usize = 200;
/// Readers at once, and what each asks.
const READERS: usize = 8;
const OF_EACH_READER: usize = 300;
/// Questions from one address: the door counts them.
const FROM_ONE: usize = 300;

fn main() {
    if child::is_wanted() {
        return child::run();
    }
    print(section());
}

async fn section() -> String {
    let (devices, epochs) = (number("--devices", 100_000), number("--epochs", 101));
    let before = load();
    let folder = tempfile::tempdir().unwrap();
    eprintln!("a chain with {devices} devices");
    let mut chain = Chain::found(folder.path(), u32::try_from(devices).unwrap()).await;
    for epoch in 0..=epochs {
        chain.epoch(epoch).await;
    }
    eprintln!("an explorer follows it");
    let height = chain.height();
    let mut child = Child::start(&chain, &folder.path().join("explorer.db"), height, epochs + 1);
    let followed = child.seconds("followed");
    let memory_followed = child.memory();
    eprintln!("… and its epochs are taken in");
    let found = child.seconds("found");
    let memory_found = child.memory();
    let url = child.word("serving");
    let asking = Asking { url, chain: &chain };
    let told = asking.get("/v1/chain", 0).await;
    let counts = &told["counts"];
    let of = |name: &str| counts[name].as_u64().unwrap();
    let rows = asking.table().await;
    eprintln!("{READERS} readers at once");
    let together = asking.together().await;
    let memory_asked = child.memory();
    let bytes: u64 = ["explorer.db", "explorer.db-wal"]
        .iter()
        .filter_map(|name| std::fs::metadata(folder.path().join(name)).ok())
        .map(|file| file.len())
        .sum();
    let (transactions, events, findings) = (of("transactions"), of("events"), of("findings"));
    drop(child);
    format!(
        "## Explorer\n\n\
         A chain with {devices} devices of 1,000 operators in one network and {epochs} settled and paid epochs, each with a finding of almost every \
         device; an explorer in a process of its own follows it over HTTP into an empty index in SQLite, checks every certificate, runs every \
         transaction through the ledger's rules, then reads every epoch's archive out of a folder, checks its roots and writes its findings, totals \
         and alerts. Making an index anew is both, so its time is their sum. Findings here have one stretch and no readings beside them. Load \
         average {before} before, {} after.\n\n\
         | what | amount | seconds | a second | memory then, MB | most, MB |\n|---|---|---|---|---|---|\n\
         | blocks followed | {height} | {followed:.1} | {:.0} | {} | {} |\n\
         | … transactions in them | {transactions} | | {:.0} | | |\n\
         | … events of them | {events} | | {:.0} | | |\n\
         | findings | {findings} | {found:.1} | {:.0} | {} | {} |\n\
         | made anew | | {:.1} | | | |\n\
         | after all questions below | | | | {} | {} |\n\n\
         The index has {:.1} GB then, {:.0} bytes a finding with everything that is counted of it.\n\n\
         ### Answers\n\n\
         {QUESTIONS} of each over one connection, one after the other, about devices and operators drawn anew each time; milliseconds from asking to \
         the last byte, and bytes of the median answer.\n\n\
         | path | p50 | p99 | most | bytes |\n|---|---|---|---|---|\n{rows}\n\
         {together}\n",
        load(),
        height as f64 / followed,
        memory_followed.0,
        memory_followed.1,
        transactions as f64 / followed,
        events as f64 / followed,
        findings as f64 / found,
        memory_found.0,
        memory_found.1,
        followed + found,
        memory_asked.0,
        memory_asked.1,
        bytes as f64 / 1e9,
        bytes as f64 / findings.max(1) as f64,
    )
}

/// What is asked: a path, with the place of a device's, operator's or account's id, an epoch, and a network's id.
const PATHS: [&str; 24] = [
    "/v1/chain",
    "/v1/overview",
    "/v1/series/units?step=epoch",
    "/v1/networks",
    "/v1/networks/{network}",
    "/v1/networks/{network}/cells?limit=500",
    "/v1/networks/{network}/devices?limit=100",
    "/v1/networks/{network}/devices.geojson?limit=500",
    "/v1/networks/{network}/epochs",
    "/v1/networks/{network}/epochs/{epoch}",
    "/v1/networks/{network}/epochs/{epoch}/findings",
    "/v1/networks/{network}/epochs/{epoch}/payouts",
    "/v1/devices/{device}",
    "/v1/devices/{device}/findings",
    "/v1/devices/{device}/earnings",
    "/v1/operators",
    "/v1/operators/{operator}",
    "/v1/operators/{operator}/devices",
    "/v1/operators/{operator}/income",
    "/v1/operators/{operator}/alerts",
    "/v1/accounts/{operator}",
    "/v1/blocks",
    "/v1/transactions",
    "/v1/search?q={part}",
];

struct Asking<'a> {
    url: String,
    chain: &'a Chain,
}

/// From an address of this computer that nobody else has.
fn client(number: usize) -> reqwest::Client {
    let [high, low] = u16::try_from(number + 2).unwrap().to_be_bytes();
    let from = std::net::Ipv4Addr::new(127, 1, high, low);
    reqwest::Client::builder()
        .local_address(Some(from.into()))
        .build()
        .unwrap()
}

impl Asking<'_> {
    fn path(&self, pattern: &str, draw: usize) -> String {
        let device = hex(&self.chain.device(draw).0);
        pattern
            .replace("{network}", &self.chain.network.to_string())
            .replace("{epoch}", &(1 + draw as u64 % (self.chain.epochs - 1)).to_string())
            .replace("{device}", &device)
            .replace("{operator}", &hex(&self.chain.operator(draw).0))
            .replace("{part}", &device[..10])
    }

    async fn get(&self, path: &str, from: usize) -> Value {
        let answer = client(from).get(format!("{}{path}", self.url)).send().await.unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }

    /// How long one answer takes, and its length.
    async fn ask(&self, client: &reqwest::Client, path: &str) -> (Duration, usize) {
        let begun = Instant::now();
        let answer = client.get(format!("{}{path}", self.url)).send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        let bytes = answer.bytes().await.unwrap().len();
        (begun.elapsed(), bytes)
    }

    async fn table(&self) -> String {
        let mut rows = String::new();
        for (at, pattern) in PATHS.into_iter().enumerate() {
            eprintln!("{pattern}");
            let client = client(1 + at);
            // The first opens the connection.
            self.ask(&client, &self.path(pattern, 7)).await;
            let mut all = Vec::new();
            for question in 0..QUESTIONS {
                let draw = (at * QUESTIONS + question + 1).wrapping_mul(7_919);
                all.push(self.ask(&client, &self.path(pattern, draw)).await);
            }
            let mut bytes: Vec<usize> = all.iter().map(|(_, bytes)| *bytes).collect();
            bytes.sort_unstable();
            let (p50, p99, most) = quantiles(all.into_iter().map(|(took, _)| took).collect());
            let shown = pattern.replace('|', "");
            rows += &format!(
                "| `{shown}` | {p50:.1} | {p99:.1} | {most:.1} | {} |\n",
                bytes[bytes.len() / 2]
            );
        }
        rows
    }

    /// Many at once, over everything.
    async fn together(&self) -> String {
        let begun = Instant::now();
        let readers = (0..READERS).map(|reader| async move {
            let mut all = Vec::new();
            let client = client(1_000 + reader * OF_EACH_READER.div_ceil(FROM_ONE));
            for question in 0..OF_EACH_READER {
                let draw = (reader * OF_EACH_READER + question).wrapping_mul(104_729);
                let path = self.path(PATHS[(reader * 5 + question) % PATHS.len()], draw);
                all.push(self.ask(&client, &path).await.0);
            }
            all
        });
        let all: Vec<Duration> = futures::future::join_all(readers).await.concat();
        let (count, seconds) = (all.len(), begun.elapsed().as_secs_f64());
        let (p50, p99, most) = quantiles(all);
        format!(
            "{READERS} readers at once, each asking for all of these in turn: {:.0} answers a second; p50 {p50:.1} ms, p99 {p99:.1} ms, \
             the longest {most:.1} ms of {count}.",
            count as f64 / seconds
        )
    }
}

fn quantiles(mut all: Vec<Duration>) -> (f64, f64, f64) {
    all.sort_unstable();
    let at = |percent: usize| all[(all.len() - 1) * percent / 100].as_secs_f64() * 1e3;
    (at(50), at(99), at(100))
}

fn hex(bytes: &[u8]) -> String {
    hex::encode(bytes)
}
