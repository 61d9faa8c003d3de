//! Accounts, customers and orders: what they hold, what they bought, what they paid.

use super::ask::{Answer, Ask, Page, RECOMPUTED, amount, day, text, time};
use super::devices::hex_to;
use super::networks::merge;
use super::people::account_id;
use super::{ApiError, faces};
use crate::db::{Row, Value as Column, values};
use crate::index::event_place;
use cairn_ledger::records;
use cairn_ledger::view;
use cairn_types::{AccountId, OrderId};
use serde_json::{Value, json};

/// Names of the bits in `accounts.roles`, in their order.
const ROLES: [&str; 6] = ["operator", "customer", "founder", "verifier", "provider", "issuer"];

fn row_face(ask: &mut Ask<'_>, row: &Row) -> Answer<Value> {
    let id = AccountId(row.id(1)?);
    let account = ask
        .look(|store| view::account(store, &id))?
        .ok_or_else(|| ApiError::not_found("account"))?;
    let credits = account.credits.stable.0.saturating_add(account.credits.burned.0);
    Ok(json!({
        "id": id.to_string(), "number": row.count(0)?, "token": text(account.token.0), "stable": text(account.stable.0),
        "credits": text(credits), "nonce": account.nonce,
    }))
}

pub fn list(ask: &mut Ask<'_>) -> Answer<Page> {
    let [after] = ask.after([-1])?;
    let sql = "SELECT number, id FROM accounts WHERE number > $1 ORDER BY number LIMIT $2";
    let rows = ask.all(sql, values![after, ask.fetch()])?;
    ask.page(rows, RECOMPUTED, |row| Ok(vec![row.int(0)?]), row_face)
}

pub fn one(ask: &mut Ask<'_>) -> Answer<Value> {
    let number = ask.account("id")?;
    let sql = "SELECT number, id, roles, devices, orders FROM accounts WHERE number = $1";
    let row = ask
        .one(sql, values![number])?
        .ok_or_else(|| ApiError::not_found("account"))?;
    let mut face = row_face(ask, &row)?;
    let id = AccountId(row.id(1)?);
    let account = ask
        .look(|store| view::account(store, &id))?
        .ok_or_else(|| ApiError::not_found("account"))?;
    let bits = row.count(2)?;
    let mut roles: Vec<&str> = (0..)
        .zip(ROLES)
        .filter(|(bit, _)| bits >> bit & 1 == 1)
        .map(|(_, role)| role)
        .collect();
    if ask
        .look(|store| view::validators(store))?
        .iter()
        .any(|one| one.account == id)
    {
        roles.push("validator");
    }
    let networks = ask.all(
        "SELECT id FROM networks WHERE founder = $1 ORDER BY number LIMIT 100",
        values![number],
    )?;
    let networks: Vec<String> = networks
        .iter()
        .map(|row| row.id(0).map(hex::encode))
        .collect::<Result<_, _>>()?;
    let count = ask.one("SELECT COUNT(*) FROM touches WHERE account = $1", values![number])?;
    let choice = account.payout_choice;
    let extra = json!({
        "rule": account.rule.to_string(), "credits_stable": text(account.credits.stable.0),
        "credits_burned": text(account.credits.burned.0), "payout_choice_bps": choice.wants.map(|part| part.get()),
        "payout_choice_from": choice.wants.map(|_| choice.from.0), "roles": roles, "devices": row.count(3)?,
        "networks": networks, "orders": row.count(4)?, "transactions": count.map_or(0, |row| row.sum(0)), "next_nonce": null,
        "proof_key": hex::encode(view::key::<records::Account>(&id).0), "at": ask.place(), "checked": RECOMPUTED,
    });
    merge(&mut face, extra);
    Ok(face)
}

const CUSTOMERS: &str =
    "number, id, bought_stable, bought_burned, burned_token, refunded, spent, orders, last_order FROM accounts";

fn customer_face(ask: &mut Ask<'_>, row: &Row) -> Answer<Value> {
    let id = AccountId(row.id(1)?);
    let account = ask
        .look(|store| view::account(store, &id))?
        .ok_or_else(|| ApiError::not_found("customer"))?;
    let credits = account.credits.stable.0.saturating_add(account.credits.burned.0);
    Ok(json!({
        "id": id.to_string(), "number": row.count(0)?, "credits": text(credits),
        "bought": text(row.sum(2).saturating_add(row.sum(3))), "spent": amount(row, 6), "orders": row.sum(7),
        "last_order": row.maybe_count(8).map(time),
    }))
}

/// Those who spent most first.
pub fn customers(ask: &mut Ask<'_>) -> Answer<Page> {
    let [spent, number] = ask.after([i64::MAX, -1])?;
    let sql = format!(
        "SELECT {CUSTOMERS} WHERE (bought_stable > 0 OR bought_burned > 0 OR orders > 0) AND spent <= $1 AND (spent < $1 OR number > $2)
         ORDER BY spent DESC, number LIMIT $3"
    );
    let rows = ask.all(&sql, values![spent, number, ask.fetch()])?;
    ask.page(
        rows,
        RECOMPUTED,
        |row| Ok(vec![row.int(6)?, row.int(0)?]),
        customer_face,
    )
}

