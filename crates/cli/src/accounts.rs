//! The accounts a person acts for: one key of the same name, unless `accounts.json` says otherwise: an account whose keys were
//! changed, or one of several keys. Knows rules and ids; never holds a secret, and never says which rule is in force: the ledger does.
//!
//! ```text
//! rotate:  new key kept ─▶ new rule noted here ─▶ ledger ─▶ old rule dropped, new key takes the name
//!          killed anywhere: both keys and both rules are here, and the ledger's hash says which counts
//! ```

use crate::error::{Done, Failure, Kind, OrFail};
use crate::home::{Home, keys_failed};
use cairn_agent::keys::Keys;
use cairn_ledger::account::{KEYS_MAX, Rule};
use cairn_types::{AccountId, Hash, PublicKey, SecretKey};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const FILE: &str = "accounts.json";
/// What the name of a key ends in that waits for the ledger to take it.
pub const NEXT: &str = ".next";
/// Rules of one account that may be in force: the last one known, and those on their way.
pub const RULES_MAX: usize = 4;

/// Who acts: an account, a rule it signs by, and those of the rule's secrets that are here.
#[derive(Clone)]
pub struct Signer {
    pub account: AccountId,
    pub rule: Rule,
    pub secrets: Vec<SecretKey>,
}

impl Signer {
    pub fn new(account: AccountId, rule: Rule, keys: &Keys) -> Self {
        let named = |key: &&SecretKey| rule.keys.contains(&key.public());
        let secrets = keys
            .names()
            .filter_map(|name| keys.get(name))
            .filter(named)
            .cloned()
            .collect();
        Self { account, rule, secrets }
    }

    /// Whether it can sign without anybody else.
    pub fn is_whole(&self) -> bool {
        self.secrets.len() >= usize::from(self.rule.threshold)
    }
}

/// A rule as people can compare it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleText {
    pub threshold: u8,
    pub keys: Vec<String>,
}

impl From<&Rule> for RuleText {
    fn from(rule: &Rule) -> Self {
        Self {
            threshold: rule.threshold,
            keys: rule.keys.iter().map(ToString::to_string).collect(),
        }
    }
}

impl RuleText {
    pub fn rule(&self) -> Result<Rule, Failure> {
        if self.keys.len() > KEYS_MAX {
            return Err(not_a_rule());
        }
        let keys: Result<Vec<PublicKey>, _> = self.keys.iter().map(|key| key.parse()).collect();
        valid(Rule {
            threshold: self.threshold,
            keys: keys.or_fail(Kind::Usage, "a key of the rule")?,
        })
    }
}

fn valid(rule: Rule) -> Result<Rule, Failure> {
    if rule.is_valid() { Ok(rule) } else { Err(not_a_rule()) }
}

fn not_a_rule() -> Failure {
    let fact = format!("a rule has 1 to {KEYS_MAX} different keys, of which 1 to all must sign");
    Failure::new(Kind::Usage, fact).hint("name each key once, and a --threshold among them")
}

/// The rule of these keys: each a name here, or a public key. All of them must sign, unless told otherwise.
pub fn rule(home: &Home, threshold: Option<u8>, wanted: &[String]) -> Result<Rule, Failure> {
    let keys = home.account_keys()?;
    let mut found = Vec::new();
    for wanted in wanted {
        found.push(match (keys.get(wanted), wanted.parse::<PublicKey>()) {
            (Some(key), _) => key.public(),
            (None, Ok(key)) => key,
            (None, Err(_)) if wanted.contains(':') => {
                let failure = Failure::new(Kind::Usage, format!("{wanted} is no public key"));
                return Err(failure.hint(
                    "a public key is written ed25519:HEX, p256:HEX or passkey:HEX; `cairn key show` prints one",
                ));
            }
            (None, Err(_)) => home.account_key(wanted)?.public(),
        });
    }
    let all = u8::try_from(found.len()).unwrap_or(u8::MAX);
    valid(Rule::any_of(threshold.unwrap_or(all), found))
}

/// The key of an account that this key opened and that still signs alone: what processes sign with.
pub fn single_key(home: &Home, name: &str) -> Result<SecretKey, Failure> {
    match Accounts::of(home)?.get(name)? {
        None => home.account_key(name),
        Some(_) => {
            let fact = format!("the keys of account {name} are not the one that opened it");
            Err(Failure::new(Kind::Refused, fact).hint("name the key of another account with --key"))
        }
    }
}

/// What is noted of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Noted {
    id: String,
    /// The last rule known to be in force; then those on their way.
    rules: Vec<RuleText>,
}

/// An account that is noted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    pub id: AccountId,
    /// The last one known to be in force; then those on their way.
    pub rules: Vec<Rule>,
}

impl Known {
    /// The rule of this hash.
    pub fn in_force(&self, hash: &Hash) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.hash() == *hash)
    }
}

/// The accounts noted in a folder, by name.
#[derive(Default)]
pub struct Accounts(BTreeMap<String, Noted>);

impl Accounts {
    pub fn of(home: &Home) -> Result<Self, Failure> {
        home.read(
            FILE,
            "mend the file, or remove it and note its accounts again with `cairn account add`",
        )
        .map(Self)
    }

    pub fn get(&self, name: &str) -> Result<Option<Known>, Failure> {
        let Some(noted) = self.0.get(name) else { return Ok(None) };
        let wrong = |failure: Failure| Failure::new(Kind::Files, format!("{FILE}, {name}: {}", failure.message));
        let rules: Result<Vec<Rule>, Failure> = noted.rules.iter().take(RULES_MAX).map(RuleText::rule).collect();
        let rules = rules.map_err(wrong)?;
        if rules.is_empty() {
            return Err(wrong(not_a_rule()));
        }
        let id = noted.id.parse().or_fail(Kind::Files, format!("{FILE}, {name}"))?;
        Ok(Some(Known { id, rules }))
    }

