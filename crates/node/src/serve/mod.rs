//! The HTTP API: what this node knows, as JSON, and the way in for transactions. Every answer says the height it holds for;
//! nothing here changes the state.

mod ask;
mod blocks;
mod chain;
mod error;
mod events;
mod export;
mod ledger;
mod listener;
mod metrics;
mod routes;
mod transactions;

pub use chain::FORESEEN;
pub use error::ApiError;
pub use listener::{Caller, HttpLimits, run as listen};
pub use routes::{ROUTES, reading};
pub use transactions::from_json;

use crate::eras::Eras;
use crate::follow::Follower;
use crate::mempool::SharedPool;
use crate::mempool::admission::Admission;
use crate::state::{State, StateError};
use crate::upgrades::Rules;
use axum::extract::{Request, State as Shared};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use cairn_engine::{AskError, Handle};
use cairn_ledger::Genesis;
use metrics::Metrics;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// What the API answers from.
pub struct Service {
    pub chain: Handle,
    pub state: State,
    pub admission: Admission,
    pub pool: Arc<SharedPool>,
    pub follower: Arc<Follower>,
    pub genesis: Arc<Genesis>,
    /// For a later era: those before it.
    pub eras: Option<Eras>,
    pub rules: watch::Receiver<Rules>,
    /// How many validators the chain has.
    pub validators: usize,
    pub limits: HttpLimits,
    pub stop: watch::Receiver<bool>,
}

/// A service and what it counts.
pub(crate) struct Desk {
    pub service: Service,
    pub metrics: Metrics,
    pub streams: Arc<Semaphore>,
}

/// The answer of every route.
pub(crate) type Answer = Result<Response, ApiError>;

/// Serves until told to stop.
pub async fn run(listener: TcpListener, service: Service, stop: watch::Receiver<bool>) {
    let limits = service.limits;
    let desk = Arc::new(Desk {
        metrics: Metrics::new(),
        streams: Arc::new(Semaphore::new(limits.streams_max)),
        service,
    });
    let router = routes::router(limits.body_bytes_max)
        .layer(middleware::from_fn_with_state(desk.clone(), in_time))
        .with_state(desk);
    listener::run(listener, router, limits, stop).await;
}

/// Ends what takes too long, and counts.
async fn in_time(Shared(desk): Shared<Arc<Desk>>, request: Request, next: Next) -> Response {
    let answered = tokio::time::timeout(desk.service.limits.answer_wait_max, next.run(request)).await;
    let response = answered.unwrap_or_else(|_| {
        ApiError::new(
            StatusCode::REQUEST_TIMEOUT,
            "too_slow",
            "the request was not there, or its answer not found, in time",
            "send the body at once; ask again, or for less",
        )
        .into_response()
    });
    desk.metrics.answered(response.status());
    response
}

impl From<AskError> for ApiError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::UnknownBlock(_) => Self::not_found("block"),
            AskError::UnknownPart(_) => Self::not_found("part"),
            AskError::Pruned => {
                let hint = "begin anew with the newest state (GET /v1/state)";
                Self::new(StatusCode::GONE, "pruned", error.to_string(), hint)
            }
            AskError::TooManyKeys => Self::bad_request("too_many", error.to_string(), "ask for less at once"),
            AskError::Ended | AskError::NoBlock | AskError::NoCertificate(_) | AskError::Moved => {
                Self::unavailable(error.to_string())
            }
        }
    }
}

impl From<StateError> for ApiError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Ask(error) => error.into(),
            StateError::TooMuch => Self::bad_request("too_many", error.to_string(), "ask for less at once"),
        }
    }
}
