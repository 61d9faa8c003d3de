//! The ledger a second time, slow and obvious: maps of names, numbers of 128 bits, every rule written out from the notes and the
//! list of refusals. It shares no code with the ledger but the names of refusals.

mod disputes;
pub mod draws;
mod upgrades;

pub use disputes::{Evidence, STALL, Said, Stage, VALIDATORS_MAX, VARIANTS, WITHOUTS};

use cairn_ledger::Reject;
use disputes::{Dispute, Settled};
use std::collections::BTreeMap;
use upgrades::Upgrades;

pub const NAMES: [&str; 7] = ["alice", "bob", "carol", "dave", "ivan", "vera", "nobody"];
const K: u128 = 100_000_000;
const CAP_SUPPLY_PER_EPOCH: u128 = 100_000_000_000;
const SUNSET: u128 = 156 * 7;
const WHOLE: u128 = 1_000_000_000;
const BOND_MIN: u128 = 1_000_000;
const FEE: u128 = 10;
const HOUR_MS: u128 = 3_600_000;
/// Of the time between two blocks no more counts in windows.
pub const GAP_MS_MAX: u64 = 3_600_000;
const SETTLE_EPOCHS: u64 = 4;
const UNBOND_EPOCHS: u64 = 3;
const WINDOW_BLOCKS: u64 = 2;
const U64: u128 = u64::MAX as u128;

#[derive(Clone, Debug, Default)]
pub struct Account {
    pub token: u128,
    pub stable: u128,
    pub credits: [u128; 2],
}

#[derive(Clone, Debug, Default)]
pub struct Network {
    pub founder: usize,
    pub bond: u128,
    pub treasury: [u128; 2],
    pub allowance: u128,
    pub carry: [u128; 2],
    pub created: u64,
    pub unsettled: u64,
    pub unreleased: u64,
    pub held: u64,
    pub usage: [u128; 2],
    pub share: u128,
    pub pools: BTreeMap<u64, Pool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    pub availability: u128,
    pub usage: u128,
    pub cash: u128,
    pub verifiers: u128,
    pub paid: u128,
    pub price: Option<u128>,
    pub closed_height: u64,
    /// By the clock that stands while the chain halts, as all that windows count from.
    pub closed_uptime: u128,
    /// Verifiers there were when it closed, how many of them anchored, all who did and how many reports each, and who was slashed for
    /// a broken receipt.
    pub listed: usize,
    pub done: usize,
    pub anchored: Vec<(usize, u128)>,
    pub punished: Vec<usize>,
    pub stage: Stage,
    pub settled: Option<Settled>,
    pub dispute: Option<Dispute>,
}

#[derive(Clone, Debug)]
pub struct Order {
    pub customer: usize,
    pub provider: usize,
    pub network: usize,
    pub held: [u128; 2],
    pub settled: u128,
    /// By the clock that stands while the chain halts.
    pub ends_uptime: u128,
    pub open: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Verifier {
    pub bond: u128,
    pub joining: u128,
    /// How much, and when it returns: an epoch and an uptime.
    pub unbonding: Option<(u128, u64, u128)>,
    pub post: Option<(u128, u64)>,
    pub since: u64,
    /// Open disputes of what it signed.
    pub held: u32,
}

#[derive(Clone, Debug, Default)]
pub struct Books {
    pub minted: u128,
    pub reminted: u128,
    pub burned: u128,
    burned_before: u128,
    smoothed: u128,
    pub unminted: u128,
    pub reserve: u128,
    topped_up: u128,
    pub cover: u128,
    pub buy_back: u128,
    /// Tokens slashed and kept for cover.
    pub kept: u128,
}

#[derive(Clone, Debug)]
pub struct Model {
    pub accounts: Vec<Account>,
    pub owed: [u128; 7],
    pub networks: Vec<Network>,
    pub names: BTreeMap<(usize, usize), usize>,
    pub orders: Vec<Order>,
    pub verifiers: BTreeMap<usize, Verifier>,
    /// Accounts of validators by the number of their key, and what each wishes of a key.
    pub validators: BTreeMap<usize, usize>,
    wishes: BTreeMap<usize, BTreeMap<usize, Option<usize>>>,
    pub upgrades: Upgrades,
    pub books: Books,
    pub premine: u128,
    pub epoch: u64,
    pub round: u64,
    pub now: u128,
    pub uptime: u128,
    pub height: u64,
    ring: Vec<u128>,
    accepted: u64,
    burns: (u128, u128),
}

/// What is wrong about a result, or about what it says went before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    Nothing,
    Totals,
    Anchors,
    /// Reports judged, anchored or not.
    Archive,
    Previous,
}

