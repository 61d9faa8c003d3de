//! The questions every vertical answers, and the values that pass between it and the rest. It decides nothing itself.
//!
//! ```text
//! port bytes ─▶ driver ─▶ body ═(signed, sent, admitted)═▶ survey ─▶ judge ─▶ findings, memory
//!                                       member, finding ─▶ offer ─▶ (order of this shape) ─▶ meter ─▶ bill
//! ```

use super::cast::Cast;
use super::query::{Bill, Offer};
use super::reasons::ReasonText;
use super::reputation::Rules;
use super::survey::{Reading, Survey};
use cairn_types::{AccountNumber, CellId, DeviceId, DeviceNumber, EpochClock, EpochNumber, Finding, NetworkId};
use cairn_types::{ReportId, TimeMs};
use thiserror::Error;

/// The longest body any vertical reads, in bytes; an envelope around it still fits.
pub const BODY_BYTES_MAX: usize = 12 * 1024;

/// The longest parameters any vertical reads, in bytes: what the ledger stores for a network.
pub const PARAMS_BYTES_MAX: usize = 1024;

/// The number of micro-units in one unit.
pub const MICRO_UNITS: u64 = 1_000_000;

/// A device of a network in an epoch. Numbers rise in the order of registration, so the smaller one was there first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    pub number: DeviceNumber,
    pub device: DeviceId,
    pub operator: AccountNumber,
    pub cell: CellId,
    pub joined: EpochNumber,
    /// The first epoch in which its reports are judged again, where the ledger bars it.
    pub barred_until: Option<EpochNumber>,
}

/// A report of which admission proved who signed it, that it is new, and that the device is in the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    pub id: ReportId,
    pub device: DeviceNumber,
    /// When the device made it, by its own clock.
    pub time: TimeMs,
    /// When the verifier had it on disk.
    pub received: TimeMs,
    pub sequence: u64,
    pub body: Vec<u8>,
}

/// What is fixed about an epoch before its reports are judged. `start` belongs to it, `end` does not.
#[derive(Clone, Copy, Debug)]
pub struct Epoch<'a> {
    pub network: NetworkId,
    pub epoch: EpochNumber,
    pub start: TimeMs,
    pub end: TimeMs,
    /// The network's parameters, as the ledger has them.
    pub params: &'a [u8],
    /// Sorted by number, each number once.
    pub roster: &'a [Member],
    /// What judging the epoch before gave to remember; empty for the first.
    pub memory: &'a [u8],
    pub beacon: [u8; 32],
}

/// A quantity for people: a value `v` reads as `v / 10^decimals` of `unit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuantityText {
    pub quantity: u16,
    pub name: &'static str,
    pub unit: &'static str,
    pub decimals: u8,
    /// What it is.
    pub sentence: &'static str,
    pub draw: Draw,
}

/// How a device's readings of a quantity are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// A state, read now and then.
    Line,
    /// Sums, each over the time since the one before.
    Bars,
    /// Each for itself.
    Points,
    /// That it happened, and whether it was believed; its value says nothing to people.
    Events,
    /// Not at all.
    No,
}

/// How a network of this kind is sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Query,
    Stream,
    Lease,
    Task,
    Trade,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ParamsError {
    #[error("not the parameters of this kind of network: {0}")]
    Malformed(String),
    #[error("{name} is {value}; it must be {min} to {max}")]
    OutOfBounds {
        name: &'static str,
        value: i64,
        min: i64,
        max: i64,
    },
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BodyError {
    #[error("a body has at most {BODY_BYTES_MAX} bytes")]
    TooLong,
    #[error("not a body of this kind of network: {0}")]
    Malformed(&'static str),
    #[error("a body in another than its one form")]
    NotCanonical,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DriverError {
    #[error("the port gave more bytes than a message may have")]
    TooLong,
    #[error("not a message of a device of this kind: {0}")]
    Malformed(&'static str),
    #[error("no quantity is called so or has this unit: {0}")]
    Unknown(String),
    #[error("too many readings wait; take the packs first")]
    Full,
}

#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("not the memory of this kind of network: {0}")]
pub struct MemoryError(pub String);

/// The body of a report to be signed. Its report must carry `time`, so that both fall into the same epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    pub time: TimeMs,
    pub body: Vec<u8>,
}

/// Turns what one device's port gives into bodies. It keeps a bounded number of readings and no clock.
pub trait Driver: Send {
    /// Takes one message of the port; says how many readings were in it. `now` dates readings that carry no time.
    fn push(&mut self, message: &[u8], now: TimeMs) -> Result<usize, DriverError>;

    /// Bodies for all epochs that end at or before `until`, oldest first; `TimeMs(u64::MAX)` gives everything.
    fn packs(&mut self, until: TimeMs) -> Vec<Pack>;
}

/// A judged epoch, asked report by report.
pub trait Judgement {
    /// The finding of the survey's report at this place; never asked of one with a fault. What the device's reputation
    /// makes of it is not the vertical's business.
    fn finding(&self, report: usize) -> Finding;

    /// What to remember for the next epoch: the same bytes wherever they are computed.
    fn memory(&self) -> Vec<u8>;
}

/// A kind of network.
pub trait Vertical: Sync {
    fn name(&self) -> &'static str;
    /// What one unit is, in words.
    fn unit(&self) -> &'static str;
    /// Its own reasons, numbered from `reasons::OWN_FROM`; the kit's are in `reasons::REASONS`.
    fn reasons(&self) -> &'static [ReasonText];
    fn quantities(&self) -> &'static [QuantityText];

    fn default_params(&self) -> Vec<u8>;
    fn check_params(&self, params: &[u8]) -> Result<(), ParamsError>;
    /// How the network counts reputation: the kit's defaults, or what its parameters say instead.
    fn reputation(&self, params: &[u8]) -> Result<Rules, ParamsError>;

    /// Whether intake may take this body: its one byte form, within its bounds. Says nothing about its truth.
    fn check_body(&self, body: &[u8]) -> Result<(), BodyError>;
    /// What a body says, appended to `out`; on an error nothing is.
    fn read_body(&self, body: &[u8], out: &mut Vec<Reading>) -> Result<(), BodyError>;
    fn driver(&self, params: &[u8], clock: EpochClock) -> Result<Box<dyn Driver>, ParamsError>;

    /// What these reports say, without judging. Surveys of parts merge into the survey of the whole.
    fn survey(&self, reports: &[Admitted]) -> Survey;
    /// Judges a settled survey of all reports of an epoch. The memory is what the vertical left in the epoch before.
    fn judge<'a>(&self, epoch: &Epoch<'a>, survey: &'a Survey) -> Result<Box<dyn Judgement + 'a>, AssessInputError>;

    fn shape(&self) -> Shape;
    /// What a device can serve after this finding; `None` when it earned nothing.
    fn offer(&self, member: &Member, finding: &Finding) -> Option<Offer>;
    /// What so much delivered service costs.
    fn meter(&self, params: &[u8], delivered: u64) -> Result<Bill, ParamsError>;

    /// Honest devices and every known cheat, made from a seed: for tests, demo and simulator.
    fn cast(&self, seed: u64) -> Box<dyn Cast>;
}

/// Bytes of the epoch that are not what the vertical wrote or the ledger checked.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AssessInputError {
    #[error(transparent)]
    Params(#[from] ParamsError),
    #[error(transparent)]
    Memory(#[from] MemoryError),
    #[error("an epoch has at least one slot and at most {max}; this one has {slots}")]
    Slots { slots: u64, max: u64 },
}
