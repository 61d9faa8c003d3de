//! `cairn up`: a whole network in this process, or with several validators and verifiers in processes of their own; on the real clock,
//! with its data in the home folder.

use crate::commands::genesis::committee_blocks;
use crate::error::Done;
use crate::home::Home;
use crate::output::{Output, decimal};
use crate::roles::fleet::{self, Plan};
use crate::roles::logs::Logs;
use crate::roles::until_stopped;
use crate::roles::up::{self, Options};
use crate::units::usd;
use cairn_types::{MicroUsd, Price};
use serde_json::json;
use std::path::Path;

/// Run a whole network: node, verifier, gateway and explorer in this process, or several of them, each in a process of its own.
///
/// The first run makes keys (founder, verifier, issuer, gateway), a chain and a network of sensors; later runs go on where the last
/// one ended, however it ended. Every network of the ledger is judged, new ones too. Ends at Ctrl-C or SIGTERM. The stablecoin is
/// the promise of this chain's own issuer, not money. RUST_LOG says how much is logged.
///
/// With --validators, --verifiers, --dispute-seconds or --committee-blocks each of them is a process of its own with its own folder and
/// keys; the validators make their key together, as strangers would. Where results may be disputed a watcher beside each validator judges
/// disputes. A process that ends is started again, ever later if it goes on ending; up.json in the home folder says which run. They
/// listen ten ports apart.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn up",
    "cairn up --epoch-seconds 60 --home try",
    "cairn up --validators 4 --verifiers 3 --dispute-seconds 60 --home several",
])]
pub struct Args {
    /// Where the node listens, on this computer only; verifier, gateway and explorer take the next three ports. 0: any.
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
    /// How many validators; four bear one that fails or lies, seven bear two.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=100))]
    validators: u16,
    /// How many verifiers, each with the same bond; results need more than two thirds of it.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    verifiers: u16,
    /// How long a settled result may be disputed before its money moves, of the chain's uptime, on a new chain; nobody can, unless told otherwise.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=7 * 86_400))]
    dispute_seconds: Option<u64>,
    /// Blocks after which the validators' shares are renewed, on a new chain: a quarter of it is the most validators that it can ever have.
    /// 1,024, unless told otherwise.
    #[arg(long, value_name = "BLOCKS", value_parser = committee_blocks())]
    committee_blocks: Option<u64>,
    #[command(flatten)]
    logs: Logs,
}

pub fn run(args: Args, home: &Path, out: Output) -> Done {
    args.logs.start();
    let several = args.validators > 1 || args.verifiers > 1;
    let several = several || args.dispute_seconds.is_some() || args.committee_blocks.is_some();
    if several || Plan::is_in(&Home::at(home)) {
        return run_fleet(args, &Home::at(home), out);
    }
    let options = Options {
        chain: args.chain,
        epoch_ms: args.epoch_seconds.map(|seconds| seconds * 1_000),
        port: args.port,
        price: Price(args.token_price.0.saturating_mul(100)),
    };
    let home = Home::at(home);
    crate::roles::runtime()?.block_on(async {
        out.say("starting node, verifier, gateway and explorer …");
        let stopped = until_stopped();
        let up = up::start(&home, &options).await?;
        let answer = json!({
            "home": home.absolute()?.display().to_string(),
            "chain": up.genesis.chain.as_str(),
            "epoch_ms": up.genesis.epoch_ms,
            "node": up.settings.node,
            "verifier": up.settings.verifier,
            "gateway": up.settings.gateway,
            "explorer": up.explorer.url(),
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
                format!("explorer  {}", text("explorer")),
                "Next: cairn key new · cairn account open · cairn device register NAME --lat DEGREES --lng DEGREES"
                    .to_owned(),
            ]
        });
        up.serve(stopped).await
    })
}

fn run_fleet(args: Args, home: &Home, out: Output) -> Done {
    let options = fleet::Options {
        chain: args.chain,
        epoch_ms: args.epoch_seconds.map(|seconds| seconds * 1_000),
        port: args.port,
        validators: args.validators,
        verifiers: args.verifiers,
        token_price: decimal(args.token_price.0, 6),
        dispute_ms: args.dispute_seconds.map(|seconds| seconds * 1_000),
        committee_blocks: args.committee_blocks,
        log_format: args.logs.form(),
    };
    crate::roles::runtime()?.block_on(fleet::run(home, &options, out))
}
