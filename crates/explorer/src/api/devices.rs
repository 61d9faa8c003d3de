//! Devices: where they stand, how they do, what became of their reports, what they earned.

use super::ask::{Answer, Ask, Page, ROOT, amount, maybe_amount, text, time};
use super::chain::share_bps;
use super::networks::merge;
use super::{ApiError, chain, faces};
use crate::db::{Row, Value as Column, values};
use crate::words::{self, DEVICE, Situation};
use cairn_ledger::records;
use cairn_ledger::view;
use cairn_types::{DeviceId, Finding, NetworkId, Reason, ReportId, Span};
use serde_json::{Value, json};

/// Judged epochs over which uptime and recent units are counted.
const RECENT: u64 = 24;
const STATES: [&str; 9] = [
    "new", "earning", "silent", "refused", "moved", "excluded", "barred", "retired", "left",
];

const COLUMNS: &str =
    "d.number, d.id, o.id, d.owner, d.units, d.accepted, d.refused, d.last_epoch, d.state FROM devices d
    JOIN accounts o ON o.number = d.owner";

fn row_face(ask: &mut Ask<'_>, row: &Row) -> Answer<Value> {
    let number = row.count(0)?;
    let sql =
        "SELECT n.id, m.cell, m.joined, m.network, n.last_epoch FROM members m JOIN networks n ON n.number = m.network
        WHERE m.device = $1 AND m.left_after IS NULL ORDER BY m.network";
    let stays = ask.all(sql, values![number])?;
    let networks: Vec<String> = stays
        .iter()
        .map(|stay| stay.id(0).map(hex::encode))
        .collect::<Result<_, _>>()?;
    let first = stays.first().cloned().unwrap_or_default();
    let (cell, lat, lng) = faces::place_of(&first, 1);
    let (mut due, mut reported, mut units) = (0u64, 0u64, 0u64);
    for stay in &stays {
        let (joined, network) = (stay.count(2)?, stay.count(3)?);
        let Some(last) = stay.maybe_count(4) else { continue };
        let from = (last + 1).saturating_sub(RECENT).max(joined);
        due += (last + 1).saturating_sub(from);
        let sql = "SELECT COUNT(*), CAST(SUM(e.units) AS BIGINT) FROM network_epochs n CROSS JOIN device_epochs e
            WHERE n.network = $2 AND n.epoch >= $3 AND COALESCE(n.findings, '') = 'here' AND e.network = $2 AND e.epoch = +n.epoch AND e.device = $1";
        let recent = ask.one(sql, values![number, network, from])?.unwrap_or_default();
        reported += recent.sum(0);
        units = units.saturating_add(recent.sum(1));
    }
    Ok(json!({
        "id": hex::encode(row.id(1)?), "number": number, "owner": hex::encode(row.id(2)?), "owner_number": row.count(3)?,
        "networks": networks, "cell": cell, "lat": lat, "lng": lng, "state": row.text(8)?,
        "uptime_bps": share_bps(reported.min(due), due), "units": amount(row, 4), "units_day": units.to_string(),
        "accepted": row.count(5)?, "refused": row.count(6)?, "last_epoch": row.maybe_count(7),
        "joined": first.maybe_count(2),
    }))
}

/// A list narrowed by what is asked: each narrowing adds a condition and its value.
struct Narrowed {
    sql: String,
    values: Vec<Column>,
}

impl Narrowed {
    fn new(sql: &str) -> Self {
        Self {
            sql: sql.to_owned(),
            values: Vec::new(),
        }
    }

    /// One that says already what it takes of the device $1.
    fn of_device(sql: &str, device: u64) -> Self {
        Self {
            sql: sql.to_owned(),
            values: vec![device.into()],
        }
    }

    /// `$?` in the condition is the value.
    fn by(&mut self, condition: &str, value: impl Into<Column>) {
        self.values.push(value.into());
        let place = format!("${}", self.values.len());
        let word = if self.values.len() == 1 { "WHERE" } else { "AND" };
        self.sql += &format!(" {word} {}", condition.replace("$?", &place));
    }

    fn end(mut self, order: &str, limit: u64) -> (String, Vec<Column>) {
        self.values.push(limit.into());
        self.sql += &format!(" ORDER BY {order} LIMIT ${}", self.values.len());
        (self.sql, self.values)
    }
}

pub fn list(ask: &mut Ask<'_>) -> Answer<Page> {
    let owner = ask.maybe_account("owner")?;
    of_owner(ask, owner)
}

