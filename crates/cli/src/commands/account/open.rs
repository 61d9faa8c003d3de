//! `cairn account open`: an account of one key, or of several owners of whom so many must sign.

use crate::accounts::{Known, RuleText, Signer, rule};
use crate::error::{Done, Failure, Kind};
use crate::output::Output;
use crate::session::Session;
use crate::spend::{Sending, Spender, sponsor};
use cairn_ledger::account::Rule;
use cairn_ledger::tx::Body;
use cairn_ledger::tx::open_account::OpenAccount;
use serde_json::json;

/// Open an account: of one key, or of several, of which so many must sign.
///
/// A network's allowance pays the fee, so a new account needs nothing. An account of several keys needs a name here; its owners note
/// it in their own folders with `cairn account add`. As many of its keys as the threshold sign the opening too: if they are not all
/// in this folder, write it to a file with --export and let the other owners sign.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn account open",
    "cairn account open --name team --threshold 2 --key me --key ed25519:HEX --key passkey:HEX --export team.tx",
])]
#[command(visible_alias = "create")]
pub struct Open {
    /// Its name here, where it has several keys; an account of one key is called like the key.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// A key that signs for it: a name here, or another owner's public key. May be repeated, up to seven.
    #[arg(long = "key", value_name = "NAME|KEY", default_value = "me")]
    keys: Vec<String>,
    /// How many of the keys must sign; all of them, unless told otherwise.
    #[arg(long, value_name = "M")]
    threshold: Option<u8>,
    /// The network that pays: name, number or id; the only one there is, unless told otherwise.
    #[arg(long, value_name = "NETWORK")]
    sponsor: Option<String>,
    #[command(flatten)]
    sending: Sending,
}

pub async fn open(session: &Session, args: &Open, out: Output) -> Done {
    let sponsor = sponsor(session, args.sponsor.as_deref()).await?;
    if sponsor.is_none() {
        let failure = Failure::new(
            Kind::Usage,
            "an account that does not exist yet cannot pay the fee of opening it",
        );
        return Err(failure.hint("name a network that pays: --sponsor NETWORK"));
    }
    let rule = rule(&session.home, args.threshold, &args.keys)?;
    let signer = Signer::new(rule.account_id(), rule.clone(), &session.home.account_keys()?);
    let spender = Spender::of(session, signer, &args.sending).sponsored_by(sponsor);
    if !spender.is_dry_run() && !spender.exports() {
        spender.must_be_whole()?;
    }
    let known = note(session, args, &rule)?;
    let facts = json!({ "name": known, "rule": RuleText::from(&rule) });
    let sent = spender
        .send("open_account", facts, Body::OpenAccount(OpenAccount {}))
        .await?;
    let owners = match (rule.threshold, rule.keys.len()) {
        (1, 1) => String::new(),
        (threshold, all) => format!(", for which {threshold} of {all} keys sign"),
    };
    spender.answer(
        out,
        &sent.answer,
        &format!("open account {}{owners}", spender.account()),
    );
    Ok(())
}

/// Notes the rule under the account's name, before anything is sent: without the rule nobody could sign. The name, if it has one of
/// its own.
fn note(session: &Session, args: &Open, rule: &Rule) -> Result<Option<String>, Failure> {
    let keys = session.home.account_keys()?;
    let own = |name: &str| keys.get(name).is_some_and(|key| Rule::single(key.public()) == *rule);
    let name = match &args.name {
        Some(name) => name,
        None if args.keys.iter().any(|name| own(name)) => return Ok(None),
        None => {
            let failure = Failure::new(Kind::Usage, "an account of several keys needs a name here");
            return Err(failure.hint("name it with --name NAME"));
        }
    };
    if own(name) {
        return Ok(None);
    }
    let known = Known {
        id: rule.account_id(),
        rules: vec![rule.clone()],
    };
    if args.sending.dry_run {
        super::add::may_note(session, name, &known)?;
    } else {
        super::add::note(session, name, &known)?;
    }
    Ok(Some(name.clone()))
}
