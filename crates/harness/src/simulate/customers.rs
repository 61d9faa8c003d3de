//! A customer of the town and who serves it: credits are bought and held for orders, vouchers are signed that only grow, and shown as they
//! should be or not. What was signed is on a book of its own, against which every event of the ledger and every record is held.
//!
//! ```text
//! dice ─▶ buy, open, sign, show, close, expire ─▶ ledger ─▶ events ═══ book ═══ records
//!                 └─ and again, forged, an older one, more than is held, by somebody else
//! ```

use super::dice::Dice;
use super::ground::Ground;
use super::lies::transaction;
use super::scene::{Scene, network, watcher};
use crate::people::{Role, chain_id, secret};
use crate::properties::Broken;
use crate::{STEP_MS, STEPS_PER_HOUR};
use cairn_ledger::tx::buy_credits::{BuyCredits, Payment};
use cairn_ledger::tx::close_order::CloseOrder;
use cairn_ledger::tx::expire_order::ExpireOrder;
use cairn_ledger::tx::open_order::{OpenOrder, order_id};
use cairn_ledger::tx::settle_order::{SettleOrder, Voucher};
use cairn_ledger::{Body, Event, view};
use cairn_types::{Credit, Hash, MicroUsd, OrderId, TimeMs, Token, hash};
use cairn_verifier::submit::Submitter;
use std::collections::BTreeMap;

/// The customer has what it bought and did not hold, an order what it held and did not pay: to the credit, at any time.
pub const CREDITS: &str = "every credit is in one place";
/// No purchase twice; no voucher that was not signed, is older than one that was paid, or is above what the order holds.
pub const VOUCHERS: &str = "nothing is paid twice or unsigned";
/// What is not paid returns, once.
pub const ORDERS: &str = "every order ends, and gives back the rest";

/// Orders at once.
const OPEN_MAX: usize = 6;
/// More dollars than there are.
const ABSURD: u64 = 1 << 52;

/// An order on the customer's book.
struct Tab {
    hold: Credit,
    /// The highest voucher that was signed; perhaps above the hold, which then nobody pays.
    signed: Credit,
    /// Vouchers, as they were signed.
    vouchers: Vec<SettleOrder>,
    /// By the ledger's events.
    opened: bool,
    settled: Credit,
    returned: Option<Credit>,
}

impl Tab {
    fn is_open(&self) -> bool {
        self.opened && self.returned.is_none()
    }
}

/// Whether an order's time is over by the chain's uptime, or in so many milliseconds of it.
fn is_over(id: &OrderId, ground: &Ground, within_ms: u64) -> bool {
    let order = ground.chain.read(|store| view::order(store, id)).ok().flatten();
    let chain = ground.chain.read(|store| view::chain(store)).ok().flatten();
    order
        .zip(chain)
        .is_some_and(|(order, chain)| order.is_over(chain.uptime_ms.saturating_add(within_ms)))
}

/// Customer, provider, and their book.
pub struct Customers {
    dice: Dice,
    /// From this step on everything is brought to its end.
    calm_step: u64,
    /// Purchases that were asked for, each of another amount, and how often they happened.
    bought: BTreeMap<u64, u32>,
    credits: u64,
    tabs: BTreeMap<OrderId, Tab>,
    /// So many of the ledger's events were looked at.
    seen: usize,
    /// So many things were tried that must not count.
    pub tricks: u64,
    broken: Vec<Broken>,
}

impl Customers {
    pub fn of(scene: &Scene) -> Self {
        Self {
            dice: Dice::of(scene.seed, "customers"),
            calm_step: scene.calm_from * STEPS_PER_HOUR,
            bought: BTreeMap::new(),
            credits: 0,
            tabs: BTreeMap::new(),
            seen: 0,
            tricks: 0,
            broken: Vec::new(),
        }
    }

