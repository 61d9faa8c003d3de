//! The middleware: collects signed reports, judges them by public rules, attests the result and has it paid.
//!
//! ```text
//! POST /v1/reports ─▶ intake ─▶ log (fsync) ─▶ receipt
//!                                 │ epoch over                                        others' words ─┐
//!                                 ▼                                                                 ▼
//!             others' files ─▶ archive ─▶ union ─▶ assess ─▶ divide ─▶ exchange ─▶ attest ─▶ submit: settle, pay
//!                                                                                          audit: all of it again
//! ```
//! Decisions are synchronous functions; time, disk, chain and object store are traits. It never holds anybody's money.

pub mod limits;

pub mod chain;
pub mod clock;
pub mod disk;
pub mod objects;

pub mod roster;

pub mod http;
pub mod mailbox;

pub mod intake;
pub mod log;
pub mod meters;

pub mod collector;

pub mod archive;
pub mod handed;

pub mod peers;
pub mod union;

pub mod assess;
pub mod divide;
pub mod exchange;
pub mod standing;

pub mod attest;
pub mod differences;

pub mod price;
pub mod submit;

pub mod epochs;

pub mod audit;
pub mod evidence;

pub mod metrics;
mod verifier;

pub use verifier::{ArchivePlace, Config, Handle, StartError, start};

#[cfg(test)]
mod world;
