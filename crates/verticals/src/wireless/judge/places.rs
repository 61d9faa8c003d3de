//! Where devices and senders stand, and which links between them can be. Pure geometry and physics; who is at fault when two
//! places contradict each other is decided by how many others agree.

use super::memory::{DeviceMemory, RANGED_MAX, Ranged};
use super::reasons::{APART, BEYOND_REACH, MISPLACED, TOO_STRONG, TOO_WEAK, WRONG_PLACE};
use super::said::{Refusal, Said, Spoken};
use crate::kit::Epoch;
use crate::kit::counterparty::Votes;
use crate::kit::place::{Point, radius_m};
use crate::wireless::link::{free_space_ddb, horizon_m, sensitivity_ddbm, signal_ddbm};
use crate::wireless::params::Params;
use crate::wireless::region::{self, Rate};
use crate::wireless::report::Heard;
use cairn_types::{CellId, TimeMs};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// No antenna is believed to stand higher than this above the sea, in metres.
const HEIGHT_M_MAX: i16 = 9_000;
/// The fastest a sender is taken to travel, in metres a second: with the fastest trains in service, 320 km/h.
const SPEED_M_S: u64 = 90;
/// So many receptions of one sender, before and after, are asked whether they fit a place.
const ASKED: usize = 8;

/// A place with all that a link needs to know of it.
#[derive(Clone, Copy, Debug)]
pub struct End {
    pub point: Point,
    /// How far it may be off.
    pub off_m: u64,
    pub height_m: i32,
}

/// The registered places of all members.
pub struct Places {
    members: Vec<(Point, u64)>,
    /// Places of senders, computed once each.
    cells: BTreeMap<CellId, (Point, u64)>,
}

fn located(cell: CellId) -> (Point, u64) {
    (Point::of(cell), radius_m(cell))
}

impl Places {
    pub fn of(epoch: &Epoch, said: &Said) -> Self {
        let mut cells = BTreeMap::new();
        let senders = said.heard.iter().filter_map(|reception| reception.heard.source?.place);
        let stations = said.spoken.iter().filter_map(|spoken| spoken.station.place);
        for cell in epoch
            .roster
            .iter()
            .map(|member| member.cell)
            .chain(stations)
            .chain(senders)
        {
            cells.entry(cell).or_insert_with(|| located(cell));
        }
        let members = epoch.roster.iter().map(|member| cells[&member.cell]).collect();
        Self { members, cells }
    }

    fn cell(&self, cell: CellId) -> (Point, u64) {
        self.cells.get(&cell).copied().unwrap_or_else(|| located(cell))
    }

    pub fn member(&self, params: &Params, row: usize, spoken: &Spoken) -> End {
        end(params, self.members[row], spoken.station.height_m)
    }

    /// How far a device says it is from where it is registered, and how far it may be.
    pub fn moved(&self, params: &Params, row: usize, says: CellId) -> (u64, u64) {
        let (registered, said) = (self.members[row], self.cell(says));
        (
            registered.0.metres_to(said.0),
            registered.1 + said.1 + u64::from(params.place_off_m),
        )
    }

    /// Where the sender of a frame is said to stand.
    fn sender(&self, params: &Params, heard: &Heard) -> Option<End> {
        let source = heard.source?;
        Some(end(params, self.cell(source.place?), source.height_m))
    }
}

fn height(params: &Params, said: Option<i16>) -> i32 {
    said.unwrap_or(params.height_m).min(HEIGHT_M_MAX).into()
}

fn end(params: &Params, (point, off_m): (Point, u64), height_m: Option<i16>) -> End {
    End {
        point,
        off_m,
        height_m: height(params, height_m),
    }
}

/// How far two places are from each other: at least, as registered, at most.
fn distance(params: &Params, one: &End, other: &End) -> (u64, u64, u64) {
    let metres = one.point.metres_to(other.point);
    let off = one.off_m + other.off_m + u64::from(params.place_off_m);
    (metres.saturating_sub(off), metres, metres + off)
}

/// Whether a signal can have come over a link of at least so many metres.
fn link(params: &Params, heard: &Heard, rate: Rate, metres: u64, power_ddbm: i64, gain_ddbi: i64) -> Option<Refusal> {
    let loss = free_space_ddb(metres, heard.frequency_hz.into());
    let strongest = power_ddbm + gain_ddbi - loss + i64::from(params.stronger_ddb);
    let signal = signal_ddbm(heard.rssi_ddbm.into(), heard.snr_ddb.into());
    if signal > strongest {
        return Some(Refusal::new(TOO_STRONG, signal, strongest));
    }
    let weakest = sensitivity_ddbm(rate) - i64::from(params.weaker_ddb);
    (strongest < weakest).then(|| Refusal::new(TOO_WEAK, strongest, weakest))
}

