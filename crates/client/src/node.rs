//! What a node knows, as the ledger's own records: proven when the client was given a trust anchor, as told otherwise, and
//! each answer says which.

use crate::error::ClientError;
use crate::events::Events;
use crate::http::Http;
use crate::verify::{self, Checked};
use cairn_engine::light::Anchor;
use cairn_ledger::Genesis;
use cairn_ledger::records::{
    self, Account, AccountIndex, AnchorPlace, Chain, Device, Dispute, Epoch, ExchangeBook, Network, Order,
    ParameterPage, Pool, Profile, Protocol, Roots, RosterEntry, Settlement, Terms, Upgrade, Validator, Verifier, Whose,
    WithoutPage,
};
use cairn_ledger::store::Key;
use cairn_ledger::tables::Record;
use cairn_ledger::view;
use cairn_types::{AccountId, AccountNumber, DeviceId, EpochNumber, Hash, NetworkId, OrderId, TimeMs};
use serde::Deserialize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Records of one question without proof.
pub(crate) const RECORDS_MAX: usize = 100;

/// Typed access to one node.
#[derive(Clone, Debug)]
pub struct NodeClient {
    pub(crate) http: Http,
    anchor: Option<Arc<Anchor>>,
    /// The highest height proven so far: time does not run backwards.
    seen: Arc<AtomicU64>,
}

/// An answer and where it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen<T> {
    pub value: T,
    pub height: u64,
    pub time: TimeMs,
    /// Checked against the trust anchor; otherwise it is the node's word.
    pub proven: bool,
}

/// What a node says of itself and its chain. Nothing of it is proven.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Status {
    pub chain: String,
    pub version: String,
    pub height: u64,
    pub time: String,
    pub state_root: String,
    pub genesis: String,
    pub era: u32,
    /// The era has ended: nothing happens here any more.
    #[serde(default)]
    pub over: bool,
    pub group_key: String,
    pub validators: u32,
    /// By which rules the ledger runs, and which of them the node's program knows.
    #[serde(default)]
    pub protocol: NodeProtocol,
    /// Who signs blocks now and who is next; none right after the node's start.
    #[serde(default)]
    pub committee: Option<Committee>,
    /// What a beacon is worth on this chain, where it is worth less than elsewhere.
    pub beacon_note: Option<String>,
}

/// Versions of the ledger's rules as a node tells them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct NodeProtocol {
    pub version: u16,
    /// Since which block.
    pub since: u64,
    /// What is announced.
    pub next: Option<NodeUpgrade>,
    pub speaks_min: u16,
    pub speaks_max: u16,
}

/// An upgrade that is announced.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NodeUpgrade {
    pub version: u16,
    pub height: u64,
    /// Whether the node goes on across it.
    pub spoken: bool,
}

impl NodeProtocol {
    /// Whether the node's program knows a version of the rules.
    pub fn speaks(&self, version: u16) -> bool {
        (self.speaks_min..=self.speaks_max).contains(&version)
    }
}

/// Who signs blocks, as a node tells it. Keys as text.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Committee {
    /// Of consensus, not one of the ledger's.
    pub epoch: u64,
    /// The height of its last block.
    pub until: u64,
    /// Whether the node is one of them and has its share.
    pub signs: bool,
    /// Whether the shares are fresh ones of this epoch, or those of the one before go on; none where the node does not know.
    #[serde(default)]
    pub renewed: Option<bool>,
    pub members: Vec<String>,
    /// Who gets shares in this epoch, and signs in the next one.
    pub receiving: Vec<String>,
    /// Who gets shares in the next one.
    pub announced: Vec<String>,
}

impl Status {
    /// The trust anchor as this node tells it: whoever uses it trusts the node this once.
    pub fn anchor_as_told(&self) -> Result<Anchor, ClientError> {
        let mut anchor = Anchor {
            chain: self.chain.clone(),
            group_key: [0; 96],
            genesis: [0; 32],
            era: self.era,
        };
        let key = hex::decode_to_slice(&self.group_key, &mut anchor.group_key);
        let genesis = hex::decode_to_slice(&self.genesis, &mut anchor.genesis);
        key.and(genesis)
            .map_err(|_| ClientError::Nonsense("a status without an anchor"))?;
        Ok(anchor)
    }
}

#[derive(Deserialize)]
struct ProofBody {
    proof: String,
}

#[derive(Deserialize)]
struct RecordsBody {
    height: u64,
    time: String,
    values: Vec<Option<String>>,
}

#[derive(Deserialize)]
struct AccountBody {
    next_nonce: u64,
}

impl NodeClient {
    /// Believes the node's word.
    pub fn new(address: &str) -> Result<Self, ClientError> {
        Ok(Self {
            http: Http::new(address)?,
            anchor: None,
            seen: Arc::default(),
        })
    }

