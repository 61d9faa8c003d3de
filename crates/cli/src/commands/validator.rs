//! `cairn validator`: who runs consensus as far as the ledger knows, and votes of validators on who joins and who leaves and on the version
//! of the rules. Running one is `cairn node run`'s.

mod upgrade;

use crate::error::{Done, Failure, Kind};
use crate::output::{Output, table};
use crate::session::{Session, failed};
use crate::spend::{Spender, Spending, merge};
use cairn_client::Committee;
use cairn_ledger::Event;
use cairn_ledger::records::Validator;
use cairn_ledger::tx::Body;
use cairn_ledger::tx::vote_validator::{Change, VoteValidator};
use cairn_types::{AccountId, PublicKey, ValidatorKey};
use serde_json::{Value, json};
use std::path::Path;

/// List the chain's validators, and vote on who joins or leaves and on upgrades.
///
/// Validators agree on every block, and decide disputes. More than two thirds of them change their own list on the ledger; consensus
/// follows some renewals of their shares later, under the same group key and without a stop.
#[derive(clap::Subcommand)]
pub enum Command {
    Vote(Vote),
    List(List),
    #[command(subcommand)]
    Upgrade(upgrade::Upgrade),
}

/// Vote as a validator that another one joins, or leaves.
///
/// Takes effect on the ledger as soon as more than two thirds of the present validators wish the same of a key; a vote may be changed
/// until then. In consensus who joins first gets a share of the key, for which its node must run: start it before you vote, and keep
/// whoever leaves running until `cairn validator list` says that it is gone. Costs the ledger's base fee.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn validator vote add --validator KEY --address validator-5.example.org:9000 --account ID --key validator",
    "cairn validator vote remove --validator KEY --key validator",
])]
pub struct Vote {
    /// `add` or `remove`.
    #[arg(value_name = "add|remove")]
    change: Wish,
    /// The key by which its peers know it, as `cairn genesis join` or `cairn node key` prints it.
    #[arg(long, value_name = "KEY")]
    validator: PublicKey,
    /// Who joins: where its peers reach it, host:port.
    #[arg(long, value_name = "HOST:PORT", required_if_eq("change", "add"))]
    address: Option<String>,
    /// Who joins: the account that votes in its name, a name here or an id.
    #[arg(long, value_name = "NAME|ID", required_if_eq("change", "add"))]
    account: Option<String>,
    #[command(flatten)]
    spending: Spending,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Wish {
    Add,
    Remove,
}

/// List the validators on the ledger and in consensus, as the node tells them. Costs nothing.
///
/// `signs`: votes on blocks now. `gets its share`: votes from the next renewal on. `announced`: gets its share after the next renewal.
/// `waits`: on the ledger only so far. `leaves`: not on the ledger any more, but still needed.
///
/// There are none where one operator runs the chain: then nobody decides disputes.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn validator list"])]
pub struct List {}

pub fn run(command: Command, home: &Path, out: Output) -> Done {
    crate::roles::runtime()?.block_on(async {
        let session = Session::open(home).await?;
        match command {
            Command::Vote(args) => vote(&session, &args, out).await,
            Command::List(List {}) => list(&session, out).await,
            Command::Upgrade(command) => upgrade::run(&session, command, out).await,
        }
    })
}

/// The key as the ledger has it.
fn validator_key(key: &PublicKey) -> Result<ValidatorKey, Failure> {
    match key {
        PublicKey::Ed25519(key) => Ok(ValidatorKey(*key)),
        PublicKey::P256(_) | PublicKey::Passkey(_) => {
            let failure = Failure::new(Kind::Usage, format!("{key} is no validator's key"));
            Err(failure.hint("a validator's key begins with ed25519:"))
        }
    }
}

async fn vote(session: &Session, args: &Vote, out: Output) -> Done {
    let spender = Spender::new(session, &args.spending).await?;
    let key = validator_key(&args.validator)?;
    let (change, facts, words) = match (args.change, &args.address, &args.account) {
        (Wish::Remove, ..) => (
            Change::Remove,
            json!({ "validator": args.validator.to_string(), "change": "remove" }),
            format!("wish that validator {} leaves", args.validator),
        ),
        (Wish::Add, Some(address), Some(account)) => {
            let account: AccountId = session.account_id(account)?;
            let facts = json!({
                "validator": args.validator.to_string(), "change": "add", "address": address,
                "account": account.to_string(),
            });
            let words = format!("wish that validator {} joins, reached at {address}", args.validator);
            (Change::Add(account, address.clone()), facts, words)
        }
        (Wish::Add, ..) => return Err(Failure::new(Kind::Usage, "who joins has an --address and an --account")),
    };
    let body = Body::VoteValidator(VoteValidator { key, change });
    let sent = spender.send("vote_validator", facts, body).await?;
    let mut answer = sent.answer;
    let mut effect = "";
    if let Some(confirmed) = &sent.confirmed {
        let changes = |event: &Event| matches!(event, Event::ValidatorAdded { .. } | Event::ValidatorRemoved { .. });
        let decided = confirmed.events.iter().any(changes);
        merge(&mut answer, json!({ "decided": decided }));
        effect = match decided {
            true => ": decided, it is so on the ledger from now on",
            false => ": counted; others must wish the same",
        };
    }
    spender.answer(out, &answer, &format!("{words}{effect}"));
    Ok(())
}

/// What a validator is in consensus.
fn place(committee: Option<&Committee>, key: &str, is_on_ledger: bool) -> &'static str {
    let Some(committee) = committee else { return "unknown" };
    let is_in = |keys: &[String]| keys.iter().any(|member| member == key);
    match (is_in(&committee.members), is_on_ledger) {
        (true, true) => "signs",
        (true, false) => "leaves",
        (false, _) if is_in(&committee.receiving) => "gets its share",
        (false, _) if is_in(&committee.announced) => "announced",
        (false, _) => "waits",
    }
}

