//! Several validators in one deterministic run: virtual time, simulated links, storage that survives a crash. The same
//! wiring as on a real computer, so what is found here is found there. The same seed gives the same run.

use crate::{
    Clock, Handle, Observer, Pace, Retain, StateMachine, TxSource,
    assemble::{CHANNELS, Host, Links, Network7, Running, Settings, assemble, message_bytes_max},
    engine_types::PublicKey,
    keys::Keys,
};
use commonware_cryptography::Signer as _;
use commonware_p2p::simulated::{self, Link, Oracle};
use commonware_runtime::{
    Clock as _, Spawner as _, Supervisor as _,
    deterministic::{self, Context, Runner},
};
use commonware_utils::{NZUsize, probability};
use futures::future::BoxFuture;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use std::{
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
    time::{Duration, SystemTime},
};

/// What is simulated.
#[derive(Clone, Debug)]
pub struct Sim {
    /// Everything random follows from it, the validators' keys too.
    pub seed: u64,
    pub validators: NonZeroU32,
    pub chain: String,
    pub pace: Pace,
    pub retain: Retain,
    /// One way between any two validators.
    pub latency: Duration,
    /// A run that takes longer than this of its own time fails.
    pub time_max: Duration,
}

/// The process around one simulated validator.
#[derive(Clone)]
pub struct SimHost {
    pub machine: Arc<dyn StateMachine>,
    pub source: Arc<dyn TxSource>,
    pub observer: Arc<dyn Observer>,
    /// `None`: the run's own virtual time.
    pub clock: Option<Arc<dyn Clock>>,
}

/// What a run leaves: what was stored, after a crash of all validators at its end.
pub struct SimEnd {
    checkpoint: deterministic::Checkpoint,
    /// Digest of all that happened; equal runs have equal ones.
    pub audit: String,
}

/// A running simulation.
pub struct SimNetwork {
    /// One per validator.
    pub handles: Vec<Handle>,
    runtime: Context,
    oracle: Oracle<PublicKey, Context>,
    keys: Vec<PublicKey>,
    latency: Duration,
}

/// What a test does with a running simulation; the run ends with it.
pub type Drive = Box<dyn FnOnce(SimNetwork) -> BoxFuture<'static, ()>>;

struct Simulated;

impl Links for Simulated {
    type Peers = simulated::Manager<PublicKey, Context>;
    type Blocker = simulated::Control<PublicKey, Context>;
    type Sender = simulated::Sender<PublicKey, Context>;
    type Receiver = simulated::Receiver<PublicKey>;
}

/// The virtual time of a run.
struct VirtualClock(Context);

impl Clock for VirtualClock {
    fn now_ms(&self) -> u64 {
        let since = self.0.current().duration_since(SystemTime::UNIX_EPOCH);
        since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

impl Sim {
    /// Four validators, 10 ms apart.
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed,
            validators: NonZeroU32::MIN.saturating_add(3),
            chain: "cairn-sim".into(),
            pace: Pace {
                idle_interval: Duration::from_secs(2),
                ..Pace::default()
            },
            retain: Retain::default(),
            latency: Duration::from_millis(10),
            time_max: Duration::from_secs(600),
        }
    }

    /// Runs one host per validator from nothing.
    pub fn run(&self, hosts: Vec<SimHost>, drive: Drive) -> SimEnd {
        let config = deterministic::Config::new()
            .with_seed(self.seed)
            .with_start_time(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000))
            .with_timeout(Some(self.time_max));
        self.run_on(Runner::new(config), hosts, drive)
    }

    /// Runs on from what an earlier run stored.
    pub fn resume(&self, end: SimEnd, hosts: Vec<SimHost>, drive: Drive) -> SimEnd {
        self.run_on(Runner::from(end.checkpoint), hosts, drive)
    }

    fn run_on(&self, runner: Runner, hosts: Vec<SimHost>, drive: Drive) -> SimEnd {
        let keys = Keys::deal(self.validators, ChaCha20Rng::seed_from_u64(self.seed));
        assert_eq!(hosts.len(), keys.len(), "one host per validator");
        let sim = self.clone();
        let (audit, checkpoint) = runner.start_and_recover(|context| async move {
            let auditor = context.auditor();
            let network = Box::pin(start_all(context, sim, keys, hosts)).await;
            drive(network).await;
            auditor
        });
        SimEnd {
            audit: audit.state(),
            checkpoint,
        }
    }
}

