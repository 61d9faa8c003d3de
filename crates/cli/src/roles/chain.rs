//! The chain as verifiers, gateways and auditors ask for it, answered from the records of a node: one in this process, or any over
//! HTTP. Blocking: used from threads of their own, never from a task.
//!
//! Records are read in portions, so a roster may be of any length. Portions may come from different heights; what a verifier asks
//! of a closed epoch no longer changes. From a node that shows less than it showed before, as one does that lost its chain and begins
//! anew, nothing is taken: half an answer of before and half of after would be one that no ledger ever gave.

use crate::error::{Failure, Kind};
use crate::home::{AnchorText, Home};
use crate::session::other_chain;
use cairn_client::{Anchor, ClientError, NodeClient};
use cairn_ledger::records::{ExchangeBook, Roots, Settlement};
use cairn_ledger::store::{Key, Missing, Store};
use cairn_ledger::tables::Table;
use cairn_ledger::tx::Signed;
use cairn_ledger::{Genesis, Reject};
use cairn_node::{NodeHandle, OutcomeError, SubmitError, unpad};
use cairn_types::{AccountId, AccountNumber, DeviceId, EpochNumber, NetworkId, OrderId, PublicKey};
use cairn_verifier::chain::{
    AccountAt, Anchoring, Chain, ChainError, ChainFacts, ChainView, Closed, DeviceAt, NetworkAt, OrderAt, SettledOrder,
    Verifiers, records,
};
use cairn_verifier::exchange::Choice;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::runtime::Handle;

/// Keys of one reading.
const KEYS_MAX: usize = 512;
/// Records of one question at most: a roster of half a million.
const RECORDS_MAX: usize = 1 << 20;
/// Times a question may find that it needs more.
const ROUNDS_MAX: usize = 64;

/// The height at which records are so, and their values in the order of the keys asked for.
pub type Shown = (u64, Vec<Option<Vec<u8>>>);

/// A node, wherever it is.
pub trait Node: Send + Sync {
    /// Reads records.
    fn read(&self, keys: &[Key]) -> Result<Shown, ChainError>;

    /// Hands a transaction in and waits until it is final.
    fn submit(&self, transaction: &Signed) -> Result<(), ChainError>;
}

/// The chain of a node.
#[derive(Clone)]
pub struct NodeChain {
    node: Arc<dyn Node>,
    facts: ChainFacts,
    /// The highest block the node has shown.
    newest: Arc<AtomicU64>,
}

impl NodeChain {
    pub fn new(node: Arc<dyn Node>, genesis: &Genesis) -> Self {
        Self {
            node,
            facts: records::facts(genesis),
            newest: Arc::default(),
        }
    }

    fn read(&self, keys: &[Key]) -> Result<Vec<Option<Vec<u8>>>, ChainError> {
        let (height, values) = self.node.read(keys)?;
        let newest = self.newest.fetch_max(height, Ordering::Relaxed);
        if height < newest {
            let text = format!("the node shows block {height} and showed {newest} before: it catches up");
            return Err(ChainError::Unreachable(text));
        }
        Ok(values)
    }

    /// What a getter of the ledger finds.
    pub fn look<T>(&self, mut look: impl FnMut(&mut dyn Store) -> Result<T, ChainError>) -> Result<T, ChainError> {
        let mut found = Found::default();
        for _ in 0..ROUNDS_MAX {
            let answer = look(&mut found);
            if found.missed.is_empty() {
                return answer;
            }
            let missed: Vec<Key> = std::mem::take(&mut found.missed).into_iter().collect();
            if found.records.len() + missed.len() > RECORDS_MAX {
                break;
            }
            for keys in missed.chunks(KEYS_MAX) {
                let values = self.read(keys)?;
                found.records.extend(keys.iter().copied().zip(values));
            }
        }
        Err(ChainError::Unreachable(
            "the question needs too many records".to_owned(),
        ))
    }
}

impl ChainView for NodeChain {
    fn facts(&self) -> Result<ChainFacts, ChainError> {
        Ok(self.facts.clone())
    }

    fn network(&self, network: &NetworkId, epoch: EpochNumber) -> Result<NetworkAt, ChainError> {
        self.look(|store| records::network(store, network, epoch))
    }

