//! What physics says of a radio link, in tenths of a decibel and metres: the loss of free space, the weakest signal a data
//! rate can be read from, the horizon. Integers only; logarithms come from a table. It judges nobody.

use super::region::Rate;

/// The table's segments: 20·log10 of 1 to 2, in hundred-thousandths of a decibel.
const STEPS: u64 = 256;
const LOG: [u64; STEPS as usize + 1] = log_table();
/// 20·log10 of 2, in hundred-thousandths of a decibel.
const OCTAVE: u64 = 602_060;

/// Noise of a resistor at 290 K, in tenths of a dBm per hertz.
const THERMAL_DDBM: i64 = -1_740;

/// The binary logarithm by squaring, scaled: exact in integers, and computed when the program is built.
const fn log_table() -> [u64; STEPS as usize + 1] {
    let mut table = [0; STEPS as usize + 1];
    let mut step = 0;
    while step <= STEPS {
        // A number from 1 to 2 in parts of 2^40, whose logarithm's bits fall out as it is squared.
        let mut number: u128 = ((1u128 << 40) * (STEPS + step) as u128) / STEPS as u128;
        let (mut bits, mut round) = (0u128, 0);
        while round < 40 {
            if number >= 1 << 41 {
                number >>= 1;
                bits += 1;
            }
            bits <<= 1;
            number = (number * number) >> 40;
            round += 1;
        }
        if number >= 1 << 41 {
            bits += 1;
        }
        table[step as usize] = ((bits * OCTAVE as u128 + (1 << 39)) >> 40) as u64;
        step += 1;
    }
    table
}

/// 20·log10 of a number, in hundred-thousandths of a decibel; of 0 as of 1.
fn decibels(number: u64) -> i64 {
    let number = number.max(1);
    let octaves = u64::from(number.ilog2());
    let mantissa = (u128::from(number) << 32) >> octaves;
    let fraction = u64::try_from(mantissa - (1 << 32)).expect("below one");
    let (step, rest) = ((fraction * STEPS) >> 32, (fraction * STEPS) & ((1 << 32) - 1));
    let (low, high) = (LOG[step as usize], LOG[step as usize + 1]);
    let between = (u128::from(high - low) * u128::from(rest)) >> 32;
    i64::try_from(octaves * OCTAVE + low).unwrap_or(i64::MAX) + i64::try_from(between).unwrap_or(0)
}

/// The loss of free space over a distance at a frequency, rounded down:
/// 20·log10(d) + 20·log10(f) + 20·log10(4π/c), with d in metres, f in hertz, c = 299,792,458 m/s.
pub fn free_space_ddb(metres: u64, frequency_hz: u64) -> i64 {
    const CONSTANT: i64 = -14_755_222;
    ((decibels(metres) + decibels(frequency_hz) + CONSTANT) / 10_000).max(0)
}

/// 10·log10(1 + 10^(-snr/10)) in tenths of a decibel, for a signal-to-noise ratio of -40 to 30 dB, each decibel: how much of
/// the power in the channel is noise.
const NOISE: [i64; 71] = [
    400, 390, 380, 370, 360, 350, 340, 330, 320, 310, 300, 290, 280, 270, 260, 250, 240, 230, 220, 210, 200, 191, 181,
    171, 161, 151, 142, 132, 123, 113, 104, 95, 86, 78, 70, 62, 55, 48, 41, 35, 30, 25, 21, 18, 15, 12, 10, 8, 6, 5, 4,
    3, 3, 2, 2, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

/// The power of the signal itself: what was received, less the noise in the channel.
pub fn signal_ddbm(rssi_ddbm: i64, snr_ddb: i64) -> i64 {
    let at = (snr_ddb.clamp(-400, 300) + 400) as usize;
    let (low, rest) = (NOISE[at / 10], (at % 10) as i64);
    let high = NOISE[(at / 10 + 1).min(NOISE.len() - 1)];
    rssi_ddbm - (low + (high - low) * rest / 10)
}

/// The weakest signal from which any receiver can read this rate: thermal noise in the bandwidth, no noise of its own, and
/// the ratio the modulation needs.
pub fn sensitivity_ddbm(rate: Rate) -> i64 {
    THERMAL_DDBM + decibels(rate.bandwidth_hz.into()) / 20_000 + rate.snr_min_ddb()
}

/// How far a radio this high above the sea sees to the horizon, in metres, where air bends waves as the standard atmosphere
/// does (k = 4/3): √(2·k·R·h).
pub fn horizon_m(height_m: i32) -> u64 {
    let height = u64::from(height_m.max(1).unsigned_abs());
    (8 * crate::kit::place::EARTH_M * height / 3).isqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wireless::region::REGIONS;

    #[test]
    fn free_space_is_the_textbooks() {
        for metres in [
            1u64, 10, 100, 1_000, 4_174, 12_749, 50_000, 109_000, 300_000, 20_000_000,
        ] {
            for mhz in [433u64, 868, 915, 923] {
                let expected = 20.0 * (metres as f64 / 1_000.0).log10() + 20.0 * (mhz as f64).log10() + 32.447_78;
                let expected = (expected * 10.0).max(0.0);
                let measured = free_space_ddb(metres, mhz * 1_000_000) as f64;
                assert!(
                    (measured - expected).abs() <= 1.01,
                    "{metres} m {mhz} MHz: {measured} {expected}"
                );
            }
        }
        assert_eq!(free_space_ddb(0, 0), 0);
        assert!(free_space_ddb(u64::MAX, u64::MAX) > 0);
    }

    #[test]
    fn logarithms_rise() {
        let ladder: Vec<i64> = (1..5_000).map(decibels).collect();
        assert!(ladder.is_sorted_by(|one, next| one < next));
        assert_eq!((decibels(1), decibels(2)), (0, 602_060));
        assert!(decibels(1_000_000).abs_diff(12_000_000) <= 4);
    }

    #[test]
    fn a_signal_under_the_noise_is_weaker_than_what_was_received() {
        for (rssi, snr, signal) in [
            (-1_200, 100, -1_204),
            (-1_200, 0, -1_230),
            (-1_200, -175, -1_375),
            (-700, 250, -700),
        ] {
            assert!(
                signal_ddbm(rssi, snr).abs_diff(signal) <= 2,
                "{rssi} {snr}: {}",
                signal_ddbm(rssi, snr)
            );
        }
    }

    #[test]
    fn each_rate_has_its_sensitivity() {
        let europe = &REGIONS[0];
        for (rate, dbm) in [(0, -1_431), (5, -1_306), (6, -1_276)] {
            let measured = sensitivity_ddbm(europe.rate(rate).expect("LoRa"));
            assert!(measured.abs_diff(dbm) <= 1, "rate {rate}: {measured}");
        }
    }

    #[test]
    fn a_summit_sees_far() {
        for (height, metres) in [(0, 4_121), (240, 63_850), (1_351, 151_500), (4_808, 285_800)] {
            assert!(
                horizon_m(height).abs_diff(metres) <= 100,
                "{height} m: {}",
                horizon_m(height)
            );
        }
    }
}
