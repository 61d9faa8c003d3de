//! Join, uplink and downlink over the topics of ChirpStack's gateway bridge, in both encodings and in clear and over TLS: with a broker
//! of a few lines, and with Eclipse Mosquitto where it is installed.

use crate::*;
use cairn_agent::gwmp::packet::encode;
use cairn_router::server::chirpstack::Marshaler;
use cairn_router::server::mqtt::{self, Broker, Login};
use cairn_router::server::{ToServer, tls};
use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rumqttc::mqttbytes::v4::{
    ConnAck, ConnectReturnCode, Packet as Mqtt, PubAck, Publish, SubAck, SubscribeReasonCode,
};
use rumqttc::mqttbytes::{QoS, v4::Connect};
use rumqttc::tokio_rustls::TlsAcceptor;
use rumqttc::{AsyncClient, Event as Heard, Incoming, MqttOptions, TlsConfiguration, Transport};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use serde_json::{Value, json};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const TOPIC: &str = "eu868/gateway/00800000a0000a5c";

/// What a broker saw and what it shall say.
struct Post {
    port: u16,
    connects: mpsc::Receiver<Connect>,
    told: mpsc::Receiver<(String, Vec<u8>)>,
    say: mpsc::Sender<(String, Vec<u8>)>,
}

/// As much of a broker as one client needs: gives what is published, and publishes what it is given.
async fn post(tls: Option<Arc<ServerConfig>>) -> Post {
    post_at(TcpListener::bind(ANY).await.unwrap(), tls)
}

fn post_at(listener: TcpListener, tls: Option<Arc<ServerConfig>>) -> Post {
    let port = listener.local_addr().unwrap().port();
    let (came, connects) = mpsc::channel(64);
    let (tell, told) = mpsc::channel(64);
    let (say, mut said) = mpsc::channel(64);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            match &tls {
                None => talk(stream, &came, &tell, &mut said).await,
                Some(tls) => match TlsAcceptor::from(Arc::clone(tls)).accept(stream).await {
                    Ok(stream) => talk(stream, &came, &tell, &mut said).await,
                    // A client that does not believe us, or that we do not believe.
                    Err(_) => continue,
                },
            }
        }
    });
    Post {
        port,
        connects,
        told,
        say,
    }
}

