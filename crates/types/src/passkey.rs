//! What a passkey signs for an account. A browser never lets it sign bytes as they are: it signs an assertion of WebAuthn, of which the
//! bytes are the challenge. Never parses JSON: it asks how the client data begins, which the standard fixes.
//!
//! ```text
//! client data          {"type":"webauthn.get","challenge":"BASE64URL","origin":"https://…",…}      (WebAuthn §5.8.1.1, §5.8.1.2)
//! authenticator data   SHA-256 of the page's name (32) ‖ flags (1) ‖ count of signatures (4) ‖ …   (§6.1)
//! signed               authenticator data ‖ SHA-256(client data), with ECDSA on P-256 and SHA-256
//! ```
//! Which page asked (`origin`, the hash of its name) is the browser's matter: it lends a passkey to the page that made it and to no other.
//! Here it proves nothing, as whoever has the secret writes what he likes. What the signature is for, the challenge alone says.

use crate::hash::sha256;
use crate::keys::{KeyError, PublicKey, SecretKey, Signature};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use minicbor::{CborLen, Decode, Encode};
use std::ops::RangeInclusive;

/// Bytes of authenticator data: what must be there, and room for extensions.
pub const AUTHENTICATOR_DATA_BYTES: RangeInclusive<usize> = 37..=256;
/// Bytes of client data at most: two origins of the longest names and what browsers add beside them, which is below 800.
pub const CLIENT_DATA_BYTES_MAX: usize = 1_024;

/// Where the flags stand in authenticator data.
const FLAGS_AT: usize = 32;
/// Flags that must be set: somebody was present (bit 0), and the device made sure who it was (bit 2).
const PRESENT_AND_VERIFIED: u8 = 0b101;
/// Half the order of the curve, rounded down: s of a signature is at most that, so that nobody makes a second signature of one.
const S_MAX: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xde, 0x73, 0x7d,
    0x56, 0xd3, 0x8b, 0xcf, 0x42, 0x79, 0xdc, 0xe5, 0x61, 0x7e, 0x31, 0x92, 0xa8,
];
/// The order of the curve.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// What a passkey signed, beside its signature.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Assertion {
    /// Of the key, among those of the rule it signs for.
    #[n(0)]
    pub index: u8,
    /// As the passkey gave it.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub authenticator_data: Vec<u8>,
    /// As the browser gave it: JSON.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub client_data: Vec<u8>,
}

impl Assertion {
    /// Whether its parts are neither too short nor too long.
    pub fn is_bounded(&self) -> bool {
        AUTHENTICATOR_DATA_BYTES.contains(&self.authenticator_data.len())
            && self.client_data.len() <= CLIENT_DATA_BYTES_MAX
    }

    /// Whether a person who was present and made sure of was asked for a signature over just this. Not whether that was given.
    pub fn is_over(&self, message: &[u8]) -> bool {
        let rest = self.client_data.strip_prefix(begin(message).as_bytes());
        let flags = self.authenticator_data.get(FLAGS_AT).copied().unwrap_or(0);
        matches!(rest.and_then(<[u8]>::first), Some(b',' | b'}'))
            && flags & PRESENT_AND_VERIFIED == PRESENT_AND_VERIFIED
    }

    /// Whether `signature` is the passkey's over `message`, by way of this assertion.
    pub(crate) fn verify(&self, key: &[u8; 33], message: &[u8], signature: &Signature) -> bool {
        self.is_bounded()
            && self.is_over(message)
            && signature.0[32..] <= S_MAX[..]
            && UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key)
                .verify(&self.signed_bytes(), &signature.0)
                .is_ok()
    }

    fn signed_bytes(&self) -> Vec<u8> {
        [&self.authenticator_data[..], &sha256(&self.client_data).0].concat()
    }
}

/// How client data over `message` begins, up to what follows the challenge.
fn begin(message: &[u8]) -> String {
    format!(r#"{{"type":"webauthn.get","challenge":"{}""#, base64url(message))
}

/// RFC 4648 §5, without padding.
fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let three = chunk.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - chunk.len()));
        let letters = (0..=chunk.len()).map(|at| LETTERS[three >> (18 - 6 * at) & 63]);
        text.extend(letters.map(char::from));
    }
    text
}

/// A passkey without a device or a browser: it signs whatever it is asked to. For tests and tools.
#[derive(Clone, Debug)]
pub struct SoftPasskey(SecretKey);

impl SoftPasskey {
    pub fn new(secret: [u8; 32]) -> Result<Self, KeyError> {
        SecretKey::p256(secret).map(Self)
    }

    pub fn public(&self) -> PublicKey {
        match self.0.public() {
            PublicKey::P256(key) => PublicKey::Passkey(key),
            other => other,
        }
    }

    /// Signs `message` by way of an assertion as a browser makes it.
    pub fn sign(&self, message: &[u8]) -> (Signature, Assertion) {
        let flags = [PRESENT_AND_VERIFIED];
        let client_data = format!(
            r#"{},"origin":"https://localhost","crossOrigin":false}}"#,
            begin(message)
        );
        let assertion = Assertion {
            index: 0,
            authenticator_data: [&sha256(b"localhost").0[..], &flags, &[0; 4]].concat(),
            client_data: client_data.into_bytes(),
        };
        (self.sign_assertion(&assertion), assertion)
    }

    /// Signs an assertion as it is.
    pub fn sign_assertion(&self, assertion: &Assertion) -> Signature {
        low(self.0.sign(&assertion.signed_bytes()))
    }
}

/// The one of a signature's two forms whose s is low.
pub fn low(mut signature: Signature) -> Signature {
    if signature.0[32..] > S_MAX[..] {
        negate(&mut signature);
    }
    signature
}

/// s becomes the order less s.
fn negate(signature: &mut Signature) {
    let mut borrow = 0;
    for (digit, of) in signature.0[32..].iter_mut().zip(ORDER).rev() {
        let left = i16::from(of) - i16::from(*digit) - borrow;
        borrow = i16::from(left < 0);
        *digit = left.rem_euclid(256) as u8;
    }
}

#[cfg(test)]
mod tests;
