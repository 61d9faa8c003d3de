//! What operators, founders and verifiers change and end, against a real network: devices that move, leave and are retired; a network's
//! terms, treasury and end; a verifier's bond.
#![allow(clippy::unwrap_used, reason = "all of it is a test")]

mod stand;

use serde_json::Value;
use stand::*;
use std::path::Path;

#[test]
fn what_was_begun_is_changed_and_ended() {
    let place = Place::new();
    let home = place.home.as_path();
    let up = Running::start(home, "up --port 0 --epoch-seconds 2");
    cairn(home, "key new").done();
    cairn(home, "account open").done();
    cairn(home, "account transfer me --token 3 --key founder").done();
    cairn(home, "network create --name garden --resolution 7 --key founder").done();
    devices(home);
    terms(home, &up);
    treasury(home);
    verifiers(home, &up);
    end(home);
    up.end();
}

fn devices(home: &Path) {
    let register = "device register gauge --lat 52.37 --lng 4.9 --network";
    cairn(home, &format!("{register} sensors")).done();
    let before = cairn(home, "device show gauge").done();
    let tokens = cairn(home, "account show").done()["token"].clone();

    assert_eq!(cairn(home, "device move gauge").code, 2, "where to?");
    assert_eq!(
        cairn(home, "device move gauge --lat 52.37 --lng 4.9").refused(4),
        "refused",
        "it stands there"
    );
    assert_eq!(
        cairn(home, "device move nothing --lat 52 --lng 5").refused(3),
        "not_found"
    );
    let line = "device move gauge --lat 52.3 --lng 4.8";
    let planned = cairn(home, &format!("{line} --dry-run")).done();
    assert!(number(&planned["fee_token"]) > 1_000_000, "moving has a fee of its own");
    assert_eq!(
        cairn(home, "device show gauge").done(),
        before,
        "a dry run moves nothing"
    );
    let moved = cairn(home, line).done();
    assert_eq!(moved["cell"], planned["cell"]);
    let stay = cairn(home, "device show gauge").done()["networks"][0].clone();
    assert_eq!((&stay["cell"], &stay["joined"]), (&moved["cell"], &moved["from_epoch"]));
    assert_eq!(
        cairn(
            home,
            "device move gauge --sponsor none --lat 52.2 --lng 4.8 --key founder"
        )
        .refused(4),
        "refused",
        "another's device"
    );

    cairn(home, &format!("{register} garden")).done();
    assert_eq!(
        cairn(home, "device leave gauge").refused(2),
        "usage",
        "it is in two networks"
    );
    let left = cairn(home, "device leave gauge --network garden").done();
    assert!(left["last_epoch"].is_u64());
    let networks = cairn(home, "device show gauge").done()["networks"].clone();
    assert_eq!(networks.as_array().unwrap().len(), 1);
    assert_eq!(cairn(home, "device leave gauge --network garden").refused(4), "refused");
    assert_eq!(
        cairn(home, "account show").done()["token"],
        tokens,
        "the networks paid the fees"
    );

    assert_eq!(
        cairn(home, "device retire gauge").refused(4),
        "refused",
        "nobody said yes"
    );
    cairn(home, "device retire gauge --dry-run").done();
    assert_eq!(cairn(home, "device show gauge").done()["retired"], Value::Null);
    assert_eq!(
        number(&cairn(home, "device retire gauge --yes").done()["networks_left"]),
        1
    );
    assert!(cairn(home, "device show gauge").done()["retired"].is_u64());
    assert_eq!(
        cairn(home, &format!("{register} sensors")).refused(4),
        "refused",
        "never again"
    );
    assert_eq!(cairn(home, "device leave gauge").refused(3), "not_found");
}

