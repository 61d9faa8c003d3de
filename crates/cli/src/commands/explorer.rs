//! `cairn explorer`: what happened on a chain, for people and programs, as a process of its own.

use crate::error::{Done, Failure, Kind, OrFail};
use crate::home::{AnchorText, Home};
use crate::output::Output;
use crate::roles::chain::{Origin, RemoteNode};
use crate::roles::explorer::{self, Wanted};
use crate::roles::logs::Logs;
use crate::roles::until_stopped;
use cairn_explorer::db::Location;
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Show what happens on a chain.
#[derive(clap::Subcommand)]
pub enum Command {
    Run(Run),
}

/// Run an explorer: pages and an API over everything that happened on a chain.
///
/// It follows a node's final blocks, checks the validators' certificates over them, runs their transactions through the ledger's own rules
/// and indexes what that comes to. Findings come out of verifiers' archives, and only under the roots that are on the ledger. It holds no
/// key. It may be killed at any moment and goes on where it was; an index of another form is made anew. Ends at Ctrl-C or SIGTERM.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn explorer run",
    "cairn explorer run --from http://10.0.0.5:8640 --listen 0.0.0.0:80 --database postgres://cairn@10.0.0.6/explorer",
    "cairn explorer run --host explorer.example",
])]
pub struct Run {
    /// A node of the chain that keeps all blocks; that of the home folder's settings, or http://127.0.0.1:8640, unless told otherwise.
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// File with the trust anchor: JSON with chain, group_key, genesis, era, as settings.json has it. Without it that of the settings is
    /// trusted, or what the node says of its own key.
    #[arg(long, value_name = "FILE")]
    anchor: Option<PathBuf>,
    /// Where it is reached; only on this computer, unless told otherwise.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8643")]
    listen: SocketAddr,
    /// Where the index is: sqlite:FILE, or postgres://USER@HOST/NAME; explorer.db in the home folder, unless told otherwise.
    #[arg(long, value_name = "WHERE", value_parser = location)]
    database: Option<Location>,
    /// Make the index anew.
    #[arg(long)]
    rebuild: bool,
    /// A verifier whose archive is asked before those that the ledger names; may be given several times. The one of the settings, unless
    /// told otherwise.
    #[arg(long, value_name = "URL")]
    verifier: Vec<String>,
    /// The gateway to which quotes and queries are passed on; the one of the settings, unless told otherwise.
    #[arg(long, value_name = "URL")]
    gateway: Option<String>,
    /// Another page that may read the API in a browser.
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Option<String>,
    /// A name under which the explorer is reached, as behind a proxy that passes it on; may be given several times. Requests for other names
    /// than these, addresses and localhost are refused: else a page elsewhere could make its own name lead here and read along.
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// Also ask verifiers for archives that the ledger names at addresses of this computer or of its own network. Anybody with a bond names
    /// such an address: leave it out where strangers reach the explorer, and name those near with --verifier. Alerts may be posted there then, too.
    #[arg(long)]
    near: bool,
    /// Let operators have alerts posted to addresses that they sign.
    #[arg(long)]
    webhooks: bool,
    #[command(flatten)]
    logs: Logs,
}

fn location(text: &str) -> Result<Location, String> {
    text.parse()
        .map_err(|error: cairn_explorer::db::DbError| format!("{error}: {}", error.hint()))
}

pub fn run(command: Command, home: &Path, out: Output) -> Done {
    let Command::Run(args) = command;
    args.logs.start();
    crate::roles::runtime()?.block_on(serve(args, home, out))
}

/// The trust anchor in a file.
fn anchor(file: &Path) -> Result<cairn_client::Anchor, Failure> {
    let text = std::fs::read_to_string(file).or_fail(Kind::Files, file.display())?;
    let read: AnchorText = serde_json::from_str(&text).or_fail(Kind::Files, file.display())?;
    read.anchor()
}

async fn serve(args: Run, home: &Path, out: Output) -> Done {
    let stopped = until_stopped();
    let origin = Origin::of(home, args.from.as_deref())?;
    let anchor = match &args.anchor {
        Some(file) => anchor(file)?,
        None => {
            let (_, client) = RemoteNode::chain(&origin).await?;
            let known = client.anchor().cloned();
            known.ok_or_else(|| Failure::new(Kind::Internal, "the client has no trust anchor"))?
        }
    };
    let home = Home::at(home);
    let settings = home.settings()?;
    let own = origin.node.trim_end_matches('/') == settings.node();
    let database = match args.database {
        Some(database) => database,
        None => {
            home.make()?;
            Location::Sqlite(home.absolute()?.join("explorer.db"))
        }
    };
    let wanted = Wanted {
        gateway: args.gateway.or(settings.gateway.clone().filter(|_| own)),
        verifiers: if args.verifier.is_empty() {
            vec![origin.verifier.clone()]
        } else {
            args.verifier
        },
        rebuild: args.rebuild,
        allow_origin: args.allow_origin,
        hosts: args.host,
        webhooks: args.webhooks,
        near: args.near,
        ..Wanted::of(&origin.node, anchor, database, args.listen)
    };
    let explorer = explorer::start(wanted).await?;
    let answer = json!({ "explorer": explorer.url(), "node": origin.node });
    out.answer(&answer, || {
        vec![
            format!("explorer  {}", explorer.url()),
            format!("node      {}", origin.node),
        ]
    });
    stopped.await;
    explorer.shutdown().await;
    Ok(())
}
