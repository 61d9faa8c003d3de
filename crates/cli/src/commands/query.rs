//! `cairn query`: buys data from a gateway: a quote, an order on the ledger that holds the price, the file.
//!
//! What pays is written into the home folder before the order is sent, so whatever happens the paid file can be fetched.

use crate::consent::asks;
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
use cairn_ledger::tx::{Body, Transaction};
use cairn_types::{CellId, OrderId, SecretKey, TimeMs};
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};

/// How long an order stays open: time enough to come back for the file.
const ORDER_MS: u64 = 24 * 3_600_000;

/// Buy data: asks for a price, pays it from your credits, and writes the file.
///
/// The price is shown before anything is paid. On a terminal the question is asked; elsewhere say --yes or --max-price. A credit is a
/// millionth of a US dollar; `cairn credits buy` gets some. Opening the order costs the ledger's base fee in token as well.
///
/// If the file does not arrive, whatever the reason, `--resume` fetches it and pays nothing more: within a day of the order, or at any
/// time once it is paid.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn query --from 2026-07-15T00:00:00Z --to 2026-07-16T00:00:00Z --dry-run",
    "cairn query --from 2026-07-15T00:00:00Z --to 2026-07-16T00:00:00Z --max-price 5000 --out rain.csv",
    "cairn query --resume --out rain.csv",
])]
pub struct Args {
    /// The network: name, number or id; the only one there is, unless told otherwise.
    #[arg(long)]
    network: Option<String>,
    /// What was measured, as the network calls it.
    #[arg(long, default_value = "rain")]
    quantity: String,
    /// From this time on, in UTC, like 2026-07-15T00:00:00Z.
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
    /// Pay at most so many credits, and do not ask.
    #[arg(long, value_name = "CREDITS")]
    max_price: Option<u64>,
    /// Fetch what an earlier order paid for; the only one whose file has not arrived, unless told otherwise.
    #[arg(long, value_name = "ORDER", num_args = 0..=1)]
    resume: Option<Option<OrderId>>,
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
    let delivers = !args.spending.sending.dry_run && args.spending.sending.export.is_none();
    if out.json && args.out.is_none() && delivers {
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
            Some(order) => {
                let order = order.map_or_else(|| unfinished(&home_folder), Ok)?;
                fetch(&home_folder, &shop, order, &args, json!({}), out).await
            }
            None => buy(home, &shop, &args, out).await,
        }
    })
}

async fn buy(home: &Path, shop: &Shop, args: &Args, out: Output) -> Done {
    let session = Session::open(home).await?;
    let spender = Spender::new(&session, &args.spending).await?;
    let (network, _) = session.network(args.network.as_deref()).await?;
    let mut cells = args.cells.clone();
    cells.sort_unstable();
    cells.dedup();
    if !args.spending.sending.dry_run && !spender.exports() {
        spender.must_be_whole()?;
    }
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
    if args.spending.sending.dry_run {
        out.answer(&offer, || vec![words(&offer), "nothing was bought".to_owned()]);
        return Ok(());
    }
    let price = agreed.quote().price.0;
    if !consents(args.yes, args.max_price, price)? && !asks(&format!("{}. Buy it?", words(&offer)))? {
        let failure = Failure::new(Kind::Refused, format!("{}; nothing was bought", words(&offer)));
        return Err(failure.hint("agree with --yes, or with --max-price CREDITS"));
    }
    out.say(words(&offer));
    let transaction = order(&session, &spender, &agreed, args.format.into()).await?;
    let order = OrderId(transaction.id().0);
    if let Some(path) = &args.spending.sending.export {
        let mut answer = offer;
        crate::spend::merge(&mut answer, spender.export(path, transaction)?);
        crate::spend::merge(&mut answer, json!({ "order": order.to_string() }));
        let next = format!("then fetch the file: cairn query --resume {order}");
        out.answer(&answer, || {
            let path = path.display();
            vec![format!(
                "nothing was bought yet: let the owners sign {path}, submit it, {next}"
            )]
        });
        return Ok(());
    }
    open(&session, &spender, transaction).await?;
    out.say(format!(
        "the order is open; should the file not arrive: cairn query --resume {order}"
    ));
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

const PURCHASE: &str = "purchase-";

fn purchase_file(order: &OrderId) -> String {
    format!("{PURCHASE}{order}.json")
}

/// The one order whose file has not arrived.
fn unfinished(home: &Home) -> Result<OrderId, Failure> {
    let folder = home.join("");
    let none = || Failure::new(Kind::NotFound, "no file of a purchase is missing here").hint("nothing to do");
    let names = std::fs::read_dir(&folder).map_err(|_| none())?;
    let mut orders: Vec<OrderId> = names
        .filter_map(|name| name.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_prefix(PURCHASE)?.strip_suffix(".json")?.parse().ok())
        .collect();
    orders.sort_unstable();
    match orders.as_slice() {
        [] => Err(none()),
        [one] => Ok(*one),
        several => {
            let failure = Failure::new(
                Kind::Usage,
                format!("the files of {} orders have not arrived", several.len()),
            );
            let orders: Vec<String> = several.iter().map(ToString::to_string).collect();
            Err(failure.hint(format!("name one with --resume ORDER: {}", orders.join(" "))))
        }
    }
}

/// The transaction that opens the order; what fetches the data is on disk before that, with the voucher already signed.
async fn order(
    session: &Session,
    spender: &Spender<'_>,
    agreed: &Agreed,
    format: Format,
) -> Result<Transaction, Failure> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).or_fail(Kind::Internal, "the system gives no randomness")?;
    let voucher = SecretKey::ed25519(secret);
    let now = session.chain().await?.time;
    let body = Body::OpenOrder(agreed.order(now.plus_ms(ORDER_MS), voucher.public()));
    let transaction = spender.next(body).await?;
    let order = OrderId(transaction.id().0);
    let purchase = agreed.purchase(order, format, &voucher);
    let purchase = serde_json::to_vec(&purchase).or_fail(Kind::Internal, "the purchase")?;
    session.home.write(&purchase_file(&order), &purchase)?;
    Ok(transaction)
}

async fn open(session: &Session, spender: &Spender<'_>, transaction: Transaction) -> Done {
    let file = purchase_file(&OrderId(transaction.id().0));
    let opened = session.client.submit_and_wait(&spender.sign(transaction)).await;
    opened.map(drop).map_err(|error| {
        if error.reject().is_some() {
            // Refused: there is no order to come back for.
            let _ = std::fs::remove_file(session.home.join(&file));
        }
        failed(error)
    })
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
        Kind::NotFound => failure.hint(
            "it was not opened, so nothing was paid; try again if it was just sent. Should it still open, its credits return by themselves",
        ),
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
    let got = to_draft(shop, purchase, &draft).await;
    match &got {
        Ok(_) => std::fs::rename(&draft, file).or_fail(Kind::Files, file.display())?,
        // Half a file helps nobody; if it stays, the next attempt begins it anew.
        Err(_) => drop(std::fs::remove_file(&draft)),
    }
    got
}

async fn to_draft(shop: &Shop, purchase: Vec<u8>, draft: &Path) -> Result<u64, Failure> {
    let mut writer = std::fs::File::create(draft).or_fail(Kind::Files, draft.display())?;
    let bytes = shop.fetch(purchase, &mut writer).await?;
    writer
        .flush()
        .and_then(|()| writer.sync_all())
        .or_fail(Kind::Files, draft.display())?;
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
