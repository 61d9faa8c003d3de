//! `cairn network fund | withdraw`: token and stablecoin into a network's treasury or its allowance for fees, and out of the treasury.

use crate::error::{Done, Failure};
use crate::output::{Output, decimal};
use crate::session::Session;
use crate::spend::{Spender, Spending};
use crate::units::{Decimal, usd};
use cairn_ledger::tx::fund_treasury::FundTreasury;
use cairn_ledger::tx::withdraw_treasury::WithdrawTreasury;
use cairn_ledger::tx::{Asset, Body};
use cairn_types::{MicroUsd, Token};
use serde_json::{Value, json};

/// Give token or stablecoin to a network's treasury, or token to its allowance for fees; anyone may.
///
/// The treasury belongs to the network's treasurer. The allowance pays the fees of those who open accounts and register devices, and
/// returns to the founder when the network is closed. Costs the ledger's base fee.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn network fund garden --token 500 --allowance",
    "cairn network fund garden --stable 25",
])]
pub struct Fund {
    /// Name, number or id; the only one there is, unless told otherwise.
    network: Option<String>,
    #[command(flatten)]
    amount: Amount,
    /// To the allowance for fees instead of the treasury.
    #[arg(long, conflicts_with = "stable")]
    allowance: bool,
    #[command(flatten)]
    spending: Spending,
}

/// Draw token or stablecoin from a network's treasury; only its treasurer may, also after the network closed.
///
/// It goes to the treasurer's account. Costs the ledger's base fee.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn network withdraw garden --stable 25 --key founder"])]
pub struct Withdraw {
    /// Name, number or id; the only one there is, unless told otherwise.
    network: Option<String>,
    #[command(flatten)]
    amount: Amount,
    #[command(flatten)]
    spending: Spending,
}

/// So much of one asset.
#[derive(clap::Args)]
#[command(group(clap::ArgGroup::new("asset").required(true).args(["token", "stable"])))]
pub struct Amount {
    /// Whole tokens, like 12.5.
    #[arg(long, value_name = "TOKENS")]
    token: Option<Decimal>,
    /// US dollars of stablecoin, like 12.5.
    #[arg(long, value_name = "USD", value_parser = usd)]
    stable: Option<MicroUsd>,
}

impl Amount {
    /// For the ledger, for programs and for people.
    fn read(&self, decimals: u8) -> Result<(Asset, Value, String), Failure> {
        if let Some(token) = &self.token {
            let amount = token.units(decimals)?;
            let words = format!("{} token", decimal(amount, decimals));
            return Ok((Asset::Token(Token(amount)), json!({ "amount_token": amount }), words));
        }
        let amount = self.stable.unwrap_or_default();
        let words = format!("{} US dollars of stablecoin", decimal(amount.0, 6));
        Ok((Asset::Stable(amount), json!({ "amount_micro_usd": amount.0 }), words))
    }
}

pub async fn fund(session: &Session, args: &Fund, out: Output) -> Done {
    let (network, record) = session.network(args.network.as_deref()).await?;
    let spender = Spender::new(session, &args.spending).await?;
    let (amount, mut facts, words) = args.amount.read(session.decimals())?;
    let to = if args.allowance { "allowance" } else { "treasury" };
    crate::spend::merge(&mut facts, json!({ "network": network.to_string(), "to": to }));
    let body = FundTreasury {
        network,
        amount,
        allowance: args.allowance,
    };
    let sent = spender.send("fund_treasury", facts, Body::FundTreasury(body)).await?;
    let words = format!("give {words} to the {to} of network {}", record.name);
    spender.answer(out, &sent.answer, &words);
    Ok(())
}

pub async fn withdraw(session: &Session, args: &Withdraw, out: Output) -> Done {
    let (network, record) = session.network(args.network.as_deref()).await?;
    let spender = Spender::new(session, &args.spending).await?;
    let (amount, mut facts, words) = args.amount.read(session.decimals())?;
    crate::spend::merge(&mut facts, json!({ "network": network.to_string() }));
    let body = Body::WithdrawTreasury(WithdrawTreasury { network, amount });
    let sent = spender.send("withdraw_treasury", facts, body).await?;
    let words = format!("draw {words} from the treasury of network {}", record.name);
    spender.answer(out, &sent.answer, &words);
    Ok(())
}
