//! The gateway as functions that return: quote, sell, and wind up what was begun. Whatever is interrupted anywhere, asking again or
//! the next `wind_up` brings to the same end.
//!
//! ```text
//! sell: check order ─▶ scan ─▶ check terms ─▶ journal ─▶ meters ─▶ settle ─▶ meters again ─▶ close ─▶ journal forgets ─▶ answer
//!                                                │ killed anywhere from here on: wind_up asks the ledger how far it came
//! ```
//! Meters go to the verifiers before the money moves, so that no voucher is settled that operators are not paid for, and again
//! after it: between the two an epoch may have ended.

use crate::journal::{Journal, JournalError, Pending, Room, Waiting};
use crate::ledger::{Facts, Ledger, LedgerError, NetworkNow};
use crate::limits::Limits;
use crate::meters::{MeterPostError, Meters};
use crate::query::Query;
use crate::quote::{self, Epochs, Quote};
use crate::refusal::{Kind, Refusal};
use crate::rows::Answer;
use crate::sale::{self, Ask, Standing};
use crate::scan;
use crate::source::Source;
use crate::streams::Claims;
use crate::treasurer::{Identity, Treasurer};
use cairn_ledger::records::{Order, OrderState};
use cairn_ledger::tx::Body;
use cairn_ledger::tx::close_order::CloseOrder;
use cairn_types::{AccountId, Credit, NetworkId, OrderId, TimeMs};
use cairn_verifier::disk::Disk;
use cairn_verifier::meters::MeterRecord;
use cairn_verifier::objects::Objects;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use thiserror::Error;

/// A gateway that cannot begin.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What a customer paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub answer: Answer,
    pub credits: Credit,
    /// Whether this very request moved the money.
    pub sold: bool,
}

pub struct Gateway {
    pub(crate) ledger: Arc<dyn Ledger>,
    meters: Arc<dyn Meters>,
    pub(crate) source: Source,
    treasurer: Treasurer,
    pub(crate) facts: Facts,
    pub(crate) limits: Limits,
    journal: Mutex<Journal>,
    /// The ledger's time when it was last wound up.
    wound_up: AtomicU64,
    /// Orders on which somebody works now.
    busy: Mutex<BTreeSet<OrderId>>,
    pub(crate) claims: Mutex<Claims>,
}

impl Gateway {
    /// Opens the journal of an earlier life, or a new one.
    pub fn open(
        ledger: Arc<dyn Ledger>,
        objects: Arc<dyn Objects>,
        meters: Arc<dyn Meters>,
        disk: Box<dyn Disk>,
        identity: Identity,
        limits: Limits,
    ) -> Result<Self, OpenError> {
        let facts = ledger.facts()?;
        let Limits {
            pending_max, keys_max, ..
        } = limits;
        let room = Room { pending_max, keys_max };
        Ok(Self {
            source: Source::new(ledger.clone(), objects, &limits),
            treasurer: Treasurer::new(ledger.clone(), facts.chain.clone(), identity),
            journal: Mutex::new(Journal::open(disk, room)?),
            wound_up: AtomicU64::default(),
            busy: Mutex::default(),
            claims: Mutex::default(),
            ledger,
            meters,
            facts,
            limits,
        })
    }

    pub fn account(&self) -> &AccountId {
        self.treasurer.account()
    }

    pub fn chain(&self) -> &Facts {
        &self.facts
    }

    /// Sales begun and not wound up; of API keys those whose time is over.
    pub fn pending(&self) -> usize {
        self.journal().pending(TimeMs(self.wound_up.load(Ordering::Relaxed)))
    }

    /// API keys through which something was bought that is not settled.
    pub fn keys(&self) -> usize {
        self.journal().keys()
    }

    /// What a query would cost. Refused before any data when the customer, if one is named, cannot pay.
    pub fn quote(&self, query: &Query, customer: Option<&AccountId>, stop: &AtomicBool) -> Result<Quote, Refusal> {
        query.check()?;
        // Before the parameters, so that the quote never promises an epoch whose parameters it has not seen.
        let head = self.ledger.head()?;
        let now = self.network(&query.network)?;
        let unknown = |customer| {
            Refusal::new(
                Kind::NotFound,
                "account_unknown",
                format!("the ledger has no account {customer}"),
                "open it and buy credits: cairn account open, cairn credits buy",
            )
        };
        let account = match customer {
            Some(customer) => Some(self.ledger.account(customer)?.ok_or_else(|| unknown(customer))?),
            None => None,
        };
        let plan = scan::plan(query, &self.facts, &now)?;
        let tally = scan::run(&plan, &self.source, self.limits.rows_max, stop, &mut |_, _, _| {})?;
        let price = quote::price(&plan, &now.parameters, tally.rows)?;
        let provider = *self.account();
        let agreed = quote::agreed(&self.facts.chain, &provider, &plan.query, &tally, price);
        let Some((entries, meters, terms)) = agreed else {
            return Err(Refusal::nothing_found(plan.available_until));
        };
        let has = account.map(|account| account.credits.total().unwrap_or(Credit(u64::MAX)));
        if let Some(has) = has.filter(|has| *has < price) {
            return Err(Refusal::credits_insufficient(has, price));
        }
        Ok(Quote {
            chain: self.facts.chain.clone(),
            provider,
            rows: tally.rows,
            devices: entries.len() as u64,
            price,
            meters,
            terms,
            epochs: Epochs {
                first: plan.first,
                last: plan.last,
                settled: tally.settled,
                missing: tally.missing,
            },
            available_until: plan.available_until,
            valid_until: self.facts.clock.end(head.epoch),
            query: plan.query,
        })
    }

