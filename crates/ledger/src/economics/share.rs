//! A network's share of the ledger's emission, when one ledger carries several networks. Never a vote alone, never a device count.
//!
//! The target is the sum of three measures, each divided to the last unit: usage (by default 50 %), contribution (20 %), votes (30 %).
//! A measure in which every network is at zero is divided by the shares there were, so an empty measure moves nobody. Each epoch
//! a share goes one thirtieth of the way to its target (an exponential average), and when that would move any network by more
//! than 2 %, all moves are scaled down alike. Gains are rounded down, and what the gainers get is taken from the losers by
//! largest remainder: shares always sum to [`WHOLE`]. Source: economics notes §4.5; HIP-51 for why devices are not counted.

use cairn_types::money::mul_div_floor;

use super::{Error, Parameters, divide};

/// All shares together: parts in a thousand million, fine enough that an average over thirty epochs does not stall.
pub const WHOLE: u64 = 1_000_000_000;

/// What one network is measured by in one epoch; each field in a unit of its own, the same for all networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measure {
    pub usage: u64,
    pub contribution: u64,
    pub votes: u64,
}

/// The shares of the next epoch. `shares` are those of this one, in the order of `measures`; a network that just began has zero.
/// When nobody has a share yet (the first epoch) the target is taken at once.
pub fn next_shares(shares: &[u64], measures: &[Measure], parameters: &Parameters) -> Result<Vec<u64>, Error> {
    if shares.len() != measures.len() {
        return Err(Error::LengthsDiffer {
            left: shares.len() as u64,
            right: measures.len() as u64,
        });
    }
    if shares.is_empty() {
        return Ok(Vec::new());
    }
    let begun = shares.iter().any(|share| *share > 0);
    let fallback = if begun { shares.to_vec() } else { vec![1; shares.len()] };
    let target = target(&fallback, measures, parameters)?;
    if begun {
        approach(shares, &target, parameters)
    } else {
        Ok(target)
    }
}

fn target(fallback: &[u64], measures: &[Measure], parameters: &Parameters) -> Result<Vec<u64>, Error> {
    let part = |bps: u16| WHOLE / 10_000 * u64::from(bps);
    let by = |bps: u16, measure: fn(&Measure) -> u64| {
        let weights: Vec<u64> = measures.iter().map(measure).collect();
        let weights = if weights.iter().all(|weight| *weight == 0) {
            fallback
        } else {
            &weights
        };
        divide(part(bps), weights)
    };
    let usage = by(parameters.share_usage_bps.get(), |measure| measure.usage)?;
    let contribution = by(parameters.share_contribution_bps.get(), |measure| measure.contribution)?;
    let votes = by(parameters.share_votes_bps.get(), |measure| measure.votes)?;
    Ok(usage
        .iter()
        .zip(contribution)
        .zip(votes)
        .map(|((usage, contribution), votes)| usage + contribution + votes)
        .collect())
}

fn approach(shares: &[u64], target: &[u64], parameters: &Parameters) -> Result<Vec<u64>, Error> {
    let differences = || target.iter().zip(shares);
    let farthest = differences()
        .map(|(target, share)| target.abs_diff(*share))
        .max()
        .unwrap_or(0);
    let step_max = WHOLE / 10_000 * u64::from(parameters.share_move_bps.get());
    // The farthest goes `reach` of its way, everybody else the same part of theirs.
    let reach = (farthest / parameters.share_smoothing_epochs.max(1)).min(step_max);
    let gain =
        |(target, share): (&u64, &u64)| mul_div_floor(target.saturating_sub(*share), reach, farthest).unwrap_or(0);
    let gains: Vec<u64> = differences().map(gain).collect();
    let losers: Vec<u64> = differences()
        .map(|(target, share)| share.saturating_sub(*target))
        .collect();
    let losses = divide(gains.iter().sum(), &losers)?;
    Ok(shares
        .iter()
        .zip(gains)
        .zip(losses)
        .map(|((share, gain), loss)| share + gain - loss)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_types::money::Token;
    use proptest::prelude::*;

    fn parameters() -> Parameters {
        Parameters::daily(6, Token(1_000), Token(0))
    }

    fn measure(usage: u64, contribution: u64, votes: u64) -> Measure {
        Measure {
            usage,
            contribution,
            votes,
        }
    }

    fn check(shares: &[u64], measures: &[Measure], next: &[u64]) {
        assert_eq!(next_shares(shares, measures, &parameters()).as_deref(), Ok(next));
    }

    #[test]
    fn shares_start_at_their_target_and_then_move_by_a_thirtieth_or_two_hundredths() {
        check(&[], &[], &[]);
        check(&[0], &[measure(0, 0, 0)], &[WHOLE]);
        check(
            &[0, 0],
            &[measure(3, 1, 0), measure(1, 1, 0)],
            &[625_000_000, 375_000_000],
        );
        check(
            &[500_000_000, 500_000_000],
            &[measure(1, 0, 0), measure(0, 0, 0)],
            &[508_333_333, 491_666_667],
        );
        check(
            &[WHOLE, 0],
            &[measure(0, 0, 0), measure(1, 1, 1)],
            &[980_000_000, 20_000_000],
        );
        check(&[WHOLE, 0], &[measure(0, 0, 0), measure(0, 0, 0)], &[WHOLE, 0]);
    }

    #[test]
    fn lists_of_different_length_are_refused() {
        assert_eq!(
            next_shares(&[1], &[], &parameters()),
            Err(Error::LengthsDiffer { left: 1, right: 0 })
        );
    }

    proptest! {
        #[test]
        fn shares_stay_whole_and_never_jump(
            weights in prop::collection::vec((0u64..1_000, 0u64..1 << 40, 0u64..9, 0u64..1 << 50), 1..12),
        ) {
            prop_assume!(weights.iter().any(|(share, ..)| *share > 0));
            let shares = divide(WHOLE, &weights.iter().map(|(share, ..)| *share).collect::<Vec<_>>()).expect("some weight");
            let measures: Vec<Measure> = weights.iter().map(|(_, u, c, v)| measure(*u, *c, *v)).collect();
            let next = next_shares(&shares, &measures, &parameters()).expect("fits");
            prop_assert_eq!(next.iter().sum::<u64>(), WHOLE);
            for (before, after) in shares.iter().zip(&next) {
                prop_assert!(before.abs_diff(*after) <= WHOLE / 50);
            }
        }
    }
}
