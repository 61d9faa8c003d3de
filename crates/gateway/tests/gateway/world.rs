//! A small world: a ledger with one network of rain gauges, a verifier that judged some hours of a made city, a customer with
//! credits. Whatever the gateway does to the outside can be cut off after any number of effects.

use cairn_gateway::customer::{self, Agreed};
use cairn_gateway::export::Format;
use cairn_gateway::faces::{PurchaseRequest, QuoteFace};
use cairn_gateway::gateway::Delivery;
use cairn_gateway::ledger::{Facts, Head, Ledger, LedgerError, NetworkNow};
use cairn_gateway::limits::Limits;
use cairn_gateway::meters::{MeterPostError, Meters};
use cairn_gateway::query::Query;
use cairn_gateway::treasurer::Identity;
use cairn_gateway::{Gateway, Refusal};
use cairn_ledger::account::Rule;
use cairn_ledger::economics::{Parameters, Step};
use cairn_ledger::genesis::{self, Allocation, Fees, GenesisIssuer, GenesisValidator, GenesisVerifier};
use cairn_ledger::records::{Account, Order, Settlement};
use cairn_ledger::tx::Signed;
use cairn_ledger::tx::buy_credits::{BuyCredits, Payment};
use cairn_ledger::tx::create_network::CreateNetwork;
use cairn_ledger::tx::join_network::JoinNetwork;
use cairn_ledger::tx::open_account::OpenAccount;
use cairn_ledger::tx::open_order::{OpenOrder, order_id};
use cairn_ledger::tx::register_device::RegisterDevice;
use cairn_ledger::{Body, Genesis, Transaction};
use cairn_types::{
    AccountId, Credit, Envelope, EpochClock, EpochNumber, MicroUsd, NetworkId, OrderId, Price, Report, SecretKey,
    TimeMs, Token, ValidatorKey, codec,
};
use cairn_verifier::chain::local::LocalChain;
use cairn_verifier::chain::{Chain, ChainView};
use cairn_verifier::collector::{self, Collector};
use cairn_verifier::disk::SimulatedDisk;
use cairn_verifier::epochs::{self, Epochs};
use cairn_verifier::intake::Windows;
use cairn_verifier::meters::{MeterError, SignedMeters};
use cairn_verifier::objects::Memory;
use cairn_verifier::peers::Nobody;
use cairn_verifier::price::FixedPrice;
use cairn_verifier::submit::{self, Submitter};
use cairn_verticals::kit::{Cast, Vertical};
use cairn_verticals::sensors::cast;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

pub const START: TimeMs = TimeMs(1_500_076_800_000);
pub const HOUR: u64 = 3_600_000;
/// How long an order lives.
pub const ORDER_MS: u64 = 10 * HOUR;
/// What counts of a gap between blocks.
pub const MINUTE: u64 = 60_000;
const WHOLE: u64 = 1_000_000;
const CHAIN: &str = "gateway-test";
const CLOCK: EpochClock = EpochClock {
    genesis: START,
    epoch_ms: HOUR,
};
const WINDOWS: Windows = Windows {
    ahead_ms_max: 600_000,
    grace_ms: 300_000,
};

const FOUNDER: u8 = 201;
pub const VERIFIER: u8 = 202;
pub const PROVIDER: u8 = 203;
pub const CUSTOMER: u8 = 204;
pub const POOR: u8 = 205;
/// Signs vouchers.
pub const VOUCHERS: u8 = 206;
/// The only one: its vote decides a dispute.
pub const VALIDATOR: u8 = 207;

pub fn key(role: u8) -> SecretKey {
    SecretKey::ed25519([role; 32])
}

pub fn account(role: u8) -> AccountId {
    Submitter::single(key(role)).account
}

fn vertical() -> &'static dyn Vertical {
    cairn_verticals::by_name("sensors").unwrap()
}

fn genesis(dispute_window_ms: u64) -> Genesis {
    let roles = [FOUNDER, VERIFIER, PROVIDER, CUSTOMER, POOR, VALIDATOR];
    let allocation = |role: &u8| Allocation {
        rule: Rule::single(key(*role).public()),
        token: Token(100_000 * WHOLE),
        stable: MicroUsd(1_000_000_000),
    };
    let bond = Token(10_000 * WHOLE);
    let premine = Token(roles.len() as u64 * 100_000 * WHOLE + 2 * bond.0);
    let step = |from, per_epoch| Step {
        from: EpochNumber(from),
        per_epoch: Token(per_epoch),
    };
    Genesis {
        chain: CHAIN.parse().unwrap(),
        start: START,
        epoch_ms: HOUR,
        round_ms: HOUR,
        economics: Parameters::with_epochs_per_day(24, 6, Token(1_000_000_000 * WHOLE), premine),
        schedule: vec![step(0, 1_000 * WHOLE), step(10_000, 0)],
        limits: genesis::Limits {
            dispute_window_ms,
            ..genesis::Limits::daily(6)
        },
        fees: Fees {
            base: Token(10),
            ..Fees::default()
        },
        allocations: roles.iter().map(allocation).collect(),
        verifiers: vec![GenesisVerifier {
            account: account(VERIFIER),
            key: key(VERIFIER).public(),
            bond,
        }],
        issuers: vec![GenesisIssuer {
            account: account(FOUNDER),
            bond,
            limit: MicroUsd(1 << 40),
        }],
        validators: vec![GenesisValidator {
            account: account(VALIDATOR),
            key: ValidatorKey([VALIDATOR; 32]),
            address: "127.0.0.1:1".to_owned(),
        }],
    }
}

