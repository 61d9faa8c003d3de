//! Networks: their terms in words, what they pay and sell, and their cells.

use super::ask::{Answer, Ask, Page, RECOMPUTED, ROOT, amount, maybe_amount, place, text};
use super::{ApiError, epochs, faces};
use crate::db::{Row, values};
use crate::words::{NETWORK, quantity};
use cairn_ledger::records;
use cairn_ledger::view;
use cairn_types::{CellId, EpochNumber, NetworkId};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const COLUMNS: &str = "n.number, n.id, n.name, n.vertical, f.id, n.devices, n.reporting, n.last_epoch, n.accepted, n.refused, n.units,
    n.availability, n.usage, n.cash, n.customers_paid, n.usd, n.open_orders FROM networks n JOIN accounts f ON f.number = n.founder";

fn row_face(ask: &mut Ask<'_>, row: &Row) -> Answer<Value> {
    let id = NetworkId(row.id(1)?);
    let (network, terms) = ask.look(|store| Ok((view::network(store, &id)?, view::terms(store, &id)?)))?;
    let vertical = row.text(3)?;
    let known = cairn_verticals::by_name(vertical);
    let network = network.ok_or_else(|| ApiError::not_found("network"))?;
    Ok(json!({
        "id": id.to_string(), "number": row.count(0)?, "name": row.text(2)?, "vertical": vertical,
        "unit": known.map_or("unit", |vertical| vertical.unit()),
        "founder": hex::encode(row.id(4)?), "created": network.created.0, "closes": network.closes.map(|closes| closes.0),
        "resolution": network.resolution,
        "price_micro_usd": text(terms.map_or(0, |terms| terms.current.price_micro_usd)),
        "devices": row.count(5)?, "reporting": row.count(6)?, "last_epoch": row.maybe_count(7),
        "accepted": row.count(8)?, "refused": row.count(9)?, "units": amount(row, 10),
        "availability": amount(row, 11), "usage": amount(row, 12), "cash": amount(row, 13), "customers_paid": amount(row, 14),
        "usd_micro": amount(row, 15), "open_orders": row.sum(16),
        "allowance": text(network.allowance.0),
    }))
}

pub fn list(ask: &mut Ask<'_>) -> Answer<Page> {
    let [devices, number] = ask.after([i64::MAX, -1])?;
    let sql = format!(
        "SELECT {COLUMNS} WHERE n.devices < $1 OR (n.devices = $1 AND n.number > $2) ORDER BY n.devices DESC, n.number LIMIT $3"
    );
    let rows = ask.all(&sql, values![devices, number, ask.fetch()])?;
    ask.page(rows, RECOMPUTED, |row| Ok(vec![row.int(5)?, row.int(0)?]), row_face)
}