    fn closed(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Closed>, ChainError> {
        self.look(|store| records::closed(store, network, epoch))
    }

    fn settled_orders(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Vec<SettledOrder>, ChainError> {
        self.look(|store| records::settled_orders(store, network, epoch))
    }

    fn anchoring(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Anchoring, ChainError> {
        self.look(|store| records::anchoring(store, &self.facts.limits, network, epoch))
    }

    fn settlement(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Settlement>, ChainError> {
        self.look(|store| records::settlement(store, network, epoch))
    }

    fn is_releasable(&self, network: &NetworkId, epoch: EpochNumber) -> Result<bool, ChainError> {
        self.look(|store| records::is_releasable(store, &self.facts.limits, network, epoch))
    }

    fn is_stalled(&self, network: &NetworkId, epoch: EpochNumber) -> Result<bool, ChainError> {
        let (limits, epoch_ms) = (&self.facts.limits, self.facts.clock.epoch_ms);
        self.look(|store| records::is_stalled(store, limits, epoch_ms, network, epoch))
    }

    fn is_decided(&self, network: &NetworkId, epoch: EpochNumber) -> Result<bool, ChainError> {
        self.look(|store| records::is_decided(store, network, epoch))
    }

    fn without(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Vec<u32>, ChainError> {
        self.look(|store| records::without(store, network, epoch))
    }

    fn choices(&self, operators: &[AccountNumber], epoch: EpochNumber) -> Result<Vec<Choice>, ChainError> {
        self.look(|store| records::choices(store, operators, epoch))
    }

    fn exchange(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<ExchangeBook>, ChainError> {
        self.look(|store| records::exchange(store, network, epoch))
    }

    fn roots(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Roots>, ChainError> {
        self.look(|store| records::roots(store, network, epoch))
    }

    fn verifiers(&self) -> Result<Verifiers, ChainError> {
        self.look(records::verifiers)
    }

    fn verifier_key(&self, verifier: &AccountId) -> Result<Option<PublicKey>, ChainError> {
        self.look(|store| records::verifier_key(store, verifier))
    }

    fn device(&self, device: &DeviceId) -> Result<Option<DeviceAt>, ChainError> {
        self.look(|store| records::device(store, device))
    }

    fn account(&self, account: &AccountId) -> Result<Option<AccountAt>, ChainError> {
        self.look(|store| records::account(store, account))
    }

    fn order(&self, order: &OrderId) -> Result<Option<OrderAt>, ChainError> {
        self.look(|store| records::order(store, order))
    }
}

impl Chain for NodeChain {
    fn submit(&self, transaction: &Signed) -> Result<(), ChainError> {
        self.node.submit(transaction)
    }
}

/// The node in this process.
pub struct LocalNode {
    pub node: Arc<NodeHandle>,
    pub runtime: Handle,
}

impl Node for LocalNode {
    fn read(&self, keys: &[Key]) -> Result<Shown, ChainError> {
        let read = self.node.chain().read(keys.iter().map(|key| key.0).collect());
        let read = self.runtime.block_on(read).map_err(unreachable)?;
        let values = read
            .values
            .iter()
            .map(|value| value.as_ref().and_then(unpad).map(<[u8]>::to_vec))
            .collect();
        Ok((read.header.height, values))
    }

    fn submit(&self, transaction: &Signed) -> Result<(), ChainError> {
        let outcome = self.runtime.block_on(self.node.submit_and_wait(transaction.bytes()));
        outcome.map(drop).map_err(|error| match error {
            OutcomeError::Refused(reject) | OutcomeError::Submit(SubmitError::Refused(reject)) => ChainError::Refused {
                code: reject.code(),
                text: reject.sentence().to_owned(),
            },
            OutcomeError::Submit(error @ SubmitError::TooLong { .. }) => ChainError::Refused {
                code: Reject::TooLong.code(),
                text: error.to_string(),
            },
            other => unreachable(other),
        })
    }
}

/// Any node, over HTTP.
pub struct RemoteNode {
    pub client: NodeClient,
    pub runtime: Handle,
}

/// Where an auditor looks.
pub struct Origin {
    pub node: String,
    /// Where the archive is, unless told otherwise.
    pub verifier: String,
    /// The chain that is trusted; without it the node is believed this once in what it says of its own key.
    anchor: Option<Anchor>,
}

impl Origin {
    /// The node that is named, with the verifier beside it; or those of the home's settings, held against the chain trusted there.
    pub fn of(home: &Path, named: Option<&str>) -> Result<Self, Failure> {
        let settings = Home::at(home).settings()?;
        match named {
            Some(node) if node.trim_end_matches('/') != settings.node() => Ok(Self {
                node: node.to_owned(),
                verifier: super::beside(node, 1)?,
                anchor: None,
            }),
            _ => Ok(Self {
                node: settings.node().to_owned(),
                verifier: settings.verifier()?,
                anchor: settings.anchor.as_ref().map(AnchorText::anchor).transpose()?,
            }),
        }
    }
}

impl RemoteNode {
    /// The chain of a node: everything proven is held against the trusted key, or the one that the node says it has.
    pub async fn chain(origin: &Origin) -> Result<(NodeChain, NodeClient), Failure> {
        let anchor = match &origin.anchor {
            Some(anchor) => anchor.clone(),
            None => {
                let told = NodeClient::new(&origin.node).map_err(failed)?;
                told.status().await.map_err(failed)?.anchor_as_told().map_err(failed)?
            }
        };
        let client = NodeClient::trusting(&origin.node, anchor).map_err(failed)?;
        let (client, _) = client.followed().await.map_err(other_chain)?;
        let genesis = client.genesis().await.map_err(other_chain)?;
        let node = Self {
            client: client.clone(),
            runtime: Handle::current(),
        };
        Ok((NodeChain::new(Arc::new(node), &genesis), client))
    }
}

/// A client's error as a failed command.
pub fn failed(error: ClientError) -> Failure {
    match error.reject() {
        Some(reject) => super::wallet::refused(reject),
        None => {
            let hint = error.hint().to_owned();
            Failure::new(Kind::Unreachable, error).hint(hint)
        }
    }
}

impl Node for RemoteNode {
    /// Settlements, their roots and settled exchanges are proven: all else an auditor reads must lead to what they bind.
    fn read(&self, keys: &[Key]) -> Result<Shown, ChainError> {
        let proven = [Table::Settlement, Table::Roots, Table::ExchangeBook].map(|table| table as u8);
        self.runtime.block_on(async {
            let (mut height, mut values) = self.client.raw(keys).await.map_err(unreachable)?;
            for (key, value) in keys
                .iter()
                .zip(&mut values)
                .filter(|(key, _)| proven.contains(&key.0[0]))
            {
                let (at, proven) = self.client.raw_proven(key).await.map_err(unreachable)?;
                (height, *value) = (height.min(at), proven);
            }
            Ok((height, values))
        })
    }

    fn submit(&self, transaction: &Signed) -> Result<(), ChainError> {
        let confirmed = self.runtime.block_on(self.client.submit_and_wait(transaction));
        confirmed.map(drop).map_err(|error| match error.reject() {
            Some(reject) => ChainError::Refused {
                code: reject.code(),
                text: reject.sentence().to_owned(),
            },
            None => unreachable(error),
        })
    }
}

fn unreachable(error: impl std::fmt::Display) -> ChainError {
    ChainError::Unreachable(error.to_string())
}

/// Records read so far, and which were asked for and are not among them.
#[derive(Default)]
struct Found {
    records: BTreeMap<Key, Option<Vec<u8>>>,
    missed: BTreeSet<Key>,
}

impl Store for Found {
    fn get(&mut self, key: &Key) -> Result<Option<Vec<u8>>, Missing> {
        self.records.get(key).cloned().ok_or_else(|| {
            self.missed.insert(*key);
            Missing(*key)
        })
    }

    fn put(&mut self, _: Key, _: Vec<u8>) {
        unreachable!("getters never write")
    }

    fn delete(&mut self, _: &Key) {
        unreachable!("getters never write")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Settings;
    use cairn_node::genesis::{Solo, solo};
    use cairn_types::{SecretKey, TimeMs};
    use std::sync::Mutex;

    /// Shows nothing, at one height after the other.
    struct Showing(Mutex<Vec<u64>>);

    impl Node for Showing {
        fn read(&self, keys: &[Key]) -> Result<Shown, ChainError> {
            Ok((self.0.lock().unwrap().remove(0), vec![None; keys.len()]))
        }

        fn submit(&self, _: &Signed) -> Result<(), ChainError> {
            unreachable!("nobody asks")
        }
    }

    #[test]
    fn a_node_that_shows_less_than_before_is_not_believed_until_it_has_caught_up() {
        let key = |role: u8| SecretKey::ed25519([role; 32]).public();
        let genesis = solo(&Solo {
            chain: "x".parse().unwrap(),
            start: TimeMs(0),
            epoch_ms: 3_600_000,
            founder: key(1),
            verifier: key(2),
            issuer: key(3),
            others: Vec::new(),
        });
        let node = Arc::new(Showing(Mutex::new(vec![7, 7, 2, 6, 8])));
        let chain = NodeChain::new(node, &genesis.unwrap());
        let sees = || chain.order(&OrderId([1; 32])).map(drop);
        assert_eq!(sees(), Ok(()));
        assert_eq!(sees(), Ok(()));
        for _ in 0..2 {
            assert!(matches!(sees(), Err(ChainError::Unreachable(why)) if why.contains("it catches up")));
        }
        assert_eq!(sees(), Ok(()));
    }

    #[test]
    fn an_auditor_looks_where_it_is_told_then_where_the_home_says_then_beside_itself() {
        let folder = tempfile::tempdir().unwrap();
        let of = |named| Origin::of(folder.path(), named).map(|origin| (origin.node, origin.verifier, origin.anchor));
        let urls = |node: u16, verifier: u16| [node, verifier].map(|port| format!("http://127.0.0.1:{port}"));
        let [node, verifier] = urls(8640, 8641);
        assert_eq!(of(None).unwrap(), (node, verifier, None));
        let anchor = Anchor {
            chain: "x".to_owned(),
            group_key: [1; 96],
            genesis: [2; 32],
            era: 0,
        };
        let settings = Settings {
            node: Some("http://127.0.0.1:9000".to_owned()),
            verifier: Some("http://127.0.0.1:9005".to_owned()),
            anchor: Some(AnchorText::from(&anchor)),
            ..Settings::default()
        };
        Home::at(folder.path()).save(&settings).unwrap();
        let [node, verifier] = urls(9000, 9005);
        let own = (node, verifier, Some(anchor));
        assert_eq!(of(None).unwrap(), own);
        assert_eq!(of(Some("http://127.0.0.1:9000/")).unwrap(), own);
        let [node, verifier] = urls(7000, 7001);
        assert_eq!(of(Some("http://127.0.0.1:7000")).unwrap(), (node, verifier, None));
    }
}
