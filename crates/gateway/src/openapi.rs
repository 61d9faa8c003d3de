//! The API as an OpenAPI document. A copy is checked in as `openapi.json`; a test fails when it differs, another when the document's
//! forms are not those of `faces`.

use serde_json::{Value, json};

/// The document.
pub fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Cairn gateway",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Sells readings of released epochs, which no dispute changes any more, by cells and time: quote, escrow on the ledger, query, settle. Amounts are decimal strings of credits; 1 credit is 1 micro-dollar.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "paths": {
            "/v1/quotes": { "post": {
                "operationId": "quote",
                "summary": "What a query costs. Refused with 402 before any data when the customer's credits do not cover it.",
                "requestBody": body("QuoteRequest"),
                "responses": answers(json!({ "200": json_answer("The quote", "Quote") }), &["400", "402", "404", "413", "429", "500", "503"]),
            } },
            "/v1/queries": { "post": {
                "operationId": "query",
                "summary": "Settles the order's voucher and delivers the file. The same request again delivers again and is not paid again.",
                "requestBody": body("PurchaseRequest"),
                "responses": answers(json!({ "200": file() }), &["400", "402", "403", "404", "409", "413", "429", "500", "503"]),
            } },
            "/v1/claims": {
                "post": {
                    "operationId": "claim",
                    "summary": "Says who wants which packets of a network (a signed claim, CBOR), for five minutes. The order must be open and a stream's, and the claim signed by its voucher key.",
                    "requestBody": cbor("A signed claim"),
                    "responses": answers(json!({ "204": { "description": "Taken" } }), &["400", "403", "404", "409", "413", "429", "503"]),
                },
                "get": {
                    "operationId": "claims",
                    "summary": "The claims on a network's packets: an array of signed claims, CBOR.",
                    "parameters": [{ "name": "network", "in": "query", "required": true, "schema": hex(64, "Network id") }],
                    "responses": answers(json!({ "200": cbor("Signed claims") }), &["400", "429", "503"]),
                },
            },
            "/v1/promises": { "post": {
                "operationId": "promise",
                "summary": "A stream's voucher with all it owes, device by device (CBOR). The best one is settled when the customer says that it is the last, or before the order expires. From whoever has it.",
                "requestBody": cbor("A promise"),
                "responses": answers(json!({ "204": { "description": "It is kept, or a better one is" } }), &["400", "403", "404", "409", "413", "429", "503"]),
            } },
            "/v1/health": { "get": {
                "operationId": "health",
                "summary": "Whether the gateway and its ledger answer",
                "responses": { "200": json_answer("Well", "Health"), "503": json_answer("The ledger does not answer", "Health") },
            } },
            "/v1/openapi.json": { "get": {
                "operationId": "openapi",
                "summary": "This document",
                "responses": { "200": { "description": "This document", "content": { "application/json": {} } } },
            } },
            "/metrics": { "get": {
                "operationId": "metrics",
                "summary": "Counters for Prometheus",
                "responses": { "200": { "description": "OpenMetrics text", "content": { "application/openmetrics-text": {} } } },
            } },
        },
        "components": { "schemas": {
            "Query": object("Readings of one quantity, from `from` to before `to`.", json!({
                "network": hex(64, "Network id"),
                "cells": { "type": "array", "maxItems": crate::limits::CELLS_MAX, "items": { "type": "string", "pattern": "^[0-9a-f]{1,16}$" },
                    "description": "H3 cells, up to the network's resolution; a coarse one stands for all inside it. None: every cell." },
                "quantity": text("What the network's vertical calls it: rain, temperature, …"),
                "from": time("Inclusive"),
                "to": time("Exclusive; a quote's query ends where released data ends"),
            }), &["cells"]),
            "QuoteRequest": object("A question for a price.", json!({
                "query": reference("Query"),
                "customer": hex(64, "Account that will pay"),
            }), &[]),
            "Epochs": object("The epochs behind an answer.", json!({
                "first": count("First epoch"),
                "last": count("Last epoch"),
                "settled": count("Epochs with data"),
                "missing": count("Epochs that expired: nobody attested them in time"),
            }), &[]),
            "Quote": object("An offer. Open an order on the ledger with these terms, this provider and a hold of at least the price.", json!({
                "query": reference("Query"),
                "chain": text("Chain id"),
                "provider": hex(64, "Account of the gateway"),
                "rows": count("Rows of the answer"),
                "devices": count("Devices they come from"),
                "price_credits": amount("What the voucher must promise"),
                "meters": hex(64, "Root over what each device is owed; goes into the voucher"),
                "terms": hex(64, "Hash of all this; goes into the order"),
                "epochs": reference("Epochs"),
                "available_until": time("Data is released until then: attested, and no longer to be disputed"),
                "valid_until": time("The price cannot change before"),
            }), &[]),
            "Voucher": object("The promise that is settled on the ledger.", json!({
                "credits": amount("The quoted price"),
                "meters": hex(64, "The quoted meters"),
                "signature": hex(128, "By the order's voucher key, over the ledger's voucher message"),
            }), &[]),
            "PurchaseRequest": object("A request that pays, and may be repeated.", json!({
                "query": reference("Query"),
                "format": { "type": "string", "enum": crate::export::Format::ALL.map(|format| format.name()) },
                "order": hex(64, "Order id: the id of the transaction that opened it"),
                "voucher": reference("Voucher"),
                "signature": hex(128, "By the order's voucher key, over this order and query"),
            }), &[]),
            "Error": object("Why not: a code for machines, a sentence, a hint.", json!({
                "code": text("Never changes its meaning"),
                "message": text("What is the matter"),
                "hint": text("What to do"),
            }), &[]),
            "Health": object("How the gateway is.", json!({
                "status": text("`ok`, or what does not answer"),
                "chain": text("Chain id"),
                "account": hex(64, "Account of the gateway"),
                "time": time("The ledger's time"),
                "pending": count("Sales begun and not wound up"),
            }), &[]),
        } },
    })
}

