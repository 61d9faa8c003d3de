//! Judges a sealed epoch by its vertical: inputs and reports in, findings and memory out. Pure; the auditor calls the same.

use crate::archive::Inputs;
use crate::collector::Sealed;
use crate::roster;
use cairn_types::Envelope;
use cairn_verticals::by_name;
use cairn_verticals::kit::{self, Admitted, Assessment, Member};
use thiserror::Error;

/// An epoch that cannot be judged.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum JudgeError {
    #[error("no vertical is called {0}")]
    Vertical(String),
    #[error(transparent)]
    Assess(#[from] kit::AssessError),
}

/// One finding for every report, and what to remember. `shards` never changes the result.
pub fn judge(inputs: &Inputs, reports: &[Sealed], shards: usize) -> Result<Assessment, JudgeError> {
    let vertical = by_name(&inputs.vertical).ok_or_else(|| JudgeError::Vertical(inputs.vertical.clone()))?;
    let roster = roster::members(&inputs.roster);
    let epoch = epoch(inputs, &roster);
    let admitted: Vec<Admitted> = reports.iter().map(admitted).collect();
    Ok(kit::assess(vertical, &epoch, &admitted, shards)?)
}

/// What the vertical is told of an epoch besides its reports.
pub fn epoch<'a>(inputs: &'a Inputs, roster: &'a [Member]) -> kit::Epoch<'a> {
    kit::Epoch {
        network: inputs.network,
        epoch: inputs.epoch,
        start: inputs.start,
        end: inputs.end,
        params: &inputs.parameters,
        roster,
        memory: &inputs.memory,
        beacon: inputs.beacon.0,
    }
}

fn admitted(report: &Sealed) -> Admitted {
    Admitted {
        id: report.id,
        device: report.device,
        time: report.time,
        received: report.received,
        sequence: report.sequence,
        // An envelope that does not parse is no report; the vertical finds an empty body malformed.
        body: Envelope::parse(&report.envelope)
            .map(|envelope| envelope.report.body)
            .unwrap_or_default(),
    }
}
