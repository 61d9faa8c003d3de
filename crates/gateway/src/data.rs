//! Data for an API key: the gateway prices a query as it quotes it, signs the next voucher with the secret that the bearer shows, and
//! delivers once that is on disk. The order is settled once, when its time is over, it is used up, or its bearer closes it. The secret is
//! in memory while it signs, and nowhere else.
//!
//! ```text
//! Bearer cairn_… ─▶ order ─▶ secret right? ours? ─▶ scan ─▶ price ─▶ one at a time: paid before? else enough left? sign, journal ─▶ answer
//! ```

use crate::api_key::{self, ApiKey};
use crate::gateway::{Delivery, Gateway};
use crate::journal::{JournalError, Pending};
use crate::ledger::Head;
use crate::purse::{self, Bought, Paid};
use crate::query::Query;
use crate::quote;
use crate::refusal::{Kind, Refusal};
use crate::rows::Answer;
use crate::sale::SETTLE_MS;
use crate::scan::{self, Tally};
use crate::streams::{MARGIN_MS, held};
use cairn_ledger::records::{Order, OrderState};
use cairn_ledger::tx::settle_order::Voucher;
use cairn_types::{Credit, NetworkId, OrderId, TimeMs};
use cairn_verifier::meters::{self, MeterEntry};
use std::sync::atomic::{AtomicBool, Ordering};

/// So long after the last purchase it is delivered again, whatever ends the key: an answer that was cut off on its way is not lost.
pub const RETRY_MS: u64 = 600_000;

/// What was bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    pub delivery: Delivery,
    /// Where the data ends; the next query begins there.
    pub to: TimeMs,
    pub left: Credit,
}

/// How a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    /// Nothing is left; it is settled soon.
    Spent,
    /// Nothing is sold any more; the ledger does not have the end yet.
    Settling,
    Closed,
    Expired,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Spent => "spent",
            Self::Settling => "settling",
            Self::Closed => "closed",
            Self::Expired => "expired",
        }
    }
}

/// What its bearer may know of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyNow {
    pub order: OrderId,
    pub network: NetworkId,
    pub state: State,
    /// What the order holds and held.
    pub held: Credit,
    pub spent: Credit,
    pub left: Credit,
    pub expires: TimeMs,
    pub sells_until: TimeMs,
    /// Not known any more once it is settled.
    pub queries: Option<u64>,
}

/// What a query found.
struct Found {
    /// Cut to what is available.
    query: Query,
    answer: Answer,
    tally: Tally,
    price: Credit,
    bill: Vec<MeterEntry>,
}

/// What was promised already.
fn promised(kept: Option<&Pending>) -> Credit {
    kept.map_or(Credit::ZERO, |kept| kept.settle.voucher.credits)
}

/// When an order that nobody ends is settled.
fn due(order: &Order) -> TimeMs {
    TimeMs(order.expires.0.saturating_sub(MARGIN_MS))
}

/// Until when something new is sold through it.
fn sells_until(order: &Order) -> TimeMs {
    TimeMs(due(order).0.saturating_sub(RETRY_MS))
}

fn conflict(code: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::new(
        Kind::Conflict,
        code,
        message,
        "open another one with `cairn api-key open`",
    )
}

fn closed() -> Refusal {
    conflict("key_closed", "the API key is closed")
}

fn expired() -> Refusal {
    conflict(
        "key_expired",
        "the API key's time is over, or too short to settle what it buys",
    )
}

fn full() -> Refusal {
    let message = "the API key has bought from as many devices as one settlement may name";
    let hint = "close it with `cairn api-key close` and open another one";
    Refusal::new(Kind::TooLarge, "key_full", message, hint)
}

fn unkept(error: JournalError) -> Refusal {
    tracing::error!(%error, "nothing can be sold through an API key");
    match error {
        JournalError::KeysFull(_) => Refusal::new(
            Kind::Busy,
            "keys_full",
            "as many API keys are in use here as may be",
            "wait until another one is closed, or buy with an order of its own: POST /v1/quotes",
        ),
        _ => Refusal::ask_again(
            "journal_unavailable",
            "the gateway cannot keep a record of the sale now; nothing was paid",
        ),
    }
}

