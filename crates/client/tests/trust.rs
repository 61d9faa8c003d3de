//! A client with a trust anchor against a real node, and against one that lies in every answer it can.
#![allow(clippy::unwrap_used, reason = "a test may")]

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use cairn_client::{Anchor, ClientError, NodeClient, Told, Wallet};
use cairn_ledger::account::Rule;
use cairn_ledger::tx::{Asset, Body, transfer::Transfer};
use cairn_ledger::{Event, Genesis, Reject};
use cairn_node::genesis::{Solo, solo};
use cairn_node::{NodeConfig, NodeHandle, start};
use cairn_types::{AccountId, MicroUsd, SecretKey, TimeMs, Token};
use serde_json::Value;
use std::sync::Arc;
use tempfile::TempDir;

const PAYER: u8 = 4;
const PAYEE: u8 = 5;

fn secret(seed: u8) -> SecretKey {
    SecretKey::ed25519([seed; 32])
}

fn account(seed: u8) -> AccountId {
    Rule::single(secret(seed).public()).account_id()
}

fn genesis() -> Genesis {
    let key = |seed| secret(seed).public();
    solo(&Solo {
        chain: "cairn-trust".parse().unwrap(),
        start: TimeMs(1_700_000_000_000),
        epoch_ms: 3_600_000,
        founder: key(1),
        verifier: key(2),
        issuer: key(3),
        others: [PAYER, PAYEE]
            .map(|seed| (key(seed), Token(1_000_000), MicroUsd(0)))
            .into(),
    })
    .unwrap()
}

struct World {
    node: NodeHandle,
    client: NodeClient,
    anchor: Anchor,
    _folder: TempDir,
}

async fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let config = NodeConfig {
        listen: "127.0.0.1:0".parse().unwrap(),
        ..NodeConfig::solo(folder.path(), genesis())
    };
    let node = start(config).await.unwrap();
    let anchor = node.chain().anchor().clone();
    let client = NodeClient::trusting(&node.url(), anchor.clone()).unwrap();
    World {
        node,
        client,
        anchor,
        _folder: folder,
    }
}

fn transfer(amount: u64) -> Body {
    Body::Transfer(Transfer {
        to: account(PAYEE),
        amount: Asset::Token(Token(amount)),
    })
}

#[tokio::test]
async fn what_is_there_and_what_is_not_is_proven() {
    let World {
        node, client, anchor, ..
    } = world().await;
    assert_eq!(client.status().await.unwrap().anchor_as_told(), Ok(anchor));
    let there = client.proven_account(&account(PAYEE)).await.unwrap();
    assert!(there.proven && there.height > 0);
    assert_eq!(there.value.unwrap().token, Token(1_000_000));
    let absent = client.proven_account(&account(77)).await.unwrap();
    assert_eq!((absent.value, absent.proven), (None, true));
    let told = NodeClient::new(&node.url()).unwrap();
    assert!(!told.account(&account(PAYEE)).await.unwrap().proven);
    assert_eq!(told.proven_account(&account(PAYEE)).await, Err(ClientError::NoAnchor));
    node.shutdown().await;
}

#[tokio::test]
async fn a_wallet_counts_its_nonces_and_a_sent_transaction_is_proven() {
    let World { node, client, .. } = world().await;
    let genesis = client.genesis().await.unwrap();
    let mut wallet = Wallet::single(&genesis, secret(PAYER));
    for amount in [10, 20] {
        let sent = client.send(&mut wallet, transfer(amount)).await.unwrap();
        assert!(sent.proven);
        let fee = wallet.fee(&transfer(amount));
        assert_eq!(
            sent.events[0],
            Event::FeePaid {
                payer: account(PAYER),
                fee
            }
        );
    }
    let refused = client.send(&mut wallet, transfer(0)).await.unwrap_err();
    assert_eq!(
        (refused.reject(), refused.code()),
        (Some(Reject::AmountZero), "amount_zero")
    );
    assert_eq!(refused.hint(), Reject::AmountZero.hint());
    let mut other = Wallet::single(&genesis, secret(PAYER));
    client.send(&mut other, transfer(30)).await.unwrap();
    client.send(&mut wallet, transfer(40)).await.unwrap();
    let paid = client.proven_account(&account(PAYEE)).await.unwrap().value.unwrap();
    assert_eq!(paid.token, Token(1_000_100));
    node.shutdown().await;
}

#[tokio::test]
async fn events_tell_what_was_sent() {
    let World { node, client, .. } = world().await;
    let mut events = client.events(Some(1)).await.unwrap();
    let mut wallet = Wallet::single(&client.genesis().await.unwrap(), secret(PAYER));
    let sent = client.send(&mut wallet, transfer(10)).await.unwrap();
    let mut seen = Vec::new();
    while let Some(told) = events.next().await.unwrap() {
        match told {
            Told::Event { transaction, event, .. } if transaction == Some(sent.id) => seen.push(event),
            Told::Block { height, .. } if height == sent.height => break,
            _ => {}
        }
    }
    assert_eq!(seen, sent.events);
    node.shutdown().await;
}

/// Asks the honest node and changes the answer.
struct Liar {
    honest: String,
    lie: fn(&str, &mut Value),
    http: reqwest::Client,
}