async fn talk(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    came: &mpsc::Sender<Connect>,
    tell: &mpsc::Sender<(String, Vec<u8>)>,
    said: &mut mpsc::Receiver<(String, Vec<u8>)>,
) {
    let mut unread = bytes::BytesMut::new();
    let mut subscribed = false;
    loop {
        let mut answers = bytes::BytesMut::new();
        while let Ok(packet) = Mqtt::read(&mut unread, 65_536) {
            let answer = match packet {
                Mqtt::Connect(connect) => {
                    came.send(connect).await.unwrap();
                    Mqtt::ConnAck(ConnAck::new(ConnectReturnCode::Success, false))
                }
                Mqtt::Subscribe(asked) => {
                    subscribed = true;
                    let codes = vec![SubscribeReasonCode::Success(QoS::AtLeastOnce)];
                    Mqtt::SubAck(SubAck::new(asked.pkid, codes))
                }
                Mqtt::Publish(publish) => {
                    tell.send((publish.topic, publish.payload.to_vec())).await.unwrap();
                    Mqtt::PubAck(PubAck::new(publish.pkid))
                }
                Mqtt::PingReq => Mqtt::PingResp,
                _ => continue,
            };
            answer.write(&mut answers, 65_536).unwrap();
        }
        if stream.write_all(&answers).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        tokio::select! {
            read = stream.read_buf(&mut unread) => if read.unwrap_or(0) == 0 { return },
            Some((topic, body)) = said.recv(), if subscribed => {
                let mut bytes = bytes::BytesMut::new();
                Mqtt::Publish(Publish::new(topic, QoS::AtMostOnce, body)).write(&mut bytes, 65_536).unwrap();
                if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
        }
    }
}

fn broker(port: u16, marshaler: Marshaler) -> Broker {
    Broker {
        host: "localhost".into(),
        port,
        prefix: "eu868".into(),
        login: None,
        tls: None,
        marshaler,
        client: "router".into(),
    }
}

/// The next message of a kind; others on the way must be those a radio greets with.
async fn next(told: &mut mpsc::Receiver<(String, Vec<u8>)>, kind: &str) -> Vec<u8> {
    loop {
        let (topic, body) = told.recv().await.unwrap();
        if topic == format!("{TOPIC}/{kind}") {
            return body;
        }
        let greets = ["state/conn", "event/stats"].map(|kind| format!("{TOPIC}/{kind}"));
        assert!(greets.contains(&topic), "{topic}");
    }
}

/// A downlink of two windows, the first of which is over.
fn command() -> Vec<u8> {
    let item = |delay: &str| {
        json!({ "phyPayload": encode(&JOIN), "txInfo": {
            "frequency": 868_300_000, "power": 14, "timing": { "delay": { "delay": delay } },
            "context": encode(&1_000_000u32.to_be_bytes()),
            "modulation": { "lora": { "bandwidth": 125_000, "spreadingFactor": 9, "codeRate": "CR_4_5", "polarizationInversion": true } },
        } })
    };
    let frame = json!({ "downlinkId": 42, "gatewayId": "00800000a0000a5c", "items": [item("0s"), item("6s")] });
    frame.to_string().into_bytes()
}

/// Join up, answer down, and what became of it, between a foreign forwarder and whoever is behind the broker.
async fn exchange(
    broker: Broker,
    told: &mut mpsc::Receiver<(String, Vec<u8>)>,
    say: &mpsc::Sender<(String, Vec<u8>)>,
) -> (Vec<u8>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let (words, heard_words) = mpsc::channel(64);
    let (down, from_servers) = mpsc::channel(64);
    tokio::spawn(mqtt::serve(0, broker, heard_words, down));
    let (router, claim) = router(500, &folder, (vec![words], from_servers)).await;
    let hotspot = hotspot(claim).await;
    let (radio, mut downlinks, stop) = forwarder(hotspot.port).await;
    hotspot.connected().await;
    radio.send(heard(&JOIN, 1_000_000)).await.unwrap();
    let up = next(told, "event/up").await;
    say.send((format!("{TOPIC}/command/down"), command())).await.unwrap();
    let Event::DownlinkRequest(request) = downlinks.recv().await.unwrap() else {
        panic!("a downlink")
    };
    assert_eq!(request.txpk().time.tmst(), Some(7_000_000));
    request.ack().await.unwrap();
    let ack = next(told, "event/ack").await;
    stop.trigger();
    hotspot.shell.stop().await.unwrap();
    router.stop().await;
    (up, ack)
}

#[tokio::test]
async fn join_uplink_and_downlink_pass_by_the_topics_of_chirpstacks_gateway_bridge() {
    let mut post = post(None).await;
    let broker = broker(post.port, Marshaler::Json);
    let (up, ack) = exchange(broker, &mut post.told, &post.say).await;
    let up: Value = serde_json::from_slice(&up).unwrap();
    assert_eq!(up["phyPayload"], json!(encode(&JOIN)));
    assert_eq!(up["rxInfo"]["snr"], -3.5);
    assert_eq!(up["rxInfo"]["context"], json!(encode(&1_000_000u32.to_be_bytes())));
    assert_eq!(up["txInfo"]["modulation"]["lora"]["spreadingFactor"], 9);
    // The first window was over; the second was taken.
    let ack: Value = serde_json::from_slice(&ack).unwrap();
    let last: Value = serde_json::from_slice(&next(&mut post.told, "state/conn").await).unwrap();
    assert_eq!(last["state"], "OFFLINE", "the router has stopped");
    assert_eq!(ack["downlinkId"], 42);
    assert_eq!(ack["items"], json!([{ "status": "TOO_LATE" }, { "status": "OK" }]));
}

#[tokio::test]
async fn who_has_much_to_tell_while_the_broker_makes_it_wait_connects_all_the_same() {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let broker = broker(listener.local_addr().unwrap().port(), Marshaler::Json);
    let (words, heard) = mpsc::channel(1);
    let (down, _asked) = mpsc::channel(1);
    tokio::spawn(mqtt::serve(0, broker, heard, down));
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut unread = bytes::BytesMut::new();
    let mut packet = async |stream: &mut TcpStream| loop {
        if let Ok(packet) = Mqtt::read(&mut unread, 65_536) {
            return packet;
        }
        assert_ne!(stream.read_buf(&mut unread).await.unwrap(), 0, "the router hung up");
    };
    assert!(matches!(packet(&mut stream).await, Mqtt::Connect(_)));
    for eui in 0..8 {
        // The channel has room for one: each but the last was taken while the broker had not answered.
        words.send(ToServer::Online(eui)).await.unwrap();
    }
    let mut answer = bytes::BytesMut::new();
    let accepted = Mqtt::ConnAck(ConnAck::new(ConnectReturnCode::Success, false));
    accepted.write(&mut answer, 65_536).unwrap();
    stream.write_all(&answer).await.unwrap();
    while !matches!(packet(&mut stream).await, Mqtt::Subscribe(_)) {}
}

/// An authority, and certificates in PEM that it signed: of the broker, of a client, each with its key.
struct Papers {
    authority: String,
    broker: (String, String),
    client: (String, String),
}

fn papers() -> Papers {
    papers_of("localhost")
}

fn papers_of(broker: &str) -> Papers {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "authority");
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let signed = |name: &str, purpose| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![purpose];
        params.distinguished_name.push(DnType::CommonName, name);
        (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
    };
    Papers {
        broker: signed(broker, ExtendedKeyUsagePurpose::ServerAuth),
        client: signed("router", ExtendedKeyUsagePurpose::ClientAuth),
        authority,
    }
}

