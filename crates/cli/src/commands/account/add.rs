//! `cairn account add`: notes an account of several keys, or one whose keys were changed elsewhere, under a name.

use super::{Accounts, RuleText};
use crate::accounts::{Known, rule};
use crate::error::{Done, Failure, Kind};
use crate::output::Output;
use crate::session::{Session, failed};
use cairn_agent::keys::is_name;
use cairn_types::AccountId;
use serde_json::json;

/// Note an account of several keys under a name, so that `--key NAME` acts for it here. Costs nothing and sends nothing.
///
/// The ledger keeps only the hash of an account's rule, so whoever acts for it must know the rule: how many of which keys sign. What
/// is noted is held against that hash, once the account is open.
#[derive(clap::Args)]
#[command(after_help = examples!["cairn account add team --threshold 2 --key ed25519:HEX --key me --key passkey:HEX"])]
pub struct Add {
    /// The name it gets here.
    name: String,
    /// A key that signs for it: a name here, or another owner's public key. May be repeated, up to seven.
    #[arg(long = "key", value_name = "NAME|KEY", required = true)]
    keys: Vec<String>,
    /// How many of the keys must sign; all of them, unless told otherwise.
    #[arg(long, value_name = "M")]
    threshold: Option<u8>,
    /// The account's id, if it was opened by other keys than these.
    #[arg(long, value_name = "ID")]
    id: Option<AccountId>,
}

pub async fn add(session: &Session, args: &Add, out: Output) -> Done {
    let rule = rule(&session.home, args.threshold, &args.keys)?;
    let known = Known {
        id: args.id.unwrap_or_else(|| rule.account_id()),
        rules: vec![rule.clone()],
    };
    let account = session.client.account(&known.id).await.map_err(failed)?.value;
    match &account {
        Some(account) if account.rule != rule.hash() => {
            let fact = format!("account {} is not signed for by these keys", known.id);
            return Err(Failure::new(Kind::Refused, fact)
                .hint("compare keys and threshold with another owner's `cairn account show`"));
        }
        None if rule.account_id() != known.id => {
            let fact = format!("the ledger has no account {}", known.id);
            return Err(Failure::new(Kind::NotFound, fact).hint("leave --id out for an account that these keys open"));
        }
        _ => {}
    }
    note(session, &args.name, &known)?;
    let answer = json!({
        "name": args.name,
        "account": known.id.to_string(),
        "rule": RuleText::from(&rule),
        "open": account.is_some(),
    });
    out.answer(&answer, || {
        let open = if account.is_some() { "" } else { "; it is not open yet" };
        vec![format!(
            "noted account {} as {}: {} of {} keys sign{open}",
            known.id,
            args.name,
            rule.threshold,
            rule.keys.len()
        )]
    });
    Ok(())
}

/// Notes an account, unless the name means something else here.
pub fn note(session: &Session, name: &str, known: &Known) -> Done {
    may_note(session, name, known)?;
    Accounts::of(&session.home)?.set(&session.home, name, known)
}

pub fn may_note(session: &Session, name: &str, known: &Known) -> Done {
    let taken = |what: &str| {
        let failure = Failure::new(Kind::Refused, format!("{name} is {what}"));
        Err(failure.hint("choose another name for the account"))
    };
    if !is_name(name) {
        let failure = Failure::new(Kind::Usage, format!("{name:?} is no name"));
        return Err(failure.hint("use letters, digits, '-', '_' and '.'"));
    }
    match Accounts::of(&session.home)?.get(name)? {
        Some(noted) if noted.id == known.id => Ok(()),
        Some(noted) => taken(&format!("account {} here", noted.id)),
        None if session.account_id(name).is_ok_and(|id| id != known.id) => taken("the name of a key here"),
        None => Ok(()),
    }
}
