//! What a device measured: out of sealed archives, each file under the root on the ledger, with what was refused and whom it was compared
//! with. Reads archives, so it is asked for few at a time.

use super::ask::{Answer, Ask, ROOT};
use super::{ApiError, devices, faces};
use crate::archives::{CHART, Sources, believe_reports, is_accepted};
use crate::db::values;
use crate::words;
use axum::http::StatusCode;
use cairn_ledger::records::Roots;
use cairn_ledger::view;
use cairn_types::{AccountId, DeviceNumber, EpochNumber, Finding, NetworkId, Reason, ReportId, Span};
use cairn_verifier::archive::EpochArchive;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Instant;

/// Epochs of one chart.
const EPOCHS_MAX: u64 = 48;

/// What is known before archives are read.
pub struct Wanted {
    device: u64,
    device_id: String,
    id: NetworkId,
    vertical: String,
    quantity: u16,
    epochs: Vec<(u64, Roots, BTreeMap<ReportId, Finding>)>,
    verifiers: Vec<(AccountId, String)>,
    from: u64,
    to: u64,
    at: Value,
    neighbours: Vec<Value>,
    csv: bool,
}

#[cfg(test)]
impl Wanted {
    /// What of it an index decides.
    pub fn told(&self) -> Value {
        let epochs: Vec<_> = self.epochs.iter().map(|(epoch, _, of)| (epoch, of.len())).collect();
        json!({ "neighbours": self.neighbours, "epochs": epochs })
    }
}

/// The device, the epochs and their roots and findings.
pub fn wanted(ask: &mut Ask<'_>, csv: bool) -> Answer<Wanted> {
    let device = ask.device()?;
    let network = match ask.maybe_network()? {
        Some(network) => network,
        None => {
            let sql = "SELECT network FROM members WHERE device = $1 ORDER BY left_after IS NOT NULL, network LIMIT 1";
            let row = ask.one(sql, values![device])?;
            row.ok_or_else(|| ApiError::not_found("network of this device"))?
                .count(0)?
        }
    };
    let (vertical, known) = faces::vertical_of(ask, network)?;
    let field: String = ask.need("field")?;
    let quantities = known.map_or(&[][..], |vertical| vertical.quantities());
    let quantity = quantities.iter().find(|text| text.name == field);
    let quantity = quantity
        .ok_or_else(|| ApiError::not_found("quantity of this kind of network"))?
        .quantity;
    let last = ask.one("SELECT last_epoch FROM networks WHERE number = $1", values![network])?;
    let newest = last.and_then(|row| row.maybe_count(0)).unwrap_or(0);
    let to = ask.number("to")?.unwrap_or(newest).min(newest);
    let from = ask.number("from")?.unwrap_or((to + 1).saturating_sub(EPOCHS_MAX));
    let from = from.max((to + 1).saturating_sub(EPOCHS_MAX));
    let id = NetworkId(devices::hex_to(&ask.network_id(network)?));
    let sql =
        "SELECT j.epoch, j.report, j.units, j.reason, j.spans FROM network_epochs n CROSS JOIN findings j WHERE n.network = $2
        AND n.epoch >= $3 AND n.epoch <= $4 AND COALESCE(n.findings, '') = 'here' AND j.network = $2 AND j.epoch = +n.epoch AND j.device = $1
        ORDER BY n.epoch, j.place";
    let mut findings: BTreeMap<u64, BTreeMap<ReportId, Finding>> = BTreeMap::new();
    for row in ask.all(sql, values![device, network, from, to])? {
        let reason = row
            .maybe_count(3)
            .and_then(|reason| u16::try_from(reason).ok())
            .map(Reason);
        let spans: Vec<Span> = minicbor::decode(row.bytes(4)?).unwrap_or_default();
        let finding = Finding {
            report: ReportId(row.id(1)?),
            device: DeviceNumber(u32::try_from(device).unwrap_or_default()),
            units: row.count(2)?,
            reason,
            spans,
        };
        findings
            .entry(row.count(0)?)
            .or_default()
            .insert(finding.report, finding);
    }
    let mut epochs = Vec::new();
    for (epoch, of) in findings {
        let roots = ask.look(|store| view::roots(store, &id, EpochNumber(epoch)))?;
        epochs.extend(roots.map(|roots| (epoch, roots, of)));
    }
    let mut verifiers = Vec::new();
    for (account, _) in ask.look(|store| view::verifiers(store))? {
        let profile = ask.look(|store| view::profile(store, &account))?;
        verifiers.extend(
            profile
                .filter(|profile| !profile.url.is_empty())
                .map(|profile| (account, profile.url)),
        );
    }
    Ok(Wanted {
        device,
        device_id: ask.device_id(device)?,
        id,
        vertical,
        quantity,
        neighbours: devices::near(ask, device, network, to)?,
        epochs,
        verifiers,
        from,
        to,
        at: ask.place(),
        csv,
    })
}