pub fn of_operator(ask: &mut Ask<'_>) -> Answer<Page> {
    let owner = ask.account("id")?;
    of_owner(ask, Some(owner))
}

fn of_owner(ask: &mut Ask<'_>, owner: Option<u64>) -> Answer<Page> {
    let [after] = ask.after([-1])?;
    let mut narrowed = Narrowed::new(&format!("SELECT {COLUMNS}"));
    narrowed.by("d.number > $?", after);
    if let Some(owner) = owner {
        narrowed.by("d.owner = $?", owner);
    }
    if let Some(state) = ask.word("state", &STATES)? {
        narrowed.by("d.state = $?", state);
    }
    let (sql, values) = narrowed.end("d.number", ask.fetch());
    let rows = ask.all(&sql, &values)?;
    ask.page(rows, ROOT, |row| Ok(vec![row.int(0)?]), row_face)
}

pub fn of_network(ask: &mut Ask<'_>) -> Answer<Page> {
    let network = ask.network()?;
    let [after] = ask.after([-1])?;
    let mut narrowed = Narrowed::new(&format!("SELECT {COLUMNS} JOIN members m ON m.device = d.number"));
    narrowed.by("m.network = $?", network);
    narrowed.by("m.device > $?", after);
    if let Some(state) = ask.word("state", &STATES)? {
        narrowed.by("m.state = $?", state);
    }
    let (sql, values) = narrowed.end("m.device", ask.fetch());
    let rows = ask.all(&sql, &values)?;
    ask.page(rows, ROOT, |row| Ok(vec![row.int(0)?]), row_face)
}

pub fn one(ask: &mut Ask<'_>) -> Answer<Value> {
    let number = ask.device()?;
    let sql = format!("SELECT {COLUMNS} WHERE d.number = $1");
    let row = ask
        .one(&sql, values![number])?
        .ok_or_else(|| ApiError::not_found("device"))?;
    let mut face = row_face(ask, &row)?;
    let id = DeviceId(row.id(1)?);
    let device = ask
        .look(|store| view::device(store, &id))?
        .ok_or_else(|| ApiError::not_found("device"))?;
    let sql = "SELECT n.id, n.name, n.vertical, s.entry, s.cell, s.joined, s.left_after FROM stays s JOIN networks n
        ON n.number = s.network WHERE s.device = $1 ORDER BY s.network, s.entry LIMIT 200";
    let stays = ask.all(sql, values![number])?;
    let stay = |row: &Row| -> Answer<Value> {
        let (cell, lat, lng) = faces::place_of(row, 4);
        Ok(json!({
            "network": hex::encode(row.id(0)?), "name": row.text(1)?, "vertical": row.text(2)?, "entry": row.count(3)?, "cell": cell,
            "lat": lat, "lng": lng, "joined": row.count(5)?, "left": row.maybe_count(6),
        }))
    };
    let memberships: Vec<Value> = stays.iter().map(stay).collect::<Answer<_>>()?;
    let sql = format!(
        "SELECT n.epoch, n.network FROM network_epochs n {} ORDER BY n.epoch DESC, n.network LIMIT 24",
        judged("device_epochs")
    );
    let mut recent = ask.all(&sql, values![number])?;
    recent.reverse();
    let mut epochs = Vec::new();
    for row in &recent {
        epochs.push(epoch_face(ask, number, row.count(1)?, row.count(0)?)?);
    }
    let sql = "SELECT n.vertical, r.reason, r.count FROM device_reasons r JOIN networks n ON n.number = r.network
        WHERE r.device = $1 ORDER BY r.count DESC LIMIT 16";
    let reasons = ask.all(sql, values![number])?;
    let reasons: Vec<Value> = reasons
        .iter()
        .map(|row| faces::reason_count(row, 0, 1, 2))
        .collect::<Answer<_>>()?;
    let situation = situation(ask, number, &row, &face, &reasons)?;
    let advice: Vec<Value> = words::advice(&situation)
        .into_iter()
        .map(|(code, sentence)| json!({ "code": code, "sentence": sentence }))
        .collect();
    let earned = epochs.iter().fold((0u64, 0u64, 0u64), |(token, stable, usd), epoch| {
        let of = |name: &str| {
            epoch[name]
                .as_str()
                .and_then(|text| text.parse::<u64>().ok())
                .unwrap_or(0)
        };
        (
            token.saturating_add(of("token")),
            stable.saturating_add(of("stable")),
            usd.saturating_add(of("usd_micro")),
        )
    });
    let reputation = reputation(ask, number)?;
    let barred = ask.look(|store| {
        let open = view::chain(store)?.map(|chain| chain.epoch);
        match open {
            Some(open) => view::barred_until(store, &id, &device, open),
            None => Ok(None),
        }
    })?;
    let extra = json!({
        "key": device.key.to_string(), "registered": device.registered.0, "retired": device.retired.map(|epoch| epoch.0),
        "barred_until": barred.map(|epoch| epoch.0), "memberships": memberships, "epochs": epochs, "reasons": reasons,
        "reputation": reputation, "advice": advice,
        "earned": { "token": text(earned.0), "stable": text(earned.1), "usd_micro": text(earned.2) },
        "proof_key": hex::encode(view::key::<records::Device>(&id).0),
        "definitions": faces::definitions(DEVICE), "at": ask.place(), "checked": ROOT,
    });
    merge(&mut face, extra);
    Ok(face)
}