pub fn customer(ask: &mut Ask<'_>) -> Answer<Value> {
    let number = ask.account("id")?;
    let sql = format!("SELECT {CUSTOMERS} WHERE number = $1");
    let row = ask
        .one(&sql, values![number])?
        .ok_or_else(|| ApiError::not_found("customer"))?;
    let mut face = customer_face(ask, &row)?;
    let id = account_id(ask, number)?;
    let account = ask
        .look(|store| view::account(store, &id))?
        .ok_or_else(|| ApiError::not_found("customer"))?;
    let mut held = 0u64;
    for row in ask.all(
        "SELECT id FROM orders WHERE customer = $1 AND state = 'open' LIMIT 1000",
        values![number],
    )? {
        let order = OrderId(row.id(0)?);
        if let Some(order) = ask.look(|store| view::order(store, &order))? {
            held = held
                .saturating_add(order.held.stable.0)
                .saturating_add(order.held.burned.0);
        }
    }
    let sql = "SELECT day, bought, spent FROM customer_days WHERE customer = $1 ORDER BY day DESC LIMIT 90";
    let mut days = ask.all(sql, values![number])?;
    days.reverse();
    let face_of = |row: &Row| -> Answer<Value> {
        Ok(json!({ "day": day(row.count(0)?), "bought": amount(row, 1), "spent": amount(row, 2) }))
    };
    let days: Vec<Value> = days.iter().map(face_of).collect::<Answer<_>>()?;
    let extra = json!({
        "credits_stable": text(account.credits.stable.0), "credits_burned": text(account.credits.burned.0), "held": text(held),
        "bought_stable": amount(&row, 2), "bought_burned": amount(&row, 3), "burned_token": amount(&row, 4),
        "refunded": amount(&row, 5), "days": days, "at": ask.place(), "checked": RECOMPUTED,
    });
    merge(&mut face, extra);
    Ok(face)
}

const ORDERS: &str = "o.at, o.id, n.id, c.id, p.id, o.state, o.opened, o.returned, o.vouchers, e.tx, n.name FROM orders o
    JOIN networks n ON n.number = o.network JOIN accounts c ON c.number = o.customer JOIN accounts p ON p.number = o.provider
    JOIN events e ON e.at = o.at";

fn order_face(ask: &mut Ask<'_>, row: &Row) -> Answer<Value> {
    let id = OrderId(row.id(1)?);
    let order = ask
        .look(|store| view::order(store, &id))?
        .ok_or_else(|| ApiError::not_found("order"))?;
    Ok(json!({
        "id": id.to_string(), "network": hex::encode(row.id(2)?), "customer": hex::encode(row.id(3)?),
        "provider": hex::encode(row.id(4)?), "state": row.text(5)?, "shape": faces::shape_of(order.shape),
        "held": text(order.held.stable.0.saturating_add(order.held.burned.0)), "settled": text(order.settled.0),
        "opened": time(row.count(6)?), "expires": order.expires.to_string(), "opened_height": event_place(row.count(0)?).0,
        "transaction": ask.tx_id(row.maybe_count(9))?, "terms": order.terms.to_string(), "returned": amount(row, 7),
        "vouchers": row.sum(8), "network_name": row.text(10)?,
    }))
}

fn orders_where(ask: &mut Ask<'_>, conditions: &[(&str, Column)]) -> Answer<Page> {
    let [before] = ask.after([i64::MAX])?;
    let mut sql = format!("SELECT {ORDERS} WHERE o.at < $1");
    let mut values: Vec<Column> = vec![before.into()];
    for (condition, value) in conditions {
        values.push(value.clone());
        sql += &format!(" AND {condition} ${}", values.len());
    }
    values.push(ask.fetch().into());
    sql += &format!(" ORDER BY o.at DESC LIMIT ${}", values.len());
    let rows = ask.all(&sql, &values)?;
    ask.page(rows, RECOMPUTED, |row| Ok(vec![row.int(0)?]), order_face)
}

pub fn orders(ask: &mut Ask<'_>) -> Answer<Page> {
    let mut conditions: Vec<(&str, Column)> = Vec::new();
    if let Some(network) = ask.maybe_network()? {
        conditions.push(("o.network =", network.into()));
    }
    if let Some(state) = ask.word("state", &["open", "closed", "expired"])? {
        conditions.push(("o.state =", state.into()));
    }
    orders_where(ask, &conditions)
}

pub fn orders_of(ask: &mut Ask<'_>) -> Answer<Page> {
    let customer = ask.account("id")?;
    orders_where(ask, &[("o.customer =", customer.into())])
}

pub fn order(ask: &mut Ask<'_>) -> Answer<Value> {
    let id: String = ask.need("id")?;
    let sql = format!("SELECT {ORDERS} WHERE o.id = $1");
    let row = ask
        .one(&sql, values![hex_to(&id)])?
        .ok_or_else(|| ApiError::not_found("order"))?;
    order_face(ask, &row)
}

pub fn bills(ask: &mut Ask<'_>) -> Answer<Page> {
    let customer = ask.account("id")?;
    let [before] = ask.after([i64::MAX])?;
    let sql = "SELECT b.at, b.order_id, n.id, c.id, p.id, b.time, b.epoch, b.paid, b.cumulative, b.meters, b.tx, n.name FROM bills b
        JOIN networks n ON n.number = b.network JOIN accounts c ON c.number = b.customer JOIN accounts p ON p.number = b.provider
        WHERE b.customer = $1 AND b.at < $2 ORDER BY b.at DESC LIMIT $3";
    let rows = ask.all(sql, values![customer, before, ask.fetch()])?;
    ask.page(rows, RECOMPUTED, |row| Ok(vec![row.int(0)?]), |ask, row| {
        Ok(json!({
            "order": hex::encode(row.id(1)?), "network": hex::encode(row.id(2)?), "customer": hex::encode(row.id(3)?),
            "provider": hex::encode(row.id(4)?), "time": time(row.count(5)?), "height": event_place(row.count(0)?).0,
            "epoch": row.count(6)?, "paid": amount(row, 7), "cumulative": amount(row, 8), "meters": hex::encode(row.id(9)?),
            "transaction": ask.tx_id(row.maybe_count(10))?, "network_name": row.text(11)?,
        }))
    })
}
