//! `cairn network`: starting a network, setting its terms, its treasury, closing it, and looking at those there are.

mod close;
mod terms;
mod treasury;

use crate::error::{Done, Failure, Kind, OrFail};
use crate::output::{Output, decimal, table};
use crate::params;
use crate::session::{Session, failed};
use crate::spend::{Spender, Spending};
use crate::units::{Decimal, usd};
use cairn_ledger::records::{Network, Terms};
use cairn_ledger::tx::Body;
use cairn_ledger::tx::create_network::CreateNetwork;
use cairn_types::{MicroUsd, NetworkId, Token};
use cairn_verticals::Vertical;
use serde_json::{Value, json};
use std::path::Path;

/// Start networks, run their terms and treasuries, and look at them.
#[derive(clap::Subcommand)]
pub enum Command {
    Create(Create),
    Set(terms::Set),
    Fund(treasury::Fund),
    Withdraw(treasury::Withdraw),
    Close(close::Close),
    Show(Show),
    List(List),
}

/// Start a network: what it measures, by which rules, at what price.
///
/// Whoever starts it is its founder, who sets its terms and may close it, and its treasurer. The bond must reach the chain's least
/// bond. Costs the ledger's base fee, its fee for networks and a fee for each 240 bytes of parameters; bond and allowance come from the
/// account as well, and return when the network is closed.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn network create --name garden --resolution 7 --key founder"])]
pub struct Create {
    /// Its name, of a-z, 0-9 and -, unique among your networks.
    #[arg(long)]
    name: String,
    /// What it measures and how reports are judged: a kind of network that this program knows.
    #[arg(long, default_value = "sensors")]
    vertical: String,
    /// H3 resolution of its devices' public places, 0 to 10; 8 is a cell of about 0.7 km².
    #[arg(long, default_value_t = 8)]
    resolution: u8,
    /// Parameters of the vertical: a JSON file as `network show` prints them, or `default`.
    #[arg(long, value_name = "FILE.json|default", default_value = "default")]
    params: String,
    /// US dollars that a customer pays for a million service units, like readings sold.
    #[arg(long, value_name = "USD", value_parser = usd, default_value = "100")]
    price: MicroUsd,
    /// Whole tokens put up as a bond, returned when the network is closed.
    #[arg(long, value_name = "TOKENS", default_value = "1000")]
    bond: Decimal,
    /// Whole tokens set aside for the fees of those who join.
    #[arg(long, value_name = "TOKENS", default_value = "100")]
    allowance: Decimal,
    #[command(flatten)]
    spending: Spending,
}

/// Show a network's terms, treasury and parameters, proven against the chain's key. Costs nothing.
///
/// `next_terms` in the JSON answer are those that follow at the next epoch, if they were changed.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn network show", "cairn network show garden --json"])]
pub struct Show {
    /// Name, number or id; the only one there is, unless told otherwise.
    network: Option<String>,
}

/// List the networks of the ledger, as the node tells them. Costs nothing.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn network list"])]
pub struct List {}

pub fn run(command: Command, home: &Path, out: Output) -> Done {
    crate::roles::runtime()?.block_on(async {
        let session = Session::open(home).await?;
        match command {
            Command::Create(args) => create(&session, &args, out).await,
            Command::Set(args) => terms::set(&session, &args, out).await,
            Command::Fund(args) => treasury::fund(&session, &args, out).await,
            Command::Withdraw(args) => treasury::withdraw(&session, &args, out).await,
            Command::Close(args) => close::close(&session, &args, out).await,
            Command::Show(args) => show(&session, &args, out).await,
            Command::List(List {}) => list(&session, out).await,
        }
    })
}

pub fn vertical(name: &str) -> Result<&'static dyn Vertical, Failure> {
    cairn_verticals::by_name(name).ok_or_else(|| {
        let names: Vec<&str> = cairn_verticals::ALL.iter().map(|vertical| vertical.name()).collect();
        Failure::new(
            Kind::NotFound,
            format!("this program does not know the vertical {name}"),
        )
        .hint(format!("it knows {}", names.join(", ")))
    })
}

/// The bytes of a parameter file, checked by the vertical.
fn parameters(vertical: &dyn Vertical, from: &str) -> Result<Vec<u8>, Failure> {
    if from == "default" {
        return Ok(vertical.default_params());
    }
    let text = std::fs::read_to_string(from).or_fail(Kind::Files, from)?;
    let json: Value = serde_json::from_str(&text).or_fail(Kind::Usage, from)?;
    params::encode(vertical, &json)
}

