//! Density: what a place needs, and no more. It never says which of the devices there is the good one.

use super::vertical::MICRO_UNITS;

/// Micro-units that each of `devices` in one cell earns for one unit of service: `min(n, target) / n` of a unit, rounded
/// down; the place keeps the fraction.
pub fn share(devices: u32, target: u32) -> u64 {
    match u64::from(devices) {
        0 => 0,
        n => n.min(target.into()) * MICRO_UNITS / n,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_on_one_roof_earn_together_what_the_roof_is_worth() {
        for (devices, target, each) in [
            (0, 2, 0),
            (1, 2, 1_000_000),
            (2, 2, 1_000_000),
            (3, 2, 666_666),
            (10, 1, 100_000),
        ] {
            assert_eq!(share(devices, target), each);
        }
        for devices in 1..5_000 {
            assert!(share(devices, 3) * u64::from(devices) <= 3 * MICRO_UNITS);
        }
    }
}
