//! `cairn genesis era | approve | hand-over`: the validators of a chain change, with a fresh key of the new ones; the old ones sign
//! who takes over.

use super::{founding_failed, read, show, write};
use crate::commands::node::keys_failed;
use crate::error::{Done, Failure, Kind};
use crate::output::Output;
use crate::session::{Session, failed};
use cairn_node::Identity;
use cairn_node::founding::Founding;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often it is asked whether the era has ended.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// Questions at most: some turns of the validators.
const QUESTIONS_MAX: usize = 240;

/// Begin a draft for the next era of a chain that runs: new validators, the same ledger.
///
/// Asks the node of the home folder for the chain's genesis and its eras so far, and checks them. The new validators then join, merge
/// and sign as in a chain's first ceremony; the old ones approve; `cairn genesis hand-over` ends the old era.
///
/// Example: cairn genesis era --validators 4
#[derive(clap::Args)]
pub struct Era {
    /// The draft.
    #[arg(long, value_name = "FILE", default_value = "era.json")]
    file: PathBuf,
    /// How many new validators. Four bear one that fails or lies, seven bear two.
    #[arg(long, value_name = "N", default_value_t = 4)]
    validators: u16,
}

/// Approve of the next era, as a validator of the one that runs: adds a signature to the file.
///
/// More than two thirds of the old validators must. What is approved is the new group key and every validator of it.
///
/// Example: cairn genesis approve --file era.json --key validator.keys
#[derive(clap::Args)]
pub struct Approve {
    /// The file, signed by all new validators.
    #[arg(long, value_name = "FILE", default_value = "era.json")]
    file: PathBuf,
    /// This validator's keys in the era that runs.
    #[arg(long, value_name = "FILE", default_value = "validator.keys")]
    key: PathBuf,
}

/// End the era that runs: hands the old validators' approvals to the node of the home folder, and waits for the last block.
///
/// After it the old nodes change nothing any more. Stop one, and `cairn state export` its state.
///
/// Example: cairn genesis hand-over --file era.json
#[derive(clap::Args)]
pub struct HandOver {
    /// The file, with the approvals.
    #[arg(long, value_name = "FILE", default_value = "era.json")]
    file: PathBuf,
}

pub fn era(args: &Era, home: &Path, out: Output) -> Done {
    if args.file.exists() {
        let failure = Failure::new(Kind::Files, format!("{} is there already", args.file.display()));
        return Err(failure.hint("name another with --file, or remove it"));
    }
    let draft = crate::roles::runtime()?.block_on(async {
        let session = Session::open(home).await?;
        let eras = session.told.eras().await.map_err(failed)?;
        let draft = Founding::after(session.genesis.clone(), args.validators, eras.first, eras.hand_overs);
        let draft = draft.map_err(|error| founding_failed(&args.file, error))?;
        let leads = draft
            .anchor_before()
            .map_err(|error| founding_failed(&args.file, error))?;
        if session.client.anchor() != Some(&leads) {
            let failure = Failure::new(
                Kind::Differs,
                "the node's list of eras does not lead to the key that is trusted here",
            );
            return Err(failure.hint("ask another node, and compare `cairn config show` with somebody you trust"));
        }
        Ok(draft)
    })?;
    write(&args.file, &draft)?;
    out.say("Next: every new validator runs `cairn genesis join` on a copy of this file");
    show(&draft, out)
}

pub fn approve(args: &Approve, out: Output) -> Done {
    let mut founding = read(&args.file)?;
    let identity = Identity::open(&args.key).map_err(|error| keys_failed(&args.key, error))?;
    let approved = founding.approve(&identity);
    approved.map_err(|error| founding_failed(&args.file, error))?;
    write(&args.file, &founding)?;
    out.say("Next: merge the approvals of the others, then one of you runs `cairn genesis hand-over`");
    show(&founding, out)
}

pub fn hand_over(args: &HandOver, home: &Path, out: Output) -> Done {
    let founding = read(&args.file)?;
    let failed_here = |error| founding_failed(&args.file, error);
    let resolution = founding.resolution().map_err(failed_here)?;
    let era = founding.successor().map_err(failed_here)?.era;
    crate::roles::runtime()?.block_on(async {
        let session = Session::open(home).await?;
        session.told.hand_over(&resolution).await.map_err(failed)?;
        out.say("handed in; waiting for the era's last block …");
        for _ in 0..QUESTIONS_MAX {
            let status = session.told.status().await.map_err(failed)?;
            if status.over {
                let answer = json!({ "over": true, "height": status.height, "next_era": era });
                out.answer(&answer, || {
                    vec![
                        format!("over      at height {}; era {era} goes on from there", status.height),
                        "next      stop the node, and run `cairn state export`".to_owned(),
                    ]
                });
                return Ok(());
            }
            tokio::time::sleep(ASK_EVERY).await;
        }
        let failure = Failure::new(Kind::Unreachable, "the era has not ended yet");
        Err(failure.hint("the node must be a validator; run it again, or hand in at another one"))
    })
}
