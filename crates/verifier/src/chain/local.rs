//! A whole ledger in memory that makes a block when it is told to: for tests and for networks in one deterministic process. The
//! rules are the real ones; only consensus is left out.

use super::{
    AccountAt, Anchoring, Chain, ChainError, ChainFacts, ChainView, Closed, DeviceAt, NetworkAt, OrderAt, SettledOrder,
    Verifiers, records,
};
use crate::exchange::Choice;
use cairn_ledger::records::{ExchangeBook, Roots, Settlement};
use cairn_ledger::{Block, Event, Genesis, GenesisError, Ledger, MemoryStore, Reject, Signed, check, view};
use cairn_types::{AccountId, AccountNumber, DeviceId, EpochNumber, NetworkId, OrderId, PublicKey, TimeMs, hash};
use std::sync::{Arc, Mutex, MutexGuard};

/// A chain of one process. Clones are the same chain.
#[derive(Clone)]
pub struct LocalChain(Arc<Mutex<State>>);

struct State {
    ledger: Ledger,
    store: MemoryStore,
    block: Block,
    events: Vec<Event>,
    /// So many submissions are still heard; `None`: all.
    hears: Option<u32>,
    /// Nobody is answered.
    away: bool,
    /// Its blocks are made elsewhere.
    follows: bool,
    asked: u64,
}

impl LocalChain {
    /// Starts a chain with block 1 at a time.
    pub fn start(genesis: Genesis, time: TimeMs) -> Result<Self, GenesisError> {
        let mut state = State::new(genesis, time)?;
        state.begin(time);
        Ok(Self(Arc::new(Mutex::new(state))))
    }

    /// A chain that makes no block itself: others agree on them, and it takes each in turn. Before block 1 it has no records.
    pub fn following(genesis: Genesis) -> Result<Self, GenesisError> {
        let start = genesis.start;
        let mut state = State::new(genesis, start)?;
        state.follows = true;
        Ok(Self(Arc::new(Mutex::new(state))))
    }

    /// Takes a block that others agreed on, the next one; what it announced, or why the ledger does not take a transaction of it.
    pub fn take(&self, block: Block, transactions: &[Signed]) -> Result<Vec<Event>, Reject> {
        let mut state = self.state();
        let from = state.events.len();
        state.put(block);
        for signed in transactions {
            state.apply(signed)?;
        }
        Ok(state.events[from..].to_vec())
    }

    /// The newest block.
    pub fn block(&self) -> Block {
        self.state().block
    }

    /// Makes empty blocks at a time until nothing is due any more: epochs closed, beacons revealed.
    pub fn advance(&self, time: TimeMs) {
        let mut state = self.state();
        let target = state.ledger.genesis().clock().epoch_of(time).unwrap_or_default();
        let beacons = state.ledger.genesis().limits.beacon_blocks;
        loop {
            state.begin(time);
            let chain = view::chain(&mut state.store)
                .expect("memory has every record")
                .expect("block 1 wrote it");
            if chain.epoch >= target {
                break;
            }
        }
        for _ in 0..=beacons {
            state.begin(time);
        }
    }

    /// Lets so many transactions through, then none, as if the network went away; `None` lifts it.
    pub fn hear(&self, transactions: Option<u32>) {
        self.state().hears = transactions;
    }

    /// While away it goes on and answers no question, as if the network to it were gone.
    pub fn set_away(&self, away: bool) {
        self.state().away = away;
    }

    /// Questions so far, answered or not.
    pub fn asked(&self) -> u64 {
        self.state().asked
    }

    fn ask<T>(&self, ask: impl FnOnce(&mut State) -> Result<T, ChainError>) -> Result<T, ChainError> {
        let mut state = self.state();
        state.asked += 1;
        if state.away {
            return Err(ChainError::Unreachable("the chain is away".to_owned()));
        }
        ask(&mut state)
    }

    /// Reads the ledger's records.
    pub fn read<T>(&self, read: impl FnOnce(&mut MemoryStore) -> T) -> T {
        read(&mut self.state().store)
    }

    /// Everything announced so far.
    pub fn events(&self) -> Vec<Event> {
        self.state().events.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no holder of the lock panics")
    }
}

impl State {
    fn new(genesis: Genesis, time: TimeMs) -> Result<Self, GenesisError> {
        Ok(Self {
            ledger: Ledger::new(genesis)?,
            store: MemoryStore::default(),
            block: Block {
                height: 0,
                time,
                beacon: None,
            },
            events: Vec::new(),
            hears: None,
            away: false,
            follows: false,
            asked: 0,
        })
    }

