//! Typed access to a node, for programs that believe nothing they have not checked: given a trust anchor, every record, every
//! final transaction and the genesis are proven before they are returned. Never holds a key longer than a wallet lives.
//!
//! ```text
//! anchor {chain, group key, genesis} ─▶ certificate ─▶ header ─▶ record | absence | transaction, receipt
//! wallet ─▶ nonce, fee, signatures ─▶ submit ─▶ wait until final ─▶ proof
//! ```

mod error;

mod http;

pub mod verify;

mod question;

mod blocks;
mod node;
mod raw;
mod submit;

mod eras;

mod events;

mod wallet;

pub use blocks::TakenBlock;
pub use cairn_engine::light::Anchor;
pub use cairn_engine::light::HandOver;
pub use eras::{Eras, follow_eras, hand_over};
pub use error::ClientError;
pub use events::{Events, Told};
pub use node::{Committee, NodeClient, NodeProtocol, NodeUpgrade, Seen, Status};
pub use question::{NoQuestion, Question};
pub use raw::StateOffer;
pub use submit::Confirmed;
pub use wallet::Wallet;
