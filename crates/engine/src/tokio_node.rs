//! A node on a real computer: threads of its own, files in its folder, TCP to the others. Everything it does is in `assemble`;
//! this file only opens and closes.

use crate::{
    Clock, Config, ConfigError, Ended, Handle, Observer, StateMachine, TxSource,
    assemble::{CHANNELS, Host, Running, Settings, assemble, message_bytes_max},
    catch_up::is_stale,
    committee::{self, Secrets, Shelf},
    fitness,
    key_file::KeysError,
    keys::Keys,
    records::{RecordsError, RecordsFile},
    tcp::{self, Peers},
};
use commonware_runtime::{
    Runner as _, Supervisor as _,
    tokio::{Config as RuntimeConfig, Context, Runner},
};
use std::{
    any::Any,
    fs::{self, File},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
    thread,
};
use tokio::sync::oneshot;

/// Why a chain did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error("the data folder cannot be used: {0}")]
    Folder(#[from] io::Error),
    #[error("another process uses the data folder")]
    FolderInUse,
    #[error("the key of validator {0} in the configuration is not one")]
    ValidatorKey(usize),
    #[error("the key of follower {0} in the configuration is not one")]
    FollowerKey(usize),
    #[error(transparent)]
    Records(#[from] RecordsError),
    #[error("the file of records is not the one with which this era begins")]
    OtherRecords,
    #[error("the chain failed while it started: {0}")]
    Failed(String),
}

impl StartError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Config(_) => "change the setting it names",
            Self::Keys(error) => error.hint(),
            Self::Folder(_) => "check that the folder is yours and the disk is not full",
            Self::FolderInUse => "end the other process, or name another folder",
            Self::ValidatorKey(_) | Self::FollowerKey(_) => "a node's key is 32 bytes of Ed25519",
            Self::Records(error) => error.hint(),
            Self::OtherRecords => "import the state into this folder again: `cairn state import`",
            Self::Failed(_) => "one process holds an address at a time; the log says more",
        }
    }
}

/// The whole chain is one future before its parts are spawned; built without optimization it is large.
pub(crate) const STACK_BYTES: usize = 32 * 1024 * 1024;

/// The folder of the chain's files in its data folder, and how their names begin.
pub(crate) const FILES: &str = "chain";
pub(crate) const PARTITION: &str = "cairn";

/// Starts a node on threads of its own and returns when its state is there. The chain runs until [`Handle::shutdown`], a
/// failure, or the end of the process; killing the process at any moment loses nothing final.
pub async fn start_tokio(
    config: Config,
    machine: Arc<dyn StateMachine>,
    source: Arc<dyn TxSource>,
    observer: Arc<dyn Observer>,
    clock: Arc<dyn Clock>,
) -> Result<Handle, StartError> {
    config.check()?;
    let host = Host {
        machine,
        source,
        observer,
        clock,
    };
    let (started, start) = oneshot::channel();
    let thread = thread::Builder::new()
        .name("cairn-chain".into())
        .stack_size(STACK_BYTES)
        .spawn(move || run(config, host, started))?;
    let handle = match start.await {
        Ok(started) => started?,
        Err(_) => return Err(StartError::Failed("its thread ended".into())),
    };
    if let Ok(mut slot) = handle.thread.lock() {
        *slot = Some(thread);
    }
    Ok(handle)
}

type Started = oneshot::Sender<Result<Handle, StartError>>;

/// The chain's thread, from opening files to the last word.
fn run(config: Config, host: Host, started: Started) {
    let opened = open(&config);
    let (_lock, (keys, secrets), peers, records) = match opened {
        Ok(opened) => opened,
        // Nobody waiting for the start means nobody wants the chain.
        Err(error) => return drop(started.send(Err(error))),
    };
    let records = records.map(Arc::new);
    let runner = Runner::new(
        RuntimeConfig::new()
            .with_worker_threads(config.threads)
            .with_storage_directory(config.dir.join(FILES)),
    );
    let mut ended = None;
    let mut started = Some(started);
    let run = catch_unwind(AssertUnwindSafe(|| {
        runner.start(|context| {
            serve(
                context,
                config,
                host,
                (keys, secrets),
                (peers, records),
                &mut started,
                &mut ended,
            )
        })
    }));
    let last_word = match run {
        Ok(last_word) => last_word,
        Err(panic) => Ended::Failed(panic_message(&*panic)),
    };
    if let (Some(started), Ended::Failed(reason)) = (started, &last_word) {
        return drop(started.send(Err(StartError::Failed(reason.clone()))));
    }
    if let Some(ended) = ended {
        ended.send_replace(Some(last_word));
    }
}

