//! Takes anchored files that others hand on: whoever judges by a file gives it to every verifier, so that all can follow what is decided.
//! Nobody has to say who it is, since the file proves itself; so all of it is bounded: places, bytes of an address, length, time.
//!
//! ```text
//! PUT /v1/archive/{network}/{epoch}/sealed-{sha-256}.parquet ─▶ wanted? ─▶ <hash>-n.part, hashed as it comes ─▶ archive, synced
//! ```
//! What is begun and not ended is removed: at once, and after a kill at the next start. Where all places are taken the slowest sender gives
//! way, so that nobody is kept out by one who drips.

#[cfg(test)]
mod tests;

use super::guard::Peer;
use super::rate::{Rate, Rates};
use super::read::{self, nothing, served};
use super::{Refused, Shared};
use crate::archive;
use crate::handed::{self, File, NotTaken, WHO, Want};
use crate::limits::{
    HANDED_AT_ONCE_MAX, HANDED_BY_ONE_MAX, HANDED_BYTES_PER_SECOND_MIN, HANDED_KIB_MAX, HANDED_KIB_MIN,
    HANDED_KIB_PER_SECOND, HANDED_SPARED,
};
use axum::body::Body;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cairn_types::{EpochNumber, Hash, hash};
use futures::StreamExt;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;

/// How the name of a file ends that is not whole yet.
const PART: &str = "part";

/// Where files that are handed on arrive.
pub struct Desk {
    folder: PathBuf,
    coming: Mutex<Vec<Arc<Coming>>>,
    rates: Mutex<Rates>,
    next: AtomicU64,
}

/// One who hands a file on.
struct Coming {
    number: u64,
    address: IpAddr,
    since: Instant,
    bytes: AtomicU64,
    /// Told when it must give way.
    gives_way: Notify,
}

/// A place among those who hand files on. Free again when it is dropped.
struct Place<'a> {
    desk: &'a Desk,
    one: Arc<Coming>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.desk.coming().retain(|one| one.number != self.one.number);
    }
}

/// A file on its way. Gone when it is dropped.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // One that was never made is gone already; what cannot be removed is at the next start.
        drop(std::fs::remove_file(&self.0));
    }
}

impl Desk {
    /// Opens a folder of its own, and removes what an earlier process left there.
    pub fn open(folder: &std::path::Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        for left in std::fs::read_dir(folder)? {
            let path = left?.path();
            if path.extension().is_some_and(|extension| extension == PART) {
                std::fs::remove_file(path)?;
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            coming: Mutex::default(),
            rates: Mutex::new(Rates::new(Rate {
                per_second: HANDED_KIB_PER_SECOND,
                burst: HANDED_KIB_MAX,
            })),
            next: AtomicU64::default(),
        })
    }

    /// `Err`: after how many seconds an address may send so much.
    fn take(&self, address: IpAddr, length: u64) -> Result<(), u32> {
        let kib = length.div_ceil(1024).max(HANDED_KIB_MIN);
        let mut rates = self.rates.lock().expect("no holder of the lock panics");
        rates.take(address, usize::try_from(kib).unwrap_or(usize::MAX), Instant::now())
    }

    fn coming(&self) -> MutexGuard<'_, Vec<Arc<Coming>>> {
        self.coming.lock().expect("no holder of the lock panics")
    }

    /// A place for one from this address; perhaps that of the slowest of the others.
    fn admit(&self, address: IpAddr, now: Instant) -> Option<Place<'_>> {
        let mut coming = self.coming();
        if coming.iter().filter(|one| one.address == address).count() >= HANDED_BY_ONE_MAX {
            return None;
        }
        if coming.len() >= HANDED_AT_ONCE_MAX {
            let lasting = |one: &Coming| now.saturating_duration_since(one.since);
            let spared = |one: &Coming| lasting(one) < HANDED_SPARED;
            let pace =
                |one: &Coming| u128::from(one.bytes.load(Ordering::Relaxed)) * 1_000 / lasting(one).as_millis().max(1);
            let others = coming.iter().enumerate().filter(|(_, one)| !spared(one));
            let (at, _) = others.min_by_key(|(_, one)| pace(one))?;
            coming.remove(at).gives_way.notify_one();
        }
        let one = Arc::new(Coming {
            number: self.next.fetch_add(1, Ordering::Relaxed),
            address,
            since: now,
            bytes: AtomicU64::default(),
            gives_way: Notify::new(),
        });
        coming.push(one.clone());
        Some(Place { desk: self, one })
    }

    fn part(&self, hash: &Hash, place: &Place<'_>) -> Part {
        let number = place.one.number;
        Part(self.folder.join(format!("{hash}-{number}.{PART}")))
    }
}

/// `HEAD /v1/archive/{network}/{epoch}/{file}`: whether the file is here. For an anchored one nothing of it is read, and the answer says who
/// answers, so that nobody is sent files because somebody else named its address on the ledger.
pub async fn head(
    State(shared): State<Arc<Shared>>,
    Path((network, epoch, name)): Path<(String, u64, String)>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let Some(hash) = archive::sealed_hash(&name) else {
        return read::archive_file(State(shared), Path((network, epoch, name)), headers).await;
    };
    let (network, epoch) = (served(&shared, &network)?, EpochNumber(epoch));
    let file = File { network, epoch, hash };
    let is_here = read::read(&shared, move |shared| handed::holds(shared.objects.as_ref(), &file)).await?;
    let status = if is_here { StatusCode::OK } else { StatusCode::NOT_FOUND };
    Ok((status, [(WHO, shared.verifier.to_string())]).into_response())
}

