//! Packets from a foreign packet forwarder through agent and router to network servers, and money the other way: join, uplink and
//! downlink over Semtech's protocol and over ChirpStack's topics; a customer that does not sign, and devices that cheat.

#![allow(clippy::unwrap_used)]

use cairn_agent::agent::{Agent, Parts as AgentParts};
use cairn_agent::backoff::Backoff;
use cairn_agent::carry::account::Backing;
use cairn_agent::carry::carrier::{Carrier, Lines, Radio};
use cairn_agent::carry::frames::Frames;
use cairn_agent::carry::market::{Market, Wanted};
use cairn_agent::carry::wire::{Claim, Down, Offer, Promise, Range, Sender, Up, Verdict, hello_message};
use cairn_agent::clock::{Clock, SystemClock};
use cairn_agent::device::Network;
use cairn_agent::disk::MemoryDisk;
use cairn_agent::gwmp::mux::Forwarder;
use cairn_agent::gwmp::wire::Eui;
use cairn_agent::keys::Keys;
use cairn_agent::outbox::Limits;
use cairn_agent::shell::{Extras, Ports, Shell};
use cairn_agent::uplink::{Delivery, Uplink, Verifier};
use cairn_router::desk::{Desk, Terms};
use cairn_router::keep::Kept;
use cairn_router::router::{Members, Parts, Router};
use cairn_router::server::mqtt::Broker;
use cairn_router::server::{gwmp, mqtt};
use cairn_types::{
    AccountId, ChainId, Credit, DeviceId, DeviceNumber, EpochClock, NetworkId, OrderId, SecretKey, TimeMs, hash,
};
use cairn_verticals::wireless::params::Params;
use futures::future::BoxFuture;
use rumqttc::mqttbytes::QoS;
use rumqttc::mqttbytes::v4::{
    ConnAck, ConnectReturnCode, Packet as Mqtt, PubAck, Publish, SubAck, SubscribeReasonCode,
};
use semtech_udp::client_runtime::{ClientRx, ClientTx, Event, UdpRuntime};
use semtech_udp::pull_resp::{self, PhyData, Time, TxPk};
use semtech_udp::push_data::{self, CRC, RxPk, RxPkV1};
use semtech_udp::{
    Bandwidth, CodingRate, DataRate, MacAddress, Modulation, Packet, SerializablePacket, SpreadingFactor, Up as GwmpUp,
};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;

const EUI: Eui = Eui(0x0080_0000_a000_0a5c);
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
const NETWORK: NetworkId = NetworkId([3; 32]);
const NUMBER: DeviceNumber = DeviceNumber(7);
const PRICE: u64 = 10;
const JOIN: [u8; 23] = [
    0x00, 0xdc, 0x00, 0x00, 0xd0, 0x7e, 0xd5, 0xb3, 0x70, 0x1e, 0x6f, 0xed, 0xf5, 0x7c, 0xee, 0xaf, 0x00, 0x85, 0xcc,
    0x58, 0x7f, 0xe9, 0x13,
];

fn chain() -> ChainId {
    "one".parse().unwrap()
}

fn device() -> SecretKey {
    SecretKey::ed25519([6; 32])
}

/// Another member of the network.
fn other_device() -> SecretKey {
    SecretKey::ed25519([7; 32])
}

fn voucher_key() -> SecretKey {
    SecretKey::ed25519([1; 32])
}

fn claim(router: SocketAddr, exposure: u64) -> Claim {
    Claim {
        network: NETWORK,
        order: OrderId([4; 32]),
        router: router.to_string(),
        addresses: vec![Range {
            first: 0x2601_0000,
            last: 0x2601_ffff,
        }],
        joins: vec![Range {
            first: 0x70b3_d57e_d000_0000,
            last: 0x70b3_d57e_d0ff_ffff,
        }],
        devices: vec![],
        copies: 1,
        exposure: Credit(exposure),
        said: TimeMs(0),
    }
}

/// What the ledger and a gateway would say.
#[derive(Clone)]
struct TestMarket {
    claim: Claim,
    shown: Arc<Mutex<Vec<Promise>>>,
}

