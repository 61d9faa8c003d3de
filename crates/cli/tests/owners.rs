//! Who signs for an account, against a real network: keys that change while the program is killed, and an account of three owners of
//! whom two sign, each on a computer of its own.
#![allow(clippy::unwrap_used, reason = "all of it is a test")]

mod stand;

use serde_json::Value;
use stand::turnstile::{Hold, Turnstile};
use stand::*;
use std::path::Path;
use std::process::Stdio;

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// An account with a little token, whose fees it can pay itself.
fn open(home: &Path) {
    cairn(home, "key new").done();
    cairn(home, "account open").done();
    cairn(home, "account transfer me --token 5 --key founder").done();
}

fn names(home: &Path) -> Vec<String> {
    let listed = cairn(home, "key list").done();
    let keys = listed["keys"].as_array().unwrap().iter();
    keys.map(|key| text(&key["name"]).to_owned()).collect()
}

#[test]
fn an_account_outlives_its_keys() {
    let place = Place::new();
    let home = place.home.as_path();
    let up = Running::start(home, "up --port 0 --epoch-seconds 2");
    open(home);
    let before = cairn(home, "account show").done();
    let first = cairn(home, "key show").done();

    let planned = cairn(home, "account rotate --dry-run").done();
    assert!(number(&planned["fee_token"]) > 0);
    assert!(!names(home).contains(&"me.next".to_owned()), "a dry run makes no key");
    assert_eq!(cairn(home, "account rotate nobody").refused(3), "not_found");
    assert_eq!(cairn(home, "account rotate verifier").refused(4), "refused");
    assert_eq!(cairn(home, "key new me.next").refused(2), "usage");
    assert_eq!(cairn(home, "account rotate --threshold 2").code, 2, "of which keys?");

    let done = cairn(home, "account rotate").done();
    assert_eq!(
        (&done["account"], &done["proven"]),
        (&before["account"], &Value::Bool(true))
    );
    let second = cairn(home, "key show").done();
    assert_eq!(second["id"], first["id"], "the account stays");
    assert_ne!(second["public_key"], first["public_key"]);
    let old = cairn(home, "key show me.old").done();
    assert_eq!(old["public_key"], first["public_key"], "other accounts may name it");
    let by_old = cairn(home, "account transfer founder --token 1 --key me.old");
    assert_eq!(by_old.refused(4), "refused", "this one does no longer");
    let after = cairn(home, "account show").done();
    assert_ne!(after["rule_hash"], before["rule_hash"]);
    assert_eq!(text(&after["rule"]["keys"][0]), text(&second["public_key"]));
    cairn(home, "account transfer founder --token 1").done();

    killed_before_the_ledger_hears_of_it(home, &up, &second);
    killed_before_it_hears_of_the_ledger(home, &up);
    up.end();
}

fn rotate_until_held(home: &Path, up: &Running, hold: Hold) {
    let turnstile = Turnstile::before(&up.url("node"), "POST /v1/transactions", hold);
    cairn(home, &format!("config set --node {}", turnstile.url)).done();
    let mut rotate = program(home);
    rotate.args(["--json", "account", "rotate"]).stdout(Stdio::null());
    turnstile.kill_at(&mut rotate);
    cairn(home, &format!("config set --node {}", up.url("node"))).done();
}

fn killed_before_the_ledger_hears_of_it(home: &Path, up: &Running, old: &Value) {
    rotate_until_held(home, up, Hold::Before);
    // Both keys are here, and the old one counts.
    let next = cairn(home, "key show me.next").done();
    assert_eq!(cairn(home, "key show").done()["public_key"], old["public_key"]);
    cairn(home, "account transfer founder --token 0.5").done();
    assert!(
        names(home).contains(&"me.next".to_owned()),
        "kept until the ledger has it"
    );
    // Once more: with the key that was made, not with a third one.
    cairn(home, "account rotate").done();
    assert_eq!(cairn(home, "key show").done()["public_key"], next["public_key"]);
    assert!(!names(home).contains(&"me.next".to_owned()));
    cairn(home, "account transfer founder --token 0.5").done();
}

