//! The reasons that are the same in every network: their numbers for ever, what they are called and what people read. It
//! knows no vertical's own.

use super::vertical::Vertical;
use cairn_types::Reason;

/// A vertical's own reasons have this number or a larger one.
pub const OWN_FROM: Reason = Reason(100);

pub const NOT_A_MEMBER: Reason = Reason(1);
pub const MALFORMED: Reason = Reason(2);
pub const EQUIVOCATED: Reason = Reason(3);
pub const BARRED: Reason = Reason(4);
pub const EXCLUDED: Reason = Reason(5);
pub const REDUCED: Reason = Reason(6);

/// The quantity of a run that is about the device and not about readings: its exclusion, its bar, its reputation.
pub const STANDING: u16 = u16::MAX;

/// A reason for people: what it is called, what it means, and in which unit `measured` and `limit` of a span are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReasonText {
    pub reason: Reason,
    pub name: &'static str,
    pub sentence: &'static str,
    pub unit: &'static str,
    /// What an epoch refused for it weighs against the device's reputation, in percent of an epoch that is believed;
    /// 0: it is nobody's fault.
    pub blame: u16,
    /// What its operator can do about it, in sentences; empty where nothing is to be done.
    pub mend: &'static str,
}

impl ReasonText {
    pub(crate) const fn new(
        reason: Reason,
        name: &'static str,
        sentence: &'static str,
        unit: &'static str,
        blame: u16,
    ) -> Self {
        Self {
            reason,
            name,
            sentence,
            unit,
            blame,
            mend: "",
        }
    }

    pub(crate) const fn mend(mut self, mend: &'static str) -> Self {
        self.mend = mend;
        self
    }
}

/// The unit of reputations.
pub const OF_TEN_THOUSAND: &str = "of 10000";

/// Why a report is answered alike in every network.
pub const REASONS: &[ReasonText] = &[
    ReasonText {
        reason: NOT_A_MEMBER,
        name: "not_a_member",
        sentence: "the device is not in the network in this epoch",
        unit: "",
        blame: 0,
        mend: "",
    },
    ReasonText {
        reason: MALFORMED,
        name: "malformed",
        sentence: "the body is not in the one form of this kind of network",
        unit: "",
        blame: 100,
        mend: "Bring its agent up to date; another program must send the form that the network names.",
    },
    ReasonText {
        reason: EQUIVOCATED,
        name: "equivocation",
        sentence: "the device signed different reports under one sequence number; none of them is believed",
        unit: "reports of that number",
        blame: 10_000,
        mend: "Make sure that only one program holds its key: a copy of a memory card is a second device.",
    },
    ReasonText {
        reason: BARRED,
        name: "barred",
        sentence: "the ledger bars the device, on proof that it signed two reports under one sequence number",
        unit: "epoch",
        blame: 0,
        mend: "Make sure that only one program holds its key, and wait until the bar is over.",
    },
    ReasonText {
        reason: EXCLUDED,
        name: "excluded",
        sentence: "too much of what the device said lately was refused: it is excluded for a time, and can come back",
        unit: OF_TEN_THOUSAND,
        blame: 0,
        mend: "Mend what was refused and let it run on: what is believed counts for its return.",
    },
    ReasonText {
        reason: REDUCED,
        name: "reduced",
        sentence: "much of what the device said lately was refused: it earns less until more of it is believed",
        unit: OF_TEN_THOUSAND,
        blame: 0,
        mend: "Mend what was refused: each epoch that is believed brings the full pay nearer.",
    },
];

/// What people are told of a reason that the vertical or the kit gives.
pub fn text(vertical: &dyn Vertical, reason: Reason) -> Option<&'static ReasonText> {
    let own: &'static [ReasonText] = vertical.reasons();
    own.iter().chain(REASONS).find(|text| text.reason == reason)
}
