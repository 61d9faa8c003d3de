//! Questions over HTTP with limits on time and size. Knows nothing of what the answers mean.

use crate::error::ClientError;
use reqwest::{Client, RequestBuilder, Response, Url, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Bytes of one answer.
const ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// For a connection to open.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
/// For an answer to be there; longer than a node lets anybody wait for finality.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(90);
/// Times a question is asked again when the node is busy.
const TRIES_MAX: u32 = 8;
/// Between two of them, if the node does not say.
const RETRY_WAIT: Duration = Duration::from_millis(200);
/// However long the node says.
const RETRY_WAIT_MAX: Duration = Duration::from_secs(5);

/// A node's address and the connections to it.
#[derive(Clone, Debug)]
pub struct Http {
    base: Url,
    client: Client,
}

/// The body of a refusal.
#[derive(Deserialize)]
struct Refusal {
    code: String,
    number: Option<u16>,
    message: String,
    hint: String,
}

/// A refusal, and when to come back.
struct Refused(ClientError, Option<Duration>);

impl Http {
    pub fn new(address: &str) -> Result<Self, ClientError> {
        let bad = || ClientError::Address(address.to_owned());
        let base = Url::parse(address).map_err(|_| bad())?;
        if base.cannot_be_a_base() || base.scheme() != "http" {
            return Err(bad());
        }
        let client = Client::builder()
            .connect_timeout(CONNECT_WAIT_MAX)
            .build()
            .map_err(broken)?;
        Ok(Self { base, client })
    }

    fn url(&self, path: &str) -> Result<Url, ClientError> {
        self.base.join(path).map_err(|_| ClientError::Address(path.to_owned()))
    }

    /// JSON from a path; asked again while the node is busy.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        read(&self.get_bytes(path).await?)
    }

    /// Bytes from a path; asked again while the node is busy.
    pub async fn get_bytes(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        let url = self.url(path)?;
        self.patiently(|| self.client.get(url.clone())).await
    }

    /// JSON for a transaction's bytes; sent again while the node is busy.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, bytes: &[u8]) -> Result<T, ClientError> {
        let url = self.url(path)?;
        let request = || {
            let request = self.client.post(url.clone()).body(bytes.to_vec());
            request.header(header::CONTENT_TYPE, "application/cbor")
        };
        read(&self.patiently(request).await?)
    }

    /// An answer that goes on: no limit on its time, the reader sets that on its size.
    pub async fn open(&self, path: &str) -> Result<Response, ClientError> {
        let response = self.client.get(self.url(path)?).send().await.map_err(broken)?;
        if response.status().is_success() {
            return Ok(response);
        }
        let Refused(error, _) = refused(response).await;
        Err(error)
    }

    async fn patiently(&self, request: impl Fn() -> RequestBuilder) -> Result<Vec<u8>, ClientError> {
        let mut tries = 1;
        loop {
            let response = request().timeout(ANSWER_WAIT_MAX).send().await.map_err(broken)?;
            if response.status().is_success() {
                return body(response).await;
            }
            let Refused(error, after) = refused(response).await;
            if !error.is_passing() || tries == TRIES_MAX {
                return Err(error);
            }
            tries += 1;
            tokio::time::sleep(after.unwrap_or(RETRY_WAIT).min(RETRY_WAIT_MAX)).await;
        }
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(bytes).map_err(|_| ClientError::Nonsense("not the JSON that was expected"))
}

async fn refused(response: Response) -> Refused {
    let status = response.status().as_u16();
    let after = response.headers().get(header::RETRY_AFTER);
    let after = after
        .and_then(|after| after.to_str().ok()?.parse().ok())
        .map(Duration::from_secs);
    let error = match body(response).await {
        Err(error) => error,
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(Refusal {
                code,
                number,
                message,
                hint,
            }) => ClientError::Refused {
                status,
                code,
                number,
                message,
                hint,
            },
            Err(_) => ClientError::Nonsense("neither an answer nor a refusal"),
        },
    };
    Refused(error, after)
}

async fn body(mut response: Response) -> Result<Vec<u8>, ClientError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(ClientError::Nonsense("an answer without end"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

pub fn broken(error: reqwest::Error) -> ClientError {
    if error.is_timeout() {
        ClientError::TooSlow
    } else {
        // Without the address: it may hold a password.
        ClientError::Unreachable(error.without_url().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_plain_http_one() {
        assert!(Http::new("http://127.0.0.1:8640").is_ok());
        for bad in ["", "127.0.0.1:8640", "https://node", "file:///tmp", "mailto:a@b"] {
            assert_eq!(Http::new(bad).err(), Some(ClientError::Address(bad.into())));
        }
    }
}
