//! How an era ends: more than two thirds of the validators whom the machine names sign who takes over, anybody hands that in, and the block that holds it
//! is the era's last. Whether it holds depends on the signatures and the state, so all validators judge it alike.
//!
//! ```text
//! approve (each validator) ─▶ resolution ─▶ handed in at any validator ─▶ block with header.next = successor ─▶ nothing more
//! ```

use crate::{
    Applied, BlockContext, Executed, Identity, Key, Missing, StateMachine, Tx, TxHash, TxSource, Validator, View,
    assemble::Host,
    header::{NOBODY, OVER},
    light::Successor,
    limits::{NO_RESOLUTION, VALIDATORS_MAX},
};
use cairn_types::{PublicKey, Signature, codec, hash};
use commonware_utils::{Faults as _, N3f1};
use minicbor::{CborLen, Decode, Encode};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};
use tokio::sync::watch;

/// Begins a transaction that ends the era; no machine's transaction begins so.
const MARK: &[u8; 8] = b"\0succeed";

/// The validators' resolution to hand their chain over.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Resolution {
    /// The era that ends.
    #[n(0)]
    pub era: u32,
    /// [`Successor::digest`].
    #[cbor(n(1), with = "minicbor::bytes")]
    pub successor: [u8; 32],
    /// Of this era's validators.
    #[n(2)]
    pub approvals: Vec<Approval>,
}

/// One validator's part of a resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Approval {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub validator: [u8; 32],
    #[n(1)]
    pub signature: Signature,
}

impl Approval {
    /// A validator's approval of who takes over from its era.
    pub fn of(identity: &Identity, successor: &Successor) -> Self {
        Self::signed(identity.key(), successor, |message| identity.sign(message))
    }

    pub(crate) fn signed(validator: [u8; 32], successor: &Successor, sign: impl FnOnce(&[u8]) -> Signature) -> Self {
        let message = message(&successor.chain, successor.era.wrapping_sub(1), &successor.digest());
        Self {
            validator,
            signature: sign(&message),
        }
    }

    /// Whether its validator signed it.
    pub fn holds(&self, successor: &Successor) -> bool {
        let message = message(&successor.chain, successor.era.wrapping_sub(1), &successor.digest());
        PublicKey::Ed25519(self.validator).verify(&message, &self.signature)
    }
}

fn message(chain: &str, era: u32, successor: &[u8; 32]) -> [u8; 32] {
    hash::domain("cairn/hand-over/1", &[chain.as_bytes(), &era.to_be_bytes(), successor]).0
}

impl Resolution {
    /// Who takes over, and who of the era before approves.
    pub fn new(successor: &Successor, approvals: Vec<Approval>) -> Self {
        Self {
            era: successor.era.wrapping_sub(1),
            successor: successor.digest(),
            approvals,
        }
    }

    /// As a transaction.
    pub fn encode(&self) -> Vec<u8> {
        [&MARK[..], &codec::encode(self)].concat()
    }

    /// The resolution in a transaction, if it is one.
    pub fn read(tx: &[u8]) -> Option<Self> {
        codec::decode_canonical(tx.strip_prefix(MARK)?).ok()
    }

    /// Whether enough of these validators want it.
    pub fn holds(&self, chain: &str, validators: &[[u8; 32]]) -> bool {
        self.is_signed(chain) && self.is_enough(validators)
    }

    /// Whether all who are in it signed it, each once.
    fn is_signed(&self, chain: &str) -> bool {
        if self.successor == NOBODY || self.successor == OVER || self.approvals.len() > VALIDATORS_MAX {
            return false;
        }
        let message = message(chain, self.era, &self.successor);
        let signed =
            |approval: &&Approval| PublicKey::Ed25519(approval.validator).verify(&message, &approval.signature);
        let signers: BTreeSet<[u8; 32]> = self.approvals.iter().filter(signed).map(|it| it.validator).collect();
        signers.len() == self.approvals.len()
    }

    /// Whether those in it are more than two thirds of these validators, and nobody else.
    fn is_enough(&self, validators: &[[u8; 32]]) -> bool {
        let known = |approval: &Approval| validators.contains(&approval.validator);
        self.approvals.iter().all(known) && self.approvals.len() >= N3f1::quorum(validators.len()) as usize
    }
}

/// Whether a transaction is the engine's own, which the machine never sees.
pub fn is_own(tx: &[u8]) -> bool {
    tx.starts_with(MARK) || crate::records::is_records(tx)
}

/// Who takes over after a block of these transactions; `None` when something stands after the era's end.
pub(crate) fn successor_after(txs: &[Executed]) -> Option<[u8; 32]> {
    let (last, before) = match txs.split_last() {
        None => return Some(NOBODY),
        Some(split) => split,
    };
    if before.iter().any(|tx| tx.bytes.starts_with(MARK)) {
        return None;
    }
    Some(Resolution::read(&last.bytes).map_or(NOBODY, |resolution| resolution.successor))
}

/// Leaves out what would stand after the era's end.
pub(crate) fn cut(txs: &mut Vec<Tx>) {
    if let Some(at) = txs.iter().position(|tx| tx.bytes.starts_with(MARK)) {
        txs.truncate(at + 1);
    }
}

/// The machine with its end.
struct Mortal {
    inner: Arc<dyn StateMachine>,
    chain: String,
    era: u32,
    /// Those with whom the era began.
    founding: Vec<[u8; 32]>,
    /// Those whom the machine named last: what is handed in is held against them, the chain itself asks the state.
    named: Mutex<Vec<[u8; 32]>>,
}

/// The pool with the resolution that was handed in here.
pub(crate) struct Resolutions {
    inner: Arc<dyn TxSource>,
    machine: Arc<Mortal>,
    waiting: Mutex<Option<Tx>>,
    handed_in: watch::Sender<u64>,
}

