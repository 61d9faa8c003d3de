//! Runs a query: which epochs it needs and what it may show, then the readings of those epochs, one epoch at a time.

use crate::ledger::{Facts, NetworkNow};
use crate::limits::EPOCHS_MAX;
use crate::query::{Query, QueryError};
use crate::refusal::{Kind, Refusal};
use crate::rows::{Place, Quantity};
use crate::source::{Source, SourceError};
use cairn_types::{CellId, DeviceNumber, EpochNumber, TimeMs};
use cairn_verifier::meters::ENTRIES_MAX;
use cairn_verticals::kit::{Shape, Vertical};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// A query that can be answered.
#[derive(Clone)]
pub struct Plan {
    /// What was asked, its end cut to what is available: asked again, it is the same.
    pub query: Query,
    pub quantity: Quantity,
    pub vertical: &'static dyn Vertical,
    pub available_until: TimeMs,
    pub first: EpochNumber,
    pub last: EpochNumber,
    number: u16,
    resolution: u8,
}

/// What a query came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub rows: u64,
    /// Rows of each device.
    pub devices: BTreeMap<DeviceNumber, u64>,
    /// Epochs read, and epochs that expired.
    pub settled: u64,
    pub missing: u64,
}

/// Only epochs that are released or expired are looked at: no dispute replaces their results any more, so what a plan gives never
/// changes, and no money moves for rows that may turn out wrong.
pub fn plan(query: &Query, facts: &Facts, now: &NetworkNow) -> Result<Plan, Refusal> {
    query.check()?;
    let network = &now.network;
    query.check_cells(network.resolution)?;
    let vertical = cairn_verticals::by_name(&network.vertical).filter(|vertical| vertical.shape() == Shape::Query);
    let vertical = vertical.ok_or_else(|| {
        Refusal::new(
            Kind::NotFound,
            "not_sold_here",
            format!("networks of kind {} are not sold by query here", network.vertical),
            "ask a gateway that serves this kind of network",
        )
    })?;
    let text = vertical
        .quantities()
        .iter()
        .find(|text| text.name == query.quantity)
        .ok_or_else(|| {
            let names: Vec<&str> = vertical.quantities().iter().map(|text| text.name).collect();
            QueryError::NoSuchQuantity(names.join(", "))
        })?;
    let available_until = facts.clock.start(network.unreleased);
    if query.from >= available_until {
        return Err(Refusal::new(
            Kind::NotFound,
            "not_yet",
            format!(
                "data of this network is sold until {available_until}, the query begins at {}",
                query.from
            ),
            "ask for an earlier time, or wait: an hour is sold when it is attested and can no longer be disputed",
        ));
    }
    let query = Query {
        to: query.to.min(available_until),
        ..query.clone()
    };
    let epoch_of = |time| facts.clock.epoch_of(time).unwrap_or_default();
    let first = epoch_of(query.from).max(network.created);
    let last = epoch_of(TimeMs(query.to.0.saturating_sub(1))).max(first);
    if last.0 - first.0 >= EPOCHS_MAX {
        return Err(QueryError::TooManyEpochs.into());
    }
    Ok(Plan {
        query,
        quantity: Quantity {
            name: text.name.to_owned(),
            unit: text.unit.to_owned(),
            decimals: text.decimals,
        },
        vertical,
        available_until,
        first,
        last,
        number: text.quantity,
        resolution: network.resolution,
    })
}

/// Visits every row in order. Stops with an error at the limits, and when told to.
pub fn run(
    plan: &Plan,
    source: &Source,
    rows_max: u64,
    stop: &AtomicBool,
    visit: &mut dyn FnMut(TimeMs, Place, i64),
) -> Result<Tally, SourceError> {
    let Query { network, from, to, .. } = &plan.query;
    let mut tally = Tally::default();
    for epoch in (plan.first.0..=plan.last.0).map(EpochNumber) {
        if stop.load(Ordering::Relaxed) {
            return Err(SourceError::Stopped);
        }
        let Some(rows) = source.epoch(network, epoch)? else {
            tally.missing += 1;
            continue;
        };
        tally.settled += 1;
        for (time, place, value) in rows.between(plan.number, *from, *to) {
            let cell = shown(place.cell, plan.resolution);
            if !plan.query.covers(cell) {
                continue;
            }
            tally.rows += 1;
            if tally.rows > rows_max {
                return Err(SourceError::TooManyRows(rows_max));
            }
            *tally.devices.entry(place.number).or_insert(0) += 1;
            visit(time, Place { cell, ..*place }, value);
        }
        if tally.devices.len() > ENTRIES_MAX {
            return Err(SourceError::TooManyDevices);
        }
    }
    Ok(tally)
}

/// The cell that is shown of a device: never finer than its network's.
fn shown(cell: CellId, resolution: u8) -> CellId {
    cell.parent(resolution).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_shown_at_the_network_s_resolution_or_coarser() {
        let cell: CellId = "881969c9b7fffff".parse().unwrap();
        assert_eq!(shown(cell, 5), cell.parent(5).unwrap());
        assert_eq!(shown(cell, 8), cell);
        assert_eq!(shown(cell, 10), cell);
    }
}
