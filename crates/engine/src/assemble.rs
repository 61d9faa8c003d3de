//! Puts one node together from its parts, in the order they need each other, on any runtime and any network.
//!
//! ```text
//! network ─▶ votes, certificates ─▶ simplex ─▶ deferred ─▶ paced ─▶ stateful ─▶ application
//!       └──▶ blocks ─▶ marshal ──────────────────────────────────────▶ (final blocks, in order)
//!                        └─▶ feed ─▶ observer        service ◀─ handle
//! ```

use crate::{
    CatchUp, Clock, Ended, EraStart, Handle, Latest, Observer, Pace, Retain, StateMachine, TxSource,
    application::{Application, Rules},
    block::{Block, key_bytes},
    catch_up::{self, Horizon, Stores},
    committee::{
        self, Asked, Directory, Judged, MEMBERS_MAX, Parts, Place, Reading, Registry, Roll, SHARING, Schemes, Secrets,
        Watched,
    },
    ending,
    engine_types::{Bls, MarshalVariant, Op, PublicKey, Scheme, State, StateKey},
    execute::Databases,
    feed::Feed,
    fitness::{self, Fitness},
    handle::{QUESTIONS_MAX, Question},
    keys::Keys,
    light::Anchor,
    pacing::{Memory, Paced, Shared},
    records::{self, RecordsFile},
    relay::{self, Relay},
    seeds::Seeds,
    service::{Service, record},
    turns::Turns,
};
use commonware_broadcast::buffered;
use commonware_codec::FixedSize as _;
use commonware_consensus::{
    Reporters,
    marshal::{self, core::Actor as MarshalActor, resolver::p2p as marshal_resolver, standard::Deferred},
    simplex::{
        self,
        config::{ForwardPolicy, SkipPolicy},
        elector::RoundRobin,
    },
    types::{Epoch, FixedEpocher, ViewDelta},
};
use commonware_cryptography::{
    Digested, Digestible as _, Sha256, Signer as _, bls12381::primitives::sharing::ModeVersion,
    certificate::ConstantProvider,
};
use commonware_glue::{
    dkg::{
        self,
        fence::Fence,
        network, orchestrator, probe, reshare,
        state_sync::{Config as StatePlanConfig, Plan as StatePlan},
        types::SchemeInfo,
    },
    stateful::{
        Config as StatefulConfig, PruneConfig, Stateful,
        db::{SyncEngineConfig, p2p as state_resolver},
    },
};
use commonware_p2p as p2p;
use commonware_parallel::Sequential;
use commonware_runtime::{
    Clock as RuntimeClock, Handle as Task, Metrics, Network as RuntimeNetwork, Quota, Spawner, Storage,
    buffer::paged::CacheRef,
};
use commonware_storage::{
    Context as StorageContext,
    journal::contiguous::fixed::Config as LogConfig,
    mmr::{self, full::Config as MerkleConfig},
    qmdb::current::FixedConfig,
    translator::EightCap,
};
use commonware_utils::{NZDuration, NZU16, NZU32, NZU64, NZUsize};
use futures::{
    FutureExt as _,
    future::{BoxFuture, pending, select_all},
    select_biased,
};
use rand_core::CryptoRng;
use std::{
    num::{NonZeroU64, NonZeroUsize},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{mpsc, watch};

/// What a runtime gives. Both of Commonware's do.
pub(crate) trait Runtime:
    Spawner + RuntimeClock + StorageContext + Metrics + RuntimeNetwork + CryptoRng
{
}
impl<E: Spawner + RuntimeClock + StorageContext + Metrics + RuntimeNetwork + CryptoRng> Runtime for E {}

/// What a network gives: peers, and channels to them.
pub(crate) trait Links {
    type Peers: network::Manager<PublicKey = PublicKey, Directory = Directory>;
    type Blocker: p2p::Blocker<PublicKey = PublicKey>;
    type Sender: p2p::Sender<PublicKey = PublicKey>;
    type Receiver: p2p::Receiver<PublicKey = PublicKey>;
}

/// One channel of each kind, in the order of [`CHANNELS`].
pub(crate) struct Network<L: Links> {
    pub(crate) peers: L::Peers,
    pub(crate) blocker: L::Blocker,
    pub(crate) channels: Vec<(L::Sender, L::Receiver)>,
}

/// Messages a second that a peer may send on each channel: votes, certificates, missed certificates, missed blocks, new
/// blocks, state operations, the newest certificate, transactions, dealings of shares. Memory grows with these.
pub(crate) const CHANNELS: [Quota; 9] = [
    Quota::per_second(NZU32!(256)),
    Quota::per_second(NZU32!(256)),
    Quota::per_second(NZU32!(64)),
    Quota::per_second(NZU32!(64)),
    Quota::per_second(NZU32!(64)),
    Quota::per_second(NZU32!(64)),
    Quota::per_second(NZU32!(16)),
    Quota::per_second(NZU32!(relay::BATCHES_PER_SECOND_MAX)),
    Quota::per_second(NZU32!(128)),
];

/// What the process around the chain provides.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) machine: Arc<dyn StateMachine>,
    pub(crate) source: Arc<dyn TxSource>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What one node is told.
pub(crate) struct Settings {
    pub(crate) chain: String,
    pub(crate) begin: EraStart,
    /// Records of which this node hands in what is missing.
    pub(crate) records: Option<Arc<RecordsFile>>,
    pub(crate) pace: Pace,
    pub(crate) retain: Retain,
    pub(crate) catch_up: CatchUp,
    /// Begins the names of its files: several nodes may share one store in simulation.
    pub(crate) partition: String,
    pub(crate) keys: Keys,
    pub(crate) secrets: Secrets,
    /// Blocks of one epoch of consensus, after which other validators may sign.
    pub(crate) epoch_blocks: NonZeroU64,
    /// Nobody else is there, so nobody needs to be told or asked.
    pub(crate) alone: bool,
}

/// A running node.
pub(crate) struct Running {
    pub(crate) handle: Handle,
    /// Resolves with what happened when the first part ended; none should.
    pub(crate) first_end: BoxFuture<'static, &'static str>,
    /// Begins the names of the files in use, see `catch_up`.
    pub(crate) partition: String,
    /// Answers questions as long as the chain runs.
    pub(crate) service: Task<()>,
    pub(crate) stopped: watch::Receiver<bool>,
    pub(crate) ended: watch::Sender<Option<Ended>>,
    /// Why this program cannot go on.
    pub(crate) unfit: watch::Receiver<Option<String>>,
}

const PAGE_BYTES: std::num::NonZeroU16 = NZU16!(4_096);
const CACHED_PAGES: NonZeroUsize = NZUsize!(2_048);
const BUFFER_BYTES: NonZeroUsize = NZUsize!(64 * 1024);
const MAILBOX: NonZeroUsize = NZUsize!(256);
/// Blocks delivered to the state before the first is stored for good.
const UNSTORED_BLOCKS_MAX: NonZeroUsize = NZUsize!(16);
const VIEWS_KEPT: ViewDelta = ViewDelta::new(64);
const SYNC_OPS_MAX: NonZeroU64 = NZU64!(1_024);
/// Blocks between two prunings.
const PRUNE_EVERY: NonZeroUsize = NZUsize!(64);
/// How long a start waits for the blocks of before.
const TAKE_UP_MAX: Duration = Duration::from_secs(60);
/// How long a leader may be silent beyond what it may wait for work, and the votes on its block after that. With one validator
/// dead at a time, and killed as soon as the one before is back, no halt is longer than a leader's time, [`SAY_AGAIN`] and the
/// votes' time together: what `sim/halt_tests.rs` holds.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often a validator that gave up a turn says so again, with what proves that the turn came: one that was away, and is needed
/// now, learns from it where the others are.
const SAY_AGAIN: Duration = Duration::from_millis(500);

/// The largest message that any part sends.
pub(crate) fn message_bytes_max() -> u32 {
    let validators = MEMBERS_MAX.get();
    p2p::max_message_size(&[
        orchestrator::max_payload_size::<Scheme, crate::engine_types::Digest>(validators),
        marshal::max_payload_size::<MarshalVariant, Scheme>(validators, &()),
        probe::max_payload_size::<MarshalVariant, Scheme>(validators, &()),
        dkg::max_payload_size::<Bls, PublicKey>(MEMBERS_MAX),
        state_resolver::max_payload_size::<mmr::Family, crate::engine_types::Digest>(SYNC_OPS_MAX, Op::SIZE),
        relay::MESSAGE_BYTES_MAX,
    ])
}

/// Starts all parts; returns when the state is there and consensus runs.
pub(crate) async fn assemble<E: Runtime, L: Links>(
    runtime: E,
    settings: Settings,
    host: Host,
    network: Network<L>,
) -> Running {
    let Settings {
        chain,
        begin,
        records,
        pace,
        retain,
        catch_up,
        partition: base,
        keys,
        secrets,
        epoch_blocks,
        alone,
    } = settings;
    let Network {
        peers,
        blocker,
        channels,
    } = network;
    let channels: [_; CHANNELS.len()] = channels
        .try_into()
        .unwrap_or_else(|_| unreachable!("the network opens one channel per quota"));
    let [
        votes,
        certificates,
        missed_certificates,
        missed_blocks,
        new_blocks,
        state_ops,
        newest,
        transactions,
        dealings,
    ] = channels;
    let mut tasks: Vec<(&'static str, Task<()>)> = Vec::new();

    let me = keys.identity.public_key();
    let group_key = keys.group_key();
    let identity = *keys.sharing.public();
    let validators = keys.validators.len();
    // A lone validator knows best how far the chain is.
    let asks = !alone && (validators > 1 || keys.share.is_none());
    let named: Vec<[u8; 32]> = keys.validators.iter().map(key_bytes).collect();
    let committee = committee::founding(&keys, epoch_blocks);
    let schemes = Schemes::new(&chain);
    let verifier = Scheme::certificate_verifier(chain.as_bytes(), identity);
    let page_cache = CacheRef::new(PAGE_BYTES, CACHED_PAGES);
    let (host, resolutions) = ending::wrap(host, &chain, begin.era, named);
    let (host, taking) = records::wrap(host, &begin, records);
    let genesis = Block::genesis::<E>(&begin, host.machine.genesis_digest(), committee.clone());
    let genesis_digest = genesis.digest();

    // Blocks: fetching missed ones, exchanging new ones, keeping final ones.
    let resolver = marshal_resolver::init(
        runtime.child("blocks_resolver"),
        marshal_resolver::Config {
            public_key: me.clone(),
            peer_provider: peers.clone(),
            blocker: blocker.clone(),
            mailbox_size: MAILBOX,
            fetch_timeout: NZDuration!(Duration::from_secs(2)),
            fetch_retry_delay: Duration::from_millis(100),
            priority_requests: false,
            priority_responses: false,
        },
        missed_blocks,
    );
    let (broadcast, buffer) = buffered::Engine::new(
        runtime.child("broadcast"),
        buffered::Config {
            public_key: me.clone(),
            mailbox_size: MAILBOX,
            deque_size: 10,
            priority: false,
            codec_config: (),
            peer_provider: peers.clone(),
            strategy: Sequential,
        },
    );
    tasks.push(("the exchange of blocks ended", broadcast.start(new_blocks)));
    let mut probing = None;
    let ask = |floor| {
        let (probe, mailbox) = probe::Actor::<_, _, _, MarshalVariant, _, _>::new(probe::Config {
            context: runtime.child("probe"),
            manager: peers.clone(),
            bootstrap: probe::Bootstrap {
                epoch: Epoch::zero(),
                participants: committee.participants(),
                directory: committee.directory.clone(),
            },
            floor,
            verifier: verifier.clone(),
            genesis: committee.clone(),
            strategy: Sequential,
            blocker: blocker.clone(),
            blocks_per_epoch: epoch_blocks,
            retry_timeout: NZDuration!(Duration::from_secs(1)),
            mailbox_size: MAILBOX,
            block_codec_config: (),
        });
        let asked = mailbox.clone();
        probing = Some((probe.start(newest), mailbox));
        let runtime = &runtime;
        async move {
            if !asks || catch_up.views_max.is_none() {
                return None;
            }
            let said = asked.subscribe();
            select_biased! {
                said = said.fuse() => said.ok(),
                () = runtime.sleep(catch_up.wait).fuse() => None,
            }
        }
    };
    let limits = (catch_up, epoch_blocks);
    let (stores, fetched) = catch_up::open(&runtime, &base, &page_cache, limits, ask).await;
    let (probe, probe_mailbox) = probing.expect("the others are asked once");
    tasks.push(("the search for the newest block ended", probe));
    let before = stores.height();
    let Stores {
        certificates: certificates_store,
        blocks: blocks_store,
        plan,
        partition,
    } = stores;
    let before = before.filter(|_| plan.floor().is_none());
    let (marshal_actor, marshal, floor) = MarshalActor::<_, MarshalVariant, _, _, _, _, _>::init(
        runtime.child("marshal"),
        certificates_store,
        blocks_store,
        marshal::Config {
            provider: ConstantProvider::<_, Epoch>::new(verifier),
            epocher: FixedEpocher::new(epoch_blocks),
            start: plan.marshal_start(Digested::precomputed(genesis.clone(), genesis_digest)),
            partition_prefix: partition.clone(),
            mailbox_size: MAILBOX,
            view_retention: VIEWS_KEPT,
            prunable_items_per_section: NZU64!(256),
            page_cache: page_cache.clone(),
            replay_buffer: BUFFER_BYTES,
            key_write_buffer: BUFFER_BYTES,
            value_write_buffer: BUFFER_BYTES,
            block_codec_config: (),
            max_repair: NZUsize!(16),
            max_pending_acks: UNSTORED_BLOCKS_MAX,
            strategy: Sequential,
        },
    )
    .await;

    // State: executing blocks, keeping records.
    let (state_sync, state_source) = state_resolver::Actor::<_, PublicKey, _, _, mmr::Family, State<E>>::new(
        runtime.child("state_resolver"),
        state_resolver::Config {
            peer_provider: peers.clone(),
            blocker: blocker.clone(),
            database: None,
            mailbox_size: MAILBOX,
            me: Some(me.clone()),
            fetch_timeout: NZDuration!(Duration::from_secs(2)),
            fetch_retry_delay: Duration::from_millis(100),
            max_serve_ops: SYNC_OPS_MAX,
            priority_requests: false,
            priority_responses: false,
        },
    );
    tasks.push(("the exchange of state ended", state_sync.start(state_ops)));
    let (latest, latest_seen) = watch::channel(Latest {
        header: genesis.header().clone(),
        digest: genesis_digest.0,
    });
    let (unfit, unfit_seen) = watch::channel(None);
    let (finals, finals_seen) = watch::channel(0);
    let application = Application::new(Rules {
        machine: host.machine.clone(),
        source: host.source.clone(),
        genesis: genesis.clone(),
        chain: chain.clone(),
        group_key: identity,
        time_step_ms_max: pace.time_step_ms_max,
        latest: latest.clone(),
        finals,
        unfit: unfit.clone(),
        epoch_blocks,
    });
    let (stateful, state) = Stateful::new(
        runtime.child("stateful"),
        StatefulConfig {
            application,
            db_config: state_config(&partition, &page_cache),
            provider: (),
            marshal: (marshal.clone(), floor),
            mailbox_size: MAILBOX,
            plan,
            resolvers: state_source,
            sync_config: SyncEngineConfig {
                fetch_batch_size: SYNC_OPS_MAX,
                apply_batch_size: SYNC_OPS_MAX,
                max_outstanding_requests: NZUsize!(8),
            },
            prune_config: retain.blocks.map(|blocks| PruneConfig {
                maintenance_interval: PRUNE_EVERY,
                retained_marshal_blocks: blocks,
                retained_qmdb_blocks: retain.state_blocks,
            }),
            strategy: Sequential,
        },
    );
    probe_mailbox.attach(marshal.clone());
    tasks.push(("the state ended", stateful.start()));

    // Consensus. It runs while the state is fetched, which follows it.
    let (observed, _) = watch::channel(host.observer.stored_height().unwrap_or(0));
    let (seeds, turns, horizon) = (Seeds::new(), Turns::new(schemes.clone()), Horizon::new());
    let paced = Paced::new(
        state.clone(),
        Shared {
            pace,
            source: host.source.clone(),
            clock: host.clock,
            seeds: seeds.clone(),
            turns: turns.clone(),
            marshal: marshal.clone(),
            observed: observed.subscribe(),
            memory: Mutex::new(Memory::default()),
            handed_in: resolutions.handed_in(),
        },
    );
    let (questions, asked) = mpsc::channel::<Question>(QUESTIONS_MAX);
    if let Some(fetched) = &fetched {
        // Until the committee's own part of this node has looked at its shares it only checks.
        let output = &fetched.info.output;
        schemes.insert(
            fetched.info.epoch,
            SchemeInfo::new(&me, output.players().clone(), output.public().clone(), None),
        );
    }
    let state_sync = StatePlan::init(
        runtime.child("committee_plan"),
        StatePlanConfig {
            partition_prefix: partition.clone(),
            max_participants: MEMBERS_MAX,
            max_supported_mode: ModeVersion::v0(),
        },
        fetched,
    )
    .await;
    let (fence, gate) = Fence::new();
    let roll = Roll {
        asked: Asked {
            questions: questions.clone(),
            moved: latest_seen.clone(),
        },
        founding: keys.validators.clone(),
    };
    let reading = Reading::new(Parts {
        runtime: runtime.child("reading"),
        chain: chain.clone(),
        me: keys.identity.clone(),
        marshal: marshal.clone(),
        roll: roll.clone(),
        secrets: secrets.dealt(),
        epoch_blocks,
        genesis: (genesis_digest, committee.clone()),
    });
    let secrets = secrets.with(Arc::new(reading.clone()));
    let (reshare, dealer) = reshare::Actor::new(
        runtime.child("reshare"),
        reshare::Config {
            signer: keys.identity.clone(),
            manager: peers.clone(),
            blocker: blocker.clone(),
            participants_provider: roll,
            registrar: Registry {
                schemes: schemes.clone(),
                secrets: secrets.dealt(),
            },
            secret_store: secrets,
            strategy: Sequential,
            marshal: marshal.clone(),
            state_sync: state_sync.clone(),
            fence,
            // The interface wants a name that lasts as long as the process; a process runs few chains.
            namespace: Box::leak(chain.clone().into_boxed_str()).as_bytes(),
            sharing_mode: SHARING.0,
            reveal: SHARING.1,
            mailbox_size: MAILBOX,
            partition_prefix: format!("{partition}-reshare"),
            page_cache: page_cache.clone(),
            write_buffer: BUFFER_BYTES,
            replay_buffer: BUFFER_BYTES,
            max_participants: MEMBERS_MAX,
            blocks_per_epoch: epoch_blocks,
        },
    );
    tasks.push(("the renewal of shares ended", reshare.start(dealings)));
    let deferred = Deferred::new(
        runtime.child("deferred"),
        Judged::new(paced, dealer.clone(), reading.clone(), epoch_blocks),
        marshal.clone(),
        FixedEpocher::new(epoch_blocks),
    );
    // A lone leader waits for nobody, so it may as well give up its turn to itself: then a restart in the middle of a
    // turn, which cannot be resumed, costs no more than this, however long the chain may be idle.
    let leader_timeout = if validators == 1 {
        PATIENCE
    } else {
        pace.idle_interval + PATIENCE
    };
    let (consensus, epochs) = orchestrator::Actor::new(
        runtime.child("consensus"),
        orchestrator::Config {
            oracle: blocker,
            manager: peers,
            provider: schemes.clone(),
            marshal: marshal.clone(),
            application: Watched {
                inner: deferred,
                seeds,
                turns,
                horizon: horizon.clone(),
            },
            strategy: Sequential,
            simplex: orchestrator::SimplexConfig {
                elector: RoundRobin::<Sha256>::default(),
                mailbox_size: MAILBOX,
                replay_buffer: BUFFER_BYTES,
                write_buffer: BUFFER_BYTES,
                page_cache,
                leader_timeout,
                certification_timeout: leader_timeout + PATIENCE,
                timeout_retry: SAY_AGAIN,
                fetch_timeout: NZDuration!(Duration::from_secs(2)),
                fetch_retry_delay: Duration::from_secs(1),
                view_retention: VIEWS_KEPT,
                skip: SkipPolicy::Enabled {
                    timeout: leader_timeout + PATIENCE * 2,
                    budget: simplex::SkipBudget::Participants,
                },
                forward: ForwardPolicy::Disabled,
                track_historical_votes: false,
            },
            gate,
            state_sync,
            blocks_per_epoch: epoch_blocks,
            mailbox_size: MAILBOX,
            partition_prefix: votes_prefix(&base),
        },
    );
    tasks.push((
        "consensus ended",
        consensus.start(votes, certificates, missed_certificates),
    ));
    let told = Reporters::from((state.clone(), Reporters::from((epochs, dealer))));
    tasks.push(("the store of blocks ended", marshal_actor.start(told, buffer, resolver)));

    // What is final here.
    let databases: Databases<E> = state.subscribe_databases().await;
    if let Some((_, block)) = marshal.get_anchor().await {
        latest.send_if_modified(|latest| {
            let newer = block.inner().header().height > latest.header.height;
            if newer {
                *latest = Latest {
                    header: block.inner().header().clone(),
                    digest: block.digest().0,
                };
            }
            newer
        });
    }

    let behind = reading.read_ahead(latest_seen.clone());
    let behind = runtime.child("read_ahead").spawn(|_| behind);
    tasks.push(("the reading of what was dealt ended", behind));

    // The process around: telling it, answering it.
    if let Some(taking) = taking {
        let value = databases.read().await.get(&StateKey::new(records::CURSOR)).await;
        taking.resume(value.expect("the state is readable").map(|value| record(&value)));
    }
    observed.send_replace(Feed::start_height(
        &*host.observer,
        begin.height,
        latest_seen.borrow().header.height,
    ));
    let feed = Feed {
        observer: host.observer,
        marshal: marshal.clone(),
        latest: latest_seen.clone(),
        base: begin.height,
        observed,
    };
    tasks.push(("the feed ended", runtime.child("feed").spawn(|_| feed.run())));
    let fitness = Fitness {
        runtime: runtime.child("fitness"),
        machine: host.machine.clone(),
        databases: databases.clone(),
        latest: latest_seen.clone(),
        finals: finals_seen,
        unfit,
    };
    let fitness = runtime.child("fitness_task").spawn(|_| fitness.run());
    tasks.push(("the look at the next block ended", fitness));
    let (service_latest, place) = (latest_seen.clone(), schemes.place());
    let forgetting = forget_votes(runtime.child("votes"), base, schemes.place());
    let forgetting = runtime.child("forgetting").spawn(|_| forgetting);
    tasks.push(("the forgetting of votes ended", forgetting));
    let service = runtime.child("service").spawn(move |runtime| {
        let service = Service {
            runtime,
            databases,
            marshal,
            latest: service_latest,
            base: begin.height,
            place,
            epoch_blocks,
        };
        service.run(asked)
    });
    if !alone {
        let relay = runtime.child("relay");
        let (machine, source) = (host.machine, host.source);
        // Checking signatures takes a while.
        let relay = relay.dedicated().spawn(|runtime| {
            Relay {
                runtime,
                machine,
                source,
            }
            .run(transactions)
        });
        tasks.push(("the relay ended", relay));
        let latest = latest_seen.clone();
        let lost = runtime.child("horizon");
        let lost = lost.spawn(move |runtime| horizon.lost(runtime, latest, limits));
        tasks.push((
            "the others keep no longer the blocks that this node misses; start it again, and it fetches the state",
            lost,
        ));
    }

    if let Some(before) = before {
        select_biased! {
            () = taken_up(&runtime, latest_seen.clone(), before).fuse() => {}
            _ = fitness::unfit(unfit_seen.clone()).fuse() => {}
        }
    }

    let (stop, stopped) = watch::channel(false);
    let (ended, ended_seen) = watch::channel(None);
    let handle = Handle {
        anchor: Arc::new(Anchor {
            chain,
            group_key,
            genesis: genesis.header().genesis,
            era: begin.era,
        }),
        validator: key_bytes(&me),
        resolutions,
        questions,
        latest: latest_seen,
        stop,
        ended: ended_seen,
        thread: Arc::new(Mutex::new(None)),
    };
    Running {
        handle,
        first_end: first_end(tasks),
        partition,
        service,
        stopped,
        ended,
        unfit: unfit_seen,
    }
}

fn votes_prefix(base: &str) -> String {
    format!("{base}-votes")
}

/// Removes the votes of epochs gone by: an epoch's end is final, so nobody can be brought to vote in it again.
async fn forget_votes(runtime: impl Storage, base: String, mut place: watch::Receiver<Option<Place>>) {
    loop {
        let epoch = place.borrow_and_update().as_ref().map_or(0, |place| place.epoch);
        let mut old = epoch.checked_sub(2);
        while let Some(epoch) = old {
            let votes = format!("{}_consensus_{epoch}", votes_prefix(&base));
            // What is not there was removed before.
            let removed = runtime.remove(&votes, None).await;
            old = epoch.checked_sub(1).filter(|_| removed.is_ok());
        }
        if place.changed().await.is_err() {
            return pending().await;
        }
    }
}

/// Waits until the blocks that were final at the last end are executed: what was shown then is there when anybody asks again.
async fn taken_up(runtime: &impl RuntimeClock, mut latest: watch::Receiver<Latest>, stored: u64) {
    let executed = async {
        // Only a chain that has ended makes no more blocks; its end is told elsewhere.
        let _ = latest.wait_for(|latest| latest.header.height >= stored).await;
    };
    let is_late = select_biased! {
        () = executed.fuse() => false,
        () = runtime.sleep(TAKE_UP_MAX).fuse() => true,
    };
    if is_late {
        tracing::warn!(
            stored,
            "the blocks of before are still being executed; the chain starts without waiting for them"
        );
    }
}

fn first_end(tasks: Vec<(&'static str, Task<()>)>) -> BoxFuture<'static, &'static str> {
    let ends = tasks.into_iter().map(|(name, task)| task.map(move |_| name).boxed());
    select_all(ends).map(|(name, ..)| name).boxed()
}

pub(crate) fn state_config(partition: &str, page_cache: &CacheRef) -> FixedConfig<EightCap, Sequential> {
    FixedConfig {
        merkle_config: MerkleConfig {
            journal_partition: format!("{partition}-state-nodes"),
            metadata_partition: format!("{partition}-state-pinned"),
            items_per_blob: NZU64!(16_384),
            write_buffer: BUFFER_BYTES,
            replay_buffer: BUFFER_BYTES,
            strategy: Sequential,
            page_cache: page_cache.clone(),
        },
        journal_config: LogConfig {
            partition: format!("{partition}-state-log"),
            items_per_blob: NZU64!(4_096),
            page_cache: page_cache.clone(),
            write_buffer: BUFFER_BYTES,
            replay_buffer: BUFFER_BYTES,
        },
        grafted_metadata_partition: format!("{partition}-state-grafted"),
        translator: EightCap,
        init_cache: Some(NZUsize!(65_536)),
        init_buffer: NZUsize!(1 << 20),
        init_concurrency: (),
    }
}
