//! Records by key, for those who read with the ledger's own getters: auditors, and verifiers on another machine than the node. Never knows
//! what they mean.

use crate::error::ClientError;
use crate::node::{NodeClient, RECORDS_MAX};
use crate::verify;
use cairn_ledger::store::Key;
use serde::Deserialize;

/// The newest state of a node, as it tells it; see `cairn_engine::state::Download`, which believes nothing of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct StateOffer {
    pub height: u64,
    pub parts: u64,
    /// Hexadecimal digits of the head of a state file.
    pub head: String,
}

#[derive(Deserialize)]
struct ProofBody {
    proof: String,
}

impl NodeClient {
    /// The bytes under keys, in order, on the node's word.
    pub async fn raw(&self, keys: &[Key]) -> Result<(u64, Vec<Option<Vec<u8>>>), ClientError> {
        let names: Vec<String> = keys.iter().map(|key| hex::encode(key.0)).collect();
        let (mut height, mut values) = (0, Vec::with_capacity(keys.len()));
        for names in names.chunks(RECORDS_MAX) {
            let told = self.told(names).await?;
            if told.height < height {
                return Err(ClientError::Nonsense("an answer from before an earlier one"));
            }
            height = told.height;
            values.extend(told.value);
        }
        Ok((height, values))
    }

    /// What a node has of its newest final state; given out on its own computer only.
    pub async fn state_offer(&self) -> Result<StateOffer, ClientError> {
        self.http.get("/v1/state").await
    }

    /// A part of the log that made the state after a block.
    pub async fn state_part(&self, height: u64, part: u64) -> Result<Vec<u8>, ClientError> {
        self.http.get_bytes(&format!("/v1/state/{height}/{part}")).await
    }

    /// The bytes under a key, or that there are none: proven, or an error.
    pub async fn raw_proven(&self, key: &Key) -> Result<(u64, Option<Vec<u8>>), ClientError> {
        let anchor = self.anchor().ok_or(ClientError::NoAnchor)?;
        let body: ProofBody = self.http.get(&format!("/v1/proofs/{}", hex::encode(key.0))).await?;
        let proof = hex::decode(body.proof).map_err(|_| ClientError::Nonsense("a proof not in hexadecimal"))?;
        let seen = verify::bytes(anchor, key, &proof)?;
        Ok((seen.header.height, seen.value))
    }
}
