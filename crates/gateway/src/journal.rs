//! Sales that are begun and not wound up, one small file each, on disk before anything is settled. A file is there or not, whole;
//! what became of the sale is asked of the ledger, never of the file. Of an API key it has the last voucher and what was bought, never
//! the key.

use crate::purse::Bought;
use cairn_ledger::tx::settle_order::SettleOrder;
use cairn_types::{NetworkId, OrderId, TimeMs, codec};
use cairn_verifier::disk::Disk;
use cairn_verifier::meters::MeterEntry;
use minicbor::{CborLen, Decode, Encode};
use std::collections::BTreeMap;
use std::io;
use thiserror::Error;

const ENDING: &str = ".sale";

/// A sale to be finished, whatever happens.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Pending {
    #[n(0)]
    pub network: NetworkId,
    #[n(1)]
    pub settle: SettleOrder,
    #[n(2)]
    pub entries: Vec<MeterEntry>,
    /// Of a stream and of an API key: a better voucher may come until then, by the ledger's time.
    #[n(3)]
    pub due: Option<TimeMs>,
    /// Of an API key. Left out of the file where there is none, so that files of before are read.
    #[n(4)]
    pub bought: Option<Bought>,
}

impl Pending {
    pub fn order(&self) -> OrderId {
        self.settle.voucher.order
    }
}

#[derive(Debug, Error)]
pub enum JournalError {
    #[error("the journal cannot be read or written: {0}")]
    Disk(#[from] io::Error),
    #[error(
        "{0} in the journal's folder is damaged; operators are owed for it: restore it from a copy, or move it away"
    )]
    Damaged(String),
    #[error("{0} sales wait to be wound up, more than may")]
    Full(usize),
    #[error("{0} API keys are in use, more than may")]
    KeysFull(usize),
}

/// How many may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Sales that wait to be wound up, streams among them.
    pub pending_max: usize,
    /// API keys through which something was bought: each waits until it is closed or its time ends, and keeps no sale from being made.
    pub keys_max: usize,
}

/// What is in a file, as far as it is asked for often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub network: NetworkId,
    pub due: Option<TimeMs>,
    pub of_key: bool,
}

impl From<&Pending> for Waiting {
    fn from(pending: &Pending) -> Self {
        Self {
            network: pending.network,
            due: pending.due,
            of_key: pending.bought.is_some(),
        }
    }
}

impl Waiting {
    pub fn is_due(&self, now: TimeMs) -> bool {
        self.due.is_none_or(|due| due <= now)
    }
}

pub struct Journal {
    disk: Box<dyn Disk>,
    orders: BTreeMap<OrderId, Waiting>,
    keys: usize,
    room: Room,
}

impl Journal {
    /// Finds what an earlier life left. Refuses a damaged file rather than forget it.
    pub fn open(mut disk: Box<dyn Disk>, room: Room) -> Result<Self, JournalError> {
        // What is found here is settled, so it must still be found after a power loss.
        disk.sync_names()?;
        let mut journal = Self {
            disk,
            orders: BTreeMap::new(),
            keys: 0,
            room,
        };
        for name in journal.disk.list()? {
            let Some(order) = name.strip_suffix(ENDING) else {
                continue;
            };
            let order = order.parse().map_err(|_| JournalError::Damaged(name.clone()))?;
            let found = journal.get(&order)?;
            found.iter().for_each(|pending| journal.note(pending));
        }
        Ok(journal)
    }

    /// Durable when it returns.
    pub fn put(&mut self, pending: &Pending) -> Result<(), JournalError> {
        let order = pending.order();
        if !self.orders.contains_key(&order) {
            let (keys, others) = (self.keys, self.orders.len() - self.keys);
            match pending.bought {
                Some(_) if keys >= self.room.keys_max => return Err(JournalError::KeysFull(keys)),
                None if others >= self.room.pending_max => return Err(JournalError::Full(others)),
                _ => {}
            }
        }
        self.disk.replace(&name(&order), &codec::encode(pending))?;
        self.note(pending);
        Ok(())
    }

    fn note(&mut self, pending: &Pending) {
        let before = self.orders.insert(pending.order(), pending.into());
        self.keys += usize::from(pending.bought.is_some());
        self.keys -= usize::from(before.is_some_and(|before| before.of_key));
    }

    pub fn get(&self, order: &OrderId) -> Result<Option<Pending>, JournalError> {
        let Some(bytes) = self.disk.read_all(&name(order))? else {
            return Ok(None);
        };
        let pending: Option<Pending> = codec::decode_canonical(&bytes).ok();
        let whole = pending.filter(|pending| pending.order() == *order);
        whole.map(Some).ok_or_else(|| JournalError::Damaged(name(order)))
    }

    /// Forgets a sale that is wound up, or was never paid.
    pub fn remove(&mut self, order: &OrderId) -> Result<(), JournalError> {
        if let Some(known) = self.orders.get(order).copied() {
            self.disk.remove(&name(order))?;
            self.orders.remove(order);
            self.keys -= usize::from(known.of_key);
        }
        Ok(())
    }

    pub fn orders(&self) -> impl Iterator<Item = (&OrderId, &Waiting)> {
        self.orders.iter()
    }

    pub fn contains(&self, order: &OrderId) -> bool {
        self.orders.contains_key(order)
    }

    /// All but API keys whose time has not come.
    pub fn pending(&self, now: TimeMs) -> usize {
        let waits = |waiting: &&Waiting| !waiting.of_key || waiting.is_due(now);
        self.orders.values().filter(waits).count()
    }