    /// Believes only what is proven under this anchor.
    pub fn trusting(address: &str, anchor: Anchor) -> Result<Self, ClientError> {
        Ok(Self {
            anchor: Some(Arc::new(anchor)),
            ..Self::new(address)?
        })
    }

    /// The same connections and what was seen, with another anchor.
    pub(crate) fn with_anchor(self, anchor: Anchor) -> Self {
        Self {
            anchor: Some(Arc::new(anchor)),
            ..self
        }
    }

    pub fn anchor(&self) -> Option<&Anchor> {
        self.anchor.as_deref()
    }

    pub async fn status(&self) -> Result<Status, ClientError> {
        self.http.get("/v1/status").await
    }

    /// What the chain began with: fees, the cut of epochs, the economics. Checked against the anchor's digest.
    pub async fn genesis(&self) -> Result<Genesis, ClientError> {
        let bytes = self.http.get_bytes("/v1/genesis.cbor").await?;
        let genesis = Genesis::from_bytes(&bytes).map_err(|_| ClientError::Nonsense("not a genesis"))?;
        match &self.anchor {
            Some(anchor) if anchor.genesis != genesis.digest().0 => Err(ClientError::OtherThing("another genesis")),
            _ => Ok(genesis),
        }
    }

    /// A record by its id; proven if there is an anchor.
    pub async fn record<R: Record>(&self, id: &R::Id) -> Result<Seen<Option<R>>, ClientError> {
        if self.anchor.is_some() {
            return self.proven(id).await;
        }
        let key = view::key::<R>(id);
        let found = self.told(&[hex::encode(key.0)]).await?;
        let bytes = found.value.into_iter().next().flatten();
        let value = bytes.as_deref().map(verify::decode).transpose()?;
        Ok(Seen {
            value,
            height: found.height,
            time: found.time,
            proven: false,
        })
    }

    /// A record by its id, or that there is none: proven, or an error.
    pub async fn proven<R: Record>(&self, id: &R::Id) -> Result<Seen<Option<R>>, ClientError> {
        let anchor = self.anchor.as_ref().ok_or(ClientError::NoAnchor)?;
        let floor = self.seen.load(Ordering::Relaxed);
        let proof = self.proof(&view::key::<R>(id)).await?;
        let Checked { header, value } = verify::record(anchor, id, &proof)?;
        self.not_before(floor, header.height)?;
        Ok(Seen {
            value,
            height: header.height,
            time: TimeMs(header.time_ms),
            proven: true,
        })
    }

    /// The bytes with which a node proves what is under a key, or that nothing is. Not checked: [`verify::bytes`] does that, here or
    /// anywhere else and at any later time.
    pub async fn proof(&self, key: &Key) -> Result<Vec<u8>, ClientError> {
        let path = format!("/v1/proofs/{}", hex::encode(key.0));
        let body: ProofBody = self.http.get(&path).await?;
        hex::decode(body.proof).map_err(|_| ClientError::Nonsense("a proof not in hexadecimal"))
    }

    /// Refuses what holds for an earlier height than was proven before the question.
    pub(crate) fn not_before(&self, floor: u64, height: u64) -> Result<(), ClientError> {
        if height < floor {
            return Err(ClientError::Stale { height, seen: floor });
        }
        self.seen.fetch_max(height, Ordering::Relaxed);
        Ok(())
    }

    /// The values under keys, on the node's word.
    pub(crate) async fn told(&self, keys: &[String]) -> Result<Seen<Vec<Option<Vec<u8>>>>, ClientError> {
        let body: RecordsBody = self.http.get(&format!("/v1/records?keys={}", keys.join(","))).await?;
        if body.values.len() != keys.len() {
            return Err(ClientError::Nonsense("not one value for each key"));
        }
        let decode = |value: Option<String>| value.map(hex::decode).transpose();
        let values: Result<_, _> = body.values.into_iter().map(decode).collect();
        Ok(Seen {
            value: values.map_err(|_| ClientError::Nonsense("a value not in hexadecimal"))?,
            height: body.height,
            time: body.time.parse().map_err(|_| ClientError::Nonsense("not a time"))?,
            proven: false,
        })
    }

    /// Records by their ids, in order. Each is proven by itself: they may hold for different heights.
    pub async fn records<R: Record>(&self, ids: &[R::Id]) -> Result<Vec<Option<R>>, ClientError> {
        let mut records = Vec::with_capacity(ids.len());
        if self.anchor.is_some() {
            for id in ids {
                records.push(self.proven(id).await?.value);
            }
            return Ok(records);
        }
        let keys: Vec<String> = ids.iter().map(|id| hex::encode(view::key::<R>(id).0)).collect();
        for keys in keys.chunks(RECORDS_MAX) {
            for bytes in self.told(keys).await?.value {
                records.push(bytes.as_deref().map(verify::decode).transpose()?);
            }
        }
        Ok(records)
    }

