//! `cairn export`: what an account earned, as a table for its owner's books. Nothing unproven is written: payouts from a verifier's
//! archive count only under the root that the ledger settled.

use crate::error::{Done, Failure, Kind, OrFail};
use crate::exchanged::Settled;
use crate::output::{Output, decimal};
use crate::session::{Session, failed};
use cairn_ledger::economics::netting::Exchange;
use cairn_ledger::records::Settlement;
use cairn_types::money::mul_div_floor;
use cairn_types::{AccountNumber, EpochNumber, NetworkId, PayoutLeaf, Price, TimeMs, merkle};
use cairn_verifier::archive::{ArchiveError, EpochArchive};
use cairn_verifier::objects::HttpArchive;
use serde_json::json;
use std::path::{Path, PathBuf};
use tokio::runtime::Runtime;

/// Export what an account earned, as a table for its owner's books.
#[derive(clap::Subcommand)]
pub enum Command {
    Income(Income),
}

/// Write an account's income as CSV: time, epoch, network, kind, amount, asset, dollar value at receipt.
///
/// One line for each kind of income of an epoch that was paid: `availability` and `usage` in token, `cash` in stablecoin. Where the
/// account exchanged with other operators (`cairn account payout`) two more: `exchange_given`, with amounts below zero, and
/// `exchange_received`. So the lines of an asset sum to what reached the account. The time is the epoch's end. The dollar value of token
/// is taken at the middle price at which the ledger closed that epoch, which is also the price of the exchange, rounded toward zero; it
/// is empty where the ledger had no price. Payouts and choices are proven: they must lead to the roots that the ledger settled. Costs
/// nothing.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn export income --out income.csv"])]
pub struct Income {
    /// The name of a key or of a noted account here, or an account's id.
    #[arg(long, value_name = "NAME|ID", default_value = "me")]
    account: String,
    /// The first epoch.
    #[arg(long, value_name = "N", default_value = "0")]
    from_epoch: EpochNumber,
    /// The last epoch; the newest that is settled, unless told otherwise.
    #[arg(long, value_name = "N")]
    to_epoch: Option<EpochNumber>,
    /// Only this network: name, number or id. All, unless told otherwise.
    #[arg(long)]
    network: Option<String>,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The verifier whose archive is read; that of the settings, unless told otherwise.
    #[arg(long, value_name = "URL")]
    verifier: Option<String>,
}

/// One line of the table.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    time: TimeMs,
    epoch: EpochNumber,
    network: NetworkId,
    kind: &'static str,
    amount: u64,
    asset: Asset,
    micro_usd: Option<u64>,
    /// It left the account again: written below zero.
    is_given: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asset {
    Token,
    Stable,
}

pub fn run(command: Command, home: &Path, out: Output) -> Done {
    let Command::Income(args) = command;
    let runtime = crate::roles::runtime()?;
    let session = runtime.block_on(Session::open(home))?;
    let verifier = match &args.verifier {
        Some(url) => url.clone(),
        None => session.settings.verifier()?,
    };
    let objects = HttpArchive::new(&verifier, runtime.handle().clone());
    let id = session.account_id(&args.account)?;
    let account = runtime.block_on(session.account(&id))?.number;
    let mut lines = Vec::new();
    for (network, unsettled) in runtime.block_on(networks(&session, args.network.as_deref()))? {
        let end = args.to_epoch.map_or(unsettled, |last| unsettled.min(last.next()));
        let bar = out.progress(end.0.saturating_sub(args.from_epoch.0), "income");
        for epoch in (args.from_epoch.0..end.0).map(EpochNumber) {
            let reader = Reader {
                session: &session,
                runtime: &runtime,
                objects: &objects,
                network,
                epoch,
            };
            lines.extend(reader.lines(account)?);
            bar.inc(1);
        }
        bar.finish_and_clear();
    }
    lines.sort_by_key(|line| (line.time, line.network));
    write(&args.out, &lines, session.decimals()).or_fail(Kind::Files, args.out.display())?;
    let sum = |asset| {
        let of = |is_given| {
            lines
                .iter()
                .filter(|line| line.asset == asset && line.is_given == is_given)
                .fold(0u64, |sum, line| sum.saturating_add(line.amount))
        };
        of(false).saturating_sub(of(true)) // nobody gives what it did not earn
    };
    let (token, stable) = (sum(Asset::Token), sum(Asset::Stable));
    let answer = json!({
        "account": id.to_string(), "lines": lines.len(), "token": token, "stable_micro_usd": stable,
        "out": args.out.display().to_string(), "proven": true,
    });
    out.answer(&answer, || {
        vec![format!(
            "wrote {} lines to {}: {} token and {} US dollars of stablecoin",
            lines.len(),
            args.out.display(),
            decimal(token, session.decimals()),
            decimal(stable, 6)
        )]
    });
    Ok(())
}

