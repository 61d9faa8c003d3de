//! What the demo's hotspots came to, on one screen: packets carried and paid, coverage proven and paid, and who was not believed.

use super::tally::{StationTally, Tally};
use crate::output::{decimal, table};
use cairn_verticals::Vertical;
use cairn_verticals::wireless::Wireless;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Rows of a table at most.
const ROWS: usize = 16;
/// Whether a refusal is somebody's fault: what comes twice or late, or what the lot passed over, is not.
fn is_fault(reason: &str) -> bool {
    let known = Wireless.reasons().iter().find(|text| text.name == reason);
    known.is_none_or(|text| text.blame > 0)
}

/// Refused receptions and beacons that are somebody's fault.
fn faults(station: &StationTally) -> u64 {
    let faults = station.heard.refused.iter().filter(|(reason, _)| is_fault(reason));
    faults.map(|(_, count)| count).sum()
}

fn short(name: &str) -> &str {
    name.get(..16).unwrap_or(name)
}

/// What it came to, for machines.
pub fn json(tally: &Tally) -> Value {
    let heard = || tally.stations.iter().map(|station| &station.heard);
    let mut refused: BTreeMap<&str, u64> = BTreeMap::new();
    for (reason, count) in heard().flat_map(|heard| &heard.refused) {
        *refused.entry(reason).or_default() += count;
    }
    let sum = |of: fn(&StationTally) -> u64| tally.stations.iter().map(of).sum::<u64>();
    let count = |of: fn(&StationTally) -> bool| tally.stations.iter().filter(|station| of(station)).count();
    let station = |station: &StationTally| {
        json!({
            "device": station.name,
            "id": station.device.to_string(),
            "cell": station.cell.map(|cell| cell.to_string()),
            "receptions": station.heard.receptions,
            "believed": station.heard.believed,
            "beacons": station.heard.beacons,
            "beacons_believed": station.heard.beacons_believed,
            "refused_by_reason": station.heard.refused,
            "measured_and_limit": station.heard.examples,
            "packets_paid": station.heard.packets,
            "credits": station.heard.credits,
            "micro_units": station.units,
            "token_for_coverage": station.availability,
            "token_for_packets": station.usage,
            "cash_micro_usd": station.cash,
        })
    };
    json!({
        "receptions": {
            "heard": sum(|station| station.heard.receptions),
            "believed": sum(|station| station.heard.believed),
            "refused_by_reason": refused,
        },
        "packets": {
            "paid": tally.carried.copies,
            "not_wanted": tally.carried.unwanted,
            "pieces_of_24_bytes": tally.carried.pieces,
            "credits": tally.carried.credits.0,
            "devices": count(|station| station.heard.packets > 0),
            "operators_cash_micro_usd": sum(|station| station.cash),
            "operators_token": sum(|station| station.usage),
        },
        "coverage": {
            "beacons": sum(|station| station.heard.beacons),
            "beacons_believed": sum(|station| station.heard.beacons_believed),
            "micro_units": sum(|station| station.units),
            "devices": count(|station| station.units > 0),
            "operators_token": sum(|station| station.availability),
        },
        "hotspots": tally.stations.iter().map(station).collect::<Vec<_>>(),
    })
}

/// Both incomes, for people.
pub fn lines(tally: &Tally) -> Vec<String> {
    let answer = json(tally);
    let token = |amount: u64| decimal(amount, 6);
    let (receptions, packets, coverage) = (&answer["receptions"], &answer["packets"], &answer["coverage"]);
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let mut lines = vec![
        format!(
            "heard     {} receptions, {} believed",
            receptions["heard"], receptions["believed"]
        ),
        format!(
            "packets   {} carried and paid, {} pieces of 24 bytes for {} US dollars of credits; {} hotspots got {} US dollars and {} tokens of it",
            packets["paid"],
            packets["pieces_of_24_bytes"],
            decimal(number(&packets["credits"]), 6),
            packets["devices"],
            decimal(number(&packets["operators_cash_micro_usd"]), 6),
            token(number(&packets["operators_token"])),
        ),
        format!(
            "coverage  {} units proven by {} hotspots ({} of {} beacons believed), paid with {} tokens",
            decimal(number(&coverage["micro_units"]), 6),
            coverage["devices"],
            coverage["beacons_believed"],
            coverage["beacons"],
            token(number(&coverage["operators_token"])),
        ),
    ];
    let mut busiest: Vec<&StationTally> = tally
        .stations
        .iter()
        .filter(|station| station.heard.believed > 0)
        .collect();
    busiest.sort_by_key(|station| std::cmp::Reverse((station.heard.packets, station.units)));
    let row = |station: &&StationTally| {
        vec![
            short(&station.name).to_owned(),
            station.heard.packets.to_string(),
            decimal(station.heard.credits, 6),
            decimal(station.cash, 6),
            decimal(station.units, 6),
            token(station.availability),
            faults(station).to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = busiest.iter().take(ROWS).map(row).collect();
    lines.push(String::new());
    lines.extend(table(
        &[
            "hotspot",
            "packets",
            "charged $",
            "got $",
            "units",
            "tokens for units",
            "refused",
        ],
        &rows,
    ));
    let mut doubted: Vec<&StationTally> = tally.stations.iter().filter(|station| faults(station) > 0).collect();
    doubted.sort_by_key(|station| std::cmp::Reverse(faults(station)));
    let why = |station: &StationTally| {
        let mut reasons: Vec<(&&str, &u64)> = station
            .heard
            .refused
            .iter()
            .filter(|(reason, _)| is_fault(reason))
            .collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let texts: Vec<String> = reasons
            .into_iter()
            .take(3)
            .map(|(reason, count)| {
                let (measured, limit) = station.heard.examples.get(reason).copied().unwrap_or_default();
                format!("{reason} {count} ({measured}, limit {limit})")
            })
            .collect();
        texts.join(", ")
    };
    let rows: Vec<Vec<String>> = doubted
        .iter()
        .take(ROWS)
        .map(|station| {
            let part = format!(
                "{} of {}",
                faults(station),
                station.heard.receptions + station.heard.beacons
            );
            vec![short(&station.name).to_owned(), part, why(station)]
        })
        .collect();
    if !rows.is_empty() {
        lines.push(String::new());
        lines.extend(table(&["not believed", "refused", "why: measured, limit"], &rows));
    }
    lines
}
