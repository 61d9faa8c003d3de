//! Packet forwarders: what a radio's own program says over UDP (Semtech's gateway message protocol, versions 1 and 2), what of
//! it is a report, who else gets a copy, and which downlinks may go on the air. Nothing here owns a socket or a clock; it
//! decrypts nothing and never changes a frame.
//!
//! ```text
//! forwarder ══PUSH_DATA══▶ mux ─▶ agent (disk) ─▶ PUSH_ACK ══▶ forwarder
//!                           ├══PUSH_DATA, PULL_DATA══▶ every upstream
//! forwarder ◀══PULL_RESP══ air (region, hour, collisions) ◀══PULL_RESP══ any upstream
//!           ══TX_ACK═════▶ ─────────────────────────────▶ the upstream that asked
//! ```

pub mod air;
pub mod mux;
pub mod packet;
pub mod plan;
pub mod wire;
