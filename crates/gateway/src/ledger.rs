//! What a gateway asks of the ledger, and the one thing it tells it: transactions. Blocking, so that a simulation answers at once
//! and a shell waits in threads of its own. Its time is the only time a gateway knows.

mod local;

use cairn_ledger::records::{Account, Network, Order, Settlement};
use cairn_ledger::tx::Signed;
use cairn_types::{AccountId, ChainId, EpochClock, EpochNumber, NetworkId, OrderId, TimeMs};
use thiserror::Error;

/// Why the ledger did not answer as hoped.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LedgerError {
    /// Also when nobody knows whether a transaction got through.
    #[error("the ledger cannot be reached: {0}")]
    Unreachable(String),
    /// The number and sentence of its refusal; it changed nothing.
    #[error("the ledger refuses ({code}): {text}")]
    Refused { code: u16, text: String },
}

/// What never changes about a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    pub chain: ChainId,
    pub clock: EpochClock,
}

/// Where the ledger is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    pub time: TimeMs,
    /// The open epoch.
    pub epoch: EpochNumber,
}

/// A network and the parameters in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkNow {
    pub network: Network,
    pub parameters: Vec<u8>,
}

pub trait Ledger: Send + Sync {
    fn facts(&self) -> Result<Facts, LedgerError>;

    fn head(&self) -> Result<Head, LedgerError>;

    fn network(&self, network: &NetworkId) -> Result<Option<NetworkNow>, LedgerError>;

    /// What verifiers attested of an epoch; `None` before that, or when it expired.
    fn settlement(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Settlement>, LedgerError>;

    fn account(&self, account: &AccountId) -> Result<Option<Account>, LedgerError>;

    fn order(&self, order: &OrderId) -> Result<Option<Order>, LedgerError>;

    /// Sends a transaction and waits until it is final.
    fn submit(&self, transaction: &Signed) -> Result<(), LedgerError>;
}
