//! Beacons of radios: each epoch the network's seed asks every hotspot for one, at a time, on a channel and at a rate that nobody could
//! know before. It is handed to the radio's packet forwarder within the region's rules, and reported like everything else the device
//! says: signed once, kept until a receipt. It never sends a second one in an epoch, whatever is killed when.
//!
//! ```text
//! ledger (seed, who stands where) ─▶ schedule ─▶ book (on disk) ─▶ switch ══PULL_RESP══▶ forwarder
//!                                       ▲                             ◀══TX_ACK══════
//!                                       └─ sent, or not ◀────────────────┘
//!                                       └─▶ what was sent ─▶ the device's outbox
//! ```
//! What others send is heard like any frame, and every frame heard is reported; a beacon among them is only recognised here, and counted.

pub mod beaconer;
pub mod book;
pub mod challenge;
pub mod schedule;