    /// What they do in a step, and what came of it.
    pub fn act(&mut self, step: u64, now: TimeMs, ground: &Ground) -> Vec<String> {
        let mut story = Vec::new();
        if step < self.calm_step {
            self.buy(ground, &mut story);
            self.order(now, ground, &mut story);
            self.show(ground, &mut story);
        }
        self.close(step, ground, &mut story);
        story
    }

    fn buy(&mut self, ground: &Ground, story: &mut Vec<String>) {
        if !self.dice.one_in(6) {
            return;
        }
        // No two purchases are of one amount.
        let amount = 1_000 * (1 + self.dice.below(3_000)) + self.bought.len() as u64;
        let (absurd, burns) = (self.dice.one_in(6), self.dice.one_in(4));
        let payment = match (absurd, burns) {
            (true, _) => Payment::Stable(MicroUsd(ABSURD + amount)),
            (_, true) => Payment::BurnFor(Credit(amount), Token(u64::MAX >> 8)),
            _ => Payment::Stable(MicroUsd(amount)),
        };
        if absurd {
            self.tricks += 1;
        } else {
            self.bought.insert(amount, 0);
        }
        let told = self.say(Role::Customer, Body::BuyCredits(BuyCredits { payment }), ground);
        if absurd && told {
            self.note(
                VOUCHERS,
                format!("the customer buys for {ABSURD} dollars that it does not have"),
            );
        }
        story.push(format!("the customer buys {amount} credits: {told}"));
    }

    fn order(&mut self, now: TimeMs, ground: &Ground, story: &mut Vec<String>) {
        let open = self.tabs.values().filter(|tab| tab.is_open());
        if open.count() >= OPEN_MAX || !self.dice.one_in(4) {
            return;
        }
        let left = self.left().max(1);
        // Sometimes for more than there is.
        let hold = Credit(1 + self.dice.below(left + left / 5 + 1));
        let expires = now.plus_ms((1 + self.dice.below(2 * STEPS_PER_HOUR)) * STEP_MS);
        let open = OpenOrder {
            network: network(),
            provider: Role::Gateway.account(),
            shape: 0,
            terms: Hash([7; 32]),
            hold,
            expires,
            voucher_key: Role::Vouchers.key().public(),
        };
        let customer = Role::Customer.submitter();
        let Some(signed) = transaction(&ground.chain, &customer, Body::OpenOrder(open)) else {
            return;
        };
        let tab = Tab {
            hold,
            signed: Credit::ZERO,
            vouchers: Vec::new(),
            opened: false,
            settled: Credit::ZERO,
            returned: None,
        };
        self.tabs.insert(order_id(&signed), tab);
        let told = ground.tell(&signed);
        story.push(format!("the customer opens an order of {hold} credits: {told:?}"));
        if self.dice.one_in(4) {
            // The answer is lost, and it asks again.
            self.tricks += 1;
            let _ = ground.tell(&signed);
        }
    }

