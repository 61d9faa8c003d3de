//! What can be seen of a transaction without any state: its form, and whether its signatures hold, many in one batch.

use super::{Body, Signed, Sponsor, TX_BYTES_MAX, Transaction};
use crate::account::Witness;
use crate::context::ensure;
use crate::reject::Reject;
use cairn_types::batch;
use cairn_types::codec::{self, CodecError};
use cairn_types::{PublicKey, Signature};

/// One answer per transaction, in order. A transaction that passes may still be refused by the state.
pub fn check(transactions: &[&[u8]]) -> Vec<Result<Signed, Reject>> {
    let read: Vec<Result<Read, Reject>> = transactions.iter().map(|bytes| Read::of(bytes)).collect();
    let batch: Vec<batch::Signed<'_>> = read.iter().flatten().flat_map(Read::signatures).collect();
    let mut holds = batch::verify(&batch).into_iter();
    drop(batch);
    let answer = |read: Result<Read, Reject>| {
        let read = read?;
        let signers = read.witness_count();
        let signed = (0..signers).fold(true, |all, _| all & holds.next().unwrap_or(false));
        let inner = read.inner.is_none() || holds.next().unwrap_or(false);
        ensure(signed, Reject::SignatureWrong)?;
        ensure(
            inner,
            read.inner.as_ref().map_or(Reject::SignatureWrong, |inner| inner.wrong),
        )?;
        Ok(read.signed)
    };
    read.into_iter().map(answer).collect()
}

/// A transaction in its one form, with the hashes its signatures are over.
struct Read {
    signed: Signed,
    message: [u8; 32],
    inner: Option<Inner>,
}

/// A signature inside a body, by a key that the body shows.
struct Inner {
    key: PublicKey,
    message: [u8; 32],
    signature: Signature,
    wrong: Reject,
}

impl Read {
    fn of(bytes: &[u8]) -> Result<Self, Reject> {
        ensure(bytes.len() <= TX_BYTES_MAX, Reject::TooLong)?;
        let signed: Signed = codec::decode_canonical(bytes).map_err(|error| match error {
            CodecError::Malformed(_) => Reject::Malformed,
            CodecError::NotCanonical => Reject::NotCanonical,
        })?;
        let named = matches!(signed.transaction.sponsor, Some(Sponsor::Account(_)));
        for witness in std::iter::once(&signed.witness).chain(&signed.sponsor) {
            ensure(witness.rule.is_valid(), Reject::RuleInvalid)?;
            ensure(witness.has_signatures(), Reject::SignaturesIncomplete)?;
            ensure(witness.has_assertions(), Reject::AssertionsIncomplete)?;
        }
        ensure(named == signed.sponsor.is_some(), Reject::SponsorWitnessWrong)?;
        ensure(!shows_passkey(&signed.transaction.body), Reject::PasskeyNotAllowed)?;
        let message = Transaction::id_of(transaction_bytes(bytes).ok_or(Reject::Malformed)?).0;
        let mut assertions = std::iter::once(&signed.witness)
            .chain(&signed.sponsor)
            .flat_map(|witness| &witness.assertions);
        ensure(
            assertions.all(|assertion| assertion.is_over(&message)),
            Reject::AssertionWrong,
        )?;
        let inner = Inner::of(&signed);
        Ok(Self { signed, message, inner })
    }

    fn witness_count(&self) -> usize {
        let count = |witness: &Witness| witness.signatures.len();
        count(&self.signed.witness) + self.signed.sponsor.as_ref().map_or(0, count)
    }

    fn signatures(&self) -> impl Iterator<Item = batch::Signed<'_>> {
        let witnesses = std::iter::once(&self.signed.witness).chain(&self.signed.sponsor);
        let inner = self
            .inner
            .iter()
            .map(|inner| batch::Signed::plain(inner.key, &inner.message, inner.signature));
        witnesses.flat_map(|witness| witness.signed(&self.message)).chain(inner)
    }
}

/// Whether a body names a passkey for what signs bytes as they are: it could never sign there.
fn shows_passkey(body: &Body) -> bool {
    let key = match body {
        Body::RegisterDevice(body) => &body.key,
        Body::BondVerifier(body) => &body.key,
        Body::OpenOrder(body) => &body.voucher_key,
        Body::SettleOrder(body) => &body.key,
        _ => return false,
    };
    key.is_passkey()
}

/// The part of a signed transaction's one byte form that is the transaction: encoding it again would cost more than the rest.
fn transaction_bytes(signed: &[u8]) -> Option<&[u8]> {
    let mut decoder = minicbor::Decoder::new(signed);
    decoder.array().ok()?;
    let start = decoder.position();
    decoder.skip().ok()?;
    signed.get(start..decoder.position())
}

impl Inner {
    fn of(signed: &Signed) -> Option<Self> {
        let transaction = &signed.transaction;
        match &transaction.body {
            Body::RegisterDevice(body) => Some(Self {
                key: body.key,
                message: super::register_device::message(&transaction.chain, &transaction.account, &body.key),
                signature: body.signature,
                wrong: Reject::DeviceSignatureWrong,
            }),
            Body::SettleOrder(body) => Some(Self {
                key: body.key,
                message: body.voucher.message(&transaction.chain),
                signature: body.signature,
                wrong: Reject::VoucherSignatureWrong,
            }),
            _ => None,
        }
    }
}