fn killed_before_it_hears_of_the_ledger(home: &Path, up: &Running) {
    rotate_until_held(home, up, Hold::After);
    let next = cairn(home, "key show me.next").done();
    // The new key counts already, though the program does not know it: the next command finds out, and puts things in order.
    cairn(home, "account transfer founder --token 0.5").done();
    assert_eq!(cairn(home, "key show").done()["public_key"], next["public_key"]);
    assert!(!names(home).contains(&"me.next".to_owned()));

    rotate_until_held(home, up, Hold::After);
    let next = cairn(home, "key show me.next").done();
    let again = cairn(home, "account rotate").done();
    assert_eq!(
        (&again["rotated"], &again["transaction"]),
        (&Value::Bool(true), &Value::Null)
    );
    assert_eq!(cairn(home, "key show").done()["public_key"], next["public_key"]);
}

/// A computer of an owner: a folder with a key, and no network.
struct Owner {
    place: Place,
    key: String,
}

impl Owner {
    fn new(kind: &str) -> Self {
        let place = Place::new();
        let made = cairn(&place.home, &format!("key new --kind {kind}")).done();
        let key = text(&made["public_key"]).to_owned();
        Self { place, key }
    }

    fn signs(&self, file: &Path) -> Answer {
        cairn_with(&self.place.home, "tx sign --yes", &[file])
    }
}

#[test]
fn two_of_three_owners_sign() {
    let place = Place::new();
    let home = place.home.as_path();
    let up = Running::start(home, "up --port 0 --epoch-seconds 2");
    open(home);
    let mine = text(&cairn(home, "key show").done()["public_key"]).to_owned();
    let (bob, cho) = (Owner::new("ed25519"), Owner::new("p256"));
    let keys = format!("--key me --key {} --key {}", bob.key, cho.key);
    opened_by_two(home, &keys, &bob);
    paid_by_two(home, &bob, &cho);
    // The same three keys, as bob calls them.
    let others = format!("--key {mine} --key me --key {}", cho.key);
    other_owners(home, &up, &others, &bob);
    up.end();
}

fn opened_by_two(home: &Path, keys: &str, bob: &Owner) {
    let open = format!("account create --threshold 2 {keys}");
    assert_eq!(cairn(home, &open).refused(4), "refused", "two signatures are needed");
    assert_eq!(
        cairn(home, &format!("{open} --dry-run")).refused(2),
        "usage",
        "it needs a name"
    );
    let open = format!("{open} --name team");
    let planned = cairn(home, &format!("{open} --dry-run")).done();
    assert_eq!(cairn(home, "account show team").refused(3), "not_found");
    let taken = format!("account create --threshold 2 {keys} --name gateway --dry-run");
    assert_eq!(cairn(home, &taken).refused(4), "refused", "that is the name of a key");
    let twice = format!("account create {keys} --key me --name twice --dry-run");
    assert_eq!(cairn(home, &twice).refused(2), "usage");
    let file = home.join("open.tx");
    let exported = cairn_with(home, &format!("{open} --export"), &[&file]).done();
    assert_eq!(exported["account"], planned["account"]);
    assert_eq!(
        (number(&exported["signatures"]), number(&exported["threshold"])),
        (1, 2)
    );
    assert_eq!(
        cairn_with(home, "tx submit", &[&file]).refused(4),
        "refused",
        "one is missing"
    );

    // Bob's computer has no network at all.
    let shown = cairn_with(&bob.place.home, "tx show", &[&file]).done();
    assert_eq!(
        (&shown["action"], &shown["complete"]),
        (&Value::from("open_account"), &Value::Bool(false))
    );
    assert_eq!(
        cairn_with(&bob.place.home, "tx sign", &[&file]).refused(4),
        "refused",
        "nobody said yes"
    );
    assert_eq!(bob.signs(&file).done()["complete"], true);
    assert_eq!(
        cairn_with(home, "tx submit --dry-run", &[&file]).done()["dry_run"],
        true
    );
    assert_eq!(cairn(home, "account show team").refused(3), "not_found");
    let done = cairn_with(home, "tx submit", &[&file]).done();
    assert_eq!(done["proven"], true);
    let shown = cairn(home, "account show team").done();
    assert_eq!(shown["account"], planned["account"]);
    assert_eq!(number(&shown["rule"]["threshold"]), 2);
    cairn(home, "account transfer team --token 20 --key founder").done();
}

