//! The application as consensus knows it, renewal of shares and all. Has the last block of an epoch judged from the blocks before
//! where the renewal's actor only follows. Adds nothing where that takes part.

use super::Reading;
use crate::{
    assemble::Runtime,
    block::Block,
    engine_types::{Bls, ConsensusContext, ReshareInput, Scheme},
};
use commonware_consensus::{
    Application as ConsensusApplication, Block as _, Handoff, Heightable as _, marshal::ancestry::Ancestry,
    types::Height,
};
use commonware_cryptography::{Digested, Digestible as _, ed25519::PrivateKey};
use commonware_glue::dkg::{
    ReshareBlock as _,
    reshare::{Application as Renewed, EpochInfoResponse, Mailbox},
};
use std::num::NonZeroU64;

type Dealer = Mailbox<Block, Bls, PrivateKey>;

/// An application of which each epoch's last block says who signs next.
pub(crate) struct Judged<A, E> {
    renewed: Renewed<A, Block, Bls, PrivateKey>,
    inner: A,
    dealer: Dealer,
    reading: Reading<E>,
}

impl<A: Clone, E> Clone for Judged<A, E> {
    fn clone(&self) -> Self {
        Self {
            renewed: self.renewed.clone(),
            inner: self.inner.clone(),
            dealer: self.dealer.clone(),
            reading: self.reading.clone(),
        }
    }
}

impl<A: Clone, E: Runtime> Judged<A, E> {
    pub(crate) fn new(inner: A, dealer: Dealer, reading: Reading<E>, epoch_blocks: NonZeroU64) -> Self {
        Self {
            renewed: Renewed::new(inner.clone(), dealer.clone(), epoch_blocks),
            inner,
            dealer,
            reading,
        }
    }

    /// Whether the block of this height is an epoch's last, and the actor knows nothing of it.
    async fn is_ours(&self, height: Height, ancestry: impl Ancestry<Block>) -> bool {
        if self.reading.ends(height).is_none() {
            return false;
        }
        let said = self.dealer.clone().epoch_info(ancestry).await;
        matches!(said, EpochInfoResponse::Unavailable)
    }
}

impl<A, E> ConsensusApplication<E> for Judged<A, E>
where
    E: Runtime,
    A: ConsensusApplication<E, SigningScheme = Scheme, Context = ConsensusContext, Block = Block, Input = ReshareInput>
        + Sync,
{
    type SigningScheme = Scheme;
    type Context = ConsensusContext;
    type Block = Block;
    type Input = ();

    async fn prepare(
        &mut self,
        context: (E, ConsensusContext),
        ancestry: impl Ancestry<Block>,
        (): (),
    ) -> Handoff<Digested<Block>> {
        self.renewed.prepare(context, ancestry, ()).await
    }

    async fn propose(
        &mut self,
        context: (E, ConsensusContext),
        ancestry: impl Ancestry<Block>,
        (): (),
    ) -> Option<Digested<Block>> {
        let parent = ancestry.peek()?.clone();
        let height = parent.height().next();
        if !self.is_ours(height, ancestry.clone()).await {
            return self.renewed.propose(context, ancestry, ()).await;
        }
        let payload = self
            .reading
            .payload(self.reading.ends(height)?, parent.digest())
            .await?;
        let input = ReshareInput {
            upstream: (),
            payload: Some(payload),
        };
        self.inner.propose(context, ancestry, input).await
    }

    async fn verify(&mut self, context: (E, ConsensusContext), ancestry: impl Ancestry<Block>) -> bool {
        let tip = ancestry.peek().cloned();
        let last = tip.and_then(|tip| Some((self.reading.ends(tip.height())?, tip)));
        let Some((epoch, tip)) = last else {
            return self.renewed.verify(context, ancestry).await;
        };
        if !self.is_ours(tip.height(), ancestry.clone()).await {
            return self.renewed.verify(context, ancestry).await;
        }
        let payload = self.reading.payload_at_last(epoch, tip.inner().parent()).await;
        if tip.inner().payload() != Some(payload) {
            return false;
        }
        self.inner.verify(context, ancestry).await
    }
}
