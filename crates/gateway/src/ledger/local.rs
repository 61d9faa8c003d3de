//! The verifier's in-memory chain as a gateway's ledger, for networks in one process.

use super::{Facts, Head, Ledger, LedgerError, NetworkNow};
use cairn_ledger::records::{Account, Order, Settlement};
use cairn_ledger::tx::Signed;
use cairn_ledger::{Missing, view};
use cairn_types::{AccountId, EpochNumber, NetworkId, OrderId};
use cairn_verifier::chain::local::LocalChain;
use cairn_verifier::chain::{Chain, ChainError, ChainView};

impl From<ChainError> for LedgerError {
    fn from(error: ChainError) -> Self {
        match error {
            ChainError::Refused { code, text } => Self::Refused { code, text },
            other => Self::Unreachable(other.to_string()),
        }
    }
}

fn unreachable(missing: Missing) -> LedgerError {
    LedgerError::Unreachable(format!("a record is not at hand: {missing:?}"))
}

impl Ledger for LocalChain {
    fn facts(&self) -> Result<Facts, LedgerError> {
        let facts = ChainView::facts(self)?;
        Ok(Facts {
            chain: facts.chain,
            clock: facts.clock,
        })
    }

    fn head(&self) -> Result<Head, LedgerError> {
        Head::of(self.read(|store| view::chain(store)).map_err(unreachable)?)
    }

    fn network(&self, id: &NetworkId) -> Result<Option<NetworkNow>, LedgerError> {
        self.read(|store| NetworkNow::read(store, id)).map_err(unreachable)
    }

    fn settlement(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Settlement>, LedgerError> {
        self.read(|store| view::settlement(store, network, epoch))
            .map_err(unreachable)
    }

    fn account(&self, account: &AccountId) -> Result<Option<Account>, LedgerError> {
        self.read(|store| view::account(store, account)).map_err(unreachable)
    }

    fn order(&self, order: &OrderId) -> Result<Option<Order>, LedgerError> {
        self.read(|store| view::order(store, order)).map_err(unreachable)
    }

    fn submit(&self, transaction: &Signed) -> Result<(), LedgerError> {
        Ok(Chain::submit(self, transaction)?)
    }
}
