//! `cairn config`: where services are and which chain is trusted. Never shows a secret.

use crate::commands::genesis::founding_failed;
use crate::error::{Done, Failure, Kind};
use crate::home::{AnchorText, Home};
use crate::output::Output;
use cairn_node::founding::Founding;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Show or change where services are and which chain is trusted.
///
/// The settings are settings.json in the home folder. The first talk with a node keeps its chain's key as the trust anchor; from then
/// on only what is proven under that key is believed.
#[derive(clap::Subcommand)]
pub enum Command {
    Show(Show),
    Set(Set),
}

/// Show addresses, the trust anchor, and the names of keys; no secrets. Asks no network.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn config show"])]
pub struct Show {}

/// Say where services are.
///
/// Another node's chain must be the trusted one. `--genesis` trusts the chain of a genesis file, whatever any node says;
/// `--forget-anchor` trusts the chain that the node has at the next talk. To trust a chain because of what somebody you trust says, compare
/// its genesis with that of `cairn config show`. Asks no network.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn config set --node http://127.0.0.1:8640",
    "cairn config set --genesis genesis.json --node http://validator-1.example.org:8640",
    "cairn config set --forget-anchor",
])]
pub struct Set {
    /// The node, as http://HOST:PORT.
    #[arg(long, value_name = "URL")]
    node: Option<String>,
    /// The verifier; without one, the port after the node's.
    #[arg(long, value_name = "URL")]
    verifier: Option<String>,
    /// The gateway; without one, the second port after the node's.
    #[arg(long, value_name = "URL")]
    gateway: Option<String>,
    /// Trust the chain that this file founds, which all its validators signed; they may be others by now.
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// Forget which chain is trusted.
    #[arg(long, conflicts_with = "genesis")]
    forget_anchor: bool,
}

pub fn run(command: Command, home: &Path, out: Output) -> Done {
    let home = Home::at(home);
    if let Command::Set(args) = command {
        set(&home, args)?;
    }
    show(&home, out)
}

fn set(home: &Home, args: Set) -> Done {
    let mut settings = home.settings()?;
    for (new, old) in [
        (args.node, &mut settings.node),
        (args.verifier, &mut settings.verifier),
        (args.gateway, &mut settings.gateway),
    ] {
        let Some(url) = new else { continue };
        if !url.starts_with("http://") {
            let failure = Failure::new(Kind::Usage, format!("{url} is no address"));
            return Err(failure.hint("write it like http://127.0.0.1:8640"));
        }
        *old = Some(url);
    }
    if args.forget_anchor {
        settings.anchor = None;
    }
    if let Some(path) = args.genesis {
        let failed = |error| founding_failed(&path, error);
        let founding = Founding::read_file(&path).map_err(failed)?;
        settings.anchor = Some(AnchorText::from(&founding.anchor().map_err(failed)?));
    }
    home.save(&settings)
}

fn show(home: &Home, out: Output) -> Done {
    let settings = home.settings()?;
    let names = |keys: &cairn_agent::keys::Keys| keys.names().map(str::to_owned).collect::<Vec<_>>();
    let (accounts, devices) = (names(&home.account_keys()?), names(&home.device_keys()?));
    let folder = home.join("").display().to_string();
    let answer = json!({
        "home": folder,
        "node": settings.node(),
        "verifier": settings.verifier()?,
        "gateway": settings.gateway()?,
        "anchor": settings.anchor,
        "account_keys": accounts,
        "device_keys": devices,
    });
    out.answer(&answer, || {
        let anchor = match &settings.anchor {
            Some(anchor) => format!("chain {}, genesis {}", anchor.chain, anchor.genesis),
            None => "none yet: the node is trusted at the first talk".to_owned(),
        };
        let mut lines = vec![format!("home          {folder}")];
        for name in ["node", "verifier", "gateway"] {
            lines.push(format!("{name:<13} {}", answer[name].as_str().unwrap_or_default()));
        }
        lines.push(format!("trust anchor  {anchor}"));
        lines.push(format!("account keys  {}", accounts.join(", ")));
        lines.push(format!("device keys   {}", devices.join(", ")));
        lines
    });
    Ok(())
}
