//! The loop that judges an epoch: survey the shards, merge, judge, one finding for every report. It knows no rule.

use super::survey::Survey;
use super::vertical::{Admitted, AssessInputError, BODY_BYTES_MAX, Epoch, NOT_A_MEMBER, Vertical};
use cairn_types::{Finding, ReportId};
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

/// Judges all reports of an epoch. `shards` says in how many parts they are surveyed; it never changes the result.
pub fn assess(
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
    let survey = survey(vertical, epoch, reports, shards);
    let judgement = vertical.judge(epoch, &survey)?;
    let mut findings: Vec<Finding> = (0..survey.reports.len())
        .map(|report| judgement.finding(report))
        .collect();
    findings.sort_unstable_by_key(|finding| finding.report);
    if let Some(twice) = findings.windows(2).find(|pair| pair[0].report == pair[1].report) {
        return Err(AssessError::Twice(twice[0].report));
    }
    Ok(Assessment {
        findings,
        memory: judgement.memory(),
    })
}

/// The settled survey of all reports, made in so many parts; reports of strangers are marked.
fn survey(vertical: &dyn Vertical, epoch: &Epoch, reports: &[Admitted], shards: usize) -> Survey {
    let mut whole = Survey::default();
    for shard in reports.chunks(reports.len().div_ceil(shards.max(1)).max(1)) {
        whole.merge(vertical.survey(shard));
    }
    whole.settle();
    let mut members = epoch.roster.iter().peekable();
    for report in &mut whole.reports {
        while members.next_if(|member| member.number < report.device).is_some() {}
        if members.peek().is_none_or(|member| member.number != report.device) {
            report.fault = Some(NOT_A_MEMBER);
        }
    }
    whole
}
