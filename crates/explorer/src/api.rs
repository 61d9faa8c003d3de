//! The API: every answer out of one state of the index. The list of routes is what `openapi.json` must say, no more and no less (a test
//! compares). Changes nothing but what it passes on, signed, to node and gateway.

mod accounts;
mod answer;
mod ask;
pub mod audit;
mod blocks;
mod cbor;
mod chain;
mod devices;
mod door;
mod epochs;
mod error;
mod faces;
mod live;
mod metrics;
mod networks;
mod operators;
mod parameters;
mod pass;
mod people;
mod preview;
mod readings;
mod search;
#[cfg(test)]
pub mod stand;
mod standings;
mod tax;
mod webhooks;

pub use door::{CONTENT_POLICY, Door};
pub use error::ApiError;
pub use live::Streams;
pub use webhooks::{OFF_MS_MAX, message as webhook_message};

use crate::archives::Sources;
use crate::db::{READERS_MAX, Readers};
use crate::live::Live;
use crate::webhooks::Webhooks;
use answer::{Form, ListFn, OneFn};
use ask::{Ask, Asked};
use audit::Audits;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, post};
use cairn_client::{Anchor, NodeClient};
use cairn_ledger::Genesis;
use cairn_node::Caller;
use cairn_types::{NetworkId, TimeMs};
use serde_json::Value;
use standings::Standings;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::sync::{Semaphore, watch};

/// Bytes of a body: a transaction in hexadecimal digits, or a query's terms.
const BODY_BYTES_MAX: usize = 512 * 1024;
/// Charts read out of archives at once.
const CHARTS_MAX: usize = 2;
/// Whole tables read at once: fewer than readers, so that pages never wait for them alone.
const TABLES_MAX: usize = READERS_MAX / 2;

/// What every answer is made from.
pub struct Shared {
    pub readers: Readers,
    pub genesis: Arc<Genesis>,
    /// Of the era that signs now.
    pub anchor: watch::Receiver<Anchor>,
    pub live: Live,
    pub client: NodeClient,
    /// The node's address, and the gateway's.
    pub node: String,
    pub gateway: Option<String>,
    /// Verifiers that were named, whose archives are asked first.
    pub verifiers: Vec<String>,
    pub sources: Arc<dyn Sources>,
    pub audits: Audits,
    pub audit_asked: watch::Sender<u64>,
    /// For the node, the gateway and verifiers that were named.
    pub http: reqwest::Client,
    /// For addresses that the ledger names.
    pub strangers: reqwest::Client,
    /// Whether those may be near.
    pub near: bool,
    pub charts: Arc<Semaphore>,
    pub tables: Arc<Semaphore>,
    pub streams: Streams,
    pub webhooks: Option<Webhooks>,
    pub answered: AtomicU64,
    pub standings: Standings,
    pub clock: crate::serve::Clock,
    pub stop: watch::Receiver<bool>,
}

impl Shared {
    pub fn now(&self) -> TimeMs {
        (self.clock.0)()
    }

    pub fn places() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(CHARTS_MAX))
    }

    pub fn table_places() -> Arc<Semaphore> {
        Arc::new(Semaphore::new(TABLES_MAX))
    }
}

type Serve = Arc<Shared>;

enum Kind {
    One(OneFn),
    /// A list, and whether it has places.
    List(ListFn, bool),
    Other(fn() -> MethodRouter<Serve>),
    /// Answered by the route before it.
    Same,
}
use Kind::{List, One, Other, Same};