/// How the device stands where it is a member, by what its newest judged epoch was judged with.
fn reputation(ask: &mut Ask<'_>, number: u64) -> Answer<Vec<Value>> {
    let sql = "SELECT n.id, j.epoch, j.network, n.vertical FROM members m JOIN judged j ON j.network = m.network
        JOIN networks n ON n.number = m.network WHERE m.device = $1 AND m.left_after IS NULL ORDER BY m.network LIMIT 8";
    let mut all = Vec::new();
    for row in ask.all(sql, values![number])? {
        let (shared, epoch, network) = (ask.shared, row.count(1)?, row.count(2)?);
        let judged = shared.standings.of(network, epoch, || {
            let sql = "SELECT inputs FROM judged WHERE network = $1";
            let row = ask.one(sql, values![network])?;
            row.map(|row| row.bytes(0).map(<[u8]>::to_vec)).transpose()
        })?;
        let device = cairn_types::DeviceNumber(u32::try_from(number).unwrap_or(u32::MAX));
        let vertical = cairn_verticals::by_name(row.text(3)?);
        let standing = judged
            .zip(vertical)
            .and_then(|(judged, vertical)| judged.standing(vertical, device));
        let Some(standing) = standing else { continue };
        let excluded = match &standing["excluded"] {
            Value::Object(excluded) => {
                let of = |name: &str| excluded.get(name).cloned().unwrap_or(Value::Null);
                json!({
                    "rule": of("rule"), "sentence": of("sentence"), "measured": of("measured"), "limit": of("limit"),
                    "unit": of("unit"), "from_epoch": of("from_epoch"), "until_epoch": of("until_epoch"), "until": of("until"),
                    "evidence": of("evidence"),
                })
            }
            _ => Value::Null,
        };
        all.push(json!({
            "network": hex::encode(row.id(0)?), "epoch": row.count(1)?, "score": standing["score"], "paid": standing["paid"],
            "of": standing["of"], "excluded": excluded,
        }));
    }
    Ok(all)
}

/// From judged epoch to judged epoch (`n`) in networks of a device $1, up to the last of which it has something: its rows (`j`) in a table.
/// The order of the join is told, for a table has millions of rows and no index by device.
fn judged(table: &str) -> String {
    format!(
        "CROSS JOIN {table} j WHERE n.findings = 'here' AND n.epoch <= (SELECT l.last_epoch FROM devices l WHERE l.number = $1)
         AND +n.network IN (SELECT s.network FROM stays s WHERE s.device = $1) AND j.network = +n.network AND j.epoch = +n.epoch
         AND j.device = $1"
    )
}

/// Whether an epoch's findings are here, all of them.
pub fn is_here(ask: &mut Ask<'_>, network: u64, epoch: u64) -> Answer<bool> {
    let sql = "SELECT 1 FROM network_epochs WHERE network = $1 AND epoch = $2 AND findings = 'here'";
    Ok(ask.one(sql, values![network, epoch])?.is_some())
}