async fn answer(State(liar): State<Arc<Liar>>, request: Request) -> Response {
    let path = request.uri().path_and_query().unwrap().to_string();
    let (method, body) = (
        request.method().clone(),
        axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap(),
    );
    let asked = liar.http.request(method, format!("{}{path}", liar.honest)).body(body);
    let bytes = asked.send().await.unwrap().bytes().await.unwrap();
    match serde_json::from_slice(&bytes) {
        Ok(mut answer) => {
            (liar.lie)(&path, &mut answer);
            axum::Json(answer).into_response()
        }
        Err(_) => bytes.into_response(),
    }
}

async fn lying(honest: &NodeHandle, lie: fn(&str, &mut Value)) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let honest = honest.url();
    let http = reqwest::Client::new();
    let liar = Arc::new(Liar { honest, lie, http });
    let router = Router::new().fallback(answer).with_state(liar);
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// Flips one bit of the hexadecimal digits at a place of a field.
fn flip(answer: &mut Value, field: &str, at: usize) {
    let Some(text) = answer[field].as_str() else { return };
    let mut bytes = hex::decode(text).unwrap();
    let at = at % bytes.len();
    bytes[at] ^= 1;
    answer[field] = hex::encode(bytes).into();
}

#[tokio::test]
async fn a_flipped_bit_anywhere_in_a_proof_is_never_believed() {
    let World {
        node, client, anchor, ..
    } = world().await;
    let key = cairn_ledger::view::key::<cairn_ledger::records::Account>(&account(PAYEE));
    let url = format!("{}/v1/proofs/{}", node.url(), hex::encode(key.0));
    let body: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let proof = hex::decode(body["proof"].as_str().unwrap()).unwrap();
    let honest = cairn_client::verify::bytes(&anchor, &key, &proof).unwrap();
    for at in 0..proof.len() {
        let mut wrong = proof.clone();
        wrong[at] ^= 1;
        // Some bits carry nothing: then what is believed is still the truth.
        if let Ok(found) = cairn_client::verify::bytes(&anchor, &key, &wrong) {
            assert_eq!(found, honest, "byte {at}");
        }
    }
    drop(client);
    node.shutdown().await;
}

#[tokio::test]
async fn a_node_that_lies_is_found_out() {
    let World { node, anchor, .. } = world().await;
    let trusting = |url: String, anchor: &Anchor| NodeClient::trusting(&url, anchor.clone()).unwrap();

    let other_proof = lying(&node, |path, answer| {
        if path.starts_with("/v1/proofs") {
            flip(answer, "proof", 700);
        }
    });
    let client = trusting(other_proof.await, &anchor);
    assert!(client.account(&account(PAYEE)).await.is_err());

    let other_receipt = lying(&node, |path, answer| {
        if path.ends_with("/proof") {
            flip(answer, "receipt", 12);
        }
    });
    let client = trusting(other_receipt.await, &anchor);
    let mut wallet = Wallet::single(&client.genesis().await.unwrap(), secret(PAYER));
    let error = client.send(&mut wallet, transfer(10)).await.unwrap_err();
    assert_eq!(error.code(), "unproven");

    for change in [
        |anchor: &mut Anchor| anchor.chain = "cairn-other".into(),
        |anchor: &mut Anchor| anchor.genesis[0] ^= 1,
        |anchor: &mut Anchor| anchor.group_key[40] ^= 1,
        |anchor: &mut Anchor| anchor.era += 1,
    ] {
        let mut other = anchor.clone();
        change(&mut other);
        let error = trusting(node.url(), &other).account(&account(PAYEE)).await.unwrap_err();
        assert_eq!(error.code(), "unproven", "{other:?}");
    }
    let mut other = anchor.clone();
    other.genesis[0] ^= 1;
    let found = trusting(node.url(), &other).genesis().await;
    assert_eq!(found, Err(ClientError::OtherThing("another genesis")));
    node.shutdown().await;
}

#[tokio::test]
async fn an_answer_older_than_one_seen_is_stale() {
    let World {
        node, client, anchor, ..
    } = world().await;
    let key = cairn_ledger::view::key::<cairn_ledger::records::Account>(&account(PAYEE));
    let path = format!("/v1/proofs/{}", hex::encode(key.0));
    let old: Value = reqwest::get(format!("{}{path}", node.url()))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let mut wallet = Wallet::single(&client.genesis().await.unwrap(), secret(PAYER));
    client.send(&mut wallet, transfer(10)).await.unwrap();

    // Honest until it answers with what it once proved.
    static OLD: std::sync::OnceLock<Value> = std::sync::OnceLock::new();
    static TURNED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
    OLD.set(old).unwrap();
    let url = lying(&node, |_, answer| {
        if TURNED.load(std::sync::atomic::Ordering::SeqCst) {
            *answer = OLD.get().unwrap().clone();
        }
    });
    let client = NodeClient::trusting(&url.await, anchor).unwrap();
    assert!(client.account(&account(PAYEE)).await.is_ok());
    TURNED.store(true, std::sync::atomic::Ordering::SeqCst);
    let error = client.account(&account(PAYEE)).await.unwrap_err();
    assert_eq!(error.code(), "stale");
    node.shutdown().await;
}

#[tokio::test]
async fn nobody_at_the_address_is_said_plainly() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let client = NodeClient::new(&format!("http://{free}")).unwrap();
    assert_eq!(client.status().await.unwrap_err().code(), "unreachable");
}