/// Method, path, and who answers.
const TABLE: &[(&str, &str, Kind)] = &[
    ("get", "/v1/chain", One(chain::chain)),
    ("get", "/v1/overview", One(chain::overview)),
    ("get", "/v1/series/{name}", One(chain::series)),
    ("get", "/v1/series/{name}.csv", Same),
    ("get", "/v1/networks", List(networks::list, false)),
    ("get", "/v1/networks/{id}", One(networks::one)),
    ("get", "/v1/networks/{id}/cells", List(networks::cells, true)),
    ("get", "/v1/networks/{id}/devices", List(devices::of_network, true)),
    ("get", "/v1/devices", List(devices::list, true)),
    ("get", "/v1/devices/{id}", One(devices::one)),
    ("get", "/v1/devices/{id}/findings", List(devices::findings, false)),
    ("get", "/v1/devices/{id}/readings", Other(|| get(readings_of))),
    ("get", "/v1/devices/{id}/readings.csv", Other(|| get(readings_of))),
    ("get", "/v1/devices/{id}/earnings", List(devices::earnings, false)),
    ("get", "/v1/operators", List(operators::list, false)),
    ("get", "/v1/operators/{id}", One(operators::one)),
    ("get", "/v1/operators/{id}/devices", List(devices::of_operator, true)),
    ("get", "/v1/operators/{id}/income", List(operators::income, false)),
    ("get", "/v1/operators/{id}/tax", List(tax::list, false)),
    ("get", "/v1/operators/{id}/alerts", List(operators::alerts, false)),
    ("post", "/v1/operators/{id}/webhooks", Other(|| post(webhooks::add))),
    ("get", "/v1/customers", List(accounts::customers, false)),
    ("get", "/v1/customers/{id}", One(accounts::customer)),
    ("get", "/v1/customers/{id}/orders", List(accounts::orders_of, false)),
    ("get", "/v1/customers/{id}/bills", List(accounts::bills, false)),
    ("get", "/v1/epochs", List(epochs::list, false)),
    ("get", "/v1/epochs/{epoch}", One(epochs::one)),
    ("get", "/v1/networks/{id}/epochs", List(epochs::of_network, false)),
    ("get", "/v1/networks/{id}/epochs/{epoch}", One(epochs::network_one)),
    (
        "get",
        "/v1/networks/{id}/epochs/{epoch}/findings",
        List(devices::findings_of_epoch, false),
    ),
    (
        "get",
        "/v1/networks/{id}/epochs/{epoch}/payouts",
        List(epochs::payouts, false),
    ),
    (
        "get",
        "/v1/networks/{id}/epochs/{epoch}/differences",
        Other(|| get(pass::differences)),
    ),
    (
        "get",
        "/v1/networks/{id}/epochs/{epoch}/differences.csv",
        Other(|| get(pass::differences)),
    ),
    ("get", "/v1/networks/{id}/epochs/{epoch}/audit", One(audit_face)),
    (
        "post",
        "/v1/networks/{id}/epochs/{epoch}/audit",
        Other(|| post(begin_audit)),
    ),
    (
        "get",
        "/v1/networks/{id}/epochs/{epoch}/archive/{name}",
        Other(|| get(pass::archive)),
    ),
    ("get", "/v1/blocks", List(blocks::list, false)),
    ("get", "/v1/blocks/{height}", One(blocks::one)),
    ("get", "/v1/transactions", List(blocks::transactions, false)),
    ("post", "/v1/transactions", Other(|| post(pass::transaction))),
    ("post", "/v1/transactions/preview", Other(|| post(pass::preview))),
    ("get", "/v1/transactions/{id}", Other(|| get(pass::one_transaction))),
    (
        "get",
        "/v1/transactions/{id}/proof",
        Other(|| get(pass::transaction_proof)),
    ),
    ("get", "/v1/events", List(blocks::events, false)),
    ("get", "/v1/accounts", List(accounts::list, false)),
    ("get", "/v1/accounts/{id}", Other(|| get(pass::account))),
    ("get", "/v1/accounts/{id}/transactions", List(blocks::of_account, false)),
    ("get", "/v1/validators", List(people::validators, false)),
    ("get", "/v1/verifiers", List(people::verifiers, false)),
    ("get", "/v1/disputes", List(people::disputes, false)),
    ("get", "/v1/slashes", List(people::slashes, false)),
    ("get", "/v1/orders", List(accounts::orders, false)),
    ("get", "/v1/orders/{id}", One(accounts::order)),
    ("get", "/v1/search", One(search::search)),
    ("get", "/v1/fields/{vertical}", One(search::fields)),
    ("get", "/v1/live", Other(|| get(live::stream))),
    ("get", "/v1/proofs/{key}", Other(|| get(pass::proof))),
    ("post", "/v1/quotes", Other(|| post(pass::quote))),
    ("post", "/v1/queries", Other(|| post(pass::query))),
    ("get", "/v1/price", Other(|| get(pass::price))),
    // What a HEAD would pay for nobody would get.
    ("get", "/v1/data", Other(|| get(pass::data).head(no_such_method))),
    ("get", "/v1/key", Other(|| get(pass::key))),
    ("delete", "/v1/key", Other(|| delete(pass::close_key))),
    ("get", "/v1/health", One(chain::health)),
    ("get", "/v1/openapi.json", Other(|| get(openapi))),
    ("get", "/metrics", Other(|| get(metrics::text))),
];

/// Method and path of every route, also those in other forms.
pub fn routes() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for (method, path, kind) in TABLE {
        all.push(((*method).to_owned(), (*path).to_owned()));
        if let List(_, places) = kind {
            all.push(("get".to_owned(), format!("{path}.csv")));
            all.extend(places.then(|| ("get".to_owned(), format!("{path}.geojson"))));
        }
    }
    all
}

/// Every route, with what holds for all of them.
pub fn router(shared: Serve, door: Door) -> Router {
    let mut router: Router<Serve> = Router::new();
    for (_, path, kind) in TABLE {
        router = match kind {
            One(of) => {
                let of = *of;
                router.route(path, get(move |asked: Head| one(asked, of)))
            }
            List(of, places) => {
                let (of, path) = (*of, *path);
                let list = move |asked: Head| list(asked, of, path);
                let router = router.route(path, get(list)).route(&format!("{path}.csv"), get(list));
                match places {
                    true => router.route(&format!("{path}.geojson"), get(list)),
                    false => router,
                }
            }
            Other(make) => router.route(path, make()),
            Same => router,
        };
    }
    let router = router
        .fallback(crate::page::serve)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared.clone());
    door::around(router, door, shared)
}

