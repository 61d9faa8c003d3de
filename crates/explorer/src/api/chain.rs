//! The chain and its sum: clock, anchor, fees; what is measured, who earns, who pays; figures over time.

use super::ask::{Answer, Ask, RECOMPUTED, amount, maybe_amount, text, time};
use super::{ApiError, faces};
use crate::db::{Row, values};
use crate::words::{OVERVIEW, SERIES};
use cairn_ledger::view;
use cairn_types::{EpochNumber, TimeMs};
use serde_json::{Value, json};

/// Until a bridge exists.
const STABLE_NOTE: &str = "until a bridge exists, the stablecoin is the promise of the bonded issuers named in genesis";

/// What is known how.
const CHECKS: [(&str, &str, &str); 5] = [
    (
        "blocks",
        "certificate",
        "The validators' threshold signature over each block's header is checked by this explorer; the page checks it again.",
    ),
    (
        "records",
        "recomputed",
        "Balances, devices, epochs and events come from running every transaction through the ledger's rules here, with the receipts that the certified headers name.",
    ),
    (
        "findings",
        "root",
        "Findings and cell values come out of a verifier's archive whose roots are those on the ledger.",
    ),
    (
        "payouts",
        "recomputed",
        "What operators received is in final payments, proven under the attested root before the ledger paid.",
    ),
    (
        "differences",
        "served",
        "What verifiers say of each other is their word.",
    ),
];

pub fn clock(ask: &mut Ask<'_>) -> Answer<Value> {
    let Some(chain) = ask.look(|store| view::chain(store))? else {
        return Ok(Value::Null);
    };
    let clock = ask.shared.genesis.clock();
    let (start, end) = (clock.start(chain.epoch), clock.end(chain.epoch));
    let left = end.since_ms(ask.shared.now());
    Ok(json!({
        "number": chain.epoch.0, "start": start.to_string(), "end": end.to_string(),
        "epoch_ms": ask.shared.genesis.epoch_ms, "ms_left": left,
    }))
}

pub fn price(ask: &mut Ask<'_>) -> Answer<Value> {
    let genesis = ask.shared.genesis.clone();
    let quote = match ask.at {
        Some(_) => ask.look(|store| view::quote(store, &genesis))?,
        None => None,
    };
    Ok(json!({
        "halted": quote.is_none(),
        "low": maybe_amount(quote.map(|quote| quote.low.0)),
        "mid": maybe_amount(quote.map(|quote| quote.mid.0)),
        "high": maybe_amount(quote.map(|quote| quote.high.0)),
    }))
}

pub fn chain(ask: &mut Ask<'_>) -> Answer<Value> {
    let shared = ask.shared;
    let progress = shared.live.progress();
    let genesis = shared.genesis.clone();
    let chain = ask.look(|store| view::chain(store))?;
    let protocol = ask.look(|store| view::protocol(store))?;
    let count =
        |ask: &mut Ask<'_>, sql: &str| -> Answer<u64> { Ok(ask.one(sql, values![])?.map_or(0, |row| row.sum(0))) };
    let counts = json!({
        "blocks": ask.at.as_ref().map_or(0, |at| at.height),
        "transactions": count(ask, "SELECT all_txs FROM blocks ORDER BY height DESC LIMIT 1")?,
        "events": count(ask, "SELECT all_events FROM blocks ORDER BY height DESC LIMIT 1")?,
        "accounts": chain.as_ref().map_or(0, |chain| chain.accounts),
        "devices": chain.as_ref().map_or(0, |chain| chain.devices),
        "networks": chain.as_ref().map_or(0, |chain| chain.networks),
        "verifiers": chain.as_ref().map_or(0, |chain| chain.verifiers),
        "validators": chain.as_ref().map_or(0, |chain| chain.validators),
        "findings": count(ask, "SELECT CAST(SUM(accepted + refused) AS BIGINT) FROM networks")?,
    });
    let fees = &genesis.fees;
    let anchor = shared.anchor.borrow().clone();
    let at = ask.at.clone();
    let time = at.as_ref().map_or(genesis.start, |at| at.time);
    let checks: Vec<Value> = CHECKS
        .iter()
        .map(|(what, checked, sentence)| json!({ "what": what, "checked": checked, "sentence": sentence }))
        .collect();
    let validators = chain.as_ref().map_or(0, |chain| chain.validators);
    Ok(json!({
        "chain": genesis.chain.as_str(),
        "version": env!("CARGO_PKG_VERSION"),
        "height": at.as_ref().map_or(0, |at| at.height),
        "time": time.to_string(),
        "node_height": progress.node_height,
        "lag_ms": shared.now().since_ms(time),
        "state": progress.state,
        "trouble": progress.trouble,
        "epoch": clock(ask)?,
        "symbol": "token",
        "decimals": genesis.economics.decimals,
        "stable_decimals": 6,
        "credit_decimals": 6,
        "anchor": {
            "chain": anchor.chain, "group_key": hex::encode(anchor.group_key), "genesis": hex::encode(anchor.genesis),
            "era": anchor.era,
        },
        "protocol": protocol.version,
        "validators": validators,
        "beacon_note": (validators <= 1).then_some(cairn_node::FORESEEN),
        "stable_note": STABLE_NOTE,
        "price": price(ask)?,
        "fees": {
            "base": text(fees.base.0), "open_account": text(fees.open_account.0), "register_device": text(fees.register_device.0),
            "join_network": text(fees.join_network.0), "move_device": text(fees.move_device.0),
            "create_network": text(fees.create_network.0), "parameter_page": text(fees.parameter_page.0),
        },
        "counts": counts,
        "service": {
            "node": true, "gateway": shared.gateway.is_some(), "verifiers": shared.verifiers.len().max(usize::from(chain.is_some())),
        },
        "checks": checks,
        "dispute_window_ms": genesis.limits.dispute_window_ms,
        "anchor_window_ms": genesis.limits.anchor_window_ms,
    }))
}

