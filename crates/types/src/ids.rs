//! Names of things: 32-byte ids made by hashing, and dense numbers given by the ledger at registration.
//!
//! Ids are what people and proofs use; numbers are what whoever counts uses, in arrays.

use minicbor::{CborLen, Decode, Encode};
use thiserror::Error;

/// Text that is not the id it should be.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum IdError {
    #[error("an id is 64 hexadecimal digits")]
    NotHex,
    #[error("a chain id is 1 to 32 of a-z, 0-9 and -")]
    NotChainId,
}

/// Adds Display, Debug, FromStr and byte access to a newtype of 32 bytes.
macro_rules! hex_impls {
    ($($name:ident),+) => {$(
        impl $name {
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({}…)", stringify!($name), &hex::encode(self.0)[..8])
            }
        }
        impl std::str::FromStr for $name {
            type Err = $crate::ids::IdError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut bytes = [0; 32];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| $crate::ids::IdError::NotHex)?;
                Ok(Self(bytes))
            }
        }
    )+};
}
pub(crate) use hex_impls;

/// A device: the hash of its public key (`PublicKey::device_id`).
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct DeviceId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

/// An account of the ledger: the hash of the keys that opened it. Operators, customers and verifiers are accounts.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct AccountId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

/// A network: the hash of chain, founder and name, so that a report for one chain means nothing on another.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct NetworkId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

/// A report: the hash of what its device signed.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct ReportId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

/// An order: the hash of the transaction that opened it.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct OrderId(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

/// A validator's public key, by which its peers know it: Ed25519, 32 bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct ValidatorKey(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

hex_impls!(DeviceId, AccountId, NetworkId, ReportId, OrderId, ValidatorKey);

impl NetworkId {
    /// The id of the network that `founder` opens under `name` on `chain`.
    pub fn of(chain: &ChainId, founder: &AccountId, name: &str) -> Self {
        Self(
            crate::hash::domain(
                "cairn/network/1",
                &[chain.as_str().as_bytes(), &founder.0, name.as_bytes()],
            )
            .0,
        )
    }
}

/// Adds Display and the index form to a dense number.
macro_rules! number_impls {
    ($($name:ident),+) => {$(
        impl $name {
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

/// The place of a device in the order of registration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct DeviceNumber(#[n(0)] pub u32);

/// The place of an account in the order of opening.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct AccountNumber(#[n(0)] pub u32);

/// The place of a network in the order of creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct NetworkNumber(#[n(0)] pub u32);

/// An epoch, counted from the chain's genesis time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct EpochNumber(#[n(0)] pub u64);

number_impls!(DeviceNumber, AccountNumber, NetworkNumber, EpochNumber);

impl EpochNumber {
    /// The epoch after this one; the last one of all is its own next.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// The name of a chain: 1 to 32 of `a-z`, `0-9` and `-`. It is signed into every transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, CborLen)]
#[cbor(transparent)]
pub struct ChainId(#[n(0)] String);

impl ChainId {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for ChainId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let fits = (1..=32).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::NotChainId)
        }
    }
}

impl std::fmt::Display for ChainId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'b, C> Decode<'b, C> for ChainId {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.str()?
            .parse()
            .map_err(|_| minicbor::decode::Error::message("chain id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text_and_nothing_else_does() {
        let id = DeviceId([7; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        for bad in ["", "07", &"g0".repeat(32), &"07".repeat(33)] {
            assert_eq!(bad.parse::<DeviceId>(), Err(IdError::NotHex), "{bad}");
        }
    }

    #[test]
    fn a_chain_id_is_short_and_plain() {
        assert!("cairn-demo-1".parse::<ChainId>().is_ok());
        for bad in ["", "Cairn", "a b", &"a".repeat(33)] {
            assert_eq!(bad.parse::<ChainId>(), Err(IdError::NotChainId), "{bad}");
        }
    }

    #[test]
    fn a_network_of_another_chain_has_another_id() {
        let (one, two) = ("one".parse().expect("plain"), "two".parse().expect("plain"));
        let founder = AccountId([1; 32]);
        assert_ne!(
            NetworkId::of(&one, &founder, "rain"),
            NetworkId::of(&two, &founder, "rain")
        );
    }
}