/// An object with exactly these fields; those not optional are required.
fn object(description: &str, properties: Value, optional: &[&str]) -> Value {
    let names = properties
        .as_object()
        .map(|fields| fields.keys().cloned().collect::<Vec<_>>())
        .unwrap_or_default();
    let required: Vec<String> = names
        .into_iter()
        .filter(|name| !optional.contains(&name.as_str()))
        .collect();
    json!({
        "type": "object",
        "description": description,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn hex(digits: usize, description: &str) -> Value {
    json!({ "type": "string", "pattern": format!("^[0-9a-f]{{{digits}}}$"), "description": description })
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn time(description: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": description })
}

fn count(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

fn amount(description: &str) -> Value {
    json!({ "type": "string", "pattern": "^[0-9]{1,20}$", "description": description })
}

fn body(schema: &str) -> Value {
    json!({ "required": true, "content": { "application/json": { "schema": reference(schema) } } })
}

fn json_answer(description: &str, schema: &str) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": reference(schema) } } })
}

fn cbor(description: &str) -> Value {
    json!({ "description": description, "content": { "application/cbor": {} } })
}

fn file() -> Value {
    let content: serde_json::Map<String, Value> = crate::export::Format::ALL
        .iter()
        .map(|format| (format.media_type().to_owned(), json!({})))
        .collect();
    json!({
        "description": "The readings. A transfer that is cut short is not the whole file: ask again.",
        "headers": {
            "x-cairn-rows": { "schema": count("Rows of the file") },
            "x-cairn-credits": { "schema": amount("What was paid for it") },
        },
        "content": content,
    })
}

/// `said` with the refusals of these statuses.
fn answers(mut said: Value, statuses: &[&str]) -> Value {
    if let Some(said) = said.as_object_mut() {
        said.extend(
            statuses
                .iter()
                .map(|status| ((*status).to_owned(), json_answer("Refused", "Error"))),
        );
    }
    said
}
