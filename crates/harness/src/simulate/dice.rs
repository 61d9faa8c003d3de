//! Draws from a seed: one stream for each purpose, so that what is drawn for one never shifts what is drawn for another.

use cairn_types::hash;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// A stream of draws.
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// The stream of a seed for a purpose.
    pub fn of(seed: u64, purpose: &str) -> Self {
        let parts: [&[u8]; 2] = [&seed.to_be_bytes(), purpose.as_bytes()];
        Self(ChaCha8Rng::from_seed(hash::domain("cairn/simulate/1", &parts).0))
    }

    /// A number below a bound, which is above zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound
    }

    /// A place in a list that is not empty.
    pub fn place(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).expect("below a count")
    }

    pub fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    /// All places of a list, in an order of their own.
    pub fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for last in (1..count).rev() {
            order.swap(last, self.place(last + 1));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_repeats_itself_and_no_other() {
        let draw = |seed, purpose| {
            let mut dice = Dice::of(seed, purpose);
            [dice.below(1 << 40), dice.below(1 << 40)]
        };
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
        let mut order = Dice::of(3, "order").order(50);
        assert!(!order.is_sorted());
        order.sort_unstable();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
    }
}