fn paid_by_two(home: &Path, bob: &Owner, cho: &Owner) {
    let gift = "account transfer founder --token 1.5 --key team";
    assert_eq!(cairn(home, gift).refused(4), "refused", "one key alone pays nothing");
    let (file, copy) = (home.join("gift.tx"), home.join("copy.tx"));
    let exported = cairn_with(home, &format!("{gift} --export"), &[&file]).done();
    assert_eq!(number(&exported["amount_token"]), 1_500_000);
    std::fs::copy(&file, &copy).unwrap();

    // A stranger's key, another chain's folder, and a file that was changed on its way.
    let stranger = Owner::new("ed25519");
    assert_eq!(stranger.signs(&file).refused(4), "refused");
    let anchor = format!(
        r#"{{"anchor":{{"chain":"other","group_key":"{}","genesis":"{}","era":0}}}}"#,
        "0".repeat(192),
        "0".repeat(64)
    );
    std::fs::write(stranger.place.home.join("settings.json"), anchor).unwrap();
    assert!(stranger.signs(&file).text.contains("for the chain cairn-local"));
    let written = std::fs::read_to_string(&file).unwrap();
    let changed = home.join("changed.tx");
    let digits = text(&serde_json::from_str::<Value>(&written).unwrap()["transaction"]).to_owned();
    let (more, less) = (digits.replace("1a0016e360", "1a0026e360"), &digits);
    assert_ne!(&more, less, "the amount is in it");
    std::fs::write(&changed, written.replace(less.as_str(), &more)).unwrap();
    assert_eq!(
        bob.signs(&changed).refused(2),
        "usage",
        "the signature in it does not hold"
    );

    // Signed apart, submitted together; and once more, which is safe.
    bob.signs(&file).done();
    cho.signs(&copy).done();
    let open = home.join("open.tx");
    assert_eq!(cairn_with(home, "tx submit", &[&file, &open]).refused(2), "usage");
    let before = number(&cairn(home, "account show founder").done()["token"]);
    let done = cairn_with(home, "tx submit", &[&file, &copy]).done();
    assert_eq!(number(&done["signatures"]), 3);
    let again = cairn_with(home, "tx submit", &[&file]).done();
    assert_eq!(
        (&again["transaction"], &again["height"]),
        (&done["transaction"], &done["height"])
    );
    let after = number(&cairn(home, "account show founder").done()["token"]);
    assert_eq!(after - before, 1_500_000);
}

/// Bob, now on a network, notes the account and asks for all three signatures from now on; others learn of it from the ledger.
fn other_owners(home: &Path, up: &Running, others: &str, bob: &Owner) {
    let team = text(&cairn(home, "account show team").done()["account"]).to_owned();
    let bobs = bob.place.home.as_path();
    cairn(bobs, &format!("config set --node {}", up.url("node"))).done();
    let add = |threshold: u8| format!("account add team --id {team} --threshold {threshold} {others}");
    assert_eq!(
        cairn(bobs, &add(3)).refused(4),
        "refused",
        "two of them sign, not three"
    );
    assert_eq!(cairn(bobs, &add(2)).done()["open"], true);
    assert_eq!(cairn(bobs, "account rotate team").refused(2), "usage", "which keys?");
    let file = home.join("all.tx");
    let rotate = format!("account rotate team --threshold 3 {others} --export");
    let exported = cairn_with(bobs, &rotate, &[&file]).done();
    assert_eq!(exported["rotated"], false);
    cairn_with(home, "tx sign --yes --key me", &[&file]).done();
    assert_eq!(cairn(bobs, "account show team").done()["rule"]["threshold"], 2);
    cairn_with(bobs, "tx submit", &[&file]).done();
    assert_eq!(cairn(bobs, "account show team").done()["rule"]["threshold"], 3);

    let gift = home.join("late.tx");
    let give = "account transfer founder --token 1 --key team --export";
    assert_eq!(cairn_with(bobs, give, &[&gift]).code, 3, "bob's folder has no founder");
    let late = cairn_with(home, give, &[&gift]);
    assert!(
        late.json["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("account add team"),
        "{}",
        late.text
    );
    assert_eq!(late.refused(4), "refused", "the old rule counts no more");
    let mine = text(&cairn(home, "key show").done()["public_key"]).to_owned();
    let others = others.replacen("--key me", &format!("--key {}", bob.key), 1);
    assert!(others.contains(&mine));
    cairn(home, &format!("account add team --id {team} --threshold 3 {others}")).done();
    assert_eq!(number(&cairn_with(home, give, &[&gift]).done()["threshold"]), 3);
}
