//! What is passed on to a gateway with an API key: the key reaches the gateway and nobody else, and what the gateway says comes back.

use crate::api::Asking;
use crate::world::World;
use cairn_explorer::{Settings, start};
use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const SAID: &str = "content-type: text/csv\r\nx-cairn-rows: 2\r\nx-cairn-credits: 500\r\nx-cairn-paid: now\r\n\
    x-cairn-credits-left: 7\r\nx-cairn-to: 2017-07-15T00:00:00Z\r\nset-cookie: a=b\r\nconnection: close\r\ncontent-length: 4\r\n\r\na\nb\n";

/// A gateway that says the same to everybody, and repeats what it heard.
async fn gateway() -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let status = if head.contains("cairn_good") {
                "200 OK"
            } else {
                "401 Unauthorized\r\nwww-authenticate: Bearer"
            };
            stream
                .write_all(format!("HTTP/1.1 {status}\r\n{SAID}").as_bytes())
                .await
                .unwrap();
            tell.send(head).unwrap();
        }
    });
    (url, heard)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_key_is_shown_to_the_gateway_and_its_answer_comes_back() {
    let world = World::new().await;
    let (url, mut heard) = gateway().await;
    let settings = Settings {
        gateway: Some(url),
        ..Settings::of(
            &world.node.url(),
            world.node.chain().anchor().clone(),
            world.file("explorer.db"),
            "127.0.0.1:0".parse().unwrap(),
        )
    };
    let asking = Asking {
        explorer: start(settings).await.unwrap(),
        http: reqwest::Client::new(),
    };
    let ask = |method: Method, path: &str, key: &'static str| {
        let request = asking.http.request(method, format!("{}{path}", asking.explorer.url()));
        request.header("authorization", key).send()
    };
    let path = "/v1/data?network=aa&cells=b%2Cc&quantity=rain&quantity=twice";
    let answer = ask(Method::GET, path, "Bearer cairn_good").await.unwrap();
    let head = heard.recv().await.unwrap();
    assert!(
        head.starts_with(&format!("GET {path} HTTP/1.1\r\n")),
        "as it was asked: {head}"
    );
    assert!(head.contains("authorization: Bearer cairn_good\r\n"), "{head}");
    assert_eq!(answer.status().as_u16(), 200);
    let fields = answer.headers();
    for (name, value) in [
        ("x-cairn-rows", "2"),
        ("x-cairn-credits", "500"),
        ("x-cairn-paid", "now"),
        ("x-cairn-credits-left", "7"),
        ("x-cairn-to", "2017-07-15T00:00:00Z"),
        ("cache-control", "no-store"),
        ("content-type", "text/csv; charset=utf-8"),
    ] {
        assert_eq!(fields[name], value, "{name}");
    }
    assert!(!fields.contains_key("set-cookie") && !fields.contains_key("etag"));
    assert_eq!(answer.text().await.unwrap(), "a\nb\n");
    for method in [Method::GET, Method::DELETE] {
        let refused = ask(method.clone(), "/v1/key", "Bearer cairn_bad").await.unwrap();
        assert_eq!(refused.status().as_u16(), 401);
        assert_eq!(refused.headers()["www-authenticate"], "Bearer");
        assert!(
            heard
                .recv()
                .await
                .unwrap()
                .starts_with(&format!("{method} /v1/key HTTP/1.1\r\n"))
        );
    }
    // Nobody would get what a HEAD pays for, and no other page closes a reader's key.
    let head = ask(Method::HEAD, path, "Bearer cairn_good").await.unwrap();
    assert_eq!(head.status().as_u16(), 405);
    let foreign = asking.http.delete(format!("{}/v1/key", asking.explorer.url()));
    let foreign = foreign.header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert_eq!(foreign.status().as_u16(), 403);
    assert!(heard.try_recv().is_err(), "neither reached the gateway");
    asking.explorer.shutdown().await;
    let without = Asking::on(&world, world.file("other.db")).await;
    for path in ["/v1/price", "/v1/data", "/v1/key"] {
        let (status, answer) = without.get(path).await;
        assert_eq!((status, answer["code"].as_str()), (404, Some("no_gateway")), "{path}");
    }
    without.explorer.shutdown().await;
    world.node.shutdown().await;
}
