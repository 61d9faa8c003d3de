//! Keys and signatures: Ed25519 (ZIP-215 rules, so that batch and single checks agree), P-256 (what secure elements have) and passkeys
//! (P-256 in a browser, which signs in a form of its own: `passkey`). A secret never prints and is wiped when dropped.

use crate::hash;
use crate::ids::DeviceId;
use crate::passkey::Assertion;
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::encoding::{AsBigEndian, EcPublicKeyCompressedBin};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, UnparsedPublicKey};
use ed25519_zebra::{SigningKey, VerificationKey};
use minicbor::{CborLen, Decode, Encode};
use thiserror::Error;
use zeroize::Zeroizing;

/// A public key: 32 bytes of Ed25519 or 33 bytes of P-256 (SEC1, compressed). A passkey's is of P-256 too, and another key all the same:
/// what the one signs never holds for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
pub enum PublicKey {
    #[n(0)]
    Ed25519(#[cbor(n(0), with = "minicbor::bytes")] [u8; 32]),
    #[n(1)]
    P256(#[cbor(n(0), with = "minicbor::bytes")] [u8; 33]),
    /// Signs for accounts only.
    #[n(2)]
    Passkey(#[cbor(n(0), with = "minicbor::bytes")] [u8; 33]),
}

/// A signature of either kind: 64 bytes (R and S, or r and s).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct Signature(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 64]);

/// A key that does not sign or check.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    #[error("not a secret key of this kind")]
    BadSecret,
    #[error("a key is written ed25519:HEX, p256:HEX or passkey:HEX")]
    BadText,
}

impl PublicKey {
    /// The id of the device that holds this key.
    pub fn device_id(&self) -> DeviceId {
        let (kind, bytes) = self.parts();
        DeviceId(hash::domain("cairn/device/1", &[&[kind], bytes]).0)
    }

    /// Whether `signature` is this key's over `message`; never for a passkey. For many, `batch::verify` is three times faster.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        match self {
            Self::Ed25519(key) => VerificationKey::try_from(*key).is_ok_and(|key| {
                key.verify(&ed25519_zebra::Signature::from(signature.0), message)
                    .is_ok()
            }),
            Self::P256(key) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key)
                .verify(message, &signature.0)
                .is_ok(),
            Self::Passkey(_) => false,
        }
    }

    /// Whether `signature` is this key's over `message`, by way of an assertion if it is a passkey, and as it is otherwise.
    pub fn verify_asserted(&self, message: &[u8], signature: &Signature, assertion: Option<&Assertion>) -> bool {
        match (self, assertion) {
            (Self::Passkey(key), Some(assertion)) => assertion.verify(key, message, signature),
            (_, None) => self.verify(message, signature),
            (_, Some(_)) => false,
        }
    }

    /// Whether it signs nothing but assertions: then it can be no key of a device, a verifier or vouchers.
    pub fn is_passkey(&self) -> bool {
        matches!(self, Self::Passkey(_))
    }

    /// 0 and 32 bytes for Ed25519, 1 and 33 bytes for P-256, 2 and 33 bytes for a passkey.
    pub fn parts(&self) -> (u8, &[u8]) {
        match self {
            Self::Ed25519(key) => (0, key),
            Self::P256(key) => (1, key),
            Self::Passkey(key) => (2, key),
        }
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (kind, bytes) = self.parts();
        write!(
            f,
            "{}:{}",
            ["ed25519", "p256", "passkey"][usize::from(kind)],
            hex::encode(bytes)
        )
    }
}

impl std::str::FromStr for PublicKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let (kind, digits) = text.split_once(':').ok_or(KeyError::BadText)?;
        let bytes = hex::decode(digits).map_err(|_| KeyError::BadText)?;
        match kind {
            "ed25519" => bytes.try_into().map(Self::Ed25519).map_err(|_| KeyError::BadText),
            "p256" => bytes.try_into().map(Self::P256).map_err(|_| KeyError::BadText),
            "passkey" => bytes.try_into().map(Self::Passkey).map_err(|_| KeyError::BadText),
            _ => Err(KeyError::BadText),
        }
    }
}

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signature({}…)", &hex::encode(self.0)[..8])
    }
}

