//! Evidence by witness: which of all valid witnesses count, and what one that witnesses the same again and again is worth.
//! The choice is by lot from the epoch's beacon, so that neither fast hardware nor a short way to a verifier has an edge.

use super::challenge::first;
use cairn_types::hash;

/// Marks who counts: at most `max` of the candidates, each known by a key that is its own, drawn by lot for this subject.
/// The order in which candidates are given does not matter.
pub fn choose(beacon: &[u8; 32], subject: u64, candidates: &[(u64, u32)], max: usize) -> Vec<bool> {
    let lot = |(cell, nth): (u64, u32)| {
        let parts: [&[u8]; 4] = [beacon, &subject.to_be_bytes(), &cell.to_be_bytes(), &nth.to_be_bytes()];
        (first(&hash::domain("cairn/witness/1", &parts).0), cell, nth)
    };
    if candidates.len() <= max {
        return vec![true; candidates.len()];
    }
    let mut drawn: Vec<((u64, u64, u32), usize)> = candidates.iter().copied().map(lot).zip(0..).collect();
    drawn.sort_unstable();
    let mut chosen = vec![false; candidates.len()];
    for (_, place) in drawn.iter().take(max) {
        chosen[*place] = true;
    }
    chosen
}

/// What a witness is worth, in percent, that witnessed the same device in so many epochs before this: each time `percent`
/// less, never below `floor`.
pub fn worth(repeats: u8, percent: u8, floor: u8) -> u64 {
    let lost = u64::from(repeats) * u64::from(percent);
    100u64.saturating_sub(lost).max(u64::from(floor.min(100)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyone_is_drawn_alike_and_order_does_not_matter() {
        let mut candidates: Vec<(u64, u32)> = (0..40).map(|cell| (cell * 7, cell as u32 % 3)).collect();
        let mut times = [0; 40];
        for subject in 0..1_000 {
            let chosen = choose(&[9; 32], subject, &candidates, 10);
            assert_eq!(chosen.iter().filter(|chosen| **chosen).count(), 10);
            for (times, chosen) in times.iter_mut().zip(&chosen) {
                *times += u32::from(*chosen);
            }
        }
        assert!(times.iter().all(|times| (190..310).contains(times)), "{times:?}");
        let before = choose(&[9; 32], 5, &candidates, 10);
        candidates.reverse();
        let mut after = choose(&[9; 32], 5, &candidates, 10);
        after.reverse();
        assert_eq!(before, after);
        assert_ne!(
            before,
            choose(&[8; 32], 5, &candidates, 10),
            "another beacon, another lot"
        );
        assert_eq!(choose(&[9; 32], 5, &candidates[..3], 3), [true; 3]);
    }

    #[test]
    fn the_same_witness_again_is_worth_less_down_to_a_floor() {
        for (repeats, worth_percent) in [(0, 100), (1, 95), (4, 80), (12, 40), (255, 40)] {
            assert_eq!(worth(repeats, 5, 40), worth_percent);
        }
    }
}
