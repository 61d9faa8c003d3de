//! `cairn router`: a customer's side of packets. Opens an order that holds credits, buys what devices heard, and pays by vouchers.

use crate::error::{Done, Failure, Kind, OrFail};
use crate::home::Home;
use crate::output::{Output, decimal};
use crate::roles::broker::BrokerArgs;
use crate::roles::logs::Logs;
use crate::roles::market::post;
use crate::roles::until_stopped;
use crate::session::{Session, failed};
use crate::spend::{Spender, Spending};
use cairn_agent::carry::wire::{Claim, Range, SHAPE_STREAM, Shown, terms};
use cairn_agent::clock::{Clock, SystemClock};
use cairn_client::NodeClient;
use cairn_ledger::records::{Network, OrderState};
use cairn_ledger::tx::Body;
use cairn_ledger::tx::open_order::OpenOrder;
use cairn_router::desk::{Desk, Terms};
use cairn_router::keep::Kept;
use cairn_router::router::{Members, Parts, Router};
use cairn_router::server::{FROM_SERVERS_MAX, TO_SERVER_MAX, gwmp, http, mqtt};
use cairn_types::{AccountId, Credit, DeviceId, DeviceNumber, NetworkId, NetworkNumber, OrderId, SecretKey, codec};
use cairn_verticals::wireless::params::Params;
use futures::future::BoxFuture;
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// Where the order and the last promise are kept.
const FILE: &str = "router.order";
/// A claim is said anew so often; a gateway remembers it for five minutes.
const CLAIM_EVERY: Duration = Duration::from_secs(60);
/// Devices whose numbers are remembered.
const MEMBERS_MAX: usize = 4_096;
/// How often the ledger is asked whether an order is settled, and how often at most.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const LOOKS_MAX: u32 = 90;
/// How long network servers may take to hear that the router stops.
const FAREWELL: Duration = Duration::from_secs(3);

/// Buy packets that a network's hotspots hear, for your network server.
#[derive(clap::Subcommand)]
pub enum Command {
    Open(Open),
    Run(Run),
    Close(Close),
}

/// Open an order that holds credits for packets, and say whose packets.
///
/// A packet is yours if its sender's address (DevAddr) is in a range you name, or if it asks to join a server (JoinEUI) or comes from a
/// device (DevEUI) you name. You pay for each started 24 bytes of each copy, at the network's price; a credit is a millionth of a US dollar.
/// What is not used when the order is closed or expires returns. Opening it costs the ledger's base fee in token.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn router open --hold 100000 --devaddr 26011f00-26011fff --join 70b3d57ed0000000-70b3d57ed0ffffff",
    "cairn router open --hold 5000 --dev-eui 0018b20000000001 --copies 3 --address router.example.org:1690 --dry-run",
])]
pub struct Open {
    /// The network: name, number or id; the only one that carries packets, unless told otherwise.
    #[arg(long)]
    network: Option<String>,
    /// What it holds: the most you can spend.
    #[arg(long, value_name = "CREDITS")]
    hold: u64,
    /// Senders of data, from one address to another, in hexadecimal; may be repeated.
    #[arg(long, value_name = "FROM-TO", value_parser = range)]
    devaddr: Vec<Range>,
    /// Servers that senders ask to join, likewise.
    #[arg(long, value_name = "FROM-TO", value_parser = range)]
    join: Vec<Range>,
    /// Senders that ask to join, likewise.
    #[arg(long, value_name = "FROM-TO", value_parser = range)]
    dev_eui: Vec<Range>,
    /// Copies of each packet, of the best hotspots that heard it.
    #[arg(long, default_value_t = 1)]
    copies: u8,
    /// The most you owe one hotspot before you sign; one that is owed more carries nothing.
    #[arg(long, value_name = "CREDITS", default_value_t = 1_000)]
    exposure: u64,
    /// Where hotspots reach your router.
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:1690")]
    address: String,
    /// For how long.
    #[arg(long, default_value_t = 24)]
    hours: u64,
    /// The gateway; that of the settings, unless told otherwise.
    #[arg(long, value_name = "URL")]
    gateway: Option<String>,
    #[command(flatten)]
    spending: Spending,
}

