//! `cairn validator upgrade`: which version of the ledger's rules holds and which is announced, and votes of validators on the next one.
//! Installs nothing.

use super::failed;
use crate::error::Done;
use crate::output::Output;
use crate::session::Session;
use crate::spend::{Spender, Spending, merge};
use cairn_client::Status;
use cairn_ledger::Event;
use cairn_ledger::tx::Body;
use cairn_ledger::tx::vote_upgrade::VoteUpgrade;
use serde_json::json;

/// See which version of the ledger's rules holds, and vote on the next one.
///
/// The rules change at a height that more than two thirds of the validators announce beforehand. A node whose program does not speak the
/// version that is announced warns from then on, and stops before that block; with a program that speaks it, it goes on from there.
#[derive(clap::Subcommand)]
pub enum Upgrade {
    Vote(Vote),
    Withdraw(Withdraw),
    Show(Show),
}

/// Vote as a validator that the next version of the rules holds from a height on.
///
/// It is announced as soon as more than two thirds of the present validators wish the same version at the same height. A vote may be
/// changed until then. Choose a height that leaves everybody days to install the version. Costs the ledger's base fee.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn validator upgrade vote --version 2 --height 250000 --key validator"])]
pub struct Vote {
    /// The version, as `cairn validator upgrade show` names the next one.
    #[arg(long, value_name = "VERSION")]
    version: u16,
    /// The first block in which it holds.
    #[arg(long, value_name = "HEIGHT")]
    height: u64,
    #[command(flatten)]
    spending: Spending,
}

/// Vote as a validator that a version that is announced does not come.
///
/// It is withdrawn as soon as more than two thirds of the present validators wish so, before its height. Costs the ledger's base fee.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn validator upgrade withdraw --version 2 --key validator"])]
pub struct Withdraw {
    /// The version that is announced.
    #[arg(long, value_name = "VERSION")]
    version: u16,
    #[command(flatten)]
    spending: Spending,
}

/// Show which version of the rules holds, which is announced, and what the node's program speaks. Costs nothing.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn validator upgrade show"])]
pub struct Show {}

pub async fn run(session: &Session, command: Upgrade, out: Output) -> Done {
    match command {
        Upgrade::Vote(args) => vote(session, &args.spending, args.version, Some(args.height), out).await,
        Upgrade::Withdraw(args) => vote(session, &args.spending, args.version, None, out).await,
        Upgrade::Show(Show {}) => show(session, out).await,
    }
}

async fn vote(session: &Session, spending: &Spending, version: u16, height: Option<u64>, out: Output) -> Done {
    let spender = Spender::new(session, spending).await?;
    let words = match height {
        Some(height) => format!("wish that version {version} of the rules holds from block {height} on"),
        None => format!("wish that version {version} of the rules does not come"),
    };
    let facts = json!({ "version": version, "height": height });
    let body = Body::VoteUpgrade(VoteUpgrade { version, height });
    let sent = spender.send("vote_upgrade", facts, body).await?;
    let mut answer = sent.answer;
    let mut effect = "";
    if let Some(confirmed) = &sent.confirmed {
        let decides = |event: &Event| matches!(event, Event::UpgradeAnnounced { .. } | Event::UpgradeWithdrawn { .. });
        let decided = confirmed.events.iter().any(decides);
        merge(&mut answer, json!({ "decided": decided }));
        effect = match (decided, height) {
            (false, _) => ": counted; others must wish the same",
            (true, Some(_)) => ": decided, it is announced",
            (true, None) => ": decided, it is withdrawn",
        };
    }
    spender.answer(out, &answer, &format!("{words}{effect}"));
    Ok(())
}

async fn show(session: &Session, out: Output) -> Done {
    let seen = session.client.protocol().await.map_err(failed)?;
    let protocol = seen.value.unwrap_or_default();
    let upgrades = session.client.upgrades(protocol.version).await.map_err(failed)?;
    let Status { protocol: told, .. } = session.told.status().await.map_err(failed)?;
    let next = protocol.announced().map(|(version, height)| {
        json!({
            "version": version, "height": height, "blocks_left": height.saturating_sub(seen.height),
            "node_speaks_it": told.speaks(version),
        })
    });
    let past: Vec<_> = upgrades
        .iter()
        .map(|(version, upgrade)| json!({ "version": version, "height": upgrade.height }))
        .collect();
    let answer = json!({
        "version": protocol.version,
        "since": protocol.since,
        "next": next,
        "upgrades": past,
        "node_speaks": { "min": told.speaks_min, "max": told.speaks_max },
        "height": seen.height,
        "proven": seen.proven,
    });
    out.answer(&answer, || {
        let mut lines = vec![
            format!("rules     version {} since block {}", protocol.version, protocol.since),
            format!("node      speaks versions {} to {}", told.speaks_min, told.speaks_max),
        ];
        lines.push(match protocol.announced() {
            None => "next      nothing is announced".to_owned(),
            Some((version, height)) => {
                let left = height.saturating_sub(seen.height);
                let ready = match told.speaks(version) {
                    true => "the node goes on",
                    false => "THE NODE STOPS BEFORE IT: install a program that speaks it",
                };
                format!("next      version {version} from block {height} on, in {left} blocks: {ready}")
            }
        });
        lines
    });
    Ok(())
}
