//! Whose archives are asked, in which order and for how long. One time is given for all that is asked about one thing, and a part of it to
//! each verifier, so that nobody who answers slowly holds the others up; who failed or was slow is asked last for a while. Believes
//! nothing: whoever reads checks.

use crate::dial;
use cairn_types::AccountId;
use cairn_verifier::objects::{self, ObjectError, Objects, patient};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::watch;

/// For how long who failed or was slow is asked last.
const LAST_FOR: Duration = Duration::from_secs(600);
/// A file that takes longer is slow.
const SLOW: Duration = Duration::from_secs(30);
/// Verifiers remembered as slow.
const SLOW_MAX: usize = 1_024;

/// How long is waited for all that is asked about one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For everybody together.
    pub whole: Duration,
    /// For each but the last, over all its files.
    pub each: Duration,
}

/// An epoch whose findings are awaited.
pub const FETCH: Patience = Patience {
    whole: Duration::from_secs(600),
    each: Duration::from_secs(240),
};
/// Somebody waits for a chart.
pub const CHART: Patience = Patience {
    whole: Duration::from_secs(60),
    each: Duration::from_secs(20),
};
pub const AUDIT: Patience = Patience {
    whole: Duration::from_secs(300),
    each: Duration::from_secs(120),
};

/// Whose archive, and how it is read.
pub struct Source {
    /// The verifier's account, where it is known.
    pub verifier: Option<AccountId>,
    pub url: String,
    pub objects: Arc<dyn Objects>,
}

/// Where archives come from.
pub trait Sources: Send + Sync {
    /// The archives of verifiers that are reached at these addresses, and any others that are known, in the order in which they are
    /// asked. They are read no longer than there is patience, from now on.
    fn of(&self, told: &[(AccountId, String)], patience: Patience) -> Vec<Source>;

    /// What this one gave is not what was attested.
    fn distrust(&self, _url: &str) {}
}

/// Archives over HTTP: those that were named, wherever they are, and those of the ledger's verifiers.
pub struct HttpSources {
    named: Vec<String>,
    /// Whether verifiers on the ledger may be near.
    near: bool,
    open: reqwest::Client,
    strangers: reqwest::Client,
    runtime: Handle,
    stop: watch::Receiver<bool>,
    slow: Slow,
}

impl HttpSources {
    pub fn new(
        named: Vec<String>,
        near: bool,
        runtime: Handle,
        stop: watch::Receiver<bool>,
    ) -> Result<Self, reqwest::Error> {
        Ok(Self {
            named,
            near,
            open: dial::client(true, patient())?,
            strangers: dial::client(near, patient())?,
            runtime,
            stop,
            slow: Slow::default(),
        })
    }
}

impl Sources for HttpSources {
    fn of(&self, told: &[(AccountId, String)], patience: Patience) -> Vec<Source> {
        let named = self.named.iter().filter(|url| url.starts_with("http://"));
        let named = named.map(|url| (None, url, &self.open));
        // What a verifier says of its address is a stranger's word.
        let told = told.iter().filter(|(_, url)| dial::may(url, self.near));
        let told = told.map(|(id, url)| (Some(*id), url, &self.strangers));
        let mut all: Vec<_> = named.chain(told).collect();
        // Stable: among themselves they stay in their order.
        all.sort_by_key(|(_, url, _)| self.slow.is(url));
        let count = all.len();
        let until = Instant::now() + patience.whole;
        let source = |(at, (verifier, url, http)): (usize, (Option<AccountId>, &String, &reqwest::Client))| {
            let is_last = at + 1 == count;
            let asked = Asked {
                url: url.clone(),
                archive: format!("{}/v1/archive", url.trim_end_matches('/')),
                http: http.clone(),
                runtime: self.runtime.clone(),
                stop: self.stop.clone(),
                slow: self.slow.clone(),
                until,
                left: Mutex::new(if is_last { patience.whole } else { patience.each }),
            };
            Source {
                verifier,
                url: url.clone(),
                objects: Arc::new(asked),
            }
        };
        all.into_iter().enumerate().map(source).collect()
    }

    fn distrust(&self, url: &str) {
        self.slow.put(url);
    }
}

/// Who is asked last, and until when. Clones share it.
#[derive(Clone, Default)]
struct Slow(Arc<Mutex<BTreeMap<String, Instant>>>);

impl Slow {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Instant>> {
        self.0.lock().expect("no holder of the lock panics")
    }

    fn is(&self, url: &str) -> bool {
        self.all().get(url).is_some_and(|until| *until > Instant::now())
    }

    fn put(&self, url: &str) {
        let mut all = self.all();
        let now = Instant::now();
        all.retain(|_, until| *until > now);
        if all.len() < SLOW_MAX {
            all.insert(url.to_owned(), now + LAST_FOR);
        }
    }
}

/// One verifier's archive, asked about one thing. Blocking, so never from a task.
struct Asked {
    url: String,
    archive: String,
    http: reqwest::Client,
    runtime: Handle,
    stop: watch::Receiver<bool>,
    slow: Slow,
    /// For everybody.
    until: Instant,
    /// For this one.
    left: Mutex<Duration>,
}

impl Asked {
    /// No longer than there is time.
    async fn fetch_in(&self, left: Duration, path: &str) -> Result<Option<Vec<u8>>, String> {
        let mut stop = self.stop.clone();
        let url = format!("{}/{path}", self.archive);
        tokio::select! {
            fetched = tokio::time::timeout(left, objects::fetch(&self.http, &url)) => fetched.unwrap_or_else(|_| Err(LATE.to_owned())),
            Ok(_) = stop.wait_for(|stop| *stop) => Err("the explorer ends".to_owned()),
        }
    }
}