/// Reads the archives. Blocking.
pub fn read(wanted: &Wanted, sources: &dyn Sources) -> Answer<Value> {
    let vertical = cairn_verticals::by_name(&wanted.vertical);
    let begun = Instant::now();
    let sources = sources.of(&wanted.verifiers, CHART);
    let mut points: Vec<(u64, i64, bool)> = Vec::new();
    let mut stretches = Vec::new();
    let mut awaited = Vec::new();
    for (epoch, roots, findings) in &wanted.epochs {
        let reports = sources.iter().find_map(|source| {
            let archive = EpochArchive::of(source.objects.as_ref(), &wanted.id, EpochNumber(*epoch));
            believe_reports(&archive, roots).ok()
        });
        let Some(reports) = reports else {
            awaited.push(*epoch);
            continue;
        };
        let own = reports.iter().filter(|row| u64::from(row.device.0) == wanted.device);
        for row in own {
            let Some(finding) = findings.get(&row.id) else { continue };
            let readings = crate::archives::readings(&wanted.vertical, row);
            for reading in readings.iter().filter(|reading| reading.quantity == wanted.quantity) {
                points.push((reading.time.0, reading.value, is_accepted(finding, reading)));
            }
        }
        let spans = findings.values().flat_map(|finding| &finding.spans);
        for span in spans.filter(|span| span.quantity == wanted.quantity) {
            let Some(why) = span.reason else { continue };
            stretches.push(json!({
                "start": span.start.to_string(), "end": span.end.to_string(), "reason": faces::reason(vertical, why),
                "measured": span.measured.to_string(), "limit": span.limit.to_string(),
                "sentence": words::span_sentence(vertical, span), "neighbours": wanted.neighbours,
            }));
        }
    }
    if awaited.len() == wanted.epochs.len() && begun.elapsed() >= CHART.whole {
        let message = format!(
            "no verifier gave the reports of these epochs within {} seconds",
            CHART.whole.as_secs()
        );
        let hint = "ask for fewer epochs (from, to), or again later; whoever runs this explorer can name a quicker verifier (--verifier)";
        return Err(ApiError::new(
            StatusCode::GATEWAY_TIMEOUT,
            "archives_slow",
            message,
            hint,
        ));
    }
    points.sort_unstable();
    let text = words::quantity(vertical, wanted.quantity);
    let field = vertical.map(|vertical| faces::fields(vertical, |_| None));
    let field = field.and_then(|all| {
        all.as_array()?
            .iter()
            .find(|one| one["quantity"] == text.quantity)
            .cloned()
    });
    if wanted.csv {
        let rows: Vec<Value> = points
            .iter()
            .map(|(time, value, accepted)| {
                let time = cairn_types::TimeMs(*time).to_string();
                let value = words::signed_decimal(*value, text.decimals);
                json!({ "time": time, "value": value, "unit": text.unit, "accepted": accepted })
            })
            .collect();
        return Ok(json!({ "csv": faces::table(&["time", "value", "unit", "accepted"], &rows) }));
    }
    Ok(json!({
        "device": wanted.device_id, "network": wanted.id.to_string(), "field": field, "from": wanted.from, "to": wanted.to,
        "times_ms": points.iter().map(|point| point.0).collect::<Vec<_>>(),
        "values": points.iter().map(|point| point.1).collect::<Vec<_>>(),
        "accepted": points.iter().map(|point| point.2).collect::<Vec<_>>(),
        "stretches": stretches, "awaited": awaited, "at": wanted.at, "checked": ROOT,
    }))
}
