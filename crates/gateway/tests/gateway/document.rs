//! The OpenAPI document is the one that is checked in, and describes the forms that the program reads and writes.

use cairn_gateway::faces::{
    DataAsked, EpochsFace, ErrorFace, HealthFace, KeyFace, PriceFace, PurchaseRequest, QueryFace, QuoteFace,
    QuoteRequest, VoucherFace,
};
use cairn_gateway::openapi;
use serde_json::{Value, json};
use std::path::Path;

#[test]
fn the_document_is_the_one_checked_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let made = format!("{}\n", serde_json::to_string_pretty(&openapi::document()).unwrap());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        kept, made,
        "the API changed: look at the difference, then run the test with UPDATE=1"
    );
}

#[test]
fn every_form_has_the_fields_that_the_document_names() {
    let query = QueryFace {
        network: String::new(),
        cells: vec![],
        quantity: String::new(),
        from: String::new(),
        to: String::new(),
    };
    let epochs = EpochsFace {
        first: 0,
        last: 0,
        settled: 0,
        missing: 0,
    };
    let voucher = VoucherFace {
        credits: String::new(),
        meters: String::new(),
        signature: String::new(),
    };
    let quote_request = QuoteRequest {
        query: query.clone(),
        customer: None,
    };
    let quote = QuoteFace {
        query: query.clone(),
        chain: String::new(),
        provider: String::new(),
        rows: 0,
        devices: 0,
        price_credits: String::new(),
        meters: String::new(),
        terms: String::new(),
        epochs: epochs.clone(),
        available_until: String::new(),
        valid_until: String::new(),
    };
    let purchase = PurchaseRequest {
        query: query.clone(),
        format: String::new(),
        order: String::new(),
        voucher: voucher.clone(),
        signature: String::new(),
    };
    let price = PriceFace::from(quote.clone());
    let key = KeyFace {
        order: String::new(),
        network: String::new(),
        state: String::new(),
        held_credits: String::new(),
        spent_credits: String::new(),
        left_credits: String::new(),
        expires: String::new(),
        sells_until: String::new(),
        queries_paid: None,
    };
    let error = ErrorFace {
        code: String::new(),
        message: String::new(),
        hint: String::new(),
    };
    let health = HealthFace {
        status: String::new(),
        chain: String::new(),
        account: String::new(),
        time: String::new(),
        pending: 0,
        keys: 0,
    };
    let document = openapi::document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let forms: [(&str, Value); 10] = [
        ("Query", json!(query)),
        ("Epochs", json!(epochs)),
        ("Voucher", json!(voucher)),
        ("QuoteRequest", json!(quote_request)),
        ("Quote", json!(quote)),
        ("Price", json!(price)),
        ("Key", json!(key)),
        ("PurchaseRequest", json!(purchase)),
        ("Error", json!(error)),
        ("Health", json!(health)),
    ];
    assert_eq!(schemas.len(), forms.len());
    for (name, form) in forms {
        let named: Vec<&String> = schemas[name]["properties"].as_object().unwrap().keys().collect();
        let written: Vec<&String> = form.as_object().unwrap().keys().collect();
        assert_eq!(named, written, "{name}");
    }
    let asked = DataAsked {
        network: String::new(),
        quantity: String::new(),
        from: String::new(),
        to: String::new(),
        cells: None,
        format: None,
        credits_max: None,
    };
    let read: Vec<String> = json!(asked).as_object().unwrap().keys().cloned().collect();
    for path in ["/v1/data", "/v1/price"] {
        let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
        let mut named: Vec<&str> = parameters.iter().map(|of| of["name"].as_str().unwrap()).collect();
        named.sort_unstable();
        assert_eq!(named, read, "{path}");
    }
}
