//! What a block's transactions and events change in the tables that pages are read from. Reads the ledger's records as they are after
//! each step; decides nothing.

use super::apply::{Applied, ApplyError, Rules};
use super::money::{Leaf, PayBefore};
use super::parties::{Parties, parties};
use super::records::Records;
use super::write::{self, Once, roles};
use super::{day_of, event_at, tx_at};
use crate::archives::alerts;
use crate::db::{DbError, Session, values};
use crate::words;
use cairn_client::TakenBlock;
use cairn_engine::tx_hash;
use cairn_ledger::records::RosterEntry;
use cairn_ledger::tx::{Body, Sponsor};
use cairn_ledger::{Event, Signed, view};
use cairn_types::{
    AccountId, AccountNumber, DeviceId, EpochNumber, NetworkId, NetworkNumber, OrderId, Price, TimeMs, Token, codec,
};
use std::collections::BTreeSet;

/// The facts of one block.
pub struct Notes<'a> {
    rules: &'a Rules,
    block: &'a TakenBlock,
    events: usize,
    /// The middle of the prices in use; read once a block.
    price: Option<Option<Price>>,
    applied: Applied,
}

/// Numbers behind the ids of an event.
#[derive(Default)]
struct Numbers {
    network: Option<u64>,
    accounts: Vec<u64>,
    device: Option<u64>,
}

impl<'a> Notes<'a> {
    pub fn new(rules: &'a Rules, block: &'a TakenBlock) -> Self {
        let header = &block.header;
        Self {
            rules,
            block,
            events: 0,
            price: None,
            applied: Applied {
                height: header.height,
                time: TimeMs(header.time_ms),
                transactions: block.txs.len(),
                ..Applied::default()
            },
        }
    }

    fn height(&self) -> u64 {
        self.block.header.height
    }

    fn time(&self) -> u64 {
        self.block.header.time_ms
    }

    /// A later era's first block after all records are here: whom they know is listed before anything happens.
    pub fn begun(&mut self, records: &mut Records<'_>) -> Result<(), DbError> {
        let base = self.block.header.base;
        if base == 0 || Once::Seeded.is_done(base, records.session)? {
            return Ok(());
        }
        self.seed(records)?;
        Once::Seeded.done(self.height(), records.session)
    }

    /// A transaction of the engine's own: it is listed, and touches nobody.
    pub fn own(&mut self, place: usize, bytes: &[u8], session: &mut dyn Session) -> Result<(), DbError> {
        let taken = cairn_engine::records::records_in(bytes);
        if taken.is_some_and(|taken| taken.is_last) {
            Once::TakenOver.done(self.height(), session)?;
        }
        let kind = match cairn_engine::records::is_records(bytes) {
            true => "take_over_records",
            false => "end_era",
        };
        let row = Row {
            place,
            id: tx_hash(bytes),
            kind,
            account: None,
            fee: Token(0),
            events: 0,
            bytes,
        };
        self.row(&row, session)
    }

    fn row(&mut self, row: &Row<'_>, session: &mut dyn Session) -> Result<(), DbError> {
        let at = tx_at(self.height(), row.place);
        let sql = "INSERT INTO transactions (at, id, time, kind, account, fee, events, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let events = row.events as u64;
        let fields = values![
            at,
            row.id,
            self.time(),
            row.kind,
            row.account,
            row.fee.0,
            events,
            row.bytes
        ];
        session.run(sql, fields).map(drop)
    }

