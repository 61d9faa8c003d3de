//! A small world for tests: a real ledger in memory with one network of rain gauges, their keys, and a verifier's parts around it.

pub mod several;

use crate::chain::local::LocalChain;
use crate::chain::{Chain, ChainView};
use crate::collector::{Collector, Settings};
use crate::disk::SimulatedDisk;
use crate::epochs::{self, Advanced, Epochs};
use crate::intake::Windows;
use crate::meters::{self, MeterEntry, MeterRecord};
use crate::objects::Memory;
use crate::peers::Nobody;
use crate::price::{FixedPrice, PriceFeed};
use crate::submit::Submitter;
use cairn_ledger::account::Rule;
use cairn_ledger::economics::{Parameters, Step};
use cairn_ledger::genesis::{Allocation, Fees, GenesisIssuer, GenesisVerifier, Limits};
use cairn_ledger::tx::buy_credits::{BuyCredits, Payment};
use cairn_ledger::tx::create_network::CreateNetwork;
use cairn_ledger::tx::join_network::JoinNetwork;
use cairn_ledger::tx::leave_network::LeaveNetwork;
use cairn_ledger::tx::open_account::OpenAccount;
use cairn_ledger::tx::open_order::{OpenOrder, order_id};
use cairn_ledger::tx::register_device::RegisterDevice;
use cairn_ledger::tx::set_payout_choice::SetPayoutChoice;
use cairn_ledger::tx::settle_order::Voucher;
use cairn_ledger::{Body, Genesis, Signed};
use cairn_types::{
    BasisPoints, CellId, ChainId, Credit, Envelope, EpochClock, EpochNumber, Hash, MicroUsd, NetworkId, OrderId, Price,
    Report, SecretKey, TimeMs, Token, codec,
};
use cairn_verticals::Vertical;
use cairn_verticals::kit::{Cast, Reading};
use cairn_verticals::sensors::{Sensors, cast, report};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const START: TimeMs = TimeMs(1_500_076_800_000);
pub const HOUR: u64 = 3_600_000;
pub const WHOLE: u64 = 1_000_000;
pub static SENSORS: Sensors = Sensors;

pub const CLOCK: EpochClock = EpochClock {
    genesis: START,
    epoch_ms: HOUR,
};
pub const WINDOWS: Windows = Windows {
    ahead_ms_max: 600_000,
    grace_ms: 300_000,
};

/// Keys by role.
pub fn key(role: u8) -> SecretKey {
    SecretKey::ed25519([role; 32])
}

pub const FOUNDER: u8 = 201;
pub const VERIFIER: u8 = 202;
pub const PROVIDER: u8 = 203;
pub const CUSTOMER: u8 = 204;
/// Verifiers of a world of several.
pub const THREE: [u8; 3] = [VERIFIER, 205, 206];
pub const FOUR: [u8; 4] = [VERIFIER, 205, 206, 207];

pub fn account(role: u8) -> Submitter {
    Submitter::single(key(role))
}

pub fn genesis() -> Genesis {
    genesis_of(&[(VERIFIER, 10_000)])
}

/// With verifiers of these roles and bonds in whole tokens.
pub fn genesis_of(verifiers: &[(u8, u64)]) -> Genesis {
    let mut roles = vec![FOUNDER, PROVIDER, CUSTOMER];
    roles.extend(verifiers.iter().map(|(role, _)| *role));
    let allocation = |role: &u8| Allocation {
        rule: Rule::single(key(*role).public()),
        token: Token(100_000 * WHOLE),
        stable: MicroUsd(1_000_000_000),
    };
    let bond = Token(10_000 * WHOLE);
    let bonds: u64 = verifiers.iter().map(|(_, bond)| bond * WHOLE).sum();
    let premine = Token(roles.len() as u64 * 100_000 * WHOLE + bond.0 + bonds);
    Genesis {
        chain: "verifier-test".parse().unwrap(),
        start: START,
        epoch_ms: HOUR,
        round_ms: HOUR,
        economics: Parameters::with_epochs_per_day(24, 6, Token(1_000_000_000 * WHOLE), premine),
        schedule: vec![
            Step {
                from: EpochNumber(0),
                per_epoch: Token(1_000 * WHOLE + 7),
            },
            Step {
                from: EpochNumber(10_000),
                per_epoch: Token(0),
            },
        ],
        limits: Limits {
            // Hours pass from block to block.
            gap_ms_max: 24 * HOUR,
            ..Limits::daily(6)
        },
        fees: Fees::default(),
        allocations: roles.iter().map(allocation).collect(),
        verifiers: verifiers
            .iter()
            .map(|(role, bond)| GenesisVerifier {
                account: account(*role).account,
                key: key(*role).public(),
                bond: Token(bond * WHOLE),
            })
            .collect(),
        issuers: vec![GenesisIssuer {
            account: account(FOUNDER).account,
            bond,
            limit: MicroUsd(1 << 40),
        }],
        validators: Vec::new(),
    }
}

/// The world.
pub struct World {
    pub chain: LocalChain,
    pub network: NetworkId,
    pub city: cast::City,
    pub disk: SimulatedDisk,
    pub objects: Memory,
}

