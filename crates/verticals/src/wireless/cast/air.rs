//! What a made town's air does to a signal: free space, a shadow between two places, a fade with each frame. It keeps no
//! state between frames.

use crate::kit::place::Point;
use crate::wireless::link::free_space_ddb;
use cairn_types::CellId;

/// Noise in the channel, in tenths of a dBm: thermal in 125 kHz, and six decibels of the receiver's own.
const NOISE_DDBM: i64 = -1_170;

/// The distances of a town.
#[derive(Clone, Debug, Default)]
pub struct Air {
    seed: u64,
    points: Vec<Point>,
}

impl Air {
    pub fn over(seed: u64, places: &[CellId]) -> Self {
        Self {
            seed,
            points: places.iter().copied().map(Point::of).collect(),
        }
    }

    /// Signal and ratio to noise of a frame between two places, of so much power.
    pub fn carry(&self, from: usize, to: usize, frame: u64, frequency_hz: u64, power_ddbm: i64) -> (i64, i64) {
        let metres = self.points[from].metres_to(self.points[to]).max(300);
        let (one, other) = (from.min(to) as u64, from.max(to) as u64);
        let shadow = 50 + (mix(&[self.seed, one, other]) % 200) as i64;
        let fade = (mix(&[self.seed, frame, to as u64]) % 90) as i64;
        let rssi = power_ddbm - free_space_ddb(metres, frequency_hz) - shadow - fade;
        let noise = (mix(&[self.seed, frame, to as u64, 1]) % 30) as i64 - 15;
        (rssi.max(NOISE_DDBM - 150), (rssi - NOISE_DDBM + noise).min(100))
    }
}

/// Numbers into one that looks drawn (splitmix64).
pub fn mix(numbers: &[u64]) -> u64 {
    numbers.iter().fold(0, |state: u64, number| {
        let mut z = (state ^ number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}
