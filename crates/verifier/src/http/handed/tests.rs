//! Files handed on over real sockets: what is wanted is kept and served, and whoever sends anything else, or not all of it, leaves nothing
//! behind.

use super::*;
use crate::Config;
use crate::http::Timeouts;
use crate::http::tests::{Running, run_on, until_closed};
use crate::world::{VERIFIER, WINDOWS, account, after, genesis_of};
use cairn_ledger::tx::Body as Transaction;
use cairn_ledger::tx::anchor_epoch::{AnchorEpoch, NetworkAnchor};
use reqwest::Method;
use std::path::PathBuf;
use tokio::net::TcpStream;

const OTHER: u8 = 205;

/// A verifier, and the bytes that another one anchored of hour 0 and shows nobody.
async fn withheld(bytes: &[u8], change: impl FnOnce(&mut Config)) -> (Running, String) {
    let genesis = genesis_of(&[(VERIFIER, 30_000), (OTHER, 10_000)]);
    let running = run_on(genesis, change).await;
    let hash = hash::sha256(bytes);
    let anchor = NetworkAnchor {
        network: running.world.network,
        root: hash,
        count: 1,
        reports_hash: hash,
    };
    let (chain, now) = (running.world.chain.clone(), after(0).plus_ms(WINDOWS.grace_ms));
    let anchored = tokio::task::spawn_blocking(move || {
        chain.advance(now);
        let (epoch, anchors) = (EpochNumber(0), vec![anchor]);
        account(OTHER).submit(&chain, Transaction::AnchorEpoch(AnchorEpoch { epoch, anchors }))
    });
    anchored.await.unwrap().unwrap();
    let path = path(&running, &hash);
    (running, path)
}

fn path(running: &Running, hash: &Hash) -> String {
    format!("/v1/archive/{}/0/{}", running.world.network, archive::sealed_name(hash))
}