type Answer = Result<(), Reject>;

fn ensure(holds: bool, otherwise: Reject) -> Answer {
    if holds { Ok(()) } else { Err(otherwise) }
}

/// Largest remainder, ties by position.
fn divide(pool: u128, weights: &[u128]) -> Vec<u128> {
    let total: u128 = weights.iter().sum();
    if total == 0 {
        return vec![0; weights.len()];
    }
    let mut shares: Vec<u128> = weights.iter().map(|weight| pool * weight / total).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|at| (std::cmp::Reverse(pool * weights[*at] % total), *at));
    let missing = pool - shares.iter().sum::<u128>();
    for at in order.into_iter().take(missing as usize) {
        shares[at] += 1;
    }
    shares
}

impl Model {
    /// The world of `world::genesis` with one verifier.
    pub fn new(bond: u128, premine: u128) -> Self {
        let mut accounts = vec![
            Account {
                token: 1_000_000_000_000,
                ..Account::default()
            };
            5
        ];
        accounts.push(Account {
            token: 1_000_000_000,
            ..Account::default()
        });
        let verifiers = BTreeMap::from([(
            5,
            Verifier {
                bond,
                ..Verifier::default()
            },
        )]);
        Self {
            accounts,
            owed: [0; 7],
            networks: Vec::new(),
            names: BTreeMap::new(),
            orders: Vec::new(),
            verifiers,
            validators: (0..4).map(|account| (account, account)).collect(),
            wishes: BTreeMap::new(),
            upgrades: Upgrades::default(),
            books: Books::default(),
            premine,
            epoch: 0,
            round: 0,
            now: 0,
            uptime: 0,
            height: 1,
            ring: Vec::new(),
            accepted: 0,
            burns: (0, 0),
        }
    }

    /// Runs a step that costs a fee; refused, it leaves nothing behind.
    pub fn paid(&mut self, who: usize, fee: u128, step: impl FnOnce(&mut Self) -> Answer) -> Answer {
        let before = self.clone();
        let answer = self.take_fee(who, fee).and_then(|()| step(self));
        if answer.is_err() {
            *self = before;
        }
        answer
    }

    fn take_fee(&mut self, who: usize, fee: u128) -> Answer {
        ensure(who < 6, Reject::AccountUnknown)?;
        ensure(self.accounts[who].token >= fee, Reject::FeeUnaffordable)?;
        self.accounts[who].token -= fee;
        self.books.burned += fee;
        Ok(())
    }

    fn take(&mut self, who: usize, asset: usize, amount: u128) -> Answer {
        let (held, otherwise) = match asset {
            0 => (&mut self.accounts[who].token, Reject::TokenInsufficient),
            _ => (&mut self.accounts[who].stable, Reject::StableInsufficient),
        };
        ensure(*held >= amount, otherwise)?;
        *held -= amount;
        Ok(())
    }

    fn give(&mut self, who: usize, asset: usize, amount: u128) {
        match asset {
            0 => self.accounts[who].token += amount,
            _ => self.accounts[who].stable += amount,
        }
    }

