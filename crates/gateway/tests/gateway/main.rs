//! The gateway against a real ledger in memory, a real verifier's collector and archive, and real sockets.

#![allow(clippy::unwrap_used, reason = "all of it is a test")]

mod disputed;
mod document;
mod doors;
mod foreign;
mod http;
mod interrupted;
mod keys;
mod keys_http;
mod mutants;
mod prices;
mod sales;
mod streams;
mod world;
