//! `openapi.json` says what the router does: the same routes, and answers of a furnished explorer that fit their schemas; and what holds
//! for every answer.

use crate::schema::check;
use crate::server::Server;
use crate::world::{CUSTOMER, FOUNDER, Furniture, OPERATOR, World, account, secret};
use cairn_explorer::{Clock, Handle, Settings, api, start};
use cairn_ledger::account::Rule;
use cairn_ledger::tx::transfer::Transfer;
use cairn_ledger::tx::{Asset, Body, Signed, Sponsor, buy_credits, open_account, open_order, refund_credits};
use cairn_types::{Credit, Hash, MicroUsd, PublicKey, SecretKey, TimeMs, codec};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;

fn document() -> Value {
    serde_json::from_str(include_str!("../../openapi.json")).unwrap()
}

#[test]
fn every_route_is_described_and_every_description_is_routed() {
    let document = document();
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(move |method| (method.clone(), path.clone()))
        })
        .collect();
    assert_eq!(described, api::routes().into_iter().collect());
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
}

/// An explorer of a world, and what asks it.
pub struct Asking {
    pub explorer: Handle,
    pub http: reqwest::Client,
}

impl Asking {
    pub async fn start(world: &World) -> Self {
        Self::on(world, world.file("explorer.db")).await
    }

    pub async fn on(world: &World, database: cairn_explorer::db::Location) -> Self {
        Self::posting(world, database, false).await
    }

    pub async fn posting(world: &World, database: cairn_explorer::db::Location, webhooks: bool) -> Self {
        let settings = Settings {
            webhooks,
            near: webhooks,
            allow_origin: Some("https://elsewhere.example".to_owned()),
            hosts: vec!["explorer.example".to_owned()],
            clock: Clock(Arc::new(|| TimeMs(1_500_090_000_000))),
            ..Settings::of(
                &world.node.url(),
                world.node.chain().anchor().clone(),
                database,
                "127.0.0.1:0".parse().unwrap(),
            )
        };
        let explorer = start(settings).await.unwrap();
        let http = reqwest::Client::new();
        Self { explorer, http }
    }

    pub async fn ask(&self, path: &str) -> reqwest::Response {
        let url = format!("{}{path}", self.explorer.url());
        self.http.get(url).send().await.unwrap()
    }

    pub async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.ask(path).await;
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    /// Returns once a block is indexed: told by the stream, not looked for again and again.
    pub async fn has(&self, height: u64) {
        let mut stream = self.ask("/v1/live").await;
        while self.get("/v1/chain").await.1["height"].as_u64() < Some(height) {
            stream.chunk().await.unwrap().expect("the stream goes on");
        }
    }
}

fn fill(path: &str, made: &Furniture) -> String {
    let id = match path
        .split('/')
        .nth(2)
        .unwrap_or_default()
        .split('.')
        .next()
        .unwrap_or_default()
    {
        "accounts" | "customers" => account(CUSTOMER).to_string(),
        "operators" => account(OPERATOR).to_string(),
        "networks" => made.network.to_string(),
        "devices" => made.device.to_string(),
        "orders" => made.order.to_string(),
        _ => made.transfer.to_string(),
    };
    let key = cairn_ledger::view::key::<cairn_ledger::records::Account>(&account(CUSTOMER)).0;
    let path = path
        .replace("{id}", &id)
        .replace("{key}", &hex::encode(key))
        .replace("{height}", "3")
        .replace("{epoch}", "0")
        .replace("/series/{name}", "/series/supply")
        .replace("{vertical}", "sensors");
    match path.as_str() {
        "/v1/search" => format!("{path}?q={}", &id[..8]),
        path if path.contains("/readings") => format!("{path}?field=rain"),
        path => path.to_owned(),
    }
}

