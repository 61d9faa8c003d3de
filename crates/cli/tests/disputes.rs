//! A dispute on a real chain of one validator: the verifier was right, and whoever claims otherwise loses the bond for it.
#![allow(clippy::unwrap_used, reason = "all of it is a test")]

mod stand;

use cairn_ledger::tx::vote_dispute::VoteDispute;
use cairn_types::{Hash, codec};
use serde_json::Value;
use stand::*;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// A chain of one validator whose results may be disputed for a minute, with its verifier.
fn found(home: &Path) -> (Running, Running) {
    std::fs::create_dir_all(home).unwrap();
    let (file, key) = (home.join("genesis.json"), home.join("validator.keys"));
    let new = "genesis new --chain cairn-disputes --validators 1 --epoch-seconds 2 --dispute-seconds 60 --file";
    cairn_with(home, new, &[&file]).done();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let with_key = format!("--key {} --file", key.display());
    cairn_with(home, &format!("genesis join --address {free} {with_key}"), &[&file]).done();
    cairn_with(home, &format!("genesis sign {with_key}"), &[&file]).done();
    let place = |name: &str| home.join(name).display().to_string();
    let run = format!(
        "node run --listen 127.0.0.1:0 --genesis {} --key {} --data {}",
        file.display(),
        key.display(),
        place("node")
    );
    let node = Running::start(home, &run);
    cairn(home, &format!("config set --node {}", node.url("node"))).done();
    // Block 1 opens the accounts.
    until_event(&node.url("node"), "epoch_closed");
    cairn(home, "network create --name rain --key founder").done();
    let verifier = Running::start(home, "verifier run --key verifier --listen 127.0.0.1:0");
    (node, verifier)
}

/// The file of another result: it says that other findings were made.
fn altered(file: &Path) -> PathBuf {
    let mut claim: VoteDispute = codec::decode_canonical(&std::fs::read(file).unwrap()).unwrap();
    claim.result.findings = Hash([9; 32]);
    let other = file.with_extension("other");
    std::fs::write(&other, codec::encode(&claim)).unwrap();
    other
}

#[test]
fn who_disputes_what_was_right_loses_the_bond() {
    let place = Place::new();
    let home = place.home.as_path();
    let (node, verifier) = found(home);
    until_event(&node.url("node"), "epoch_settled");
    let network = cairn(home, "network show rain").done()["network"].clone();
    let path = format!("/v1/networks/{}", network.as_str().unwrap());
    let epoch = number(&get(&node.url("node"), &path)["unsettled"]) - 1;

    let archive = home.join("archive");
    let judge = format!("dispute judge {epoch} --archive {}", archive.display());
    let right = home.join("right.result");
    let judged = cairn_with(home, &format!("{judge} --save"), &[&right]).done();
    assert_eq!(
        (&judged["settled_is_right"], &judged["disputer_is_right"]),
        (&Value::Bool(true), &Value::Null)
    );
    let open = "dispute open --key founder";
    assert_eq!(
        cairn_with(home, open, &[&right]).refused(4),
        "refused",
        "it is what was settled"
    );
    let wrong = altered(&right);
    let before = number(&cairn(home, "account show founder").done()["token"]);
    let planned = cairn_with(home, &format!("{open} --dry-run"), &[&wrong]).done();
    let opened = cairn_with(home, open, &[&wrong]).done();
    let cost = number(&planned["bond_token"]) + number(&planned["fee_token"]);
    assert_eq!(
        number(&cairn(home, "account show founder").done()["token"]),
        before - cost
    );
    assert_eq!(cairn_with(home, open, &[&wrong]).refused(4), "refused", "once");

    let listed = cairn(home, "dispute list").done()["disputes"].clone();
    assert_eq!(
        (&listed[0]["epoch"], &listed[0]["state"]),
        (&opened["epoch"], &Value::from("open"))
    );
    let show = format!("dispute show {epoch}");
    let shown = cairn(home, &show).done();
    assert_eq!(
        (&shown["result"], &shown["votes"][0]["choice"]),
        (&judged["result"], &Value::Null)
    );
    let held = cairn(home, "verifier show verifier").done();
    assert_eq!(number(&held["held_disputes"]), 1);
    assert_eq!(cairn(home, &judge).done()["disputer_is_right"], false);
    assert_eq!(
        cairn_with(home, "dispute vote --key founder", &[&wrong]).refused(4),
        "refused",
        "no validator"
    );

    cairn(home, &format!("{judge} --vote --key validator --dry-run")).done();
    let voted = cairn(home, &format!("{judge} --vote --key validator")).done();
    assert_eq!(
        (&voted["decided"], &voted["upheld"]),
        (&Value::Bool(true), &Value::Bool(false))
    );
    assert_eq!(
        cairn_with(home, "dispute vote --key validator", &[&wrong]).refused(4),
        "refused"
    );
    let shown = cairn(home, &show).done();
    assert_eq!(
        (&shown["dispute"]["state"], &shown["votes"][0]["choice"]),
        (&Value::from("rejected"), &shown["standing"])
    );
    assert_eq!(
        number(&cairn(home, "account show founder").done()["token"]),
        before - cost
    );
    let free = cairn(home, "verifier show verifier").done();
    assert_eq!(
        (number(&free["held_disputes"]), &free["bond_token"]),
        (0, &held["bond_token"])
    );
    assert!(number(&free["score"]["agreed"]) > 0);
    verifier.end();
    node.end();
}
