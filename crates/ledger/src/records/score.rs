//! How a verifier's word compared with what was settled, of late. Fed by settlements and disputes only: nobody's opinion enters.
//!
//! A verifier that did not sign is not touched when others settle: its silence is counted when it is next looked at, by how many
//! settlements the chain has seen meanwhile. So settling costs by signers, not by verifiers.

use cairn_types::EpochNumber;
use minicbor::{Decode, Encode};

/// One settlement; counts are in thousandths, so that halving keeps something of them.
pub const SCORE_ONE: u64 = 1_000;

/// Counts in thousandths, halved every so many epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Score {
    /// Settled results it signed.
    #[n(0)]
    pub agreed: u64,
    /// Results it signed that a dispute replaced.
    #[n(1)]
    pub differed: u64,
    /// Settled results it did not sign.
    #[n(2)]
    pub silent: u64,
    /// Settlements of the chain it was compared with.
    #[n(3)]
    pub seen: u64,
    /// Halved for every half-life up to this epoch.
    #[n(4)]
    pub decayed: EpochNumber,
}

impl Score {
    /// As of an open epoch, after so many settlements of the chain. Halves first, rounded down, and counts what was missed in full.
    pub fn at(mut self, settlements: u64, open: EpochNumber, half_epochs: u64) -> Self {
        let halves = open
            .0
            .saturating_sub(self.decayed.0)
            .checked_div(half_epochs)
            .unwrap_or(0);
        let halved = |count: u64| {
            u32::try_from(halves)
                .ok()
                .and_then(|by| count.checked_shr(by))
                .unwrap_or(0)
        };
        let missed = settlements.saturating_sub(self.seen).saturating_mul(SCORE_ONE);
        (self.agreed, self.differed) = (halved(self.agreed), halved(self.differed));
        self.silent = halved(self.silent).saturating_add(missed);
        self.seen = settlements;
        self.decayed = EpochNumber(self.decayed.0.saturating_add(halves.saturating_mul(half_epochs)));
        self
    }

    /// It signed what is settled now.
    pub fn signed(mut self) -> Self {
        self.agreed = self.agreed.saturating_add(SCORE_ONE);
        self.seen = self.seen.saturating_add(1);
        self
    }

    /// A result it signed was replaced.
    pub fn overturned(mut self) -> Self {
        self.agreed = self.agreed.saturating_sub(SCORE_ONE);
        self.differed = self.differed.saturating_add(SCORE_ONE);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_long_ago_counts_less_and_silence_is_noticed_late() {
        let score = Score::default().at(0, EpochNumber(0), 10).signed();
        assert_eq!((score.agreed, score.silent, score.seen), (1_000, 0, 1));
        let later = score.at(4, EpochNumber(19), 10);
        assert_eq!((later.agreed, later.silent, later.seen), (500, 3_000, 4));
        assert_eq!(later.decayed, EpochNumber(10));
        let again = later.at(4, EpochNumber(19), 10);
        assert_eq!(again, later, "looking twice changes nothing");
        let wrong = later.overturned();
        assert_eq!((wrong.agreed, wrong.differed), (0, 1_000));
        let forgotten = wrong.at(4, EpochNumber(u64::MAX), 1);
        assert_eq!((forgotten.agreed, forgotten.differed, forgotten.silent), (0, 0, 0));
    }
}
