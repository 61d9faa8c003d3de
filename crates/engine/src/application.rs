//! Builds blocks and judges those of others, on the state of their parents. Waits for nothing but the state: when to build
//! is decided in `pacing`, and so is waiting for a clock.

use crate::{
    BlockContext, Header, Latest, SEED_BYTES, StateMachine, Tx, TxSource,
    block::{Block, key_bytes},
    committee::{self, payload_hash},
    ending::successor_after,
    engine_types::{ConsensusContext, GroupKey, Payload, Scheme, SeedSignature},
    execute::{After, Batch, Databases, Execution, Sealed},
    finalized::{receipt_root, tx_root},
    header::{NOBODY, OVER},
};
use commonware_codec::{Copying, DecodeExt as _, Encode as _};
use commonware_consensus::{
    Heightable as _,
    marshal::ancestry::Ancestry,
    simplex::scheme::bls12381_threshold::vrf,
    types::{Epoch, Round, View},
};
use commonware_cryptography::Digestible as _;
use commonware_glue::stateful::{Application as StatefulApplication, Finality, Input, Proposed, db::DatabaseSet};
use commonware_runtime::Spawner;
use commonware_storage::Context as StorageContext;
use futures::StreamExt as _;
use std::{num::NonZeroU64, sync::Arc, time::Duration};
use tokio::sync::watch;

/// How long a proposer goes on adding transactions: a block must be out before the others lose patience.
const FILL_TIME_MAX: Duration = Duration::from_secs(1);

/// What a proposer decided before it asked for a block.
pub(crate) struct Plan {
    /// The time of the block if its parent allows.
    pub(crate) time_ms: u64,
    /// The seed of the parent's round; none after genesis.
    pub(crate) seed: Option<SeedSignature>,
    pub(crate) txs: Vec<Tx>,
    /// What the block carries for the next committee.
    pub(crate) payload: Option<Payload>,
}

/// The chain's rules and what it runs. Clones share all.
#[derive(Clone)]
pub(crate) struct Application(Arc<Rules>);

pub(crate) struct Rules {
    pub(crate) machine: Arc<dyn StateMachine>,
    pub(crate) source: Arc<dyn TxSource>,
    pub(crate) genesis: Block,
    pub(crate) chain: String,
    pub(crate) group_key: GroupKey,
    pub(crate) time_step_ms_max: u64,
    pub(crate) latest: watch::Sender<Latest>,
    /// The last final height, for one task alone: of several that wait for one channel, it is chance which wakes first.
    pub(crate) finals: watch::Sender<u64>,
    /// Why the next final block cannot be executed by this program.
    pub(crate) unfit: watch::Sender<Option<String>>,
    pub(crate) epoch_blocks: NonZeroU64,
}

impl Application {
    pub(crate) fn new(rules: Rules) -> Self {
        Self(Arc::new(rules))
    }

    /// The header of the block after `parent`, as far as it is known before execution.
    fn open_header(&self, context: &ConsensusContext, parent: &Block, plan: &Plan) -> Header {
        let before = parent.header();
        Header {
            era: before.era,
            base: before.base,
            genesis: before.genesis,
            height: before.height + 1,
            time_ms: clamp_time(plan.time_ms, before.time_ms, self.0.time_step_ms_max),
            parent: before.digest(),
            epoch: context.round.epoch().get(),
            view: context.round.view().get(),
            parent_view: context.parent.0.get(),
            leader: key_bytes(&context.leader),
            seed: plan.seed.as_ref().map_or([0; SEED_BYTES], seed_bytes),
            state_root: [0; 32],
            ops_root: [0; 32],
            ops_start: 0,
            ops_end: 0,
            tx_root: [0; 32],
            receipt_root: [0; 32],
            txs: 0,
            next: if before.is_over() { OVER } else { NOBODY },
            payload: payload_hash(plan.payload.as_ref()),
        }
    }

