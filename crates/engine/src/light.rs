//! What a stranger checks with one 96-byte key: certificates, headers, records, transactions. Plain bytes in, a verdict
//! out; no I/O, and nothing is believed that was not checked here.
//!
//! ```text
//! group key ─▶ certificate ─▶ digest ─▶ header … header ─▶ state root ─▶ value or absence
//!                                      (each the parent of the next)  └▶ tx root, receipt root ─▶ transaction, receipt
//! ```

use crate::{
    HEADER_BYTES, Header, HeaderError, Key, Value,
    engine_types::{Certificate, Digest, ExclusionProof, GroupKey, KeyValueProof, Scheme, StateKey, StateValue},
    limits::{CHAIN_NAME_BYTES_MAX, FINALITY_HEADERS_MAX},
};
use cairn_types::{
    hash::{Hash, domain},
    merkle::{self, RangeProof},
};
use commonware_codec::{Copying, DecodeExt as _};
use commonware_consensus::simplex::scheme::bls12381_threshold::vrf;
use commonware_cryptography::Sha256;
use commonware_parallel::Sequential;
use commonware_storage::qmdb::any::value::FixedEncoding;
use minicbor::{CborLen, Decode, Encode};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

mod eras;

pub use eras::{HandOver, Successor, follow};

/// Bytes of the validators' group key.
pub const GROUP_KEY_BYTES: usize = 96;
/// Digests in one proof of a record: more than any state can need.
const PROOF_DIGESTS_MAX: usize = 256;
/// Bytes of one proof of a record.
pub const PROOF_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a certificate.
pub const CERTIFICATE_BYTES_MAX: usize = 256;

/// All that a light client must know beforehand.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Anchor {
    /// The chain's name.
    #[n(0)]
    pub chain: String,
    /// The validators' group key.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub group_key: [u8; GROUP_KEY_BYTES],
    /// [`StateMachine::genesis_digest`](crate::StateMachine::genesis_digest).
    #[cbor(n(2), with = "minicbor::bytes")]
    pub genesis: [u8; 32],
    /// The era in which this group key signs.
    #[n(3)]
    pub era: u32,
}

/// Why a header is final: from it to the next header that has a certificate of its own, each the parent of the next.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Finality {
    #[n(0)]
    pub headers: Vec<EncodedHeader>,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub certificate: Vec<u8>,
}

/// The bytes of a header.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct EncodedHeader(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; HEADER_BYTES]);

/// A record's value, or that it has none, under a final header.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Proof {
    #[n(0)]
    pub finality: Finality,
    /// The value; none when the record is absent.
    #[cbor(n(1), with = "optional_value")]
    pub value: Option<Value>,
    /// For [`verify_value`] or [`verify_absence`].
    #[cbor(n(2), with = "minicbor::bytes")]
    pub proof: Vec<u8>,
}

/// What a certificate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certified {
    /// [`Header::digest`] of the block it finalizes.
    pub digest: [u8; 32],
    pub epoch: u64,
    pub view: u64,
}

/// Why something is not to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LightError {
    #[error("the group key is not a point of the curve")]
    GroupKey,
    #[error("the chain's name is too long")]
    ChainName,
    #[error("the certificate is malformed")]
    CertificateForm,
    #[error("the certificate is not signed by this group key for this chain")]
    CertificateSignature,
    #[error(transparent)]
    Header(#[from] HeaderError),
    #[error("between 1 and {FINALITY_HEADERS_MAX} headers lead to a certificate, not {0}")]
    HeaderCount(usize),
    #[error("the header belongs to another genesis or era")]
    OtherChain,
    #[error("a header does not name the one before it as its parent")]
    HeaderLink,
    #[error("the certificate finalizes another header")]
    OtherHeader,
    #[error("the era before did not hand over to this one")]
    OtherSuccessor,
    #[error("a chain has at most {} eras", crate::limits::ERAS_MAX)]
    TooManyEras,
    #[error("the proof is malformed")]
    ProofForm,
    #[error("the proof does not lead to the header's root")]
    ProofRoot,
}

/// Checks that the validators finalized something, and says what.
pub fn verify_certificate(
    chain: &str,
    group_key: &[u8; GROUP_KEY_BYTES],
    certificate: &[u8],
) -> Result<Certified, LightError> {
    if chain.len() > CHAIN_NAME_BYTES_MAX {
        return Err(LightError::ChainName);
    }
    if certificate.len() > CERTIFICATE_BYTES_MAX {
        return Err(LightError::CertificateForm);
    }
    let identity = GroupKey::decode(Copying(group_key)).map_err(|_| LightError::GroupKey)?;
    let finalization = Certificate::decode(Copying(certificate)).map_err(|_| LightError::CertificateForm)?;
    let scheme: Scheme = vrf::Scheme::certificate_verifier(chain.as_bytes(), identity);
    // The coefficients that join both signatures into one check depend on all that is checked, so nobody can aim at them.
    let seed = domain("cairn/certificate/1", &[chain.as_bytes(), group_key, certificate]);
    if !finalization.verify(&mut ChaCha20Rng::from_seed(seed.0), &scheme, &Sequential) {
        return Err(LightError::CertificateSignature);
    }
    let round = finalization.proposal.round;
    Ok(Certified {
        digest: finalization.proposal.payload.0,
        epoch: round.epoch().get(),
        view: round.view().get(),
    })
}

