//! Secrets at rest: files that only their owner can read, plain or sealed under a passphrase, written whole or not at all. Knows no
//! kind of key. Never prints a secret, and keeps none longer than its owner lives.
//!
//! ```text
//! passphrase (file, terminal) ─▶ argon2id ─▶ key ─▶ ChaCha20-Poly1305 ─▶ file
//! ```

mod error;
pub mod file;
mod keyring;
mod passphrase;
mod sealed;
pub mod terminal;

pub use error::SecretsError;
pub use keyring::{Form, Keyring, Opened};
pub use passphrase::Passphrase;
pub use sealed::Strength;

use rustix::process::{Resource, Rlimit, setrlimit};

/// Lets this process, and those it starts, leave no picture of its memory behind when it dies.
pub fn leave_no_core() -> std::io::Result<()> {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    Ok(setrlimit(Resource::Core, none)?)
}
