//! The gateway's face over HTTP, and the task that winds sales up. Reads bounded bodies, runs the synchronous gateway on threads that
//! may block, streams files; decides nothing but sizes and how many at once.
//!
//! ```text
//! POST /v1/quotes   POST /v1/queries   POST GET /v1/claims   POST /v1/promises   GET /v1/health  /v1/openapi.json  /metrics
//! GET /v1/price   GET /v1/data   GET DELETE /v1/key: with addresses and headers only, as any program asks
//! ```

mod bearer;
mod body;
mod metrics;

pub use metrics::Metrics;

use crate::export::Format;
use crate::faces::{ErrorFace, HealthFace, PurchaseRequest, QuoteFace, QuoteRequest};
use crate::gateway::{Delivery, Gateway, OpenError};
use crate::ledger::Ledger;
use crate::limits::{BODY_BYTES_MAX, Limits};
use crate::meters::Meters;
use crate::openapi;
use crate::refusal::{Kind, Refusal};
use crate::treasurer::Identity;
use axum::body::to_bytes;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use cairn_verifier::disk::Disk;
use cairn_verifier::http::{Guarded, Timeouts};
use cairn_verifier::objects::Objects;
use serde::de::DeserializeOwned;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinHandle, spawn_blocking};

/// Told to those who shall come back later.
const RETRY_SECONDS: u32 = 2;

/// For requests under way to end at a shutdown.
const DRAIN_WAIT_MAX: Duration = Duration::from_secs(10);

/// Rows and credits of a file, beside it.
const ROWS: HeaderName = HeaderName::from_static("x-cairn-rows");
const CREDITS: HeaderName = HeaderName::from_static("x-cairn-credits");

/// How a gateway runs.
#[derive(Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    pub identity: Identity,
    pub limits: Limits,
    pub timeouts: Timeouts,
    pub connections_max: usize,
    /// How often sales that were interrupted are taken up again.
    pub wind_up_every: Duration,
}

impl Settings {
    /// On this machine only, on a free port.
    pub fn local(identity: Identity) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            identity,
            limits: Limits::default(),
            timeouts: Timeouts {
                idle: Duration::from_secs(30),
                request: Duration::from_secs(180),
            },
            connections_max: 256,
            wind_up_every: Duration::from_secs(5),
        }
    }
}

/// A gateway that cannot start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("cannot listen on {address}: {error}")]
    Listen { address: SocketAddr, error: std::io::Error },
    #[error("the gateway's task ended while it started")]
    Ended,
}

/// A running gateway. Dropped, it ends as well, unwaited for.
pub struct Handle {
    url: String,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    winding: JoinHandle<()>,
}

impl Handle {
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Takes no more requests, lets those under way end for a while, and winds up no more. What is left waits in the journal.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(DRAIN_WAIT_MAX, &mut self.server).await.is_err() {
            self.server.abort();
        }
        // It ends by itself; a panic of its was logged.
        let _ = self.winding.await;
    }
}

/// What all requests share.
struct Shared {
    gateway: Arc<Gateway>,
    ledger: Arc<dyn Ledger>,
    limits: Limits,
    queries: Arc<Semaphore>,
    metrics: Metrics,
}

