//! What agents and verifiers say to each other at `POST /v1/reports`. Nothing here opens a socket.
//!
//! ```text
//! request    application/cbor-seq    envelope, envelope, …
//! 200        application/cbor-seq    one answer per envelope, in the order of the request:
//!                                    [0, receipt]   or   [1, reason code, reason text]
//! 429, 503   Retry-After             nothing of the request was taken; send the same again later
//! ```

use crate::codec::{self, CodecError};
use crate::envelope::ENVELOPE_BYTES_MAX;
use crate::receipt::Receipt;
use minicbor::{Decode, Decoder, Encode, Encoder, encode, encode::Write};
use thiserror::Error;

/// Where envelopes are posted, below a verifier's address.
pub const PATH: &str = "/v1/reports";
/// The media type of both bodies (RFC 8742).
pub const MEDIA_TYPE: &str = "application/cbor-seq";
/// Envelopes in one request at most.
pub const ENVELOPES_MAX: usize = 1_024;
/// Bytes of one request at most; a full request of longest envelopes is sent as several.
pub const REQUEST_BYTES_MAX: usize = 128 * ENVELOPE_BYTES_MAX;
/// Bytes of one answer at most: a receipt of a group of 2^40 reports has fewer.
pub const ANSWER_BYTES_MAX: usize = 2_048;
/// Bytes of a reason's text at most; longer texts are cut when written and refused when read.
pub const REASON_TEXT_BYTES_MAX: usize = 256;
/// Codes from here on are temporary: the same envelope may be taken later. Those below are final.
pub const TEMPORARY_FROM: u16 = 100;

/// Adds the number and the sentence of each refusal: numbers are never used again for something else.
macro_rules! refusals {
    ($($name:ident = $code:literal, $sentence:literal;)+) => {
        /// Why a verifier does not take an envelope, in the order of checking; the last ones are temporary.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum IntakeRefusal {$(
            #[doc = $sentence]
            $name,
        )+}

        impl IntakeRefusal {
            pub const ALL: &[Self] = &[$(Self::$name),+];

            pub fn code(self) -> u16 {
                match self {$(Self::$name => $code,)+}
            }

            /// The refusal of a code; `None` for one that only a newer verifier knows.
            pub fn of(code: u16) -> Option<Self> {
                match code {$($code => Some(Self::$name),)+ _ => None}
            }

            /// Its name as machines write it.
            pub fn name(self) -> &'static str {
                match self {$(Self::$name => stringify!($name),)+}
            }
        }

        impl std::fmt::Display for IntakeRefusal {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self {$(Self::$name => $sentence,)+})
            }
        }
    };
}

refusals! {
    Malformed = 1, "not an envelope in its one form";
    TooLong = 2, "an envelope longer than anyone reads";
    OtherNetwork = 3, "a network this verifier does not serve";
    UnknownDevice = 4, "a device that the ledger does not know";
    WrongKey = 5, "signed with another kind of key than the device has";
    WrongSignature = 6, "the signature does not hold";
    NotMember = 7, "the device does not belong to the network at that time";
    TooEarly = 8, "a time in the future of the verifier's clock";
    TooLate = 9, "a time whose epoch is closed";
    BadBody = 10, "a body that the network's vertical cannot read";
    Duplicate = 11, "a report taken before, whose receipt is no longer at hand";
    SequenceUsed = 12, "another report of the device has this sequence number or a later one";
    DeviceBusy = 100, "the device sends faster than its limit";
    Unavailable = 101, "the verifier cannot write to its disk";
    LedgerAway = 102, "not a device the verifier knows, and it cannot ask the ledger now";
}

/// The answer to one envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every answer is a receipt; a box would cost each an allocation"
)]
pub enum IntakeAnswer {
    Receipt(Receipt),
    Refused { code: u16, text: String },
}

/// Bytes that are not a sequence of answers or envelopes.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SequenceError {
    #[error("more than {0} items")]
    TooMany(usize),
    #[error("item {0} is cut off or is not CBOR")]
    Broken(usize),
    #[error("item {at}: {error}")]
    Item { at: usize, error: CodecError },
}

impl IntakeAnswer {
    /// A refusal with its own sentence and, after a colon, what was found.
    pub fn refused(refusal: IntakeRefusal, detail: &str) -> Self {
        let mut text = if detail.is_empty() {
            refusal.to_string()
        } else {
            format!("{refusal}: {detail}")
        };
        text.truncate(text.floor_char_boundary(REASON_TEXT_BYTES_MAX));
        Self::Refused {
            code: refusal.code(),
            text,
        }
    }

    /// Whether the same envelope may be taken later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if *code >= TEMPORARY_FROM)
    }

    /// The body of a response: answers one after the other.
    pub fn encode_sequence<'a>(answers: impl IntoIterator<Item = &'a Self>) -> Vec<u8> {
        let mut sequence = Vec::new();
        for answer in answers {
            minicbor::encode(answer, &mut sequence).expect("writing into memory cannot fail");
        }
        sequence
    }

    /// Reads a response's body of at most `answers_max` answers.
    pub fn decode_sequence(bytes: &[u8], answers_max: usize) -> Result<Vec<Self>, SequenceError> {
        split_sequence(bytes, answers_max)?
            .into_iter()
            .enumerate()
            .map(|(at, item)| codec::decode_canonical(item).map_err(|error| SequenceError::Item { at, error }))
            .collect()
    }
}