    fn begin(&mut self, time: TimeMs) {
        let time = self.block.time.max(time);
        // Of the time, not of the height: how often somebody tried does not change what an epoch comes to.
        let beacon = hash::domain("cairn/local-beacon/1", &[&time.0.to_be_bytes()]);
        self.put(Block {
            height: self.block.height + 1,
            time,
            beacon: Some(beacon),
        });
    }

    fn put(&mut self, block: Block) {
        self.block = block;
        self.ledger
            .begin_block(&mut self.store, &self.block, &mut self.events)
            .expect("memory has every record");
    }

    fn apply(&mut self, signed: &Signed) -> Result<(), Reject> {
        let applied = self
            .ledger
            .apply(&mut self.store, &self.block, signed, &mut self.events)
            .expect("memory has every record");
        applied.map(drop)
    }
}

impl ChainView for LocalChain {
    fn facts(&self) -> Result<ChainFacts, ChainError> {
        self.ask(|state| Ok(records::facts(state.ledger.genesis())))
    }

    fn network(&self, network: &NetworkId, epoch: EpochNumber) -> Result<NetworkAt, ChainError> {
        self.ask(|state| records::network(&mut state.store, network, epoch))
    }

    fn closed(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Closed>, ChainError> {
        self.ask(|state| records::closed(&mut state.store, network, epoch))
    }

    fn settled_orders(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Vec<SettledOrder>, ChainError> {
        self.ask(|state| records::settled_orders(&mut state.store, network, epoch))
    }

    fn anchoring(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Anchoring, ChainError> {
        self.ask(|state| records::anchoring(&mut state.store, &state.ledger.genesis().limits, network, epoch))
    }

    fn settlement(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Settlement>, ChainError> {
        self.ask(|state| records::settlement(&mut state.store, network, epoch))
    }

    fn is_releasable(&self, network: &NetworkId, epoch: EpochNumber) -> Result<bool, ChainError> {
        self.ask(|state| records::is_releasable(&mut state.store, &state.ledger.genesis().limits, network, epoch))
    }

    fn is_stalled(&self, network: &NetworkId, epoch: EpochNumber) -> Result<bool, ChainError> {
        self.ask(|state| {
            let genesis = state.ledger.genesis();
            records::is_stalled(&mut state.store, &genesis.limits, genesis.epoch_ms, network, epoch)
        })
    }

    fn is_decided(&self, network: &NetworkId, epoch: EpochNumber) -> Result<bool, ChainError> {
        self.ask(|state| records::is_decided(&mut state.store, network, epoch))
    }

    fn without(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Vec<u32>, ChainError> {
        self.ask(|state| records::without(&mut state.store, network, epoch))
    }

    fn choices(&self, operators: &[AccountNumber], epoch: EpochNumber) -> Result<Vec<Choice>, ChainError> {
        self.ask(|state| records::choices(&mut state.store, operators, epoch))
    }

    fn exchange(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<ExchangeBook>, ChainError> {
        self.ask(|state| records::exchange(&mut state.store, network, epoch))
    }

    fn roots(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Roots>, ChainError> {
        self.ask(|state| records::roots(&mut state.store, network, epoch))
    }

    fn verifiers(&self) -> Result<Verifiers, ChainError> {
        self.ask(|state| records::verifiers(&mut state.store))
    }

    fn verifier_key(&self, verifier: &AccountId) -> Result<Option<PublicKey>, ChainError> {
        self.ask(|state| records::verifier_key(&mut state.store, verifier))
    }

    fn device(&self, device: &DeviceId) -> Result<Option<DeviceAt>, ChainError> {
        self.ask(|state| records::device(&mut state.store, device))
    }

    fn account(&self, account: &AccountId) -> Result<Option<AccountAt>, ChainError> {
        self.ask(|state| records::account(&mut state.store, account))
    }

    fn order(&self, order: &OrderId) -> Result<Option<OrderAt>, ChainError> {
        self.ask(|state| records::order(&mut state.store, order))
    }
}

impl Chain for LocalChain {
    fn submit(&self, transaction: &Signed) -> Result<(), ChainError> {
        let mut state = self.state();
        if let Some(left) = &mut state.hears {
            let less = left.checked_sub(1);
            *left = less.ok_or_else(|| ChainError::Unreachable("it does not hear".to_owned()))?;
        }
        if state.follows {
            return Err(ChainError::Unreachable("its blocks are made elsewhere".to_owned()));
        }
        let refused = |reject: Reject| ChainError::Refused {
            code: reject as u16,
            text: reject.to_string(),
        };
        let bytes = transaction.bytes();
        let checked = check(&[&bytes]).pop().expect("one for each");
        let signed = checked.map_err(refused)?;
        let time = state.block.time;
        state.begin(time);
        state.apply(&signed).map_err(refused)?;
        Ok(())
    }
}