impl Papers {
    /// A server that asks its clients for a certificate of the same authority.
    fn server(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.authority.as_bytes()).unwrap())
            .unwrap();
        let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
        let chain = vec![CertificateDer::from_pem_slice(self.broker.0.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(self.broker.1.as_bytes()).unwrap();
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.build().unwrap())
            .with_single_cert(chain, key);
        Arc::new(server.unwrap())
    }

    /// A broker over TLS, as the router is told of it.
    fn broker(&self, port: u16) -> Broker {
        let shown = (self.client.0.as_bytes(), self.client.1.as_bytes());
        Broker {
            tls: Some(tls::config(Some(self.authority.as_bytes()), Some(shown)).unwrap()),
            login: Some(Login {
                user: "router".into(),
                password: "over the hedge".into(),
            }),
            ..broker(port, Marshaler::Protobuf)
        }
    }
}

#[tokio::test]
async fn over_tls_both_sides_show_certificates_and_nobody_else_is_told_anything() {
    let papers = papers();
    let mut post = post(Some(papers.server())).await;
    let (_, ack) = exchange(papers.broker(post.port), &mut post.told, &post.say).await;
    // In protobuf: the number of the downlink, and that the first window was over and the second was taken.
    assert_eq!(ack[..10], *b"\x10\x2a\x2a\x02\x08\x02\x2a\x02\x08\x01");
    let connect = post.connects.recv().await.unwrap();
    let login = connect.login.unwrap();
    assert_eq!(
        (login.username.as_str(), login.password.as_str()),
        ("router", "over the hedge")
    );
    // A broker of another authority, and one that believes another authority than ours, hear no password.
    let strange = self::papers();
    let with = |authority: &Papers, shown: &Papers| {
        let shown = (shown.client.0.as_bytes(), shown.client.1.as_bytes());
        Broker {
            tls: Some(tls::config(Some(authority.authority.as_bytes()), Some(shown)).unwrap()),
            ..papers.broker(post.port)
        }
    };
    for broker in [with(&strange, &papers), with(&papers, &strange)] {
        let (_words, heard) = mpsc::channel(1);
        let (down, _) = mpsc::channel(1);
        let served = tokio::time::timeout(Duration::from_secs(1), mqtt::serve(0, broker, heard, down));
        tokio::select! {
            _ = served => {}
            connect = post.connects.recv() => panic!("{connect:?}"),
        }
    }
}

