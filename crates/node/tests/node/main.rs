//! A real node on a real socket: the whole API, its description, and kills at any moment.
#![allow(clippy::unwrap_used, reason = "a test may")]

mod api;
mod eras;
mod export;
mod follow;
mod killed;
mod largest;
mod openapi;
mod passkey;
mod schema;
mod world;
