//! Where an operator's alerts are posted, signed so that whoever gets them knows who sent them. Off unless it is wanted: it makes this
//! process ask addresses that strangers name. Kept beside the index, so that an end at any moment loses none: an alert and its post are
//! committed together, and a post may come twice, never not at all while its address answers within a week. Making the index anew keeps
//! them, and posts nothing again.
//!
//! ```text
//! findings ─▶ alert + post, one commit ─▶ waiting ─▶ posted ─▶ done        not taken: later, ever less often; too often: forgotten
//! ```

mod send;

pub use send::may_post;

use crate::api::OFF_MS_MAX;
use crate::db::{DbError, Location, Row, Session, values};
use crate::live::Live;
use crate::serve::system_time;
use cairn_types::{AccountId, TimeMs};
use futures::StreamExt;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// Webhooks of all operators.
const HOOKS_MAX: u64 = 1_000;
/// Posts of one operator that wait; what is more is in the list of alerts only.
const WAITING_MAX: u64 = 1_000;
/// After so many failures in a row a webhook is forgotten: about a day.
const FAILURES_MAX: u64 = 30;
/// Older alerts are not posted any more.
const KEPT_MS: u64 = 7 * 86_400_000;
/// Posts read at once.
const BATCH: u64 = 256;
/// Operators told at once.
const AT_ONCE: usize = 16;
/// Between two looks where nothing happens.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// After a failure; doubled each time, up to the most.
const REST_MIN_MS: u64 = 30_000;
const REST_MAX_MS: u64 = 3_600_000;

/// They are not part of the index: making it anew leaves them.
pub const TABLES: &str = "CREATE TABLE IF NOT EXISTS hooks (account BYTES PRIMARY KEY, url TEXT NOT NULL, secret BYTES NOT NULL,
    signed BIGINT NOT NULL, failures BIGINT NOT NULL, due BIGINT NOT NULL);
    CREATE TABLE IF NOT EXISTS hook_posts (account BYTES NOT NULL, alert TEXT NOT NULL, time BIGINT NOT NULL, body TEXT NOT NULL,
    done BIGINT NOT NULL, PRIMARY KEY (account, alert));";

/// What became of a webhook that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    Yes,
    /// The account has signed something else since.
    Older,
    /// As many are kept as may be.
    Full,
}

/// Those who want to be told.
#[derive(Clone)]
pub struct Webhooks(Arc<Inner>);

struct Inner {
    location: Location,
    near: bool,
    session: Mutex<Option<Box<dyn Session>>>,
}

/// Whom to tell, and what waits for it.
struct Waiting {
    account: [u8; 32],
    url: String,
    secret: Vec<u8>,
    failures: u64,
    /// Name and body of each alert, in order.
    posts: Vec<(String, String)>,
}

impl Webhooks {
    /// Blocking.
    pub fn open(location: Location, near: bool) -> Result<Self, DbError> {
        let session = Mutex::new(Some(location.open()?));
        Ok(Self(Arc::new(Inner {
            location,
            near,
            session,
        })))
    }

    /// Whether addresses of this computer and its network may be asked.
    pub fn near(&self) -> bool {
        self.0.near
    }

    /// In one transaction, where it may wait.
    async fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut dyn Session) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        let inner = self.0.clone();
        let done = tokio::task::spawn_blocking(move || {
            let mut kept = inner.session.lock().expect("no holder of the lock panics");
            let mut session = match kept.take() {
                Some(session) => session,
                None => inner.location.open()?,
            };
            session.begin()?;
            match act(session.as_mut()) {
                Ok(answer) => {
                    session.commit()?;
                    *kept = Some(session);
                    Ok(answer)
                }
                Err(error) => {
                    // The next one opens anew.
                    let _ = session.rollback();
                    Err(error)
                }
            }
        });
        done.await.map_err(|error| DbError::Failed(error.to_string()))?
    }

    /// Keeps where an account's alerts are posted, as it signed last; nowhere where the address is empty, which is kept as well: else whoever
    /// heard the request before could send it again.
    pub async fn keep(&self, account: AccountId, url: String, secret: [u8; 32], time: TimeMs) -> Result<Kept, DbError> {
        self.with(move |session| {
            let sql = "SELECT signed FROM hooks WHERE account = $1";
            let signed = session.one(sql, values![account.0])?;
            if signed.is_some_and(|row| row.sum(0) >= time.0) {
                return Ok(Kept::Older);
            }
            // What was taken away so long ago that it could not be sent again makes room.
            let long_ago = time.0.saturating_sub(2 * OFF_MS_MAX);
            session.run("DELETE FROM hooks WHERE url = '' AND signed < $1", values![long_ago])?;
            let count = session.one("SELECT COUNT(*) FROM hooks WHERE account <> $1", values![account.0])?;
            if count.is_some_and(|row| row.sum(0) >= HOOKS_MAX) {
                return Ok(Kept::Full);
            }
            if url.is_empty() {
                session.run("DELETE FROM hook_posts WHERE account = $1", values![account.0])?;
            }
            let sql = "INSERT INTO hooks (account, url, secret, signed, failures, due) VALUES ($1, $2, $3, $4, 0, 0) ON CONFLICT (account)
                DO UPDATE SET url = excluded.url, secret = excluded.secret, signed = excluded.signed, failures = 0, due = 0";
            session.run(sql, values![account.0, url, secret, time.0])?;
            Ok(Kept::Yes)
        })
        .await
    }

    /// Posts alerts as they come, until told to stop.
    pub async fn run(self, live: Live, mut stop: watch::Receiver<bool>) {
        let mut newest = live.newest();
        loop {
            newest.mark_unchanged();
            let round = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                round = self.round() => round,
            };
            match round {
                Ok(count) if count >= BATCH => continue,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "webhooks wait"),
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
                changed = newest.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Posts what waits; answers how many posts there were.
    async fn round(&self) -> Result<u64, DbError> {
        let all = self.with(|session| waiting(session, system_time())).await?;
        let count = all.iter().map(|one| one.posts.len() as u64).sum();
        futures::stream::iter(all)
            .for_each_concurrent(AT_ONCE, |one| async move {
                if let Err(error) = self.tell(one).await {
                    tracing::warn!(%error, "what was posted is not written down; it is posted again");
                }
            })
            .await;
        Ok(count)
    }

    /// Posts to one, in order, until one is not taken.
    async fn tell(&self, one: Waiting) -> Result<(), DbError> {
        let account = one.account;
        for (alert, body) in one.posts {
            let taken = send::post(&one.url, &one.secret, body, self.0.near).await;
            if !taken {
                let failures = one.failures + 1;
                return self.with(move |session| failed(session, account, failures)).await;
            }
            self.with(move |session| {
                let sql = "UPDATE hook_posts SET done = 1 WHERE account = $1 AND alert = $2";
                session.run(sql, values![account, alert])?;
                let sql = "UPDATE hooks SET failures = 0, due = 0 WHERE account = $1";
                session.run(sql, values![account]).map(drop)
            })
            .await?;
        }
        Ok(())
    }
}

