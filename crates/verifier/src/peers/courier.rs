//! Fetches from other verifiers over HTTP, in tasks of its own: whoever asks gets what is here and never waits. Everything of a peer is
//! bounded: length, time to connect, time between bytes, bytes in a time, requests at once, and rest after a failure. A file is streamed
//! to disk and taken up again where it stopped, also after a kill, also from another peer; it is given out only under its hash.
//!
//! ```text
//! get ─▶ here? give it ─▶ under way? nothing ─▶ else a task: peer by peer ─▶ <hash>.part, appended ─▶ hash holds ─▶ here
//! ```
//! Follows no redirect and sends nothing but a path.

#[cfg(test)]
mod tests;

use super::{Peers, Wanted, What};
use crate::chain::VerifierAt;
use cairn_types::{AccountId, EpochNumber, Hash, NetworkId, hash};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

/// Things under way or waiting to be taken at once; more are asked for again later.
const JOBS_MAX: usize = 256;

/// Requests to one peer at once.
const REQUESTS_MAX: usize = 2;

/// How long a peer may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    pub connect: Duration,
    /// Until the first byte of an answer, and between its pieces.
    pub idle: Duration,
    /// A peer that in such a time sent less than `bytes_min` drips.
    pub turn: Duration,
    pub bytes_min: u64,
    /// After a failure a peer is left alone for so long, doubled with each further one, at most 64 times.
    pub rest: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            idle: Duration::from_secs(15),
            turn: Duration::from_secs(30),
            bytes_min: 1024 * 1024,
            rest: Duration::from_secs(1),
        }
    }
}

/// Why a peer gave nothing.
#[derive(Debug, Error)]
enum Failed {
    #[error("{0}")]
    Http(String),
    #[error("it answers with status {0}")]
    Status(u16),
    #[error("its answer has more than {0} bytes")]
    TooLong(u64),
    #[error("it is silent")]
    Silent,
    #[error("it drips")]
    Drips,
    #[error("what it gave has another hash")]
    OtherHash,
    #[error("the folder for what is under way: {0}")]
    Disk(#[from] io::Error),
}

enum Job {
    UnderWay,
    Here(Vec<u8>),
}

/// One thing wanted; of what has no hash, each peer's is another thing.
type Key = (Wanted, Option<AccountId>);

#[derive(Default)]
struct State {
    jobs: BTreeMap<Key, Job>,
    rests: BTreeMap<AccountId, (Instant, u32)>,
    places: BTreeMap<AccountId, Arc<Semaphore>>,
    under_way: usize,
    arrived: u64,
}

struct Inner {
    runtime: Handle,
    http: reqwest::Client,
    folder: PathBuf,
    patience: Patience,
    state: Mutex<State>,
    changed: Condvar,
    closed: watch::Sender<bool>,
}

/// The way to other verifiers over HTTP. Clones share it.
#[derive(Clone)]
pub struct Courier(Arc<Inner>);

impl Courier {
    /// Keeps what is under way in a folder. `runtime` is where its tasks run.
    pub fn open(folder: &Path, patience: Patience, runtime: Handle) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let http = reqwest::Client::builder()
            .connect_timeout(patience.connect)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(REQUESTS_MAX)
            .build()
            .map_err(io::Error::other)?;
        Ok(Self(Arc::new(Inner {
            runtime,
            http,
            folder: folder.to_owned(),
            patience,
            state: Mutex::default(),
            changed: Condvar::new(),
            closed: watch::Sender::new(false),
        })))
    }

    /// Ends what is under way; begun files stay.
    pub fn close(&self) {
        self.0.closed.send_replace(true);
    }

    /// Waits until nothing is under way. How much arrived so far, if that is more than `before`.
    pub fn wait(&self, before: u64) -> Option<u64> {
        let state = self.0.state();
        let state = self.0.changed.wait_while(state, |state| state.under_way > 0);
        let arrived = state.expect("no holder of the lock panics").arrived;
        (arrived > before).then_some(arrived)
    }

    /// So many things arrived so far.
    pub fn arrived(&self) -> u64 {
        self.0.state().arrived
    }
}

