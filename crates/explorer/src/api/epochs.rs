//! Epochs: what closing fixed, what was attested by whom, how far it is paid, where the files are.

use super::ask::{Answer, Ask, CERTIFICATE, Page, RECOMPUTED, SERVED, amount, text, time};
use super::devices::hex_to;
use super::networks::{merge, price};
use super::{ApiError, faces, people};
use crate::db::{Row, values};
use cairn_ledger::records::{self, Pool, PoolState};
use cairn_ledger::view;
use cairn_types::{AccountNumber, EpochNumber, NetworkId};
use cairn_verifier::archive::FileEntry;
use serde_json::{Value, json};

pub fn pool_face(pool: &Pool) -> Value {
    json!({
        "state": state_name(pool.state), "availability": text(pool.availability.0), "usage": text(pool.usage.0),
        "cash": text(pool.cash.0), "verifiers": text(pool.verifiers.0), "spent_stable": text(pool.spent_stable.0),
        "spent_burned": text(pool.spent_burned.0), "usage_price": price(pool.usage_price),
        "exchange_price": price(pool.exchange_price), "settled": pool.settled, "terms": pool.terms, "roster": pool.roster,
    })
}

fn state_name(state: PoolState) -> &'static str {
    match state {
        PoolState::Closed => "closed",
        PoolState::Settled => "settled",
        PoolState::Paid => "paid",
        PoolState::Expired => "expired",
        PoolState::Released => "released",
    }
}

fn epoch_face(ask: &mut Ask<'_>, number: u64) -> Answer<Value> {
    let epoch = ask.look(|store| view::epoch(store, EpochNumber(number)))?;
    let epoch = epoch.ok_or_else(|| ApiError::not_found("closed epoch"))?;
    Ok(json!({
        "number": number, "start": epoch.start.to_string(), "end": epoch.end.to_string(), "closed_height": epoch.closed_height,
        "closed_time": epoch.closed_time.to_string(), "networks": epoch.networks, "emission": text(epoch.emission.0),
        "price_low": price(epoch.price_low), "price_mid": price(epoch.price_mid), "price_high": price(epoch.price_high),
        "beacon": epoch.beacon.map(|beacon| beacon.to_string()),
    }))
}

pub fn list(ask: &mut Ask<'_>) -> Answer<Page> {
    let [before] = ask.after([i64::MAX])?;
    let sql = "SELECT number FROM epochs WHERE number < $1 ORDER BY number DESC LIMIT $2";
    let rows = ask.all(sql, values![before, ask.fetch()])?;
    ask.page(
        rows,
        RECOMPUTED,
        |row| Ok(vec![row.int(0)?]),
        |ask, row| epoch_face(ask, row.count(0)?),
    )
}

const COLUMNS: &str =
    "e.network, e.epoch, n.id, e.state, e.findings, e.reports, e.accepted, e.refused, e.devices, e.operators, e.units,
    e.availability, e.usage, e.cash, e.customers_paid, e.disputed, e.settled_time FROM network_epochs e
    JOIN networks n ON n.number = e.network";

fn network_face(ask: &mut Ask<'_>, row: &Row) -> Answer<Value> {
    let epoch = row.count(1)?;
    let (start, end) = super::chain::epoch_span(ask, epoch);
    Ok(json!({
        "network": hex::encode(row.id(2)?), "epoch": epoch, "start": time(start), "end": time(end), "state": row.text(3)?,
        "findings": row.text(4)?, "reports": row.maybe_count(5), "accepted": row.maybe_count(6), "refused": row.maybe_count(7),
        "devices": row.maybe_count(8), "operators": row.maybe_count(9), "units": amount(row, 10), "availability": amount(row, 11),
        "usage": amount(row, 12), "cash": amount(row, 13), "customers_paid": amount(row, 14), "disputed": row.sum(15) > 0,
        "settled_time": row.maybe_count(16).map(time),
    }))
}

