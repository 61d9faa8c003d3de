//! A customer's router: devices offer what they heard, it buys the best copies, pays by vouchers and brings them to a network server.
//!
//! ```text
//! device ═offer═▶ line ─▶ desk (claim, copies, money) ─▶ bought | refused with a reason
//!        ═packet═▶ (signature, hash) ─▶ server: GWMP, ChirpStack's MQTT topics, HTTP
//!        ◀═voucher═ desk, once it is on disk          ◀═downlink═ server
//! ```
//! `desk` decides and never waits; the rest moves bytes. It holds the voucher key of one order, and can lose no more than that holds.

pub mod desk;
pub mod keep;
pub mod router;
pub mod server;