impl World {
    /// A ledger with the city's gauges as members of one network, each operator with an account of its own.
    pub fn new(hours: u64) -> Self {
        Self::on(genesis(), hours)
    }

    /// The same on a ledger of other rules.
    pub fn on(genesis: Genesis, hours: u64) -> Self {
        let chain = LocalChain::start(genesis, START).unwrap();
        let id: ChainId = "verifier-test".parse().unwrap();
        let founder = account(FOUNDER);
        let create = CreateNetwork {
            name: "rain".to_owned(),
            vertical: "sensors".to_owned(),
            resolution: 8,
            parameters: SENSORS.default_params(),
            price_micro_usd: 1_000_000,
            bond: Token(1_000 * WHOLE),
            allowance: Token(0),
            treasurer: founder.account,
        };
        founder.submit(&chain, Body::CreateNetwork(create)).unwrap();
        let network = NetworkId::of(&id, &founder.account, "rain");
        let credits = BuyCredits {
            payment: Payment::Stable(MicroUsd(100_000_000)),
        };
        account(CUSTOMER).submit(&chain, Body::BuyCredits(credits)).unwrap();
        let city = cast::city(7, 12, true, hours);
        let mut operators: BTreeMap<u32, Submitter> = BTreeMap::new();
        for (at, device) in city.devices().iter().enumerate() {
            let operator = operators.entry(device.operator.0).or_insert_with(|| {
                let operator = account(100 + device.operator.0 as u8);
                open_account(&chain, &id, &operator);
                operator
            });
            join(&chain, network, operator, &device_key(at), device.cell);
        }
        let (disk, objects) = (SimulatedDisk::new(1 << 28), Memory::default());
        Self {
            chain,
            network,
            city,
            disk,
            objects,
        }
    }

    /// Registers one more device and has it join.
    pub fn join(&self, operator: &Submitter, device: &SecretKey) {
        join(&self.chain, self.network, operator, device, self.city.devices()[0].cell);
    }

    /// Has a device of the city leave: the ledger's open epoch is its last.
    pub fn leave(&self, at: usize) {
        let operator = account(100 + self.city.devices()[at].operator.0 as u8);
        let leave = LeaveNetwork {
            device: device_key(at).public().device_id(),
            network: self.network,
        };
        operator.submit(&self.chain, Body::LeaveNetwork(leave)).unwrap();
    }

    pub fn settings(&self) -> Settings {
        Settings {
            verifier: account(VERIFIER).account,
            key: key(VERIFIER),
            windows: WINDOWS,
            clock: CLOCK,
            segment_bytes: 1 << 16,
            roster_ms_min: 0,
            log_seed: [9; 32],
        }
    }

    pub fn collector(&self) -> Collector {
        self.collector_of(self.settings())
    }

    pub fn collector_of(&self, settings: Settings) -> Collector {
        self.collector_on(settings, &self.disk)
    }

