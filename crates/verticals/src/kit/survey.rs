//! The mergeable summary of an epoch: who said what, in one order. It judges nothing.
//!
//! Surveys of shards merge in any order; `settle` then puts reports in the order of device, sequence and id, so that the
//! bytes are those of a survey of everything at once.

use super::reasons::MALFORMED;
use super::vertical::{Admitted, BodyError};
use cairn_types::{DeviceNumber, Reason, ReportId, TimeMs};
use minicbor::{Decode, Encode};

/// One reading: a value of one quantity at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Reading {
    #[n(0)]
    pub quantity: u16,
    #[n(1)]
    pub time: TimeMs,
    /// In the quantity's fixed unit.
    #[n(2)]
    pub value: i64,
}

/// Why nothing in a report can be judged, with what was measured and the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Fault {
    #[n(0)]
    pub reason: Reason,
    #[n(1)]
    pub measured: i64,
    #[n(2)]
    pub limit: i64,
}

impl Fault {
    pub fn of(reason: Reason) -> Self {
        Self {
            reason,
            measured: 0,
            limit: 0,
        }
    }
}

/// One report, and where its readings stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Surveyed {
    #[n(0)]
    pub device: DeviceNumber,
    #[n(1)]
    pub sequence: u64,
    #[n(2)]
    pub id: ReportId,
    #[n(3)]
    pub time: TimeMs,
    #[n(4)]
    pub received: TimeMs,
    /// Set when nothing in the report can be judged.
    #[n(5)]
    pub fault: Option<Fault>,
    /// The device is excluded: it is judged, so that it can come back, but it is no witness and takes no share of a place.
    #[n(6)]
    pub excluded: bool,
    #[n(7)]
    first: u32,
    #[n(8)]
    count: u32,
}

impl Surveyed {
    /// The places of its readings.
    pub fn span(&self) -> std::ops::Range<usize> {
        self.first as usize..(self.first + self.count) as usize
    }
}

/// Reports and all their readings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Survey {
    #[n(0)]
    pub reports: Vec<Surveyed>,
    #[n(1)]
    pub readings: Vec<Reading>,
}

impl Survey {
    /// Reads every report's body with `read`, which appends what the body says.
    pub fn of(reports: &[Admitted], read: impl Fn(&[u8], &mut Vec<Reading>) -> Result<(), BodyError>) -> Self {
        let mut survey = Self {
            reports: Vec::with_capacity(reports.len()),
            readings: Vec::new(),
        };
        for report in reports {
            let first = survey.readings.len();
            let fault = read(&report.body, &mut survey.readings)
                .err()
                .map(|_| Fault::of(MALFORMED));
            survey
                .readings
                .truncate(if fault.is_some() { first } else { survey.readings.len() });
            survey.reports.push(Surveyed {
                device: report.device,
                sequence: report.sequence,
                id: report.id,
                time: report.time,
                received: report.received,
                fault,
                excluded: false,
                first: place(first),
                count: place(survey.readings.len() - first),
            });
        }
        survey
    }

    /// Adds the survey of other reports.
    pub fn merge(&mut self, other: Self) {
        let offset = place(self.readings.len());
        place(self.readings.len() + other.readings.len());
        self.readings.extend(other.readings);
        self.reports.extend(other.reports.into_iter().map(|report| Surveyed {
            first: report.first + offset,
            ..report
        }));
    }

    /// Puts everything in its one order.
    pub fn settle(&mut self) {
        self.reports
            .sort_unstable_by_key(|report| (report.device, report.sequence, report.id));
        let mut readings = Vec::with_capacity(self.readings.len());
        for report in &mut self.reports {
            let span = report.span();
            report.first = place(readings.len());
            readings.extend_from_slice(&self.readings[span]);
        }
        self.readings = readings;
    }
}

fn place(index: usize) -> u32 {
    index
        .try_into()
        .expect("assess refuses an epoch with more readings than 32 bits count")
}
