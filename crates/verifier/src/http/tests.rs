//! Real sockets on loopback: honest agents, and all who do not speak properly.

use super::read;
use crate::archive::EpochArchive;
use crate::chain::Chain;
use crate::clock::ManualClock;
use crate::http::{Desk, Rate, Shared, Timeouts, serve};
use crate::mailbox;
use crate::metrics::Metrics;
use crate::world::{self, HOUR, START, World, account, after, device_key, key, sealed};
use crate::{Config, Handle, start};
use cairn_ledger::Genesis;
use cairn_types::intake::{IntakeAnswer, MEDIA_TYPE};
use cairn_types::{EpochNumber, TimeMs, codec};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// A verifier as a service, its world, and the time.
pub struct Running {
    pub world: World,
    pub clock: ManualClock,
    pub handle: Handle,
    pub folder: tempfile::TempDir,
}

pub async fn run(change: impl FnOnce(&mut Config)) -> Running {
    run_on(world::genesis(), change).await
}

/// On a ledger of these rules.
pub async fn run_on(genesis: Genesis, change: impl FnOnce(&mut Config)) -> Running {
    let world = tokio::task::spawn_blocking(|| World::on(genesis, 2)).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::at(START.plus_ms(HOUR / 2));
    let data = folder.path().to_owned();
    let mut config = Config::new(
        data,
        key(world::VERIFIER),
        account(world::VERIFIER),
        vec![world.network],
        [1; 32],
    );
    config.windows = world::WINDOWS;
    config.roster_ms_min = 0;
    change(&mut config);
    let chain: Arc<dyn Chain> = Arc::new(world.chain.clone());
    let handle = start(config, chain, Arc::new(clock.clone()), None).await.unwrap();
    Running {
        world,
        clock,
        handle,
        folder,
    }
}

impl Running {
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.handle.url())
    }

    pub async fn post(&self, body: Vec<u8>) -> reqwest::Response {
        let request = reqwest::Client::new()
            .post(self.url("/v1/reports"))
            .header("content-type", MEDIA_TYPE);
        request.body(body).send().await.unwrap()
    }

    pub async fn get(&self, path: &str) -> reqwest::Response {
        reqwest::get(self.url(path)).await.unwrap()
    }

    pub async fn raw(&self) -> TcpStream {
        TcpStream::connect(self.handle.url().strip_prefix("http://").unwrap())
            .await
            .unwrap()
    }

    fn now(&self) -> TimeMs {
        START.plus_ms(HOUR / 2)
    }
}

pub async fn answers(response: reqwest::Response) -> Vec<IntakeAnswer> {
    assert_eq!(response.status(), 200);
    IntakeAnswer::decode_sequence(&response.bytes().await.unwrap(), 4_096).unwrap()
}