/// How the world ends for whoever acts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The effect that was cut off never happened.
    Before,
    /// It happened, and nobody heard of it.
    After,
}

/// Effects that are still possible; `None`: all.
#[derive(Clone, Default)]
pub struct Cut(Arc<Mutex<Option<(u32, End)>>>);

impl Cut {
    pub fn after(&self, effects: u32, end: End) {
        *self.0.lock().unwrap() = Some((effects, end));
    }

    pub fn heal(&self) {
        *self.0.lock().unwrap() = None;
    }

    fn effect<T, E>(&self, act: impl FnOnce() -> Result<T, E>, lost: E) -> Result<T, E> {
        let mut left = self.0.lock().unwrap();
        match left.as_mut() {
            None => act(),
            Some((0, _)) => Err(lost),
            Some((effects, end)) => {
                *effects -= 1;
                if *effects > 0 {
                    return act();
                }
                if *end == End::After {
                    let _ = act();
                }
                Err(lost)
            }
        }
    }
}

/// The ledger as the gateway sees it.
#[derive(Clone)]
pub struct CutLedger(pub LocalChain, pub Cut);

impl Ledger for CutLedger {
    fn facts(&self) -> Result<Facts, LedgerError> {
        Ledger::facts(&self.0)
    }
    fn head(&self) -> Result<Head, LedgerError> {
        self.0.head()
    }
    fn network(&self, network: &NetworkId) -> Result<Option<NetworkNow>, LedgerError> {
        Ledger::network(&self.0, network)
    }
    fn settlement(&self, network: &NetworkId, epoch: EpochNumber) -> Result<Option<Settlement>, LedgerError> {
        Ledger::settlement(&self.0, network, epoch)
    }
    fn account(&self, account: &AccountId) -> Result<Option<Account>, LedgerError> {
        Ledger::account(&self.0, account)
    }
    fn order(&self, order: &OrderId) -> Result<Option<Order>, LedgerError> {
        Ledger::order(&self.0, order)
    }
    fn submit(&self, transaction: &Signed) -> Result<(), LedgerError> {
        let lost = LedgerError::Unreachable("the line went dead".to_owned());
        self.1.effect(|| Ledger::submit(&self.0, transaction), lost)
    }
}

/// The verifier's door as the gateway sees it.
#[derive(Clone)]
pub struct CutMeters(Arc<Mutex<Collector>>, LocalChain, Cut);

impl Meters for CutMeters {
    fn post(&self, record: &SignedMeters) -> Result<(), MeterPostError> {
        let lost = MeterPostError::Later("the line went dead".to_owned());
        let post = || {
            let mut collector = self.0.lock().unwrap();
            let taken = collector.take_meters(self.1.head().unwrap().time, &codec::encode(record));
            taken.map_err(|error: MeterError| match error.is_temporary() {
                true => MeterPostError::Later(error.to_string()),
                false => MeterPostError::Refused(error.to_string()),
            })
        };
        self.2.effect(post, lost)
    }
}

pub struct World {
    pub chain: LocalChain,
    pub network: NetworkId,
    pub city: cast::City,
    pub objects: Memory,
    /// Of the gateway's journal.
    pub disk: SimulatedDisk,
    pub cut: Cut,
    collector: Arc<Mutex<Collector>>,
    epochs: Mutex<Epochs>,
}

impl World {
    /// So many judged and settled hours of a city of twelve honest gauges and every cheat.
    pub fn new(hours: u64) -> Self {
        Self::with_disputes(hours, 0)
    }