#[tokio::test]
async fn a_broker_may_be_named_by_an_address_of_ipv6() {
    let papers = papers_of("::1");
    for tls in [None, Some(papers.server())] {
        let Ok(listener) = TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, 0)).await else {
            println!("SKIPPED: a broker at an address of IPv6: there is none here");
            return;
        };
        let secure = tls.is_some();
        let mut post = post_at(listener, tls);
        let mut broker = Broker {
            host: "::1".into(),
            ..papers.broker(post.port)
        };
        broker.tls = broker.tls.filter(|_| secure);
        let (_words, heard) = mpsc::channel(1);
        let (down, _asked) = mpsc::channel(1);
        tokio::select! {
            () = mqtt::serve(0, broker, heard, down) => panic!("the channel has not ended"),
            connect = post.connects.recv() => assert_eq!(connect.unwrap().client_id, "router"),
        }
    }
}

/// A real broker that ends with the test.
struct Mosquitto(std::process::Child);

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn mosquitto_takes_us_over_tls_with_certificate_and_password() {
    let quiet = |name: &str| {
        Command::new(name)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .arg("-h")
            .status()
    };
    if quiet("mosquitto_passwd").is_err() || quiet("mosquitto").is_err() {
        println!("SKIPPED: a router at Mosquitto over TLS: mosquitto is not installed");
        return;
    }
    let (folder, papers) = (tempfile::tempdir().unwrap(), papers());
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("ca.pem"), &papers.authority).unwrap();
    std::fs::write(path("broker.pem"), &papers.broker.0).unwrap();
    std::fs::write(path("broker.key"), &papers.broker.1).unwrap();
    std::fs::write(path("users"), "").unwrap();
    let user = Command::new("mosquitto_passwd")
        .arg("-b")
        .arg(path("users"))
        .args(["router", "over the hedge"])
        .status();
    assert!(user.unwrap().success());
    // A port that nobody has, from the moment before.
    let port = TcpListener::bind(ANY).await.unwrap().local_addr().unwrap().port();
    let settings = format!(
        "listener {port} 127.0.0.1\nallow_anonymous false\nrequire_certificate true\nuser root\n\
         password_file {0}/users\ncafile {0}/ca.pem\ncertfile {0}/broker.pem\nkeyfile {0}/broker.key\n",
        folder.path().display()
    );
    std::fs::write(path("conf"), settings).unwrap();
    let child = Command::new("mosquitto")
        .arg("-c")
        .arg(path("conf"))
        .stderr(Stdio::null())
        .spawn();
    let mut mosquitto = Mosquitto(child.unwrap());
    while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
        assert_eq!(mosquitto.0.try_wait().unwrap(), None, "it ended at once");
        tokio::task::yield_now().await;
    }
    // The network server: another client of the same broker.
    let mut options = MqttOptions::new("server", "localhost", port);
    options.set_credentials("router", "over the hedge");
    let broker = papers.broker(port);
    let tls = broker.tls.clone().unwrap();
    options.set_transport(Transport::Tls(TlsConfiguration::Rustls(tls)));
    let (client, mut events) = AsyncClient::new(options, 64);
    client
        .subscribe("eu868/gateway/+/event/+", QoS::AtLeastOnce)
        .await
        .unwrap();
    let (tell, mut told) = mpsc::channel(64);
    let (say, mut said) = mpsc::channel::<(String, Vec<u8>)>(64);
    let (subscribed, is_subscribed) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let mut subscribed = Some(subscribed);
        loop {
            match events.poll().await.unwrap() {
                Heard::Incoming(Incoming::SubAck(_)) => drop(subscribed.take().map(|told| told.send(()))),
                Heard::Incoming(Incoming::Publish(it)) => tell.send((it.topic, it.payload.to_vec())).await.unwrap(),
                _ => {}
            }
        }
    });
    is_subscribed.await.unwrap();
    tokio::spawn(async move {
        while let Some((topic, body)) = said.recv().await {
            client.publish(topic, QoS::AtLeastOnce, false, body).await.unwrap();
        }
    });
    let (up, ack) = exchange(broker, &mut told, &say).await;
    assert!(up.windows(JOIN.len()).any(|bytes| bytes == JOIN));
    assert_eq!(ack[..10], *b"\x10\x2a\x2a\x02\x08\x02\x2a\x02\x08\x01");
}
