//! Which version of the rules holds, since when, and which is announced.

use crate::tables::{Record, Table};
use minicbor::{Decode, Encode};

/// The rules in force. There is no record before the first vote: then it is the first version, and nothing is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Protocol {
    /// As of the last block; see [`Protocol::at`].
    #[n(0)]
    pub version: u16,
    /// The first block of that version.
    #[n(1)]
    pub since: u64,
    /// The first block of the next version, once it is announced.
    #[n(2)]
    pub next: Option<u64>,
    /// On the next version: that it comes, or, once it is announced, that it does not.
    #[n(3)]
    pub ballot: Option<u64>,
}

impl Default for Protocol {
    fn default() -> Self {
        Self {
            version: 1,
            since: 1,
            next: None,
            ballot: None,
        }
    }
}

impl Protocol {
    /// The version that holds in a block to come, as far as is known now.
    pub fn at(&self, height: u64) -> u16 {
        match self.next {
            Some(next) if next <= height => self.version.saturating_add(1),
            _ => self.version,
        }
    }

    /// What is announced: the version and its first block.
    pub fn announced(&self) -> Option<(u16, u64)> {
        self.next.map(|height| (self.version.saturating_add(1), height))
    }
}

impl Record for Protocol {
    const TABLE: Table = Table::Protocol;
    type Id = ();
}

/// The first block of a version; of each but the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Upgrade {
    #[n(0)]
    pub height: u64,
}

impl Record for Upgrade {
    const TABLE: Table = Table::Upgrade;
    type Id = u16;
}