pub fn one(ask: &mut Ask<'_>) -> Answer<Value> {
    let number: u64 = ask.need("epoch")?;
    let mut face = epoch_face(ask, number)?;
    let sql = format!("SELECT {COLUMNS} WHERE e.epoch = $1 ORDER BY e.network LIMIT 500");
    let rows = ask.all(&sql, values![number])?;
    let mut networks = Vec::new();
    for row in &rows {
        networks.push(network_face(ask, row)?);
    }
    let extra = json!({ "per_network": networks, "at": ask.place(), "checked": RECOMPUTED });
    merge(&mut face, extra);
    Ok(face)
}

pub fn of_network(ask: &mut Ask<'_>) -> Answer<Page> {
    let network = ask.network()?;
    let [before] = ask.after([i64::MAX])?;
    let sql = format!("SELECT {COLUMNS} WHERE e.network = $1 AND e.epoch < $2 ORDER BY e.epoch DESC LIMIT $3");
    let rows = ask.all(&sql, values![network, before, ask.fetch()])?;
    ask.page(rows, RECOMPUTED, |row| Ok(vec![row.int(1)?]), network_face)
}

/// One epoch of one network, with everything that was attested.
pub fn network_one(ask: &mut Ask<'_>) -> Answer<Value> {
    let (network, number): (u64, u64) = (ask.network()?, ask.need("epoch")?);
    let sql = format!("SELECT {COLUMNS} WHERE e.network = $1 AND e.epoch = $2");
    let row = ask.one(&sql, values![network, number])?;
    let row = row.ok_or_else(|| ApiError::not_found("closed epoch of this network"))?;
    let mut face = network_face(ask, &row)?;
    let id = NetworkId(row.id(2)?);
    let at = EpochNumber(number);
    let limits = ask.shared.genesis.limits;
    let found = ask.look(|store| {
        Ok((
            view::pool(store, &id, at)?,
            view::settlement(store, &id, at)?,
            view::roots(store, &id, at)?,
            view::signers(store, &id, at)?,
            view::anchors(store, &id, at)?,
        ))
    })?;
    let (pool, settlement, roots, signers, anchors) = found;
    let (without, anchored, window, chain, epoch) = ask.look(|store| {
        Ok((
            view::without(store, &id, at)?,
            view::is_anchored(store, &limits, &id, at)?,
            view::window_left_ms(store, &limits, &id, at)?,
            view::chain(store)?,
            view::epoch(store, at)?,
        ))
    })?;
    let mut quorum = Vec::new();
    let mut signed = 0u64;
    for signer in &signers {
        signed = signed.saturating_add(signer.bond.0);
        let of = ask.look(|store| view::account_by_number(store, AccountNumber(signer.account.0)))?;
        let Some((account, _)) = of else { continue };
        let profile = ask.look(|store| view::profile(store, &account))?.unwrap_or_default();
        let url = Some(profile.url).filter(|url| !url.is_empty());
        quorum.push(json!({
            "id": account.to_string(), "number": signer.account.0, "bond": text(signer.bond.0), "url": url,
        }));
    }
    let anchors: Vec<Value> = (0u32..)
        .zip(&anchors)
        .map(|(place, anchor)| {
            json!({
                "verifier": anchor.verifier.to_string(), "root": anchor.root.to_string(), "count": anchor.count,
                "reports_hash": anchor.reports_hash.to_string(), "left_out": without.contains(&place),
            })
        })
        .collect();
    let roots_face = roots.zip(settlement).map(|(roots, settlement)| {
        json!({
            "result": settlement.result.to_string(), "inputs": roots.inputs.to_string(), "archive": roots.archive.to_string(),
            "findings": roots.findings.to_string(), "memory": roots.memory.to_string(), "payouts": settlement.payouts.to_string(),
            "anchors": roots.anchors.to_string(), "previous": roots.previous.to_string(),
        })
    });
    let reasons = ask.all(
        "SELECT n.vertical, r.reason, r.count FROM reasons r JOIN networks n ON n.number = r.network WHERE r.network = $1
         AND r.epoch = $2 ORDER BY r.count DESC LIMIT 32",
        values![network, number],
    )?;
    let reasons: Vec<Value> = reasons
        .iter()
        .map(|row| faces::reason_count(row, 0, 1, 2))
        .collect::<Answer<_>>()?;
    let settled = ask.one(
        "SELECT settled_at, verifier, files FROM network_epochs WHERE network = $1 AND epoch = $2",
        values![network, number],
    )?;
    let settled = settled.unwrap_or_default();
    let extra = json!({
        "pool": pool.as_ref().map(pool_face), "beacon": epoch.and_then(|epoch| epoch.beacon).map(|beacon| beacon.to_string()),
        "roots": roots_face, "leaves": settlement.map(|settlement| settlement.leaves),
        "paid_leaves": settlement.map(|settlement| settlement.cursor), "bond_signed": text(signed),
        "bond_active": text(chain.map_or(0, |chain| chain.bond_active.0)), "quorum": quorum, "anchors": anchors,
        "anchored": anchored, "window_left_ms": window, "archive": archive(ask, &id, number, &settled)?,
        "dispute": people::dispute_of(ask, network, number)?, "refused_by": reasons,
        "settle_transaction": ask.tx_id(settled.maybe_count(0))?,
        "settlement_key": hex::encode(view::key::<records::Settlement>(&(id, at)).0),
        "roots_key": hex::encode(view::key::<records::Roots>(&(id, at)).0),
        "exchanged": settlement.is_some_and(|settlement| settlement.exchanged),
        "at": ask.place(), "checked": RECOMPUTED,
    });
    merge(&mut face, extra);
    Ok(face)
}

