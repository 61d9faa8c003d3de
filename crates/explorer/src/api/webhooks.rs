//! Where an operator asks for its alerts to be posted: signed by its account.

use super::people::account_id;
use super::{ApiError, pass::Handed};
use crate::webhooks::{Kept, may_post};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cairn_ledger::account::Witness;
use cairn_ledger::view;
use cairn_types::{AccountId, TimeMs, batch, hash};
use serde_json::{Value, json};

/// How far the time in a request may be off.
pub const OFF_MS_MAX: u64 = 5 * 60_000;

/// What the account signs.
pub fn message(chain: &str, account: &AccountId, url: &str, secret: &[u8; 32], time: TimeMs) -> [u8; 32] {
    let parts: [&[u8]; 5] = [
        chain.as_bytes(),
        &account.0,
        url.as_bytes(),
        secret,
        &time.0.to_be_bytes(),
    ];
    hash::domain("cairn/webhook/1", &parts).0
}

/// Adds a webhook, or takes it away when the address is empty.
pub async fn add(Handed { head, body }: Handed) -> Result<Response, ApiError> {
    let Some(hooks) = head.shared.webhooks.clone() else {
        let hint = "start the explorer with --webhooks, or read GET /v1/operators/{id}/alerts";
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "webhooks_off",
            "this explorer posts nothing",
            hint,
        ));
    };
    let bad = || {
        ApiError::bad(
            "bad_body",
            "the body is not a webhook",
            "GET /v1/openapi.json says its form",
        )
    };
    let asked: Value = serde_json::from_slice(&body).map_err(|_| bad())?;
    let text = |name: &str| asked[name].as_str().ok_or_else(bad);
    let url = text("url")?.to_owned();
    let secret: [u8; 32] = hex::decode(text("secret")?)
        .ok()
        .and_then(|secret| secret.try_into().ok())
        .ok_or_else(bad)?;
    let time: TimeMs = text("time")?.parse().map_err(|_| bad())?;
    let witness = hex::decode(text("witness")?).map_err(|_| bad())?;
    let witness: Witness = cairn_types::codec::decode_canonical(&witness).map_err(|_| bad())?;
    if !(url.is_empty() || may_post(&url, hooks.near())) {
        return Err(ApiError::bad(
            "bad_url",
            "the address is not one that can be posted to",
            "write it like https://host/path",
        ));
    }
    let (id, rule) = head
        .read(|ask| {
            let number = ask.account("id")?;
            let id = account_id(ask, number)?;
            let account = ask.look(|store| view::account(store, &id))?;
            let account = account.ok_or_else(|| ApiError::not_found("operator"))?;
            Ok((id, account.rule))
        })
        .await?;
    let now = head.shared.now();
    let message = message(head.shared.genesis.chain.as_str(), &id, &url, &secret, time);
    let fresh = now.0.abs_diff(time.0) <= OFF_MS_MAX;
    let signed: Vec<batch::Signed<'_>> = witness.signed(&message).collect();
    let holds = batch::verify(&signed).iter().all(|one| *one);
    if !fresh || witness.rule.hash() != rule || !witness.is_complete() || !holds {
        return Err(unsigned());
    }
    match hooks.keep(id, url.clone(), secret, time).await? {
        Kept::Yes => Ok(axum::Json(json!({ "operator": id.to_string(), "url": url, "failures": 0 })).into_response()),
        // Else whoever heard a request could send it again after another.
        Kept::Older => Err(unsigned()),
        Kept::Full => {
            let hint = "ask another explorer, or read the alerts";
            Err(ApiError::new(
                StatusCode::TOO_MANY_REQUESTS,
                "webhooks_full",
                "no more webhooks are kept",
                hint,
            ))
        }
    }
}

fn unsigned() -> ApiError {
    let hint = "sign the words again, now, with the account's keys in force";
    ApiError::new(
        StatusCode::UNAUTHORIZED,
        "not_signed",
        "the account has not signed this",
        hint,
    )
}
