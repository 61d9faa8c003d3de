//! `cairn agent`: the process beside the devices, and a configuration for it.

use crate::error::{Done, Failure, Kind, OrFail};
use crate::home::{Home, keys_failed};
use crate::output::Output;
use crate::session::{Session, failed};
use cairn_agent::clock::SystemClock;
use cairn_agent::config::{CONFIG_BYTES_MAX, Config};
use cairn_agent::keys::Keys;
use cairn_agent::shell::Shell;
use cairn_agent::uplink::HttpUplink;
use cairn_ledger::records::{NetworkIndex, VerifierIndex};
use cairn_types::{AccountId, NetworkId, NetworkNumber, PublicKey, Token};
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
/// It says where readings come in, which network they are for and which verifier takes the reports; it is a TOML file that can be
/// changed by hand. Write it anew with --force when a device joined or left, or when the network has other parameters.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn agent init", "cairn agent init --network garden --http 7090 --out garden.toml"])]
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
    /// Replace a file that is there.
    #[arg(long)]
    force: bool,
}

/// Take readings over HTTP and MQTT, sign them, and deliver them, until Ctrl-C or SIGTERM.
///
/// A device or a script says a reading as a line: an optional time and name=value pairs, like `2026-07-15T00:05:00Z rain=0.2`; SenML in
/// JSON and the query strings of weather stations are understood too. It is answered once it is on disk. The readings of an epoch become
/// one signed report when the epoch ends, which is kept until a verifier's receipt for it holds: with no network it waits. It may be
/// killed at any moment and loses nothing it has answered for. GET /v1/status says how many reports wait and what was refused.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn agent run",
    "curl -d 'rain=0.2' http://127.0.0.1:7080/v1/devices/gauge/readings",
    "mosquitto_pub -q 1 -t cairn/gauge/readings -m 'rain=0.2'",
])]
pub struct Run {
    /// The configuration; agent.toml in the home folder, unless told otherwise.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
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
        "\n[ports]\nhttp = \"127.0.0.1:{}\"\nmqtt = \"127.0.0.1:{}\"",
        args.http, args.mqtt
    ));
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
    Config::read(&text).or_fail(Kind::Internal, "the configuration")?;
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

/// The verifier of the settings: what account it says it has, and the key that the ledger has for that.
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
        let bonded = verifier.filter(|verifier| verifier.bond > Token::ZERO);
        // The agent speaks no TLS itself.
        if let Some(verifier) = bonded.filter(|_| account != takers[0].account && url.starts_with("http://")) {
            let key = verifier.key;
            takers.push(Taker { url, account, key });
        }
    }
    Ok(takers)
}

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
    let stopped = crate::roles::until_stopped();
    let path = args.config.unwrap_or_else(|| Home::at(home).join("agent.toml"));
    let config = read(&path)?;
    let mut keys = Keys::open(&config.keys_path()).map_err(keys_failed)?;
    keys.make_missing(config.devices()).map_err(keys_failed)?;
    let agent = Shell::open(&config).or_fail(Kind::Files, "the agent does not start")?;
    let uplink = HttpUplink::new().or_fail(Kind::Internal, "the agent's uplink")?;
    let shell = Shell::start(agent, config.ports(), Arc::new(uplink), Arc::new(SystemClock)).await;
    let mut shell = shell.or_fail(Kind::Files, "the agent does not start")?;
    let answer = json!({
        "http": shell.http.map(|address| format!("http://{address}")),
        "mqtt": shell.mqtt.map(|address| address.to_string()),
        "devices": config.devices().map(|(name, _)| name).collect::<Vec<_>>(),
    });
    out.answer(&answer, || {
        let text = |field: &str| answer[field].as_str().unwrap_or("closed").to_owned();
        vec![
            format!("HTTP  {}/v1/devices/NAME/readings", text("http")),
            format!("MQTT  {}, topic cairn/NAME/readings", text("mqtt")),
        ]
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
