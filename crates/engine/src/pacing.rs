//! Decides when a validator builds a block and what goes in, and when it looks at one from the future. It stands before
//! the state's actor, so that waiting here holds up nothing else.

use crate::{
    Clock, Pace, Tx, TxHash, TxSource,
    application::{Application, Plan},
    block::Block,
    ending::cut,
    engine_types::{Certificate, ConsensusContext, Digest, MarshalMailbox, ReshareInput, Scheme, SeedSignature},
    limits::BLOCK_BYTES_MAX,
    seeds::Seeds,
    turns::Turns,
};
use commonware_consensus::{
    Application as ConsensusApplication, Handoff, Heightable as _, marshal::ancestry::Ancestry,
    simplex::scheme::bls12381_threshold::vrf::Seedable as _, types::Epoch,
};
use commonware_cryptography::{Digested, Digestible as _};
use commonware_glue::stateful::Mailbox;
use commonware_runtime::{Clock as RuntimeClock, Spawner};
use commonware_storage::Context as StorageContext;
use futures::{FutureExt as _, StreamExt as _, future::pending, select_biased};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};
use tokio::sync::watch;

/// Blocks that may be ahead of the observer; beyond them new blocks stay empty until it has caught up.
pub(crate) const UNSEEN_BLOCKS_MAX: u64 = 64;
/// Blocks whose time of arrival is remembered.
const ARRIVALS_MAX: usize = 64;
/// Time between blocks after an era's end, while its last one is not final.
const CLOSING_INTERVAL: Duration = Duration::from_secs(1);
/// How often a clock is looked at again that nobody moves by hand.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The wrapper before the state's actor. Clones share all.
pub(crate) struct Paced<E: Spawner + StorageContext> {
    inner: Mailbox<E, Application>,
    shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) pace: Pace,
    pub(crate) source: Arc<dyn TxSource>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) seeds: Seeds,
    pub(crate) turns: Turns,
    pub(crate) marshal: MarshalMailbox,
    /// The last height the observer was told of.
    pub(crate) observed: watch::Receiver<u64>,
    pub(crate) memory: Mutex<Memory>,
    /// Changes when a resolution to end the era was handed in.
    pub(crate) handed_in: watch::Receiver<u64>,
}

/// What a proposer remembers between blocks. Losing it costs nothing but a moment.
#[derive(Default)]
pub(crate) struct Memory {
    /// When blocks were first seen here, by the computer's clock.
    seen: VecDeque<(Digest, SystemTime)>,
    /// The pool's count of arrivals before it offered what was all refused: no use in offering the same again.
    barren: Option<u64>,
}

impl Memory {
    fn see(&mut self, digest: Digest, now: SystemTime) -> SystemTime {
        if let Some((_, at)) = self.seen.iter().find(|(seen, _)| *seen == digest) {
            return *at;
        }
        if self.seen.len() == ARRIVALS_MAX {
            self.seen.pop_front();
        }
        self.seen.push_back((digest, now));
        now
    }
}

/// Transactions that stand in blocks the observer has not been told of.
struct InFlight {
    blocks: Vec<Digested<Block>>,
    /// There are more such blocks than we look through.
    overfull: bool,
}

impl InFlight {
    fn holds(&self, hash: &TxHash) -> bool {
        self.blocks.iter().any(|block| block.inner().tx_hashes().contains(hash))
    }
}

impl<E: Spawner + StorageContext> Clone for Paced<E> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<E: Spawner + StorageContext> Paced<E> {
    pub(crate) fn new(inner: Mailbox<E, Application>, shared: Shared) -> Self {
        Self {
            inner,
            shared: Arc::new(shared),
        }
    }

    /// What to build, and the pool's count of arrivals before it was asked: what comes in later was not offered.
    async fn plan(&self, runtime: &E, epoch: Epoch, ancestry: impl Ancestry<Block>) -> Option<(Plan, u64)> {
        let shared = &*self.shared;
        let mut ancestry = ancestry;
        let parent = ancestry.next().await?;
        let before = parent.inner().header();
        if before.is_over() {
            shared.wait_for_end(runtime, &parent).await;
        }
        let seed = match before.is_genesis() || before.epoch != epoch.get() {
            true => None,
            false => Some(shared.seed(&parent).await),
        };
        let in_flight = shared.in_flight(parent.clone(), ancestry).await;
        if !before.is_over() {
            shared.wait_for_work(runtime, &parent, &in_flight).await;
        }
        let arrived = *shared.source.arrivals().borrow();
        let mut txs = shared.peek(shared.pace.block_txs_max, &in_flight);
        cut(&mut txs);
        let plan = Plan {
            time_ms: shared.clock.now_ms(),
            seed,
            txs,
            payload: None,
        };
        Some((plan, arrived))
    }
}

impl Shared {
    /// The seed of the parent's round: from its certificate if it is stored, else as soon as consensus shows it.
    async fn seed(&self, parent: &Digested<Block>) -> SeedSignature {
        match self.certificate(parent).await {
            Some(finalization) => finalization.seed().signature,
            None => self.seeds.wait(parent.inner().round()).await,
        }
    }

    /// Returns when the era has ended and it takes another block to show that. When it does not, everybody can show how it ended:
    /// there is nothing more to say.
    async fn wait_for_end(&self, runtime: &impl RuntimeClock, parent: &Digested<Block>) {
        let seen = self.remember(|memory| memory.see(parent.digest(), runtime.current()));
        loop {
            if self.certificate(parent).await.is_some() {
                return pending().await;
            }
            if runtime.current() >= seen + CLOSING_INTERVAL {
                return;
            }
            runtime.sleep(LOOK_AGAIN).await;
        }
    }

