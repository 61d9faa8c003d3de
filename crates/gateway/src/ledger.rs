//! What a gateway asks of the ledger, and the one thing it tells it: transactions. Blocking, so that a simulation answers at once
//! and a shell waits in threads of its own. Its time is the only time a gateway knows.

mod local;

use cairn_ledger::records::{Account, Chain, Network, Order, Settlement};
use cairn_ledger::tx::Signed;
use cairn_ledger::{Missing, Store, view};
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
    /// How long the chain was up: orders end by it.
    pub uptime_ms: u64,
    /// The open epoch.
    pub epoch: EpochNumber,
}

impl Head {
    /// Of a chain's record, once there is one.
    pub fn of(chain: Option<Chain>) -> Result<Self, LedgerError> {
        let chain = chain.ok_or_else(|| LedgerError::Unreachable("it has no block yet".to_owned()))?;
        Ok(Self {
            time: chain.time,
            uptime_ms: chain.uptime_ms,
            epoch: chain.epoch,
        })
    }
}

/// A network and the parameters in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkNow {
    pub network: Network,
    pub parameters: Vec<u8>,
}

impl NetworkNow {
    /// From a ledger's records.
    pub fn read(store: &mut dyn Store, id: &NetworkId) -> Result<Option<Self>, Missing> {
        let (network, terms) = (view::network(store, id)?, view::terms(store, id)?);
        let Some((network, terms)) = network.zip(terms) else {
            return Ok(None);
        };
        let parameters = view::parameters(store, id, terms.current.version)?;
        Ok(Some(Self { network, parameters }))
    }
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
