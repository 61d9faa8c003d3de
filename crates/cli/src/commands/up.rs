//! `cairn up`: a whole network in this process, on the real clock, with its data in the home folder.

use crate::error::Done;
use crate::home::Home;
use crate::output::Output;
use crate::roles::logs::Logs;
use crate::roles::up::{self, Options};
use crate::units::usd;
use cairn_types::{MicroUsd, Price};
use serde_json::json;
use std::path::Path;

/// Run a whole network in this process: node, verifier and gateway, with their data in the home folder.
///
/// The first run makes keys (founder, verifier, issuer, gateway), a chain and a network of sensors; later runs go on where the last
/// one ended, however it ended. Every network of the ledger is judged, new ones too. Ends at Ctrl-C or SIGTERM. The stablecoin is
/// the promise of this chain's own issuer, not money. RUST_LOG says how much is logged.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn up", "cairn up --epoch-seconds 60 --home try"])]
pub struct Args {
    /// Where the node listens, on this computer only; verifier and gateway take the next two ports. 0: any.
    #[arg(long, value_name = "PORT", default_value_t = 8640)]
    port: u16,
    /// Length of an epoch in seconds, for a new chain; an hour, unless told otherwise.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(2..=86_400))]
    epoch_seconds: Option<u64>,
    /// Name of a new chain.
    #[arg(long, value_name = "NAME", default_value = "cairn-local")]
    chain: String,
    /// US dollars that the verifier says a token is worth, while there is no market.
    #[arg(long, value_name = "USD", value_parser = usd, default_value = "0.05")]
    token_price: MicroUsd,
    #[command(flatten)]
    logs: Logs,
}

pub fn run(args: Args, home: &Path, out: Output) -> Done {
    args.logs.start();
    let options = Options {
        chain: args.chain,
        epoch_ms: args.epoch_seconds.map(|seconds| seconds * 1_000),
        port: args.port,
        price: Price(args.token_price.0.saturating_mul(100)),
    };
    let home = Home::at(home);
    crate::roles::runtime()?.block_on(async {
        out.say("starting node, verifier and gateway …");
        let up = up::start(&home, &options).await?;
        let answer = json!({
            "home": home.absolute()?.display().to_string(),
            "chain": up.genesis.chain.as_str(),
            "epoch_ms": up.genesis.epoch_ms,
            "node": up.settings.node,
            "verifier": up.settings.verifier,
            "gateway": up.settings.gateway,
            "networks": up.verifier.networks().iter().map(ToString::to_string).collect::<Vec<_>>(),
        });
        out.answer(&answer, || {
            let text = |field: &str| answer[field].as_str().unwrap_or_default();
            vec![
                format!(
                    "chain     {}, epochs of {} s",
                    text("chain"),
                    up.genesis.epoch_ms / 1_000
                ),
                format!("node      {}", text("node")),
                format!("verifier  {}", text("verifier")),
                format!("gateway   {}", text("gateway")),
                "Next: cairn key new · cairn account open · cairn device register NAME --lat DEGREES --lng DEGREES"
                    .to_owned(),
            ]
        });
        up.serve().await
    })
}
