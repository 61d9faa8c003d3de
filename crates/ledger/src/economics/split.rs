//! Stable revenue of a network's epoch, split by basis points. Never touches burn-backed revenue: its tokens are gone.
//!
//! Operators, verifiers, cover and buy-back get `⌊R_s·bps/10,000⌋` each; the treasury, last, takes what remains, so the parts sum to
//! `R_s` exactly (I6) and every fraction ends in the treasury. Source: economics notes §4.4(1).

use cairn_types::money::{Credit, MicroUsd};

use super::Parameters;

/// The five parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Split {
    pub operators: MicroUsd,
    pub verifiers: MicroUsd,
    pub cover: MicroUsd,
    pub buy_back: MicroUsd,
    pub treasury: MicroUsd,
}

/// Splits what was spent of stable-backed credits: one credit is one micro-dollar of the stable reserve.
pub fn split(spent_stable: Credit, parameters: &Parameters) -> Split {
    let revenue = MicroUsd(spent_stable.0);
    let operators = revenue.part(parameters.operators_bps);
    let verifiers = revenue.part(parameters.verifiers_bps);
    let cover = revenue.part(parameters.cover_bps);
    let buy_back = revenue.part(parameters.buy_back_bps);
    let treasury = [operators, verifiers, cover, buy_back]
        .into_iter()
        .fold(revenue, MicroUsd::saturating_sub); // floors of parts of a whole: never below zero once `check` passed
    Split {
        operators,
        verifiers,
        cover,
        buy_back,
        treasury,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_types::money::Token;
    use proptest::prelude::*;

    fn parts(revenue: u64) -> [u64; 5] {
        let split = split(Credit(revenue), &Parameters::daily(6, Token(1_000), Token(0)));
        [
            split.operators.0,
            split.verifiers.0,
            split.cover.0,
            split.buy_back.0,
            split.treasury.0,
        ]
    }

    #[test]
    fn the_fractions_end_in_the_treasury() {
        assert_eq!(parts(0), [0; 5]);
        assert_eq!(parts(1), [0, 0, 0, 0, 1]);
        assert_eq!(parts(19), [13, 0, 0, 1, 5]);
        assert_eq!(parts(10_000), [7_000, 500, 500, 1_000, 1_000]);
    }

    proptest! {
        #[test]
        fn the_parts_sum_to_the_revenue(revenue: u64) {
            prop_assert_eq!(parts(revenue).iter().map(|part| u128::from(*part)).sum::<u128>(), u128::from(revenue));
        }
    }
}