/// The networks asked for, each with its oldest epoch that is not settled.
async fn networks(session: &Session, wanted: Option<&str>) -> Result<Vec<(NetworkId, EpochNumber)>, Failure> {
    if wanted.is_some() {
        let (id, network) = session.network(wanted).await?;
        return Ok(vec![(id, network.unsettled)]);
    }
    let networks = session.networks().await?;
    Ok(networks
        .into_iter()
        .map(|(id, network)| (id, network.unsettled))
        .collect())
}

/// One epoch of one network.
struct Reader<'a> {
    session: &'a Session,
    runtime: &'a Runtime,
    objects: &'a HttpArchive,
    network: NetworkId,
    epoch: EpochNumber,
}

impl Reader<'_> {
    fn lines(&self, account: AccountNumber) -> Result<Vec<Line>, Failure> {
        let client = &self.session.client;
        let settlement = self
            .runtime
            .block_on(client.settlement(&self.network, self.epoch))
            .map_err(failed)?;
        // An epoch without a settlement was before the network, or expired: nobody was paid for it.
        let Some(settlement) = settlement.value.filter(|settlement| settlement.leaves > 0) else {
            return Ok(Vec::new());
        };
        let archive = EpochArchive::of(self.objects, &self.network, self.epoch);
        let leaves = archive.payouts().map_err(|error| self.unread(error))?;
        let Some(place) = proven(&leaves, &settlement, account, self.epoch)? else {
            return Ok(Vec::new());
        };
        let exchange = Settled::read(client, &self.network, self.epoch, &settlement);
        let step = match self.runtime.block_on(exchange)? {
            None => Exchange::default(),
            Some(settled) => settled.steps(&leaves, &archive.choices().map_err(|error| self.unread(error))?)?[place],
        };
        let epoch = self.runtime.block_on(client.epoch(self.epoch)).map_err(failed)?.value;
        let epoch = epoch.ok_or_else(|| Failure::new(Kind::Unreachable, "a settled epoch that is not closed"))?;
        let at = At {
            time: epoch.end,
            epoch: self.epoch,
            network: self.network,
            price: epoch.price_mid,
            decimals: self.session.decimals(),
        };
        Ok(at.lines(&leaves[place], &step))
    }

    fn unread(&self, error: ArchiveError) -> Failure {
        Failure::new(
            Kind::Unreachable,
            format!("the archive of epoch {}: {error}", self.epoch),
        )
        .hint("name a verifier that keeps it with --verifier URL")
    }
}

/// When and where something was paid, and what token was worth.
struct At {
    time: TimeMs,
    epoch: EpochNumber,
    network: NetworkId,
    price: Option<Price>,
    decimals: u8,
}

impl At {
    /// What a leaf and its exchange come to, without what is nothing.
    fn lines(&self, leaf: &PayoutLeaf, step: &Exchange) -> Vec<Line> {
        let line = |kind, is_given, amount, asset| Line {
            time: self.time,
            epoch: self.epoch,
            network: self.network,
            kind,
            amount,
            asset,
            micro_usd: match asset {
                Asset::Token => self.price.and_then(|price| value(amount, price, self.decimals)),
                Asset::Stable => Some(amount),
            },
            is_given,
        };
        let (given, received) = ("exchange_given", "exchange_received");
        let lines = [
            line("availability", false, leaf.availability.0, Asset::Token),
            line("usage", false, leaf.usage.0, Asset::Token),
            line("cash", false, leaf.cash.0, Asset::Stable),
            line(given, true, step.tokens_given.0, Asset::Token),
            line(given, true, step.cash_given.0, Asset::Stable),
            line(received, false, step.tokens_received.0, Asset::Token),
            line(received, false, step.cash_received.0, Asset::Stable),
        ];
        lines.into_iter().filter(|line| line.amount > 0).collect()
    }
}

/// The place of the account's leaf, if it was paid; every leaf must be among those that were settled.
fn proven(
    leaves: &[PayoutLeaf],
    settlement: &Settlement,
    account: AccountNumber,
    epoch: EpochNumber,
) -> Result<Option<usize>, Failure> {
    if merkle::root(leaves.iter().map(PayoutLeaf::hash).collect()) != settlement.payouts {
        let fact = format!("the archive's payouts of epoch {epoch} are not those that were settled");
        return Err(Failure::new(Kind::Differs, fact).hint("ask another verifier with --verifier URL"));
    }
    let paid = usize::try_from(settlement.cursor).unwrap_or(usize::MAX);
    let place = leaves.iter().position(|leaf| leaf.operator == account);
    Ok(place.filter(|place| *place < paid))
}

