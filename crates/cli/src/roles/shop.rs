//! A gateway over HTTP, as its customer asks it: patient while it is busy, and its refusals as failures of their kind.

use crate::error::{Failure, Kind, OrFail};
use cairn_gateway::api_key::ApiKey;
use cairn_gateway::faces::{ErrorFace, HealthFace, KeyFace, QuoteFace, QuoteRequest};
use cairn_types::AccountId;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use std::io::Write;
use std::time::Duration;

/// Times a busy gateway is asked.
const TRIES_MAX: u32 = 8;
/// Between two of them.
const RETRY_WAIT: Duration = Duration::from_secs(1);
/// Bytes of an answer that is not data.
const ANSWER_BYTES_MAX: usize = 1 << 20;

pub struct Shop {
    url: String,
    http: Client,
}

impl Shop {
    pub fn at(url: &str) -> Result<Self, Failure> {
        let http = Client::builder().connect_timeout(Duration::from_secs(10)).build();
        Ok(Self {
            url: url.trim_end_matches('/').to_owned(),
            http: http.or_fail(Kind::Internal, "an HTTP client")?,
        })
    }

    pub async fn quote(&self, request: &QuoteRequest) -> Result<QuoteFace, Failure> {
        let body = serde_json::to_vec(request).or_fail(Kind::Internal, "the question")?;
        let answer = bounded(self.post("/v1/quotes", body).await?).await?;
        serde_json::from_slice(&answer).or_fail(Kind::Unreachable, "the quote")
    }

    /// Writes the data that a purchase pays for; answers its bytes.
    pub async fn fetch(&self, purchase: Vec<u8>, into: &mut impl Write) -> Result<u64, Failure> {
        let mut response = self.post("/v1/queries", purchase).await?;
        let mut bytes = 0;
        while let Some(chunk) = response
            .chunk()
            .await
            .or_fail(Kind::Unreachable, "the data ended early")?
        {
            into.write_all(&chunk)
                .or_fail(Kind::Files, "the data cannot be written")?;
            bytes += chunk.len() as u64;
        }
        Ok(bytes)
    }

    /// Whose account it is.
    pub async fn account(&self) -> Result<AccountId, Failure> {
        let answer = self.send(|| self.http.get(format!("{}/v1/health", self.url))).await?;
        let health: Option<HealthFace> = serde_json::from_slice(&bounded(answer).await?).ok();
        let account = health.and_then(|health| health.account.parse().ok());
        account.ok_or_else(|| {
            let failure = Failure::new(
                Kind::Unreachable,
                format!("{} is no gateway that knows API keys", self.url),
            );
            failure.hint("name one with --gateway URL")
        })
    }

    /// What becomes of an API key that is asked about (GET) or closed (DELETE).
    pub async fn key(&self, method: Method, key: &ApiKey) -> Result<KeyFace, Failure> {
        let text = key.text();
        let request = || {
            let request = self.http.request(method.clone(), format!("{}/v1/key", self.url));
            request.bearer_auth(text.as_str())
        };
        let answer = bounded(self.send(request).await?).await?;
        serde_json::from_slice(&answer).or_fail(Kind::Unreachable, "the key's state")
    }

    async fn post(&self, path: &str, body: Vec<u8>) -> Result<Response, Failure> {
        let url = format!("{}{path}", self.url);
        let request = || {
            let request = self.http.post(&url).header("content-type", "application/json");
            request.body(body.clone())
        };
        self.send(request).await
    }

    async fn send(&self, request: impl Fn() -> RequestBuilder) -> Result<Response, Failure> {
        let mut tries = 1;
        loop {
            let response = request().send().await.map_err(|error| {
                Failure::new(Kind::Unreachable, format!("the gateway cannot be reached: {error}"))
                    .hint("say where it is: `cairn config set --gateway URL`")
            })?;
            let status = response.status();
            if status.is_success() {
                return Ok(response);
            }
            let busy = matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
            if !busy || tries == TRIES_MAX {
                return Err(refused(status, &bounded(response).await?));
            }
            tries += 1;
            tokio::time::sleep(RETRY_WAIT).await;
        }
    }
}

async fn bounded(mut response: Response) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response
        .chunk()
        .await
        .or_fail(Kind::Unreachable, "the gateway's answer")?
    {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Failure::new(Kind::Unreachable, "an answer without end"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// A refusal by its status and words.
fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let face: Option<ErrorFace> = serde_json::from_slice(body).ok();
    let message = face
        .as_ref()
        .map_or_else(|| format!("the gateway answers {status}"), |face| face.message.clone());
    match (status.as_u16(), face) {
        (402, _) => Failure::new(Kind::Insufficient, message).hint("cairn credits buy --stable USD"),
        (404, Some(face)) => Failure::new(Kind::NotFound, message).hint(face.hint),
        (400..=499, Some(face)) => Failure::new(Kind::Refused, message).hint(face.hint),
        (_, Some(face)) => Failure::new(Kind::Unreachable, message).hint(face.hint),
        (_, None) => Failure::new(Kind::Unreachable, message).hint("check that the address is a gateway's"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_kind_of_its_status() {
        let face = br#"{"code":"x","message":"no","hint":"do"}"#;
        for (status, body, kind) in [
            (402, face.as_slice(), Kind::Insufficient),
            (404, face.as_slice(), Kind::NotFound),
            (409, face.as_slice(), Kind::Refused),
            (503, face.as_slice(), Kind::Unreachable),
            (404, b"<html>".as_slice(), Kind::Unreachable),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(refused(status, body).kind, kind, "{status}");
        }
        assert!(
            refused(StatusCode::PAYMENT_REQUIRED, face)
                .hint
                .unwrap()
                .starts_with("cairn credits buy")
        );
    }
}
