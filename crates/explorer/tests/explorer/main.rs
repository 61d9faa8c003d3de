//! The explorer against a real node, in a file and in a database server.

#![allow(clippy::unwrap_used, reason = "all of it is a test")]

mod api;
mod eras;
mod follow;
mod killed;
mod passed;
mod schema;
mod server;
mod world;