/// Whether anything at all can be read from so weak a signal.
pub fn readable(params: &Params, heard: &Heard, rate: Rate) -> Option<Refusal> {
    let ratio = rate.snr_min_ddb() - i64::from(params.weaker_ddb);
    if i64::from(heard.snr_ddb) < ratio {
        return Some(Refusal::new(TOO_WEAK, heard.snr_ddb, ratio));
    }
    let weakest = sensitivity_ddbm(rate) - i64::from(params.weaker_ddb);
    (i64::from(heard.rssi_ddbm) < weakest).then(|| Refusal::new(TOO_WEAK, heard.rssi_ddbm, weakest))
}

/// The device's antenna, as far as it is believed.
fn gain(params: &Params, spoken: &Spoken) -> i64 {
    let said = spoken.station.gain_ddbi.unwrap_or(params.gain_ddbi);
    said.min(params.gain_max_ddbi).into()
}

/// Holds a reception of a beacon against the two registered places.
pub fn judge_link(params: &Params, heard: &Heard, from: &End, to: (&End, &Spoken), power_ddbm: i16) -> Option<Refusal> {
    let rate = region::by_number(to.1.station.region)?.rate(heard.rate)?;
    let (least, _, _) = distance(params, from, to.0);
    let reach = horizon_m(from.height_m) + horizon_m(to.0.height_m);
    if least > reach {
        return Some(Refusal::new(BEYOND_REACH, least, reach));
    }
    link(params, heard, rate, least, power_ddbm.into(), gain(params, to.1))
}

/// Holds a packet against where its sender is said to stand, and how far away it was measured to be.
pub fn judge_packet(params: &Params, places: &Places, heard: &Heard, to: (&End, &Spoken)) -> Option<Refusal> {
    let source = heard.source?;
    let region = region::by_number(to.1.station.region)?;
    let rate = region.rate(heard.rate)?;
    let range = source.range_m.map(u64::from);
    let from = places.sender(params, heard);
    let between = from.map(|from| distance(params, &from, to.0));
    if let (Some(range), Some((least, _, most))) = (range, between) {
        if range < least {
            return Some(Refusal::new(WRONG_PLACE, range, least));
        }
        if range > most {
            return Some(Refusal::new(WRONG_PLACE, range, most));
        }
    }
    let least = range.or(between.map(|(least, _, _)| least))?;
    let reach = horizon_m(height(params, source.height_m)) + horizon_m(to.0.height_m);
    if least > reach {
        return Some(Refusal::new(BEYOND_REACH, least, reach));
    }
    let power = source.power_ddbm.unwrap_or(region.power_ddbm);
    link(params, heard, rate, least, power.into(), gain(params, to.1))
}

/// Counts of each device how many measured distances fit its place; where at least two and one in five do not, nothing it
/// hears is believed to have been heard there.
pub fn judge_misplaced(epoch: &Epoch, said: &mut Said, devices: &mut [DeviceMemory]) {
    for reception in said.heard.iter().filter(|reception| reception.beacon.is_none()) {
        let ranged = reception
            .heard
            .source
            .is_some_and(|source| source.range_m.is_some() && source.place.is_some());
        let unfit = reception.refusal.is_some_and(|refusal| refusal.reason == WRONG_PLACE);
        if !ranged || !(reception.stands() || unfit) {
            continue;
        }
        let cell = epoch.roster[reception.row].cell;
        let known = devices[reception.row].ranged.filter(|known| known.cell == cell);
        let mut known = known.unwrap_or(Ranged { cell, fit: 0, unfit: 0 });
        known.fit += u16::from(!unfit);
        known.unfit += u16::from(unfit);
        if known.fit >= RANGED_MAX || known.unfit >= RANGED_MAX {
            (known.fit, known.unfit) = (known.fit / 2, known.unfit / 2);
        }
        devices[reception.row].ranged = Some(known);
    }
    let refusal = |(device, member): (&DeviceMemory, &crate::kit::Member)| {
        let ranged = device.ranged.filter(|ranged| ranged.cell == member.cell)?;
        let limit = (ranged.fit / 4).max(1);
        (ranged.unfit > limit).then(|| Refusal::new(MISPLACED, ranged.unfit, limit))
    };
    let refusals: Vec<Option<Refusal>> = devices.iter().zip(epoch.roster).map(refusal).collect();
    for reception in &mut said.heard {
        reception.refuse(refusals[reception.row]);
    }
    for sent in &mut said.sent {
        sent.refuse(refusals[sent.row]);
    }
}

/// A reception as others are held against it: a receiver is as far from the sender as it measured, or at most as far as it sees.
struct Ear {
    row: usize,
    time: TimeMs,
    end: End,
    reach: u64,
}

fn ear(params: &Params, places: &Places, said: &Said, place: usize) -> Option<Ear> {
    let reception = &said.heard[place];
    let end = places.member(params, reception.row, &said.spoken[reception.spoken]);
    let source = reception.heard.source?;
    let sender = horizon_m(height(params, source.height_m));
    Some(Ear {
        row: reception.row,
        time: reception.heard.time,
        reach: source.range_m.map_or(sender + horizon_m(end.height_m), u64::from),
        end,
    })
}

