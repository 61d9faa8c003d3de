//! A small chain in memory for tests: named accounts, devices, networks and orders; every step loads records only after a
//! `Missing`, as the engine does, and every step ends with the invariants.
#![allow(dead_code)] // each test binary uses a part of it

pub mod follower;
pub mod words;

use cairn_ledger::account::{Rule, Witness};
use cairn_ledger::economics::{Parameters, Schedule};
use cairn_ledger::genesis::{Allocation, Fees, GenesisIssuer, GenesisValidator, GenesisVerifier, Limits};
use cairn_ledger::tx::{Body, Signed, Sponsor, Transaction};
use cairn_ledger::*;
use cairn_types::passkey::SoftPasskey;
use cairn_types::*;
use std::collections::{BTreeMap, BTreeSet};

pub const HOUR_MS: u64 = 3_600_000;
pub const START: TimeMs = TimeMs(1_500_076_800_000);
/// Calls of one step until everything it reads is loaded.
const ROUNDS_MAX: u32 = 24;

pub struct World {
    pub ledger: Ledger,
    pub store: MemoryStore,
    pub block: Block,
    /// Knows nothing but genesis and events.
    pub follower: follower::Follower,
    /// Rules in force of named accounts that are not single keys of their name, and the names of their keys.
    pub rules: BTreeMap<String, (AccountId, Rule, Vec<String>)>,
    pub orders: BTreeMap<String, OrderId>,
    /// Leaves attested in a settlement, by network and epoch.
    pub leaves: BTreeMap<(NetworkId, u64), Vec<PayoutLeaf>>,
    pub choices: BTreeMap<(NetworkId, u64), Vec<Option<BasisPoints>>>,
}

/// Answers only what was asked for before, as a store that loads between calls.
struct Loading<'a> {
    below: &'a mut MemoryStore,
    loaded: BTreeSet<Key>,
    asked: Vec<Key>,
}

impl Store for Loading<'_> {
    fn get(&mut self, key: &Key) -> Result<Option<Vec<u8>>, Missing> {
        if self.loaded.contains(key) {
            return self.below.get(key);
        }
        self.asked.push(*key);
        Err(Missing(*key))
    }
    fn put(&mut self, key: Key, value: Vec<u8>) {
        assert!(value.len() <= store::VALUE_BYTES_MAX);
        self.below.put(key, value);
    }
    fn delete(&mut self, key: &Key) {
        self.below.delete(key);
    }
}

/// Calls until nothing is missing, and asserts that a call that stopped wrote nothing.
pub fn load_and_call<T>(
    store: &mut MemoryStore,
    first: Vec<Key>,
    mut call: impl FnMut(&mut dyn Store) -> Result<T, Missing>,
) -> T {
    let mut loading = Loading {
        below: store,
        loaded: first.into_iter().collect(),
        asked: Vec::new(),
    };
    for _ in 0..ROUNDS_MAX {
        let before = loading.below.clone();
        match call(&mut loading) {
            Ok(done) => return done,
            Err(missing) => {
                assert!(loading.asked.contains(&missing.0));
                assert_eq!(*loading.below, before, "a stopped call writes nothing");
                loading.loaded.extend(loading.asked.drain(..));
            }
        }
    }
    panic!("more than {ROUNDS_MAX} rounds of loading");
}

/// The key of a name that signs bytes as they are.
pub fn secret(name: &str) -> SecretKey {
    if name.starts_with("p256") {
        SecretKey::p256(seed(name)).expect("a scalar")
    } else {
        SecretKey::ed25519(seed(name))
    }
}

fn seed(name: &str) -> [u8; 32] {
    hash::domain("test", &[name.as_bytes()]).0
}

pub fn passkey(name: &str) -> SoftPasskey {
    SoftPasskey::new(seed(name)).expect("a scalar")
}

pub fn public(name: &str) -> PublicKey {
    match name.starts_with("passkey") {
        true => passkey(name).public(),
        false => secret(name).public(),
    }
}

pub fn rule(name: &str) -> Rule {
    Rule::single(public(name))
}

/// By those of these names whose keys the rule has.
pub fn witness(rule: &Rule, message: &[u8], names: &[String]) -> Witness {
    rule.witness_by(|key| {
        let name = names.iter().find(|name| public(name) == *key)?;
        Some(match key.is_passkey() {
            true => {
                let (signature, assertion) = passkey(name).sign(message);
                (signature, Some(assertion))
            }
            false => (secret(name).sign(message), None),
        })
    })
}

pub fn id(name: &str) -> AccountId {
    rule(name).account_id()
}

pub fn verifier_key(name: &str) -> SecretKey {
    secret(&format!("{name}'s verifier"))
}

pub fn voucher_key(name: &str) -> SecretKey {
    secret(&format!("{name}'s vouchers"))
}

