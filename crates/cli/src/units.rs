//! Amounts as people write them: decimal text to base units, exactly, or not at all.

use crate::error::{Failure, Kind};
use cairn_types::MicroUsd;
use std::str::FromStr;

/// A decimal number that is not rounded yet, because only the ledger says how many decimals there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    whole: u64,
    part: String,
}

impl FromStr for Decimal {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "an amount is written 12 or 12.5";
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits =
            |text: &str| !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) {
            return Err(FORM);
        }
        Ok(Self {
            whole: whole.parse().map_err(|_| FORM)?,
            part: part.trim_end_matches('0').to_owned(),
        })
    }
}

impl Decimal {
    /// Base units; an amount with more decimals than there are is refused, not rounded.
    pub fn units(&self, decimals: u8) -> Result<u64, Failure> {
        let places = usize::from(decimals);
        if self.part.len() > places {
            let failure = Failure::new(Kind::Usage, format!("the amount has more than {decimals} decimals"));
            return Err(failure.hint("amounts are never rounded; leave the last digits out"));
        }
        let part: u64 = format!("{:0<places$}", self.part).parse().unwrap_or(0);
        10u64
            .checked_pow(decimals.into())
            .and_then(|scale| self.whole.checked_mul(scale)?.checked_add(part))
            .ok_or_else(|| Failure::new(Kind::Usage, "the amount is too large"))
    }
}

/// US dollars to millionths, for arguments.
pub fn usd(text: &str) -> Result<MicroUsd, String> {
    let amount: Decimal = text.parse()?;
    amount.units(6).map(MicroUsd).map_err(|failure| failure.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_exact_or_refused() {
        for (text, decimals, units) in [
            ("12.5", 6, Some(12_500_000)),
            ("0.000001", 6, Some(1)),
            ("7", 0, Some(7)),
            ("7.0", 0, Some(7)),
            ("1.5", 0, None),
            ("0.0000001", 6, None),
            ("18446744073709551615", 1, None),
        ] {
            let read: Decimal = text.parse().unwrap();
            assert_eq!(read.units(decimals).ok(), units, "{text}");
        }
        for odd in ["", "-1", "1e3", ".5", "1.", "1,5", "0x1"] {
            assert!(odd.parse::<Decimal>().is_err(), "{odd}");
        }
    }
}