/// How far two receivers stand from each other at least, and how far from each other one sender can have been heard.
fn spread(params: &Params, one: &Ear, other: &Ear) -> (u64, u64) {
    let (earlier, later) = (one.time.min(other.time), one.time.max(other.time));
    let travelled = later.since_ms(earlier).saturating_mul(SPEED_M_S) / 1_000;
    let (least, _, _) = distance(params, &one.end, &other.end);
    (least, one.reach.saturating_add(other.reach).saturating_add(travelled))
}

/// Refuses receptions of senders that others heard at the same time where the device cannot have: when more of them say so
/// than fit, and either two devices do, or one that others bear out while nobody bears out the device. What is said against
/// a device by one that fewer bear out counts for nothing.
pub fn judge_apart(params: &Params, places: &Places, said: &mut Said) {
    let mut order: Vec<usize> = (0..said.heard.len())
        .filter(|place| {
            let reception = &said.heard[*place];
            let speaks = reception.stands() && !said.spoken[reception.spoken].excluded;
            speaks && reception.heard.source.is_some()
        })
        .collect();
    let key = |place: &usize| {
        let heard = &said.heard[*place];
        (
            heard.heard.source.map(|source| source.id),
            heard.heard.time,
            heard.row,
            *place,
        )
    };
    order.sort_unstable_by_key(key);
    let runs: Vec<&[usize]> = order.chunk_by(|one, next| key(one).0 == key(next).0).collect();
    let ears = |run: &[usize]| -> Vec<Ear> {
        let ears = run.iter().map(|place| ear(params, places, said, *place));
        ears.map(|ear| ear.expect("it names its sender")).collect()
    };
    let mut disputed: BTreeSet<usize> = BTreeSet::new();
    for run in &runs {
        meetings(params, &ears(run), |own, other, fits| {
            if !fits {
                disputed.extend([own.row, other.row]);
            }
        });
    }
    if disputed.is_empty() {
        return;
    }
    let mut bears_out: BTreeSet<(usize, usize)> = BTreeSet::new();
    for run in &runs {
        meetings(params, &ears(run), |own, other, fits| {
            if fits && disputed.contains(&own.row) {
                bears_out.insert((own.row, other.row));
            }
        });
    }
    let mut borne_out: BTreeMap<usize, usize> = BTreeMap::new();
    for (row, _) in bears_out {
        *borne_out.entry(row).or_default() += 1;
    }
    let mut refusals = Vec::new();
    for run in runs {
        let ears = ears(run);
        for (at, (own, place)) in ears.iter().zip(run).enumerate() {
            if disputed.contains(&own.row) {
                refusals.push((*place, votes(params, own, &ears[around(at, ears.len())], &borne_out)));
            }
        }
    }
    for (place, refusal) in refusals {
        said.heard[place].refuse(refusal);
    }
}

/// Whose receptions, before and after one of so many, are asked about it.
fn around(at: usize, count: usize) -> Range<usize> {
    at.saturating_sub(ASKED)..(at + ASKED + 1).min(count)
}

/// Tells of every two receptions of one sender near each other, by two devices, whether they fit.
fn meetings(params: &Params, ears: &[Ear], mut tell: impl FnMut(&Ear, &Ear, bool)) {
    for (at, own) in ears.iter().enumerate() {
        for other in ears[around(at, ears.len())].iter().filter(|other| other.row != own.row) {
            let (least, reach) = spread(params, own, other);
            tell(own, other, least <= reach);
        }
    }
}

/// What receptions around one say of it.
fn votes(params: &Params, own: &Ear, around: &[Ear], borne_out: &BTreeMap<usize, usize>) -> Option<Refusal> {
    let trust = |row: usize| borne_out.get(&row).copied().unwrap_or(0);
    let (mut against, mut votes): (Vec<usize>, Votes) = Default::default();
    let mut nearest: Option<(u64, u64)> = None;
    for other in around.iter().filter(|other| other.row != own.row) {
        let (least, reach) = spread(params, own, other);
        let fits = least <= reach;
        if fits || trust(other.row) >= trust(own.row) {
            votes.count(fits);
        }
        if !fits && trust(other.row) >= trust(own.row) {
            against.push(other.row);
            nearest = nearest.filter(|(known, _)| *known <= least).or(Some((least, reach)));
        }
    }
    against.sort_unstable();
    against.dedup();
    let (measured, limit) = nearest?;
    let alone = trust(own.row) == 0 && against.iter().any(|row| trust(*row) > 0) && votes.against > votes.with;
    (alone || against.len() >= 2 && votes.is_denied()).then(|| Refusal::new(APART, measured, limit))
}