    /// What a payment rests on, as it is before it.
    pub fn before(&mut self, signed: &Signed, records: &mut Records<'_>) -> Result<Option<PayBefore>, DbError> {
        match &signed.transaction.body {
            Body::Pay(pay) => PayBefore::read(pay, records).map(Some),
            _ => Ok(None),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a transaction and what it came to")]
    pub fn transaction(
        &mut self,
        place: usize,
        bytes: &[u8],
        signed: &Signed,
        fee: Token,
        events: &[Event],
        before: Option<PayBefore>,
        records: &mut Records<'_>,
    ) -> Result<(), DbError> {
        let transaction = &signed.transaction;
        let mut touched = self.events(Some(place), events, records)?;
        let sender = account_number(&transaction.account, records)?;
        touched.extend(sender);
        if let Some(Sponsor::Account(id)) = &transaction.sponsor {
            touched.extend(account_number(id, records)?);
        }
        let row = Row {
            place,
            id: transaction.id().0,
            kind: words::kind(&transaction.body),
            account: sender,
            fee,
            events: events.len(),
            bytes,
        };
        self.row(&row, records.session)?;
        let at = tx_at(self.height(), place);
        for account in touched {
            let sql = "INSERT INTO touches (account, at) VALUES ($1, $2) ON CONFLICT (account, at) DO NOTHING";
            records.session.run(sql, values![account, at])?;
        }
        if let (Body::Pay(pay), Some(before)) = (&transaction.body, before) {
            let economics = &self.rules.ledger.genesis().economics;
            let price = self.price(records)?.or(before.price);
            let leaves = before.leaves(pay, economics, price)?;
            self.paid(at, pay.network, pay.epoch, &leaves, records)?;
        }
        Ok(())
    }

    /// The price at which what is received is worth something.
    fn price(&mut self, records: &mut Records<'_>) -> Result<Option<Price>, DbError> {
        if let Some(price) = self.price {
            return Ok(price);
        }
        let genesis = self.rules.ledger.genesis();
        let quote = records.look(|store| view::quote(store, genesis))?;
        let price = quote.map(|quote| quote.mid);
        self.price = Some(price);
        Ok(price)
    }

    /// Every event of one receipt; answers the accounts they are about.
    pub fn events(
        &mut self,
        tx: Option<usize>,
        events: &[Event],
        records: &mut Records<'_>,
    ) -> Result<BTreeSet<u64>, DbError> {
        let mut touched = BTreeSet::new();
        for event in events {
            let at = event_at(self.height(), self.events);
            self.events += 1;
            self.fact(tx, at, event, records)?;
            let parties = parties(event);
            let numbers = numbers(&parties, records)?;
            let (kind, _) = cairn_node::faces::event(event);
            let sql = "INSERT INTO events (at, tx, time, kind, network, account, device, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
            let tx_at = tx.map(|place| tx_at(self.height(), place));
            let account = numbers.accounts.first().copied();
            let bytes = codec::encode(event);
            let fields = values![
                at,
                tx_at,
                self.time(),
                kind,
                numbers.network,
                account,
                numbers.device,
                bytes
            ];
            records.session.run(sql, fields)?;
            touched.extend(numbers.accounts);
        }
        Ok(touched)
    }

    /// What one event changes.
    fn fact(&mut self, tx: Option<usize>, at: u64, event: &Event, records: &mut Records<'_>) -> Result<(), DbError> {
        let time = self.time();
        let tx_at = tx.map(|place| tx_at(self.height(), place));
        match event {
            Event::GenesisWritten { .. } => self.seed(records)?,
            Event::AccountOpened { account, number } => {
                write::account(records.session, number.0.into(), account.0, self.height())?;
            }
            Event::CreditsBought {
                account,
                credits,
                paid,
                burned,
            } => {
                let number = known_account(account, records)?;
                let column = if paid.0 > 0 { "bought_stable" } else { "bought_burned" };
                let sql = format!(
                    "UPDATE accounts SET {column} = {column} + $2, burned_token = burned_token + $3 WHERE number = $1"
                );
                let session = &mut *records.session;
                session.run(&sql, values![number, credits.0, burned.0])?;
                write::customer(session, number)?;
                customer_day(session, number, time, credits.0, 0)?;
            }
            Event::CreditsRefunded { account, credits, .. } => {
                let number = known_account(account, records)?;
                let sql = "UPDATE accounts SET refunded = refunded + $2 WHERE number = $1";
                records.session.run(sql, values![number, credits.0])?;
            }
            Event::StableIssued { issuer, .. } => {
                let number = known_account(issuer, records)?;
                write::role(records.session, number, roles::ISSUER)?;
            }
            Event::VerifierBonded { verifier, .. } => {
                let number = known_account(verifier, records)?;
                write::role(records.session, number, roles::VERIFIER)?;
            }
            Event::VerifierSlashed { verifier, .. } => {
                let number = known_account(verifier, records)?;
                let sql = "UPDATE accounts SET slashed = slashed + 1 WHERE number = $1";
                records.session.run(sql, values![number])?;
                slash(records.session, at, time, tx_at)?;
            }
            Event::ReceiptBroken { .. } | Event::DeviceBarred { .. } => slash(records.session, at, time, tx_at)?,
            Event::NetworkCreated {
                network,
                number,
                founder,
                name,
                vertical,
                ..
            } => {
                let founder = known_account(founder, records)?;
                write::network(records.session, number.0.into(), network.0, name, vertical, founder)?;
            }
            Event::DeviceRegistered { device, number, owner } => {
                let owner = known_account(owner, records)?;
                write::device(records.session, number.0.into(), device.0, owner)?;
            }
            Event::NetworkJoined { network, device, .. } | Event::NetworkLeft { network, device, .. } => {
                member(network, device, records)?;
            }
            Event::DeviceMoved {
                network, device, from, ..
            } => {
                member(network, device, records)?;
                self.moved(network, device, *from, records)?;
            }
            Event::DeviceRetired { device } => retired(device, records)?,
            Event::EpochClosed { epoch, .. } => self.closed(*epoch, records)?,
            Event::PoolFixed { network, epoch, .. } => {
                let network = known_network(network, records)?;
                let sql = "INSERT INTO network_epochs (network, epoch, state, findings, units, availability, usage, cash, customers_paid,
                    disputed, paid_token, paid_stable, paid_usd) VALUES ($1, $2, 'closed', 'none', 0, 0, 0, 0, 0, 0, 0, 0, 0)
                    ON CONFLICT (network, epoch) DO NOTHING";
                records.session.run(sql, values![network, epoch.0])?;
            }
            Event::EpochSettled {
                network, epoch, totals, ..
            } => {
                let network = known_network(network, records)?;
                let sql =
                    "UPDATE network_epochs SET state = 'settled', units = $3, availability = $4, usage = $5, cash = $6,
                    customers_paid = $7, settled_time = $8, settled_at = $9 WHERE network = $1 AND epoch = $2";
                let (paid, session) = (totals.customers_paid.0, &mut *records.session);
                let (availability, usage, cash) = (totals.availability.0, totals.usage.0, totals.cash.0);
                let fields = values![
                    network,
                    epoch.0,
                    totals.units,
                    availability,
                    usage,
                    cash,
                    paid,
                    time,
                    tx_at
                ];
                session.run(sql, fields)?;
            }
            Event::EpochReleased { network, epoch, .. } => self.released(network, *epoch, records)?,
            Event::EpochExpired { network, epoch, .. } => state(network, *epoch, "expired", records)?,
            Event::PayoutsCompleted { network, epoch } => state(network, *epoch, "paid", records)?,
            Event::SettlementWithdrawn { network, epoch } => state(network, *epoch, "closed", records)?,
            Event::DisputeOpened {
                network,
                epoch,
                disputer,
                ..
            } => {
                let network = known_network(network, records)?;
                let disputer = known_account(disputer, records)?;
                let sql = "INSERT INTO disputes (network, epoch, at, time, disputer) VALUES ($1, $2, $3, $4, $5)
                    ON CONFLICT (network, epoch) DO NOTHING";
                records
                    .session
                    .run(sql, values![network, epoch.0, at, time, disputer])?;
                let sql = "UPDATE network_epochs SET disputed = 1 WHERE network = $1 AND epoch = $2";
                records.session.run(sql, values![network, epoch.0])?;
            }
            Event::DisputeDecided {
                network, epoch, blame, ..
            } => {
                let network = known_network(network, records)?;
                let sql = "UPDATE disputes SET decided = $3, blame = $4 WHERE network = $1 AND epoch = $2";
                let fields = values![network, epoch.0, self.height(), *blame];
                records.session.run(sql, fields)?;
            }
            Event::OrderOpened {
                order,
                network,
                customer,
                provider,
                ..
            } => self.order(at, order, network, [customer, provider], records)?,
            Event::OrderSettled {
                order,
                paid,
                cumulative,
                meters,
            } => {
                let found = parties_of(order, records)?;
                let Some([network, customer, provider]) = found else {
                    return Ok(());
                };
                let epoch = records
                    .look(|store| view::chain(store))?
                    .map_or(0, |chain| chain.epoch.0);
                let session = &mut *records.session;
                let sql = "INSERT INTO bills (at, order_id, network, customer, provider, time, epoch, paid, cumulative, meters, tx)
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
                let tx_at = tx_at.unwrap_or_default();
                let fields = values![
                    at,
                    order.0,
                    network,
                    customer,
                    provider,
                    time,
                    epoch,
                    paid.0,
                    cumulative.0,
                    meters.0,
                    tx_at
                ];
                session.run(sql, fields)?;
                let sql = "UPDATE accounts SET spent = spent + $2 WHERE number = $1";
                session.run(sql, values![customer, paid.0])?;
                session.run(
                    "UPDATE orders SET vouchers = vouchers + 1 WHERE id = $1",
                    values![order.0],
                )?;
                customer_day(session, customer, time, 0, paid.0)?;
            }
            Event::OrderClosed { order, returned } => ended(order, "closed", returned.0, records)?,
            Event::OrderExpired { order, returned } => ended(order, "expired", returned.0, records)?,
            _ => {}
        }
        Ok(())
    }

    fn order(
        &mut self,
        at: u64,
        order: &OrderId,
        network: &NetworkId,
        [customer, provider]: [&AccountId; 2],
        records: &mut Records<'_>,
    ) -> Result<(), DbError> {
        let network = known_network(network, records)?;
        let (customer, provider) = (known_account(customer, records)?, known_account(provider, records)?);
        let session = &mut *records.session;
        let sql = "INSERT INTO orders (id, at, network, customer, provider, state, opened, returned, vouchers)
            VALUES ($1, $2, $3, $4, $5, 'open', $6, 0, 0)";
        session.run(sql, values![order.0, at, network, customer, provider, self.time()])?;
        let sql = "UPDATE accounts SET orders = orders + 1, last_order = $2 WHERE number = $1";
        session.run(sql, values![customer, self.time()])?;
        write::customer(session, customer)?;
        write::role(session, provider, roles::PROVIDER)?;
        let sql = "UPDATE networks SET open_orders = open_orders + 1 WHERE number = $1";
        session.run(sql, values![network]).map(drop)
    }

    /// A device that moved is something its operator should see.
    fn moved(
        &mut self,
        network: &NetworkId,
        device: &DeviceId,
        from: EpochNumber,
        records: &mut Records<'_>,
    ) -> Result<(), DbError> {
        let network = known_network(network, records)?;
        let Some(device) = records.look(|store| view::device(store, device))? else {
            return Ok(());
        };
        let sql = "INSERT INTO alerts (network, epoch, device, kind, operator, time, height)
            VALUES ($1, $2, $3, 'device_moved', $4, $5, $6) ON CONFLICT (network, epoch, device, kind) DO NOTHING";
        let (number, owner) = (device.number.0, device.owner_number.0);
        let fields = values![network, from.0, number, owner, self.time(), self.height()];
        if records.session.run(sql, fields)? == 0 {
            return Ok(());
        }
        let found = alerts::one(network, from.0, number.into(), "device_moved", records.session)?;
        crate::webhooks::put(records.session, found.as_slice(), TimeMs(self.time()))?;
        self.applied.alerts.extend(found);
        Ok(())
    }

    /// Whom the ledger knows without an event of each: the founders' accounts and verifiers, or all that an era before left.
    fn seed(&mut self, records: &mut Records<'_>) -> Result<(), DbError> {
        let Some(chain) = records.look(|store| view::chain(store))? else {
            return Ok(());
        };
        for number in 0..chain.accounts {
            let found = records.look(|store| view::account_by_number(store, AccountNumber(number)))?;
            if let Some((id, _)) = found {
                write::account(records.session, number.into(), id.0, self.height())?;
            }
        }
        for (id, verifier) in records.look(|store| view::verifiers(store))? {
            let _ = id;
            write::role(records.session, verifier.number.0.into(), roles::VERIFIER)?;
        }
        for number in 0..chain.devices {
            let number = cairn_types::DeviceNumber(number);
            if let Some((id, device)) = records.look(|store| view::device_by_number(store, number))? {
                write::device(records.session, number.0.into(), id.0, device.owner_number.0.into())?;
            }
        }
        for number in 0..chain.networks {
            let found = records.look(|store| view::network_by_number(store, NetworkNumber(number)))?;
            let Some((id, network)) = found else { continue };
            let founder = known_account(&network.founder, records)?;
            write::network(
                records.session,
                number.into(),
                id.0,
                &network.name,
                &network.vertical,
                founder,
            )?;
            for entry in 0..network.roster {
                let stay = records.look(|store| view::record::<RosterEntry>(store, &(id, entry)))?;
                if let Some(stay) = stay {
                    put_stay(number.into(), entry, &stay, records.session)?;
                    member(&id, &stay.id, records)?;
                }
            }
        }
        Ok(())
    }

    fn closed(&mut self, number: EpochNumber, records: &mut Records<'_>) -> Result<(), DbError> {
        let Some(epoch) = records.look(|store| view::epoch(store, number))? else {
            return Ok(());
        };
        let books = records.look(|store| view::emission(store))?.unwrap_or_default().supply;
        let supply = (books.premine.0.saturating_add(books.minted.0)).saturating_sub(books.burned.0);
        let sql =
            "INSERT INTO epochs (number, start, ends, height, time, emission, price, networks, supply, minted, burned)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (number) DO NOTHING";
        let price = epoch.price_mid.map(|price| price.0);
        let (start, end, closed) = (epoch.start.0, epoch.end.0, epoch.closed_time.0);
        let (height, emission, networks) = (epoch.closed_height, epoch.emission.0, epoch.networks);
        let fields = values![
            number.0,
            start,
            end,
            height,
            closed,
            emission,
            price,
            networks,
            supply,
            books.minted.0,
            books.burned.0
        ];
        records.session.run(sql, fields)?;
        self.applied.closed = Some(number.0);
        Ok(())
    }

    /// The result can no longer be replaced: its totals are those that are paid, whoever decided it.
    fn released(&mut self, id: &NetworkId, epoch: EpochNumber, records: &mut Records<'_>) -> Result<(), DbError> {
        let network = known_network(id, records)?;
        let settlement = records.look(|store| view::settlement(store, id, epoch))?;
        let totals = settlement.map(|settlement| settlement.totals).unwrap_or_default();
        let sql = "UPDATE network_epochs SET state = 'released', findings = 'awaited', units = $3, availability = $4, usage = $5, cash = $6,
            customers_paid = $7, settled_time = COALESCE(settled_time, $8) WHERE network = $1 AND epoch = $2";
        let (availability, usage, cash) = (totals.availability.0, totals.usage.0, totals.cash.0);
        let (paid, time) = (totals.customers_paid.0, self.time());
        let fields = values![network, epoch.0, totals.units, availability, usage, cash, paid, time];
        records.session.run(sql, fields)?;
        self.applied.settled = true;
        Ok(())
    }

    /// Leaves that were paid.
    fn paid(
        &mut self,
        tx: u64,
        network: NetworkId,
        epoch: EpochNumber,
        leaves: &[Leaf],
        records: &mut Records<'_>,
    ) -> Result<(), DbError> {
        if leaves.is_empty() {
            return Ok(());
        }
        let network = known_network(&network, records)?;
        let time = self.time();
        let session = &mut *records.session;
        for leaf in leaves {
            leaf.write(network, epoch.0, tx, time, day_of(time), session)?;
        }
        let sum = |of: fn(&Leaf) -> u64| leaves.iter().map(of).fold(0u64, u64::saturating_add);
        let (token, stable, usd) = (sum(|leaf| leaf.token), sum(|leaf| leaf.stable), sum(|leaf| leaf.usd));
        let sql = "UPDATE networks SET availability = availability + $2, usage = usage + $3, cash = cash + $4,
            customers_paid = customers_paid + $5, token = token + $6, usd = usd + $7, availability_usd = availability_usd + $8,
            usage_usd = usage_usd + $9 WHERE number = $1";
        let fields = values![
            network,
            sum(|leaf| leaf.leaf.availability.0),
            sum(|leaf| leaf.leaf.usage.0),
            sum(|leaf| leaf.leaf.cash.0),
            sum(|leaf| leaf.leaf.customers_paid.0),
            token,
            usd,
            sum(|leaf| leaf.availability_usd),
            sum(|leaf| leaf.usage_usd),
        ];
        session.run(sql, fields)?;
        let sql = "UPDATE network_epochs SET operators = COALESCE(operators, 0) + $3, paid_token = paid_token + $4,
            paid_stable = paid_stable + $5, paid_usd = paid_usd + $6 WHERE network = $1 AND epoch = $2";
        let operators = leaves.len() as u64;
        session.run(sql, values![network, epoch.0, operators, token, stable, usd])?;
        self.applied.paid.push((network, epoch.0, operators, token, stable));
        Ok(())
    }

    /// The block itself.
    pub fn finish(mut self, records: &mut Records<'_>) -> Result<Applied, ApplyError> {
        let header = &self.block.header;
        self.applied.events = self.events;
        let bytes: usize = self.block.txs.iter().map(Vec::len).sum();
        let (txs, events, bytes) = (self.block.txs.len() as u64, self.events as u64, bytes as u64);
        let before = records.session.one(
            "SELECT all_txs, all_events FROM blocks ORDER BY height DESC LIMIT 1",
            values![],
        )?;
        let before = before.unwrap_or_default();
        let (all_txs, all_events) = (before.sum(0) + txs, before.sum(1) + events);
        let sql = "INSERT INTO blocks (height, time, digest, header, certificate, txs, events, bytes, leader, view, all_txs, all_events)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        let encoded = header.encode();
        let (height, time, view) = (header.height, header.time_ms, header.view);
        let certificate = self.block.certificate.clone();
        let fields = values![
            height,
            time,
            header.digest(),
            &encoded[..],
            certificate,
            txs,
            events,
            bytes,
            header.leader,
            view,
            all_txs,
            all_events
        ];
        records.session.run(sql, fields)?;
        Ok(self.applied)
    }
}

/// A row of `transactions`.
struct Row<'a> {
    place: usize,
    id: [u8; 32],
    kind: &'static str,
    account: Option<u64>,
    fee: Token,
    events: usize,
    bytes: &'a [u8],
}

