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
/// New validators where the ledger names none: they bear one that fails or lies.
const SEATS_DEFAULT: u16 = 4;

/// Begin a draft for the next era of a chain that runs: new validators, the same ledger.
///
/// Asks the node of the home folder for the chain's genesis and its eras so far, and checks them. There is a seat for each validator whom
/// the ledger names, as `cairn validator vote` left them. The new validators then join, merge and sign as in a chain's first ceremony; the
/// old ones approve; `cairn genesis hand-over` ends the old era.
///
/// Example: cairn genesis era --validators 4
#[derive(clap::Args)]
pub struct Era {
    /// The draft.
    #[arg(long, value_name = "FILE", default_value = "era.json")]
    file: PathBuf,
    /// How many new validators; as many as the ledger names, or 4 if it names none, unless told otherwise. Four bear one that fails or
    /// lies, seven bear two.
    #[arg(long, value_name = "N")]
    validators: Option<u16>,
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
        let named = session.told.validators().await.map_err(failed)?;
        for validator in &named {
            let (account, address) = (validator.account, &validator.address);
            out.say(format!("on the ledger: account {account}, reached at {address}"));
        }
        let seats = seats(args.validators, named.len());
        let draft = Founding::after(session.genesis.clone(), seats, eras.first, eras.hand_overs);
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

/// Seats of an era: as asked for, else as many as the ledger names validators.
fn seats(asked: Option<u16>, named: usize) -> u16 {
    match (asked, u16::try_from(named)) {
        (Some(asked), _) => asked,
        (None, Ok(named)) if named > 0 => named,
        (None, _) => SEATS_DEFAULT,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_era_has_a_seat_for_each_validator_on_the_ledger_unless_told_otherwise() {
        assert_eq!(seats(None, 5), 5);
        assert_eq!(seats(None, 1), 1);
        assert_eq!(seats(None, 0), SEATS_DEFAULT);
        assert_eq!(seats(Some(7), 5), 7);
    }
}