    /// Takes the money for a query, once, and gives the data. Asked again, gives the data again. `stop` holds until the money moves.
    pub fn sell(&self, ask: &Ask, stop: &AtomicBool) -> Result<Delivery, Refusal> {
        let id = ask.voucher.order;
        let _held = self.hold(id)?;
        let order = self.ledger.order(&id)?.ok_or_else(|| {
            Refusal::new(
                Kind::NotFound,
                "order_unknown",
                format!("the ledger has no order {id}"),
                "wait until the transaction that opens it is final, then ask again",
            )
        })?;
        let (chain, provider) = (&self.facts.chain, self.account());
        sale::check_order(ask, &order, chain, provider, &self.ledger.head()?)?;
        let now = self.network(&ask.query.network)?;
        let plan = scan::plan(&ask.query, &self.facts, &now)?;
        let mut answer = Answer::new(plan.quantity.clone());
        let mut push = |time, place, value| answer.push(time, place, value);
        let tally = scan::run(&plan, &self.source, self.limits.rows_max, stop, &mut push)?;
        let price = quote::price(&plan, &now.parameters, tally.rows)?;
        let standing = sale::check_terms(ask, &order, chain, provider, &plan.query, &tally, price)?;
        let mut sold = false;
        if let Standing::Unpaid(settle, entries) = standing {
            if stop.load(Ordering::Relaxed) {
                return Err(Refusal::ask_again(
                    "too_slow",
                    "the request waited too long; nothing was paid",
                ));
            }
            let network = ask.query.network;
            self.settle(&Pending {
                network,
                settle,
                entries,
                due: None,
                bought: None,
            })?;
            sold = true;
        }
        Ok(Delivery {
            answer,
            credits: ask.voucher.credits,
            sold,
        })
    }

    /// Brings every sale that was begun to its end, as far as ledger and verifiers answer; says how many are left.
    pub fn wind_up(&self) -> usize {
        match self.ended() {
            Ok(orders) => orders.into_iter().for_each(|order| self.wind_up_one(order)),
            Err(error) => tracing::warn!(%error, "sales wait to be wound up"),
        }
        self.pending()
    }

    /// The orders whose time to be settled has come. API keys of a network that closes end with it: later nothing of it is settled.
    fn ended(&self) -> Result<Vec<OrderId>, LedgerError> {
        let now = self.ledger.head()?.time;
        self.wound_up.store(now.0, Ordering::Relaxed);
        // The journal is free again while the ledger is asked.
        let all: Vec<(OrderId, Waiting)> = self.journal().orders().map(|(order, of)| (*order, *of)).collect();
        let mut closing: BTreeMap<NetworkId, bool> = BTreeMap::new();
        let mut ended = Vec::new();
        for (order, waiting) in all {
            let mut is_due = waiting.is_due(now);
            if !is_due && waiting.of_key {
                is_due = match closing.get(&waiting.network) {
                    Some(known) => *known,
                    None => {
                        let network = self.ledger.network(&waiting.network)?;
                        let closes = network.is_some_and(|now| now.network.closes.is_some());
                        closing.insert(waiting.network, closes);
                        closes
                    }
                };
            }
            if is_due {
                ended.push(order);
            }
        }
        Ok(ended)
    }

