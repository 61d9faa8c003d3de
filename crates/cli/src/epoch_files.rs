//! An epoch as an archive has it: what it was judged by, what was reported, what became of it. Believes what is written there; `cairn
//! audit` is who does not.

use crate::error::{Failure, Kind, OrFail};
use cairn_types::{Envelope, Finding};
use cairn_verifier::archive::{EpochArchive, Inputs, REPORTS, reports};
use cairn_verifier::collector::Sealed;
use cairn_verticals::wireless::report::Body;

pub struct EpochFiles {
    pub inputs: Inputs,
    pub findings: Vec<Finding>,
    /// Sorted by id, as findings are.
    pub reports: Vec<Sealed>,
}

impl EpochFiles {
    pub fn read(archive: &EpochArchive<'_>) -> Result<Self, Failure> {
        let rows = archive.need(REPORTS).or_fail(Kind::Files, "the archive")?;
        let mut reports = reports::read(rows).or_fail(Kind::Files, "the archive's reports")?;
        reports.sort_by_key(|report| report.id);
        Ok(Self {
            inputs: archive.inputs().or_fail(Kind::Files, "the archive")?,
            findings: archive.findings().or_fail(Kind::Files, "the archive")?,
            reports,
        })
    }

    /// What each report of a hotspot says, with its finding.
    pub fn said(&self) -> Result<Vec<(Body, &Finding)>, Failure> {
        let said = |finding| {
            let finding: &Finding = finding;
            let place = self.reports.binary_search_by_key(&finding.report, |report| report.id);
            let report = place.map(|place| &self.reports[place]);
            let report =
                report.map_err(|_| Failure::new(Kind::Files, "the archive has a finding without its report"))?;
            let envelope = Envelope::parse(&report.envelope).or_fail(Kind::Files, "a report of the archive")?;
            let body = Body::decode(&envelope.report.body).or_fail(Kind::Files, "a report of the archive")?;
            Ok((body, finding))
        };
        self.findings.iter().map(said).collect()
    }
}
