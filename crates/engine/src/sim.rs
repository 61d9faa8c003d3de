//! Several nodes in one deterministic run: virtual time, simulated links, storage that survives a crash. The same wiring as
//! on a real computer, so what is found here is found there. The same seed gives the same run.

use crate::{
    Approval, CatchUp, Clock, Ended, EraStart, Handle, Observer, Pace, Retain, StateMachine, TxSource,
    assemble::{CHANNELS, Host, Links, Network, Running, Settings, assemble, message_bytes_max},
    block::key_bytes,
    committee::{Memory, Secrets, Shelf},
    engine_types, fitness,
    keys::Keys,
    light::Successor,
    records::RecordsFile,
};
use cairn_types::{PublicKey, SecretKey};
use commonware_codec::Encode as _;
use commonware_cryptography::{Signer as _, ed25519::PrivateKey};
use commonware_math::algebra::Random as _;
use commonware_p2p::simulated::{self, Link, Oracle};
use commonware_runtime::{
    Clock as _, Handle as Task, Spawner as _, Supervisor as _,
    deterministic::{self, Context, PartialWriteMode, Runner, WriteConfig},
};
use commonware_utils::{NZUsize, probability};
use futures::future::BoxFuture;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use std::{
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::sync::oneshot;

mod audit;
mod everybody;
mod trouble;
mod way;

pub use audit::audit;

use way::{Way, forwarder, network, router};

/// What is simulated.
#[derive(Clone, Debug)]
pub struct Sim {
    /// Everything random follows from it, the validators' keys too.
    pub seed: u64,
    pub validators: NonZeroU32,
    /// Nodes outside the validators, numbered after them.
    pub followers: u32,
    /// Nodes that do not run before [`SimNetwork::start`].
    pub late: Vec<usize>,
    pub chain: String,
    /// Where the era begins; the seed makes its keys.
    pub begin: EraStart,
    pub pace: Pace,
    pub retain: Retain,
    pub catch_up: CatchUp,
    /// See [`Config::epoch_blocks`](crate::Config::epoch_blocks).
    pub epoch_blocks: NonZeroU64,
    /// One way between any two nodes.
    pub latency: Duration,
    /// Where its own time begins, in Unix milliseconds.
    pub start_ms: u64,
    /// When all lose power, of what was not synced each byte arrives or not; otherwise none does.
    pub tears: bool,
    /// A run that takes longer than this of its own time fails.
    pub time_max: Duration,
}

/// The process around one simulated node.
#[derive(Clone)]
pub struct SimHost {
    pub machine: Arc<dyn StateMachine>,
    pub source: Arc<dyn TxSource>,
    pub observer: Arc<dyn Observer>,
    /// `None`: the run's own virtual time.
    pub clock: Option<Arc<dyn Clock>>,
    /// See [`Config::records`](crate::Config::records).
    pub records: Option<Arc<RecordsFile>>,
}

/// What a run leaves: what was stored, after a crash of all nodes at its end.
pub struct SimEnd {
    checkpoint: deterministic::Checkpoint,
    shelves: Vec<Arc<Memory>>,
    /// Digest of all that happened; equal runs have equal ones.
    pub audit: String,
}

/// A running simulation.
pub struct SimNetwork {
    /// One per node; none of one that is late.
    pub handles: Vec<Handle>,
    sim: Sim,
    nodes: Vec<Node>,
    runtime: Context,
    oracle: Oracle<engine_types::PublicKey, Context>,
}

struct Node {
    keys: Keys,
    shelf: Arc<Memory>,
    host: SimHost,
    /// Another process under the same keys.
    twin: Option<SimHost>,
    tasks: Vec<Task<()>>,
    starts: usize,
    /// Data folders it has had.
    folders: usize,
    ahead_ms: Arc<AtomicI64>,
    way: Way,
}

/// A validator's secret as other crates know it.
fn secret(key: &PrivateKey) -> SecretKey {
    let bytes = key.encode();
    SecretKey::ed25519(<[u8; 32]>::try_from(&bytes[..]).expect("an Ed25519 secret has 32 bytes"))
}

fn approve(secret: &SecretKey, successor: &Successor) -> Approval {
    let PublicKey::Ed25519(validator) = secret.public() else {
        unreachable!("made as one above")
    };
    Approval::signed(validator, successor, |message| secret.sign(message))
}

const STARTS: &str = "a node that cannot start panics";

/// What a test does with a running simulation; the run ends with it.
pub type Drive = Box<dyn FnOnce(SimNetwork) -> BoxFuture<'static, ()>>;

/// The virtual time of a run, and by how much a node's clock is ahead of it.
struct VirtualClock(Context, Arc<AtomicI64>);

impl Clock for VirtualClock {
    fn now_ms(&self) -> u64 {
        unix_ms(self.0.current()).saturating_add_signed(self.1.load(Ordering::Relaxed))
    }
}

fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

impl Sim {
    /// Four validators, 10 ms apart.
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed,
            validators: NonZeroU32::MIN.saturating_add(3),
            followers: 0,
            late: Vec::new(),
            chain: "cairn-sim".into(),
            begin: EraStart::default(),
            pace: Pace {
                idle_interval: Duration::from_secs(2),
                ..Pace::default()
            },
            retain: Retain::default(),
            catch_up: CatchUp::default(),
            epoch_blocks: NonZeroU64::MIN.saturating_add(127),
            latency: Duration::from_millis(10),
            start_ms: 1_700_000_000_000,
            tears: false,
            time_max: Duration::from_secs(600),
        }
    }

    /// Runs one host per node from nothing.
    pub fn run(&self, hosts: Vec<SimHost>, drive: Drive) -> SimEnd {
        let config = deterministic::Config::new()
            .with_seed(self.seed)
            .with_start_time(SystemTime::UNIX_EPOCH + Duration::from_millis(self.start_ms))
            .with_storage_fault_config(self.storage())
            .with_timeout(Some(self.time_max));
        self.run_on(Runner::new(config), Vec::new(), hosts, drive)
    }

    fn storage(&self) -> deterministic::FaultConfig {
        let torn = WriteConfig {
            failure_rate: probability!(0.0),
            retention_rate: probability!(0.5),
            mode: PartialWriteMode::Subset,
        };
        match self.tears {
            true => deterministic::FaultConfig::default().write(torn),
            false => deterministic::FaultConfig::default(),
        }
    }

    /// Runs on from what an earlier run stored.
    pub fn resume(&self, end: SimEnd, hosts: Vec<SimHost>, drive: Drive) -> SimEnd {
        self.run_on(Runner::from(end.checkpoint), end.shelves, hosts, drive)
    }

    fn run_on(&self, runner: Runner, mut shelves: Vec<Arc<Memory>>, hosts: Vec<SimHost>, drive: Drive) -> SimEnd {
        let keys = self.keys();
        shelves.resize_with(keys.len(), Arc::default);
        assert_eq!(hosts.len(), keys.len(), "one host per node");
        let names: Vec<_> = keys.iter().map(|keys| keys.identity.public_key()).collect();
        let node = |((keys, host), shelf): ((Keys, SimHost), &Arc<Memory>)| Node {
            way: Way::new(&keys.identity.public_key(), &names),
            keys,
            shelf: shelf.clone(),
            host,
            twin: None,
            tasks: Vec::new(),
            starts: 0,
            folders: 0,
            ahead_ms: Arc::default(),
        };
        let nodes: Vec<Node> = keys.into_iter().zip(hosts).zip(&shelves).map(node).collect();
        let sim = self.clone();
        let (audit, checkpoint) = runner.start_and_recover(|context| async move {
            let auditor = context.auditor();
            let network = Box::pin(start_all(context, sim, nodes)).await;
            drive(network).await;
            auditor
        });
        SimEnd {
            audit: audit.state(),
            checkpoint,
            shelves,
        }
    }

    /// The keys of the nodes: the validators', then the followers'.
    pub fn names(&self) -> Vec<[u8; 32]> {
        let keys = self.keys();
        keys.iter().map(|keys| key_bytes(&keys.identity.public_key())).collect()
    }

    /// The validators' keys, then the followers'.
    fn keys(&self) -> Vec<Keys> {
        let mut rng = ChaCha20Rng::seed_from_u64(self.seed);
        let mut keys = Keys::deal(self.validators, &mut rng);
        let (first, count) = (keys[0].clone(), keys.len() + self.followers as usize);
        keys.resize_with(count, || Keys {
            identity: PrivateKey::random(&mut rng),
            share: None,
            ..first.clone()
        });
        keys
    }
}

