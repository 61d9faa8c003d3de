//! `cairn account`: what an account holds, opening one, and giving token or stablecoin to another.

use crate::error::{Done, Failure, Kind};
use crate::output::{Output, decimal};
use crate::session::Session;
use crate::spend::{Spender, Spending, sponsor};
use crate::units::{Decimal, usd};
use cairn_ledger::records::Account;
use cairn_ledger::tx::open_account::OpenAccount;
use cairn_ledger::tx::transfer::Transfer;
use cairn_ledger::tx::{Asset, Body};
use cairn_types::{MicroUsd, Token};
use serde_json::{Value, json};
use std::path::Path;

/// Look at, open and pay from accounts.
#[derive(clap::Subcommand)]
pub enum Command {
    Show(Show),
    Open(Open),
    Transfer(Send),
}

/// Show what an account holds, proven against the chain's key.
#[derive(clap::Args)]
pub struct Show {
    /// A key's name here, or an account's id.
    #[arg(default_value = "me")]
    account: String,
}

/// Open the account of a key; a network's allowance pays the fee.
#[derive(clap::Args)]
pub struct Open {
    /// The network that pays, by name or id; the only one there is, unless told otherwise.
    #[arg(long, value_name = "NETWORK")]
    sponsor: Option<String>,
    #[command(flatten)]
    spending: Spending,
}

/// Give token or stablecoin to another account.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("amount").required(true).args(["token", "stable"])))]
pub struct Send {
    /// A key's name here, or an account's id.
    to: String,
    /// Whole tokens, like 12.5.
    #[arg(long, value_name = "TOKENS")]
    token: Option<Decimal>,
    /// US dollars of stablecoin.
    #[arg(long, value_name = "USD", value_parser = usd)]
    stable: Option<MicroUsd>,
    #[command(flatten)]
    spending: Spending,
}

pub fn run(command: Command, home: &Path, out: Output) -> Done {
    crate::roles::runtime()?.block_on(async {
        let session = Session::open(home).await?;
        match command {
            Command::Show(args) => show(&session, &args, out).await,
            Command::Open(args) => open(&session, &args, out).await,
            Command::Transfer(args) => transfer(&session, &args, out).await,
        }
    })
}

async fn show(session: &Session, args: &Show, out: Output) -> Done {
    let id = session.account_id(&args.account)?;
    let account = session.account(&id).await?;
    let answer = face(&id.to_string(), &account);
    out.answer(&answer, || lines(&answer, session.decimals()));
    Ok(())
}

fn face(id: &str, account: &Account) -> Value {
    json!({
        "account": id,
        "number": account.number.0,
        "nonce": account.nonce,
        "token": account.token.0,
        "stable_micro_usd": account.stable.0,
        "credits": {
            "total": account.credits.stable.0.saturating_add(account.credits.burned.0),
            "stable_backed": account.credits.stable.0,
            "burn_backed": account.credits.burned.0,
        },
        "wants_stable_bps": account.payout_choice.wants.map(|wants| wants.get()),
        "proven": true,
    })
}

fn lines(answer: &Value, decimals: u8) -> Vec<String> {
    let amount = |value: &Value, decimals| decimal(value.as_u64().unwrap_or_default(), decimals);
    let credits = &answer["credits"];
    vec![
        format!(
            "account     {} (number {})",
            answer["account"].as_str().unwrap_or_default(),
            answer["number"]
        ),
        format!("token       {}", amount(&answer["token"], decimals)),
        format!("stablecoin  {} US dollars", amount(&answer["stable_micro_usd"], 6)),
        format!(
            "credits     {} ({} US dollars of service): {} can be refunded, {} bought by burning",
            credits["total"],
            amount(&credits["total"], 6),
            credits["stable_backed"],
            credits["burn_backed"]
        ),
    ]
}

async fn open(session: &Session, args: &Open, out: Output) -> Done {
    let sponsor = sponsor(session, args.sponsor.as_deref()).await?;
    if sponsor.is_none() {
        let failure = Failure::new(
            Kind::Usage,
            "an account that does not exist yet cannot pay the fee of opening it",
        );
        return Err(failure.hint("name a network that pays: --sponsor NETWORK"));
    }
    let spender = Spender::new(session, &args.spending)?.sponsored_by(sponsor);
    let sent = spender
        .send("open_account", json!({}), Body::OpenAccount(OpenAccount {}))
        .await?;
    spender.answer(out, &sent.answer, &format!("open account {}", spender.account()));
    Ok(())
}

async fn transfer(session: &Session, args: &Send, out: Output) -> Done {
    let to = session.account_id(&args.to)?;
    let (amount, facts, words) = match (&args.token, args.stable) {
        (Some(token), _) => {
            let token = token.units(session.decimals())?;
            (
                Asset::Token(Token(token)),
                json!({ "to": to.to_string(), "amount_token": token }),
                format!("{} token", decimal(token, session.decimals())),
            )
        }
        (None, stable) => {
            let stable = stable.unwrap_or_default();
            (
                Asset::Stable(stable),
                json!({ "to": to.to_string(), "amount_micro_usd": stable.0 }),
                format!("{} US dollars of stablecoin", decimal(stable.0, 6)),
            )
        }
    };
    let spender = Spender::new(session, &args.spending)?;
    let body = Body::Transfer(Transfer { to, amount });
    let sent = spender.send("transfer", facts, body).await?;
    spender.answer(out, &sent.answer, &format!("transfer {words} to {to}"));
    Ok(())
}
