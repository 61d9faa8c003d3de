//! `cairn account`: what an account holds, opening one, changing who signs for it and how it is paid, and giving
//! token or stablecoin to another.

mod add;
mod open;
pub mod payout;
mod rotate;

use crate::accounts::{Accounts, RuleText};
use crate::error::{Done, Failure};
use crate::output::{Output, decimal};
use crate::session::Session;
use crate::spend::{Spender, Spending, merge};
use crate::units::{Decimal, usd};
use cairn_ledger::account::Rule;
use cairn_ledger::records::Account;
use cairn_ledger::tx::transfer::Transfer;
use cairn_ledger::tx::{Asset, Body};
use cairn_types::{MicroUsd, Token};
use serde_json::{Value, json};
use std::path::Path;

/// Open accounts, look at them, pay from them, and change who signs for them.
///
/// An account's id follows from the key that opened it and stays for ever; the keys that sign for it can be changed. Several keys
/// can share an account, so that two of three must sign, say.
#[derive(clap::Subcommand)]
pub enum Command {
    Show(Show),
    Open(open::Open),
    Add(add::Add),
    Rotate(rotate::Rotate),
    Transfer(Send),
    Payout(payout::Args),
}

/// Show what an account holds and who signs for it, proven against the chain's key. Costs nothing.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn account show founder"])]
pub struct Show {
    /// The name of a key or of a noted account here, or an account's id.
    #[arg(default_value = "me")]
    account: String,
}

/// Give token or stablecoin to another account, which must be open. Costs the ledger's base fee.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn account transfer ID --token 12.5",
    "cairn account transfer ID --stable 3 --key team --export gift.tx",
])]
#[command(group(clap::ArgGroup::new("amount").required(true).args(["token", "stable"])))]
pub struct Send {
    /// Who receives: an account's id, or the name of a key or of a noted account here.
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
            Command::Open(args) => open::open(&session, &args, out).await,
            Command::Add(args) => add::add(&session, &args, out).await,
            Command::Rotate(args) => rotate::rotate(&session, &args, out).await,
            Command::Transfer(args) => transfer(&session, &args, out).await,
            Command::Payout(args) => payout::run(&session, &args, out).await,
        }
    })
}

async fn show(session: &Session, args: &Show, out: Output) -> Done {
    let id = session.account_id(&args.account)?;
    let account = session.account(&id).await?;
    let open = session.chain().await?.epoch;
    let mut answer = face(&id.to_string(), &account);
    merge(
        &mut answer,
        json!({ "rule": known_rule(session, &args.account, &account)? }),
    );
    merge(&mut answer, payout::face(&account.payout_choice));
    out.answer(&answer, || {
        let mut lines = lines(&answer, session.decimals());
        lines.push(payout::line(&account.payout_choice, open));
        lines
    });
    Ok(())
}

/// The rule in force, where it is known here; the ledger keeps its hash only.
fn known_rule(session: &Session, name: &str, account: &Account) -> Result<Option<RuleText>, Failure> {
    if let Some(known) = Accounts::of(&session.home)?.get(name)? {
        return Ok(known.in_force(&account.rule).map(RuleText::from));
    }
    let keys = session.home.account_keys()?;
    let single = keys.get(name).map(|key| Rule::single(key.public()));
    Ok(single
        .filter(|rule| rule.hash() == account.rule)
        .as_ref()
        .map(RuleText::from))
}

fn face(id: &str, account: &Account) -> Value {
    json!({
        "account": id,
        "number": account.number.0,
        "nonce": account.nonce,
        "rule_hash": account.rule.to_string(),
        "token": account.token.0,
        "stable_micro_usd": account.stable.0,
        "credits": {
            "total": account.credits.stable.0.saturating_add(account.credits.burned.0),
            "stable_backed": account.credits.stable.0,
            "burn_backed": account.credits.burned.0,
        },
        "proven": true,
    })
}

fn lines(answer: &Value, decimals: u8) -> Vec<String> {
    let amount = |value: &Value, decimals| decimal(value.as_u64().unwrap_or_default(), decimals);
    let credits = &answer["credits"];
    let signs = match answer["rule"]["keys"].as_array() {
        Some(keys) if keys.len() == 1 => format!("the key {}", keys[0].as_str().unwrap_or_default()),
        Some(keys) => format!(
            "{} of {} keys, as this folder knows them",
            answer["rule"]["threshold"],
            keys.len()
        ),
        None => format!(
            "keys that this folder does not know; their hash is {}",
            answer["rule_hash"]
        ),
    };
    vec![
        format!(
            "account     {} (number {})",
            answer["account"].as_str().unwrap_or_default(),
            answer["number"]
        ),
        format!("signed by   {signs}"),
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
    let spender = Spender::new(session, &args.spending).await?;
    let body = Body::Transfer(Transfer { to, amount });
    let sent = spender.send("transfer", facts, body).await?;
    spender.answer(out, &sent.answer, &format!("transfer {words} to {to}"));
    Ok(())
}