fn terms(home: &Path, up: &Running) {
    let before = cairn(home, "network show garden").done();
    assert_eq!(cairn(home, "network set garden --key founder").code, 2, "what?");
    assert_eq!(
        cairn(home, "network set garden --price 100 --key founder").refused(4),
        "refused",
        "it has that price"
    );
    assert_eq!(
        cairn(home, "network set garden --price 7").refused(4),
        "refused",
        "not its founder"
    );
    let planned = cairn(home, "network set garden --price 120.5 --key founder --dry-run").done();
    assert_eq!(
        (number(&planned["price_micro_usd"]), &planned["parameters"]),
        (120_500_000, &before["parameters"])
    );
    assert_eq!(cairn(home, "network show garden").done()["next_terms"], Value::Null);
    let set = cairn(home, "network set garden --price 120.5 --key founder").done();

    // A second change keeps the first, if the epoch is still the same; it is in force already if it is not.
    let mut parameters = before["parameters"].clone();
    let first = parameters[0].as_u64().unwrap();
    parameters[0] = Value::from(first + 1);
    let file = home.join("parameters.json");
    std::fs::write(&file, parameters.to_string()).unwrap();
    let second = cairn_with(home, "network set garden --key founder --params", &[&file]).done();
    assert_eq!(number(&second["price_micro_usd"]), 120_500_000);
    assert!(number(&second["from_epoch"]) >= number(&set["from_epoch"]));
    std::fs::write(&file, "[1]").unwrap();
    assert_eq!(
        cairn_with(home, "network set garden --key founder --params", &[&file]).code,
        2
    );
    until_event(&up.url("node"), "epoch_closed");
    let after = cairn(home, "network show garden").done();
    assert_eq!(
        (&after["parameters"], &after["price_micro_usd"], &after["next_terms"]),
        (&parameters, &second["price_micro_usd"], &Value::Null)
    );
}

fn treasury(home: &Path) {
    let before = cairn(home, "network show garden").done();
    assert_eq!(cairn(home, "network fund garden").code, 2, "how much?");
    assert_eq!(
        cairn(home, "network fund garden --stable 1 --allowance").code,
        2,
        "fees are paid in token"
    );
    let fund = "network fund garden --key founder";
    cairn(home, &format!("{fund} --token 7 --dry-run")).done();
    cairn(home, &format!("{fund} --token 7")).done();
    cairn(home, &format!("{fund} --stable 2.5")).done();
    cairn(home, &format!("{fund} --token 11 --allowance")).done();
    let after = cairn(home, "network show garden").done();
    assert_eq!(number(&after["treasury"]["token"]), 7_000_000);
    assert_eq!(number(&after["treasury"]["stable_micro_usd"]), 2_500_000);
    let more = number(&after["allowance_token"]) - number(&before["allowance_token"]);
    assert_eq!(more, 11_000_000);

    assert_eq!(
        cairn(home, "network withdraw garden --token 1").refused(4),
        "refused",
        "not its treasurer"
    );
    let withdraw = "network withdraw garden --key founder";
    assert_eq!(
        cairn(home, &format!("{withdraw} --token 8")).refused(5),
        "insufficient",
        "it holds seven"
    );
    cairn(home, &format!("{withdraw} --token 3")).done();
    cairn(home, &format!("{withdraw} --stable 2.5")).done();
    let left = cairn(home, "network show garden").done()["treasury"].clone();
    assert_eq!(
        (number(&left["token"]), number(&left["stable_micro_usd"])),
        (4_000_000, 0)
    );
}

