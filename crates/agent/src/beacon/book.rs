//! Which beacon each radio was last handed, on disk before the radio has it: a process that is killed at any moment knows afterwards
//! that it has sent one in this epoch, and what it must still report. One entry a radio, so that it never grows.

use cairn_secrets::{Form, SecretsError};
use cairn_types::{DeviceId, EpochNumber, NetworkId, TimeMs, codec};
use minicbor::{CborLen, Decode, Encode};
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

/// Bytes of the file at most: a radio takes some 130.
const BYTES_MAX: u64 = 64 * 1024;

/// How far a beacon has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(index_only)]
pub enum Stage {
    /// With the forwarder, which may have sent it; the report of it is in no outbox yet, as far as the disk knows.
    #[n(0)]
    Handed,
    /// In the outbox, or too old for it: never again.
    #[n(1)]
    Reported,
    /// The forwarder says that it was not sent.
    #[n(2)]
    Refused,
}

/// The last beacon of a radio.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Entry {
    #[n(0)]
    pub device: DeviceId,
    #[n(1)]
    pub network: NetworkId,
    #[n(2)]
    pub epoch: EpochNumber,
    #[n(3)]
    pub time: TimeMs,
    #[n(4)]
    pub nonce: u64,
    #[n(5)]
    pub frequency_hz: u32,
    #[n(6)]
    pub rate: u8,
    /// Radiated (EIRP), in whole dBm.
    #[n(7)]
    pub power_dbm: i16,
    #[n(8)]
    pub stage: Stage,
}

/// By device.
pub type Book = BTreeMap<DeviceId, Entry>;

/// What the file holds; nothing where there is none. `None`: it cannot be read, so nobody knows what was sent.
pub fn open(file: &Path) -> Option<Book> {
    let mut bytes = Vec::new();
    match std::fs::File::open(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some(Book::new()),
        Err(_) => return None,
        Ok(file) => file.take(BYTES_MAX + 1).read_to_end(&mut bytes).ok()?,
    };
    let entries: Vec<Entry> = codec::decode_canonical(&bytes).ok()?;
    Some(entries.into_iter().map(|entry| (entry.device, entry)).collect())
}

/// Writes it, whole or not at all, and to the disk.
pub fn keep(file: &Path, book: &Book) -> Result<(), SecretsError> {
    let entries: Vec<Entry> = book.values().cloned().collect();
    Form::Plain.write(file, &codec::encode(&entries))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_reads_back_and_what_is_broken_is_not_taken_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("beacons");
        assert_eq!(open(&file), Some(Book::new()));
        let entry = |device: u8| Entry {
            device: DeviceId([device; 32]),
            network: NetworkId([3; 32]),
            epoch: EpochNumber(u64::MAX),
            time: TimeMs(u64::MAX),
            nonce: u64::MAX,
            frequency_hz: u32::MAX,
            rate: 5,
            power_dbm: -30,
            stage: Stage::Handed,
        };
        let book: Book = (0..=255)
            .map(|device| (DeviceId([device; 32]), entry(device)))
            .collect();
        keep(&file, &book).unwrap();
        assert!(std::fs::metadata(&file).unwrap().len() < BYTES_MAX);
        assert_eq!(open(&file), Some(book));
        std::fs::write(&file, b"nonsense").unwrap();
        assert_eq!(open(&file), None);
    }
}