/// Cell `n` of a neighbourhood at resolution 8.
pub fn cell(n: usize) -> CellId {
    let centre: CellId = "881969c9b7fffff".parse().expect("a cell");
    let disk = centre.disk(5);
    disk[n % disk.len()]
}

pub fn validator_key(n: usize) -> ValidatorKey {
    ValidatorKey(hash::domain("test/validator", &[&n.to_be_bytes()]).0)
}

pub fn genesis_validator(name: &str, n: usize) -> GenesisValidator {
    GenesisValidator {
        account: id(name),
        key: validator_key(n),
        address: format!("{name}.example:{}", 9_000 + n),
    }
}

pub fn chain() -> ChainId {
    "test".parse().expect("plain")
}

/// A million whole tokens for everybody, one verifier or several, an issuer, hourly epochs, a hundred thousand tokens emitted each.
pub fn genesis(verifiers: &[(&str, u64)], fees: Fees) -> Genesis {
    let named = ["alice", "bob", "carol", "dave", "ivan"];
    let mut allocations: Vec<Allocation> = named
        .iter()
        .map(|name| Allocation {
            rule: rule(name),
            token: Token(1_000_000_000_000),
            stable: MicroUsd::ZERO,
        })
        .collect();
    allocations.extend(verifiers.iter().map(|(name, _)| Allocation {
        rule: rule(name),
        token: Token(1_000_000_000),
        stable: MicroUsd::ZERO,
    }));
    let issuers = ["ivan", "dave"].map(|name| GenesisIssuer {
        account: id(name),
        bond: Token(5_000_000_000),
        limit: MicroUsd(1_000_000_000_000),
    });
    let issuers = issuers.to_vec();
    let verifiers: Vec<GenesisVerifier> = verifiers
        .iter()
        .map(|(name, bond)| GenesisVerifier {
            account: id(name),
            key: verifier_key(name).public(),
            bond: Token(*bond),
        })
        .collect();
    let premine: u64 = allocations.iter().map(|a| a.token.0).sum::<u64>()
        + verifiers.iter().map(|v| v.bond.0).sum::<u64>()
        + issuers.iter().map(|i| i.bond.0).sum::<u64>();
    let schedule = Schedule::yearly(EpochNumber(0), 8_760, &[Token(876_000_000_000_000)]).expect("a schedule");
    Genesis {
        chain: chain(),
        start: START,
        epoch_ms: HOUR_MS,
        round_ms: HOUR_MS,
        economics: Parameters::daily(6, Token(1_000_000_000_000_000), Token(premine)),
        schedule: schedule.steps().to_vec(),
        limits: Limits {
            network_bond_min: Token(1_000_000),
            verifier_bond_min: Token(1_000_000),
            unbond_epochs: 3,
            settle_epochs: 4,
            beacon_blocks: 1,
            anchor_window_ms: HOUR_MS / 2,
            window_blocks: 2,
            bar_epochs: 2,
            score_half_epochs: 4,
            committee_blocks: 1_024,
            // Hours pass from block to block; who tests halts sets it.
            gap_ms_max: 1_000 * HOUR_MS,
            stall_ms: 0,
            dispute_bond: Token(1_000_001),
            ..Limits::daily(6)
        },
        fees,
        allocations,
        verifiers,
        issuers,
        validators: Vec::new(),
    }
}

pub fn all_fees() -> Fees {
    Fees {
        base: Token(10),
        open_account: Token(100),
        register_device: Token(200),
        join_network: Token(300),
        move_device: Token(400),
        create_network: Token(5_000),
        parameter_page: Token(50),
    }
}

impl World {
    pub fn new(genesis: Genesis) -> Self {
        let follower = follower::Follower::new(&genesis);
        let ledger = Ledger::new(genesis).expect("a genesis that holds");
        let mut world = Self {
            ledger,
            store: MemoryStore::default(),
            block: Block {
                height: 0,
                time: START,
                beacon: None,
            },
            follower,
            rules: BTreeMap::new(),
            orders: BTreeMap::new(),
            leaves: BTreeMap::new(),
            choices: BTreeMap::new(),
        };
        world.advance(0);
        world
    }

    /// Begins the next block, later by so many milliseconds.
    pub fn advance(&mut self, ms: u64) -> Vec<Event> {
        let height = self.block.height + 1;
        let beacon = (height > 1).then(|| hash::domain("test/beacon", &[&height.to_be_bytes()]));
        self.block = Block {
            height,
            time: self.block.time.plus_ms(ms),
            beacon,
        };
        let mut events = Vec::new();
        let (ledger, block) = (&self.ledger, &self.block);
        load_and_call(&mut self.store, Vec::new(), |store| {
            ledger.begin_block(store, block, &mut events)
        });
        self.hear(&events);
        self.check();
        events
    }

    /// Events tell what every account holds.
    fn hear(&mut self, events: &[Event]) {
        events.iter().for_each(|event| self.follower.hear(event));
        let differences = self.follower.differences(&self.store);
        assert!(
            differences.is_empty(),
            "heard and held: {differences:#?} after {events:#?}"
        );
    }