fn slash(session: &mut dyn Session, at: u64, time: u64, tx: Option<u64>) -> Result<(), DbError> {
    let sql = "INSERT INTO slashes (at, time, tx) VALUES ($1, $2, $3)";
    session.run(sql, values![at, time, tx]).map(drop)
}

fn customer_day(session: &mut dyn Session, customer: u64, time: u64, bought: u64, spent: u64) -> Result<(), DbError> {
    let sql =
        "INSERT INTO customer_days (customer, day, bought, spent) VALUES ($1, $2, $3, $4) ON CONFLICT (customer, day)
        DO UPDATE SET bought = customer_days.bought + excluded.bought, spent = customer_days.spent + excluded.spent";
    session
        .run(sql, values![customer, day_of(time), bought, spent])
        .map(drop)
}

fn state(network: &NetworkId, epoch: EpochNumber, state: &str, records: &mut Records<'_>) -> Result<(), DbError> {
    let network = known_network(network, records)?;
    let sql = "UPDATE network_epochs SET state = $3 WHERE network = $1 AND epoch = $2";
    records.session.run(sql, values![network, epoch.0, state]).map(drop)
}

/// Network, customer and provider of an order in the index.
fn parties_of(order: &OrderId, records: &mut Records<'_>) -> Result<Option<[u64; 3]>, DbError> {
    let sql = "SELECT network, customer, provider FROM orders WHERE id = $1";
    let row = records.session.one(sql, values![order.0])?;
    row.map(|row| Ok([row.count(0)?, row.count(1)?, row.count(2)?]))
        .transpose()
}