fn verifiers(home: &Path, up: &Running) {
    let listed = cairn(home, "verifier list").done();
    assert_eq!(listed["verifiers"].as_array().unwrap().len(), 1);
    let running = cairn(home, "verifier show verifier").done();
    assert_eq!(running["bond_token"], running["bond_active_token"]);
    assert_eq!(cairn(home, "verifier show founder").refused(3), "not_found");
    assert_eq!(cairn(home, "verifier unbond all --key founder").refused(3), "not_found");
    assert_eq!(
        cairn(home, "verifier bond 999 --key founder").refused(4),
        "refused",
        "too little"
    );
    assert_eq!(cairn(home, "verifier bond 1000").refused(5), "insufficient");
    cairn(home, "key new attester").done();
    let bond = "verifier bond 1000 --attests attester --key founder";
    cairn(home, &format!("{bond} --dry-run")).done();
    assert_eq!(cairn(home, "verifier show founder").code, 3, "a dry run bonds nothing");
    let bonded = cairn(home, bond).done();
    let attester = cairn(home, "key show attester").done();
    assert_eq!(bonded["attests"], attester["public_key"]);
    // A later bond keeps the key, whoever pays; another key is refused.
    cairn(home, "verifier bond 500 --key founder").done();
    assert_eq!(
        cairn(home, "verifier bond 500 --attests me --key founder").refused(4),
        "refused"
    );
    until_event(&up.url("node"), "epoch_closed");
    let shown = cairn(home, "verifier show founder").done();
    assert_eq!(
        (number(&shown["bond_token"]), number(&shown["joining_token"])),
        (1_500_000_000, 0)
    );
    url(home);
    another_verifier(home);
    assert_eq!(
        cairn(home, "verifier unbond 600 --key founder").refused(4),
        "refused",
        "too little would stay"
    );
    let unbonded = cairn(home, "verifier unbond all --key founder").done();
    let shown = cairn(home, "verifier show founder").done();
    assert_eq!(shown["returns_epoch"], unbonded["returns_epoch"]);
    assert_eq!(number(&shown["unbonding_token"]), 1_500_000_000);
}

/// Where a verifier is reached is on the ledger, for who has a bond.
fn url(home: &Path) {
    let set = "verifier set-url https://verifier.example.org";
    assert_eq!(cairn(home, &format!("{set} --key me")).refused(4), "refused", "no bond");
    assert_eq!(
        cairn(home, "verifier set-url example.org --key founder").refused(4),
        "refused",
        "no http"
    );
    cairn(home, &format!("{set} --key founder")).done();
    let shown = cairn(home, "verifier show founder").done();
    assert_eq!(shown["url"], "https://verifier.example.org");
    let listed = cairn(home, "verifier list").done();
    let urls: Vec<&Value> = listed["verifiers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|verifier| &verifier["url"])
        .collect();
    assert!(urls.contains(&&shown["url"]));
    cairn(home, "verifier set-url none --key founder").done();
    assert_eq!(cairn(home, "verifier show founder").done()["url"], Value::Null);
}

/// A verifier as a process of its own: only for who has a bond, with the key it was bonded for; it takes reports for every network.
fn another_verifier(home: &Path) {
    let line = "verifier run --listen 127.0.0.1:0 --data second --archive second-archive";
    let place = |name: &str| home.join(name).display().to_string();
    let line = line.replace("second-archive", &place("second-archive"));
    let line = line.replace("--data second", &format!("--data {}", place("second")));
    assert_eq!(
        cairn(home, &format!("{line} --key me")).refused(4),
        "refused",
        "no bond"
    );
    assert_eq!(
        cairn(home, &format!("{line} --key founder")).refused(4),
        "refused",
        "bonded for another key"
    );
    let second = Running::start(home, &format!("{line} --key founder --attests attester"));
    let founder = cairn(home, "account show founder").done();
    assert_eq!(second.ready["account"], founder["account"]);
    let networks = cairn(home, "network list").done();
    assert_eq!(
        second.ready["networks"].as_array().unwrap().len(),
        networks["networks"].as_array().unwrap().len()
    );
    second.end();
}

fn end(home: &Path) {
    let close = "network close garden --key founder";
    assert_eq!(cairn(home, close).refused(4), "refused", "nobody said yes");
    assert_eq!(
        cairn(home, "network close garden --yes").refused(4),
        "refused",
        "not its founder"
    );
    cairn(home, &format!("{close} --dry-run")).done();
    assert_eq!(cairn(home, "network show garden").done()["closes"], Value::Null);
    let closed = cairn(home, &format!("{close} --yes")).done();
    assert_eq!(
        cairn(home, "network show garden").done()["closes"],
        closed["last_epoch"]
    );
    assert_eq!(
        cairn(home, &format!("{close} --yes")).refused(4),
        "refused",
        "it is closing"
    );
    let join = "device register late --network garden --lat 52.37 --lng 4.9 --sponsor none --key founder";
    assert_eq!(cairn(home, join).refused(4), "refused");
}
