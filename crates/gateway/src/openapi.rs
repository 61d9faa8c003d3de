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
            "description": "Sells readings of released epochs, which no dispute changes any more, by cells and time: quote, escrow on the ledger, query, settle; or by an API key that spends what its order on the ledger holds. Amounts are decimal strings of credits; 1 credit is 1 micro-dollar.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "paths": {
            "/v1/quotes": { "post": {
                "operationId": "quote",
                "summary": "What a query costs. Refused with 402 before any data when a customer is named whose credits do not cover it.",
                "requestBody": body("QuoteRequest"),
                "responses": answers(json!({ "200": json_answer("The quote", "Quote") }), &["400", "402", "404", "413", "429", "500", "503"]),
            } },
            "/v1/queries": { "post": {
                "operationId": "query",
                "summary": "Settles the order's voucher and delivers the file. The same request again delivers again and is not paid again.",
                "requestBody": body("PurchaseRequest"),
                "responses": answers(json!({ "200": file() }), &["400", "402", "403", "404", "409", "413", "429", "500", "503"]),
            } },
            "/v1/price": { "get": {
                "operationId": "price",
                "summary": "What a query costs, for whoever asks: no key, no account.",
                "parameters": asked(),
                "responses": answers(json!({ "200": json_answer("The price", "Price") }), &["400", "404", "413", "429", "500", "503"]),
            } },
            "/v1/data": { "get": {
                "operationId": "data",
                "summary": "Takes the price out of what the API key's order holds and delivers the file. The same query again, of the last 256, delivers again and pays nothing; so a request that failed anyhow may be repeated. A HEAD is refused.",
                "security": bearer(),
                "parameters": asked(),
                "responses": answers(json!({ "200": data_file() }), &["400", "401", "402", "403", "404", "409", "413", "429", "500", "503"]),
            } },
            "/v1/key": {
                "get": {
                    "operationId": "key",
                    "summary": "How an API key is: what its order held, what is spent and left, until when.",
                    "security": bearer(),
                    "responses": answers(json!({ "200": json_answer("The key", "Key") }), &["401", "403", "409", "429", "503"]),
                },
                "delete": {
                    "operationId": "close_key",
                    "summary": "Sells nothing more through the key, settles what it bought and closes its order: the rest returns to the customer. May be repeated.",
                    "security": bearer(),
                    "responses": answers(json!({
                        "200": json_answer("It is closed", "Key"),
                        "202": json_answer("Nothing is sold through it any more; it is settled as soon as ledger and verifiers answer", "Key"),
                    }), &["401", "403", "409", "429", "503"]),
                },
            },
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
        "components": { "securitySchemes": { "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key: cairn_ and base64url without padding of the order's id (32 bytes) and the Ed25519 secret of its voucher key (32 bytes).",
        } }, "schemas": {
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
                "customer": { "type": ["string", "null"], "pattern": "^[0-9a-f]{64}$", "description": "Account that will pay; left out, nobody's credits are looked at" },
            }), &["customer"]),
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
            "Price": object("What a query costs. An order that an API key spends names this provider.", json!({
                "query": reference("Query"),
                "chain": text("Chain id"),
                "provider": hex(64, "Account of the gateway"),
                "rows": count("Rows of the answer"),
                "devices": count("Devices they come from"),
                "price_credits": amount("What the answer costs"),
                "epochs": reference("Epochs"),
                "available_until": time("Data is released until then: attested, and no longer to be disputed"),
                "valid_until": time("The price cannot change before"),
            }), &[]),
            "Key": object("An API key. What it spent is promised to operators, and settled on the ledger when the key ends.", json!({
                "order": hex(64, "Order id: the id of the transaction that opened it"),
                "network": hex(64, "Network whose data it buys"),
                "state": { "type": "string", "enum": ["open", "spent", "settling", "closed", "expired"],
                    "description": "spent: nothing is left, it is settled in ten minutes; settling: nothing is sold any more, and its end is not on the ledger yet" },
                "held_credits": amount("What the order holds and held"),
                "spent_credits": amount("What was bought through it"),
                "left_credits": amount("What may still be bought"),
                "expires": time("End of the order"),
                "sells_until": time("Nothing new is sold after it; what was bought is delivered again for ten minutes more"),
                "queries_paid": { "type": ["integer", "null"], "minimum": 0, "description": "Answers that were paid, each once; null once it is settled" },
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
                "keys": count("API keys in use"),
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

/// The file of an API key's query.
fn data_file() -> Value {
    let mut said = file();
    said["headers"]["x-cairn-credits-left"] = json!({ "schema": amount("What is left of the key") });
    said["headers"]["x-cairn-paid"] = json!({ "schema": { "type": "string", "enum": ["now", "before"],
        "description": "before: it was paid by an earlier request, and costs nothing again" } });
    said["headers"]["x-cairn-to"] = json!({ "schema": time("Where the data ends: the next query begins there") });
    said
}

/// The parameters of a query in an address.
fn asked() -> Value {
    let parameter = |name: &str, required: bool, schema: Value| json!({ "name": name, "in": "query", "required": required, "schema": schema });
    json!([
        parameter("network", true, hex(64, "Network id")),
        parameter(
            "quantity",
            true,
            text("What the network's vertical calls it: rain, temperature, …")
        ),
        parameter("from", true, time("Inclusive")),
        parameter(
            "to",
            true,
            time("Exclusive; cut to where released data ends, so that a later end makes another query later")
        ),
        parameter(
            "cells",
            false,
            text("H3 cells with commas between them, at most 256. Left out: every cell.")
        ),
        parameter(
            "format",
            false,
            json!({ "type": "string", "enum": crate::export::Format::ALL.map(|format| format.name()), "default": "csv" })
        ),
        parameter(
            "credits_max",
            false,
            amount("The most it may cost: above that it is refused with 402 before anything is paid")
        ),
    ])
}

fn bearer() -> Value {
    json!([{ "key": [] }])
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