/// Columns of a closed epoch, over all networks or one.
const ROWS: &str = "SELECT e.number, e.start, SUM(n.devices), SUM(n.accepted), SUM(n.refused), SUM(n.availability), SUM(n.usage),
    SUM(n.cash), SUM(n.customers_paid), e.emission, e.burned, e.price,
    SUM(CASE WHEN n.state IN ('paid', 'expired') OR (n.state = 'released' AND n.operators IS NULL) THEN 0 ELSE 1 END), COUNT(n.network)
    FROM epochs e LEFT JOIN network_epochs n ON n.epoch = e.number";

/// Sums of integers are of a wider kind in one of the databases.
fn casted(sql: &str) -> String {
    let mut out = String::new();
    let mut rest = sql;
    while let Some(at) = rest.find("SUM(") {
        let (before, after) = rest.split_at(at);
        let mut depth = 0;
        let end = after
            .char_indices()
            .find_map(|(at, letter)| {
                depth += match letter {
                    '(' => 1,
                    ')' => -1,
                    _ => 0,
                };
                (letter == ')' && depth == 0).then_some(at + 1)
            })
            .unwrap_or(after.len());
        let (sum, after) = after.split_at(end);
        out += before;
        out += &format!("CAST({sum} AS BIGINT)");
        rest = after;
    }
    out + rest
}

fn overview_row(row: &Row, burned_before: u64) -> Answer<Value> {
    Ok(json!({
        "epoch": row.count(0)?, "start": time(row.count(1)?),
        "devices": row.sum(2), "accepted": row.sum(3), "refused": row.sum(4),
        "availability": amount(row, 5), "usage": amount(row, 6), "cash": amount(row, 7), "customers_paid": amount(row, 8),
        "emission": amount(row, 9), "burned": row.sum(10).saturating_sub(burned_before).to_string(),
        "price_mid": maybe_amount(row.maybe_count(11)), "final": row.sum(12) == 0,
    }))
}

