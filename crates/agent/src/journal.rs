//! What an owner may want to look at later: receipts (proof against a verifier that loses a report) and refused envelopes
//! with their reasons. Bounded: each kind has two files, and when both are full the older one goes.

use crate::disk::Disk;
use cairn_types::{DeviceId, Receipt, ReportId, TimeMs, codec};
use minicbor::{Decode, Encode};
use std::collections::VecDeque;
use std::io;

/// Refusals that are shown.
const SHOWN_MAX: usize = 200;
/// Bytes of one item at most: an envelope and its reason.
const ITEM_BYTES_MAX: usize = 20 * 1024;

/// An envelope that will never be taken, and why.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Refused {
    #[n(0)]
    pub at: TimeMs,
    #[n(1)]
    pub device: DeviceId,
    #[n(2)]
    pub report: ReportId,
    /// The verifier's code, or 0 when it could not even read the envelope.
    #[n(3)]
    pub code: u16,
    #[n(4)]
    pub text: String,
    #[cbor(n(5), with = "minicbor::bytes")]
    pub envelope: Vec<u8>,
}

/// A pair of files of one kind.
struct Pair {
    kind: &'static str,
    number: u64,
    bytes: u64,
    bytes_max: u64,
}

pub struct Journal {
    disk: Box<dyn Disk>,
    receipts: Pair,
    refused: Pair,
    shown: VecDeque<Refused>,
}

impl Pair {
    fn name(&self, number: u64) -> String {
        format!("{}-{number:016x}", self.kind)
    }

    fn open(kind: &'static str, bytes_max: u64, disk: &dyn Disk) -> io::Result<Self> {
        let mut pair = Self {
            kind,
            number: 1,
            bytes: 0,
            bytes_max,
        };
        let is_ours = |name: &str| name.strip_prefix(kind)?.strip_prefix('-').map(str::to_owned);
        if let Some(last) = disk.list()?.iter().filter_map(|name| is_ours(name)).next_back() {
            pair.number = u64::from_str_radix(&last, 16).unwrap_or(1);
            pair.bytes = disk.length(&pair.name(pair.number)).unwrap_or(0);
        }
        Ok(pair)
    }