    /// All rules of a block that need no state.
    fn is_sound(&self, context: &ConsensusContext, block: &Block, parent: &Block) -> bool {
        let (header, before) = (block.header(), parent.header());
        let follows = header.height == before.height + 1
            && header.parent == before.digest()
            && header.era == before.era
            && header.base == before.base
            && header.genesis == before.genesis
            && header.parent_view == (if is_first(header, before) { 0 } else { before.view })
            && header.epoch == context.round.epoch().get()
            && header.view == context.round.view().get()
            && header.parent_view == context.parent.0.get()
            && header.leader == key_bytes(&context.leader);
        let timely = header.time_ms == clamp_time(header.time_ms, before.time_ms, self.0.time_step_ms_max);
        follows
            && timely
            && self.is_next_sound(block, before)
            && self.is_seed_sound(header, before)
            && self.are_txs_sound(block)
    }

    /// An era ends with the validators' resolution and not otherwise, and nothing happens after its end.
    fn is_next_sound(&self, block: &Block, before: &Header) -> bool {
        let next = block.header().next;
        match before.is_over() {
            true => next == OVER && block.begin().is_empty() && block.txs().is_empty(),
            false => successor_after(block.txs()) == Some(next),
        }
    }

    /// The epoch whose roll a block writes, if it is the first of one.
    fn roll(&self, header: &Header) -> Option<u64> {
        committee::due(header.height - header.base, self.0.epoch_blocks)
    }

    fn is_seed_sound(&self, header: &Header, before: &Header) -> bool {
        if is_first(header, before) {
            return header.seed == [0; SEED_BYTES];
        }
        let Ok(signature) = SeedSignature::decode(Copying(&header.seed)) else {
            return false;
        };
        let scheme: Scheme = vrf::Scheme::certificate_verifier(self.0.chain.as_bytes(), self.0.group_key);
        vrf::Seed::new(Round::new(Epoch::new(before.epoch), View::new(before.view)), signature).verify(&scheme)
    }

    fn are_txs_sound(&self, block: &Block) -> bool {
        if block.tx_hashes().len() != block.txs().len() {
            return false;
        }
        let txs: Vec<&[u8]> = block.txs().iter().map(|tx| tx.bytes.as_slice()).collect();
        let answers = self.0.machine.check(&txs);
        answers.len() == txs.len() && answers.iter().all(Result::is_ok)
    }

    /// Executes a block; `None` when it is not what its header and receipts say.
    async fn repeat<E: Spawner + StorageContext>(
        &self,
        block: &Block,
        batch: Batch<E>,
        finality: Finality,
    ) -> Option<Sealed<E>> {
        let header = block.header();
        let mut execution = Execution::new(&*self.0.machine, block_context(header), batch);
        if header.next != OVER
            && let Some(reason) = execution.unfit().await
        {
            return self.leave(reason, finality).await;
        }
        let same = header.next == OVER || execution.begin(self.roll(header)).await == block.begin();
        if !same || !execution.repeat(block.txs()).await {
            return None;
        }
        let After {
            sealed,
            state_root,
            ops_root,
            ops_start,
            ops_end,
        } = execution.seal().await;
        let same = header.state_root == state_root
            && header.ops_root == ops_root
            && (header.ops_start, header.ops_end) == (ops_start, ops_end);
        same.then_some(sealed)
    }

    /// Has no opinion of a block that this program cannot execute; one that is final ends the chain here, before it is executed.
    async fn leave<T>(&self, reason: String, finality: Finality) -> Option<T> {
        if finality == Finality::Candidate {
            return None;
        }
        self.0.unfit.send_replace(Some(reason));
        std::future::pending().await
    }
}

/// Whether a block is the first of its epoch: its parent is final, in whichever round.
fn is_first(header: &Header, before: &Header) -> bool {
    before.is_genesis() || header.epoch != before.epoch
}

/// A block's time: not before its parent's, and not more than a step after it.
fn clamp_time(time_ms: u64, parent_ms: u64, step_ms_max: u64) -> u64 {
    // Block 1 may leave the genesis block's zero behind in one step.
    let latest_ms = if parent_ms == 0 {
        u64::MAX
    } else {
        parent_ms.saturating_add(step_ms_max)
    };
    time_ms.clamp(parent_ms, latest_ms)
}

