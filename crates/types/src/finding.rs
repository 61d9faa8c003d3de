//! What judging a report came to: units, or one reason; and run by run what was measured against which limit.

use crate::hash::Hash;
use crate::ids::{DeviceNumber, ReportId};
use crate::time::TimeMs;
use crate::{codec, merkle};
use minicbor::{CborLen, Decode, Encode};

/// Why something is not paid: a code for machines. The vertical's `reasons()` give it a name, a sentence and units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, CborLen)]
#[cbor(transparent)]
pub struct Reason(#[n(0)] pub u16);

/// One run of readings judged alike: `start` to before `end`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Span {
    #[n(0)]
    pub start: TimeMs,
    #[n(1)]
    pub end: TimeMs,
    /// Which of the vertical's quantities.
    #[n(2)]
    pub quantity: u16,
    /// `None`: accepted.
    #[n(3)]
    pub reason: Option<Reason>,
    /// What was measured and the limit it is held against, in the unit the reason names.
    #[n(4)]
    pub measured: i64,
    #[n(5)]
    pub limit: i64,
}

/// The answer to one report.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(array)]
pub struct Finding {
    #[n(0)]
    pub report: ReportId,
    #[n(1)]
    pub device: DeviceNumber,
    /// Micro-units earned: 1,000,000 are one unit of the vertical.
    #[n(2)]
    pub units: u64,
    /// Set if and only if no unit was earned.
    #[n(3)]
    pub reason: Option<Reason>,
    #[n(4)]
    pub spans: Vec<Span>,
}

/// The root over the findings of an epoch, in the order given (sorted by report id).
pub fn root(findings: &[Finding]) -> Hash {
    merkle::root(
        findings
            .iter()
            .map(|finding| merkle::leaf(&codec::encode(finding)))
            .collect(),
    )
}
