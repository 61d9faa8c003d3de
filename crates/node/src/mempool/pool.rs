//! The decisions of the mempool: who gets in, who comes next, who leaves and why. Values in, values out; no clock, no lock.
//!
//! ```text
//! per account:   last used ──▶ [5] [6] [9]        the ledger wants rising nonces, gaps or not
//! handed out:    the first come is the first served; within an account the lower nonce goes first
//! ```

use cairn_engine::{Tx, TxHash};
use cairn_types::{AccountId, Hash, Token, money};
use std::collections::BTreeMap;

/// What the pool holds at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub count_max: usize,
    pub bytes_max: usize,
    /// Transactions of one account.
    pub account_count_max: usize,
    /// By how many hundredths a transaction must raise the fee it allows to take the place of one with the same nonce.
    pub replace_percent: u64,
    /// A transaction that no block took for so long leaves.
    pub wait_ms_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            count_max: 50_000,
            bytes_max: 64 * 1024 * 1024,
            account_count_max: 1_024,
            replace_percent: 10,
            wait_ms_max: 10 * 60 * 1_000,
        }
    }
}

/// A transaction whose signatures, account and fee were looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The transaction's name, whatever signatures it came with.
    pub id: Hash,
    pub tx: Tx,
    pub account: AccountId,
    pub nonce: u64,
    pub fee_max: Token,
}

/// Why the pool does not take a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PoolRefusal {
    #[error("nonce {nonce} is not above the last one used, {last}")]
    NonceUsed { nonce: u64, last: u64 },
    #[error("another transaction waits with this nonce; one that allows a fee of at least {fee_min} replaces it")]
    Underpriced { fee_min: Token },
    #[error("the account has as many transactions waiting as it may")]
    AccountFull,
    #[error("the pool is full")]
    Full,
}

/// A transaction that left the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Departure {
    pub id: Hash,
    pub why: Why,
}

/// Why a transaction left the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It stands in a final block.
    Final { height: u64, index: u32 },
    /// The ledger refused it when a block was built.
    Refused { code: u32, height: u64 },
    /// Another transaction with its nonce or a higher one is final.
    Superseded,
    /// Its sender replaced it.
    Replaced { by: Hash },
    /// No block took it in time.
    Expired,
}

/// A transaction of a final block, as the pool sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Included {
    pub id: Hash,
    pub account: AccountId,
    pub nonce: u64,
}

struct Entry {
    id: Hash,
    tx: Tx,
    fee_max: Token,
    /// Counts arrivals.
    arrival: u64,
    arrived_ms: u64,
    /// Its place among all: the arrival, or that of a later nonce which came before. Along an account's nonces it never falls.
    order: u64,
    /// By which code and at which height the ledger refused it, while the pool has not been told of all blocks before that.
    refused: Option<(u32, u64)>,
}

#[derive(Default)]
struct Account {
    /// The last nonce used on the ledger, as far as the pool was told; none yet on an account that is being opened.
    last: Option<u64>,
    /// Never empty.
    waiting: BTreeMap<u64, Entry>,
}

/// The waiting transactions.
pub struct Pool {
    limits: Limits,
    accounts: BTreeMap<AccountId, Account>,
    by_id: BTreeMap<Hash, (AccountId, u64)>,
    by_hash: BTreeMap<TxHash, (AccountId, u64)>,
    /// All that may be handed out, by (order, nonce). Equal orders are of one account.
    places: BTreeMap<(u64, u64), AccountId>,
    /// All that were refused at (height, arrival), of which earlier blocks are not told yet.
    doubtful: BTreeMap<(u64, u64), (AccountId, u64)>,
    /// All by arrival, oldest first.
    ages: BTreeMap<u64, (AccountId, u64)>,
    bytes: usize,
    arrivals: u64,
    height: u64,
}