pub(crate) fn block_context(header: &Header) -> BlockContext {
    BlockContext {
        height: header.height,
        time_ms: header.time_ms,
        beacon: header.beacon(),
    }
}

fn seed_bytes(seed: &SeedSignature) -> [u8; SEED_BYTES] {
    let bytes = seed.encode();
    <[u8; SEED_BYTES]>::try_from(&bytes[..]).expect("a seed is a signature of 48 bytes")
}

impl<E: Spawner + StorageContext> StatefulApplication<E> for Application {
    type SigningScheme = Scheme;
    type Context = ConsensusContext;
    type Block = Block;
    type Databases = Databases<E>;
    type Captured = ();
    type Provider = ();
    type Input = Plan;

    fn sync_targets(block: &Block) -> <Databases<E> as DatabaseSet<E>>::SyncTargets {
        block.sync_target()
    }

    async fn genesis(&mut self) -> Block {
        self.0.genesis.clone()
    }

    async fn propose(
        &mut self,
        (runtime, context): (E, ConsensusContext),
        ancestry: impl Ancestry<Block>,
        batch: Batch<E>,
        input: Input<Plan, ()>,
    ) -> Option<Proposed<Self, E>> {
        let deadline = runtime.current() + FILL_TIME_MAX;
        let mut ancestry = ancestry;
        let parent = ancestry.next().await?;
        let plan = input.upstream;
        let mut header = self.open_header(&context, parent.inner(), &plan);
        let mut execution = Execution::new(&*self.0.machine, block_context(&header), batch);
        if header.next != OVER && execution.unfit().await.is_some() {
            return None;
        }
        let (begin, txs, refused) = match header.next {
            OVER => Default::default(),
            _ => {
                let begin = execution.begin(self.roll(&header)).await;
                let (txs, refused) = execution.fill(&begin, &plan.txs, || runtime.current() < deadline).await;
                (begin, txs, refused)
            }
        };
        for (tx, code) in refused {
            self.0.source.refused(&tx.hash, code, header.height);
        }
        let after = execution.seal().await;
        header.state_root = after.state_root;
        header.ops_root = after.ops_root;
        header.ops_start = after.ops_start;
        header.ops_end = after.ops_end;
        header.tx_root = tx_root(&txs);
        header.receipt_root = receipt_root(&begin, &txs);
        if header.next == NOBODY {
            header.next = successor_after(&txs).expect("what would stand after a resolution was cut off");
        }
        header.txs = u32::try_from(txs.len()).expect("the plan holds at most BLOCK_TXS_MAX transactions");
        Some(Proposed {
            block: Block::new(header, context.leader, plan.payload, begin, txs),
            merkleized: after.sealed,
        })
    }

    async fn process(
        &mut self,
        (_, context): (E, ConsensusContext),
        ancestry: impl Ancestry<Block>,
        batch: Batch<E>,
        finality: Finality,
    ) -> Option<Sealed<E>> {
        let mut ancestry = ancestry;
        let block = ancestry.next().await?;
        // Validators already judged what is final; only its effects are wanted.
        if finality == Finality::Candidate {
            let parent = ancestry.next().await?;
            if !self.is_sound(&context, block.inner(), parent.inner()) {
                tracing::warn!(height = block.height().get(), "block breaks the rules");
                return None;
            }
        }
        let sealed = self.repeat(block.inner(), batch, finality).await;
        if sealed.is_none() {
            tracing::warn!(height = block.height().get(), "block does not do what it says");
        }
        sealed
    }

    async fn capture(
        &mut self,
        _: (E, ConsensusContext),
        _: &Block,
        _: &Sealed<E>,
        _: <Databases<E> as DatabaseSet<E>>::Readers,
    ) {
    }

    async fn finalized(
        &mut self,
        _: (E, ConsensusContext),
        block: &Block,
        (): (),
        _: <Databases<E> as DatabaseSet<E>>::Readers,
    ) {
        self.0.latest.send_replace(Latest {
            header: block.header().clone(),
            digest: block.digest().0,
        });
        self.0.finals.send_replace(block.header().height);
    }
}
