//! Large worlds made by writing records directly, for benches and tests of other crates. Never part of a running chain.
//!
//! ```text
//! City::new() ─▶ write_operators(100_000) ─▶ write_devices(1_000_000) ─▶ close_epoch() ─▶ leaves() ─▶ settlement() ─▶ chunks()
//! ```

use crate::account::Rule;
use crate::economics::{Parameters, Schedule, divide};
use crate::genesis::{Allocation, Fees, Genesis, GenesisIssuer, GenesisVerifier, Limits};
use crate::records::*;
use crate::tx::{Body, Signed, Transaction, create_network, pay, settle_epoch};
use crate::{Block, Event, Ledger, MemoryStore, Store, check, tables, view};
use cairn_types::attestation::Totals;
use cairn_types::*;

const HOUR_MS: u64 = 3_600_000;
const NETWORK: &str = "city";

/// A chain with one network and one verifier, at some block.
pub struct City {
    pub ledger: Ledger,
    pub store: MemoryStore,
    pub block: Block,
    pub network: NetworkId,
}

/// The secret of the `n`-th account: 0 founds the network, 1 verifies, 2 issues stablecoin, operators follow.
pub fn secret(n: u32) -> SecretKey {
    SecretKey::ed25519(hash::domain("fixture/account", &[&n.to_be_bytes()]).0)
}

/// The account that `secret(n)` opens.
pub fn account(n: u32) -> AccountId {
    Rule::single(secret(n).public()).account_id()
}

/// The first operator's number.
pub const OPERATORS_FROM: u32 = 3;

/// Hourly epochs, no fees, a million whole tokens for each of the first three accounts.
pub fn genesis() -> Genesis {
    let whole = 1_000_000;
    let rich = Token(1_000_000 * whole);
    let bond = Token(10_000 * whole);
    let allocations: Vec<Allocation> = (0..OPERATORS_FROM)
        .map(|n| Allocation {
            rule: Rule::single(secret(n).public()),
            token: rich,
            stable: MicroUsd::ZERO,
        })
        .collect();
    let premine = Token(3 * rich.0 + 2 * bond.0);
    let schedule = Schedule::yearly(EpochNumber(0), 8_760, &[Token(87_600_000 * whole)]).expect("a schedule");
    Genesis {
        chain: "fixture".parse().expect("plain"),
        start: TimeMs(1_700_000_000_000),
        epoch_ms: HOUR_MS,
        round_ms: HOUR_MS,
        economics: Parameters::daily(6, Token(1_000_000_000 * whole), premine),
        schedule: schedule.steps().to_vec(),
        limits: Limits {
            beacon_blocks: 1,
            ..Limits::daily(6)
        },
        fees: Fees::default(),
        allocations,
        verifiers: vec![GenesisVerifier {
            account: account(1),
            key: secret(1).public(),
            bond,
        }],
        issuers: vec![GenesisIssuer {
            account: account(2),
            bond,
            limit: MicroUsd(1 << 50),
        }],
        validators: Vec::new(),
    }
}

impl City {
    /// A chain at block 1 with an empty network.
    pub fn new() -> Self {
        let genesis = genesis();
        let time = genesis.start;
        let ledger = Ledger::new(genesis).expect("a genesis that holds");
        let network = NetworkId::of(&ledger.genesis().chain, &account(0), NETWORK);
        let block = Block {
            height: 0,
            time,
            beacon: None,
        };
        let mut city = Self {
            ledger,
            store: MemoryStore::default(),
            block,
            network,
        };
        city.advance(0);
        let body = Body::CreateNetwork(create_network::CreateNetwork {
            name: NETWORK.to_owned(),
            vertical: "any".to_owned(),
            resolution: 8,
            parameters: Vec::new(),
            price_micro_usd: 1,
            bond: Token(1_000_000_000),
            allowance: Token::ZERO,
            treasurer: account(0),
        });
        let signed = city.sign(0, 1, body);
        city.submit(&signed);
        city
    }

    /// The next block, later by so many milliseconds.
    pub fn advance(&mut self, ms: u64) -> Vec<Event> {
        let height = self.block.height + 1;
        let beacon = Some(hash::domain("fixture/beacon", &[&height.to_be_bytes()]));
        self.block = Block {
            height,
            time: self.block.time.plus_ms(ms),
            beacon,
        };
        let mut events = Vec::new();
        self.ledger
            .begin_block(&mut self.store, &self.block, &mut events)
            .expect("all in memory");
        events
    }

    /// A transaction of the `n`-th account, signed.
    pub fn sign(&self, n: u32, nonce: u64, body: Body) -> Signed {
        let chain = self.ledger.genesis().chain.clone();
        let transaction = Transaction {
            chain,
            account: account(n),
            nonce,
            fee_max: Token::ZERO,
            sponsor: None,
            body,
        };
        transaction.sign(&secret(n))
    }

