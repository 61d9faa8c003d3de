//! What is passed on, bounded: signed transactions to the node, quotes and queries to the gateway, proofs and files back. A page talks to
//! one origin only. What comes back is another's word, and said to be.

use super::ask::SERVED;
use super::devices::hex_to;
use super::{ApiError, Head, accounts, blocks, network_epoch};
use crate::db::values;
use crate::dial;
use axum::body::{Body, Bytes};
use axum::extract::FromRequest;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cairn_client::ClientError;
use cairn_ledger::view;
use cairn_types::NetworkId;
use futures::StreamExt;
use serde_json::{Value, json};
use std::time::Duration;

/// Bytes of an answer that is passed back.
const ANSWER_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Bytes of what a verifier says of others.
const DIFFERENCES_BYTES_MAX: usize = 1 << 20;
/// What a gateway says beside a file: rows, credits, whether they were paid now, what is left of a key, where the data ends.
const OF_FILES: [&str; 5] = [
    "x-cairn-rows",
    "x-cairn-credits",
    "x-cairn-paid",
    "x-cairn-credits-left",
    "x-cairn-to",
];
/// For an answer to begin: a node may wait for finality.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(75);

/// A request with a body.
pub struct Handed {
    pub head: Head,
    pub body: Bytes,
}

impl FromRequest<super::Serve> for Handed {
    type Rejection = ApiError;

    async fn from_request(request: axum::extract::Request, shared: &super::Serve) -> Result<Self, ApiError> {
        use axum::extract::FromRequestParts;
        let (mut parts, body) = request.into_parts();
        let head = Head::from_request_parts(&mut parts, shared).await?;
        let body = Bytes::from_request(axum::extract::Request::from_parts(parts, body), shared).await;
        let body = body.map_err(|rejection| {
            ApiError::new(
                rejection.status(),
                "bad_body",
                rejection.body_text(),
                "send at most 512 KiB",
            )
        })?;
        Ok(Self { head, body })
    }
}

/// Asks a service, and gives back what it answers, as long as it may be.
async fn pass(request: reqwest::RequestBuilder, who: &str) -> Result<Response, ApiError> {
    let gone = |_| ApiError::unavailable(format!("the {who} cannot be reached"));
    let sent = tokio::time::timeout(ANSWER_WAIT_MAX, request.send()).await;
    let late = |_| {
        ApiError::new(
            StatusCode::GATEWAY_TIMEOUT,
            "too_slow",
            format!("the {who} has not answered"),
            "ask again",
        )
    };
    let answer = sent.map_err(late)?.map_err(gone)?;
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    if answer.content_length().is_some_and(|length| length > ANSWER_BYTES_MAX) {
        return Err(ApiError::unavailable(format!("the {who}'s answer is too long")));
    }
    let told = answer.headers();
    let mut fields = HeaderMap::new();
    fields.insert(header::CONTENT_TYPE, data_type(told.get("content-type")));
    let plain = [
        header::CONTENT_DISPOSITION,
        header::RETRY_AFTER,
        header::WWW_AUTHENTICATE,
    ];
    for name in plain.into_iter().chain(OF_FILES.map(HeaderName::from_static)) {
        let value = told
            .get(name.as_str())
            .map(|value| HeaderValue::from_bytes(value.as_bytes()));
        if let Some(Ok(value)) = value {
            fields.insert(name, value);
        }
    }
    let mut left = ANSWER_BYTES_MAX;
    let bytes = answer.bytes_stream().map(move |piece| {
        let piece = piece.map_err(std::io::Error::other)?;
        left = left
            .checked_sub(piece.len() as u64)
            .ok_or_else(|| std::io::Error::other("too long"))?;
        Ok::<Bytes, std::io::Error>(piece)
    });
    Ok((status, fields, Body::from_stream(bytes)).into_response())
}

/// Kinds of data that are passed back as such.
const DATA: [&str; 6] = [
    "application/json",
    "application/cbor",
    "application/geo+json",
    "application/x-ndjson",
    "application/vnd.apache.parquet",
    "text/csv; charset=utf-8",
];

/// The kind of an answer, if it is data: what another says is a page or a script would run as if it were from here.
fn data_type(told: Option<&reqwest::header::HeaderValue>) -> HeaderValue {
    let told = told.and_then(|told| told.to_str().ok()).unwrap_or_default();
    let essence = |kind: &str| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let known = DATA.iter().find(|known| essence(known) == essence(told));
    HeaderValue::from_static(known.copied().unwrap_or("application/octet-stream"))
}

