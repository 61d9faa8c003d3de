//! The way into the pool: many transactions are checked in one batch, their accounts are read at one height, and each is
//! judged by what the ledger would refuse at once. One task owns the order; what the ledger says in a block stays the law.
//!
//! A transaction that another node's block refused may still wait here, and its sender sends a corrected one with the same nonce. It takes
//! the place without a higher fee when the ledger, asked as of the newest state, refuses the first and takes the second: so only its own
//! sender can put a transaction out, and nobody fills the pools with what is refused for nothing.

#[cfg(test)]
mod tests;

use super::{Candidate, Origin, PoolRefusal, SharedPool, Why};
use crate::follow::Follower;
use crate::index::Place;
use crate::machine::{number, signed};
use crate::state::{State, StateError};
use cairn_engine::{AskError, Tx, TxSource as _};
use cairn_ledger::genesis::Genesis;
use cairn_ledger::records::{Account, Network};
use cairn_ledger::store::{Key, Missing, Overlay, Store};
use cairn_ledger::tx::{Body, Sponsor, TX_BYTES_MAX, fee};
use cairn_ledger::{Block, Ledger, Reject, Signed, check, reads, view};
use cairn_types::{Hash, Token};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Transactions waiting to be looked at.
const QUEUE_MAX: usize = 8_192;
/// Transactions looked at together. Each reads at most two records, well below what one question may name.
const BATCH_MAX: usize = 256;
/// Times a batch is read again because a block came in between.
const ROUNDS_MAX: usize = 16;
/// Transactions of a batch for which the ledger is asked whether the one in their place still can be.
const CONTESTED_MAX: u32 = 16;
/// How long it waits for the node to take in a block that the state has already.
const TAKE_IN_MAX: Duration = Duration::from_secs(5);

/// Why a transaction was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    #[error(transparent)]
    Refused(Reject),
    /// As [`Reject::TooLong`]: no block ever takes it.
    #[error("the transaction has {bytes} bytes, and one may have {TX_BYTES_MAX}")]
    TooLong { bytes: usize },
    #[error(transparent)]
    Pool(#[from] PoolRefusal),
    #[error("too many transactions arrive at once")]
    Busy,
    #[error("too many callers wait for transactions")]
    TooManyWait,
    #[error(transparent)]
    State(#[from] StateError),
    #[error("the node is stopping")]
    Stopped,
}

/// A transaction that was taken, or was here before.
#[derive(Debug)]
pub struct Submitted {
    pub id: Hash,
    pub progress: Progress,
}

/// How far it is.
#[derive(Debug)]
pub enum Progress {
    /// In the pool.
    Waiting,
    /// In the pool; this tells how it ends.
    Watched(oneshot::Receiver<Why>),
    /// In a block that is final.
    Final(Place),
}

struct Job {
    bytes: Vec<u8>,
    watch: bool,
    answer: oneshot::Sender<Result<Submitted, SubmitError>>,
}

/// The way in.
#[derive(Clone)]
pub struct Admission {
    jobs: mpsc::Sender<Job>,
}

impl Admission {
    /// The way in, and the task that must run for it to lead anywhere.
    pub fn new(ledger: Arc<Ledger>, state: State, pool: Arc<SharedPool>, follower: Arc<Follower>) -> (Self, Desk) {
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let desk = Desk {
            // A second desk would have nothing to look at.
            offered: pool.offered().unwrap_or_else(|| mpsc::channel(1).1),
            ledger,
            state,
            pool,
            follower,
            queue,
        };
        (Self { jobs }, desk)
    }

    /// Hands a transaction in. With `watch` the answer tells how it ends.
    pub async fn submit(&self, bytes: Vec<u8>, watch: bool) -> Result<Submitted, SubmitError> {
        if bytes.len() > TX_BYTES_MAX {
            return Err(SubmitError::TooLong { bytes: bytes.len() });
        }
        let (answer, answered) = oneshot::channel();
        let job = Job { bytes, watch, answer };
        self.jobs.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => SubmitError::Busy,
            mpsc::error::TrySendError::Closed(_) => SubmitError::Stopped,
        })?;
        answered.await.unwrap_or(Err(SubmitError::Stopped))
    }
}

