//! The list of routes: what `openapi.json` must say, no more and no less (a test compares).

use super::{Desk, blocks, chain, events, ledger, metrics, transactions};
use axum::Router;
use axum::routing::{MethodRouter, get, post};
use std::sync::Arc;

type Route = (&'static str, &'static str, fn() -> MethodRouter<Arc<Desk>>);

/// Method, path, and who answers.
const TABLE: &[Route] = &[
    ("get", "/v1/status", || get(chain::status)),
    ("get", "/v1/health", || get(chain::health)),
    ("get", "/v1/ready", || get(chain::ready)),
    ("get", "/v1/genesis", || get(chain::genesis)),
    ("get", "/v1/genesis.cbor", || get(chain::genesis_cbor)),
    ("get", "/v1/openapi.json", || get(chain::openapi)),
    ("get", "/v1/records", || get(chain::records)),
    ("get", "/v1/proofs/{key}", || get(chain::proof)),
    ("get", "/v1/blocks", || get(blocks::list)),
    ("get", "/v1/blocks/{height}", || get(blocks::one)),
    ("get", "/v1/events", || get(events::stream)),
    ("post", "/v1/transactions", || post(transactions::submit)),
    ("get", "/v1/transactions/{id}", || get(transactions::one)),
    ("get", "/v1/transactions/{id}/proof", || get(transactions::proof)),
    ("get", "/v1/accounts/{id}", || get(ledger::account)),
    ("get", "/v1/networks", || get(ledger::networks)),
    ("get", "/v1/networks/{id}", || get(ledger::network)),
    ("get", "/v1/networks/{id}/roster", || get(ledger::roster)),
    ("get", "/v1/networks/{id}/epochs/{epoch}", || get(ledger::network_epoch)),
    ("get", "/v1/epochs/{epoch}", || get(ledger::epoch)),
    ("get", "/v1/devices/{id}", || get(ledger::device)),
    ("get", "/v1/orders/{id}", || get(ledger::order)),
    ("get", "/v1/verifiers", || get(ledger::verifiers)),
    ("get", "/v1/price", || get(ledger::price)),
    ("get", "/v1/supply", || get(ledger::supply)),
    ("get", "/metrics", || get(metrics::text)),
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

pub(crate) fn router() -> Router<Arc<Desk>> {
    let add = |router: Router<Arc<Desk>>, (_, path, answer): &Route| router.route(path, answer());
    TABLE.iter().fold(Router::new(), add)
}
