//! What a watcher tells of itself: whether it lives, and how many disputes it saw, judged and opened. Only reads; decides nothing.

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use cairn_agent::port::guard::Guard;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// Connections at once.
const CONNECTIONS_MAX: usize = 64;
/// How long a request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// The counters of a watcher. Clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    pub disputes: Gauge,
    pub votes: Counter,
    pub against: Counter,
    pub audited: Counter,
    pub wrong: Counter,
    pub opened: Counter,
    pub unfetched: Counter,
    pub handed: Counter,
    pub unspread: Counter,
    pub failures: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("cairn_watch");
        let counter = |registry: &mut Registry, name: &'static str, help: &'static str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let disputes = Gauge::default();
        registry.register("disputes_open", "Open disputes of all networks", disputes.clone());
        let count = &mut registry;
        let votes = counter(count, "votes", "Votes given on disputes");
        let against = counter(count, "votes_against", "Votes for another result than the settled one");
        let audited = counter(count, "epochs_audited", "Settled epochs recomputed without a dispute");
        let wrong = counter(
            count,
            "epochs_wrong",
            "Settled results that are not what their epoch comes to",
        );
        let opened = counter(count, "disputes_opened", "Disputes opened");
        let unfetched = counter(
            count,
            "files_missing",
            "Times an epoch's files could not be had from anybody",
        );
        let handed = counter(
            count,
            "files_handed",
            "Anchored files given to verifiers that lacked them",
        );
        let unspread = counter(
            count,
            "unspread",
            "Times it waited with a vote or a dispute until more verifiers have the files",
        );
        let failures = counter(count, "failures", "Times the node or the ledger kept it from its work");
        Self {
            registry: Arc::new(registry),
            disputes,
            votes,
            against,
            audited,
            wrong,
            opened,
            unfetched,
            handed,
            unspread,
            failures,
        }
    }
}

impl Metrics {
    fn text(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).expect("writing into memory cannot fail");
        text
    }
}

/// Serves until `stop` is done.
pub async fn serve(
    listener: TcpListener,
    metrics: Metrics,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let routes = Router::new()
        .route("/v1/health", get(|| async { "ok" }))
        .route("/metrics", get(told))
        .with_state(metrics);
    let guard = Guard::new(listener, CONNECTIONS_MAX, PATIENCE);
    axum::serve(guard, routes).with_graceful_shutdown(stop).await
}

async fn told(State(metrics): State<Metrics>) -> Response {
    let form = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, form)], metrics.text()).into_response()
}
