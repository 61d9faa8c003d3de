//! What an agent reads from devices, verifiers, its owner and its own disk. What a message says is the target of the verticals;
//! here it is what stands around it.

use std::sync::LazyLock;

use axum::http::StatusCode;
use bytes::BytesMut;
use cairn_agent::{
    agent::Agent,
    answers::{Awaited, Verdict, judge},
    carry::{
        account::{Account, Backing},
        wire::{Claim, Down, Entry, Offer, Promise as Vouchers, Range, Sender, SignedClaim, Up, Verdict as Bought},
    },
    config::Config,
    disk::{Disk, MemoryDisk},
    gwmp::{
        mux::Mux,
        packet,
        wire::{Datagram, Eui, Kind},
    },
    journal::{Journal, Refused},
    keys::Keys,
    outbox::{
        Limits, Outbox,
        record::{Mark, Message, Record, Sealed, frame},
    },
    port::{
        http,
        mqtt::{self, PACKET_BYTES_MAX},
    },
    shell::Desk,
    uplink::Verifier,
};
use cairn_types::{
    AccountId, ChainId, Credit, DeviceId, DeviceNumber, EpochNumber, Hash, NetworkId, OrderId, Receipt, ReportId,
    TimeMs, codec::encode, intake::IntakeAnswer, intake::IntakeRefusal, receipt, receipt::Promise,
};
use rumqttc::mqttbytes::{
    QoS,
    v4::{Connect, Packet, PubAck, Publish, Subscribe},
};

use crate::{
    Target,
    http::{answer, explains, request},
    types::key,
    value,
};

const VERIFIER: AccountId = AccountId([9; 32]);
const OUTBOX_FILE: &str = "outbox-0000000000000001";
const CONFIG: &str = include_str!("../../crates/agent/examples/agent.toml");

pub const TARGETS: &[Target] = &[
    Target {
        name: "agent_config",
        run: config,
        seeds: || vec![CONFIG.as_bytes().to_vec()],
    },
    Target {
        name: "agent_request",
        run: agent_request,
        seeds: requests,
    },
    Target {
        name: "mqtt",
        run: packets,
        seeds: mqtt_streams,
    },
    Target {
        name: "gwmp",
        run: datagrams,
        seeds: gwmp_datagrams,
    },
    Target {
        name: "carry_up",
        run: |bytes| value::<Up>(bytes).is_some(),
        seeds: ups,
    },
    Target {
        name: "carry_down",
        run: carry_down,
        seeds: downs,
    },
    Target {
        name: "claim",
        run: claims,
        seeds: || vec![encode(&claim())],
    },
    Target {
        name: "verifier_answers",
        run: verifier_answers,
        seeds: answer_bodies,
    },
    Target {
        name: "outbox_file",
        run: |bytes| outbox(bytes).is_some(),
        seeds: || records().iter().map(|record| frame(1, 0, record)).collect(),
    },
    Target {
        name: "outbox_records",
        run: |bytes| outbox(&frame(1, 0, bytes)).is_some_and(|torn_bytes| torn_bytes == 0),
        seeds: records,
    },
    Target {
        name: "agent_journal",
        run: journal,
        seeds: || vec![encode(&refused(1)), [encode(&refused(1)), encode(&refused(2))].concat()],
    },
];

static RECEIPTS: LazyLock<Vec<Receipt>> = LazyLock::new(|| receipt::issue(VERIFIER, &key(5), TimeMs(7), &promises()));

pub fn config(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let Ok(config) = Config::read(text) else { return false };
    let parts = config.parts([1; 32]).expect("it was checked");
    assert_eq!(config.devices().count(), parts.devices.len());
    config.ports().expect("it was checked");
    true
}

/// What is answered with 200 to a message is on disk; every refusal has a code and a sentence.
pub fn agent_request(bytes: &[u8]) -> bool {
    let Some(request) = request(bytes) else { return false };
    let parts = CONFIGURED.parts([1; 32]).expect("the example is a configuration");
    let keys = Keys::in_memory(CONFIGURED.devices().map(|(name, _)| (name.to_owned(), key(6))));
    let disk = MemoryDisk::default();
    let agent = Agent::open(parts, &keys, Box::new(disk.clone()), Box::new(MemoryDisk::default()));
    let (mut desk, mailbox) = Desk::new(agent.expect("nothing is kept yet"));
    let posted = request.method() == "POST";
    let (status, body) = answer(http::routes(mailbox, None), request, || {
        desk.answer(NOON).expect("memory is never full");
    });
    if status != StatusCode::OK {
        explains(status, &body, &["code", "message"]);
        return false;
    }
    let (_, kept) = Outbox::open(Box::new(disk), Limits::default()).expect("what was acknowledged can be read");
    assert_eq!(
        kept.values().flatten().count(),
        usize::from(posted),
        "acknowledged is kept"
    );
    true
}