/// Serve: take offers of hotspots, buy the best copies, bring them to your network server, and sign for them.
///
/// A network server is reached over Semtech's protocol (--gwmp), over ChirpStack's MQTT topics (--mqtt: event/up, event/stats, event/ack,
/// state/conn, command/down under PREFIX/gateway/ID) or takes uplinks over HTTP (--http). May be killed at any moment: a voucher is on disk before
/// anybody sees it. Ends at Ctrl-C or SIGTERM; the order stays open for the next start.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn router run --gwmp 127.0.0.1:1700",
    "cairn router run --listen 0.0.0.0:1690 --mqtt mqtt://127.0.0.1:1883 --prefix eu868 --marshaler protobuf",
    "cairn router run --mqtt mqtts://broker.example.org --mqtt-ca ca.pem --mqtt-cert router.pem --mqtt-key router.key --mqtt-login login",
    "cairn router run --collect-ms 0 --http http://127.0.0.1:8090/packets",
])]
pub struct Run {
    /// Where hotspots reach it; only on this computer, unless told otherwise.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:1690")]
    listen: SocketAddr,
    /// A network server that speaks Semtech's protocol over UDP.
    #[arg(long, value_name = "HOST:PORT")]
    gwmp: Option<String>,
    #[command(flatten)]
    broker: BrokerArgs,
    /// What takes uplinks as JSON.
    #[arg(long, value_name = "URL")]
    http: Option<String>,
    /// How long copies are waited for before the best are bought; 0: whoever comes first.
    #[arg(long, value_name = "MS", default_value_t = 150)]
    collect_ms: u64,
    #[command(flatten)]
    logs: Logs,
}

/// Be done: the gateway settles the last voucher, hotspots are paid with the epoch, the rest of what the order held returns.
///
/// Waits until the ledger has it, half a minute or more: hotspots may show what they were promised until then.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn router close"])]
pub struct Close {}

/// `26000000-26ffffff`, or one number.
fn range(text: &str) -> Result<Range, String> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| u64::from_str_radix(text, 16).map_err(|_| "say it like 26011f00-26011fff".to_owned());
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err("from the smaller to the larger number".to_owned());
    }
    Ok(Range { first, last })
}

pub fn run(command: Command, home: &Path, out: Output) -> Done {
    crate::roles::runtime()?.block_on(async {
        match command {
            Command::Open(args) => open(args, home, out).await,
            Command::Run(args) => serve(args, home, out).await,
            Command::Close(Close {}) => close(home, out).await,
        }
    })
}

fn kept(home: &Home) -> Result<Option<Kept>, Failure> {
    Kept::read(&home.join(FILE)).or_fail(Kind::Files, "the router's order")
}

fn must_be_kept(home: &Home) -> Result<Kept, Failure> {
    let hint = "open one with `cairn router open`";
    kept(home)?.ok_or_else(|| Failure::new(Kind::NotFound, "no order for packets is open here").hint(hint))
}

async fn open(args: Open, home: &Path, out: Output) -> Done {
    let session = Session::open(home).await?;
    if kept(&session.home)?.is_some() {
        let failure = Failure::new(Kind::Refused, "an order for packets is open here already");
        return Err(failure.hint("use it with `cairn router run`, or end it with `cairn router close`"));
    }
    let spender = Spender::new(&session, &args.spending).await?;
    if !args.spending.sending.dry_run {
        spender.must_be_whole()?;
    }
    let (network, record) = network(&session, args.network.as_deref()).await?;
    if record.vertical != "wireless" {
        return Err(Failure::new(
            Kind::Usage,
            format!("network {} carries no packets", record.name),
        ));
    }
    let gateway = match args.gateway {
        Some(url) => url,
        None => session.settings.gateway()?,
    };
    let provider = provider(&gateway).await?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).or_fail(Kind::Internal, "the system gives no randomness")?;
    let now = session.chain().await?.time;
    let body = Body::OpenOrder(OpenOrder {
        network,
        provider,
        shape: SHAPE_STREAM,
        terms: terms(&session.genesis.chain, &network),
        hold: Credit(args.hold),
        expires: now.plus_ms(args.hours.saturating_mul(3_600_000)),
        voucher_key: SecretKey::ed25519(secret).public(),
    });
    let mut claim = Claim {
        network,
        order: OrderId([0; 32]),
        router: args.address,
        addresses: args.devaddr,
        joins: args.join,
        devices: args.dev_eui,
        copies: args.copies,
        exposure: Credit(args.exposure),
        said: SystemClock.now(),
    };
    claim.check().or_fail(Kind::Usage, "the claim")?;
    let dollars = decimal(args.hold, 6);
    let transaction = spender.next(body).await?;
    let order = OrderId(transaction.id().0);
    let answer = json!({
        "order": order.to_string(), "hold_credits": args.hold, "gateway": gateway, "dry_run": args.spending.sending.dry_run,
    });
    if args.spending.sending.dry_run {
        out.answer(&answer, || {
            vec![format!("an order that holds {dollars} US dollars; nothing was opened")]
        });
        return Ok(());
    }
    claim.order = order;
    // Before it is sent: whatever happens then, what it holds can be used.
    let file = session.home.join(FILE);
    let kept = Kept::new(
        &session.genesis.chain,
        &gateway,
        provider,
        claim,
        Credit(args.hold),
        secret,
    );
    kept.write(&file).or_fail(Kind::Files, file.display())?;
    if let Some(path) = &args.spending.sending.export {
        let mut answer = answer;
        crate::spend::merge(&mut answer, spender.export(path, transaction)?);
        out.answer(&answer, || {
            vec!["nothing was opened yet: let the owners sign, and submit it".to_owned()]
        });
        return Ok(());
    }
    let opened = session.client.submit_and_wait(&spender.sign(transaction)).await;
    opened.map_err(|error| {
        if error.reject().is_some() {
            // Refused: there is no order to come back for.
            let _ = std::fs::remove_file(&file);
        }
        failed(error)
    })?;
    out.answer(&answer, || {
        vec![format!(
            "order {order} holds {dollars} US dollars; serve with `cairn router run`"
        )]
    });
    Ok(())
}

