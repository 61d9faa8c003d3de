//! `cairn account rotate`: other keys for an account that stays the same. The new key is on disk before the ledger hears of it, the
//! old one stays: killed anywhere in between, nothing is lost, and the same command goes on.

use super::{Accounts, RuleText};
use crate::accounts::{Known, NEXT, RULES_MAX, Signer, rule, settle};
use crate::error::{Done, Failure, Kind};
use crate::home::keys_failed;
use crate::output::Output;
use crate::session::Session;
use crate::spend::{Sending, Spender, merge};
use cairn_ledger::account::Rule;
use cairn_ledger::tx::Body;
use cairn_ledger::tx::rotate_keys::RotateKeys;
use serde_json::json;

/// Leaves room for what is put behind a name.
const NAME_BYTES_MAX: usize = 48;
/// Keys of those who sign as what they were at the chain's beginning: their processes know no other.
const ROLES: [&str; 3] = ["verifier", "issuer", "gateway"];

/// Change the keys that sign for an account; its id, its money and its devices stay.
///
/// Without --key a new key is made; once the ledger has taken it, and not before, it takes the old one's name. The old one stays as
/// NAME.old: worth nothing for this account, but others may name it. With --key the account is signed for by the keys named,
/// --threshold of them together. Killed in between, run it again: it goes on where it was. Costs the ledger's base fee, paid by the
/// account.
///
/// Make a copy of account.keys in the home folder afterwards: an older copy has the old key only.
#[derive(clap::Args)]
#[command(after_help = examples![
    "cairn account rotate",
    "cairn account rotate me --threshold 2 --key me --key p256:HEX --key ed25519:HEX",
])]
pub struct Rotate {
    /// The account: the name of its key here, or its name if it was noted.
    #[arg(default_value = "me")]
    account: String,
    /// A key that signs from now on: a name here, or another owner's public key. May be repeated, up to seven.
    #[arg(long = "key", value_name = "NAME|KEY")]
    keys: Vec<String>,
    /// How many of the keys must sign; all of them, unless told otherwise.
    #[arg(long, value_name = "M", requires = "keys")]
    threshold: Option<u8>,
    /// The kind of key to make, where none is named.
    #[arg(long, value_enum, default_value = "ed25519", conflicts_with = "keys")]
    kind: crate::commands::key::Kinds,
    #[command(flatten)]
    sending: Sending,
}

pub async fn rotate(session: &Session, args: &Rotate, out: Output) -> Done {
    let name = &args.account;
    may_rotate(name)?;
    let known = match Accounts::of(&session.home)?.get(name)? {
        Some(known) => known,
        None => {
            let rule = Rule::single(session.home.account_key(name)?.public());
            Known {
                id: rule.account_id(),
                rules: vec![rule],
            }
        }
    };
    let in_force = session.account(&known.id).await?.rule;
    let signer = session.signer(name).await?;
    // A change that the ledger has taken since: it is the one asked for, unless keys are named.
    let taken = known.rules.iter().skip(1).any(|rule| rule.hash() == in_force);
    if taken && !args.sending.dry_run {
        settle(&session.home, name, &known, &signer.rule)?;
    }
    if taken && (args.keys.is_empty() || rule(&session.home, args.threshold, &args.keys)? == signer.rule) {
        return say_done(name, &signer, out);
    }
    let next = next_rule(session, args, &signer)?;
    let spender = Spender::of(session, signer.clone(), &args.sending);
    if !spender.is_dry_run() {
        if !spender.exports() {
            spender.must_be_whole()?;
        }
        note(session, name, &known, &signer.rule, &next)?;
    }
    // In a dry run the key to be may not be made yet.
    let shown = (next != signer.rule).then(|| RuleText::from(&next));
    let facts = json!({ "name": name, "rule": shown });
    let body = Body::RotateKeys(RotateKeys { rule: next.clone() });
    let sent = spender.send("rotate_keys", facts, body).await?;
    if sent.confirmed.is_some()
        && let Some(known) = Accounts::of(&session.home)?.get(name)?
    {
        settle(&session.home, name, &known, &next)?;
    }
    let words = match next.keys.len() {
        1 => format!(
            "change the key of account {name}; the account stays {}",
            spender.account()
        ),
        all => format!("change the keys of account {name}: {} of {all} sign", next.threshold),
    };
    let mut answer = sent.answer;
    merge(&mut answer, json!({ "rotated": sent.confirmed.is_some() }));
    spender.answer(out, &answer, &words);
    Ok(())
}

fn may_rotate(name: &str) -> Done {
    if name.len() > NAME_BYTES_MAX {
        let fact = format!("the name has more than {NAME_BYTES_MAX} letters, and the keys that come get longer ones");
        return Err(
            Failure::new(Kind::Usage, fact).hint("note the account under a shorter name with `cairn account add`")
        );
    }
    if ROLES.contains(&name) {
        let fact = format!("a process of the {name} signs with this key, and would not find its account by another");
        return Err(Failure::new(Kind::Refused, fact).hint("change the keys of other accounts"));
    }
    Ok(())
}

/// The rule to be: of the keys named, or of a key that is made now. One that was made by a run that was killed is taken again.
fn next_rule(session: &Session, args: &Rotate, signer: &Signer) -> Result<Rule, Failure> {
    if !args.keys.is_empty() {
        let next = rule(&session.home, args.threshold, &args.keys)?;
        if next == signer.rule {
            let failure = Failure::new(Kind::Refused, "these are the account's keys already");
            return Err(failure.hint("leave --key out to make a new key"));
        }
        return Ok(next);
    }
    if signer.rule.keys.len() != 1 {
        let failure = Failure::new(Kind::Usage, "the account has several keys: say which sign from now on");
        return Err(failure.hint("name each with --key, and how many must sign with --threshold"));
    }
    let mut keys = session.home.account_keys()?;
    let next = format!("{}{NEXT}", args.account);
    if args.sending.dry_run && keys.get(&next).is_none() {
        // Nothing is made in a dry run; the fee does not depend on the key.
        return Ok(signer.rule.clone());
    }
    keys.make_missing([(next.as_str(), args.kind.into())])
        .map_err(keys_failed)?;
    let made = keys.get(&next).expect("made above");
    Ok(Rule::single(made.public()))
}

/// Notes the new rule beside the one in force, before the ledger hears of it.
fn note(session: &Session, name: &str, known: &Known, in_force: &Rule, next: &Rule) -> Done {
    let mut rules = vec![in_force.clone()];
    rules.extend(
        known
            .rules
            .iter()
            .filter(|rule| *rule != in_force && *rule != next)
            .cloned(),
    );
    rules.push(next.clone());
    if rules.len() > RULES_MAX {
        let fact = format!("{} other changes of these keys are on their way", rules.len() - 2);
        return Err(Failure::new(Kind::Refused, fact).hint("submit one of them with `cairn tx submit`, then try again"));
    }
    let known = Known { id: known.id, rules };
    Accounts::of(&session.home)?.set(&session.home, name, &known)
}

fn say_done(name: &str, signer: &Signer, out: Output) -> Done {
    let answer = json!({
        "action": "rotate_keys", "name": name, "account": signer.account.to_string(),
        "rule": RuleText::from(&signer.rule), "rotated": true,
    });
    out.answer(&answer, || {
        vec![format!(
            "done: the ledger had taken the new keys of account {name} already; nothing was sent"
        )]
    });
    Ok(())
}
