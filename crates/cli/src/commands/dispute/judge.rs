//! `cairn dispute judge`: recomputes an epoch and says who is right.

use super::{cast, dispute_of, file};
use crate::error::{Done, Failure, Kind, OrFail};
use crate::output::Output;
use crate::roles::chain::{Origin, RemoteNode};
use crate::roles::watch::handover::{self, Round};
use crate::session::{Session, failed};
use crate::spend::{Sending, Spending};
use bytes::Bytes;
use cairn_ledger::records::Whose;
use cairn_types::{AccountId, EpochNumber, NetworkId};
use cairn_verifier::archive::EpochArchive;
use cairn_verifier::audit::{Claimed, Difference, RecomputeError, Verdict, audit, verdict};
use cairn_verifier::chain::ChainView;
use cairn_verifier::handed::{self, File};
use cairn_verifier::objects::{Objects, Remote};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Recompute an epoch from an archive, and say whether the settled result or the disputer is right.
///
/// Uses the reports of the archive and what the ledger says, and no file that says what judging came to; names the first place where the
/// archive's own findings differ. It recomputes the epoch without the reports that the settled result says it leaves out: if that comes to
/// another result, who signed is to blame. If not, it does so without those that the disputer's claim still leaves out: if that is the
/// claim, it replaces the result and nobody is to blame. An epoch that is not settled it recomputes by all files that are there. A validator asks its own node. With --vote it votes for what the epoch comes to;
/// with --save it keeps that for `cairn dispute open` or `vote`. Without a dispute it says whether there is reason for one. With --hand-on,
/// and before a vote, it gives the files that the epoch is judged by to every verifier that lacks them.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn dispute judge 71 --network sensors --archive .cairn/archive",
    "cairn dispute judge 71 --network sensors --archive turned-up --hand-on --save mine.result",
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
    /// Give the files to every verifier on the ledger that lacks them; --vote does so by itself.
    #[arg(long)]
    hand_on: bool,
    /// Keep what the epoch comes to in this file.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Vote for it, as a validator. A vote may be changed until it is decided.
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
struct Judged {
    verdict: Verdict,
    disputed: Option<Claimed>,
    /// Verifiers whose reports the settled result leaves out.
    left_out: Vec<AccountId>,
    /// What came of handing the files on, if that was to be done.
    handed: Option<Round>,
    /// Where the archive's own files differ from what follows from its reports.
    difference: Option<Difference>,
}

impl Judged {
    fn settled_is_right(&self) -> bool {
        matches!(self.verdict, Verdict::Right(_))
    }

    fn is_blamed(&self) -> bool {
        matches!(self.verdict, Verdict::Wrong(_))
    }

    fn disputer_is_right(&self) -> Option<bool> {
        let claim = self.verdict.comes_to().claim();
        self.disputed.as_ref().map(|disputed| disputed.claim == claim)
    }

