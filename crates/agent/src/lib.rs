//! The device's side of a report: what a port gives is driven, signed, kept on disk and sent until a verifier's receipt
//! holds. One process serves many devices.
//!
//! ```text
//! port (http, mqtt, datagram, replay) ─▶ driver ─▶ sign ─▶ outbox ═(batch)═▶ verifier
//!                               ack ◀── on disk ◀──────────┘   ◀═(receipt, checked)═
//! ```
//! `agent` decides and never waits; `shell` moves bytes and never decides. Time, disk and network stand behind `Clock`,
//! `Disk` and `Uplink`.

pub mod agent;
pub mod answers;
pub mod backoff;
pub mod beacon;
pub mod carry;
pub mod clock;
pub mod config;
pub mod device;
pub mod disk;
pub mod drive;
pub mod gwmp;
pub mod journal;
pub mod keys;
pub mod outbox;
pub mod port;
pub mod queue;
pub mod registry;
pub mod routes;
pub mod shell;
pub mod status;
pub mod uplink;