async fn start_all(context: Context, sim: Sim, nodes: Vec<Node>) -> SimNetwork {
    let names: Vec<engine_types::PublicKey> = nodes.iter().map(|node| node.keys.identity.public_key()).collect();
    let (validators, followers) = names.split_at(sim.validators.get() as usize);
    let config = simulated::Config {
        max_size: message_bytes_max(),
        max_peers_per_set: NonZeroUsize::new(names.len()).unwrap_or(NonZeroUsize::MIN),
        disconnect_on_block: true,
        tracked_peer_sets: NZUsize!(1),
    };
    let (network, oracle) = simulated::Network::new_with_split_peers(
        context.child("network"),
        config,
        validators.to_vec(),
        followers.to_vec(),
    )
    .await;
    network.start();
    let mut running = SimNetwork {
        handles: Vec::new(),
        sim,
        nodes,
        runtime: context.child("drive"),
        oracle,
    };
    for at in 0..running.nodes.len() {
        running.join(at).await;
    }
    let mut starts = Vec::new();
    for at in 0..running.nodes.len() {
        if !running.sim.late.contains(&at) {
            starts.push(running.launch(at).await);
        }
    }
    for start in starts {
        running.handles.push(start.await.expect(STARTS));
    }
    running
}

impl SimNetwork {
    /// The first `count` validators' approval of a successor.
    pub fn approve(&self, count: usize, successor: &Successor) -> Vec<Approval> {
        let secrets = self.nodes.iter().take(count).map(|node| secret(&node.keys.identity));
        secrets.map(|secret| approve(&secret, successor)).collect()
    }

