//! `cairn agent`: the process beside the devices, and a configuration for it.

use crate::error::{Done, Failure, Kind, OrFail};
use crate::home::{AnchorText, Home, keys_failed};
use crate::output::Output;
use crate::roles::bonded::{Ledger, stays};
use crate::roles::challenge::LedgerChallenger;
use crate::roles::logs::Logs;
use crate::roles::market::LedgerMarket;
use crate::session::{Session, failed};
use cairn_agent::agent::Agent;
use cairn_agent::beacon::beaconer::{self, Beaconer, Board};
use cairn_agent::carry::carrier::{Carrier, EVERY, Lines};
use cairn_agent::clock::{Clock, SystemClock};
use cairn_agent::config::{CONFIG_BYTES_MAX, Config};
use cairn_agent::gwmp::plan;
use cairn_agent::gwmp::wire::Eui;
use cairn_agent::keys::Keys;
use cairn_agent::registry::Asking;
use cairn_agent::routes::{VERIFIERS_DEFAULT, is_address};
use cairn_agent::shell::{Extras, Shell};
use cairn_agent::uplink::HttpUplink;
use cairn_ledger::records::{NetworkIndex, VerifierIndex};
use cairn_types::{AccountId, Credit, NetworkId, NetworkNumber, PublicKey};
use serde_json::json;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Times a verifier is asked that does not answer.
const TRIES_MAX: u32 = 5;
/// Between two of them.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// Run the process beside the devices: takes readings, signs reports, keeps them until there is a receipt.
#[derive(clap::Subcommand)]
pub enum Command {
    Init(Init),
    Run(Run),
}

/// Write a configuration for the registered devices whose keys are here.
///
/// It says where readings come in, which network they are for and which verifiers take the reports; it is a TOML file that can be
/// changed by hand. Write it anew with --force when a device joined or left, or when the network has other parameters. While it runs the
/// agent asks the node who has a bond: it sends to nobody else, and takes up verifiers that join unless the file says `discover = false`.
///
/// A hotspot is a device whose radio has a packet forwarder: name both with --forwarder, and point the forwarder's own configuration
/// (`server_address`, `serv_port_up`, `serv_port_down`) at the agent. Servers of other networks that it spoke to before are named with
/// --upstream: they get every packet and ask for downlinks as if nothing were between.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn agent init",
    "cairn agent init --network garden --http 7090 --out garden.toml",
    "cairn agent init --forwarder hotspot=00800000a0000a5c --region EU868 --upstream eu1.cloud.thethings.network:1700",
])]
pub struct Init {
    /// Only devices of this network: name, number or id; the only one there is, unless told otherwise.
    #[arg(long)]
    network: Option<String>,
    /// The file to write; agent.toml in the home folder, unless told otherwise.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where readings come in over HTTP, on this computer only. 0: any.
    #[arg(long, value_name = "PORT", default_value_t = 7080)]
    http: u16,
    /// Where readings come in over MQTT, on this computer only. 0: any.
    #[arg(long, value_name = "PORT", default_value_t = 1883)]
    mqtt: u16,
    /// A device and the number of its radio (gateway_ID), as often as there are radios.
    #[arg(long = "forwarder", value_name = "DEVICE=EUI", value_parser = pair)]
    forwarders: Vec<(String, Eui)>,
    /// The radios' region, like EU868, US915 or AS923-1.
    #[arg(long, default_value = "EU868", value_parser = region)]
    region: String,
    /// Where forwarders send their datagrams to, on this computer only. 0: any.
    #[arg(long, value_name = "PORT", default_value_t = 1680)]
    gwmp: u16,
    /// Another network's server that the radios serve as well.
    #[arg(long = "upstream", value_name = "HOST:PORT")]
    upstreams: Vec<String>,
    /// Replace a file that is there.
    #[arg(long)]
    force: bool,
}

/// A device and its radio, as `--forwarder` has them.
fn pair(text: &str) -> Result<(String, Eui), String> {
    let (device, eui) = text.split_once('=').ok_or("say it like hotspot=00800000a0000a5c")?;
    Ok((device.to_owned(), eui.parse()?))
}

fn region(text: &str) -> Result<String, String> {
    let known = cairn_verticals::wireless::region::REGIONS
        .iter()
        .map(|region| region.name);
    match plan::of(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err(format!("use one of {}", known.collect::<Vec<_>>().join(", "))),
    }
}