async fn create(session: &Session, args: &Create, out: Output) -> Done {
    let vertical = vertical(&args.vertical)?;
    let spender = Spender::new(session, &args.spending).await?;
    let (bond, allowance) = (
        args.bond.units(session.decimals())?,
        args.allowance.units(session.decimals())?,
    );
    let id = NetworkId::of(&session.genesis.chain, &spender.account(), &args.name);
    let body = CreateNetwork {
        name: args.name.clone(),
        vertical: vertical.name().to_owned(),
        resolution: args.resolution,
        parameters: parameters(vertical, &args.params)?,
        price_micro_usd: args.price.0,
        bond: Token(bond),
        allowance: Token(allowance),
        treasurer: spender.account(),
    };
    let facts = json!({
        "network": id.to_string(), "name": args.name, "vertical": vertical.name(), "resolution": args.resolution,
        "price_micro_usd": args.price.0, "bond_token": bond, "allowance_token": allowance,
    });
    let sent = spender.send("create_network", facts, Body::CreateNetwork(body)).await?;
    let words = format!(
        "create network {} ({id}) with a bond of {} token and an allowance of {} token",
        args.name,
        decimal(bond, session.decimals()),
        decimal(allowance, session.decimals())
    );
    spender.answer(out, &sent.answer, &words);
    Ok(())
}

async fn show(session: &Session, args: &Show, out: Output) -> Done {
    let (id, network) = session.network(args.network.as_deref()).await?;
    let terms = session.client.terms(&id).await.map_err(failed)?.value;
    let terms = terms.ok_or_else(|| Failure::new(Kind::Unreachable, "the node knows no terms of the network"))?;
    let parameters = session
        .client
        .parameters(&id, terms.current.version)
        .await
        .map_err(failed)?;
    let answer = face(&id, &network, &terms, params::decode(&parameters));
    out.answer(&answer, || lines(&network, &answer, session.decimals()));
    Ok(())
}

fn face(id: &NetworkId, network: &Network, terms: &Terms, parameters: Option<Value>) -> Value {
    json!({
        "network": id.to_string(),
        "number": network.number.0,
        "name": network.name,
        "vertical": network.vertical,
        "founder": network.founder.to_string(),
        "treasurer": network.treasurer.to_string(),
        "resolution": network.resolution,
        "created": network.created.0,
        "closes": network.closes.map(|epoch| epoch.0),
        "unsettled": network.unsettled.0,
        "roster": network.roster,
        "price_micro_usd": terms.current.price_micro_usd,
        "bond_token": network.bond.0,
        "allowance_token": network.allowance.0,
        "treasury": { "token": network.treasury_token.0, "stable_micro_usd": network.treasury_stable.0 },
        "carry": { "token": network.carry_token.0, "stable_micro_usd": network.carry_stable.0 },
        "terms": terms.current.version,
        "next_terms": terms.next.map(|next| json!({
            "terms": next.version, "from_epoch": next.from.0, "price_micro_usd": next.price_micro_usd,
            "parameters_hash": next.hash.to_string(),
        })),
        "parameters_hash": terms.current.hash.to_string(),
        "parameters": parameters,
        "proven": true,
    })
}

fn lines(network: &Network, answer: &Value, decimals: u8) -> Vec<String> {
    let token = |amount: Token| decimal(amount.0, decimals);
    let text = |field: &str| answer[field].as_str().unwrap_or_default();
    let closing = network.closes.map(|epoch| format!(", closes after epoch {epoch}"));
    let mut lines = vec![
        format!(
            "network     {} (number {}), {}",
            network.name,
            network.number,
            text("network")
        ),
        format!(
            "vertical    {}, places in H3 cells of resolution {}",
            network.vertical, network.resolution
        ),
        format!("founder     {}", text("founder")),
        format!("treasurer   {}", text("treasurer")),
        format!(
            "price       {} US dollars for a million service units",
            decimal(answer["price_micro_usd"].as_u64().unwrap_or_default(), 6)
        ),
        format!("bond        {} token", token(network.bond)),
        format!(
            "allowance   {} token for the fees of those who join",
            token(network.allowance)
        ),
        format!(
            "treasury    {} token, {} US dollars",
            token(network.treasury_token),
            decimal(network.treasury_stable.0, 6)
        ),
        format!(
            "roster      {} entries; oldest epoch not settled {}{}",
            network.roster,
            network.unsettled,
            closing.unwrap_or_default()
        ),
        format!("parameters  {}", answer["parameters"]),
    ];
    let next = &answer["next_terms"];
    if let Some(price) = next["price_micro_usd"].as_u64() {
        lines.push(format!(
            "next terms  from epoch {} on: {} US dollars for a million service units, parameters of hash {}",
            next["from_epoch"],
            decimal(price, 6),
            next["parameters_hash"].as_str().unwrap_or_default()
        ));
    }
    lines
}

async fn list(session: &Session, out: Output) -> Done {
    let networks = session.networks().await?;
    let face = |(id, network): &(NetworkId, Network)| {
        json!({
            "network": id.to_string(), "number": network.number.0, "name": network.name, "vertical": network.vertical,
            "roster": network.roster, "unsettled": network.unsettled.0,
            "closes": network.closes.map(|epoch| epoch.0),
        })
    };
    let answer = json!({ "networks": networks.iter().map(face).collect::<Vec<_>>(), "proven": false });
    out.answer(&answer, || {
        let row = |(id, network): &(NetworkId, Network)| {
            vec![
                network.name.clone(),
                network.vertical.clone(),
                network.roster.to_string(),
                network.unsettled.to_string(),
                id.to_string(),
            ]
        };
        let rows: Vec<Vec<String>> = networks.iter().map(row).collect();
        table(&["name", "vertical", "roster", "unsettled", "id"], &rows)
    });
    Ok(())
}
