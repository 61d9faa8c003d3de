//! Carries transactions to the other nodes' pools: each that came in here is told to all of them once, in batches. What they
//! tell is checked like a stranger's before the pool sees it. Loses what does not get through; the pool tells it again.
//!
//! ```text
//! TxSource::outgoing ─▶ batch ─▶ all others          others ─▶ bounds, duplicates, StateMachine::check ─▶ TxSource::offer
//! ```

use crate::{StateMachine, Tx, TxHash, TxSource, block::key_bytes, engine_types::PublicKey, limits::TX_BYTES_MAX};
use cairn_types::codec;
use commonware_p2p::{Receiver, Recipients, Sender};
use commonware_runtime::Clock as RuntimeClock;
use futures::{FutureExt as _, select_biased};
use minicbor::{CborLen, Decode, Encode, bytes::ByteVec};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::watch;

/// Bytes of transactions in one batch, at most.
const BATCH_BYTES_MAX: usize = TX_BYTES_MAX;
/// Transactions in one batch.
const BATCH_TXS_MAX: usize = 1_024;
/// Bytes of one message: a batch, and at most five bytes a transaction and five around them.
pub(crate) const MESSAGE_BYTES_MAX: usize = BATCH_BYTES_MAX + 5 * (BATCH_TXS_MAX + 1);
/// Batches that others accept from one node; it sends them a little further apart.
pub(crate) const BATCHES_PER_SECOND_MAX: u32 = 32;
const SEND_EVERY: Duration = Duration::from_millis(40);
/// How long a transaction is remembered at least, and at most twice as long: another copy is dropped meanwhile.
const REMEMBERED: Duration = Duration::from_secs(5);
/// Transactions remembered in that time.
const REMEMBERED_MAX: usize = 65_536;
/// How long nobody listens to a node that told what no honest one tells.
const SHUNNED: Duration = Duration::from_secs(60);

