//! Answers the handle's questions from the state and the store of blocks. Only what is final is shown.

use crate::{
    AskError, Finalized, Key, Latest, Records, Value,
    block::Block,
    engine_types::{MarshalMailbox, StateKey},
    execute::Databases,
    handle::Question,
    light::{EncodedHeader, Finality, Proof},
    limits::FINALITY_HEADERS_MAX,
};
use commonware_codec::Encode as _;
use commonware_consensus::types::Height;
use commonware_cryptography::Digested;
use commonware_runtime::{Clock, Spawner};
use commonware_storage::Context as StorageContext;
use futures::StreamExt as _;
use std::time::Duration;
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
}

impl<E: Spawner + StorageContext + Clock> Service<E> {
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
            Question::Finality(height, answer) => drop(answer.send(self.finality(height).await)),
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