fn content_type(headers: &HeaderMap) -> String {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.unwrap_or("application/cbor").to_owned()
}

fn join(base: &str, path: &str) -> String {
    format!("{}{path}", base.trim_end_matches('/'))
}

/// A transaction on its way to the node.
pub async fn transaction(Handed { head, body }: Handed) -> Result<Response, ApiError> {
    let wait = match head.asked.query.get("wait").map(String::as_str) {
        Some("final") => "?wait=final",
        None => "",
        Some(_) => return Err(ApiError::bad("bad_wait", "wait can only be final", "use ?wait=final")),
    };
    let url = join(&head.shared.node, &format!("/v1/transactions{wait}"));
    let kind = content_type(&head.headers);
    pass(
        head.shared.http.post(url).header("content-type", kind).body(body),
        "node",
    )
    .await
}

/// What a transaction is and would come to.
pub async fn preview(Handed { head, body }: Handed) -> Result<Response, ApiError> {
    let unreadable = || {
        ApiError::bad(
            "bad_body",
            "the body is not {\"transaction\": \"HEX\"}",
            "send its CBOR in hexadecimal digits",
        )
    };
    let read: Value = serde_json::from_slice(&body).map_err(|_| unreadable())?;
    let bytes = read["transaction"]
        .as_str()
        .and_then(|text| hex::decode(text).ok())
        .ok_or_else(unreadable)?;
    let face = head.read(move |ask| super::preview::preview(ask, &bytes)).await?;
    Ok(axum::Json(face).into_response())
}

/// A final transaction out of the index; one that is not final as the node has it.
pub async fn one_transaction(head: Head) -> Result<Response, ApiError> {
    let (found, at) = head.read(|ask| Ok((blocks::transaction(ask)?, ask.place()))).await?;
    if let Some(found) = found {
        return Ok(head.json(&found));
    }
    let id = head.asked.path.get("id").cloned().unwrap_or_default();
    let told = match head.shared.client.passed_on(&format!("/v1/transactions/{id}")).await {
        Ok(told) => serde_json::from_slice::<Value>(&told).unwrap_or_default(),
        Err(ClientError::Refused { status: 404, .. }) => return Err(ApiError::not_found("transaction")),
        Err(error) => return Err(error.into()),
    };
    let state = match told["state"].as_str() {
        Some("dropped") => "dropped",
        _ => "waiting",
    };
    let refusal = (state == "dropped").then(|| {
        let mut refusal = json!({ "code": told["code"], "message": told["message"], "hint": told["hint"] });
        if told["number"].is_u64() {
            refusal["number"] = told["number"].clone();
        }
        refusal
    });
    let face = json!({
        "id": id, "state": state, "height": null, "index": null, "time": null, "kind": null, "account": null,
        "account_number": null, "sentence": null, "fee": null, "nonce": null, "fee_max": null, "sponsor": null, "fields": {},
        "events": [], "bytes": null, "refusal": refusal, "at": at, "checked": SERVED,
    });
    Ok(head.json(&face))
}

pub async fn transaction_proof(head: Head) -> Result<Response, ApiError> {
    let id = hex_path(&head, "id", 64)?;
    let url = join(&head.shared.node, &format!("/v1/transactions/{id}/proof"));
    pass(head.shared.http.get(url), "node").await
}

pub async fn proof(head: Head) -> Result<Response, ApiError> {
    let key = hex_path(&head, "key", 66)?;
    let url = join(&head.shared.node, &format!("/v1/proofs/{key}"));
    pass(head.shared.http.get(url), "node").await
}

/// A part of the path that is so many hexadecimal digits, and nothing else.
fn hex_path(head: &Head, name: &str, digits: usize) -> Result<String, ApiError> {
    let text = head.asked.path.get(name).cloned().unwrap_or_default();
    let is_hex = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let hint = "GET /v1/openapi.json says its form";
    is_hex
        .then_some(text)
        .ok_or_else(|| ApiError::bad("bad_id", format!("{name} has {digits} hexadecimal digits"), hint))
}