    pub fn check(&self) {
        let violations = invariants::check(&self.store, self.ledger.genesis());
        assert!(violations.is_empty(), "{violations:#?}");
    }

    pub fn nonce(&mut self, account: &AccountId) -> u64 {
        view::account(&mut self.store, account)
            .expect("memory")
            .map_or(1, |account| account.nonce + 1)
    }

    pub fn transaction(&mut self, name: &str, body: Body) -> Transaction {
        let account = self.account_id(name);
        let nonce = self.nonce(&account);
        Transaction {
            chain: chain(),
            account,
            nonce,
            fee_max: Token(1_000_000),
            sponsor: None,
            body,
        }
    }

    pub fn account_id(&self, name: &str) -> AccountId {
        self.rules.get(name).map_or_else(|| id(name), |(id, _, _)| *id)
    }

    pub fn sign(&self, name: &str, transaction: Transaction) -> Signed {
        let message = transaction.id().0;
        let witness = match self.rules.get(name) {
            Some((_, rule, names)) => witness(rule, &message, names),
            None => witness(&rule(name), &message, &[name.to_owned()]),
        };
        Signed {
            transaction,
            witness,
            sponsor: None,
        }
    }

    pub fn with_sponsor(&mut self, name: &str, body: Body, sponsor: &str) -> Result<Vec<Event>, Reject> {
        let mut transaction = self.transaction(name, body);
        transaction.sponsor = Some(Sponsor::Account(self.account_id(sponsor)));
        let signed = self
            .sign(name, transaction)
            .sponsored_by(&rule(sponsor), &[secret(sponsor)]);
        self.submit(&signed)
    }

    /// Signs and submits; the events of an accepted transaction.
    pub fn act(&mut self, name: &str, body: Body) -> Result<Vec<Event>, Reject> {
        let transaction = self.transaction(name, body);
        let signed = self.sign(name, transaction);
        self.submit(&signed)
    }

    /// Through check and apply, as a node does it.
    pub fn submit(&mut self, signed: &Signed) -> Result<Vec<Event>, Reject> {
        let bytes = signed.bytes();
        let signed = check(&[&bytes]).pop().expect("one answer")?;
        let before = self.store.clone();
        let (ledger, block) = (&self.ledger, &self.block);
        let mut events = Vec::new();
        let answer = load_and_call(&mut self.store, reads(&signed), |store| {
            ledger.apply(store, block, &signed, &mut events)
        });
        if let Err(reject) = answer {
            assert_eq!(self.store, before, "a refusal changes nothing");
            assert!(events.is_empty(), "a refusal announces nothing");
            return Err(reject);
        }
        self.hear(&events);
        self.check();
        Ok(events)
    }

    pub fn account(&mut self, name: &str) -> records::Account {
        let id = self.account_id(name);
        view::account(&mut self.store, &id)
            .expect("memory")
            .expect("an account")
    }

    pub fn open_epoch(&mut self) -> u64 {
        view::chain(&mut self.store).expect("memory").expect("block 1").epoch.0
    }

    /// A record as it stands.
    pub fn record<R: tables::Record>(&self, id: &R::Id) -> Option<R> {
        self.store.record(&R::key(id)).map(tables::decode)
    }

    /// A result of one epoch over these leaves, of what is anchored, on the one before.
    pub fn result(&self, network: NetworkId, epoch: u64, leaves: &[PayoutLeaf]) -> EpochResult {
        let totals = leaves
            .iter()
            .try_fold(attestation::Totals::default(), |sum, leaf| sum.plus(leaf))
            .expect("small");
        let anchors: Option<records::Anchors> = self.record(&(network, EpochNumber(epoch)));
        let before = epoch.checked_sub(1).map(EpochNumber);
        let before: Option<records::Settlement> = before.and_then(|before| self.record(&(network, before)));
        EpochResult {
            chain: chain(),
            network,
            epoch: EpochNumber(epoch),
            inputs: Hash([1; 32]),
            archive: Hash([2; 32]),
            findings: Hash([3; 32]),
            memory: Hash([4; 32]),
            payouts: merkle::root(leaves.iter().map(PayoutLeaf::hash).collect()),
            leaves: leaves.len() as u32,
            totals,
            anchors: anchors.map(|book| book.digest).unwrap_or_default(),
            previous: before.map(|settlement| settlement.result).unwrap_or_default(),
            without: Vec::new(),
        }
    }

    /// Signed by these verifiers.
    pub fn attest(&self, result: EpochResult, verifiers: &[&str]) -> Attestation {
        let mut signatures: Vec<_> = verifiers
            .iter()
            .map(|name| (id(name), result.sign(&verifier_key(name))))
            .collect();
        signatures.sort_by_key(|(id, _)| *id);
        Attestation { result, signatures }
    }
}
