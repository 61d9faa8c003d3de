//! An epoch's findings as rows, and what they add to the totals of devices, cells and networks. Written once: the same epoch a second
//! time changes nothing.

use super::check::Believed;
use crate::db::{DbError, Session, values};
use crate::index::records::look;
use cairn_ledger::view;
use cairn_types::{AccountId, CellId, DeviceNumber, Finding, Reason, codec};
use cairn_verticals::kit::reasons::{BARRED, EXCLUDED};
use std::collections::{BTreeMap, BTreeSet};

/// What an epoch came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub accepted: u64,
    pub refused: u64,
    pub devices: u64,
    pub units: u64,
}

/// One device's part of it.
#[derive(Default)]
struct OfDevice {
    accepted: u64,
    refused: u64,
    units: u64,
    reasons: BTreeMap<u16, u64>,
}

/// One cell's part of it.
#[derive(Default)]
struct OfCell {
    devices: u64,
    reporting: u64,
    accepted: u64,
    refused: u64,
    units: u64,
}

/// Writes an epoch; none when it was here already.
pub fn write(
    network: u64,
    epoch: u64,
    believed: &Believed,
    by: Option<AccountId>,
    session: &mut dyn Session,
) -> Result<Option<Counts>, DbError> {
    let account = by
        .map(|id| look(session, |store| view::account(store, &id)))
        .transpose()?;
    let account = account.flatten().map(|account| account.number.0);
    let sql = "UPDATE network_epochs SET findings = 'here', verifier = $3, files = $4 WHERE network = $1 AND epoch = $2
        AND findings IN ('awaited', 'differs')";
    let files = codec::encode(&believed.files);
    if session.run(sql, values![network, epoch, account, files])? == 0 {
        return Ok(None);
    }
    let mut counts = Counts::default();
    let mut devices: BTreeMap<DeviceNumber, OfDevice> = BTreeMap::new();
    let mut reasons: BTreeMap<u16, u64> = BTreeMap::new();
    for (place, finding) in (0u64..).zip(&believed.findings) {
        put(network, epoch, place, finding, session)?;
        let device = devices.entry(finding.device).or_default();
        device.units = device.units.saturating_add(finding.units);
        counts.units = counts.units.saturating_add(finding.units);
        match finding.reason {
            None => {
                device.accepted += 1;
                counts.accepted += 1;
            }
            Some(Reason(reason)) => {
                device.refused += 1;
                counts.refused += 1;
                *device.reasons.entry(reason).or_default() += 1;
                *reasons.entry(reason).or_default() += 1;
            }
        }
    }
    counts.devices = devices.len() as u64;
    for (reason, count) in &reasons {
        let sql = "INSERT INTO reasons (network, epoch, reason, count) VALUES ($1, $2, $3, $4)";
        session.run(sql, values![network, epoch, *reason, *count])?;
        let sql =
            "INSERT INTO network_reasons (network, reason, count) VALUES ($1, $2, $3) ON CONFLICT (network, reason)
            DO UPDATE SET count = network_reasons.count + excluded.count";
        session.run(sql, values![network, *reason, *count])?;
    }
    let operators: BTreeMap<DeviceNumber, (u32, CellId)> = believed
        .inputs
        .roster
        .iter()
        .map(|member| (member.number, (member.operator.0, member.cell)))
        .collect();
    for (number, of) in &devices {
        let operator = operators.get(number).map(|(operator, _)| *operator);
        device(network, epoch, *number, of, operator, session)?;
    }
    write_cells(network, epoch, believed, &operators, &devices, session)?;
    let sql = "UPDATE network_epochs SET reports = $3, accepted = $4, refused = $5, devices = $6 WHERE network = $1 AND epoch = $2";
    let reports = believed.findings.len() as u64;
    session.run(
        sql,
        values![network, epoch, reports, counts.accepted, counts.refused, counts.devices],
    )?;
    let sql =
        "UPDATE networks SET accepted = accepted + $2, refused = refused + $3, units = units + $4 WHERE number = $1";
    session.run(sql, values![network, counts.accepted, counts.refused, counts.units])?;
    let sql = "UPDATE networks SET last_epoch = $2, reporting = $3 WHERE number = $1 AND (last_epoch IS NULL OR last_epoch < $2)";
    if session.run(sql, values![network, epoch, counts.devices])? == 1 {
        let sql = "INSERT INTO judged (network, epoch, inputs) VALUES ($1, $2, $3) ON CONFLICT (network)
            DO UPDATE SET epoch = excluded.epoch, inputs = excluded.inputs";
        session.run(sql, values![network, epoch, codec::encode(&believed.inputs)])?;
        states(network, epoch, &operators, &devices, session)?;
    }
    Ok(Some(counts))
}