    /// The customer signs a voucher; the provider shows it, or something else.
    fn show(&mut self, ground: &Ground, story: &mut Vec<String>) {
        let open: Vec<OrderId> = self
            .tabs
            .iter()
            .filter(|(_, tab)| tab.is_open())
            .map(|(id, _)| *id)
            .collect();
        if open.is_empty() || !self.dice.one_in(2) {
            return;
        }
        let id = open[self.dice.place(open.len())];
        let (trick, more) = (self.dice.below(10), self.dice.below(1 << 20));
        let is_past = is_over(&id, ground, 0);
        let tab = self.tabs.get_mut(&id).expect("it is one of them");
        let left = tab.hold.saturating_sub(tab.signed).0;
        let credits = match trick {
            0 => Credit(tab.hold.0 + 1 + more),
            _ if left == 0 => return,
            _ => Credit(tab.signed.0.min(tab.hold.0) + 1 + more % left),
        };
        let meters = hash::sha256(&credits.0.to_be_bytes());
        let voucher = Voucher {
            order: id,
            credits,
            meters,
        };
        let good = voucher.sign(&chain_id(), &Role::Vouchers.key());
        let (by, shown) = match trick {
            1 => {
                let forged = voucher.sign(&chain_id(), &secret("forger", 0));
                let key = Role::Vouchers.key().public();
                (Role::Gateway.submitter(), SettleOrder { key, ..forged })
            }
            2 => (watcher(), good),
            3 if tab.settled > Credit::ZERO => {
                let old = tab.vouchers.iter().rev().find(|old| old.voucher.credits <= tab.settled);
                (Role::Gateway.submitter(), *old.unwrap_or(&good))
            }
            _ => (Role::Gateway.submitter(), good),
        };
        if shown == good {
            tab.signed = tab.signed.max(credits.min(tab.hold));
            tab.vouchers.push(good);
        }
        let is_old = shown.voucher.credits <= tab.settled;
        let is_wrong = matches!(trick, 0..=2) || is_old || is_past;
        let told = self.say_as(&by, Body::SettleOrder(shown), ground);
        story.push(format!(
            "a voucher of {} credits is shown, in way {trick}: {told}",
            shown.voucher.credits
        ));
        self.tricks += u64::from(is_wrong);
        if is_wrong && told {
            self.note(
                VOUCHERS,
                format!("order {id}: a voucher that must not count was taken, shown in way {trick}"),
            );
        }
    }

    /// Orders end: by the provider, by their time; not by the customer. When it is calm, all of them, with the last voucher paid.
    fn close(&mut self, step: u64, ground: &Ground, story: &mut Vec<String>) {
        let is_calm = step >= self.calm_step;
        let open: Vec<OrderId> = self
            .tabs
            .iter()
            .filter(|(_, tab)| tab.is_open())
            .map(|(id, _)| *id)
            .collect();
        for id in open {
            let tab = &self.tabs[&id];
            let last = tab.vouchers.iter().rev().find(|last| last.voucher.credits <= tab.hold);
            let unpaid = last.filter(|last| last.voucher.credits > tab.settled).copied();
            if is_over(&id, ground, 0) {
                let told = self.say_as(&watcher(), Body::ExpireOrder(ExpireOrder { order: id }), ground);
                story.push(format!("an order expires: {told}"));
            } else if is_calm || self.dice.one_in(12) {
                if let Some(unpaid) = unpaid.filter(|_| is_calm) {
                    self.say(Role::Gateway, Body::SettleOrder(unpaid), ground);
                }
                let told = self.say(Role::Gateway, Body::CloseOrder(CloseOrder { order: id }), ground);
                story.push(format!("an order is closed: {told}"));
            } else if self.dice.one_in(10) {
                self.tricks += 1;
                let own = self.say(Role::Customer, Body::CloseOrder(CloseOrder { order: id }), ground);
                let early = self.say_as(&watcher(), Body::ExpireOrder(ExpireOrder { order: id }), ground);
                // Between validators an order's time may be over when they hear of it.
                if own || (early && !is_over(&id, ground, STEP_MS)) {
                    self.note(ORDERS, format!("order {id} was ended by who may not"));
                }
            }
        }
    }

    fn say(&mut self, who: Role, body: Body, ground: &Ground) -> bool {
        self.say_as(&who.submitter(), body, ground)
    }

    /// Whether the ledger took it. Now and then it is said twice.
    fn say_as(&mut self, who: &Submitter, body: Body, ground: &Ground) -> bool {
        let Some(signed) = transaction(&ground.chain, who, body) else {
            return false;
        };
        let told = ground.tell(&signed).is_ok();
        if self.dice.one_in(8) {
            self.tricks += 1;
            let _ = ground.tell(&signed);
        }
        told
    }

    /// What the customer should have.
    fn left(&self) -> u64 {
        let opened = self.tabs.values().filter(|tab| tab.opened);
        let out: u64 = opened.map(|tab| tab.hold.0 - tab.returned.unwrap_or_default().0).sum();
        self.credits.saturating_sub(out)
    }

