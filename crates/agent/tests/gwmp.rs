//! A packet forwarder somebody else wrote (Helium's `semtech-udp`) speaks with the agent, and through it with another network's
//! server: join, uplink, downlink. What was heard reaches a verifier. Hostile datagrams, and the first version of the protocol.

#![allow(clippy::unwrap_used)]

mod stand;

use cairn_agent::agent::Agent;
use cairn_agent::clock::HandClock;
use cairn_agent::gwmp::mux::Forwarder;
use cairn_agent::gwmp::wire::{Datagram, Eui, Kind};
use cairn_agent::shell::{Ports, Shell};
use cairn_types::Envelope;
use cairn_verticals::wireless::report::{Body, Heard, frame};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use semtech_udp::client_runtime::{ClientRx, ClientTx, DownlinkRequest, Event, UdpRuntime};
use semtech_udp::pull_resp::{self, PhyData, Time, TxPk};
use semtech_udp::push_data::{self, CRC, RxPk, RxPkV1};
use semtech_udp::{
    Bandwidth, CodingRate, DataRate, MacAddress, Modulation, Packet, SerializablePacket, SpreadingFactor, Up, tx_ack,
};
use stand::*;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::UdpSocket;

const EUI: Eui = Eui(0x0080_0000_a000_0a5c);
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
/// A join request: JoinEUI, DevEUI, nonce and code, as a node sends it.
const JOIN: [u8; 23] = [
    0x00, 0xdc, 0x00, 0x00, 0xd0, 0x7e, 0xd5, 0xb3, 0x70, 0x1e, 0x6f, 0xed, 0xf5, 0x7c, 0xee, 0xaf, 0x00, 0x85, 0xcc,
    0x58, 0x7f, 0xe9, 0x13,
];

/// An agent with one radio whose packets are sealed one by one, so that each can be seen at the verifier.
async fn start(stand: &Stand, upstreams: Vec<String>) -> Shell {
    let mut parts = stand.parts();
    let network = &mut parts.networks[0];
    network.vertical = cairn_verticals::by_name("wireless").unwrap();
    network.params = network.vertical.default_params();
    network.readings_max = 1;
    let disks = (Box::new(stand.outbox.clone()), Box::new(stand.journal.clone()));
    let agent = Agent::open(parts, &stand.keys(), disks.0, disks.1).unwrap();
    let forwarder = Forwarder {
        eui: EUI,
        device: "gauge-0".into(),
        region: "EU868".into(),
        cell: Some("881969c9b7fffff".into()),
        height: Some(240),
        gain: Some(3.0),
        dwell_ms: None,
        upstreams,
    };
    let ports = Ports {
        http: Some(ANY),
        mqtt: None,
        gwmp: Some((ANY, vec![forwarder])),
    };
    let clock = HandClock::default();
    clock.set(NOON);
    Shell::start(agent, ports, Arc::new(stand.verifier.clone()), Arc::new(clock))
        .await
        .unwrap()
}

/// The forwarder, with its own sockets and tasks. It ends with the trigger.
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

/// The other network's server: what it reads and writes is in the words of the same foreign library.
struct Server {
    socket: UdpSocket,
    gateway: Option<SocketAddr>,
}

impl Server {
    async fn start() -> Self {
        let socket = UdpSocket::bind(ANY).await.unwrap();
        Self { socket, gateway: None }
    }

    fn name(&self) -> String {
        self.socket.local_addr().unwrap().to_string()
    }

    /// The next datagram that is no keeping alive; all are answered as a server does.
    async fn next(&mut self) -> Up {
        loop {
            let mut bytes = [0; 4_096];
            let (length, from) = self.socket.recv_from(&mut bytes).await.unwrap();
            match Packet::parse_uplink(&bytes[..length]).unwrap() {
                Up::PullData(pull) => {
                    self.gateway = Some(from);
                    self.send(pull.into_ack().into(), from).await;
                }
                Up::PushData(push) => {
                    self.send(push.clone().into_ack().into(), from).await;
                    return Up::PushData(push);
                }
                ack => return ack,
            }
        }
    }

    async fn send(&self, packet: Packet, to: SocketAddr) {
        let mut bytes = [0; 4_096];
        let length = packet.serialize(&mut bytes).unwrap() as usize;
        self.socket.send_to(&bytes[..length], to).await.unwrap();
    }