/// Whether anything may be delivered through an order now; `kept` is what the journal has of it.
fn check_alive(order: &Order, kept: Option<&Pending>, head: &Head) -> Result<(), Refusal> {
    match order.state {
        // Settled while it is open still: its end is on its way.
        OrderState::Open if order.settled > Credit::ZERO => return Err(closed()),
        OrderState::Open => {}
        OrderState::Closed => return Err(closed()),
        OrderState::Expired => return Err(expired()),
    }
    if due(order) <= head.time || order.is_over(head.uptime_ms.saturating_add(SETTLE_MS)) {
        return Err(expired());
    }
    if kept.is_some_and(|kept| kept.due.is_none_or(|due| due <= head.time)) {
        // The voucher may be on its way already: another one would pay for the same twice, and nobody for the rest.
        return Err(closed());
    }
    Ok(())
}

impl Gateway {
    /// Takes what a query costs out of what a key's order holds, once, and gives the data. Asked again, gives the data again. `stop`
    /// holds until the voucher is on disk.
    pub fn draw(
        &self,
        key: &ApiKey,
        query: &Query,
        credits_max: Option<Credit>,
        stop: &AtomicBool,
    ) -> Result<Drawn, Refusal> {
        let order = self.key_order(key)?;
        query.check()?;
        if order.network != query.network {
            let message = format!("the API key is for network {}", order.network);
            let hint = "name that network, or open a key for this one with `cairn api-key open`";
            return Err(Refusal::new(Kind::Conflict, "other_network", message, hint));
        }
        check_alive(&order, self.kept(key)?.as_ref(), &self.ledger.head()?)?;
        let Found {
            query,
            answer,
            tally,
            price,
            bill,
        } = self.find(query, stop)?;
        let hash = query.hash();

        // From here on alone with this key; what was looked up before may be of the past.
        let _held = self.hold(key.order)?;
        let (head, order, kept) = (self.ledger.head()?, self.key_order(key)?, self.kept(key)?);
        check_alive(&order, kept.as_ref(), &head)?;
        let spent = promised(kept.as_ref());
        let left = held(&order).saturating_sub(spent);
        let drawn = |credits, left, sold| Drawn {
            delivery: Delivery { answer, credits, sold },
            to: query.to,
            left,
        };
        let mut bought = kept.as_ref().and_then(|kept| kept.bought.clone()).unwrap_or_default();
        if let Some(paid) = bought.again(&hash, &tally) {
            return Ok(drawn(paid.price, left, false));
        }
        check_price(price, credits_max, left)?;
        if sells_until(&order) <= head.time {
            return Err(expired());
        }
        if stop.load(Ordering::Relaxed) {
            let message = "the request waited too long; nothing was paid";
            return Err(Refusal::ask_again("too_slow", message));
        }
        let left = left.saturating_sub(price);
        bought.note(Paid {
            query: hash,
            rows: tally.rows,
            price,
            meters: meters::root(&bill),
        });
        let before: &[MeterEntry] = kept.as_ref().map_or(&[], |kept| &kept.entries);
        let entries = purse::owed(before, &bill).ok_or_else(full)?;
        let due = match left {
            Credit::ZERO => due(&order).min(head.time.plus_ms(RETRY_MS)),
            _ => due(&order),
        };
        let credits = Credit(spent.0.saturating_add(price.0));
        let pending = self.promise(key, &order, credits, entries, due, bought);
        self.journal().put(&pending).map_err(unkept)?;
        Ok(drawn(price, left, true))
    }

    /// What a query finds, and what it costs today.
    fn find(&self, query: &Query, stop: &AtomicBool) -> Result<Found, Refusal> {
        let now = self.network(&query.network)?;
        if now.network.closes.is_some() {
            let hint = "buy with an order of its own while that is possible: POST /v1/quotes";
            let message = "the network closes, and its API keys with it";
            return Err(Refusal::new(Kind::Conflict, "network_closing", message, hint));
        }
        let plan = scan::plan(query, &self.facts, &now)?;
        let mut answer = Answer::new(plan.quantity.clone());
        let mut push = |time, place, value| answer.push(time, place, value);
        let tally = scan::run(&plan, &self.source, self.limits.rows_max, stop, &mut push)?;
        let price = quote::price(&plan, &now.parameters, tally.rows)?;
        let bill = quote::bill(price, &tally.devices).ok_or_else(|| Refusal::nothing_found(plan.available_until))?;
        Ok(Found {
            query: plan.query,
            answer,
            tally,
            price,
            bill,
        })
    }

