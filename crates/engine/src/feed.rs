//! Tells the observer of finalized blocks, in order, from what it stored last. Reads them from the store of blocks, so an
//! observer that is slow or was away costs no memory.

use crate::{Latest, Observer, engine_types::MarshalMailbox};
use commonware_codec::Encode as _;
use commonware_consensus::types::Height;
use std::sync::Arc;
use tokio::sync::watch;

pub(crate) struct Feed {
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) marshal: MarshalMailbox,
    pub(crate) latest: watch::Receiver<Latest>,
    /// The height at which the era took over.
    pub(crate) base: u64,
    /// The last height told.
    pub(crate) observed: watch::Sender<u64>,
}

impl Feed {
    /// The last height that need not be told.
    pub(crate) fn start_height(observer: &dyn Observer, base: u64, latest: u64) -> u64 {
        observer.stored_height().unwrap_or(latest).min(latest).max(base)
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
            let Some(block) = self.marshal.get_block(self.height(next)).await else {
                next = self.skip(next).await;
                continue;
            };
            let certificate = self.certificate(next).await;
            self.observer.finalized(Arc::new(block.inner().finalized(certificate)));
            self.observed.send_replace(next);
            next += 1;
        }
    }

    /// The first height after `missing` that is kept: blocks are kept without gaps up to the latest.
    async fn skip(&self, missing: u64) -> u64 {
        let (mut missing, mut kept) = (missing, self.latest.borrow().header.height.max(missing + 1));
        let from = missing;
        while kept - missing > 1 {
            let middle = missing + (kept - missing) / 2;
            match self.marshal.get_block(self.height(middle)).await {
                Some(_) => kept = middle,
                None => missing = middle,
            }
        }
        tracing::warn!(
            from,
            to = kept,
            "blocks that the observer did not see are not kept here"
        );
        self.observer.skipped_to(kept);
        kept
    }

    async fn certificate(&self, height: u64) -> Option<Vec<u8>> {
        let finalization = self.marshal.get_finalization(self.height(height)).await?;
        Some(finalization.encode().to_vec())
    }

    /// As consensus counts.
    fn height(&self, height: u64) -> Height {
        Height::new(height.saturating_sub(self.base))
    }
}