fn ended(order: &OrderId, state: &str, returned: u64, records: &mut Records<'_>) -> Result<(), DbError> {
    let Some([network, ..]) = parties_of(order, records)? else {
        return Ok(());
    };
    let session = &mut *records.session;
    let sql = "UPDATE orders SET state = $2, returned = $3 WHERE id = $1";
    session.run(sql, values![order.0, state, returned])?;
    let sql = "UPDATE networks SET open_orders = open_orders - 1 WHERE number = $1";
    session.run(sql, values![network]).map(drop)
}

fn put_stay(network: u64, entry: u32, stay: &RosterEntry, session: &mut dyn Session) -> Result<(), DbError> {
    let sql = "INSERT INTO stays (network, entry, device, operator, cell, joined, left_after) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (network, entry) DO UPDATE SET left_after = excluded.left_after";
    let (device, operator, cell) = (stay.device.0, stay.operator.0, stay.cell.get());
    let left = stay.left.map(|left| left.0);
    session
        .run(
            sql,
            values![network, entry, device, operator, cell, stay.joined.0, left],
        )
        .map(drop)
}

/// A device's stays in a network, as the ledger has them now.
fn member(network: &NetworkId, device: &DeviceId, records: &mut Records<'_>) -> Result<(), DbError> {
    let number = known_network(network, records)?;
    let Some((entry, stay)) = records.look(|store| view::membership(store, device, network))? else {
        return Ok(());
    };
    let of = u64::from(stay.device.0);
    let sql = "SELECT entry, left_after, state, operator FROM members WHERE network = $1 AND device = $2";
    let before = records.session.one(sql, values![number, of])?;
    if let Some(before) = &before {
        let earlier = u32::try_from(before.count(0)?).unwrap_or_default();
        let earlier_stay = records.look(|store| view::record::<RosterEntry>(store, &(*network, earlier)))?;
        if let Some(earlier_stay) = earlier_stay {
            put_stay(number, earlier, &earlier_stay, records.session)?;
        }
    }
    put_stay(number, entry, &stay, records.session)?;
    let was_there = before.as_ref().is_some_and(|before| before.maybe_int(1).is_none());
    let is_there = stay.left.is_none();
    let kept = before.as_ref().and_then(|before| before.text(2).ok()).unwrap_or("new");
    let state = match (is_there, kept) {
        (false, _) => "left",
        (true, "left") => "new",
        (true, kept) => kept,
    };
    let sql = "INSERT INTO members (network, device, entry, operator, cell, joined, left_after, state)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (network, device) DO UPDATE SET entry = excluded.entry,
        operator = excluded.operator, cell = excluded.cell, joined = excluded.joined, left_after = excluded.left_after,
        state = excluded.state";
    let (operator, cell, left) = (stay.operator.0, stay.cell.get(), stay.left.map(|left| left.0));
    let session = &mut *records.session;
    session.run(
        sql,
        values![number, of, entry, operator, cell, stay.joined.0, left, state],
    )?;
    let earlier = before.as_ref().and_then(|before| before.maybe_count(3));
    write::member_operator(session, number, of, earlier, operator.into())?;
    let sql = match (was_there, is_there) {
        (false, true) => "UPDATE networks SET devices = devices + 1 WHERE number = $1",
        (true, false) => "UPDATE networks SET devices = devices - 1 WHERE number = $1",
        _ => return write::device_states(&[of], session),
    };
    session.run(sql, values![number])?;
    write::device_states(&[of], session)
}

