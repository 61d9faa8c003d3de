//! Time as Unix milliseconds, and the clock that cuts it into epochs. Nobody here asks what time it is.

use crate::ids::EpochNumber;
use minicbor::{CborLen, Decode, Encode};
use thiserror::Error;

/// Milliseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct TimeMs(#[n(0)] pub u64);

/// Text that is not a time.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("a time is written 2017-07-15T00:00:00Z")]
pub struct TimeError;

impl TimeMs {
    /// Later by so many milliseconds; stops at the end of time.
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds since `earlier`, 0 when it is later.
    pub fn since_ms(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Days since 1970-01-01 to (year, month, day) of the Gregorian calendar.
/// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let day_of_era = z % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// The inverse of `civil`, for years from 1970.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, year_of_era) = (year / 400, year % 400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

impl std::fmt::Display for TimeMs {
    /// `2017-07-15T00:00:00Z`, with milliseconds only when there are some.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, ms) = (self.0 / 1_000, self.0 % 1_000);
        let (year, month, day) = civil(seconds / 86_400);
        let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if ms > 0 {
            write!(f, ".{ms:03}")?;
        }
        f.write_str("Z")
    }
}

impl std::str::FromStr for TimeMs {
    type Err = TimeError;

    /// Reads `2017-07-15T00:00:00Z`; a blank for the `T`, a missing `Z` and three digits of milliseconds are allowed.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let text = text.strip_suffix('Z').unwrap_or(text);
        let (text, ms) = match text.split_once('.') {
            Some((whole, ms)) if ms.len() == 3 => (whole, number(ms)?),
            Some(_) => return Err(TimeError),
            None => (text, 0),
        };
        let bytes = text.as_bytes();
        let shape = bytes.len() == 19
            && text.is_ascii()
            && [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')]
                .iter()
                .all(|&(at, mark)| bytes[at] == mark)
            && matches!(bytes[10], b'T' | b' ');
        if !shape {
            return Err(TimeError);
        }
        let field = |from: usize, to: usize| number(&text[from..to]);
        let (year, month, day) = (field(0, 4)?, field(5, 7)?, field(8, 10)?);
        let (hour, minute, second) = (field(11, 13)?, field(14, 16)?, field(17, 19)?);
        let in_range = year >= 1970 && (1..=12).contains(&month) && day >= 1 && hour < 24 && minute < 60 && second < 60;
        if !in_range || civil(days(year, month, day)) != (year, month, day) {
            return Err(TimeError);
        }
        Ok(Self(
            (days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000 + ms,
        ))
    }
}

fn number(digits: &str) -> Result<u64, TimeError> {
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        digits.parse().map_err(|_| TimeError)
    } else {
        Err(TimeError)
    }
}

/// The cut of time into epochs: epoch 0 starts at `genesis`, each lasts `epoch_ms` milliseconds (at least 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct EpochClock {
    #[n(0)]
    pub genesis: TimeMs,
    #[n(1)]
    pub epoch_ms: u64,
}

impl EpochClock {
    /// The epoch a moment falls in; `None` before genesis.
    pub fn epoch_of(&self, time: TimeMs) -> Option<EpochNumber> {
        let since = time.0.checked_sub(self.genesis.0)?;
        since.checked_div(self.epoch_ms).map(EpochNumber)
    }

    /// The first millisecond of an epoch.
    pub fn start(&self, epoch: EpochNumber) -> TimeMs {
        TimeMs(self.genesis.0.saturating_add(epoch.0.saturating_mul(self.epoch_ms)))
    }

    /// The first millisecond after an epoch.
    pub fn end(&self, epoch: EpochNumber) -> TimeMs {
        self.start(epoch.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_reads_back_from_its_text() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400_000, "2000-02-29T00:00:00Z"),
            (1_500_076_800_000, "2017-07-15T00:00:00Z"),
            (1_500_076_800_007, "2017-07-15T00:00:00.007Z"),
            (4_102_444_799_000, "2099-12-31T23:59:59Z"),
        ] {
            assert_eq!(TimeMs(ms).to_string(), text);
            assert_eq!(text.parse(), Ok(TimeMs(ms)));
        }
        assert_eq!("2017-07-15 00:05:00".parse(), Ok(TimeMs(1_500_077_100_000)));
    }

    #[test]
    fn every_day_of_four_centuries_reads_back() {
        for day in 0..146_097 {
            let time = TimeMs(day * 86_400_000);
            assert_eq!(time.to_string().parse(), Ok(time));
        }
    }

    #[test]
    fn what_is_not_a_time_is_refused() {
        for bad in [
            "",
            "2017-02-29T00:00:00Z",
            "2017-07-15T24:00:00Z",
            "2017-7-15T00:00:00Z",
            "2017-07-15T00:00:0éZ",
            "1969-12-31T23:59:59Z",
            "2017-07-15T00:00:00.1Z",
            "2017-07-15T+1:00:00Z",
        ] {
            assert_eq!(bad.parse::<TimeMs>(), Err(TimeError), "{bad}");
        }
    }

    #[test]
    fn an_epoch_owns_its_first_millisecond_and_not_its_end() {
        let clock = EpochClock {
            genesis: TimeMs(1_000),
            epoch_ms: 60,
        };
        assert_eq!(clock.epoch_of(TimeMs(999)), None);
        assert_eq!(clock.epoch_of(TimeMs(1_059)), Some(EpochNumber(0)));
        assert_eq!(clock.epoch_of(TimeMs(1_060)), Some(EpochNumber(1)));
        assert_eq!(clock.end(EpochNumber(0)), clock.start(EpochNumber(1)));
    }
}