    /// Through check and apply; panics on a refusal.
    pub fn submit(&mut self, signed: &Signed) -> Vec<Event> {
        let signed = check(&[&signed.bytes()])
            .pop()
            .expect("one answer")
            .expect("well formed and signed");
        let mut events = Vec::new();
        let answer = self
            .ledger
            .apply(&mut self.store, &self.block, &signed, &mut events)
            .expect("all in memory");
        answer.expect("accepted");
        events
    }

    /// So many more accounts with real keys; returns the number of the first.
    pub fn write_operators(&mut self, count: u32) -> u32 {
        let mut chain = view::chain(&mut self.store).expect("memory").expect("block 1");
        let first = chain.accounts;
        for n in first..first + count {
            let rule = Rule::single(secret(n).public());
            let id = rule.account_id();
            put(&mut self.store, &id, &Account::new(AccountNumber(n), rule.hash()));
            put(&mut self.store, &AccountNumber(n), &AccountIndex { id });
        }
        chain.accounts += count;
        put(&mut self.store, &(), &chain);
        first
    }

    /// So many more devices in the network, owned by the operators in turn; their keys are made up.
    pub fn write_devices(&mut self, count: u32) {
        let mut chain = view::chain(&mut self.store).expect("memory").expect("block 1");
        let mut network = view::network(&mut self.store, &self.network)
            .expect("memory")
            .expect("created");
        let operators: Vec<AccountId> = (OPERATORS_FROM..chain.accounts)
            .filter_map(|n| view::record::<AccountIndex>(&mut self.store, &AccountNumber(n)).expect("memory"))
            .map(|index| index.id)
            .collect();
        let centre: CellId = "881969c9b7fffff".parse().expect("a cell");
        let cells = centre.disk(30);
        for number in chain.devices..chain.devices + count {
            let key = PublicKey::Ed25519(hash::domain("fixture/device", &[&number.to_be_bytes()]).0);
            let (id, place) = (key.device_id(), number as usize % operators.len());
            let owner_number = AccountNumber(OPERATORS_FROM + place as u32);
            let device = Device {
                number: DeviceNumber(number),
                key,
                owner: operators[place],
                owner_number,
                registered: chain.epoch,
                retired: None,
                networks: vec![network.number],
                barred: None,
                bars: 0,
            };
            let stay = RosterEntry {
                device: device.number,
                id,
                operator: owner_number,
                cell: cells[number as usize % cells.len()],
                joined: chain.epoch,
                left: None,
            };
            put(&mut self.store, &id, &device);
            put(&mut self.store, &device.number, &DeviceIndex { id });
            put(&mut self.store, &(self.network, network.roster), &stay);
            put(
                &mut self.store,
                &(id, self.network),
                &Membership { entry: network.roster },
            );
            network.roster += 1;
        }
        chain.devices += count;
        put(&mut self.store, &(), &chain);
        put(&mut self.store, &self.network, &network);
    }

    /// Closes the open epoch, reveals its beacon and anchors it; returns its number.
    pub fn close_epoch(&mut self) -> EpochNumber {
        let open = view::chain(&mut self.store).expect("memory").expect("block 1").epoch;
        self.advance(HOUR_MS);
        self.advance(1);
        self.anchor(open);
        open
    }

    /// The availability pool of a closed epoch, divided among all operators.
    pub fn leaves(&mut self, epoch: EpochNumber) -> Vec<PayoutLeaf> {
        let accounts = view::chain(&mut self.store).expect("memory").expect("block 1").accounts;
        let pool = view::pool(&mut self.store, &self.network, epoch)
            .expect("memory")
            .expect("closed");
        let units: Vec<u64> = (OPERATORS_FROM..accounts)
            .map(|n| 1_000_000 + u64::from(n % 1_000))
            .collect();
        let shares = divide(pool.availability.0, &units).expect("everybody has weight");
        let leaf = |(n, (units, share)): (u32, (u64, u64))| PayoutLeaf {
            operator: AccountNumber(n),
            units,
            availability: Token(share),
            usage: Token::ZERO,
            cash: MicroUsd::ZERO,
            customers_paid: Credit::ZERO,
        };
        (OPERATORS_FROM..)
            .zip(units.into_iter().zip(shares))
            .map(leaf)
            .collect()
    }

    /// The only verifier there is anchors one report of an epoch.
    fn anchor(&mut self, epoch: EpochNumber) {
        let anchor = Anchor {
            verifier: account(1),
            root: merkle::root(vec![merkle::leaf(&[0; 32])]),
            count: 1,
            reports_hash: Hash::default(),
        };
        let (at, network) = ((self.network, epoch), self.network);
        let book = Anchors::default().with(&anchor, true).expect("the first one");
        put(&mut self.store, &at, &book);
        put(&mut self.store, &(network, epoch, 0u16), &anchor);
        put(
            &mut self.store,
            &(network, epoch, AccountNumber(1)),
            &AnchorPlace { place: 0 },
        );
    }

