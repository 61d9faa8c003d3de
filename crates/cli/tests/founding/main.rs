//! The real program, as four operators who do not trust each other use it: they found a chain, one of them killed on the way, run it,
//! kill a validator, let a follower read along, take a fifth one in, and let one of the first go.
#![allow(clippy::unwrap_used, reason = "all of it is a test")]

mod eras;
mod joining;
mod operator;
#[path = "../stand/mod.rs"]
mod stand;

use operator::{Operator, Process};
use serde_json::Value;
use std::fs;

const N: usize = 4;
/// Questions to a node that is still on its way.
const ROUNDS_MAX: usize = 500;

/// The draft goes round; all end with the same one.
fn join_all(operators: &[Operator]) -> String {
    let first = &operators[0];
    let blocks = joining::COMMITTEE_BLOCKS;
    let new = format!("genesis new --chain cairn-together --epoch-seconds 60 --committee-blocks {blocks}");
    first.refused(&format!("{new} --validators 6"), 2);
    let made = first.done(&format!("{new} --validators 4"));
    assert_eq!((&made["missing"], &made["draft"]), (&Value::from(4), &Value::Null));
    assert_eq!(
        (&made["committee_blocks"], &made["validators_max"]),
        (&blocks.into(), &5.into())
    );
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

/// One field of each in a list.
fn fields(list: &Value, name: &str) -> Vec<String> {
    let all = list.as_array().unwrap().iter();
    all.map(|one| one[name].as_str().unwrap().to_owned()).collect()
}

#[test]
fn four_operators_found_a_chain_run_it_let_one_follow_take_one_in_and_let_one_go() {
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
    following.terminate();
    let fifth = Operator::new(root.path(), "fifth");
    joining::take_one_in_and_let_one_go(&operators, fifth, &mut nodes, &shown);
    nodes.into_iter().for_each(|(node, _)| node.terminate());
}