    fn words(&self) -> &'static str {
        match (&self.verdict, self.disputer_is_right()) {
            (Verdict::Right(_), None) => "the settled result is right",
            (Verdict::Right(_), Some(_)) => "the settled result is right, the disputer is not",
            (Verdict::Wrong(_), None) => "the settled result is wrong: dispute it; who signed it is to blame",
            (Verdict::Wrong(_), Some(true)) => {
                "the disputer is right, the settled result is not: who signed it is to blame"
            }
            (Verdict::Wrong(_), Some(false)) => {
                "neither the settled result nor the disputer is right: who signed is to blame"
            }
            (Verdict::Unsettled(_), None) => {
                "verifiers settled nothing: by all files that are here it comes to this; once they had their time anybody may put it before the validators"
            }
            (Verdict::Unsettled(_), Some(true)) => "verifiers settled nothing, and what is claimed is right",
            (Verdict::Unsettled(_), Some(false)) => {
                "verifiers settled nothing, and by all files that are here it comes to something else than is claimed"
            }
            (Verdict::Completed(_), None) => {
                "the settled result is right by what it leaves out, and some of that is here: a dispute replaces it, and nobody is to blame"
            }
            (Verdict::Completed(_), Some(_)) => {
                "the disputer is right: what the settled result leaves out is to be had by now; nobody is to blame"
            }
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
    let (disputed, left_out) = runtime.block_on(async {
        let left_out = session.client.left_out(&id, args.epoch).await.map_err(failed)?;
        Ok::<_, Failure>((claimed(&session, &id, args.epoch).await?, left_out))
    })?;
    // Outside the runtime: the chain is asked in a blocking way.
    let verdict = verdict(objects.as_ref(), &chain, &id, args.epoch, disputed.as_ref()).map_err(unfit)?;
    let difference = match verdict {
        // There is nothing it could differ from.
        Verdict::Unsettled(_) => None,
        _ => {
            audit(objects.as_ref(), &chain, &id, args.epoch)
                .or_fail(Kind::Unreachable, "the archive cannot be compared")?
                .difference
        }
    };
    let handed = if args.hand_on || (args.vote && !args.dry_run) {
        let without = &verdict.comes_to().result.without;
        let files = handed::files(&chain, &id, args.epoch, without).or_fail(Kind::Unreachable, "the anchors")?;
        let verifiers = chain.verifiers().or_fail(Kind::Unreachable, "the list of verifiers")?;
        let verifiers = handover::reachable(verifiers, session.settings.node());
        let load = |file: File| {
            let archive = EpochArchive::of(objects.as_ref(), &file.network, file.epoch);
            std::future::ready(archive.sealed(&file.hash).ok().flatten().map(Bytes::from))
        };
        Some(runtime.block_on(handover::hand_on(&files, &verifiers, load)))
    } else {
        None
    };
    let is_unspread = handed.is_some_and(|round| !round.is_spread);
    if args.vote && matches!(verdict, Verdict::Completed(_)) && is_unspread {
        let fact = "too few verifiers have the files of the fuller result: they could not follow it";
        return Err(Failure::new(Kind::Refused, fact)
            .hint("it was handed to those who took it; try again once more than two thirds of the bond are there"));
    }
    let vote = verdict.vote();
    let judged = Judged {
        verdict,
        disputed,
        left_out,
        handed,
        difference,
    };
    if let Some(path) = &args.save {
        file::write(path, &vote)?;
    }
    let Some(key) = args.key.filter(|_| args.vote) else {
        say(&judged, out);
        return Ok(());
    };
    if !out.json {
        say(&judged, out);
    }
    let spending = Spending {
        key,
        sending: Sending {
            dry_run: args.dry_run,
            export: None,
        },
    };
    runtime.block_on(cast(&session, &spending, vote, out))
}

fn unfit(error: RecomputeError) -> Failure {
    match error {
        RecomputeError::Unfit(_) => Failure::new(Kind::Differs, error)
            .hint("fetch the epoch's files, and those of the epoch before, from another verifier"),
        RecomputeError::NotSettled => Failure::new(Kind::NotFound, error).hint("wait until verifiers attested it"),
        RecomputeError::Failed(_) => Failure::new(Kind::Unreachable, error).hint("is the node running?"),
    }
}

/// The claim of an open dispute.
pub async fn claimed(session: &Session, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Claimed>, Failure> {
    let Some(dispute) = dispute_of(session, network, epoch).await? else {
        return Ok(None);
    };
    let places = session.client.places(network, epoch, Whose::Claimed, dispute.without);
    Ok(Some(Claimed {
        claim: dispute.claim,
        without: places.await.map_err(failed)?,
    }))
}

fn say(judged: &Judged, out: Output) {
    let comes_to = &judged.verdict.comes_to().result;
    let difference: Option<Value> = judged.difference.as_ref().map(|difference| {
        json!({
            "file": difference.file, "row": difference.row, "field": difference.field,
            "archived": difference.archived, "recomputed": difference.recomputed,
        })
    });
    let left_out: Vec<String> = judged.left_out.iter().map(AccountId::to_string).collect();
    let answer = json!({
        "network": comes_to.network.to_string(),
        "epoch": comes_to.epoch.0,
        "result": comes_to.hash().to_string(),
        "settled": !matches!(judged.verdict, Verdict::Unsettled(_)),
        "settled_is_right": judged.settled_is_right(),
        "signers_are_to_blame": judged.is_blamed(),
        "disputer_is_right": judged.disputer_is_right(),
        "left_out": left_out,
        "handed_on": judged.handed.map(|round| json!({
            "given": round.given, "lacking": round.lacking, "spread": round.is_spread,
        })),
        "first_difference": difference,
    });
    out.answer(&answer, || {
        let mut lines = vec![judged.words().to_owned(), format!("comes to   {}", comes_to.hash())];
        lines.extend(
            left_out
                .iter()
                .map(|verifier| format!("without    the reports of verifier {verifier}")),
        );
        lines.extend(judged.handed.map(|round| {
            format!(
                "handed on  {} times; {} verifiers lack files still",
                round.given, round.lacking
            )
        }));
        lines.extend(judged.difference.iter().map(|found| format!("archive    {found}")));
        lines
    });
}