/// Cuts a CBOR sequence (RFC 8742) into at most `items_max` items, which stay unread.
pub fn split_sequence(bytes: &[u8], items_max: usize) -> Result<Vec<&[u8]>, SequenceError> {
    let mut items = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        if items.len() == items_max {
            return Err(SequenceError::TooMany(items_max));
        }
        let mut decoder = Decoder::new(rest);
        decoder.skip().map_err(|_| SequenceError::Broken(items.len()))?;
        let (item, after) = rest
            .split_at_checked(decoder.position())
            .filter(|(item, _)| !item.is_empty())
            .ok_or(SequenceError::Broken(items.len()))?;
        items.push(item);
        rest = after;
    }
    Ok(items)
}

impl<C> Encode<C> for IntakeAnswer {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, c: &mut C) -> Result<(), encode::Error<W::Error>> {
        match self {
            Self::Receipt(receipt) => e.array(2)?.u8(0)?.encode_with(receipt, c)?,
            Self::Refused { code, text } => e.array(3)?.u8(1)?.u16(*code)?.str(text)?,
        };
        Ok(())
    }
}

impl<'b, C> Decode<'b, C> for IntakeAnswer {
    fn decode(d: &mut Decoder<'b>, c: &mut C) -> Result<Self, minicbor::decode::Error> {
        match (d.array()?, d.u8()?) {
            (Some(2), 0) => Ok(Self::Receipt(d.decode_with(c)?)),
            (Some(3), 1) => {
                let code = d.u16()?;
                let text = d.str()?;
                if text.len() > REASON_TEXT_BYTES_MAX {
                    return Err(minicbor::decode::Error::message("a reason's text is too long"));
                }
                Ok(Self::Refused {
                    code,
                    text: text.to_owned(),
                })
            }
            _ => Err(minicbor::decode::Error::message(
                "[0, receipt] or [1, code, text] expected",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AccountId, EpochNumber, NetworkId, ReportId};
    use crate::keys::SecretKey;
    use crate::receipt::{self, Promise};
    use crate::time::TimeMs;

    fn promise(i: u8, epoch: u64) -> Promise {
        Promise {
            report: ReportId([i; 32]),
            network: NetworkId([3; 32]),
            epoch: EpochNumber(epoch),
        }
    }

    fn answers() -> Vec<IntakeAnswer> {
        let key = SecretKey::ed25519([5; 32]);
        let promises = [promise(1, 7), promise(2, 7)];
        let receipts = receipt::issue(AccountId([9; 32]), &key, TimeMs(77), &promises);
        let mut answers: Vec<_> = receipts.into_iter().map(IntakeAnswer::Receipt).collect();
        answers.insert(1, IntakeAnswer::refused(IntakeRefusal::TooLate, "epoch 7"));
        answers
    }

    #[test]
    fn answers_read_back_in_order_and_cut_ones_do_not() {
        let bytes = IntakeAnswer::encode_sequence(&answers());
        assert_eq!(IntakeAnswer::decode_sequence(&bytes, 3), Ok(answers()));
        assert_eq!(IntakeAnswer::decode_sequence(&bytes, 2), Err(SequenceError::TooMany(2)));
        assert_eq!(
            IntakeAnswer::decode_sequence(&bytes[..bytes.len() - 1], 3),
            Err(SequenceError::Broken(2))
        );
        assert_eq!(IntakeAnswer::decode_sequence(&[], 0), Ok(vec![]));
        assert!(matches!(
            IntakeAnswer::decode_sequence(&[0x83, 0x01, 0x18, 0x01, 0x60], 1),
            Err(SequenceError::Item { at: 0, .. })
        ));
    }

    #[test]
    fn every_answer_fits_its_limit() {
        let key = SecretKey::ed25519([5; 32]);
        let promises = [promise(1, u64::MAX)];
        let mut receipt = receipt::issue(AccountId([9; 32]), &key, TimeMs(u64::MAX), &promises).remove(0);
        receipt.path.start = u64::MAX;
        receipt.path.count = u64::MAX;
        receipt.path.siblings = vec![crate::Hash([1; 32]); 41];
        let long = IntakeAnswer::refused(IntakeRefusal::BadBody, &"é".repeat(1_000));
        for answer in [IntakeAnswer::Receipt(receipt), long] {
            assert!(codec::encode(&answer).len() <= ANSWER_BYTES_MAX);
        }
    }

    #[test]
    fn a_reason_too_long_is_refused() {
        let answer = IntakeAnswer::Refused {
            code: 1,
            text: "a".repeat(REASON_TEXT_BYTES_MAX + 1),
        };
        assert!(codec::decode_canonical::<IntakeAnswer>(&codec::encode(&answer)).is_err());
    }

    #[test]
    fn refusals_stand_in_the_order_of_their_numbers_and_the_temporary_ones_last() {
        let codes: Vec<u16> = IntakeRefusal::ALL.iter().map(|refusal| refusal.code()).collect();
        assert!(codes.is_sorted_by(|a, b| a < b));
        for refusal in IntakeRefusal::ALL {
            assert_eq!(IntakeRefusal::of(refusal.code()), Some(*refusal));
        }
        assert_eq!(IntakeRefusal::of(0), None);
        assert!(IntakeAnswer::refused(IntakeRefusal::DeviceBusy, "").is_temporary());
        assert!(!IntakeAnswer::refused(IntakeRefusal::SequenceUsed, "").is_temporary());
    }

    #[test]
    fn hostile_sequences_end() {
        for bytes in [
            vec![0x81; 100_000],
            vec![0x9f; 100_000],
            vec![0xff],
            vec![0x5b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            vec![0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0],
        ] {
            assert!(IntakeAnswer::decode_sequence(&bytes, 10).is_err());
        }
    }
}
