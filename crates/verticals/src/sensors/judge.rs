//! Judges an epoch of sensors' reports: every reading believed or refused for one reason, every report its units. The
//! branches are here; each rule is a straight function in a file of its own.
//!
//! ```text
//! survey ─▶ slots ─▶ what neighbours say ─▶ device: copy, replay, place, unit ─▶ slot: rain, range ─▶ crowding ─▶ findings
//!              memory of the epoch before ─┘                                                   └─▶ memory
//! ```
//! A reading gets the first reason that applies, in that order. Devices that were found copying, in another place or in
//! another unit are not asked about their neighbours, nor are excluded ones: a cheat does not move what others are held against.

pub mod crowd;
pub mod findings;
pub mod memory;
pub mod rain;
pub mod reasons;
pub mod reference;
pub mod relation;
pub mod series;
pub mod slots;
#[cfg(test)]
mod tests;
pub mod verdicts;

use super::params::Params;
use super::report::RAIN;
use crate::kit::range::{Excess, Limits, Track};
use crate::kit::vertical::AssessInputError;
use crate::kit::{Epoch, Roster, Survey, Surveyed};
use cairn_types::TimeMs;
use crowd::Crowd;
use findings::Judged;
use memory::{DeviceMemory, Memory, Tracked};
use reasons::*;
use reference::Reference;
use series::Said;
use slots::{Board, NONE, Series};
use verdicts::{Refusal, Verdicts};

/// The most slots of one epoch.
pub const SLOTS_MAX: u64 = 4_096;

/// Judges a settled survey.
pub fn judge<'a>(epoch: &Epoch<'a>, survey: &'a Survey) -> Result<Judged<'a>, AssessInputError> {
    let params = Params::decode(epoch.params)?;
    let earlier = Memory::decode(epoch.memory)?;
    let length = epoch.end.since_ms(epoch.start);
    let slot_ms = u64::from(params.slot_ms).min(length.max(1));
    let count = length.div_ceil(slot_ms);
    if count == 0 || count > SLOTS_MAX {
        return Err(AssessInputError::Slots {
            slots: count,
            max: SLOTS_MAX,
        });
    }
    let slots = count as usize;
    let rows = rows(epoch, survey);
    let mut verdicts = Verdicts::new(survey.readings.len());
    let board = slots::place(epoch, &params, survey, &rows, slots, &mut verdicts);
    let mut devices = remembered(epoch, earlier);

    let said = said(survey, &rows, &board, epoch.roster.len());
    judge_series(epoch, &params, &said, &board, &mut devices, &mut verdicts);
    let roster = Roster::by_cell(epoch.roster, params.near_resolution);
    let excluded = excluded(survey, &rows, epoch.roster.len());
    let ignored: Vec<bool> = devices
        .iter()
        .zip(&excluded)
        .map(|(device, excluded)| *excluded || distrust(&params, device).is_some())
        .collect();
    for (quantity, series) in (0u16..).zip(&board) {
        let Some(series) = series else { continue };
        let limits = &params.limits[usize::from(quantity)];
        if quantity == RAIN {
            let around = reference::reference(&params, limits, &roster, series, &ignored, &mut verdicts);
            judge_relation(&params, &board, series, &around, &mut devices, &mut verdicts);
            judge_rain(&params, series, &around, &mut devices, &mut verdicts);
        } else if limits.apart > 0 {
            reference::reference(&params, limits, &roster, series, &ignored, &mut verdicts);
        }
        judge_tracks(quantity, limits, series, &mut devices, &mut verdicts);
    }
    let crowd = Crowd::of(epoch, &params, &board, &verdicts, &excluded, slots);
    let memory = Memory { devices };
    Ok(Judged {
        params,
        survey,
        slot_ms,
        start: epoch.start,
        rows,
        verdicts,
        crowd,
        memory,
    })
}

/// The member's row of each report, `None` for reports nobody judges.
fn rows(epoch: &Epoch, survey: &Survey) -> Vec<Option<u32>> {
    let mut members = (0u32..).zip(epoch.roster).peekable();
    let mut row_of = |report: &Surveyed| {
        while members.next_if(|(_, member)| member.number < report.device).is_some() {}
        members
            .peek()
            .filter(|(_, member)| member.number == report.device && report.fault.is_none())
            .map(|(row, _)| *row)
    };
    survey.reports.iter().map(&mut row_of).collect()
}

/// Which members are excluded, of those that sent a report that can be judged.
fn excluded(survey: &Survey, rows: &[Option<u32>], members: usize) -> Vec<bool> {
    let mut excluded = vec![false; members];
    for (report, row) in survey.reports.iter().zip(rows) {
        let Some(row) = row else { continue };
        excluded[*row as usize] = report.excluded;
    }
    excluded
}

/// Each member's memory; a new one for those who were not in the network before.
fn remembered(epoch: &Epoch, earlier: Memory) -> Vec<DeviceMemory> {
    let mut earlier = earlier.devices.into_iter().peekable();
    let mut memory_of = |number| {
        while earlier.next_if(|device| device.number < number).is_some() {}
        let known = earlier.next_if(|device| device.number == number);
        known.unwrap_or_else(|| DeviceMemory {
            number,
            ..DeviceMemory::default()
        })
    };
    epoch.roster.iter().map(|member| memory_of(member.number)).collect()
}