    pub fn transfer(&mut self, from: usize, to: usize, asset: usize, amount: u128) -> Answer {
        self.paid(from, FEE, |model| {
            ensure(amount > 0, Reject::AmountZero)?;
            ensure(to < 6, Reject::RecipientUnknown)?;
            ensure(to != from, Reject::RecipientIsSender)?;
            model.take(from, asset, amount)?;
            model.give(to, asset, amount);
            Ok(())
        })
    }

    pub fn issue(&mut self, by: usize, to: usize, amount: u128) -> Answer {
        self.paid(by, FEE, |model| {
            ensure(amount > 0, Reject::AmountZero)?;
            ensure(to < 6, Reject::RecipientUnknown)?;
            ensure(by == 4 || by == 3, Reject::NotAnIssuer)?;
            ensure(model.owed[by] + amount <= U64, Reject::AmountTooLarge)?;
            ensure(model.owed[by] + amount <= 1_000_000_000_000, Reject::IssuerLimitReached)?;
            model.owed[by] += amount;
            model.give(to, 1, amount);
            Ok(())
        })
    }

    pub fn redeem(&mut self, by: usize, issuer: usize, amount: u128) -> Answer {
        self.paid(by, FEE, |model| {
            ensure(amount > 0, Reject::AmountZero)?;
            model.take(by, 1, amount)?;
            ensure(issuer == 4 || issuer == 3, Reject::IssuerUnknown)?;
            ensure(model.owed[issuer] >= amount, Reject::IssuerOwesLess)?;
            model.owed[issuer] -= amount;
            Ok(())
        })
    }

    pub fn buy_stable(&mut self, by: usize, amount: u128) -> Answer {
        self.paid(by, FEE, |model| {
            ensure(amount > 0, Reject::AmountZero)?;
            model.take(by, 1, amount)?;
            model.accounts[by].credits[0] += amount;
            Ok(())
        })
    }

    pub fn buy_burn(&mut self, by: usize, tokens: u128) -> Answer {
        self.paid(by, FEE, |model| {
            let (low, _) = model.price().ok_or(Reject::PriceHalted)?;
            let credits = tokens * low / K;
            ensure(credits <= U64, Reject::AmountTooLarge)?;
            ensure(credits > 0, Reject::AmountZero)?;
            let window = 24 * HOUR_MS;
            let left = window.saturating_sub(model.now - model.burns.1);
            let reached = (model.burns.0 * left).div_ceil(window) + tokens;
            ensure(reached <= U64, Reject::AmountTooLarge)?;
            ensure(reached <= model.existing() / 100, Reject::BurnLimitReached)?;
            model.take(by, 0, tokens)?;
            model.burns = (reached, model.now);
            model.books.burned += tokens;
            model.accounts[by].credits[1] += credits;
            Ok(())
        })
    }

    pub fn refund(&mut self, by: usize, credits: u128) -> Answer {
        self.paid(by, FEE, |model| {
            ensure(credits > 0, Reject::AmountZero)?;
            ensure(model.accounts[by].credits[0] >= credits, Reject::CreditsInsufficient)?;
            let paid = credits * 99 / 100;
            model.accounts[by].credits[0] -= credits;
            model.books.cover += credits - paid;
            model.give(by, 1, paid);
            Ok(())
        })
    }

    pub fn post_price(&mut self, by: usize, price: u128) -> Answer {
        self.paid(by, 0, |model| {
            let round = model.round;
            let verifier = model
                .verifiers
                .get_mut(&by)
                .filter(|verifier| verifier.bond > 0)
                .ok_or(Reject::NotAVerifier)?;
            ensure((100..=1_000_000_000_000_000).contains(&price), Reject::PriceOutOfRange)?;
            ensure(
                verifier.post.is_none_or(|(_, posted)| posted < round),
                Reject::PricePosted,
            )?;
            verifier.post = Some((price, round));
            Ok(())
        })
    }

