//! Follows a node's final blocks into the index, in a thread of its own: fetches, checks, runs them, and commits whole blocks with the
//! cursor. A kill at any moment leaves a block in or out. What does not hold is never taken in: it waits and says why.
//!
//! ```text
//! cursor ─▶ blocks from the node ─▶ check: links, certificate ─▶ index::apply ─▶ commit ─▶ those who listen
//! ```

mod check;

pub use check::{CheckError, certified};

use crate::db::{DbError, Location, Session, schema};
use crate::index::records::Cache;
use crate::index::{self, Applied, ApplyError, Rules};
use crate::live::{Live, Progress};
use crate::turns::Turns;
use cairn_client::{Anchor, ClientError, Events, NodeClient, TakenBlock};
use cairn_ledger::{Ledger, records::Chain, view};
use futures::{StreamExt, TryStreamExt};
use serde_json::json;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// Blocks of one transaction of the database while catching up.
const BATCH_BLOCKS: usize = 64;
/// Questions to the node at once.
const ASKED_MAX: usize = 8;
/// After something did not hold or was not there.
const REST: Duration = Duration::from_secs(2);
/// Between two looks where nothing tells of new blocks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why following stands still.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    #[error(transparent)]
    Node(#[from] ClientError),
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error(transparent)]
    Apply(#[from] ApplyError),
    #[error(transparent)]
    Db(#[from] DbError),
    #[error("the index is of the chain {0}, and the node of another")]
    OtherChain(String),
    #[error("the genesis cannot be used: {0}")]
    Genesis(String),
    #[error("the node no longer keeps block {0}")]
    Pruned(u64),
    #[error("the index is in era {index}, of which blocks are missing, and the node in era {node}")]
    EraBefore { index: u32, node: u32 },
    #[error("the era that the node is in does not follow the one in the index")]
    OtherEra,
}

impl FollowError {
    /// Whether the index failed, and not what is followed.
    fn is_of_index(&self) -> bool {
        matches!(self, Self::Db(_) | Self::Apply(ApplyError::Db(_)))
    }

    /// What to do about it.
    pub fn hint(&self) -> &str {
        match self {
            Self::Node(error) => error.hint(),
            Self::Check(_) => "ask another node: this one gives what the validators did not sign",
            Self::Apply(error) => error.hint(),
            Self::Db(error) => error.hint(),
            Self::OtherChain(_) => "name another --database, or start with --rebuild",
            Self::Genesis(_) => "check that the address is a node's, of the same version",
            Self::Pruned(_) => "follow a node that keeps all blocks",
            Self::EraBefore { .. } => {
                "name with --from a node that keeps the blocks of that era until it is in the index, or start with --rebuild to have the era that runs alone"
            }
            Self::OtherEra => "check that the node is of the same chain; for another one name another --database",
        }
    }
}

/// Follows one node into one index.
pub struct Follower {
    client: NodeClient,
    /// Of the era that signs now.
    anchor: watch::Sender<Anchor>,
    location: Location,
    live: Live,
    rules: Rules,
}

/// An index that is open to be written, and what of it is at hand.
pub struct Writing {
    pub session: Box<dyn Session>,
    pub cache: Cache,
    /// Those who write besides come after it.
    pub turns: Turns,
}

impl Writing {
    /// Opens the index, and makes it anew where it is of another form, or where that is wanted.
    pub fn open(location: &Location, rebuild: bool) -> Result<Self, DbError> {
        let mut session = location.open()?;
        let version = schema::version(session.as_mut())?;
        if rebuild || version != Some(schema::VERSION) {
            if version.is_some() {
                tracing::warn!(?version, "the index is made anew");
            }
            schema::make(session.as_mut())?;
        }
        Ok(Self {
            session,
            cache: Cache::default(),
            turns: Turns::default(),
        })
    }

    /// Takes checked blocks in, all or none of them.
    pub fn take(&mut self, rules: &Rules, blocks: &[TakenBlock]) -> Result<Vec<Applied>, ApplyError> {
        let _turn = self.turns.first();
        self.session.begin()?;
        let session = self.session.as_mut();
        let cache = &mut self.cache;
        let applied = blocks
            .iter()
            .map(|block| index::apply::apply(rules, block, session, cache));
        let done = applied
            .collect::<Result<Vec<_>, _>>()
            .and_then(|applied| self.session.commit().map(|()| applied).map_err(ApplyError::from));
        if done.is_err() {
            self.cache.forget();
            self.session.rollback()?;
        }
        done
    }
}

impl Follower {
    /// Asks the node for the genesis, which the anchor's digest checks.
    pub async fn new(client: NodeClient, location: Location, live: Live) -> Result<Self, FollowError> {
        let anchor = client.anchor().cloned().ok_or(ClientError::NoAnchor)?;
        let genesis = client.genesis().await?;
        let ledger = Ledger::new(genesis).map_err(|error| FollowError::Genesis(error.to_string()))?;
        let rules = Rules {
            ledger,
            era: anchor.era,
        };
        Ok(Self {
            client,
            anchor: watch::Sender::new(anchor),
            location,
            live,
            rules,
        })
    }

    /// By which key blocks are believed: another one once an era has ended.
    pub fn anchor(&self) -> watch::Receiver<Anchor> {
        self.anchor.subscribe()
    }

    /// Follows until told to stop. Blocking: in a thread of its own.
    pub fn run(mut self, mut writing: Writing, runtime: &Handle, stop: &watch::Receiver<bool>) {
        let mut stopped = stop.clone();
        let mut news: Option<Events> = None;
        while !*stop.borrow() {
            let step = self.step(&mut writing, runtime);
            let rest = match step {
                Ok(0) => LOOK_EVERY,
                Ok(_) => continue,
                Err(error) => {
                    let trouble = format!("{error} ({})", error.hint());
                    let before = self.live.progress();
                    let is_new = before.trouble.as_ref() != Some(&trouble);
                    // Whoever is told finds it there.
                    self.live.set(Progress {
                        state: "waiting",
                        trouble: Some(trouble.clone()),
                        node_height: before.node_height,
                    });
                    if is_new {
                        tracing::warn!(%error, "following waits");
                        self.live.tell("trouble", json!({ "message": trouble }), None);
                    }
                    news = None;
                    if error.is_of_index() {
                        self.open_again(&mut writing);
                    }
                    REST
                }
            };
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped.wait_for(|stop| *stop) => {}
                    () = tokio::time::sleep(rest) => {}
                    () = self.told(&mut news) => {}
                }
            });
        }
    }

    /// A connection that failed may be gone for good: the index is opened again, if it can be.
    fn open_again(&self, writing: &mut Writing) {
        match Writing::open(&self.location, false) {
            Ok(opened) => {
                let turns = writing.turns.clone();
                *writing = Writing { turns, ..opened };
            }
            Err(error) => tracing::debug!(%error, "the index cannot be opened"),
        }
    }

    /// Returns once the node tells of a block.
    async fn told(&self, news: &mut Option<Events>) {
        if news.is_none() {
            *news = self.client.events(None).await.ok();
        }
        let Some(events) = news else {
            return std::future::pending().await;
        };
        loop {
            match events.next().await {
                Ok(Some(cairn_client::Told::Block { .. })) => return,
                Ok(Some(cairn_client::Told::Event { .. })) => {}
                _ => {
                    *news = None;
                    return std::future::pending().await;
                }
            }
        }
    }

    /// Takes in what the node has; answers how many blocks.
    fn step(&mut self, writing: &mut Writing, runtime: &Handle) -> Result<usize, FollowError> {
        let cursor = index::cursor(writing.session.as_mut())?;
        let status = runtime.block_on(self.client.status())?;
        if status.era > self.rules.era {
            self.renew(runtime)?;
        }
        let goes_over = cursor.as_ref().is_some_and(|cursor| cursor.era < self.rules.era);
        let next = match &cursor {
            Some(cursor) if goes_over => self.go_over(cursor, writing, runtime, status.height)?,
            Some(cursor) if cursor.over => 0,
            Some(cursor) => cursor.height + 1,
            None => self.first(runtime, status.height)?,
        };
        let behind = (status.height + 1).saturating_sub(next);
        self.live.set(Progress {
            state: if behind > 2 { "catching_up" } else { "following" },
            trouble: None,
            node_height: Some(status.height),
        });
        if behind == 0 || next == 0 {
            return Ok(0);
        }
        let last = status.height.min(next + BATCH_BLOCKS as u64 - 1);
        let blocks = runtime.block_on(self.fetch(next, last))?;
        if blocks.is_empty() {
            return Err(FollowError::Pruned(next));
        }
        let before = cursor.as_ref().map(|cursor| cursor.digest).filter(|_| !goes_over);
        let anchor = self.anchor.borrow().clone();
        let mut count = certified(&anchor, before, next, &blocks)?;
        if count == 0 {
            count = runtime.block_on(self.proven(&blocks))?;
        }
        let applied = writing.take(&self.rules, &blocks[..count])?;
        for block in &applied {
            self.tell(block);
        }
        Ok(applied.len())
    }

    /// The validators that the follower knows have handed over: it goes on with the key that they signed.
    fn renew(&mut self, runtime: &Handle) -> Result<(), FollowError> {
        let (client, _) = runtime.block_on(self.client.clone().followed())?;
        let anchor = client.anchor().cloned().ok_or(ClientError::NoAnchor)?;
        tracing::info!(era = anchor.era, "the validators have handed over");
        self.rules.era = anchor.era;
        self.client = client;
        self.anchor.send_replace(anchor);
        Ok(())
    }

    /// The first block of the next era, whose validators the last block in the index names.
    fn go_over(
        &self,
        cursor: &index::Cursor,
        writing: &mut Writing,
        runtime: &Handle,
        newest: u64,
    ) -> Result<u64, FollowError> {
        let anchor = self.anchor.borrow().clone();
        let behind = FollowError::EraBefore {
            index: cursor.era,
            node: anchor.era,
        };
        let first = self.first(runtime, newest)?;
        let last = index::header_at(first.saturating_sub(1), writing.session.as_mut())?;
        let Some(last) = last.filter(|last| last.era == cursor.era && cursor.over && last.era + 1 == anchor.era) else {
            return Err(behind);
        };
        let eras = runtime.block_on(self.client.eras())?;
        let follows = eras.hand_overs.iter().any(|hand_over| {
            let successor = &hand_over.successor;
            last.next == successor.digest() && (successor.era, successor.group_key) == (anchor.era, anchor.group_key)
        });
        match follows {
            true => Ok(first),
            false => Err(FollowError::OtherEra),
        }
    }

    /// The height of the chain's first block: after the era's base.
    fn first(&self, runtime: &Handle, newest: u64) -> Result<u64, FollowError> {
        if newest == 0 {
            return Ok(1);
        }
        let newest = runtime.block_on(self.client.block(newest))?;
        Ok(newest.map_or(0, |block| block.header.base) + 1)
    }

    async fn fetch(&self, first: u64, last: u64) -> Result<Vec<TakenBlock>, ClientError> {
        let asked = futures::stream::iter(first..=last).map(|height| self.client.block(height));
        let blocks: Vec<Option<TakenBlock>> = asked.buffered(ASKED_MAX).try_collect().await?;
        Ok(blocks.into_iter().map_while(|block| block).collect())
    }

    /// How many of these blocks, linked already, stand up to the one under which the node proves its newest state: blocks without a
    /// certificate of their own are final through a later one.
    async fn proven(&self, blocks: &[TakenBlock]) -> Result<usize, FollowError> {
        let key = view::key::<Chain>(&());
        let proof = self.client.proof(&key).await?;
        let anchor = self.anchor.borrow().clone();
        let proven = cairn_client::verify::bytes(&anchor, &key, &proof)?.header;
        let same = blocks.iter().position(|block| block.header.digest() == proven.digest());
        Ok(same.map_or(0, |at| at + 1))
    }

    fn tell(&self, block: &Applied) {
        let data = json!({
            "height": block.height,
            "time": block.time.to_string(),
            "transactions": block.transactions,
            "events": block.events,
        });
        self.live.tell("block", data, None);
        if let Some(number) = block.closed {
            let clock = self.rules.ledger.genesis().clock();
            let epoch = cairn_types::EpochNumber(number);
            let (start, end) = (clock.start(epoch).to_string(), clock.end(epoch).to_string());
            let data = json!({ "number": number, "start": start, "end": end });
            self.live.tell("epoch", data, None);
        }
        for (network, epoch, operators, token, stable) in &block.paid {
            let data = json!({
                "network": network, "epoch": epoch, "operators": operators,
                "token": token.to_string(), "stable": stable.to_string(),
            });
            self.live.tell("payout", data, None);
        }
        for (operator, alert) in &block.alerts {
            self.live.tell("alert", alert.clone(), Some(*operator));
        }
    }

    pub fn location(&self) -> &Location {
        &self.location
    }

    pub fn rules(&self) -> &Rules {
        &self.rules
    }
}
