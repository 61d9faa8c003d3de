//! Operators: what they received, day by day, and what they should see.

use super::ask::{Answer, Ask, Page, RECOMPUTED, ROOT, amount, day, maybe_amount, text};
use super::chain::share_bps;
use super::networks::merge;
use super::{ApiError, faces};
use crate::archives::alerts;
use crate::db::{Row, values};
use crate::words::OPERATOR;
use cairn_ledger::records;
use cairn_ledger::view;
use cairn_types::{AccountId, Token};
use serde_json::{Value, json};

/// Days shown of an operator.
const DAYS: u64 = 30;

fn row_face(ask: &mut Ask<'_>, row: &Row) -> Answer<Value> {
    let number = row.count(0)?;
    let active = ask.one(
        "SELECT COUNT(*) FROM devices WHERE owner = $1 AND state IN ('earning', 'refused', 'moved')",
        values![number],
    )?;
    let networks = ask.one(
        "SELECT COUNT(DISTINCT network) FROM members WHERE operator = $1 AND left_after IS NULL",
        values![number],
    )?;
    Ok(json!({
        "id": hex::encode(row.id(1)?), "number": number, "devices": row.sum(2), "active": active.map_or(0, |row| row.sum(0)),
        "units": amount(row, 3), "token": amount(row, 4), "stable": amount(row, 5), "usd_micro": amount(row, 6),
        "last_epoch": row.maybe_count(7), "networks": networks.map_or(0, |row| row.sum(0)),
    }))
}

/// Those who earned most first, in all networks or one.
pub fn list(ask: &mut Ask<'_>) -> Answer<Page> {
    let [usd, number] = ask.after([i64::MAX, -1])?;
    let rows = match ask.maybe_network()? {
        None => {
            let sql = "SELECT number, id, devices, units, token, stable, usd, last_epoch FROM accounts WHERE (devices > 0 OR units > 0)
                AND (usd < $1 OR (usd = $1 AND number > $2)) ORDER BY usd DESC, number LIMIT $3";
            ask.all(sql, values![usd, number, ask.fetch()])?
        }
        Some(network) => {
            let sql = "SELECT a.number, a.id, a.devices, o.units, o.token, o.stable, o.usd, a.last_epoch FROM operator_networks o
                JOIN accounts a ON a.number = o.operator WHERE o.network = $4
                AND (o.usd < $1 OR (o.usd = $1 AND o.operator > $2)) ORDER BY o.usd DESC, o.operator LIMIT $3";
            ask.all(sql, values![usd, number, ask.fetch(), network])?
        }
    };
    ask.page(rows, RECOMPUTED, |row| Ok(vec![row.int(6)?, row.int(0)?]), row_face)
}

pub fn one(ask: &mut Ask<'_>) -> Answer<Value> {
    let number = ask.account("id")?;
    let sql =
        "SELECT number, id, devices, units, token, stable, usd, last_epoch, availability_usd, usage_usd, customers_paid
        FROM accounts WHERE number = $1";
    let row = ask
        .one(sql, values![number])?
        .ok_or_else(|| ApiError::not_found("operator"))?;
    let mut face = row_face(ask, &row)?;
    let id = AccountId(row.id(1)?);
    let genesis = ask.shared.genesis.clone();
    let (account, quote) = ask.look(|store| Ok((view::account(store, &id)?, view::quote(store, &genesis)?)))?;
    let account = account.ok_or_else(|| ApiError::not_found("operator"))?;
    let worth = quote.and_then(|quote| {
        let scale = genesis.economics.scale().ok()?;
        let tokens = scale.credits_for(Token(account.token.0), quote.mid).ok()?;
        Some(tokens.0.saturating_add(account.stable.0))
    });
    let days = days(ask, number, None, None, DAYS)?;
    let amounts: Vec<u64> = days
        .iter()
        .filter_map(|day| day["usd_micro"].as_str()?.parse().ok())
        .collect();
    let states = ask.all(
        "SELECT state, COUNT(*) FROM devices WHERE owner = $1 GROUP BY state ORDER BY state",
        values![number],
    )?;
    let state = |row: &Row| -> Answer<Value> { Ok(json!({ "state": row.text(0)?, "count": row.count(1)? })) };
    let states: Vec<Value> = states.iter().map(state).collect::<Answer<_>>()?;
    let trouble = ask.one(
        "SELECT COUNT(*) FROM devices WHERE owner = $1 AND state IN ('silent', 'refused', 'excluded', 'barred')",
        values![number],
    )?;
    let (availability, usage) = (row.sum(8), row.sum(9));
    let choice = account.payout_choice;
    let extra = json!({
        "balance_token": text(account.token.0), "balance_stable": text(account.stable.0),
        "balance_usd_micro": maybe_amount(worth), "payout_choice_bps": choice.wants.map(|part| part.get()),
        "usage_usd_micro": text(usage), "availability_usd_micro": text(availability), "customers_paid": amount(&row, 10),
        "outside_bps": share_bps(usage, availability.saturating_add(usage)),
        "days": days, "income_per_day": faces::quantiles(amounts), "states": states,
        "alerts": trouble.map_or(0, |row| row.sum(0)),
        "definitions": faces::definitions(OPERATOR),
        "proof_key": hex::encode(view::key::<records::Account>(&id).0), "at": ask.place(), "checked": RECOMPUTED,
    });
    merge(&mut face, extra);
    Ok(face)
}

