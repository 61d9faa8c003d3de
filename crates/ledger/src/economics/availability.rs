//! Pay for being there: a part of the emission that ends on a published day. Never paid for usage, never in dollars.
//!
//! `A_e = ⌊budget · a_0 · (N − age) / (10,000·N)⌋`: from `a_0` (by default 60 %) in the network's first epoch to zero after `N` epochs
//! (by default 156 weeks), linearly. The fraction stays in the budget. Verifiers divide it by [`weight`]:
//! `⌊units · quality · reputation · min(n, target)/n⌋`, rounded down against the device. Source: economics notes §4.4(5).

use cairn_types::money::{BasisPoints, Token, mul_div_floor};

use super::{Error, Parameters};

/// The availability pool of a network `age_epochs` after its first epoch.
pub fn pool(budget: Token, age_epochs: u64, parameters: &Parameters) -> Result<Token, Error> {
    let sunset = parameters.availability_sunset_epochs;
    let left = sunset.saturating_sub(age_epochs);
    let numerator = u64::from(parameters.availability_bps.get())
        .checked_mul(left)
        .ok_or(Error::Overflow)?;
    let denominator = sunset.checked_mul(10_000).ok_or(Error::Overflow)?;
    mul_div_floor(budget.0, numerator, denominator)
        .map(Token)
        .ok_or(Error::Overflow)
}

/// What a device weighs in the division of the pool. Its cell holds `devices_in_cell`, itself included, of which `cell_target` are
/// paid in full (see [`super::density`]).
pub fn weight(
    micro_units: u64,
    quality: BasisPoints,
    reputation: BasisPoints,
    devices_in_cell: u32,
    cell_target: u32,
) -> u64 {
    let rated = u128::from(micro_units) * u128::from(quality.get()) * u128::from(reputation.get());
    let paid = u128::from(devices_in_cell.min(cell_target));
    let weight = rated * paid / (100_000_000 * u128::from(devices_in_cell.max(1)));
    u64::try_from(weight).expect("no factor is above one")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn paid(age_epochs: u64) -> u64 {
        let parameters = Parameters::daily(6, Token(1_000_000), Token(0));
        pool(Token(1_092_000), age_epochs, &parameters).expect("fits").0
    }

    #[test]
    fn the_sunset_is_a_straight_line_to_zero() {
        for (age, pool) in [
            (0, 655_200),
            (1, 654_600),
            (546, 327_600),
            (1_091, 600),
            (1_092, 0),
            (u64::MAX, 0),
        ] {
            assert_eq!(paid(age), pool, "after {age} epochs");
        }
    }

    #[test]
    fn a_weight_is_its_units_times_every_rating() {
        let half = BasisPoints::new(5_000).expect("a part");
        assert_eq!(
            weight(1_000_000, BasisPoints::WHOLE, BasisPoints::WHOLE, 1, 1),
            1_000_000
        );
        assert_eq!(weight(1_000_000, half, half, 10, 1), 25_000);
        assert_eq!(weight(3, half, BasisPoints::WHOLE, 1, 1), 1);
        assert_eq!(
            weight(u64::MAX, BasisPoints::WHOLE, BasisPoints::WHOLE, u32::MAX, u32::MAX),
            u64::MAX
        );
        assert_eq!(weight(1_000_000, half, half, 0, 1), 0);
    }

    proptest! {
        #[test]
        fn the_sunset_never_rises(age in 0u64..2_000) {
            prop_assert!(paid(age + 1) <= paid(age));
        }
    }
}
