//! What the reports of an epoch say, taken out of the survey's readings into beacons and receptions. It judges nothing.

use super::reasons::{MOVED, OUTSIDE_EPOCH};
use crate::kit::{Epoch, Reading, Survey, Surveyed};
use crate::wireless::report::*;
use cairn_types::{CellId, Reason, TimeMs};
use std::ops::Range;

/// Why something is not believed, with what was measured and the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reason: Reason,
    pub measured: i64,
    pub limit: i64,
}

impl Refusal {
    pub fn new(reason: Reason, measured: impl TryInto<i64>, limit: impl TryInto<i64>) -> Self {
        Self {
            reason,
            measured: measured.try_into().unwrap_or(i64::MAX),
            limit: limit.try_into().unwrap_or(i64::MAX),
        }
    }
}

/// A report that can be judged.
#[derive(Clone, Debug)]
pub struct Spoken {
    /// Its place in the survey.
    pub report: usize,
    /// Its device's place in the roster.
    pub row: usize,
    pub received: TimeMs,
    pub excluded: bool,
    pub station: Station,
    pub sent: Range<usize>,
    pub heard: Range<usize>,
}

/// A beacon and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    pub spoken: usize,
    pub row: usize,
    pub beacon: Beacon,
    pub refusal: Option<Refusal>,
}

/// A reception and what became of it.
#[derive(Clone, Copy, Debug)]
pub struct Reception {
    pub spoken: usize,
    pub row: usize,
    pub heard: Heard,
    /// The beacon it is of.
    pub beacon: Option<usize>,
    /// Of a reference's frame: whether it counts as coverage.
    pub proves: bool,
    pub refusal: Option<Refusal>,
}

/// Everything said in an epoch, in the order of the survey.
#[derive(Clone, Debug, Default)]
pub struct Said {
    pub spoken: Vec<Spoken>,
    pub sent: Vec<Sent>,
    pub heard: Vec<Reception>,
}

impl Sent {
    pub fn refuse(&mut self, refusal: Option<Refusal>) {
        self.refusal = self.refusal.or(refusal);
    }
}

impl Reception {
    /// The first refusal stands.
    pub fn refuse(&mut self, refusal: Option<Refusal>) {
        self.refusal = self.refusal.or(refusal);
    }

    pub fn stands(&self) -> bool {
        self.refusal.is_none()
    }
}

impl Said {
    pub fn of(epoch: &Epoch, survey: &Survey) -> Self {
        let mut said = Self::default();
        let mut members = (0..).zip(epoch.roster).peekable();
        for (place, report) in survey.reports.iter().enumerate() {
            while members.next_if(|(_, member)| member.number < report.device).is_some() {}
            let member = members.peek().filter(|(_, member)| member.number == report.device);
            let Some((row, _)) = member.filter(|_| report.fault.is_none()) else {
                continue;
            };
            said.add(place, *row, report, &survey.readings[report.span()]);
        }
        said
    }

    fn add(&mut self, report: usize, row: usize, surveyed: &Surveyed, readings: &[Reading]) {
        let (spoken, sent, heard) = (self.spoken.len(), self.sent.len(), self.heard.len());
        let begins = |reading: &Reading| matches!(reading.quantity, BEACON | HEARD);
        let first = readings.iter().position(begins).unwrap_or(readings.len());
        let station = station(&readings[..first]);
        for run in readings[first..].chunk_by(|_, next| !begins(next)) {
            if run[0].quantity == BEACON {
                self.sent.push(Sent {
                    spoken,
                    row,
                    beacon: beacon(run),
                    refusal: None,
                });
            } else {
                self.heard.push(Reception {
                    spoken,
                    row,
                    heard: reception(run),
                    beacon: None,
                    proves: false,
                    refusal: None,
                });
            }
        }
        self.spoken.push(Spoken {
            report,
            row,
            received: surveyed.received,
            excluded: surveyed.excluded,
            station,
            sent: sent..self.sent.len(),
            heard: heard..self.heard.len(),
        });
    }
}

/// The value of a quantity in a run, narrowed; a body's values always fit.
fn get<T: TryFrom<i64>>(run: &[Reading], quantity: u16) -> Option<T> {
    let reading = run.iter().find(|reading| reading.quantity == quantity)?;
    T::try_from(reading.value).ok()
}

fn cell(run: &[Reading], quantity: u16) -> Option<CellId> {
    get::<i64>(run, quantity).and_then(|value| CellId::new(value.cast_unsigned()).ok())
}

fn station(run: &[Reading]) -> Station {
    Station {
        region: get(run, REGION).unwrap_or(u8::MAX),
        place: cell(run, PLACE),
        height_m: get(run, HEIGHT),
        gain_ddbi: get(run, GAIN),
    }
}

fn beacon(run: &[Reading]) -> Beacon {
    Beacon {
        time: run[0].time,
        nonce: run[0].value.cast_unsigned(),
        frequency_hz: get(run, FREQUENCY).unwrap_or(0),
        rate: get(run, RATE).unwrap_or(u8::MAX),
        power_ddbm: get(run, POWER).unwrap_or(i16::MAX),
    }
}

fn reception(run: &[Reading]) -> Heard {
    let mut heard = Heard {
        time: run[0].time,
        frame: run[0].value.cast_unsigned(),
        frequency_hz: 0,
        rate: u8::MAX,
        rssi_ddbm: 0,
        snr_ddb: 0,
        held_ms: 0,
        size: 0,
        source: None,
    };
    // One pass: an epoch has millions of these.
    let mut source = Source {
        id: 0,
        counter: None,
        place: None,
        height_m: None,
        power_ddbm: None,
        range_m: None,
        taken: None,
    };
    let mut named = false;
    for reading in &run[1..] {
        let value = reading.value;
        match reading.quantity {
            FREQUENCY => heard.frequency_hz = value.try_into().unwrap_or(0),
            RATE => heard.rate = value.try_into().unwrap_or(u8::MAX),
            RSSI => heard.rssi_ddbm = value.try_into().unwrap_or(0),
            SNR => heard.snr_ddb = value.try_into().unwrap_or(0),
            HELD => heard.held_ms = value.cast_unsigned(),
            SIZE => heard.size = value.try_into().unwrap_or(0),
            SOURCE => (source.id, named) = (value.cast_unsigned(), true),
            COUNTER => source.counter = value.try_into().ok(),
            SOURCE_PLACE => source.place = CellId::new(value.cast_unsigned()).ok(),
            SOURCE_HEIGHT => source.height_m = value.try_into().ok(),
            SOURCE_POWER => source.power_ddbm = value.try_into().ok(),
            RANGE => source.range_m = value.try_into().ok(),
            TAKEN => source.taken = Some(TimeMs(value.cast_unsigned())),
            _ => {}
        }
    }
    heard.source = named.then_some(source);
    heard
}

/// A time that is not of the epoch.
pub fn outside(epoch: &Epoch, time: TimeMs) -> Option<Refusal> {
    if time < epoch.start {
        let before = i64::try_from(epoch.start.since_ms(time)).unwrap_or(i64::MAX);
        return Some(Refusal::new(OUTSIDE_EPOCH, before.saturating_neg(), 0));
    }
    (time >= epoch.end).then(|| Refusal::new(OUTSIDE_EPOCH, time.since_ms(epoch.end), 0))
}

/// A place the device says it is at that is not the one it is registered at.
pub fn moved(metres: u64, limit: u64) -> Option<Refusal> {
    (metres > limit).then(|| Refusal::new(MOVED, metres, limit))
}