/// Opens the journal, winds up what an earlier life began, and serves.
pub async fn start(
    settings: Settings,
    ledger: Arc<dyn Ledger>,
    objects: Arc<dyn Objects>,
    meters: Arc<dyn Meters>,
    disk: Box<dyn Disk>,
) -> Result<Handle, StartError> {
    let Settings {
        listen,
        identity,
        limits,
        timeouts,
        connections_max,
        wind_up_every,
    } = settings;
    let asked = ledger.clone();
    let opened = spawn_blocking(move || Gateway::open(asked, objects, meters, disk, identity, limits)).await;
    let gateway = Arc::new(opened.map_err(|_| StartError::Ended)??);
    let failed = |error| StartError::Listen { address: listen, error };
    let listener = TcpListener::bind(listen).await.map_err(failed)?;
    let url = format!("http://{}", listener.local_addr().map_err(failed)?);
    let shared = Arc::new(Shared {
        gateway: gateway.clone(),
        ledger,
        limits,
        queries: Arc::new(Semaphore::new(limits.queries_max)),
        metrics: Metrics::default(),
    });
    let (stop, stopped) = watch::channel(false);
    let winding = tokio::spawn(wind_up(gateway, shared.metrics.clone(), wind_up_every, stopped.clone()));
    let guarded = Guarded::new(listener, timeouts, connections_max);
    let server = tokio::spawn(async move {
        let until = async move {
            let mut stopped = stopped;
            // A dropped sender stops as well.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let served = axum::serve(guarded, router(shared)).with_graceful_shutdown(until).await;
        if let Err(error) = served {
            tracing::error!(%error, "the gateway serves no more");
        }
    });
    Ok(Handle {
        url,
        stop,
        server,
        winding,
    })
}

async fn wind_up(gateway: Arc<Gateway>, metrics: Metrics, every: Duration, mut stopped: watch::Receiver<bool>) {
    loop {
        let working = gateway.clone();
        if let Ok((left, keys)) = spawn_blocking(move || (working.wind_up(), working.keys())).await {
            metrics.pending(left, keys);
        }
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/quotes", post(quotes))
        .route("/v1/queries", post(queries))
        .route("/v1/price", get(bearer::price))
        // What a HEAD would pay for nobody would get.
        .route("/v1/data", get(bearer::data).head(|| async { not_found() }))
        .route("/v1/key", get(bearer::key).delete(bearer::close))
        .route("/v1/claims", post(claim).get(claims))
        .route("/v1/promises", post(promise))
        .route("/v1/health", get(health))
        .route("/v1/openapi.json", get(|| async { Json(openapi::document()) }))
        .route("/metrics", get(metrics_text))
        .fallback(|| async { not_found() })
        .method_not_allowed_fallback(|| async { not_found() })
        .with_state(shared)
}

async fn quotes(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let quoted = async {
        let asked: QuoteRequest = read(request).await?;
        let (query, customer) = asked.read()?;
        let (quote, _) = shared
            .run(move |gateway, stop| gateway.quote(&query, customer.as_ref(), stop))
            .await?;
        shared.metrics.quoted();
        Ok(Json(QuoteFace::from(&quote)).into_response())
    };
    shared.answer(quoted.await)
}

async fn queries(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let delivered = async {
        let asked: PurchaseRequest = read(request).await?;
        let (ask, format) = asked.read()?;
        let (delivery, place) = shared.run(move |gateway, stop| gateway.sell(&ask, stop)).await?;
        shared.metrics.delivered(&delivery);
        Ok(file(delivery, format, place))
    };
    shared.answer(delivered.await)
}

/// The file as a stream; its place among the queries is free again when it is written.
fn file(delivery: Delivery, format: Format, place: OwnedSemaphorePermit) -> Response {
    let headers = [
        (header::CONTENT_TYPE, format.media_type().to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"readings.{}\"", format.name()),
        ),
        (ROWS, delivery.answer.len().to_string()),
        (CREDITS, delivery.credits.to_string()),
    ];
    (headers, body::stream(delivery.answer, format, place)).into_response()
}

/// A claim on packets, as CBOR.
async fn claim(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let taken = async {
        let bytes = body_of(request).await?;
        let ((), _place) = shared.run(move |gateway, _| gateway.take_claim(&bytes)).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    shared.answer(taken.await)
}

/// The claims on a network's packets, as CBOR.
async fn claims(State(shared): State<Arc<Shared>>, Query(asked): Query<ClaimsOf>) -> Response {
    let answered = async {
        let network = asked.network.parse().map_err(|error| {
            let hint = "name the network: /v1/claims?network=ID";
            Refusal::new(Kind::Invalid, "request_invalid", format!("network: {error}"), hint)
        })?;
        let (bytes, _) = shared.run(move |gateway, _| gateway.claims(&network)).await?;
        Ok(([(header::CONTENT_TYPE, "application/cbor")], bytes).into_response())
    };
    shared.answer(answered.await)
}

#[derive(serde::Deserialize)]
struct ClaimsOf {
    network: String,
}

/// A promise that pays for packets, as CBOR.
async fn promise(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let taken = async {
        let bytes = body_of(request).await?;
        let ((), _place) = shared.run(move |gateway, _| gateway.take_promise(&bytes)).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    shared.answer(taken.await)
}

async fn health(State(shared): State<Arc<Shared>>) -> Response {
    let ledger = shared.ledger.clone();
    let head = spawn_blocking(move || ledger.head()).await;
    let head = head.ok().and_then(Result::ok);
    let face = HealthFace {
        status: if head.is_some() {
            "ok"
        } else {
            "the ledger does not answer"
        }
        .to_owned(),
        chain: shared.gateway.chain().chain.to_string(),
        account: shared.gateway.account().to_string(),
        time: head.map(|head| head.time).unwrap_or_default().to_string(),
        pending: shared.gateway.pending() as u64,
        keys: shared.gateway.keys() as u64,
    };
    let status = if head.is_some() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(face)).into_response()
}

async fn metrics_text(State(shared): State<Arc<Shared>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], shared.metrics.text()).into_response()
}

