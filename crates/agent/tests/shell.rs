//! The agent as a process: real sockets, a real HTTP verifier, real MQTT clients, and hostile ones.

#![allow(clippy::unwrap_used)]

mod stand;

use axum::body::Bytes as Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use cairn_agent::agent::Agent;
use cairn_agent::clock::HandClock;
use cairn_agent::shell::{Ports, Shell};
use cairn_agent::status::Status;
use cairn_agent::uplink::{Delivery, HttpUplink};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use stand::*;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// The verifier of a stand behind HTTP.
async fn serve(verifier: TestVerifier) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let routes = axum::Router::new()
        .route(cairn_types::intake::PATH, post(receive))
        .with_state(verifier);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

async fn receive(State(verifier): State<TestVerifier>, body: Body) -> Response {
    match verifier.receive(&body) {
        Delivery::Answers(bytes) => ([(header::CONTENT_TYPE, cairn_types::intake::MEDIA_TYPE)], bytes).into_response(),
        Delivery::Busy { retry_after_ms } => {
            let seconds = (retry_after_ms.unwrap_or(0) / 1_000).to_string();
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds)]).into_response()
        }
        Delivery::Unreadable { .. } => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Delivery::Unreachable(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A running agent whose messages are sealed one by one, so that each can be seen at the verifier.
struct Running {
    stand: Stand,
    shell: Shell,
}

impl Running {
    async fn start(devices: usize) -> Self {
        let stand = Stand::new(devices);
        let mut parts = stand.parts();
        parts.verifiers = vec![TestVerifier::as_verifier(&serve(stand.verifier.clone()).await)];
        parts.networks[0].readings_max = 1;
        let disks = (Box::new(stand.outbox.clone()), Box::new(stand.journal.clone()));
        let agent = Agent::open(parts, &stand.keys(), disks.0, disks.1).unwrap();
        let any = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        let clock = HandClock::default();
        clock.set(NOON);
        let uplink = Arc::new(HttpUplink::new().unwrap());
        let ports = Ports {
            http: any,
            mqtt: any,
            gwmp: None,
        };
        let shell = Shell::start(agent, ports, uplink, Arc::new(clock)).await.unwrap();
        Self { stand, shell }
    }

    async fn status(&self) -> Status {
        self.shell.mailbox.status().await.unwrap()
    }

    async fn stop(self) -> (Stand, Status) {
        let agent = self.shell.stop().await.unwrap();
        (self.stand, agent.status(NOON))
    }

    async fn http(&self) -> TcpStream {
        TcpStream::connect(self.shell.http.unwrap()).await.unwrap()
    }

    async fn mqtt(&self) -> TcpStream {
        TcpStream::connect(self.shell.mqtt.unwrap()).await.unwrap()
    }

    /// Posts a message; gives status and body.
    async fn post(&self, device: &str, message: &[u8]) -> (u16, String) {
        let url = format!("http://{}/v1/devices/{device}/readings", self.shell.http.unwrap());
        let response = reqwest::Client::new()
            .post(url)
            .body(message.to_vec())
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

/// Everything the other side says until it closes.
async fn read_all(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A reset is an end like any other.
    let _ = stream.read_to_end(&mut bytes).await;
    bytes
}

#[tokio::test]
async fn a_message_over_http_reaches_the_verifier_and_refusals_say_why() {
    let running = Running::start(2).await;
    let (status, body) = running.post("gauge-1", &rain(NOON, "0.1")).await;
    assert_eq!((status, body.as_str()), (200, "{\"readings\":1}"));
    for (device, message, status, code) in [
        ("gauge-9", rain(NOON, "0.1"), 404, "unknown_device"),
        ("gauge-1", b"snow=1".to_vec(), 422, "not_understood"),
        ("gauge-1", vec![b' '; 70_000], 413, ""),
    ] {
        let (found, body) = running.post(device, &message).await;
        assert_eq!(found, status, "{body}");
        assert!(body.contains(code), "{body}");
    }
    let url = format!("http://{}/v1/status", running.shell.http.unwrap());
    let status: serde_json::Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    assert_eq!((&status["messages"], &status["devices"]), (&1.into(), &2.into()));
    let (stand, status) = running.stop().await;
    assert_eq!((status.receipted, status.waiting), (1, 0));
    assert_eq!(minutes(&stand.verifier.taken()), [(0, 100)]);
}

/// Publishes messages with a real client and waits for as many acknowledgements.
async fn publish(
    running: &Running,
    messages: &[(String, Vec<u8>)],
    qos: QoS,
) -> Result<usize, rumqttc::ConnectionError> {
    let address = running.shell.mqtt.unwrap();
    let options = MqttOptions::new("tests", address.ip().to_string(), address.port());
    let (client, mut events) = AsyncClient::new(options, messages.len() + 1);
    for (topic, message) in messages {
        client.publish(topic, qos, false, message.clone()).await.unwrap();
    }
    let mut acks = 0;
    while acks < messages.len() {
        if let Event::Incoming(Packet::PubAck(_)) = events.poll().await? {
            acks += 1;
        }
    }
    Ok(acks)
}

#[tokio::test]
async fn a_publish_is_acknowledged_once_it_is_on_disk() {
    let running = Running::start(20).await;
    let messages: Vec<_> = (0..200)
        .map(|at| {
            let topic = format!("cairn/gauge-{}/readings", at % 20);
            (topic, rain(NOON.plus_ms(at * 60_000), "0.1"))
        })
        .collect();
    assert_eq!(publish(&running, &messages, QoS::AtLeastOnce).await.unwrap(), 200);
    // What a power cut leaves now has every acknowledged message: taken by the verifier or still in the outbox.
    let after = running.stand.outbox.after_crash(0);
    let agent = Agent::open(
        running.stand.parts(),
        &running.stand.keys(),
        Box::new(after),
        Box::new(running.stand.journal.after_crash(0)),
    );
    let waiting = agent.unwrap().waiting();
    assert!(waiting + running.stand.verifier.taken().len() >= 200);
    let (stand, status) = running.stop().await;
    assert_eq!((status.messages, status.receipted), (200, 200));
    assert_eq!(minutes(&stand.verifier.taken()).len(), 200);
}

#[tokio::test]
async fn what_is_not_kept_is_not_acknowledged() {
    let running = Running::start(1).await;
    let topic = "cairn/gauge-0/readings".to_owned();
    for (topic, message, qos) in [
        ("cairn/gauge-9/readings".to_owned(), rain(NOON, "1"), QoS::AtLeastOnce),
        ("other/gauge-0/readings".to_owned(), rain(NOON, "1"), QoS::AtLeastOnce),
        (topic.clone(), b"snow=1".to_vec(), QoS::AtLeastOnce),
        (topic.clone(), rain(NOON, "1"), QoS::ExactlyOnce),
    ] {
        assert!(publish(&running, &[(topic, message)], qos).await.is_err());
    }
    running.stand.outbox.limit(Some(10));
    assert!(
        publish(&running, &[(topic.clone(), rain(NOON, "1"))], QoS::AtLeastOnce)
            .await
            .is_err()
    );
    let (status, body) = running.post("gauge-0", &rain(NOON, "1")).await;
    assert_eq!(status, 507, "{body}");
    running.stand.outbox.limit(None);
    assert_eq!(
        publish(&running, &[(topic, rain(NOON, "1"))], QoS::AtLeastOnce)
            .await
            .unwrap(),
        1
    );
    let (stand, _) = running.stop().await;
    assert_eq!(stand.verifier.taken().len(), 1);
}

#[tokio::test]
async fn mosquitto_pub_works() {
    if tokio::process::Command::new("mosquitto_pub")
        .arg("--version")
        .output()
        .await
        .is_err()
    {
        skip("publishing with mosquitto_pub: it is not installed");
        return;
    }
    let running = Running::start(1).await;
    let port = running.shell.mqtt.unwrap().port().to_string();
    let publish = |topic: &'static str, qos: &'static str, version: &'static str, message: String| {
        let mut command = tokio::process::Command::new("mosquitto_pub");
        command.args([
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "-t",
            topic,
            "-q",
            qos,
            "-V",
            version,
            "-m",
            &message,
        ]);
        async move { command.output().await.unwrap() }
    };
    let topic = "cairn/gauge-0/readings";
    for (minute, qos) in [(0, "1"), (1, "1"), (2, "0")] {
        let said = publish(topic, qos, "311", format!("{} rain=0.1", NOON.plus_ms(minute * 60_000))).await;
        assert!(said.status.success(), "{said:?}");
    }
    let senml = r#"[{"bn":"rain","bu":"mm","bt":1500077100,"v":0.2}]"#;
    assert!(publish(topic, "1", "311", senml.into()).await.status.success());
    let refused = publish("cairn/gauge-9/readings", "1", "311", "rain=1".into()).await;
    assert!(!refused.status.success(), "{refused:?}");
    let refused = publish(topic, "1", "5", format!("{NOON} rain=1")).await;
    assert!(!refused.status.success(), "{refused:?}");
    let (stand, _) = running.stop().await;
    assert_eq!(
        minutes(&stand.verifier.taken()),
        [(0, 100), (1, 100), (2, 100), (5, 200)]
    );
}

#[tokio::test]
async fn other_versions_strange_first_packets_and_subscribers_are_answered() {
    let running = Running::start(1).await;
    let connect = |level: u8, name: &[u8]| {
        let mut packet = vec![0x10, (name.len() + 10) as u8, 0, name.len() as u8];
        packet.extend_from_slice(name);
        packet.extend_from_slice(&[level, 2, 0, 60, 0, 2, b'm', b'e']);
        packet
    };
    for (packet, answer) in [
        (connect(5, b"MQTT"), vec![0x20, 3, 0, 0x84, 0]),
        (connect(3, b"MQIsdp"), vec![0x20, 2, 0, 1]),
        (connect(9, b"MQTT"), vec![0x20, 2, 0, 1]),
        (vec![0xc0, 0], vec![]),
        (b"GET / HTTP/1.1\r\n\r\n".to_vec(), vec![]),
    ] {
        let mut stream = running.mqtt().await;
        stream.write_all(&packet).await.unwrap();
        assert_eq!(read_all(&mut stream).await, answer, "{packet:02x?}");
    }
    let mut stream = running.mqtt().await;
    stream.write_all(&connect(4, b"MQTT")).await.unwrap();
    stream
        .write_all(&[0x82, 6, 0, 7, 0, 1, b'#', 1, 0xc0, 0, 0xe0, 0])
        .await
        .unwrap();
    let answers = [[0x20, 2, 0, 0].as_slice(), &[0x90, 3, 0, 7, 0x80], &[0xd0, 0]].concat();
    assert_eq!(read_all(&mut stream).await, answers);
    running.stop().await;
}

#[tokio::test(start_paused = true)]
async fn half_open_connections_end_in_time() {
    let running = Running::start(1).await;
    let mut silent = running.mqtt().await;
    let mut half = running.mqtt().await;
    half.write_all(&[0x10, 20, 0, 4]).await.unwrap();
    let mut http_silent = running.http().await;
    let mut http_half = running.http().await;
    http_half
        .write_all(b"POST /v1/devices/gauge-0/readings HTTP/1.1\r\nContent-Length: 99\r\n\r\nrain")
        .await
        .unwrap();
    for stream in [&mut silent, &mut half, &mut http_silent, &mut http_half] {
        let before = tokio::time::Instant::now();
        read_all(stream).await;
        assert!(before.elapsed() <= Duration::from_secs(31));
    }
    assert_eq!(running.status().await.messages, 0);
    running.stop().await;
}

#[tokio::test]
async fn nonsense_on_the_sockets_harms_nobody() {
    let running = Running::start(1).await;
    let mut random = ChaCha8Rng::from_seed([42; 32]);
    let topic = b"cairn/gauge-0/readings";
    let mut publish = vec![0x32, (2 + topic.len() + 2 + 6) as u8, 0, topic.len() as u8];
    publish.extend_from_slice(topic);
    publish.extend_from_slice(b"\x00\x07rain=1");
    let connect = [0x10, 14, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, 2, b'm', b'e'];
    let subscribe = [0x82, 6, 0, 7, 0, 1, b'#', 1];
    let mqtt = [
        connect.as_slice(),
        &subscribe,
        &publish,
        &[0xc0, 0],
        &[0xa2, 5, 0, 7, 0, 1, b'#'],
        &[0xe0, 0],
    ]
    .concat();
    let http = b"POST /v1/devices/gauge-0/readings HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nrain=1".to_vec();
    for round in 0..600 {
        let (valid, fixed) = if round % 3 == 0 {
            (&http, 0)
        } else {
            (&mqtt, connect.len())
        };
        let mut bytes = valid.clone();
        // Half of the MQTT rounds leave CONNECT alone, so that what follows is read.
        let from = if round % 2 == 0 { fixed } else { 0 };
        for _ in 0..1 + random.next_u32() % 6 {
            let at = from + random.next_u32() as usize % (bytes.len() - from);
            match random.next_u32() % 4 {
                0 => bytes[at] = random.next_u32() as u8,
                1 => bytes[at] ^= 1 << (random.next_u32() % 8),
                2 => bytes.truncate(at.max(from + 1)),
                _ => bytes.insert(at, random.next_u32() as u8),
            }
        }
        let mut stream = if round % 3 == 0 {
            running.http().await
        } else {
            running.mqtt().await
        };
        // The other side may have closed already.
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
        read_all(&mut stream).await;
    }
    let (status, body) = running.post("gauge-0", &rain(NOON.plus_ms(60_000), "7")).await;
    assert_eq!((status, body.as_str()), (200, "{\"readings\":1}"));
    let messages = [("cairn/gauge-0/readings".to_owned(), rain(NOON.plus_ms(120_000), "8"))];
    assert_eq!(self::publish(&running, &messages, QoS::AtLeastOnce).await.unwrap(), 1);
    let (_, status) = running.stop().await;
    assert_eq!(status.waiting, 0);
}

#[tokio::test]
async fn stopping_sends_what_waits_and_the_rest_stays_on_disk() {
    let mut running = Running::start(1).await;
    running.stand.verifier.next_moods([Mood::Busy(Some(3_600_000))]);
    let (status, _) = running.post("gauge-0", &rain(NOON, "0.1")).await;
    assert_eq!(status, 200);
    while running.status().await.failures == 0 {
        tokio::task::yield_now().await;
    }
    let (stand, status) = running.stop().await;
    assert_eq!((status.waiting, status.receipted), (1, 0));
    running = Running {
        shell: restart(&stand).await,
        stand,
    };
    while running.status().await.receipted == 0 {
        tokio::task::yield_now().await;
    }
    let (stand, status) = running.stop().await;
    assert_eq!(status.waiting, 0);
    assert_eq!(stand.verifier.taken().len(), 1);
}

async fn restart(stand: &Stand) -> Shell {
    let mut parts = stand.parts();
    parts.verifiers = vec![TestVerifier::as_verifier(&serve(stand.verifier.clone()).await)];
    let disks = (Box::new(stand.outbox.clone()), Box::new(stand.journal.clone()));
    let agent = Agent::open(parts, &stand.keys(), disks.0, disks.1).unwrap();
    let uplink = Arc::new(HttpUplink::new().unwrap());
    Shell::start(agent, Ports::default(), uplink, Arc::new(HandClock::default()))
        .await
        .unwrap()
}