/// Take readings over HTTP and MQTT, sign them, and deliver them, until Ctrl-C or SIGTERM.
///
/// A device or a script says a reading as a line: an optional time and name=value pairs, like `2026-07-15T00:05:00Z rain=0.2`; SenML in
/// JSON and the query strings of weather stations are understood too. It is answered once it is on disk. The readings of an epoch become
/// one signed report when the epoch ends, which is kept until a verifier's receipt for it holds: with no network it waits. It may be
/// killed at any moment and loses nothing it has answered for. GET /v1/status says how many reports wait and what was refused.
///
/// It asks the node of its configuration, every ten minutes and when a verifier fails, which verifiers have a bond, and believes what is
/// proven with the chain's key. While no node answers the last list stays in force.
///
/// Packet forwarders send their datagrams (Semtech's protocol, versions 1 and 2) to the UDP port of the configuration. A push is
/// acknowledged once it is on disk; every other server of the configuration gets it too. Downlinks of these servers go on the air if the
/// region allows them (channel, rate, power, time on the air), the radio is free and the time is right; else the server is told why, in
/// the protocol's words. GET /v1/forwarders says how each radio does.
///
/// Once an epoch each radio sends a beacon, which proves its coverage where others hear it: when, on which channel and at which rate
/// follows from a seed of the ledger that nobody knew before. It is held to the region's rules like any downlink, takes a tenth to four
/// tenths of a second on the air, and is never sent twice, also not by an agent that was killed. `beacons = false` under a
/// `[[forwarder]]` of the configuration sends none.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn agent run",
    "curl -d 'rain=0.2' http://127.0.0.1:7080/v1/devices/gauge/readings",
    "mosquitto_pub -q 1 -t cairn/gauge/readings -m 'rain=0.2'",
    "curl http://127.0.0.1:7080/v1/forwarders",
])]
pub struct Run {
    /// The configuration; agent.toml in the home folder, unless told otherwise.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Make keys for devices that have none. The ledger knows none of them before they are registered.
    #[arg(long)]
    new_keys: bool,
    #[command(flatten)]
    logs: Logs,
}

pub fn run(command: Command, home: &Path, out: Output) -> Done {
    crate::roles::runtime()?.block_on(async {
        match command {
            Command::Init(args) => init(home, args, out).await,
            Command::Run(args) => serve(home, args, out).await,
        }
    })
}

/// Who takes reports, as the ledger knows it.
struct Taker {
    url: String,
    account: AccountId,
    key: PublicKey,
}

async fn init(home: &Path, args: Init, out: Output) -> Done {
    let session = Session::open(home).await?;
    let (network, record) = session.network(args.network.as_deref()).await?;
    let path = args.out.unwrap_or_else(|| session.home.join("agent.toml"));
    if path.exists() && !args.force {
        let failure = Failure::new(Kind::Files, format!("{} is there already", path.display()));
        return Err(failure.hint("replace it with --force"));
    }
    let names = members(&session, &network, record.number).await?;
    if names.is_empty() {
        let failure = Failure::new(Kind::NotFound, "no device whose key is here is in the network");
        return Err(failure.hint("register one with `cairn device register`"));
    }
    let takers = takers(&session).await?;
    let terms = session.client.terms(&network).await.map_err(failed)?.value;
    let version = terms.map_or(0, |terms| terms.current.version);
    let parameters = session.client.parameters(&network, version).await.map_err(failed)?;
    let data = session.home.absolute()?.join("agent");
    let grace_ms = (session.genesis.epoch_ms / 60).min(60_000);
    let mut text = String::from("# Written by `cairn agent init`; see `cairn agent run`.\n");
    let mut line = |text_line: String| writeln!(text, "{text_line}").expect("writing into memory cannot fail");
    line(format!("data = {}", quoted(&data.display().to_string())?));
    line(format!(
        "\n[ports]\nhttp = \"127.0.0.1:{}\"\nmqtt = \"127.0.0.1:{}\"\ngwmp = \"127.0.0.1:{}\"",
        args.http, args.mqtt, args.gwmp
    ));
    if let Some(anchor) = &session.settings.anchor {
        line(format!("\n[ledger]\nnode = {}", quoted(session.settings.node())?));
        line(format!("chain = {}\nera = {}", quoted(&anchor.chain)?, anchor.era));
        line(format!(
            "group_key = {}\ngenesis = {}",
            quoted(&anchor.group_key)?,
            quoted(&anchor.genesis)?
        ));
        line(format!("discover = true\nverifiers_max = {VERIFIERS_DEFAULT}"));
    }
    for taker in &takers {
        line(format!("\n[[verifier]]\nurl = {}", quoted(&taker.url)?));
        line(format!("account = \"{}\"\nkey = \"{}\"", taker.account, taker.key));
    }
    line(format!(
        "\n[[network]]\nname = {}\nid = \"{network}\"",
        quoted(&record.name)?
    ));
    line(format!(
        "vertical = {}\nparams = \"{}\"",
        quoted(&record.vertical)?,
        hex::encode(parameters)
    ));
    line(format!(
        "genesis = \"{}\"\nepoch_ms = {}",
        session.genesis.start, session.genesis.epoch_ms
    ));
    line(format!(
        "grace_ms = {grace_ms}\ndevices = {}",
        serde_json::to_string(&names).or_fail(Kind::Internal, "names")?
    ));
    if !args.forwarders.is_empty() {
        let gateways = serde_json::to_string(&[session.settings.gateway()?]).or_fail(Kind::Internal, "names")?;
        text.push_str("\n# Packets are carried for the customers of these gateways, as long as they sign for them.\n");
        text.push_str(&format!("[carry]\ngateways = {gateways}\n"));
    }
    for (device, eui) in &args.forwarders {
        text.push_str(&forwarder(device, *eui, &args.region, &args.upstreams)?);
    }
    Config::read(&text).or_fail(Kind::Usage, "the configuration")?;
    std::fs::write(&path, text).or_fail(Kind::Files, path.display())?;
    let answer = json!({ "config": path.display().to_string(), "network": network.to_string(), "devices": names });
    out.answer(&answer, || {
        vec![format!(
            "wrote {} for {} devices; run it with `cairn agent run`",
            path.display(),
            names.len()
        )]
    });
    Ok(())
}

