//! The last transaction of an epoch, after its rows are in: what it adds to the totals of devices, cells and networks, and that it is here.
//! Few statements, each over all its devices: what it costs does not grow with history.

use super::check::Believed;
use super::pieces::{Place, unmark};
use super::tally::Tally;
use crate::db::{DbError, Session, Value, groups, places, values};
use crate::index::device_states;
use crate::index::records::look;
use cairn_ledger::view;
use cairn_types::{AccountId, codec};
use std::collections::{BTreeMap, BTreeSet};

/// Makes an epoch visible whose rows are all written.
pub fn show(
    place: Place,
    believed: &Believed,
    tally: &Tally,
    by: Option<AccountId>,
    session: &mut dyn Session,
) -> Result<(), DbError> {
    let Place { network, epoch } = place;
    let account = by
        .map(|id| look(session, |store| view::account(store, &id)))
        .transpose()?;
    let account = account.flatten().map(|account| account.number.0);
    let sql = "UPDATE network_epochs SET findings = 'here', verifier = $3, files = $4, reports = $5, accepted = $6, refused = $7,
        devices = $8 WHERE network = $1 AND epoch = $2 AND findings IN ('awaited', 'differs')";
    let (files, counts) = (codec::encode(&believed.files), &tally.counts);
    let reports = believed.findings.len() as u64;
    let fields = values![
        network,
        epoch,
        account,
        files,
        reports,
        counts.accepted,
        counts.refused,
        counts.devices
    ];
    if session.run(sql, fields)? == 0 {
        return Err(DbError::Failed("an epoch was taken in twice".to_owned()));
    }
    reasons(place, tally, session)?;
    let sql = "UPDATE devices SET units = devices.units + e.units, accepted = devices.accepted + e.accepted,
        refused = devices.refused + e.refused,
        last_epoch = CASE WHEN devices.last_epoch IS NULL OR devices.last_epoch < $2 THEN $2 ELSE devices.last_epoch END
        FROM device_epochs e WHERE e.network = $1 AND e.epoch = $2 AND devices.number = e.device";
    session.run(sql, values![network, epoch])?;
    let sql = "INSERT INTO cells (network, cell, fresh) SELECT network, cell, epoch FROM cell_epochs WHERE network = $1 AND epoch = $2
        AND accepted > 0 ON CONFLICT (network, cell)
        DO UPDATE SET fresh = CASE WHEN cells.fresh < excluded.fresh THEN excluded.fresh ELSE cells.fresh END";
    session.run(sql, values![network, epoch])?;
    let sql =
        "UPDATE networks SET accepted = accepted + $2, refused = refused + $3, units = units + $4 WHERE number = $1";
    session.run(sql, values![network, counts.accepted, counts.refused, counts.units])?;
    let fresh = tally.cells.iter().filter(|(_, of)| of.accepted > 0).count() as u64;
    let stale = tally.cells.len() as u64 - fresh;
    let sql = "UPDATE networks SET last_epoch = $2, reporting = $3, fresh = $4, stale = $5 WHERE number = $1
        AND (last_epoch IS NULL OR last_epoch < $2)";
    if session.run(sql, values![network, epoch, counts.devices, fresh, stale])? == 1 {
        let sql = "INSERT INTO judged (network, epoch, inputs) VALUES ($1, $2, $3) ON CONFLICT (network)
            DO UPDATE SET epoch = excluded.epoch, inputs = excluded.inputs";
        session.run(sql, values![network, epoch, codec::encode(&believed.inputs)])?;
        states(place, tally, session)?;
    }
    unmark(session)
}

fn reasons(place: Place, tally: &Tally, session: &mut dyn Session) -> Result<(), DbError> {
    let Place { network, epoch } = place;
    let (mut of_epoch, mut of_network, mut of_devices) = (Vec::new(), Vec::new(), Vec::new());
    for (reason, count) in &tally.reasons {
        of_epoch.extend(values![network, epoch, *reason, *count].to_vec());
        of_network.extend(values![network, *reason, *count].to_vec());
    }
    for (number, of) in &tally.devices {
        for (reason, count) in &of.reasons {
            of_devices.extend(values![number.0, network, *reason, *count].to_vec());
        }
    }
    session.insert("reasons", &["network", "epoch", "reason", "count"], "", &of_epoch)?;
    let also = "ON CONFLICT (network, reason) DO UPDATE SET count = network_reasons.count + excluded.count";
    session.insert("network_reasons", &["network", "reason", "count"], also, &of_network)?;
    let also = "ON CONFLICT (device, network, reason) DO UPDATE SET count = device_reasons.count + excluded.count";
    let columns = &["device", "network", "reason", "count"];
    session.insert("device_reasons", columns, also, &of_devices)
}

/// How every member of a network is doing, by its newest judged epoch: written where it changed.
fn states(place: Place, tally: &Tally, session: &mut dyn Session) -> Result<(), DbError> {
    let sql = "SELECT m.device FROM members m WHERE m.network = $1 AND m.left_after IS NULL AND m.joined > $2
        AND EXISTS (SELECT 1 FROM stays s WHERE s.network = m.network AND s.device = m.device AND s.entry < m.entry
        AND s.left_after >= m.joined - 1) ORDER BY m.device";
    let recent = place.epoch.saturating_sub(24);
    let moved = session.all(sql, values![place.network, recent])?;
    let moved: BTreeSet<u64> = moved.iter().map(|row| row.count(0)).collect::<Result<_, _>>()?;
    let by_epoch = tally.states();
    let sql = "SELECT device, state FROM members WHERE network = $1 AND left_after IS NULL ORDER BY device";
    let mut changed: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for row in session.all(sql, values![place.network])? {
        let (device, before) = (row.count(0)?, row.text(1)?);
        let now = match by_epoch.get(&device).copied().unwrap_or(before) {
            "silent" | "refused" if moved.contains(&device) => "moved",
            state => state,
        };
        if let Some(state) = (now != before)
            .then(|| STATES.iter().find(|state| **state == now))
            .flatten()
        {
            changed.entry(state).or_default().push(device);
        }
    }
    for (state, devices) in &changed {
        for group in groups(devices) {
            let sql = format!(
                "UPDATE members SET state = $1 WHERE network = $2 AND left_after IS NULL AND device IN ({})",
                places(3, group.len())
            );
            let mut fields = values![*state, place.network].to_vec();
            fields.extend(group.iter().map(|device| Value::from(*device)));
            session.run(&sql, &fields)?;
        }
        device_states(devices, session)?;
    }
    Ok(())
}

/// What an epoch can make of a member.
const STATES: [&str; 6] = ["earning", "silent", "refused", "moved", "excluded", "barred"];
