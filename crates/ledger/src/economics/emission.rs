//! How many tokens an epoch may mint: a schedule fixed at genesis, and re-emission of a part of what was burned. Never more than
//! the cap, and never a budget that rolls over.
//!
//! - **Schedule.** Steps `(from epoch, tokens per epoch)`, strictly ordered, the last one zero, so the sum is exact and
//!   `premine + Σ ≤ cap` is checked at genesis. Templates cut a year's amount into `⌊annual/epochs⌋` an epoch and put the remainder on
//!   the year's last epoch: a year's total is exact whatever its length (Helium's 365/366 drift).
//! - **Re-emission.** `s' = ⌊6s/7⌋ + ⌊b/7⌋`, `s_0 = 0`, with `b` the tokens burned since the epoch before, and
//!   `remintable = min(s', remint_cap, burned − reminted)`; the third term makes `reminted ≤ burned` (I3) hold whatever the averages do.
//!   Both floors lose for the operators. A network mints from the schedule first, so only what is minted beyond counts as reminted.
//! - **Reserve.** Filled by unspent budget up to its cap, drawn on for the usage floor by at most one part in 52 an epoch, and over
//!   all time by no more than was burned.
//!
//! Each amount is divided among networks by their shares to the last unit ([`super::share`], [`super::divide()`]), so closing
//! networks in any order gives the same result. Source: economics notes §4.4(7), §4.5; HIP-20 as deployed.

use cairn_types::ids::EpochNumber;
use cairn_types::money::Token;
use minicbor::{CborLen, Decode, Encode};

use super::{Error, Parameters, Pools, divide};

/// Steps a schedule may have: a century of years with a remainder each.
pub const STEPS_MAX: usize = 256;
/// The memory of re-emission: each epoch one seventh of the average is replaced.
const SMOOTHING_PARTS: u64 = 7;

/// From this epoch on, so many tokens each epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Step {
    #[n(0)]
    pub from: EpochNumber,
    #[n(1)]
    pub per_epoch: Token,
}

/// The emission of every epoch there will be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule(Vec<Step>);

impl Schedule {
    /// Refuses steps that are out of order, too many, or not ended by zero.
    pub fn new(steps: Vec<Step>) -> Result<Self, Error> {
        let ordered = steps.windows(2).all(|pair| pair[0].from < pair[1].from);
        let ends = steps.last().is_none_or(|step| step.per_epoch == Token::ZERO);
        if ordered && ends && steps.len() <= STEPS_MAX {
            Ok(Self(steps))
        } else {
            Err(Error::ScheduleUnordered)
        }
    }

    /// One amount a year, each cut into `epochs_per_year` (at least 1).
    pub fn yearly(start: EpochNumber, epochs_per_year: u64, annual: &[Token]) -> Result<Self, Error> {
        let mut steps: Vec<Step> = Vec::new();
        let mut push = |from: u64, per_epoch: u64| {
            if steps.last().map_or(0, |step| step.per_epoch.0) != per_epoch {
                steps.push(Step {
                    from: EpochNumber(from),
                    per_epoch: Token(per_epoch),
                });
            }
        };
        let mut from = start.0;
        for amount in annual {
            let per_epoch = amount.0.checked_div(epochs_per_year).ok_or(Error::ScheduleUnordered)?;
            let remainder = amount.0 % epochs_per_year;
            let end = from.checked_add(epochs_per_year).ok_or(Error::Overflow)?;
            if epochs_per_year > 1 {
                push(from, per_epoch);
            }
            push(end - 1, per_epoch + remainder);
            from = end;
        }
        push(from, 0);
        Self::new(steps)
    }

    /// `first` a year, halved (rounded down) after every `years_per_halving`, for `years`.
    pub fn halving(
        start: EpochNumber,
        epochs_per_year: u64,
        first: Token,
        years_per_halving: u32,
        years: u32,
    ) -> Result<Self, Error> {
        let halvings = |year: u32| year.checked_div(years_per_halving).unwrap_or(0);
        let annual: Vec<Token> = (0..years)
            .map(|year| Token(first.0.checked_shr(halvings(year)).unwrap_or(0)))
            .collect();
        Self::yearly(start, epochs_per_year, &annual)
    }

