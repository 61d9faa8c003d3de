//! A verifier on the real clock, for every network of the ledger that this program can judge: those that are there, and those that
//! come. The chain may be in this process or behind a node's address.

use super::chain::NodeChain;
use crate::error::{Done, Failure, Kind, OrFail};
use cairn_ledger::store::Missing;
use cairn_ledger::view;
use cairn_types::{NetworkId, NetworkNumber, Price, SecretKey};
use cairn_verifier::ArchivePlace;
use cairn_verifier::chain::{ChainError, ChainView};
use cairn_verifier::clock::SystemClock;
use cairn_verifier::price::{FixedPrice, PriceFeed};
use cairn_verifier::submit::Submitter;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often the ledger is looked at for networks that are new.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often a verifier looks for something to do, at most.
const PACE_MAX: Duration = Duration::from_secs(5);
/// How long after its end an epoch takes reports, at most.
const GRACE_MS_MAX: u64 = 5 * 60 * 1_000;

/// What a verifier is told.
pub struct Settings {
    pub chain: Arc<NodeChain>,
    /// Of the account, which submits.
    pub account: SecretKey,
    /// Signs receipts and results.
    pub key: SecretKey,
    /// The folder of its log.
    pub data: PathBuf,
    pub archive: ArchivePlace,
    pub listen: SocketAddr,
    /// What it says a token is worth; nothing, when it has no word on it.
    pub price: Option<Price>,
}

/// A verifier that runs, and which networks it judges.
pub struct Service {
    settings: Settings,
    epoch_ms: u64,
    handle: Option<cairn_verifier::Handle>,
    networks: Vec<NetworkId>,
}

/// Starts it for the networks there are; returns once it takes reports.
pub async fn start(mut settings: Settings) -> Result<Service, Failure> {
    let facts = ask(&settings.chain, |chain| chain.facts()).await?;
    let networks = networks(&settings.chain).await?;
    let handle = open(&settings, facts.clock.epoch_ms, &networks).await?;
    // Whoever learned its address finds it there when it starts again.
    let address = handle.url().trim_start_matches("http://").parse();
    settings.listen = address.or_fail(Kind::Internal, "the verifier's address")?;
    Ok(Service {
        settings,
        epoch_ms: facts.clock.epoch_ms,
        handle: Some(handle),
        networks,
    })
}

async fn open(settings: &Settings, epoch_ms: u64, networks: &[NetworkId]) -> Result<cairn_verifier::Handle, Failure> {
    let mut log_seed = [0; 32];
    getrandom::fill(&mut log_seed).or_fail(Kind::Internal, "the system gives no randomness")?;
    let submitter = Submitter::single(settings.account.clone());
    let data = settings.data.clone();
    let mut config = cairn_verifier::Config::new(data, settings.key.clone(), submitter, networks.to_vec(), log_seed);
    config.listen = settings.listen;
    config.archive = settings.archive.clone();
    config.windows.grace_ms = (epoch_ms / 2).min(GRACE_MS_MAX);
    config.pace = Some(Duration::from_millis(epoch_ms / 20).min(PACE_MAX));
    let feed = settings
        .price
        .map(|price| Arc::new(FixedPrice(price)) as Arc<dyn PriceFeed>);
    cairn_verifier::start(config, settings.chain.clone(), Arc::new(SystemClock), feed)
        .await
        .or_fail(Kind::Files, "the verifier does not start")
}

impl Service {
    pub fn url(&self) -> String {
        format!("http://{}", self.settings.listen)
    }

    pub fn networks(&self) -> &[NetworkId] {
        &self.networks
    }

    /// Begins to judge networks that are new. The verifier starts again for them: its senders keep what it has not taken.
    pub async fn take_in(&mut self) -> Done {
        let networks = networks(&self.settings.chain).await?;
        if networks == self.networks {
            return Ok(());
        }
        self.stop().await?;
        self.handle = Some(open(&self.settings, self.epoch_ms, &networks).await?);
        self.networks = networks;
        Ok(())
    }

    pub async fn stop(&mut self) -> Done {
        match self.handle.take() {
            Some(handle) => handle.shutdown().await.or_fail(Kind::Internal, "the verifier"),
            None => Ok(()),
        }
    }
}

/// The networks of the ledger that this program can judge, by number.
pub async fn networks(chain: &Arc<NodeChain>) -> Result<Vec<NetworkId>, Failure> {
    ask(chain, |chain| {
        chain.look(|store| {
            let count = view::chain(store).map_err(missing)?.map_or(0, |chain| chain.networks);
            let mut networks = Vec::new();
            for number in 0..count {
                // Asked for all before one is missed, so that they are read together.
                if let Ok(found) = view::network_by_number(store, NetworkNumber(number)) {
                    let judged = found.filter(|(_, network)| cairn_verticals::by_name(&network.vertical).is_some());
                    networks.extend(judged.map(|(id, _)| id));
                }
            }
            Ok(networks)
        })
    })
    .await
}

fn missing(missing: Missing) -> ChainError {
    ChainError::Unreachable(format!("a record is not at hand: {missing:?}"))
}

/// Asks the chain from a thread that may wait.
async fn ask<T: Send + 'static>(
    chain: &Arc<NodeChain>,
    question: impl FnOnce(&NodeChain) -> Result<T, ChainError> + Send + 'static,
) -> Result<T, Failure> {
    let chain = chain.clone();
    let answer = tokio::task::spawn_blocking(move || question(&chain)).await;
    let answer = answer.or_fail(Kind::Internal, "a question to the chain")?;
    answer.map_err(|error| {
        Failure::new(Kind::Unreachable, error)
            .hint("see that the node runs: `cairn config show` says which one is asked")
    })
}
