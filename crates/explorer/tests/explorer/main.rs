//! The explorer against a real node, in a file and in a database server.

mod follow;
mod killed;
mod server;
mod world;