    /// `first` in the first year, then each year `numerator/denominator` of the year before, rounded down (85/100: DIMO).
    pub fn geometric(
        start: EpochNumber,
        epochs_per_year: u64,
        first: Token,
        numerator: u32,
        denominator: u32,
        years: u32,
    ) -> Result<Self, Error> {
        let next = |year: &Token| {
            let amount = u128::from(year.0) * u128::from(numerator);
            amount
                .checked_div(denominator.into())
                .and_then(|amount| u64::try_from(amount).ok())
                .map(Token)
        };
        let annual: Vec<Token> = std::iter::successors(Some(first), next).take(years as usize).collect();
        Self::yearly(start, epochs_per_year, &annual)
    }

    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// What one epoch emits.
    pub fn at(&self, epoch: EpochNumber) -> Token {
        let passed = self.0.partition_point(|step| step.from <= epoch);
        passed
            .checked_sub(1)
            .and_then(|last| self.0.get(last))
            .map_or(Token::ZERO, |step| step.per_epoch)
    }

    /// What all epochs up to and including this one emit.
    pub fn through(&self, epoch: EpochNumber) -> Result<Token, Error> {
        let end = epoch.0.checked_add(1).ok_or(Error::Overflow)?;
        let ends = self.0.iter().skip(1).map(|next| next.from.0.min(end)).chain([end]);
        let sum: u128 = self
            .0
            .iter()
            .zip(ends)
            .map(|(step, step_end)| u128::from(step_end.saturating_sub(step.from.0)) * u128::from(step.per_epoch.0))
            .try_fold(0u128, u128::checked_add)
            .ok_or(Error::Overflow)?;
        u64::try_from(sum).map(Token).map_err(|_| Error::Overflow)
    }

    /// What is emitted from the first epoch to the last.
    pub fn total(&self) -> Result<Token, Error> {
        self.0.last().map_or(Ok(Token::ZERO), |last| self.through(last.from))
    }

    /// Refuses a schedule that would pass the cap together with the premine.
    pub fn check_cap(&self, premine: Token, cap: Token) -> Result<(), Error> {
        let total = self.total()?.checked_add(premine).ok_or(Error::Overflow)?;
        if total > cap {
            Err(Error::CapExceeded {
                total: total.0,
                cap: cap.0,
            })
        } else {
            Ok(())
        }
    }
}

/// The token's books: sums since genesis, and what re-emission remembers. Whoever burns adds to `burned`; closing does the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Supply {
    #[n(0)]
    pub premine: Token,
    /// Minted since genesis, from the schedule and again.
    #[n(1)]
    pub minted: Token,
    /// The part of `minted` that was minted in place of burned tokens.
    #[n(2)]
    pub reminted: Token,
    #[n(3)]
    pub burned: Token,
    /// `burned` when the last epoch opened.
    #[n(4)]
    pub burned_before: Token,
    /// `s`: the average of burns.
    #[n(5)]
    pub burned_smoothed: Token,
    /// Scheduled or remintable, and never minted.
    #[n(6)]
    pub unminted: Token,
    /// Tokens in the reserve: part of the supply.
    #[n(7)]
    pub reserve: Token,
    /// Paid by the reserve to the usage floor since genesis.
    #[n(8)]
    pub topped_up: Token,
}

/// What one epoch may emit and draw, for the ledger or, divided, for one network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    pub scheduled: Token,
    pub remintable: Token,
    /// The most the reserve may pay.
    pub reserve_draw: Token,
    /// The most the reserve may take.
    pub reserve_room: Token,
    /// What was burned and not yet topped up.
    pub top_up_bound: Token,
}

impl Budget {
    /// What may be minted.
    pub fn emission(&self) -> Result<Token, Error> {
        self.scheduled.checked_add(self.remintable).ok_or(Error::Overflow)
    }

    /// Each network's part, by its share; the parts sum to the whole. Without networks nobody has a part and nothing is minted.
    pub fn by_network(&self, shares: &[u64]) -> Result<Vec<Budget>, Error> {
        if shares.is_empty() {
            return Ok(Vec::new());
        }
        let scheduled = divide(self.scheduled.0, shares)?;
        let remintable = divide(self.remintable.0, shares)?;
        let draw = divide(self.reserve_draw.0, shares)?;
        let room = divide(self.reserve_room.0, shares)?;
        let bound = divide(self.top_up_bound.0, shares)?;
        Ok((0..shares.len())
            .map(|network| Budget {
                scheduled: Token(scheduled[network]),
                remintable: Token(remintable[network]),
                reserve_draw: Token(draw[network]),
                reserve_room: Token(room[network]),
                top_up_bound: Token(bound[network]),
            })
            .collect())
    }
}

impl Supply {
    /// Tokens that exist.
    pub fn existing(&self) -> Result<Token, Error> {
        let made = self.premine.checked_add(self.minted).ok_or(Error::Overflow)?;
        made.checked_sub(self.burned).ok_or(Error::Overflow)
    }

