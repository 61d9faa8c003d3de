//! `cairn api-key`: keys with which programs buy data by one header. A key is an order on the ledger and the secret of its vouchers: it can
//! lose what the order holds. On disk before the order is sent; printed once; never taken from an argument, which others see.

use crate::error::{Done, Failure, Kind, OrFail};
use crate::home::Home;
use crate::output::{Output, decimal};
use crate::roles::shop::Shop;
use crate::session::{Session, failed};
use crate::spend::{Spender, Spending, merge};
use crate::units::usd;
use cairn_gateway::api_key::ApiKey;
use cairn_gateway::customer::key_order;
use cairn_gateway::faces::KeyFace;
use cairn_ledger::tx::Body;
use cairn_types::{Credit, OrderId, SecretKey};
use reqwest::Method;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Where a program, and this one, looks for a key.
const VARIABLE: &str = "CAIRN_API_KEY";
/// Kept keys are files of this name and their order.
const KEPT: &str = "api-key-";
/// Bytes of a file that has a key.
const FILE_BYTES_MAX: u64 = 4_096;
const DAY_MS: u64 = 86_400_000;

/// Buy data from programs: an API key holds credits, and each request spends some of them.
///
/// A program sends the key in the header `Authorization: Bearer cairn_…`; `GET /v1/data` of the gateway answers with the file, and the
/// price is taken out of what the key's order holds. Whoever has the key can spend that and nothing else of yours. The gateway signs for
/// the bearer, so it could take as much as well: who does not want to trust it that far buys with `cairn query`.
#[derive(clap::Subcommand)]
pub enum Command {
    Open(Open),
    Show(Show),
    Close(Close),
}

/// Open a key: an order that holds credits until it is closed or its time is over. The key is printed once.
///
/// It is kept in the home folder too, in a file that only you can read, until it is closed. What is not spent returns. Opening it costs the
/// ledger's base fee in token.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn api-key open --credits '$5' --days 30",
    "cairn api-key open --network rain --credits 5000000 --dry-run",
])]
pub struct Open {
    /// The network whose data it buys: name, number or id; the only one there is, unless told otherwise.
    #[arg(long)]
    network: Option<String>,
    /// What it holds, the most it can lose: credits, or US dollars as '$5'.
    #[arg(long, value_name = "CREDITS", value_parser = credits)]
    credits: Credit,
    /// For how long.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=400))]
    days: u64,
    /// The gateway; that of the settings, unless told otherwise.
    #[arg(long, value_name = "URL")]
    gateway: Option<String>,
    #[command(flatten)]
    spending: Spending,
}

/// Show what a key holds, what was spent through it and what is left. Costs nothing.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn api-key show", "cairn api-key show --file shop.key"])]
pub struct Show {
    #[command(flatten)]
    which: Which,
}

/// Close a key: nothing more is sold through it, its gateway settles what it bought, and the rest returns.
///
/// Should be done with a key that somebody else may have seen. May be repeated.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn api-key close", "cairn api-key close --file -"])]
pub struct Close {
    #[command(flatten)]
    which: Which,
}

#[derive(clap::Args)]
struct Which {
    /// File that has the key, or - for standard input. Else the environment's CAIRN_API_KEY, else the only key that is kept here.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The gateway; that of the settings, unless told otherwise.
    #[arg(long, value_name = "URL")]
    gateway: Option<String>,
}

/// `5000000`, or `$5`.
fn credits(text: &str) -> Result<Credit, String> {
    let credits = match text.strip_prefix('$') {
        Some(dollars) => usd(dollars)?.0,
        None => text
            .parse()
            .map_err(|_| "write credits as 5000000, or US dollars as '$5'")?,
    };
    match credits {
        0 => Err("a key that holds nothing buys nothing".to_owned()),
        credits => Ok(Credit(credits)),
    }
}

pub fn run(command: Command, home: &Path, out: Output) -> Done {
    crate::roles::runtime()?.block_on(async {
        match command {
            Command::Open(args) => open(args, home, out).await,
            Command::Show(args) => show(&args.which, &Home::at(home), out).await,
            Command::Close(args) => close(&args.which, &Home::at(home), out).await,
        }
    })
}

