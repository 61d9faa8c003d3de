//! From the first key to the newest: how an era hands its chain over to the next, and how a stranger follows with the first key
//! alone. Nothing is believed but what the era before signed with its own last block.
//!
//! ```text
//! anchor of era 0 ─▶ certificate of its last block ─▶ header.next ─▶ successor: key of era 1 ─▶ anchor of era 1 ─▶ …
//! ```

use super::{Anchor, Finality, GROUP_KEY_BYTES, LightError, verify_finality};
use crate::{
    EraStart, Header,
    header::OVER,
    limits::{CHAIN_NAME_BYTES_MAX, ERAS_MAX},
};
use cairn_types::{codec, hash};
use minicbor::{CborLen, Decode, Encode};

/// Who goes on with a chain when an era has ended.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Successor {
    #[n(0)]
    pub chain: String,
    #[n(1)]
    pub era: u32,
    /// The new validators' group key.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub group_key: [u8; GROUP_KEY_BYTES],
    /// What the new validators signed, see [`ceremony`](crate::ceremony): it names each of them.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub draft: [u8; 32],
}

impl Successor {
    /// What the last block of the era before carries as [`Header::next`].
    pub fn digest(&self) -> [u8; 32] {
        hash::domain("cairn/successor/1", &[&codec::encode(self)]).0
    }
}

/// The end of an era, as anybody checks it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct HandOver {
    /// That the era's last block is final.
    #[n(0)]
    pub finality: Finality,
    #[n(1)]
    pub successor: Successor,
}

impl HandOver {
    /// Checks it under the anchor of the era that ends; returns that era's last header and the anchor of the next.
    pub fn verify(&self, anchor: &Anchor) -> Result<(Header, Anchor), LightError> {
        let header = verify_finality(anchor, &self.finality)?;
        let Successor {
            chain, era, group_key, ..
        } = &self.successor;
        let follows =
            *chain == anchor.chain && chain.len() <= CHAIN_NAME_BYTES_MAX && Some(*era) == anchor.era.checked_add(1);
        if !follows || header.next == OVER || header.next != self.successor.digest() {
            return Err(LightError::OtherSuccessor);
        }
        let next = Anchor {
            group_key: *group_key,
            era: *era,
            ..anchor.clone()
        };
        Ok((header, next))
    }
}

/// The anchor at the end of these hand-overs, the oldest first; those of eras before the anchor's are passed over.
pub fn follow(anchor: &Anchor, hand_overs: &[HandOver]) -> Result<Anchor, LightError> {
    if hand_overs.len() > ERAS_MAX {
        return Err(LightError::TooManyEras);
    }
    let later = hand_overs
        .iter()
        .filter(|hand_over| hand_over.successor.era > anchor.era);
    later.into_iter().try_fold(anchor.clone(), |anchor, hand_over| {
        hand_over.verify(&anchor).map(|(_, next)| next)
    })
}

impl EraStart {
    /// Where an era begins whose predecessor ended with `last` and these records.
    pub fn after(last: &Header, records: [u8; 32]) -> Self {
        Self {
            era: last.era.saturating_add(1),
            height: last.height,
            time_ms: last.time_ms,
            parent: last.digest(),
            records: Some(records),
        }
    }
}