    /// How a key is.
    pub fn key(&self, key: &ApiKey) -> Result<KeyNow, Refusal> {
        let order = self.key_order(key)?;
        let (head, kept) = (self.ledger.head()?, self.kept(key)?);
        let (held, spent) = (held(&order), promised(kept.as_ref()).max(order.settled));
        let is_open = order.state == OrderState::Open;
        let left = match is_open {
            true => held.saturating_sub(spent),
            false => Credit::ZERO,
        };
        let ending = kept
            .as_ref()
            .is_some_and(|kept| kept.due.is_none_or(|due| due <= head.time));
        let state = match order.state {
            OrderState::Closed => State::Closed,
            OrderState::Expired => State::Expired,
            OrderState::Open if ending || order.settled > Credit::ZERO => State::Settling,
            OrderState::Open if sells_until(&order) <= head.time || order.is_over(head.uptime_ms) => State::Expired,
            OrderState::Open if left == Credit::ZERO => State::Spent,
            OrderState::Open => State::Open,
        };
        let bought = kept.as_ref().and_then(|kept| kept.bought.as_ref());
        Ok(KeyNow {
            order: key.order,
            network: order.network,
            state,
            held,
            spent,
            left,
            expires: order.expires,
            sells_until: sells_until(&order),
            queries: is_open.then(|| bought.map_or(0, |bought| bought.queries)),
        })
    }

    /// Sells nothing more through a key, settles what it bought and closes its order, so that the rest returns. What cannot be done now
    /// is done by the next `wind_up`.
    pub fn close_key(&self, key: &ApiKey) -> Result<KeyNow, Refusal> {
        self.key_order(key)?;
        let held = self.hold(key.order)?;
        let (head, order, kept) = (self.ledger.head()?, self.key_order(key)?, self.kept(key)?);
        if order.state == OrderState::Open {
            let mut pending = match kept {
                Some(kept) => kept,
                None => self.promise(key, &order, Credit::ZERO, Vec::new(), due(&order), Bought::default()),
            };
            // On disk before anything is sent: after that nothing is bought through it, however this ends.
            pending.due = pending.due.min(Some(head.time));
            self.journal().put(&pending).map_err(unkept)?;
            if let Err(refusal) = self.finish(&pending) {
                tracing::warn!(order = %key.order, why = refusal.message, "a closed API key waits to be wound up");
            }
        }
        drop(held);
        self.key(key)
    }

    /// The order of a key whose secret is right, and which is for this gateway.
    fn key_order(&self, key: &ApiKey) -> Result<Order, Refusal> {
        let order = self.ledger.order(&key.order)?.ok_or_else(|| {
            Refusal::new(
                Kind::Unauthorized,
                "key_unknown",
                "the ledger has no order of this API key",
                "wait until the transaction that opens it is final, then ask again; or paste the whole key",
            )
        })?;
        api_key::check(key, &order, &self.facts.chain, self.account())?;
        Ok(order)
    }

    fn kept(&self, key: &ApiKey) -> Result<Option<Pending>, Refusal> {
        self.journal().get(&key.order).map_err(unkept)
    }

    fn promise(
        &self,
        key: &ApiKey,
        order: &Order,
        credits: Credit,
        entries: Vec<MeterEntry>,
        due: TimeMs,
        bought: Bought,
    ) -> Pending {
        let voucher = Voucher {
            order: key.order,
            credits,
            meters: meters::root(&entries),
        };
        Pending {
            network: order.network,
            settle: voucher.sign(&self.facts.chain, key.secret()),
            entries,
            due: Some(due),
            bought: Some(bought),
        }
    }
}

/// Before anything is paid: whether the bearer agrees to the price, and can pay it.
fn check_price(price: Credit, credits_max: Option<Credit>, left: Credit) -> Result<(), Refusal> {
    if let Some(most) = credits_max.filter(|most| *most < price) {
        return Err(Refusal::new(
            Kind::Insufficient,
            "price_above_max",
            format!("the answer costs {price} credits, more than credits_max={most}; nothing was paid"),
            "raise credits_max, or ask for fewer cells or a shorter time",
        ));
    }
    if left < price {
        return Err(Refusal::new(
            Kind::Insufficient,
            "key_exhausted",
            format!("the answer costs {price} credits, and {left} are left of the API key; nothing was paid"),
            "ask for less, or open another key with `cairn api-key open`",
        ));
    }
    Ok(())
}