    pub fn create_network(&mut self, by: usize, name: usize, bond: u128, allowance: u128) -> Answer {
        self.paid(by, FEE + 5_000 + 50, |model| {
            model.take(by, 0, bond)?;
            model.take(by, 0, allowance)?;
            ensure(bond >= BOND_MIN, Reject::NetworkBondTooSmall)?;
            ensure(!model.names.contains_key(&(by, name)), Reject::NetworkExists)?;
            model.names.insert((by, name), model.networks.len());
            let open = model.epoch;
            model.networks.push(Network {
                founder: by,
                bond,
                allowance,
                created: open,
                unsettled: open,
                unreleased: open,
                held: open,
                ..Network::default()
            });
            Ok(())
        })
    }

    /// `kind`: token, stable, allowance.
    pub fn fund(&mut self, by: usize, network: Option<usize>, kind: usize, amount: u128) -> Answer {
        self.paid(by, FEE, |model| {
            ensure(amount > 0, Reject::AmountZero)?;
            model.take(by, kind % 2, amount)?;
            let network = network
                .and_then(|at| model.networks.get_mut(at))
                .ok_or(Reject::NetworkUnknown)?;
            match kind {
                2 => network.allowance += amount,
                asset => network.treasury[asset] += amount,
            }
            Ok(())
        })
    }

    pub fn withdraw(&mut self, by: usize, network: Option<usize>, asset: usize, amount: u128) -> Answer {
        self.paid(by, FEE, |model| {
            ensure(amount > 0, Reject::AmountZero)?;
            let network = network
                .and_then(|at| model.networks.get_mut(at))
                .ok_or(Reject::NetworkUnknown)?;
            ensure(network.founder == by, Reject::NotTreasurer)?;
            ensure(network.treasury[asset] >= amount, Reject::TreasuryInsufficient)?;
            network.treasury[asset] -= amount;
            model.give(by, asset, amount);
            Ok(())
        })
    }

    pub fn open_order(&mut self, by: usize, network: Option<usize>, provider: usize, hold: u128, ms: u128) -> Answer {
        self.paid(by, FEE, |model| {
            ensure(hold > 0, Reject::AmountZero)?;
            ensure(provider < 6, Reject::RecipientUnknown)?;
            let credits = &mut model.accounts[by].credits;
            ensure(credits[0] + credits[1] >= hold, Reject::CreditsInsufficient)?;
            let network = network
                .filter(|at| *at < model.networks.len())
                .ok_or(Reject::NetworkUnknown)?;
            ensure(provider != by, Reject::ProviderIsCustomer)?;
            ensure(ms > 0 && ms <= 400 * 24 * HOUR_MS, Reject::ExpiryInvalid)?;
            let stable = credits[0].min(hold);
            let held = [stable, hold - stable];
            (credits[0], credits[1]) = (credits[0] - held[0], credits[1] - held[1]);
            let ends_uptime = model.uptime + ms;
            model.orders.push(Order {
                customer: by,
                provider,
                network,
                held,
                settled: 0,
                ends_uptime,
                open: true,
            });
            Ok(())
        })
    }

    pub fn settle_order(&mut self, by: usize, order: usize, cumulative: u128) -> Answer {
        self.paid(by, FEE, |model| {
            let uptime = model.uptime;
            let order = model.orders.get_mut(order).ok_or(Reject::OrderUnknown)?;
            ensure(order.open, Reject::OrderNotOpen)?;
            ensure(uptime < order.ends_uptime, Reject::OrderExpired)?;
            ensure(order.provider == by, Reject::NotProvider)?;
            ensure(cumulative > order.settled, Reject::VoucherNotAbove)?;
            let paid = cumulative - order.settled;
            ensure(paid <= order.held[0] + order.held[1], Reject::VoucherAboveHeld)?;
            let stable = paid.min(order.held[0]);
            order.held = [order.held[0] - stable, order.held[1] - (paid - stable)];
            order.settled = cumulative;
            let usage = &mut model.networks[order.network].usage;
            (usage[0], usage[1]) = (usage[0] + stable, usage[1] + paid - stable);
            Ok(())
        })
    }