/// What each member said, in short.
fn said(survey: &Survey, rows: &[Option<u32>], board: &Board, members: usize) -> Vec<Said> {
    let mut received: Vec<Option<TimeMs>> = vec![None; members];
    for (report, row) in survey.reports.iter().zip(rows) {
        let Some(row) = row else { continue };
        let first = &mut received[*row as usize];
        *first = Some(first.map_or(report.received, |first| first.min(report.received)));
    }
    let placed = |row: usize| {
        board
            .iter()
            .flatten()
            .any(|series| series.row(row).iter().any(|value| *value != NONE))
    };
    let mut bytes = Vec::new();
    let mut said = |(row, received): (usize, Option<TimeMs>)| {
        series::said(board, row, received.filter(|_| placed(row)), &mut bytes)
    };
    received.into_iter().enumerate().map(&mut said).collect()
}

/// Copies and replays.
fn judge_series(
    epoch: &Epoch,
    params: &Params,
    said: &[Said],
    board: &Board,
    devices: &mut [DeviceMemory],
    verdicts: &mut Verdicts,
) {
    let originals = series::originals(params, epoch.roster, said);
    for (row, device) in devices.iter_mut().enumerate() {
        series::copy(params, epoch.roster, said, row, originals[row], &mut device.twin);
        series::replay(params, &said[row], device);
        let copied = device.twin.map_or(0, |twin| twin.changes);
        if copied >= params.copy_changes.into() {
            refuse_device(
                board,
                row,
                Refusal::new(COPIED, copied.into(), params.copy_changes.into()),
                verdicts,
            );
        }
        let replayed = device.replay.map_or(0, |replay| replay.changes);
        if replayed >= params.replay_changes.into() {
            refuse_device(
                board,
                row,
                Refusal::new(REPLAYED, replayed.into(), params.replay_changes.into()),
                verdicts,
            );
        }
    }
}

/// Why a device's values are not held against its neighbours, if they are not.
fn distrust(params: &Params, device: &DeviceMemory) -> Option<Refusal> {
    let refusal = |reason| move |excess: Excess| Refusal::new(reason, excess.measured, excess.limit);
    let copied = device.twin.map_or(0, |twin| twin.changes);
    let copied =
        (copied >= params.copy_changes.into()).then(|| Refusal::new(COPIED, copied.into(), params.copy_changes.into()));
    copied
        .or_else(|| relation::other_place(params, &device.place).map(refusal(WRONG_PLACE)))
        .or_else(|| relation::other_unit(params, &device.unit).map(refusal(WRONG_UNIT)))
}

/// Another place or another unit than the neighbours'.
fn judge_relation(
    params: &Params,
    board: &Board,
    series: &Series,
    around: &Reference,
    devices: &mut [DeviceMemory],
    verdicts: &mut Verdicts,
) {
    for (row, device) in devices.iter_mut().enumerate() {
        relation::count_unit(params, series.row(row), around.row(row), &mut device.unit);
        relation::count_place(series.row(row), around.row(row), &mut device.place);
        if let Some(refusal) = distrust(params, device) {
            refuse_device(board, row, refusal, verdicts);
        }
    }
}

fn judge_rain(
    params: &Params,
    series: &Series,
    around: &Reference,
    devices: &mut [DeviceMemory],
    verdicts: &mut Verdicts,
) {
    for (row, device) in devices.iter_mut().enumerate() {
        rain::judge(params, series, row, around.row(row), &mut device.missed, verdicts);
    }
}

/// Jumps and values that never move.
fn judge_tracks(
    quantity: u16,
    limits: &Limits,
    series: &Series,
    devices: &mut [DeviceMemory],
    verdicts: &mut Verdicts,
) {
    for (row, device) in devices.iter_mut().enumerate() {
        let place = device
            .tracks
            .binary_search_by_key(&quantity, |tracked| tracked.quantity)
            .unwrap_or_else(|place| {
                device.tracks.insert(
                    place,
                    Tracked {
                        quantity,
                        track: Track::default(),
                    },
                );
                place
            });
        let track = &mut device.tracks[place].track;
        for (slot, value) in series.row(row).iter().enumerate() {
            track.tick();
            if *value == NONE {
                continue;
            }
            if let Some(excess) = track.jump(*value, limits) {
                verdicts.refuse(series.owner(row, slot), JUMP, excess.measured, excess.limit);
            } else if let Some(excess) = track.take(*value, limits) {
                verdicts.refuse(series.owner(row, slot), STUCK, excess.measured, excess.limit);
            }
        }
    }
}

/// Refuses all readings of a device that are not refused yet.
fn refuse_device(board: &Board, row: usize, refusal: Refusal, verdicts: &mut Verdicts) {
    for series in board.iter().flatten() {
        for (slot, _) in series.row(row).iter().enumerate().filter(|(_, value)| **value != NONE) {
            verdicts.refuse(series.owner(row, slot), refusal.reason, refusal.measured, refusal.limit);
        }
    }
}