pub fn one(ask: &mut Ask<'_>) -> Answer<Value> {
    let number = ask.network()?;
    let sql = format!("SELECT {COLUMNS} WHERE n.number = $1");
    let row = ask
        .one(&sql, values![number])?
        .ok_or_else(|| ApiError::not_found("network"))?;
    let mut face = row_face(ask, &row)?;
    let id = NetworkId(row.id(1)?);
    let (network, terms, usage) = ask.look(|store| {
        Ok((
            view::network(store, &id)?,
            view::terms(store, &id)?,
            view::usage(store, &id)?,
        ))
    })?;
    let (Some(network), Some(terms)) = (network, terms) else {
        return Err(ApiError::not_found("network"));
    };
    let usage = usage.unwrap_or_default();
    let parameters = ask.look(|store| view::parameters(store, &id, terms.current.version))?;
    let vertical = cairn_verticals::by_name(&network.vertical);
    let counts = ask.all(
        "SELECT reason, count FROM network_reasons WHERE network = $1",
        values![number],
    )?;
    let counts: BTreeMap<u64, u64> = counts.iter().map(|row| (row.sum(0), row.sum(1))).collect();
    let newest = ask.one(
        "SELECT epoch FROM network_epochs WHERE network = $1 ORDER BY epoch DESC LIMIT 1",
        values![number],
    )?;
    let pool_epoch = newest.map(|row| row.count(0)).transpose()?;
    let pool = match pool_epoch {
        Some(epoch) => ask.look(|store| view::pool(store, &id, EpochNumber(epoch)))?,
        None => None,
    };
    let sql = "SELECT operators, fresh, stale FROM networks WHERE number = $1";
    let counted = ask.one(sql, values![number])?.unwrap_or_default();
    let extra = json!({
        "treasurer": network.treasurer.to_string(), "bond": text(network.bond.0),
        "treasury_token": text(network.treasury_token.0), "treasury_stable": text(network.treasury_stable.0),
        "carry_token": text(network.carry_token.0),
        "carry_stable": text(network.carry_stable.0), "unsettled": network.unsettled.0, "unreleased": network.unreleased.0,
        "terms_version": terms.current.version,
        "parameters": super::parameters::in_words(&network.vertical, &parameters),
        "parameters_hex": hex::encode(&parameters), "parameters_hash": terms.current.hash.to_string(),
        "next_terms_from": terms.next.map(|next| next.from.0),
        "rules": vertical.map_or(json!([]), |vertical| {
            let limit = |rule| super::parameters::limit(&network.vertical, &parameters, rule);
            faces::rules(vertical, limit, |code| counts.get(&code.into()).copied().unwrap_or(0))
        }),
        "fields": vertical.map_or(json!([]), |vertical| {
            faces::fields(vertical, |quantity| super::parameters::is_paid(&network.vertical, &parameters, quantity))
        }),
        "shape": vertical.map_or("query", |vertical| faces::shape(vertical.shape())),
        "pool": pool.map(|pool| epochs::pool_face(&pool)), "pool_epoch": pool_epoch,
        "verifiers": verifiers(ask)?,
        "usage_now": { "stable": text(usage.stable.0), "burned": text(usage.burned.0), "settled": usage.settled },
        "operators": counted.sum(0),
        "income_per_day": income(ask, number)?,
        "fresh": counted.sum(1), "stale": counted.sum(2),
        "proof_key": hex::encode(view::key::<records::Network>(&id).0),
        "definitions": faces::definitions(NETWORK), "at": ask.place(), "checked": RECOMPUTED,
    });
    merge(&mut face, extra);
    Ok(face)
}

/// Adds the fields of one object to another.
pub fn merge(face: &mut Value, extra: Value) {
    if let (Some(face), Value::Object(extra)) = (face.as_object_mut(), extra) {
        face.extend(extra);
    }
}

fn verifiers(ask: &mut Ask<'_>) -> Answer<Value> {
    let verifiers = ask.look(|store| view::verifiers(store))?;
    let mut faces = Vec::new();
    for (id, verifier) in verifiers {
        let profile = ask.look(|store| view::profile(store, &id))?.unwrap_or_default();
        let url = Some(profile.url).filter(|url| !url.is_empty());
        faces.push(json!({
            "id": id.to_string(), "number": verifier.number.0, "url": url, "bond": text(verifier.bond.0),
        }));
    }
    Ok(faces.into())
}

/// Operators looked at for how income is spread.
const OPERATORS_MAX: u64 = 20_000;
/// Days with payments over which it is counted.
const DAYS: u64 = 7;

fn income(ask: &mut Ask<'_>, network: u64) -> Answer<Value> {
    let last = ask.one(
        "SELECT MAX(day) FROM operator_days WHERE network = $1",
        values![network],
    )?;
    let Some(last) = last.and_then(|row| row.maybe_count(0)) else {
        return Ok(Value::Null);
    };
    let sql = "SELECT operator, CAST(SUM(usd) AS BIGINT) FROM operator_days WHERE network = $1 AND day > $2 GROUP BY operator LIMIT $3";
    let first = i64::try_from(last).unwrap_or(i64::MAX) - i64::try_from(DAYS).unwrap_or(0);
    let rows = ask.all(sql, values![network, first, OPERATORS_MAX])?;
    // A network that has paid for two days only says what two days brought.
    let sql = "SELECT COUNT(DISTINCT day) FROM operator_days WHERE network = $1 AND day > $2";
    let days = ask
        .one(sql, values![network, first])?
        .map_or(0, |row| row.sum(0))
        .max(1);
    Ok(faces::quantiles(rows.iter().map(|row| row.sum(1) / days).collect()))
}