    fn wind_up_one(&self, order: OrderId) {
        let Ok(_held) = self.hold(order) else { return };
        let pending = self.journal().get(&order);
        let done = match pending {
            Ok(Some(pending)) => self.finish(&pending).map_err(|refusal| refusal.message),
            Ok(None) => Ok(()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = done {
            tracing::warn!(%order, why, "a sale waits to be wound up");
        }
    }

    /// Makes a sale durable and settles it. Of a new one that fails before the money moved nothing is left.
    fn settle(&self, pending: &Pending) -> Result<(), Refusal> {
        let order = pending.order();
        // One begun before may be settled by a transaction still on its way: that one is never forgotten here.
        let is_new = !self.journal().contains(&order);
        self.journal().put(pending).map_err(|error| {
            tracing::error!(%error, "nothing can be sold");
            Refusal::ask_again(
                "journal_unavailable",
                "the gateway cannot keep a record of the sale now; nothing was paid",
            )
        })?;
        if let Err(error) = self.post(pending) {
            if is_new {
                self.forget(&order);
            }
            return Err(match error {
                MeterPostError::Later(_) => {
                    Refusal::ask_again("verifier_unavailable", format!("nothing was paid: {error}"))
                }
                MeterPostError::Refused(_) => Refusal::new(
                    Kind::Internal,
                    "meters_refused",
                    format!("nothing was paid: {error}"),
                    "the gateway's operator must look into it; the hold returns when the order expires",
                ),
            });
        }
        match self.treasurer.send(Body::SettleOrder(pending.settle)) {
            Ok(()) => {}
            Err(error @ LedgerError::Unreachable(_)) => return Err(error.into()),
            // It may be settled already, by an attempt whose end nobody heard of.
            Err(error) => match self.ledger.order(&order)? {
                Some(now) if sale::is_paid(&now, pending.settle.voucher.credits) => {}
                // What was delivered already stays owed as long as it can be settled.
                Some(now) if pending.due.is_some() && now.state == OrderState::Open => return Err(error.into()),
                _ => {
                    self.forget(&order);
                    return Err(error.into());
                }
            },
        }
        if let Err(refusal) = self.close(pending) {
            tracing::warn!(%order, why = refusal.message, "a paid sale waits to be wound up");
        }
        Ok(())
    }

    /// Winds a sale up, whose time has come, from wherever it stands.
    pub(crate) fn finish(&self, pending: &Pending) -> Result<(), Refusal> {
        let id = pending.order();
        let head = self.ledger.head()?;
        let nothing = pending.settle.voucher.credits == Credit::ZERO;
        match self.ledger.order(&id)? {
            Some(order) if sale::is_paid(&order, pending.settle.voucher.credits) => self.close(pending),
            Some(order) if nothing && order.state == OrderState::Open => self.close(pending),
            Some(order) if order.state == OrderState::Open && !order.is_over(head.uptime_ms) => self.settle(pending),
            _ => {
                self.forget(&id);
                Ok(())
            }
        }
    }

    /// After the money moved: verifiers surely know, nothing stays held, the journal forgets.
    fn close(&self, pending: &Pending) -> Result<(), Refusal> {
        let id = pending.order();
        match self.post(pending) {
            Ok(()) => {}
            Err(error @ MeterPostError::Later(_)) => {
                return Err(Refusal::ask_again("verifier_unavailable", error.to_string()));
            }
            // They took it before the money moved; whoever refuses it now refuses for good.
            Err(error) => tracing::error!(order = %id, %error, "meters of a paid sale are refused"),
        }
        let open = |order: Option<Order>| order.is_some_and(|order| order.state == OrderState::Open);
        if open(self.ledger.order(&id)?)
            && let Err(error) = self.treasurer.send(Body::CloseOrder(CloseOrder { order: id }))
            && open(self.ledger.order(&id)?)
        {
            return Err(error.into());
        }
        self.forget(&id);
        Ok(())
    }

    fn post(&self, pending: &Pending) -> Result<(), MeterPostError> {
        if pending.entries.is_empty() {
            return Ok(());
        }
        let record = MeterRecord {
            network: pending.network,
            order: pending.order(),
            entries: pending.entries.clone(),
        };
        self.meters.post(&self.treasurer.sign_meters(record))
    }

    /// A file that cannot be removed now is found again later, and asked about again: harmless.
    fn forget(&self, order: &OrderId) {
        if let Err(error) = self.journal().remove(order) {
            tracing::warn!(%order, %error, "the journal keeps a sale that is over");
        }
    }

    pub(crate) fn network(&self, id: &NetworkId) -> Result<NetworkNow, Refusal> {
        self.ledger.network(id)?.ok_or_else(|| {
            Refusal::new(
                Kind::NotFound,
                "network_unknown",
                format!("the ledger has no network {id}"),
                "check the id: cairn network list",
            )
        })
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().expect("no holder of the lock panics")
    }

    /// One at a time works on an order.
    pub(crate) fn hold(&self, order: OrderId) -> Result<Held<'_>, Refusal> {
        let mut busy = self.busy.lock().expect("no holder of the lock panics");
        if !busy.insert(order) {
            return Err(Refusal::ask_again(
                "in_progress",
                "another request for this order is being answered",
            ));
        }
        Ok(Held {
            busy: &self.busy,
            order,
        })
    }
}

pub(crate) struct Held<'a> {
    busy: &'a Mutex<BTreeSet<OrderId>>,
    order: OrderId,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Ok(mut busy) = self.busy.lock() {
            busy.remove(&self.order);
        }
    }
}