/// Checks that the first of these headers is final, and returns it.
pub fn verify_finality(anchor: &Anchor, finality: &Finality) -> Result<Header, LightError> {
    let count = finality.headers.len();
    if count == 0 || count > FINALITY_HEADERS_MAX {
        return Err(LightError::HeaderCount(count));
    }
    let headers = finality
        .headers
        .iter()
        .map(|encoded| Header::decode(&encoded.0))
        .collect::<Result<Vec<_>, _>>()?;
    if headers
        .iter()
        .any(|header| header.genesis != anchor.genesis || header.era != anchor.era)
    {
        return Err(LightError::OtherChain);
    }
    for pair in headers.windows(2) {
        let [before, after] = pair else { continue };
        if after.parent != before.digest() || after.height.checked_sub(1) != Some(before.height) {
            return Err(LightError::HeaderLink);
        }
    }
    let certified = verify_certificate(&anchor.chain, &anchor.group_key, &finality.certificate)?;
    if headers.last().map(Header::digest) != Some(certified.digest) {
        return Err(LightError::OtherHeader);
    }
    headers.into_iter().next().ok_or(LightError::HeaderCount(0))
}

/// Checks that `key` has `value` in the state of `header`, which must be believed already.
pub fn verify_value(header: &Header, key: &Key, value: &Value, proof: &[u8]) -> Result<(), LightError> {
    let proof: KeyValueProof = decode_proof(proof, (PROOF_DIGESTS_MAX, ()))?;
    let valid = proof.verify::<Sha256, FixedEncoding<StateValue>>(
        StateKey::new(*key),
        StateValue::new(*value),
        &Digest::from(header.state_root),
    );
    valid.then_some(()).ok_or(LightError::ProofRoot)
}

/// Checks that `key` has no value in the state of `header`, which must be believed already.
pub fn verify_absence(header: &Header, key: &Key, proof: &[u8]) -> Result<(), LightError> {
    let proof: ExclusionProof = decode_proof(proof, (PROOF_DIGESTS_MAX, (), ()))?;
    let valid = proof.verify::<Sha256>(&StateKey::new(*key), &Digest::from(header.state_root));
    valid.then_some(()).ok_or(LightError::ProofRoot)
}

/// Checks that a transaction stands in the block of `header`.
pub fn verify_tx(header: &Header, tx: &[u8], proof: &RangeProof) -> Result<(), LightError> {
    verify_leaf(tx, proof, header.tx_root)
}

/// Checks that a receipt stands in the block of `header`; receipt `i + 1` belongs to transaction `i`.
pub fn verify_receipt(header: &Header, receipt: &[u8], proof: &RangeProof) -> Result<(), LightError> {
    verify_leaf(receipt, proof, header.receipt_root)
}

impl Proof {
    /// Checks all of it; returns the height's header and the value.
    pub fn verify(&self, anchor: &Anchor, key: &Key) -> Result<(Header, Option<Value>), LightError> {
        let header = verify_finality(anchor, &self.finality)?;
        match &self.value {
            Some(value) => verify_value(&header, key, value, &self.proof)?,
            None => verify_absence(&header, key, &self.proof)?,
        }
        Ok((header, self.value))
    }
}

fn verify_leaf(bytes: &[u8], proof: &RangeProof, root: [u8; 32]) -> Result<(), LightError> {
    let proven = proof.proves(&[merkle::leaf(bytes)], &Hash(root));
    proven.then_some(()).ok_or(LightError::ProofRoot)
}

fn decode_proof<P: commonware_codec::Decode>(bytes: &[u8], config: P::Cfg) -> Result<P, LightError> {
    if bytes.len() > PROOF_BYTES_MAX {
        return Err(LightError::ProofForm);
    }
    P::decode_cfg(Copying(bytes), &config).map_err(|_| LightError::ProofForm)
}

/// An optional value as CBOR: null or a byte string.
mod optional_value {
    use crate::Value;
    use minicbor::{
        bytes::ByteArray,
        decode::{Decoder, Error as DecodeError},
        encode::{Encoder, Error as EncodeError, Write},
    };

    pub fn encode<C, W: Write>(
        value: &Option<Value>,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        encoder.encode(value.map(ByteArray::from))?.ok()
    }

    pub fn decode<C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<Option<Value>, DecodeError> {
        Ok(decoder
            .decode::<Option<ByteArray<{ crate::VALUE_BYTES }>>>()?
            .map(|value| *value))
    }

    pub fn cbor_len<C>(value: &Option<Value>, context: &mut C) -> usize {
        minicbor::CborLen::cbor_len(&value.map(ByteArray::from), context)
    }
}

#[cfg(test)]
mod tests;
