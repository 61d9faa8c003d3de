//! How a node that is new or was away comes back: by blocks as long as the others have those it misses, else by fetching the
//! newest state first. Opens the stores that follow from that; never forgets what the node voted.
//!
//! ```text
//! files "cairn"          certificates, blocks, state: of one generation      far behind? state is fetched into the next
//! files "cairn_g00001"   …                                                   generation, the old one is not touched
//! files "cairn-votes"    votes: of all generations
//! ```

use crate::{
    CatchUp, Header, Latest,
    assemble::Runtime,
    block::Block,
    committee::Directory,
    engine_types::{Bls, Certificate, Digest, MarshalVariant, Newest, Scheme},
};
use commonware_actor::Feedback;
use commonware_consensus::{Reporter, simplex::types::Activity, types::Round};
use commonware_glue::{dkg::state_sync::StateSync, stateful::SyncPlan};
use commonware_runtime::{Clock as RuntimeClock, buffer::paged::CacheRef};
use commonware_storage::{
    archive::{Archive as _, Identifier, prunable},
    metadata::{self, Metadata},
    translator::EightCap,
};
use commonware_utils::{NZU64, NZUsize, fixed_bytes, sequence::FixedBytes};
use std::{
    future::Future,
    num::{NonZeroU64, NonZeroUsize},
    sync::Arc,
    time::Duration,
};
use tokio::sync::watch;

const BUFFER_BYTES: NonZeroUsize = NZUsize!(64 * 1024);
const STORES_OPEN: &str = "the stores of the chain open";
const GENERATION: FixedBytes<1> = fixed_bytes!("01");
/// How often a running node looks whether it has fallen behind.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Looks without a new block before it gives up on blocks.
const LOOKS_MAX: u32 = 6;

/// From where the state is fetched, and who signs there.
pub(crate) type Fetched = StateSync<Scheme, Digest, Bls, Directory>;

/// The stores of one node.
pub(crate) struct Stores<E: Runtime> {
    pub(crate) certificates: prunable::Archive<EightCap, E, Digest, Certificate>,
    pub(crate) blocks: prunable::Archive<EightCap, E, Digest, Arc<Block>>,
    pub(crate) plan: SyncPlan<E, Scheme, MarshalVariant>,
    /// Begins the names of all its files.
    pub(crate) partition: String,
}

/// Opens the stores with which a node goes on, under names that begin with `base`. `newest` answers what others say is
/// final, if they say so soon enough; it is told from which certificate an interrupted fetch began.
pub(crate) async fn open<E: Runtime, F: Future<Output = Option<Newest>>>(
    runtime: &E,
    base: &str,
    page_cache: &CacheRef,
    (catch_up, epoch_blocks): (CatchUp, NonZeroU64),
    newest: impl FnOnce(Option<Certificate>) -> F,
) -> (Stores<E>, Option<Fetched>) {
    let generations = Generations::open(runtime, base).await;
    let stores = Stores::open(runtime, generations.partition(base), page_cache).await;
    let newest = newest(stores.plan.floor().cloned()).await;
    let Some((views_max, newest)) = catch_up.views_max.zip(newest) else {
        return (stores, None);
    };
    let behind = views_behind(newest.floor.round(), stores.last().await.as_ref(), epoch_blocks);
    if behind <= views_max && stores.plan.floor().is_none() {
        return (stores, None);
    }
    tracing::info!(views = behind, "this node is far behind and fetches the newest state");
    let stores = match stores.plan.may_sync() {
        true => stores,
        false => {
            drop(stores);
            let generations = generations.next().await;
            Stores::open(runtime, generations.partition(base), page_cache).await
        }
    };
    let floor = match stores.plan.floor() {
        Some(floor) if floor.round() > newest.floor.round() => floor.clone(),
        _ => newest.floor,
    };
    let plan = stores.plan.set_floor(floor.clone()).await;
    let info = newest.info;
    (Stores { plan, ..stores }, Some(Fetched { info, floor }))
}

/// How many views of consensus lie between a final block and the newest; blocks where an epoch ended between them.
fn views_behind(newest: Round, last: Option<&Header>, epoch_blocks: NonZeroU64) -> u64 {
    let (epoch, view, within) = last.map_or((0, 0, 0), |last| (last.epoch, last.view, last.height - last.base));
    match newest.epoch().get() == epoch {
        true => newest.view().get().saturating_sub(view),
        false => {
            let begun = newest.epoch().get().saturating_mul(epoch_blocks.get());
            begun.saturating_add(newest.view().get()).saturating_sub(within)
        }
    }
}