fn face(validator: &Validator, committee: Option<&Committee>) -> Value {
    let key = PublicKey::Ed25519(validator.key.0).to_string();
    json!({
        "consensus": place(committee, &key, true),
        "validator": key,
        "address": validator.address,
        "account": validator.account.to_string(),
        "number": validator.number.0,
    })
}

async fn list(session: &Session, out: Output) -> Done {
    let validators = session.told.validators().await.map_err(failed)?;
    let status = session.told.status().await.map_err(failed)?;
    let committee = status.committee.as_ref();
    let faces: Vec<Value> = validators.iter().map(|validator| face(validator, committee)).collect();
    let named: Vec<String> = validators
        .iter()
        .map(|one| PublicKey::Ed25519(one.key.0).to_string())
        .collect();
    let members: &[String] = match committee {
        Some(committee) => &committee.members,
        None => &[],
    };
    let leaving: Vec<&String> = members.iter().filter(|member| !named.contains(member)).collect();
    let until = committee.map(|committee| committee.until);
    let renewed = committee.and_then(|committee| committee.renewed);
    let answer = json!({
        "validators": faces, "leaving": leaving, "renewed_after": until, "renewed": renewed, "height": status.height, "proven": false,
    });
    out.answer(&answer, || {
        let row = |(validator, key): (&Validator, &String)| {
            let place = place(committee, key, true).to_owned();
            vec![
                key.clone(),
                place,
                validator.address.clone(),
                validator.account.to_string(),
            ]
        };
        let mut rows: Vec<Vec<String>> = validators.iter().zip(&named).map(row).collect();
        if rows.is_empty() {
            return vec!["no validators on the ledger: one operator runs this chain".to_owned()];
        }
        let leaves = |key: &&String| {
            vec![
                (*key).clone(),
                place(committee, key, false).to_owned(),
                String::new(),
                String::new(),
            ]
        };
        rows.extend(leaving.iter().map(leaves));
        let mut lines = table(&["validator", "consensus", "address", "account"], &rows);
        if let Some(until) = until {
            lines.push(format!(
                "shares are renewed with block {until}; the newest is block {}",
                status.height
            ));
        }
        if renewed == Some(false) {
            lines.push(
                "the last renewal came to nothing: too few were there, and the shares of before go on".to_owned(),
            );
        }
        lines
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validator_is_told_by_how_far_it_has_come_and_who_goes_is_not_forgotten() {
        let keys = |names: &str| names.split_whitespace().map(str::to_owned).collect();
        let committee = Committee {
            epoch: 7,
            until: 1_023,
            signs: true,
            renewed: Some(true),
            members: keys("one two"),
            receiving: keys("two three"),
            announced: keys("three four"),
        };
        for (key, is_on_ledger, told) in [
            ("one", false, "leaves"),
            ("two", true, "signs"),
            ("three", true, "gets its share"),
            ("four", true, "announced"),
            ("five", true, "waits"),
        ] {
            assert_eq!(place(Some(&committee), key, is_on_ledger), told, "{key}");
        }
        assert_eq!(place(None, "one", true), "unknown");
    }
}