fn kept_file(order: &OrderId) -> String {
    format!("{KEPT}{order}")
}

async fn open(args: Open, home: &Path, out: Output) -> Done {
    let session = Session::open(home).await?;
    let spender = Spender::new(&session, &args.spending).await?;
    let sending = &args.spending.sending;
    if !sending.dry_run && !spender.exports() {
        spender.must_be_whole()?;
    }
    let (network, record) = session.network(args.network.as_deref()).await?;
    let gateway = match args.gateway {
        Some(url) => url,
        None => session.settings.gateway()?,
    };
    let provider = Shop::at(&gateway)?.account().await?;
    let mut secret = Zeroizing::new([0; 32]);
    getrandom::fill(secret.as_mut_slice()).or_fail(Kind::Internal, "the system gives no randomness")?;
    let expires = session.chain().await?.time.plus_ms(args.days * DAY_MS);
    let voucher_key = SecretKey::ed25519(*secret).public();
    let order = key_order(
        &session.genesis.chain,
        provider,
        network,
        args.credits,
        expires,
        voucher_key,
    );
    let transaction = spender.next(Body::OpenOrder(order)).await?;
    let key = ApiKey::new(OrderId(transaction.id().0), *secret);
    let dollars = decimal(args.credits.0, 6);
    let mut answer = json!({
        "network": network.to_string(), "gateway": gateway, "hold_credits": args.credits.0, "expires": expires.to_string(),
        "dry_run": sending.dry_run,
    });
    if sending.dry_run {
        let name = record.name;
        out.answer(&answer, || {
            vec![format!(
                "a key that holds {dollars} US dollars for data of {name}, until {expires}; nothing was opened"
            )]
        });
        return Ok(());
    }
    let text = key.text();
    let file = session.home.join(&kept_file(&key.order));
    merge(
        &mut answer,
        json!({ "api_key": text.as_str(), "order": key.order.to_string(), "file": file.display().to_string() }),
    );
    // Before it is sent: whatever happens then, what it holds can be used, and returned.
    let line = Zeroizing::new(format!("{}\n", *text));
    session.home.write(&kept_file(&key.order), line.as_bytes())?;
    let mut next = "it is open";
    if let Some(path) = &sending.export {
        merge(&mut answer, spender.export(path, transaction)?);
        next = "it is open once the owners have signed and it is submitted";
    } else {
        let opened = session.client.submit_and_wait(&spender.sign(transaction)).await;
        opened.map_err(|error| {
            if error.reject().is_some() {
                // Refused: there is no order to come back for.
                let _ = std::fs::remove_file(&file);
            }
            failed(error)
        })?;
    }
    out.answer(&answer, || vec![text.to_string()]);
    out.say(format!(
        "{next}. Whoever has this key can spend the {dollars} US dollars that it holds until {expires}, and nothing else of yours"
    ));
    out.say(format!(
        "it is kept in {} until `cairn api-key close`; what is left returns then",
        file.display()
    ));
    Ok(())
}

/// A key out of a file, standard input, the environment or the home folder.
fn read(which: &Which, home: &Home) -> Result<ApiKey, Failure> {
    let text = match (&which.file, std::env::var(VARIABLE)) {
        (Some(path), _) if path == Path::new("-") => {
            let mut text = Zeroizing::new(String::new());
            let read = std::io::stdin().lock().take(FILE_BYTES_MAX).read_to_string(&mut text);
            read.or_fail(Kind::Files, "standard input")?;
            text
        }
        (Some(path), _) => from_file(path)?,
        (None, Ok(text)) => Zeroizing::new(text),
        (None, Err(_)) => from_file(&only_kept(home)?)?,
    };
    text.trim().parse().map_err(|error| {
        let failure = Failure::new(Kind::Usage, error);
        failure.hint("`cairn api-key open` prints one; it is kept in the home folder")
    })
}

fn from_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let bytes = cairn_secrets::file::read(path, FILE_BYTES_MAX).map_err(crate::unlock::failed)?;
    let bytes = bytes.ok_or_else(|| {
        let failure = Failure::new(Kind::NotFound, format!("there is no file {}", path.display()));
        failure.hint("`cairn api-key open` makes one in the home folder")
    })?;
    Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))
}

