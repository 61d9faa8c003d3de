//! What a verifier and an auditor ask of the ledger, and the one thing they tell it: transactions. Blocking, so that a
//! simulation answers at once and a shell may wait on the network in a thread of its own. Never caches, never decides.

pub mod local;
pub mod records;

pub use cairn_ledger::records::SettledOrder;

use crate::exchange::Choice;
use crate::roster::RosterMember;
use cairn_ledger::economics::Parameters;
use cairn_ledger::genesis::Limits;
use cairn_ledger::records::{Anchor, Anchors, ExchangeBook, Pool, PoolState, Roots, Settlement};
use cairn_ledger::tx::Signed;
use cairn_types::{
    AccountId, AccountNumber, ChainId, DeviceId, DeviceNumber, EpochClock, EpochNumber, Hash, NetworkId, OrderId,
    PublicKey, Token,
};
use thiserror::Error;

/// Why the ledger did not answer as hoped.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ChainError {
    #[error("the chain cannot be reached: {0}")]
    Unreachable(String),
    #[error("the chain does not know network {0}")]
    NetworkUnknown(NetworkId),
    /// The number and sentence of the ledger's refusal.
    #[error("the ledger refuses ({code}): {text}")]
    Refused { code: u16, text: String },
}

/// What never changes about a chain.
#[derive(Clone, Debug, PartialEq)]
pub struct ChainFacts {
    pub chain: ChainId,
    pub clock: EpochClock,
    /// Prices are posted once in each round of so many milliseconds.
    pub round_ms: u64,
    pub economics: Parameters,
    pub limits: Limits,
}

/// A network as it counts for one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkAt {
    pub vertical: String,
    /// The first epoch for which it has a pool.
    pub first: EpochNumber,
    /// The last one, of a network that is being closed.
    pub closes: Option<EpochNumber>,
    pub parameters: Vec<u8>,
    /// Sorted by device number, each once.
    pub roster: Vec<RosterMember>,
}

/// What closing an epoch fixed for a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    pub pool: Pool,
    pub beacon: Hash,
}

/// What verifiers anchored of a closed epoch of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchoring {
    /// In order of arrival.
    pub anchors: Vec<Anchor>,
    /// The ledger's hash over them, which a result names.
    pub digest: Hash,
    /// No more come: what is judged is known.
    pub has_ended: bool,
}

impl Anchoring {
    /// Who anchored what stands at these places.
    pub fn verifiers_at(&self, places: &[u32]) -> Vec<AccountId> {
        let anchors = places.iter().filter_map(|place| self.anchors.get(*place as usize));
        anchors.map(|anchor| anchor.verifier).collect()
    }

    /// The anchor of a verifier.
    pub fn of(&self, verifier: &AccountId) -> Option<&Anchor> {
        self.anchors.iter().find(|anchor| anchor.verifier == *verifier)
    }

    /// The hash over the anchors as they are listed here.
    pub fn recomputed(&self) -> Option<Hash> {
        let mut all = self.anchors.iter();
        let book = all.try_fold(Anchors::default(), |book, anchor| book.with(anchor, false));
        book.map(|book| book.digest)
    }
}

/// A verifier of the ledger's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierAt {
    pub account: AccountId,
    /// Signs its receipts and results.
    pub key: PublicKey,
    /// What counts towards a quorum; zero of one that left or lost it, whose files may still be needed.
    pub bond: Token,
    /// Where it serves; empty when nobody said it.
    pub url: String,
}

/// All verifiers of the list, sorted by account, and the bond that a quorum is counted against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verifiers {
    pub all: Vec<VerifierAt>,
    pub bond_active: Token,
}

impl Verifiers {
    pub fn of(&self, account: &AccountId) -> Option<&VerifierAt> {
        let at = self.all.binary_search_by_key(account, |one| one.account).ok()?;
        self.all.get(at)
    }

    /// Whether so much bond is more than two thirds.
    pub fn is_quorum(&self, bond: u128) -> bool {
        3 * bond > 2 * u128::from(self.bond_active.0)
    }
}

/// What a result rests on: what the ledger says, and what of it is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basis {
    pub anchors: Hash,
    /// The result in force for the epoch before; zero where there is none.
    pub previous: Hash,
    /// Places of anchors, in order of arrival.
    pub without: Vec<u32>,
}

