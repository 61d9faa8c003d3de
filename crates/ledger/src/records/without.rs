//! What results leave out: anchors of an epoch of a network whose files were not to be had when it was judged. Never says why.

use crate::tables::{Record, Table};
use cairn_types::{EpochNumber, NetworkId};
use minicbor::{Decode, Encode};
use std::ops::Range;

/// Places on one page.
pub const PLACES_PER_PAGE: usize = 80;

/// The first page of what a disputer's claim leaves out; below are those of the settled result.
const CLAIMED_FROM: u8 = 128;

/// Whose list it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The settled result's; as many as its [`super::Settlement`] says.
    Settled,
    /// The disputer's claim's, while the dispute is open; as many as the [`super::Dispute`] says.
    Claimed,
}

/// Places in the book of anchors, rising: (network, epoch, page), each page but the last full.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct WithoutPage {
    #[n(0)]
    pub places: Vec<u16>,
}

impl WithoutPage {
    /// The pages of a list of so many places.
    pub fn pages(whose: Whose, places: u16) -> Range<u8> {
        let count = usize::from(places).div_ceil(PLACES_PER_PAGE);
        let count = u8::try_from(count).expect("a result leaves out at most WITHOUT_MAX anchors");
        let from = match whose {
            Whose::Settled => 0,
            Whose::Claimed => CLAIMED_FROM,
        };
        from..from.saturating_add(count)
    }
}

impl Record for WithoutPage {
    const TABLE: Table = Table::WithoutPage;
    type Id = (NetworkId, EpochNumber, u8);
}
