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
    )
    .mend("Let its clock follow a time server (NTP)."),
    ReasonText::new(
        OUTSIDE_EPOCH,
        "outside_epoch",
        "the reading is of another time than the epoch it is reported in",
        "s",
        100,
    )
    .mend("Let its clock follow a time server, and its reports go out within the hour: the outbox says what waits."),
    ReasonText::new(
        RANGE,
        "range",
        "no sensor of this kind can measure this value",
        "as the quantity",
        100,
    )
    .mend("Check the sensor, its cable and the unit and scale set in the agent."),
    ReasonText::new(
        DUPLICATE,
        "duplicate",
        "the device has already reported this quantity for this time",
        "readings",
        0,
    )
    .mend("Check that no second program sends for it."),
    ReasonText::new(
        RATE,
        "rate",
        "the slot already has a reading; more are not paid",
        "readings",
        0,
    )
    .mend("Nothing is lost; it may report less often."),
    ReasonText::new(
        COPIED,
        "copied",
        "the series is equal to that of a device that had it first",
        "equal changes of value",
        200,
    )
    .mend("It must report what its own sensor measures. Two devices on one sensor are one device."),
    ReasonText::new(
        REPLAYED,
        "replayed",
        "the series repeats the device's own of an earlier time",
        "equal changes of value",
        200,
    )
    .mend("Check that the agent reads the sensor and not a file or a cache of old readings."),
    ReasonText::new(
        WRONG_PLACE,
        "wrong_place",
        "its rain has nothing to do with the rain around the place it claims",
        "% correlation",
        200,
    )
    .mend("Check that the place on the ledger is where it stands; if it was moved, say so with `cairn device move`."),
    ReasonText::new(
        WRONG_UNIT,
        "wrong_unit",
        "it differs from its neighbours by a constant factor, as if in another unit",
        "% of wet slots",
        100,
    )
    .mend("Check the unit and the scale in the agent: a tip of its bucket in millimetres, temperatures in Celsius."),
    ReasonText::new(
        FAULTY_ZERO,
        "faulty_zero",
        "it reports no rain while it rains all around, and has not seen rain since",
        "slots",
        50,
    )
    .mend("Clean the funnel, free the bucket and check the cable: it is most likely blocked."),
    ReasonText::new(
        HIGH_INFLUX,
        "high_influx",
        "far more rain than the neighbours have seen",
        "as the quantity",
        50,
    )
    .mend("Check that nothing drips, splashes or sprinkles into it, and that one tip is counted once."),
    ReasonText::new(
        APART,
        "apart",
        "too far from what all neighbours measure",
        "as the quantity",
        50,
    )
    .mend(
        "Check its place, its shade and its shield against neighbours; a wall, a vent or a tree over it explains much.",
    ),
    ReasonText::new(
        JUMP,
        "jump",
        "it changed faster than this quantity can",
        "as the quantity",
        50,
    )
    .mend("Check the cable, the contacts and the power supply."),
    ReasonText::new(STUCK, "stuck", "the same value for too long", "slots", 100)
        .mend("Check that the sensor answers: the same number for hours is most often a frozen driver."),
    ReasonText::new(
        CROWDED,
        "crowded",
        "so many devices share the cell that nothing is left for one",
        "devices",
        0,
    )
    .mend("A cell with fewer devices pays more."),
    ReasonText::new(
        NOT_BOUGHT,
        "not_bought",
        "good readings, but of no quantity this network pays for",
        "",
        0,
    )
    .mend("Ask the founder which quantities the network pays for, or let it join one that pays for these."),
];
