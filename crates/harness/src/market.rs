//! A customer who buys what was measured, and the gateway that sells it, killed at any effect and opened anew from its journal.

use crate::START;
use crate::line::Line;
use crate::people::{Role, chain_id, network_id, send};
use crate::verifier::Verifier;
use cairn_gateway::Gateway;
use cairn_gateway::customer::Agreed;
use cairn_gateway::faces::QuoteFace;
use cairn_gateway::limits::Limits;
use cairn_gateway::meters::{MeterPostError, Meters};
use cairn_gateway::query::Query;
use cairn_gateway::sale::Ask;
use cairn_gateway::treasurer::Identity;
use cairn_ledger::Body;
use cairn_ledger::records::Order;
use cairn_ledger::tx::open_order::order_id;
use cairn_types::{Credit, OrderId, TimeMs, Token, codec};
use cairn_verifier::chain::local::LocalChain;
use cairn_verifier::disk::SimulatedDisk;
use cairn_verifier::meters::SignedMeters;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

/// How long an order lives.
const ORDER_MS: u64 = 10 * crate::HOUR_MS;
const JOURNAL_BYTES: u64 = 1 << 20;

/// The verifier's door for meters, at the time that it is now. What passes can be cut off.
struct Door {
    verifier: Arc<Mutex<Verifier>>,
    line: Line,
    now: Arc<Mutex<TimeMs>>,
}

impl Meters for Door {
    fn post(&self, record: &SignedMeters) -> Result<(), MeterPostError> {
        let post = || {
            let mut verifier = self.verifier.lock().expect("no holder of the lock panics");
            let now = *self.now.lock().expect("no holder of the lock panics");
            let later = || MeterPostError::Later("nobody is there".to_owned());
            let collector = verifier.collector_mut().ok_or_else(later)?;
            collector
                .take_meters(now, &codec::encode(record))
                .map_err(|error| match error.is_temporary() {
                    true => MeterPostError::Later(error.to_string()),
                    false => MeterPostError::Refused(error.to_string()),
                })
        };
        let lost = || Err(MeterPostError::Later("the line is dead".to_owned()));
        self.line.effect(post).unwrap_or_else(lost)
    }
}

/// One purchase and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bought {
    pub order: OrderId,
    pub price: Credit,
    pub rows: u64,
    /// Rows that were delivered.
    pub delivered: Option<u64>,
    /// The order as the ledger has it when somebody looks.
    pub stands: Option<Order>,
}

/// Customer and gateway.
pub struct Market {
    chain: LocalChain,
    pub line: Line,
    disk: SimulatedDisk,
    verifier: Arc<Mutex<Verifier>>,
    now: Arc<Mutex<TimeMs>>,
    gateway: Option<Gateway>,
    wants: Option<Ask>,
    pub bought: Vec<Bought>,
    /// Why something was not sold at once, by code.
    pub refusals: Vec<&'static str>,
}

impl Market {
    pub fn new(chain: &LocalChain, verifier: &Arc<Mutex<Verifier>>) -> Self {
        Self {
            chain: chain.clone(),
            line: Line::to(chain),
            disk: SimulatedDisk::new(JOURNAL_BYTES),
            verifier: verifier.clone(),
            now: Arc::new(Mutex::new(START)),
            gateway: None,
            wants: None,
            bought: Vec::new(),
            refusals: Vec::new(),
        }
    }

    /// Opens the gateway unless it is open; `None` while the ledger is away.
    fn open(&mut self) -> Option<&Gateway> {
        if self.gateway.is_none() {
            let door = Door {
                verifier: self.verifier.clone(),
                line: self.line.clone(),
                now: self.now.clone(),
            };
            let objects = self
                .verifier
                .lock()
                .expect("no holder of the lock panics")
                .objects
                .clone();
            let opened = Gateway::open(
                Arc::new(self.line.clone()),
                Arc::new(objects),
                Arc::new(door),
                Box::new(self.disk.clone()),
                Identity::single(Role::Gateway.key(), Token::ZERO),
                Limits::default(),
            );
            self.gateway = opened.ok();
        }
        self.gateway.as_ref()
    }

    /// Kills the gateway if its cut has come true. Of its journal only what was synced stays.
    fn bury(&mut self) {
        if self.line.is_dead() {
            self.gateway = None;
            self.disk.crash(|| false);
            self.line.mend();
        }
    }

    /// Whether a purchase is under way.
    pub fn is_busy(&self) -> bool {
        self.wants.is_some()
    }

    /// Goes on with what was begun; then, with `until`, orders the rain from the beginning to before it.
    pub fn step(&mut self, now: TimeMs, until: Option<TimeMs>) {
        *self.now.lock().expect("no holder of the lock panics") = now;
        if let Some(gateway) = self.open() {
            gateway.wind_up();
        }
        self.bury();
        if self.wants.is_none()
            && let Some(until) = until
        {
            self.order(now, until);
            self.bury();
        }
        self.fetch();
        self.bury();
    }

    fn order(&mut self, now: TimeMs, until: TimeMs) {
        let query = Query {
            network: network_id(),
            cells: Vec::new(),
            quantity: "rain".to_owned(),
            from: START,
            to: until,
        };
        let Some(gateway) = self.open() else { return };
        let quote = match gateway.quote(&query, Some(&Role::Customer.account()), &go()) {
            Ok(quote) => quote,
            Err(refusal) => return self.refusals.push(refusal.code),
        };
        let agreed = Agreed::check(&query, &chain_id(), &QuoteFace::from(&quote));
        let agreed = agreed.expect("a quote of our own gateway says what its terms bind");
        let open = agreed.order(now.plus_ms(ORDER_MS), Role::Vouchers.key().public());
        let order = order_id(&send(&self.chain, &Role::Customer.submitter(), Body::OpenOrder(open)));
        let request = agreed.purchase(order, cairn_gateway::export::Format::Csv, &Role::Vouchers.key());
        let (ask, _) = request.read().expect("a purchase reads back");
        self.wants = Some(ask);
        self.bought.push(Bought {
            order,
            price: agreed.quote().price,
            rows: agreed.quote().rows,
            delivered: None,
            stands: None,
        });
    }

    fn fetch(&mut self) {
        let Some(ask) = self.wants.clone() else { return };
        let Some(gateway) = self.open() else { return };
        match gateway.sell(&ask, &go()) {
            Ok(delivery) => {
                let last = self.bought.last_mut().expect("something is wanted");
                last.delivered = Some(delivery.answer.len() as u64);
                self.wants = None;
            }
            Err(refusal) => self.refusals.push(refusal.code),
        }
    }

    /// The purchases, with their orders as the ledger has them now.
    pub fn look(&self) -> Vec<Bought> {
        let mut bought = self.bought.clone();
        for one in &mut bought {
            one.stands = cairn_gateway::Ledger::order(&self.chain, &one.order).expect("a chain in memory answers");
        }
        bought
    }
}

fn go() -> AtomicBool {
    AtomicBool::new(false)
}
