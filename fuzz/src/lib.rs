//! Every decoder of strangers' bytes as a function that never panics, with valid inputs to start from. A fuzzer runs one of them at
//! length (`fuzz/cargo-fuzz`), the tests run all of them with fixed seeds. Never reads a disk, a clock or a socket.
//!
//! A decoder is one function and one line of the table in the file named after its crate; whoever writes a decoder adds both.

use cairn_types::codec::{decode_canonical, encode};
use minicbor::{Decode, Encode};

pub mod agent;
pub mod engine;
pub mod gateway;
pub mod http;
pub mod ledger;
pub mod mutate;
pub mod node;
pub mod types;
pub mod verifier;
pub mod verticals;

/// A decoder under attack.
pub struct Target {
    /// What it decodes, as people say it on a command line.
    pub name: &'static str,
    /// Feeds it and uses what comes out; true when the bytes were taken. Panics only when a promise is broken.
    pub run: fn(&[u8]) -> bool,
    /// Inputs it takes, from which mutants are made.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target, by the file it stands in.
pub fn targets() -> impl Iterator<Item = &'static Target> {
    [
        types::TARGETS,
        verticals::TARGETS,
        ledger::TARGETS,
        engine::TARGETS,
        node::TARGETS,
        agent::TARGETS,
        verifier::TARGETS,
        gateway::TARGETS,
    ]
    .into_iter()
    .flatten()
}

/// The value of bytes in their one form, which is written back the same.
fn value<'b, T: Encode<()> + Decode<'b, ()>>(bytes: &'b [u8]) -> Option<T> {
    let value: T = decode_canonical(bytes).ok()?;
    assert!(encode(&value) == bytes, "a value has one byte form");
    Some(value)
}

/// The bytes of a golden file.
fn golden(hex_text: &str) -> Vec<u8> {
    hex::decode(hex_text.trim()).expect("golden files are hexadecimal")
}