#[derive(Encode, Decode, CborLen)]
#[cbor(transparent)]
struct Batch(#[n(0)] Vec<ByteVec>);

/// The carrier of one node.
pub(crate) struct Relay<E> {
    pub(crate) runtime: E,
    pub(crate) machine: Arc<dyn StateMachine>,
    pub(crate) source: Arc<dyn TxSource>,
}

impl<E: RuntimeClock> Relay<E> {
    /// Runs until the network ends.
    pub(crate) async fn run(
        self,
        (mut sender, mut receiver): (impl Sender<PublicKey = PublicKey>, impl Receiver<PublicKey = PublicKey>),
    ) {
        let mut announced = self.source.announced();
        let mut intake = Intake::new(self.runtime.current());
        let mut pause = self.runtime.current();
        loop {
            select_biased! {
                told = receiver.recv().fuse() => {
                    let Ok((from, bytes)) = told else { return };
                    let txs = intake.take(&*self.machine, &from, bytes.as_ref(), self.runtime.current());
                    if !txs.is_empty() {
                        self.source.offer(txs);
                    }
                }
                txs = self.outgoing(&mut announced, pause).fuse() => {
                    let batch = Batch(txs.iter().map(|tx| tx.bytes.to_vec().into()).collect());
                    // Whoever is away, or was told too much, misses it.
                    let _ = sender.send(Recipients::All, codec::encode(&batch), false);
                    pause = self.runtime.current() + SEND_EVERY;
                }
            }
        }
    }

    /// The next batch to tell, as soon as there is one; not before `pause` is over.
    async fn outgoing(&self, announced: &mut watch::Receiver<u64>, pause: SystemTime) -> Vec<Tx> {
        self.runtime.sleep_until(pause).await;
        loop {
            announced.borrow_and_update();
            let txs = self.source.outgoing(BATCH_TXS_MAX, BATCH_BYTES_MAX);
            if !txs.is_empty() {
                return txs;
            }
            if announced.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// What others tell, as far as it is new and sound.
struct Intake {
    /// Seen since `turned`, and in the time before that.
    recent: HashSet<TxHash>,
    older: HashSet<TxHash>,
    turned: SystemTime,
    shunned: BTreeMap<[u8; 32], SystemTime>,
}

impl Intake {
    fn new(now: SystemTime) -> Self {
        Self {
            recent: HashSet::new(),
            older: HashSet::new(),
            turned: now,
            shunned: BTreeMap::new(),
        }
    }

    /// The transactions of a message that the pool may look at.
    fn take(&mut self, machine: &dyn StateMachine, from: &PublicKey, bytes: &[u8], now: SystemTime) -> Vec<Tx> {
        let from = key_bytes(from);
        self.shunned.retain(|_, until| *until > now);
        if self.shunned.contains_key(&from) {
            return Vec::new();
        }
        let Some(batch) = read(bytes) else {
            self.shun(from, now, "a batch that is none");
            return Vec::new();
        };
        let new: Vec<Tx> = batch
            .0
            .into_iter()
            .map(|tx| Tx::new(Vec::from(tx)))
            .filter(|tx| self.is_new(tx, now))
            .collect();
        let slices: Vec<&[u8]> = new.iter().map(|tx| tx.bytes.as_ref()).collect();
        let answers = machine.check(&slices);
        let count = new.len();
        let sound: Vec<Tx> = new
            .into_iter()
            .zip(answers)
            .filter(|(_, answer)| answer.is_ok())
            .map(|(tx, _)| tx)
            .collect();
        if sound.len() < count {
            self.shun(from, now, "a transaction that cannot be checked");
        }
        sound
    }

    fn is_new(&mut self, tx: &Tx, now: SystemTime) -> bool {
        let full = self.recent.len() >= REMEMBERED_MAX;
        if full || now.duration_since(self.turned).is_ok_and(|since| since >= REMEMBERED) {
            self.older = std::mem::take(&mut self.recent);
            self.turned = now;
        }
        !self.older.contains(&tx.hash) && self.recent.insert(tx.hash)
    }

    fn shun(&mut self, from: [u8; 32], now: SystemTime, told: &str) {
        tracing::warn!(from = %cairn_types::hash::Hash(from), told, "another node is not listened to for a while");
        self.shunned.insert(from, now + SHUNNED);
    }
}

fn read(bytes: &[u8]) -> Option<Batch> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return None;
    }
    let batch: Batch = codec::decode_canonical(bytes).ok()?;
    let fits = batch.0.len() <= BATCH_TXS_MAX && batch.0.iter().all(|tx| tx.len() <= TX_BYTES_MAX);
    fits.then_some(batch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::toy::{Counters, count_up, forged};
    use commonware_cryptography::{Signer as _, ed25519::PrivateKey};

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn node(seed: u64) -> PublicKey {
        PrivateKey::from_seed(seed).public_key()
    }

    fn message(txs: &[Tx]) -> Vec<u8> {
        codec::encode(&Batch(txs.iter().map(|tx| tx.bytes.to_vec().into()).collect()))
    }

    fn hashes(txs: &[Tx]) -> Vec<TxHash> {
        txs.iter().map(|tx| tx.hash).collect()
    }

    #[test]
    fn a_transaction_is_taken_once_from_whomever_tells_it_first_and_again_later() {
        let mut intake = Intake::new(START);
        let txs = [count_up(1, 1), count_up(1, 2), count_up(1, 1)];
        let taken = intake.take(&Counters, &node(1), &message(&txs), START);
        assert_eq!(hashes(&taken), hashes(&txs[..2]));
        for after in [Duration::ZERO, REMEMBERED, REMEMBERED * 2 - Duration::from_millis(1)] {
            assert!(
                intake
                    .take(&Counters, &node(2), &message(&txs), START + after)
                    .is_empty()
            );
        }
        let later = intake.take(&Counters, &node(2), &message(&txs[..1]), START + REMEMBERED * 4);
        assert_eq!(hashes(&later), hashes(&txs[..1]), "a pool may have lost it meanwhile");
    }

    #[test]
    fn one_that_tells_what_cannot_be_checked_is_shunned_for_a_while_and_others_are_not() {
        let mut intake = Intake::new(START);
        let mixed = message(&[count_up(1, 1), forged(2, 1)]);
        let taken = intake.take(&Counters, &node(1), &mixed, START);
        assert_eq!(hashes(&taken), [count_up(1, 1).hash]);
        let next = message(&[count_up(3, 1)]);
        assert!(intake.take(&Counters, &node(1), &next, START).is_empty());
        assert_eq!(intake.take(&Counters, &node(2), &next, START).len(), 1);
        let last = message(&[count_up(4, 1)]);
        assert_eq!(intake.take(&Counters, &node(1), &last, START + SHUNNED).len(), 1);
    }

    #[test]
    fn what_is_no_batch_is_not_looked_into() {
        let many = vec![count_up(1, 1); BATCH_TXS_MAX + 1];
        let long = [Tx::new(vec![0; TX_BYTES_MAX + 1])];
        let mut messages = vec![
            vec![],
            vec![0xff],
            vec![0x9b; 9],
            message(&many),
            message(&long),
            vec![0x80; MESSAGE_BYTES_MAX + 1],
        ];
        let whole = message(&[count_up(1, 1), count_up(1, 2)]);
        messages.extend((0..whole.len()).map(|len| whole[..len].to_vec()));
        for bytes in messages {
            assert!(read(&bytes).is_none(), "{} bytes", bytes.len());
        }
        assert!(read(&whole).is_some());
    }

    #[test]
    fn the_largest_batch_fits_into_a_message() {
        let txs: Vec<Tx> = (0..BATCH_TXS_MAX)
            .map(|_| Tx::new(vec![0; BATCH_BYTES_MAX / BATCH_TXS_MAX]))
            .collect();
        assert!(message(&txs).len() <= MESSAGE_BYTES_MAX);
        assert!(message(&[Tx::new(vec![0; TX_BYTES_MAX])]).len() <= MESSAGE_BYTES_MAX);
    }
}
