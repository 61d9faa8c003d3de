//! Evidence by counterparty: when one side of something says what the other side denies, those who were there as well
//! decide. It knows no quantity, only who agrees with whom.

/// What others say about one side's word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Votes {
    /// Others whose word fits.
    pub with: u32,
    /// Others whose word contradicts it.
    pub against: u32,
}

impl Votes {
    pub fn count(&mut self, fits: bool) {
        if fits {
            self.with += 1;
        } else {
            self.against += 1;
        }
    }

    /// Whether the word is taken for false: at least two deny it, and more than bear it out. One alone proves nothing, as it
    /// may lie itself.
    pub fn is_denied(&self) -> bool {
        self.against >= 2 && self.against > self.with
    }

    /// Whether anybody bears the word out, so that who contradicts it can be blamed.
    pub fn is_borne_out(&self) -> bool {
        self.with >= 1 && !self.is_denied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_against_one_settles_nothing_and_a_majority_of_two_does() {
        for (with, against, denied, borne_out) in [
            (0, 0, false, false),
            (0, 1, false, false),
            (1, 1, false, true),
            (0, 2, true, false),
            (2, 2, false, true),
            (2, 3, true, false),
            (9, 3, false, true),
        ] {
            let mut votes = Votes::default();
            (0..with).for_each(|_| votes.count(true));
            (0..against).for_each(|_| votes.count(false));
            assert_eq!(
                (votes.is_denied(), votes.is_borne_out()),
                (denied, borne_out),
                "{votes:?}"
            );
        }
    }
}