/// Where the files of an epoch are: with the verifier that gave its findings, else with any. `settled` has that verifier and what it says of
/// the files.
fn archive(ask: &mut Ask<'_>, id: &NetworkId, epoch: u64, settled: &Row) -> Answer<Value> {
    let told = settled.maybe_bytes(2).and_then(|told| minicbor::decode(told).ok());
    let told: Vec<FileEntry> = told.unwrap_or_default();
    let account = settled.maybe_count(1).map(|by| ask.account_id(by)).transpose()?;
    let url = match &account {
        Some(account) => {
            let id = cairn_types::AccountId(hex_to(account));
            ask.look(|store| view::profile(store, &id))?.map(|profile| profile.url)
        }
        None => None,
    };
    let url = url
        .filter(|url| !url.is_empty())
        .or_else(|| ask.shared.verifiers.first().cloned());
    let Some(url) = url else { return Ok(Value::Null) };
    let files: Vec<Value> = cairn_verifier::archive::FILES
        .iter()
        .chain([&cairn_verifier::archive::MANIFEST])
        .map(|name| {
            let told = told.iter().find(|file| file.name == **name);
            json!({
                "name": name, "bytes": told.map(|file| file.bytes), "sha256": told.map(|file| file.hash.to_string()),
                "url": format!("/v1/networks/{id}/epochs/{epoch}/archive/{name}"),
            })
        })
        .collect();
    Ok(json!({ "verifier": account, "url": url, "files": files, "checked": SERVED }))
}

/// Every payout of an epoch, in the order of the leaves.
pub fn payouts(ask: &mut Ask<'_>) -> Answer<Page> {
    let (network, epoch): (u64, u64) = (ask.network()?, ask.need("epoch")?);
    let [after] = ask.after([-1])?;
    let sql = "SELECT p.place, a.id, p.operator, p.units, p.availability, p.usage, p.cash, p.customers_paid, p.token, p.stable, p.usd,
        p.wants, p.tx, p.time, t.id FROM payouts p JOIN accounts a ON a.number = p.operator JOIN transactions t ON t.at = p.tx
        WHERE p.network = $1 AND p.epoch = $2 AND p.place > $3 ORDER BY p.place LIMIT $4";
    let rows = ask.all(sql, values![network, epoch, after, ask.fetch()])?;
    ask.page(rows, CERTIFICATE, |row| Ok(vec![row.int(0)?]), |_, row| {
        let (height, _) = crate::index::tx_place(row.count(12)?);
        Ok(json!({
            "operator": hex::encode(row.id(1)?), "number": row.count(2)?, "place": row.count(0)?, "units": amount(row, 3),
            "availability": amount(row, 4), "usage": amount(row, 5), "cash": amount(row, 6), "customers_paid": amount(row, 7),
            "token": amount(row, 8), "stable": amount(row, 9), "usd_micro": amount(row, 10), "wants_bps": row.maybe_count(11),
            "height": height, "time": time(row.count(13)?), "transaction": hex::encode(row.id(14)?),
        }))
    })
}