impl Basis {
    /// The basis of an epoch whose anchoring has ended, of a network with this first epoch.
    pub fn of(
        chain: &(impl ChainView + ?Sized),
        network: &NetworkId,
        first: EpochNumber,
        epoch: EpochNumber,
        without: Vec<u32>,
    ) -> Result<Self, ChainError> {
        let before = epoch.0.checked_sub(1).map(EpochNumber).filter(|_| epoch > first);
        let settlement = before.map(|before| chain.settlement(network, before)).transpose()?;
        Ok(Self {
            anchors: chain.anchoring(network, epoch)?.digest,
            previous: settlement.flatten().map(|before| before.result).unwrap_or_default(),
            without,
        })
    }
}

/// A device by the ledger's number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceAt {
    pub number: DeviceNumber,
    pub key: PublicKey,
}

/// An order's parties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderAt {
    pub network: NetworkId,
    pub provider: AccountId,
}

/// An account's rule and the last nonce it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountAt {
    pub rule: Hash,
    pub nonce: u64,
}

/// What can be asked of the ledger.
pub trait ChainView: Send + Sync {
    fn facts(&self) -> Result<ChainFacts, ChainError>;

    /// The parameters in force and the roster of an epoch; for an open epoch, as of now.
    fn network(&self, network: &NetworkId, epoch: EpochNumber) -> Result<NetworkAt, ChainError>;

    /// `None` until the pool is fixed and the beacon revealed.
    fn closed(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Closed>, ChainError>;

    /// The vouchers settled in a closed epoch, in the ledger's order. Whoever asks checks them against the pool's chain of hashes.
    fn settled_orders(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Vec<SettledOrder>, ChainError>;

    /// Nobody and open until the epoch is closed.
    fn anchoring(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Anchoring, ChainError>;

    /// `None` until a result is settled.
    fn settlement(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Settlement>, ChainError>;

    /// Whether the window for disputes of a settled epoch is over: it may be released, if it is its turn.
    fn is_releasable(&self, network: &NetworkId, epoch: EpochNumber) -> Result<bool, ChainError>;

    /// Whether verifiers had their time to settle an epoch and did not: it may be put before the validators.
    fn is_stalled(&self, network: &NetworkId, epoch: EpochNumber) -> Result<bool, ChainError>;

    /// Whether validators settled an epoch in the verifiers' stead.
    fn is_decided(&self, network: &NetworkId, epoch: EpochNumber) -> Result<bool, ChainError>;

    /// The anchors that the settled result leaves out, by their places in order of arrival; none until one is settled.
    fn without(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Vec<u32>, ChainError>;

    /// What the operators with these numbers chose, as it stood when the epoch closed: one for each, the same whenever it is asked.
    fn choices(&self, operators: &[AccountNumber], epoch: EpochNumber) -> Result<Vec<Choice>, ChainError>;

    /// The settled exchange among a result's operators; `None`: they are paid as earned.
    fn exchange(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<ExchangeBook>, ChainError>;

    /// The roots of the result in force; `None` until one is settled.
    fn roots(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Roots>, ChainError>;

    /// Whoever is or was bonded as a verifier.
    fn verifiers(&self) -> Result<Verifiers, ChainError>;

    /// The key with which a bonded verifier signs.
    fn verifier_key(&self, verifier: &AccountId) -> Result<Option<PublicKey>, ChainError>;

    /// A device that was ever registered.
    fn device(&self, device: &DeviceId) -> Result<Option<DeviceAt>, ChainError>;

    fn account(&self, account: &AccountId) -> Result<Option<AccountAt>, ChainError>;

    fn order(&self, order: &OrderId) -> Result<Option<OrderAt>, ChainError>;
}

/// A ledger that also takes transactions.
pub trait Chain: ChainView {
    /// Sends a transaction and waits until it is final. `Refused` when the ledger says no.
    fn submit(&self, transaction: &Signed) -> Result<(), ChainError>;
}

impl Closed {
    /// The pool as it was fixed: what happens to it later does not belong to the inputs.
    pub fn fixed_pool(&self) -> Pool {
        Pool {
            state: PoolState::Closed,
            ..self.pool
        }
    }

    /// Whether it was carried on because nobody attested in time.
    pub fn is_expired(&self) -> bool {
        self.pool.state == PoolState::Expired
    }
}
