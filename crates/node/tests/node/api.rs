//! What callers see: answers with their height, refusals with number and hint, limits, events.

use crate::world::{CUSTOMER, EPOCH_MS, START, World};
use cairn_ledger::Reject;
use cairn_node::{OutcomeError, SubmitError};
use cairn_types::TimeMs;
use serde_json::{Value, json};

#[tokio::test]
async fn a_transaction_sent_over_http_is_final_and_found_after_a_restart() {
    let world = World::new(|_| {}).await;
    let (id, bytes) = world.signed(CUSTOMER, 5, World::transfer(40));
    let (status, taken) = world.post("/v1/transactions?wait=final", bytes.clone()).await;
    assert_eq!(
        (status, &taken["state"], &taken["id"]),
        (200, &json!("final"), &json!(id.to_string()))
    );
    let kinds: Vec<&Value> = taken["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["kind"])
        .collect();
    assert_eq!(kinds, ["fee_paid", "transferred"]);
    assert_eq!(world.get(&format!("/v1/transactions/{id}")).await, (200, taken.clone()));
    // Sent again, it is what it was.
    assert_eq!(
        world.post("/v1/transactions?wait=final", bytes).await,
        (200, taken.clone())
    );
    let (_, before) = world.get("/v1/status").await;

    let (folder, now_ms) = (world.folder, START.0 + 2_000);
    world.node.shutdown().await;
    let world = World::on(folder, now_ms, |_| {}).await;
    world.node.taken_in(taken["height"].as_u64().unwrap()).await.unwrap();
    assert_eq!(world.get(&format!("/v1/transactions/{id}")).await, (200, taken));
    let (_, block) = world.get(&format!("/v1/blocks/{}", before["height"])).await;
    assert_eq!(block["state_root"], before["state_root"]);
    world.node.shutdown().await;
}

#[tokio::test]
async fn refusals_have_a_number_a_sentence_and_a_hint() {
    let world = World::new(|_| {}).await;
    let refused = |reject: Reject, code: &str| {
        let body =
            json!({ "code": code, "number": reject.code(), "message": reject.sentence(), "hint": reject.hint() });
        (422, body)
    };
    let (_, bytes) = world.signed(CUSTOMER, 1, World::transfer(0));
    let zero = world.post("/v1/transactions?wait=final", bytes).await;
    assert_eq!(zero, refused(Reject::AmountZero, "amount_zero"));
    let (id, bytes) = world.signed(99, 1, World::transfer(1));
    assert_eq!(
        world.post("/v1/transactions", bytes).await,
        refused(Reject::AccountUnknown, "account_unknown")
    );
    let (status, unknown) = world.get(&format!("/v1/transactions/{id}")).await;
    assert_eq!((status, &unknown["code"]), (404, &json!("not_found")));
    let (_, mut bytes) = world.signed(CUSTOMER, 1, World::transfer(1));
    *bytes.last_mut().unwrap() ^= 1;
    let (status, wrong) = world.post("/v1/transactions", bytes).await;
    assert_eq!(status, 422, "{wrong}");
    assert_eq!(world.post("/v1/transactions", vec![0xff; 9]).await.0, 422);
    let (status, mut long) = refused(Reject::TooLong, "too_long");
    long["message"] = "the transaction has 70000 bytes, and one may have 65536".into();
    assert_eq!(world.post("/v1/transactions", vec![0; 70_000]).await, (status, long));
    world.node.shutdown().await;
}

#[tokio::test]
async fn nonsense_is_answered_in_the_same_form() {
    let world = World::new(|_| {}).await;
    for (path, status, code) in [
        ("/", 404, "not_found"),
        ("/v1/accounts/zz", 400, "bad_id"),
        ("/v1/accounts/4000000000", 404, "not_found"),
        ("/v1/accounts/%ff", 400, "bad_path"),
        ("/v1/networks?start=-1", 400, "bad_query"),
        ("/v1/networks/7", 404, "not_found"),
        ("/v1/proofs/00", 400, "bad_key"),
        ("/v1/records", 400, "bad_query"),
        ("/v1/blocks/9999999", 404, "not_found"),
        ("/v1/blocks/x", 400, "bad_height"),
        ("/v1/transactions/1", 400, "bad_id"),
        ("/v1/transactions", 405, "method_not_allowed"),
        ("/v1/epochs/99", 404, "not_found"),
    ] {
        let (found, body) = world.get(path).await;
        assert_eq!((found, body["code"].as_str()), (status, Some(code)), "{path}: {body}");
        assert!(body["message"].is_string() && body["hint"].is_string(), "{path}");
    }
    let too_long = vec![0; 300_000];
    assert_eq!(world.post("/v1/transactions", too_long).await.0, 413);
    world.node.shutdown().await;
}

#[tokio::test]
async fn a_full_pool_asks_to_come_back_later() {
    let world = World::new(|config| config.mempool.count_max = 0).await;
    let (_, bytes) = world.signed(CUSTOMER, 1, World::transfer(1));
    let request = world
        .http
        .post(format!("{}/v1/transactions", world.node.url()))
        .body(bytes);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "pool_full");
    world.node.shutdown().await;
}