async fn serve(
    context: Context,
    config: Config,
    host: Host,
    (keys, secrets): Own,
    (peers, records): (Peers, Option<Arc<RecordsFile>>),
    started: &mut Option<Started>,
    ended: &mut Option<tokio::sync::watch::Sender<Option<Ended>>>,
) -> Ended {
    let alone = peers.is_empty();
    let files = config.dir.join(FILES);
    let (network, links) = tcp::open(
        context.child("network"),
        &keys.identity,
        &[config.chain.as_bytes(), b"/p2p"].concat(),
        config.listen,
        peers,
        message_bytes_max(),
        &CHANNELS,
    );
    let settings = Settings {
        chain: config.chain,
        begin: config.begin,
        records,
        pace: config.pace,
        retain: config.retain,
        catch_up: config.catch_up,
        partition: PARTITION.into(),
        secrets,
        epoch_blocks: config.epoch_blocks,
        keys,
        alone,
    };
    let Running {
        handle,
        first_end,
        partition,
        service: _service,
        mut stopped,
        ended: last_word,
        unfit,
    } = Box::pin(assemble(context.child("validator"), settings, host, links)).await;
    *ended = Some(last_word);
    if let Err(error) = sweep(&files, &partition) {
        tracing::warn!(%error, "files from before the state was fetched cannot be removed");
    }
    if let Some(started) = started.take() {
        // Whoever started the chain may have given up; the chain ends then, as its last handle is gone.
        drop(started.send(Ok(handle)));
    }
    tokio::select! {
        _ = stopped.wait_for(|stop| *stop) => Ended::Shutdown,
        reason = fitness::unfit(unfit) => Ended::Unfit(reason),
        reason = first_end => Ended::Failed(reason.into()),
        _ = network => Ended::Failed("the network ended".into()),
    }
}

/// Removes what was there before the state was fetched.
fn sweep(files: &Path, partition: &str) -> io::Result<()> {
    for entry in fs::read_dir(files)? {
        let entry = entry?;
        let stale = entry
            .file_name()
            .to_str()
            .is_some_and(|name| is_stale(PARTITION, partition, name));
        if stale {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// A node's keys, and the shares that follow the first one.
type Own = (Keys, Secrets);

/// Locks the folder and reads the keys.
fn open(config: &Config) -> Result<(File, Own, Peers, Option<RecordsFile>), StartError> {
    let lock = lock(&config.dir)?;
    let validators: Vec<[u8; 32]> = config.validators.iter().map(|validator| validator.key).collect();
    let keys = Keys::open(&config.keys, &validators, &config.sharing)?;
    let shelf: Arc<dyn Shelf> = Arc::new(committee::File::open(&config.keys, &keys.identity)?);
    let secrets = Secrets::new(shelf, keys.share.clone(), keys.validators.len());
    let peers = Peers::of(&keys.identity, &config.validators, &config.followers)?;
    let records = config.records.as_deref().map(RecordsFile::open).transpose()?;
    match records {
        Some(records) if Some(records.root()) != config.begin.records => Err(StartError::OtherRecords),
        records => Ok((lock, (keys, secrets), peers, records)),
    }
}

/// Holds a folder, made if it is missing, for this process.
pub(crate) fn lock(dir: &Path) -> Result<File, StartError> {
    fs::create_dir_all(dir)?;
    let lock = File::create(dir.join("lock"))?;
    lock.try_lock().map_err(|error| match error {
        fs::TryLockError::WouldBlock => StartError::FolderInUse,
        fs::TryLockError::Error(error) => error.into(),
    })?;
    Ok(lock)
}

pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|message| (*message).to_owned()))
        .unwrap_or_else(|| "it panicked".to_owned())
}
