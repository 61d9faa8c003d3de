//! The validators of an engine epoch: who they are, how their shares follow each other under one group key, and who is next. The
//! ceremony itself is Commonware's; nothing of it leaves the engine.
//!
//! ```text
//! machine names validators ─▶ roll (records, first block of epoch e) ─▶ announced with the last block of e ─▶ players of e + 2
//!       ─▶ they get shares from those who sign ─▶ sign from e + 3 on
//! ```

mod automaton;
mod directory;
mod judged;
mod reading;
mod roll;
mod schemes;
mod secrets;
mod shelf;

#[cfg(test)]
mod renewal_tests;

pub(crate) use automaton::Watched;
pub(crate) use directory::Directory;
pub(crate) use judged::Judged;
pub(crate) use reading::{Parts, Reading, SHARING};
pub(crate) use roll::{Asked, Roll, due, write};
pub(crate) use schemes::{Place, Registry, Schemes};
pub(crate) use secrets::Secrets;
#[cfg(any(test, feature = "sim"))]
pub(crate) use shelf::Memory;
pub(crate) use shelf::{File, Shelf};

use crate::{
    engine_types::{Bls, Digest, EpochInfo, Payload, PublicKey},
    keys::Keys,
    limits::VALIDATORS_MAX,
};
use cairn_types::hash;
use commonware_codec::{Copying, Decode as _, Encode as _};
use commonware_consensus::types::Epoch;
use commonware_cryptography::bls12381::{dkg::feldman_desmedt::Output, primitives::sharing::ModeVersion};
use commonware_glue::dkg::types::EpochOutcome;
use commonware_utils::{NZU32, ordered::Set};
use std::num::{NonZeroU32, NonZeroU64};

/// Validators of one committee.
pub(crate) const MEMBERS_MAX: NonZeroU32 = NZU32!(VALIDATORS_MAX as u32);
/// How payloads are read.
pub(crate) const PAYLOAD_LIMITS: (NonZeroU32, ModeVersion) = (MEMBERS_MAX, ModeVersion::v0());

/// What the first committee of an era is known by. It follows from its validators, their sharing and the length of epochs, so every
/// node makes the same, and one that was told another length has another genesis block.
pub(crate) fn founding(keys: &Keys, epoch_blocks: NonZeroU64) -> EpochInfo {
    let members = keys.validators.clone();
    let rules = [&keys.sharing.encode()[..], &epoch_blocks.get().to_be_bytes()];
    let summary = hash::domain("cairn/founding-committee/1", &rules).0;
    let mut bytes = Digest::from(summary).encode().to_vec();
    bytes.extend(keys.sharing.encode());
    bytes.extend(members.encode());
    bytes.extend(members.encode());
    bytes.extend(Set::<PublicKey>::default().encode());
    let output = Output::<Bls, PublicKey>::decode_cfg(Copying(&bytes), &PAYLOAD_LIMITS);
    EpochInfo {
        outcome: EpochOutcome::Success,
        epoch: Epoch::zero(),
        output: output.expect("made of its parts, of which there are few enough"),
        players: members.clone(),
        next_players: members,
        directory: Directory::default(),
    }
}

/// What a header says of the payload in its block; zeros when there is none.
pub(crate) fn payload_hash(payload: Option<&Payload>) -> [u8; 32] {
    payload.map_or([0; 32], |payload| {
        hash::domain("cairn/payload/1", &[&payload.encode()]).0
    })
}
