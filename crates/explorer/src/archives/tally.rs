//! What the findings of an epoch come to, by device, cell and reason. Pure: counted before anything is written.

use super::check::Believed;
use cairn_types::{CellId, DeviceNumber, Reason};
use cairn_verticals::kit::reasons::{BARRED, EXCLUDED};
use std::collections::BTreeMap;

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
pub struct OfDevice {
    pub accepted: u64,
    pub refused: u64,
    pub units: u64,
    pub reasons: BTreeMap<u16, u64>,
    /// Whose it was; none where the roster does not have it.
    pub operator: Option<u32>,
}

impl OfDevice {
    /// The reason that most of its reports have, the lowest of several.
    pub fn reason(&self) -> Option<u16> {
        let most = self
            .reasons
            .iter()
            .max_by_key(|(reason, count)| (**count, std::cmp::Reverse(**reason)));
        most.map(|(reason, _)| *reason)
    }

    /// How it is doing by that epoch.
    fn state(&self) -> &'static str {
        match self {
            of if of.units > 0 => "earning",
            of if of.reasons.contains_key(&EXCLUDED.0) => "excluded",
            of if of.reasons.contains_key(&BARRED.0) => "barred",
            _ => "refused",
        }
    }
}

/// One cell's part of it.
#[derive(Default)]
pub struct OfCell {
    pub devices: u64,
    pub reporting: u64,
    pub accepted: u64,
    pub refused: u64,
    pub units: u64,
}

/// All of it.
pub struct Tally {
    pub counts: Counts,
    pub devices: Vec<(DeviceNumber, OfDevice)>,
    pub cells: Vec<(CellId, OfCell)>,
    pub reasons: BTreeMap<u16, u64>,
    /// Members that reported nothing.
    silent: Vec<DeviceNumber>,
}

impl Tally {
    pub fn of(believed: &Believed) -> Self {
        let mut counts = Counts::default();
        let mut devices: BTreeMap<DeviceNumber, OfDevice> = BTreeMap::new();
        let mut reasons: BTreeMap<u16, u64> = BTreeMap::new();
        for finding in &believed.findings {
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
        let mut cells: BTreeMap<CellId, OfCell> = BTreeMap::new();
        let mut silent = Vec::new();
        let roster: BTreeMap<DeviceNumber, (u32, CellId)> = believed
            .inputs
            .roster
            .iter()
            .map(|member| (member.number, (member.operator.0, member.cell)))
            .collect();
        for (number, (operator, cell)) in roster {
            let entry = cells.entry(cell).or_default();
            entry.devices += 1;
            let Some(of) = devices.get_mut(&number) else {
                silent.push(number);
                continue;
            };
            of.operator = Some(operator);
            entry.reporting += 1;
            entry.accepted += of.accepted;
            entry.refused += of.refused;
            entry.units = entry.units.saturating_add(of.units);
        }
        Self {
            counts,
            devices: devices.into_iter().collect(),
            cells: cells.into_iter().collect(),
            reasons,
            silent,
        }
    }

    /// How everybody of the epoch is doing by it.
    pub fn states(&self) -> BTreeMap<u64, &'static str> {
        let silent = self.silent.iter().map(|number| (u64::from(number.0), "silent"));
        let heard = self
            .devices
            .iter()
            .map(|(number, of)| (u64::from(number.0), of.state()));
        silent.chain(heard).collect()
    }
}
