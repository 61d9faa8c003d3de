//! Where another verifier's attested result is another than ours: in which fields, and at which finding first. For people; what it
//! means is for the ledger, or a dispute, to decide. Pure.

use crate::audit::compare::first_difference;
use cairn_types::{AccountId, EpochResult, Finding, Hash};
use minicbor::{CborLen, Decode, Encode};

/// Another verifier that says something else.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Differs {
    #[n(0)]
    pub verifier: AccountId,
    /// Hashes of the results.
    #[n(1)]
    pub ours: Hash,
    #[n(2)]
    pub theirs: Hash,
    /// Fields of the result in which they differ, in their order.
    #[n(3)]
    pub fields: Vec<String>,
    /// Set once its findings could be read, where they differ.
    #[n(4)]
    pub first: Option<FindingDiffers>,
}

/// The first finding that differs, in the order of report ids.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct FindingDiffers {
    #[n(0)]
    pub row: u64,
    /// The report as hexadecimal digits, of ours or, past their end, of theirs.
    #[n(1)]
    pub report: String,
    #[n(2)]
    pub field: String,
    #[n(3)]
    pub ours: String,
    #[n(4)]
    pub theirs: String,
}

/// The fields in which results differ.
pub fn fields(ours: &EpochResult, theirs: &EpochResult) -> Vec<String> {
    let differ = [
        ("inputs", ours.inputs != theirs.inputs),
        ("archive", ours.archive != theirs.archive),
        ("findings", ours.findings != theirs.findings),
        ("memory", ours.memory != theirs.memory),
        ("payouts", ours.payouts != theirs.payouts),
        ("leaves", ours.leaves != theirs.leaves),
        ("totals", ours.totals != theirs.totals),
        ("anchors", ours.anchors != theirs.anchors),
        ("previous", ours.previous != theirs.previous),
    ];
    let differing = differ.into_iter().filter(|(_, differ)| *differ);
    differing.map(|(name, _)| name.to_owned()).collect()
}

/// The first finding that differs; `None` when none does.
pub fn first_finding(ours: &[Finding], theirs: &[Finding]) -> Option<FindingDiffers> {
    for (row, (our, their)) in ours.iter().zip(theirs).enumerate() {
        if let Some(found) = first_difference(our, their) {
            return Some(FindingDiffers {
                row: row as u64,
                report: our.report.to_string(),
                field: found.field,
                ours: found.left,
                theirs: found.right,
            });
        }
    }
    let row = ours.len().min(theirs.len());
    let longer = if ours.len() > row { ours } else { theirs };
    let there = |findings: &[Finding]| if findings.len() > row { "there" } else { "not there" };
    longer.get(row).map(|finding| FindingDiffers {
        row: row as u64,
        report: finding.report.to_string(),
        field: "report".to_owned(),
        ours: there(ours).to_owned(),
        theirs: there(theirs).to_owned(),
    })
}
