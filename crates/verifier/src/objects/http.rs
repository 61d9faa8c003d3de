//! A verifier's archive over HTTP, read as any archive is: blocking, so never from a task. Whoever reads it checks what it finds.

use super::{ObjectError, Objects};
use crate::limits::ARCHIVE_FILE_BYTES_MAX;
use std::time::Duration;
use tokio::runtime::Handle;

/// For a connection to open.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
/// Between two pieces of an answer.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// For a whole file.
const FILE_WAIT_MAX: Duration = Duration::from_secs(600);

pub struct HttpArchive {
    url: String,
    http: reqwest::Client,
    runtime: Handle,
}

impl HttpArchive {
    pub fn new(verifier: &str, runtime: Handle) -> Self {
        let http = patient().build();
        let http = http.expect("these settings make a client on every machine that can open a socket");
        Self::through(verifier, http, runtime)
    }

    /// Through a client of the reader's own, who may be choosy about where it leads.
    pub fn through(verifier: &str, http: reqwest::Client, runtime: Handle) -> Self {
        Self {
            url: format!("{}/v1/archive", verifier.trim_end_matches('/')),
            http,
            runtime,
        }
    }

    async fn fetch(&self, path: &str) -> Result<Option<Vec<u8>>, String> {
        fetch(&self.http, &format!("{}/{path}", self.url)).await
    }
}

/// A file of an archive, no longer than any may be; `None` where there is none. Why not, in words.
pub async fn fetch(http: &reqwest::Client, url: &str) -> Result<Option<Vec<u8>>, String> {
    let words = |error: reqwest::Error| error.to_string();
    let mut response = http.get(url).send().await.map_err(words)?;
    if response.status().as_u16() == 404 {
        return Ok(None);
    }
    if !response.status().is_success() {
        return Err(format!("the verifier answers {}", response.status()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(words)? {
        if (bytes.len() + chunk.len()) as u64 > ARCHIVE_FILE_BYTES_MAX {
            return Err("a file longer than any archive has".to_owned());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}

/// Patient with what is long, not with what is silent. Follows nobody elsewhere.
pub fn patient() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_WAIT_MAX)
        .read_timeout(SILENCE_MAX)
        .timeout(FILE_WAIT_MAX)
        .redirect(reqwest::redirect::Policy::none())
}

impl Objects for HttpArchive {
    fn put(&self, path: &str, _: &[u8]) -> Result<(), ObjectError> {
        Err(ObjectError {
            path: path.to_owned(),
            what: "another's archive is read only".to_owned(),
        })
    }

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        let fetched = self.runtime.block_on(self.fetch(path));
        fetched.map_err(|what| ObjectError {
            path: format!("{}/{path}", self.url),
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
