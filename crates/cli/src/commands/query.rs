//! `cairn query`: buys data from a gateway: a quote, an order on the ledger that holds the price, the file.
//!
//! What pays is written into the home folder before the order is sent, so whatever happens the paid file can be fetched.

use crate::error::{Done, Failure, Kind, OrFail};
use crate::home::Home;
use crate::output::{Output, decimal};
use crate::roles::shop::Shop;
use crate::session::{Session, failed};
use crate::spend::{Spender, Spending};
use cairn_gateway::customer::{Agreed, ask};
use cairn_gateway::export::Format;
use cairn_gateway::faces::QuoteFace;
use cairn_gateway::query::Query;
use cairn_ledger::tx::Body;
use cairn_ledger::tx::open_order::order_id;
use cairn_types::{CellId, OrderId, SecretKey, TimeMs};
use serde_json::{Value, json};
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// How long an order stays open: time enough to come back for the file.
const ORDER_MS: u64 = 24 * 3_600_000;

/// Buy data: asks for a price, pays it from your credits, and writes the file.
///
/// The price is shown before anything is paid. On a terminal the question is asked; elsewhere say --yes or --max-price. If the
/// file does not arrive, `--resume ORDER` fetches it again and pays nothing more.
#[derive(clap::Args)]
pub struct Args {
    /// The network: name, number or id; the only one there is, unless told otherwise.
    #[arg(long)]
    network: Option<String>,
    /// What was measured, as the network calls it.
    #[arg(long, default_value = "rain")]
    quantity: String,
    /// From this time on, like 2026-07-15T00:00:00Z.
    #[arg(long, value_name = "TIME", required_unless_present = "resume")]
    from: Option<TimeMs>,
    /// To before this time.
    #[arg(long, value_name = "TIME", required_unless_present = "resume")]
    to: Option<TimeMs>,
    /// Only in this H3 cell, of any size down to the network's; may be repeated. Everywhere, unless told otherwise.
    #[arg(long = "cell", value_name = "H3")]
    cells: Vec<CellId>,
    /// The form of the file.
    #[arg(long, value_enum, default_value = "csv")]
    format: Form,
    /// The file to write; standard output, unless told otherwise.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Pay whatever the quote says.
    #[arg(long)]
    yes: bool,
    /// Pay at most so many credits.
    #[arg(long, value_name = "CREDITS")]
    max_price: Option<u64>,
    /// Fetch what an earlier order paid for.
    #[arg(long, value_name = "ORDER")]
    resume: Option<OrderId>,
    /// The gateway; that of the settings, unless told otherwise.
    #[arg(long, value_name = "URL")]
    gateway: Option<String>,
    #[command(flatten)]
    spending: Spending,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Form {
    Csv,
    Geojson,
    Parquet,
}

impl From<Form> for Format {
    fn from(form: Form) -> Self {
        match form {
            Form::Csv => Self::Csv,
            Form::Geojson => Self::GeoJson,
            Form::Parquet => Self::Parquet,
        }
    }
}

pub fn run(args: Args, home: &Path, out: Output) -> Done {
    if out.json && args.out.is_none() && !args.spending.dry_run {
        let failure = Failure::new(Kind::Usage, "with --json the data needs a file of its own");
        return Err(failure.hint("name it with --out FILE"));
    }
    crate::roles::runtime()?.block_on(async {
        let home_folder = Home::at(home);
        let gateway = match &args.gateway {
            Some(url) => url.clone(),
            None => home_folder.settings()?.gateway()?,
        };
        let shop = Shop::at(&gateway)?;
        match args.resume {
            Some(order) => fetch(&home_folder, &shop, order, &args, json!({}), out).await,
            None => buy(home, &shop, &args, out).await,
        }
    })
}

async fn buy(home: &Path, shop: &Shop, args: &Args, out: Output) -> Done {
    let session = Session::open(home).await?;
    let spender = Spender::new(&session, &args.spending)?;
    let (network, _) = session.network(args.network.as_deref()).await?;
    let mut cells = args.cells.clone();
    cells.sort_unstable();
    cells.dedup();
    let query = Query {
        network,
        cells,
        quantity: args.quantity.clone(),
        from: args.from.unwrap_or_default(),
        to: args.to.unwrap_or_default(),
    };
    query.check().or_fail(Kind::Usage, "the query")?;
    let face = shop.quote(&ask(&query, &spender.account())).await?;
    let agreed = Agreed::check(&query, &session.genesis.chain, &face);
    let agreed = agreed.or_fail(Kind::Refused, "the quote is not what was asked for")?;
    let offer = offer(&face, agreed.quote().price.0);
    if args.spending.dry_run {
        out.answer(&offer, || vec![words(&offer), "nothing was bought".to_owned()]);
        return Ok(());
    }
    let price = agreed.quote().price.0;
    if !consents(args.yes, args.max_price, price)? && !asks(&words(&offer))? {
        let failure = Failure::new(Kind::Refused, format!("{}; nothing was bought", words(&offer)));
        return Err(failure.hint("agree with --yes, or with --max-price CREDITS"));
    }
    out.say(words(&offer));
    let order = open(&session, &spender, &agreed, args.format.into()).await?;
    fetch(&session.home, shop, order, args, offer, out).await
}

fn offer(face: &QuoteFace, price: u64) -> Value {
    json!({
        "rows": face.rows,
        "devices": face.devices,
        "price_credits": price,
        "to": face.query.to,
        "epochs_missing": face.epochs.missing,
        "valid_until": face.valid_until,
    })
}

fn words(offer: &Value) -> String {
    let price = offer["price_credits"].as_u64().unwrap_or_default();
    format!(
        "{} rows of {} devices, to {}, for {price} credits ({} US dollars)",
        offer["rows"],
        offer["devices"],
        offer["to"].as_str().unwrap_or_default(),
        decimal(price, 6)
    )
}

/// Whether the command line agrees to the price; a price above its bound is refused.
fn consents(yes: bool, max_price: Option<u64>, price: u64) -> Result<bool, Failure> {
    match max_price {
        Some(most) if price > most => {
            let failure = Failure::new(Kind::Refused, format!("the price is {price} credits, more than {most}"));
            Err(failure.hint("raise --max-price, or ask for less"))
        }
        Some(_) => Ok(true),
        None => Ok(yes),
    }
}

/// Asks the person at the terminal, if there is one.
fn asks(offer: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(false);
    }
    eprint!("{offer}. Buy it? [y/N] ");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.or_fail(Kind::Files, "standard input")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn purchase_file(order: &OrderId) -> String {
    format!("purchase-{order}.json")
}

/// Opens the order; what fetches the data is on disk before that, with the voucher already signed.
async fn open(session: &Session, spender: &Spender<'_>, agreed: &Agreed, format: Format) -> Result<OrderId, Failure> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).or_fail(Kind::Internal, "the system gives no randomness")?;
    let voucher = SecretKey::ed25519(secret);
    let now = session.chain().await?.time;
    let body = Body::OpenOrder(agreed.order(now.plus_ms(ORDER_MS), voucher.public()));
    let nonce = session.client.next_nonce(&spender.account()).await.map_err(failed)?;
    let signed = spender.wallet().sign(nonce, body);
    let order = order_id(&signed);
    let purchase = agreed.purchase(order, format, &voucher);
    let purchase = serde_json::to_vec(&purchase).or_fail(Kind::Internal, "the purchase")?;
    let file = purchase_file(&order);
    session.home.write(&file, &purchase)?;
    let opened = session.client.submit_and_wait(&signed).await;
    if let Err(error) = opened {
        if error.reject().is_some() {
            // Refused: there is no order to come back for.
            let _ = std::fs::remove_file(session.home.join(&file));
        }
        return Err(failed(error));
    }
    Ok(order)
}

async fn fetch(home: &Home, shop: &Shop, order: OrderId, args: &Args, facts: Value, out: Output) -> Done {
    let path = home.join(&purchase_file(&order));
    let purchase = std::fs::read(&path).map_err(|_| {
        Failure::new(Kind::NotFound, format!("no unfinished purchase {order} is here"))
            .hint("a purchase is forgotten once its file is there")
    })?;
    let got = match &args.out {
        Some(file) => to_file(shop, purchase, file).await,
        None => shop.fetch(purchase, &mut std::io::stdout().lock()).await,
    };
    let bytes = got.map_err(|failure| match failure.kind {
        Kind::Unreachable | Kind::Files => failure.hint(format!("nothing is lost: cairn query --resume {order}")),
        _ => failure,
    })?;
    std::fs::remove_file(&path).or_fail(Kind::Files, path.display())?;
    let mut answer = json!({
        "order": order.to_string(),
        "bytes": bytes,
        "out": args.out.as_ref().map(|file| file.display().to_string()),
    });
    crate::spend::merge(&mut answer, facts);
    if out.json {
        out.answer(&answer, Vec::new);
    } else {
        out.say(format!("{bytes} bytes, order {order}"));
    }
    Ok(())
}

/// The whole file, or none.
async fn to_file(shop: &Shop, purchase: Vec<u8>, file: &Path) -> Result<u64, Failure> {
    let mut draft = file.as_os_str().to_owned();
    draft.push(".part");
    let draft = PathBuf::from(draft);
    let mut writer = std::fs::File::create(&draft).or_fail(Kind::Files, draft.display())?;
    let bytes = shop.fetch(purchase, &mut writer).await?;
    writer
        .flush()
        .and_then(|()| writer.sync_all())
        .or_fail(Kind::Files, draft.display())?;
    std::fs::rename(&draft, file).or_fail(Kind::Files, file.display())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_paid_only_by_consent() {
        for (yes, most, price, answer) in [
            (false, None, 5, Some(false)),
            (true, None, 5, Some(true)),
            (false, Some(5), 5, Some(true)),
            (true, Some(4), 5, None),
        ] {
            assert_eq!(consents(yes, most, price).ok(), answer);
        }
    }
}
