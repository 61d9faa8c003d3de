//! Where an operator's alerts are posted, signed so that whoever gets them knows who sent them. Off unless it is wanted: it makes this
//! process ask addresses that strangers name. Kept in memory of this run only.

use super::people::account_id;
use super::{ApiError, pass::Handed};
use crate::live::Live;
use aws_lc_rs::hmac;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cairn_ledger::account::Witness;
use cairn_ledger::view;
use cairn_types::{AccountId, TimeMs, batch, hash};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// Webhooks of all operators.
const HOOKS_MAX: usize = 1_000;
/// After so many failures in a row a webhook is forgotten.
const FAILURES_MAX: u32 = 20;
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How far the time in a request may be off.
const OFF_MS_MAX: u64 = 5 * 60_000;

#[derive(Clone)]
struct Hook {
    url: String,
    secret: [u8; 32],
    failures: u32,
}

/// Those who want to be told.
#[derive(Clone, Default)]
pub struct Webhooks(Arc<Mutex<BTreeMap<u64, Hook>>>);

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

/// Whether an address may be asked: nothing of this computer or of the network that it stands in.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            let shared = first == 100 && (64..128).contains(&second);
            !(address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_broadcast()
                || address.is_multicast()
                || address.is_unspecified()
                || first == 0
                || shared)
        }
        IpAddr::V6(address) => {
            let first = address.segments()[0];
            !(address.is_loopback()
                || address.is_unspecified()
                || address.is_multicast()
                || address.to_ipv4_mapped().is_some()
                || first & 0xfe00 == 0xfc00
                || first & 0xffc0 == 0xfe80)
        }
    }
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
    if url.len() > 512 || !(url.is_empty() || url.starts_with("https://") || url.starts_with("http://")) {
        return Err(ApiError::bad(
            "bad_url",
            "the address is not one that can be posted to",
            "write it like https://host/path",
        ));
    }
    let (number, id, rule) = head
        .read(|ask| {
            let number = ask.account("id")?;
            let id = account_id(ask, number)?;
            let account = ask.look(|store| view::account(store, &id))?;
            let account = account.ok_or_else(|| ApiError::not_found("operator"))?;
            Ok((number, id, account.rule))
        })
        .await?;
    let now = head.shared.now();
    let message = message(head.shared.genesis.chain.as_str(), &id, &url, &secret, time);
    let fresh = now.0.abs_diff(time.0) <= OFF_MS_MAX;
    let signed: Vec<batch::Signed<'_>> = witness.signed(&message).collect();
    let holds = batch::verify(&signed).iter().all(|one| *one);
    if !fresh || witness.rule.hash() != rule || !witness.is_complete() || !holds {
        let hint = "sign the words again, now, with the account's keys in force";
        return Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "not_signed",
            "the account has not signed this",
            hint,
        ));
    }
    let mut all = hooks.0.lock().expect("no holder of the lock panics");
    if url.is_empty() {
        all.remove(&number);
    } else if all.len() >= HOOKS_MAX && !all.contains_key(&number) {
        let hint = "ask another explorer, or read the alerts";
        return Err(ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "webhooks_full",
            "no more webhooks are kept",
            hint,
        ));
    } else {
        let hook = Hook {
            url: url.clone(),
            secret,
            failures: 0,
        };
        all.insert(number, hook);
    }
    Ok(axum::Json(json!({ "operator": id.to_string(), "url": url, "failures": 0 })).into_response())
}

impl Webhooks {
    /// Posts alerts as they come, until told to stop. What is missed while an address is away is in the list of alerts.
    pub async fn run(self, live: Live, mut stop: watch::Receiver<bool>) {
        let mut newest = live.newest();
        let mut heard = *newest.borrow();
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                changed = newest.changed() => if changed.is_err() { return },
            }
            let messages = live.after(heard).unwrap_or_default();
            heard = *newest.borrow();
            for message in messages.iter().filter(|message| message.kind == "alert") {
                let Some(operator) = message.operator else { continue };
                let hook = self
                    .0
                    .lock()
                    .expect("no holder of the lock panics")
                    .get(&operator)
                    .cloned();
                let Some(hook) = hook else { continue };
                let done = post(&hook, &message.data).await;
                let mut all = self.0.lock().expect("no holder of the lock panics");
                let Some(kept) = all.get_mut(&operator) else { continue };
                kept.failures = if done { 0 } else { kept.failures + 1 };
                if kept.failures > FAILURES_MAX {
                    all.remove(&operator);
                }
            }
        }
    }
}

/// Posts one alert; whether it was taken. The address is looked up here, so that it is the public one that is asked.
async fn post(hook: &Hook, alert: &Value) -> bool {
    let Ok(url) = reqwest::Url::parse(&hook.url) else {
        return false;
    };
    let (Some(host), Some(port)) = (url.host_str().map(str::to_owned), url.port_or_known_default()) else {
        return false;
    };
    let Ok(found) = tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await else {
        return false;
    };
    let Some(address) = found.into_iter().find(|address| is_public(address.ip())) else {
        return false;
    };
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(WAIT_MAX)
        .resolve(&host, address)
        .build();
    let Ok(client) = client else { return false };
    let body = alert.to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &hook.secret);
    let signature = hex::encode(hmac::sign(&key, body.as_bytes()));
    let request = client.post(url).header("content-type", "application/json");
    let sent = request.header("x-cairn-signature", signature).body(body).send().await;
    sent.is_ok_and(|answer| answer.status().is_success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_near_this_computer_is_asked() {
        for near in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_public(near.parse().unwrap()), "{near}");
        }
        for far in ["1.1.1.1", "100.63.0.1", "2606:4700::1"] {
            assert!(is_public(far.parse().unwrap()), "{far}");
        }
    }
}