/// Everything the other side says until it closes.
pub async fn until_closed(mut stream: TcpStream) -> String {
    let mut all = Vec::new();
    // A reset is a close as well.
    let _ = stream.read_to_end(&mut all).await;
    String::from_utf8_lossy(&all).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequence_gets_one_answer_each_in_order_and_json_when_asked() {
    let running = run(|_| {}).await;
    let network = running.world.network;
    let good = sealed(network, 0, running.now(), 1);
    let stranger = sealed(network, 900, running.now(), 1);
    let body = [good.clone(), stranger, sealed(network, 1, running.now(), 1)].concat();
    let got = answers(running.post(body.clone()).await).await;
    assert!(
        matches!(
            got[..],
            [
                IntakeAnswer::Receipt(_),
                IntakeAnswer::Refused { .. },
                IntakeAnswer::Receipt(_)
            ]
        ),
        "{got:?}"
    );
    let single = answers(running.post(good).await).await;
    let IntakeAnswer::Receipt(receipt) = &single[0] else {
        panic!("{single:?}")
    };
    assert!(receipt.verify(&key(world::VERIFIER).public()));

    let request = reqwest::Client::new()
        .post(running.url("/v1/reports"))
        .header("accept", "application/json")
        .body(body);
    let json: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(json[1]["reason"], "UnknownDevice");
    assert_eq!(json[0]["report"], receipt.report.to_string());
    assert_eq!(json[0]["network"], receipt.network.to_string());
    assert_eq!(json[0]["epoch"], receipt.epoch.0);

    let metrics = running.get("/metrics").await.text().await.unwrap();
    for line in [
        "reports_accepted_total 2",
        "reports_refused_total{reason=\"UnknownDevice\"} 2",
        "fsync_seconds_count 1",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    running.handle.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_share_groups_and_all_get_receipts() {
    let running = Arc::new(run(|_| {}).await);
    let senders = (0..9usize).map(|device| {
        let running = running.clone();
        tokio::spawn(async move {
            for sequence in 1..20 {
                let body = sealed(running.world.network, device, running.now(), sequence);
                let got = answers(running.post(body).await).await;
                assert!(matches!(got[..], [IntakeAnswer::Receipt(_)]), "{got:?}");
            }
        })
    });
    for sender in senders.collect::<Vec<_>>() {
        sender.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_is_sealed_paid_and_served_to_auditors_and_operators() {
    let running = run(|_| {}).await;
    let body: Vec<u8> = running.world.envelopes(0).concat();
    running.clock.set(TimeMs(after(0).0 - 1));
    assert!(
        answers(running.post(body).await)
            .await
            .iter()
            .any(|answer| matches!(answer, IntakeAnswer::Receipt(_)))
    );
    let now = after(0).plus_ms(world::WINDOWS.grace_ms);
    running.clock.set(now);
    running.world.chain.advance(now);
    let advanced = running.handle.advance(now).await;
    assert_eq!(
        advanced.paid,
        [(running.world.network, EpochNumber(0))],
        "{:?}",
        advanced.failed
    );

    let network = running.world.network;
    for file in crate::archive::FILES.into_iter().chain([crate::archive::MANIFEST]) {
        let got = running.get(&format!("/v1/archive/{network}/0/{file}")).await;
        assert_eq!(got.status(), 200, "{file}");
        assert!(!got.bytes().await.unwrap().is_empty());
    }
    for missing in ["1/manifest.cbor", "0/secret", "0/..%2Fcheckpoint", "x/manifest.cbor"] {
        let got = running.get(&format!("/v1/archive/{network}/{missing}")).await;
        assert!(got.status().is_client_error(), "{missing}");
    }
    let device = device_key(0).public().device_id();
    let found = running
        .get(&format!("/v1/findings/{device}?network={network}&epoch=0"))
        .await;
    let found: serde_json::Value = found.json().await.unwrap();
    assert_eq!(found["findings"].as_array().map(Vec::len), Some(1), "{found}");
    assert!(found["payout"]["availability"].as_u64().unwrap() > 0);
    assert_eq!(found["reputation"]["paid"], 10_000, "{found}");
    let stranger = device_key(900).public().device_id();
    assert_eq!(
        running
            .get(&format!("/v1/findings/{stranger}?network={network}&epoch=0"))
            .await
            .status(),
        404
    );
    let status: serde_json::Value = running.get("/v1/status").await.json().await.unwrap();
    assert_eq!(status["networks"][0]["epoch"], 1);
    assert_eq!(running.get("/v1/health").await.text().await.unwrap(), "ok");
    assert!(
        running
            .get("/metrics")
            .await
            .text()
            .await
            .unwrap()
            .contains("epochs_paid_total 1")
    );
}

#[test]
fn a_device_that_left_is_told_what_became_of_its_last_report() {
    let world = World::new(3);
    let (mut collector, mut epochs) = (world.collector(), world.epochs());
    world.feed(&mut collector, 0);
    world.leave(3);
    for hour in 0..2 {
        world.close(&mut epochs, &mut collector, hour);
        world.feed(&mut collector, hour + 1);
    }
    let archive = EpochArchive::of(&world.objects, &world.network, EpochNumber(1));
    let told = |at| read::explain(&archive, device_key(at).public().device_id()).unwrap();
    let found = told(3).unwrap();
    assert_eq!(found["findings"][0]["reason"]["code"], 1, "{found}");
    assert!(found["operator"].is_null() && found["payout"].is_null());
    assert_eq!(told(900), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_refused_and_the_next_one_served() {
    let running = run(|config| {
        config.rate = Rate {
            per_second: 1_000_000,
            burst: 1_000_000,
        }
    })
    .await;
    let long = vec![0; cairn_types::intake::REQUEST_BYTES_MAX + 1];
    let many = vec![0x00; cairn_types::intake::ENVELOPES_MAX + 1];
    for (body, status) in [
        (vec![], 400),
        (vec![0x5a, 0xff], 400),
        (vec![0x81; 100_000], 400),
        (many, 413),
        (long, 413),
    ] {
        let length = body.len();
        assert_eq!(running.post(body).await.status(), status, "{length} bytes");
    }
    for text in [
        "\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "POST /v1/reports HTTP/1.1\r\n: x\r\n\r\n".to_owned(),
        "POST /v1/reports HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n".to_owned(),
        "POST /v1/reports HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".to_owned(),
        format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(1 << 20)),
        format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(10_000)),
        "\u{0}\u{1}\u{2}".repeat(1_000),
    ] {
        let mut stream = running.raw().await;
        // The other side may hang up while we still talk.
        let _ = stream.write_all(text.as_bytes()).await;
        let _ = stream.shutdown().await;
        let said = until_closed(stream).await;
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 4"), "{said}");
    }
    let got = answers(running.post(sealed(running.world.network, 0, running.now(), 1)).await).await;
    assert!(matches!(got[..], [IntakeAnswer::Receipt(_)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_held_open_are_closed_and_leave_their_places() {
    let short = Timeouts {
        idle: Duration::from_millis(500),
        request: Duration::from_millis(1500),
    };
    let running = run(|config| (config.timeouts, config.connections_max) = (short, 4)).await;
    // Says nothing, half a head, a body that never comes, and a body that drips.
    let silent = running.raw().await;
    let mut half = running.raw().await;
    half.write_all(b"POST /v1/reports HTTP/1.1\r\nhost: a\r\n")
        .await
        .unwrap();
    let mut waiting = running.raw().await;
    waiting
        .write_all(b"POST /v1/reports HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nab")
        .await
        .unwrap();
    let mut dripping = running.raw().await;
    dripping
        .write_all(b"POST /v1/reports HTTP/1.1\r\nhost: a\r\ncontent-length: 100000000\r\n\r\n")
        .await
        .unwrap();
    let drip = async move {
        while dripping.write_all(b"a").await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    // All places are taken: this one is served once those above are gone.
    let served = running.post(sealed(running.world.network, 0, running.now(), 1));
    let (served, ..) = tokio::join!(
        served,
        drip,
        until_closed(silent),
        until_closed(half),
        until_closed(waiting)
    );
    assert_eq!(served.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_fast_and_too_full_are_told_when_to_come_back() {
    let running = run(|config| {
        config.rate = Rate {
            per_second: 1,
            burst: 2,
        }
    })
    .await;
    let body = |sequence| sealed(running.world.network, 0, running.now(), sequence);
    let mut refused = None;
    for sequence in 1..5 {
        let response = running.post(body(sequence)).await;
        if response.status() == 429 {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.expect("a burst of two passes, no more");
    assert!(
        refused.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse::<u32>()
            .unwrap()
            >= 1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_meters_that_nobody_signed_is_refused() {
    let running = run(|_| {}).await;
    for body in [vec![], vec![0x80], codec::encode(&7u64), vec![0xff; 1_000]] {
        let response = reqwest::Client::new()
            .post(running.url("/v1/meters"))
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 422);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_a_503_with_a_time_to_come_back_and_then_it_goes_on() {
    let world = World::new(1);
    let now = START.plus_ms(HOUR / 2);
    let (clock, metrics) = (ManualClock::at(now), Metrics::default());
    let collector = world.collector();
    let (mailbox, thread) = mailbox::spawn(collector, Arc::new(clock.clone()), metrics.clone(), 100).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let shared = Shared {
        chain: "verifier-test".parse().unwrap(),
        verifier: account(world::VERIFIER).account,
        mailbox: mailbox.clone(),
        metrics,
        clock: Arc::new(clock),
        objects: Arc::new(world.objects.clone()),
        networks: vec![world.network],
        standing: Arc::default(),
        rate: Shared::rates(Rate {
            per_second: 1_000,
            burst: 1_000,
        }),
        readers: Shared::readers(),
        ledger: Arc::new(world.chain.clone()),
        desk: Desk::open(folder.path()).unwrap(),
        retry_seconds: 7,
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/reports", listener.local_addr().unwrap());
    let timeouts = Timeouts {
        idle: Duration::from_secs(5),
        request: Duration::from_secs(5),
    };
    let (stop, stopped) = oneshot::channel();
    let serving = tokio::spawn(serve(listener, timeouts, 8, Arc::new(shared), stopped));
    let post = |sequence| {
        let request = reqwest::Client::new()
            .post(&url)
            .body(sealed(world.network, 0, now, sequence));
        async move { request.send().await.unwrap() }
    };
    world.disk.set_space(0);
    let refused = post(1).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "7");
    assert!(refused.text().await.unwrap().contains("the disk is full"));
    world.disk.set_space(1 << 28);
    assert!(matches!(answers(post(1).await).await[..], [IntakeAnswer::Receipt(_)]));
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    mailbox.stop();
    thread.join().unwrap();
}
