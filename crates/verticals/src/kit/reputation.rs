//! What a device's findings of earlier epochs say about it: a beta reputation in integers. It pays in part when much was
//! refused, excludes for a time when more was refused than believed, and forgets. It knows no rule and no place.
//!
//! ```text
//! findings of an epoch ─▶ outcome (good, bad) ─▶ faded reputation + outcome ─▶ score ─▶ factor on units, exclusion
//!                                                        └─▶ the next epoch's memory
//! ```
//! An epoch is paid by the reputation that the epochs before it left, so what it pays is known before it begins.

pub mod apply;
pub mod outcome;
pub mod record;
pub mod rules;
#[cfg(test)]
mod tests;

use super::memory::Memory;
use super::vertical::{AssessInputError, Epoch, Vertical};
use cairn_types::DeviceNumber;
use minicbor::{Decode, Encode};

pub use outcome::Outcome;
pub use record::{Exclusion, Mark, Record};
pub use rules::Rules;

/// Scores and factors are parts of this.
pub const WHOLE: u16 = 10_000;

/// What an epoch weighs in which all is believed, or all is refused for a reason of full blame.
pub const EPOCH_WEIGHT: u32 = 1_000;

/// The score of a device about which nothing is known.
pub const NEW_SCORE: u16 = 9_500;

/// The weight of what was believed and of what was refused, both fading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Reputation {
    #[n(0)]
    pub good: u32,
    #[n(1)]
    pub bad: u32,
}

impl Reputation {
    /// An epoch passes: one part in `memory_epochs` is forgotten of good and bad alike, and the fraction with it.
    pub fn faded(self, rules: &Rules) -> Self {
        let epochs = u64::from(rules.memory_epochs);
        let fade = |weight: u32| {
            let left = u64::from(weight) * (epochs - 1) / epochs;
            u32::try_from(left).expect("not more than there was")
        };
        Self {
            good: fade(self.good),
            bad: fade(self.bad),
        }
    }

    /// Adds an epoch's outcome. Neither weight passes that of `memory_epochs` whole epochs, so no past is too bad to come
    /// back from.
    pub fn plus(self, outcome: &Outcome, rules: &Rules) -> Self {
        let add = |weight: u32, more: u32| weight.saturating_add(more).min(rules.weight_max());
        Self {
            good: add(self.good, outcome.good),
            bad: add(self.bad, outcome.bad),
        }
    }

    /// The part of all weight that is good, of 10,000, rounded down. The benefit of the doubt counts as so many epochs more.
    pub fn score(self, rules: &Rules) -> u16 {
        let doubt = u64::from(rules.doubt_epochs) * u64::from(EPOCH_WEIGHT);
        let good = u64::from(self.good) * u64::from(WHOLE) + doubt * u64::from(NEW_SCORE);
        let all = u64::from(self.good) + u64::from(self.bad) + doubt;
        u16::try_from(good / all).expect("a part of ten thousand")
    }
}

/// What of its units a device with this score is paid, of 10,000: all at `full` and above, `floor` at `line` and below, in
/// between along a straight line, rounded down.
pub fn factor(score: u16, rules: &Rules) -> u16 {
    if score >= rules.full {
        return WHOLE;
    }
    let above = u32::from(score.saturating_sub(rules.line));
    let range = u32::from(rules.full - rules.line);
    let more = u32::from(WHOLE - rules.floor) * above / range;
    rules.floor + u16::try_from(more).expect("a part of ten thousand")
}

/// Units at a factor, rounded down, but never to nothing: what was believed earns.
pub fn reduced(units: u64, factor: u16) -> u64 {
    let part = u128::from(units) * u128::from(factor) / u128::from(WHOLE);
    let part = u64::try_from(part).expect("a part of the units");
    part.max(units.min(1))
}

/// How a device stands when an epoch is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub reputation: Reputation,
    pub score: u16,
    /// What of its units it is paid, of 10,000.
    pub factor: u16,
    /// The exclusion that the epoch falls into.
    pub exclusion: Option<Exclusion>,
    /// The last epochs that speak against it, the oldest first.
    pub marks: Vec<Mark>,
}

impl Standing {
    /// Reads it from the memory with which the epoch is judged.
    pub fn of(vertical: &dyn Vertical, epoch: &Epoch, device: DeviceNumber) -> Result<Self, AssessInputError> {
        let rules = vertical.reputation(epoch.params)?;
        let records = Memory::decode(epoch.memory)?.records;
        let known = records.binary_search_by_key(&device, |record| record.number);
        let record = known.map_or_else(|_| Record::of(device), |at| records[at].clone());
        let score = record.reputation.score(&rules);
        Ok(Self {
            reputation: record.reputation,
            score,
            factor: factor(score, &rules),
            exclusion: record.exclusion_in(epoch.epoch).cloned(),
            marks: record.marks,
        })
    }
}
