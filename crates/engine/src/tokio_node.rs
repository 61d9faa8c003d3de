//! A validator on a real computer: threads of its own, files in its folder, TCP to the others. Everything it does is in
//! `assemble`; this file only opens and closes.

use crate::{
    Clock, Config, ConfigError, Ended, Handle, Observer, StateMachine, TxSource,
    assemble::{CHANNELS, Host, Links, Network7, Running, Settings, assemble, message_bytes_max},
    engine_types::PublicKey,
    keys::{Keys, KeysError},
};
use commonware_codec::{Copying, DecodeExt as _};
use commonware_cryptography::{ChaCha20Poly1305, Signer as _, ed25519::PrivateKey};
use commonware_p2p::{Address, AddressableManager as _, authenticated::lookup};
use commonware_runtime::{
    Runner as _, Supervisor as _,
    tokio::{Config as RuntimeConfig, Context, Runner},
};
use commonware_stream::{
    SakeCups,
    cups::{self, Cups},
    sake::{self, Sake},
};
use commonware_utils::{NZUsize, ordered::Map};
use std::{
    any::Any,
    fs::{self, File},
    io,
    net::SocketAddr,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
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
    #[error("this validator is not among those of the configuration")]
    NotAValidator,
    #[error("the key of validator {0} in the configuration is not one")]
    ValidatorKey(usize),
    #[error("the chain failed while it started: {0}")]
    Failed(String),
}

/// The whole chain is one future before its parts are spawned; built without optimization it is large.
const STACK_BYTES: usize = 32 * 1024 * 1024;

/// Authenticates and encrypts connections between validators.
type Handshake = SakeCups<PrivateKey, ChaCha20Poly1305>;

/// TCP between validators whose addresses are known.
struct Tcp;

impl Links for Tcp {
    type Peers = lookup::Oracle<PublicKey>;
    type Blocker = lookup::Oracle<PublicKey>;
    type Sender = lookup::Sender<PublicKey, Context>;
    type Receiver = lookup::Receiver<PublicKey>;
}

/// Starts a validator on threads of its own and returns when its state is there. The chain runs until
/// [`Handle::shutdown`], a failure, or the end of the process; killing the process at any moment loses nothing final.
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
    let (_lock, keys, peers) = match opened {
        Ok(opened) => opened,
        // Nobody waiting for the start means nobody wants the chain.
        Err(error) => return drop(started.send(Err(error))),
    };
    let runner = Runner::new(
        RuntimeConfig::new()
            .with_worker_threads(config.threads)
            .with_storage_directory(config.dir.join("chain")),
    );
    let mut ended = None;
    let mut started = Some(started);
    let run = catch_unwind(AssertUnwindSafe(|| {
        runner.start(|context| serve(context, config, host, keys, peers, &mut started, &mut ended))
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
    keys: Keys,
    peers: Map<PublicKey, Address>,
    started: &mut Option<Started>,
    ended: &mut Option<tokio::sync::watch::Sender<Option<Ended>>>,
) -> Ended {
    let (mut network, mut oracle) =
        lookup::Network::new(context.child("network"), network_config(&config, &keys, peers.len()));
    oracle.track(0, peers);
    let channels = (0..)
        .zip(CHANNELS)
        .map(|(channel, quota)| network.register(channel, quota));
    let links = Network7::<Tcp> {
        peers: oracle.clone(),
        blocker: oracle,
        channels: channels.collect(),
    };
    let network = network.start();
    let settings = Settings {
        chain: config.chain,
        era: config.era,
        pace: config.pace,
        retain: config.retain,
        partition: "cairn".into(),
        keys,
    };
    let Running {
        handle,
        first_end,
        service: _service,
        mut stopped,
        ended: last_word,
    } = Box::pin(assemble(context.child("validator"), settings, host, links)).await;
    *ended = Some(last_word);
    if let Some(started) = started.take() {
        // Whoever started the chain may have given up; the chain ends then, as its last handle is gone.
        drop(started.send(Ok(handle)));
    }
    tokio::select! {
        _ = stopped.wait_for(|stop| *stop) => Ended::Shutdown,
        part = first_end => Ended::Failed(format!("{part} ended")),
        _ = network => Ended::Failed("the network ended".into()),
    }
}

/// Locks the folder and reads the keys.
fn open(config: &Config) -> Result<(File, Keys, Map<PublicKey, Address>), StartError> {
    fs::create_dir_all(&config.dir)?;
    let lock = File::create(config.dir.join("lock"))?;
    lock.try_lock().map_err(|error| match error {
        fs::TryLockError::WouldBlock => StartError::FolderInUse,
        fs::TryLockError::Error(error) => error.into(),
    })?;
    let validators: Vec<[u8; 32]> = config.validators.iter().map(|validator| validator.key).collect();
    let keys = Keys::open(&config.dir, &validators)?;
    let me = keys.identity.public_key();
    let mut peers = vec![(me.clone(), Address::from(config.listen))];
    for (at, validator) in config.validators.iter().enumerate() {
        let key = PublicKey::decode(Copying(&validator.key)).map_err(|_| StartError::ValidatorKey(at))?;
        if key != me {
            peers.push((key, Address::from(validator.address)));
        }
    }
    if peers.len() != keys.validators.len() {
        return Err(StartError::NotAValidator);
    }
    Ok((lock, keys, Map::from_iter_dedup(peers)))
}

fn network_config(config: &Config, keys: &Keys, validators: usize) -> lookup::Config<Handshake> {
    let handshake = Cups::<_, ChaCha20Poly1305>::new(
        Sake {
            signer: keys.identity.clone(),
            synchrony_bound: Duration::from_secs(5),
            max_handshake_age: Duration::from_secs(10),
            version: sake::Version::V1,
        },
        cups::Version::V1,
    );
    let namespace = [config.chain.as_bytes(), b"/p2p"].concat();
    let peers_max = NonZeroUsize::new(validators).unwrap_or(NonZeroUsize::MIN);
    let bytes_max = message_bytes_max(u32::try_from(validators).unwrap_or(u32::MAX));
    let addresses = config.validators.iter().map(|validator| validator.address);
    let near = addresses.chain([config.listen]).all(is_near);
    let recommended = if near {
        lookup::Config::local
    } else {
        lookup::Config::recommended
    };
    recommended(
        handshake,
        &namespace,
        config.listen,
        peers_max,
        bytes_max,
        NZUsize!(256),
    )
}

/// Whether an address is on this computer or in its own network.
fn is_near(address: SocketAddr) -> bool {
    match address {
        SocketAddr::V4(address) => address.ip().is_loopback() || address.ip().is_private(),
        SocketAddr::V6(address) => address.ip().is_loopback() || address.ip().is_unique_local(),
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|message| (*message).to_owned()))
        .unwrap_or_else(|| "it panicked".to_owned())
}
