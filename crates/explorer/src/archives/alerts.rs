//! What operators should see: found by comparing a judged epoch with the one before, so that the same epochs give the same alerts in
//! whatever order their archives came.

use crate::db::{DbError, Row, Session, values};
use crate::words;
use cairn_types::{DeviceId, TimeMs};
use cairn_verticals::kit::reasons::{BARRED, EXCLUDED};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A kind of alert, and the devices of an epoch $2 of a network $1 that have it, with their operator and reason. `c` is the epoch, `p`
/// the one before. Every one names reason $3 and $4 somewhere, so that all are asked alike.
const KINDS: [(&str, &str); 5] = [
    (
        "device_silent",
        "SELECT p.device, p.operator, 0 FROM device_epochs p WHERE p.network = $1 AND p.epoch = $2 - 1 AND p.operator IS NOT NULL
         AND NOT EXISTS (SELECT 1 FROM device_epochs c WHERE c.device = p.device AND c.network = $1 AND c.epoch = $2)
         AND EXISTS (SELECT 1 FROM stays s WHERE s.network = $1 AND s.device = p.device AND s.joined <= $2
         AND (s.left_after IS NULL OR s.left_after >= $2)) AND ($3 + 0) <> ($4 + 0)",
    ),
    (
        "device_refused",
        "SELECT c.device, c.operator, c.reason FROM device_epochs c JOIN device_epochs p ON p.device = c.device AND p.network = $1
         AND p.epoch = $2 - 1 WHERE c.network = $1 AND c.epoch = $2 AND c.accepted = 0 AND p.accepted > 0 AND c.operator IS NOT NULL
         AND c.reason <> $3 AND c.reason <> $4",
    ),
    (
        "device_excluded",
        "SELECT c.device, c.operator, c.reason FROM device_epochs c WHERE c.network = $1 AND c.epoch = $2 AND c.reason = $3
         AND c.operator IS NOT NULL AND NOT EXISTS (SELECT 1 FROM device_epochs p WHERE p.device = c.device AND p.network = $1
         AND p.epoch = $2 - 1 AND p.reason = $3) AND ($3 + 0) <> ($4 + 0)",
    ),
    (
        "device_barred",
        "SELECT c.device, c.operator, c.reason FROM device_epochs c WHERE c.network = $1 AND c.epoch = $2 AND c.reason = $4
         AND c.operator IS NOT NULL AND NOT EXISTS (SELECT 1 FROM device_epochs p WHERE p.device = c.device AND p.network = $1
         AND p.epoch = $2 - 1 AND p.reason = $4) AND ($3 + 0) <> ($4 + 0)",
    ),
    (
        "device_back",
        "SELECT c.device, c.operator, 0 FROM device_epochs c WHERE c.network = $1 AND c.epoch = $2 AND c.units > 0
         AND c.operator IS NOT NULL AND NOT EXISTS (SELECT 1 FROM device_epochs p WHERE p.device = c.device AND p.network = $1
         AND p.epoch = $2 - 1 AND p.units > 0) AND EXISTS (SELECT 1 FROM stays s WHERE s.network = $1 AND s.device = c.device
         AND s.joined < $2) AND ($3 + 0) <> ($4 + 0)",
    ),
];

/// An alert that was found: its epoch and kind, the device, its operator and the reason.
pub struct Found {
    epoch: u64,
    kind: &'static str,
    device: u64,
    operator: u64,
    reason: Option<u64>,
}

/// Finds the alerts of an epoch whose rows are in and of the one after it, as far as what each is compared with is here: nobody has found
/// them before. Only reads: nobody who writes waits for it.
pub fn find(network: u64, epoch: u64, session: &mut dyn Session) -> Result<Vec<Found>, DbError> {
    let mut found = Vec::new();
    let before = epoch.checked_sub(1);
    if before.map_or(Ok(false), |before| is_here(network, before, session))? {
        found = compare(network, epoch, session)?;
    }
    if is_here(network, epoch + 1, session)? {
        found.extend(compare(network, epoch + 1, session)?);
    }
    Ok(found)
}

fn is_here(network: u64, epoch: u64, session: &mut dyn Session) -> Result<bool, DbError> {
    let sql = "SELECT 1 FROM network_epochs WHERE network = $1 AND epoch = $2 AND findings = 'here'";
    Ok(session.one(sql, values![network, epoch])?.is_some())
}

