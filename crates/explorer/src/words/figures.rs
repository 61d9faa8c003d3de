//! Amounts for people, and ids short enough to read.

use cairn_ledger::tx::Asset;
use cairn_types::{MicroUsd, Price, Token};

/// By what amounts of a chain are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    pub decimals: u8,
}

impl Words {
    pub fn token(&self, amount: Token) -> String {
        format!("{} token", decimal(amount.0, self.decimals))
    }

    pub fn asset(&self, asset: Asset) -> String {
        match asset {
            Asset::Token(amount) => self.token(amount),
            Asset::Stable(amount) => stable(amount),
        }
    }
}

pub fn stable(amount: MicroUsd) -> String {
    format!("{} US dollars of stablecoin", dollars(amount.0))
}

/// Dollars for a whole token.
pub fn price(price: Price) -> String {
    decimal(price.0, 8)
}

pub fn credits(amount: u64) -> String {
    format!("credits worth {} US dollars", dollars(amount))
}

/// The first digits of an id: pages link the whole.
pub fn short(id: impl std::fmt::Display) -> String {
    let text = id.to_string();
    match text.get(..8) {
        Some(first) => format!("{first}…"),
        None => text,
    }
}

/// Micro-USD as dollars.
pub fn dollars(micro_usd: u64) -> String {
    decimal(micro_usd, 6)
}

/// An integer of so many decimals, without zeros at its end.
pub fn decimal(amount: u64, decimals: u8) -> String {
    let decimals = usize::from(decimals);
    let digits = format!("{amount:0>width$}", width = decimals + 1);
    let (whole, part) = digits.split_at(digits.len() - decimals);
    match part.trim_end_matches('0') {
        "" => whole.to_owned(),
        part => format!("{whole}.{part}"),
    }
}

/// The same of a number that may be below zero.
pub fn signed_decimal(amount: i64, decimals: u8) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    format!("{sign}{}", decimal(amount.unsigned_abs(), decimals))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_as_people_write_them() {
        assert_eq!(decimal(1_500_000, 6), "1.5");
        assert_eq!(decimal(7, 3), "0.007");
        assert_eq!(decimal(0, 6), "0");
        assert_eq!(decimal(42, 0), "42");
        assert_eq!(signed_decimal(-20, 1), "-2");
        assert_eq!(signed_decimal(i64::MIN, 3), "-9223372036854775.808");
        assert_eq!(short("ab"), "ab");
    }
}
