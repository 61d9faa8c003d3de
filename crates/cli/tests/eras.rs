//! The real program, as the only operator of a chain uses it to hand over to another: the ledger moves in one file, and somebody who
//! kept the first key and nothing else goes on.
#![allow(clippy::unwrap_used, reason = "all of it is a test")]

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Runs a command to its end: exit code and answer.
fn answer(folder: &Path, line: &str) -> (i32, Value) {
    let said = program(folder, line).output().unwrap();
    let text = String::from_utf8_lossy(&said.stderr);
    let json = serde_json::from_slice(&said.stdout).unwrap_or_else(|_| panic!("cairn {line}: {text}"));
    (said.status.code().unwrap(), json)
}

fn program(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cairn"));
    command
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .env("CAIRN_HOME", folder.join("home"))
        .arg("--json")
        .args(line.split_whitespace())
        .stdin(Stdio::null());
    command
}

fn done(folder: &Path, line: &str) -> Value {
    let (code, answer) = answer(folder, line);
    assert_eq!(code, 0, "cairn {line}: {answer}");
    answer
}

/// A refusal has the code of its kind, and a hint.
fn refused(folder: &Path, line: &str, code: i32) {
    let (found, answer) = answer(folder, line);
    assert_eq!(found, code, "cairn {line}: {answer}");
    assert!(
        !answer["error"]["hint"].as_str().unwrap().is_empty(),
        "cairn {line}: {answer}"
    );
}

/// A node that does not outlive the test.
struct Node(Child);

impl Node {
    fn start(folder: &Path, line: &str) -> (Self, Value) {
        let child = program(folder, line)
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn();
        let mut node = Self(child.unwrap());
        let mut first = String::new();
        BufReader::new(node.0.stdout.as_mut().unwrap())
            .read_line(&mut first)
            .unwrap();
        let first = serde_json::from_str(&first).unwrap_or_else(|_| panic!("not ready: {first}"));
        (node, first)
    }

    fn terminate(mut self) {
        let line = format!("kill -TERM {}", self.0.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
        assert_eq!(self.0.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A lone validator signs a file under its own key.
fn found(folder: &Path, file: &str, key: &str) -> Value {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    done(
        folder,
        &format!("genesis join --file {file} --address {address} --key {key}"),
    );
    done(folder, &format!("genesis sign --file {file} --key {key}"))
}

#[test]
fn one_operator_hands_its_chain_over_and_the_first_key_is_enough_to_go_on() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path();
    done(folder, "genesis new --chain moving --validators 1");
    let first = found(folder, "genesis.json", "validator.keys");
    let run = "node run --listen 127.0.0.1:0";
    let (old, said) = Node::start(folder, run);
    done(folder, &format!("config set --node {}", said["node"].as_str().unwrap()));
    // What is known from now on: the first key.
    let before = done(folder, "verify account founder");
    assert_eq!(before["group_key"], first["group_key"]);
    refused(folder, "state export --out ledger.state", 7);
    // A node that runs gives its state out as well.
    let live = format!("state export --node {} --out", said["node"].as_str().unwrap());
    let early = done(folder, &format!("{live} early.state"));
    assert_eq!(early["over"], false);
    assert_eq!(
        done(folder, "state show early.state")["state_root"],
        early["state_root"]
    );
    refused(
        folder,
        "state import --genesis genesis.json --state early.state --data moved",
        1,
    );

    done(folder, "genesis era --validators 1");
    refused(folder, "genesis approve", 4);
    let second = found(folder, "era.json", "second.keys");
    assert_ne!(second["group_key"], first["group_key"]);
    fs::copy(folder.join("era.json"), folder.join("wrong.json")).unwrap();
    done(folder, "genesis approve --file wrong.json --key second.keys");
    refused(folder, "genesis hand-over --file wrong.json", 4);
    assert_eq!(done(folder, "genesis approve")["approvals"], 1);
    done(folder, "genesis hand-over");
    let fetched = done(folder, &format!("{live} live.state"));
    assert_eq!(
        (&fetched["over"], &fetched["operations_kept"]),
        (&true.into(), &0.into())
    );
    // Killed in the last part or after it, it has no file of that name, and goes on.
    let whole = fs::read(folder.join("live.state")).unwrap();
    for len in [whole.len() - 1, whole.len()] {
        fs::write(folder.join("again.state.part"), &whole[..len]).unwrap();
        refused(folder, "state show again.state", 7);
        let again = done(folder, &format!("{live} again.state"));
        assert_eq!(again["operations_kept"] == 0, len < whole.len(), "{again}");
        assert!(fs::read(folder.join("again.state")).unwrap() == whole);
        fs::remove_file(folder.join("again.state")).unwrap();
    }
    // What was begun before the era's end is not gone on with.
    fs::rename(folder.join("early.state"), folder.join("live.state.part")).unwrap();
    assert_eq!(done(folder, &format!("{live} live.state"))["over"], true);
    old.terminate();

    let exported = done(folder, "state export --out ledger.state");
    assert_eq!(exported["over"], true);
    let files = ["live.state", "ledger.state"].map(|file| fs::read(folder.join(file)).unwrap());
    assert!(files[0] == files[1], "running or stopped, it is one file");
    assert!(!folder.join("live.state.part").exists());
    let shown = done(folder, "state show ledger.state");
    assert_eq!(shown, done(folder, "state show ledger.state --genesis genesis.json"));
    assert_eq!(shown["height"], exported["height"]);
    refused(folder, "node run --genesis era.json --key second.keys --data moved", 7);
    let mut bytes = fs::read(folder.join("ledger.state")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(folder.join("damaged.state"), bytes).unwrap();
    refused(folder, "state show damaged.state", 1);
    refused(folder, "state import --state damaged.state --data moved", 1);
    let imported = done(folder, "state import --state ledger.state --data moved");
    assert_eq!(imported["records"], shown["records"]);
    refused(folder, "node run --genesis era.json --key second.keys --data node", 7);

    let (new, said) = Node::start(
        folder,
        &format!("{run} --genesis era.json --key second.keys --data moved"),
    );
    assert_eq!(said["group_key"], second["group_key"]);
    done(folder, &format!("config set --node {}", said["node"].as_str().unwrap()));
    let listed = &done(folder, "validator list")["validators"];
    let seat = &done(folder, "genesis show era.json")["validators"][0];
    assert_eq!(
        listed.as_array().unwrap().len(),
        1,
        "the old validator is gone: {listed}"
    );
    assert_eq!(
        (&listed[0]["validator"], &listed[0]["address"]),
        (&seat["key"], &seat["address"])
    );
    let rules = done(folder, "validator upgrade show");
    assert_eq!((&rules["version"], &rules["next"]), (&Value::from(1), &Value::Null));
    let after = done(folder, "verify account founder --save kept.proofs");
    assert_eq!(
        (&after["group_key"], &after["era"]),
        (&second["group_key"], &Value::from(1))
    );
    assert_eq!(after["records"][0]["value"], before["records"][0]["value"]);
    assert!(after["records"][0]["height"].as_u64() > exported["height"].as_u64());
    let kept = done(folder, "verify file kept.proofs");
    assert_eq!(kept["group_key"], second["group_key"]);
    let settings: Value =
        serde_json::from_str(&fs::read_to_string(folder.join("home/settings.json")).unwrap()).unwrap();
    assert_eq!(
        settings["anchor"]["group_key"], first["group_key"],
        "nothing else is trusted"
    );
    new.terminate();
}