    fn record<R: tables::Record>(&self, id: &R::Id) -> Option<R> {
        self.store.record(&R::key(id)).map(tables::decode)
    }

    /// The verifier's settlement of an epoch over these leaves.
    pub fn settlement(&self, epoch: EpochNumber, leaves: &[PayoutLeaf], nonce: u64) -> Signed {
        let totals = leaves
            .iter()
            .try_fold(Totals::default(), |sum, leaf| sum.plus(leaf))
            .expect("within the pool");
        let anchors: Option<Anchors> = self.record(&(self.network, epoch));
        let before = epoch.0.checked_sub(1).map(EpochNumber);
        let before: Option<Settlement> = before.and_then(|before| self.record(&(self.network, before)));
        let result = EpochResult {
            chain: self.ledger.genesis().chain.clone(),
            network: self.network,
            epoch,
            inputs: Hash::default(),
            archive: Hash::default(),
            findings: Hash::default(),
            memory: Hash::default(),
            payouts: merkle::root(leaves.iter().map(PayoutLeaf::hash).collect()),
            leaves: u32::try_from(leaves.len()).expect("numbers have 32 bits"),
            totals,
            anchors: anchors.map(|book| book.digest).unwrap_or_default(),
            previous: before.map(|settlement| settlement.result).unwrap_or_default(),
            without: Vec::new(),
        };
        let signatures = vec![(account(1), result.sign(&secret(1)))];
        let attestation = Attestation { result, signatures };
        self.sign(
            1,
            nonce,
            Body::SettleEpoch(settle_epoch::SettleEpoch {
                attestation,
                exchange: None,
            }),
        )
    }

    /// All payments of an epoch in order, by the verifier, with nonces from `nonce` on.
    pub fn chunks(&self, epoch: EpochNumber, leaves: &[PayoutLeaf], nonce: u64) -> Vec<Signed> {
        let tree = merkle::Tree::new(leaves.iter().map(PayoutLeaf::hash).collect());
        let chunks = leaves.chunks(pay::PAY_LEAVES_MAX).zip(nonce..);
        let mut start = 0;
        chunks
            .map(|(leaves, nonce)| {
                let end = start + leaves.len() as u64;
                let proof = tree.prove(start, end).expect("a chunk");
                start = end;
                let network = self.network;
                self.sign(
                    1,
                    nonce,
                    Body::Pay(pay::Pay {
                        network,
                        epoch,
                        leaves: leaves.to_vec(),
                        proof,
                        choices: None,
                    }),
                )
            })
            .collect()
    }
}

impl Default for City {
    fn default() -> Self {
        Self::new()
    }
}

fn put<R: tables::Record>(store: &mut dyn Store, id: &R::Id, record: &R) {
    tables::insert(store, id, record);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invariants;

    #[test]
    fn a_city_settles_and_pays_to_the_last_unit() {
        let mut city = City::new();
        city.write_operators(1_500);
        city.write_devices(3_000);
        let epoch = city.close_epoch();
        let leaves = city.leaves(epoch);
        city.submit(&city.settlement(epoch, &leaves, 1));
        let chunks = city.chunks(epoch, &leaves, 2);
        assert_eq!(chunks.len(), 2);
        for chunk in chunks {
            assert!(
                chunk.bytes().len() <= crate::tx::TX_BYTES_MAX,
                "{}",
                chunk.bytes().len()
            );
            city.submit(&chunk);
        }
        let pool = view::pool(&mut city.store, &city.network, epoch)
            .expect("memory")
            .expect("closed");
        assert_eq!(pool.state, PoolState::Paid);
        assert_eq!(invariants::check(&city.store, city.ledger.genesis()), []);
        let members = view::members(&mut city.store, &city.network, epoch, pool.roster).expect("memory");
        assert_eq!(members.len(), 3_000);
    }

    #[test]
    fn closing_an_epoch_reads_as_much_with_many_devices_as_with_none() {
        /// Counts what a block reads and writes.
        struct Counting(MemoryStore, u32, u32);
        impl Store for Counting {
            fn get(&mut self, key: &crate::Key) -> Result<Option<Vec<u8>>, crate::Missing> {
                self.1 += 1;
                self.0.get(key)
            }
            fn put(&mut self, key: crate::Key, value: Vec<u8>) {
                self.2 += 1;
                self.0.put(key, value);
            }
            fn delete(&mut self, key: &crate::Key) {
                self.2 += 1;
                self.0.delete(key);
            }
        }
        let cost = |devices: u32| {
            let mut city = City::new();
            city.write_operators(20);
            city.write_devices(devices);
            let mut store = Counting(city.store.clone(), 0, 0);
            let block = Block {
                height: 2,
                time: city.block.time.plus_ms(HOUR_MS),
                beacon: None,
            };
            city.ledger
                .begin_block(&mut store, &block, &mut Vec::new())
                .expect("memory");
            (store.1, store.2)
        };
        assert_eq!(cost(0), cost(2_000));
    }
}
