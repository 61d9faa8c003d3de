//! `openapi.json` says what the router does: the same routes, and answers of a furnished node that fit their schemas.

use crate::schema::check;
use crate::world::{CUSTOMER, World, account};
use serde_json::Value;
use std::collections::BTreeSet;

fn document() -> Value {
    serde_json::from_str(include_str!("../../openapi.json")).unwrap()
}

#[test]
fn every_route_is_described_and_every_description_is_routed() {
    let document = document();
    let described: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods
                .as_object()
                .unwrap()
                .keys()
                .map(move |method| (method.clone(), path.clone()))
        })
        .collect();
    let routed = cairn_node::ROUTES
        .iter()
        .map(|(method, path)| ((*method).to_owned(), (*path).to_owned()));
    assert_eq!(described, routed.collect());
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn every_path_names_its_parameters() {
    for (path, methods) in document()["paths"].as_object().unwrap() {
        for operation in methods.as_object().unwrap().values() {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path");
            let named: BTreeSet<String> = in_path
                .map(|parameter| format!("{{{}}}", parameter["name"].as_str().unwrap()))
                .collect();
            let needed: BTreeSet<String> = path
                .split('/')
                .filter(|part| part.starts_with('{'))
                .map(str::to_owned)
                .collect();
            assert_eq!(named, needed, "{path}");
            assert!(operation["summary"].is_string(), "{path}");
        }
    }
}

/// The schema of a JSON answer, if it has one.
fn schema<'a>(document: &'a Value, method: &str, path: &str, status: u16) -> Option<&'a Value> {
    let answer = &document["paths"][path][method]["responses"][status.to_string()];
    assert!(answer.is_object(), "{method} {path} may answer {status}");
    answer["content"]["application/json"].get("schema")
}

#[tokio::test]
async fn answers_of_a_furnished_node_fit_their_schemas() {
    let document = document();
    let world = World::new(|_| {}).await;
    let made = world.furnish().await;
    let key = cairn_ledger::view::key::<cairn_ledger::records::Account>(&account(CUSTOMER)).0;
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let fill = |path: &str| {
        let id = match path.split('/').nth(2).unwrap_or_default() {
            "accounts" => account(CUSTOMER).to_string(),
            "networks" => made.network.to_string(),
            "devices" => made.device.to_string(),
            "orders" => made.order.to_string(),
            _ => made.transfer.to_string(),
        };
        let path = path
            .replace("{id}", &id)
            .replace("{key}", &key)
            .replace("{height}", "2")
            .replace("{part}", "0");
        let path = path.replace("{epoch}", &made.epoch.to_string());
        if path == "/v1/records" {
            format!("{path}?keys={key}")
        } else {
            path
        }
    };
    for (method, path) in cairn_node::ROUTES {
        if method != "get" || path == "/v1/events" {
            continue;
        }
        let (status, answer) = world.get(&fill(path)).await;
        assert_eq!(status, 200, "{path}: {answer}");
        if let Some(schema) = schema(&document, method, path, 200) {
            check(&document, schema, &answer).unwrap_or_else(|error| panic!("{path}: {error}\n{answer:#}"));
        }
    }
    let (_, bytes) = world.signed(CUSTOMER, world.nonce(), World::transfer(5));
    let refused = world.signed(CUSTOMER, world.nonce() + 1, World::transfer(0)).1;
    for (query, bytes, expected) in [
        ("", bytes.clone(), 202),
        ("?wait=final", bytes, 200),
        ("?wait=final", refused, 422),
        ("?wait=never", vec![], 400),
    ] {
        let (status, answer) = world.post(&format!("/v1/transactions{query}"), bytes).await;
        assert_eq!(status, expected, "{answer}");
        let schema = schema(&document, "post", "/v1/transactions", status).unwrap();
        check(&document, schema, &answer).unwrap_or_else(|error| panic!("{expected}: {error}\n{answer:#}"));
    }
    world.node.shutdown().await;
}