impl Peers for Courier {
    fn get(&self, wanted: &Wanted, from: &[VerifierAt]) -> Option<Vec<u8>> {
        let of = match wanted.what {
            What::Hashed { .. } => None,
            What::Named(_) | What::Words | What::Withheld => Some(from.first()?.account),
        };
        let key = (wanted.clone(), of);
        let mut state = self.0.state();
        match state.jobs.get(&key) {
            Some(Job::UnderWay) => return None,
            Some(Job::Here(_)) => {
                let Some(Job::Here(bytes)) = state.jobs.remove(&key) else {
                    return None;
                };
                return Some(bytes);
            }
            None => {}
        }
        let now = Instant::now();
        let State { rests, places, .. } = &mut *state;
        let is_awake = |peer: &&VerifierAt| rests.get(&peer.account).is_none_or(|(until, _)| now >= *until);
        let from: Vec<_> = from
            .iter()
            .filter(is_awake)
            .map(|peer| {
                let places = places.entry(peer.account);
                let places = places.or_insert_with(|| Arc::new(Semaphore::new(REQUESTS_MAX)));
                (peer.clone(), places.clone())
            })
            .collect();
        if state.jobs.len() >= JOBS_MAX {
            // What nobody took is sought again when it is asked for.
            state.jobs.retain(|_, job| matches!(job, Job::UnderWay));
        }
        if from.is_empty() || state.jobs.len() >= JOBS_MAX {
            return None;
        }
        state.jobs.insert(key.clone(), Job::UnderWay);
        state.under_way += 1;
        drop(state);
        let inner = self.0.clone();
        self.0.runtime.spawn(async move {
            let mut closed = inner.closed.subscribe();
            let found = tokio::select! {
                found = inner.seek(&key.0, &from) => found,
                _ = closed.wait_for(|closed| *closed) => None,
            };
            inner.done(key, found);
        });
        None
    }

    fn forget(&self, network: &NetworkId, epoch: EpochNumber) {
        let is_of = |wanted: &Wanted| wanted.network == *network && wanted.epoch == epoch;
        let is_idle = |job: &Job| matches!(job, Job::Here(_));
        self.0
            .state()
            .jobs
            .retain(|(wanted, _), job| !(is_of(wanted) && is_idle(job)));
        let begins = format!("{network}-{}-", epoch.0);
        let files = std::fs::read_dir(&self.0.folder).into_iter().flatten().flatten();
        let of_epoch = files.filter(|file| file.file_name().to_string_lossy().starts_with(&begins));
        // What cannot be removed is in nobody's way.
        of_epoch.for_each(|file| drop(std::fs::remove_file(file.path())));
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the lock panics")
    }

    fn done(&self, key: Key, found: Option<Vec<u8>>) {
        let mut state = self.state();
        match found {
            Some(bytes) => {
                state.arrived += 1;
                state.jobs.insert(key, Job::Here(bytes));
            }
            None => drop(state.jobs.remove(&key)),
        }
        state.under_way -= 1;
        self.changed.notify_all();
    }

    /// Asks one peer after the other; one that fails rests.
    async fn seek(&self, wanted: &Wanted, from: &[(VerifierAt, Arc<Semaphore>)]) -> Option<Vec<u8>> {
        for (peer, places) in from {
            let _place = places.acquire().await.ok()?;
            let url = format!("{}{}", peer.url.trim_end_matches('/'), wanted.path());
            let fetched = match &wanted.what {
                What::Hashed { hash, .. } => self.hashed(&url, wanted, hash).await,
                What::Named(_) | What::Words | What::Withheld => self.whole(&url, wanted.bytes_max).await,
            };
            match fetched {
                Ok(bytes) => {
                    self.state().rests.remove(&peer.account);
                    return Some(bytes);
                }
                // It has it not: that is no failure.
                Err(Failed::Status(404)) => {}
                Err(error) => {
                    tracing::warn!(verifier = %peer.account, %url, %error, "another verifier does not give what was asked for");
                    self.rest(&peer.account);
                }
            }
        }
        None
    }

    fn rest(&self, peer: &AccountId) {
        let mut state = self.state();
        let (until, failures) = state.rests.entry(*peer).or_insert((Instant::now(), 0));
        *until = Instant::now() + self.patience.rest * (1 << (*failures).min(6));
        *failures = failures.saturating_add(1);
    }