    pub fn end_order(&mut self, by: usize, order: usize, expired: bool) -> Answer {
        let fee = if expired { 0 } else { FEE };
        self.paid(by, fee, |model| {
            let uptime = model.uptime;
            let order = model.orders.get_mut(order).ok_or(Reject::OrderUnknown)?;
            ensure(order.open, Reject::OrderNotOpen)?;
            if expired {
                ensure(uptime >= order.ends_uptime, Reject::OrderNotExpired)?;
            } else {
                ensure(order.provider == by, Reject::NotParty)?;
            }
            order.open = false;
            let held = std::mem::take(&mut order.held);
            let credits = &mut model.accounts[order.customer].credits;
            (credits[0], credits[1]) = (credits[0] + held[0], credits[1] + held[1]);
            Ok(())
        })
    }

    pub fn bond(&mut self, by: usize, amount: u128) -> Answer {
        self.paid(by, FEE, |model| {
            ensure(amount > 0, Reject::AmountZero)?;
            model.take(by, 0, amount)?;
            let since = model.epoch;
            let new = Verifier {
                since,
                ..Verifier::default()
            };
            let verifier = model.verifiers.entry(by).or_insert(new);
            verifier.joining += amount;
            ensure(verifier.bond + verifier.joining >= BOND_MIN, Reject::BondTooSmall)
        })
    }

    /// The epoch and the uptime until which stake taken back now is liable.
    fn liable_until(&self) -> (u64, u128) {
        (
            self.epoch + UNBOND_EPOCHS,
            self.uptime + u128::from(UNBOND_EPOCHS) * HOUR_MS,
        )
    }

    pub fn unbond(&mut self, by: usize, amount: u128) -> Answer {
        let (until, until_uptime) = self.liable_until();
        self.paid(by, FEE, |model| {
            ensure(amount > 0, Reject::AmountZero)?;
            let verifier = model.verifiers.get_mut(&by).ok_or(Reject::NotAVerifier)?;
            ensure(verifier.bond >= amount, Reject::BondInsufficient)?;
            let stays = verifier.bond - amount + verifier.joining;
            ensure(stays == 0 || stays >= BOND_MIN, Reject::BondTooSmall)?;
            ensure(
                verifier.unbonding.is_none_or(|(amount, _, _)| amount == 0),
                Reject::AlreadyUnbonding,
            )?;
            verifier.bond -= amount;
            verifier.unbonding = Some((amount, until, until_uptime));
            Ok(())
        })
    }

    /// What one operator may get for `charged` of a pool's revenue: cash and tokens.
    pub fn usage_share(pool: &Pool, charged: u128) -> (u128, u128) {
        if charged == 0 {
            return (0, 0);
        }
        let limit = charged * 9_500 / 10_000;
        let cash = (pool.cash * charged / pool.paid).min(limit);
        let tokens = pool.price.map_or(0, |price| {
            (pool.usage * charged / pool.paid).min((limit - cash) * K / price)
        });
        (cash, tokens)
    }

    fn existing(&self) -> u128 {
        self.premine + self.books.minted - self.books.burned
    }

    /// The low and the high price: with one poster nobody disagrees.
    pub fn price(&self) -> Option<(u128, u128)> {
        let last = *self.ring.last()?;
        if self.round - self.accepted > 3 {
            return None;
        }
        let mean = self.ring.iter().sum::<u128>() / self.ring.len() as u128;
        Some((last.min(mean), last.max(mean)))
    }

    pub fn advance(&mut self, ms: u128) {
        self.now += ms;
        self.uptime += ms.min(GAP_MS_MAX.into());
        self.height += 1;
        self.upgrades.advance(self.height);
        let round = (self.now / HOUR_MS) as u64;
        if round > self.round {
            self.close_round();
            self.round = round;
        }
        for _ in 0..4 {
            if self.now < u128::from(self.epoch + 1) * HOUR_MS {
                break;
            }
            self.close_epoch();
        }
    }