const INCOME: &str = "CAST(SUM(availability) AS BIGINT), CAST(SUM(usage) AS BIGINT), CAST(SUM(token) AS BIGINT),
    CAST(SUM(stable) AS BIGINT), CAST(SUM(usd) AS BIGINT), CAST(SUM(usage_usd) AS BIGINT), CAST(SUM(customers_paid) AS BIGINT),
    CAST(SUM(units) AS BIGINT)";

fn income_face(row: &Row, of_day: u64, epoch: Option<u64>) -> Value {
    json!({
        "day": day(of_day), "epoch": epoch, "availability": amount(row, 1), "usage": amount(row, 2), "token": amount(row, 3),
        "stable": amount(row, 4), "usd_micro": amount(row, 5), "usage_usd_micro": amount(row, 6), "customers_paid": amount(row, 7),
        "units": amount(row, 8),
    })
}

/// The last days with income, the oldest first.
fn days(ask: &mut Ask<'_>, operator: u64, network: Option<u64>, before: Option<i64>, count: u64) -> Answer<Vec<Value>> {
    let rows = day_rows(ask, operator, network, before.unwrap_or(i64::MAX), count)?;
    let mut faces = Vec::new();
    for row in rows.iter().rev() {
        faces.push(income_face(row, row.count(0)?, None));
    }
    Ok(faces)
}

fn day_rows(ask: &mut Ask<'_>, operator: u64, network: Option<u64>, before: i64, count: u64) -> Answer<Vec<Row>> {
    let only = network.map_or(-1, |network| i64::try_from(network).unwrap_or(-1));
    let sql = format!(
        "SELECT day, {INCOME} FROM operator_days WHERE operator = $1 AND ($2 = -1 OR network = $2) AND day < $3 GROUP BY day
         ORDER BY day DESC LIMIT $4"
    );
    Ok(ask.all(&sql, values![operator, only, before, count])?)
}

/// By day or by epoch, the newest first.
pub fn income(ask: &mut Ask<'_>) -> Answer<Page> {
    let operator = ask.account("id")?;
    let network = ask.maybe_network()?;
    let [after] = ask.after([i64::MAX])?;
    if ask.word("step", &["epoch", "day"])? != Some("epoch") {
        let count = ask.fetch();
        let rows = day_rows(ask, operator, network, after, count)?;
        return ask.page(
            rows,
            RECOMPUTED,
            |row| Ok(vec![row.int(0)?]),
            |_, row| Ok(income_face(row, row.count(0)?, None)),
        );
    }
    let only = network.map_or(-1, |network| i64::try_from(network).unwrap_or(-1));
    let sql = format!(
        "SELECT epoch, {INCOME}, MAX(time) FROM payouts WHERE operator = $1 AND ($2 = -1 OR network = $2) AND epoch < $3 GROUP BY epoch
         ORDER BY epoch DESC LIMIT $4"
    );
    let rows = ask.all(&sql, values![operator, only, after, ask.fetch()])?;
    ask.page(
        rows,
        RECOMPUTED,
        |row| Ok(vec![row.int(0)?]),
        |_, row| Ok(income_face(row, crate::index::day_of(row.sum(9)), Some(row.count(0)?))),
    )
}

/// What an operator should see, the newest first.
pub fn alerts(ask: &mut Ask<'_>) -> Answer<Page> {
    let operator = ask.account("id")?;
    // By epoch, then by device, then by kind and network, whose order the database alone knows: the place is counted on.
    let [epoch, skip] = ask.after([i64::MAX, 0])?;
    let sql = format!(
        "{} WHERE a.operator = $1 AND a.epoch <= $2 ORDER BY a.epoch DESC, a.device, a.kind, a.network LIMIT $3 OFFSET $4",
        alerts::SELECT
    );
    let rows = ask.all(&sql, values![operator, epoch, ask.fetch(), skip])?;
    let more = rows.len() as u64 > ask.limit;
    let limit = usize::try_from(ask.limit).unwrap_or(usize::MAX);
    let taken: Vec<&Row> = rows.iter().take(limit).collect();
    let next = match taken.last().filter(|_| more) {
        Some(last) => {
            let of = last.int(0)?;
            let same = taken.iter().filter(|row| row.int(0) == Ok(of)).count() as i64;
            let before = if of == epoch { skip } else { 0 };
            // All rows of a page may be of the epoch that it began in, after those that were skipped.
            let begun = if of == epoch || taken.iter().all(|row| row.int(0) == Ok(of)) {
                skip
            } else {
                before
            };
            Some(format!("{of}.{}", begun + same))
        }
        None => None,
    };
    let items = taken.into_iter().map(alerts::face).collect::<Result<_, _>>()?;
    Ok(Page {
        items,
        next,
        checked: ROOT,
    })
}