/// The network that is named, or the only one that carries packets.
async fn network(session: &Session, wanted: Option<&str>) -> Result<(NetworkId, Network), Failure> {
    if wanted.is_none() {
        let all = session.networks().await?;
        let mut carrying = all.iter().filter(|(_, network)| network.vertical == "wireless");
        if let (Some((only, _)), None) = (carrying.next(), carrying.next()) {
            return session.network(Some(&only.to_string())).await;
        }
    }
    session.network(wanted).await
}

/// The account that settles for a gateway.
async fn provider(gateway: &str) -> Result<AccountId, Failure> {
    let health: serde_json::Value = async {
        let answer = reqwest::get(format!("{gateway}/v1/health")).await?;
        answer.json().await
    }
    .await
    .map_err(|error: reqwest::Error| {
        let failure = Failure::new(Kind::Unreachable, format!("the gateway does not answer: {error}"));
        failure.hint("say where it is with --gateway URL")
    })?;
    let account = health["account"].as_str().unwrap_or_default().parse();
    account.or_fail(Kind::Unreachable, format!("{gateway} is no gateway"))
}

/// Devices of the claim's network, proven.
struct Ledger {
    client: NodeClient,
    network: NetworkNumber,
    known: Mutex<BTreeMap<DeviceId, DeviceNumber>>,
}

impl Members for Ledger {
    fn member(&self, device: DeviceId) -> BoxFuture<'_, Result<Option<DeviceNumber>, String>> {
        Box::pin(async move {
            let known = self.known.lock().map_or(None, |known| known.get(&device).copied());
            if known.is_some() {
                return Ok(known);
            }
            let record = self
                .client
                .device(&device)
                .await
                .map_err(|error| error.to_string())?
                .value;
            let member = record.filter(|record| record.retired.is_none() && record.networks.contains(&self.network));
            let number = member.map(|record| record.number);
            if let (Some(number), Ok(mut known)) = (number, self.known.lock()) {
                if known.len() >= MEMBERS_MAX {
                    known.pop_first();
                }
                known.insert(device, number);
            }
            Ok(number)
        })
    }
}

