//! `cairn dispute judge`: recomputes an epoch and says who is right.

use super::{cast, dispute_of, file, standing};
use crate::error::{Done, Failure, Kind, OrFail};
use crate::output::Output;
use crate::roles::chain::{Origin, RemoteNode};
use crate::session::Session;
use crate::spend::{Sending, Spending};
use cairn_ledger::tx::claim_hash;
use cairn_ledger::tx::vote_dispute::VoteDispute;
use cairn_types::{EpochNumber, Hash};
use cairn_verifier::audit::{Audited, Difference, RecomputeError, audit, recompute};
use cairn_verifier::objects::{Objects, Remote};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Recompute an epoch from an archive, and say whether the settled result or the disputer is right.
///
/// Uses the reports of the archive and what the ledger says, and no file that says what judging came to; names the first place where the
/// archive's own findings differ. A validator asks its own node. With --vote it votes for what the epoch comes to; with --save it
/// keeps that for `cairn dispute open` or `vote`. Without a dispute it says whether there is reason for one.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn dispute judge 71 --network sensors --archive .cairn/archive",
    "cairn dispute judge 71 --network sensors --archive .cairn/archive --vote --key validator",
])]
pub struct Judge {
    /// The epoch.
    epoch: EpochNumber,
    /// Name, number or id; the only one there is, unless told otherwise.
    #[arg(long)]
    network: Option<String>,
    /// Folder of the archive: <network>/<epoch>/reports.parquet and its neighbours.
    #[arg(long, value_name = "DIR")]
    archive: PathBuf,
    /// Keep what the epoch comes to in this file.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Vote for it, as a validator. A vote cannot be changed.
    #[arg(long, requires = "key")]
    vote: bool,
    /// Who votes: the name of a key here, or of an account noted here.
    #[arg(long, value_name = "NAME", requires = "vote")]
    key: Option<String>,
    /// Say what would be sent, and send nothing.
    #[arg(long, requires = "vote")]
    dry_run: bool,
}

/// Who is right about an epoch.
struct Verdict {
    comes_to: VoteDispute,
    claim: Hash,
    settled: Hash,
    disputed: Option<Hash>,
    /// Where the archive's own files differ from what follows from its reports.
    difference: Option<Difference>,
}

impl Verdict {
    fn settled_is_right(&self) -> bool {
        self.claim == self.settled
    }

    fn disputer_is_right(&self) -> Option<bool> {
        self.disputed.map(|disputed| disputed == self.claim)
    }

    fn words(&self) -> &'static str {
        match (self.settled_is_right(), self.disputer_is_right()) {
            (true, None) => "the settled result is right",
            (true, Some(_)) => "the settled result is right, the disputer is not",
            (false, None) => "the settled result is wrong: dispute it",
            (false, Some(true)) => "the disputer is right, the settled result is not",
            (false, Some(false)) => "neither the settled result nor the disputer is right",
        }
    }
}

pub fn run(args: Judge, home: &Path, out: Output) -> Done {
    let runtime = crate::roles::runtime()?;
    let (session, id) = runtime.block_on(async {
        let session = Session::open(home).await?;
        let (id, _) = session.network(args.network.as_deref()).await?;
        Ok::<_, Failure>((session, id))
    })?;
    let (chain, _client) = runtime.block_on(RemoteNode::chain(&Origin::of(home, None)?))?;
    if !args.archive.is_dir() {
        let failure = Failure::new(Kind::Files, format!("{} is not a folder", args.archive.display()));
        return Err(failure.hint("name the folder that holds a folder for each network"));
    }
    let objects: Arc<dyn Objects> =
        Arc::new(Remote::folder(&args.archive).or_fail(Kind::Files, args.archive.display())?);
    let (standing, dispute) = runtime.block_on(async {
        let standing = standing(&session, &id, args.epoch).await?;
        Ok::<_, Failure>((standing, dispute_of(&session, &id, args.epoch).await?))
    })?;
    // Outside the runtime: the chain is asked in a blocking way.
    let recomputed = recompute(objects.as_ref(), &chain, &id, args.epoch).map_err(unfit)?;
    let audited: Audited = audit(objects.as_ref(), &chain, &id, args.epoch)
        .or_fail(Kind::Unreachable, "the archive cannot be compared")?;
    let exchange = recomputed.exchange.map(|exchange| (exchange.offers, exchange.choices));
    let verdict = Verdict {
        claim: claim_hash(&recomputed.result.hash(), exchange),
        comes_to: VoteDispute {
            result: recomputed.result,
            exchange: recomputed.exchange,
        },
        settled: standing.claim,
        disputed: dispute.map(|dispute| dispute.claim),
        difference: audited.difference,
    };
    if let Some(path) = &args.save {
        file::write(path, &verdict.comes_to)?;
    }
    let Some(key) = args.key.filter(|_| args.vote) else {
        say(&verdict, out);
        return Ok(());
    };
    if !out.json {
        say(&verdict, out);
    }
    let spending = Spending {
        key,
        sending: Sending {
            dry_run: args.dry_run,
            export: None,
        },
    };
    runtime.block_on(cast(&session, &spending, verdict.comes_to, out))
}

fn unfit(error: RecomputeError) -> Failure {
    match error {
        RecomputeError::Unfit(_) => Failure::new(Kind::Differs, error)
            .hint("fetch the epoch's files, and those of the epoch before, from another verifier"),
        RecomputeError::Failed(_) => Failure::new(Kind::Unreachable, error).hint("is the node running?"),
    }
}

fn say(verdict: &Verdict, out: Output) {
    let result = verdict.comes_to.result.hash();
    let difference: Option<Value> = verdict.difference.as_ref().map(|difference| {
        json!({
            "file": difference.file, "row": difference.row, "field": difference.field,
            "archived": difference.archived, "recomputed": difference.recomputed,
        })
    });
    let answer = json!({
        "network": verdict.comes_to.result.network.to_string(),
        "epoch": verdict.comes_to.result.epoch.0,
        "result": result.to_string(),
        "settled_is_right": verdict.settled_is_right(),
        "disputer_is_right": verdict.disputer_is_right(),
        "first_difference": difference,
    });
    out.answer(&answer, || {
        let mut lines = vec![verdict.words().to_owned(), format!("comes to   {result}")];
        lines.extend(verdict.difference.iter().map(|found| format!("archive    {found}")));
        lines
    });
}