impl Market for TestMarket {
    fn wanted(&self, _: NetworkId) -> BoxFuture<'_, Result<Vec<Wanted>, String>> {
        let backing = Backing {
            chain: chain(),
            order: self.claim.order,
            key: voucher_key().public(),
            held: Credit(100_000),
        };
        let claim = self.claim.clone();
        Box::pin(async { Ok(vec![Wanted { claim, backing }]) })
    }

    fn device(&self, device: DeviceId) -> BoxFuture<'_, Result<Option<DeviceNumber>, String>> {
        Box::pin(async move { Ok((device == self::device().public().device_id()).then_some(NUMBER)) })
    }

    fn show(&self, promise: Promise) -> BoxFuture<'_, Result<(), String>> {
        self.shown.lock().unwrap().push(promise);
        Box::pin(async { Ok(()) })
    }
}

struct TestMembers;

impl Members for TestMembers {
    fn member(&self, device: DeviceId) -> BoxFuture<'_, Result<Option<DeviceNumber>, String>> {
        let members = [(self::device(), NUMBER), (other_device(), DeviceNumber(8))];
        let member = members.into_iter().find(|(key, _)| key.public().device_id() == device);
        Box::pin(async move { Ok(member.map(|(_, number)| number)) })
    }
}

struct NoVerifier;

impl Uplink for NoVerifier {
    fn send<'a>(&'a self, _: &'a Verifier, _: Vec<u8>) -> BoxFuture<'a, Delivery> {
        Box::pin(async { Delivery::Busy { retry_after_ms: None } })
    }

    fn pause(&self, _: u64) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }
}

/// An agent with one radio that serves whoever the market names.
async fn agent(claim: Claim) -> (Shell, Lines, Arc<Mutex<Vec<Promise>>>) {
    let vertical = cairn_verticals::by_name("wireless").unwrap();
    let network = Network {
        name: "radio".into(),
        id: NETWORK,
        vertical,
        params: vertical.default_params(),
        clock: EpochClock {
            genesis: TimeMs(0),
            epoch_ms: 3_600_000,
        },
        readings_max: 10_000,
        grace_ms: 60_000,
    };
    let verifier = Verifier {
        url: "http://verifier".into(),
        account: AccountId([9; 32]),
        key: device().public(),
    };
    let parts = AgentParts {
        networks: vec![network],
        devices: vec![("hotspot".into(), 0)],
        verifiers: vec![verifier],
        limits: Limits::default(),
        backoff: Backoff::default(),
        receipts_bytes_max: 1 << 20,
        seed: [1; 32],
    };
    let keys = Keys::in_memory([("hotspot".to_owned(), device())]);
    let disks = (Box::new(MemoryDisk::default()), Box::new(MemoryDisk::default()));
    let agent = Agent::open(parts, &keys, disks.0, disks.1).unwrap();
    let forwarder = Forwarder {
        eui: EUI,
        device: "hotspot".into(),
        region: "EU868".into(),
        cell: None,
        height: None,
        gain: None,
        dwell_ms: None,
        upstreams: vec![],
    };
    let ports = Ports {
        http: None,
        mqtt: None,
        gwmp: Some((ANY, vec![forwarder])),
    };
    let radio = Radio {
        forwarder: 0,
        name: "hotspot".into(),
        device: device().public().device_id(),
        key: device(),
        eui: EUI.0,
        network: NETWORK,
        params: Params::default(),
    };
    let shown = Arc::new(Mutex::new(Vec::new()));
    let lines = Lines::default();
    let market = TestMarket {
        claim,
        shown: Arc::clone(&shown),
    };
    let carrier = Carrier {
        market: Arc::new(market),
        clock: Arc::new(SystemClock),
        radios: vec![radio],
        exposure_max: Credit(1_000_000),
        every: Duration::from_millis(50),
        lines: lines.clone(),
    };
    let extras = Extras {
        asking: None,
        carrier: Some(carrier),
    };
    let shell = Shell::start_with(agent, ports, Arc::new(NoVerifier), Arc::new(SystemClock), extras).await;
    (shell.unwrap(), lines, shown)
}

