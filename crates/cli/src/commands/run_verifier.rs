//! `cairn verifier run`: a verifier as a process of its own, beside a node of the chain.

use crate::error::{Done, Failure, Kind};
use crate::home::Home;
use crate::output::Output;
use crate::roles::chain::{NodeChain, RemoteNode};
use crate::roles::logs::Logs;
use crate::roles::until_stopped;
use crate::roles::verifier::{self, LOOK_EVERY, Settings};
use crate::session::{Session, failed};
use crate::units::usd;
use cairn_ledger::account::Rule;
use cairn_types::{AccountId, MicroUsd, Price, PublicKey, Token};
use cairn_verifier::ArchivePlace;
use cairn_verifier::objects::S3;
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Run a verifier: collect reports, make them durable, judge them, attest the result, push the payouts.
///
/// Its account must be bonded (`cairn verifier bond`), and its node should be its own: a verifier acts on what the node says. It serves
/// every network of the ledger that this program can judge. It may be killed at any moment and goes on where it was. Ends at Ctrl-C or
/// SIGTERM. Keys of an S3 store come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn verifier run --key verifier",
    "cairn verifier run --key me --attests attester --listen 127.0.0.1:8651",
])]
pub struct Args {
    /// The key of the verifier's account.
    #[arg(long, value_name = "NAME", default_value = "verifier")]
    key: String,
    /// The key that signs receipts and results, as it was bonded; the account's own, unless told otherwise.
    #[arg(long, value_name = "NAME")]
    attests: Option<String>,
    /// Where it takes reports; only on this computer, unless told otherwise.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8641")]
    listen: SocketAddr,
    /// The folder of its log; verifier in the home folder, unless told otherwise.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The folder of sealed epochs; archive in the home folder, unless told otherwise.
    #[arg(long, value_name = "DIR", conflicts_with = "s3_bucket")]
    archive: Option<PathBuf>,
    /// Keep sealed epochs in this bucket of an S3-compatible store instead.
    #[arg(long, value_name = "BUCKET")]
    s3_bucket: Option<String>,
    /// The store's address; the provider's own, unless told otherwise.
    #[arg(long, value_name = "URL", requires = "s3_bucket")]
    s3_endpoint: Option<String>,
    /// The store's region.
    #[arg(long, value_name = "REGION", requires = "s3_bucket", default_value = "us-east-1")]
    s3_region: String,
    /// What it says a token is worth, each round; without this it has no word on the price.
    #[arg(long, value_name = "USD", value_parser = usd)]
    token_price: Option<MicroUsd>,
    #[command(flatten)]
    logs: Logs,
}

pub fn run(args: Args, home: &Path, out: Output) -> Done {
    args.logs.start();
    crate::roles::runtime()?.block_on(serve(args, home, out))
}

async fn serve(args: Args, home: &Path, out: Output) -> Done {
    let stopped = until_stopped();
    tokio::pin!(stopped);
    let session = Session::open(home).await?;
    let home = Home::at(home);
    let key = crate::accounts::single_key(&home, &args.key)?;
    let attests = match &args.attests {
        Some(name) => home.account_key(name)?,
        None => key.clone(),
    };
    let account = Rule::single(key.public()).account_id();
    bonded(&session, &account, &attests.public()).await?;
    let node = RemoteNode {
        client: session.client.clone(),
        runtime: tokio::runtime::Handle::current(),
    };
    let folder = home.absolute()?;
    let archive = match args.s3_bucket {
        Some(bucket) => ArchivePlace::S3(S3 {
            endpoint: args.s3_endpoint,
            bucket,
            region: args.s3_region,
        }),
        None => ArchivePlace::Folder(args.archive.unwrap_or_else(|| folder.join("archive"))),
    };
    let mut service = verifier::start(Settings {
        chain: Arc::new(NodeChain::new(Arc::new(node), &session.genesis)),
        account: key,
        key: attests,
        data: args.data.unwrap_or_else(|| folder.join("verifier")),
        archive,
        listen: args.listen,
        price: args.token_price.map(|price| Price(price.0.saturating_mul(100))),
    })
    .await?;
    let answer = json!({
        "verifier": service.url(),
        "account": account.to_string(),
        "node": session.settings.node(),
        "networks": service.networks().iter().map(ToString::to_string).collect::<Vec<_>>(),
    });
    out.answer(&answer, || {
        vec![
            format!("verifier  {}", service.url()),
            format!("account   {account}"),
            format!("node      {}", session.settings.node()),
            format!("networks  {}", service.networks().len()),
        ]
    });
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            () = &mut stopped => break,
            _ = look.tick() => if let Err(failure) = service.take_in().await {
                // What a node does not say now it says later; what was taken is safe meanwhile.
                if failure.kind != Kind::Unreachable {
                    return Err(failure);
                }
                tracing::warn!(%failure, "the ledger cannot be asked for new networks");
            },
        }
    }
    service.stop().await
}

/// Nobody runs a verifier for long whose word does not count.
async fn bonded(session: &Session, account: &AccountId, attests: &PublicKey) -> Done {
    let found = session.client.verifier(account).await.map_err(failed)?.value;
    match found.filter(|verifier| verifier.at_stake() > Token::ZERO) {
        Some(verifier) if verifier.key == *attests => Ok(()),
        Some(verifier) => {
            let fact = format!("the account {account} bonded for another key, {}", verifier.key);
            Err(Failure::new(Kind::Refused, fact).hint("name the key it bonded for with --attests NAME"))
        }
        None => {
            let fact = format!("the account {account} has no bond as a verifier");
            Err(Failure::new(Kind::Refused, fact).hint("bond it first: `cairn verifier bond TOKENS --key NAME`"))
        }
    }
}