/// Cells of a network in an epoch, at its resolution or a coarser one.
pub fn cells(ask: &mut Ask<'_>) -> Answer<Page> {
    let network = ask.network()?;
    let id = NetworkId(hex_id(&ask.network_id(network)?));
    let own = ask
        .look(|store| view::network(store, &id))?
        .map_or(8, |network| network.resolution);
    let resolution = match ask.maybe::<u8>("res")? {
        None => own,
        Some(wanted) if wanted <= own => wanted,
        Some(_) => {
            let message = format!("places of this network are known at resolution {own} and coarser");
            return Err(ApiError::bad("bad_parameter", message, "ask for a coarser resolution"));
        }
    };
    let epoch = match ask.number("epoch")? {
        Some(epoch) => Some(epoch),
        None => {
            let row = ask.one("SELECT last_epoch FROM networks WHERE number = $1", values![network])?;
            row.and_then(|row| row.maybe_count(0))
        }
    };
    let Some(epoch) = epoch else {
        return unjudged_cells(ask, network, own);
    };
    if !super::devices::is_here(ask, network, epoch)? {
        return Ok(Page {
            items: Vec::new(),
            next: None,
            checked: ROOT,
        });
    }
    let (_, vertical) = faces::vertical_of(ask, network)?;
    if resolution < own {
        return coarse_cells(ask, network, epoch, resolution);
    }
    let [after] = ask.after([-1])?;
    let sql = "SELECT c.cell, c.devices, c.reporting, c.accepted, c.refused, c.units, f.fresh FROM cell_epochs c LEFT JOIN cells f
        ON f.network = c.network AND f.cell = c.cell WHERE c.network = $1 AND c.epoch = $2 AND c.cell > $3 ORDER BY c.cell LIMIT $4";
    let rows = ask.all(sql, values![network, epoch, after, ask.fetch()])?;
    ask.page(rows, ROOT, |row| Ok(vec![row.int(0)?]), |ask, row| {
        let cell = row.count(0)?;
        let sql = "SELECT quantity, count, median, lowest, highest FROM cell_values WHERE network = $1 AND epoch = $2 AND cell = $3
            ORDER BY quantity";
        let found = ask.all(sql, values![network, epoch, cell])?;
        let value = |row: &Row| -> Answer<Value> {
            let text = quantity(vertical, u16::try_from(row.count(0)?).unwrap_or(u16::MAX));
            Ok(json!({
                "quantity": text.quantity, "name": text.name, "unit": text.unit, "decimals": text.decimals,
                "count": row.count(1)?, "median": row.int(2)?.to_string(), "min": row.int(3)?.to_string(),
                "max": row.int(4)?.to_string(),
            }))
        };
        let values: Vec<Value> = found.iter().map(value).collect::<Answer<_>>()?;
        let numbers = [1, 2, 3, 4, 5].map(|at| row.sum(at));
        Ok(cell_face(cell, own, numbers, row.maybe_count(6), values))
    })
}

fn hex_id(id: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    // Written by the index itself; another network is found by nobody.
    let _ = hex::decode_to_slice(id, &mut bytes);
    bytes
}

fn cell_face(cell: u64, resolution: u8, numbers: [u64; 5], fresh: Option<u64>, values: Vec<Value>) -> Value {
    let (text, lat, lng) = place(cell);
    let [devices, reporting, accepted, refused, units] = numbers;
    json!({
        "cell": text, "resolution": resolution, "lat": lat, "lng": lng, "devices": devices, "reporting": reporting,
        "units": units.to_string(), "accepted": accepted, "refused": refused, "fresh_epoch": fresh, "values": values,
    })
}

