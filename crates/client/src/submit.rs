//! Submitting a transaction and waiting until it is final: with an anchor, until that is proven.

use crate::error::ClientError;
use crate::node::NodeClient;
use crate::verify::{self, Checked, TxProof};
use cairn_ledger::{Event, Signed};
use cairn_types::{Hash, TimeMs};
use serde::Deserialize;

/// Times a node may answer that it still waits.
const WAITS_MAX: u32 = 10;

/// A transaction in a final block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    pub id: Hash,
    pub height: u64,
    /// Its place in the block.
    pub index: u64,
    pub time: TimeMs,
    /// What it came to.
    pub events: Vec<Event>,
    /// Checked against the trust anchor; otherwise it is the node's word.
    pub proven: bool,
}

#[derive(Deserialize)]
struct Submitted {
    state: String,
    height: Option<u64>,
    index: Option<u64>,
    time: Option<String>,
    receipt: Option<String>,
}

#[derive(Deserialize)]
struct ProofBody {
    transaction: String,
    receipt: String,
    finality: String,
    transaction_proof: String,
    receipt_proof: String,
}

impl NodeClient {
    /// Hands a transaction in; answers its id. That it was taken does not mean that it will be final.
    pub async fn submit(&self, signed: &Signed) -> Result<Hash, ClientError> {
        let _: Submitted = self.http.post("/v1/transactions", &signed.bytes()).await?;
        Ok(signed.transaction.id())
    }

    /// Hands a transaction in and waits until it is final, or refused. To do so again with the same one is safe.
    pub async fn submit_and_wait(&self, signed: &Signed) -> Result<Confirmed, ClientError> {
        let id = signed.transaction.id();
        let bytes = signed.bytes();
        for _ in 0..WAITS_MAX {
            let answer: Submitted = self.http.post("/v1/transactions?wait=final", &bytes).await?;
            if answer.state == "final" {
                return if self.anchor().is_some() {
                    self.prove(id, &bytes).await
                } else {
                    told(id, answer)
                };
            }
        }
        Err(ClientError::NotFinal(id))
    }

    async fn prove(&self, id: Hash, bytes: &[u8]) -> Result<Confirmed, ClientError> {
        let anchor = self.anchor().ok_or(ClientError::NoAnchor)?;
        let body: ProofBody = self.http.get(&format!("/v1/transactions/{id}/proof")).await?;
        let proof = TxProof {
            transaction: unhex(&body.transaction)?,
            receipt: unhex(&body.receipt)?,
            finality: verify::read(&unhex(&body.finality)?)?,
            in_block: verify::read(&unhex(&body.transaction_proof)?)?,
            in_receipts: verify::read(&unhex(&body.receipt_proof)?)?,
        };
        // The same transaction may have come in with other signatures that hold as well.
        let same = proof.transaction == bytes || {
            let other: Signed = verify::read(&proof.transaction)?;
            other.transaction.id() == id
        };
        if !same {
            return Err(ClientError::OtherThing("another transaction"));
        }
        let Checked { header, value } = verify::transaction(anchor, &proof)?;
        self.not_before(0, header.height)?;
        let (index, events) = value;
        Ok(Confirmed {
            id,
            height: header.height,
            index,
            time: TimeMs(header.time_ms),
            events,
            proven: true,
        })
    }
}

fn told(id: Hash, answer: Submitted) -> Result<Confirmed, ClientError> {
    let whole = || {
        Some(Confirmed {
            id,
            height: answer.height?,
            index: answer.index?,
            time: answer.time?.parse().ok()?,
            events: verify::read(&hex::decode(answer.receipt?).ok()?).ok()?,
            proven: false,
        })
    };
    whole().ok_or(ClientError::Nonsense("a final transaction without its place"))
}

fn unhex(text: &str) -> Result<Vec<u8>, ClientError> {
    hex::decode(text).map_err(|_| ClientError::Nonsense("a proof not in hexadecimal"))
}