/// Said of who is too slow.
pub const LATE: &str =
    "the verifier did not give it in the time there is: ask again later, or name one that is quicker with --verifier";

impl Objects for Asked {
    fn put(&self, path: &str, _: &[u8]) -> Result<(), ObjectError> {
        Err(ObjectError {
            path: path.to_owned(),
            what: "another's archive is read only".to_owned(),
        })
    }

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        let begun = Instant::now();
        let mut own = self.left.lock().expect("no holder of the lock panics");
        let left = (*own).min(self.until.saturating_duration_since(begun));
        let fetched = match left.is_zero() {
            true => Err(LATE.to_owned()),
            false => self.runtime.block_on(self.fetch_in(left, path)),
        };
        let took = begun.elapsed();
        *own = own.saturating_sub(took);
        if fetched.is_err() || took > SLOW {
            self.slow.put(&self.url);
        }
        fetched.map_err(|what| ObjectError {
            path: format!("{}/{path}", self.archive),
            what,
        })
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        Err(ObjectError {
            path: prefix.to_owned(),
            what: "another's archive is not listed".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_verifier::archive::{EpochArchive, FINDINGS};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    const ENOUGH: Duration = Duration::from_secs(600);
    const SHORT: Duration = Duration::from_millis(100);

    /// A verifier of whose every file a few bytes come, and then nothing until nobody waits any more; or the whole file.
    async fn verifier(whole: bool) -> (String, watch::Receiver<usize>) {
        let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", door.local_addr().unwrap());
        let (asked, seen) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut connection, _)) = door.accept().await {
                asked.send_modify(|count| *count += 1);
                tokio::spawn(async move {
                    let mut head = [0; 4_096];
                    let _ = connection.read(&mut head).await;
                    let length = if whole { 3 } else { 1_000_000 };
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\nabc");
                    let _ = connection.write_all(head.as_bytes()).await;
                    // Until the other end is closed.
                    let _ = connection.read(&mut [0; 1]).await;
                });
            }
        });
        (url, seen)
    }

    async fn sources(named: &[&String]) -> Arc<HttpSources> {
        let named = named.iter().map(|url| (*url).clone()).collect();
        let stop = watch::channel(false).1;
        Arc::new(HttpSources::new(named, false, Handle::current(), stop).unwrap())
    }

    /// The first file that anybody gives, and whose it is; else the last that was said.
    async fn ask(sources: &Arc<HttpSources>, patience: Patience) -> Result<String, String> {
        let sources = sources.clone();
        let asking = move || {
            let network = cairn_types::NetworkId([7; 32]);
            let mut why = String::new();
            for source in sources.of(&[], patience) {
                let archive = EpochArchive::of(source.objects.as_ref(), &network, cairn_types::EpochNumber(1));
                match archive.need(FINDINGS) {
                    Ok(bytes) => return Ok(source.url + " " + std::str::from_utf8(&bytes).unwrap()),
                    Err(error) => why = error.to_string(),
                }
            }
            Err(why)
        };
        tokio::task::spawn_blocking(asking).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_verifier_that_drips_holds_nobody_up_and_is_asked_last_afterwards() {
        let ((slow, slow_asked), (quick, _)) = (verifier(false).await, verifier(true).await);
        let sources = sources(&[&slow, &quick]).await;
        let patience = Patience {
            whole: ENOUGH,
            each: SHORT,
        };
        let given = format!("{quick} abc");
        assert_eq!(ask(&sources, patience).await, Ok(given.clone()));
        assert_eq!(*slow_asked.borrow(), 1);
        let patience = Patience {
            whole: ENOUGH,
            each: ENOUGH,
        };
        assert_eq!(ask(&sources, patience).await, Ok(given), "first now");
        assert_eq!(*slow_asked.borrow(), 1, "not asked at all");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn all_that_is_asked_about_one_thing_has_one_end() {
        let ((one, asked_one), (other, asked_other)) = (verifier(false).await, verifier(false).await);
        let sources = sources(&[&one, &other]).await;
        let patience = Patience {
            whole: SHORT,
            each: ENOUGH,
        };
        let why = ask(&sources, patience).await.unwrap_err();
        assert!(why.contains(LATE) && why.contains("--verifier"), "{why}");
        // The first took all the time there was: nothing is left for the other.
        assert_eq!((*asked_one.borrow(), *asked_other.borrow()), (1, 0));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_verifier_that_is_not_believed_is_asked_last() {
        let ((one, _), (other, _)) = (verifier(true).await, verifier(true).await);
        let sources = sources(&[&one, &other]).await;
        let patience = Patience {
            whole: ENOUGH,
            each: ENOUGH,
        };
        assert_eq!(ask(&sources, patience).await, Ok(format!("{one} abc")));
        sources.distrust(&one);
        assert_eq!(ask(&sources, patience).await, Ok(format!("{other} abc")));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_explorer_that_ends_waits_for_nobody() {
        let (slow, mut asked) = verifier(false).await;
        let (stop, stopped) = watch::channel(false);
        let sources = HttpSources::new(vec![slow], false, Handle::current(), stopped).unwrap();
        let sources = Arc::new(sources);
        let asking = {
            let sources = sources.clone();
            tokio::spawn(async move {
                let patience = Patience {
                    whole: ENOUGH,
                    each: ENOUGH,
                };
                ask(&sources, patience).await
            })
        };
        asked.wait_for(|asked| *asked > 0).await.unwrap();
        stop.send_replace(true);
        let why = asking.await.unwrap().unwrap_err();
        assert!(why.contains("ends"), "{why}");
    }
}