    fn append(&mut self, disk: &mut dyn Disk, bytes: &[u8]) -> io::Result<()> {
        if self.bytes >= self.bytes_max / 2 {
            self.number += 1;
            self.bytes = 0;
            match disk.remove(&self.name(self.number.saturating_sub(2))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if let Err(error) = disk.append(&self.name(self.number), bytes) {
            // Half an item would make the rest of the file unreadable; a file that was never made needs no cut.
            match disk.truncate(&self.name(self.number), self.bytes) {
                Err(cut) if cut.kind() != io::ErrorKind::NotFound => self.bytes = self.bytes_max,
                _ => {}
            }
            return Err(error);
        }
        self.bytes += bytes.len() as u64;
        Ok(())
    }
}

impl Journal {
    /// Opens the journal; an item that a crash left half is cut off.
    pub fn open(mut disk: Box<dyn Disk>, receipts_bytes_max: u64, refused_bytes_max: u64) -> io::Result<Self> {
        let receipts = Pair::open("receipts", receipts_bytes_max, disk.as_ref())?;
        let mut refused = Pair::open("refused", refused_bytes_max, disk.as_ref())?;
        let mut shown = VecDeque::new();
        for number in refused.number.saturating_sub(1)..=refused.number {
            let name = refused.name(number);
            let Ok(length) = disk.length(&name) else { continue };
            let whole = read_items(disk.as_mut(), &name, |item: Refused| show(&mut shown, item))?;
            if whole < length && number == refused.number {
                disk.truncate(&name, whole)?;
                refused.bytes = whole;
            }
        }
        let name = receipts.name(receipts.number);
        let mut journal = Self {
            disk,
            receipts,
            refused,
            shown,
        };
        if journal.receipts.bytes > 0 {
            let whole = read_items(journal.disk.as_mut(), &name, |_: Receipt| {})?;
            if whole < journal.receipts.bytes {
                journal.disk.truncate(&name, whole)?;
                journal.receipts.bytes = whole;
            }
        }
        Ok(journal)
    }

    /// Keeps refused envelopes. Returns once they are on disk.
    pub fn refuse(&mut self, items: Vec<Refused>) -> io::Result<()> {
        if items.is_empty() {
            return Ok(());
        }
        for item in items {
            self.refused.append(self.disk.as_mut(), &codec::encode(&item))?;
            show(&mut self.shown, item);
        }
        let name = self.refused.name(self.refused.number);
        self.disk.sync(&name)
    }

    /// Keeps receipts, as well as it can: the report is with the verifier whether or not this disk is full.
    pub fn receipts<'a>(&mut self, receipts: impl Iterator<Item = &'a Receipt>) -> io::Result<()> {
        let bytes: Vec<u8> = receipts.flat_map(codec::encode).collect();
        if bytes.is_empty() || self.receipts.bytes_max == 0 {
            return Ok(());
        }
        self.receipts.append(self.disk.as_mut(), &bytes)
    }

    /// The latest refusals, oldest first.
    pub fn shown(&self) -> impl ExactSizeIterator<Item = &Refused> {
        self.shown.iter()
    }
}

fn show(shown: &mut VecDeque<Refused>, item: Refused) {
    if shown.len() == SHOWN_MAX {
        shown.pop_front();
    }
    shown.push_back(item);
}

/// Reads whole items from the start of a file; says where they end.
fn read_items<T: for<'b> Decode<'b, ()>>(disk: &mut dyn Disk, name: &str, mut each: impl FnMut(T)) -> io::Result<u64> {
    let mut place = 0;
    loop {
        let bytes = disk.read(name, place, 64 * ITEM_BYTES_MAX)?;
        let mut decoder = minicbor::Decoder::new(&bytes);
        let mut whole = 0;
        while whole < bytes.len()
            && let Ok(item) = decoder.decode()
        {
            whole = decoder.position();
            each(item);
        }
        if whole == 0 {
            return Ok(place);
        }
        place += whole as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::MemoryDisk;

    fn refused(code: u16) -> Refused {
        Refused {
            at: TimeMs(7),
            device: DeviceId([1; 32]),
            report: ReportId([2; 32]),
            code,
            text: "a reason".into(),
            envelope: vec![3; 200],
        }
    }

    fn codes(journal: &Journal) -> Vec<u16> {
        journal.shown().map(|item| item.code).collect()
    }

    #[test]
    fn refusals_outlive_a_crash_and_old_ones_make_room() {
        let disk = MemoryDisk::default();
        let mut journal = Journal::open(Box::new(disk.clone()), 0, 2_000).unwrap();
        for code in 0..20 {
            journal.refuse(vec![refused(code)]).unwrap();
        }
        let again = Journal::open(Box::new(disk.after_crash(0)), 0, 2_000).unwrap();
        let codes = codes(&again);
        assert_eq!(codes.last(), Some(&19));
        assert!((4..=10).contains(&codes.len()), "{codes:?}");
    }

    #[test]
    fn half_an_item_is_cut_off_and_writing_goes_on() {
        let mut disk = MemoryDisk::default();
        let mut journal = Journal::open(Box::new(disk.clone()), 0, 1 << 20).unwrap();
        journal.refuse(vec![refused(1)]).unwrap();
        let name = disk.list().unwrap()[0].clone();
        disk.append(&name, &codec::encode(&refused(2))[..50]).unwrap();
        let mut journal = Journal::open(Box::new(disk.clone()), 0, 1 << 20).unwrap();
        assert_eq!(codes(&journal), [1]);
        disk.limit(Some(30));
        assert!(journal.refuse(vec![refused(3)]).is_err());
        disk.limit(None);
        journal.refuse(vec![refused(4)]).unwrap();
        assert_eq!(codes(&Journal::open(Box::new(disk), 0, 1 << 20).unwrap()), [1, 4]);
    }
}