/// Some time in the first day of the example's network.
const NOON: TimeMs = TimeMs(1_500_120_000_000);

static CONFIGURED: LazyLock<Config> = LazyLock::new(|| Config::read(CONFIG).expect("the example is a configuration"));

fn requests() -> Vec<Vec<u8>> {
    [
        "GET /v1/status\n\n",
        "POST /v1/devices/gauge-1/readings\n\n2017-07-15T11:59:00Z rain=0.1",
        "POST /v1/devices/gauge%2D2/readings\ncontent-type: text/plain\n\nrain=0.1",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// Reads packets as a connection does, until one is not whole; each takes some bytes.
pub fn packets(bytes: &[u8]) -> bool {
    mqtt::version(bytes);
    let mut unread = BytesMut::from(bytes);
    loop {
        let before = unread.len();
        match Packet::read(&mut unread, PACKET_BYTES_MAX) {
            Ok(_) => assert!(unread.len() < before, "a packet of no bytes"),
            Err(_) => return before < bytes.len(),
        }
    }
}

/// A router is believed only what its order's key signed, up to what the order holds.
pub fn carry_down(bytes: &[u8]) -> bool {
    let Some(down) = value::<Down>(bytes) else { return false };
    if let Down::Promise(promise) = down {
        let backing = Backing {
            chain: chain(),
            order: OrderId([4; 32]),
            key: key(3).public(),
            held: Credit(100),
        };
        let mut account = Account::new(backing, DeviceNumber(5), Credit(30));
        let taken = account.promise(*promise);
        assert!(account.promised() <= Credit(100));
        return taken.is_ok();
    }
    true
}

/// A claim that passes is bounded, and by the order's key.
pub fn claims(bytes: &[u8]) -> bool {
    let Some(signed) = value::<SignedClaim>(bytes) else {
        return false;
    };
    let Sender::Data { address, .. } =
        Sender::of(&[0x40, 7, 0, 0, 0x26, 0, 5, 0, 1, 9, 9, 9, 9]).expect("a data frame")
    else {
        return false;
    };
    signed.claim.wants(&Sender::Data { address, counter: 1 });
    signed.check(&chain(), &key(3).public()).is_ok()
}

fn chain() -> ChainId {
    "one".parse().expect("a chain's name")
}

fn claim() -> SignedClaim {
    let claim = Claim {
        network: NetworkId([3; 32]),
        order: OrderId([4; 32]),
        router: "router.example.org:1690".to_owned(),
        addresses: vec![Range {
            first: 0x2600_0000,
            last: 0x26ff_ffff,
        }],
        joins: vec![],
        devices: vec![],
        copies: 2,
        exposure: Credit(500),
        said: TimeMs(7),
    };
    claim.sign(&chain(), &key(3))
}

fn ups() -> Vec<Vec<u8>> {
    let signature = key(3).sign(&[1; 32]);
    let offer = Offer {
        number: 3,
        frame: Hash([1; 32]),
        sender: Sender::Join {
            join_eui: 5,
            dev_eui: 6,
        },
        size: 23,
        frequency_hz: 868_100_000,
        spreading: 7,
        bandwidth_hz: 125_000,
        rssi_ddbm: -1_100,
        snr_ddb: -35,
        heard: TimeMs(9),
        counter_us: Some(4),
    };
    let all = [
        Up::Hello {
            key: key(3).public(),
            eui: 5,
            signature,
        },
        Up::Offer(offer),
        Up::Packet {
            number: 3,
            frame: vec![1, 2],
            signature,
        },
        Up::Sent {
            id: 1,
            error: "TOO_LATE".to_owned(),
        },
        Up::Ping,
    ];
    all.iter().map(encode).collect()
}

fn downs() -> Vec<Vec<u8>> {
    let entry = Entry {
        device: DeviceNumber(5),
        credits: Credit(10),
    };
    let promise = Vouchers::sign(OrderId([4; 32]), vec![entry], &chain(), &key(3)).expect("a small sum");
    let all = [
        Down::Challenge([1; 32]),
        Down::Welcome,
        Down::Farewell("no".to_owned()),
        Down::Answer {
            number: 3,
            verdict: Bought::Bought(Credit(10)),
        },
        Down::Promise(Box::new(promise)),
        Down::Send { id: 7, json: vec![1] },
    ];
    all.iter().map(encode).collect()
}

/// What a forwarder and another network's server may say, to a radio that was heard and may answer: never more goes out than
/// comes in and is due.
pub fn datagrams(bytes: &[u8]) -> bool {
    let forwarders = CONFIGURED.ports().expect("it was checked").gwmp;
    let (address, forwarders) = forwarders.expect("the example has a radio");
    let upstreams = forwarders[0].upstreams.len();
    let mut mux = Mux::new(forwarders).expect("it was checked");
    for datagram in gwmp_datagrams().iter().take(2) {
        mux.from_forwarder(address, datagram, 0);
    }
    let up = mux.from_forwarder(address, bytes, 5);
    let down = mux.from_upstream((0, 0), bytes, 5);
    assert!(up.len() <= 1 + upstreams && down.len() <= 1);
    if let Some(datagram) = Datagram::read(bytes) {
        assert_eq!(
            Datagram::read(&datagram.write()),
            Some(datagram),
            "a datagram has one meaning"
        );
    }
    !up.is_empty() || !down.is_empty() || Datagram::read(bytes).is_some()
}

/// The way for downlinks, an uplink, a downlink and what became of it, in both versions.
fn gwmp_datagrams() -> Vec<Vec<u8>> {
    let eui = Eui(0x0080_0000_a000_0a5c);
    let up = br#"{"rxpk":[{"tmst":1000000,"freq":868.1,"stat":1,"modu":"LORA","datr":"SF7BW125","rssi":-35,"lsnr":5.1,"data":"AQID"}]}"#;
    let down = br#"{"txpk":{"tmst":2000000,"freq":868.1,"powe":14,"datr":"SF7BW125","ipol":true,"data":"AQID"}}"#;
    let ack = packet::tx_ack(None);
    let kinds = [
        Kind::PullData { eui },
        Kind::PushData { eui, json: up },
        Kind::PullResp { json: down },
        Kind::TxAck { eui, json: &ack },
        Kind::PushAck,
        Kind::PullAck,
    ];
    let token = [1, 2];
    let written = |version| kinds.map(|kind| Datagram { version, token, kind }.write());
    [written(2), written(1)].concat()
}

/// A report counts as taken only under the receipt that the verifier signed for it.
pub fn verifier_answers(bytes: &[u8]) -> bool {
    let verifier = Verifier {
        url: String::new(),
        account: VERIFIER,
        key: key(5).public(),
    };
    let awaited: Vec<Awaited> = promises().into_iter().map(awaited).collect();
    let Ok(verdicts) = judge(&verifier, &awaited, bytes) else {
        return false;
    };
    assert_eq!(verdicts.len(), awaited.len());
    for (verdict, signed) in verdicts.iter().zip(RECEIPTS.iter()) {
        if let Verdict::Receipted(receipt) = verdict {
            assert!(
                receipt.promise() == signed.promise() && receipt.group == signed.group,
                "a forged receipt"
            );
        }
    }
    true
}

/// How many bytes were torn off a file that could be opened. What was found in it is read, and found again the second time.
fn outbox(bytes: &[u8]) -> Option<u64> {
    let disk = disk(OUTBOX_FILE, bytes);
    let (mut outbox, kept) = Outbox::open(Box::new(disk.clone()), Limits::default()).ok()?;
    for message in kept.values().flatten() {
        // Two devices may claim one number: then only one of them is there.
        let _ = outbox.read_message(message.entry);
    }
    let entries: Vec<u64> = outbox.sealed().collect();
    for entry in &entries {
        let sealed = outbox.read_sealed(*entry);
        assert!(sealed.is_ok_and(|sealed| sealed.is_some_and(|sealed| sealed.entry == *entry)));
    }
    let (again, kept_again) = Outbox::open(Box::new(disk), Limits::default()).expect("what was torn is cut off");
    assert!(again.torn_bytes() == 0 && kept_again == kept && again.sealed().eq(entries));
    Some(outbox.torn_bytes())
}

/// Half an item is cut off, in both kinds of file; what is whole stays.
pub fn journal(bytes: &[u8]) -> bool {
    let mut disk = disk("refused-0000000000000001", bytes);
    put(&mut disk, "receipts-0000000000000001", bytes);
    let open = || Journal::open(Box::new(disk.clone()), 1 << 20, 1 << 20).expect("memory is never out of order");
    let shown: Vec<Refused> = open().shown().cloned().collect();
    assert!(open().shown().eq(&shown));
    !shown.is_empty()
}

fn disk(name: &str, bytes: &[u8]) -> MemoryDisk {
    let mut disk = MemoryDisk::default();
    put(&mut disk, name, bytes);
    disk
}

fn put(disk: &mut MemoryDisk, name: &str, bytes: &[u8]) {
    disk.append(name, bytes).expect("memory is never full");
}

fn promises() -> Vec<Promise> {
    let promise = |at| Promise {
        report: ReportId([at; 32]),
        network: NetworkId([3; 32]),
        epoch: EpochNumber(1_151),
    };
    (1..=3).map(promise).collect()
}

fn awaited(promise: Promise) -> Awaited {
    Awaited {
        report: promise.report,
        network: promise.network,
        epoch: Some(promise.epoch),
    }
}

/// All taken, all refused, and some of both.
fn answer_bodies() -> Vec<Vec<u8>> {
    let taken: Vec<IntakeAnswer> = RECEIPTS.iter().cloned().map(IntakeAnswer::Receipt).collect();
    let refused: Vec<IntakeAnswer> = (0..3).map(|_| refusal()).collect();
    let mixed = [taken[0].clone(), refused[0].clone(), taken[2].clone()];
    [&taken[..], &refused[..], &mixed[..]]
        .map(IntakeAnswer::encode_sequence)
        .to_vec()
}

fn refusal() -> IntakeAnswer {
    IntakeAnswer::Refused {
        code: IntakeRefusal::Unavailable.code(),
        text: "come back".to_owned(),
    }
}

/// The records of one group: a message, an envelope, how far a device is, and one that is settled.
fn records() -> Vec<Vec<u8>> {
    let device = DeviceId([1; 32]);
    let message = |entry| {
        Record::Message(Message {
            entry,
            device,
            now: TimeMs(5),
            first_end: TimeMs(10),
            last_end: TimeMs(20),
            readings: 2,
            bytes: b"rain=0.1".to_vec(),
        })
    };
    let mark = Mark {
        sequence: 3,
        upto: 2,
        until: TimeMs(20),
        ..Mark::new(device)
    };
    let sealed = |entry, mark| {
        Record::Sealed(Sealed {
            entry,
            at: TimeMs(6),
            mark,
            envelope: vec![3; 60],
        })
    };
    let all = [
        message(1),
        message(2),
        sealed(3, Some(mark)),
        sealed(4, None),
        Record::Mark(mark),
        Record::Settled(3),
    ];
    let each = all.iter().map(encode);
    each.chain([all.iter().flat_map(encode).collect()]).collect()
}

fn refused(code: u16) -> Refused {
    Refused {
        at: TimeMs(7),
        device: DeviceId([1; 32]),
        report: ReportId([2; 32]),
        code,
        text: "a reason".to_owned(),
        envelope: vec![3; 80],
    }
}

/// What a device sends on a connection, and what others might.
fn mqtt_streams() -> Vec<Vec<u8>> {
    let mut connect = Connect::new("gauge-1");
    connect.set_login("somebody", "something");
    let mut publish = Publish::new("cairn/gauge-1/readings", QoS::AtLeastOnce, "rain=0.1");
    publish.pkid = 7;
    let mut subscribe = Subscribe::new("cairn/#", QoS::AtMostOnce);
    subscribe.pkid = 8;
    let packets = [
        Packet::Connect(connect),
        Packet::Publish(publish),
        Packet::PingReq,
        Packet::Subscribe(subscribe),
        Packet::PubAck(PubAck::new(7)),
        Packet::Disconnect,
    ];
    let written = |packet: &Packet| {
        let mut bytes = BytesMut::new();
        packet.write(&mut bytes, PACKET_BYTES_MAX).expect("the packet is short");
        bytes.to_vec()
    };
    let each = packets.iter().map(written);
    each.chain([packets.iter().flat_map(written).collect()]).collect()
}