impl Pool {
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            accounts: BTreeMap::new(),
            by_id: BTreeMap::new(),
            by_hash: BTreeMap::new(),
            places: BTreeMap::new(),
            doubtful: BTreeMap::new(),
            ages: BTreeMap::new(),
            bytes: 0,
            arrivals: 0,
            height: 0,
        }
    }

    pub fn count(&self) -> usize {
        self.by_id.len()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many were ever admitted.
    pub fn arrivals(&self) -> u64 {
        self.arrivals
    }

    /// The last final height the pool was told of. What an account's record said before is out of date.
    pub fn height(&self) -> u64 {
        self.height
    }

    pub fn contains(&self, id: &Hash) -> bool {
        self.by_id.contains_key(id)
    }

    /// The transaction of an account that waits with this nonce.
    pub fn held(&self, account: &AccountId, nonce: u64) -> Option<Tx> {
        let entry = self.accounts.get(account)?.waiting.get(&nonce)?;
        Some(entry.tx.clone())
    }

    /// The highest nonce with which a transaction of the account waits.
    pub fn last_nonce(&self, account: &AccountId) -> Option<u64> {
        let (nonce, _) = self.accounts.get(account)?.waiting.last_key_value()?;
        Some(*nonce)
    }

    /// Takes a transaction in; `last` is the last nonce its account used on the ledger, none for one that is not open.
    /// Answers who left for it. One that is here already changes nothing.
    pub fn add(&mut self, candidate: Candidate, last: Option<u64>, now_ms: u64) -> Result<Vec<Departure>, PoolRefusal> {
        let Candidate {
            id,
            tx,
            account: of,
            nonce,
            fee_max,
        } = candidate;
        if self.contains(&id) {
            return Ok(Vec::new());
        }
        let account = self.accounts.get(&of);
        let last = account.and_then(|account| account.last).max(last);
        if let Some(last) = last.filter(|last| nonce <= *last) {
            return Err(PoolRefusal::NonceUsed { nonce, last });
        }
        let held = account.and_then(|account| account.waiting.get(&nonce));
        if let Some(held) = held {
            let fee_min = raised(held.fee_max, self.limits.replace_percent);
            if fee_max < fee_min {
                return Err(PoolRefusal::Underpriced { fee_min });
            }
        } else if account.is_some_and(|account| account.waiting.len() >= self.limits.account_count_max) {
            return Err(PoolRefusal::AccountFull);
        }
        let freed = held.map_or(0, |held| held.tx.bytes.len());
        let count = self.count() + usize::from(held.is_none());
        if count > self.limits.count_max || self.bytes - freed + tx.bytes.len() > self.limits.bytes_max {
            return Err(PoolRefusal::Full);
        }
        let kept = held.map(|held| held.order);

        let mut departures = self.advance(of, last, None);
        let why = Why::Replaced { by: id };
        departures.extend(self.remove(of, nonce).map(|entry| Departure { id: entry.id, why }));
        self.arrivals += 1;
        let arrival = self.arrivals;
        let account = self.accounts.entry(of).or_default();
        account.last = last;
        let later = account
            .waiting
            .range(nonce..)
            .next()
            .map_or(u64::MAX, |(_, later)| later.order);
        let entry = Entry {
            id,
            fee_max,
            arrival,
            arrived_ms: now_ms,
            order: kept.unwrap_or(arrival.min(later)),
            refused: None,
            tx,
        };
        self.bytes += entry.tx.bytes.len();
        self.by_id.insert(id, (of, nonce));
        self.by_hash.insert(entry.tx.hash, (of, nonce));
        self.places.insert((entry.order, nonce), of);
        self.ages.insert(arrival, (of, nonce));
        account.waiting.insert(nonce, entry);
        Ok(departures)
    }

    /// The next in order, without those that `skip` names. Takes nothing out.
    pub fn peek(&self, count_max: usize, bytes_max: usize, skip: &dyn Fn(&TxHash) -> bool) -> Vec<Tx> {
        let mut picked = Vec::new();
        let mut bytes = 0;
        for ((_, nonce), account) in &self.places {
            if picked.len() == count_max {
                break;
            }
            let tx = &self.entry(account, *nonce).tx;
            if skip(&tx.hash) {
                continue;
            }
            bytes += tx.bytes.len();
            if bytes > bytes_max {
                break;
            }
            picked.push(tx.clone());
        }
        picked
    }

    /// A block is final: what stands in it leaves, and what it made impossible.
    pub fn finalized(&mut self, height: u64, included: &[Included]) -> Vec<Departure> {
        self.height = self.height.max(height);
        let mut departures = Vec::new();
        for (index, tx) in (0..).zip(included) {
            let (id, why) = (tx.id, Why::Final { height, index });
            let here = self.contains(&id);
            departures.extend(self.advance(tx.account, Some(tx.nonce), Some((id, why))));
            if !here {
                // Its sender may wait for it all the same.
                departures.push(Departure { id, why });
            }
        }
        departures.extend(self.undoubt());
        departures
    }

    /// The ledger refused it when block `height` was built. Why may be that it stands in a block before, of which the pool is
    /// not told yet: it is not handed out again, and leaves when that is clear.
    pub fn refused(&mut self, hash: &TxHash, code: u32, height: u64) -> Vec<Departure> {
        let Some((of, nonce)) = self.by_hash.get(hash).copied() else {
            return Vec::new();
        };
        let account = self.accounts.get_mut(&of).expect("every index names an account");
        let entry = account.waiting.get_mut(&nonce).expect("every index names an entry");
        if entry.refused.is_none() {
            entry.refused = Some((code, height));
            self.places.remove(&(entry.order, nonce));
            self.doubtful.insert((height, entry.arrival), (of, nonce));
        }
        self.undoubt()
    }

    /// What was refused leaves once all blocks before the refusal are told.
    fn undoubt(&mut self) -> Vec<Departure> {
        let mut departures = Vec::new();
        while let Some(((height, _), (of, nonce))) = self.doubtful.first_key_value().map(|(at, named)| (*at, *named)) {
            if height > self.height.saturating_add(1) {
                break;
            }
            let code = self.entry(&of, nonce).refused.map_or(0, |(code, _)| code);
            let why = Why::Refused { code, height };
            departures.extend(self.remove(of, nonce).map(|entry| Departure { id: entry.id, why }));
        }
        departures
    }

    /// Those that waited too long leave.
    pub fn expire(&mut self, now_ms: u64) -> Vec<Departure> {
        let mut departures = Vec::new();
        while let Some((account, nonce)) = self.ages.first_key_value().map(|(_, at)| *at) {
            if now_ms.saturating_sub(self.entry(&account, nonce).arrived_ms) < self.limits.wait_ms_max {
                break;
            }
            let why = Why::Expired;
            departures.extend(self.remove(account, nonce).map(|entry| Departure { id: entry.id, why }));
        }
        departures
    }

    fn entry(&self, account: &AccountId, nonce: u64) -> &Entry {
        self.accounts
            .get(account)
            .and_then(|account| account.waiting.get(&nonce))
            .expect("every index names an entry")
    }

    fn remove(&mut self, of: AccountId, nonce: u64) -> Option<Entry> {
        let account = self.accounts.get_mut(&of)?;
        let entry = account.waiting.remove(&nonce)?;
        if account.waiting.is_empty() {
            self.accounts.remove(&of);
        }
        self.by_id.remove(&entry.id);
        self.by_hash.remove(&entry.tx.hash);
        match entry.refused {
            None => drop(self.places.remove(&(entry.order, nonce))),
            Some((_, height)) => drop(self.doubtful.remove(&(height, entry.arrival))),
        }
        self.ages.remove(&entry.arrival);
        self.bytes -= entry.tx.bytes.len();
        Some(entry)
    }

    /// The last nonce an account used is `last` now: what is not above it can never be, unless it is `included`.
    fn advance(&mut self, of: AccountId, last: Option<u64>, included: Option<(Hash, Why)>) -> Vec<Departure> {
        let (Some(account), Some(last)) = (self.accounts.get_mut(&of), last) else {
            return Vec::new();
        };
        account.last = account.last.max(Some(last));
        let past: Vec<u64> = account.waiting.range(..=last).map(|(nonce, _)| *nonce).collect();
        let gone = past.into_iter().filter_map(|nonce| self.remove(of, nonce));
        let departure = |entry: Entry| Departure {
            id: entry.id,
            why: included
                .filter(|(id, _)| *id == entry.id)
                .map_or(Why::Superseded, |(_, why)| why),
        };
        gone.map(departure).collect()
    }
}

/// The least fee that replaces one: so many hundredths more, rounded up, and at least one unit.
fn raised(fee: Token, percent: u64) -> Token {
    let more = money::mul_div_ceil(fee.0, percent, 100).unwrap_or(u64::MAX);
    Token(fee.0.saturating_add(more.max(1)))
}