    /// A short answer, held in memory.
    async fn whole(&self, url: &str, bytes_max: u64) -> Result<Vec<u8>, Failed> {
        let mut bytes = Vec::new();
        let mut answer = self.ask(url, 0).await?;
        if answer.response.status().as_u16() != 200 {
            return Err(Failed::Status(answer.response.status().as_u16()));
        }
        while let Some(chunk) = answer.next(&self.patience).await? {
            if (bytes.len() + chunk.len()) as u64 > bytes_max {
                return Err(Failed::TooLong(bytes_max));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// A file under its hash, taken up where an earlier try stopped. Where the begun part may be another's, a wrong hash has it fetched
    /// once more from the first byte.
    async fn hashed(&self, url: &str, wanted: &Wanted, hash: &Hash) -> Result<Vec<u8>, Failed> {
        let name = format!("{}-{}-{hash}.part", wanted.network, wanted.epoch.0);
        let path = self.folder.join(name);
        let begun = match tokio::fs::metadata(&path).await {
            Ok(found) => found.len(),
            Err(_) => 0,
        };
        if begun <= wanted.bytes_max {
            match self.append(url, &path, begun, wanted.bytes_max).await {
                Ok(()) | Err(Failed::Status(416)) => {}
                Err(error) => return Err(error),
            }
            let bytes = tokio::fs::read(&path).await?;
            if hash::sha256(&bytes) == *hash {
                drop(tokio::fs::remove_file(&path).await);
                return Ok(bytes);
            }
        }
        drop(tokio::fs::remove_file(&path).await);
        if begun == 0 {
            return Err(Failed::OtherHash);
        }
        self.append(url, &path, 0, wanted.bytes_max).await?;
        let bytes = tokio::fs::read(&path).await?;
        drop(tokio::fs::remove_file(&path).await);
        if hash::sha256(&bytes) == *hash {
            Ok(bytes)
        } else {
            Err(Failed::OtherHash)
        }
    }

    /// Appends what a peer has of a file from a place on. What came stays on disk, whatever ends it.
    async fn append(&self, url: &str, path: &Path, begun: u64, bytes_max: u64) -> Result<(), Failed> {
        let mut answer = self.ask(url, begun).await?;
        let mut length = match answer.response.status().as_u16() {
            206 if begun > 0 => begun,
            200 => 0,
            status => return Err(Failed::Status(status)),
        };
        let mut file = tokio::fs::OpenOptions::new()
            .create(true)
            .write(true)
            .truncate(length == 0)
            .open(path)
            .await?;
        tokio::io::AsyncSeekExt::seek(&mut file, io::SeekFrom::Start(length)).await?;
        loop {
            let chunk = match answer.next(&self.patience).await {
                Ok(Some(chunk)) => chunk,
                ended => {
                    file.flush().await?;
                    return ended.map(drop);
                }
            };
            length += chunk.len() as u64;
            if length > bytes_max {
                drop(file);
                drop(tokio::fs::remove_file(path).await);
                return Err(Failed::TooLong(bytes_max));
            }
            file.write_all(&chunk).await?;
        }
    }

    async fn ask(&self, url: &str, begun: u64) -> Result<Answer, Failed> {
        let mut request = self.http.get(url);
        if begun > 0 {
            request = request.header("range", format!("bytes={begun}-"));
        }
        let sent = tokio::time::timeout(self.patience.idle, request.send()).await;
        let response = sent.map_err(|_| Failed::Silent)?.map_err(words)?;
        Ok(Answer {
            response,
            turn: Instant::now(),
            bytes: 0,
        })
    }
}

/// An answer as it comes, and how fast.
struct Answer {
    response: reqwest::Response,
    turn: Instant,
    bytes: u64,
}

impl Answer {
    async fn next(&mut self, patience: &Patience) -> Result<Option<bytes::Bytes>, Failed> {
        let chunk = tokio::time::timeout(patience.idle, self.response.chunk()).await;
        let chunk = chunk.map_err(|_| Failed::Silent)?.map_err(words)?;
        self.bytes += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        if self.turn.elapsed() >= patience.turn {
            if self.bytes < patience.bytes_min {
                return Err(Failed::Drips);
            }
            (self.turn, self.bytes) = (Instant::now(), 0);
        }
        Ok(chunk)
    }
}

fn words(error: reqwest::Error) -> Failed {
    Failed::Http(error.without_url().to_string())
}
