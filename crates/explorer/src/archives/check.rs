//! What of an archive is believed: what has the roots that are on the ledger. Pure but for reading the archive.

use cairn_ledger::records::{Roots, Settlement};
use cairn_types::{CellId, DeviceNumber, Envelope, Finding, PayoutLeaf, Span, finding, merkle};
use cairn_verifier::archive::{ArchiveError, EpochArchive, FILES, FileEntry, Inputs, REPORTS, reports};
use cairn_verifier::attest::archive_root;
use cairn_verifier::collector::Sealed;
use cairn_verticals::kit::Reading;
use std::collections::BTreeMap;

/// An epoch as it was attested.
pub struct Believed {
    pub inputs: Inputs,
    pub findings: Vec<Finding>,
    /// Accepted readings by cell and quantity, as count, median, lowest and highest; none where no archive gave the reports.
    pub cells: BTreeMap<(CellId, u16), Values>,
    /// Lengths and hashes of the files, as the verifier that gave them says; none where it says nothing.
    pub files: Vec<FileEntry>,
}

/// What was measured of one quantity in one cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values {
    pub count: u64,
    pub median: i64,
    pub lowest: i64,
    pub highest: i64,
}

/// Why an archive is not believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disbelieved {
    NotThere(String),
    /// It is there, and not what was attested.
    Differs(&'static str),
}

impl From<ArchiveError> for Disbelieved {
    fn from(error: ArchiveError) -> Self {
        match error {
            ArchiveError::Store(error) => Self::NotThere(error.to_string()),
            ArchiveError::File { what, .. } if what == "is not there" => Self::NotThere(what),
            ArchiveError::File { .. } => Self::Differs("a file that cannot be read"),
        }
    }
}

/// Reads an epoch and holds it against the ledger's roots.
pub fn believe(archive: &EpochArchive<'_>, roots: &Roots, settlement: &Settlement) -> Result<Believed, Disbelieved> {
    let findings = archive.findings()?;
    if finding::root(&findings) != roots.findings {
        return Err(Disbelieved::Differs("findings"));
    }
    let inputs = archive.inputs()?;
    if inputs.hash() != roots.inputs {
        return Err(Disbelieved::Differs("inputs"));
    }
    let leaves = archive.payouts()?;
    if merkle::root(leaves.iter().map(PayoutLeaf::hash).collect()) != settlement.payouts {
        return Err(Disbelieved::Differs("payouts"));
    }
    // Findings stand without the reports; what was measured in the cells is then not known.
    let cells = match sealed_reports(archive, roots) {
        Ok(reports) => cells(&inputs, &findings, &reports),
        Err(Disbelieved::NotThere(_)) => BTreeMap::new(),
        Err(differs) => return Err(differs),
    };
    Ok(Believed {
        inputs,
        findings,
        cells,
        files: files(archive),
    })
}

/// What the manifest says of the files there are: a verifier's word, of which nothing that is believed depends.
fn files(archive: &EpochArchive<'_>) -> Vec<FileEntry> {
    let manifest = archive.manifest().ok().flatten();
    let told = manifest.map(|manifest| manifest.files).unwrap_or_default();
    let known = FILES
        .iter()
        .filter_map(|name| told.iter().find(|file| file.name == **name));
    known.cloned().collect()
}

/// The reports of an epoch, if their ids have the root on the ledger and each is what its id says.
pub fn sealed_reports(archive: &EpochArchive<'_>, roots: &Roots) -> Result<Vec<Sealed>, Disbelieved> {
    let mut rows = reports::read(archive.need(REPORTS)?).map_err(|_| Disbelieved::Differs("reports"))?;
    rows.sort_by_key(|row| row.id);
    if archive_root(&rows) != roots.archive {
        return Err(Disbelieved::Differs("reports"));
    }
    let is_own = |row: &Sealed| Envelope::parse(&row.envelope).is_ok_and(|envelope| envelope.id() == row.id);
    match rows.iter().all(is_own) {
        true => Ok(rows),
        false => Err(Disbelieved::Differs("reports")),
    }
}

/// What a report says: its readings, as the vertical reads them; none where it cannot.
pub fn readings(vertical: &str, row: &Sealed) -> Vec<Reading> {
    let mut readings = Vec::new();
    let Some(vertical) = cairn_verticals::by_name(vertical) else {
        return readings;
    };
    if let Ok(envelope) = Envelope::parse(&row.envelope) {
        // What is not a body of this kind has a finding that says so.
        let _ = vertical.read_body(&envelope.report.body, &mut readings);
    }
    readings
}

/// Whether a reading was believed: no run of its quantity around it was refused, and the report earned.
pub fn is_accepted(finding: &Finding, reading: &Reading) -> bool {
    let around =
        |span: &&Span| span.quantity == reading.quantity && span.start <= reading.time && reading.time < span.end;
    finding.spans.iter().filter(around).all(|span| span.reason.is_none()) && finding.reason.is_none()
}

fn cells(inputs: &Inputs, findings: &[Finding], reports: &[Sealed]) -> BTreeMap<(CellId, u16), Values> {
    let of_device: BTreeMap<DeviceNumber, CellId> = inputs
        .roster
        .iter()
        .map(|member| (member.number, member.cell))
        .collect();
    let mut values: BTreeMap<(CellId, u16), Vec<i64>> = BTreeMap::new();
    // Both are sorted by report.
    for (finding, report) in findings
        .iter()
        .zip(reports)
        .filter(|(one, other)| one.report == other.id)
    {
        let Some(cell) = of_device.get(&finding.device) else {
            continue;
        };
        for reading in readings(&inputs.vertical, report) {
            if is_accepted(finding, &reading) {
                values.entry((*cell, reading.quantity)).or_default().push(reading.value);
            }
        }
    }
    let sum_up = |mut values: Vec<i64>| {
        values.sort_unstable();
        Values {
            count: values.len() as u64,
            median: values[(values.len() - 1) / 2],
            lowest: values[0],
            highest: values[values.len() - 1],
        }
    };
    values
        .into_iter()
        .map(|(place, values)| (place, sum_up(values)))
        .collect()
}
