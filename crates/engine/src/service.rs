//! Answers the handle's questions from the state and the store of blocks. Only what is final is shown.

use crate::{
    AskError, Committee, Finalized, Header, Key, Latest, Records, Value,
    assemble::Runtime,
    block::{Block, key_bytes},
    committee::Place,
    engine_types::{MarshalMailbox, Payload, PublicKey, StateKey},
    execute::Databases,
    handle::Question,
    header::OVER,
    light::{EncodedHeader, Finality, Proof},
    limits::FINALITY_HEADERS_MAX,
    state::{self, Part},
};
use commonware_codec::Encode as _;
use commonware_consensus::types::Height;
use commonware_cryptography::Digested;
use commonware_glue::dkg::{ReshareBlock as _, types::EpochOutcome};
use commonware_runtime::Spawner;
use commonware_storage::Context as StorageContext;
use commonware_utils::ordered::Set;
use futures::StreamExt as _;
use std::{num::NonZeroU64, time::Duration};
use tokio::sync::{mpsc, watch};

/// Questions answered at the same time.
const AT_ONCE_MAX: usize = 16;
/// How often a reader tries again when a block was applied between its two looks.
const TRIES_MAX: usize = 200;
const TRY_AGAIN: Duration = Duration::from_millis(2);

pub(crate) struct Service<E: Spawner + StorageContext> {
    pub(crate) runtime: E,
    pub(crate) databases: Databases<E>,
    pub(crate) marshal: MarshalMailbox,
    pub(crate) latest: watch::Receiver<Latest>,
    /// The height at which the era took over.
    pub(crate) base: u64,
    pub(crate) place: watch::Receiver<Option<Place>>,
    pub(crate) epoch_blocks: NonZeroU64,
}

impl<E: Runtime> Service<E> {
    /// Runs until nobody can ask any more.
    pub(crate) async fn run(self, questions: mpsc::Receiver<Question>) {
        let service = &self;
        futures::stream::unfold(questions, |mut questions| async {
            questions.recv().await.map(|question| (question, questions))
        })
        .for_each_concurrent(AT_ONCE_MAX, |question| service.answer(question))
        .await;
    }

    async fn answer(&self, question: Question) {
        // Whoever asked may have gone; then nobody wants the answer.
        match question {
            Question::Read(keys, answer) => drop(answer.send(self.read(&keys).await)),
            Question::Prove(key, answer) => drop(answer.send(self.prove(key).await)),
            Question::Block(height, answer) => drop(answer.send(self.block(height).await)),
            Question::StateTarget(answer) => drop(answer.send(self.state_target().await)),
            Question::StatePart(height, part, answer) => drop(answer.send(self.state_part(height, part).await)),
            Question::Finality(height, answer) => drop(answer.send(self.finality(height).await)),
            Question::Committee(answer) => drop(answer.send(self.committee().await)),
        }
    }

    async fn read(&self, keys: &[Key]) -> Result<Records, AskError> {
        let keys: Vec<StateKey> = keys.iter().copied().map(StateKey::new).collect();
        for _ in 0..TRIES_MAX {
            let latest = self.latest.borrow().clone();
            {
                let state = self.databases.read().await;
                if state.ops_root().0 == latest.header.ops_root {
                    let values = state
                        .get_many(&keys.iter().collect::<Vec<_>>())
                        .await
                        .expect("the state is readable");
                    return Ok(Records {
                        header: latest.header,
                        values: values
                            .into_iter()
                            .map(|value| value.map(|value| record(&value)))
                            .collect(),
                    });
                }
            }
            self.runtime.sleep(TRY_AGAIN).await;
        }
        Err(AskError::Moved)
    }

    async fn prove(&self, key: Key) -> Result<Proof, AskError> {
        for _ in 0..TRIES_MAX {
            let latest = self.latest.borrow().clone();
            if latest.header.is_genesis() {
                return Err(AskError::NoBlock);
            }
            if let Some((value, proof)) = self.prove_at(&latest, key).await {
                let finality = self.finality(latest.header.height).await?;
                return Ok(Proof { finality, value, proof });
            }
            self.runtime.sleep(TRY_AGAIN).await;
        }
        Err(AskError::Moved)
    }

    /// A value or its absence with proof, if the state is still that of `latest`.
    async fn prove_at(&self, latest: &Latest, key: Key) -> Option<(Option<Value>, Vec<u8>)> {
        let state = self.databases.read().await;
        if state.root().0 != latest.header.state_root {
            return None;
        }
        let name = StateKey::new(key);
        let value = state.get(&name).await.expect("the state is readable");
        let proof = match value {
            Some(_) => state
                .key_value_proof(name)
                .await
                .expect("a present key is provable")
                .encode(),
            None => state
                .exclusion_proof(&name)
                .await
                .expect("an absent key is provable")
                .encode(),
        };
        Some((value.map(|value| record(&value)), proof.to_vec()))
    }

