//! Placeholder, replaced by the crate's first line.

pub mod economics;
