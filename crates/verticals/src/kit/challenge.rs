//! Evidence by challenge: what a device is asked to do in an epoch follows from a public seed that nobody could know
//! before, and from its place. It asks the same of whoever stands there, whatever it is called, and keeps no state.

use cairn_types::{CellId, EpochNumber, hash};

/// What one device is asked in one epoch, as numbers drawn one after another.
#[derive(Clone, Debug)]
pub struct Challenge {
    seed: [u8; 32],
    drawn: u64,
}

impl Challenge {
    /// The challenge of the `nth` device of a cell, counted from 0 in the order of registration. `purpose` keeps the
    /// challenges of different kinds of networks apart.
    pub fn of(purpose: &str, seed: &[u8; 32], epoch: EpochNumber, cell: CellId, nth: u32) -> Self {
        let parts: [&[u8]; 4] = [
            seed,
            &epoch.0.to_be_bytes(),
            &cell.get().to_be_bytes(),
            &nth.to_be_bytes(),
        ];
        Self {
            seed: hash::domain(purpose, &parts).0,
            drawn: 0,
        }
    }

    /// The next number, below `limit` and as good as evenly spread; 0 when the limit is.
    pub fn below(&mut self, limit: u64) -> u64 {
        let drawn = hash::domain("cairn/challenge/draw/1", &[&self.seed, &self.drawn.to_be_bytes()]);
        self.drawn += 1;
        first(&drawn.0) % limit.max(1)
    }

    /// The answer that only somebody with this challenge and the asked device's own number can make.
    pub fn answer(&self, nonce: u64) -> [u8; 32] {
        hash::domain("cairn/challenge/answer/1", &[&self.seed, &nonce.to_be_bytes()]).0
    }
}

/// The first eight bytes of a hash as a number.
pub fn first(bytes: &[u8; 32]) -> u64 {
    bytes[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_epoch_place_and_rank_each_change_what_is_asked() {
        let cell = |text: &str| text.parse().expect("a cell");
        let (here, there) = (cell("881969c9b7fffff"), cell("881969c9b1fffff"));
        let asked = |seed: u8, epoch, cell, nth| {
            let mut challenge = Challenge::of("test", &[seed; 32], EpochNumber(epoch), cell, nth);
            (
                challenge.below(u64::MAX),
                challenge.below(u64::MAX),
                challenge.answer(1),
            )
        };
        let all = [
            asked(0, 1, here, 0),
            asked(1, 1, here, 0),
            asked(0, 2, here, 0),
            asked(0, 1, there, 0),
            asked(0, 1, here, 1),
        ];
        for (place, one) in all.iter().enumerate() {
            assert!(all[..place].iter().all(|other| other != one));
        }
        assert_eq!(all[0], asked(0, 1, here, 0));
        assert!(Challenge::of("test", &[0; 32], EpochNumber(1), here, 0).below(0) == 0);
    }
}