/// Puts what ends the era in around a process.
pub(crate) fn wrap(host: Host, chain: &str, era: u32, founding: Vec<[u8; 32]>) -> (Host, Arc<Resolutions>) {
    let machine = Arc::new(Mortal {
        inner: host.machine,
        chain: chain.to_owned(),
        era,
        named: Mutex::new(founding.clone()),
        founding,
    });
    let resolutions = Arc::new(Resolutions {
        inner: host.source,
        machine: machine.clone(),
        waiting: Mutex::new(None),
        handed_in: watch::Sender::new(0),
    });
    let host = Host {
        machine,
        source: resolutions.clone(),
        ..host
    };
    (host, resolutions)
}

impl Resolutions {
    /// Takes a resolution in until it stands in a block; false when it does not hold here.
    pub(crate) fn hand_in(&self, resolution: &Resolution) -> bool {
        let holds = self.machine.may_hold(resolution);
        if holds {
            *self.waiting.lock().expect("no panic while this lock is held") = Some(Tx::new(resolution.encode()));
            self.handed_in.send_modify(|count| *count += 1);
        }
        holds
    }
}

impl Resolutions {
    /// Changes when one was handed in.
    pub(crate) fn handed_in(&self) -> watch::Receiver<u64> {
        self.handed_in.subscribe()
    }
}

impl Mortal {
    fn is_signed(&self, resolution: &Resolution) -> bool {
        resolution.era == self.era && resolution.is_signed(&self.chain)
    }

    /// The validators in the state, or those of the beginning when the machine names none.
    fn present(&self, view: &mut dyn View) -> Result<Vec<[u8; 32]>, Missing> {
        let named = self.inner.validators(view)?;
        let present = match named.is_empty() {
            true => self.founding.clone(),
            false => named.iter().map(|validator| validator.key).collect(),
        };
        present.clone_into(&mut self.named.lock().expect("no panic while this lock is held"));
        Ok(present)
    }

    /// Whether a resolution holds by what was last seen of the validators, at the latest when the epoch of consensus began.
    fn may_hold(&self, resolution: &Resolution) -> bool {
        let named = self.named.lock().expect("no panic while this lock is held");
        self.is_signed(resolution) && resolution.is_enough(&named)
    }
}

impl StateMachine for Mortal {
    fn genesis_digest(&self) -> [u8; 32] {
        self.inner.genesis_digest()
    }

    fn unfit(&self, height: u64, view: &mut dyn View) -> Result<Option<String>, Missing> {
        self.inner.unfit(height, view)
    }

    fn begin(&self, block: &BlockContext, view: &mut dyn View) -> Result<Vec<u8>, Missing> {
        self.inner.begin(block, view)
    }

    fn check(&self, transactions: &[&[u8]]) -> Vec<Result<(), u32>> {
        let Some(at) = transactions.iter().position(|tx| tx.starts_with(MARK)) else {
            return self.inner.check(transactions);
        };
        // A resolution ends its block, so there is nothing after it to be answered well.
        let mut answers = self.inner.check(&transactions[..at]);
        let holds = Resolution::read(transactions[at]).is_some_and(|resolution| self.is_signed(&resolution));
        answers.resize(at, Err(NO_RESOLUTION));
        answers.push(holds.then_some(()).ok_or(NO_RESOLUTION));
        answers.resize(transactions.len(), Err(NO_RESOLUTION));
        answers
    }

    fn reads(&self, transaction: &[u8]) -> Vec<Key> {
        match transaction.starts_with(MARK) {
            true => Vec::new(),
            false => self.inner.reads(transaction),
        }
    }

    fn validators(&self, view: &mut dyn View) -> Result<Vec<Validator>, Missing> {
        self.present(view)?;
        self.inner.validators(view)
    }

    fn apply(&self, block: &BlockContext, transaction: &[u8], view: &mut dyn View) -> Result<Applied, Missing> {
        if !transaction.starts_with(MARK) {
            return self.inner.apply(block, transaction, view);
        }
        let present = self.present(view)?;
        let holds = Resolution::read(transaction).is_some_and(|resolution| resolution.is_enough(&present));
        Ok(match holds {
            true => Applied::Accepted(Vec::new()),
            false => Applied::Refused(NO_RESOLUTION),
        })
    }
}

impl TxSource for Resolutions {
    fn peek(&self, count_max: usize, bytes_max: usize, skip: &dyn Fn(&TxHash) -> bool) -> Vec<Tx> {
        let waiting = self.waiting.lock().expect("no panic while this lock is held").clone();
        match waiting.filter(|tx| !skip(&tx.hash)) {
            Some(tx) => vec![tx],
            None => self.inner.peek(count_max, bytes_max, skip),
        }
    }

    fn refused(&self, hash: &TxHash, code: u32, height: u64) {
        let mut waiting = self.waiting.lock().expect("no panic while this lock is held");
        if waiting.as_ref().is_some_and(|tx| tx.hash == *hash) {
            tracing::warn!(
                height,
                "a resolution to end the era was refused: too few of the present validators want it"
            );
            *waiting = None;
            return;
        }
        drop(waiting);
        self.inner.refused(hash, code, height);
    }

    fn arrivals(&self) -> watch::Receiver<u64> {
        self.inner.arrivals()
    }

    fn announced(&self) -> watch::Receiver<u64> {
        self.inner.announced()
    }

    fn outgoing(&self, count_max: usize, bytes_max: usize) -> Vec<Tx> {
        self.inner.outgoing(count_max, bytes_max)
    }

    fn offer(&self, mut txs: Vec<Tx>) {
        txs.retain(|tx| !is_own(&tx.bytes));
        self.inner.offer(txs);
    }
}