pub fn overview(ask: &mut Ask<'_>) -> Answer<Value> {
    let network = ask.maybe_network()?;
    let only = network.map_or(-1, |network| i64::try_from(network).unwrap_or(-1));
    let sql = casted(
        "SELECT SUM(accepted), SUM(refused), SUM(availability), SUM(usage), SUM(cash), SUM(customers_paid), SUM(token), SUM(usd),
         SUM(availability_usd), SUM(usage_usd), SUM(devices), COUNT(*) FROM networks WHERE ($1 = -1 OR number = $1)",
    );
    let sums = ask.one(&sql, values![only])?.unwrap_or_default();
    // The newest judged epoch, and the one before.
    let sql = casted(
        "SELECT epoch, SUM(devices) FROM network_epochs WHERE findings = 'here' AND ($1 = -1 OR network = $1) GROUP BY epoch
         ORDER BY epoch DESC LIMIT 2",
    );
    let judged = ask.all(&sql, values![only])?;
    let sql = casted(
        "SELECT r.network, r.reason, SUM(r.count), n.vertical FROM network_reasons r JOIN networks n ON n.number = r.network
         WHERE ($1 = -1 OR r.network = $1) GROUP BY r.network, r.reason, n.vertical ORDER BY 3 DESC LIMIT 24",
    );
    let refused = ask.all(&sql, values![only])?;
    let refused: Vec<Value> = refused
        .iter()
        .map(|row| faces::reason_count(row, 3, 1, 2))
        .collect::<Answer<_>>()?;
    let sql = format!(
        "{ROWS} AND ($1 = -1 OR n.network = $1) WHERE e.number > (SELECT MAX(number) FROM epochs) - 26 GROUP BY e.number, e.start, e.emission, e.burned, e.price ORDER BY e.number DESC LIMIT 25"
    );
    let mut rows = ask.all(&casted(&sql), values![only])?;
    rows.reverse();
    let whole = rows.len() > 24;
    let mut series = Vec::new();
    let mut burned = if whole { None } else { Some(0) };
    for row in &rows {
        if let Some(before) = burned {
            series.push(overview_row(row, before)?);
        }
        burned = Some(row.sum(10));
    }
    let (availability_usd, usage_usd) = (sums.sum(8), sums.sum(9));
    let all = availability_usd.saturating_add(usage_usd);
    let operators = match network {
        None => counter(ask, "operators")?,
        Some(network) => {
            let sql = "SELECT operators FROM networks WHERE number = $1";
            ask.one(sql, values![network])?.map_or(0, |row| row.sum(0))
        }
    };
    let stable = casted("SELECT SUM(stable) FROM operator_networks WHERE ($1 = -1 OR network = $1)");
    let stable = ask.one(&stable, values![only])?.map_or(0, |row| row.sum(0));
    let credits = ask.look(|store| view::credits(store))?.unwrap_or_default();
    let books = ask.look(|store| view::emission(store))?.unwrap_or_default().supply;
    let supply = books
        .premine
        .0
        .saturating_add(books.minted.0)
        .saturating_sub(books.burned.0);
    let sql =
        "SELECT COUNT(*) FROM network_epochs WHERE findings IN ('awaited', 'differs') AND ($1 = -1 OR network = $1)";
    let awaited = ask.one(sql, values![only])?.map_or(0, |row| row.sum(0));
    let id = network.map(|network| ask.network_id(network)).transpose()?;
    Ok(json!({
        "network": id,
        "epoch": clock(ask)?,
        "devices_registered": sums.sum(10),
        "devices_reporting": judged.first().map_or(0, |row| row.sum(1)),
        "devices_before": judged.get(1).map_or(0, |row| row.sum(1)),
        "operators": operators,
        "customers": counter(ask, "customers")?,
        "networks": sums.sum(11),
        "verifiers": ask.look(|store| view::chain(store))?.map_or(0, |chain| chain.verifiers),
        "reports_accepted": sums.sum(0), "reports_refused": sums.sum(1),
        "refused_by": refused,
        "paid": { "token": amount(&sums, 6), "stable": text(stable), "usd_micro": amount(&sums, 7) },
        "availability": amount(&sums, 2), "usage_token": amount(&sums, 3), "usage_stable": amount(&sums, 4),
        "emission_usd_micro": text(availability_usd), "usage_usd_micro": text(usage_usd),
        "customers_paid": amount(&sums, 5),
        "outside_bps": share_bps(usage_usd, all),
        "credits_bought_stable": text(credits.stable_bought.0), "credits_bought_burned": text(credits.burned_bought.0),
        "credits_spent": text(credits.stable_spent.0.saturating_add(credits.burned_spent.0)),
        "tokens_burned": text(books.burned.0), "supply": text(supply), "minted": text(books.minted.0),
        "awaited": awaited,
        "definitions": faces::definitions(OVERVIEW),
        "series": series,
        "at": ask.place(), "checked": RECOMPUTED,
    }))
}

/// What is counted as it comes (`db::schema::COUNTERS`).
fn counter(ask: &mut Ask<'_>, name: &str) -> Answer<u64> {
    let row = ask.one("SELECT number FROM meta WHERE name = $1", values![name])?;
    Ok(row.map_or(0, |row| row.sum(0)))
}

/// A part of a whole, of 10,000, rounded down; none of nothing.
pub fn share_bps(part: u64, whole: u64) -> Option<u64> {
    cairn_types::money::mul_div_floor(part, 10_000, whole).filter(|_| whole > 0)
}