/// `PUT /v1/archive/{network}/{epoch}/sealed-{sha-256}.parquet`: 201 when it is kept, 200 when it was here already.
pub async fn put(
    State(shared): State<Arc<Shared>>,
    Path((network, epoch, name)): Path<(String, u64, String)>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, Refused> {
    let (network, epoch) = (served(&shared, &network)?, EpochNumber(epoch));
    let hash = archive::sealed_hash(&name).ok_or_else(|| nothing("only anchored files are taken, under their hash"))?;
    let file = File { network, epoch, hash };
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    let length: u64 = length.ok_or_else(|| {
        let text = "say how long the file is (content-length)";
        Refused::new(StatusCode::LENGTH_REQUIRED, "LengthRequired", text)
    })?;
    shared.desk.take(peer.address, length).map_err(|seconds| {
        let text = "this address hands on more than its limit";
        Refused::later(StatusCode::TOO_MANY_REQUESTS, "TooFast", text, seconds)
    })?;
    let place = shared
        .desk
        .admit(peer.address, Instant::now())
        .ok_or_else(|| full(&shared))?;
    let bytes_max = match asked(&shared, move |shared| wanted(shared, &file)).await? {
        Want::Here => return Ok(StatusCode::OK),
        Want::Wanted { bytes_max } => bytes_max,
    };
    if length > bytes_max {
        return Err(refused(&shared, NotTaken::TooLong(bytes_max)));
    }
    peer.allow(Duration::from_secs(length / HANDED_BYTES_PER_SECOND_MIN));
    let part = shared.desk.part(&hash, &place);
    if received(&shared, body, &place, &part, bytes_max).await? != hash {
        return Err(refused(&shared, NotTaken::OtherHash));
    }
    let path = part.0.clone();
    let kept = asked(&shared, move |shared| {
        let bytes = std::fs::read(path).map_err(|error| store(&error))?;
        handed::keep(shared.objects.as_ref(), &file, &bytes)
    });
    kept.await?;
    shared.metrics.handed();
    tracing::info!(%network, %epoch, file = %hash, bytes = length, "an anchored file that was not here was handed on");
    Ok(StatusCode::CREATED)
}

fn wanted(shared: &Shared, file: &File) -> Result<Want, NotTaken> {
    let standing = shared.standing.lock().expect("no holder of the lock panics").clone();
    let at = standing
        .iter()
        .find(|one| one.network == file.network)
        .map(|one| one.epoch);
    handed::want(shared.objects.as_ref(), shared.ledger.as_ref(), file, at)
}

/// Writes a body down as it comes; its hash.
async fn received(
    shared: &Shared,
    body: Body,
    place: &Place<'_>,
    part: &Part,
    bytes_max: u64,
) -> Result<Hash, Refused> {
    let failed = |error: io::Error| refused(shared, store(&error));
    let mut file = tokio::fs::File::create(&part.0).await.map_err(failed)?;
    let (mut body, mut pieces, mut length) = (body.into_data_stream(), hash::Pieces::default(), 0u64);
    loop {
        let piece = tokio::select! {
            piece = body.next() => piece,
            () = place.one.gives_way.notified() => return Err(full(shared)),
        };
        let Some(piece) = piece else { break };
        let broken = |_| Refused::new(StatusCode::BAD_REQUEST, "BodyBroken", "the body ended before its end");
        let piece = piece.map_err(broken)?;
        length += piece.len() as u64;
        if length > bytes_max {
            return Err(refused(shared, NotTaken::TooLong(bytes_max)));
        }
        pieces.take(&piece);
        place.one.bytes.store(length, Ordering::Relaxed);
        file.write_all(&piece).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    Ok(pieces.hash())
}

/// Asks ledger and archive on a thread that may block.
async fn asked<T: Send + 'static>(
    shared: &Arc<Shared>,
    ask: impl FnOnce(&Shared) -> Result<T, NotTaken> + Send + 'static,
) -> Result<T, Refused> {
    let owned = shared.clone();
    let done = tokio::task::spawn_blocking(move || ask(&owned)).await;
    let failed = |error: tokio::task::JoinError| {
        Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "ArchiveFailed", error.to_string())
    };
    done.map_err(failed)?.map_err(|error| refused(shared, error))
}

fn full(shared: &Shared) -> Refused {
    let text = "as many files as may be are on their way here";
    let status = StatusCode::SERVICE_UNAVAILABLE;
    Refused::later(status, "Full", text, shared.retry_seconds)
}

fn store(error: &io::Error) -> NotTaken {
    NotTaken::Archive(archive::ArchiveError::File {
        path: "files on their way".to_owned(),
        what: error.to_string(),
    })
}

fn refused(shared: &Shared, why: NotTaken) -> Refused {
    let text = why.to_string();
    let later = |code| {
        Refused::later(
            StatusCode::SERVICE_UNAVAILABLE,
            code,
            text.clone(),
            shared.retry_seconds,
        )
    };
    match why {
        NotTaken::NotAnchored => Refused::new(StatusCode::NOT_FOUND, "NotAnchored", text),
        NotTaken::Released => Refused::new(StatusCode::GONE, "Released", text),
        NotTaken::TooLong(_) => Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "TooLong", text),
        NotTaken::OtherHash => Refused::new(StatusCode::UNPROCESSABLE_ENTITY, "OtherHash", text),
        NotTaken::Chain(_) => later("LedgerAway"),
        NotTaken::Archive(_) => later("Unavailable"),
    }
}
