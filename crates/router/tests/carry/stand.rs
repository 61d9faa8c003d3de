//! An agent with one radio, and a router that buys from it, in one process and with real sockets: for tests and for the measurement of
//! what carrying costs. The ledger's and the gateway's word is made up; nothing else is.

use cairn_agent::agent::{Agent, Parts as AgentParts};
use cairn_agent::backoff::Backoff;
use cairn_agent::carry::account::Backing;
use cairn_agent::carry::carrier::{Carrier, Lines, Radio};
use cairn_agent::carry::market::{Market, Wanted};
use cairn_agent::carry::wire::{Claim, Promise, Range};
use cairn_agent::clock::SystemClock;
use cairn_agent::device::Network;
use cairn_agent::disk::Disk;
use cairn_agent::gwmp::mux::Forwarder;
use cairn_agent::gwmp::wire::Eui;
use cairn_agent::keys::Keys;
use cairn_agent::outbox::Limits;
use cairn_agent::shell::{Extras, Ports, Shell};
use cairn_agent::uplink::{Delivery, Uplink, Verifier};
use cairn_router::desk::{Desk, Terms};
use cairn_router::keep::Kept;
use cairn_router::router::{Members, Parts, Router};
use cairn_router::server::{FromServer, ToServer};
use cairn_types::{
    AccountId, ChainId, Credit, DeviceId, DeviceNumber, EpochClock, NetworkId, OrderId, SecretKey, TimeMs,
};
use cairn_verticals::wireless::params::Params;
use futures::future::BoxFuture;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

pub const EUI: Eui = Eui(0x0080_0000_a000_0a5c);
pub const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
pub const ORDER: OrderId = OrderId([4; 32]);
pub const NUMBER: DeviceNumber = DeviceNumber(7);
pub const OTHER_NUMBER: DeviceNumber = DeviceNumber(8);
pub const HELD: Credit = Credit(1_000_000_000);
const NETWORK: NetworkId = NetworkId([3; 32]);

pub fn chain() -> ChainId {
    "one".parse().expect("a chain's name")
}

pub fn device() -> SecretKey {
    SecretKey::ed25519([6; 32])
}

/// Another member of the network.
pub fn other_device() -> SecretKey {
    SecretKey::ed25519([7; 32])
}

pub fn voucher_key() -> SecretKey {
    SecretKey::ed25519([1; 32])
}

/// One copy of every frame of the addresses from 26010000 on, and of joins to one owner's servers.
pub fn claim(router: SocketAddr, exposure: u64) -> Claim {
    Claim {
        network: NETWORK,
        order: ORDER,
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
struct MadeMarket {
    claim: Claim,
    shown: Arc<Mutex<Vec<Promise>>>,
}

impl Market for MadeMarket {
    fn wanted(&self, _: NetworkId) -> BoxFuture<'_, Result<Vec<Wanted>, String>> {
        let backing = Backing {
            chain: chain(),
            order: self.claim.order,
            key: voucher_key().public(),
            held: HELD,
        };
        let claim = self.claim.clone();
        Box::pin(async { Ok(vec![Wanted { claim, backing }]) })
    }

    fn device(&self, device: DeviceId) -> BoxFuture<'_, Result<Option<DeviceNumber>, String>> {
        Box::pin(async move { Ok((device == self::device().public().device_id()).then_some(NUMBER)) })
    }

    fn show(&self, promise: Promise) -> BoxFuture<'_, Result<(), String>> {
        self.shown.lock().expect("no holder panics").push(promise);
        Box::pin(async { Ok(()) })
    }
}

struct MadeMembers;

impl Members for MadeMembers {
    fn member(&self, device: DeviceId) -> BoxFuture<'_, Result<Option<DeviceNumber>, String>> {
        let members = [(self::device(), NUMBER), (other_device(), OTHER_NUMBER)];
        let member = members.into_iter().find(|(key, _)| key.public().device_id() == device);
        Box::pin(async move { Ok(member.map(|(_, number)| number)) })
    }
}

/// A verifier that has no time.
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

/// An agent with one radio that serves whoever the market names; with its lines, and the promises that it showed.
pub struct Hotspot {
    pub shell: Shell,
    pub lines: Lines,
    pub shown: Arc<Mutex<Vec<Promise>>>,
    /// Where its packet forwarder sends.
    pub port: SocketAddr,
}

impl Hotspot {
    pub async fn start(claim: Claim, outbox: Box<dyn Disk>, journal: Box<dyn Disk>) -> Result<Self, Box<dyn Error>> {
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
        let agent = Agent::open(parts, &keys, outbox, journal)?;
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
            device: device().public().device_id(),
            key: device(),
            eui: EUI.0,
            network: NETWORK,
            params: Params::default(),
        };
        let (shown, lines) = (Arc::default(), Lines::default());
        let market = MadeMarket {
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
        let ports = Ports {
            http: None,
            mqtt: None,
            gwmp: Some((ANY, vec![forwarder])),
        };
        let extras = Extras {
            asking: None,
            carrier: Some(carrier),
            beaconer: None,
        };
        let shell = Shell::start_with(agent, ports, Arc::new(Away), Arc::new(SystemClock), extras).await?;
        Ok(Self {
            port: shell.gwmp.ok_or("the port is open")?,
            shell,
            lines,
            shown,
        })
    }

    pub async fn connected(&self) {
        while !self.lines.status().iter().any(|line| line.connected) {
            tokio::task::yield_now().await;
        }
    }
}

/// Where packets go, and downlinks come from.
pub type Servers = (Vec<mpsc::Sender<ToServer>>, mpsc::Receiver<FromServer>);

/// A router that keeps its order in a file, and what it claims.
pub async fn router(
    exposure: u64,
    collect_ms: u64,
    file: PathBuf,
    servers: Servers,
) -> Result<(Router, Claim), Box<dyn Error>> {
    let mut claim = claim(ANY, exposure);
    let terms = Terms {
        chain: chain(),
        claim: claim.clone(),
        secret: voucher_key(),
        held: HELD,
        params: Params::default(),
        collect_ms,
    };
    let kept = Kept::new(
        &chain(),
        "http://gateway",
        AccountId([8; 32]),
        claim.clone(),
        HELD,
        [1; 32],
    );
    let parts = Parts {
        listen: ANY,
        members: Arc::new(MadeMembers),
        clock: Arc::new(SystemClock),
        file,
        kept,
        servers: servers.0,
        from_servers: servers.1,
    };
    let router = Router::start(Desk::new(terms, None), parts).await?;
    claim.router = router.address.to_string();
    Ok((router, claim))
}