impl<E: Runtime> Stores<E> {
    pub(crate) async fn open(runtime: &E, partition: String, page_cache: &CacheRef) -> Self {
        let certificates = prunable::Archive::init(
            runtime.child("certificates_store"),
            archive_config(&partition, "certificates", page_cache),
        );
        let blocks = prunable::Archive::init(
            runtime.child("blocks_store"),
            archive_config(&partition, "blocks", page_cache),
        );
        Self {
            certificates: certificates.await.expect(STORES_OPEN),
            blocks: blocks.await.expect(STORES_OPEN),
            plan: SyncPlan::init(runtime.child("sync_plan"), &partition).await,
            partition,
        }
    }

    /// The height of the last block up to which none is missing; all of them are final.
    pub(crate) fn height(&self) -> Option<u64> {
        let first = self.blocks.first_index()?;
        self.blocks.next_gap(first).0
    }

    /// The header of that block.
    async fn last(&self) -> Option<Header> {
        let block = self.blocks.get(Identifier::Index(self.height()?)).await;
        Some(block.expect(STORES_OPEN)?.header().clone())
    }
}

/// Which files are in use.
pub(crate) struct Generations<E: Runtime>(Metadata<E, FixedBytes<1>, u64>);

impl<E: Runtime> Generations<E> {
    pub(crate) async fn open(runtime: &E, base: &str) -> Self {
        let config = metadata::Config {
            partition: format!("{base}-generation"),
            codec_config: (),
        };
        Self(
            Metadata::init(runtime.child("generation"), config)
                .await
                .expect(STORES_OPEN),
        )
    }

    pub(crate) fn partition(&self, base: &str) -> String {
        match self.0.get(&GENERATION) {
            None => base.to_owned(),
            Some(generation) => format!("{base}_g{generation:05}"),
        }
    }

    async fn next(self) -> Self {
        let next = self.0.get(&GENERATION).map_or(1, |generation| generation + 1);
        Self(self.0.put_sync(GENERATION, next).await.expect(STORES_OPEN))
    }
}

/// Whether a file of the chain's is of an earlier generation than `partition`, and so wanted no more.
pub(crate) fn is_stale(base: &str, partition: &str, file: &str) -> bool {
    let kept = [
        format!("{base}-votes"),
        format!("{base}-generation"),
        partition.to_owned(),
    ];
    partition != base && file.starts_with(base) && !kept.iter().any(|kept| file.starts_with(kept))
}

/// The newest round that consensus here has seen final. Clones share it.
#[derive(Clone)]
pub(crate) struct Horizon(Arc<watch::Sender<Round>>);

impl Horizon {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Round::zero())))
    }

    /// Returns when this node is so far behind what is final that nobody may have the blocks it misses, and does not come
    /// nearer. Starting again, it fetches the state.
    pub(crate) async fn lost(
        self,
        runtime: impl RuntimeClock,
        latest: watch::Receiver<Latest>,
        (catch_up, epoch_blocks): (CatchUp, NonZeroU64),
    ) {
        let Some(views_max) = catch_up.views_max else {
            return std::future::pending().await;
        };
        let (mut height, mut looks) = (0, 0);
        while looks < LOOKS_MAX {
            runtime.sleep(LOOK_EVERY).await;
            let latest = latest.borrow().header.clone();
            let far = views_behind(*self.0.borrow(), Some(&latest), epoch_blocks) > views_max;
            looks = if far && latest.height == height { looks + 1 } else { 0 };
            height = latest.height;
        }
    }
}

impl Reporter for Horizon {
    type Activity = Activity<Scheme, Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        if let Activity::Finalization(finalization) = activity {
            let round = finalization.round();
            self.0.send_if_modified(|newest| {
                let newer = round > *newest;
                *newest = round.max(*newest);
                newer
            });
        }
        Feedback::Ok
    }
}

fn archive_config(partition: &str, name: &str, page_cache: &CacheRef) -> prunable::Config<EightCap, ()> {
    prunable::Config {
        translator: EightCap,
        metadata_partition: format!("{partition}-{name}-metadata"),
        key_partition: format!("{partition}-{name}-key"),
        key_page_cache: page_cache.clone(),
        value_partition: format!("{partition}-{name}-value"),
        compression: None,
        codec_config: (),
        items_per_section: NZU64!(256),
        key_write_buffer: BUFFER_BYTES,
        value_write_buffer: BUFFER_BYTES,
        replay_buffer: BUFFER_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_earlier_generations_are_stale() {
        let files = [
            "cairn-blocks-key",
            "cairnstate_sync_metadata",
            "cairn_g00001-blocks-key",
            "cairn_g00002-blocks-key",
        ];
        let votes = ["cairn-votes_consensus_3", "cairn-generation", "other"];
        let stale = |partition: &str| -> Vec<&str> {
            files
                .into_iter()
                .chain(votes)
                .filter(|file| is_stale("cairn", partition, file))
                .collect()
        };
        assert!(stale("cairn").is_empty());
        assert_eq!(stale("cairn_g00002"), files[..3]);
    }
}