async fn answers_fit(database: cairn_explorer::db::Location, world: &World, made: &Furniture) {
    let document = document();
    let asking = Asking::on(world, database).await;
    asking.has(world.height()).await;
    for (method, path) in api::routes() {
        let streams = ["/v1/live", "/v1/networks/{id}/epochs/{epoch}/archive/{name}"];
        let passed_on = ["/v1/price", "/v1/data", "/v1/key"];
        if method != "get" || streams.contains(&path.as_str()) || passed_on.contains(&path.as_str()) {
            continue;
        }
        let asked = fill(&path, made);
        let (status, answer) = asking.get(&asked).await;
        assert_eq!(status, 200, "{asked}: {answer}");
        let content = &document["paths"][&path]["get"]["responses"]["200"]["content"];
        for form in ["application/json", "application/geo+json"] {
            if let Some(schema) = content[form].get("schema") {
                check(&document, schema, &answer).unwrap_or_else(|error| panic!("{asked}: {error}\n{answer:#}"));
            }
        }
        if path.ends_with(".csv") {
            assert!(
                answer.as_str().is_some_and(|csv| csv.contains(',')),
                "{asked}: {answer}"
            );
        }
    }
    for (path, status) in [
        ("/v1/nothing", 404),
        ("/v1/devices/zz", 400),
        ("/v1/devices/999999", 404),
        ("/v1/networks?cursor=x", 400),
        ("/v1/networks?limit=x", 400),
        ("/v1/devices?state=sleepy", 400),
        ("/v1/series/luck", 404),
        ("/v1/search", 400),
        ("/v1/blocks/0", 404),
        ("/v1/transactions/00", 400),
        ("/assets/none.js", 404),
    ] {
        let (got, answer) = asking.get(path).await;
        assert_eq!(got, status, "{path}: {answer}");
        check(&document, &document["components"]["schemas"]["Error"], &answer)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
    }
    asking.explorer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_a_furnished_explorer_fit_their_schemas_whatever_the_database() {
    let world = World::new().await;
    let made = world.furnish().await;
    answers_fit(world.file("explorer.db"), &world, &made).await;
    if let Some(server) = Server::start("the API out of PostgreSQL") {
        answers_fit(server.location().clone(), &world, &made).await;
    }
    world.node.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_follow_each_other_and_what_a_reader_has_is_not_sent_again() {
    let world = World::new().await;
    let made = world.furnish().await;
    let asking = Asking::start(&world).await;
    asking.has(world.height()).await;
    // Page by page it is the list as a whole, each item once, in its order.
    for list in [
        "/v1/events",
        "/v1/transactions",
        "/v1/blocks",
        "/v1/accounts",
        "/v1/devices",
        "/v1/epochs",
        "/v1/orders",
        "/v1/networks",
        &format!("/v1/accounts/{}/transactions", account(OPERATOR)),
        &format!("/v1/operators/{}/alerts", account(OPERATOR)),
        &format!("/v1/operators/{}/tax", account(CUSTOMER)),
    ] {
        let (_, whole) = asking.get(&format!("{list}?limit=500")).await;
        let whole = whole["items"].as_array().unwrap().clone();
        assert!(!whole.is_empty(), "{list}");
        let (mut items, mut next) = (Vec::new(), String::new());
        loop {
            let (status, page) = asking.get(&format!("{list}?limit=2{next}")).await;
            assert_eq!(status, 200, "{list}: {page}");
            items.extend(page["items"].as_array().unwrap().clone());
            match page["next_cursor"].as_str() {
                Some(cursor) => next = format!("&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(items, whole, "{list}");
        let csv = asking.ask(&format!("{list}.csv")).await.text().await.unwrap();
        let rows = csv::Reader::from_reader(csv.as_bytes()).records().count();
        assert_eq!(rows, whole.len(), "{list}");
    }
    let first = asking.ask("/v1/networks?limit=1").await;
    let tag = first.headers()["etag"].clone();
    let url = format!("{}/v1/networks?limit=1", asking.explorer.url());
    let again = asking.http.get(url).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(
        (again.status().as_u16(), again.text().await.unwrap()),
        (304, String::new())
    );
    let linked = asking.ask("/v1/accounts?limit=1").await.headers()["link"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        linked.starts_with("</v1/accounts?limit=1&cursor=") && linked.ends_with("; rel=\"next\""),
        "{linked}"
    );
    // What the pages rest on.
    let (_, device) = asking.get(&format!("/v1/devices/{}", made.device)).await;
    assert_eq!(
        device["memberships"].as_array().unwrap().len(),
        2,
        "it moved: {device:#}"
    );
    let (_, network) = asking.get(&format!("/v1/networks/{}", made.network)).await;
    assert_eq!(
        (&network["devices"], &network["open_orders"]),
        (&json!(1), &json!(1)),
        "{network:#}"
    );
    let (_, alerts) = asking.get(&format!("/v1/operators/{}/alerts", account(OPERATOR))).await;
    assert_eq!(alerts["items"][0]["kind"], "device_moved");
    world.node.shutdown().await;
    asking.explorer.shutdown().await;
}

/// A server that takes one post and says what came.
async fn one_post(listener: tokio::net::TcpListener) -> (String, Value) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut came = Vec::new();
    loop {
        let mut piece = [0; 4_096];
        let count = stream.read(&mut piece).await.unwrap();
        came.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&came).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            return (head.to_owned(), body);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_has_its_alerts_posted_where_its_account_signed() {
    let world = World::new().await;
    let file = world.file("explorer.db");
    posted(world, file).await;
    if let Some(server) = Server::start("webhooks beside an index in PostgreSQL") {
        posted(World::new().await, server.location().clone()).await;
    }
    let id = account(OPERATOR);
    let world = World::new().await;
    let without = Asking::start(&world).await;
    let path = format!("{}/v1/operators/{id}/webhooks", without.explorer.url());
    let off = without.http.post(path).body("{}").send().await.unwrap();
    assert_eq!(off.status().as_u16(), 403, "off unless wanted");
    without.explorer.shutdown().await;
    world.node.shutdown().await;
}

async fn posted(world: World, index: cairn_explorer::db::Location) {
    let asking = Asking::posting(&world, index, true).await;
    asking.has(1).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (id, now) = (account(OPERATOR), TimeMs(1_500_090_000_000));
    let url = format!("http://{}/moved", listener.local_addr().unwrap());
    let path = format!("{}/v1/operators/{id}/webhooks", asking.explorer.url());
    let ask = async |by: u8, time: TimeMs| {
        let rule = cairn_ledger::account::Rule::single(secret(by).public());
        let message = api::webhook_message("cairn-test", &id, &url, &[5; 32], time);
        let witness = rule.witness(&message, &[secret(by)]);
        let body = json!({
            "url": url, "secret": "05".repeat(32), "time": time.to_string(),
            "witness": hex::encode(cairn_types::codec::encode(&witness)),
        });
        let sent = asking.http.post(&path).body(body.to_string()).send().await.unwrap();
        sent.status().as_u16()
    };
    assert_eq!(ask(CUSTOMER, now).await, 401, "another's account");
    assert_eq!(ask(OPERATOR, TimeMs(now.0 - 400_000)).await, 401, "long ago");
    assert_eq!(ask(OPERATOR, now).await, 200);
    let stream = asking.ask(&format!("/v1/live?operator={id}")).await;
    let (made, (head, alert)) = tokio::join!(world.furnish(), one_post(listener));
    assert!(
        head.starts_with("POST /moved HTTP/1.1") && head.contains("x-cairn-signature"),
        "{head}"
    );
    assert_eq!(
        (&alert["kind"], &alert["device"]),
        (&json!("device_moved"), &json!(made.device.to_string()))
    );
    // The stream has the same, and nothing of others before it.
    let mut stream = stream;
    let mut told = String::new();
    while !told.contains("\n\n") {
        told += &String::from_utf8_lossy(&stream.chunk().await.unwrap().expect("the stream goes on"));
    }
    assert!(told.contains("event: alert") && told.contains("device_moved"), "{told}");
    world.node.shutdown().await;
    asking.explorer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_is_told_what_a_page_may_do_and_other_pages_may_do_nothing() {
    let world = World::new().await;
    let asking = Asking::start(&world).await;
    for path in ["/", "/v1/chain", "/v1/nothing", "/devices/7"] {
        let answer = asking.ask(path).await;
        let policy = answer.headers()["content-security-policy"].to_str().unwrap();
        assert_eq!(policy, api::CONTENT_POLICY);
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
        assert!(!answer.headers().contains_key("access-control-allow-origin"), "{path}");
    }
    let url = format!("{}/v1/chain", asking.explorer.url());
    let from = |origin: &str| asking.http.get(&url).header("origin", origin).send();
    let other = from("https://other.example").await.unwrap();
    assert!(!other.headers().contains_key("access-control-allow-origin"));
    let allowed = from("https://elsewhere.example").await.unwrap();
    assert_eq!(
        allowed.headers()["access-control-allow-origin"],
        "https://elsewhere.example"
    );
    let audit = format!("{}/v1/networks/0/epochs/0/audit", asking.explorer.url());
    let foreign = asking
        .http
        .post(&audit)
        .header("sec-fetch-site", "cross-site")
        .send()
        .await
        .unwrap();
    assert_eq!(foreign.status().as_u16(), 403);
    // A name that somebody else made lead here is nobody here.
    let by = |path: &str, host: &str| {
        asking
            .http
            .get(format!("{}{path}", asking.explorer.url()))
            .header("host", host)
            .send()
    };
    for path in ["/", "/v1/chain", "/v1/proofs/00"] {
        let answer = by(path, "rebound.example:8643").await.unwrap();
        assert_eq!(answer.status().as_u16(), 421, "{path}");
        let why: Value = answer.json().await.unwrap();
        assert_eq!(why["code"], "unknown_host");
        assert!(
            why["hint"].as_str().unwrap().contains("--host rebound.example"),
            "{why}"
        );
    }
    let post = asking.http.post(format!("{}/v1/transactions", asking.explorer.url()));
    let post = post.header("host", "rebound.example").send().await.unwrap();
    assert_eq!(post.status().as_u16(), 421);
    for (path, host) in [
        ("/v1/chain", "explorer.example"),
        ("/v1/chain", "10.0.0.7"),
        ("/metrics", "prometheus.example"),
    ] {
        assert_eq!(by(path, host).await.unwrap().status().as_u16(), 200, "{host}");
    }
    // Whoever asks too much is sent away for a while.
    let mut refused = None;
    for _ in 0..2_000 {
        let answer = asking.ask("/v1/fields/sensors").await;
        if answer.status().as_u16() == 429 {
            refused = Some(answer.headers().contains_key("retry-after"));
            break;
        }
    }
    assert_eq!(refused, Some(true));
    world.node.shutdown().await;
    asking.explorer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_given_back_for_credits_is_received_again_and_is_a_lot() {
    let world = World::new().await;
    let asking = Asking::start(&world).await;
    let payment = buy_credits::Payment::Stable(MicroUsd(5_000_000));
    world
        .send(CUSTOMER, Body::BuyCredits(buy_credits::BuyCredits { payment }))
        .await;
    let credits = Credit(4_000_000);
    world
        .send(CUSTOMER, Body::RefundCredits(refund_credits::RefundCredits { credits }))
        .await;
    let amount = Asset::Stable(MicroUsd(1_000_000));
    let to = account(OPERATOR);
    world.send(CUSTOMER, Body::Transfer(Transfer { to, amount })).await;
    asking.has(world.height()).await;
    let (_, tax) = asking.get(&format!("/v1/operators/{}/tax", account(CUSTOMER))).await;
    let rows = tax["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["asset"] == "stable");
    let of = |row: &Value, name: &str| row[name].as_str().map(str::to_owned);
    let rows: Vec<_> = rows
        .map(|row| [of(row, "kind"), of(row, "amount"), of(row, "cost_usd_micro")])
        .collect();
    let [bought, back, sent] = <[_; 3]>::try_from(rows).unwrap();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        bought,
        [some("disposed"), some("5000000"), some("0")],
        "genesis gave it, at no price"
    );
    let given = back[1].clone().unwrap().parse::<u64>().unwrap();
    assert!(
        back[0] == some("received") && (1_000_000..=4_000_000).contains(&given),
        "{back:?}"
    );
    assert_eq!(
        sent,
        [some("disposed"), some("1000000"), some("1000000")],
        "a part of what came back"
    );
    world.node.shutdown().await;
    asking.explorer.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_is_tried_passed_on_and_found() {
    let world = World::new().await;
    let asking = Asking::start(&world).await;
    asking.has(1).await;
    let (id, bytes) = world.signed(CUSTOMER, World::transfer(9));
    let preview = |bytes: &[u8]| {
        let body = json!({ "transaction": hex::encode(bytes) });
        let url = format!("{}/v1/transactions/preview", asking.explorer.url());
        asking.http.post(url).json(&body).send()
    };
    let document = document();
    let tried: Value = preview(&bytes).await.unwrap().json().await.unwrap();
    check(&document, &document["components"]["schemas"]["Preview"], &tried).unwrap();
    assert_eq!(
        (&tried["accepted"], &tried["id"]),
        (&json!(true), &json!(id.to_string()))
    );
    assert!(
        tried["sentence"].as_str().unwrap().contains("0.000009 token"),
        "{tried}"
    );
    assert_eq!(tried["tried"], "signed");
    let (_, dear) = world.signed(CUSTOMER, World::transfer(u64::MAX / 2));
    let tried: Value = preview(&dear).await.unwrap().json().await.unwrap();
    assert_eq!(tried["refusal"]["code"], "token_insufficient", "{tried}");
    let before = asking.get("/v1/chain").await.1["counts"].clone();
    not_signed(&world, async |bytes: Vec<u8>| {
        let tried: Value = preview(&bytes).await.unwrap().json().await.unwrap();
        check(&document, &document["components"]["schemas"]["Preview"], &tried).unwrap();
        let code = tried["refusal"]["code"].as_str().unwrap_or("none").to_owned();
        (
            tried["tried"].as_str().unwrap().to_owned(),
            code,
            tried["events"].as_array().unwrap().len(),
        )
    })
    .await;
    assert_eq!(
        asking.get("/v1/chain").await.1["counts"],
        before,
        "nothing is submitted"
    );
    let url = format!("{}/v1/transactions?wait=final", asking.explorer.url());
    let sent = asking
        .http
        .post(&url)
        .header("content-type", "application/cbor")
        .body(bytes)
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status().as_u16(), 200);
    let refused = asking.http.post(&url).body(dear).send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 422);
    asking.has(world.height()).await;
    let (_, found) = asking.get(&format!("/v1/transactions/{id}")).await;
    assert_eq!(
        (&found["state"], &found["kind"]),
        (&json!("final"), &json!("transfer")),
        "{found}"
    );
    let (_, proof) = asking.get(&format!("/v1/transactions/{id}/proof")).await;
    assert!(proof["finality"].is_string());
    world.node.shutdown().await;
    asking.explorer.shutdown().await;
}

/// What is not signed, or not by all, is tried all the same, and refused for everything but that.
async fn not_signed(world: &World, tries: impl AsyncFn(Vec<u8>) -> (String, String, usize)) {
    let known = |bytes: &[u8]| minicbor::decode::<Signed>(bytes).unwrap();
    let expect = async |bytes: Vec<u8>, tried: &str, code: &str, what: &str| {
        let (how, why, events) = tries(bytes).await;
        assert_eq!((how.as_str(), why.as_str()), (tried, code), "{what}");
        assert_eq!(events > 0, tried != "no" && code == "none", "{what}");
    };
    let bare = |signed: &Signed| codec::encode(&signed.transaction);
    let without = |signed: &Signed| {
        let mut signed = signed.clone();
        signed.witness.signatures.clear();
        signed.bytes()
    };
    let one = known(&world.signed(CUSTOMER, World::transfer(9)).1);
    let dear = known(&world.signed(CUSTOMER, World::transfer(u64::MAX / 2)).1);
    let open = "without_signatures";
    expect(bare(&one), open, "none", "a transaction alone").await;
    expect(without(&one), open, "none", "with its rule").await;
    expect(bare(&dear), open, "token_insufficient", "too dear").await;
    expect(without(&dear), open, "token_insufficient", "too dear, with its rule").await;
    let mut forged = one.clone();
    forged.witness.signatures[0].1 = secret(9).sign(b"another message");
    expect(forged.bytes(), open, "none", "with a signature that does not hold").await;
    let mut other = one.clone();
    other.witness.rule = Rule::single(secret(9).public());
    expect(without(&other), open, "rule_not_current", "with another's rule").await;
    other.witness.rule.threshold = 3;
    expect(
        without(&other),
        open,
        "rule_invalid",
        "with a rule that nobody can keep",
    )
    .await;
    // A sponsor has to sign too; what is in force is asked of the ledger, whoever it is.
    let mut sponsored = one.clone();
    sponsored.transaction.sponsor = Some(Sponsor::Account(account(FOUNDER)));
    expect(bare(&sponsored), open, "none", "with a sponsor").await;
    let half = sponsored.transaction.clone().sign(&secret(CUSTOMER));
    expect(half.bytes(), open, "none", "before the sponsor has signed").await;
    sponsored.transaction.sponsor = Some(Sponsor::Account(account(99)));
    expect(
        bare(&sponsored),
        open,
        "sponsor_unknown",
        "with a sponsor that nobody is",
    )
    .await;
    // What needs no state.
    let voucher = PublicKey::Passkey(passkey());
    let order = open_order::OpenOrder {
        network: cairn_types::NetworkId([1; 32]),
        provider: account(OPERATOR),
        shape: 0,
        terms: Hash::default(),
        hold: Credit(1),
        expires: TimeMs(1),
        voucher_key: voucher,
    };
    let order = known(&world.signed(CUSTOMER, Body::OpenOrder(order)).1);
    expect(bare(&order), open, "passkey_not_allowed", "vouchers by a passkey").await;
    expect(
        order.bytes(),
        "signed",
        "passkey_not_allowed",
        "vouchers by a passkey, signed",
    )
    .await;
    // An account's rule is all that is known of it.
    let opening = known(&world.signed(98, Body::OpenAccount(open_account::OpenAccount {})).1);
    expect(bare(&opening), "no", "none", "an account alone").await;
    expect(
        without(&opening),
        open,
        "fee_unaffordable",
        "an account nobody pays for",
    )
    .await;
}

/// A point of the curve.
fn passkey() -> [u8; 33] {
    match SecretKey::p256([7; 32]).unwrap().public() {
        PublicKey::P256(point) => point,
        other => panic!("{other:?}"),
    }
}