/// The column behind the name of a series.
fn column(name: &str) -> Option<&'static str> {
    Some(match name {
        "supply" => "MAX(e.supply)",
        "minted" => "MAX(e.minted)",
        "emission" => "MAX(e.emission)",
        "burned" => "MAX(e.burned)",
        "price" => "MAX(e.price)",
        "paid_usage" => "SUM(n.usage)",
        "paid_cash" => "SUM(n.cash)",
        "paid_availability" => "SUM(n.availability)",
        "customers_paid" => "SUM(n.customers_paid)",
        "reports_accepted" => "SUM(n.accepted)",
        "reports_refused" => "SUM(n.refused)",
        "devices" => "SUM(n.devices)",
        "operators" => "SUM(n.operators)",
        "units" => "SUM(n.units)",
        _ => return None,
    })
}

/// Points of one series at most: the newest are given.
const POINTS_MAX: u64 = 2_000;

pub fn series(ask: &mut Ask<'_>) -> Answer<Value> {
    let asked: String = ask.need("name")?;
    let name = asked.strip_suffix(".csv").unwrap_or(&asked);
    let known = SERIES.iter().find(|(known, ..)| *known == name).zip(column(name));
    let ((name, unit, decimals, sentence), column) = known.ok_or_else(|| ApiError::not_found("series"))?;
    let network = ask.maybe_network()?;
    let only = network.map_or(-1, |network| i64::try_from(network).unwrap_or(-1));
    let step = ask.word("step", &["epoch", "day"])?.unwrap_or("epoch");
    let (from, to) = ask.epochs()?;
    let sql = format!(
        "SELECT e.number, e.start, {column} FROM epochs e LEFT JOIN network_epochs n ON n.epoch = e.number
         AND ($1 = -1 OR n.network = $1) WHERE e.number >= $2 AND e.number <= $3 GROUP BY e.number, e.start
         ORDER BY e.number DESC LIMIT $4"
    );
    let mut rows = ask.all(&casted(&sql), values![only, from, to, POINTS_MAX])?;
    rows.reverse();
    let point = |epoch: u64, start: u64, value: Option<i64>| {
        let value = value.map(|value| value.to_string());
        json!({ "epoch": epoch, "time": time(start), "value": value })
    };
    let mut points = Vec::new();
    match step {
        "day" => {
            let adds = column.starts_with("SUM") || *name == "emission";
            let mut days: Vec<(u64, u64, u64, Option<i64>)> = Vec::new();
            for row in &rows {
                let (epoch, start, value) = (row.count(0)?, row.count(1)?, row.maybe_int(2));
                let day = crate::index::day_of(start);
                match days.last_mut().filter(|last| last.0 == day) {
                    Some(last) if adds => last.3 = Some(last.3.unwrap_or(0).saturating_add(value.unwrap_or(0))),
                    Some(last) => last.3 = value.or(last.3),
                    None => days.push((day, epoch, start, value)),
                }
            }
            points.extend(
                days.iter()
                    .map(|(_, epoch, start, value)| point(*epoch, *start, *value)),
            );
        }
        _ => {
            for row in &rows {
                points.push(point(row.count(0)?, row.count(1)?, row.maybe_int(2)));
            }
        }
    }
    if asked.ends_with(".csv") {
        return Ok(json!({ "csv": faces::table(&["epoch", "time", "value"], &points) }));
    }
    let id = network.map(|network| ask.network_id(network)).transpose()?;
    Ok(json!({
        "name": name, "sentence": sentence, "unit": unit,
        "decimals": decimals.unwrap_or(ask.shared.genesis.economics.decimals),
        "step": step, "network": id, "points": points, "at": ask.place(), "checked": RECOMPUTED,
    }))
}

pub fn health(ask: &mut Ask<'_>) -> Answer<Value> {
    let at = ask.at.clone();
    let time = at.as_ref().map_or(TimeMs(0), |at| at.time);
    Ok(json!({
        "healthy": true, "height": at.map_or(0, |at| at.height), "lag_ms": ask.shared.now().since_ms(time),
    }))
}

/// The end of an epoch by the chain's cut.
pub fn epoch_span(ask: &Ask<'_>, epoch: u64) -> (u64, u64) {
    let clock = ask.shared.genesis.clock();
    (clock.start(EpochNumber(epoch)).0, clock.end(EpochNumber(epoch)).0)
}
