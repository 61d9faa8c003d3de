//! The gateway in this process, asking the node in this process.

use super::chain::NodeChain;
use crate::error::{Failure, Kind, OrFail};
use cairn_gateway::ledger::{Facts, Head, Ledger, LedgerError, NetworkNow};
use cairn_gateway::meters::HttpMeters;
use cairn_gateway::treasurer::Identity;
use cairn_ledger::records::{Account, Order, Settlement};
use cairn_ledger::tx::Signed;
use cairn_ledger::{Missing, Store, view};
use cairn_types::{AccountId, EpochNumber, NetworkId, OrderId, SecretKey, Token};
use cairn_verifier::chain::{Chain, ChainError, ChainView};
use cairn_verifier::disk::Folder;
use cairn_verifier::objects::Objects;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// The most a fee of the gateway may be, in base units.
const FEE_MAX: Token = Token(1_000_000);

/// Starts a gateway that sells what `verifier` archived in `objects`.
pub async fn start(
    folder: PathBuf,
    key: &SecretKey,
    chain: Arc<NodeChain>,
    objects: Arc<dyn Objects>,
    verifier: &str,
    listen: SocketAddr,
) -> Result<cairn_gateway::Handle, Failure> {
    let identity = Identity::single(key.clone(), FEE_MAX);
    let mut settings = cairn_gateway::Settings::local(identity);
    settings.listen = listen;
    let meters = HttpMeters::new(vec![verifier.to_owned()], tokio::runtime::Handle::current());
    let journal = Folder::open(&folder).or_fail(Kind::Files, folder.display())?;
    cairn_gateway::start(settings, chain, objects, Arc::new(meters), Box::new(journal))
        .await
        .or_fail(Kind::Files, "the gateway does not start")
}

impl NodeChain {
    /// The answer to a gateway's question.
    fn ask<T>(&self, mut look: impl FnMut(&mut dyn Store) -> Result<T, Missing>) -> Result<T, LedgerError> {
        let found = self.look(|store| look(store).map_err(|missing| ChainError::Unreachable(format!("{missing:?}"))));
        found.map_err(LedgerError::from)
    }
}

impl Ledger for NodeChain {
    fn facts(&self) -> Result<Facts, LedgerError> {
        let facts = ChainView::facts(self)?;
        Ok(Facts {
            chain: facts.chain,
            clock: facts.clock,
        })
    }

    fn head(&self) -> Result<Head, LedgerError> {
        Head::of(self.ask(|store| view::chain(store))?)
    }

    fn network(&self, id: &NetworkId) -> Result<Option<NetworkNow>, LedgerError> {
        self.ask(|store| NetworkNow::read(store, id))
    }

    fn settlement(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Settlement>, LedgerError> {
        self.ask(|store| view::settlement(store, network, epoch))
    }

    fn account(&self, account: &AccountId) -> Result<Option<Account>, LedgerError> {
        self.ask(|store| view::account(store, account))
    }

    fn order(&self, order: &OrderId) -> Result<Option<Order>, LedgerError> {
        self.ask(|store| view::order(store, order))
    }

    fn submit(&self, transaction: &Signed) -> Result<(), LedgerError> {
        Chain::submit(self, transaction).map_err(LedgerError::from)
    }
}