    /// One in which results may be disputed for so long.
    pub fn with_disputes(hours: u64, window_ms: u64) -> Self {
        let chain = LocalChain::start(genesis(window_ms), START).unwrap();
        let create = CreateNetwork {
            name: "rain".to_owned(),
            vertical: "sensors".to_owned(),
            resolution: 8,
            parameters: vertical().default_params(),
            price_micro_usd: 1_000_000,
            bond: Token(1_000 * WHOLE),
            allowance: Token(0),
            treasurer: account(FOUNDER),
        };
        send(&chain, FOUNDER, Body::CreateNetwork(create));
        let network = NetworkId::of(&CHAIN.parse().unwrap(), &account(FOUNDER), "rain");
        for (role, usd) in [(CUSTOMER, 500_000_000), (POOR, 7)] {
            let payment = Payment::Stable(MicroUsd(usd));
            send(&chain, role, Body::BuyCredits(BuyCredits { payment }));
        }
        let city = cast::city(7, 12, true, hours + 8);
        let mut operators = BTreeMap::new();
        for (at, device) in city.devices().iter().enumerate() {
            let role = 100 + u8::try_from(device.operator.0).unwrap();
            if operators.insert(role, ()).is_none() {
                open_account(&chain, role);
            }
            let register = RegisterDevice::by_device(&CHAIN.parse().unwrap(), &account(role), &device_key(at));
            send_sponsored(&chain, role, Body::RegisterDevice(register));
            let join = JoinNetwork {
                device: device_key(at).public().device_id(),
                network,
                cell: device.cell,
            };
            send_sponsored(&chain, role, Body::JoinNetwork(join));
        }
        let objects = Memory::default();
        let settings = collector::Settings {
            verifier: account(VERIFIER),
            key: key(VERIFIER),
            windows: WINDOWS,
            clock: CLOCK,
            segment_bytes: 1 << 20,
            roster_ms_min: 0,
            log_seed: [9; 32],
        };
        let view: Arc<dyn ChainView> = Arc::new(chain.clone());
        let log = Box::new(SimulatedDisk::new(1 << 28));
        let collector = Collector::open(settings, view, log, &[(network, vertical(), EpochNumber(0))]).unwrap();
        let settings = epochs::Settings {
            key: key(VERIFIER),
            submitter: Submitter::single(key(VERIFIER)),
            grace_ms: WINDOWS.grace_ms,
            shards: 1,
            remember_epochs: 2,
            addresses: Default::default(),
        };
        let writes: Arc<dyn Chain> = Arc::new(chain.clone());
        let feed = Arc::new(FixedPrice(Price(50_000_000)));
        let epochs = Epochs::open(
            settings,
            writes,
            Arc::new(objects.clone()),
            Arc::new(Nobody),
            Some(feed),
            &[network],
        )
        .unwrap();
        let world = Self {
            chain,
            network,
            city,
            objects,
            disk: SimulatedDisk::new(1 << 24),
            cut: Cut::default(),
            collector: Arc::new(Mutex::new(collector)),
            epochs: Mutex::new(epochs),
        };
        (0..hours).for_each(|hour| world.pass(hour));
        world
    }

    /// One hour's reports arrive, the hour ends, is judged, settled and paid.
    pub fn pass(&self, hour: u64) {
        let mut collector = self.collector.lock().unwrap();
        let reports = self.city.reports(EpochNumber(hour), &CLOCK);
        let envelopes: Vec<Vec<u8>> = reports
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
            .collect();
        let slices: Vec<&[u8]> = envelopes.iter().map(Vec::as_slice).collect();
        let end = CLOCK.end(EpochNumber(hour));
        assert!(collector.take(TimeMs(end.0 - 1), &slices).accepted > 0);
        let now = end.plus_ms(WINDOWS.grace_ms);
        self.chain.advance(now);
        self.epochs.lock().unwrap().advance(now, &mut *collector);
        let network = self.ledger().network(&self.network).unwrap().unwrap();
        assert_eq!(network.network.unsettled, EpochNumber(hour + 1), "the hour is settled");
    }

    /// Time goes on until an hour can be released, and it is.
    pub fn release(&self, hour: u64) {
        let (anyone, epoch) = (Submitter::single(key(PROVIDER)), EpochNumber(hour));
        let released = (0..500).any(|_| {
            self.chain.advance(self.chain.head().unwrap().time.plus_ms(HOUR / 12));
            submit::release(&self.chain, &anyone, &self.network, epoch).unwrap()
        });
        assert!(released, "the window for disputes ends");
    }

    pub fn ledger(&self) -> CutLedger {
        CutLedger(self.chain.clone(), self.cut.clone())
    }

    pub fn meters(&self) -> CutMeters {
        CutMeters(self.collector.clone(), self.chain.clone(), self.cut.clone())
    }

    pub fn identity(&self) -> Identity {
        Identity::single(key(PROVIDER), Token(10))
    }

    /// A gateway's life; another one begins when it is called again.
    pub fn gateway(&self) -> Gateway {
        self.gateway_with(Limits::default())
    }

    pub fn gateway_with(&self, limits: Limits) -> Gateway {
        self.gateway_as(self.identity(), limits)
    }

    pub fn gateway_as(&self, identity: Identity, limits: Limits) -> Gateway {
        Gateway::open(
            Arc::new(self.ledger()),
            Arc::new(self.objects.clone()),
            Arc::new(self.meters()),
            Box::new(self.disk.clone()),
            identity,
            limits,
        )
        .unwrap()
    }

