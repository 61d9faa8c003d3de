//! What was bought through an API key: pure. One more answer makes one more voucher, cumulative, whose meters say what each device is
//! owed for all of them; the last answers are remembered, so that what was paid is delivered again and not paid again.

use crate::limits::LATELY_MAX;
use crate::quote;
use crate::scan::Tally;
use cairn_types::{Credit, DeviceNumber, Hash};
use cairn_verifier::meters::{self, ENTRIES_MAX, MeterEntry};
use minicbor::{CborLen, Decode, Encode};
use std::collections::BTreeMap;

/// Answers paid through one key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Bought {
    /// All of them.
    #[n(0)]
    pub queries: u64,
    /// The last ones, oldest first.
    #[n(1)]
    pub lately: Vec<Paid>,
}

/// One answer that was paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Paid {
    /// Of the query, cut to what was available.
    #[n(0)]
    pub query: Hash,
    #[n(1)]
    pub rows: u64,
    #[n(2)]
    pub price: Credit,
    /// Root of what each device was owed for it.
    #[n(3)]
    pub meters: Hash,
}

impl Bought {
    /// The same answer, paid lately: the same query that found the same rows of the same devices. Its price is that of then.
    pub fn again(&self, query: &Hash, tally: &Tally) -> Option<&Paid> {
        let is_same = |paid: &&Paid| {
            let bill = || quote::bill(paid.price, &tally.devices);
            paid.query == *query
                && paid.rows == tally.rows
                && bill().is_some_and(|bill| meters::root(&bill) == paid.meters)
        };
        self.lately.iter().rev().find(is_same)
    }

    /// Remembers one more, and forgets the oldest beyond the limit.
    pub fn note(&mut self, paid: Paid) {
        self.queries = self.queries.saturating_add(1);
        self.lately.push(paid);
        let over = self.lately.len().saturating_sub(LATELY_MAX);
        self.lately.drain(..over);
    }
}

/// What devices are owed with one more bill; devices that are owed nothing are left out. `None` when that is more devices than one
/// settlement may name, or more credits than there are.
pub fn owed(before: &[MeterEntry], bill: &[MeterEntry]) -> Option<Vec<MeterEntry>> {
    let mut owed: BTreeMap<DeviceNumber, Credit> = BTreeMap::new();
    for entry in before.iter().chain(bill).filter(|entry| entry.credits > Credit::ZERO) {
        let sum = owed.entry(entry.device).or_insert(Credit::ZERO);
        *sum = sum.checked_add(entry.credits)?;
    }
    let entry = |(device, credits)| MeterEntry { device, credits };
    (owed.len() <= ENTRIES_MAX).then(|| owed.into_iter().map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(device: u32, credits: u64) -> MeterEntry {
        MeterEntry {
            device: DeviceNumber(device),
            credits: Credit(credits),
        }
    }

    fn tally(rows: &[(u32, u64)]) -> Tally {
        Tally {
            rows: rows.iter().map(|(_, rows)| rows).sum(),
            devices: rows
                .iter()
                .map(|(device, rows)| (DeviceNumber(*device), *rows))
                .collect(),
            ..Tally::default()
        }
    }

    fn paid(query: u8, price: u64, tally: &Tally) -> Paid {
        Paid {
            query: Hash([query; 32]),
            rows: tally.rows,
            price: Credit(price),
            meters: meters::root(&quote::bill(Credit(price), &tally.devices).unwrap()),
        }
    }

    #[test]
    fn what_devices_are_owed_adds_up_and_stays_sorted() {
        let first = owed(&[], &[entry(2, 5), entry(4, 0), entry(9, 1)]).unwrap();
        assert_eq!(first, [entry(2, 5), entry(9, 1)]);
        let second = owed(&first, &[entry(1, 1), entry(9, 2)]).unwrap();
        assert_eq!(second, [entry(1, 1), entry(2, 5), entry(9, 3)]);
        assert_eq!(owed(&[entry(1, u64::MAX)], &[entry(1, 1)]), None);
        let many: Vec<MeterEntry> = (0..ENTRIES_MAX as u32).map(|device| entry(device, 1)).collect();
        assert!(owed(&many, &[entry(0, 1)]).is_some());
        assert_eq!(owed(&many, &[entry(u32::MAX, 1)]), None);
    }

    #[test]
    fn the_same_answer_is_known_by_query_rows_and_devices_whatever_the_price_is_now() {
        let (one, other, more) = (
            tally(&[(1, 3), (2, 3)]),
            tally(&[(1, 2), (2, 4)]),
            tally(&[(1, 3), (2, 4)]),
        );
        let mut bought = Bought::default();
        bought.note(paid(7, 6, &one));
        assert_eq!(bought.again(&Hash([7; 32]), &one), Some(&paid(7, 6, &one)));
        assert_eq!(bought.again(&Hash([8; 32]), &one), None);
        assert_eq!(bought.again(&Hash([7; 32]), &other), None);
        assert_eq!(bought.again(&Hash([7; 32]), &more), None);
    }

    #[test]
    fn so_many_answers_are_remembered_and_all_are_counted() {
        let (one, mut bought) = (tally(&[(1, 3)]), Bought::default());
        let hash = |at: u64| Hash(std::array::from_fn(|byte| (at >> (8 * (byte % 8))) as u8));
        let all = LATELY_MAX as u64 + 2;
        for at in 0..all {
            let query = hash(at);
            bought.note(Paid {
                query,
                ..paid(0, 3, &one)
            });
        }
        assert_eq!((bought.queries, bought.lately.len()), (all, LATELY_MAX));
        assert_eq!(bought.again(&hash(1), &one), None);
        assert!(bought.again(&hash(2), &one).is_some() && bought.again(&hash(all - 1), &one).is_some());
    }
}
