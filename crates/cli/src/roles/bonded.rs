//! An agent's questions to a node: who has a bond, and where. Whatever decides where reports go is proven against the chain's own key; of
//! the node's word only the order of its list is taken, so that all it can do is keep a verifier back.

#[cfg(test)]
mod tests;

use cairn_agent::registry::{Asked, Registry};
use cairn_agent::routes::{Bonded, Policy, is_address, is_inward, rank};
use cairn_client::{Anchor, ClientError, NodeClient};
use cairn_ledger::records::{Verifier, VerifierIndex};
use cairn_types::{AccountId, TimeMs, Token};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::Mutex;

/// How far behind a chain may be before what it says of bonds is no news: a node that shows an old state, each record of it proven, could
/// otherwise hold a verifier up that has lost everything since.
const BEHIND_MS_MAX: u64 = 60 * 60_000;
/// For all that one question takes.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(180);
/// Verifiers listed on a chain at most, as every genesis allows.
const LISTED_MAX: u16 = 1_024;
/// Verifiers looked at beyond those of the settings, for each that may be taken up: some say no address, some have no bond left.
const TRIES_PER_PLACE: usize = 4;

pub struct Ledger {
    node: String,
    anchor: Anchor,
    policy: Policy,
    now: fn() -> TimeMs,
    /// The client of before, which remembers how far the chain was.
    client: Mutex<Option<NodeClient>>,
}

impl Ledger {
    pub fn new(node: &str, anchor: Anchor, policy: Policy, now: fn() -> TimeMs) -> Self {
        Self {
            node: node.to_owned(),
            anchor,
            policy,
            now,
            client: Mutex::new(None),
        }
    }

    async fn ask(&self) -> Result<Vec<Bonded>, String> {
        let mut place = self.client.lock().await;
        let client = match place.clone() {
            Some(client) => client,
            None => NodeClient::trusting(&self.node, self.anchor.clone()).map_err(words)?,
        };
        let (client, _) = client.followed().await.map_err(words)?;
        self.list(place.insert(client)).await
    }

    async fn list(&self, client: &NodeClient) -> Result<Vec<Bonded>, String> {
        let chain = client.chain().await.map_err(words)?;
        if chain.time.0.saturating_add(BEHIND_MS_MAX) < (self.now)().0 {
            return Err(format!("{}: its chain stands at {}", self.node, chain.time));
        }
        let listed = chain.value.map_or(0, |chain| chain.verifiers);
        let mut bonded: Vec<Bonded> = Vec::new();
        let own: BTreeSet<AccountId> = self.policy.own.iter().map(|verifier| verifier.account).collect();
        for account in &own {
            bonded.extend(self.look(client, account).await?);
        }
        if !self.policy.discover {
            return Ok(bonded);
        }
        let mut found = self.policy.verifiers_max.saturating_sub(bonded.len());
        let mut tries = found * TRIES_PER_PLACE;
        for account in self.others(listed.min(LISTED_MAX), &own).await? {
            if found == 0 || tries == 0 {
                break;
            }
            tries -= 1;
            let one = self.look(client, &account).await?;
            if let Some(one) = one.filter(|one| !one.url.is_empty()) {
                found -= 1;
                bonded.push(one);
            }
        }
        Ok(bonded)
    }

    /// The verifiers that the node lists beside those of the settings, in this agent's order.
    async fn others(&self, listed: u16, own: &BTreeSet<AccountId>) -> Result<Vec<AccountId>, String> {
        let told = NodeClient::new(&self.node).map_err(words)?;
        let places: Vec<u16> = (0..listed).collect();
        let listed = told.records::<VerifierIndex>(&places).await.map_err(words)?;
        let listed: BTreeSet<AccountId> = listed.into_iter().flatten().map(|place| place.id).collect();
        let mut others: Vec<AccountId> = listed.difference(own).copied().collect();
        others.sort_by_key(|account| rank(&self.policy.device, account));
        Ok(others)
    }

    /// A verifier with something at stake that is not on its way back, and where it says that it is.
    async fn look(&self, client: &NodeClient, account: &AccountId) -> Result<Option<Bonded>, String> {
        let verifier = client.verifier(account).await.map_err(words)?.value;
        let Some(verifier) = verifier.filter(stays) else {
            return Ok(None);
        };
        let profile = client.profile(account).await.map_err(words)?.value;
        let url = profile.map(|profile| profile.url).unwrap_or_default();
        Ok(Some(Bonded {
            account: *account,
            key: verifier.key,
            url: if self.is_taken_up(&url) { url } else { String::new() },
        }))
    }

    /// Nobody on a ledger may send an agent into its own machine, unless all of the network is there.
    fn is_taken_up(&self, url: &str) -> bool {
        is_address(url) && (!is_inward(url) || is_inward(&self.node))
    }
}

/// Whether a verifier has a bond that counts, or will count from the next epoch on.
pub fn stays(verifier: &Verifier) -> bool {
    verifier.bond > Token::ZERO || verifier.joining > Token::ZERO
}

fn words(error: ClientError) -> String {
    error.to_string()
}

impl Registry for Ledger {
    fn bonded(&self) -> Asked<'_> {
        Box::pin(async {
            let asked = tokio::time::timeout(ANSWER_WAIT_MAX, self.ask()).await;
            asked.unwrap_or_else(|_| Err(format!("{} takes too long to answer", self.node)))
        })
    }
}