    /// Lets virtual time pass.
    pub async fn sleep(&self, duration: Duration) {
        self.runtime.sleep(duration).await;
    }

    /// Cuts all links of one node.
    pub async fn cut(&self, node: usize) {
        for (from, to) in self.links(node) {
            // A link that is cut already stays cut.
            let _ = self.oracle.remove_link(from, to).await;
        }
    }

    /// Links one node with all others.
    pub async fn join(&self, node: usize) {
        for (from, to) in self.links(node) {
            let link = Link {
                latency: self.sim.latency,
                jitter: self.sim.latency / 10,
                success_rate: probability!(1.0),
            };
            // A link that is there already stays.
            let _ = self.oracle.add_link(from, to, link).await;
        }
    }

    fn links(&self, node: usize) -> Vec<(engine_types::PublicKey, engine_types::PublicKey)> {
        let name = |node: &Node| node.keys.identity.public_key();
        let me = name(&self.nodes[node]);
        let others = self.nodes.iter().map(name).filter(|key| *key != me);
        others
            .flat_map(|other| [(me.clone(), other.clone()), (other, me.clone())])
            .collect()
    }

    /// Kills one node; what it stored stays.
    pub async fn stop(&mut self, node: usize) {
        for task in std::mem::take(&mut self.nodes[node].tasks) {
            task.abort();
            // It ends with an error: it was aborted.
            let _ = task.await;
        }
    }

    /// Kills one node and takes its data folder away; its keys and its shares stay.
    pub async fn lose(&mut self, node: usize) {
        self.stop(node).await;
        self.nodes[node].folders += 1;
    }

    /// The process around a node from its next start on.
    pub fn equip(&mut self, node: usize, host: SimHost) {
        self.nodes[node].host = host;
    }

