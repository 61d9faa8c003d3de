//! Evidence from a series alone: a value outside what is possible, a value that never moves, a value that leaps. It knows
//! no quantity; the limits are given in.

use minicbor::{Decode, Encode};

/// What a series of one quantity may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Limits {
    #[n(0)]
    pub min: i64,
    #[n(1)]
    pub max: i64,
    /// The largest change from one slot to the next; 0: any.
    #[n(2)]
    pub jump: i64,
    /// The same value in so many slots one after another is still believed; 0: any number.
    #[n(3)]
    pub stuck: u16,
    /// The value that may stand for ever (no rain, no wind).
    #[n(4)]
    pub rest: i64,
    /// How far from the median of its neighbours a value may be; 0: any distance.
    #[n(5)]
    pub apart: i64,
}

/// How a series left its limits: what was measured, and the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excess {
    pub measured: i64,
    pub limit: i64,
}

/// The last believed value of a series and for how long it has stood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Track {
    #[n(0)]
    pub value: i64,
    /// How many readings in a row had this value.
    #[n(1)]
    pub run: u16,
    /// Slots since the last believed value, 0 when there is none yet.
    #[n(2)]
    pub age: u16,
}

impl Limits {
    pub fn range(&self, value: i64) -> Option<Excess> {
        match value {
            value if value < self.min => Some(Excess {
                measured: value,
                limit: self.min,
            }),
            value if value > self.max => Some(Excess {
                measured: value,
                limit: self.max,
            }),
            _ => None,
        }
    }
}

impl Track {
    /// A slot passes.
    pub fn tick(&mut self) {
        self.age = if self.run == 0 { 0 } else { self.age.saturating_add(1) };
    }

    /// A leap from the last believed value, more than `jump` for each slot since. Does not change the track.
    pub fn jump(&self, value: i64, limits: &Limits) -> Option<Excess> {
        if limits.jump == 0 || self.run == 0 {
            return None;
        }
        let measured = value.abs_diff(self.value);
        let limit = limits.jump.unsigned_abs().saturating_mul(u64::from(self.age.max(1)));
        (measured > limit).then_some(Excess {
            measured: clamp(measured),
            limit: clamp(limit),
        })
    }

    /// Takes a value into the series; says when it has stood for too long.
    pub fn take(&mut self, value: i64, limits: &Limits) -> Option<Excess> {
        let stands = self.run > 0 && self.value == value;
        *self = Self {
            value,
            run: if stands { self.run.saturating_add(1) } else { 1 },
            age: 0,
        };
        let stuck = limits.stuck > 0 && value != limits.rest && self.run > limits.stuck;
        stuck.then_some(Excess {
            measured: self.run.into(),
            limit: limits.stuck.into(),
        })
    }
}

fn clamp(value: u64) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        min: -10,
        max: 50,
        jump: 5,
        stuck: 3,
        rest: 0,
        apart: 0,
    };

    /// Verdicts of a series: `.` believed, `j` jump, `s` stuck; `None` is a slot without a value.
    fn verdicts(series: &[Option<i64>]) -> String {
        let mut track = Track::default();
        let mut judge = |value: &Option<i64>| {
            track.tick();
            match value {
                None => ' ',
                Some(value) if track.jump(*value, &LIMITS).is_some() => 'j',
                Some(value) if track.take(*value, &LIMITS).is_some() => 's',
                Some(_) => '.',
            }
        };
        series.iter().map(&mut judge).collect()
    }

    #[test]
    fn a_spike_is_refused_and_the_return_believed() {
        assert_eq!(verdicts(&[1, 2, 40, 3, 4].map(Some)), "..j..");
        assert_eq!(
            verdicts(&[1, 20, 20, 20, 20, 20].map(Some)),
            ".jjj..",
            "a true step is believed in the end"
        );
        assert_eq!(
            verdicts(&[Some(1), None, None, Some(16)]),
            ".  .",
            "time allows a larger change"
        );
    }

    #[test]
    fn a_value_that_stands_is_refused_after_its_time_but_not_at_rest() {
        assert_eq!(verdicts(&[7, 7, 7, 7, 7, 8, 7].map(Some)), "...ss..");
        assert_eq!(verdicts(&[0; 6].map(Some)), "......");
    }

    #[test]
    fn the_ends_of_the_range_belong_to_it() {
        for (value, limit) in [
            (-11, Some(-10)),
            (-10, None),
            (50, None),
            (51, Some(50)),
            (i64::MIN, Some(-10)),
        ] {
            assert_eq!(LIMITS.range(value).map(|excess| excess.limit), limit);
        }
    }
}
