//! Reputations as the newest judged epochs have them, read once and kept: an epoch's inputs are megabytes where there are many devices, and
//! a page is about one. Bounded in number and bytes; what is not kept is read again.

use cairn_types::DeviceNumber;
use cairn_verifier::archive::Inputs;
use cairn_verticals::Vertical;
use cairn_verticals::kit::memory::Memory;
use cairn_verticals::kit::reputation::Record;
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard};

/// Networks at hand.
const KEPT_MAX: usize = 32;
/// Bytes of them, counted with what they grow to when they are read.
const BYTES_MAX: usize = 128 << 20;
/// What a byte of memory grows to, at most about.
const GROWTH: usize = 6;

/// What an epoch was judged with, as far as devices stand by it.
pub struct Judged {
    /// Without roster and memory.
    inputs: Inputs,
    /// In the order of device numbers.
    records: Vec<Record>,
}

impl Judged {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut inputs: Inputs = minicbor::decode(bytes).ok()?;
        inputs.roster = Vec::new();
        let memory = std::mem::take(&mut inputs.memory);
        let records = Memory::decode(&memory).ok()?.records;
        Some(Self { inputs, records })
    }

    /// How a device stands: by its own record alone, which is all that its standing is read from.
    pub fn standing(&self, vertical: &dyn Vertical, device: DeviceNumber) -> Option<Value> {
        let known = self.records.binary_search_by_key(&device, |record| record.number);
        let memory = Memory {
            records: known.ok().map(|at| self.records[at].clone()).into_iter().collect(),
            vertical: &[],
        };
        let memory = memory.encode();
        let mut epoch = cairn_verifier::assess::epoch(&self.inputs, &[]);
        epoch.memory = &memory;
        cairn_verifier::standing::standing(vertical, &epoch, device).ok()
    }
}

struct Kept {
    network: u64,
    epoch: u64,
    bytes: usize,
    judged: Arc<Judged>,
}

/// Those at hand, the last asked for at the end.
#[derive(Default)]
pub struct Standings(Mutex<Vec<Kept>>);

impl Standings {
    fn kept(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.0.lock().expect("no holder of the lock panics")
    }

    /// Those of an epoch; `load` gives its inputs where they are not at hand.
    pub fn of<E>(
        &self,
        network: u64,
        epoch: u64,
        load: impl FnOnce() -> Result<Option<Vec<u8>>, E>,
    ) -> Result<Option<Arc<Judged>>, E> {
        {
            let mut kept = self.kept();
            if let Some(at) = kept.iter().position(|one| (one.network, one.epoch) == (network, epoch)) {
                let one = kept.remove(at);
                let judged = one.judged.clone();
                kept.push(one);
                return Ok(Some(judged));
            }
        }
        let Some(bytes) = load()? else { return Ok(None) };
        let Some(judged) = Judged::read(&bytes).map(Arc::new) else {
            return Ok(None);
        };
        self.keep(Kept {
            network,
            epoch,
            bytes: bytes.len().saturating_mul(GROWTH),
            judged: judged.clone(),
        });
        Ok(Some(judged))
    }

    fn keep(&self, new: Kept) {
        if new.bytes > BYTES_MAX {
            return;
        }
        let mut kept = self.kept();
        // Of a network only one: older ones are asked for no more.
        kept.retain(|one| one.network != new.network);
        kept.push(new);
        while kept.len() > KEPT_MAX || kept.iter().map(|one| one.bytes).sum::<usize>() > BYTES_MAX {
            kept.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archives::tests::inputs;
    use cairn_types::codec;
    use cairn_verticals::kit::reputation::Reputation;
    use std::convert::Infallible;

    fn judged_with(bad: u32) -> Inputs {
        let record = Record {
            reputation: Reputation { good: 1_000, bad },
            ..Record::of(DeviceNumber(1))
        };
        let memory = Memory {
            records: vec![Record::of(DeviceNumber(0)), record, Record::of(DeviceNumber(7))],
            vertical: &[1, 2, 3],
        };
        Inputs {
            memory: memory.encode(),
            ..inputs(1)
        }
    }

    #[test]
    fn what_is_kept_says_what_the_whole_inputs_say() {
        let inputs = judged_with(3_000);
        let vertical = cairn_verticals::by_name("sensors").unwrap();
        let read = Judged::read(&codec::encode(&inputs)).unwrap();
        for device in [0, 1, 7, 9].map(DeviceNumber) {
            let epoch = cairn_verifier::assess::epoch(&inputs, &[]);
            let whole = cairn_verifier::standing::standing(vertical, &epoch, device).unwrap();
            assert_eq!(read.standing(vertical, device), Some(whole));
        }
    }

    #[test]
    fn an_epoch_is_read_once_and_gives_way_to_the_next_and_to_others() {
        let standings = Standings::default();
        let bytes = codec::encode(&judged_with(0));
        let mut read = Vec::new();
        let mut ask = |network, epoch| {
            let load = || {
                read.push((network, epoch));
                Ok::<_, Infallible>(Some(bytes.clone()))
            };
            assert!(standings.of(network, epoch, load).unwrap().is_some());
        };
        for (network, epoch) in [(1, 1), (1, 1), (1, 2), (1, 2), (1, 1)] {
            ask(network, epoch);
        }
        (2..=KEPT_MAX as u64 + 1).for_each(|network| ask(network, 1));
        ask(1, 1);
        assert_eq!(read[..3], [(1, 1), (1, 2), (1, 1)]);
        assert_eq!(*read.last().unwrap(), (1, 1), "the oldest gave way");
        assert_eq!(standings.kept().len(), KEPT_MAX);
        let one = |network, bytes| Kept {
            network,
            epoch: 1,
            bytes,
            judged: Arc::new(Judged::read(&codec::encode(&judged_with(0))).unwrap()),
        };
        standings.keep(one(100, BYTES_MAX + 1));
        assert!(
            standings.kept().iter().all(|kept| kept.network != 100),
            "too long alone"
        );
        standings.keep(one(101, BYTES_MAX));
        assert_eq!(standings.kept().len(), 1);
    }
}