/// A router whose network servers are given, with the address it is reached at.
async fn router(exposure: u64, folder: &tempfile::TempDir, servers: Servers) -> (Router, Claim) {
    let mut claim = claim(ANY, exposure);
    claim.router = "127.0.0.1:1".into();
    let terms = Terms {
        chain: chain(),
        claim: claim.clone(),
        secret: voucher_key(),
        held: Credit(100_000),
        params: Params::default(),
        collect_ms: 20,
    };
    let kept = Kept::new(
        &chain(),
        "http://gateway",
        AccountId([8; 32]),
        claim.clone(),
        terms.held,
        [1; 32],
    );
    let parts = Parts {
        listen: ANY,
        members: Arc::new(TestMembers),
        clock: Arc::new(SystemClock),
        file: folder.path().join("router.order"),
        kept,
        servers: servers.0,
        from_servers: servers.1,
    };
    let router = Router::start(Desk::new(terms, None), parts).await.unwrap();
    claim.router = router.address.to_string();
    (router, claim)
}

type Servers = (
    Vec<mpsc::Sender<cairn_router::server::ToServer>>,
    mpsc::Receiver<cairn_router::server::FromServer>,
);

async fn forwarder(agent: SocketAddr) -> (ClientTx, ClientRx, triggered::Trigger) {
    let (send, receive, runtime) = UdpRuntime::new(MacAddress::from(EUI.0.to_be_bytes()), agent)
        .await
        .unwrap();
    let (trigger, stop) = triggered::trigger();
    tokio::spawn(runtime.run(stop));
    (send, receive, trigger)
}

fn heard(frame: &[u8], counter: u32) -> push_data::Packet {
    let packet = RxPk::V1(RxPkV1 {
        chan: 0,
        codr: Some(CodingRate::_4_5),
        data: frame.to_vec(),
        datr: DataRate::new(SpreadingFactor::_9, Bandwidth::_125KHz),
        freq: 868.3,
        lsnr: -3.5,
        modu: Modulation::LORA,
        rfch: 0,
        rssi: -113,
        rssis: None,
        size: frame.len() as u64,
        stat: CRC::OK,
        tmst: counter,
        time: None,
    });
    push_data::Packet::from_rxpk(MacAddress::from(EUI.0.to_be_bytes()), packet)
}

fn data(address: u32, counter: u8) -> Vec<u8> {
    let head = [&[0x40][..], &address.to_le_bytes(), &[0x80, counter, 0, 1]].concat();
    [&head[..], &[counter; 11]].concat()
}

async fn connected(lines: &Lines) {
    while !lines.status().iter().any(|line| line.connected) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn join_uplink_and_downlink_pass_to_a_server_of_semtechs_protocol_and_are_paid() {
    let folder = tempfile::tempdir().unwrap();
    let server = UdpSocket::bind(ANY).await.unwrap();
    let (words, heard_words) = mpsc::channel(64);
    let (down, from_servers) = mpsc::channel(64);
    let address = server.local_addr().unwrap().to_string();
    tokio::spawn(gwmp::serve(0, address, heard_words, down));
    let (router, claim) = router(500, &folder, (vec![words], from_servers)).await;
    let (shell, lines, shown) = agent(claim).await;
    let (radio, mut downlinks, stop) = forwarder(shell.gwmp.unwrap()).await;
    connected(&lines).await;

    // Somebody else's sender is not even offered.
    radio.send(heard(&data(0x2700_0001, 1), 500_000)).await.unwrap();
    radio.send(heard(&JOIN, 1_000_000)).await.unwrap();
    let mut gateway = None;
    let next = async |gateway: &mut Option<SocketAddr>| loop {
        let mut bytes = [0; 4_096];
        let (length, from) = server.recv_from(&mut bytes).await.unwrap();
        match Packet::parse_uplink(&bytes[..length]).unwrap() {
            GwmpUp::PullData(_) => *gateway = Some(from),
            up => return up,
        }
    };
    let GwmpUp::PushData(push) = next(&mut gateway).await else {
        panic!("a packet")
    };
    assert_eq!(push.gateway_mac, MacAddress::from(EUI.0.to_be_bytes()));
    let RxPk::V1(packet) = &push.data.rxpk.unwrap()[0] else {
        panic!("a packet")
    };
    assert_eq!(
        (packet.data.as_slice(), packet.tmst, packet.rssi),
        (&JOIN[..], 1_000_000, -113)
    );

    let txpk = |counter| TxPk {
        time: Time::by_tmst(counter),
        freq: 868.3,
        rfch: 0,
        powe: 14,
        modu: Modulation::LORA,
        datr: DataRate::new(SpreadingFactor::_9, Bandwidth::_125KHz),
        codr: Some(CodingRate::_4_5),
        fdev: None,
        ipol: true,
        prea: None,
        data: PhyData::new(vec![0x20; 17]),
        ncrc: None,
    };
    let ask = async |token, counter| {
        let data = pull_resp::Data::from_txpk(txpk(counter));
        let packet = pull_resp::Packet {
            random_token: token,
            data,
        };
        let mut bytes = [0; 4_096];
        let length = Packet::from(packet).serialize(&mut bytes).unwrap() as usize;
        server.send_to(&bytes[..length], gateway.unwrap()).await.unwrap();
    };
    ask(77, 6_000_000).await;
    let Event::DownlinkRequest(request) = downlinks.recv().await.unwrap() else {
        panic!("a downlink")
    };
    assert_eq!(request.txpk().time.tmst(), Some(6_000_000));
    request.ack().await.unwrap();
    let GwmpUp::TxAck(ack) = next(&mut gateway).await else {
        panic!("an answer")
    };
    assert_eq!((ack.random_token, ack.get_result()), (77, Ok(None)));

    // A data frame of 20 bytes, and one of 51: a started piece is paid whole.
    radio.send(heard(&data(0x2601_beda, 7), 7_000_000)).await.unwrap();
    let long = [data(0x2601_beda, 8), vec![8; 31]].concat();
    radio.send(heard(&long, 8_000_000)).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(next(&mut gateway).await, GwmpUp::PushData(_)));
    }
    while lines.status()[0].promised_credits < 5 * PRICE {
        tokio::task::yield_now().await;
    }
    let line = &lines.status()[0];
    assert_eq!(
        (line.carried, line.offered, line.owed_credits, line.downlinks),
        (3, 3, 0, 1)
    );
    stop.trigger();
    shell.stop().await.unwrap();
    // The agent showed it to who settles it, and the router has it on disk.
    let promise = router.stop().await.unwrap();
    assert_eq!(promise.of(NUMBER), Credit(5 * PRICE));
    assert_eq!(shown.lock().unwrap().last(), Some(&promise));
    let kept = Kept::read(&folder.path().join("router.order")).unwrap().unwrap();
    assert_eq!(kept.promise, Some(promise));
}

