//! `cairn gateway`: the seller of a network's data as a process of its own.

use crate::error::Done;
use crate::home::Home;
use crate::output::Output;
use crate::roles::chain::{NodeChain, RemoteNode};
use crate::roles::logs::Logs;
use crate::roles::{gateway, until_stopped};
use crate::session::Session;
use cairn_verifier::objects::HttpArchive;
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Sell what verifiers attested.
#[derive(clap::Subcommand)]
pub enum Command {
    Run(Run),
}

/// Run a gateway: quotes, escrows, data by cell, time and quantity, and settlement.
///
/// It reads a verifier's archive over HTTP and sells only what the ledger's attested roots bind, once no dispute can replace it any more.
/// It may be killed at any moment and goes on where it was. One process for one account, since only its journal knows what streams and API
/// keys have promised so far. Ends at Ctrl-C or SIGTERM.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn gateway run --key gateway --listen 127.0.0.1:8642"])]
pub struct Run {
    /// The key of the gateway's account; it pays fees with it.
    #[arg(long, value_name = "NAME", default_value = "gateway")]
    key: String,
    /// Where customers reach it; only on this computer, unless told otherwise.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8642")]
    listen: SocketAddr,
    /// The folder of its journal; gateway in the home folder, unless told otherwise.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The verifier whose archive it sells and which it tells what was used; the one of the settings, unless told otherwise.
    #[arg(long, value_name = "URL")]
    verifier: Option<String>,
    #[command(flatten)]
    logs: Logs,
}

pub fn run(command: Command, home: &Path, out: Output) -> Done {
    let Command::Run(args) = command;
    args.logs.start();
    crate::roles::runtime()?.block_on(serve(args, home, out))
}

async fn serve(args: Run, home: &Path, out: Output) -> Done {
    let stopped = until_stopped();
    let session = Session::open(home).await?;
    let home = Home::at(home);
    let key = crate::accounts::single_key(&home, &args.key)?;
    let verifier = match args.verifier {
        Some(url) => url,
        None => session.settings.verifier()?,
    };
    let runtime = tokio::runtime::Handle::current();
    let node = RemoteNode {
        client: session.client.clone(),
        runtime: runtime.clone(),
    };
    let chain = Arc::new(NodeChain::new(Arc::new(node), &session.genesis));
    let archive = Arc::new(HttpArchive::new(&verifier, runtime));
    let folder = match args.data {
        Some(folder) => folder,
        None => home.absolute()?.join("gateway"),
    };
    let gateway = gateway::start(folder, &key, chain, archive, &verifier, args.listen).await?;
    let answer = json!({ "gateway": gateway.url(), "verifier": verifier, "node": session.settings.node() });
    out.answer(&answer, || {
        vec![
            format!("gateway   {}", gateway.url()),
            format!("verifier  {verifier}"),
            format!("node      {}", session.settings.node()),
        ]
    });
    stopped.await;
    gateway.shutdown().await;
    Ok(())
}