async fn start_all(context: Context, sim: Sim, keys: Vec<Keys>, hosts: Vec<SimHost>) -> SimNetwork {
    let names: Vec<PublicKey> = keys.iter().map(|keys| keys.identity.public_key()).collect();
    let config = simulated::Config {
        max_size: message_bytes_max(sim.validators.get()),
        max_peers_per_set: NonZeroUsize::new(names.len()).unwrap_or(NonZeroUsize::MIN),
        disconnect_on_block: true,
        tracked_peer_sets: NZUsize!(1),
    };
    let (network, oracle) = simulated::Network::new_with_peers(context.child("network"), config, names.clone()).await;
    network.start();
    let mut running = SimNetwork {
        handles: Vec::new(),
        runtime: context.child("drive"),
        oracle,
        keys: names,
        latency: sim.latency,
    };
    for at in 0..running.keys.len() {
        running.join(at).await;
    }
    for (at, (keys, host)) in keys.into_iter().zip(hosts).enumerate() {
        let context = context.child("validator").with_attribute("index", at);
        let handle = running.start(context, at, &sim, keys, host).await;
        running.handles.push(handle);
    }
    running
}

impl SimNetwork {
    /// Lets virtual time pass.
    pub async fn sleep(&self, duration: Duration) {
        self.runtime.sleep(duration).await;
    }

    /// Cuts all links of one validator.
    pub async fn cut(&self, validator: usize) {
        for (from, to) in self.links(validator) {
            // A link that is cut already stays cut.
            let _ = self.oracle.remove_link(from, to).await;
        }
    }

    /// Links one validator with all others.
    pub async fn join(&self, validator: usize) {
        for (from, to) in self.links(validator) {
            let link = Link {
                latency: self.latency,
                jitter: self.latency / 10,
                success_rate: probability!(1.0),
            };
            // A link that is there already stays.
            let _ = self.oracle.add_link(from, to, link).await;
        }
    }

    fn links(&self, validator: usize) -> Vec<(PublicKey, PublicKey)> {
        let me = &self.keys[validator];
        let others = self.keys.iter().filter(|key| *key != me);
        others
            .flat_map(|other| [(me.clone(), other.clone()), (other.clone(), me.clone())])
            .collect()
    }

    async fn start(&self, context: Context, at: usize, sim: &Sim, keys: Keys, host: SimHost) -> Handle {
        let me = self.oracle.control(self.keys[at].clone());
        let mut channels = Vec::new();
        for (channel, quota) in (0..).zip(CHANNELS) {
            let opened = me.register(channel, quota).await;
            channels.push(opened.expect("each validator opens each channel once"));
        }
        let links = Network7::<Simulated> {
            peers: self.oracle.manager(),
            blocker: me,
            channels,
        };
        let clock = host
            .clock
            .unwrap_or_else(|| Arc::new(VirtualClock(context.child("clock"))));
        let host = Host {
            machine: host.machine,
            source: host.source,
            observer: host.observer,
            clock,
        };
        let settings = Settings {
            chain: sim.chain.clone(),
            era: 0,
            pace: sim.pace,
            retain: sim.retain,
            partition: format!("validator-{at}"),
            keys,
        };
        let Running {
            handle,
            first_end,
            service: _service,
            ended: _ended,
            stopped: _stopped,
        } = assemble(context.child("chain"), settings, host, links).await;
        context.child("watch").spawn(move |_| async move {
            let part = first_end.await;
            panic!("{part} of validator {at} ended");
        });
        handle
    }
}

#[cfg(test)]
#[path = "../tests/toy/mod.rs"]
pub(crate) mod toy;

#[cfg(test)]
mod tests;
