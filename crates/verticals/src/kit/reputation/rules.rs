//! How reputation is counted: a few numbers with bounds, the same for every vertical unless its network tunes them in its
//! parameters. It counts nothing itself.

use super::{EPOCH_WEIGHT, NEW_SCORE};
use crate::kit::ParamsError;
use minicbor::{Decode, Encode};

/// The numbers of reputation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Rules {
    /// In each epoch one part in so many is forgotten; so many epochs is the most that is ever known.
    #[n(0)]
    pub memory_epochs: u16,
    /// The benefit of the doubt: so many epochs count as known beforehand, nineteen in twenty of them good.
    #[n(1)]
    pub doubt_epochs: u16,
    /// A score of this and above is paid in full. A new device has more.
    #[n(2)]
    pub full: u16,
    /// A score below this excludes; 0 excludes nobody.
    #[n(3)]
    pub line: u16,
    /// What of its units a device is paid at least, of 10,000.
    #[n(4)]
    pub floor: u16,
    /// How long an exclusion lasts.
    #[n(5)]
    pub exclude_epochs: u16,
}

/// In hours: a week's memory, a day and a third of doubt, three days of exclusion.
impl Default for Rules {
    fn default() -> Self {
        Self {
            memory_epochs: 168,
            doubt_epochs: 32,
            full: 8_000,
            line: 5_000,
            floor: 2_500,
            exclude_epochs: 72,
        }
    }
}

impl Rules {
    /// The longest memory, in epochs.
    pub const MEMORY_EPOCHS_MAX: u16 = 8_760;

    /// The most that a device's good or bad epochs ever weigh.
    pub fn weight_max(&self) -> u32 {
        u32::from(self.memory_epochs) * EPOCH_WEIGHT
    }

    /// Each number within its bounds.
    pub fn check(&self) -> Result<(), ParamsError> {
        let most = i64::from(Self::MEMORY_EPOCHS_MAX);
        let bounds = [
            ("reputation.memory_epochs", self.memory_epochs, 8, most),
            ("reputation.doubt_epochs", self.doubt_epochs, 8, most),
            ("reputation.line", self.line, 0, 7_000),
            ("reputation.full", self.full, i64::from(self.line) + 1, NEW_SCORE.into()),
            ("reputation.floor", self.floor, 1_000, 10_000),
            ("reputation.exclude_epochs", self.exclude_epochs, 1, most),
        ];
        let outside = bounds
            .into_iter()
            .map(|(name, value, min, max)| (name, i64::from(value), min, max))
            .find(|(_, value, min, max)| !(min..=max).contains(&value));
        match outside {
            Some((name, value, min, max)) => Err(ParamsError::OutOfBounds { name, value, min, max }),
            None => Ok(()),
        }
    }
}
