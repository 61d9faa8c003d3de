//! The process's hold on a running chain: questions, proofs, the end. Knows nothing of how the chain runs.

use crate::{
    Finalized, Header, Key, Resolution, Value,
    ending::Resolutions,
    light::{Anchor, Finality, Proof},
    limits::READ_KEYS_MAX,
    state::Part,
};
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, oneshot, watch};

/// Questions waiting for an answer; more wait to be asked.
pub(crate) const QUESTIONS_MAX: usize = 256;

/// A running chain. Cheap to clone; the chain ends with [`shutdown`](Handle::shutdown), with its last handle, by a
/// failure, or with the process.
#[derive(Clone)]
pub struct Handle {
    pub(crate) anchor: Arc<Anchor>,
    pub(crate) validator: [u8; 32],
    pub(crate) resolutions: Arc<Resolutions>,
    pub(crate) questions: mpsc::Sender<Question>,
    pub(crate) latest: watch::Receiver<Latest>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) ended: watch::Receiver<Option<Ended>>,
    pub(crate) thread: Arc<Mutex<Option<std::thread::JoinHandle<()>>>>,
}

/// The newest finalized block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latest {
    pub header: Header,
    pub digest: [u8; 32],
}

/// Records of one height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    pub header: Header,
    /// One per key asked for, in order.
    pub values: Vec<Option<Value>>,
}

/// Who signs blocks now, and who is next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committee {
    /// The engine's epoch, not one of the machine's.
    pub epoch: u64,
    /// The height of its last block: then those who got shares sign.
    pub until: u64,
    pub members: Vec<[u8; 32]>,
    /// Whether this node is one of them and has its share.
    pub signs: bool,
    /// Whether the shares are fresh ones of this epoch: else those of the one before go on, as too few dealt or took them. None in the first
    /// epoch, and on a node that fetched the state in the midst of one.
    pub renewed: Option<bool>,
    /// Who gets shares in this epoch. Empty on a node that fetched the state in the midst of it.
    pub receiving: Vec<[u8; 32]>,
    /// Who gets shares in the next one; like `receiving`.
    pub announced: Vec<[u8; 32]>,
}

/// How a chain ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    #[error("the chain was shut down")]
    Shutdown,
    #[error("the chain failed: {0}")]
    Failed(String),
    /// The machine's reason: another program goes on with the same files.
    #[error("the chain ended before a block that this program cannot execute: {0}")]
    Unfit(String),
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    #[error("the chain has ended")]
    Ended,
    #[error("one question names at most {READ_KEYS_MAX} keys")]
    TooManyKeys,
    #[error("there is no block yet")]
    NoBlock,
    #[error("block {0} is not kept or not final")]
    UnknownBlock(u64),
    #[error("the certificate of block {0} is not here yet")]
    NoCertificate(u64),
    #[error("the operations that made that state are not kept any more")]
    Pruned,
    #[error("the state of block {0} has fewer parts")]
    UnknownPart(u64),
    #[error("the state moved on while it was read; ask again")]
    Moved,
}

pub(crate) enum Question {
    Read(Vec<Key>, Answer<Records>),
    Prove(Key, Answer<Proof>),
    Block(u64, Answer<Finalized>),
    Finality(u64, Answer<Finality>),
    StateTarget(Answer<(Header, Finality)>),
    StatePart(u64, u64, Answer<Part>),
    Committee(Answer<Committee>),
}

pub(crate) type Answer<T> = oneshot::Sender<Result<T, AskError>>;

impl Handle {
    /// What a light client must know of this chain.
    pub fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// The Ed25519 key of this validator.
    pub fn validator(&self) -> [u8; 32] {
        self.validator
    }

    /// Hands in the validators' resolution to end their era; it takes effect in a block of this validator's. False when it does
    /// not hold.
    pub fn hand_over(&self, resolution: &Resolution) -> bool {
        self.resolutions.hand_in(resolution)
    }

    /// The newest finalized block; genesis (height 0) at first.
    pub fn latest(&self) -> Latest {
        self.latest.borrow().clone()
    }

    /// Follows the newest finalized block; intermediate ones may be skipped.
    pub fn follow(&self) -> watch::Receiver<Latest> {
        self.latest.clone()
    }

    /// Records as of one finalized height.
    pub async fn read(&self, keys: Vec<Key>) -> Result<Records, AskError> {
        if keys.len() > READ_KEYS_MAX {
            return Err(AskError::TooManyKeys);
        }
        self.ask(|answer| Question::Read(keys, answer)).await
    }

    /// The value of a record, or that there is none, with everything a stranger needs to believe it.
    pub async fn prove(&self, key: Key) -> Result<Proof, AskError> {
        self.ask(|answer| Question::Prove(key, answer)).await
    }

    /// A finalized block that is still kept.
    pub async fn block(&self, height: u64) -> Result<Finalized, AskError> {
        self.ask(|answer| Question::Block(height, answer)).await
    }

    /// Why a block is final: its header, and the chain of headers to the next certificate.
    pub async fn finality(&self, height: u64) -> Result<Finality, AskError> {
        self.ask(|answer| Question::Finality(height, answer)).await
    }

    /// The newest final state of which a file can be made, and why it is final; after the end of an era, that of its last block.
    pub async fn state_target(&self) -> Result<(Header, Finality), AskError> {
        self.ask(Question::StateTarget).await
    }

    /// A part of the log that made the state after a block, see [`Download`](crate::state::Download). The chain goes on meanwhile: the
    /// log of a state of long ago is not kept.
    pub async fn state_part(&self, height: u64, part: u64) -> Result<Part, AskError> {
        self.ask(|answer| Question::StatePart(height, part, answer)).await
    }

    /// Who signs now, and who is next.
    pub async fn committee(&self) -> Result<Committee, AskError> {
        self.ask(Question::Committee).await
    }

    /// Resolves when the chain has ended, and says how. A failure is for the process to die of: restarting recovers.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(ended) => ended.clone().expect("waited until it is some"),
            Err(_) => Ended::Failed("the chain's thread ended without a word".into()),
        }
    }

    /// Resolves only when the chain ends by itself; never after a shutdown.
    pub async fn failed(&self) -> Ended {
        match self.ended().await {
            Ended::Shutdown => std::future::pending().await,
            ended => ended,
        }
    }

    /// Ends the chain and waits until its files are closed. What was finalized stays.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        self.ended().await;
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        if let Some(thread) = thread {
            // The thread said its last word before, so this takes the time of closing files.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }

    async fn ask<T>(&self, question: impl FnOnce(Answer<T>) -> Question) -> Result<T, AskError> {
        let (answer, answered) = oneshot::channel();
        self.questions
            .send(question(answer))
            .await
            .map_err(|_| AskError::Ended)?;
        answered.await.map_err(|_| AskError::Ended)?
    }
}