    async fn ask(&self, token: u16, freq: f64, powe: u64, time: Time) {
        let txpk = TxPk {
            time,
            freq,
            rfch: 0,
            powe,
            modu: Modulation::LORA,
            datr: DataRate::new(SpreadingFactor::_9, Bandwidth::_125KHz),
            codr: Some(CodingRate::_4_5),
            fdev: None,
            ipol: true,
            prea: None,
            data: PhyData::new(vec![0x20; 17]),
            ncrc: None,
        };
        let packet = pull_resp::Packet {
            random_token: token,
            data: pull_resp::Data::from_txpk(txpk),
        };
        self.send(packet.into(), self.gateway.unwrap()).await;
    }

    async fn told(&mut self) -> (u16, Result<Option<u32>, tx_ack::Error>) {
        match self.next().await {
            Up::TxAck(ack) => (ack.random_token, ack.get_result()),
            other => panic!("{other:?}"),
        }
    }
}

async fn downlink(forwarder: &mut ClientRx) -> DownlinkRequest {
    match forwarder.recv().await.unwrap() {
        Event::DownlinkRequest(request) => request,
        other => panic!("{other:?}"),
    }
}

fn receptions(envelopes: &[Envelope]) -> Vec<Heard> {
    let bodies = envelopes
        .iter()
        .map(|envelope| Body::decode(&envelope.report.body).unwrap());
    bodies.flat_map(|body| body.heard).collect()
}

#[tokio::test]
async fn a_foreign_forwarder_serves_us_and_another_network_at_once() {
    let stand = Stand::new(1);
    let mut server = Server::start().await;
    let shell = start(&stand, vec![server.name()]).await;
    let (radio, mut downlinks, stop) = forwarder(shell.gwmp.unwrap()).await;

    // Join: the other network hears it as it was sent, and answers five seconds later.
    radio.send(heard(&JOIN, 1_000_000)).await.unwrap();
    let Up::PushData(push) = server.next().await else {
        panic!("a packet")
    };
    assert_eq!(push.data.rxpk.unwrap()[0].data(), &JOIN.to_vec());
    while server.gateway.is_none() {
        tokio::select! { _ = server.next() => {}, () = tokio::task::yield_now() => {} }
    }
    server.ask(77, 868.3, 14, Time::by_tmst(6_000_000)).await;
    let request = downlink(&mut downlinks).await;
    assert_eq!(request.txpk().time.tmst(), Some(6_000_000));
    request.ack().await.unwrap();
    assert_eq!(server.told().await, (77, Ok(None)));

    // Data up and down; the forwarder's refusals reach the server in its own words.
    let data = [&[0x40, 0xda, 0xbe, 0x01, 0x26, 0x80, 7, 0, 1][..], &[9; 12]].concat();
    radio.send(heard(&data, 9_000_000)).await.unwrap();
    assert!(matches!(server.next().await, Up::PushData(_)));
    for (at, error) in [
        (10_000_000, tx_ack::Error::TooLate),
        (10_200_000, tx_ack::Error::TooEarly),
        (10_400_000, tx_ack::Error::CollisionPacket),
        (10_600_000, tx_ack::Error::CollisionBeacon),
        (10_800_000, tx_ack::Error::InvalidTransmitFrequency),
        (11_000_000, tx_ack::Error::InvalidTransmitPower(None)),
        (11_200_000, tx_ack::Error::GpsUnlocked),
    ] {
        server.ask(at as u16, 868.3, 14, Time::by_tmst(at)).await;
        downlink(&mut downlinks).await.nack(error).await.unwrap();
        assert_eq!(server.told().await, (at as u16, Err(error)));
    }

    // What the region forbids never reaches the radio.
    for (freq, powe, time, error) in [
        (
            868.65,
            14,
            Time::by_tmst(12_000_000),
            tx_ack::Error::InvalidTransmitFrequency,
        ),
        (
            868.3,
            27,
            Time::by_tmst(12_000_000),
            tx_ack::Error::InvalidTransmitPower(None),
        ),
        (868.3, 14, Time::by_tmst(8_000_000), tx_ack::Error::TooLate),
        (868.3, 14, Time::by_tmst(900_000_000), tx_ack::Error::TooEarly),
        (868.3, 14, Time::by_tmms(5), tx_ack::Error::GpsUnlocked),
    ] {
        server.ask(5, freq, powe, time).await;
        assert_eq!(server.told().await, (5, Err(error)));
    }
    server.ask(6, 868.3, 14, Time::by_tmst(20_000_000)).await;
    downlink(&mut downlinks).await.ack().await.unwrap();
    assert_eq!(server.told().await, (6, Ok(None)));
    server.ask(7, 868.3, 14, Time::by_tmst(20_010_000)).await;
    assert_eq!(server.told().await, (7, Err(tx_ack::Error::CollisionPacket)));

    let url = format!("http://{}/v1/forwarders", shell.http.unwrap());
    let status: serde_json::Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let status = &status["forwarders"][0];
    assert_eq!(
        (&status["eui"], &status["packets"]),
        (&"00800000a0000a5c".into(), &2.into())
    );
    assert_eq!(
        (&status["downlinks"], &status["downlinks_sent"]),
        (&9.into(), &2.into())
    );
    assert_eq!(status["downlinks_refused"]["TX_FREQ"], 2);

    // Both are reported, whatever the other network did.
    while stand.verifier.taken().len() < 2 {
        tokio::task::yield_now().await;
    }
    let heard = receptions(&stand.verifier.taken());
    assert_eq!(
        heard.iter().map(|heard| heard.frame).collect::<Vec<_>>(),
        [frame(&JOIN), frame(&data)]
    );
    assert_eq!(
        (heard[0].rssi_ddbm, heard[0].snr_ddb, heard[0].time),
        (-1_130, -35, NOON)
    );
    let sources: Vec<_> = heard.iter().map(|heard| heard.source.unwrap()).collect();
    assert_eq!((sources[0].id, sources[0].counter), (0x00af_ee7c_f5ed_6f1e, None));
    assert_eq!((sources[1].id, sources[1].counter), (0x2601_beda, Some(7)));
    stop.trigger();
    shell.stop().await.unwrap();
}

