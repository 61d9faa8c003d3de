//! The loop that judges an epoch: survey the shards, merge, mark what nobody can judge, judge, one finding for every report,
//! paid by its device's reputation. It knows no rule of a vertical.

use super::memory::Memory;
use super::reasons::{BARRED, EQUIVOCATED, NOT_A_MEMBER, STANDING};
use super::reputation::Rules;
use super::reputation::apply::apply;
use super::reputation::outcome::Blames;
use super::reputation::record::Record;
use super::survey::{Fault, Survey, Surveyed};
use super::vertical::{Admitted, AssessInputError, BODY_BYTES_MAX, Epoch, MemoryError, Vertical};
use cairn_types::{EpochNumber, Finding, ReportId, Span};
use thiserror::Error;

/// The largest number of bytes in the bodies of one assessed epoch. A reading takes at least two of them, so places
/// of readings fit 32 bits.
pub const EPOCH_BYTES_MAX: u64 = 4 << 30;

/// What an epoch came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assessment {
    /// One for every report, sorted by report id.
    pub findings: Vec<Finding>,
    /// The next epoch's `memory`.
    pub memory: Vec<u8>,
}

/// Inputs that no archive of an honest verifier holds.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AssessError {
    #[error(transparent)]
    Input(#[from] AssessInputError),
    #[error("the roster is not sorted by device number, each once")]
    Roster,
    #[error("report {0} is there twice")]
    Twice(ReportId),
    #[error("more than {EPOCH_BYTES_MAX} bytes of reports in one epoch")]
    TooMuch,
}

impl From<MemoryError> for AssessError {
    fn from(error: MemoryError) -> Self {
        Self::Input(error.into())
    }
}

/// Judges all reports of an epoch. `shards` says in how many parts they are surveyed; it never changes the result.
pub fn assess(
    vertical: &dyn Vertical,
    epoch: &Epoch,
    reports: &[Admitted],
    shards: usize,
) -> Result<Assessment, AssessError> {
    let rules = vertical.reputation(epoch.params).map_err(AssessInputError::from)?;
    assess_by(&rules, vertical, epoch, reports, shards)
}

/// With reputation counted by these rules.
pub(super) fn assess_by(
    rules: &Rules,
    vertical: &dyn Vertical,
    epoch: &Epoch,
    reports: &[Admitted],
    shards: usize,
) -> Result<Assessment, AssessError> {
    if !epoch.roster.is_sorted_by(|one, next| one.number < next.number) {
        return Err(AssessError::Roster);
    }
    if reports
        .iter()
        .map(|report| report.body.len().min(BODY_BYTES_MAX) as u64)
        .sum::<u64>()
        > EPOCH_BYTES_MAX
    {
        return Err(AssessError::TooMuch);
    }
    let memory = Memory::decode(epoch.memory)?;
    let mut survey = survey(vertical, reports, shards);
    mark(&mut survey, epoch, &memory.records);
    let own = Epoch {
        memory: memory.vertical,
        ..*epoch
    };
    let judgement = vertical.judge(&own, &survey)?;
    let finding = |(place, report): (usize, &Surveyed)| match report.fault {
        Some(fault) => refused(epoch, report, fault),
        None => judgement.finding(place),
    };
    let mut findings: Vec<Finding> = survey.reports.iter().enumerate().map(finding).collect();
    let records = apply(epoch, rules, &Blames::of(vertical), memory.records, &mut findings);
    findings.sort_unstable_by_key(|finding| finding.report);
    if let Some(twice) = findings.windows(2).find(|pair| pair[0].report == pair[1].report) {
        return Err(AssessError::Twice(twice[0].report));
    }
    let vertical = judgement.memory();
    let memory = Memory {
        records,
        vertical: &vertical,
    };
    Ok(Assessment {
        findings,
        memory: memory.encode(),
    })
}

/// The settled survey of all reports, made in so many parts.
fn survey(vertical: &dyn Vertical, reports: &[Admitted], shards: usize) -> Survey {
    let mut whole = Survey::default();
    for shard in reports.chunks(reports.len().div_ceil(shards.max(1)).max(1)) {
        whole.merge(vertical.survey(shard));
    }
    whole.settle();
    whole
}

/// Marks the reports that nobody can judge, and those of excluded devices. A report that several verifiers bring is one; two
/// of one device that share a sequence number are two words where it gave its word once.
fn mark(survey: &mut Survey, epoch: &Epoch, records: &[Record]) {
    let mut members = epoch.roster.iter().peekable();
    let mut records = records.iter().peekable();
    for same in survey.reports.chunk_by_mut(is_same_number) {
        let device = same[0].device;
        while members.next_if(|member| member.number < device).is_some() {}
        while records.next_if(|record| record.number < device).is_some() {}
        let member = members.peek().filter(|member| member.number == device);
        let record = records.peek().filter(|record| record.number == device);
        let fault = match member {
            None => Some(Fault::of(NOT_A_MEMBER)),
            Some(member) => barred(epoch.epoch, member.barred_until).or_else(|| equivocated(same.len())),
        };
        for report in same {
            report.fault = fault.or(report.fault);
            report.excluded = record.is_some_and(|record| record.exclusion_in(epoch.epoch).is_some());
        }
    }
}

fn is_same_number(one: &Surveyed, next: &Surveyed) -> bool {
    (one.device, one.sequence) == (next.device, next.sequence)
}

fn barred(now: EpochNumber, until: Option<EpochNumber>) -> Option<Fault> {
    let until = until.filter(|until| now < *until)?;
    let number = |epoch: EpochNumber| i64::try_from(epoch.0).unwrap_or(i64::MAX);
    Some(Fault {
        reason: BARRED,
        measured: number(now),
        limit: number(until),
    })
}

fn equivocated(reports: usize) -> Option<Fault> {
    let several = (reports > 1).then_some(reports)?;
    Some(Fault {
        reason: EQUIVOCATED,
        measured: i64::try_from(several).unwrap_or(i64::MAX),
        limit: 1,
    })
}

/// The finding of a report that nobody can judge. Where something was measured, one run says so, as long as it lasts.
fn refused(epoch: &Epoch, report: &Surveyed, fault: Fault) -> Finding {
    let epochs = match fault.reason {
        BARRED => fault.limit.abs_diff(fault.measured),
        _ => 1,
    };
    let length = epoch.end.since_ms(epoch.start);
    let run = Span {
        start: epoch.start,
        end: epoch.start.plus_ms(length.saturating_mul(epochs)),
        quantity: STANDING,
        reason: Some(fault.reason),
        measured: fault.measured,
        limit: fault.limit,
    };
    Finding {
        report: report.id,
        device: report.device,
        units: 0,
        reason: Some(fault.reason),
        spans: if fault.limit == 0 { Vec::new() } else { vec![run] },
    }
}
