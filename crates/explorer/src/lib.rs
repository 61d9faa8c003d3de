//! The explorer: what happened on a chain, for people and programs. It follows a node's final blocks, runs them through the ledger's own
//! rules, and answers from what it computed and checked itself. It holds no key and moves nothing.
//!
//! ```text
//! node ─▶ follow ─▶ index ─▶ api ─▶ pages, programs        verifiers' archives ─▶ archives ─▶ index (findings, cells, alerts)
//! ```
//! Modules stand in the order in which a block meets them.

#[cfg(test)]
extern crate self as cairn_explorer;

pub mod db;

pub mod turns;

pub mod live;

mod dial;

pub mod follow;

pub mod index;

pub mod archives;

pub mod words;

pub mod api;

pub mod page;

pub mod webhooks;

mod serve;

pub mod content;

pub use serve::{Clock, Handle, Settings, StartError, page_url, start, system_time};
