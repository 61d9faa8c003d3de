//! Worlds made by writing records directly, for benches and tests of other crates. Never part of a running chain.
