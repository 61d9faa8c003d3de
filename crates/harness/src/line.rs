//! The way to the ledger, which can go dead: for a while, or after so many transactions, the last of which got through or not
//! without anybody hearing of it. Transactions can also arrive late or twice. Changes nothing of what passes.

use cairn_gateway::ledger::{Facts, Head, Ledger, LedgerError, NetworkNow};
use cairn_ledger::records::{Account, ExchangeBook, Order, Roots, Settlement};
use cairn_ledger::tx::Signed;
use cairn_types::{AccountId, AccountNumber, DeviceId, EpochNumber, NetworkId, OrderId, PublicKey};
use cairn_verifier::chain::local::LocalChain;
use cairn_verifier::chain::{
    AccountAt, Anchoring, Chain, ChainError, ChainFacts, ChainView, Closed, DeviceAt, NetworkAt, OrderAt, SettledOrder,
    Verifiers,
};
use cairn_verifier::exchange::Choice;
use std::sync::{Arc, Mutex, MutexGuard};

/// What became of the effect at which a line was cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It never happened.
    Before,
    /// It happened, and nobody heard of it.
    After,
}

/// What hands a transaction to the ledger; a simulation puts itself between.
pub type Tell = Arc<dyn Fn(&LocalChain, &Signed) -> Result<(), ChainError> + Send + Sync>;

#[derive(Debug, Default)]
struct State {
    away: bool,
    /// Transactions are kept here until they are let through; meanwhile nobody hears what became of them.
    late: bool,
    kept: Vec<Signed>,
    /// Every transaction arrives twice.
    twice: bool,
    /// So many effects still pass, then one ends so, then the line is dead.
    cut: Option<(u32, End)>,
    dead: bool,
}

/// One party's line. Clones are the same line.
#[derive(Clone)]
pub struct Line {
    chain: LocalChain,
    tell: Tell,
    state: Arc<Mutex<State>>,
}

impl Line {
    pub fn to(chain: &LocalChain) -> Self {
        Self::through(chain, Arc::new(Chain::submit))
    }

    /// A line whose transactions take another way.
    pub fn through(chain: &LocalChain, tell: Tell) -> Self {
        Self {
            chain: chain.clone(),
            tell,
            state: Arc::default(),
        }
    }

    /// While late, transactions are under way and nobody hears what becomes of them.
    pub fn set_late(&self, late: bool) {
        self.state().late = late;
    }

    pub fn set_twice(&self, twice: bool) {
        self.state().twice = twice;
    }

    /// Those under way arrive, in the order given by `order` over how many there are.
    pub fn arrive(&self, mut order: impl FnMut(usize) -> usize) {
        let mut kept = std::mem::take(&mut self.state().kept);
        while !kept.is_empty() {
            let signed = kept.remove(order(kept.len()).min(kept.len() - 1));
            // Whoever sent it has given up waiting, and looks at what came of it.
            let _ = (self.tell)(&self.chain, &signed);
        }
    }

    /// While away, nothing is answered.
    pub fn set_away(&self, away: bool) {
        self.state().away = away;
    }

    pub fn cut(&self, after: u32, end: End) {
        self.state().cut = Some((after, end));
    }

    /// Whether a cut has come true.
    pub fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// Forgets the cut, come true or not.
    pub fn mend(&self) {
        let mut state = self.state();
        (state.cut, state.dead) = (None, false);
    }

    fn answers(&self) -> bool {
        let state = self.state();
        !(state.away || state.dead)
    }

    /// Does something that can be cut off; `None`: nobody heard of it.
    pub fn effect<T>(&self, act: impl FnOnce() -> T) -> Option<T> {
        if !self.answers() {
            return None;
        }
        let end = {
            let mut state = self.state();
            match state.cut.take() {
                Some((0, end)) => {
                    state.dead = true;
                    Some(end)
                }
                Some((left, end)) => {
                    state.cut = Some((left - 1, end));
                    None
                }
                None => None,
            }
        };
        match end {
            None => Some(act()),
            Some(End::Before) => None,
            Some(End::After) => {
                act();
                None
            }
        }
    }

    fn ask<T>(&self, ask: impl FnOnce(&LocalChain) -> Result<T, ChainError>) -> Result<T, ChainError> {
        if self.answers() { ask(&self.chain) } else { Err(gone()) }
    }