fn put(network: u64, epoch: u64, place: u64, finding: &Finding, session: &mut dyn Session) -> Result<(), DbError> {
    let sql = "INSERT INTO findings (network, epoch, place, device, report, units, reason, spans)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let reason = finding.reason.map(|reason| reason.0);
    let spans = codec::encode(&finding.spans);
    let fields = values![
        network,
        epoch,
        place,
        finding.device.0,
        finding.report.0,
        finding.units,
        reason,
        spans
    ];
    session.run(sql, fields).map(drop)
}

fn device(
    network: u64,
    epoch: u64,
    number: DeviceNumber,
    of: &OfDevice,
    operator: Option<u32>,
    session: &mut dyn Session,
) -> Result<(), DbError> {
    let most = of
        .reasons
        .iter()
        .max_by_key(|(reason, count)| (**count, std::cmp::Reverse(**reason)));
    let sql = "INSERT INTO device_epochs (device, network, epoch, operator, accepted, refused, units, reason)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let reason = most.map(|(reason, _)| *reason);
    let fields = values![
        number.0,
        network,
        epoch,
        operator,
        of.accepted,
        of.refused,
        of.units,
        reason
    ];
    session.run(sql, fields)?;
    let sql = "UPDATE devices SET units = units + $2, accepted = accepted + $3, refused = refused + $4,
        last_epoch = CASE WHEN last_epoch IS NULL OR last_epoch < $5 THEN $5 ELSE last_epoch END WHERE number = $1";
    session.run(sql, values![number.0, of.units, of.accepted, of.refused, epoch])?;
    for (reason, count) in &of.reasons {
        let sql = "INSERT INTO device_reasons (device, network, reason, count) VALUES ($1, $2, $3, $4)
            ON CONFLICT (device, network, reason) DO UPDATE SET count = device_reasons.count + excluded.count";
        session.run(sql, values![number.0, network, *reason, *count])?;
    }
    Ok(())
}

fn write_cells(
    network: u64,
    epoch: u64,
    believed: &Believed,
    roster: &BTreeMap<DeviceNumber, (u32, CellId)>,
    devices: &BTreeMap<DeviceNumber, OfDevice>,
    session: &mut dyn Session,
) -> Result<(), DbError> {
    let mut cells: BTreeMap<CellId, OfCell> = BTreeMap::new();
    for (number, (_, cell)) in roster {
        let entry = cells.entry(*cell).or_default();
        entry.devices += 1;
        if let Some(of) = devices.get(number) {
            entry.reporting += 1;
            entry.accepted += of.accepted;
            entry.refused += of.refused;
            entry.units = entry.units.saturating_add(of.units);
        }
    }
    for (cell, of) in &cells {
        let cell = cell.get();
        let sql = "INSERT INTO cell_epochs (network, epoch, cell, devices, reporting, accepted, refused, units)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let fields = values![
            network,
            epoch,
            cell,
            of.devices,
            of.reporting,
            of.accepted,
            of.refused,
            of.units
        ];
        session.run(sql, fields)?;
        if of.accepted > 0 {
            let sql = "INSERT INTO cells (network, cell, fresh) VALUES ($1, $2, $3) ON CONFLICT (network, cell)
                DO UPDATE SET fresh = CASE WHEN cells.fresh < excluded.fresh THEN excluded.fresh ELSE cells.fresh END";
            session.run(sql, values![network, cell, epoch])?;
        }
    }
    for ((cell, quantity), of) in &believed.cells {
        let sql = "INSERT INTO cell_values (network, epoch, cell, quantity, count, median, lowest, highest)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let fields = values![
            network,
            epoch,
            cell.get(),
            *quantity,
            of.count,
            of.median,
            of.lowest,
            of.highest
        ];
        session.run(sql, fields)?;
    }
    Ok(())
}

/// How every member of a network is doing, by its newest judged epoch.
fn states(
    network: u64,
    epoch: u64,
    roster: &BTreeMap<DeviceNumber, (u32, CellId)>,
    devices: &BTreeMap<DeviceNumber, OfDevice>,
    session: &mut dyn Session,
) -> Result<(), DbError> {
    let numbers: BTreeSet<DeviceNumber> = roster.keys().chain(devices.keys()).copied().collect();
    for number in numbers {
        let state = match devices.get(&number) {
            None => "silent",
            Some(of) if of.units > 0 => "earning",
            Some(of) if of.reasons.contains_key(&EXCLUDED.0) => "excluded",
            Some(of) if of.reasons.contains_key(&BARRED.0) => "barred",
            Some(_) => "refused",
        };
        let sql = "UPDATE members SET state = $3 WHERE network = $1 AND device = $2 AND left_after IS NULL";
        session.run(sql, values![network, number.0, state])?;
        crate::index::device_state(number.0.into(), session)?;
    }
    let sql = "UPDATE members SET state = 'moved' WHERE network = $1 AND state IN ('silent', 'refused') AND joined > $2
        AND EXISTS (SELECT 1 FROM stays s WHERE s.network = members.network AND s.device = members.device AND s.entry < members.entry
        AND s.left_after >= members.joined - 1)";
    let recent = epoch.saturating_sub(24);
    session.run(sql, values![network, recent]).map(drop)
}
