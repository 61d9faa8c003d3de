//! The door of the verifiers, where a gateway says for which devices a customer paid. Never decides what is said.

use cairn_types::codec;
use cairn_verifier::meters::SignedMeters;
use std::time::Duration;
use thiserror::Error;

/// A record that was not taken.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum MeterPostError {
    #[error("a verifier cannot take meters now: {0}")]
    Later(String),
    #[error("a verifier refuses the meters: {0}")]
    Refused(String),
}

pub trait Meters: Send + Sync {
    /// Returns when every verifier has the record on disk. The same record may be posted again.
    fn post(&self, record: &SignedMeters) -> Result<(), MeterPostError>;
}

/// Verifiers over HTTP. Called from threads that may block.
pub struct HttpMeters {
    verifiers: Vec<String>,
    client: reqwest::Client,
    runtime: tokio::runtime::Handle,
}

const WAIT_MAX: Duration = Duration::from_secs(10);
const ANSWER_SHOWN_BYTES_MAX: usize = 300;

impl HttpMeters {
    /// `verifiers` are base addresses: `http://host:port`.
    pub fn new(verifiers: Vec<String>, runtime: tokio::runtime::Handle) -> Self {
        let client = reqwest::Client::builder().timeout(WAIT_MAX).build();
        Self {
            verifiers,
            client: client.expect("a client without certificates or proxies is always built"),
            runtime,
        }
    }

    async fn send(&self, verifier: &str, body: Vec<u8>) -> Result<(), MeterPostError> {
        let url = format!("{}/v1/meters", verifier.trim_end_matches('/'));
        let later = |error: reqwest::Error| MeterPostError::Later(error.to_string());
        let request = self
            .client
            .post(url)
            .header("content-type", "application/cbor")
            .body(body);
        let mut answer = request.send().await.map_err(later)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let mut said = Vec::new();
        while let Ok(Some(chunk)) = answer.chunk().await {
            said.extend(chunk);
            if said.len() > ANSWER_SHOWN_BYTES_MAX {
                said.truncate(ANSWER_SHOWN_BYTES_MAX);
                break;
            }
        }
        let said = format!("{status} {}", String::from_utf8_lossy(&said));
        // The order may not have reached the verifier's view of the ledger yet: 404 is not final.
        let is_final = status.is_client_error() && ![404, 408, 409, 425, 429].contains(&status.as_u16());
        Err(if is_final {
            MeterPostError::Refused(said)
        } else {
            MeterPostError::Later(said)
        })
    }
}

impl Meters for HttpMeters {
    fn post(&self, record: &SignedMeters) -> Result<(), MeterPostError> {
        let body = codec::encode(record);
        self.runtime.block_on(async {
            for verifier in &self.verifiers {
                self.send(verifier, body.clone()).await?;
            }
            Ok(())
        })
    }
}