    fn ask_ledger<T>(&self, ask: impl FnOnce(&LocalChain) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        if self.answers() {
            ask(&self.chain)
        } else {
            Err(gone().into())
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock panics")
    }
}

fn gone() -> ChainError {
    ChainError::Unreachable("the line is dead".to_owned())
}

impl ChainView for Line {
    fn facts(&self) -> Result<ChainFacts, ChainError> {
        self.ask(ChainView::facts)
    }

    fn network(&self, network: &NetworkId, epoch: EpochNumber) -> Result<NetworkAt, ChainError> {
        self.ask(|chain| ChainView::network(chain, network, epoch))
    }

    fn closed(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Closed>, ChainError> {
        self.ask(|chain| chain.closed(network, epoch))
    }

    fn settled_orders(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Vec<SettledOrder>, ChainError> {
        self.ask(|chain| chain.settled_orders(network, epoch))
    }

    fn anchoring(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Anchoring, ChainError> {
        self.ask(|chain| chain.anchoring(network, epoch))
    }

    fn settlement(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Settlement>, ChainError> {
        self.ask(|chain| ChainView::settlement(chain, network, epoch))
    }

    fn is_releasable(&self, network: &NetworkId, epoch: EpochNumber) -> Result<bool, ChainError> {
        self.ask(|chain| chain.is_releasable(network, epoch))
    }

    fn is_stalled(&self, network: &NetworkId, epoch: EpochNumber) -> Result<bool, ChainError> {
        self.ask(|chain| chain.is_stalled(network, epoch))
    }

    fn is_decided(&self, network: &NetworkId, epoch: EpochNumber) -> Result<bool, ChainError> {
        self.ask(|chain| chain.is_decided(network, epoch))
    }

    fn without(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Vec<u32>, ChainError> {
        self.ask(|chain| chain.without(network, epoch))
    }

    fn choices(&self, operators: &[AccountNumber], epoch: EpochNumber) -> Result<Vec<Choice>, ChainError> {
        self.ask(|chain| chain.choices(operators, epoch))
    }

    fn exchange(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<ExchangeBook>, ChainError> {
        self.ask(|chain| chain.exchange(network, epoch))
    }

    fn roots(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Roots>, ChainError> {
        self.ask(|chain| chain.roots(network, epoch))
    }

    fn verifiers(&self) -> Result<Verifiers, ChainError> {
        self.ask(ChainView::verifiers)
    }

    fn verifier_key(&self, verifier: &AccountId) -> Result<Option<PublicKey>, ChainError> {
        self.ask(|chain| chain.verifier_key(verifier))
    }

    fn device(&self, device: &DeviceId) -> Result<Option<DeviceAt>, ChainError> {
        self.ask(|chain| chain.device(device))
    }

    fn account(&self, account: &AccountId) -> Result<Option<AccountAt>, ChainError> {
        self.ask(|chain| ChainView::account(chain, account))
    }

    fn order(&self, order: &OrderId) -> Result<Option<OrderAt>, ChainError> {
        self.ask(|chain| ChainView::order(chain, order))
    }
}

impl Chain for Line {
    fn submit(&self, transaction: &Signed) -> Result<(), ChainError> {
        let (late, twice) = {
            let state = self.state();
            (state.late, state.twice)
        };
        let heard = self.effect(|| {
            if late {
                self.state().kept.push(transaction.clone());
                return Err(gone());
            }
            let told = (self.tell)(&self.chain, transaction);
            if twice {
                // The first answer is the one that is heard.
                let _ = (self.tell)(&self.chain, transaction);
            }
            told
        });
        heard.unwrap_or_else(|| Err(gone()))
    }
}

impl Ledger for Line {
    fn facts(&self) -> Result<Facts, LedgerError> {
        self.ask_ledger(Ledger::facts)
    }

    fn head(&self) -> Result<Head, LedgerError> {
        self.ask_ledger(LocalChain::head)
    }

    fn network(&self, network: &NetworkId) -> Result<Option<NetworkNow>, LedgerError> {
        self.ask_ledger(|chain| Ledger::network(chain, network))
    }

    fn settlement(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Settlement>, LedgerError> {
        self.ask_ledger(|chain| Ledger::settlement(chain, network, epoch))
    }

    fn account(&self, account: &AccountId) -> Result<Option<Account>, LedgerError> {
        self.ask_ledger(|chain| Ledger::account(chain, account))
    }

    fn order(&self, order: &OrderId) -> Result<Option<Order>, LedgerError> {
        self.ask_ledger(|chain| Ledger::order(chain, order))
    }

    fn submit(&self, transaction: &Signed) -> Result<(), LedgerError> {
        Ok(Chain::submit(self, transaction)?)
    }
}
