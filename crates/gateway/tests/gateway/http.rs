//! The same over real sockets.

use crate::world::{CUSTOMER, POOR, VOUCHERS, World, account, key};
use cairn_gateway::customer::{self, Agreed};
use cairn_gateway::export::Format;
use cairn_gateway::faces::{ErrorFace, QuoteFace};
use cairn_gateway::{Handle, Settings, start};
use reqwest::{Client, Response};
use serde::Serialize;
use serde_json::Value;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub async fn serve(world: &World) -> Handle {
    let settings = Settings::local(world.identity());
    let (ledger, meters) = (Arc::new(world.ledger()), Arc::new(world.meters()));
    let (objects, disk) = (Arc::new(world.objects.clone()), Box::new(world.disk.clone()));
    start(settings, ledger, objects, meters, disk).await.unwrap()
}

pub async fn post(handle: &Handle, path: &str, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).unwrap();
    Client::new()
        .post(format!("{}{path}", handle.url()))
        .body(body)
        .send()
        .await
        .unwrap()
}

async fn refusal(answer: Response) -> (u16, ErrorFace) {
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_buys_the_same_data_in_every_form_and_pays_once() {
    let world = World::new(2);
    let handle = serve(&world).await;
    assert!(handle.url().starts_with("http://127.0.0.1:"));
    let query = world.rain(2);
    let asked = customer::ask(&query, &account(CUSTOMER));
    let face: QuoteFace =
        serde_json::from_slice(&post(&handle, "/v1/quotes", &asked).await.bytes().await.unwrap()).unwrap();
    let agreed = Agreed::check(&query, &"gateway-test".parse().unwrap(), &face).unwrap();
    let before = world.credits(CUSTOMER);
    let order = world.open(CUSTOMER, agreed.order(world.expires(), key(VOUCHERS).public()));
    let rows = agreed.quote().rows;
    for format in [Format::Csv, Format::GeoJson, Format::Parquet, Format::Csv] {
        let answer = post(&handle, "/v1/queries", &agreed.purchase(order, format, &key(VOUCHERS))).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], format.media_type());
        assert_eq!(answer.headers()["x-cairn-rows"], rows.to_string().as_str());
        let bytes = answer.bytes().await.unwrap();
        match format {
            Format::Csv => assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count() as u64, rows + 1),
            Format::GeoJson => {
                let value: Value = serde_json::from_slice(&bytes).unwrap();
                assert_eq!(value["features"].as_array().unwrap().len() as u64, rows);
            }
            Format::Parquet => assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1")),
        }
    }
    assert_eq!(world.credits(CUSTOMER).0, before.0 - agreed.quote().price.0);
    let text = Client::new()
        .get(format!("{}/metrics", handle.url()))
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        text.contains("cairn_gateway_sales_total 1\n") && text.contains("cairn_gateway_deliveries_total 4\n"),
        "{text}"
    );
    handle.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_a_status_a_code_a_sentence_and_a_hint() {
    let world = World::new(1);
    let handle = serve(&world).await;
    let poor = customer::ask(&world.rain(1), &account(POOR));
    let (status, face) = refusal(post(&handle, "/v1/quotes", &poor).await).await;
    assert_eq!((status, face.code.as_str()), (402, "credits_insufficient"));
    let long = vec!["x"; 40_000];
    let (status, face) = refusal(post(&handle, "/v1/quotes", &long).await).await;
    assert_eq!((status, face.code.as_str()), (413, "body_too_long"));
    for path in ["/v1/quotes", "/v1/queries"] {
        let (status, face) = refusal(post(&handle, path, &Value::Null).await).await;
        assert_eq!((status, face.code.as_str()), (400, "request_invalid"));
        let got = Client::new()
            .get(format!("{}{path}", handle.url()))
            .send()
            .await
            .unwrap();
        assert_eq!(refusal(got).await.1.code, "not_found");
    }
    let health = Client::new()
        .get(format!("{}/v1/health", handle.url()))
        .send()
        .await
        .unwrap();
    assert_eq!(health.status(), 200);
    let health: Value = serde_json::from_slice(&health.bytes().await.unwrap()).unwrap();
    assert_eq!((&health["status"], &health["pending"]), (&"ok".into(), &0.into()));
    let document = Client::new()
        .get(format!("{}/v1/openapi.json", handle.url()))
        .send()
        .await
        .unwrap();
    let document: Value = serde_json::from_slice(&document.bytes().await.unwrap()).unwrap();
    assert_eq!(document, cairn_gateway::openapi::document());
    handle.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_request_end_their_own_connection_only() {
    let world = World::new(1);
    let handle = serve(&world).await;
    let address = handle.url().trim_start_matches("http://").to_owned();
    for bytes in [
        &b"\x16\x03\x01\x02\x00 hello\r\n\r\n"[..],
        b"POST /v1/quotes HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
        b"POST /v1/quotes HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /v1/quotes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
        b"\r\n\r\n\r\n\0\0\0\0\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // A connection that is cut may end with a reset.
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    // One that goes away in the middle of its body.
    let mut half = TcpStream::connect(&address).await.unwrap();
    half.write_all(b"POST /v1/quotes HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{\"query\"")
        .await
        .unwrap();
    drop(half);
    let asked = customer::ask(&world.rain(1), &account(CUSTOMER));
    assert_eq!(post(&handle, "/v1/quotes", &asked).await.status(), 200);
    handle.shutdown().await;
}
