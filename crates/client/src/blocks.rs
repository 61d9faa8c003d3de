//! Final blocks as a node hands them over: a header, transactions, perhaps a certificate. Nothing of it is believed here: who follows
//! a chain checks links, certificates and roots.

use crate::error::ClientError;
use crate::node::NodeClient;
use cairn_engine::Header;
use serde::Deserialize;

/// A block as a node tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenBlock {
    pub header: Header,
    /// Of this very block, if there is one.
    pub certificate: Option<Vec<u8>>,
    /// The transactions' bytes, in order.
    pub txs: Vec<Vec<u8>>,
}

#[derive(Deserialize)]
struct BlockBody {
    header_bytes: String,
    certificate: Option<String>,
    transactions: Vec<TxBody>,
}

#[derive(Deserialize)]
struct TxBody {
    bytes: String,
}

impl NodeClient {
    /// The block of a height; `None` when the node has none there, yet or any more.
    pub async fn block(&self, height: u64) -> Result<Option<TakenBlock>, ClientError> {
        let body: BlockBody = match self.http.get(&format!("/v1/blocks/{height}")).await {
            Ok(body) => body,
            Err(ClientError::Refused { status: 404, .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let unhex = |text: &String| hex::decode(text).map_err(|_| ClientError::Nonsense("a block not in hexadecimal"));
        let header = Header::decode(&unhex(&body.header_bytes)?).map_err(|_| ClientError::Nonsense("not a header"))?;
        Ok(Some(TakenBlock {
            header,
            certificate: body.certificate.as_ref().map(unhex).transpose()?,
            txs: body
                .transactions
                .iter()
                .map(|tx| unhex(&tx.bytes))
                .collect::<Result<_, _>>()?,
        }))
    }

    /// The bytes of an answer to a question that another service passes on.
    pub async fn passed_on(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        self.http.get_bytes(path).await
    }
}
