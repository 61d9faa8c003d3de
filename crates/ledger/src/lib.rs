//! The ledger of Cairn: a pure state machine. It knows accounts, networks, devices, roots, orders and money, and is blind to what
//! networks measure: their parameters are bytes to it. No I/O, no clock, no randomness, no floats; the same blocks give the same
//! records on every machine.
//!
//! ```text
//!  bytes ─▶ check ─▶ Signed ─▶ apply ─▶ records + events        begin_block ─▶ genesis · beacons · price rounds · epochs closed
//!           (no state)          └─ Reject: nothing changed                      └─ both may stop at Missing: load, call again
//! ```
//! Modules stand in the order in which a transaction meets them.

pub mod account;
pub mod genesis;

pub mod tx;

pub mod reject;

pub mod store;
pub mod tables;

pub mod records;

pub mod protocol;

mod context;
mod epoch;

pub mod economics;

pub mod event;

pub mod view;

pub mod succession;

pub mod invariants;

#[cfg(any(test, feature = "fixture"))]
pub mod fixture;

pub use context::Block;
pub use event::Event;
pub use genesis::{Genesis, GenesisError};
pub use reject::Reject;
pub use store::{Key, MemoryStore, Missing, Store};
pub use tx::{Body, Signed, Transaction, check, reads};

use cairn_types::{Hash, Token};
use context::{Context, Stop};
use economics::Schedule;

/// The rules of one chain: its genesis, checked. Holds no state; every call gets the records.
#[derive(Clone, Debug)]
pub struct Ledger {
    genesis: Genesis,
    schedule: Schedule,
    digest: Hash,
}

/// What an accepted transaction came to, besides its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub fee: Token,
}

impl Ledger {
    /// Refuses a genesis no chain can begin with.
    pub fn new(genesis: Genesis) -> Result<Self, GenesisError> {
        genesis.check()?;
        let schedule = Schedule::new(genesis.schedule.clone())?;
        let digest = genesis.digest();
        Ok(Self {
            genesis,
            schedule,
            digest,
        })
    }

    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// Names everything that fixes the chain's start.
    pub fn digest(&self) -> Hash {
        self.digest
    }

    /// What a block does before its transactions: block 1 writes genesis, later ones reveal beacons, close the round of prices and
    /// the epochs that are over. O(networks) for each epoch closed, and a bounded number of those.
    pub fn begin_block(&self, store: &mut dyn Store, block: &Block, events: &mut Vec<Event>) -> Result<(), Missing> {
        let mut context = Context::new(&self.genesis, block, store);
        match epoch::begin(self.digest, &self.schedule, &mut context) {
            Ok(()) => {
                context.commit(events);
                Ok(())
            }
            Err(Stop::Missing(missing)) => Err(missing),
            Err(Stop::Reject(reject)) => {
                panic!("a block's beginning moves only what the cap and the issuers bound: {reject}")
            }
        }
    }

    /// One transaction that passed [`check`]. Refused or stopped, it changes nothing.
    pub fn apply(
        &self,
        store: &mut dyn Store,
        block: &Block,
        signed: &Signed,
        events: &mut Vec<Event>,
    ) -> Result<Result<Outcome, Reject>, Missing> {
        let mut context = Context::new(&self.genesis, block, store);
        let done = tx::authorize(signed, &mut context).and_then(|fee| tx::run(signed, &mut context).map(|()| fee));
        match done {
            Ok(fee) => {
                context.commit(events);
                Ok(Ok(Outcome { fee }))
            }
            Err(Stop::Missing(missing)) => Err(missing),
            Err(Stop::Reject(reject)) => Ok(Err(reject)),
        }
    }
}
