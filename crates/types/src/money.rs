//! Money: unsigned integers with the unit in the type. Nothing wraps, and every division says which way it rounds.

use minicbor::{CborLen, Decode, Encode};

/// Base units of the chain's token; a whole token is `10^decimals` of them (genesis says how many decimals).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct Token(#[n(0)] pub u64);

/// Millionths of a US dollar in stablecoin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct MicroUsd(#[n(0)] pub u64);

/// Service credits: one credit buys a millionth of a US dollar of service and cannot be given to another account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct Credit(#[n(0)] pub u64);

/// US dollars per whole token, times 10^8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct Price(#[n(0)] pub u64);

/// Ten-thousandths, 0 to 10,000.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, CborLen)]
#[cbor(transparent)]
pub struct BasisPoints(#[n(0)] u16);

/// Adds checked arithmetic to an amount; an overflow is `None`, never a wrap.
macro_rules! amount_impls {
    ($($name:ident),+) => {$(
        impl $name {
            pub const ZERO: Self = Self(0);

            pub fn checked_add(self, other: Self) -> Option<Self> {
                self.0.checked_add(other.0).map(Self)
            }

            pub fn checked_sub(self, other: Self) -> Option<Self> {
                self.0.checked_sub(other.0).map(Self)
            }

            pub fn saturating_sub(self, other: Self) -> Self {
                Self(self.0.saturating_sub(other.0))
            }

            /// The sum of many; `None` when it does not fit.
            pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
                amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
            }

            /// This part of the amount, rounded down: the fraction stays where the amount came from.
            pub fn part(self, part: BasisPoints) -> Self {
                Self(mul_div_floor(self.0, part.get().into(), 10_000).expect("a part is at most the whole"))
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    )+};
}
amount_impls!(Token, MicroUsd, Credit);

impl BasisPoints {
    pub const ZERO: Self = Self(0);
    pub const WHOLE: Self = Self(10_000);

    /// `None` above 10,000.
    pub const fn new(value: u16) -> Option<Self> {
        if value <= 10_000 { Some(Self(value)) } else { None }
    }

    pub fn get(self) -> u16 {
        self.0
    }

    /// What is left to the whole.
    pub fn rest(self) -> Self {
        Self(10_000 - self.0)
    }
}

impl<'b, C> Decode<'b, C> for BasisPoints {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::new(d.u16()?).ok_or_else(|| minicbor::decode::Error::message("more than 10,000 basis points"))
    }
}

/// ⌊a·b/c⌋ with the product in 128 bits. `None` when `c` is 0 or the result does not fit.
pub fn mul_div_floor(a: u64, b: u64, c: u64) -> Option<u64> {
    (u128::from(a) * u128::from(b)).checked_div(c.into())?.try_into().ok()
}

/// ⌈a·b/c⌉ with the product in 128 bits. `None` when `c` is 0 or the result does not fit.
pub fn mul_div_ceil(a: u64, b: u64, c: u64) -> Option<u64> {
    if c == 0 {
        return None;
    }
    (u128::from(a) * u128::from(b)).div_ceil(c.into()).try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floor_and_ceiling_differ_by_the_fraction_only() {
        for (a, b, c, floor, ceil) in [
            (7, 3, 2, Some(10), Some(11)),
            (8, 3, 2, Some(12), Some(12)),
            (0, 3, 2, Some(0), Some(0)),
            (1, 1, 0, None, None),
            (u64::MAX, u64::MAX, u64::MAX, Some(u64::MAX), Some(u64::MAX)),
            (u64::MAX, 2, 1, None, None),
        ] {
            assert_eq!(
                (mul_div_floor(a, b, c), mul_div_ceil(a, b, c)),
                (floor, ceil),
                "{a}·{b}/{c}"
            );
        }
    }

    #[test]
    fn an_amount_never_wraps() {
        assert_eq!(Token(u64::MAX).checked_add(Token(1)), None);
        assert_eq!(Token(0).checked_sub(Token(1)), None);
        assert_eq!(Token::checked_sum([Token(u64::MAX), Token(1)]), None);
        assert_eq!(Credit(10_001).part(BasisPoints(9_500)), Credit(9_500));
    }

    #[test]
    fn basis_points_stop_at_the_whole() {
        assert_eq!(BasisPoints::new(10_001), None);
        assert!(minicbor::decode::<BasisPoints>(&minicbor::to_vec(10_001u16).expect("memory")).is_err());
    }
}
