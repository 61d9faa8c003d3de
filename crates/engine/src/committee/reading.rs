//! What validators dealt into the blocks of one epoch, read out of the blocks themselves, and what follows from it: the payload of
//! the epoch's last block, and this node's own share. For a validator that fetched the state in the second half of a renewal, and so
//! was never told of the blocks before: the renewal's own actor only follows such an epoch.
//!
//! ```text
//! last block of e - 1 │ … │ middle │ log │ … │ log │ block the state was fetched at │ … │ last block of e
//!  who deals, to whom └────────────── fetched from others, each known by its hash ◀─┘ parent by parent
//! ```
//!
//! Nothing that others send is believed: a final block names its parent by hash, and only what has that hash is taken. So a hostile
//! peer can make this node fetch nothing but blocks of the chain, at most an epoch of them, one at a time; of each at most a log is
//! kept. Nothing is written down either: a node that is killed reads again when it starts. It never votes and never signs a block.

use super::{Directory, MEMBERS_MAX, Roll, Secrets};
use crate::{
    Latest,
    assemble::Runtime,
    block::Block,
    engine_types::{Bls, Digest, EpochInfo, MarshalMailbox, MarshalVariant, Payload, PublicKey},
};
use commonware_codec::{Copying, Encode as _, Read as _};
use commonware_consensus::{
    Block as _, Heightable as _,
    marshal::core::{CommitmentFallback, Variant as _},
    types::{Epoch, Epocher as _, FixedEpocher, Height},
};
use commonware_cryptography::{
    Digested, Signer as _,
    bls12381::{
        dkg::feldman_desmedt::{DealerLog, DealerPubMsg, Info, Logs, Output, Player, Reveal, SignedDealerLog, observe},
        primitives::{group::Share, sharing::Mode},
    },
    ed25519::PrivateKey,
};
use commonware_glue::dkg::{ParticipantsProvider as _, ReshareBlock as _, SecretStore as _, types::EpochOutcome};
use commonware_parallel::Sequential;
use commonware_utils::{N3f1, ordered::Set};
use futures::{FutureExt as _, future::BoxFuture, future::pending, select_biased};
use std::{
    collections::BTreeMap,
    num::NonZeroU64,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::watch;

/// How new shares are computed: all validators must do it alike.
pub(crate) const SHARING: (Mode, Reveal) = (Mode::NonZeroCounter, Reveal::V1);
/// How long until it is tried again to read what could not be read.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// How long the renewal is held up for a share that can only be had from blocks. Without it this node signs nothing in the epoch.
const SHARE_WAIT: Duration = Duration::from_secs(60);

/// The first log of each dealer, as all validators count them.
type LogBook = BTreeMap<PublicKey, DealerLog<Bls, PublicKey>>;

/// Reads the blocks of an epoch. Clones share what was read.
pub(crate) struct Reading<E>(Arc<Inner<E>>);

struct Inner<E> {
    runtime: E,
    chain: Vec<u8>,
    me: PrivateKey,
    marshal: MarshalMailbox,
    roll: Roll,
    secrets: Secrets,
    epocher: FixedEpocher,
    epoch_blocks: u64,
    /// The block before the first, and who begins.
    genesis: (Digest, EpochInfo),
    /// Up to a final block. Who reads holds it, so that no two fetch the same.
    read: futures::lock::Mutex<Option<Read>>,
    /// The last answer: it takes a while to compute, and is asked for in each turn to lead.
    judged: Mutex<Option<(Epoch, LogBook, Payload)>>,
    /// The newest epoch of which the share came too late. It is not waited for again before the next start.
    too_late: Mutex<Option<Epoch>>,
}

#[derive(Clone)]
struct Read {
    epoch: Epoch,
    top: Digest,
    info: EpochInfo,
    logs: LogBook,
}

/// What a reader is made of.
pub(crate) struct Parts<E> {
    pub(crate) runtime: E,
    pub(crate) chain: String,
    pub(crate) me: PrivateKey,
    pub(crate) marshal: MarshalMailbox,
    pub(crate) roll: Roll,
    pub(crate) secrets: Secrets,
    pub(crate) epoch_blocks: NonZeroU64,
    pub(crate) genesis: (Digest, EpochInfo),
}

impl<E> Clone for Reading<E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<E: Runtime> Reading<E> {
    pub(crate) fn new(parts: Parts<E>) -> Self {
        Self(Arc::new(Inner {
            runtime: parts.runtime,
            chain: parts.chain.into_bytes(),
            me: parts.me,
            marshal: parts.marshal,
            roll: parts.roll,
            secrets: parts.secrets,
            epocher: FixedEpocher::new(parts.epoch_blocks),
            epoch_blocks: parts.epoch_blocks.get(),
            genesis: parts.genesis,
            read: futures::lock::Mutex::default(),
            judged: Mutex::default(),
            too_late: Mutex::default(),
        }))
    }

    /// The epoch that ends with the block of this height, if one does.
    pub(crate) fn ends(&self, height: Height) -> Option<Epoch> {
        let epoch = self.0.epocher.containing(height)?;
        (epoch.last() == height).then_some(epoch.epoch())
    }

    /// Reads what this node was never told of, as soon as it runs: the epoch's last block waits for nobody then. A node that holds
    /// the epoch's blocks has nothing to read, and takes part in later epochs from their first block. Until it has read, it counts as
    /// away for that last block.
    pub(crate) async fn read_ahead(self, mut latest: watch::Receiver<Latest>) {
        let (height, top) = {
            let latest = latest.borrow_and_update();
            let height = latest.header.height - latest.header.base;
            (Height::new(height), Digest::from(latest.digest))
        };
        if let Some(epoch) = self.misses(height).await {
            let over = async {
                let last = self.0.epocher.last(epoch).map_or(u64::MAX, Height::get);
                // Only a chain that has ended makes no more blocks.
                let _ = latest
                    .wait_for(|latest| latest.header.height - latest.header.base >= last)
                    .await;
            };
            let read = async {
                while self.read(epoch, top, true).await.is_none() {
                    self.0.runtime.sleep(TRY_AGAIN).await;
                }
            };
            select_biased! {
                () = over.fuse() => tracing::warn!(epoch = epoch.get(), "what was dealt before the state was fetched came too late"),
                () = read.fuse() => tracing::info!(epoch = epoch.get(), "what was dealt before the state was fetched is read"),
            }
        }
        pending().await
    }

    /// The epoch of a final block, if blocks before it that may hold logs are not here.
    async fn misses(&self, height: Height) -> Option<Epoch> {
        let epoch = self.0.epocher.containing(height)?;
        let middle = self.0.epocher.midpoint(epoch.epoch())?;
        let is_asked_for = middle < height && height < epoch.last();
        let is_here = is_asked_for && self.0.marshal.get_block(middle).await.is_some();
        (is_asked_for && !is_here).then_some(epoch.epoch())
    }

    /// What the last block of an epoch has to carry, on this block before it. The same that the renewal's actor says where it takes
    /// part: it follows from the blocks alone. `None` when they are not to be had at present.
    pub(crate) async fn payload(&self, epoch: Epoch, before: Digest) -> Option<Payload> {
        let Read { info, logs, .. } = self.read(epoch, before, false).await?;
        if let Some(known) = self.known(epoch, &logs) {
            return Some(known);
        }
        let found = recorded(self.round(&info)?, &logs);
        let computed = self
            .0
            .runtime
            .child("observe")
            .shared(true)
            .spawn(move |mut runtime| async move { observe::<_, _, N3f1>(&mut runtime, found, &Sequential).ok() });
        let output: Option<Output<Bls, PublicKey>> = computed.await.ok()?;
        let outcome = match output {
            Some(_) => EpochOutcome::Success,
            None => EpochOutcome::Failure,
        };
        let output = output.unwrap_or(info.output);
        let mut roll = self.0.roll.clone();
        let next_players = roll.participants(epoch.next().next()).await;
        let named = output
            .players()
            .iter()
            .chain(info.next_players.iter())
            .chain(next_players.iter());
        let named = Set::from_iter_dedup(named.cloned());
        let directory: Directory = roll.directory(epoch.next(), named).await;
        let payload = Payload::EpochInfo(EpochInfo {
            outcome,
            epoch: epoch.next(),
            output,
            players: info.next_players,
            next_players,
            directory,
        });
        *self.0.judged.lock().expect("no panic while this lock is held") = Some((epoch, logs, payload.clone()));
        Some(payload)
    }

    /// [`payload`](Self::payload), however long it takes. The block cannot be voted down while it waits for this node.
    pub(crate) async fn payload_at_last(&self, epoch: Epoch, before: Digest) -> Payload {
        loop {
            if let Some(payload) = self.payload(epoch, before).await {
                return payload;
            }
            self.0.runtime.sleep(TRY_AGAIN).await;
        }
    }

    fn known(&self, epoch: Epoch, logs: &LogBook) -> Option<Payload> {
        let judged = self.0.judged.lock().expect("no panic while this lock is held");
        let known = judged.as_ref().filter(|(of, from, _)| *of == epoch && from == logs);
        known.map(|(.., payload)| payload.clone())
    }

    /// This node's share of what an epoch begins with, if the blocks of the epoch before and the dealings on its shelf yield it. What a
    /// dealer said to all stands in its log, so what it said to this node alone is all that must not get lost.
    async fn inherited(&self, epoch: Epoch) -> Option<Share> {
        let Inner { marshal, epocher, .. } = &*self.0;
        let before = epoch.previous()?;
        let now = epocher
            .containing(marshal.get_processed().await?.height().next())?
            .epoch();
        if epoch < now {
            return None;
        }
        let last = MarshalVariant::into_shared(marshal.get_block(epocher.last(before)?).await?);
        let Some(Payload::EpochInfo(next)) = last.inner().payload() else {
            return None;
        };
        let me = self.0.me.public_key();
        let is_due = next.outcome == EpochOutcome::Success && next.epoch == epoch;
        if !is_due || next.output.players().position(&me).is_none() {
            return None;
        }
        let Read { info, logs, .. } = self.read(before, last.inner().parent(), true).await?;
        let round = self.round(&info)?;
        let mut player = Player::new(round.clone(), self.0.me.clone()).ok()?;
        let mut secrets = self.0.secrets.clone();
        for (dealer, log) in &logs {
            if let (Some(private), Some(public)) = (secrets.get_dealing(before, dealer).await, public(log)) {
                // One that does not fit what its dealer wrote down is as good as none.
                let _ = player.dealer_message::<N3f1>(dealer.clone(), public, private);
            }
        }
        let found = recorded(round, &logs);
        let computed = self
            .0
            .runtime
            .child("inherit")
            .shared(true)
            .spawn(move |mut runtime| async move { player.finalize::<N3f1>(&mut runtime, found, &Sequential).ok() });
        let (output, share) = computed.await.ok()??;
        (output == next.output).then_some(share)
    }

    fn round(&self, info: &EpochInfo) -> Option<Info<Bls, PublicKey>> {
        let (mode, reveal) = SHARING;
        let (dealers, players) = (info.output.players().clone(), info.players.clone());
        let previous = Some(info.output.clone());
        Info::new::<N3f1>(
            &self.0.chain,
            info.epoch.get(),
            previous,
            mode,
            reveal,
            dealers,
            players,
        )
        .ok()
    }

    /// Who deals in an epoch, and the logs up to a block of it. Keeps what was read up to a final one.
    async fn read(&self, epoch: Epoch, top: Digest, is_final: bool) -> Option<Read> {
        let mut known = self.0.read.lock().await;
        let middle = self.0.epocher.midpoint(epoch)?;
        let before = epoch.previous().and_then(|before| self.0.epocher.last(before));
        let mut found: Vec<SignedDealerLog<Bls, PublicKey>> = Vec::new();
        let (mut at, mut steps) = (top, 0);
        let (info, mut logs) = loop {
            if let Some(read) = known.as_ref().filter(|read| read.epoch == epoch && read.top == at) {
                break (read.info.clone(), read.logs.clone());
            }
            if at == self.0.genesis.0 {
                break (self.0.genesis.1.clone(), LogBook::new());
            }
            if steps > self.0.epoch_blocks {
                return None;
            }
            steps += 1;
            let block = self.block(at, epoch).await?;
            match block.inner().payload() {
                Some(Payload::EpochInfo(info)) if Some(block.height()) == before => break (info, LogBook::new()),
                Some(Payload::DealerLog(log)) if block.height() >= middle => found.push(log),
                _ => {}
            }
            at = block.inner().parent();
        };
        if info.epoch != epoch {
            return None;
        }
        let round = self.round(&info)?;
        for (dealer, log) in found.into_iter().rev().filter_map(|log| log.check(&round)) {
            if info.output.players().position(&dealer).is_some() {
                logs.entry(dealer).or_insert(log);
            }
        }
        let read = Read { epoch, top, info, logs };
        if is_final {
            *known = Some(read.clone());
        }
        Some(read)
    }

    /// A block by its hash, from here or from whoever has it.
    async fn block(&self, hash: Digest, epoch: Epoch) -> Option<Digested<Block>> {
        // Until when it is asked for: this epoch's renewal is over then, and its shares are out of use soon.
        let until = self.0.epocher.last(epoch.next())?;
        let asked = CommitmentFallback::FetchByCommitment { height: until };
        let block = self.0.marshal.subscribe_by_commitment(hash, asked).await.ok()?;
        Some(MarshalVariant::into_shared(block))
    }
}

fn recorded(round: Info<Bls, PublicKey>, book: &LogBook) -> Logs<Bls, PublicKey, N3f1> {
    let mut logs = Logs::new(round);
    for (dealer, log) in book {
        logs.record(dealer.clone(), log.clone());
    }
    logs
}

/// What a dealer said to all, with which its log begins.
fn public(log: &DealerLog<Bls, PublicKey>) -> Option<DealerPubMsg<Bls>> {
    let bytes = log.encode();
    DealerPubMsg::read_cfg(&mut Copying(&bytes), &MEMBERS_MAX).ok()
}

/// Where a share may come from that is not on the shelf.
pub(crate) trait Inheritance: Send + Sync {
    fn share(&self, epoch: Epoch) -> BoxFuture<'_, Option<Share>>;
}

impl<E: Runtime> Inheritance for Reading<E> {
    fn share(&self, epoch: Epoch) -> BoxFuture<'_, Option<Share>> {
        let too_late = || self.0.too_late.lock().expect("no panic while this lock is held");
        let found = async move {
            if *too_late() == Some(epoch) {
                return None;
            }
            select_biased! {
                share = self.inherited(epoch).fuse() => share,
                () = self.0.runtime.sleep(SHARE_WAIT).fuse() => {
                    *too_late() = Some(epoch);
                    None
                }
            }
        };
        found.boxed()
    }
}