    fn close_round(&mut self) {
        let total: u128 = self.verifiers.values().map(|verifier| verifier.bond).sum();
        let fresh = |verifier: &Verifier| verifier.post.filter(|(_, posted)| self.round - posted <= 1);
        let mut posts: Vec<(u128, usize, u128)> = Vec::new();
        for (who, verifier) in &self.verifiers {
            posts.extend(fresh(verifier).map(|(price, _)| (price, self.number(*who), verifier.bond)));
        }
        let weight: u128 = posts.iter().map(|post| post.2).sum();
        if weight == 0 || 3 * weight <= 2 * total {
            return;
        }
        assert_eq!(posts.len(), 1, "the workload lets one verifier post");
        let price = match self.ring.last() {
            Some(last) => posts[0]
                .0
                .clamp((last * 8_000).div_ceil(10_000), last * 12_000 / 10_000),
            None => posts[0].0,
        };
        self.ring.push(price.clamp(100, 1_000_000_000_000_000));
        if self.ring.len() > 24 {
            self.ring.remove(0);
        }
        self.accepted = self.round;
    }

    fn number(&self, who: usize) -> usize {
        who
    }

    fn close_epoch(&mut self) {
        let high = self.price().map(|(_, high)| high);
        let existing = self.existing();
        let books = &mut self.books;
        books.smoothed = books.smoothed * 6 / 7 + (books.burned - books.burned_before) / 7;
        books.burned_before = books.burned;
        let remint = books
            .smoothed
            .min(1_000_000_000_000_000 / 50_000)
            .min(books.burned - books.reminted);
        let budget = [
            CAP_SUPPLY_PER_EPOCH,
            remint,
            books.reserve / 52,
            (existing / 5).saturating_sub(books.reserve),
            books.burned - books.topped_up,
        ];
        if self.networks.is_empty() {
            books.unminted += budget[0] + budget[1];
        }
        self.move_shares();
        let shares: Vec<u128> = self.networks.iter().map(|network| network.share).collect();
        let parts: Vec<Vec<u128>> = budget.iter().map(|whole| divide(*whole, &shares)).collect();
        let by_network: Vec<[u128; 5]> = (0..shares.len())
            .map(|at| [0, 1, 2, 3, 4].map(|part: usize| parts[part][at]))
            .collect();
        for (at, budget) in by_network.into_iter().enumerate() {
            self.close_network(at, budget, high);
        }
        self.expire();
        self.turn_verifiers();
        for network in &mut self.networks {
            if let Some(pool) = network.pools.get_mut(&self.epoch) {
                let able = self.verifiers.values().filter(|verifier| verifier.at_stake() > 0);
                pool.listed = able.count();
            }
        }
        self.epoch += 1;
    }

    fn move_shares(&mut self) {
        let shares: Vec<u128> = self.networks.iter().map(|network| network.share).collect();
        if shares.is_empty() {
            return;
        }
        let begun = shares.iter().any(|share| *share > 0);
        let otherwise = if begun { shares.clone() } else { vec![1; shares.len()] };
        let by = |whole: u128, weights: Vec<u128>| {
            divide(
                whole,
                if weights.iter().all(|weight| *weight == 0) {
                    &otherwise
                } else {
                    &weights
                },
            )
        };
        let usage = by(
            WHOLE / 2,
            self.networks
                .iter()
                .map(|network| network.usage[0] + network.usage[1])
                .collect(),
        );
        let bonds = by(WHOLE / 5, self.networks.iter().map(|network| network.bond).collect());
        let votes = by(WHOLE * 3 / 10, vec![0; shares.len()]);
        let target: Vec<u128> = (0..shares.len()).map(|at| usage[at] + bonds[at] + votes[at]).collect();
        let next = if begun { approach(&shares, &target) } else { target };
        for (network, share) in self.networks.iter_mut().zip(next) {
            network.share = share;
        }
    }

