//! Packets from a foreign packet forwarder through agent and router to network servers, and money the other way: join, uplink and
//! downlink over Semtech's protocol and over ChirpStack's topics; a customer that does not sign, and devices that cheat.

#![allow(clippy::unwrap_used)]

mod chirpstack;
mod mqtt;
mod stand;

use cairn_agent::carry::frames::Frames;
use cairn_agent::carry::wire::{Claim, Down, Offer, Promise, Sender, Up, Verdict, hello_message};
use cairn_agent::clock::{Clock, SystemClock};
use cairn_agent::disk::MemoryDisk;
use cairn_router::keep::Kept;
use cairn_router::router::Router;
use cairn_router::server::gwmp;
use cairn_types::{Credit, SecretKey, hash};
use semtech_udp::client_runtime::{ClientRx, ClientTx, Event, UdpRuntime};
use semtech_udp::pull_resp::{self, PhyData, Time, TxPk};
use semtech_udp::push_data::{self, CRC, RxPk, RxPkV1};
use semtech_udp::{
    Bandwidth, CodingRate, DataRate, MacAddress, Modulation, Packet, SerializablePacket, SpreadingFactor, Up as GwmpUp,
};
use stand::*;
use std::net::SocketAddr;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;

const PRICE: u64 = 10;
const JOIN: [u8; 23] = [
    0x00, 0xdc, 0x00, 0x00, 0xd0, 0x7e, 0xd5, 0xb3, 0x70, 0x1e, 0x6f, 0xed, 0xf5, 0x7c, 0xee, 0xaf, 0x00, 0x85, 0xcc,
    0x58, 0x7f, 0xe9, 0x13,
];

/// A hotspot with its disks in memory.
async fn hotspot(claim: Claim) -> Hotspot {
    let disk = || Box::new(MemoryDisk::default());
    Hotspot::start(claim, disk(), disk()).await.unwrap()
}

async fn router(exposure: u64, folder: &TempDir, servers: Servers) -> (Router, Claim) {
    let file = folder.path().join("router.order");
    stand::router(exposure, 20, file, servers).await.unwrap()
}

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

#[tokio::test]
async fn join_uplink_and_downlink_pass_to_a_server_of_semtechs_protocol_and_are_paid() {
    let folder = tempfile::tempdir().unwrap();
    let server = UdpSocket::bind(ANY).await.unwrap();
    let (words, heard_words) = mpsc::channel(64);
    let (down, from_servers) = mpsc::channel(64);
    let address = server.local_addr().unwrap().to_string();
    tokio::spawn(gwmp::serve(0, address, heard_words, down));
    let (router, claim) = router(500, &folder, (vec![words], from_servers)).await;
    let hotspot = hotspot(claim).await;
    let (radio, mut downlinks, stop) = forwarder(hotspot.port).await;
    hotspot.connected().await;

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
    while hotspot.lines.status()[0].promised_credits < 5 * PRICE {
        tokio::task::yield_now().await;
    }
    let line = &hotspot.lines.status()[0];
    assert_eq!(
        (line.carried, line.offered, line.owed_credits, line.downlinks),
        (3, 3, 0, 1)
    );
    stop.trigger();
    hotspot.shell.stop().await.unwrap();
    // The agent showed it to who settles it, and the router has it on disk.
    let promise = router.stop().await.unwrap();
    assert_eq!(promise.of(NUMBER), Credit(5 * PRICE));
    assert_eq!(hotspot.shown.lock().unwrap().last(), Some(&promise));
    let kept = Kept::read(&folder.path().join("router.order")).unwrap().unwrap();
    assert_eq!(kept.promise, Some(promise));
}

#[tokio::test]
async fn what_is_more_than_a_line_takes_is_counted() {
    // A router that says nothing: the line waits for its greeting.
    let listener = TcpListener::bind(ANY).await.unwrap();
    let hotspot = hotspot(claim(listener.local_addr().unwrap(), 3 * PRICE)).await;
    let (radio, _downlinks, stop) = forwarder(hotspot.port).await;
    let _line = listener.accept().await.unwrap();
    let behind = || hotspot.lines.status()[0].refused.get("behind").copied();
    let mut sent = 0;
    while behind().is_none() {
        sent += 1;
        radio.send(heard(&data(0x2601_0001, sent as u8), sent)).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert!(sent > 512, "after {sent}");
    stop.trigger();
    hotspot.shell.stop().await.unwrap();
}

#[tokio::test]
async fn a_customer_that_does_not_sign_is_cut_off_after_its_exposure() {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let hotspot = hotspot(claim(listener.local_addr().unwrap(), 3 * PRICE)).await;
    let (radio, _downlinks, stop) = forwarder(hotspot.port).await;
    let mut line = Frames::new(listener.accept().await.unwrap().0);
    line.send(&Down::Challenge([5; 32])).await.unwrap();
    let Up::Hello { key, eui, signature } = line.next().await.unwrap() else {
        panic!("a greeting")
    };
    assert!(key.verify(&hello_message(&chain(), &ORDER, &[5; 32], eui), &signature));
    line.send(&Down::Welcome).await.unwrap();
    hotspot.connected().await;
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
            assert!(key.verify(&offer.message(&chain(), &ORDER), &signature));
            packets += 1;
        }
    }
    while hotspot.lines.status()[0].refused.get("cut_off") != Some(&2) {
        tokio::task::yield_now().await;
    }
    assert_eq!((packets, hotspot.lines.status()[0].owed_credits), (3, 3 * PRICE));
    assert!(hotspot.shown.lock().unwrap().is_empty());
    // It signs, and is served again.
    let entry = cairn_agent::carry::wire::Entry {
        device: NUMBER,
        credits: Credit(3 * PRICE),
    };
    let promise = Promise::sign(ORDER, vec![entry], &chain(), &voucher_key()).unwrap();
    line.send(&Down::Promise(Box::new(promise))).await.unwrap();
    while hotspot.lines.status()[0].owed_credits > 0 {
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
    while hotspot.lines.status()[0].refused.get("cut_off") != Some(&3) {
        tokio::task::yield_now().await;
    }
    stop.trigger();
    hotspot.shell.stop().await.unwrap();
}

/// Greets a router as the device does.
async fn greet(router: SocketAddr, key: &SecretKey) -> Result<Frames, String> {
    let mut line = Frames::new(TcpStream::connect(router).await.unwrap());
    let Down::Challenge(nonce) = line.next().await.unwrap() else {
        panic!("a challenge")
    };
    let signature = key.sign(&hello_message(&chain(), &ORDER, &nonce, EUI.0));
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
