//! What carrying costs: packets from a forwarder's socket through agent and router to a network server's socket, with offers, signatures,
//! vouchers and both disks, beside a bare relay of the same datagrams. `cargo run -p cairn-router --example carried`.

use cairn_agent::agent::{Agent, Parts as AgentParts};
use cairn_agent::backoff::Backoff;
use cairn_agent::carry::account::Backing;
use cairn_agent::carry::carrier::{Carrier, Lines, Radio};
use cairn_agent::carry::market::{Market, Wanted};
use cairn_agent::carry::wire::{Claim, Promise, Range};
use cairn_agent::clock::SystemClock;
use cairn_agent::device::Network;
use cairn_agent::disk::FolderDisk;
use cairn_agent::gwmp::mux::Forwarder;
use cairn_agent::gwmp::packet::encode;
use cairn_agent::gwmp::wire::{Datagram, Eui, Kind};
use cairn_agent::keys::Keys;
use cairn_agent::outbox::Limits;
use cairn_agent::shell::{Extras, Ports, Shell};
use cairn_agent::uplink::{Delivery, Uplink, Verifier};
use cairn_router::desk::{Desk, Terms};
use cairn_router::keep::Kept;
use cairn_router::router::{Members, Parts, Router};
use cairn_router::server::gwmp;
use cairn_types::{
    AccountId, ChainId, Credit, DeviceId, DeviceNumber, EpochClock, NetworkId, OrderId, SecretKey, TimeMs,
};
use cairn_verticals::wireless::driver::frame::base64;
use cairn_verticals::wireless::params::Params;
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::timeout;

const EUI: Eui = Eui(5);
const NETWORK: NetworkId = NetworkId([3; 32]);
const ORDER: OrderId = OrderId([4; 32]);
const HELD: Credit = Credit(1_000_000_000);
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);
/// Packets at a pace a busy hotspot never reaches, for the latency; and as fast as they are taken, for the throughput.
const PACED: u32 = 2_000;
const PACE: Duration = Duration::from_millis(5);
const FAST: u32 = 20_000;
const UNDER_WAY_MAX: usize = 64;

fn chain() -> ChainId {
    "bench".parse().expect("a chain's name")
}

fn secret(seed: u8) -> SecretKey {
    SecretKey::ed25519([seed; 32])
}

struct Ledger(Claim);

impl Market for Ledger {
    fn wanted(&self, _: NetworkId) -> BoxFuture<'_, Result<Vec<Wanted>, String>> {
        let backing = Backing {
            chain: chain(),
            order: ORDER,
            key: secret(1).public(),
            held: HELD,
        };
        let claim = self.0.clone();
        Box::pin(async { Ok(vec![Wanted { claim, backing }]) })
    }

    fn device(&self, _: DeviceId) -> BoxFuture<'_, Result<Option<DeviceNumber>, String>> {
        Box::pin(async { Ok(Some(DeviceNumber(1))) })
    }

    fn show(&self, _: Promise) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
}

impl Members for Ledger {
    fn member(&self, _: DeviceId) -> BoxFuture<'_, Result<Option<DeviceNumber>, String>> {
        Box::pin(async { Ok(Some(DeviceNumber(1))) })
    }
}

struct Away;

impl Uplink for Away {
    fn send<'a>(&'a self, _: &'a Verifier, _: Vec<u8>) -> BoxFuture<'a, Delivery> {
        let retry_after_ms = Some(3_600_000);
        Box::pin(async move { Delivery::Busy { retry_after_ms } })
    }

    fn pause(&self, ms: u64) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // Nothing comes: the time runs out.
            let _ = timeout(Duration::from_millis(ms), std::future::pending::<()>()).await;
        })
    }
}

/// A PUSH_DATA with one frame of 24 bytes that carries its number.
fn push(number: u32) -> Vec<u8> {
    let frame = [&[0x40, 7, 0, 0, 0x26, 0, 0, 0, 1][..], &number.to_be_bytes(), &[9; 11]].concat();
    let json = format!(
        r#"{{"rxpk":[{{"tmst":{number},"freq":868.1,"stat":1,"modu":"LORA","datr":"SF7BW125","codr":"4/5","rssi":-90,"lsnr":5,"size":24,"data":"{}"}}]}}"#,
        encode(&frame)
    );
    let kind = Kind::PushData {
        eui: EUI,
        json: json.as_bytes(),
    };
    let (version, token) = (2, [0, 0]);
    Datagram { version, token, kind }.write()
}

fn number(datagram: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(datagram.get(12..)?).ok()?;
    let data = text.split_once("\"data\":\"")?.1.split_once('"')?.0;
    Some(u32::from_be_bytes(base64(data)?.get(9..13)?.try_into().ok()?))
}

/// Sends packets to `to` and waits for them at `server`: sorted times from end to end, and packets a second.
async fn measure(
    to: SocketAddr,
    server: &UdpSocket,
    first: u32,
    count: u32,
    pace: Option<Duration>,
) -> (Vec<Duration>, f64) {
    let Ok(radio) = UdpSocket::bind(ANY).await else {
        return (Vec::new(), 0.0);
    };
    let begun = Instant::now();
    let mut sent: BTreeMap<u32, Instant> = BTreeMap::new();
    let mut times = Vec::new();
    let (mut next, mut bytes) = (first, [0; 4_096]);
    let mut due = tokio::time::interval(pace.unwrap_or(Duration::from_micros(20)));
    while times.len() < count as usize {
        let may = next < first + count && sent.len() < UNDER_WAY_MAX;
        tokio::select! {
            _ = due.tick(), if may => {
                sent.insert(next, Instant::now());
                if radio.send_to(&push(next), to).await.is_err() {
                    return (times, 0.0);
                }
                next += 1;
            }
            // Datagrams may be lost, and packets cut off: what is left is not waited for.
            received = timeout(Duration::from_secs(3), server.recv(&mut bytes)) => {
                let Ok(received) = received else { break };
                let Ok(length) = received else { continue };
                if let Some(at) = number(&bytes[..length]).and_then(|number| sent.remove(&number)) {
                    times.push(at.elapsed());
                }
            }
        }
    }
    times.sort_unstable();
    let rate = times.len() as f64 / begun.elapsed().as_secs_f64();
    (times, rate)
}

