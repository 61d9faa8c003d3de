//! What judging an epoch leaves for the next: the kit's records of reputation, and bytes of the vertical that the kit never
//! reads. One deterministic form; strangers' bytes are checked.

use super::reputation::Record;
use super::vertical::MemoryError;
use cairn_types::codec;
use minicbor::{Decode, Encode};

/// The memory of an epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Memory<'b> {
    /// In the order of device numbers; none of devices about which nothing is known.
    #[n(0)]
    pub records: Vec<Record>,
    #[cbor(b(1), with = "minicbor::bytes")]
    pub vertical: &'b [u8],
}

impl<'b> Memory<'b> {
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads an earlier epoch's bytes; none at all are those of the first epoch.
    pub fn decode(bytes: &'b [u8]) -> Result<Self, MemoryError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let memory: Self = codec::decode_canonical(bytes).map_err(|error| MemoryError(error.to_string()))?;
        let sorted = memory.records.is_sorted_by(|one, next| one.number < next.number);
        if sorted && memory.records.iter().all(Record::is_bounded) {
            Ok(memory)
        } else {
            Err(MemoryError("reputations out of order, or out of bounds".into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::reputation::record::{MARKS_MAX, RECORD_BYTES_MAX};
    use crate::kit::reputation::{EPOCH_WEIGHT, Exclusion, Mark, Reputation, Rules};
    use cairn_types::{DeviceNumber, EpochNumber, Reason};

    /// As large as a record can be.
    fn record(number: u32) -> Record {
        let weight = u32::from(Rules::MEMORY_EPOCHS_MAX) * EPOCH_WEIGHT;
        let mark = |place: u64| Mark {
            epoch: EpochNumber(u64::MAX - MARKS_MAX as u64 + place),
            reason: Reason(u16::MAX),
            weight: u32::MAX,
        };
        let marks: Vec<Mark> = (0..MARKS_MAX as u64).map(mark).collect();
        Record {
            number: DeviceNumber(number),
            reputation: Reputation {
                good: weight,
                bad: weight,
            },
            marks: marks.clone(),
            exclusion: Some(Exclusion {
                from: EpochNumber(u64::MAX - 1),
                until: EpochNumber(u64::MAX),
                score: 9_999,
                line: 10_000,
                evidence: marks,
            }),
        }
    }

    fn encoded(records: Vec<Record>) -> Vec<u8> {
        Memory {
            records,
            vertical: b"its own",
        }
        .encode()
    }

    #[test]
    fn the_largest_record_reads_back_and_is_bounded() {
        let records = vec![record(u32::MAX - 1), record(u32::MAX)];
        let bytes = encoded(records.clone());
        let memory = Memory::decode(&bytes).expect("within all bounds");
        assert_eq!((memory.records, memory.vertical), (records, &b"its own"[..]));
        assert!(bytes.len() <= 2 * RECORD_BYTES_MAX, "{} bytes", bytes.len());
        assert_eq!(Memory::decode(&[]), Ok(Memory::default()));
    }

    #[test]
    fn what_nobody_here_wrote_is_refused() {
        type Change = (&'static str, fn(&mut Record));
        let broken: [Change; 7] = [
            ("too good", |record| record.reputation.good += 1),
            ("too bad", |record| record.reputation.bad += 1),
            ("marks out of order", |record| record.marks.reverse()),
            ("too many marks", |record| {
                let first = record.marks[0].epoch.0 - 1;
                let mark = Mark {
                    epoch: EpochNumber(first),
                    ..record.marks[0]
                };
                record.marks.insert(0, mark);
            }),
            ("an exclusion without an end", |record| {
                let exclusion = record.exclusion.as_mut().expect("one");
                exclusion.until = exclusion.from;
            }),
            ("an exclusion without a cause", |record| {
                let exclusion = record.exclusion.as_mut().expect("one");
                exclusion.score = exclusion.line;
            }),
            ("a line beyond the whole", |record| {
                record.exclusion.as_mut().expect("one").line = 10_001;
            }),
        ];
        for (name, change) in broken {
            let mut one = record(7);
            change(&mut one);
            assert!(Memory::decode(&encoded(vec![one])).is_err(), "{name}");
        }
        assert!(
            Memory::decode(&encoded(vec![record(7), record(7)])).is_err(),
            "a device twice"
        );
        assert!(Memory::decode(&[0x80]).is_err(), "an older form");
    }
}
