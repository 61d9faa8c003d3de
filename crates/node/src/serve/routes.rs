//! The list of routes: what `openapi.json` must say, no more and no less (a test compares). Each reads what is asked before the node
//! is looked at, so the same list gives a router that only reads, for those who attack it.

use super::listener::Caller;
use super::transactions::Handed;
use super::{Answer, ApiError, Desk, HttpLimits, blocks, chain, events, export, ledger, metrics, transactions};
use axum::extract::{DefaultBodyLimit, FromRequestParts, State as Shared};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Router};
use std::net::Ipv4Addr;
use std::sync::Arc;

/// Who answers, and who only reads what is asked.
struct Both {
    answers: MethodRouter<Arc<Desk>>,
    reads: MethodRouter,
}

type Route = (&'static str, &'static str, fn() -> Both);

/// Method, path, and who answers.
const TABLE: &[Route] = &[
    ("get", "/v1/status", || asks(chain::status)),
    ("get", "/v1/health", || asks(chain::health)),
    ("get", "/v1/ready", || asks(chain::ready)),
    ("get", "/v1/genesis", || asks(chain::genesis)),
    ("get", "/v1/genesis.cbor", || asks(chain::genesis_cbor)),
    ("get", "/v1/eras", || asks(chain::eras)),
    ("get", "/v1/protocol", || asks(chain::protocol)),
    ("get", "/v1/openapi.json", || asks(chain::openapi)),
    ("get", "/v1/records", || asks(chain::records)),
    ("get", "/v1/proofs/{key}", || asks(chain::proof)),
    ("get", "/v1/state", || asks(export::head)),
    ("get", "/v1/state/{height}/{part}", || asks(export::part)),
    ("get", "/v1/blocks", || asks(blocks::list)),
    ("get", "/v1/blocks/{height}", || asks(blocks::one)),
    ("get", "/v1/events", || asks(events::stream)),
    ("post", "/v1/transactions", takes),
    ("get", "/v1/transactions/{id}", || asks(transactions::one)),
    ("get", "/v1/transactions/{id}/proof", || asks(transactions::proof)),
    ("get", "/v1/accounts/{id}", || asks(ledger::account)),
    ("get", "/v1/networks", || asks(ledger::networks)),
    ("get", "/v1/networks/{id}", || asks(ledger::network)),
    ("get", "/v1/networks/{id}/roster", || asks(ledger::roster)),
    ("get", "/v1/networks/{id}/epochs/{epoch}", || {
        asks(ledger::network_epoch)
    }),
    ("get", "/v1/epochs/{epoch}", || asks(ledger::epoch)),
    ("get", "/v1/devices/{id}", || asks(ledger::device)),
    ("get", "/v1/orders/{id}", || asks(ledger::order)),
    ("get", "/v1/verifiers", || asks(ledger::verifiers)),
    ("get", "/v1/validators", || asks(ledger::validators)),
    ("get", "/v1/price", || asks(ledger::price)),
    ("get", "/v1/supply", || asks(ledger::supply)),
    ("get", "/metrics", || asks(metrics::text)),
];

/// Method and path of every route.
pub const ROUTES: [(&str, &str); TABLE.len()] = {
    let mut routes = [("", ""); TABLE.len()];
    let mut at = 0;
    while at < TABLE.len() {
        routes[at] = (TABLE[at].0, TABLE[at].1);
        at += 1;
    }
    routes
};

/// A question that stands in the head of the request.
fn asks<X, F>(answer: fn(Shared<Arc<Desk>>, X) -> F) -> Both
where
    X: FromRequestParts<Arc<Desk>> + FromRequestParts<()> + Send + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    Both {
        answers: get(move |desk: Shared<Arc<Desk>>, asked: X| answer(desk, asked)),
        reads: get(|_: X| async { StatusCode::NO_CONTENT }),
    }
}

/// The one route with a body.
fn takes() -> Both {
    Both {
        answers: post(transactions::submit),
        reads: post(|_: Handed| async { StatusCode::NO_CONTENT }),
    }
}

pub(crate) fn router(body_bytes_max: usize) -> Router<Arc<Desk>> {
    let add = |router: Router<Arc<Desk>>, (_, path, both): &Route| router.route(path, both().answers);
    edges(TABLE.iter().fold(Router::new(), add), body_bytes_max)
}

/// Every route as the node serves it, without a node: answers 204 when what is asked can be read, and the refusal when it cannot.
pub fn reading() -> Router {
    let add = |router: Router, (_, path, both): &Route| router.route(path, both().reads);
    let router = edges(
        TABLE.iter().fold(Router::new(), add),
        HttpLimits::default().body_bytes_max,
    );
    // As if asked from this computer: more is read then.
    router.layer(Extension(Caller(Ipv4Addr::LOCALHOST.into())))
}

/// What holds for every route, and what is said where there is none.
fn edges<S: Clone + Send + Sync + 'static>(router: Router<S>, body_bytes_max: usize) -> Router<S> {
    router
        .fallback(|| async { ApiError::not_found("path").into_response() })
        .method_not_allowed_fallback(|| async {
            ApiError::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "the path does not have this method",
                "GET /v1/openapi.json lists every path with its methods",
            )
        })
        .layer(DefaultBodyLimit::max(body_bytes_max))
}
