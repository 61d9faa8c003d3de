//! An agent's market for packets: claims come from gateways, what backs them is proven against the chain's key, promises go back to the
//! gateway that settles them.

use cairn_agent::carry::account::Backing;
use cairn_agent::carry::market::{Market, Wanted};
use cairn_agent::carry::wire::{Promise, SHAPE_STREAM, Shown, SignedClaim};
use cairn_agent::routes::is_inward;
use cairn_client::{Anchor, ClientError, NodeClient};
use cairn_ledger::records::OrderState;
use cairn_types::{ChainId, Credit, DeviceId, DeviceNumber, NetworkId, OrderId, codec};
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::Mutex;

/// Bytes of a gateway's list.
const LIST_BYTES_MAX: usize = 2 << 20;
/// Claims of one gateway that are looked at.
const CLAIMS_MAX: usize = 256;
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(20);
/// Orders whose gateway is remembered.
const ORDERS_MAX: usize = 1_024;

pub struct LedgerMarket {
    node: String,
    anchor: Anchor,
    chain: ChainId,
    gateways: Vec<String>,
    http: reqwest::Client,
    /// The client of before, which remembers how far the chain was.
    client: Mutex<Option<NodeClient>>,
    /// Who settles an order.
    settles: Mutex<BTreeMap<OrderId, String>>,
}

fn words(error: impl ToString) -> String {
    error.to_string()
}

impl LedgerMarket {
    pub fn new(node: &str, anchor: Anchor, gateways: Vec<String>) -> Result<Self, String> {
        let http = reqwest::Client::builder()
            .timeout(ANSWER_WAIT_MAX)
            .build()
            .map_err(words)?;
        Ok(Self {
            node: node.to_owned(),
            chain: anchor.chain.parse().map_err(words)?,
            anchor,
            gateways,
            http,
            client: Mutex::new(None),
            settles: Mutex::new(BTreeMap::new()),
        })
    }

    async fn client(&self) -> Result<NodeClient, String> {
        let mut place = self.client.lock().await;
        let client = match place.clone() {
            Some(client) => client,
            None => NodeClient::trusting(&self.node, self.anchor.clone()).map_err(words)?,
        };
        let (client, _) = client.followed().await.map_err(words)?;
        Ok(place.insert(client).clone())
    }

    async fn list(&self, gateway: &str, network: &NetworkId) -> Result<Vec<SignedClaim>, String> {
        let url = format!("{gateway}/v1/claims?network={network}");
        let mut answer = self.http.get(url).send().await.map_err(words)?;
        if !answer.status().is_success() {
            return Err(format!("{gateway} answers {}", answer.status()));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(words)? {
            if bytes.len() + chunk.len() > LIST_BYTES_MAX {
                return Err(format!("{gateway} answers more than any list of claims"));
            }
            bytes.extend_from_slice(&chunk);
        }
        codec::decode_canonical(&bytes).map_err(|error| format!("{gateway} gives no list of claims: {error}"))
    }

    /// What backs a claim, if the ledger bears it out.
    async fn backed(
        &self,
        client: &NodeClient,
        network: &NetworkId,
        signed: SignedClaim,
    ) -> Result<Option<Wanted>, ClientError> {
        let claim = &signed.claim;
        let order = client.order(&claim.order).await?;
        let Some(record) = order.value else { return Ok(None) };
        let holds = claim.network == *network
            && record.network == *network
            && record.shape == SHAPE_STREAM
            && record.state == OrderState::Open
            && record.settled == Credit::ZERO
            && order.time < record.expires
            && signed.check(&self.chain, &record.voucher_key).is_ok()
            // Nobody on a ledger may send an agent into its own machine, unless all of the network is there.
            && (!is_inward(&format!("http://{}", claim.router)) || is_inward(&self.node));
        let backing = Backing {
            chain: self.chain.clone(),
            order: claim.order,
            key: record.voucher_key,
            held: record.held.total().unwrap_or_default(),
        };
        Ok(holds.then_some(Wanted {
            backing,
            claim: signed.claim,
        }))
    }
}

impl Market for LedgerMarket {
    fn wanted(&self, network: NetworkId) -> BoxFuture<'_, Result<Vec<Wanted>, String>> {
        Box::pin(async move {
            let client = self.client().await?;
            let mut wanted: Vec<Wanted> = Vec::new();
            let mut failed = None;
            for gateway in &self.gateways {
                let claims = match self.list(gateway, &network).await {
                    Ok(claims) => claims,
                    Err(why) => {
                        failed = Some(why);
                        continue;
                    }
                };
                for signed in claims.into_iter().take(CLAIMS_MAX) {
                    let order = signed.claim.order;
                    if wanted.iter().any(|one| one.claim.order == order) {
                        continue;
                    }
                    if let Some(one) = self.backed(&client, &network, signed).await.map_err(words)? {
                        wanted.push(one);
                        let mut settles = self.settles.lock().await;
                        if settles.len() >= ORDERS_MAX && !settles.contains_key(&order) {
                            settles.pop_first();
                        }
                        settles.insert(order, gateway.clone());
                    }
                }
            }
            match failed {
                Some(why) if wanted.is_empty() => Err(why),
                _ => Ok(wanted),
            }
        })
    }

    fn device(&self, device: DeviceId) -> BoxFuture<'_, Result<Option<DeviceNumber>, String>> {
        Box::pin(async move {
            let client = self.client().await?;
            let record = client.device(&device).await.map_err(words)?.value;
            Ok(record.map(|record| record.number))
        })
    }

    fn show(&self, promise: Promise) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let order = promise.settle.voucher.order;
            let gateway = self.settles.lock().await.get(&order).cloned();
            let gateway = gateway.ok_or("no gateway listed the order")?;
            let shown = Shown { promise, last: None };
            post(&self.http, &gateway, "/v1/promises", codec::encode(&shown)).await
        })
    }
}

/// Posts CBOR; the refusal's words otherwise.
pub async fn post(http: &reqwest::Client, gateway: &str, path: &str, body: Vec<u8>) -> Result<(), String> {
    let request = http.post(format!("{}{path}", gateway.trim_end_matches('/')));
    let answer = request
        .header("content-type", "application/cbor")
        .body(body)
        .send()
        .await
        .map_err(words)?;
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let text = answer.text().await.unwrap_or_default();
    let said: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let message = said["message"].as_str().unwrap_or("it says no more");
    Err(format!(
        "the gateway answers {status}: {}",
        message.chars().take(300).collect::<String>()
    ))
}
