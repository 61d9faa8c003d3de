//! `cairn network close`: the founder ends a network.

use crate::consent::must_agree;
use crate::error::Done;
use crate::output::{Output, decimal};
use crate::session::Session;
use crate::spend::{Spender, Spending, merge};
use cairn_ledger::Event;
use cairn_ledger::tx::Body;
use cairn_ledger::tx::close_network::CloseNetwork;
use serde_json::json;

/// Close a network, for ever: the next epoch is its last. Only its founder may.
///
/// Nobody can join from now on, and no order is opened. When the last epoch is settled or expired, bond and allowance return to the
/// founder by themselves; the treasurer draws on the treasury as before. On a terminal the question is asked; elsewhere say --yes.
/// Costs the ledger's base fee.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn network close garden --key founder --yes"])]
pub struct Close {
    /// Name, number or id. It must be named.
    network: String,
    /// Close it without being asked.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    spending: Spending,
}

pub async fn close(session: &Session, args: &Close, out: Output) -> Done {
    let (network, record) = session.network(Some(&args.network)).await?;
    let spender = Spender::new(session, &args.spending).await?;
    if !spender.is_dry_run() {
        let fact = format!("to close network {} is for ever", record.name);
        must_agree(args.yes, &fact, "Close it?")?;
    }
    let facts = json!({
        "network": network.to_string(), "name": record.name,
        "bond_token": record.bond.0, "allowance_token": record.allowance.0,
    });
    let body = Body::CloseNetwork(CloseNetwork { network });
    let sent = spender.send("close_network", facts, body).await?;
    let mut answer = sent.answer;
    let mut last = "the next epoch".to_owned();
    for event in sent.confirmed.iter().flat_map(|confirmed| &confirmed.events) {
        if let Event::NetworkClosing { last: epoch, .. } = event {
            last = format!("epoch {epoch}");
            merge(&mut answer, json!({ "last_epoch": epoch.0 }));
        }
    }
    let words = format!(
        "close network {}: {last} is its last; then {} token of bond and {} of allowance return to its founder",
        record.name,
        decimal(record.bond.0, session.decimals()),
        decimal(record.allowance.0, session.decimals())
    );
    spender.answer(out, &answer, &words);
    Ok(())
}
