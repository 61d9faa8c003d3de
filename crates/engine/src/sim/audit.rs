//! An auditor of its own: executes blocks again from nothing, on a state that no validator ever saw, and holds every root against
//! the blocks' headers. Believes no header.

use crate::{
    Finalized, StateMachine,
    application::block_context,
    assemble::state_config,
    committee,
    execute::{Databases, Execution},
    finalized::{receipt_root, tx_root},
};
use commonware_glue::stateful::db::DatabaseSet as _;
use commonware_runtime::{
    Runner as _, Supervisor as _,
    buffer::paged::CacheRef,
    deterministic::{Context, Runner},
};
use commonware_utils::{NZU16, NZUsize};
use std::{num::NonZeroU64, sync::Arc};

/// Executes all blocks of a chain's first era, with epochs of so many blocks, again; what is wrong with the first that is.
pub fn audit(machine: &dyn StateMachine, epoch_blocks: NonZeroU64, blocks: &[Arc<Finalized>]) -> Result<(), String> {
    Runner::default().start(|context| async move {
        let cache = CacheRef::new(NZU16!(4_096), NZUsize!(2_048));
        let config = state_config("audit", &cache);
        let state = Databases::<Context>::init(context.child("state"), config, None).await;
        let mut parent = None;
        for (height, block) in (1..).zip(blocks) {
            let header = &block.header;
            let says = |what: &str| format!("block {height}: {what}");
            if header.height != height || parent.is_some_and(|parent| parent != header.parent) {
                return Err(says("it does not follow the one before"));
            }
            if header.digest() != block.digest {
                return Err(says("the digest is another header's"));
            }
            parent = Some(block.digest);
            let mut execution = Execution::new(machine, block_context(header), state.new_batches().await);
            if execution.begin(committee::due(height, epoch_blocks)).await != block.begin {
                return Err(says("it begins otherwise"));
            }
            if !execution.repeat(&block.txs).await {
                return Err(says("a transaction gives another receipt"));
            }
            let bodies = (tx_root(&block.txs), receipt_root(&block.begin, &block.txs));
            if bodies != (header.tx_root, header.receipt_root) {
                return Err(says("the header names other transactions or receipts"));
            }
            let after = execution.seal().await;
            if (after.state_root, after.ops_root) != (header.state_root, header.ops_root) {
                return Err(says("the state has another root"));
            }
            state.apply(after.sealed).await;
        }
        Ok(())
    })
}
