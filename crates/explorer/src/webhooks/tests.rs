//! Webhooks to a server of this computer, over a restart and an index made anew.

use super::*;
use crate::db::schema;
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const ACCOUNT: AccountId = AccountId([7; 32]);
const NOW: TimeMs = TimeMs(1_500_090_000_000);

/// A server that says of each post what came; it takes those it is told to take.
async fn server(takes: &'static str) -> (String, mpsc::Receiver<(String, String)>) {
    let (told, heard) = mpsc::channel(64);
    let answer = move |headers: HeaderMap, body: String| async move {
        let signature = headers["x-cairn-signature"].to_str().unwrap().to_owned();
        let status = match body.contains(takes) {
            true => StatusCode::OK,
            false => StatusCode::SERVICE_UNAVAILABLE,
        };
        told.send((signature, body)).await.unwrap();
        status
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/alerts", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/alerts", post(answer))).await });
    (url, heard)
}

fn index(folder: &std::path::Path) -> Location {
    let location = Location::Sqlite(folder.join("explorer.db"));
    let mut session = location.open().unwrap();
    schema::version(session.as_mut()).unwrap();
    schema::make(session.as_mut()).unwrap();
    location
}

fn alert(epoch: u64, time: TimeMs) -> (u64, Value) {
    let id = format!("0-{epoch}-3-device_silent");
    (
        1,
        json!({ "id": id, "operator": hex::encode(ACCOUNT.0), "time": time.to_string(), "epoch": epoch }),
    )
}

fn found(location: &Location, alerts: &[(u64, Value)]) {
    let mut session = location.open().unwrap();
    session.begin().unwrap();
    put(session.as_mut(), alerts, NOW).unwrap();
    session.commit().unwrap();
}

#[tokio::test]
async fn what_waits_is_posted_after_a_restart_once_and_signed() {
    let folder = tempfile::tempdir().unwrap();
    let location = index(folder.path());
    let (url, mut heard) = server("epoch").await;
    let hooks = Webhooks::open(location.clone(), true).unwrap();
    let old = alert(1, TimeMs(NOW.0 - KEPT_MS - 1));
    found(&location, &[alert(8, NOW)]);
    assert_eq!(hooks.keep(ACCOUNT, url, [9; 32], NOW).await, Ok(Kept::Yes));
    // What happened before anybody asked, and long ago, is not posted.
    found(&location, &[old, alert(9, NOW)]);
    drop(hooks);
    schema::make(location.open().unwrap().as_mut()).unwrap();
    let hooks = Webhooks::open(location.clone(), true).unwrap();
    found(&location, &[alert(9, NOW)]);
    assert_eq!(hooks.round().await, Ok(1));
    let (signature, body) = heard.recv().await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), alert(9, NOW).1);
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &[9; 32]);
    aws_lc_rs::hmac::verify(&key, body.as_bytes(), &hex::decode(signature).unwrap()).unwrap();
    found(&location, &[alert(9, NOW)]);
    assert_eq!(hooks.round().await, Ok(0), "once");
}

#[tokio::test]
async fn who_does_not_take_posts_is_left_alone_and_at_last_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let location = index(folder.path());
    let (url, mut heard) = server("nothing of this").await;
    let hooks = Webhooks::open(location.clone(), true).unwrap();
    hooks.keep(ACCOUNT, url, [9; 32], NOW).await.unwrap();
    found(&location, &[alert(1, NOW), alert(2, NOW)]);
    assert_eq!(hooks.round().await, Ok(2));
    assert!(heard.recv().await.is_some());
    assert!(heard.try_recv().is_err(), "the second waits behind the first");
    assert_eq!(hooks.round().await, Ok(0), "it rests");
    let mut session = location.open().unwrap();
    session
        .run("UPDATE hooks SET due = 0, failures = $1", values![FAILURES_MAX])
        .unwrap();
    assert_eq!(hooks.round().await, Ok(2));
    let left = session.one("SELECT COUNT(*) FROM hooks", &[]).unwrap().unwrap();
    assert_eq!(left.sum(0), 0);
}

#[tokio::test]
async fn a_near_address_is_asked_only_where_that_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let location = index(folder.path());
    let (url, mut heard) = server("epoch").await;
    let hooks = Webhooks::open(location.clone(), false).unwrap();
    hooks.keep(ACCOUNT, url, [9; 32], NOW).await.unwrap();
    found(&location, &[alert(1, NOW)]);
    assert_eq!(hooks.round().await, Ok(1));
    assert!(heard.try_recv().is_err());
    // Only so many wait.
    let many: Vec<(u64, Value)> = (0..WAITING_MAX + 5).map(|epoch| alert(epoch, NOW)).collect();
    found(&location, &many);
    let count = location
        .open()
        .unwrap()
        .one("SELECT COUNT(*) FROM hook_posts", &[])
        .unwrap()
        .unwrap();
    assert_eq!(count.sum(0), WAITING_MAX);
    assert_eq!(
        hooks.keep(ACCOUNT, String::new(), [9; 32], TimeMs(NOW.0 + 1)).await,
        Ok(Kept::Yes)
    );
    assert_eq!(hooks.round().await, Ok(0));
}

#[tokio::test]
async fn an_older_request_does_not_undo_a_newer_one() {
    let folder = tempfile::tempdir().unwrap();
    let hooks = Webhooks::open(index(folder.path()), true).unwrap();
    let keep = |url: &str, time: u64| hooks.keep(ACCOUNT, url.to_owned(), [1; 32], TimeMs(NOW.0 + time));
    assert_eq!(keep("http://a.example", 10).await, Ok(Kept::Yes));
    assert_eq!(keep("", 11).await, Ok(Kept::Yes));
    assert_eq!(
        keep("http://a.example", 10).await,
        Ok(Kept::Older),
        "it stays taken away"
    );
    assert_eq!(keep("http://b.example", 12).await, Ok(Kept::Yes));
    hooks
        .with(|session| {
            for account in 0..HOOKS_MAX as u16 {
                let id = [&account.to_be_bytes()[..], &[1; 30]].concat();
                let sql = "INSERT INTO hooks (account, url, secret, signed, failures, due) VALUES ($1, 'http://c.example', $1, 1, 0, 0)";
                session.run(sql, values![id])?;
            }
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(keep("http://b.example", 13).await, Ok(Kept::Full));
}