/// Looks at what comes in, batch by batch.
pub struct Desk {
    ledger: Arc<Ledger>,
    state: State,
    pool: Arc<SharedPool>,
    follower: Arc<Follower>,
    queue: mpsc::Receiver<Job>,
    /// From other nodes, checked already.
    offered: mpsc::Receiver<Tx>,
}

impl Desk {
    /// Runs until every way in is dropped.
    pub async fn run(mut self) {
        let (mut jobs, mut offered) = (Vec::new(), Vec::new());
        loop {
            let left = tokio::select! {
                count = self.queue.recv_many(&mut jobs, BATCH_MAX) => match count {
                    0 => return,
                    _ => check_jobs(jobs.drain(..)).await,
                },
                _ = self.offered.recv_many(&mut offered, BATCH_MAX), if !self.offered.is_closed() => {
                    offered.drain(..).filter_map(Newcomer::offered).collect()
                }
            };
            self.admit(left).await;
        }
    }

    async fn admit(&self, mut left: Vec<(Newcomer, Asker)>) {
        for _ in 0..ROUNDS_MAX {
            if left.is_empty() {
                return;
            }
            let keys: Vec<Key> = left.iter().flat_map(|(newcomer, _)| newcomer.reads()).collect();
            let read = self.state.look(keys, |store| {
                let known = |(newcomer, _): &(Newcomer, _)| Known::of(&newcomer.signed, store);
                left.iter().map(known).collect::<Result<Vec<_>, _>>()
            });
            let (header, known) = match read.await {
                Ok(read) => read,
                Err(error) => {
                    for (_, answer) in left {
                        let _ = answer.send(Err(error.clone().into()));
                    }
                    return;
                }
            };
            if header.height == 0 {
                for (_, answer) in left {
                    let _ = answer.send(Err(StateError::from(AskError::NoBlock).into()));
                }
                return;
            }
            let (mut again, mut contested) = (Vec::new(), 0);
            for ((newcomer, answer), known) in left.into_iter().zip(known) {
                let mut decided = self.decide(&newcomer, &known, header.height);
                let is_in_the_way = matches!(decided, Some(Err(SubmitError::Pool(PoolRefusal::Underpriced { .. }))));
                if is_in_the_way && contested < CONTESTED_MAX {
                    contested += 1;
                    if self.corrects(&newcomer).await {
                        decided = self.decide(&newcomer, &known, header.height);
                    }
                }
                match decided {
                    Some(decided) => drop(answer.send(decided)),
                    None => again.push((newcomer, answer)),
                }
            }
            left = again;
            if !left.is_empty() && !self.took_in(header.height).await {
                break;
            }
        }
        for (_, answer) in left {
            let _ = answer.send(Err(SubmitError::Busy));
        }
    }

    /// Waits until the block of a height is taken in; `false` when that takes too long.
    async fn took_in(&self, height: u64) -> bool {
        let mut head = self.follower.head();
        let taken = head.wait_for(|head| *head >= height);
        matches!(tokio::time::timeout(TAKE_IN_MAX, taken).await, Ok(Ok(_)))
    }

    /// `None` when what was read is out of date, or newer than what is known of final transactions: what would be refused may be one.
    fn decide(&self, newcomer: &Newcomer, known: &Known, height: u64) -> Option<Result<Submitted, SubmitError>> {
        let is_taken_in = *self.follower.head().borrow() >= height;
        let decided = self.decide_at(newcomer, known, height)?;
        match decided {
            Err(SubmitError::Refused(_)) if !is_taken_in => None,
            decided => Some(decided),
        }
    }

