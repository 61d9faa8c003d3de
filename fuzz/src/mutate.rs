//! Breaks valid inputs in the ways strangers do: flipped, cut, doubled, spliced, and with the CBOR heads that promise too much.
//! The same seed gives the same mutants for ever.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// No input made here is longer; decoders' own limits lie below.
pub const BYTES_MAX: usize = 20 * 1024;

/// Heads that promise endless or enormous content, breaks, reserved forms and the numbers at the edges.
const HEADS: [&[u8]; 14] = [
    &[0x9f],
    &[0xbf],
    &[0x5f],
    &[0x7f],
    &[0xff],
    &[0xf6],
    &[0xf7],
    &[0x1c],
    &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x3b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0x9a, 0xff, 0xff, 0xff, 0xff],
    &[0xfb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
];

/// A seeded source of hostile inputs.
pub struct Mutator {
    rng: ChaCha8Rng,
}

impl Mutator {
    pub fn new(seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Bytes that mean nothing, mostly short.
    pub fn noise(&mut self) -> Vec<u8> {
        let longest = [8, 64, 256, 1024][self.below(4)];
        let mut bytes = vec![0; self.below(longest + 1)];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// One of `seeds`, broken in one to four places.
    pub fn mutant(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(4) {
            self.break_once(&mut bytes, seeds);
        }
        bytes.truncate(BYTES_MAX);
        bytes
    }

    fn break_once(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let at = self.below(bytes.len() + 1);
        let end = at + self.below((bytes.len() - at).min(64) + 1);
        match self.below(9) {
            0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
            1 if at < bytes.len() => bytes[at] = self.below(256) as u8,
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..end)),
            4 => {
                let doubled = bytes[at..end].to_vec();
                bytes.splice(at..at, doubled);
            }
            5 => {
                let noise = self.noise();
                bytes.splice(at..at, noise.into_iter().take(16));
            }
            6 => {
                let other = &seeds[self.below(seeds.len())];
                let from = self.below(other.len() + 1);
                bytes.splice(at..end, other[from..].iter().copied());
            }
            7 => drop(bytes.splice(at..at, HEADS[self.below(HEADS.len())].iter().copied())),
            _ => self.grow_a_number(bytes),
        }
    }

    /// Puts the largest number of its width, or near it, in the place of a small CBOR integer: the inputs that overflow.
    fn grow_a_number(&mut self, bytes: &mut Vec<u8>) {
        let small: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at] < 0x1c).collect();
        if small.is_empty() {
            return;
        }
        let at = small[self.below(small.len())];
        let argument = match bytes[at] {
            0x18 => 1,
            0x19 => 2,
            0x1a => 4,
            0x1b => 8,
            _ => 0,
        };
        let end = (at + 1 + argument).min(bytes.len());
        let near = u64::MAX - self.below(3) as u64;
        let head = [&[0x1b][..], &near.to_be_bytes()].concat();
        bytes.splice(at..end, head);
    }

    /// A number below `limit`; zero when there is none.
    fn below(&mut self, limit: usize) -> usize {
        (self.rng.next_u64() % limit.max(1) as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_inputs_for_ever() {
        let seeds = [vec![0x83, 1, 2, 3], vec![0x40]];
        let draw = |seed| (0..100).map(|_| Mutator::new(seed).mutant(&seeds)).collect::<Vec<_>>();
        assert_eq!(draw(7), draw(7));
        assert_ne!(Mutator::new(7).noise(), Mutator::new(8).noise());
    }

    #[test]
    fn numbers_grow_to_the_edge() {
        let mut mutator = Mutator::new(1);
        let mut bytes = vec![0x05];
        mutator.grow_a_number(&mut bytes);
        assert_eq!(bytes[..8], [0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    }
}
