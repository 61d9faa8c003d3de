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
/// Networks of one operator that are looked at.
const NETWORKS_MAX: u64 = 100;

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
                AND usd <= $1 AND (usd < $1 OR number > $2) ORDER BY usd DESC, number LIMIT $3";
            ask.all(sql, values![usd, number, ask.fetch()])?
        }
        Some(network) => {
            let sql = "SELECT a.number, a.id, a.devices, o.units, o.token, o.stable, o.usd, a.last_epoch FROM operator_networks o
                JOIN accounts a ON a.number = o.operator WHERE o.network = $4
                AND o.usd <= $1 AND (o.usd < $1 OR o.operator > $2) ORDER BY o.usd DESC, o.operator LIMIT $3";
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
    let amounts = recent_days(ask, number)?;
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

/// What each of the last days brought that its networks paid: see `per_day`.
fn recent_days(ask: &mut Ask<'_>, operator: u64) -> Answer<Vec<u64>> {
    let networks = ask.all(
        "SELECT network FROM operator_networks WHERE operator = $1 ORDER BY network LIMIT $2",
        values![operator, NETWORKS_MAX],
    )?;
    let mut last = None;
    for row in &networks {
        let sql = "SELECT MAX(day) FROM operator_days WHERE network = $1";
        let of = ask.one(sql, values![row.count(0)?])?;
        last = last.max(of.and_then(|row| row.maybe_count(0)));
    }
    let first = ask.one(
        "SELECT MIN(day) FROM operator_days WHERE operator = $1",
        values![operator],
    )?;
    let first = first.and_then(|row| row.maybe_count(0));
    let Some((first, last)) = first.zip(last) else {
        return Ok(Vec::new());
    };
    let sql = "SELECT day, CAST(SUM(usd) AS BIGINT) FROM operator_days WHERE operator = $1 AND day >= $2 GROUP BY day ORDER BY day";
    let rows = ask.all(sql, values![operator, (last + 1).saturating_sub(DAYS)])?;
    let paid = rows.iter().map(|row| Ok((row.count(0)?, row.sum(1))));
    let paid: Vec<(u64, u64)> = paid.collect::<Answer<_>>()?;
    Ok(per_day(first, &paid, last))
}

/// What each of the last days brought, from the first that ever paid: one without pay brought nothing, and is a day all the same.
fn per_day(first: u64, paid: &[(u64, u64)], last: u64) -> Vec<u64> {
    let from = (last + 1).saturating_sub(DAYS).max(first);
    let of = |day: u64| paid.iter().find(|(paid, _)| *paid == day).map_or(0, |(_, usd)| *usd);
    (from..=last).map(of).collect()
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

/// Where the page after one goes on that began in an epoch after so many of its rows and holds rows of these epochs: in the epoch of its
/// last row, after all that were shown of that.
fn after_page([epoch, skip]: [i64; 2], shown: &[i64]) -> Option<[i64; 2]> {
    let last = *shown.last()?;
    let before = if last == epoch { skip } else { 0 };
    let same = i64::try_from(shown.iter().filter(|epoch| **epoch == last).count()).ok()?;
    Some([last, before.checked_add(same)?])
}

/// What an operator should see, the newest first.
pub fn alerts(ask: &mut Ask<'_>) -> Answer<Page> {
    let operator = ask.account("id")?;
    // By epoch, then by device, then by kind and network, whose order the database alone knows: the place is counted on.
    let [epoch, skip] = ask.after([i64::MAX, 0])?.map(|number| number.max(0));
    let sql = format!(
        "{} WHERE a.operator = $1 AND a.epoch <= $2 ORDER BY a.epoch DESC, a.device, a.kind, a.network LIMIT $3 OFFSET $4",
        alerts::SELECT
    );
    let rows = ask.all(&sql, values![operator, epoch, ask.fetch(), skip])?;
    let more = rows.len() as u64 > ask.limit;
    let limit = usize::try_from(ask.limit).unwrap_or(usize::MAX);
    let taken: Vec<&Row> = rows.iter().take(limit).collect();
    let epochs: Vec<i64> = taken.iter().map(|row| row.int(0)).collect::<Result<_, _>>()?;
    let next = after_page([epoch, skip], &epochs).filter(|_| more);
    let next = next.map(|[epoch, skip]| format!("{epoch}.{skip}"));
    let items = taken.into_iter().map(alerts::face).collect::<Result<_, _>>()?;
    Ok(Page {
        items,
        next,
        checked: ROOT,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_alert_is_left_out_between_pages_wherever_epochs_end() {
        // Alerts by epoch, the newest first, as the database gives them.
        let all: Vec<(i64, usize)> = [(9, 4), (7, 2), (6, 1), (5, 6), (1, 3)]
            .into_iter()
            .flat_map(|(epoch, count)| (0..count).map(move |place| (epoch, place)))
            .collect();
        for limit in 1..=all.len() {
            let (mut place, mut seen) = ([i64::MAX, 0], Vec::new());
            loop {
                let left = all.iter().filter(|(epoch, _)| *epoch <= place[0]);
                let page: Vec<_> = left
                    .skip(usize::try_from(place[1]).unwrap())
                    .take(limit)
                    .copied()
                    .collect();
                seen.extend(page.iter().copied());
                let epochs: Vec<i64> = page.iter().map(|(epoch, _)| *epoch).collect();
                match after_page(place, &epochs) {
                    Some(next) => place = next,
                    None => break,
                }
            }
            assert_eq!(seen, all, "pages of {limit}");
        }
        assert_eq!(after_page([3, i64::MAX], &[3]), None);
    }

    #[test]
    fn days_without_pay_count_as_nothing_from_the_first_that_paid() {
        assert_eq!(per_day(10, &[(10, 5), (12, 7)], 13), [5, 0, 7, 0]);
        assert_eq!(per_day(10, &[(10, 5)], 10), [5]);
        let spread = per_day(1, &[(60, 3)], 60);
        assert_eq!((spread.len(), spread.iter().sum::<u64>()), (DAYS as usize, 3));
        assert_eq!(per_day(1, &[], 60), [0; DAYS as usize]);
    }
}