fn situation(ask: &mut Ask<'_>, number: u64, row: &Row, face: &Value, reasons: &[Value]) -> Answer<Situation> {
    let state = row.text(8)?.to_owned();
    let sql = "SELECT m.network, m.cell, COUNT(o.device) FROM members m JOIN members o ON o.network = m.network AND o.cell = m.cell
        AND o.left_after IS NULL WHERE m.device = $1 AND m.left_after IS NULL GROUP BY m.network, m.cell ORDER BY 3 DESC LIMIT 1";
    let crowd = ask.one(sql, values![number])?;
    let crowd = match crowd {
        Some(row) => {
            let network = NetworkId(hex_to(&ask.network_id(row.count(0)?)?));
            let target = ask.look(|store| {
                let terms = view::terms(store, &network)?;
                match terms {
                    Some(terms) => view::parameters(store, &network, terms.current.version).map(Some),
                    None => Ok(None),
                }
            })?;
            let target = target.and_then(|bytes| cairn_verticals::sensors::params::Params::decode(&bytes).ok());
            target.map(|params| (row.sum(2), u64::from(params.crowd_target)))
        }
        None => None,
    };
    let sql = format!(
        "SELECT CAST(SUM(refused) AS BIGINT) FROM (SELECT j.refused FROM network_epochs n {} ORDER BY n.epoch DESC, n.network LIMIT 24) r",
        judged("device_epochs")
    );
    let recent = ask.one(&sql, values![number])?;
    let refused = recent.map_or(0, |row| row.sum(0));
    let why = reasons.first().filter(|_| refused > 0);
    Ok(Situation {
        state,
        refused_for: why.map(|why| {
            let word = |name: &str| why[name].as_str().unwrap_or_default();
            let code = why["code"].as_u64().and_then(|code| u16::try_from(code).ok());
            words::reason(
                cairn_verticals::by_name(word("vertical")),
                Reason(code.unwrap_or_default()),
            )
        }),
        uptime_bps: face["uptime_bps"].as_u64(),
        crowd,
        idle: face["networks"].as_array().is_some_and(Vec::is_empty),
    })
}

pub fn hex_to(id: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    // Written by the index itself; another id is found by nobody.
    let _ = hex::decode_to_slice(id, &mut bytes);
    bytes
}

/// What a device got of its operator's pay for an epoch: by its units, rounded down.
struct Part {
    operator_units: u64,
    availability: u64,
    usage: u64,
    token: u64,
    stable: u64,
    usd: u64,
    price: Option<u64>,
    time: Option<u64>,
}

fn part(ask: &mut Ask<'_>, device: u64, network: u64, epoch: u64, units: u64) -> Answer<Part> {
    let sql = "SELECT p.units, p.availability, p.usage, p.token, p.stable, p.usd, p.price, p.time FROM device_epochs e JOIN payouts p
        ON p.operator = e.operator AND p.epoch = e.epoch AND p.network = e.network
        WHERE e.device = $1 AND e.network = $2 AND e.epoch = $3";
    let row = ask.one(sql, values![device, network, epoch])?.unwrap_or_default();
    let all = row.sum(0);
    let share = |at: usize| cairn_types::money::mul_div_floor(row.sum(at), units, all.max(1)).unwrap_or(0);
    Ok(Part {
        operator_units: all,
        availability: share(1),
        usage: share(2),
        token: share(3),
        stable: share(4),
        usd: share(5),
        price: row.maybe_count(6),
        time: row.maybe_count(7),
    })
}

fn epoch_face(ask: &mut Ask<'_>, device: u64, network: u64, epoch: u64) -> Answer<Value> {
    let sql =
        "SELECT accepted, refused, units, reason FROM device_epochs WHERE device = $1 AND network = $2 AND epoch = $3";
    let row = ask.one(sql, values![device, network, epoch])?.unwrap_or_default();
    let part = part(ask, device, network, epoch, row.sum(2))?;
    let (_, vertical) = faces::vertical_of(ask, network)?;
    let reason = row.maybe_count(3).and_then(|reason| u16::try_from(reason).ok());
    let reason = reason.map(|reason| words::reason(vertical, Reason(reason)).name);
    let (start, _) = chain::epoch_span(ask, epoch);
    Ok(json!({
        "epoch": epoch, "network": ask.network_id(network)?, "start": time(start), "accepted": row.sum(0), "refused": row.sum(1),
        "units": amount(&row, 2), "token": text(part.token), "stable": text(part.stable), "usd_micro": text(part.usd),
        "paid": part.time.is_some(), "reason": reason,
    }))
}

