//! The verifier's face: reports and meters in, receipts and archives out. Reads bounded bodies, hands them over, words the answer;
//! decides nothing but rates and sizes.
//!
//! ```text
//! POST /v1/reports   POST /v1/meters   GET /v1/health  /v1/status  /v1/findings/…  /v1/archive/…  /metrics
//! PUT  /v1/archive/…                     /v1/attestations/…  /v1/withheld/…  /v1/differences/…
//! ```

mod guard;
mod handed;
mod rate;
mod read;
mod reports;
#[cfg(test)]
pub mod tests;

pub use guard::{Guarded, Peer, Timeouts};
pub use handed::Desk;
pub use rate::{Rate, Rates, household};

use crate::chain::Chain;
use crate::clock::Clock;
use crate::mailbox::Mailbox;
use crate::metrics::Metrics;
use crate::objects::Objects;
use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use cairn_types::{AccountId, ChainId, EpochNumber, NetworkId};
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};

/// Requests that read the archive at once; more wait.
const READERS_MAX: usize = 4;

/// Where each network stands, for `/v1/status`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub network: NetworkId,
    pub epoch: EpochNumber,
    pub stage: &'static str,
}

/// What all requests share.
pub struct Shared {
    pub chain: ChainId,
    pub verifier: AccountId,
    pub mailbox: Mailbox,
    pub metrics: Metrics,
    pub clock: Arc<dyn Clock>,
    pub objects: Arc<dyn Objects>,
    pub networks: Vec<NetworkId>,
    pub standing: Arc<Mutex<Vec<Standing>>>,
    pub rate: Mutex<rate::Rates>,
    pub readers: Semaphore,
    /// What anchored files that others hand on are held against, and where they arrive.
    pub ledger: Arc<dyn Chain>,
    pub desk: Desk,
    /// Told to those who shall come back later.
    pub retry_seconds: u32,
}

impl Shared {
    pub fn readers() -> Semaphore {
        Semaphore::new(READERS_MAX)
    }

    pub fn rates(rate: Rate) -> Mutex<rate::Rates> {
        Mutex::new(rate::Rates::new(rate))
    }
}

pub fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/reports", post(reports::post_reports))
        .route("/v1/meters", post(reports::post_meters))
        .route("/v1/health", get(read::health))
        .route("/v1/status", get(read::status))
        .route("/v1/findings/{device}", get(read::findings))
        .route(
            "/v1/archive/{network}/{epoch}/{file}",
            get(read::archive_file).head(handed::head).put(handed::put),
        )
        .route("/v1/attestations/{network}/{epoch}", get(read::attestations))
        .route("/v1/withheld/{network}/{epoch}", get(read::withheld))
        .route("/v1/differences/{network}/{epoch}", get(read::differences))
        .route("/metrics", get(read::metrics))
        .with_state(shared)
}

/// Serves until told to stop; requests under way are answered.
pub async fn serve(
    listener: TcpListener,
    timeouts: Timeouts,
    connections_max: usize,
    shared: Arc<Shared>,
    stop: oneshot::Receiver<()>,
) -> std::io::Result<()> {
    let guarded = Guarded::new(listener, timeouts, connections_max);
    let service = router(shared).into_make_service_with_connect_info::<Peer>();
    let stopped = async {
        // A dropped sender stops as well.
        let _ = stop.await;
    };
    axum::serve(guarded, service).with_graceful_shutdown(stopped).await
}

/// A refusal of a whole request, for machines and people.
pub struct Refused {
    pub status: StatusCode,
    pub code: &'static str,
    pub text: String,
    pub retry_seconds: Option<u32>,
}

impl Refused {
    pub fn new(status: StatusCode, code: &'static str, text: impl Into<String>) -> Self {
        Self {
            status,
            code,
            text: text.into(),
            retry_seconds: None,
        }
    }

    /// Nothing was taken; the same may be sent again after so many seconds.
    pub fn later(status: StatusCode, code: &'static str, text: impl Into<String>, seconds: u32) -> Self {
        Self {
            retry_seconds: Some(seconds),
            ..Self::new(status, code, text)
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = axum::Json(json!({ "code": self.code, "text": self.text }));
        match self.retry_seconds {
            Some(seconds) => (self.status, [(header::RETRY_AFTER, seconds.to_string())], body).into_response(),
            None => (self.status, body).into_response(),
        }
    }
}