    /// Holds what the ledger says happened, and what it has, against the book. What does not hold.
    pub fn look(&mut self, ground: &Ground) -> Vec<Broken> {
        let events = ground.events();
        for event in &events[self.seen..] {
            self.event(event);
        }
        self.seen = events.len();
        let customer = Role::Customer.account();
        let account = ground.chain.read(|store| view::account(store, &customer));
        let has = account.ok().flatten().and_then(|account| account.credits.total().ok());
        if has != Some(Credit(self.left())) {
            self.note(
                CREDITS,
                format!("the customer has {has:?} credits and should have {}", self.left()),
            );
        }
        let mut wrong = Vec::new();
        for (id, tab) in self.tabs.iter().filter(|(_, tab)| tab.opened) {
            let order = ground.chain.read(|store| view::order(store, id)).ok().flatten();
            let has = order.and_then(|order| Some((order.settled, order.held.total().ok()?)));
            let held = match tab.returned {
                Some(_) => Credit::ZERO,
                None => tab.hold.saturating_sub(tab.settled),
            };
            if has != Some((tab.settled, held)) {
                wrong.push(format!(
                    "order {id} has {has:?}, and {} of {} were paid",
                    tab.settled, tab.hold
                ));
            }
        }
        wrong.into_iter().for_each(|what| self.note(CREDITS, what));
        std::mem::take(&mut self.broken)
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::CreditsBought {
                account, credits, paid, ..
            } if *account == Role::Customer.account() => {
                self.credits += credits.0;
                let times = self.bought.get_mut(&credits.0);
                let is_new = times.is_some_and(|times| std::mem::replace(times, *times + 1) == 0);
                if !is_new || (*paid > MicroUsd::ZERO && paid.0 != credits.0) {
                    self.note(
                        VOUCHERS,
                        format!("{credits} credits were bought for {paid:?}, again or unasked"),
                    );
                }
            }
            Event::OrderOpened { order, held, .. } => {
                let tab = self.tabs.get_mut(order);
                let is_ours = tab.is_some_and(|tab| !std::mem::replace(&mut tab.opened, true) && tab.hold == *held);
                if !is_ours {
                    self.note(CREDITS, format!("order {order} holds {held} credits, again or unasked"));
                }
            }
            Event::OrderSettled {
                order,
                paid,
                cumulative,
                ..
            } => {
                let Some(tab) = self.tabs.get_mut(order) else { return };
                let before = std::mem::replace(&mut tab.settled, *cumulative);
                let is_signed = tab.vouchers.iter().any(|good| good.voucher.credits == *cumulative);
                let is_more = before.checked_add(*paid) == Some(*cumulative) && *cumulative <= tab.hold;
                if !(is_signed && is_more && tab.is_open()) {
                    self.note(
                        VOUCHERS,
                        format!("order {order}: {paid} credits were paid, {cumulative} in all after {before}"),
                    );
                }
            }
            Event::OrderClosed { order, returned } | Event::OrderExpired { order, returned } => {
                let Some(tab) = self.tabs.get_mut(order) else { return };
                let rest = tab.hold.saturating_sub(tab.settled);
                let before = tab.returned.replace(*returned);
                if before.is_some() || *returned != rest {
                    self.note(ORDERS, format!("order {order} gives back {returned} credits of {rest}"));
                }
            }
            _ => {}
        }
    }

    /// When all is over.
    pub fn end(&mut self, ground: &Ground) -> Vec<Broken> {
        let mut broken = self.look(ground);
        let open = self.tabs.iter().filter(|(_, tab)| tab.is_open());
        broken.extend(open.map(|(id, tab)| Broken {
            property: ORDERS,
            what: format!("order {id} of {} credits is open still", tab.hold),
        }));
        broken
    }

    fn note(&mut self, property: &'static str, what: String) {
        self.broken.push(Broken { property, what });
    }
}
