//! The way to a verifier: bytes there, bytes back. Nothing is read or decided here.

use cairn_types::intake::{ANSWER_BYTES_MAX, ENVELOPES_MAX, MEDIA_TYPE, PATH};
use cairn_types::{AccountId, PublicKey};
use futures::future::BoxFuture;
use std::time::Duration;

/// Whom to send to, and whose receipts count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    /// `http://host:port`
    pub url: String,
    pub account: AccountId,
    pub key: PublicKey,
}

/// What became of a batch on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The verifier answered each envelope: a sequence of answers.
    Answers(Vec<u8>),
    /// It took nothing and wants to be asked later.
    Busy { retry_after_ms: Option<u64> },
    /// It cannot read a batch of this form or length (400, 413).
    Unreadable { status: u16 },
    /// It was not reached, or is not a verifier.
    Unreachable(String),
}

pub trait Uplink: Send + Sync {
    fn send<'a>(&'a self, verifier: &'a Verifier, body: Vec<u8>) -> BoxFuture<'a, Delivery>;
    /// Returns after so many milliseconds.
    fn pause(&self, ms: u64) -> BoxFuture<'_, ()>;
}

/// HTTP with kept connections.
pub struct HttpUplink {
    client: reqwest::Client,
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
const BODY_BYTES_MAX: usize = ENVELOPES_MAX * ANSWER_BYTES_MAX;

impl HttpUplink {
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_TIMEOUT)
            .pool_max_idle_per_host(1)
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { client })
    }

    async fn post(&self, verifier: &Verifier, body: Vec<u8>) -> Result<Delivery, reqwest::Error> {
        let url = format!("{}{PATH}", verifier.url.trim_end_matches('/'));
        let post = self.client.post(url).header("content-type", MEDIA_TYPE).body(body);
        let mut response = post.send().await?;
        match response.status().as_u16() {
            200 => {}
            429 | 503 => {
                let seconds = response
                    .headers()
                    .get("retry-after")
                    .and_then(|value| value.to_str().ok());
                let seconds: Option<u64> = seconds.and_then(|text| text.trim().parse().ok());
                return Ok(Delivery::Busy {
                    retry_after_ms: seconds.map(|seconds| seconds.saturating_mul(1_000)),
                });
            }
            status @ (400 | 413) => return Ok(Delivery::Unreadable { status }),
            status => return Ok(Delivery::Unreachable(format!("it answered with status {status}"))),
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if bytes.len() + chunk.len() > BODY_BYTES_MAX {
                return Ok(Delivery::Unreachable("its answer is longer than any answer".into()));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Delivery::Answers(bytes))
    }
}

impl Uplink for HttpUplink {
    fn send<'a>(&'a self, verifier: &'a Verifier, body: Vec<u8>) -> BoxFuture<'a, Delivery> {
        Box::pin(async move {
            let posted = self.post(verifier, body).await;
            posted.unwrap_or_else(|error| Delivery::Unreachable(error.without_url().to_string()))
        })
    }

    fn pause(&self, ms: u64) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(Duration::from_millis(ms)))
    }
}