    /// Whether the ledger refuses the transaction that waits with this one's nonce, and would take this one: then that one leaves.
    async fn corrects(&self, newcomer: &Newcomer) -> bool {
        let transaction = &newcomer.signed.transaction;
        let held = self.pool.held(&transaction.account, transaction.nonce);
        let Some((held, held_signed)) = held.and_then(|held| Some((held.clone(), signed(&held.bytes)?))) else {
            return false;
        };
        let both = [&held_signed, &newcomer.signed];
        let keys = both.into_iter().flat_map(reads);
        let tried = self.state.look(keys, |store| {
            let [held, new] = both.map(|signed| self.try_out(signed, store));
            Ok((held?, new?))
        });
        match tried.await {
            Ok((header, (Err(reject), Ok(())))) => {
                // Until the pool is told of that block it stays, and both are looked at again.
                self.pool.refused(&held.hash, number(reject), header.height + 1);
                true
            }
            _ => false,
        }
    }

    /// What the ledger says of a transaction alone, right after the newest block. Changes nothing.
    fn try_out(&self, signed: &Signed, store: &mut dyn Store) -> Result<Result<(), Reject>, Missing> {
        let Some(chain) = view::chain(store)? else {
            return Ok(Err(Reject::AccountUnknown));
        };
        let block = Block {
            height: chain.height + 1,
            time: chain.time,
            beacon: None,
        };
        let applied = self
            .ledger
            .apply(&mut Overlay::new(store), &block, signed, &mut Vec::new())?;
        Ok(applied.map(drop))
    }

    fn decide_at(&self, newcomer: &Newcomer, known: &Known, height: u64) -> Option<Result<Submitted, SubmitError>> {
        let id = newcomer.id;
        if let Some(place) = self.follower.find(&id) {
            let progress = Progress::Final(place);
            return Some(Ok(Submitted { id, progress }));
        }
        let transaction = &newcomer.signed.transaction;
        let opening = self.pool.last_nonce(&transaction.account).is_some();
        let judged = judge(self.ledger.genesis(), &newcomer.signed, known, opening);
        if let Err(reject) = judged {
            return Some(Err(SubmitError::Refused(reject)));
        }
        let watched = newcomer.watch.then(|| self.pool.wait(id));
        if matches!(watched, Some(None)) {
            return Some(Err(SubmitError::TooManyWait));
        }
        let candidate = Candidate {
            id,
            tx: newcomer.tx.clone(),
            account: transaction.account,
            nonce: transaction.nonce,
            fee_max: transaction.fee_max,
        };
        let last = known.account.as_ref().map(|account| account.nonce);
        let added = self.pool.add(candidate, last, height, newcomer.origin)?;
        let progress = watched.flatten().map_or(Progress::Waiting, Progress::Watched);
        Some(match added {
            Ok(()) => Ok(Submitted { id, progress }),
            Err(PoolRefusal::NonceUsed { .. }) => Err(SubmitError::Refused(Reject::NonceUsed)),
            Err(refusal) => Err(refusal.into()),
        })
    }
}

type Asker = oneshot::Sender<Result<Submitted, SubmitError>>;

/// Checks form and signatures of all in one batch; those that fail are answered.
async fn check_jobs(jobs: impl Iterator<Item = Job>) -> Vec<(Newcomer, Asker)> {
    let (bytes, askers): (Vec<_>, Vec<_>) = jobs.map(|job| (job.bytes, (job.watch, job.answer))).unzip();
    let checked = tokio::task::spawn_blocking(move || {
        let slices: Vec<&[u8]> = bytes.iter().map(Vec::as_slice).collect();
        let checked = check(&slices);
        bytes.into_iter().zip(checked).collect::<Vec<_>>()
    });
    let mut left = Vec::new();
    for ((bytes, checked), (watch, answer)) in checked.await.unwrap_or_default().into_iter().zip(askers) {
        match checked {
            Ok(signed) => left.push((Newcomer::new(Tx::new(bytes), signed, watch, Origin::Here), answer)),
            // Whoever asked may have gone, here and below.
            Err(reject) => drop(answer.send(Err(SubmitError::Refused(reject)))),
        }
    }
    left
}

