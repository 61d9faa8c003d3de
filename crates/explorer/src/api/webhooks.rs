//! Where an operator's alerts are posted, signed so that whoever gets them knows who sent them. Off unless it is wanted: it makes this
//! process ask addresses that strangers name. Kept in memory of this run only.

use super::people::account_id;
use super::{ApiError, pass::Handed};
use crate::dial;
use crate::live::Live;
use aws_lc_rs::hmac;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use cairn_ledger::account::Witness;
use cairn_ledger::view;
use cairn_types::{AccountId, TimeMs, batch, hash};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::watch;

/// Webhooks of all operators.
const HOOKS_MAX: usize = 1_000;
/// After so many failures in a row a webhook is forgotten.
const FAILURES_MAX: u32 = 20;
pub const WAIT_MAX: Duration = Duration::from_secs(10);
/// How far the time in a request may be off.
const OFF_MS_MAX: u64 = 5 * 60_000;

/// Bytes of an address.
const URL_BYTES_MAX: usize = 512;
/// Posted at once: who is slow holds up nobody else.
const POSTS_MAX: usize = 16;

#[derive(Clone)]
struct Hook {
    /// Empty once it was taken away.
    url: String,
    secret: [u8; 32],
    /// When it was signed.
    time: TimeMs,
    failures: u32,
}

/// Why a webhook is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unkept {
    /// The account has signed something else since.
    Older,
    Full,
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
    if !(url.is_empty() || may_post(&url)) {
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
        return Err(unsigned());
    }
    let hook = Hook {
        url: url.clone(),
        secret,
        time,
        failures: 0,
    };
    match hooks.put(number, hook) {
        Ok(()) => Ok(axum::Json(json!({ "operator": id.to_string(), "url": url, "failures": 0 })).into_response()),
        Err(Unkept::Older) => Err(unsigned()),
        Err(Unkept::Full) => {
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

impl Webhooks {
    fn all(&self) -> MutexGuard<'_, BTreeMap<u64, Hook>> {
        self.0.lock().expect("no holder of the lock panics")
    }

    /// Keeps what was signed last, also that nothing shall be posted: else whoever heard the request before could send it again.
    fn put(&self, account: u64, hook: Hook) -> Result<(), Unkept> {
        let mut all = self.all();
        let kept = all.get(&account);
        if kept.is_some_and(|kept| kept.time >= hook.time) {
            return Err(Unkept::Older);
        }
        if kept.is_none() && all.len() >= HOOKS_MAX {
            // What was taken away so long ago that it could not be sent again makes room.
            all.retain(|_, kept| !kept.url.is_empty() || kept.time.0.abs_diff(hook.time.0) <= 2 * OFF_MS_MAX);
            if all.len() >= HOOKS_MAX {
                return Err(Unkept::Full);
            }
        }
        all.insert(account, hook);
        Ok(())
    }

    fn of(&self, account: u64) -> Option<Hook> {
        self.all().get(&account).filter(|hook| !hook.url.is_empty()).cloned()
    }

    /// Posts alerts as they come, until told to stop. What is missed while an address is away is in the list of alerts.
    pub async fn run(self, live: Live, http: reqwest::Client, mut stop: watch::Receiver<bool>) {
        let mut newest = live.newest();
        let mut heard = *newest.borrow();
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                changed = newest.changed() => if changed.is_err() { return },
            }
            let messages = live.after(heard).unwrap_or_default();
            heard = messages.last().map_or(*newest.borrow(), |last| last.number);
            let (hooks, http) = (&self, &http);
            let alerts = messages.iter().filter(|message| message.kind == "alert");
            let posts = alerts.filter_map(|alert| Some((alert.operator?, hooks.of(alert.operator?)?, &alert.data)));
            let posted = stream::iter(posts).for_each_concurrent(POSTS_MAX, |(operator, hook, alert)| async move {
                hooks.count(operator, &hook, post(http, &hook, alert).await);
            });
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = posted => {}
            }
        }
    }

    /// Whether an alert was taken; whose address takes none for long is forgotten.
    fn count(&self, account: u64, posted: &Hook, done: bool) {
        let mut all = self.all();
        let Some(kept) = all.get_mut(&account).filter(|kept| kept.time == posted.time) else {
            return;
        };
        kept.failures = if done { 0 } else { kept.failures + 1 };
        if kept.failures > FAILURES_MAX {
            all.remove(&account);
        }
    }
}

/// Whether alerts may be posted there: a service on the public network.
fn may_post(url: &str) -> bool {
    let read = reqwest::Url::parse(url);
    url.len() <= URL_BYTES_MAX
        && read.is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && dial::leads_out(&url))
}

/// Posts one alert; whether it was taken. The client looks where a name leads as it dials.
async fn post(http: &reqwest::Client, hook: &Hook, alert: &Value) -> bool {
    let body = alert.to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &hook.secret);
    let signature = hex::encode(hmac::sign(&key, body.as_bytes()));
    let request = http.post(&hook.url).header("content-type", "application/json");
    let sent = request.header("x-cairn-signature", signature).body(body).send().await;
    sent.is_ok_and(|answer| answer.status().is_success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_posted_to_services_on_the_public_network() {
        for good in ["https://hooks.example/a?token=1", "http://1.1.1.1:8080/"] {
            assert!(may_post(good), "{good}");
        }
        let long = format!("https://hooks.example/{}", "a".repeat(URL_BYTES_MAX));
        for bad in [
            "",
            "hooks.example",
            "ftp://hooks.example",
            "http://127.0.0.1/",
            "http://[::1]/",
            &long,
        ] {
            assert!(!may_post(bad), "{bad}");
        }
    }

    #[test]
    fn an_older_request_does_not_undo_a_newer_one() {
        let hooks = Webhooks::default();
        let hook = |url: &str, time: u64| Hook {
            url: url.to_owned(),
            secret: [1; 32],
            time: TimeMs(time),
            failures: 0,
        };
        assert_eq!(hooks.put(7, hook("http://a.example", 10)), Ok(()));
        assert_eq!(hooks.put(7, hook("", 11)), Ok(()));
        assert_eq!(hooks.put(7, hook("http://a.example", 10)), Err(Unkept::Older));
        assert_eq!(hooks.of(7).map(|hook| hook.url), None, "it stays taken away");
        assert_eq!(hooks.put(7, hook("http://b.example", 12)), Ok(()));
        assert_eq!(hooks.of(7).map(|hook| hook.url), Some("http://b.example".to_owned()));
        for account in 0..HOOKS_MAX as u64 {
            let _ = hooks.put(account, hook("http://a.example", 20));
        }
        assert_eq!(hooks.put(5_000, hook("http://a.example", 20)), Err(Unkept::Full));
    }
}
