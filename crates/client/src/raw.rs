//! Records by key and vouchers by block, for those who read with the ledger's own getters: auditors, and verifiers on another
//! machine than the node.

use crate::error::ClientError;
use crate::node::{NodeClient, RECORDS_MAX};
use crate::verify;
use cairn_ledger::store::Key;
use cairn_types::{Credit, Hash, OrderId};
use serde::Deserialize;

/// A voucher that a block's transaction settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettledVoucher {
    pub order: OrderId,
    /// What it paid above the voucher before it.
    pub paid: Credit,
    pub meters: Hash,
}

#[derive(Deserialize)]
struct BlockBody {
    transactions: Vec<TransactionBody>,
}

#[derive(Deserialize)]
struct TransactionBody {
    events: Vec<EventBody>,
}

#[derive(Deserialize)]
struct EventBody {
    kind: String,
    order: Option<String>,
    paid: Option<String>,
    meters: Option<String>,
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

    /// The bytes under a key, or that there are none: proven, or an error.
    pub async fn raw_proven(&self, key: &Key) -> Result<(u64, Option<Vec<u8>>), ClientError> {
        let anchor = self.anchor().ok_or(ClientError::NoAnchor)?;
        let body: ProofBody = self.http.get(&format!("/v1/proofs/{}", hex::encode(key.0))).await?;
        let proof = hex::decode(body.proof).map_err(|_| ClientError::Nonsense("a proof not in hexadecimal"))?;
        let seen = verify::bytes(anchor, key, &proof)?;
        Ok((seen.header.height, seen.value))
    }

    /// The vouchers that a block's transactions settled, in order, on the node's word: whoever asks holds them against the chain of
    /// hashes in the epoch's pool.
    pub async fn settled(&self, height: u64) -> Result<Vec<SettledVoucher>, ClientError> {
        let block: BlockBody = self.http.get(&format!("/v1/blocks/{height}")).await?;
        let events = block
            .transactions
            .into_iter()
            .flat_map(|transaction| transaction.events);
        events
            .filter(|event| event.kind == "order_settled")
            .map(|event| voucher(&event))
            .collect()
    }
}

fn voucher(event: &EventBody) -> Result<SettledVoucher, ClientError> {
    let wrong = || ClientError::Nonsense("a settled order without its fields");
    let field = |field: &Option<String>| field.clone().ok_or_else(wrong);
    Ok(SettledVoucher {
        order: field(&event.order)?.parse().map_err(|_| wrong())?,
        paid: Credit(field(&event.paid)?.parse().map_err(|_| wrong())?),
        meters: field(&event.meters)?.parse().map_err(|_| wrong())?,
    })
}