    async fn block(&self, height: u64) -> Result<Finalized, AskError> {
        if height > self.latest.borrow().header.height {
            return Err(AskError::UnknownBlock(height));
        }
        let block = self.get_block(height).await;
        let block = block.ok_or(AskError::UnknownBlock(height))?;
        Ok(block.inner().finalized(self.certificate(height).await))
    }

    async fn finality(&self, height: u64) -> Result<Finality, AskError> {
        let mut headers = Vec::new();
        for at in (height..).take(FINALITY_HEADERS_MAX) {
            let Some(block) = self.get_block(at).await else {
                break;
            };
            headers.push(EncodedHeader(block.inner().header().encode()));
            if let Some(certificate) = self.certificate(at).await {
                return Ok(Finality { headers, certificate });
            }
        }
        match headers.is_empty() {
            true => Err(AskError::UnknownBlock(height)),
            false => Err(AskError::NoCertificate(height)),
        }
    }

    /// The newest block with a certificate whose state counts: nothing happens after an era's end.
    async fn state_target(&self) -> Result<(Header, Finality), AskError> {
        let newest = self.latest.borrow().header.clone();
        let mut at = newest.height;
        if newest.next == OVER {
            // All after the last one that counts are over.
            let mut before = self.base;
            while at - before > 1 {
                let middle = before + (at - before) / 2;
                match self.get_block(middle).await {
                    Some(block) if block.inner().header().next == OVER => at = middle,
                    _ => before = middle,
                }
            }
            at = before;
        }
        for at in (self.base..=at).rev().take(FINALITY_HEADERS_MAX) {
            let Some(block) = self.get_block(at).await else { break };
            let header = block.inner().header().clone();
            if header.is_genesis() {
                break;
            }
            if let Ok(finality) = self.finality(at).await {
                return Ok((header, finality));
            }
        }
        Err(AskError::NoBlock)
    }

    async fn state_part(&self, height: u64, part: u64) -> Result<Part, AskError> {
        if height > self.latest.borrow().header.height {
            return Err(AskError::UnknownBlock(height));
        }
        let block = self.get_block(height).await.ok_or(AskError::Pruned)?;
        let header = block.inner().header();
        let start = state::part_start(header, part).ok_or(AskError::UnknownPart(height))?;
        let log = self.databases.read().await;
        let found = state::part(&log, header, start).await;
        found.map(|(part, _)| part).map_err(|_| AskError::Pruned)
    }

    async fn committee(&self) -> Result<Committee, AskError> {
        let place = self.place.borrow().clone().ok_or(AskError::NoBlock)?;
        let blocks = self.epoch_blocks.get();
        // The epoch's validators stand in the block before its first; genesis for the first epoch.
        let begins = place.epoch.saturating_mul(blocks);
        let announced = self.marshal.get_block(Height::new(begins.saturating_sub(1))).await;
        let info = announced.and_then(|block| match block.inner().payload() {
            Some(Payload::EpochInfo(info)) => Some(info),
            _ => None,
        });
        let keys = |keys: &Set<PublicKey>| keys.iter().map(key_bytes).collect();
        Ok(Committee {
            epoch: place.epoch,
            until: self.base.saturating_add(begins).saturating_add(blocks - 1),
            members: place.members,
            signs: place.signs,
            renewed: info
                .as_ref()
                .filter(|_| place.epoch > 0)
                .map(|info| info.outcome == EpochOutcome::Success),
            receiving: info.as_ref().map_or_else(Vec::new, |info| keys(&info.players)),
            announced: info.as_ref().map_or_else(Vec::new, |info| keys(&info.next_players)),
        })
    }

    async fn get_block(&self, height: u64) -> Option<Digested<Block>> {
        self.marshal.get_block(self.height(height)?).await
    }

    /// As consensus counts; none for what was before the era.
    fn height(&self, height: u64) -> Option<Height> {
        height.checked_sub(self.base).map(Height::new)
    }

    async fn certificate(&self, height: u64) -> Option<Vec<u8>> {
        let finalization = self.marshal.get_finalization(self.height(height)?).await?;
        Some(finalization.encode().to_vec())
    }
}

pub(crate) fn record(value: &[u8]) -> Value {
    Value::try_from(value).expect("a state value has the size of a record")
}
