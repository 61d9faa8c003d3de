//! Crowding in a cell: more devices than wanted share what the wanted ones would get. Never looks at who owns them.
//!
//! A cell with `n` devices and a target of `t` pays each `min(n, t)/n` of its units, rounded down. Up to the target each earns in full;
//! beyond it the cell's pay stays at `t` devices', so a second device on the same roof, or one device cut in two, earns its
//! owner nothing more. Source: economics notes §4.4(5), Helium's hex densities in spirit.

use cairn_types::money::mul_div_floor;

/// `⌊units·min(n, t)/n⌋`; a cell without devices pays nothing.
pub fn scaled(micro_units: u64, devices_in_cell: u32, cell_target: u32) -> u64 {
    mul_div_floor(
        micro_units,
        devices_in_cell.min(cell_target).into(),
        devices_in_cell.into(),
    )
    .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_cell_pays_its_target_and_no_more() {
        for (devices, target, each) in [
            (1, 1, 1_000_000),
            (3, 5, 1_000_000),
            (10, 1, 100_000),
            (3, 2, 666_666),
            (0, 1, 0),
            (4, 0, 0),
        ] {
            assert_eq!(
                scaled(1_000_000, devices, target),
                each,
                "{devices} devices, target {target}"
            );
        }
    }

    proptest! {
        #[test]
        fn crowding_never_raises_what_a_cell_gets(units: u64, devices in 1u32..1_000, more in 0u32..1_000, target in 1u32..10) {
            let cell = |n: u32| u128::from(scaled(units, n, target)) * u128::from(n);
            prop_assert!(cell(devices) <= u128::from(units) * u128::from(target));
            if devices >= target {
                prop_assert!(cell(devices + more) <= cell(devices) + u128::from(devices));
            }
        }
    }
}