/// As much of a broker as one client needs: gives what is published, and publishes what it is given.
async fn broker() -> (u16, mpsc::Receiver<(String, Value)>, mpsc::Sender<(String, Value)>) {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = mpsc::channel(64);
    let (say, mut said) = mpsc::channel::<(String, Value)>(64);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut unread = bytes::BytesMut::new();
        let mut subscribed = false;
        loop {
            let mut answers = bytes::BytesMut::new();
            while let Ok(packet) = Mqtt::read(&mut unread, 65_536) {
                let answer = match packet {
                    Mqtt::Connect(_) => Mqtt::ConnAck(ConnAck::new(ConnectReturnCode::Success, false)),
                    Mqtt::Subscribe(asked) => {
                        subscribed = true;
                        Mqtt::SubAck(SubAck::new(
                            asked.pkid,
                            vec![SubscribeReasonCode::Success(QoS::AtLeastOnce)],
                        ))
                    }
                    Mqtt::Publish(publish) => {
                        let topic = publish.topic.clone();
                        tell.send((topic, serde_json::from_slice(&publish.payload).unwrap()))
                            .await
                            .unwrap();
                        Mqtt::PubAck(PubAck::new(publish.pkid))
                    }
                    Mqtt::PingReq => Mqtt::PingResp,
                    _ => continue,
                };
                answer.write(&mut answers, 65_536).unwrap();
            }
            stream.write_all(&answers).await.unwrap();
            tokio::select! {
                read = stream.read_buf(&mut unread) => if read.unwrap_or(0) == 0 { return },
                Some((topic, body)) = said.recv(), if subscribed => {
                    let mut bytes = bytes::BytesMut::new();
                    let publish = Publish::new(topic, QoS::AtMostOnce, body.to_string());
                    Mqtt::Publish(publish).write(&mut bytes, 65_536).unwrap();
                    stream.write_all(&bytes).await.unwrap();
                }
            }
        }
    });
    (port, told, say)
}

