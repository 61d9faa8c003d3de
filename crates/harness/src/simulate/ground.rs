//! The ledger that all have in common: one list of transactions, or what four validators agree on. And a log of everything it was
//! told, so that anybody can run it again from the beginning. Judges nothing.

use super::consensus::{Agreed, Consensus, Trouble, bonds, minority};
use super::plants::{self, Plant};
use super::scene::Scene;
use crate::properties::Broken;
use cairn_ledger::tx::Signed;
use cairn_ledger::{Body, Event, Genesis, Key, MemoryStore};
use cairn_types::{AccountId, Hash, TimeMs};
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
    /// Everybody reads it; where validators agree on it, whatever any honest one was told.
    pub chain: LocalChain,
    validators: Option<Arc<Consensus>>,
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
        Self::of(chain, genesis, plant)
    }

    /// A ledger on which four validators agree.
    pub fn agreed(scene: &Scene) -> Self {
        let genesis = scene.genesis();
        let validators = Consensus::start(scene, &genesis);
        Self {
            validators: Some(validators.clone()),
            ..Self::of(validators.onlooker.chain.clone(), genesis, None)
        }
    }

    fn of(chain: LocalChain, genesis: Genesis, plant: Option<Plant>) -> Self {
        Self {
            chain,
            validators: None,
            genesis,
            plant,
            log: Arc::default(),
            halts: Arc::default(),
            minorities: Arc::default(),
        }
    }

    pub fn validators(&self) -> Option<&Consensus> {
        self.validators.as_deref()
    }

    /// What founds the town.
    pub fn found(&self, opening: Vec<Signed>) {
        match &self.validators {
            Some(validators) => validators.found(opening),
            None => opening.iter().for_each(|signed| {
                self.tell(signed).expect("the town is founded by what the rules allow");
            }),
        }
    }

    /// The chain as a verifier's node shows it.
    pub fn chain_of(&self, house: usize) -> LocalChain {
        let of = |validators: &Arc<Consensus>| validators.chain_of(house);
        self.validators.as_ref().map_or_else(|| self.chain.clone(), of)
    }

    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    pub fn halt(&self, halts: bool) {
        self.halts.store(halts, Ordering::Relaxed);
    }

    /// Time goes on, unless it halts. What goes wrong among validators from this step on.
    pub fn advance(&self, step: u64, now: TimeMs) -> Vec<Trouble> {
        let halts = self.halts.load(Ordering::Relaxed);
        if let Some(validators) = &self.validators {
            return validators.step(step, now, halts);
        }
        if !halts {
            self.note(Entry::Advanced(now));
            self.chain.advance(now);
        }
        Vec::new()
    }

    pub fn tell(&self, signed: &Signed) -> Result<(), ChainError> {
        self.tell_of(None, signed)
    }

    /// A verifier tells it through its node, or somebody else through any.
    pub fn tell_of(&self, house: Option<usize>, signed: &Signed) -> Result<(), ChainError> {
        let told = match &self.validators {
            Some(validators) => validators.tell(house, signed),
            None if self.halts.load(Ordering::Relaxed) => {
                return Err(ChainError::Unreachable("no block is made".to_owned()));
            }
            None => {
                let told = plants::submit(self.plant, &self.chain, signed);
                if let (Ok(()), Body::SettleEpoch(settle)) = (&told, &signed.transaction.body) {
                    let what = minority(&self.bonds(), &settle.attestation);
                    self.minorities
                        .lock()
                        .expect("no holder of the lock panics")
                        .extend(what);
                }
                told
            }
        };
        self.note(Entry::Told(Box::new(signed.clone()), told.is_ok()));
        told
    }

    /// What each verifier has at stake for a quorum.
    pub fn bonds(&self) -> BTreeMap<AccountId, u64> {
        bonds(&self.chain)
    }

    /// Results that were taken on the word of too little bond.
    pub fn minorities(&self) -> Vec<String> {
        let of = |validators: &Arc<Consensus>| validators.onlooker.minorities();
        let minorities = || self.minorities.lock().expect("no holder of the lock panics").clone();
        self.validators.as_ref().map_or_else(minorities, of)
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

    /// When all is over: what validators came to, and what does not hold of them.
    pub fn end(&self) -> Option<(Agreed, Vec<Broken>)> {
        self.validators.as_ref().map(|validators| validators.end())
    }

    /// Runs everything again on a ledger of its own; what differs. Validators' blocks are run again at their end.
    pub fn run_again(&self) -> Vec<String> {
        if self.validators.is_some() {
            return Vec::new();
        }
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
        ground.advance(20, time_of(20));
        let told = ground.tell(&opening[1]);
        assert!(matches!(told, Err(ChainError::Unreachable(_))), "{told:?}");
        assert_eq!(ground.digest(), before);

        ground.halt(false);
        ground.advance(20, time_of(20));
        ground.tell(&opening[1]).unwrap();
        assert_ne!(ground.digest(), before);
        assert!(ground.run_again().is_empty());
    }
}
