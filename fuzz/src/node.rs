//! What a node reads of files that people hand around, and of values and receipts as the chain keeps them. What it reads of HTTP
//! requests has no function of its own: the transaction in it is the target of the ledger.

use cairn_ledger::{Event, Genesis};
use cairn_node::{
    events,
    genesis::{self, Solo},
    pad, unpad,
};
use cairn_types::{MicroUsd, TimeMs, Token, codec::encode};

use crate::{Target, types::key};

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
];

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