fn not_found() -> Response {
    Refusal::new(
        Kind::NotFound,
        "not_found",
        "there is nothing here for this method",
        "see /v1/openapi.json for what is",
    )
    .into_response()
}

/// A body of limited length.
async fn body_of(request: Request) -> Result<Bytes, Refusal> {
    to_bytes(request.into_body(), BODY_BYTES_MAX).await.map_err(|_| {
        Refusal::new(
            Kind::TooLarge,
            "body_too_long",
            format!("a request has at most {BODY_BYTES_MAX} bytes, and all that it announces"),
            "name fewer, coarser cells",
        )
    })
}

/// A body of limited length as JSON.
async fn read<T: DeserializeOwned>(request: Request) -> Result<T, Refusal> {
    let bytes = body_of(request).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        Refusal::new(
            Kind::Invalid,
            "request_invalid",
            format!("not a request: {error}"),
            "see /v1/openapi.json for the form of a request",
        )
    })
}

/// Tells the work to stop when nobody waits for it any more.
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    /// Runs the gateway on a thread that may block, if there is a place; the place lasts until the work is done.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Gateway, &AtomicBool) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<(T, OwnedSemaphorePermit), Refusal> {
        let place = self.queries.clone().try_acquire_owned().map_err(|_| {
            Refusal::new(
                Kind::Busy,
                "busy",
                "as many queries as may be are being answered",
                "wait as long as Retry-After says, then ask again",
            )
        })?;
        let stop = Arc::new(AtomicBool::new(false));
        let stop_at_end = StopOnDrop(stop.clone());
        let gateway = self.gateway.clone();
        let working = spawn_blocking(move || work(&gateway, &stop).map(|done| (done, place)));
        let scan_wait_max = self.limits.scan_wait_max;
        tokio::pin!(working);
        let done = match tokio::time::timeout(scan_wait_max, working.as_mut()).await {
            Ok(done) => done,
            // Reading stops soon; money on its way is waited for.
            Err(_) => {
                drop(stop_at_end);
                working.await
            }
        };
        done.unwrap_or_else(|_| Err(Refusal::ask_again("failed", "the gateway failed at this request")))
    }

    fn answer(&self, answer: Result<Response, Refusal>) -> Response {
        answer.unwrap_or_else(|refusal| {
            self.metrics.refused(refusal.code);
            refusal.into_response()
        })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self.kind {
            Kind::Invalid => StatusCode::BAD_REQUEST,
            Kind::Unauthorized => StatusCode::UNAUTHORIZED,
            Kind::Insufficient => StatusCode::PAYMENT_REQUIRED,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::Busy => StatusCode::TOO_MANY_REQUESTS,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let face = Json(ErrorFace::from(&self));
        if matches!(self.kind, Kind::Busy | Kind::Unavailable) {
            return (status, [(header::RETRY_AFTER, RETRY_SECONDS.to_string())], face).into_response();
        }
        if self.kind == Kind::Unauthorized {
            return (status, [(header::WWW_AUTHENTICATE, "Bearer")], face).into_response();
        }
        (status, face).into_response()
    }
}