async fn no_such_method() -> ApiError {
    let hint = "GET /v1/openapi.json lists every path with its methods";
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "the path does not have this method",
        hint,
    )
}

/// What stands in the head of a request.
pub struct Head {
    shared: Serve,
    asked: Asked,
    headers: HeaderMap,
    uri: Uri,
    /// Who asks.
    caller: Option<Caller>,
}

impl axum::extract::FromRequestParts<Serve> for Head {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut axum::http::request::Parts, shared: &Serve) -> Result<Self, ApiError> {
        let hint = "GET /v1/openapi.json lists every path with its parameters";
        let path = Path::<HashMap<String, String>>::from_request_parts(parts, shared).await;
        let Path(path) = path.map_err(|rejection| ApiError::bad("bad_path", rejection.body_text(), hint))?;
        let query = Query::<HashMap<String, String>>::try_from_uri(&parts.uri);
        let Query(query) = query.map_err(|rejection| ApiError::bad("bad_query", rejection.body_text(), hint))?;
        Ok(Self {
            shared: shared.clone(),
            asked: Asked { path, query },
            headers: parts.headers.clone(),
            uri: parts.uri.clone(),
            caller: parts.extensions.get().copied(),
        })
    }
}

impl Head {
    /// What a question finds in one state of the index.
    async fn read<T: Send + 'static>(
        &self,
        find: impl FnOnce(&mut Ask<'_>) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let (shared, asked) = (self.shared.clone(), self.asked.clone());
        let found = self.shared.readers.read(move |session| {
            let mut ask = Ask::new(session, &shared, &asked)?;
            find(&mut ask)
        });
        found.await
    }

    fn respond(&self, made: answer::Made) -> Response {
        answer::respond(made, &self.headers, &self.asked, self.uri.path(), &self.shared)
    }

    fn json(&self, value: &Value) -> Response {
        self.respond(answer::Made {
            bytes: value.to_string().into_bytes(),
            kind: "application/json",
            next: None,
        })
    }
}

async fn one(head: Head, of: OneFn) -> Result<Response, ApiError> {
    let made = head.read(move |ask| answer::one(ask, of)).await?;
    Ok(head.respond(made))
}

async fn list(head: Head, of: ListFn, path: &'static str) -> Result<Response, ApiError> {
    let form = answer::form_of(head.uri.path(), &head.headers);
    let place = match form {
        Form::Json => None,
        Form::Csv | Form::GeoJson => head.shared.tables.clone().acquire_owned().await.ok(),
    };
    let table = move |ask: &mut Ask<'_>| {
        // Kept until the table is made, also when nobody waits for it any more.
        let _place = place;
        answer::list(ask, of, path, form)
    };
    let made = head.read(table).await?;
    Ok(head.respond(made))
}

async fn readings_of(head: Head) -> Result<Response, ApiError> {
    let is_csv = answer::form_of(head.uri.path(), &head.headers) == Form::Csv;
    let wanted = head.read(move |ask| readings::wanted(ask, is_csv)).await?;
    let busy = || {
        ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "busy",
            "as many charts are read as may be",
            "ask again soon",
        )
    };
    let place = head.shared.charts.clone().try_acquire_owned().map_err(|_| busy())?;
    let shared = head.shared.clone();
    let read = tokio::task::spawn_blocking(move || {
        // Kept until the archives are read, also when nobody waits for that any more.
        let _place = place;
        readings::read(&wanted, shared.sources.as_ref())
    });
    let found = read
        .await
        .map_err(|_| ApiError::unavailable("the archive could not be read"))??;
    match found["csv"].as_str() {
        Some(csv) => Ok(head.respond(answer::Made {
            bytes: csv.as_bytes().to_vec(),
            kind: "text/csv; charset=utf-8",
            next: None,
        })),
        None => Ok(head.json(&found)),
    }
}

/// The network's id behind what was asked, and the epoch.
fn network_epoch(ask: &mut Ask<'_>) -> Result<(NetworkId, u64), ApiError> {
    let network = ask.network()?;
    let id = NetworkId(devices::hex_to(&ask.network_id(network)?));
    Ok((id, ask.need("epoch")?))
}

fn audit_face(ask: &mut Ask<'_>) -> Result<Value, ApiError> {
    let (network, epoch) = network_epoch(ask)?;
    Ok(ask.shared.audits.face(network, epoch))
}

async fn begin_audit(head: Head) -> Result<Response, ApiError> {
    let (network, epoch) = head.read(network_epoch).await?;
    let shared = &head.shared;
    if !shared.audits.begin(network, epoch) {
        let hint = "ask again when it is done; GET the same path says how far it is";
        let message = "an epoch is being judged here and another waits";
        return Err(ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "audit_busy",
            message,
            hint,
        ));
    }
    shared.audit_asked.send_modify(|asked| *asked += 1);
    let face = shared.audits.face(network, epoch);
    Ok((StatusCode::ACCEPTED, axum::Json(face)).into_response())
}

async fn openapi(State(_): State<Serve>) -> Response {
    (
        [(axum::http::header::CONTENT_TYPE, "application/json")],
        answer::OPENAPI,
    )
        .into_response()
}
