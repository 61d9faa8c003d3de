//! An agent's questions to a node about an epoch's beacons: the seed, and who stands where. All of it is proven against the chain's own
//! key, so that no node can send a hotspot on the air at another time than it is asked for; it can only keep it from knowing.

use cairn_agent::beacon::challenge::{Challenge, Challenger, Standing};
use cairn_client::{Anchor, ClientError, NodeClient};
use cairn_ledger::records::RosterEntry;
use cairn_ledger::view;
use cairn_types::{CellId, DeviceId, EpochNumber, NetworkId};
use cairn_verticals::wireless::params::Params;
use futures::future::BoxFuture;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::sync::Mutex;

/// For all that one question takes.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(180);
/// Entries of rosters that one question reads; the next one goes on from there.
const ENTRIES_PER_QUESTION: u32 = 2_000;
/// Entries that are remembered: some 100 bytes each.
const ENTRIES_MAX: u32 = 200_000;

pub struct LedgerChallenger {
    node: String,
    anchor: Anchor,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The client of before, which remembers how far the chain was.
    client: Option<NodeClient>,
    /// Rosters only grow; of an entry that is there only its end may change.
    rosters: BTreeMap<NetworkId, Vec<RosterEntry>>,
}

fn words(error: ClientError) -> String {
    error.to_string()
}

impl LedgerChallenger {
    pub fn new(node: &str, anchor: Anchor) -> Self {
        Self {
            node: node.to_owned(),
            anchor,
            known: Mutex::default(),
        }
    }

    async fn ask(
        &self,
        network: NetworkId,
        epoch: EpochNumber,
        devices: Vec<DeviceId>,
    ) -> Result<Option<Challenge>, String> {
        let mut known = self.known.lock().await;
        let client = match known.client.clone() {
            Some(client) => client,
            None => NodeClient::trusting(&self.node, self.anchor.clone()).map_err(words)?,
        };
        let (client, _) = client.followed().await.map_err(words)?;
        let client = known.client.insert(client).clone();
        // What comes after the closing of the epoch before is read after it: a node that lags shows nothing older then.
        let before = epoch.0.checked_sub(1).map(EpochNumber);
        let closed = match before {
            Some(before) => client.epoch(before).await.map_err(words)?.value,
            None => None,
        };
        let record = client.network(&network).await.map_err(words)?.value;
        let record = record.ok_or("the ledger has no such network")?;
        if before.is_none_or(|before| before < record.created) {
            return Ok(Some(Challenge {
                seed: None,
                members: Vec::new(),
                params: None,
            }));
        }
        let Some(seed) = closed.and_then(|closed| closed.beacon) else {
            return Ok(None);
        };
        let terms = client.terms(&network).await.map_err(words)?.value;
        let terms = terms.ok_or("the ledger has no terms of the network")?;
        let held = terms.next.filter(|next| next.from <= epoch).unwrap_or(terms.current);
        let params = client.parameters(&network, held.version).await.map_err(words)?;
        let params = Params::decode(&params).map_err(|error| error.to_string())?;
        let roster = known.rosters.entry(network).or_default();
        read(&client, network, record.roster, roster).await?;
        look_again(&client, network, &devices, roster).await?;
        let members = view::standing(roster, epoch).into_iter();
        let members = members.map(|stay| Standing {
            device: stay.id,
            number: stay.device,
            cell: stay.cell,
            joined: stay.joined,
        });
        Ok(Some(Challenge {
            seed: Some(seed.0),
            members: members.collect(),
            params: Some(params),
        }))
    }
}

/// Goes on reading a roster to its end.
async fn read(
    client: &NodeClient,
    network: NetworkId,
    entries: u32,
    roster: &mut Vec<RosterEntry>,
) -> Result<(), String> {
    if entries > ENTRIES_MAX {
        return Err(format!("the network's roster has more than {ENTRIES_MAX} entries"));
    }
    for read in 0..ENTRIES_PER_QUESTION {
        let place = u32::try_from(roster.len()).unwrap_or(u32::MAX);
        if place >= entries {
            return Ok(());
        }
        let entry = client.proven::<RosterEntry>(&(network, place)).await.map_err(words)?;
        match entry.value {
            Some(entry) => roster.push(entry),
            None => return Err(format!("{read} entries on, the roster has no entry {place}")),
        }
    }
    Err(format!("{} of {entries} entries of the roster are read", roster.len()))
}

/// Whoever stands in the cells of our devices may have left since.
async fn look_again(
    client: &NodeClient,
    network: NetworkId,
    devices: &[DeviceId],
    roster: &mut [RosterEntry],
) -> Result<(), String> {
    let own = roster
        .iter()
        .filter(|stay| stay.left.is_none() && devices.contains(&stay.id));
    let cells: BTreeSet<CellId> = own.map(|stay| stay.cell).collect();
    let near = (0..).zip(roster.iter_mut());
    for (place, stay) in near.filter(|(_, stay)| stay.left.is_none() && cells.contains(&stay.cell)) {
        let entry = client.proven::<RosterEntry>(&(network, place)).await.map_err(words)?;
        *stay = entry.value.ok_or("an entry of the roster is gone")?;
    }
    Ok(())
}

impl Challenger for LedgerChallenger {
    fn challenge(
        &self,
        network: NetworkId,
        epoch: EpochNumber,
        devices: Vec<DeviceId>,
    ) -> BoxFuture<'_, Result<Option<Challenge>, String>> {
        Box::pin(async move {
            let asked = tokio::time::timeout(ANSWER_WAIT_MAX, self.ask(network, epoch, devices)).await;
            asked.unwrap_or_else(|_| Err(format!("{} takes too long to answer", self.node)))
        })
    }
}