    fn close_network(&mut self, at: usize, budget: [u128; 5], high: Option<u128>) {
        let (epoch, height, uptime) = (self.epoch, self.height, self.uptime);
        let network = &mut self.networks[at];
        let [scheduled, remint, draw, room, bound] = budget;
        let [stable, burned] = std::mem::take(&mut network.usage);
        let paid = stable + burned;
        let part = |bps: u128| stable * bps / 10_000;
        let (operators, verifiers, cover, buy_back) = (part(7_000), part(500), part(500), part(1_000));
        let limit = paid * 9_500 / 10_000;
        let cash = (operators + network.carry[1]).min(limit);
        let age = u128::from(epoch - network.created);
        let emission = scheduled + remint;
        let availability = emission * 6_000 * SUNSET.saturating_sub(age) / (SUNSET * 10_000);
        let wanted = paid * 2_500 / 10_000 + burned * 7_000 / 10_000;
        let usage = high.map_or(0, |price| {
            (wanted.min(limit - cash) * K / price).min(emission - availability)
        });
        let top_up = high.map_or(0, |price| {
            let missing = (paid * 8_000 / 10_000)
                .saturating_sub(cash)
                .saturating_sub((usage * price).div_ceil(K));
            (missing * K / price).min(draw).min(bound)
        });
        let reserve_in = (emission + network.carry[0] - availability - usage).min(room);
        let needed = availability + usage + reserve_in;
        let carried = network.carry[0].min(needed);
        let minted = needed - carried;

        network.carry = [network.carry[0] - carried, operators + network.carry[1] - cash];
        network.treasury[1] += stable - operators - verifiers - cover - buy_back;
        let pool = Pool {
            availability,
            usage: usage + top_up,
            cash,
            verifiers,
            paid,
            price: high,
            closed_height: height,
            closed_uptime: uptime,
            ..Pool::default()
        };
        network.pools.insert(epoch, pool);
        let books = &mut self.books;
        books.minted += minted;
        books.reminted += minted - minted.min(scheduled);
        books.unminted += emission - minted;
        books.reserve = books.reserve + reserve_in - top_up;
        books.topped_up += top_up;
        books.cover += cover;
        books.buy_back += buy_back;
    }

    fn turn_verifiers(&mut self) {
        let mut returned = Vec::new();
        for (who, verifier) in &mut self.verifiers {
            let is_due = |(_, until, uptime): &(_, u64, u128)| *until <= self.epoch && *uptime <= self.uptime;
            let leaves = verifier.unbonding.filter(is_due);
            if let Some((amount, _, _)) = leaves.filter(|_| verifier.held == 0) {
                returned.push((*who, amount));
                verifier.unbonding = None;
            }
            verifier.bond += std::mem::take(&mut verifier.joining);
        }
        self.verifiers
            .retain(|_, verifier| verifier.at_stake() > 0 || verifier.unbonding.is_some() || verifier.held > 0);
        for (who, amount) in returned {
            self.give(who, 0, amount);
        }
    }
}

/// A thirtieth of the way for the farthest, at most 2 %; everybody else the same part of theirs.
fn approach(shares: &[u128], target: &[u128]) -> Vec<u128> {
    let farthest = shares
        .iter()
        .zip(target)
        .map(|(share, target)| share.abs_diff(*target))
        .max()
        .unwrap_or(0);
    if farthest == 0 {
        return shares.to_vec();
    }
    let reach = (farthest / 30).min(WHOLE / 50);
    let gains: Vec<u128> = shares
        .iter()
        .zip(target)
        .map(|(share, target)| target.saturating_sub(*share) * reach / farthest)
        .collect();
    let losers: Vec<u128> = shares
        .iter()
        .zip(target)
        .map(|(share, target)| share.saturating_sub(*target))
        .collect();
    let losses = divide(gains.iter().sum(), &losers);
    (0..shares.len())
        .map(|at| shares[at] + gains[at] - losses[at])
        .collect()
}