/// What it earned, the newest first.
pub fn earnings(ask: &mut Ask<'_>) -> Answer<Page> {
    let device = ask.device()?;
    let network = ask.maybe_network()?;
    let (from, to) = ask.epochs()?;
    let [epoch, of] = ask.after([i64::MAX, -1])?;
    let rows = format!(
        "SELECT n.epoch, n.network, j.units FROM network_epochs n {}",
        judged("device_epochs")
    );
    let mut narrowed = Narrowed::of_device(&rows, device);
    narrowed.by("n.epoch >= $?", from);
    narrowed.by("n.epoch <= $?", to);
    narrowed.by("n.epoch <= $?", epoch);
    let last = narrowed.values.len();
    narrowed.by(&format!("(n.epoch < ${last} OR n.network > $?)"), of);
    if let Some(network) = network {
        narrowed.by("n.network = $?", network);
    }
    let (sql, values) = narrowed.end("n.epoch DESC, n.network", ask.fetch());
    let rows = ask.all(&sql, &values)?;
    ask.page(rows, ROOT, |row| Ok(vec![row.int(0)?, row.int(1)?]), |ask, row| {
        let (epoch, network, units) = (row.count(0)?, row.count(1)?, row.count(2)?);
        let part = part(ask, device, network, epoch, units)?;
        let (start, _) = chain::epoch_span(ask, epoch);
        Ok(json!({
            "epoch": epoch, "network": ask.network_id(network)?, "start": time(start), "received": part.time.map(time),
            "units": text(units), "units_of_operator": text(part.operator_units), "availability": text(part.availability),
            "usage": text(part.usage), "token": text(part.token), "stable": text(part.stable), "usd_micro": text(part.usd),
            "price_mid": maybe_amount(part.price), "paid": part.time.is_some(),
        }))
    })
}

const FINDINGS: &str =
    "j.network, j.epoch, j.place, j.device, j.report, j.units, j.reason, j.spans, d.id, w.id, w.vertical";

fn finding_face(_: &mut Ask<'_>, row: &Row) -> Answer<Value> {
    let vertical = cairn_verticals::by_name(row.text(10)?);
    let spans: Vec<Span> = minicbor::decode(row.bytes(7)?).unwrap_or_default();
    let reason = row
        .maybe_count(6)
        .and_then(|reason| u16::try_from(reason).ok())
        .map(Reason);
    let finding = Finding {
        report: ReportId(row.id(4)?),
        device: cairn_types::DeviceNumber(u32::try_from(row.count(3)?).unwrap_or_default()),
        units: row.count(5)?,
        reason,
        spans,
    };
    let spans = &finding.spans;
    let first = spans.iter().find(|span| reason.is_some() && span.reason == reason);
    let unit = reason.map_or("", |reason| words::reason(vertical, reason).unit);
    Ok(json!({
        "report": finding.report.to_string(), "network": hex::encode(row.id(9)?), "device": hex::encode(row.id(8)?),
        "device_number": finding.device.0, "epoch": row.count(1)?,
        "start": spans.iter().map(|span| span.start).min().map(|start| start.to_string()),
        "end": spans.iter().map(|span| span.end).max().map(|end| end.to_string()),
        "verdict": if reason.is_none() { "accepted" } else { "refused" },
        "reason": reason.map(|reason| faces::reason(vertical, reason)),
        "measured": first.map(|span| span.measured.to_string()), "limit": first.map(|span| span.limit.to_string()), "unit": unit,
        "micro_units": text(finding.units),
        "spans": spans.iter().map(|span| faces::span(vertical, span)).collect::<Vec<_>>(),
        "sentence": words::finding_sentence(vertical, &finding),
    }))
}