/// A secret key. Where the 32 secret bytes come from is the caller's matter: the system's generator, or a seed in tests.
#[derive(Clone)]
pub enum SecretKey {
    Ed25519(Zeroizing<[u8; 32]>),
    /// The secret scalar, big-endian, and the public key it belongs to.
    P256(Zeroizing<[u8; 32]>, [u8; 33]),
}

impl SecretKey {
    /// Any 32 bytes are an Ed25519 secret (RFC 8032 §5.1.5).
    pub fn ed25519(secret: [u8; 32]) -> Self {
        Self::Ed25519(Zeroizing::new(secret))
    }

    /// A P-256 secret is a scalar from 1 to the order of the curve less 1.
    pub fn p256(secret: [u8; 32]) -> Result<Self, KeyError> {
        let secret = Zeroizing::new(secret);
        let key = PrivateKey::from_private_key(&ECDH_P256, secret.as_slice()).map_err(|_| KeyError::BadSecret)?;
        let public = key.compute_public_key().map_err(|_| KeyError::BadSecret)?;
        let public: EcPublicKeyCompressedBin<'_> = public.as_be_bytes().map_err(|_| KeyError::BadSecret)?;
        let public = public.as_ref().try_into().map_err(|_| KeyError::BadSecret)?;
        Ok(Self::P256(secret, public))
    }

    pub fn public(&self) -> PublicKey {
        match self {
            Self::Ed25519(secret) => PublicKey::Ed25519(SigningKey::from_bytes(secret).verification_key().into()),
            Self::P256(_, public) => PublicKey::P256(*public),
        }
    }

    /// Ed25519 signatures are deterministic; P-256 draws its nonce from the system's generator.
    pub fn sign(&self, message: &[u8]) -> Signature {
        match self {
            Self::Ed25519(secret) => Signature(SigningKey::from_bytes(secret).sign(message).into()),
            Self::P256(secret, public) => {
                let pair = EcdsaKeyPair::from_private_key_and_public_key(
                    &ECDSA_P256_SHA256_FIXED_SIGNING,
                    secret.as_slice(),
                    public,
                )
                .expect("checked when the key was made");
                let signature = pair
                    .sign(&SystemRandom::new(), message)
                    .expect("the system's generator answers");
                Signature(signature.as_ref().try_into().expect("fixed form is 64 bytes"))
            }
        }
    }

    /// The 32 secret bytes, for a key file that only its owner reads.
    pub fn secret_bytes(&self) -> Zeroizing<[u8; 32]> {
        match self {
            Self::Ed25519(secret) | Self::P256(secret, _) => secret.clone(),
        }
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey(of {})", self.public())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both() -> [SecretKey; 2] {
        [SecretKey::ed25519([7; 32]), SecretKey::p256([7; 32]).expect("a scalar")]
    }

    #[test]
    fn a_signature_holds_for_its_key_and_message_only() {
        for key in both() {
            let signature = key.sign(b"message");
            assert!(key.public().verify(b"message", &signature));
            assert!(!key.public().verify(b"massage", &signature));
            let mut broken = signature;
            broken.0[40] ^= 1;
            assert!(!key.public().verify(b"message", &broken));
            assert!(!SecretKey::ed25519([8; 32]).public().verify(b"message", &signature));
        }
    }

    #[test]
    fn a_key_reads_back_from_its_text() {
        for key in both() {
            assert_eq!(key.public().to_string().parse(), Ok(key.public()));
        }
        let passkey = PublicKey::Passkey([2; 33]);
        assert_eq!(passkey.to_string().parse(), Ok(passkey));
        for bad in ["", "ed25519:", "ed25519:07", "rsa:07", "p256:zz", "passkey:02"] {
            assert_eq!(bad.parse::<PublicKey>(), Err(KeyError::BadText), "{bad}");
        }
    }

    #[test]
    fn a_secret_never_prints() {
        for key in both() {
            assert!(!format!("{key:?}").contains("0707"));
        }
    }

    #[test]
    fn a_scalar_out_of_range_is_no_secret() {
        assert!(SecretKey::p256([0; 32]).is_err());
        assert!(SecretKey::p256([0xff; 32]).is_err());
    }

    #[test]
    fn garbage_is_a_key_that_never_checks() {
        let signature = Signature([1; 64]);
        assert!(!PublicKey::P256([9; 33]).verify(b"m", &signature));
        assert!(!PublicKey::Ed25519([9; 32]).verify(b"m", &signature));
    }
}
