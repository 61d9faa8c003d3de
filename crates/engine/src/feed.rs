//! Tells the observer of finalized blocks, in order, from what it stored last. Reads them from the store of blocks, so an
//! observer that is slow or was away costs no memory.

use crate::{Latest, Observer, Retain, engine_types::MarshalMailbox};
use commonware_codec::Encode as _;
use commonware_consensus::types::Height;
use std::sync::Arc;
use tokio::sync::watch;

pub(crate) struct Feed {
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) marshal: MarshalMailbox,
    pub(crate) latest: watch::Receiver<Latest>,
    /// The last height told.
    pub(crate) observed: watch::Sender<u64>,
    pub(crate) retain: Retain,
}

impl Feed {
    /// The last height that need not be told.
    pub(crate) fn start_height(observer: &dyn Observer, latest: u64) -> u64 {
        observer.stored_height().unwrap_or(latest).min(latest)
    }

    /// Runs until the chain ends.
    pub(crate) async fn run(mut self) {
        let mut next = *self.observed.borrow() + 1;
        loop {
            if self
                .latest
                .wait_for(|latest| latest.header.height >= next)
                .await
                .is_err()
            {
                return;
            }
            let Some(block) = self.marshal.get_block(Height::new(next)).await else {
                next = self.skip(next).await;
                continue;
            };
            let certificate = self.certificate(next).await;
            self.observer.finalized(Arc::new(block.inner().finalized(certificate)));
            self.observed.send_replace(next);
            next += 1;
        }
    }

    /// The first height from `missing` that is still kept.
    async fn skip(&self, missing: u64) -> u64 {
        let latest = self.latest.borrow().header.height;
        let kept = self
            .retain
            .blocks
            .map_or(0, |blocks| latest.saturating_sub(blocks as u64));
        let mut height = kept.max(missing + 1);
        while height < latest && self.marshal.get_block(Height::new(height)).await.is_none() {
            height += 1;
        }
        tracing::warn!(
            from = missing,
            to = height,
            "blocks were pruned before the observer saw them"
        );
        self.observer.skipped_to(height);
        height
    }

    async fn certificate(&self, height: u64) -> Option<Vec<u8>> {
        let finalization = self.marshal.get_finalization(Height::new(height)).await?;
        Some(finalization.encode().to_vec())
    }
}