async fn serve(args: Run, home: &Path, out: Output) -> Done {
    args.logs.start();
    let stopped = until_stopped();
    let session = Session::open(home).await?;
    let kept = must_be_kept(&session.home)?;
    let network = kept.claim.network;
    let order = session.client.order(&kept.claim.order).await.map_err(failed)?.value;
    let open = order.filter(|order| order.state == OrderState::Open);
    let order = open.ok_or_else(|| {
        let failure = Failure::new(
            Kind::Refused,
            "the order is not open: it was settled, closed or expired, or never opened",
        );
        failure.hint("end it with `cairn router close`, then open another one")
    })?;
    let (_, record) = session.network(Some(&network.to_string())).await?;
    let version = session
        .client
        .terms(&network)
        .await
        .map_err(failed)?
        .value
        .map_or(0, |terms| terms.current.version);
    let parameters = session.client.parameters(&network, version).await.map_err(failed)?;
    let params = Params::decode(&parameters).or_fail(Kind::Unreachable, "the network's parameters")?;
    let secret = kept.secret();
    let desk_terms = Terms {
        chain: session.genesis.chain.clone(),
        claim: kept.claim.clone(),
        secret: secret.clone(),
        held: order.held.total().unwrap_or_default(),
        params,
        collect_ms: args.collect_ms,
    };
    let desk = Desk::new(desk_terms, kept.promise.as_ref());
    let broker = args.broker.open(kept.claim.order)?;
    let (down, from_servers) = mpsc::channel(FROM_SERVERS_MAX);
    let mut servers = Vec::new();
    let mut tasks = tokio::task::JoinSet::new();
    let mut place = || {
        let (words, heard) = mpsc::channel(TO_SERVER_MAX);
        servers.push(words);
        (servers.len() - 1, heard)
    };
    if let Some(address) = args.gwmp {
        let (server, heard) = place();
        tasks.spawn(gwmp::serve(server, address, heard, down.clone()));
    }
    if let Some(broker) = broker {
        let (server, heard) = place();
        tasks.spawn(mqtt::serve(server, broker, heard, down.clone()));
    }
    if let Some(url) = args.http {
        let (_, heard) = place();
        tasks.spawn(http::serve(url, heard));
    }
    if servers.is_empty() {
        let failure = Failure::new(Kind::Usage, "packets have nowhere to go");
        return Err(failure.hint("name a network server: --gwmp HOST:PORT, --mqtt URL or --http URL"));
    }
    let members = Ledger {
        client: session.client.clone(),
        network: record.number,
        known: Mutex::default(),
    };
    let gateway = kept.gateway.clone();
    let mut claim = kept.claim.clone();
    let parts = Parts {
        listen: args.listen,
        members: Arc::new(members),
        clock: Arc::new(SystemClock),
        file: session.home.join(FILE),
        kept,
        servers,
        from_servers,
    };
    let router = Router::start(desk, parts).await.or_fail(Kind::Files, args.listen)?;
    let answer = json!({ "router": router.address.to_string(), "order": claim.order.to_string(), "gateway": gateway });
    out.answer(&answer, || {
        vec![
            format!("router   {}", router.address),
            format!(
                "order    {}, holds {} credits",
                claim.order,
                order.held.total().unwrap_or_default()
            ),
        ]
    });
    let chain = session.genesis.chain.clone();
    let saying = tokio::spawn(async move {
        let http = reqwest::Client::new();
        loop {
            claim.said = SystemClock.now();
            let signed = claim.clone().sign(&chain, &secret);
            if let Err(why) = post(&http, &gateway, "/v1/claims", codec::encode(&signed)).await {
                tracing::warn!(why, "the claim is not with the gateway: new hotspots do not hear of it");
            }
            tokio::time::sleep(CLAIM_EVERY).await;
        }
    });
    stopped.await;
    saying.abort();
    let standing = router.standing.borrow().clone();
    let promise = router.stop().await;
    // Servers' tasks end with the router; each takes a second at most to say so.
    let _ = tokio::time::timeout(FAREWELL, async { while tasks.join_next().await.is_some() {} }).await;
    let promised = promise.map_or(Credit::ZERO, |promise| promise.settle.voucher.credits);
    out.say(format!(
        "{} packets of {} offers bought; {promised} credits promised",
        standing.packets, standing.offers
    ));
    Ok(())
}

async fn close(home: &Path, out: Output) -> Done {
    let session = Session::open(home).await?;
    let kept = must_be_kept(&session.home)?;
    let id = kept.claim.order;
    let state = |client: NodeClient| async move { client.order(&id).await.map_err(failed) };
    let mut order = state(session.client.clone()).await?;
    let file = session.home.join(FILE);
    let chain = &session.genesis.chain;
    let is_open = order
        .value
        .as_ref()
        .is_some_and(|order| order.state == OrderState::Open && order.settled == Credit::ZERO);
    if let (true, Some(promise)) = (is_open, kept.promise.clone()) {
        let credits = promise.settle.voucher.credits;
        let last = Some(kept.secret().sign(&Shown::last_message(chain, &id, credits)));
        let shown = codec::encode(&Shown { promise, last });
        let http = reqwest::Client::new();
        let posted = post(&http, &kept.gateway, "/v1/promises", shown).await;
        posted.map_err(|why| Failure::new(Kind::Unreachable, why).hint("nothing is lost: try again later"))?;
        out.say("the gateway settles it");
        let mut looks = 0;
        while order
            .value
            .as_ref()
            .is_some_and(|order| order.state == OrderState::Open)
        {
            looks += 1;
            if looks > LOOKS_MAX {
                let failure = Failure::new(Kind::Unreachable, "the gateway has it, and has not settled it yet");
                return Err(failure.hint("look again later with `cairn router close`"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
            order = state(session.client.clone()).await?;
        }
    } else if is_open {
        let expires = order.value.as_ref().map(|order| order.expires).unwrap_or_default();
        if order.time < expires {
            let failure = Failure::new(
                Kind::Refused,
                format!("nothing was bought; what it holds returns at {expires}"),
            );
            return Err(failure.hint("close it then, or use it: `cairn router run`"));
        }
    }
    std::fs::remove_file(&file).or_fail(Kind::Files, file.display())?;
    let paid = order.value.map_or(Credit::ZERO, |order| order.settled);
    let answer = json!({ "order": id.to_string(), "paid_credits": paid.0, "held_credits": kept.held.0 });
    out.answer(&answer, || {
        vec![format!(
            "{paid} of {} credits were used; the rest is yours again",
            kept.held
        )]
    });
    Ok(())
}