/// Before anything was judged: where devices stand.
fn unjudged_cells(ask: &mut Ask<'_>, network: u64, resolution: u8) -> Answer<Page> {
    let [after] = ask.after([-1])?;
    let sql = "SELECT cell, COUNT(*) FROM members WHERE network = $1 AND left_after IS NULL AND cell > $2 GROUP BY cell
        ORDER BY cell LIMIT $3";
    let rows = ask.all(sql, values![network, after, ask.fetch()])?;
    ask.page(
        rows,
        RECOMPUTED,
        |row| Ok(vec![row.int(0)?]),
        |_, row| {
            Ok(cell_face(
                row.count(0)?,
                resolution,
                [row.count(1)?, 0, 0, 0, 0],
                None,
                Vec::new(),
            ))
        },
    )
}

/// Cells read for a coarser picture.
const CELLS_MAX: u64 = 100_000;

fn coarse_cells(ask: &mut Ask<'_>, network: u64, epoch: u64, resolution: u8) -> Answer<Page> {
    let sql = "SELECT c.cell, c.devices, c.reporting, c.accepted, c.refused, c.units, f.fresh FROM cell_epochs c LEFT JOIN cells f
        ON f.network = c.network AND f.cell = c.cell WHERE c.network = $1 AND c.epoch = $2 ORDER BY c.cell LIMIT $3";
    let rows = ask.all(sql, values![network, epoch, CELLS_MAX])?;
    let mut coarse: BTreeMap<u64, ([u64; 5], Option<u64>)> = BTreeMap::new();
    for row in &rows {
        let Some(parent) = CellId::new(row.count(0)?).ok().and_then(|cell| cell.parent(resolution)) else {
            continue;
        };
        let entry = coarse.entry(parent.get()).or_default();
        for (at, sum) in entry.0.iter_mut().enumerate() {
            *sum = sum.saturating_add(row.sum(at + 1));
        }
        entry.1 = entry.1.max(row.maybe_count(6));
    }
    let [after] = ask.after([-1])?;
    let after = u64::try_from(after).ok();
    let mut left = coarse
        .into_iter()
        .filter(|(cell, _)| after.is_none_or(|after| *cell > after));
    let limit = usize::try_from(ask.limit).unwrap_or(usize::MAX);
    let taken: Vec<_> = left.by_ref().take(limit).collect();
    let more = left.next().is_some();
    let next = taken.last().filter(|_| more).map(|(cell, _)| cell.to_string());
    let items = taken.into_iter();
    let items = items.map(|(cell, (numbers, fresh))| cell_face(cell, resolution, numbers, fresh, Vec::new()));
    Ok(Page {
        items: items.collect(),
        next,
        checked: ROOT,
    })
}

/// A price that may be none.
pub fn price(price: Option<cairn_types::Price>) -> Value {
    maybe_amount(price.map(|price| price.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::stand;
    use crate::db::{Location, schema};

    #[test]
    fn what_an_operator_earns_a_day_is_divided_by_the_days_that_were_paid() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("a.db"));
        let mut session = location.open().unwrap();
        let session = session.as_mut();
        schema::version(session).unwrap();
        schema::make(session).unwrap();
        let shared = stand::shared(&location);
        let mut told = |paid: &[(u64, u64, u64)]| {
            for (operator, day, usd) in paid {
                let sql = "INSERT INTO operator_days (operator, day, network, units, availability, usage, token, stable, usd, usage_usd,
                    customers_paid) VALUES ($1, $2, 0, 0, 0, 0, 0, 0, $3, 0, 0)";
                session.run(sql, values![*operator, *day, *usd]).unwrap();
            }
            stand::ask(session, &shared, &[], |ask| income(ask, 0)).unwrap()
        };
        assert_eq!(told(&[]), Value::Null);
        // Two days; one operator was paid on one of them only.
        let of_two = told(&[(1, 10, 60), (1, 11, 40), (2, 11, 30)]);
        assert_eq!((&of_two["max"], &of_two["min"]), (&json!("50"), &json!("15")));
        // Of ten days the last seven.
        let of_seven = told(&(12..20).map(|day| (1, day, 70)).collect::<Vec<_>>());
        assert_eq!((&of_seven["max"], &of_seven["count"]), (&json!("70"), &json!(1)));
    }
}