fn retired(device: &DeviceId, records: &mut Records<'_>) -> Result<(), DbError> {
    let Some(number) = records
        .look(|store| view::device(store, device))?
        .map(|device| device.number)
    else {
        return Ok(());
    };
    let sql = "SELECT n.id FROM members m JOIN networks n ON n.number = m.network WHERE m.device = $1 AND m.left_after IS NULL";
    let stays = records.session.all(sql, values![number.0])?;
    for row in stays {
        member(&NetworkId(row.id(0)?), device, records)?;
    }
    let sql = "UPDATE devices SET state = 'retired' WHERE number = $1";
    records.session.run(sql, values![number.0]).map(drop)
}

fn account_number(id: &AccountId, records: &mut Records<'_>) -> Result<Option<u64>, DbError> {
    let account = records.look(|store| view::account(store, id))?;
    Ok(account.map(|account| account.number.0.into()))
}

fn known_account(id: &AccountId, records: &mut Records<'_>) -> Result<u64, DbError> {
    account_number(id, records)?.ok_or(DbError::Column("an account that the ledger knows"))
}

fn known_network(id: &NetworkId, records: &mut Records<'_>) -> Result<u64, DbError> {
    let network = records.look(|store| view::network(store, id))?;
    network
        .map(|network| network.number.0.into())
        .ok_or(DbError::Column("a network that the ledger knows"))
}

fn numbers(parties: &Parties, records: &mut Records<'_>) -> Result<Numbers, DbError> {
    let mut numbers = Numbers::default();
    if let Some(network) = &parties.network {
        numbers.network = Some(known_network(network, records)?);
    }
    for account in &parties.accounts {
        numbers.accounts.extend(account_number(account, records)?);
    }
    if let Some(device) = &parties.device {
        let device = records.look(|store| view::device(store, device))?;
        numbers.device = device.map(|device| device.number.0.into());
    }
    if let Some([network, customer, provider]) = parties
        .order
        .as_ref()
        .map(|order| parties_of(order, records))
        .transpose()?
        .flatten()
    {
        numbers.network = Some(network);
        numbers.accounts = vec![customer, provider];
    }
    Ok(numbers)
}
