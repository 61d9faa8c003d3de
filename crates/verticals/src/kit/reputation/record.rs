//! What is remembered of a device's reputation from epoch to epoch: two weights, the last epochs that speak against it, and
//! its exclusion. Bounded, and never a finding itself.

use super::{EPOCH_WEIGHT, Reputation, Rules, WHOLE};
use cairn_types::{DeviceNumber, EpochNumber, Reason};
use minicbor::{Decode, Encode};

/// The most epochs kept that speak against a device.
pub const MARKS_MAX: usize = 8;

/// The most bytes of one record.
pub const RECORD_BYTES_MAX: usize = 384;

/// An epoch that speaks against a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Mark {
    #[n(0)]
    pub epoch: EpochNumber,
    /// For what most was refused.
    #[n(1)]
    pub reason: Reason,
    /// In thousandths of an epoch.
    #[n(2)]
    pub weight: u32,
}

/// A time in which nothing a device says is paid.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Exclusion {
    /// The first epoch of it.
    #[n(0)]
    pub from: EpochNumber,
    /// The first epoch after it.
    #[n(1)]
    pub until: EpochNumber,
    /// The score that was measured, below the line that stood.
    #[n(2)]
    pub score: u16,
    #[n(3)]
    pub line: u16,
    /// The last epochs that spoke against the device, the oldest first: whose findings to look at.
    #[n(4)]
    pub evidence: Vec<Mark>,
}

/// Everything remembered of one device's reputation.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Record {
    #[n(0)]
    pub number: DeviceNumber,
    #[n(1)]
    pub reputation: Reputation,
    /// The oldest first.
    #[n(2)]
    pub marks: Vec<Mark>,
    #[n(3)]
    pub exclusion: Option<Exclusion>,
}

impl Record {
    /// Of a device about which nothing is known.
    pub fn of(number: DeviceNumber) -> Self {
        Self {
            number,
            reputation: Reputation::default(),
            marks: Vec::new(),
            exclusion: None,
        }
    }

    /// The exclusion an epoch falls into.
    pub fn exclusion_in(&self, epoch: EpochNumber) -> Option<&Exclusion> {
        let holds = |exclusion: &&Exclusion| exclusion.from <= epoch && epoch < exclusion.until;
        self.exclusion.as_ref().filter(holds)
    }

    /// Whether it is as one that was written here, whatever the rules were.
    pub fn is_bounded(&self) -> bool {
        let weight_max = u32::from(Rules::MEMORY_EPOCHS_MAX) * EPOCH_WEIGHT;
        let marks = |marks: &[Mark]| marks.len() <= MARKS_MAX && marks.is_sorted_by(|one, next| one.epoch < next.epoch);
        let exclusion = |exclusion: &Exclusion| {
            exclusion.from < exclusion.until
                && exclusion.score < exclusion.line
                && exclusion.line <= WHOLE
                && marks(&exclusion.evidence)
        };
        self.reputation.good.max(self.reputation.bad) <= weight_max
            && marks(&self.marks)
            && self.exclusion.as_ref().is_none_or(exclusion)
    }
}
