//! What a payment of leaves gave to each operator: as earned, after operators exchanged, and in dollars when it was received.

use super::records::Records;
use super::write::roles;
use crate::db::{DbError, Session, values};
use cairn_ledger::economics::netting::{self, Earned};
use cairn_ledger::economics::{Error, Parameters};
use cairn_ledger::records::ExchangeBook;
use cairn_ledger::tx::pay::Pay;
use cairn_ledger::view;
use cairn_types::{MicroUsd, PayoutLeaf, Price, Token};

/// What a payment rests on, read before it.
pub struct PayBefore {
    book: Option<ExchangeBook>,
    exchange_price: Option<Price>,
    /// The middle price when the epoch closed.
    pub price: Option<Price>,
}

/// A leaf and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub place: u64,
    pub leaf: PayoutLeaf,
    /// As received.
    pub token: u64,
    pub stable: u64,
    /// In micro-USD at receipt: all of it, and what it is for.
    pub usd: u64,
    pub usage_usd: u64,
    pub availability_usd: u64,
    pub price: Option<u64>,
    /// Basis points it wants in stablecoin, where operators exchange.
    pub wants: Option<u16>,
}

impl PayBefore {
    pub fn read(pay: &Pay, records: &mut Records<'_>) -> Result<Self, DbError> {
        let settlement = records.look(|store| view::settlement(store, &pay.network, pay.epoch))?;
        let exchanged = settlement.is_some_and(|settlement| settlement.exchanged);
        let book = match exchanged {
            true => records.look(|store| view::exchange(store, &pay.network, pay.epoch))?,
            false => None,
        };
        let pool = records.look(|store| view::pool(store, &pay.network, pay.epoch))?;
        let epoch = records.look(|store| view::epoch(store, pay.epoch))?;
        Ok(Self {
            book,
            exchange_price: pool.and_then(|pool| pool.exchange_price),
            price: epoch.and_then(|epoch| epoch.price_mid),
        })
    }

    /// What each leaf gave, at a price that held when it was paid.
    pub fn leaves(&self, pay: &Pay, economics: &Parameters, price: Option<Price>) -> Result<Vec<Leaf>, DbError> {
        self.worked_out(pay, economics, price)
            .map_err(|_| DbError::Column("a payment that the ledger took"))
    }

    fn worked_out(&self, pay: &Pay, economics: &Parameters, price: Option<Price>) -> Result<Vec<Leaf>, Error> {
        let scale = economics.scale()?;
        let terms = match &self.book {
            Some(book) => Some(netting::terms(scale, self.exchange_price, book.offers)?),
            None => None,
        };
        let mut running = self.book.map(|book| book.running).unwrap_or_default();
        let worth = |tokens: Token| match price {
            Some(price) => scale.credits_for(tokens, price).map(|credits| credits.0),
            None => Ok(0),
        };
        let wants = |at: usize| {
            pay.choices
                .as_ref()
                .and_then(|choices| choices.wants.get(at).copied().flatten())
        };
        let mut leaves = Vec::with_capacity(pay.leaves.len());
        for (at, leaf) in pay.leaves.iter().enumerate() {
            let earned = Earned::of(leaf).ok_or(Error::Overflow)?;
            let got = match &terms {
                Some(terms) => {
                    let offer = netting::offer(scale, self.exchange_price, earned, wants(at));
                    let (exchange, after) = netting::leaf_exchange(terms, running, offer)?;
                    running = after;
                    exchange.apply(earned)?
                }
                None => earned,
            };
            let usage_usd = worth(leaf.usage)?.saturating_add(leaf.cash.0);
            leaves.push(Leaf {
                place: pay.proof.start.saturating_add(at as u64),
                leaf: *leaf,
                token: got.tokens.0,
                stable: got.cash.0,
                usd: worth(got.tokens)?.saturating_add(got.cash.0),
                usage_usd,
                availability_usd: worth(leaf.availability)?,
                price: price.map(|price| price.0),
                wants: wants(at).map(|part| part.get()),
            });
        }
        Ok(leaves)
    }
}

impl Leaf {
    /// Its own row, and what it adds to the operator's totals.
    pub fn write(
        &self,
        network: u64,
        epoch: u64,
        tx: u64,
        time: u64,
        day: u64,
        session: &mut dyn Session,
    ) -> Result<(), DbError> {
        let PayoutLeaf {
            operator,
            units,
            availability: Token(availability),
            usage: Token(usage),
            cash: MicroUsd(cash),
            customers_paid,
        } = self.leaf;
        let paid = customers_paid.0;
        let sql = "INSERT INTO payouts (network, epoch, place, operator, units, availability, usage, cash, customers_paid, token, stable,
            usd, usage_usd, price, wants, tx, time) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
        let fields = values![
            network,
            epoch,
            self.place,
            operator.0,
            units,
            availability,
            usage,
            cash,
            paid,
            self.token,
            self.stable,
            self.usd,
            self.usage_usd,
            self.price,
            self.wants,
            tx,
            time,
        ];
        session.run(sql, fields)?;
        let sql = "UPDATE accounts SET units = units + $2, token = token + $3, stable = stable + $4, usd = usd + $5,
            availability_usd = availability_usd + $6, usage_usd = usage_usd + $7, customers_paid = customers_paid + $8,
            last_epoch = CASE WHEN last_epoch IS NULL OR last_epoch < $9 THEN $9 ELSE last_epoch END, roles = roles | $10
            WHERE number = $1";
        let fields = values![
            operator.0,
            units,
            self.token,
            self.stable,
            self.usd,
            self.availability_usd,
            self.usage_usd,
            paid,
            epoch,
            roles::OPERATOR,
        ];
        session.run(sql, fields)?;
        let sql = "INSERT INTO operator_networks (operator, network, units, token, stable, usd) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (operator, network) DO UPDATE SET units = operator_networks.units + excluded.units,
            token = operator_networks.token + excluded.token, stable = operator_networks.stable + excluded.stable,
            usd = operator_networks.usd + excluded.usd";
        session.run(
            sql,
            values![operator.0, network, units, self.token, self.stable, self.usd],
        )?;
        let sql = "INSERT INTO operator_days (operator, day, network, units, availability, usage, token, stable, usd, usage_usd,
            customers_paid) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            ON CONFLICT (operator, day, network) DO UPDATE SET units = operator_days.units + excluded.units,
            availability = operator_days.availability + excluded.availability, usage = operator_days.usage + excluded.usage,
            token = operator_days.token + excluded.token, stable = operator_days.stable + excluded.stable,
            usd = operator_days.usd + excluded.usd, usage_usd = operator_days.usage_usd + excluded.usage_usd,
            customers_paid = operator_days.customers_paid + excluded.customers_paid";
        let fields = values![
            operator.0,
            day,
            network,
            units,
            availability,
            usage,
            self.token,
            self.stable,
            self.usd,
            self.usage_usd,
            paid,
        ];
        session.run(sql, fields).map(drop)
    }
}
