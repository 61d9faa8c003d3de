//! Every reason a sensor's reading or report is not paid for, with its number, and the sentence people read. Numbers are
//! for ever.

use crate::kit::ReasonText;
use cairn_types::Reason;

pub const AHEAD: Reason = Reason(100);
pub const OUTSIDE_EPOCH: Reason = Reason(101);
pub const RANGE: Reason = Reason(102);
pub const DUPLICATE: Reason = Reason(103);
pub const RATE: Reason = Reason(104);
pub const COPIED: Reason = Reason(105);
pub const REPLAYED: Reason = Reason(106);
pub const WRONG_PLACE: Reason = Reason(107);
pub const WRONG_UNIT: Reason = Reason(108);
pub const FAULTY_ZERO: Reason = Reason(109);
pub const HIGH_INFLUX: Reason = Reason(110);
pub const APART: Reason = Reason(111);
pub const JUMP: Reason = Reason(112);
pub const STUCK: Reason = Reason(113);
pub const CROWDED: Reason = Reason(114);
pub const NOT_BOUGHT: Reason = Reason(115);

/// Why a sensor's reading or report is not paid, and what that weighs against it. What only a cheat does weighs double, what
/// becomes of an honest gauge that leaks, is blocked or was offline weighs half, and what is no fault weighs nothing.
pub const REASONS: &[ReasonText] = &[
    ReasonText::new(
        AHEAD,
        "ahead",
        "the device's clock is ahead: it tells of what has not happened yet",
        "s",
        100,
    ),
    ReasonText::new(
        OUTSIDE_EPOCH,
        "outside_epoch",
        "the reading is of another time than the epoch it is reported in",
        "s",
        100,
    ),
    ReasonText::new(
        RANGE,
        "range",
        "no sensor of this kind can measure this value",
        "as the quantity",
        100,
    ),
    ReasonText::new(
        DUPLICATE,
        "duplicate",
        "the device has already reported this quantity for this time",
        "readings",
        0,
    ),
    ReasonText::new(
        RATE,
        "rate",
        "the slot already has a reading; more are not paid",
        "readings",
        0,
    ),
    ReasonText::new(
        COPIED,
        "copied",
        "the series is equal to that of a device that had it first",
        "equal changes of value",
        200,
    ),
    ReasonText::new(
        REPLAYED,
        "replayed",
        "the series repeats the device's own of an earlier time",
        "equal changes of value",
        200,
    ),
    ReasonText::new(
        WRONG_PLACE,
        "wrong_place",
        "its rain has nothing to do with the rain around the place it claims",
        "% correlation",
        200,
    ),
    ReasonText::new(
        WRONG_UNIT,
        "wrong_unit",
        "it differs from its neighbours by a constant factor, as if in another unit",
        "% of wet slots",
        100,
    ),
    ReasonText::new(
        FAULTY_ZERO,
        "faulty_zero",
        "it reports no rain while it rains all around, and has not seen rain since",
        "slots",
        50,
    ),
    ReasonText::new(
        HIGH_INFLUX,
        "high_influx",
        "far more rain than the neighbours have seen",
        "as the quantity",
        50,
    ),
    ReasonText::new(
        APART,
        "apart",
        "too far from what all neighbours measure",
        "as the quantity",
        50,
    ),
    ReasonText::new(
        JUMP,
        "jump",
        "it changed faster than this quantity can",
        "as the quantity",
        50,
    ),
    ReasonText::new(STUCK, "stuck", "the same value for too long", "slots", 100),
    ReasonText::new(
        CROWDED,
        "crowded",
        "so many devices share the cell that nothing is left for one",
        "devices",
        0,
    ),
    ReasonText::new(
        NOT_BOUGHT,
        "not_bought",
        "good readings, but of no quantity this network pays for",
        "",
        0,
    ),
];
