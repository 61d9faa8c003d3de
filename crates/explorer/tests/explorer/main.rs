//! The explorer against a real node, in a file and in a database server.

mod api;
mod follow;
mod killed;
mod schema;
mod server;
mod world;
