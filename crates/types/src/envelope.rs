//! A signed report: COSE_Sign1 (RFC 9052 §4.2) over a deterministic CBOR map, in one byte form.
//!
//! ```text
//! 18([ << {1: alg, 4: device id} >>, {}, << {1: network, 2: time_ms, 3: sequence, 4: body} >>, signature ])
//! signed bytes: ["Signature1", protected, "cairn/report/1", payload]        alg: -8 EdDSA, -7 ES256
//! ```
//! The id of a report is the SHA-256 of the signed bytes: another valid signature over the same report is the same report.

use crate::codec;
use crate::hash::sha256;
use crate::ids::{DeviceId, NetworkId, ReportId};
use crate::keys::{PublicKey, SecretKey, Signature};
use crate::time::TimeMs;
use minicbor::data::Tag;
use minicbor::{CborLen, Decode, Decoder, Encode, Encoder};
use thiserror::Error;

/// The longest envelope anyone reads, in bytes.
pub const ENVELOPE_BYTES_MAX: usize = 16 * 1024;

/// COSE's external data: a signature made for anything else is never a report.
pub const EXTERNAL_AAD: &[u8] = b"cairn/report/1";

const TAG_SIGN1: u64 = 18;
const HEADER_ALG: i64 = 1;
const HEADER_KID: i64 = 4;
const ALG_EDDSA: i64 = -8;
const ALG_ES256: i64 = -7;

/// What a device says: to which network, when, its how-manieth, and what.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Report {
    #[n(1)]
    pub network: NetworkId,
    /// When the device made the report, by its own clock.
    #[n(2)]
    pub time: TimeMs,
    /// Rises with every report of a device; a number is used once.
    #[n(3)]
    pub sequence: u64,
    /// What the network's vertical understands: see its `report.cddl`.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub body: Vec<u8>,
}

/// A report with the proof of who made it, not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    pub device: DeviceId,
    pub algorithm: Algorithm,
    pub report: Report,
    pub signature: Signature,
    signed_bytes: Vec<u8>,
}

/// How an envelope says it is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    EdDsa,
    Es256,
}

/// Bytes that are not an envelope in its one form.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum EnvelopeError {
    #[error("an envelope has at most {ENVELOPE_BYTES_MAX} bytes")]
    TooLong,
    #[error("not a COSE_Sign1 message: {0}")]
    Malformed(String),
    #[error("the algorithm must be EdDSA (-8) or ES256 (-7)")]
    Algorithm,
    #[error("not in deterministic form, or with fields that do not belong")]
    NotCanonical,
}

impl Envelope {
    /// The bytes of `report`, signed by a device's key.
    pub fn seal(report: &Report, key: &SecretKey) -> Vec<u8> {
        let public = key.public();
        let algorithm = Algorithm::of(&public).expect("a secret key that is here is no passkey");
        let protected = protected(algorithm, &public.device_id());
        let payload = codec::encode(report);
        let signature = key.sign(&signed_bytes(&protected, &payload));
        sign1(&protected, &payload, &signature)
    }

    /// Reads strangers' bytes. The signature is not checked here: `signed()` goes into a batch.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        if bytes.len() > ENVELOPE_BYTES_MAX {
            return Err(EnvelopeError::TooLong);
        }
        let parts = Parts::read(bytes).map_err(|error| EnvelopeError::Malformed(error.to_string()))?;
        let algorithm = match parts.algorithm {
            ALG_EDDSA => Algorithm::EdDsa,
            ALG_ES256 => Algorithm::Es256,
            _ => return Err(EnvelopeError::Algorithm),
        };
        let report: Report = codec::decode_canonical(parts.payload).map_err(|error| match error {
            codec::CodecError::Malformed(what) => EnvelopeError::Malformed(what),
            codec::CodecError::NotCanonical => EnvelopeError::NotCanonical,
        })?;
        let protected = protected(algorithm, &parts.device);
        if sign1(&protected, parts.payload, &parts.signature) != bytes {
            return Err(EnvelopeError::NotCanonical);
        }
        let signed_bytes = signed_bytes(&protected, parts.payload);
        Ok(Self {
            device: parts.device,
            algorithm,
            report,
            signature: parts.signature,
            signed_bytes,
        })
    }

    pub fn id(&self) -> ReportId {
        ReportId(sha256(&self.signed_bytes).0)
    }

    /// What the signature covers.
    pub fn signed_bytes(&self) -> &[u8] {
        &self.signed_bytes
    }

    /// Whether `key` is the device's and the signature its own.
    pub fn verify(&self, key: &PublicKey) -> bool {
        self.is_of(key) && key.verify(&self.signed_bytes, &self.signature)
    }

    /// Whether the envelope names this key and its algorithm; its signature may still be wrong.
    pub fn is_of(&self, key: &PublicKey) -> bool {
        key.device_id() == self.device && Algorithm::of(key) == Some(self.algorithm)
    }
}

impl Algorithm {
    /// What a key signs envelopes with; a passkey never does.
    pub fn of(key: &PublicKey) -> Option<Self> {
        match key {
            PublicKey::Ed25519(_) => Some(Self::EdDsa),
            PublicKey::P256(_) => Some(Self::Es256),
            PublicKey::Passkey(_) => None,
        }
    }
}