fn only_kept(home: &Home) -> Result<PathBuf, Failure> {
    let names = std::fs::read_dir(home.join("")).into_iter().flatten();
    let mut kept: Vec<String> = names
        .filter_map(|name| name.ok()?.file_name().into_string().ok())
        .filter(|name| {
            name.strip_prefix(KEPT)
                .is_some_and(|order| order.parse::<OrderId>().is_ok())
        })
        .collect();
    kept.sort_unstable();
    match kept.as_slice() {
        [one] => Ok(home.join(one)),
        [] => {
            let failure = Failure::new(Kind::NotFound, "no API key is kept here");
            Err(failure.hint(format!(
                "name its file with --file, set {VARIABLE}, or open one: cairn api-key open"
            )))
        }
        several => {
            let paths: Vec<String> = several
                .iter()
                .map(|name| home.join(name).display().to_string())
                .collect();
            let failure = Failure::new(Kind::Usage, format!("{} API keys are kept here", several.len()));
            Err(failure.hint(format!("name one: --file {}", paths.join(" or --file "))))
        }
    }
}

fn shop(which: &Which, home: &Home) -> Result<Shop, Failure> {
    match &which.gateway {
        Some(url) => Shop::at(url),
        None => Shop::at(&home.settings()?.gateway()?),
    }
}

fn amount(text: &str) -> Result<u64, Failure> {
    text.parse().or_fail(Kind::Unreachable, "an amount of the gateway")
}

/// What the gateway says of a key, in the forms of this program.
fn face(now: &KeyFace) -> Result<Value, Failure> {
    Ok(json!({
        "order": now.order,
        "network": now.network,
        "state": now.state,
        "held_credits": amount(&now.held_credits)?,
        "spent_credits": amount(&now.spent_credits)?,
        "left_credits": amount(&now.left_credits)?,
        "expires": now.expires,
        "sells_until": now.sells_until,
        "queries_paid": now.queries_paid,
    }))
}

fn dollars(answer: &Value, field: &str) -> String {
    decimal(answer[field].as_u64().unwrap_or_default(), 6)
}

async fn show(which: &Which, home: &Home, out: Output) -> Done {
    let key = read(which, home)?;
    let now = shop(which, home)?.key(Method::GET, &key).await?;
    let answer = face(&now)?;
    out.answer(&answer, || {
        let paid = now
            .queries_paid
            .map_or(String::new(), |paid| format!(", {paid} answers paid"));
        vec![
            format!("order    {}", now.order),
            format!("network  {}", now.network),
            format!("state    {}, sells until {}", now.state, now.sells_until),
            format!("held     {} US dollars", dollars(&answer, "held_credits")),
            format!("spent    {} US dollars{paid}", dollars(&answer, "spent_credits")),
            format!("left     {} US dollars", dollars(&answer, "left_credits")),
        ]
    });
    Ok(())
}

async fn close(which: &Which, home: &Home, out: Output) -> Done {
    let key = read(which, home)?;
    let now = shop(which, home)?.key(Method::DELETE, &key).await?;
    let answer = face(&now)?;
    let is_over = now.state == "closed" || now.state == "expired";
    let file = home.join(&kept_file(&key.order));
    if is_over && file.exists() {
        std::fs::remove_file(&file).or_fail(Kind::Files, file.display())?;
    }
    out.answer(&answer, || {
        let spent = dollars(&answer, "spent_credits");
        vec![match is_over {
            true => format!("closed: {spent} US dollars were spent, the rest is yours again"),
            false => format!(
                "nothing more is sold through it; its gateway settles the {spent} US dollars that it bought, then the rest returns"
            ),
        }]
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_key_holds_is_said_in_credits_or_in_dollars() {
        for (text, held) in [
            ("5000000", Some(5_000_000)),
            ("$5", Some(5_000_000)),
            ("$0.25", Some(250_000)),
            ("0", None),
            ("$0", None),
            ("5 dollars", None),
            ("$0.0000001", None),
        ] {
            assert_eq!(credits(text).ok(), held.map(Credit), "{text}");
        }
    }
}
