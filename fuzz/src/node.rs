//! What a node reads of files that people hand around, of values and receipts as the chain keeps them, and of HTTP requests: their
//! paths, their parameters, the JSON around a transaction. The transaction in it is the target of the ledger.

use std::sync::LazyLock;

use axum::{Router, http::StatusCode};
use cairn_ledger::{Event, Genesis};
use cairn_node::{
    ROUTES, events, from_json,
    genesis::{self, Solo},
    pad, reading, unpad,
};
use cairn_types::{MicroUsd, TimeMs, Token, codec::encode};

use crate::{
    Target,
    http::{answer, explains, request},
    types::key,
};

pub const TARGETS: &[Target] = &[
    Target {
        name: "genesis_file",
        run: genesis_file,
        seeds: || vec![genesis::write(&founding()).into_bytes()],
    },
    Target {
        name: "chain_value",
        run: chain_value,
        seeds: || [0, 1, 100, 254].map(|length| pad(&vec![7; length]).to_vec()).to_vec(),
    },
    Target {
        name: "chain_receipt",
        run: chain_receipt,
        seeds: || vec![encode(&begun())],
    },
    Target {
        name: "node_json_body",
        run: json_body,
        seeds: || vec![transaction_json("00ff"), transaction_json(&"a1".repeat(300))],
    },
    Target {
        name: "node_request",
        run: node_request,
        seeds: requests,
    },
];

/// Every route of a node, without the node.
static READING: LazyLock<Router> = LazyLock::new(reading);

/// A genesis that was read is written and read again as the same chain's.
pub fn genesis_file(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let Ok(genesis) = genesis::read(text) else { return false };
    assert_eq!(genesis.check(), Ok(()));
    let again = genesis::read(&genesis::write(&genesis));
    assert!(again.is_ok_and(|again| again == genesis));
    true
}

/// A record has one value.
pub fn chain_value(bytes: &[u8]) -> bool {
    let Ok(value) = bytes.try_into() else { return false };
    let Some(record) = unpad(value) else { return false };
    assert!(pad(record) == *value);
    true
}

pub fn chain_receipt(bytes: &[u8]) -> bool {
    !events(bytes).is_empty()
}

/// A transaction in JSON is hexadecimal digits, and those of its bytes say the same.
pub fn json_body(bytes: &[u8]) -> bool {
    let Ok(transaction) = from_json(bytes) else {
        return false;
    };
    let again = from_json(&transaction_json(&hex::encode(&transaction)));
    assert!(again.is_ok_and(|again| again == transaction));
    true
}

fn transaction_json(digits: &str) -> Vec<u8> {
    serde_json::json!({ "transaction": digits }).to_string().into_bytes()
}

/// A request is read, or refused with a code, a sentence and a hint.
pub fn node_request(bytes: &[u8]) -> bool {
    let Some(request) = request(bytes) else { return false };
    let (status, body) = answer(READING.clone(), request, || ());
    if status == StatusCode::NO_CONTENT {
        return true;
    }
    explains(status, &body, &["code", "message", "hint"]);
    false
}

/// Every route with ids and numbers in their places, and with the parameters it takes.
fn requests() -> Vec<Vec<u8>> {
    let id = "ab".repeat(32);
    let key = "0c".repeat(33);
    let plain = ROUTES.iter().map(|(method, path)| {
        let path = path
            .replace("{key}", &key)
            .replace("{height}", "7")
            .replace("{part}", "3")
            .replace("{epoch}", "18446744073709551615")
            .replace("{id}", &id);
        let more = if path == "/v1/records" {
            format!("?keys={key},{key}")
        } else {
            String::new()
        };
        format!("{} {path}{more}\n\n", method.to_uppercase())
    });
    let asked = [
        "GET /v1/blocks?before=100&limit=5\n\n".to_owned(),
        "GET /v1/events?from=3\nlast-event-id: 9\n\n".to_owned(),
        "GET /v1/networks?start=0&count=4294967295\n\n".to_owned(),
        format!("GET /v1/networks/{id}/roster?start=1&count=2\n\n"),
        "GET /v1/accounts/7\n\n".to_owned(),
        "GET /v1/devices/%37\n\n".to_owned(),
        "POST /v1/transactions?wait=final\ncontent-type: application/json\n\n{\"transaction\":\"00ff\"}".to_owned(),
    ];
    plain.chain(asked).map(String::into_bytes).collect()
}

/// What the beginning of a chain tells.
fn begun() -> Vec<Event> {
    let genesis = founding();
    let block = cairn_ledger::Block {
        height: 1,
        time: genesis.start,
        beacon: None,
    };
    let (mut store, mut events) = (cairn_ledger::MemoryStore::default(), Vec::new());
    cairn_ledger::Ledger::new(genesis)
        .expect("a solo genesis")
        .begin_block(&mut store, &block, &mut events)
        .expect("everything is in memory");
    events
}

fn founding() -> Genesis {
    genesis::solo(&Solo {
        chain: "cairn-fuzz".parse().expect("plain"),
        start: TimeMs(1_500_076_800_000),
        epoch_ms: 3_600_000,
        founder: key(1).public(),
        verifier: key(2).public(),
        issuer: key(3).public(),
        others: vec![(key(4).public(), Token(5_000_000), MicroUsd(1_000_000_000))],
    })
    .expect("the numbers fit")
}
