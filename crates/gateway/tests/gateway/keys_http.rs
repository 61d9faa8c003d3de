//! The same over real sockets, as programs ask that know nothing of signatures: curl, and a plain HTTP client.

use crate::http::serve;
use crate::keys::{hour, open};
use crate::world::{CUSTOMER, World};
use cairn_gateway::Handle;
use cairn_gateway::api_key::ApiKey;
use cairn_gateway::faces::{ErrorFace, KeyFace, PriceFace};
use cairn_gateway::query::Query;
use cairn_types::Credit;
use reqwest::{Client, Method, Response};
use std::path::Path;
use std::process::{Command, Stdio};

fn asked(query: &Query) -> String {
    let Query {
        network,
        quantity,
        from,
        to,
        ..
    } = query;
    format!("network={network}&quantity={quantity}&from={from}&to={to}")
}

async fn ask(handle: &Handle, method: Method, path: &str, key: Option<&str>) -> Response {
    let request = Client::new().request(method, format!("{}{path}", handle.url()));
    let request = match key {
        Some(key) => request.header("authorization", format!("Bearer {key}")),
        None => request,
    };
    request.send().await.unwrap()
}

async fn read<T: serde::de::DeserializeOwned>(answer: Response) -> T {
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

async fn refused(answer: Response, status: u16, code: &str) {
    assert_eq!(answer.status(), status, "{code}");
    let is_about_keys = answer
        .headers()
        .get("www-authenticate")
        .is_some_and(|value| value == "Bearer");
    assert_eq!(is_about_keys, status == 401, "{code}");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let face: ErrorFace = read(answer).await;
    assert_eq!(face.code, code);
    assert!(!face.message.is_empty() && !face.hint.is_empty());
}

/// The same by the program that everybody has, with what docs/build/data.md says; none where there is none.
fn curl(url: &str, key: &ApiKey) -> Option<String> {
    let mut command = Command::new("curl");
    command.args([
        "--silent",
        "--show-error",
        "--fail-with-body",
        "--retry",
        "5",
        "--header",
        "@-",
        url,
    ]);
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("SKIPPED: programs_buy_with_a_key_and_its_rest_returns: curl is not installed, its part is left out");
        return None;
    };
    use std::io::Write;
    let header = format!("Authorization: Bearer {}\n", *key.text());
    child.stdin.take().unwrap().write_all(header.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.success(), "{text}{}", String::from_utf8_lossy(&said.stderr));
    Some(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_buy_with_a_key_and_its_rest_returns() {
    let world = World::new(3);
    let handle = serve(&world).await;
    let before = world.credits(CUSTOMER);
    let mut prices = Vec::new();
    for at in 0..3 {
        let path = format!("/v1/price?{}", asked(&hour(&world, at)));
        let price: PriceFace = read(ask(&handle, Method::GET, &path, None).await).await;
        assert_eq!(
            price.provider,
            crate::world::account(crate::world::PROVIDER).to_string()
        );
        prices.push((price.rows, price.price_credits.parse::<u64>().unwrap()));
    }
    let spent: u64 = prices.iter().map(|(_, price)| price).sum();
    let key = open(&world, 100_000);
    let text = key.text();
    let data = |at: u64| format!("/v1/data?{}", asked(&hour(&world, at)));
    let mut files = Vec::new();
    for (at, (rows, price)) in (0..).zip(&prices) {
        let path = format!("{}&credits_max={price}", data(at));
        let answer = ask(&handle, Method::GET, &path, Some(&text)).await;
        assert_eq!(answer.status(), 200);
        let said = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(
            (said("x-cairn-rows"), said("x-cairn-credits")),
            (rows.to_string(), price.to_string())
        );
        assert_eq!(
            (said("x-cairn-paid"), said("cache-control")),
            ("now".to_owned(), "no-store".to_owned())
        );
        assert_eq!(said("x-cairn-to"), hour(&world, at).to.to_string());
        assert_eq!(said("content-type"), "text/csv; charset=utf-8");
        files.push(answer.text().await.unwrap());
    }
    for (at, file) in (0..).zip(&files) {
        let url = format!("{}{}", handle.url(), data(at));
        if let Some(got) = tokio::task::block_in_place(|| curl(&url, &key)) {
            assert_eq!(got, *file);
        }
    }
    let again = ask(
        &handle,
        Method::GET,
        &format!("{}&format=parquet", data(0)),
        Some(&text),
    )
    .await;
    assert_eq!(again.headers()["x-cairn-paid"], "before");
    assert_eq!(
        again.headers()["x-cairn-credits-left"],
        (100_000 - spent).to_string().as_str()
    );
    assert!(again.bytes().await.unwrap().starts_with(b"PAR1"));
    let now: KeyFace = read(ask(&handle, Method::GET, "/v1/key", Some(&text)).await).await;
    assert_eq!((now.state.as_str(), now.queries_paid), ("open", Some(3)));

    let closed = ask(&handle, Method::DELETE, "/v1/key", Some(&text)).await;
    assert_eq!(
        (
            closed.status().as_u16(),
            closed.headers()["cache-control"].to_str().unwrap()
        ),
        (200, "no-store")
    );
    let closed: KeyFace = read(closed).await;
    assert_eq!(
        (closed.state.as_str(), closed.spent_credits),
        ("closed", spent.to_string())
    );
    assert_eq!(world.credits(CUSTOMER).0, before.0 - spent);
    refused(
        ask(&handle, Method::GET, &data(0), Some(&text)).await,
        409,
        "key_closed",
    )
    .await;
    handle.shutdown().await;
    world.pass(3);
    assert_eq!(world.customers_paid(3), Credit(spent));
}

/// The blocks of the page for customers that show an API key, by their language.
fn examples() -> Vec<(String, String)> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/build/data.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks = page.split("```").skip(1).step_by(2);
    let told = blocks.map(|block| block.split_once('\n').unwrap());
    told.filter(|(language, text)| ["sh", "python", "js"].contains(language) && text.contains("/v1/data"))
        .map(|(language, text)| (language.to_owned(), text.to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_page_for_customers_run_as_they_stand() {
    let world = World::new(1);
    let handle = serve(&world).await;
    let key = open(&world, 100_000);
    let folder = tempfile::tempdir().unwrap();
    let examples = examples();
    assert_eq!(examples.len(), 3);
    for (language, text) in examples {
        let (program, flag) = match language.as_str() {
            "sh" => ("sh", "-c"),
            "python" => ("python3", "-c"),
            _ => ("node", "-e"),
        };
        let needed = if language == "sh" { "curl" } else { program };
        if Command::new(needed).arg("--version").output().is_err() {
            println!("SKIPPED: the_examples_of_the_page_for_customers_run_as_they_stand: {needed} is not installed");
            continue;
        }
        let mut command = Command::new(program);
        command.args([flag, &text]).current_dir(folder.path());
        command
            .env("GATEWAY", handle.url())
            .env("NETWORK", world.network.to_string());
        command.env("CAIRN_API_KEY", key.text().as_str());
        let ran = tokio::task::block_in_place(|| command.output().unwrap());
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        assert!(
            ran.status.success(),
            "{language}: {said}{}",
            String::from_utf8_lossy(&ran.stderr)
        );
        let got = match language.as_str() {
            "sh" => std::fs::read_to_string(folder.path().join("rain.csv")).unwrap(),
            _ => said,
        };
        assert!(got.lines().count() > 50, "{language}: {got}");
    }
    let now: KeyFace = read(ask(&handle, Method::GET, "/v1/key", Some(&key.text())).await).await;
    assert!(now.queries_paid <= Some(1), "all ask the same");
    handle.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_costs_nothing_and_has_its_status() {
    let world = World::new(1);
    let handle = serve(&world).await;
    let key = open(&world, 5_000);
    let text = key.text();
    let good = format!("/v1/data?{}", asked(&hour(&world, 0)));
    let get = |path: &str| {
        let (handle, text, path) = (&handle, &text, path.to_owned());
        async move { ask(handle, Method::GET, &path, Some(text)).await }
    };
    for path in [good.as_str(), "/v1/key"] {
        refused(ask(&handle, Method::GET, path, None).await, 401, "key_missing").await;
        refused(
            ask(&handle, Method::GET, path, Some("cairn_x")).await,
            401,
            "key_malformed",
        )
        .await;
    }
    let wrong = ApiKey::new(key.order, [1; 32]);
    refused(
        ask(&handle, Method::GET, &good, Some(&wrong.text())).await,
        401,
        "key_wrong",
    )
    .await;
    refused(get(&format!("{good}&credits_max=1")).await, 402, "price_above_max").await;
    refused(get(&format!("{good}&format=xlsx")).await, 400, "format_unknown").await;
    refused(get(&format!("{good}&credits_max=x")).await, 400, "request_invalid").await;
    refused(
        get(&format!("{good}&to=2017-01-01T00:00:00Z")).await,
        400,
        "request_invalid",
    )
    .await;
    refused(get(&format!("{good}&cells=x")).await, 400, "request_invalid").await;
    refused(get("/v1/data?network=x").await, 400, "request_invalid").await;
    let priced = ask(&handle, Method::GET, "/v1/price?network=x", None).await;
    refused(priced, 400, "request_invalid").await;
    // Nobody would get what a HEAD paid for.
    assert_eq!(ask(&handle, Method::HEAD, &good, Some(&text)).await.status(), 404);
    let now: KeyFace = read(get("/v1/key").await).await;
    assert_eq!((now.spent_credits.as_str(), now.queries_paid), ("0", Some(0)));
    handle.shutdown().await;
}