#[tokio::test]
async fn the_same_over_the_topics_of_chirpstacks_gateway_bridge() {
    let folder = tempfile::tempdir().unwrap();
    let (port, mut told, say) = broker().await;
    let (words, heard_words) = mpsc::channel(64);
    let (down, from_servers) = mpsc::channel(64);
    let broker = Broker {
        host: "127.0.0.1".into(),
        port,
        prefix: "eu868".into(),
        login: None,
        client: "router".into(),
    };
    tokio::spawn(mqtt::serve(0, broker, heard_words, down));
    let (router, claim) = router(500, &folder, (vec![words], from_servers)).await;
    let (shell, lines, _) = agent(claim).await;
    let (radio, mut downlinks, stop) = forwarder(shell.gwmp.unwrap()).await;
    connected(&lines).await;
    radio.send(heard(&JOIN, 1_000_000)).await.unwrap();
    let up = loop {
        let (topic, body) = told.recv().await.unwrap();
        match topic.as_str() {
            "eu868/gateway/00800000a0000a5c/event/up" => break body,
            "eu868/gateway/00800000a0000a5c/state/conn" => assert_eq!(body["state"], "ONLINE"),
            other => panic!("{other}"),
        }
    };
    let frame = cairn_agent::gwmp::packet::encode(&JOIN);
    assert_eq!((&up["phyPayload"], &up["rxInfo"]["snr"]), (&json!(frame), &json!(-3.5)));
    assert_eq!(up["txInfo"]["modulation"]["lora"]["spreadingFactor"], 9);

    // The first window is over; the second is taken.
    let item = |delay: &str| {
        json!({ "phyPayload": frame, "context": up["rxInfo"]["context"], "txInfo": {
            "frequency": 868_300_000, "power": 14, "timing": { "delay": { "delay": delay } },
            "modulation": { "lora": { "bandwidth": 125_000, "spreadingFactor": 9, "codeRate": "CR_4_5", "polarizationInversion": true } },
        } })
    };
    let frame = json!({ "downlinkId": 42, "gatewayId": "00800000a0000a5c", "items": [item("0s"), item("6s")] });
    say.send(("eu868/gateway/00800000a0000a5c/command/down".into(), frame))
        .await
        .unwrap();
    let Event::DownlinkRequest(request) = downlinks.recv().await.unwrap() else {
        panic!("a downlink")
    };
    assert_eq!(request.txpk().time.tmst(), Some(7_000_000));
    request.ack().await.unwrap();
    let (topic, ack) = told.recv().await.unwrap();
    assert_eq!(topic, "eu868/gateway/00800000a0000a5c/event/ack");
    assert_eq!(ack["downlinkId"], 42);
    assert_eq!(ack["items"], json!([{ "status": "TOO_LATE" }, { "status": "OK" }]));
    stop.trigger();
    shell.stop().await.unwrap();
    router.stop().await;
}

#[tokio::test]
async fn a_customer_that_does_not_sign_is_cut_off_after_its_exposure() {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let (shell, lines, shown) = agent(claim(listener.local_addr().unwrap(), 3 * PRICE)).await;
    let (radio, _downlinks, stop) = forwarder(shell.gwmp.unwrap()).await;
    let mut line = Frames::new(listener.accept().await.unwrap().0);
    line.send(&Down::Challenge([5; 32])).await.unwrap();
    let Up::Hello { key, eui, signature } = line.next().await.unwrap() else {
        panic!("a greeting")
    };
    assert!(key.verify(&hello_message(&chain(), &OrderId([4; 32]), &[5; 32], eui), &signature));
    line.send(&Down::Welcome).await.unwrap();
    connected(&lines).await;
    let mut packets = 0;
    for counter in 0..5 {
        radio
            .send(heard(&data(0x2601_0001, counter), u32::from(counter) + 1))
            .await
            .unwrap();
        if counter < 3 {
            let Up::Offer(offer) = line.next().await.unwrap() else {
                panic!("an offer")
            };
            let verdict = Verdict::Bought(Credit(PRICE));
            line.send(&Down::Answer {
                number: offer.number,
                verdict,
            })
            .await
            .unwrap();
            let Up::Packet { frame, signature, .. } = line.next().await.unwrap() else {
                panic!("a packet")
            };
            assert_eq!(offer.frame, hash::sha256(&frame));
            assert!(key.verify(&offer.message(&chain(), &OrderId([4; 32])), &signature));
            packets += 1;
        }
    }
    while lines.status()[0].refused.get("cut_off") != Some(&2) {
        tokio::task::yield_now().await;
    }
    assert_eq!((packets, lines.status()[0].owed_credits), (3, 3 * PRICE));
    assert!(shown.lock().unwrap().is_empty());
    // It signs, and is served again.
    let entry = cairn_agent::carry::wire::Entry {
        device: NUMBER,
        credits: Credit(3 * PRICE),
    };
    let promise = Promise::sign(OrderId([4; 32]), vec![entry], &chain(), &voucher_key()).unwrap();
    line.send(&Down::Promise(Box::new(promise))).await.unwrap();
    while lines.status()[0].owed_credits > 0 {
        tokio::task::yield_now().await;
    }
    radio.send(heard(&data(0x2601_0001, 9), 10)).await.unwrap();
    let Up::Offer(offer) = line.next().await.unwrap() else {
        panic!("an offer")
    };
    // For less than the network's price nothing is handed over.
    let verdict = Verdict::Bought(Credit(PRICE - 1));
    line.send(&Down::Answer {
        number: offer.number,
        verdict,
    })
    .await
    .unwrap();
    while lines.status()[0].refused.get("cut_off") != Some(&3) {
        tokio::task::yield_now().await;
    }
    stop.trigger();
    shell.stop().await.unwrap();
}