/// A radio, as the configuration has it.
fn forwarder(device: &str, eui: Eui, region: &str, upstreams: &[String]) -> Result<String, Failure> {
    let (device, upstreams) = (quoted(device)?, serde_json::to_string(upstreams));
    let upstreams = upstreams.or_fail(Kind::Internal, "names")?;
    Ok(format!(
        "\n# Where the antenna stands, if it is known better than its cell: cell, height (metres above the sea), gain (dBi).\n\
         [[forwarder]]\neui = \"{eui}\"\ndevice = {device}\nregion = \"{region}\"\nupstreams = {upstreams}\n"
    ))
}

/// A text as TOML writes it; JSON's form of a text is one of TOML's.
fn quoted(text: &str) -> Result<String, Failure> {
    serde_json::to_string(text).or_fail(Kind::Internal, "a text")
}

/// The devices whose keys are here and that the ledger has in the network.
async fn members(session: &Session, network: &NetworkId, number: NetworkNumber) -> Result<Vec<String>, Failure> {
    let index = session
        .client
        .record::<NetworkIndex>(&number)
        .await
        .map_err(failed)?
        .value;
    if index.is_none_or(|index| index.id != *network) {
        return Err(Failure::new(
            Kind::Unreachable,
            "the node's records contradict each other",
        ));
    }
    let keys = session.home.device_keys()?;
    let mut names = Vec::new();
    for name in keys.names() {
        let id = keys.get(name).map(|key| key.public().device_id());
        let Some(id) = id else { continue };
        let device = session.client.device(&id).await.map_err(failed)?.value;
        if device.is_some_and(|device| device.networks.contains(&number)) {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

/// The verifier of the settings first, then all others of the ledger that say where they are: the agent goes on to the next when one
/// does not answer.
async fn takers(session: &Session) -> Result<Vec<Taker>, Failure> {
    let mut takers = vec![taker(session).await?];
    let places: Vec<u16> = (0..session.chain().await?.verifiers).collect();
    let listed = session.told.records::<VerifierIndex>(&places).await.map_err(failed)?;
    for place in listed.into_iter().flatten() {
        let account = place.id;
        let profile = session.client.profile(&account).await.map_err(failed)?.value;
        let url = profile.map(|profile| profile.url).unwrap_or_default();
        let verifier = session.client.verifier(&account).await.map_err(failed)?.value;
        let bonded = verifier.filter(stays);
        // The agent speaks no TLS itself.
        if let Some(verifier) = bonded.filter(|_| account != takers[0].account && is_address(&url)) {
            let key = verifier.key;
            takers.push(Taker { url, account, key });
        }
    }
    Ok(takers)
}

/// The verifier of the settings: what account it says it has, and the key that the ledger has for that.
async fn taker(session: &Session) -> Result<Taker, Failure> {
    let url = session.settings.verifier()?;
    let status = status(&url).await?;
    let account = status["verifier"].as_str().unwrap_or_default().parse::<AccountId>();
    let account = account.or_fail(Kind::Unreachable, format!("{url} is no verifier"))?;
    let verifier = session.client.verifier(&account).await.map_err(failed)?.value;
    let verifier = verifier.ok_or_else(|| Failure::new(Kind::Refused, format!("{url} has no bond on the ledger")))?;
    Ok(Taker {
        url,
        account,
        key: verifier.key,
    })
}

/// What a verifier says of itself; asked again for a while, since one that takes in a new network is away for a moment.
async fn status(url: &str) -> Result<serde_json::Value, Failure> {
    let mut tries = 1;
    loop {
        match reqwest::get(format!("{url}/v1/status")).await {
            Ok(answer) => return answer.json().await.or_fail(Kind::Unreachable, url),
            Err(_) if tries < TRIES_MAX => {
                tries += 1;
                tokio::time::sleep(RETRY_WAIT).await;
            }
            Err(error) => {
                let failure = Failure::new(Kind::Unreachable, format!("the verifier cannot be reached: {error}"));
                return Err(failure.hint("say where it is: `cairn config set --verifier URL`"));
            }
        }
    }
}

async fn serve(home: &Path, args: Run, out: Output) -> Done {
    args.logs.start();
    let stopped = crate::roles::until_stopped();
    let path = args.config.unwrap_or_else(|| Home::at(home).join("agent.toml"));
    let config = read(&path)?;
    check_keys(&config, args.new_keys)?;
    let ports = config.ports().or_fail(Kind::Usage, path.display())?;
    let agent = Shell::open(&config).or_fail(Kind::Files, "the agent does not start")?;
    let uplink = HttpUplink::new().or_fail(Kind::Internal, "the agent's uplink")?;
    let asking = asking(&config, &Home::at(home), &agent)?;
    let (uplink, clock) = (Arc::new(uplink), Arc::new(SystemClock));
    let carrier = carrier(&config, &Home::at(home))?;
    let beaconer = beaconer(&config, &Home::at(home))?;
    let extras = Extras {
        asking,
        carrier,
        beaconer,
    };
    let shell = Shell::start_with(agent, ports, uplink, clock, extras).await;
    let mut shell = shell.or_fail(Kind::Files, "the agent does not start")?;
    let answer = json!({
        "http": shell.http.map(|address| format!("http://{address}")),
        "mqtt": shell.mqtt.map(|address| address.to_string()),
        "gwmp": shell.gwmp.map(|address| address.to_string()),
        "devices": config.devices().map(|(name, _)| name).collect::<Vec<_>>(),
    });
    out.answer(&answer, || {
        let text = |field: &str| answer[field].as_str().unwrap_or("closed").to_owned();
        let mut lines = vec![
            format!("HTTP  {}/v1/devices/NAME/readings", text("http")),
            format!("MQTT  {}, topic cairn/NAME/readings", text("mqtt")),
        ];
        if shell.gwmp.is_some() {
            lines.push(format!("GWMP  {} (UDP), for packet forwarders", text("gwmp")));
        }
        lines
    });
    let failure = tokio::select! {
        () = stopped => None,
        error = shell.failed() => Some(Failure::new(Kind::Files, error)),
    };
    match failure {
        Some(failure) => Err(failure),
        None => shell.stop().await.map(drop).or_fail(Kind::Files, "the agent's end"),
    }
}

/// Refuses to go on with devices whose keys are not where the configuration says: a new key is another device, which nobody registered
/// and nobody pays.
fn check_keys(config: &Config, new_keys: bool) -> Done {
    let path = config.keys_path();
    let mut keys = Keys::open(&path).map_err(keys_failed)?;
    if new_keys {
        return keys.make_missing(config.devices()).map(drop).map_err(keys_failed);
    }
    let missing: Vec<&str> = config
        .devices()
        .map(|(name, _)| name)
        .filter(|name| keys.get(name).is_none())
        .collect();
    let Some(first) = missing.first() else { return Ok(()) };
    let more = match missing.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let failure = Failure::new(
        Kind::Files,
        format!(
            "the configuration names device {first}{more}, without a key in {}",
            path.display()
        ),
    );
    Err(failure.hint(
        "if the folder moved, say in the configuration where it is (`data = …`), or restore the backup there; for devices that never had a key: --new-keys, and then `cairn device register`",
    ))
}

/// Who carries packets, if the configuration says so. Who pays is the ledger's word, so there must be one.
fn carrier(config: &Config, home: &Home) -> Result<Option<Carrier>, Failure> {
    let Some(carry) = &config.carry else { return Ok(None) };
    let keys = Keys::open(&config.keys_path()).map_err(keys_failed)?;
    let radios = config.radios(&keys).or_fail(Kind::Usage, "the configuration")?;
    if radios.is_empty() || carry.gateways.is_empty() {
        return Ok(None);
    }
    let Some((node, text)) = ledger(config, home)? else {
        let failure = Failure::new(
            Kind::Usage,
            "packets cannot be carried without a ledger that says who pays",
        );
        return Err(failure.hint("name it in the configuration: [ledger], as `cairn agent init` writes it"));
    };
    let market = LedgerMarket::new(&node, text.anchor()?, carry.gateways.clone());
    Ok(Some(Carrier {
        market: Arc::new(market.or_fail(Kind::Internal, "the market")?),
        clock: Arc::new(SystemClock),
        radios,
        exposure_max: Credit(carry.exposure_max),
        every: EVERY,
        lines: Lines::default(),
    }))
}

/// A node, and the chain's key that its answers are held against: of the configuration, or of the settings.
fn ledger(config: &Config, home: &Home) -> Result<Option<(String, AnchorText)>, Failure> {
    let settings = home.settings()?;
    Ok(match (&config.ledger, &settings.anchor) {
        (Some(ledger), _) => {
            let text = AnchorText {
                chain: ledger.chain.clone(),
                group_key: ledger.group_key.clone(),
                genesis: ledger.genesis.clone(),
                era: ledger.era,
            };
            Some((ledger.node.clone(), text))
        }
        (None, Some(anchor)) => Some((settings.node().to_owned(), anchor.clone())),
        (None, None) => None,
    })
}

/// Who sends the beacons that radios are asked for. The seed is the ledger's word, so there must be one.
fn beaconer(config: &Config, home: &Home) -> Result<Option<Beaconer>, Failure> {
    let keys = Keys::open(&config.keys_path()).map_err(keys_failed)?;
    let (networks, hotspots) = config.hotspots(&keys).or_fail(Kind::Usage, "the configuration")?;
    if hotspots.is_empty() {
        return Ok(None);
    }
    let Some((node, text)) = ledger(config, home)? else {
        tracing::warn!("the configuration names no ledger: radios send no beacons, and prove coverage by hearing only");
        return Ok(None);
    };
    Ok(Some(Beaconer {
        challenger: Arc::new(LedgerChallenger::new(&node, text.anchor()?)),
        clock: Arc::new(SystemClock),
        networks,
        hotspots,
        file: config.beacons_path(),
        every: beaconer::EVERY,
        board: Board::default(),
    }))
}

/// How the ledger is asked who has a bond: by the configuration, or by the settings when it is one of old and there is a trust anchor.
fn asking(config: &Config, home: &Home, agent: &Agent) -> Result<Option<Asking>, Failure> {
    let Some((node, text)) = ledger(config, home)? else {
        tracing::warn!(
            "the configuration names no ledger: every verifier it names is sent to, also one without a bond"
        );
        return Ok(None);
    };
    let (discover, verifiers_max) = match &config.ledger {
        Some(ledger) => (ledger.discover, ledger.verifiers_max),
        None => (true, VERIFIERS_DEFAULT),
    };
    let anchor = text.anchor()?;
    // One order for all that this agent sends, whatever the order in which its devices are named.
    let device = agent.devices().map(|(_, _, id)| id).min().unwrap_or_default();
    let policy = config
        .policy(device, discover, verifiers_max)
        .or_fail(Kind::Usage, "the configuration")?;
    let file = config.bonded_path(&anchor.genesis);
    let ledger = Ledger::new(&node, anchor, policy.clone(), || SystemClock.now());
    Ok(Some(Asking {
        registry: Arc::new(ledger),
        policy,
        file,
        every: Asking::EVERY,
        pause: Asking::PAUSE,
    }))
}

fn read(path: &Path) -> Result<Config, Failure> {
    let hint = "write one with `cairn agent init`, or name another with --config";
    let length = std::fs::metadata(path)
        .or_fail(Kind::Files, path.display())
        .map_err(|failure| failure.hint(hint))?;
    if length.len() > CONFIG_BYTES_MAX as u64 {
        return Err(Failure::new(Kind::Files, format!("{} is too long", path.display())));
    }
    let text = std::fs::read_to_string(path).or_fail(Kind::Files, path.display())?;
    Config::read(&text).or_fail(Kind::Usage, path.display())
}