/// A transaction whose signatures hold.
struct Newcomer {
    id: Hash,
    signed: Signed,
    tx: Tx,
    watch: bool,
    origin: Origin,
}

impl Newcomer {
    fn new(tx: Tx, signed: Signed, watch: bool, origin: Origin) -> Self {
        Self {
            id: signed.transaction.id(),
            signed,
            tx,
            watch,
            origin,
        }
    }

    /// One that another node told of; nobody waits for the answer.
    fn offered(tx: Tx) -> Option<(Self, Asker)> {
        let signed = signed(&tx.bytes)?;
        let (answer, _) = oneshot::channel();
        Some((Self::new(tx, signed, false, Origin::Elsewhere), answer))
    }

    fn reads(&self) -> Vec<Key> {
        let account = view::key::<Account>(&self.signed.transaction.account);
        let sponsor = self.signed.transaction.sponsor.map(|sponsor| match sponsor {
            Sponsor::Account(id) => view::key::<Account>(&id),
            Sponsor::Network(id) => view::key::<Network>(&id),
        });
        std::iter::once(account).chain(sponsor).collect()
    }
}

/// What the state says of those who ask and pay.
struct Known {
    account: Option<Account>,
    sponsor: Option<Account>,
    network: Option<Network>,
}

impl Known {
    fn of(signed: &Signed, store: &mut dyn Store) -> Result<Self, Missing> {
        let transaction = &signed.transaction;
        let (sponsor, network) = match transaction.sponsor {
            Some(Sponsor::Account(id)) => (view::account(store, &id)?, None),
            Some(Sponsor::Network(id)) => (None, view::network(store, &id)?),
            None => (None, None),
        };
        Ok(Self {
            account: view::account(store, &transaction.account)?,
            sponsor,
            network,
        })
    }
}

/// What the ledger would refuse at once: another chain, other keys, a fee that nobody pays. `opening`: transactions of the
/// account wait already, so one that does not exist yet is about to be opened.
fn judge(genesis: &Genesis, signed: &Signed, known: &Known, opening: bool) -> Result<(), Reject> {
    let transaction = &signed.transaction;
    let ensure = |holds: bool, otherwise| if holds { Ok(()) } else { Err(otherwise) };
    ensure(transaction.chain == genesis.chain, Reject::WrongChain)?;
    let rule = signed.witness.rule.hash();
    let opens = matches!(transaction.body, Body::OpenAccount(_));
    match &known.account {
        Some(_) if opens => return Err(Reject::AccountExists),
        Some(account) => ensure(rule == account.rule, Reject::RuleNotCurrent)?,
        None => {
            ensure(opens || opening, Reject::AccountUnknown)?;
            ensure(rule.0 == transaction.account.0, Reject::RuleNotCurrent)?;
        }
    }
    let fee = fee(&genesis.fees, &transaction.body);
    let purse = match transaction.sponsor {
        None if known.account.is_none() && opening => None,
        None => Some(known.account.as_ref().map_or(Token::ZERO, |account| account.token)),
        Some(Sponsor::Account(_)) => {
            let sponsor = known.sponsor.as_ref().ok_or(Reject::SponsorUnknown)?;
            let shown = signed.sponsor.as_ref().map(|witness| witness.rule.hash());
            ensure(shown == Some(sponsor.rule), Reject::SponsorRuleNotCurrent)?;
            Some(sponsor.token)
        }
        Some(Sponsor::Network(_)) => Some(known.network.as_ref().ok_or(Reject::SponsorUnknown)?.allowance),
    };
    ensure(fee <= transaction.fee_max, Reject::FeeAboveMax)?;
    ensure(purse.is_none_or(|purse| fee <= purse), Reject::FeeUnaffordable)
}
