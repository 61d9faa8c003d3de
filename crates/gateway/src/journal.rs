//! Sales that are begun and not wound up, one small file each, on disk before anything is settled. A file is there or not, whole;
//! what became of the sale is asked of the ledger, never of the file.

use cairn_ledger::tx::settle_order::SettleOrder;
use cairn_types::{NetworkId, OrderId, TimeMs, codec};
use cairn_verifier::disk::Disk;
use cairn_verifier::meters::MeterEntry;
use minicbor::{CborLen, Decode, Encode};
use std::collections::BTreeSet;
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
    /// Of a stream: a better voucher may come until then, by the ledger's time.
    #[n(3)]
    pub due: Option<TimeMs>,
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
}

pub struct Journal {
    disk: Box<dyn Disk>,
    orders: BTreeSet<OrderId>,
    pending_max: usize,
}

impl Journal {
    /// Finds what an earlier life left. Refuses a damaged file rather than forget it.
    pub fn open(mut disk: Box<dyn Disk>, pending_max: usize) -> Result<Self, JournalError> {
        // What is found here is settled, so it must still be found after a power loss.
        disk.sync_names()?;
        let mut journal = Self {
            disk,
            orders: BTreeSet::new(),
            pending_max,
        };
        for name in journal.disk.list()? {
            let Some(order) = name.strip_suffix(ENDING) else {
                continue;
            };
            let order = order.parse().map_err(|_| JournalError::Damaged(name.clone()))?;
            journal.get(&order)?;
            journal.orders.insert(order);
        }
        Ok(journal)
    }

    /// Durable when it returns.
    pub fn put(&mut self, pending: &Pending) -> Result<(), JournalError> {
        let order = pending.order();
        if self.orders.len() >= self.pending_max && !self.orders.contains(&order) {
            return Err(JournalError::Full(self.orders.len()));
        }
        self.disk.replace(&name(&order), &codec::encode(pending))?;
        self.orders.insert(order);
        Ok(())
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
        if self.orders.contains(order) {
            self.disk.remove(&name(order))?;
            self.orders.remove(order);
        }
        Ok(())
    }

    pub fn orders(&self) -> Vec<OrderId> {
        self.orders.iter().copied().collect()
    }

    pub fn contains(&self, order: &OrderId) -> bool {
        self.orders.contains(order)
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
        }
    }

    #[test]
    fn what_was_put_is_found_after_a_power_cut_and_what_was_removed_is_not() {
        let disk = SimulatedDisk::new(1 << 20);
        let mut journal = Journal::open(Box::new(disk.clone()), 8).unwrap();
        journal.put(&pending(1)).unwrap();
        journal.put(&pending(2)).unwrap();
        journal.remove(&pending(1).order()).unwrap();
        disk.crash(|| false);
        let journal = Journal::open(Box::new(disk), 8).unwrap();
        assert_eq!(journal.orders(), [pending(2).order()]);
        assert_eq!(journal.get(&pending(2).order()).unwrap(), Some(pending(2)));
    }

    #[test]
    fn a_full_or_broken_disk_and_too_many_sales_are_refused() {
        let disk = SimulatedDisk::new(1 << 20);
        let mut journal = Journal::open(Box::new(disk.clone()), 1).unwrap();
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
            Journal::open(Box::new(disk), 8),
            Err(JournalError::Damaged(_))
        ));
    }
}