/// An account, with its next nonce as the node counts it.
pub async fn account(head: Head) -> Result<Response, ApiError> {
    let mut face = head.read(accounts::one).await?;
    let id = face["id"].as_str().unwrap_or_default().to_owned();
    let told = head.shared.client.passed_on(&format!("/v1/accounts/{id}")).await.ok();
    let told = told.and_then(|told| serde_json::from_slice::<Value>(&told).ok());
    if let Some(next) = told.and_then(|told| told["next_nonce"].as_u64()) {
        face["next_nonce"] = next.into();
    }
    Ok(head.json(&face))
}

fn gateway(head: &Head, path: &str) -> Result<String, ApiError> {
    let none = || {
        let hint = "start the explorer with --gateway URL, or ask a gateway itself";
        ApiError::new(
            StatusCode::NOT_FOUND,
            "no_gateway",
            "this explorer knows no gateway",
            hint,
        )
    };
    head.shared
        .gateway
        .as_deref()
        .map(|base| join(base, path))
        .ok_or_else(none)
}

pub async fn quote(Handed { head, body }: Handed) -> Result<Response, ApiError> {
    let url = gateway(&head, "/v1/quotes")?;
    let kind = content_type(&head.headers);
    pass(
        head.shared.http.post(url).header("content-type", kind).body(body),
        "gateway",
    )
    .await
}

pub async fn query(Handed { head, body }: Handed) -> Result<Response, ApiError> {
    let url = gateway(&head, "/v1/queries")?;
    let kind = content_type(&head.headers);
    pass(
        head.shared.http.post(url).header("content-type", kind).body(body),
        "gateway",
    )
    .await
}

pub async fn price(head: Head) -> Result<Response, ApiError> {
    keyed(&head, Method::GET, "/v1/price").await
}

pub async fn data(head: Head) -> Result<Response, ApiError> {
    keyed(&head, Method::GET, "/v1/data").await
}

pub async fn key(head: Head) -> Result<Response, ApiError> {
    keyed(&head, Method::GET, "/v1/key").await
}

pub async fn close_key(head: Head) -> Result<Response, ApiError> {
    keyed(&head, Method::DELETE, "/v1/key").await
}

/// What is asked with an address alone, and an API key where one is needed: shown to the gateway, and kept and told nowhere. No answer is
/// for anybody else.
async fn keyed(head: &Head, method: Method, path: &str) -> Result<Response, ApiError> {
    let asked = head.uri.query().map_or(String::new(), |query| format!("?{query}"));
    let url = gateway(head, &format!("{path}{asked}"))?;
    let mut request = head.shared.http.request(method, url);
    for key in head.headers.get_all(header::AUTHORIZATION) {
        let mut key = key.clone();
        key.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, key);
    }
    let mut answer = pass(request, "gateway").await?;
    let fields = answer.headers_mut();
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

/// A verifier whose word is asked for.
struct Asked {
    url: String,
    /// By whoever runs this explorer, and not by the ledger.
    named: bool,
}

impl Asked {
    fn get(&self, head: &Head, path: &str) -> reqwest::RequestBuilder {
        let shared = &head.shared;
        let http = if self.named { &shared.http } else { &shared.strangers };
        http.get(join(&self.url, path))
    }
}

/// The first of these addresses that may be asked.
fn first_of(told: Vec<String>, named: &[String], near: bool) -> Option<Asked> {
    let asked = |url: String| Asked {
        named: named.contains(&url),
        url,
    };
    let mut all = told.into_iter().map(asked);
    all.find(|one| (one.named && one.url.starts_with("http://")) || dial::may(&one.url, near))
}

/// The verifier whose word on an epoch is asked for: the one that gave its archive, else one that was named, else any.
async fn verifier_of(head: &Head) -> Result<(NetworkId, u64, Option<Asked>), ApiError> {
    head.read(|ask| {
        let (id, epoch) = network_epoch(ask)?;
        let network = ask.network()?;
        let sql = "SELECT verifier FROM network_epochs WHERE network = $1 AND epoch = $2";
        let by = ask
            .one(sql, values![network, epoch])?
            .and_then(|row| row.maybe_count(0));
        let mut urls = Vec::new();
        if let Some(by) = by {
            let account = cairn_types::AccountId(hex_to(&ask.account_id(by)?));
            urls.extend(
                ask.look(|store| view::profile(store, &account))?
                    .map(|profile| profile.url),
            );
        }
        urls.extend(ask.shared.verifiers.iter().cloned());
        for (account, _) in ask.look(|store| view::verifiers(store))? {
            urls.extend(
                ask.look(|store| view::profile(store, &account))?
                    .map(|profile| profile.url),
            );
        }
        let shared = ask.shared;
        Ok((id, epoch, first_of(urls, &shared.verifiers, shared.near)))
    })
    .await
}