    /// The certificate of this very block, if it is stored.
    async fn certificate(&self, block: &Digested<Block>) -> Option<Certificate> {
        let stored = self.marshal.get_finalization(block.height()).await?;
        (stored.proposal.payload == block.digest()).then_some(stored)
    }

    async fn in_flight(&self, parent: Digested<Block>, mut ancestry: impl Ancestry<Block>) -> InFlight {
        let observed = *self.observed.borrow();
        let overfull = parent.inner().header().height > observed + UNSEEN_BLOCKS_MAX;
        let mut blocks = Vec::new();
        let mut next = Some(parent);
        while let Some(block) = next.take_if(|block| !overfull && block.inner().header().height > observed) {
            blocks.push(block);
            next = ancestry.next().await;
        }
        InFlight { blocks, overfull }
    }

    fn peek(&self, count_max: usize, in_flight: &InFlight) -> Vec<Tx> {
        if in_flight.overfull {
            return Vec::new();
        }
        let mut txs = self
            .source
            .peek(count_max, BLOCK_BYTES_MAX, &|hash| in_flight.holds(hash));
        txs.truncate(count_max);
        txs
    }

    /// Returns when a block should be built on `parent`: a transaction waits, or it has been quiet for too long, or the
    /// chain's time is behind.
    async fn wait_for_work(&self, runtime: &impl RuntimeClock, parent: &Digested<Block>, in_flight: &InFlight) {
        let seen = self.remember(|memory| memory.see(parent.digest(), runtime.current()));
        let parent_ms = parent.inner().header().time_ms;
        runtime.sleep_until(seen + self.pace.block_interval).await;
        let mut arrivals = self.source.arrivals();
        let mut moved = self.clock.moved();
        let mut handed_in = self.handed_in.clone();
        let mut quiet = Box::pin(runtime.sleep_until(seen + self.pace.idle_interval).fuse());
        loop {
            let arrived = *arrivals.borrow_and_update();
            if let Some(moved) = &mut moved {
                moved.borrow_and_update();
            }
            let behind_ms = self.clock.now_ms().saturating_sub(parent_ms);
            if behind_ms >= u64::try_from(self.pace.idle_interval.as_millis()).unwrap_or(u64::MAX) {
                return;
            }
            let barren = self.remember(|memory| memory.barren == Some(arrived));
            if !barren && !self.peek(1, in_flight).is_empty() {
                return;
            }
            select_biased! {
                () = changed(Some(&mut arrivals)).fuse() => {}
                () = changed(moved.as_mut()).fuse() => {}
                () = changed(Some(&mut handed_in)).fuse() => self.remember(|memory| memory.barren = None),
                () = quiet => return,
            }
        }
    }

    /// Remembers what became of a plan for which the pool was asked after `arrived` arrivals.
    fn built(&self, offered: usize, arrived: u64, block: Option<&Digested<Block>>, now: SystemTime) {
        let Some(block) = block else { return };
        self.remember(|memory| {
            memory.see(block.digest(), now);
            memory.barren = (offered > 0 && block.inner().txs().is_empty()).then_some(arrived);
        });
    }

    /// Returns when this validator's clock allows a vote for `block`. How far a block may lead is a rule of its own, so
    /// this ends.
    async fn wait_for_clock(&self, runtime: &impl RuntimeClock, block: &Block) {
        let time_ms = block.header().time_ms;
        let mut moved = self.clock.moved();
        while self.clock.now_ms().saturating_add(self.pace.ahead_ms_max) < time_ms {
            select_biased! {
                () = changed(moved.as_mut()).fuse() => {}
                () = runtime.sleep(LOOK_AGAIN).fuse() => {}
            }
        }
    }

    fn remember<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> T {
        change(&mut self.memory.lock().expect("no panic while this lock is held"))
    }
}

/// Resolves when the watched value changes; never when nobody can change it any more.
async fn changed(watched: Option<&mut watch::Receiver<u64>>) {
    if let Some(watched) = watched
        && watched.changed().await.is_ok()
    {
        return;
    }
    pending().await
}

impl<E: Spawner + StorageContext> ConsensusApplication<E> for Paced<E> {
    type SigningScheme = Scheme;
    type Context = ConsensusContext;
    type Block = Block;
    type Input = ReshareInput;

    async fn prepare(
        &mut self,
        _: (E, ConsensusContext),
        _: impl Ancestry<Block>,
        _: ReshareInput,
    ) -> Handoff<Digested<Block>> {
        Handoff::Wait
    }

    async fn propose(
        &mut self,
        context: (E, ConsensusContext),
        ancestry: impl Ancestry<Block>,
        input: ReshareInput,
    ) -> Option<Digested<Block>> {
        let runtime = context.0.child("pacing");
        let turns = self.shared.turns.clone();
        let (mut plan, arrived) = select_biased! {
            // Without a block consensus goes on to the next turn at once.
            () = turns.lost(context.1.round).fuse() => {
                tracing::debug!(round = ?context.1.round, "the others have given up this turn to lead");
                None
            }
            plan = self.plan(&runtime, context.1.round.epoch(), ancestry.clone()).fuse() => plan,
        }?;
        plan.payload = input.payload;
        let offered = plan.txs.len();
        let block = self.inner.propose(context, ancestry, plan).await;
        self.shared.built(offered, arrived, block.as_ref(), runtime.current());
        block
    }

    async fn verify(&mut self, context: (E, ConsensusContext), ancestry: impl Ancestry<Block>) -> bool {
        let runtime = context.0.child("pacing");
        let Some(block) = ancestry.clone().next().await else {
            return false;
        };
        self.shared
            .remember(|memory| memory.see(block.digest(), runtime.current()));
        self.shared.wait_for_clock(&runtime, block.inner()).await;
        self.inner.verify(context, ancestry).await
    }
}