    /// API keys through which something was bought.
    pub fn keys(&self) -> usize {
        self.keys
    }

    pub fn len(&self) -> usize {
        self.orders.len()
    }

    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
    }
}

fn name(order: &OrderId) -> String {
    format!("{order}{ENDING}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_ledger::tx::settle_order::Voucher;
    use cairn_types::{Credit, DeviceNumber, Hash, SecretKey};
    use cairn_verifier::disk::SimulatedDisk;

    const ROOM: Room = Room {
        pending_max: 8,
        keys_max: 8,
    };

    fn orders(journal: &Journal) -> Vec<OrderId> {
        journal.orders().map(|(order, _)| *order).collect()
    }

    fn of_key(order: u8) -> Pending {
        Pending {
            due: Some(TimeMs(5)),
            bought: Some(Bought::default()),
            ..pending(order)
        }
    }

    fn pending(order: u8) -> Pending {
        let voucher = Voucher {
            order: OrderId([order; 32]),
            credits: Credit(5),
            meters: Hash([1; 32]),
        };
        Pending {
            network: NetworkId([9; 32]),
            settle: voucher.sign(&"one".parse().unwrap(), &SecretKey::ed25519([1; 32])),
            entries: vec![MeterEntry {
                device: DeviceNumber(1),
                credits: Credit(5),
            }],
            due: None,
            bought: None,
        }
    }

    #[test]
    fn what_was_put_is_found_after_a_power_cut_and_what_was_removed_is_not() {
        let disk = SimulatedDisk::new(1 << 20);
        let mut journal = Journal::open(Box::new(disk.clone()), ROOM).unwrap();
        for pending in [pending(1), pending(2), of_key(3), of_key(4)] {
            journal.put(&pending).unwrap();
        }
        journal.remove(&pending(1).order()).unwrap();
        journal.remove(&of_key(4).order()).unwrap();
        disk.crash(|| false);
        let journal = Journal::open(Box::new(disk), ROOM).unwrap();
        assert_eq!(orders(&journal), [pending(2).order(), of_key(3).order()]);
        assert_eq!(journal.get(&pending(2).order()).unwrap(), Some(pending(2)));
        assert_eq!(journal.get(&of_key(3).order()).unwrap(), Some(of_key(3)));
        assert_eq!(journal.keys(), 1);
        assert_eq!((journal.pending(TimeMs(4)), journal.pending(TimeMs(5))), (1, 2));
    }

    /// As files were before there were API keys.
    #[derive(Encode)]
    #[cbor(array)]
    struct Before {
        #[n(0)]
        network: NetworkId,
        #[n(1)]
        settle: SettleOrder,
        #[n(2)]
        entries: Vec<MeterEntry>,
        #[n(3)]
        due: Option<TimeMs>,
    }

    #[test]
    fn files_of_before_there_were_api_keys_are_read_and_have_the_same_bytes() {
        for due in [None, Some(TimeMs(7))] {
            let now = Pending { due, ..pending(1) };
            let Pending { network, settle, .. } = now;
            let entries = now.entries.clone();
            let before = Before {
                network,
                settle,
                entries,
                due,
            };
            let bytes = minicbor::to_vec(before).unwrap();
            assert_eq!(codec::encode(&now), bytes);
            let disk = SimulatedDisk::new(1 << 20);
            disk.tamper(&name(&now.order()), bytes);
            let journal = Journal::open(Box::new(disk), ROOM).unwrap();
            assert_eq!(journal.get(&now.order()).unwrap(), Some(now));
        }
    }

    #[test]
    fn keys_in_use_keep_no_sale_from_being_made_and_sales_no_key() {
        let room = Room {
            pending_max: 1,
            keys_max: 1,
        };
        let mut journal = Journal::open(Box::new(SimulatedDisk::new(1 << 20)), room).unwrap();
        journal.put(&of_key(1)).unwrap();
        journal.put(&of_key(1)).unwrap();
        assert!(matches!(journal.put(&of_key(2)), Err(JournalError::KeysFull(1))));
        journal.put(&pending(3)).unwrap();
        assert!(matches!(journal.put(&pending(4)), Err(JournalError::Full(1))));
        journal.remove(&of_key(1).order()).unwrap();
        journal.put(&of_key(2)).unwrap();
    }

    #[test]
    fn a_full_or_broken_disk_and_too_many_sales_are_refused() {
        let disk = SimulatedDisk::new(1 << 20);
        let room = Room { pending_max: 1, ..ROOM };
        let mut journal = Journal::open(Box::new(disk.clone()), room).unwrap();
        journal.put(&pending(1)).unwrap();
        journal.put(&pending(1)).unwrap();
        assert!(matches!(journal.put(&pending(2)), Err(JournalError::Full(1))));
        disk.set_space(0);
        journal.remove(&pending(1).order()).unwrap();
        assert!(matches!(journal.put(&pending(2)), Err(JournalError::Disk(_))));
        assert!(journal.is_empty());
    }

    #[test]
    fn a_damaged_file_is_named_and_never_forgotten() {
        let disk = SimulatedDisk::new(1 << 20);
        disk.tamper(&name(&OrderId([3; 32])), vec![1, 2, 3]);
        assert!(matches!(
            Journal::open(Box::new(disk), ROOM),
            Err(JournalError::Damaged(_))
        ));
    }
}
