//! `cairn dispute watch`: judges open disputes by itself, and audits what is settled.

use crate::error::{Done, Failure, Kind, OrFail};
use crate::home::Home;
use crate::output::{Output, decimal};
use crate::roles::chain::{Origin, RemoteNode};
use crate::roles::logs::Logs;
use crate::roles::until_stopped;
use crate::roles::watch::{Metrics, Settings, Source, Watch, serve};
use crate::session::Session;
use crate::units::Decimal;
use cairn_types::Token;
use cairn_verifier::objects::Remote;
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Judge every open dispute of the chain as a validator, by itself, until Ctrl-C or SIGTERM.
///
/// Follows the disputes of all networks, fetches what was anchored from the verifiers that say on the ledger where they are, recomputes
/// the epoch and votes for what it comes to. Where the files cannot be had it does not vote, and tries again. A validator asks its own
/// node. What it judges by it hands to every verifier that lacks it, so that all can follow what is decided. With --open it recomputes
/// every settled epoch as well and disputes a result that is wrong; that takes no validator, but token for the bond. With --complete it
/// also disputes a result that is right but leaves out files which turned up, if somebody is paid otherwise by them: its bond returns
/// without a reward. An epoch that verifiers do not settle in time it puts before the validators, for one bond, which returns. What it did
/// stands on the ledger: it may be killed at any moment.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn dispute watch --key validator",
    "cairn dispute watch --key me --open --bonds 2000",
    "cairn dispute watch --key me --open --complete --archive turned-up",
])]
pub struct Args {
    /// The key of the account that votes and disputes.
    #[arg(long, value_name = "NAME", default_value = "validator")]
    key: String,
    /// A folder of archives to look into first; may be named several times.
    #[arg(long, value_name = "DIR")]
    archive: Vec<PathBuf>,
    /// Audit every settled epoch, and dispute a wrong result.
    #[arg(long)]
    open: bool,
    /// Dispute as well what is right but leaves out files that are to be had by now, where that changes what anybody is paid.
    #[arg(long, requires = "open")]
    complete: bool,
    /// Whole tokens that its disputes may hold at once; one bond, unless told otherwise.
    #[arg(long, value_name = "TOKENS", requires = "open")]
    bonds: Option<Decimal>,
    /// Where it tells how it goes: /v1/health and /metrics. Port 0: any.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8643")]
    listen: SocketAddr,
    #[command(flatten)]
    logs: Logs,
}

pub fn run(args: Args, home: &Path, out: Output) -> Done {
    args.logs.start();
    let runtime = crate::roles::runtime()?;
    let done = runtime.block_on(watching(args, home, out));
    // What is being recomputed is for nobody any more.
    runtime.shutdown_background();
    done
}

async fn watching(args: Args, home: &Path, out: Output) -> Done {
    let stopped = until_stopped();
    let session = Session::open(home).await?;
    let limits = session.genesis.limits;
    if limits.dispute_window_ms == 0 && limits.stall_ms == 0 {
        let failure = Failure::new(Kind::Refused, "on this chain validators decide nothing");
        return Err(
            failure.hint("a chain is founded with a window for disputes: `cairn genesis new --dispute-seconds`")
        );
    }
    let key = crate::accounts::single_key(&Home::at(home), &args.key)?;
    let bonds_max = match (&args.bonds, args.open) {
        (Some(bonds), _) => Some(Token(bonds.units(session.decimals())?)),
        (None, true) => Some(limits.dispute_bond),
        (None, false) => None,
    };
    let (chain, _client) = RemoteNode::chain(&Origin::of(home, None)?).await?;
    let node = session.settings.node().to_owned();
    let decimals = session.decimals();
    let metrics = Metrics::default();
    let settings = Settings {
        session,
        chain,
        key,
        named: args
            .archive
            .iter()
            .map(|folder| named(folder))
            .collect::<Result<_, _>>()?,
        bonds_max,
        completes: args.complete,
    };
    let mut watch = Watch::new(settings, metrics.clone());
    let validator = watch.is_validator().await?;
    if !validator && bonds_max.is_none() {
        let fact = format!("the account of {} is no validator's", args.key);
        return Err(Failure::new(Kind::Refused, fact).hint("name a validator's key with --key, or watch with --open"));
    }
    let listener = TcpListener::bind(args.listen).await.or_fail(Kind::Files, args.listen)?;
    let address = listener.local_addr().or_fail(Kind::Files, args.listen)?;
    let answer = json!({
        "watch": format!("http://{address}"),
        "account": watch.account().to_string(),
        "node": node,
        "validator": validator,
        "bonds_token": bonds_max.map(|bonds| bonds.0),
        "completes": args.complete,
    });
    out.answer(&answer, || {
        vec![
            format!("watch      http://{address}"),
            format!(
                "account    {}{}",
                watch.account(),
                if validator { ", a validator's" } else { "" }
            ),
            match bonds_max {
                Some(bonds) => format!(
                    "disputes   what is wrong{}, with bonds of {} token at most",
                    if args.complete { " or incomplete" } else { "" },
                    decimal(bonds.0, decimals)
                ),
                None => "disputes   nothing".to_owned(),
            },
        ]
    });
    let (stop, stopping) = watch::channel(false);
    let face = tokio::spawn(serve(listener, metrics, wait(stopping)));
    let done = watch.run(stopped).await;
    stop.send_replace(true);
    // Nobody needs its last answers.
    face.abort();
    done
}

async fn wait(mut stopping: watch::Receiver<bool>) {
    // An error means that whoever would say it is gone.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

fn named(folder: &Path) -> Result<Source, Failure> {
    if !folder.is_dir() {
        let failure = Failure::new(Kind::Files, format!("{} is not a folder", folder.display()));
        return Err(failure.hint("name the folder that holds a folder for each network"));
    }
    let objects = Remote::folder(folder).or_fail(Kind::Files, folder.display())?;
    Ok(Source {
        name: folder.display().to_string(),
        objects: Arc::new(objects),
    })
}