    /// Starts a node that is late, or was stopped.
    pub fn start(&mut self, node: usize) -> BoxFuture<'_, Handle> {
        // In a box, so that whoever waits for it need not build the whole engine again.
        Box::pin(async move { self.launch(node).await.await.expect(STARTS) })
    }

    async fn launch(&mut self, node: usize) -> oneshot::Receiver<Handle> {
        let name = self.nodes[node].keys.identity.public_key();
        let me = self.oracle.control(name);
        let way = self.nodes[node].way.clone();
        let is_split = self.nodes[node].twin.is_some();
        let (mut channels, mut twins) = (Vec::new(), Vec::new());
        for (channel, quota) in (0..).zip(CHANNELS) {
            let (sender, receiver) = me.register(channel, quota).await.expect("the network runs");
            let (sender, far_sender) = sender.split_with(forwarder(way.clone(), is_split));
            if is_split {
                let (near, far) = receiver.split_with(self.runtime.child("split"), router(way.clone()));
                channels.push((sender, near));
                twins.push((far_sender, far));
            } else {
                channels.push((sender, receiver));
            }
        }
        self.nodes[node].starts += 1;
        let (host, twin) = (self.nodes[node].host.clone(), self.nodes[node].twin.clone());
        let names: Vec<_> = self.nodes.iter().map(|node| node.keys.identity.public_key()).collect();
        let links = |channels| network(&self.oracle, names.clone(), me.clone(), channels);
        let (task, start) = self.process(node, "", host, links(channels));
        self.nodes[node].tasks.push(task);
        if let Some(twin) = twin {
            let (task, _) = self.process(node, "-twin", twin, links(twins));
            self.nodes[node].tasks.push(task);
        }
        start
    }

    /// Runs a node's process, or one more under its keys.
    fn process<L: Links + 'static>(
        &self,
        node: usize,
        which: &str,
        host: SimHost,
        links: Network<L>,
    ) -> (Task<()>, oneshot::Receiver<Handle>)
    where
        Network<L>: Send,
        L::Peers: Sync,
        L::Blocker: Sync,
    {
        // Another process under the same keys has the same file of shares, so it deals the same.
        let shelf: Arc<dyn Shelf> = self.nodes[node].shelf.clone();
        let settings = Settings {
            chain: self.sim.chain.clone(),
            begin: self.sim.begin.clone(),
            records: host.records.clone(),
            pace: self.sim.pace,
            retain: self.sim.retain,
            catch_up: self.sim.catch_up,
            partition: match self.nodes[node].folders {
                0 => format!("validator-{node}{which}"),
                folder => format!("folder-{folder}-validator-{node}{which}"),
            },
            keys: self.nodes[node].keys.clone(),
            secrets: Secrets::new(
                shelf,
                self.nodes[node].keys.share.clone(),
                self.nodes[node].keys.validators.len(),
            ),
            epoch_blocks: self.sim.epoch_blocks,
            alone: self.nodes.len() == 1,
        };
        let SimHost {
            machine,
            source,
            observer,
            clock,
            ..
        } = host;
        let ahead_ms = self.nodes[node].ahead_ms.clone();
        let host = Host {
            machine,
            source,
            observer,
            clock: clock.unwrap_or_else(|| Arc::new(VirtualClock(self.runtime.child("clock"), ahead_ms))),
        };
        let context = self.runtime.child("node");
        let context = context.with_attribute("index", format!("{node}{which}"));
        let context = context.with_attribute("starts", self.nodes[node].starts - 1);
        let (started, start) = oneshot::channel();
        let task = context.spawn(move |context| async move {
            let Running {
                handle,
                first_end,
                partition: _partition,
                service: _service,
                ended,
                stopped: _stopped,
                unfit,
            } = Box::pin(assemble(context, settings, host, links)).await;
            // Whoever started it may not want its handle.
            drop(started.send(handle));
            tokio::select! {
                // Always in this order: equal runs are equal to the last step.
                biased;
                reason = first_end => panic!("node {node}: {reason}"),
                reason = fitness::unfit(unfit) => drop(ended.send_replace(Some(Ended::Unfit(reason)))),
            }
        });
        (task, start)
    }
}

#[cfg(test)]
#[path = "../tests/toy/mod.rs"]
pub(crate) mod toy;

#[cfg(test)]
mod catch_up_tests;
#[cfg(test)]
mod committee_tests;
#[cfg(test)]
mod era_tests;
#[cfg(test)]
mod halt_tests;
#[cfg(test)]
mod reading_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trouble_tests;