/// The verdict asked for as a condition.
fn verdict(ask: &Ask<'_>) -> Answer<Option<&'static str>> {
    Ok(match ask.word("verdict", &["accepted", "refused"])? {
        Some("accepted") => Some("j.reason IS NULL AND $? > 0"),
        Some(_) => Some("j.reason IS NOT NULL AND $? > 0"),
        None => None,
    })
}

/// What became of each report, the newest first.
pub fn findings(ask: &mut Ask<'_>) -> Answer<Page> {
    let device = ask.device()?;
    let network = ask.maybe_network()?;
    let (from, to) = ask.epochs()?;
    let [epoch, of, place] = ask.after([i64::MAX, -1, -1])?;
    let rows = format!(
        "SELECT {FINDINGS} FROM devices d CROSS JOIN network_epochs n JOIN networks w ON w.number = n.network {} AND d.number = $1",
        judged("findings")
    );
    let mut narrowed = Narrowed::of_device(&rows, device);
    narrowed.by("n.epoch >= $?", from);
    narrowed.by("n.epoch <= $?", to);
    narrowed.by("n.epoch <= $?", epoch);
    let e = narrowed.values.len();
    narrowed.by(&format!("(n.epoch < ${e} OR n.network >= $?)"), of);
    let n = narrowed.values.len();
    narrowed.by(&format!("(n.epoch < ${e} OR n.network > ${n} OR j.place > $?)"), place);
    if let Some(network) = network {
        narrowed.by("n.network = $?", network);
    }
    if let Some(condition) = verdict(ask)? {
        narrowed.by(condition, 1u64);
    }
    let (sql, values) = narrowed.end("n.epoch DESC, n.network, j.place", ask.fetch());
    let rows = ask.all(&sql, &values)?;
    let key = |row: &Row| Ok(vec![row.int(1)?, row.int(0)?, row.int(2)?]);
    ask.page(rows, ROOT, key, finding_face)
}

/// Every finding of an epoch, by device, those of one in the archive's order.
pub fn findings_of_epoch(ask: &mut Ask<'_>) -> Answer<Page> {
    let (network, epoch): (u64, u64) = (ask.network()?, ask.need("epoch")?);
    let [device, place] = ask.after([-1, -1])?;
    let mut narrowed = Narrowed::new(&format!(
        "SELECT {FINDINGS} FROM findings j JOIN devices d ON d.number = j.device JOIN networks w ON w.number = j.network"
    ));
    narrowed.by("j.network = $?", network);
    let is_here = "j.epoch = $? AND EXISTS (SELECT 1 FROM network_epochs n WHERE n.network = $1 AND n.epoch = $? AND n.findings = 'here')";
    narrowed.by(is_here, epoch);
    narrowed.by("j.device >= $?", device);
    let d = narrowed.values.len();
    narrowed.by(&format!("(j.device > ${d} OR j.place > $?)"), place);
    if let Some(condition) = verdict(ask)? {
        narrowed.by(condition, 1u64);
    }
    let (sql, values) = narrowed.end("j.device, j.place", ask.fetch());
    let rows = ask.all(&sql, &values)?;
    ask.page(rows, ROOT, |row| Ok(vec![row.int(3)?, row.int(2)?]), finding_face)
}

/// Devices in networks that its device shares, near it: whom a refusal compares with.
pub fn near(ask: &mut Ask<'_>, device: u64, network: u64, epoch: u64) -> Answer<Vec<Value>> {
    /// Neighbours shown beside a chart.
    const SHOWN: usize = 24;
    let sql = "SELECT cell FROM members WHERE device = $1 AND network = $2";
    let Some(cell) = ask
        .one(sql, values![device, network])?
        .and_then(|row| row.maybe_count(0))
    else {
        return Ok(Vec::new());
    };
    let Ok(own) = cairn_types::CellId::new(cell) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    // By cell, and by no order that a database would rather go through all members for.
    for other in own.disk(6) {
        let sql = "SELECT m.device, d.id, e.units, e.accepted FROM members m JOIN devices d ON d.number = m.device
            LEFT JOIN device_epochs e ON e.network = m.network AND e.epoch = $4 AND e.device = m.device
            AND EXISTS (SELECT 1 FROM network_epochs h WHERE h.network = $1 AND h.epoch = $4 AND h.findings = 'here')
            WHERE m.network = $1 AND m.cell = $2 AND m.device <> $3 AND m.left_after IS NULL ORDER BY +m.device LIMIT 24";
        for row in ask.all(sql, values![network, other.get(), device, epoch])? {
            let steps = own.steps_to(other).unwrap_or(0);
            let (text, lat, lng) = super::ask::place(other.get());
            let verdict = match (row.maybe_int(2), row.sum(3)) {
                (None, _) => "silent",
                (Some(_), 0) => "refused",
                _ => "accepted",
            };
            let face = json!({
                "id": hex::encode(row.id(1)?), "number": row.count(0)?, "lat": lat, "lng": lng, "cell": text, "steps": steps,
                "verdict": verdict,
            });
            found.push((steps, row.count(0)?, face));
        }
    }
    found.sort_by_key(|(steps, number, _)| (*steps, *number));
    Ok(found.into_iter().take(SHOWN).map(|(_, _, face)| face).collect())
}