    /// Where the chain is: the open epoch, how many of everything there are.
    pub async fn chain(&self) -> Result<Seen<Option<Chain>>, ClientError> {
        self.record(&()).await
    }

    pub async fn account(&self, id: &AccountId) -> Result<Seen<Option<Account>>, ClientError> {
        self.record(id).await
    }

    pub async fn proven_account(&self, id: &AccountId) -> Result<Seen<Option<Account>>, ClientError> {
        self.proven(id).await
    }

    /// The id behind an account's number.
    pub async fn account_id(&self, number: AccountNumber) -> Result<Option<AccountId>, ClientError> {
        let found: Seen<Option<AccountIndex>> = self.record(&number).await?;
        Ok(found.value.map(|index| index.id))
    }

    /// The nonce for the account's next transaction, counting those that wait in the node's pool. A hint: the ledger decides.
    pub async fn next_nonce(&self, id: &AccountId) -> Result<u64, ClientError> {
        match self.http.get::<AccountBody>(&format!("/v1/accounts/{id}")).await {
            Ok(body) => Ok(body.next_nonce),
            Err(ClientError::Refused { status: 404, .. }) => Err(ClientError::NoAccount(Hash(id.0))),
            Err(error) => Err(error),
        }
    }

    pub async fn network(&self, id: &NetworkId) -> Result<Seen<Option<Network>>, ClientError> {
        self.record(id).await
    }

    pub async fn proven_network(&self, id: &NetworkId) -> Result<Seen<Option<Network>>, ClientError> {
        self.proven(id).await
    }

    pub async fn terms(&self, id: &NetworkId) -> Result<Seen<Option<Terms>>, ClientError> {
        self.record(id).await
    }

    /// The parameter bytes of one version of a network's terms, checked against its hash.
    pub async fn parameters(&self, id: &NetworkId, version: u32) -> Result<Vec<u8>, ClientError> {
        let terms = self
            .terms(id)
            .await?
            .value
            .ok_or(ClientError::OtherThing("no such network"))?;
        let known = [Some(terms.current), terms.next]
            .into_iter()
            .flatten()
            .find(|known| known.version == version);
        let pages = known.map_or(u8::MAX, |known| known.pages());
        let mut bytes = Vec::new();
        for page in 0..pages {
            let Some(read) = self.record::<ParameterPage>(&(*id, version, page)).await?.value else {
                break;
            };
            let full = read.bytes.len() == cairn_ledger::records::PARAMETER_PAGE_BYTES;
            bytes.extend(read.bytes);
            if !full || bytes.len() >= cairn_ledger::records::PARAMETERS_BYTES_MAX {
                break;
            }
        }
        match known {
            Some(known) if known.hash != cairn_types::hash::sha256(&bytes) => {
                Err(ClientError::OtherThing("other parameters than the terms name"))
            }
            _ => Ok(bytes),
        }
    }

    /// Entries `start..start + count` of a network's roster; fewer when it ends.
    pub async fn roster(&self, id: &NetworkId, start: u32, count: u32) -> Result<Vec<RosterEntry>, ClientError> {
        let ids: Vec<(NetworkId, u32)> = (start..start.saturating_add(count)).map(|entry| (*id, entry)).collect();
        let mut entries = Vec::new();
        for page in ids.chunks(RECORDS_MAX) {
            let found = self.records::<RosterEntry>(page).await?;
            let there: Vec<RosterEntry> = found.into_iter().map_while(|entry| entry).collect();
            let ends = there.len() < page.len();
            entries.extend(there);
            if ends {
                break;
            }
        }
        Ok(entries)
    }

    pub async fn device(&self, id: &DeviceId) -> Result<Seen<Option<Device>>, ClientError> {
        self.record(id).await
    }

    pub async fn proven_device(&self, id: &DeviceId) -> Result<Seen<Option<Device>>, ClientError> {
        self.proven(id).await
    }

    pub async fn order(&self, id: &OrderId) -> Result<Seen<Option<Order>>, ClientError> {
        self.record(id).await
    }

    pub async fn proven_order(&self, id: &OrderId) -> Result<Seen<Option<Order>>, ClientError> {
        self.proven(id).await
    }

    pub async fn verifier(&self, id: &AccountId) -> Result<Seen<Option<Verifier>>, ClientError> {
        self.record(id).await
    }

    /// What a verifier says of itself: where it is reached.
    pub async fn profile(&self, id: &AccountId) -> Result<Seen<Option<Profile>>, ClientError> {
        self.record(id).await
    }