    /// Opens an epoch's emission: the books with the average moved on, and the budget of all networks together.
    pub fn open_epoch(&self, scheduled: Token, parameters: &Parameters) -> Result<(Supply, Budget), Error> {
        let burned = self.burned.saturating_sub(self.burned_before);
        let kept = self.burned_smoothed.0 - self.burned_smoothed.0.div_ceil(SMOOTHING_PARTS); // = ⌊6s/7⌋, without the product
        let smoothed = Token(kept)
            .checked_add(Token(burned.0 / SMOOTHING_PARTS))
            .ok_or(Error::Overflow)?;
        let budget = Budget {
            scheduled,
            remintable: smoothed
                .min(parameters.remint_cap)
                .min(self.burned.saturating_sub(self.reminted)),
            reserve_draw: Token(self.reserve.0.checked_div(parameters.reserve_draw_parts).unwrap_or(0)),
            reserve_room: self
                .existing()?
                .part(parameters.reserve_cap_bps)
                .saturating_sub(self.reserve),
            top_up_bound: self.burned.saturating_sub(self.topped_up),
        };
        Ok((
            Supply {
                burned_smoothed: smoothed,
                burned_before: self.burned,
                ..*self
            },
            budget,
        ))
    }

    /// The books after one network closed.
    pub fn after(&self, pools: &Pools) -> Result<Supply, Error> {
        let add = |sum: Token, part: Token| sum.checked_add(part).ok_or(Error::Overflow);
        Ok(Supply {
            minted: add(add(self.minted, pools.minted_scheduled)?, pools.reminted)?,
            reminted: add(self.reminted, pools.reminted)?,
            unminted: add(self.unminted, pools.unminted)?,
            reserve: add(self.reserve, pools.reserve_in)?
                .checked_sub(pools.reserve_out)
                .ok_or(Error::Overflow)?,
            topped_up: add(self.topped_up, pools.reserve_out)?,
            ..*self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn schedule(steps: &[(u64, u64)]) -> Result<Schedule, Error> {
        Schedule::new(
            steps
                .iter()
                .map(|(from, n)| Step {
                    from: EpochNumber(*from),
                    per_epoch: Token(*n),
                })
                .collect(),
        )
    }

    #[test]
    fn a_schedule_is_ordered_and_ends() {
        assert!(schedule(&[]).is_ok() && schedule(&[(1, 5), (4, 2), (9, 0)]).is_ok());
        for steps in [&[(1, 5), (1, 0)][..], &[(4, 5), (2, 0)], &[(1, 5)]] {
            assert_eq!(schedule(steps), Err(Error::ScheduleUnordered));
        }
    }

    #[test]
    fn every_epoch_and_every_sum_of_a_schedule() {
        let schedule = schedule(&[(1, 5), (4, 2), (9, 0)]).expect("ordered");
        for (epoch, at, through) in [
            (0, 0, 0),
            (1, 5, 5),
            (3, 5, 15),
            (4, 2, 17),
            (8, 2, 25),
            (9, 0, 25),
            (1_000, 0, 25),
        ] {
            assert_eq!(schedule.at(EpochNumber(epoch)), Token(at), "at {epoch}");
            assert_eq!(
                schedule.through(EpochNumber(epoch)),
                Ok(Token(through)),
                "through {epoch}"
            );
        }
        assert_eq!(schedule.total(), Ok(Token(25)));
        assert_eq!(schedule.check_cap(Token(75), Token(100)), Ok(()));
        assert_eq!(
            schedule.check_cap(Token(76), Token(100)),
            Err(Error::CapExceeded { total: 101, cap: 100 })
        );
    }

    #[test]
    fn the_year_is_exact_whatever_its_epochs() {
        let start = EpochNumber(10);
        let schedule = Schedule::yearly(start, 365, &[Token(1_000), Token(500)]).expect("fits");
        assert_eq!(schedule.at(EpochNumber(10)), Token(2));
        assert_eq!(schedule.at(EpochNumber(374)), Token(2 + 270));
        assert_eq!(schedule.through(EpochNumber(374)), Ok(Token(1_000)));
        assert_eq!(schedule.total(), Ok(Token(1_500)));
        assert!(Schedule::yearly(start, 0, &[Token(1)]).is_err());
    }

    #[test]
    fn published_schedules_come_out() {
        // Helium: 60 M a year, halved every two; HIP-20's fifty years sum to 239,999,992.85.
        let helium = Schedule::halving(EpochNumber(0), 365, Token(6_000_000_000_000_000), 2, 50).expect("fits");
        assert_eq!(helium.total(), Ok(Token(23_999_999_284_744_254)));
        // DIMO: 1,105,000 a week, 15 % less each year, closes on its pool of 383 M.
        let dimo = Schedule::geometric(EpochNumber(0), 52, Token(57_460_000), 85, 100, 40).expect("fits");
        assert!((382_000_000..383_066_667).contains(&dimo.total().expect("fits").0));
        // Render's five years in months leave 77,846,282 of 107,374,182 (RNP-001 rounds eight more away).
        let months = [760_567 * 12, 492_132 * 12, 492_132 * 12, 380_284 * 12, 335_544 * 12];
        let render = Schedule::yearly(EpochNumber(0), 12, &months.map(Token)).expect("fits");
        assert_eq!(render.total(), Ok(Token(107_374_182 - 77_846_274)));
    }

    #[test]
    fn re_emission_follows_burns_and_stops_at_them() {
        let mut parameters = Parameters::daily(6, Token(1_000_000), Token(1_000));
        parameters.remint_cap = Token(40);
        let mut supply = Supply {
            premine: Token(1_000),
            burned: Token(700),
            ..Supply::default()
        };
        for (burn, smoothed, remintable) in [(0, 100, 40), (0, 85, 40), (70, 82, 40)] {
            supply.burned = Token(supply.burned.0 + burn);
            let (next, budget) = supply.open_epoch(Token(5), &parameters).expect("fits");
            assert_eq!(
                (next.burned_smoothed, budget.remintable),
                (Token(smoothed), Token(remintable))
            );
            supply = next;
        }
        supply.reminted = Token(765);
        assert_eq!(
            supply.open_epoch(Token(5), &parameters).expect("fits").1.remintable,
            Token(5)
        );
    }

    #[test]
    fn the_reserve_is_bounded_on_both_sides_and_networks_share_every_bound() {
        let parameters = Parameters::daily(6, Token(1_000_000), Token(1_000));
        let supply = Supply {
            premine: Token(1_000),
            minted: Token(400),
            burned: Token(100),
            reserve: Token(104),
            topped_up: Token(30),
            ..Supply::default()
        };
        let (_, budget) = supply.open_epoch(Token(5), &parameters).expect("fits");
        let bounds = (budget.reserve_draw, budget.reserve_room, budget.top_up_bound);
        assert_eq!(bounds, (Token(2), Token(1_300 / 5 - 104), Token(70)));
        let parts = budget.by_network(&[1, 3]).expect("some share");
        assert_eq!(parts.iter().map(|part| part.scheduled.0).collect::<Vec<_>>(), [1, 4]);
        assert_eq!(
            parts.iter().map(|part| part.reserve_room.0).collect::<Vec<_>>(),
            [39, 117]
        );
        assert_eq!(budget.by_network(&[]), Ok(vec![]));

        let pools = Pools {
            minted_scheduled: Token(5),
            reminted: Token(2),
            unminted: Token(1),
            reserve_in: Token(4),
            reserve_out: Token(3),
            ..Pools::default()
        };
        let after = supply.after(&pools).expect("fits");
        let minted = (after.minted, after.reminted, after.unminted);
        assert_eq!(minted, (Token(407), Token(2), Token(1)));
        assert_eq!((after.reserve, after.topped_up), (Token(105), Token(33)));
    }

    proptest! {
        #[test]
        fn the_smoothing_is_the_published_one(smoothed in 0u64..1 << 60, burned in 0u64..1 << 60) {
            let parameters = Parameters::daily(6, Token(1 << 61), Token(1 << 61));
            let supply = Supply {
                premine: Token(1 << 61), burned: Token(burned), burned_smoothed: Token(smoothed), ..Supply::default()
            };
            let (next, _) = supply.open_epoch(Token(0), &parameters).expect("fits");
            prop_assert_eq!(u128::from(next.burned_smoothed.0), 6 * u128::from(smoothed) / 7 + u128::from(burned) / 7);
        }

        #[test]
        fn a_yearly_schedule_sums_to_its_years(annual in prop::collection::vec(0u64..1 << 40, 0..60), epochs in 1u64..9_000) {
            let annual: Vec<Token> = annual.into_iter().map(Token).collect();
            let schedule = Schedule::yearly(EpochNumber(3), epochs, &annual).expect("fits");
            prop_assert_eq!(schedule.total().ok(), Token::checked_sum(annual.iter().copied()));
            let mut by_epoch = 0;
            for epoch in 0..(3 + 2 * epochs) {
                by_epoch += schedule.at(EpochNumber(epoch)).0;
            }
            prop_assert_eq!(schedule.through(EpochNumber(2 + 2 * epochs)), Ok(Token(by_epoch)));
        }
    }
}