/// An epoch with the one before.
fn compare(network: u64, epoch: u64, session: &mut dyn Session) -> Result<Vec<Found>, DbError> {
    let mut found = Vec::new();
    for (kind, sql) in KINDS {
        for row in session.all(sql, values![network, epoch, EXCLUDED.0, BARRED.0])? {
            found.push(Found {
                epoch,
                kind,
                device: row.count(0)?,
                operator: row.count(1)?,
                reason: row.maybe_count(2),
            });
        }
    }
    Ok(found)
}

/// Writes them down; answers each with whose it is.
pub fn put(network: u64, all: &[Found], session: &mut dyn Session) -> Result<Vec<(u64, Value)>, DbError> {
    let mut rows = Vec::new();
    let mut closed = BTreeMap::new();
    for found in all {
        let (time, height) = match closed.get(&found.epoch) {
            Some(at) => *at,
            None => {
                let sql = "SELECT ends, height FROM epochs WHERE number = $1";
                let row = session.one(sql, values![found.epoch])?;
                let Some(row) = row else { continue };
                let at = (row.count(0)?, row.count(1)?);
                closed.insert(found.epoch, at);
                at
            }
        };
        let Found {
            epoch,
            kind,
            device,
            operator,
            reason,
        } = found;
        rows.extend(values![network, *epoch, *device, *kind, *operator, time, height, *reason].to_vec());
    }
    let columns = &[
        "network", "epoch", "device", "kind", "operator", "time", "height", "detail",
    ];
    let also = "ON CONFLICT (network, epoch, device, kind) DO NOTHING";
    session.insert("alerts", columns, also, &rows)?;
    let mut told = Vec::new();
    let sql = format!("{SELECT} WHERE a.network = $1 AND a.epoch = $2 AND a.kind = $3 ORDER BY a.device");
    for epoch in closed.keys() {
        for (kind, _) in KINDS {
            for row in session.all(&sql, values![network, *epoch, kind])? {
                told.push((row.count(4)?, face(&row)?));
            }
        }
    }
    Ok(told)
}

/// An alert that was written down, and whose it is.
pub fn one(
    network: u64,
    epoch: u64,
    device: u64,
    kind: &str,
    session: &mut dyn Session,
) -> Result<Option<(u64, Value)>, DbError> {
    let sql = format!("{SELECT} WHERE a.network = $1 AND a.epoch = $2 AND a.device = $3 AND a.kind = $4");
    let row = session.one(&sql, values![network, epoch, device, kind])?;
    row.map(|row| Ok((row.count(4)?, face(&row)?))).transpose()
}

/// An alert with the ids behind its numbers.
pub const SELECT: &str = "SELECT a.epoch, a.device, a.kind, a.time, a.operator, a.height, a.detail, d.id, o.id, n.id, n.vertical, a.network, n.name
    FROM alerts a JOIN devices d ON d.number = a.device JOIN accounts o ON o.number = a.operator JOIN networks n ON n.number = a.network";

/// An alert as it is shown.
pub fn face(row: &Row) -> Result<Value, DbError> {
    let (epoch, kind) = (row.count(0)?, row.text(2)?);
    let (device, operator, network) = (
        hex::encode(row.id(7)?),
        hex::encode(row.id(8)?),
        hex::encode(row.id(9)?),
    );
    let vertical = cairn_verticals::by_name(row.text(10)?);
    let reason = row.maybe_count(6).and_then(|reason| u16::try_from(reason).ok());
    let reason = reason.filter(|reason| *reason != 0).map(cairn_types::Reason);
    let reason = reason.map(|reason| words::reason(vertical, reason).sentence);
    Ok(json!({
        "id": format!("{}-{epoch}-{}-{kind}", row.count(11)?, row.count(1)?),
        "time": TimeMs(row.count(3)?).to_string(),
        "height": row.count(5)?,
        "epoch": epoch,
        "kind": kind,
        "operator": operator,
        "device": DeviceId(row.id(7)?).to_string(),
        "network": network,
        "network_name": row.text(12)?,
        "sentence": words::alert(kind, &device, epoch, reason),
    }))
}