fn forget(session: &mut dyn Session, account: [u8; 32]) -> Result<(), DbError> {
    session.run("DELETE FROM hook_posts WHERE account = $1", values![account])?;
    session
        .run("DELETE FROM hooks WHERE account = $1", values![account])
        .map(drop)
}

fn failed(session: &mut dyn Session, account: [u8; 32], failures: u64) -> Result<(), DbError> {
    if failures > FAILURES_MAX {
        return forget(session, account);
    }
    let rest = REST_MIN_MS.saturating_mul(1 << failures.min(16)).min(REST_MAX_MS);
    let due = system_time().0.saturating_add(rest);
    let sql = "UPDATE hooks SET failures = $2, due = $3 WHERE account = $1";
    session.run(sql, values![account, failures, due]).map(drop)
}

/// What is due, by whom it is for.
fn waiting(session: &mut dyn Session, now: TimeMs) -> Result<Vec<Waiting>, DbError> {
    let sql = "SELECT p.account, h.url, h.secret, h.failures, p.alert, p.body FROM hook_posts p JOIN hooks h ON h.account = p.account
        WHERE p.done = 0 AND h.due <= $1 ORDER BY p.time, p.alert LIMIT $2";
    let mut all: BTreeMap<[u8; 32], Waiting> = BTreeMap::new();
    let mut read = |row: &Row| -> Result<(), DbError> {
        let account = row.id(0)?;
        let (url, secret, failures) = (row.text(1)?.to_owned(), row.bytes(2)?.to_vec(), row.count(3)?);
        let one = all.entry(account).or_insert_with(|| Waiting {
            account,
            url,
            secret,
            failures,
            posts: Vec::new(),
        });
        one.posts.push((row.text(4)?.to_owned(), row.text(5)?.to_owned()));
        Ok(())
    };
    session
        .all(sql, values![now.0, BATCH])?
        .iter()
        .try_for_each(&mut read)?;
    Ok(all.into_values().collect())
}

/// Puts alerts beside what is written, for those who want to be told. `now` is the chain's: what happened long before is not news.
pub fn put(session: &mut dyn Session, alerts: &[(u64, Value)], now: TimeMs) -> Result<(), DbError> {
    if alerts.is_empty()
        || session
            .one("SELECT 1 FROM hooks WHERE url <> '' LIMIT 1", &[])?
            .is_none()
    {
        return Ok(());
    }
    let oldest = now.0.saturating_sub(KEPT_MS);
    session.run("DELETE FROM hook_posts WHERE time < $1", values![oldest])?;
    for (_, alert) in alerts {
        let time = alert["time"].as_str().and_then(|time| time.parse::<TimeMs>().ok());
        let operator = alert["operator"].as_str().and_then(|id| hex::decode(id).ok());
        let (Some(time), Some(operator), Some(id)) = (time, operator, alert["id"].as_str()) else {
            continue;
        };
        if time.0 < oldest {
            continue;
        }
        let sql = "INSERT INTO hook_posts (account, alert, time, body, done)
            SELECT h.account, CAST($2 AS TEXT), CAST($3 AS BIGINT), CAST($4 AS TEXT), 0 FROM hooks h WHERE h.account = $1 AND h.url <> ''
            AND (SELECT COUNT(*) FROM hook_posts p WHERE p.account = $1 AND p.done = 0) < $5 ON CONFLICT (account, alert) DO NOTHING";
        let body = alert.to_string();
        session.run(sql, values![operator, id.to_owned(), time.0, body, WAITING_MAX])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