#[tokio::test]
async fn many_at_once_all_become_final_in_the_order_of_their_nonces() {
    let world = World::new(|_| {}).await;
    let sends = (1..=300).map(|nonce| {
        let (_, bytes) = world.signed(CUSTOMER, nonce, World::transfer(1));
        world.node.submit_and_wait(bytes)
    });
    let sent = futures::future::join_all(sends).await;
    let places: Vec<_> = sent
        .into_iter()
        .map(|sent| sent.map(|sent| (sent.height, sent.index)).unwrap())
        .collect();
    assert!(places.is_sorted());
    let (_, bytes) = world.signed(CUSTOMER, 300, World::transfer(1));
    let again = world
        .node
        .submit_and_wait(bytes)
        .await
        .map(|sent| (sent.height, sent.index));
    assert_eq!(
        again,
        Ok(*places.last().unwrap()),
        "the same again is as final as before"
    );
    let (_, bytes) = world.signed(CUSTOMER, 300, World::transfer(2));
    let used = OutcomeError::Submit(SubmitError::Refused(Reject::NonceUsed));
    assert_eq!(world.node.submit_and_wait(bytes).await.err(), Some(used));
    world.node.shutdown().await;
}

#[tokio::test]
async fn an_hour_of_data_time_closes_an_epoch_at_once() {
    let world = World::new(|_| {}).await;
    world.send(CUSTOMER, World::transfer(1)).await;
    let header = world
        .node
        .advance(&world.clock, TimeMs(START.0 + EPOCH_MS))
        .await
        .unwrap();
    world.node.taken_in(header.height).await.unwrap();
    let (status, epoch) = world.get("/v1/epochs/0").await;
    assert_eq!((status, &epoch["closed_height"]), (200, &json!(header.height)));
    world.node.shutdown().await;
}

/// The text of the event stream up to a word.
async fn until(world: &World, path: &str, word: &str) -> String {
    let mut response = world
        .http
        .get(format!("{}{path}", world.node.url()))
        .send()
        .await
        .unwrap();
    let mut text = String::new();
    while !text.contains(word) {
        let Some(chunk) = response.chunk().await.unwrap() else {
            break;
        };
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    text
}

#[tokio::test]
async fn events_are_told_from_any_block_on_and_the_end_is_announced() {
    let world = World::new(|_| {}).await;
    world.send(CUSTOMER, World::transfer(11)).await;
    let last = world.send(CUSTOMER, World::transfer(12)).await;
    let text = until(&world, "/v1/events?from=1", &format!("id: {}\n", last.height)).await;
    let order = ["event: genesis_written", "\"amount\":\"11\"", "\"amount\":\"12\""].map(|word| text.find(word));
    assert!(order.is_sorted() && order[0].is_some(), "{text}");
    assert!(text.contains(&last.id.to_string()));
    let live = world
        .http
        .get(format!("{}/v1/events", world.node.url()))
        .send()
        .await
        .unwrap();
    world.send(CUSTOMER, World::transfer(13)).await;
    world.node.shutdown().await;
    let text = live.text().await.unwrap();
    assert!(
        text.contains("\"amount\":\"13\"") && !text.contains("\"amount\":\"12\""),
        "{text}"
    );
    assert!(text.trim_end().lines().rev().nth(1) == Some("event: cut"), "{text}");
}

#[tokio::test]
async fn a_stream_too_many_is_refused_and_the_metrics_count() {
    let world = World::new(|config| config.http.streams_max = 1).await;
    let url = format!("{}/v1/events?from=1", world.node.url());
    let first = world.http.get(&url).send().await.unwrap();
    let second = world.http.get(&url).send().await.unwrap();
    assert_eq!(second.status(), 429);
    let metrics = world
        .http
        .get(format!("{}/metrics", world.node.url()))
        .send()
        .await
        .unwrap();
    let text = metrics.text().await.unwrap();
    assert!(
        text.contains("cairn_node_streams_free 0") && text.contains("cairn_node_height "),
        "{text}"
    );
    drop(first);
    world.node.shutdown().await;
}

#[tokio::test]
async fn a_node_listens_on_this_computer_unless_told_otherwise() {
    assert!(cairn_node::LISTEN_DEFAULT.ip().is_loopback());
    let world = World::new(|_| {}).await;
    assert!(world.node.address().ip().is_loopback());
    let (_, status) = world.get("/v1/status").await;
    assert!(status["beacon_note"].as_str().unwrap().contains("foresee"));
    assert_eq!(
        (&status["validators"], &status["chain"]),
        (&json!(1), &json!("cairn-test"))
    );
    assert_eq!(world.get("/v1/health").await.0, 200);
    world.node.shutdown().await;
}