/// Micro-dollars of so many base units of token, rounded down.
fn value(amount: u64, price: Price, decimals: u8) -> Option<u64> {
    let scale = 10u64.checked_pow(decimals.into())?.checked_mul(100)?;
    mul_div_floor(amount, price.0, scale)
}

fn write(path: &Path, lines: &[Line], decimals: u8) -> csv::Result<()> {
    let mut writer = csv::Writer::from_path(path)?;
    writer.write_record([
        "time",
        "epoch",
        "network",
        "kind",
        "amount_base_units",
        "amount",
        "asset",
        "usd_at_receipt",
    ])?;
    for line in lines {
        let (asset, places) = match line.asset {
            Asset::Token => ("token", decimals),
            Asset::Stable => ("stablecoin_usd", 6),
        };
        writer.write_record([
            line.time.to_string(),
            line.epoch.to_string(),
            line.network.to_string(),
            line.kind.to_owned(),
            signed(line.is_given, line.amount.to_string()),
            signed(line.is_given, decimal(line.amount, places)),
            asset.to_owned(),
            line.micro_usd
                .map_or(String::new(), |micro_usd| signed(line.is_given, decimal(micro_usd, 6))),
        ])?;
    }
    Ok(writer.flush()?)
}

/// An amount that is written below zero where it left the account; nothing has no sign.
fn signed(is_given: bool, amount: String) -> String {
    if is_given && amount != "0" {
        format!("-{amount}")
    } else {
        amount
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchanged::tests::settled;

    #[test]
    fn a_value_is_rounded_down() {
        // A token of 6 decimals at 0.05 dollars.
        for (amount, micro_usd) in [(1_000_000, 50_000), (19, 0), (20, 1), (39, 1)] {
            assert_eq!(value(amount, Price(5_000_000), 6), Some(micro_usd), "{amount}");
        }
        assert_eq!(value(u64::MAX, Price(u64::MAX), 6), None);
    }

    #[test]
    fn the_table_has_a_line_for_each_income() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("income.csv");
        let line = Line {
            time: "2026-07-15T01:00:00Z".parse().unwrap(),
            epoch: EpochNumber(1),
            network: NetworkId([1; 32]),
            kind: "usage",
            amount: 2_500_000,
            asset: Asset::Token,
            micro_usd: Some(125_000),
            is_given: false,
        };
        write(&path, &[line], 6).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let network = "01".repeat(32);
        let row = format!("2026-07-15T01:00:00Z,1,{network},usage,2500000,2.5,token,0.125");
        assert_eq!(text.lines().nth(1), Some(row.as_str()));
    }
    #[test]
    fn what_was_exchanged_is_given_and_received_and_each_asset_sums_to_what_reached_the_account() {
        let (settled, leaves, choices) = settled();
        let steps = settled.steps(&leaves, &choices).unwrap();
        let at = At {
            time: TimeMs(0),
            epoch: EpochNumber(1),
            network: NetworkId([1; 32]),
            price: settled.price,
            decimals: 6,
        };
        let told = |place: usize| -> Vec<(&str, Asset, i64, Option<u64>)> {
            let lines = at.lines(&leaves[place], &steps[place]);
            let amount = |line: &Line| line.amount as i64 * if line.is_given { -1 } else { 1 };
            lines
                .iter()
                .map(|line| (line.kind, line.asset, amount(line), line.micro_usd))
                .collect()
        };
        assert_eq!(
            told(0),
            [
                ("availability", Asset::Token, 300, Some(150)),
                ("exchange_given", Asset::Token, -200, Some(100)),
                ("exchange_received", Asset::Stable, 100, Some(100)),
            ]
        );
        assert_eq!(
            told(1),
            [
                ("availability", Asset::Token, 50, Some(25)),
                ("cash", Asset::Stable, 50, Some(50))
            ]
        );
        assert_eq!(
            told(2),
            [
                ("cash", Asset::Stable, 100, Some(100)),
                ("exchange_given", Asset::Stable, -100, Some(100)),
                ("exchange_received", Asset::Token, 200, Some(100)),
            ]
        );
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("income.csv");
        write(&path, &at.lines(&leaves[0], &steps[0]), 6).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let given = text.lines().nth(2).unwrap();
        assert!(given.ends_with(",exchange_given,-200,-0.0002,token,-0.0001"), "{given}");
        assert_eq!(signed(true, "0".to_owned()), "0");
    }
}