async fn ask(running: &Running, method: Method, path: &str, bytes: &[u8]) -> (u16, String) {
    let request = reqwest::Client::new().request(method, running.url(path));
    let answer = request.body(bytes.to_vec()).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn hand(running: &Running, path: &str, bytes: &[u8]) -> (u16, String) {
    ask(running, Method::PUT, path, bytes).await
}

fn desk(running: &Running) -> PathBuf {
    running.folder.path().join("log.handed")
}

fn on_their_way(running: &Running) -> usize {
    std::fs::read_dir(desk(running)).unwrap().count()
}

/// Begins to hand on so many bytes, says the first of them, and nothing more yet.
async fn begun(running: &Running, path: &str, length: usize, first: &[u8]) -> TcpStream {
    let mut stream = running.raw().await;
    let head = format!("PUT {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(first).await.unwrap();
    stream
}

/// Until so many files are on their way.
async fn until(running: &Running, count: usize) {
    while on_their_way(running) != count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_another_anchored_is_kept_and_served_and_taken_once() {
    let bytes = vec![7; 3_000_000];
    let (running, path) = withheld(&bytes, |_| {}).await;
    let asked = reqwest::Client::new().head(running.url(&path)).send().await.unwrap();
    let me = account(VERIFIER).account.to_string();
    assert_eq!(
        (asked.status().as_u16(), asked.headers()[handed::WHO].as_bytes()),
        (404, me.as_bytes())
    );
    assert_eq!(running.get(&path).await.status(), 404);
    assert_eq!(hand(&running, &path, &bytes).await.0, 201);
    assert_eq!(ask(&running, Method::HEAD, &path, b"").await.0, 200);
    assert_eq!(running.get(&path).await.bytes().await.unwrap(), bytes);
    assert_eq!(hand(&running, &path, &bytes).await.0, 200, "it is here");
    assert_eq!(on_their_way(&running), 0);
    let metrics = running.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains("files_handed_total 1"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_else_is_handed_on_is_refused_by_its_reason_and_leaves_nothing() {
    let bytes = b"rows".to_vec();
    let (running, good) = withheld(&bytes, |_| {}).await;
    let network = running.world.network;
    let unknown = path(&running, &hash::sha256(b"other"));
    let later = good.replace("/0/", "/1/");
    let elsewhere = good.replace(&network.to_string(), &"1".repeat(64));
    let no_network = good.replace(&network.to_string(), "x");
    let named = format!("/v1/archive/{network}/0/reports.parquet");
    for (path, bytes, status, code) in [
        (&good, &b"lies"[..], 422, "OtherHash"),
        (&good, b"", 411, "LengthRequired"),
        (&unknown, b"other", 404, "NotAnchored"),
        (&later, b"rows", 404, "NotAnchored"),
        (&elsewhere, b"rows", 404, "NotFound"),
        (&no_network, b"rows", 400, "Malformed"),
        (&named, b"rows", 404, "NotFound"),
    ] {
        let (told, text) = hand(&running, path, bytes).await;
        assert!(told == status && text.contains(code), "{path}: {told} {text}");
    }
    assert_eq!(ask(&running, Method::POST, &good, &bytes).await.0, 405);
    // Without a length, or with one that no such file has, not a byte is taken.
    let mut silent = running.raw().await;
    let head = format!("PUT {good} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n");
    silent.write_all(head.as_bytes()).await.unwrap();
    let told = until_closed(silent).await;
    assert!(told.starts_with("HTTP/1.1 411"), "{told}");
    let told = until_closed(begun(&running, &good, 1 << 29, b"").await).await;
    assert!(told.starts_with("HTTP/1.1 413"), "{told}");
    assert_eq!(
        (on_their_way(&running), running.get(&good).await.status().as_u16()),
        (0, 404)
    );
    assert_eq!(
        hand(&running, &good, &bytes).await.0,
        201,
        "and the right one is taken after all of that"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_begun_and_left_is_removed_and_one_address_has_few_places() {
    let bytes = vec![5; 100_000];
    let (running, path) = withheld(&bytes, |_| {}).await;
    let mut all = Vec::new();
    for count in 1..=HANDED_BY_ONE_MAX {
        all.push(begun(&running, &path, bytes.len(), &bytes[..10]).await);
        until(&running, count).await;
    }
    let (told, text) = hand(&running, &path, &bytes).await;
    assert!(told == 503 && text.contains("Full"), "{told} {text}");
    let mut last = all.pop().unwrap();
    drop(all);
    until(&running, 1).await;
    assert_eq!(running.get(&path).await.status(), 404);
    last.write_all(&bytes[10..]).await.unwrap();
    let told = until_closed(last).await;
    assert!(told.starts_with("HTTP/1.1 201"), "{told}");
    until(&running, 0).await;
}

#[tokio::test]
async fn where_all_places_are_taken_the_slowest_gives_way_but_nobody_who_just_came() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path()).unwrap();
    let from = |at: usize| IpAddr::from([10, 0, 0, at as u8]);
    let start = Instant::now();
    let all: Vec<_> = (0..HANDED_AT_ONCE_MAX)
        .map(|at| desk.admit(from(at), start).unwrap())
        .collect();
    for (at, place) in all.iter().enumerate() {
        let bytes = if at == 3 { 5 } else { 5_000_000 + at as u64 };
        place.one.bytes.store(bytes, Ordering::Relaxed);
    }
    let late = from(200);
    assert!(desk.admit(late, start + HANDED_SPARED / 2).is_none());
    let place = desk.admit(late, start + HANDED_SPARED).expect("one drips");
    all[3].one.gives_way.notified().await;
    assert_eq!(desk.coming().len(), HANDED_AT_ONCE_MAX);
    drop(place);
    assert_eq!(desk.coming().len(), HANDED_AT_ONCE_MAX - 1);
    drop(all);
    assert!(desk.coming().is_empty());
}

#[test]
fn what_a_killed_process_left_on_its_way_is_removed_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let (part, other) = (folder.path().join("ab-7.part"), folder.path().join("notes"));
    std::fs::write(&part, b"half").unwrap();
    std::fs::write(&other, b"not ours").unwrap();
    Desk::open(folder.path()).unwrap();
    assert!(!part.exists() && other.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_disk_takes_nothing_it_is_told_to_come_back_and_then_it_goes_on() {
    let bytes = b"rows".to_vec();
    let (running, path) = withheld(&bytes, |config| config.retry_seconds = 7).await;
    std::fs::remove_dir(desk(&running)).unwrap();
    let request = reqwest::Client::new().put(running.url(&path)).body(bytes.clone());
    let refused = request.send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), refused.headers()["retry-after"].as_bytes()),
        (503, &b"7"[..])
    );
    std::fs::create_dir(desk(&running)).unwrap();
    // The archive's disk is another one.
    let archive = running.folder.path().join("archive");
    std::fs::rename(&archive, archive.with_extension("away")).unwrap();
    std::fs::write(&archive, b"no folder").unwrap();
    let (told, text) = hand(&running, &path, &bytes).await;
    assert!(told == 503 && text.contains("Unavailable"), "{told} {text}");
    std::fs::remove_file(&archive).unwrap();
    std::fs::rename(archive.with_extension("away"), &archive).unwrap();
    assert_eq!(
        (hand(&running, &path, &bytes).await.0, on_their_way(&running)),
        (201, 0)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_file_may_take_longer_than_a_request_and_a_short_one_may_not() {
    let request = Duration::from_millis(150);
    let timeouts = Timeouts {
        idle: Duration::from_secs(20),
        request,
    };
    let bytes = vec![3; 20 << 20];
    let (running, path) = withheld(&bytes, |config| config.timeouts = timeouts).await;
    let mut long = begun(&running, &path, bytes.len(), &bytes[..10]).await;
    until(&running, 1).await;
    // Each ends when its time is over: both began after the long one.
    let mut half = running.raw().await;
    half.write_all(b"GET /v1/health HTTP/1.1\r\n").await.unwrap();
    until_closed(half).await;
    let told = until_closed(begun(&running, &path, 100, b"ab").await).await;
    assert!(told.is_empty() || told.contains("BodyBroken"), "{told}");
    until(&running, 1).await;
    long.write_all(&bytes[10..]).await.unwrap();
    let told = until_closed(long).await;
    assert!(told.starts_with("HTTP/1.1 201"), "{told}");
}

#[test]
fn an_address_may_send_so_much_and_each_try_counts() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk::open(folder.path()).unwrap();
    let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
    let all = u64::from(HANDED_KIB_MAX) / HANDED_KIB_MIN;
    let passed = (0..2 * all).take_while(|_| desk.take(one, 0).is_ok()).count() as u64;
    assert!(passed >= all && passed < 2 * all, "{passed}");
    assert!(desk.take(one, 1 << 30).is_err());
    assert_eq!(desk.take(other, 1 << 30), Ok(()));
    assert!(desk.take(other, u64::MAX).is_err());
}
