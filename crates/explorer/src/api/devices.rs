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
        let sql = "SELECT COUNT(*), CAST(SUM(units) AS BIGINT) FROM device_epochs WHERE device = $1 AND network = $2 AND epoch >= $3";
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
    let sql = "SELECT epoch, network FROM device_epochs WHERE device = $1 ORDER BY epoch DESC, network LIMIT 24";
    let mut recent = ask.all(sql, values![number])?;
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
    let sql = "SELECT n.id, j.epoch, j.inputs, n.vertical FROM members m JOIN judged j ON j.network = m.network
        JOIN networks n ON n.number = m.network WHERE m.device = $1 AND m.left_after IS NULL ORDER BY m.network LIMIT 8";
    let mut all = Vec::new();
    for row in ask.all(sql, values![number])? {
        let inputs: Option<cairn_verifier::archive::Inputs> = minicbor::decode(row.bytes(2)?).ok();
        let (Some(inputs), Some(vertical)) = (inputs, cairn_verticals::by_name(row.text(3)?)) else {
            continue;
        };
        let device = cairn_types::DeviceNumber(u32::try_from(number).unwrap_or(u32::MAX));
        let epoch = cairn_verifier::assess::epoch(&inputs, &[]);
        let Ok(standing) = cairn_verifier::standing::standing(vertical, &epoch, device) else {
            continue;
        };
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
    let recent = ask.one(
        "SELECT CAST(SUM(refused) AS BIGINT) FROM (SELECT refused FROM device_epochs WHERE device = $1 ORDER BY epoch DESC LIMIT 24) r",
        values![number],
    )?;
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
    let mut narrowed = Narrowed::new("SELECT e.epoch, e.network, e.units FROM device_epochs e");
    narrowed.by("e.device = $?", device);
    narrowed.by("e.epoch >= $?", from);
    narrowed.by("e.epoch <= $?", to);
    narrowed.by("e.epoch <= $?", epoch);
    let last = narrowed.values.len();
    narrowed.by(&format!("(e.epoch < ${last} OR e.network > $?)"), of);
    if let Some(network) = network {
        narrowed.by("e.network = $?", network);
    }
    let (sql, values) = narrowed.end("e.epoch DESC, e.network", ask.fetch());
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
    "f.network, f.epoch, f.place, f.device, f.report, f.units, f.reason, f.spans, d.id, n.id, n.vertical
    FROM findings f JOIN devices d ON d.number = f.device JOIN networks n ON n.number = f.network";

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
        Some("accepted") => Some("f.reason IS NULL AND $? > 0"),
        Some(_) => Some("f.reason IS NOT NULL AND $? > 0"),
        None => None,
    })
}

/// What became of each report, the newest first.
pub fn findings(ask: &mut Ask<'_>) -> Answer<Page> {
    let device = ask.device()?;
    let network = ask.maybe_network()?;
    let (from, to) = ask.epochs()?;
    let [epoch, of, place] = ask.after([i64::MAX, -1, -1])?;
    let mut narrowed = Narrowed::new(&format!("SELECT {FINDINGS}"));
    narrowed.by("f.device = $?", device);
    narrowed.by("f.epoch >= $?", from);
    narrowed.by("f.epoch <= $?", to);
    narrowed.by("f.epoch <= $?", epoch);
    let e = narrowed.values.len();
    narrowed.by(&format!("(f.epoch < ${e} OR f.network >= $?)"), of);
    let n = narrowed.values.len();
    narrowed.by(&format!("(f.epoch < ${e} OR f.network > ${n} OR f.place > $?)"), place);
    if let Some(network) = network {
        narrowed.by("f.network = $?", network);
    }
    if let Some(condition) = verdict(ask)? {
        narrowed.by(condition, 1u64);
    }
    let (sql, values) = narrowed.end("f.epoch DESC, f.network, f.place", ask.fetch());
    let rows = ask.all(&sql, &values)?;
    let key = |row: &Row| Ok(vec![row.int(1)?, row.int(0)?, row.int(2)?]);
    ask.page(rows, ROOT, key, finding_face)
}

/// Every finding of an epoch, in the archive's order.
pub fn findings_of_epoch(ask: &mut Ask<'_>) -> Answer<Page> {
    let (network, epoch): (u64, u64) = (ask.network()?, ask.need("epoch")?);
    let [place] = ask.after([-1])?;
    let mut narrowed = Narrowed::new(&format!("SELECT {FINDINGS}"));
    narrowed.by("f.network = $?", network);
    narrowed.by("f.epoch = $?", epoch);
    narrowed.by("f.place > $?", place);
    if let Some(condition) = verdict(ask)? {
        narrowed.by(condition, 1u64);
    }
    let (sql, values) = narrowed.end("f.place", ask.fetch());
    let rows = ask.all(&sql, &values)?;
    ask.page(rows, ROOT, |row| Ok(vec![row.int(2)?]), finding_face)
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
    for other in own.disk(6) {
        let sql = "SELECT m.device, d.id, e.units, e.accepted FROM members m JOIN devices d ON d.number = m.device
            LEFT JOIN device_epochs e ON e.device = m.device AND e.network = m.network AND e.epoch = $4
            WHERE m.network = $1 AND m.cell = $2 AND m.device <> $3 AND m.left_after IS NULL ORDER BY m.device LIMIT 24";
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