    /// The validators on the ledger, in the order of their list.
    pub async fn validators(&self) -> Result<Vec<Validator>, ClientError> {
        let count = self.chain().await?.value.map_or(0, |chain| chain.validators);
        let places: Vec<u16> = (0..count).collect();
        Ok(self
            .records::<Validator>(&places)
            .await?
            .into_iter()
            .flatten()
            .collect())
    }

    /// Which version of the ledger's rules holds, and what is announced; no record: the first, and nothing.
    pub async fn protocol(&self) -> Result<Seen<Option<Protocol>>, ClientError> {
        self.record(&()).await
    }

    /// The first block of each version of the rules up to one, the second version's first.
    pub async fn upgrades(&self, last: u16) -> Result<Vec<(u16, Upgrade)>, ClientError> {
        let versions: Vec<u16> = (2..=last).collect();
        let upgrades = self.records::<Upgrade>(&versions).await?.into_iter();
        let upgrades = versions.into_iter().zip(upgrades);
        Ok(upgrades
            .filter_map(|(version, upgrade)| Some((version, upgrade?)))
            .collect())
    }

    /// A closed epoch, the same for all networks.
    pub async fn epoch(&self, epoch: EpochNumber) -> Result<Seen<Option<Epoch>>, ClientError> {
        self.record(&epoch).await
    }

    /// What a network pays out for a closed epoch.
    pub async fn pool(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Seen<Option<Pool>>, ClientError> {
        self.record(&(*network, epoch)).await
    }

    /// What was attested of it, and how far it is paid.
    pub async fn settlement(
        &self,
        network: &NetworkId,
        epoch: EpochNumber,
    ) -> Result<Seen<Option<Settlement>>, ClientError> {
        self.record(&(*network, epoch)).await
    }

    /// The attested roots.
    pub async fn roots(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Seen<Option<Roots>>, ClientError> {
        self.record(&(*network, epoch)).await
    }

    /// The dispute of a settled result, open or decided.
    pub async fn dispute(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Seen<Option<Dispute>>, ClientError> {
        self.record(&(*network, epoch)).await
    }

    /// What a verifier anchored of an epoch of a network, if it did.
    pub async fn anchor_of(
        &self,
        network: &NetworkId,
        epoch: EpochNumber,
        verifier: AccountNumber,
    ) -> Result<Option<records::Anchor>, ClientError> {
        let place = self.record::<AnchorPlace>(&(*network, epoch, verifier)).await?.value;
        let Some(AnchorPlace { place }) = place else {
            return Ok(None);
        };
        Ok(self.record(&(*network, epoch, place)).await?.value)
    }

    /// The places of the anchors whose reports a settled result leaves out.
    pub async fn without(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Vec<u32>, ClientError> {
        let settlement = self.settlement(network, epoch).await?.value;
        let count = settlement.map_or(0, |settlement| settlement.without);
        self.places(network, epoch, Whose::Settled, count).await
    }

    /// The verifiers whose reports a settled result leaves out.
    pub async fn left_out(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Vec<AccountId>, ClientError> {
        let places = self.without(network, epoch).await?;
        let places = places.iter().filter_map(|place| u16::try_from(*place).ok());
        let ids: Vec<_> = places.map(|place| (*network, epoch, place)).collect();
        let anchors = self.records::<records::Anchor>(&ids).await?.into_iter();
        Ok(anchors.flatten().map(|anchor| anchor.verifier).collect())
    }

    /// So many places of a list that the ledger keeps.
    pub async fn places(
        &self,
        network: &NetworkId,
        epoch: EpochNumber,
        whose: Whose,
        count: u16,
    ) -> Result<Vec<u32>, ClientError> {
        let pages: Vec<_> = WithoutPage::pages(whose, count)
            .map(|page| (*network, epoch, page))
            .collect();
        let pages = self.records::<WithoutPage>(&pages).await?.into_iter().flatten();
        Ok(pages.flat_map(|page| page.places).map(u32::from).collect())
    }

    /// The attested exchange among its operators; none when everybody is paid as earned.
    pub async fn exchange(
        &self,
        network: &NetworkId,
        epoch: EpochNumber,
    ) -> Result<Seen<Option<ExchangeBook>>, ClientError> {
        self.record(&(*network, epoch)).await
    }

    /// The ledger's events from a height on; the next block when left out. Notices, not proofs: read what they name.
    pub async fn events(&self, from: Option<u64>) -> Result<Events, ClientError> {
        let path = from.map_or("/v1/events".to_owned(), |from| format!("/v1/events?from={from}"));
        Ok(Events::new(self.http.open(&path).await?))
    }
}
