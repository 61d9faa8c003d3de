//! The ledger that all have in common, and a log of everything it was told, so that anybody can run it again from the beginning.
//! Judges nothing.

use super::plants::{self, Plant};
use cairn_ledger::tx::Signed;
use cairn_ledger::{Body, Event, Genesis, Key, MemoryStore, view};
use cairn_types::{AccountId, Attestation, Hash, TimeMs};
use cairn_verifier::chain::ChainError;
use cairn_verifier::chain::local::LocalChain;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// One thing that happened to the ledger.
enum Entry {
    Advanced(TimeMs),
    Told(Box<Signed>, bool),
}

/// The ledger. Clones are the same one.
#[derive(Clone)]
pub struct Ground {
    pub chain: LocalChain,
    genesis: Genesis,
    plant: Option<Plant>,
    log: Arc<Mutex<Vec<Entry>>>,
    /// While it halts no block is made: time stands, and nothing that is told gets in.
    halts: Arc<AtomicBool>,
    /// Results that were taken on the word of too little bond.
    minorities: Arc<Mutex<Vec<String>>>,
}

impl Ground {
    pub fn start(genesis: Genesis, plant: Option<Plant>) -> Self {
        let chain = LocalChain::start(genesis.clone(), genesis.start).expect("the genesis is sound");
        Self {
            chain,
            genesis,
            plant,
            log: Arc::default(),
            halts: Arc::default(),
            minorities: Arc::default(),
        }
    }

    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    pub fn halt(&self, halts: bool) {
        self.halts.store(halts, Ordering::Relaxed);
    }

    /// Time goes on, unless it halts.
    pub fn advance(&self, now: TimeMs) {
        if self.halts.load(Ordering::Relaxed) {
            return;
        }
        self.note(Entry::Advanced(now));
        self.chain.advance(now);
    }

    pub fn tell(&self, signed: &Signed) -> Result<(), ChainError> {
        if self.halts.load(Ordering::Relaxed) {
            return Err(ChainError::Unreachable("no block is made".to_owned()));
        }
        let told = plants::submit(self.plant, &self.chain, signed);
        if let (Ok(()), Body::SettleEpoch(settle)) = (&told, &signed.transaction.body) {
            self.weigh(&settle.attestation);
        }
        self.note(Entry::Told(Box::new(signed.clone()), told.is_ok()));
        told
    }

    /// Counts the bond behind a result that was just taken.
    fn weigh(&self, attestation: &Attestation) {
        let bonds = self.bonds();
        let signers = attestation.signatures.iter().filter_map(|(by, _)| bonds.get(by));
        let (signed, whole): (u64, u64) = (signers.sum(), bonds.values().sum());
        if 3 * signed <= 2 * whole {
            let what = format!("epoch {} was settled by {signed} of {whole}", attestation.result.epoch);
            self.minorities.lock().expect("no holder of the lock panics").push(what);
        }
    }

    /// What each verifier has at stake for a quorum.
    pub fn bonds(&self) -> BTreeMap<AccountId, u64> {
        let verifiers = self
            .chain
            .read(|store| view::verifiers(store).expect("memory has every record"));
        verifiers
            .into_iter()
            .map(|(id, verifier)| (id, verifier.bond.0))
            .collect()
    }

    /// Results that were taken on the word of too little bond.
    pub fn minorities(&self) -> Vec<String> {
        self.minorities.lock().expect("no holder of the lock panics").clone()
    }

    pub fn events(&self) -> Vec<Event> {
        self.chain.events()
    }

    /// A hash of every record.
    pub fn digest(&self) -> Hash {
        self.chain.read(|store| store.digest())
    }

    /// What does not hold of the records.
    pub fn violations(&self) -> Vec<String> {
        let found = self
            .chain
            .read(|store| cairn_ledger::invariants::check(store, &self.genesis));
        found.into_iter().map(|violation| violation.to_string()).collect()
    }

    /// How many transactions it took, and how many it refused.
    pub fn told(&self) -> (u64, u64) {
        let log = self.log.lock().expect("no holder of the lock panics");
        let count = |taken: bool| {
            let some = log
                .iter()
                .filter(move |entry| matches!(entry, Entry::Told(_, was) if *was == taken));
            some.count() as u64
        };
        (count(true), count(false))
    }

    /// Runs everything again on a ledger of its own; what differs.
    pub fn run_again(&self) -> Vec<String> {
        let again = Self::start(self.genesis.clone(), self.plant);
        let mut broken = Vec::new();
        for (at, entry) in self
            .log
            .lock()
            .expect("no holder of the lock panics")
            .iter()
            .enumerate()
        {
            match entry {
                Entry::Advanced(now) => again.chain.advance(*now),
                Entry::Told(signed, was_taken) => {
                    let taken = plants::submit(again.plant, &again.chain, signed).is_ok();
                    if taken != *was_taken {
                        broken.push(format!("entry {at} of the log was answered otherwise the second time"));
                    }
                }
            }
        }
        let first = |store: &mut MemoryStore| -> Vec<(Key, Vec<u8>)> {
            store.iter().map(|(key, value)| (*key, value.to_vec())).collect()
        };
        if broken.is_empty() && self.digest() != again.digest() {
            let (ours, theirs) = (self.chain.read(first), again.chain.read(first));
            let at = ours.iter().zip(&theirs).position(|(one, other)| one != other);
            let key = at.and_then(|at| ours.get(at)).map(|(key, _)| *key);
            broken.push(format!("the records differ the second time, first at {key:?}"));
        }
        broken
    }

    fn note(&self, entry: Entry) {
        self.log.lock().expect("no holder of the lock panics").push(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::scene::{self, Scene};
    use crate::simulate::speakers::Speakers;
    use crate::time_of;

    #[test]
    fn a_ledger_that_halts_takes_nothing_and_makes_no_block() {
        let scene = Scene::of(1);
        let ground = Ground::start(scene.genesis(), None);
        let opening = scene::opening(&Speakers::of(&scene).devices);
        ground.tell(&opening[0]).unwrap();
        let before = ground.digest();

        ground.halt(true);
        ground.advance(time_of(20));
        let told = ground.tell(&opening[1]);
        assert!(matches!(told, Err(ChainError::Unreachable(_))), "{told:?}");
        assert_eq!(ground.digest(), before);

        ground.halt(false);
        ground.advance(time_of(20));
        ground.tell(&opening[1]).unwrap();
        assert_ne!(ground.digest(), before);
        assert!(ground.run_again().is_empty());
    }
}
