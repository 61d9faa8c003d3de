//! `cairn credits`: buying service credits with stablecoin or by burning token, and giving stable-backed ones back.

use crate::error::Done;
use crate::output::{Output, decimal};
use crate::session::{Session, failed};
use crate::spend::{Spender, Spending, merge};
use crate::units::{Decimal, usd};
use cairn_ledger::Event;
use cairn_ledger::records::Prices;
use cairn_ledger::tx::Body;
use cairn_ledger::tx::buy_credits::{BuyCredits, Payment};
use cairn_ledger::tx::refund_credits::RefundCredits;
use cairn_types::money::mul_div_floor;
use cairn_types::{Credit, MicroUsd, Token};
use serde_json::{Value, json};
use std::path::Path;

/// Buy service credits, or give them back. One credit is a millionth of a US dollar of service.
///
/// Orders are paid in credits. They belong to the account that bought them and cannot be given to another.
#[derive(clap::Subcommand)]
pub enum Command {
    Buy(Buy),
    Refund(Refund),
}

/// Buy credits with stablecoin, or by burning token at the low price.
///
/// A US dollar of stablecoin is a million credits, which can be given back. Token is burned at the lowest of the prices that verifiers
/// lately agreed on; what it brings is shown first with --dry-run, and credits bought so can only be spent. Costs the ledger's base fee
/// in token as well.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn credits buy --stable 2.5",
    "cairn credits buy --burn 100 --dry-run",
])]
#[command(group(clap::ArgGroup::new("payment").required(true).args(["stable", "burn"])))]
pub struct Buy {
    /// US dollars of stablecoin to pay, like 2.5.
    #[arg(long, value_name = "USD", value_parser = usd)]
    stable: Option<MicroUsd>,
    /// Whole tokens to burn.
    #[arg(long, value_name = "TOKENS")]
    burn: Option<Decimal>,
    /// Burn only for at least so many credits; a twentieth less than the price says now, unless told otherwise.
    #[arg(long, value_name = "N", requires = "burn")]
    credits_min: Option<u64>,
    #[command(flatten)]
    spending: Spending,
}

/// Give stable-backed credits back for stablecoin, less the refund fee.
///
/// Only credits that were bought with stablecoin; `cairn account show` says how many these are. The refund fee is a part of what is
/// given back, set in the chain's genesis, and goes to the cover fund. Costs the ledger's base fee in token as well.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn credits refund 1.5"])]
pub struct Refund {
    /// US dollars of credits to give back.
    #[arg(value_name = "USD", value_parser = usd)]
    amount: MicroUsd,
    #[command(flatten)]
    spending: Spending,
}

pub fn run(command: Command, home: &Path, out: Output) -> Done {
    crate::roles::runtime()?.block_on(async {
        let session = Session::open(home).await?;
        match command {
            Command::Buy(args) => buy(&session, &args, out).await,
            Command::Refund(args) => refund(&session, &args, out).await,
        }
    })
}

async fn buy(session: &Session, args: &Buy, out: Output) -> Done {
    let spender = Spender::new(session, &args.spending).await?;
    let (payment, facts, words) = match &args.burn {
        None => with_stable(args.stable.unwrap_or_default()),
        Some(burn) => by_burning(session, burn, args.credits_min).await?,
    };
    let sent = spender
        .send("buy_credits", facts, Body::BuyCredits(BuyCredits { payment }))
        .await?;
    let mut answer = sent.answer;
    let bought = sent.confirmed.iter().flat_map(|confirmed| &confirmed.events);
    for event in bought {
        if let Event::CreditsBought { credits, .. } = event {
            merge(&mut answer, json!({ "credits_bought": credits.0 }));
        }
    }
    spender.answer(out, &answer, &words);
    Ok(())
}

fn with_stable(paid: MicroUsd) -> (Payment, Value, String) {
    (
        Payment::Stable(paid),
        json!({ "paid_micro_usd": paid.0, "credits": paid.0 }),
        format!(
            "buy {} credits for {} US dollars of stablecoin",
            paid.0,
            decimal(paid.0, 6)
        ),
    )
}

async fn by_burning(
    session: &Session,
    burn: &Decimal,
    credits_min: Option<u64>,
) -> Result<(Payment, Value, String), crate::error::Failure> {
    let tokens = burn.units(session.decimals())?;
    let expected = expected_credits(session, tokens).await?;
    // Without a price the ledger refuses, whatever the bound.
    let least = credits_min.unwrap_or_else(|| expected.map_or(0, |credits| credits - credits.div_ceil(20)));
    let facts = json!({ "burned_token": tokens, "credits_expected": expected, "credits_min": least });
    let words = format!(
        "burn {} token for {} credits, at least {least}",
        decimal(tokens, session.decimals()),
        expected.map_or("an unknown number of".to_owned(), |credits| credits.to_string()),
    );
    Ok((Payment::Burn(Token(tokens), Credit(least)), facts, words))
}

/// What burning brings at the low price now, rounded down; `None` while there is no price.
async fn expected_credits(session: &Session, tokens: u64) -> Result<Option<u64>, crate::error::Failure> {
    let round = session.chain().await?.round;
    let prices = session.client.record::<Prices>(&()).await.map_err(failed)?.value;
    let quote = prices.and_then(|prices| prices.0.quote(round, &session.genesis.economics));
    let scale = 10u64
        .checked_pow(session.decimals().into())
        .and_then(|one| one.checked_mul(100));
    Ok(quote
        .zip(scale)
        .and_then(|(quote, scale)| mul_div_floor(tokens, quote.low.0, scale)))
}

async fn refund(session: &Session, args: &Refund, out: Output) -> Done {
    let spender = Spender::new(session, &args.spending).await?;
    let credits = Credit(args.amount.0);
    let sent = spender
        .send(
            "refund_credits",
            json!({ "credits": credits.0 }),
            Body::RefundCredits(RefundCredits { credits }),
        )
        .await?;
    let mut answer = sent.answer;
    let events = sent.confirmed.iter().flat_map(|confirmed| &confirmed.events);
    for event in events {
        if let Event::CreditsRefunded { paid, fee, .. } = event {
            merge(
                &mut answer,
                json!({ "paid_micro_usd": paid.0, "refund_fee_micro_usd": fee.0 }),
            );
        }
    }
    let paid = answer["paid_micro_usd"]
        .as_u64()
        .map(|paid| format!(" for {} US dollars", decimal(paid, 6)));
    let words = format!("give {credits} credits back{}", paid.unwrap_or_default());
    spender.answer(out, &answer, &words);
    Ok(())
}
