//! A folder or an S3-compatible store through `object_store`, made blocking by a small runtime of its own. Works from any
//! thread; the folder is synced to disk before a put returns.

use super::{ObjectError, Objects};
use crate::limits::ARCHIVE_FILE_BYTES_MAX;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutPayload};
use std::future::Future;
use std::sync::{Arc, mpsc};
use tokio::runtime::{Builder, Runtime};

/// Where an S3-compatible store is. Its keys come from the environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
/// `AWS_SESSION_TOKEN`), never from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3 {
    /// `None`: the provider's own.
    pub endpoint: Option<String>,
    pub bucket: String,
    pub region: String,
}

/// An object store behind a runtime.
pub struct Remote {
    store: Arc<dyn ObjectStore>,
    /// Always there until drop, which must not block an async caller.
    runtime: Option<Runtime>,
}

impl Remote {
    /// A folder of this machine; made if it is not there.
    pub fn folder(path: &std::path::Path) -> Result<Self, ObjectError> {
        std::fs::create_dir_all(path).map_err(|error| failed("", error))?;
        let store = LocalFileSystem::new_with_prefix(path).map_err(|error| failed("", error))?;
        Self::over(Arc::new(store.with_fsync(true)))
    }

    /// Keys from the environment.
    pub fn s3(place: &S3) -> Result<Self, ObjectError> {
        Self::s3_over(AmazonS3Builder::from_env(), place)
    }

    pub fn s3_with_keys(place: &S3, id: &str, secret: &str) -> Result<Self, ObjectError> {
        let builder = AmazonS3Builder::new()
            .with_access_key_id(id)
            .with_secret_access_key(secret);
        Self::s3_over(builder, place)
    }

    fn s3_over(builder: AmazonS3Builder, place: &S3) -> Result<Self, ObjectError> {
        let mut builder = builder.with_bucket_name(&place.bucket).with_region(&place.region);
        if let Some(endpoint) = &place.endpoint {
            builder = builder
                .with_endpoint(endpoint)
                .with_allow_http(endpoint.starts_with("http://"));
        }
        let store = builder.build().map_err(|error| failed("", error))?;
        Self::over(Arc::new(store))
    }

    fn over(store: Arc<dyn ObjectStore>) -> Result<Self, ObjectError> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("cairn-archive")
            .enable_all()
            .build()
            .map_err(|error| failed("", error))?;
        Ok(Self {
            store,
            runtime: Some(runtime),
        })
    }

    fn wait<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> T {
        let (done, waits) = mpsc::sync_channel(1);
        let runtime = self.runtime.as_ref().expect("there until drop");
        runtime.spawn(async move {
            // Whoever waits is there until it got the answer.
            let _ = done.send(work.await);
        });
        waits.recv().expect("the runtime runs what was spawned")
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Objects for Remote {
    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), ObjectError> {
        let (store, at, payload) = (self.store.clone(), place(path)?, PutPayload::from(bytes.to_vec()));
        self.wait(async move { store.put(&at, payload).await })
            .map(|_| ())
            .map_err(|error| failed(path, error))
    }

    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, ObjectError> {
        let (store, at) = (self.store.clone(), place(path)?);
        let got = self.wait(async move {
            let object = store.get(&at).await?;
            if object.meta.size > ARCHIVE_FILE_BYTES_MAX {
                return Ok(None);
            }
            object.bytes().await.map(Some)
        });
        match got {
            Ok(Some(bytes)) => Ok(Some(bytes.to_vec())),
            Ok(None) => Err(failed(path, format!("longer than {ARCHIVE_FILE_BYTES_MAX} bytes"))),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(failed(path, error)),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, ObjectError> {
        let (store, at) = (self.store.clone(), place(prefix)?);
        let found = self
            .wait(async move { store.list_with_delimiter(Some(&at)).await })
            .map_err(|error| failed(prefix, error))?;
        let files = found.objects.iter().filter_map(|object| object.location.filename());
        let folders = found.common_prefixes.iter().filter_map(Path::filename);
        let mut names: Vec<String> = files.chain(folders).map(str::to_owned).collect();
        names.sort_unstable();
        Ok(names)
    }
}

fn place(path: &str) -> Result<Path, ObjectError> {
    Path::parse(path).map_err(|error| failed(path, error))
}

fn failed(path: &str, what: impl std::fmt::Display) -> ObjectError {
    ObjectError {
        path: path.to_owned(),
        what: what.to_string(),
    }
}
