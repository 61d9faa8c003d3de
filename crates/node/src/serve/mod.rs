//! serve
mod error;
mod listener;
