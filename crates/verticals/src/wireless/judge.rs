//! Judges an epoch of hotspots' reports: every beacon and every reception believed or refused for one reason, every device
//! its units. The branches are here; each rule is a straight function in a file of its own.
//!
//! ```text
//! survey ─▶ said ─▶ alone: clock, region, place, signal ─▶ frames: duplicate, replay ─▶ beacons: asked? ─▶ links: reach,
//!      strength ─▶ misplaced ─▶ apart ─▶ twins ─▶ both ways ─▶ the lot of witnesses ─▶ density ─▶ findings, memory
//! ```
//! A beacon or a reception gets the first reason that applies, in that order. What is refused for its clock or as a replay
//! is no evidence about others; neither is what an excluded device says.

pub mod findings;
pub mod frames;
pub mod memory;
pub mod places;
pub mod reasons;
pub mod references;
pub mod said;
#[cfg(test)]
mod tests;
pub mod twins;
pub mod witnesses;

use super::params::Params;
use super::region;
use super::report::{Heard, Station};
use crate::kit::vertical::AssessInputError;
use crate::kit::{Epoch, Survey};
use cairn_types::TimeMs;
use findings::Judged;
use frames::Known;
use memory::{DeviceMemory, Memory};
use places::Places;
use reasons::*;
use said::{Refusal, Said, Spoken};

/// Judges a settled survey.
pub fn judge<'a>(epoch: &Epoch<'a>, survey: &'a Survey) -> Result<Judged<'a>, AssessInputError> {
    let params = Params::decode(epoch.params)?;
    let earlier = Memory::decode(epoch.memory)?;
    if epoch.end <= epoch.start {
        return Err(AssessInputError::Slots { slots: 0, max: 1 });
    }
    let mut said = Said::of(epoch, survey);
    let places = Places::of(epoch, &said);
    let ranks = witnesses::ranks(epoch);
    let mut devices = remembered(epoch, &earlier);
    let mut known = Known::of(&earlier);

    judge_alone(epoch, &params, &places, &mut said);
    witnesses::judge_beacons(epoch, &params, earlier.seed_of(epoch.epoch), &ranks, &mut said);
    frames::judge(epoch, &params, &mut said, &mut known);
    judge_packets(&params, &places, &mut said);
    places::judge_misplaced(epoch, &mut said, &mut devices);
    witnesses::judge_receptions(epoch, &params, &places, &mut said);
    places::judge_apart(&params, &places, &mut said);
    twins::judge(epoch, &params, &mut said, &mut devices);
    witnesses::judge_both_ways(&params, &mut said, &mut devices);
    let proven = witnesses::draw(epoch, &params, &ranks, &mut said, &mut devices);

    let mut memory = Memory {
        seed: epoch.beacon,
        epoch: Some(epoch.epoch),
        devices,
        buckets: earlier.buckets,
        ..Memory::default()
    };
    known.remember(epoch, &params, &said, &mut memory);
    let mut spoken = vec![None; survey.reports.len()];
    for (place, report) in said.spoken.iter().enumerate() {
        spoken[report.report] = Some(place);
    }
    let mut judged = Judged {
        survey,
        said,
        spoken,
        proven,
        first: Vec::new(),
        memory,
    };
    judged.find_first();
    Ok(judged)
}

/// Each member's memory; a new one for those who were not in the network before.
fn remembered(epoch: &Epoch, earlier: &Memory) -> Vec<DeviceMemory> {
    let mut known = earlier.devices.iter().peekable();
    let mut memory_of = |number| {
        while known.next_if(|device| device.number < number).is_some() {}
        let device = known.next_if(|device| device.number == number);
        device.cloned().unwrap_or_else(|| DeviceMemory {
            number,
            ..DeviceMemory::default()
        })
    };
    epoch.roster.iter().map(|member| memory_of(member.number)).collect()
}

/// What can be said of each beacon and each reception without looking at any other.
fn judge_alone(epoch: &Epoch, params: &Params, places: &Places, said: &mut Said) {
    let Said { spoken, sent, heard } = said;
    for report in spoken.iter() {
        let of_device = judge_station(params, places, report);
        for sent in &mut sent[report.sent.clone()] {
            sent.refuse(said::outside(epoch, sent.beacon.time));
            sent.refuse(ahead(params, sent.beacon.time, report.received));
            sent.refuse(of_device);
        }
        for reception in &mut heard[report.heard.clone()] {
            let heard = reception.heard;
            reception.refuse(said::outside(epoch, heard.time));
            reception.refuse(ahead(params, heard.time, report.received));
            reception.refuse(skewed(params, &heard));
            reception.refuse(late(params, &heard));
            reception.refuse(of_device);
            reception.refuse(unreadable(params, &report.station, &heard));
        }
    }
}

/// What is wrong with the device itself.
fn judge_station(params: &Params, places: &Places, report: &Spoken) -> Option<Refusal> {
    let station = &report.station;
    if !params.has_region(station.region) {
        return Some(Refusal::new(WRONG_REGION, station.region, params.regions));
    }
    let (metres, limit) = places.moved(params, report.row, station.place?);
    said::moved(metres, limit)
}

/// Nothing is heard after it was received.
fn ahead(params: &Params, time: TimeMs, received: TimeMs) -> Option<Refusal> {
    let ahead = time.since_ms(received);
    (ahead > params.clock_ms.into()).then(|| Refusal::new(CLOCK, ahead, params.clock_ms))
}

/// Whoever took a frame says when: that is the time of its reception and how long the device kept it, but for the error of
/// a clock, and but for as long again as it waited in other queues on its way.
fn skewed(params: &Params, heard: &Heard) -> Option<Refusal> {
    let taken = heard.source?.taken?;
    let says = heard.time.plus_ms(heard.held_ms);
    let (early, late) = (says.since_ms(taken), taken.since_ms(says));
    let limit = u64::from(params.clock_ms);
    if early > limit {
        return Some(Refusal::new(CLOCK, early, limit));
    }
    let limit = limit.saturating_add(heard.held_ms);
    (late > limit).then(|| Refusal::new(CLOCK, late, limit))
}

fn late(params: &Params, heard: &Heard) -> Option<Refusal> {
    (heard.held_ms > params.late_ms.into()).then(|| Refusal::new(LATE, heard.held_ms, params.late_ms))
}

/// A reception that nothing in this region can have sent, or nobody read.
fn unreadable(params: &Params, station: &Station, heard: &Heard) -> Option<Refusal> {
    let region = region::by_number(station.region)?;
    let (low, high) = region.band_hz;
    if !(low..=high).contains(&heard.frequency_hz) {
        let limit = if heard.frequency_hz < low { low } else { high };
        return Some(Refusal::new(WRONG_FREQUENCY, heard.frequency_hz, limit));
    }
    match region.rate(heard.rate) {
        None => Some(Refusal::new(WRONG_RATE, heard.rate, region.rates.len())),
        Some(rate) => places::readable(params, heard, rate),
    }
}

/// Packets against where their senders are said to stand.
fn judge_packets(params: &Params, places: &Places, said: &mut Said) {
    let Said { spoken, heard, .. } = said;
    for reception in heard
        .iter_mut()
        .filter(|reception| reception.beacon.is_none() && reception.stands())
    {
        let report = &spoken[reception.spoken];
        let end = places.member(params, reception.row, report);
        let refusal = match reception.heard.source {
            None => Some(Refusal::new(NO_SENDER, 0, 1)),
            Some(_) => places::judge_packet(params, places, &reception.heard, (&end, report)),
        };
        reception.refuse(refusal);
    }
}