/// Greets a router as the device does.
async fn greet(router: SocketAddr, key: &SecretKey) -> Result<Frames, String> {
    let mut line = Frames::new(TcpStream::connect(router).await.unwrap());
    let Down::Challenge(nonce) = line.next().await.unwrap() else {
        panic!("a challenge")
    };
    let signature = key.sign(&hello_message(&chain(), &OrderId([4; 32]), &nonce, EUI.0));
    let key = key.public();
    let hello = Up::Hello {
        key,
        eui: EUI.0,
        signature,
    };
    line.send(&hello).await.unwrap();
    match line.next().await.unwrap() {
        Down::Welcome => Ok(line),
        Down::Farewell(why) => Err(why),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_is_no_member_or_brings_another_packet_than_offered_is_shown_out() {
    let folder = tempfile::tempdir().unwrap();
    let (_down, from_servers) = mpsc::channel(1);
    let (router, claim) = router(500, &folder, (vec![], from_servers)).await;
    let stranger = greet(router.address, &SecretKey::ed25519([66; 32]))
        .await
        .err()
        .unwrap();
    assert!(stranger.contains("no such device"), "{stranger}");
    // Nobody takes another's downlinks by saying its radio's number.
    let first = greet(router.address, &device()).await.unwrap();
    let mut thief = greet(router.address, &other_device()).await.unwrap();
    assert!(matches!(thief.next().await, Ok(Down::Farewell(why)) if why.contains("another device")));
    drop((first, thief));
    let offer = |number, frame: &[u8]| Offer {
        number,
        frame: hash::sha256(frame),
        sender: Sender::of(frame).unwrap(),
        size: frame.len() as u16,
        frequency_hz: 868_100_000,
        spreading: 7,
        bandwidth_hz: 125_000,
        rssi_ddbm: -1_000,
        snr_ddb: 0,
        heard: SystemClock.now(),
        counter_us: None,
    };
    let sign = |offer: &Offer| device().sign(&offer.message(&chain(), &claim.order));
    for (counter, forged) in [(1, false), (2, true)] {
        let mut line = greet(router.address, &device()).await.unwrap();
        let mut frame = data(0x2601_0001, counter);
        let offer = offer(1, &frame);
        line.send(&Up::Offer(offer)).await.unwrap();
        let answer = line.next().await.unwrap();
        let bought = |verdict| matches!(verdict, Verdict::Bought(_));
        assert!(
            matches!(answer, Down::Answer { verdict, .. } if bought(verdict)),
            "{answer:?}"
        );
        let (number, mut signature) = (1, sign(&offer));
        match forged {
            true => signature.0[0] ^= 1,
            false => frame.push(0),
        }
        let packet = Up::Packet {
            number,
            frame,
            signature,
        };
        line.send(&packet).await.unwrap();
        assert!(line.next::<Down>().await.is_err(), "shown out");
    }
    let mut line = greet(router.address, &device()).await.unwrap();
    let frame = data(0x2601_0001, 3);
    let signature = sign(&offer(9, &frame));
    let packet = Up::Packet {
        number: 9,
        frame,
        signature,
    };
    line.send(&packet).await.unwrap();
    assert!(line.next::<Down>().await.is_err(), "a packet nobody offered");
    assert_eq!(router.stop().await, None, "nothing is owed");
}