    /// Rain everywhere, from the first hour to before another.
    pub fn rain(&self, hours: u64) -> Query {
        Query {
            network: self.network,
            cells: vec![],
            quantity: "rain".to_owned(),
            from: START,
            to: START.plus_ms(hours * HOUR),
        }
    }

    pub fn credits(&self, role: u8) -> Credit {
        let account = Ledger::account(&self.chain, &account(role)).unwrap().unwrap();
        account.credits.total().unwrap()
    }

    pub fn order(&self, order: &OrderId) -> Order {
        Ledger::order(&self.chain, order).unwrap().unwrap()
    }

    /// Opens an order as a customer does; its id.
    pub fn open(&self, role: u8, order: OpenOrder) -> OrderId {
        order_id(&send(&self.chain, role, Body::OpenOrder(order)))
    }

    /// How much of an order's time is left.
    pub fn left_ms(&self, order: &OrderId) -> u64 {
        let ends = self.order(order).ends_uptime_ms;
        ends.saturating_sub(self.chain.head().unwrap().uptime_ms)
    }

    /// A chain that is up, until an order's time is over.
    pub fn outlast(&self, order: &OrderId) {
        while self.left_ms(order) > 0 {
            self.chain.advance(self.chain.head().unwrap().time.plus_ms(MINUTE));
        }
    }

    pub fn expires(&self) -> TimeMs {
        self.chain.head().unwrap().time.plus_ms(ORDER_MS)
    }

    /// Quote, agree, and open the order; everything that is needed to ask for the data.
    pub fn agree(&self, gateway: &Gateway, query: &Query) -> (Agreed, OrderId) {
        let quote = quote(gateway, query, CUSTOMER).unwrap();
        let agreed = Agreed::check(query, &CHAIN.parse().unwrap(), &QuoteFace::from(&quote)).unwrap();
        let order = self.open(CUSTOMER, agreed.order(self.expires(), key(VOUCHERS).public()));
        (agreed, order)
    }

    /// What leaves of an epoch say customers paid, all together.
    pub fn customers_paid(&self, epoch: u64) -> Credit {
        let settlement = Ledger::settlement(&self.chain, &self.network, EpochNumber(epoch)).unwrap();
        settlement.unwrap().paid.customers_paid
    }
}

pub fn go() -> AtomicBool {
    AtomicBool::new(false)
}

pub fn quote(gateway: &Gateway, query: &Query, role: u8) -> Result<cairn_gateway::quote::Quote, Refusal> {
    let asked = customer::ask(query, &account(role));
    let (query, customer) = asked.read()?;
    gateway.quote(&query, customer.as_ref(), &go())
}

pub fn purchase(agreed: &Agreed, order: OrderId) -> PurchaseRequest {
    agreed.purchase(order, Format::Csv, &key(VOUCHERS))
}

pub fn sell(gateway: &Gateway, request: &PurchaseRequest) -> Result<Delivery, Refusal> {
    let (ask, _) = request.read()?;
    gateway.sell(&ask, &go())
}

/// The code of a refusal.
pub fn code<T>(answer: Result<T, Refusal>) -> &'static str {
    answer.err().map_or("done", |refusal| refusal.code)
}

fn device_key(at: usize) -> SecretKey {
    let mut seed = [77; 32];
    seed[..8].copy_from_slice(&(at as u64).to_be_bytes());
    SecretKey::ed25519(seed)
}

fn transaction(chain: &LocalChain, role: u8, body: Body) -> Transaction {
    let nonce = Ledger::account(chain, &account(role))
        .unwrap()
        .map_or(0, |account| account.nonce);
    Transaction {
        chain: CHAIN.parse().unwrap(),
        account: account(role),
        nonce: nonce + 1,
        fee_max: Token(1_000),
        sponsor: None,
        body,
    }
}

pub fn send(chain: &LocalChain, role: u8, body: Body) -> Signed {
    let signed = transaction(chain, role, body).sign(&key(role));
    Ledger::submit(chain, &signed).unwrap();
    signed
}

/// The founder pays the fee of whoever has nothing yet.
fn send_sponsored(chain: &LocalChain, role: u8, body: Body) {
    let mut transaction = transaction(chain, role, body);
    transaction.sponsor = Some(cairn_ledger::tx::Sponsor::Account(account(FOUNDER)));
    let founder = key(FOUNDER);
    let signed = transaction
        .sign(&key(role))
        .sponsored_by(&Rule::single(founder.public()), &[founder]);
    Ledger::submit(chain, &signed).unwrap();
}

fn open_account(chain: &LocalChain, role: u8) {
    send_sponsored(chain, role, Body::OpenAccount(OpenAccount {}));
}