/// The fields of a COSE_Sign1 message, form not checked.
struct Parts<'b> {
    algorithm: i64,
    device: DeviceId,
    payload: &'b [u8],
    signature: Signature,
}

impl<'b> Parts<'b> {
    fn read(bytes: &'b [u8]) -> Result<Self, minicbor::decode::Error> {
        let wrong = minicbor::decode::Error::message;
        let mut d = Decoder::new(bytes);
        if d.tag()? != Tag::new(TAG_SIGN1) || d.array()? != Some(4) {
            return Err(wrong("tag 18 and an array of 4 expected"));
        }
        let mut header = Decoder::new(d.bytes()?);
        if header.map()? != Some(2) || header.i64()? != HEADER_ALG {
            return Err(wrong("protected header {1: alg, 4: kid} expected"));
        }
        let algorithm = header.i64()?;
        if header.i64()? != HEADER_KID {
            return Err(wrong("protected header {1: alg, 4: kid} expected"));
        }
        let device = header
            .bytes()?
            .try_into()
            .map(DeviceId)
            .map_err(|_| wrong("a device id has 32 bytes"))?;
        if d.map()? != Some(0) {
            return Err(wrong("the unprotected header must be empty"));
        }
        let payload = d.bytes()?;
        let signature = d
            .bytes()?
            .try_into()
            .map(Signature)
            .map_err(|_| wrong("a signature has 64 bytes"))?;
        Ok(Self {
            algorithm,
            device,
            payload,
            signature,
        })
    }
}

/// Runs an encoder on memory, which cannot fail.
fn written(bytes: usize, write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Option<()>) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes);
    write(&mut Encoder::new(&mut out)).expect("writing into memory cannot fail");
    out
}

fn protected(algorithm: Algorithm, device: &DeviceId) -> Vec<u8> {
    let algorithm = match algorithm {
        Algorithm::EdDsa => ALG_EDDSA,
        Algorithm::Es256 => ALG_ES256,
    };
    written(40, |e| {
        e.map(2).ok()?.i64(HEADER_ALG).ok()?.i64(algorithm).ok()?;
        e.i64(HEADER_KID).ok()?.bytes(&device.0).ok().map(|_| ())
    })
}

fn signed_bytes(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    written(payload.len() + 80, |e| {
        e.array(4).ok()?.str("Signature1").ok()?.bytes(protected).ok()?;
        e.bytes(EXTERNAL_AAD).ok()?.bytes(payload).ok().map(|_| ())
    })
}

fn sign1(protected: &[u8], payload: &[u8], signature: &Signature) -> Vec<u8> {
    written(payload.len() + 120, |e| {
        e.tag(Tag::new(TAG_SIGN1)).ok()?.array(4).ok()?.bytes(protected).ok()?;
        e.map(0).ok()?.bytes(payload).ok()?.bytes(&signature.0).ok().map(|_| ())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            network: NetworkId([3; 32]),
            time: TimeMs(1_500_076_800_000),
            sequence: 9,
            body: vec![0x80],
        }
    }

    #[test]
    fn an_envelope_reads_back_and_names_its_maker() {
        for key in [SecretKey::ed25519([1; 32]), SecretKey::p256([1; 32]).expect("a scalar")] {
            let bytes = Envelope::seal(&report(), &key);
            let envelope = Envelope::parse(&bytes).expect("our own");
            assert_eq!(envelope.report, report());
            assert_eq!(envelope.device, key.public().device_id());
            assert!(envelope.verify(&key.public()));
            assert!(!envelope.verify(&SecretKey::ed25519([2; 32]).public()));
        }
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        let key = SecretKey::ed25519([1; 32]);
        let bytes = Envelope::seal(&report(), &key);
        for at in 0..bytes.len() * 8 {
            let mut broken = bytes.clone();
            broken[at / 8] ^= 1 << (at % 8);
            let holds = Envelope::parse(&broken).is_ok_and(|envelope| envelope.verify(&key.public()));
            assert!(!holds, "bit {at}");
        }
    }

    #[test]
    fn truncated_padded_and_oversized_bytes_are_refused() {
        let bytes = Envelope::seal(&report(), &SecretKey::ed25519([1; 32]));
        for end in 0..bytes.len() {
            assert!(Envelope::parse(&bytes[..end]).is_err(), "{end} bytes");
        }
        let padded = [bytes.as_slice(), &[0]].concat();
        assert_eq!(Envelope::parse(&padded), Err(EnvelopeError::NotCanonical));
        assert_eq!(
            Envelope::parse(&vec![0; ENVELOPE_BYTES_MAX + 1]),
            Err(EnvelopeError::TooLong)
        );
    }

    #[test]
    fn another_signature_over_the_same_report_is_the_same_report() {
        let key = SecretKey::p256([1; 32]).expect("a scalar");
        let (one, two) = (Envelope::seal(&report(), &key), Envelope::seal(&report(), &key));
        assert_ne!(one, two, "ES256 draws a nonce");
        assert_eq!(
            Envelope::parse(&one).expect("ours").id(),
            Envelope::parse(&two).expect("ours").id()
        );
    }
}