    pub fn set(&mut self, home: &Home, name: &str, known: &Known) -> Done {
        let noted = Noted {
            id: known.id.to_string(),
            rules: known.rules.iter().map(RuleText::from).collect(),
        };
        self.0.insert(name.to_owned(), noted);
        home.write_json(FILE, &self.0)
    }
}

/// Once the ledger has taken a rule that was on its way: drops the others, and lets the new key take the old one's name. Done again, it
/// changes nothing more.
pub fn settle(home: &Home, name: &str, known: &Known, in_force: &Rule) -> Done {
    if known.rules.first() == Some(in_force) {
        return Ok(());
    }
    let next = format!("{name}{NEXT}");
    let mut keys = home.account_keys()?;
    if keys
        .get(&next)
        .is_some_and(|key| Rule::single(key.public()) == *in_force)
    {
        keys.replace(name, &next).map_err(keys_failed)?;
    }
    let settled = Known {
        rules: vec![in_force.clone()],
        ..known.clone()
    };
    Accounts::of(home)?.set(home, name, &settled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_agent::keys::KeyKind;

    fn home() -> (tempfile::TempDir, Home) {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(&folder.path().join("home"));
        home.make().unwrap();
        (folder, home)
    }

    fn make(home: &Home, name: &str) -> Rule {
        let mut keys = home.account_keys().unwrap();
        keys.make_missing([(name, KeyKind::Ed25519)]).unwrap();
        Rule::single(keys.get(name).unwrap().public())
    }

    #[test]
    fn a_rule_is_made_of_names_and_public_keys() {
        let (_folder, home) = home();
        let me = make(&home, "me").keys[0];
        let other = SecretKey::p256([7; 32]).unwrap().public();
        let made = rule(&home, Some(1), &["me".to_owned(), other.to_string()]).unwrap();
        assert_eq!(made, Rule::any_of(1, vec![other, me]));
        assert_eq!(rule(&home, None, &["me".to_owned()]).unwrap(), Rule::single(me));
        for (threshold, keys) in [
            (Some(2), vec!["me"]),
            (Some(0), vec!["me"]),
            (None, vec!["me", "me"]),
            (None, vec![]),
        ] {
            let keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
            assert_eq!(rule(&home, threshold, &keys).unwrap_err().kind, Kind::Usage, "{keys:?}");
        }
        let unknown = rule(&home, None, &["nobody".to_owned()]).unwrap_err();
        assert_eq!(unknown.kind, Kind::NotFound);
        assert_eq!(rule(&home, None, &["rsa:00".to_owned()]).unwrap_err().kind, Kind::Usage);
    }

    #[test]
    fn what_the_ledger_did_not_take_is_kept_and_what_it_took_replaces_the_old() {
        let (_folder, home) = home();
        let old = make(&home, "me");
        let new = make(&home, "me.next");
        let known = Known {
            id: old.account_id(),
            rules: vec![old.clone(), new.clone()],
        };
        Accounts::of(&home).unwrap().set(&home, "me", &known).unwrap();
        assert_eq!(Accounts::of(&home).unwrap().get("me").unwrap(), Some(known.clone()));
        assert_eq!(known.in_force(&new.hash()), Some(&new));
        assert_eq!(known.in_force(&Hash([0; 32])), None);
        settle(&home, "me", &known, &old).unwrap();
        assert_eq!(
            home.account_keys().unwrap().names().count(),
            2,
            "both are kept until one is in force"
        );

        // Twice: a kill between its two writes is mended by doing it again.
        for _ in 0..2 {
            settle(&home, "me", &known, &new).unwrap();
            let keys = home.account_keys().unwrap();
            assert_eq!(keys.names().collect::<Vec<_>>(), ["me", "me.old"]);
            assert_eq!(Rule::single(keys.get("me").unwrap().public()), new);
            let settled = Accounts::of(&home).unwrap().get("me").unwrap().unwrap();
            assert_eq!((settled.id, settled.rules), (old.account_id(), vec![new.clone()]));
        }
    }

    #[test]
    fn a_signer_has_the_secrets_that_its_rule_names() {
        let (_folder, home) = home();
        let (one, two) = (make(&home, "one").keys[0], make(&home, "two").keys[0]);
        let far = SecretKey::ed25519([9; 32]).public();
        let keys = home.account_keys().unwrap();
        for (threshold, members, secrets, whole) in [(2, vec![one, two, far], 2, true), (2, vec![one, far], 1, false)] {
            let rule = Rule::any_of(threshold, members);
            let signer = Signer::new(rule.account_id(), rule, &keys);
            assert_eq!((signer.secrets.len(), signer.is_whole()), (secrets, whole));
        }
    }

    #[test]
    fn a_file_that_makes_no_sense_is_named() {
        let (_folder, home) = home();
        for odd in [
            "[]",
            r#"{"me":{"id":"00","rules":[{"threshold":1,"keys":[]}]}}"#,
            r#"{"me":{"id":"00","rules":[]}}"#,
        ] {
            home.write(FILE, odd.as_bytes()).unwrap();
            let read = Accounts::of(&home).and_then(|accounts| accounts.get("me"));
            assert_eq!(read.unwrap_err().kind, Kind::Files, "{odd}");
        }
    }
}
