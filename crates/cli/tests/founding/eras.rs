//! The real program, as the only operator of a chain uses it to hand over to another: the ledger moves in one file, and somebody who
//! kept the first key and nothing else goes on.

use super::operator::Operator;
use super::run;
use serde_json::Value;
use std::fs;

/// A lone validator signs a file under its own key.
fn found(operator: &Operator, file: &str, key: &str) -> Value {
    let address = Operator::free_address();
    operator.done(&format!("genesis join --file {file} --address {address} --key {key}"));
    operator.done(&format!("genesis sign --file {file} --key {key}"))
}

#[test]
fn one_operator_hands_its_chain_over_and_the_first_key_is_enough_to_go_on() {
    let root = tempfile::tempdir().unwrap();
    let operator = Operator::new(root.path(), "lone");
    let folder = operator.folder.as_path();
    operator.done("genesis new --chain moving --validators 1");
    let first = found(&operator, "genesis.json", "validator.keys");
    let (old, said) = run(&operator, "");
    operator.done(&format!("config set --node {}", said["node"].as_str().unwrap()));
    // What is known from now on: the first key.
    let before = operator.done("verify account founder");
    assert_eq!(before["group_key"], first["group_key"]);
    operator.refused("state export --out ledger.state", 7);
    // A node that runs gives its state out as well.
    let live = format!("state export --node {} --out", said["node"].as_str().unwrap());
    let early = operator.done(&format!("{live} early.state"));
    assert_eq!(early["over"], false);
    assert_eq!(
        operator.done("state show early.state")["state_root"],
        early["state_root"]
    );
    operator.refused(
        "state import --genesis genesis.json --state early.state --data moved",
        1,
    );

    operator.done("genesis era --validators 1");
    operator.refused("genesis approve", 4);
    let second = found(&operator, "era.json", "second.keys");
    assert_ne!(second["group_key"], first["group_key"]);
    fs::copy(folder.join("era.json"), folder.join("wrong.json")).unwrap();
    operator.done("genesis approve --file wrong.json --key second.keys");
    operator.refused("genesis hand-over --file wrong.json", 4);
    assert_eq!(operator.done("genesis approve")["approvals"], 1);
    operator.done("genesis hand-over");
    let fetched = operator.done(&format!("{live} live.state"));
    assert_eq!(
        (&fetched["over"], &fetched["operations_kept"]),
        (&true.into(), &0.into())
    );
    // Killed in the last part or after it, it has no file of that name, and goes on.
    let whole = fs::read(folder.join("live.state")).unwrap();
    for len in [whole.len() - 1, whole.len()] {
        fs::write(folder.join("again.state.part"), &whole[..len]).unwrap();
        operator.refused("state show again.state", 7);
        let again = operator.done(&format!("{live} again.state"));
        assert_eq!(again["operations_kept"] == 0, len < whole.len(), "{again}");
        assert!(fs::read(folder.join("again.state")).unwrap() == whole);
        fs::remove_file(folder.join("again.state")).unwrap();
    }
    // What was begun before the era's end is not gone on with.
    fs::rename(folder.join("early.state"), folder.join("live.state.part")).unwrap();
    assert_eq!(operator.done(&format!("{live} live.state"))["over"], true);
    old.terminate();

    let exported = operator.done("state export --out ledger.state");
    assert_eq!(exported["over"], true);
    let files = ["live.state", "ledger.state"].map(|file| fs::read(folder.join(file)).unwrap());
    assert!(files[0] == files[1], "running or stopped, it is one file");
    assert!(!folder.join("live.state.part").exists());
    let shown = operator.done("state show ledger.state");
    assert_eq!(shown, operator.done("state show ledger.state --genesis genesis.json"));
    assert_eq!(shown["height"], exported["height"]);
    operator.refused("node run --genesis era.json --key second.keys --data moved", 7);
    let mut bytes = fs::read(folder.join("ledger.state")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(folder.join("damaged.state"), bytes).unwrap();
    operator.refused("state show damaged.state", 1);
    operator.refused("state import --state damaged.state --data moved", 1);
    let imported = operator.done("state import --state ledger.state --data moved");
    assert_eq!(imported["records"], shown["records"]);
    operator.refused("node run --genesis era.json --key second.keys --data node", 7);

    let (new, said) = run(&operator, "--genesis era.json --key second.keys --data moved");
    assert_eq!(said["group_key"], second["group_key"]);
    operator.done(&format!("config set --node {}", said["node"].as_str().unwrap()));
    let listed = &operator.done("validator list")["validators"];
    let seat = &operator.done("genesis show era.json")["validators"][0];
    assert_eq!(
        listed.as_array().unwrap().len(),
        1,
        "the old validator is gone: {listed}"
    );
    assert_eq!(
        (&listed[0]["validator"], &listed[0]["address"]),
        (&seat["key"], &seat["address"])
    );
    let rules = operator.done("validator upgrade show");
    assert_eq!((&rules["version"], &rules["next"]), (&Value::from(1), &Value::Null));
    let after = operator.done("verify account founder --save kept.proofs");
    assert_eq!(
        (&after["group_key"], &after["era"]),
        (&second["group_key"], &Value::from(1))
    );
    assert_eq!(after["records"][0]["value"], before["records"][0]["value"]);
    assert!(after["records"][0]["height"].as_u64() > exported["height"].as_u64());
    let kept = operator.done("verify file kept.proofs");
    assert_eq!(kept["group_key"], second["group_key"]);
    let settings: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("home/settings.json")).unwrap()).unwrap();
    assert_eq!(
        settings["anchor"]["group_key"], first["group_key"],
        "nothing else is trusted"
    );
    let trusted = operator.done("config set --genesis era.json");
    assert_eq!(
        trusted["anchor"]["group_key"], first["group_key"],
        "the first key, also by the later file"
    );
    new.terminate();
}