    pub fn collector_on(&self, settings: Settings, disk: &SimulatedDisk) -> Collector {
        let chain: Arc<dyn ChainView> = Arc::new(self.chain.clone());
        let networks: [(NetworkId, &'static dyn Vertical, EpochNumber); 1] = [(self.network, &SENSORS, EpochNumber(0))];
        Collector::open(settings, chain, Box::new(disk.clone()), &networks).unwrap()
    }

    pub fn epochs(&self) -> Epochs {
        self.epochs_with(Some(Arc::new(FixedPrice(Price(50_000_000)))))
    }

    /// Without a feed nobody posts prices, and the exchange of tokens is halted.
    pub fn epochs_with(&self, feed: Option<Arc<dyn PriceFeed>>) -> Epochs {
        let settings = epochs::Settings {
            key: key(VERIFIER),
            submitter: account(VERIFIER),
            grace_ms: WINDOWS.grace_ms,
            shards: 3,
            remember_epochs: 2,
            addresses: Default::default(),
        };
        let chain: Arc<dyn Chain> = Arc::new(self.chain.clone());
        Epochs::open(
            settings,
            chain,
            Arc::new(self.objects.clone()),
            Arc::new(Nobody),
            feed,
            &[self.network],
        )
        .unwrap()
    }

    /// What the city sends in an hour, sealed.
    pub fn envelopes(&self, epoch: u64) -> Vec<Vec<u8>> {
        let reports = self.city.reports(EpochNumber(epoch), &CLOCK);
        reports
            .into_iter()
            .map(|sent| {
                let report = Report {
                    network: self.network,
                    time: sent.pack.time,
                    sequence: sent.sequence,
                    body: sent.pack.body,
                };
                Envelope::seal(&report, &device_key(sent.device))
            })
            .collect()
    }

    /// Takes an hour's envelopes just before its end; returns how many were accepted.
    pub fn feed(&self, collector: &mut Collector, epoch: u64) -> usize {
        let envelopes = self.envelopes(epoch);
        let slices: Vec<&[u8]> = envelopes.iter().map(Vec::as_slice).collect();
        collector.take(TimeMs(after(epoch).0 - 1), &slices).accepted
    }

    /// Opens an order of the customer with the provider.
    pub fn order(&self) -> OrderId {
        let customer = account(CUSTOMER);
        let body = Body::OpenOrder(OpenOrder {
            network: self.network,
            provider: account(PROVIDER).account,
            shape: 0,
            terms: Hash::default(),
            hold: Credit(5_000_000),
            expires: START.plus_ms(100 * HOUR),
            voucher_key: key(CUSTOMER).public(),
        });
        let nonce = self.chain.account(&customer.account).unwrap().unwrap().nonce + 1;
        let signed = transaction(&self.chain.facts().unwrap().chain, &customer, nonce, body);
        self.chain.submit(&signed).unwrap();
        order_id(&signed)
    }

    /// The provider settles so much of an order, for what has this root.
    pub fn voucher(&self, order: OrderId, credits: Credit, meters: Hash) {
        let voucher = Voucher { order, credits, meters };
        let signed = voucher.sign(&self.chain.facts().unwrap().chain, &key(CUSTOMER));
        account(PROVIDER)
            .submit(&self.chain, Body::SettleOrder(signed))
            .unwrap();
    }

    /// The customer pays for what these devices served.
    pub fn sell(&self, collector: &mut Collector, now: TimeMs, entries: Vec<MeterEntry>) {
        let order = self.order();
        let chain = self.chain.facts().unwrap().chain;
        let told = meters_by(self.network, order, entries.clone(), &chain, &account(PROVIDER));
        collector.take_meters(now, &told).unwrap();
        let paid = Credit::checked_sum(entries.iter().map(|entry| entry.credits)).unwrap();
        self.voucher(order, paid, meters::root(&entries));
    }

    /// The account of a device's operator.
    pub fn operator(&self, device: usize) -> Submitter {
        account(100 + self.city.devices()[device].operator.0 as u8)
    }

    /// The operator of a device says what it wants of its income, in basis points.
    pub fn choose(&self, device: usize, wants: Option<u16>) {
        let wants = wants.map(|part| BasisPoints::new(part).unwrap());
        let body = Body::SetPayoutChoice(SetPayoutChoice { wants });
        self.operator(device).submit(&self.chain, body).unwrap();
    }

    /// Moves the chain past an hour and its grace, then advances the verifier there.
    pub fn close(&self, epochs: &mut Epochs, collector: &mut Collector, epoch: u64) -> Advanced {
        let now = after(epoch).plus_ms(WINDOWS.grace_ms);
        self.chain.advance(now);
        epochs.advance(now, collector)
    }
}

/// The end of an hour.
pub fn after(epoch: u64) -> TimeMs {
    CLOCK.end(EpochNumber(epoch))
}

/// The key of the city's device at a place.
pub fn device_key(at: usize) -> SecretKey {
    let mut seed = [77; 32];
    seed[..8].copy_from_slice(&(at as u64).to_be_bytes());
    SecretKey::ed25519(seed)
}

/// A report of one device with one reading of rain at a time.
pub fn sealed(network: NetworkId, device: usize, time: TimeMs, sequence: u64) -> Vec<u8> {
    Envelope::seal(&plain(network, time, sequence), &device_key(device))
}

pub fn plain(network: NetworkId, time: TimeMs, sequence: u64) -> Report {
    let slot = TimeMs(time.0 - time.0 % 300_000);
    let reading = Reading {
        quantity: report::RAIN,
        time: slot,
        value: 200,
    };
    Report {
        network,
        time,
        sequence,
        body: report::encode(&[reading]).unwrap(),
    }
}

fn join(chain: &LocalChain, network: NetworkId, operator: &Submitter, device: &SecretKey, cell: CellId) {
    let register = RegisterDevice::by_device(&chain.facts().unwrap().chain, &operator.account, device);
    operator.submit(chain, Body::RegisterDevice(register)).unwrap();
    let join = JoinNetwork {
        device: device.public().device_id(),
        network,
        cell,
    };
    operator.submit(chain, Body::JoinNetwork(join)).unwrap();
}

fn open_account(chain: &dyn Chain, id: &ChainId, account: &Submitter) {
    let signed = transaction(id, account, 1, Body::OpenAccount(OpenAccount {}));
    chain.submit(&signed).unwrap();
}

fn transaction(chain: &ChainId, account: &Submitter, nonce: u64, body: Body) -> Signed {
    let transaction = cairn_ledger::Transaction {
        chain: chain.clone(),
        account: account.account,
        nonce,
        fee_max: Token::ZERO,
        sponsor: None,
        body,
    };
    transaction.sign_by(&account.rule, &account.keys)
}

/// What was delivered for an order, as a provider says it.
pub fn meters_by(
    network: NetworkId,
    order: OrderId,
    entries: Vec<MeterEntry>,
    chain: &ChainId,
    signer: &Submitter,
) -> Vec<u8> {
    let record = MeterRecord {
        network,
        order,
        entries,
    };
    codec::encode(&record.sign_by(chain, &signer.rule, &signer.keys))
}
