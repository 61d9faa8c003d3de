//! The real program, as four operators who do not trust each other use it: they found a chain, one of them killed on the way, run it,
//! kill a validator, and let a follower read along.
#![allow(clippy::unwrap_used, reason = "all of it is a test")]

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

const N: usize = 4;
/// Questions to a node that is still on its way.
const ROUNDS_MAX: usize = 500;

/// One operator's folder: home, key file, and a copy of the file that goes round.
struct Operator {
    folder: PathBuf,
    address: String,
}

impl Operator {
    fn new(root: &Path, name: &str) -> Self {
        let folder = root.join(name);
        fs::create_dir_all(&folder).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self {
            folder,
            address: free.to_string(),
        }
    }

    fn program(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cairn"));
        command
            .current_dir(&self.folder)
            .env_remove("RUST_LOG")
            .env("CAIRN_HOME", self.folder.join("home"))
            .arg("--json")
            .args(line.split_whitespace())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end: exit code and answer.
    fn answer(&self, line: &str) -> (i32, Value) {
        let said = self.program(line).output().unwrap();
        let json = serde_json::from_slice(&said.stdout);
        let text = String::from_utf8_lossy(&said.stderr);
        (
            said.status.code().unwrap(),
            json.unwrap_or_else(|_| panic!("cairn {line}: {text}")),
        )
    }

    fn done(&self, line: &str) -> Value {
        let (code, answer) = self.answer(line);
        assert_eq!(code, 0, "cairn {line}: {answer}");
        answer
    }

    /// A refusal has the code of its kind, and a hint.
    fn refused(&self, line: &str, code: i32) {
        let (found, answer) = self.answer(line);
        assert_eq!(found, code, "cairn {line}: {answer}");
        assert!(
            !answer["error"]["hint"].as_str().unwrap().is_empty(),
            "cairn {line}: {answer}"
        );
    }

    fn start(&self, line: &str) -> Process {
        let mut command = self.program(line);
        Process(command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap())
    }

    fn file(&self) -> PathBuf {
        self.folder.join("genesis.json")
    }
}

/// A process that does not outlive the test.
struct Process(Child);

impl Process {
    fn first_line(&mut self) -> Value {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not ready: {line}"))
    }

    /// The answer of a command that ends by itself.
    fn end(mut self) -> Value {
        let mut text = String::new();
        self.0.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        assert!(self.0.wait().unwrap().success(), "{text}");
        serde_json::from_str(&text).unwrap()
    }