/// A file of a sealed epoch.
pub async fn archive(head: Head) -> Result<Response, ApiError> {
    let name = head.asked.path.get("name").cloned().unwrap_or_default();
    let known = cairn_verifier::archive::FILES.contains(&name.as_str()) || name == cairn_verifier::archive::MANIFEST;
    if !known {
        return Err(ApiError::not_found("file of an archive"));
    }
    let (network, epoch, verifier) = verifier_of(&head).await?;
    let verifier = verifier.ok_or_else(|| ApiError::not_found("archive that could be asked for"))?;
    let path = format!("/v1/archive/{network}/{epoch}/{name}");
    pass(verifier.get(&head, &path), "verifier").await
}

/// An answer's body, if it is no longer than it may be.
async fn bounded(mut answer: reqwest::Response, bytes_max: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(piece) = answer.chunk().await.ok()? {
        if bytes.len() + piece.len() > bytes_max {
            return None;
        }
        bytes.extend_from_slice(&piece);
    }
    Some(bytes)
}

/// Who says something else of an epoch than the verifier that is asked.
pub async fn differences(head: Head) -> Result<Response, ApiError> {
    let (network, epoch, verifier) = verifier_of(&head).await?;
    let at = head.read(|ask| Ok(ask.place())).await?;
    let mut items = Vec::new();
    if let Some(verifier) = verifier {
        let asked = verifier.get(&head, &format!("/v1/differences/{network}/{epoch}"));
        let asked = asked.timeout(Duration::from_secs(10)).send().await;
        let told = match asked {
            Ok(told) => bounded(told, DIFFERENCES_BYTES_MAX).await,
            Err(_) => None,
        };
        let told = told.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
        let rows = told
            .as_ref()
            .and_then(|told| told["differences"].as_array().cloned())
            .unwrap_or_default();
        for row in rows.iter().take(500) {
            let first = &row["first_finding"];
            items.push(json!({
                "verifier": row["verifier"], "their_result": row["their_result"], "our_result": row["our_result"],
                "fields": row["fields"], "row": first["row"], "report": first["report"], "field": first["field"],
                "ours": first["ours"], "theirs": first["theirs"],
            }));
        }
    }
    if head.uri.path().ends_with(".csv") {
        let columns = [
            "verifier",
            "their_result",
            "our_result",
            "fields",
            "row",
            "report",
            "field",
            "ours",
            "theirs",
        ];
        let csv = super::faces::table(&columns, &items);
        return Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], csv).into_response());
    }
    Ok(head.json(&json!({ "items": items, "next_cursor": null, "at": at, "checked": SERVED })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_passed_back_never_comes_from_near_because_the_ledger_says_so() {
        let url = |text: &str| text.to_owned();
        let first = |told: &[&str], named: &[&str], near| {
            let named: Vec<String> = named.iter().copied().map(url).collect();
            first_of(told.iter().copied().map(url).collect(), &named, near).map(|one| (one.url, one.named))
        };
        let (meta, own, far) = ("http://169.254.169.254/?", "http://127.0.0.1:8641", "http://1.1.1.1");
        assert_eq!(first(&[meta, own], &[], false), None);
        assert_eq!(first(&[meta, own, far], &[], false), Some((url(far), false)));
        assert_eq!(first(&[meta, own, far], &[own], false), Some((url(own), true)));
        assert_eq!(first(&[meta, own, far], &[], true), Some((url(own), false)));
    }

    #[test]
    fn what_is_passed_back_is_data_and_never_a_page_or_a_script() {
        let kind = |told: &'static str| data_type(Some(&HeaderValue::from_static(told)));
        assert_eq!(kind("application/json; charset=utf-8"), "application/json");
        assert_eq!(kind("text/csv"), "text/csv; charset=utf-8");
        for told in [
            "text/html",
            "text/javascript",
            "application/javascript",
            "image/svg+xml",
            "",
            "application/xhtml+xml",
        ] {
            assert_eq!(kind(told), "application/octet-stream", "{told}");
        }
        assert_eq!(data_type(None), "application/octet-stream");
    }
}
