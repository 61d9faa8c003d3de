//! One byte form: deterministic CBOR (RFC 8949 §4.2) through minicbor.
//!
//! Our own types encode with definite lengths and shortest integers. Strangers' bytes are accepted only when encoding the
//! decoded value again gives the same bytes, so two different byte strings never mean the same thing.

use minicbor::{Decode, Encode};
use thiserror::Error;

/// Bytes that are not the one form of a value.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum CodecError {
    #[error("not this value in CBOR: {0}")]
    Malformed(String),
    #[error("CBOR that is not in its deterministic form")]
    NotCanonical,
}

/// The bytes of a value.
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing into memory cannot fail")
}

/// The value of bytes in their one form; nothing may follow it.
pub fn decode_canonical<'b, T: Encode<()> + Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, CodecError> {
    let value: T = minicbor::decode(bytes).map_err(|error| CodecError::Malformed(error.to_string()))?;
    let mut again = Vec::with_capacity(bytes.len());
    minicbor::encode(&value, &mut again).expect("writing into memory cannot fail");
    if again == bytes {
        Ok(value)
    } else {
        Err(CodecError::NotCanonical)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_shortest_form_is_read() {
        assert_eq!(decode_canonical::<u64>(&[0x17]), Ok(23));
        assert_eq!(decode_canonical::<u64>(&[0x18, 0x17]), Err(CodecError::NotCanonical));
        assert_eq!(decode_canonical::<u64>(&[0x17, 0x00]), Err(CodecError::NotCanonical));
        assert_eq!(
            decode_canonical::<Vec<u8>>(&[0x9f, 0xff]),
            Err(CodecError::NotCanonical)
        );
        assert!(matches!(
            decode_canonical::<u64>(&[0xff]),
            Err(CodecError::Malformed(_))
        ));
        assert!(matches!(decode_canonical::<u64>(&[]), Err(CodecError::Malformed(_))));
    }
}