    fn terminate(mut self) {
        let line = format!("kill -TERM {}", self.0.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
        assert_eq!(self.0.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The draft goes round; all end with the same one.
fn join_all(operators: &[Operator]) -> String {
    let first = &operators[0];
    let made = first.done("genesis new --chain cairn-together --validators 4 --epoch-seconds 60");
    assert_eq!((&made["missing"], &made["draft"]), (&Value::from(4), &Value::Null));
    first.refused("genesis new --chain again", 7);
    first.refused("genesis sign", 4);
    for operator in &operators[1..] {
        fs::copy(first.file(), operator.file()).unwrap();
    }
    for operator in operators {
        let joined = operator.done(&format!("genesis join --address {}", operator.address));
        assert_eq!(joined["missing"], 3);
    }
    let copies: Vec<String> = operators[1..]
        .iter()
        .map(|one| one.file().display().to_string())
        .collect();
    let merged = first.done(&format!("genesis merge {}", copies.join(" ")));
    assert_eq!(merged["missing"], 0);
    for operator in &operators[1..] {
        fs::copy(first.file(), operator.file()).unwrap();
        assert_eq!(operator.done("genesis show")["draft"], merged["draft"]);
    }
    merged["draft"].as_str().unwrap().to_owned()
}

/// All sign; the last one is killed while it waits, and comes again.
fn sign_all(operators: &[Operator]) {
    let (last, others) = operators.split_last().unwrap();
    let waiting = others.iter().map(|one| one.start("genesis sign")).collect::<Vec<_>>();
    let ceremony = last.folder.join("validator.ceremony");
    let killed = last.start("genesis sign");
    // It has found the others and begun: its chain is on disk.
    while !ceremony.join("chain").exists() {
        std::thread::yield_now();
    }
    drop(killed);
    let signed = last.done("genesis sign");
    assert_eq!(signed["signed"], true);
    for process in waiting {
        assert_eq!(process.end()["group_key"], signed["group_key"]);
    }
    let file = fs::read(last.file()).unwrap();
    assert!(
        operators.iter().all(|one| fs::read(one.file()).unwrap() == file),
        "one file for all"
    );
    assert!(!ceremony.exists(), "nothing secret is left behind");
    assert_eq!(
        last.done("genesis sign")["group_key"],
        signed["group_key"],
        "once is enough"
    );
    last.refused(&format!("genesis join --address {}", last.address), 4);
}

fn run(operator: &Operator, more: &str) -> (Process, Value) {
    let mut node = operator.start(&format!("node run --listen 127.0.0.1:0 {more}"));
    let ready = node.first_line();
    (node, ready)
}

/// Waits until a node proves that an account has so many tokens.
fn has_token(operator: &Operator, ready: &Value, account: &str, token: u64) {
    let node = ready["node"].as_str().unwrap();
    operator.done(&format!("config set --node {node}"));
    let mut last = Value::Null;
    for _ in 0..ROUNDS_MAX {
        // Before block 1, which opens it, nobody has an account.
        let (_, answer) = operator.answer(&format!("account show {account}"));
        if answer["token"] == token {
            return;
        }
        last = answer;
    }
    panic!("{account} at {node}: {last}");
}

/// The founders are the ledger's validators, and vote on another one: two of four do not decide.
fn vote(operators: &[Operator], reader: &Operator, shown: &Value, key: &str) {
    let listed = reader.done("validator list")["validators"].clone();
    let of = |value: &Value, name: &str| -> Vec<String> {
        let all = value.as_array().unwrap().iter();
        all.map(|one| one[name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(of(&listed, "validator"), of(&shown["validators"], "key"));
    assert_eq!(of(&listed, "address"), of(&shown["validators"], "address"));
    assert_eq!(of(&listed, "consensus"), ["signs"; 4]);
    let add = format!(
        "validator vote add --validator {key} --address {} --account founder",
        reader.address
    );
    operators[0].refused(&format!("{add} --key founder"), 4);
    operators[0].done(&format!("{add} --key validator --dry-run"));
    let account = operators[0].done("account show founder")["account"].clone();
    let line = add.replace("--account founder", &format!("--account {}", account.as_str().unwrap()));
    for operator in &operators[..2] {
        assert_eq!(operator.done(&format!("{line} --key validator"))["decided"], false);
    }
    operators[0].refused(&format!("{line} --key validator"), 4);
    assert_eq!(reader.done("validator list")["validators"], listed);
}

#[test]
fn four_operators_found_a_chain_run_it_and_let_one_follow() {
    let root = tempfile::tempdir().unwrap();
    let operators: Vec<Operator> = (0..N).map(|at| Operator::new(root.path(), &at.to_string())).collect();
    join_all(&operators);
    sign_all(&operators);

    let reader = Operator::new(root.path(), "reader");
    fs::copy(operators[0].file(), reader.file()).unwrap();
    let key = reader.done("node key")["key"].as_str().unwrap().to_owned();
    let follow = format!("--follower {key}");
    let nodes: Vec<Process> = operators
        .iter()
        .map(|one| one.start(&format!("node run --listen 127.0.0.1:0 {follow}")))
        .collect();
    let mut nodes: Vec<(Process, Value)> = nodes
        .into_iter()
        .map(|mut node| {
            let ready = node.first_line();
            (node, ready)
        })
        .collect();
    let shown = operators[0].done("genesis show");
    for (_, ready) in &nodes {
        assert_eq!(
            (&ready["votes"], &ready["group_key"]),
            (&Value::Bool(true), &shown["group_key"])
        );
        assert_eq!(ready["genesis"], shown["genesis"]);
    }

    // The founder pays the second validator through the first one's node; every node proves it.
    let payee = shown["validators"][1]["account"].as_str().unwrap().to_owned();
    let begun = 1_000_000_000;
    has_token(&operators[0], &nodes[0].1, &payee, begun);
    operators[0].done(&format!("account transfer {payee} --token 2 --key founder"));
    let (following, ready) = run(&reader, "");
    assert_eq!(ready["votes"], false);

    // One of four may be gone.
    drop(nodes.pop());
    operators[0].done(&format!("account transfer {payee} --token 3 --key founder"));
    nodes.push(run(&operators[3], &follow));
    operators[0].done(&format!("account transfer {payee} --token 1 --key founder"));
    for (operator, (_, ready)) in operators.iter().zip(&nodes) {
        has_token(operator, ready, &payee, begun + 6_000_000);
    }
    has_token(&reader, &ready, &payee, begun + 6_000_000);
    vote(&operators, &reader, &shown, &key);
    following.terminate();
    nodes.into_iter().for_each(|(node, _)| node.terminate());
}