#[tokio::test]
async fn an_upstream_that_is_away_keeps_nobody_from_working() {
    let stand = Stand::new(1);
    let away = UdpSocket::bind(ANY).await.unwrap().local_addr().unwrap();
    let shell = start(&stand, vec![away.to_string(), "nowhere.invalid:1700".into()]).await;
    let (radio, _downlinks, stop) = forwarder(shell.gwmp.unwrap()).await;
    for counter in 0..3 {
        radio
            .send(heard(&[0x40, 1, 2, 3, 4, 0, counter, 0, 1, 9, 9, 9, 9], 5))
            .await
            .unwrap();
    }
    while stand.verifier.taken().len() < 3 {
        tokio::task::yield_now().await;
    }
    stop.trigger();
    shell.stop().await.unwrap();
}

#[tokio::test]
async fn hostile_datagrams_harm_nobody_and_a_push_is_acknowledged_once_it_is_on_disk() {
    let stand = Stand::new(1);
    let shell = start(&stand, Vec::new()).await;
    let socket = UdpSocket::bind(ANY).await.unwrap();
    socket.connect(shell.gwmp.unwrap()).await.unwrap();
    let json = br#"{"rxpk":[{"tmst":5,"freq":868.1,"stat":1,"datr":"SF7BW125","rssi":-35,"lsnr":5,"data":"AQID"}]}"#;
    let push = |version, eui| {
        let token = [7, version];
        let kind = Kind::PushData { eui, json };
        Datagram { version, token, kind }.write()
    };
    let mut random = ChaCha8Rng::from_seed([42; 32]);
    for round in 0..400 {
        let mut bytes = push(1 + (round % 2) as u8, Eui(EUI.0 ^ u64::from(round % 4 == 0)));
        for _ in 0..2 + random.next_u32() % 6 {
            let at = random.next_u32() as usize % bytes.len();
            match random.next_u32() % 3 {
                0 => bytes[at] = random.next_u32() as u8,
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, random.next_u32() as u8),
            }
        }
        socket.send(&bytes).await.unwrap();
    }
    socket.send(&[2; 60_000]).await.unwrap();
    for version in [1, 2] {
        // Datagrams may be lost when the other side is busy: a forwarder sends on.
        let mut bytes = [0; 64];
        loop {
            socket.send(&push(version, EUI)).await.unwrap();
            let wait = std::time::Duration::from_millis(500);
            let answer = tokio::time::timeout(wait, socket.recv(&mut bytes)).await;
            if answer.is_ok_and(|length| bytes[..length.unwrap()] == [version, 7, version, 1]) {
                break;
            }
        }
    }
    let agent = shell.stop().await.unwrap();
    drop(agent);
    // What was acknowledged is on disk after a power cut.
    let mut stand = stand;
    stand.outbox = stand.outbox.after_crash(0);
    let mut parts = stand.parts();
    parts.networks[0].vertical = cairn_verticals::by_name("wireless").unwrap();
    parts.networks[0].params = parts.networks[0].vertical.default_params();
    let (outbox, journal) = (Box::new(stand.outbox.clone()), Box::new(stand.journal.clone()));
    let mut agent = Agent::open(parts, &stand.keys(), outbox, journal).unwrap();
    agent.seal_all(NOON).unwrap();
    assert!(agent.status(NOON).waiting + stand.verifier.taken().len() >= 2);
}