fn say(what: &str, times: &[Duration], rate: f64) {
    let at = |part: usize| {
        times
            .get(times.len() * part / 100)
            .or(times.last())
            .copied()
            .unwrap_or_default()
    };
    println!(
        "{what}: {} packets, {rate:.0} a second, median {:.2} ms, p99 {:.2} ms",
        times.len(),
        at(50).as_secs_f64() * 1e3,
        at(99).as_secs_f64() * 1e3
    );
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = UdpSocket::bind(ANY).await?;
    let address = server.local_addr()?;
    let relay = UdpSocket::bind(ANY).await?;
    let relayed = relay.local_addr()?;
    tokio::spawn(async move {
        let mut bytes = [0; 4_096];
        while let Ok(length) = relay.recv(&mut bytes).await {
            // A lost datagram is a lost datagram.
            let _ = relay.send_to(&bytes[..length], address).await;
        }
    });
    let (times, rate) = measure(relayed, &server, 0, PACED, Some(PACE)).await;
    say("bare relay, paced", &times, rate);
    let (times, rate) = measure(relayed, &server, PACED, FAST, None).await;
    say("bare relay, 64 under way", &times, rate);

    let folder = tempfile::tempdir()?;
    let mut claim = Claim {
        network: NETWORK,
        order: ORDER,
        router: "127.0.0.1:1".to_owned(),
        addresses: vec![Range {
            first: 0x2600_0000,
            last: 0x26ff_ffff,
        }],
        joins: vec![],
        devices: vec![],
        copies: 1,
        exposure: Credit(10_000),
        said: TimeMs(0),
    };
    let terms = Terms {
        chain: chain(),
        claim: claim.clone(),
        secret: secret(1),
        held: HELD,
        params: Params::default(),
        collect_ms: 0,
    };
    let (words, to_server) = mpsc::channel(1_024);
    let (down, from_servers) = mpsc::channel(64);
    tokio::spawn(gwmp::serve(0, address.to_string(), to_server, down));
    let parts = Parts {
        listen: ANY,
        members: Arc::new(Ledger(claim.clone())),
        clock: Arc::new(SystemClock),
        file: folder.path().join("router.order"),
        kept: Kept::new(&chain(), "", AccountId([8; 32]), claim.clone(), HELD, [1; 32]),
        servers: vec![words],
        from_servers,
    };
    let router = Router::start(Desk::new(terms, None), parts).await?;
    claim.router = router.address.to_string();
    let vertical = cairn_verticals::by_name("wireless").ok_or("the vertical is there")?;
    let network = Network {
        name: "radio".into(),
        id: NETWORK,
        vertical,
        params: vertical.default_params(),
        clock: EpochClock {
            genesis: TimeMs(0),
            epoch_ms: 3_600_000,
        },
        readings_max: 512,
        grace_ms: 60_000,
    };
    let verifier = Verifier {
        url: "http://verifier".into(),
        account: AccountId([9; 32]),
        key: secret(6).public(),
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
    let keys = Keys::in_memory([("hotspot".to_owned(), secret(6))]);
    let disk = |name: &str| FolderDisk::open(&folder.path().join(name));
    let agent = Agent::open(parts, &keys, Box::new(disk("outbox")?), Box::new(disk("journal")?))?;
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
    let radio = Radio {
        forwarder: 0,
        name: "hotspot".into(),
        device: secret(6).public().device_id(),
        key: secret(6),
        eui: EUI.0,
        network: NETWORK,
        params: Params::default(),
    };
    let lines = Lines::default();
    let carrier = Carrier {
        market: Arc::new(Ledger(claim)),
        clock: Arc::new(SystemClock),
        radios: vec![radio],
        exposure_max: Credit(10_000),
        every: Duration::from_millis(100),
        lines: lines.clone(),
    };
    let ports = Ports {
        http: None,
        mqtt: None,
        gwmp: Some((ANY, vec![forwarder])),
    };
    let extras = Extras {
        asking: None,
        carrier: Some(carrier),
    };
    let shell = Shell::start_with(agent, ports, Arc::new(Away), Arc::new(SystemClock), extras).await?;
    let port = shell.gwmp.ok_or("the port is open")?;
    while !lines.status().iter().any(|line| line.connected) {
        tokio::task::yield_now().await;
    }
    let (times, rate) = measure(port, &server, 0, PACED, Some(PACE)).await;
    say("agent and router, paced", &times, rate);
    let (times, rate) = measure(port, &server, PACED, FAST, None).await;
    say("agent and router, 64 under way", &times, rate);
    let line = lines.status().into_iter().next().unwrap_or_default();
    println!(
        "carried {}, refused {:?}, promised {} credits",
        line.carried, line.refused, line.promised_credits
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let memory = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap_or("memory unknown");
    println!("agent and router together, at most: {memory}");
    shell.stop().await?;
    router.stop().await;
    Ok(())
}
